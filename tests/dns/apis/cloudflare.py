"""Cloudflare: https://developers.cloudflare.com/api/"""

from tests.dns.apis.server import API, SECRET, ZONE, unquoted


def zones(records, request):
    assert request.query["name"] == ZONE
    return {"success": True, "result": [{"id": "Z1", "name": ZONE}]}


def create(records, request):
    sent = request.json
    number = records.add(sent["name"], unquoted(sent["content"]))
    return {"success": True, "result": {**sent, "id": str(number)}}


def delete(records, request, number):
    records.remove(number)
    return {"success": True, "result": {"id": number}}


CLOUDFLARE = API(
    "cloudflare",
    settings={"CLOUDFLARE_BASE_URL": "{url}/client/v4", "CLOUDFLARE_DNS_API_TOKEN": SECRET},
    authorized=lambda request: request.token == SECRET,
    routes={
        "GET /client/v4/zones": zones,
        "POST /client/v4/zones/Z1/dns_records": create,
        "DELETE /client/v4/zones/Z1/dns_records/{number}": delete,
    },
)
