"""Gandi: https://api.gandi.net/docs/livedns/"""

from tests.dns.apis.server import API, SECRET, ZONE, Reply, below


def read(records, request, name):
    values = records.values(below(name))
    if not values:
        return Reply({"message": "Not found"}, status=404)
    return {"rrset_name": name, "rrset_type": "TXT", "rrset_ttl": 300, "rrset_values": values}


def write(records, request, name):
    records.replace(below(name), request.json["rrset_values"])
    return Reply({"message": "DNS Record Created"}, status=201)


def delete(records, request, name):
    records.replace(below(name), [])
    return Reply(status=204)


_RECORDS = f"api.gandi.net/v5/livedns/domains/{ZONE}/records/{{name}}/TXT"

GANDI = API(
    "gandiv5",
    settings={"GANDIV5_PERSONAL_ACCESS_TOKEN": SECRET},
    authorized=lambda request: request.token == SECRET,
    routes={f"GET {_RECORDS}": read, f"PUT {_RECORDS}": write, f"DELETE {_RECORDS}": delete},
)
