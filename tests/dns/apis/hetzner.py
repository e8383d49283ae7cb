"""Hetzner: https://docs.hetzner.cloud/reference/cloud#dns"""

from tests.dns.apis.server import API, SECRET, ZONE, Reply, below, unquoted

_ACTION = {"action": {"id": 1, "status": "success", "progress": 100, "error": None}}


def add(records, request, name):
    values = [unquoted(record["value"]) for record in request.json["records"]]
    records.replace(below(name), [*records.values(below(name)), *values])
    return Reply(_ACTION, status=201)


def remove(records, request, name):
    gone = [unquoted(record["value"]) for record in request.json["records"]]
    kept = [value for value in records.values(below(name)) if value not in gone]
    records.replace(below(name), kept)
    return Reply(_ACTION, status=201)


def action(records, request):
    return _ACTION


_ACTIONS = f"api.hetzner.cloud/v1/zones/{ZONE}/rrsets/{{name}}/TXT/actions"

HETZNER = API(
    "hetzner",
    settings={"HETZNER_API_TOKEN": SECRET},
    authorized=lambda request: request.token == SECRET,
    routes={
        f"POST {_ACTIONS}/add_records": add,
        f"POST {_ACTIONS}/remove_records": remove,
        "GET api.hetzner.cloud/v1/actions/1": action,
    },
)
