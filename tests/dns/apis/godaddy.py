"""GoDaddy: https://developer.godaddy.com/doc/endpoint/domains"""

from tests.dns.apis.server import API, SECRET, ZONE, Reply, below


def read(records, request, name):
    return [
        {"type": "TXT", "name": name, "data": value, "ttl": 600}
        for value in records.values(below(name))
    ]


def write(records, request, name):
    records.replace(below(name), [record["data"] for record in request.json])
    return b""


def delete(records, request, name):
    records.replace(below(name), [])
    return Reply(status=204)


_RECORDS = f"api.godaddy.com/v1/domains/{ZONE}/records/TXT/{{name}}"

GODADDY = API(
    "godaddy",
    settings={"GODADDY_API_KEY": "key", "GODADDY_API_SECRET": SECRET},
    authorized=lambda request: request.token == f"key:{SECRET}",
    routes={f"GET {_RECORDS}": read, f"PUT {_RECORDS}": write, f"DELETE {_RECORDS}": delete},
)
