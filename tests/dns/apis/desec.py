"""deSEC: https://desec.readthedocs.io/"""

from tests.dns.apis.server import API, SECRET, ZONE, Reply, below, unquoted


def domains(records, request):
    assert request.query["owns_qname"].endswith(f".{ZONE}")
    return [{"name": ZONE, "minimum_ttl": 3600}]


def _set(records, name):
    values = [f'"{value}"' for value in records.values(below(name))]
    return {"domain": ZONE, "subname": name, "type": "TXT", "records": values, "ttl": 3600}


def create(records, request):
    sent = request.json
    records.replace(below(sent["subname"]), [unquoted(value) for value in sent["records"]])
    return Reply(_set(records, sent["subname"]), status=201)


def read(records, request, name):
    if not records.values(below(name)):
        return Reply({"detail": "Not found."}, status=404)
    return _set(records, name)


def write(records, request, name):
    records.replace(below(name), [unquoted(value) for value in request.json["records"]])
    return _set(records, name) if request.json["records"] else Reply(status=204)


_SETS = f"desec.io/api/v1/domains/{ZONE}/rrsets"

DESEC = API(
    "desec",
    settings={"DESEC_TOKEN": SECRET},
    authorized=lambda request: request.token == SECRET,
    routes={
        "GET desec.io/api/v1/domains/": domains,
        f"POST {_SETS}/": create,
        f"GET {_SETS}/{{name}}/TXT/": read,
        f"PATCH {_SETS}/{{name}}/TXT/": write,
    },
)
