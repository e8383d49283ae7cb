"""Vultr: https://www.vultr.com/api/#tag/dns"""

from tests.dns.apis.server import API, SECRET, ZONE, Reply, below, unquoted

_META = {"total": 1, "links": {"next": "", "prev": ""}}


def domains(records, request):
    return {"domains": [{"domain": ZONE}], "meta": _META}


def _record(number, name, value):
    return {
        "id": str(number),
        "type": "TXT",
        "name": name.removesuffix(f".{ZONE}"),
        "data": f'"{value}"',
        "ttl": 120,
    }


def read(records, request):
    found = [_record(number, *record) for number, record in records.kept.items()]
    return {"records": found, "meta": _META}


def create(records, request):
    sent = request.json
    number = records.add(below(sent["name"]), unquoted(sent["data"]))
    return Reply({"record": _record(number, *records.kept[number])}, status=201)


def delete(records, request, number):
    records.remove(number)
    return Reply(status=204)


_RECORDS = f"api.vultr.com/v2/domains/{ZONE}/records"

VULTR = API(
    "vultr",
    settings={"VULTR_API_KEY": SECRET},
    authorized=lambda request: request.token == SECRET,
    routes={
        "GET api.vultr.com/v2/domains": domains,
        f"GET {_RECORDS}": read,
        f"POST {_RECORDS}": create,
        f"DELETE {_RECORDS}/{{number}}": delete,
    },
)
