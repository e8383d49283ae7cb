"""DNSimple: https://developer.dnsimple.com/v2/"""

from tests.dns.apis.server import API, SECRET, ZONE, Reply, below


def account(records, request):
    return {"data": {"user": None, "account": {"id": 7}}}


def zone(records, request):
    return {"data": {"id": 1, "account_id": 7, "name": ZONE}}


def _record(number, name, value):
    return {"id": number, "zone_id": ZONE, "type": "TXT", "name": name, "content": value}


def read(records, request):
    name = request.query["name"]
    found = [_record(number, name, value) for number, value in records.at(below(name)).items()]
    return {"data": found}


def create(records, request):
    sent = request.json
    number = records.add(below(sent["name"]), sent["content"])
    return Reply({"data": _record(number, sent["name"], sent["content"])}, status=201)


def delete(records, request, number):
    records.remove(number)
    return Reply(status=204)


DNSIMPLE = API(
    "dnsimple",
    settings={"DNSIMPLE_BASE_URL": "{url}", "DNSIMPLE_OAUTH_TOKEN": SECRET},
    authorized=lambda request: request.token == SECRET,
    routes={
        "GET /v2/whoami": account,
        f"GET /v2/7/zones/{ZONE}": zone,
        f"GET /v2/7/zones/{ZONE}/records": read,
        f"POST /v2/7/zones/{ZONE}/records": create,
        f"DELETE /v2/7/zones/{ZONE}/records/{{number}}": delete,
    },
)
