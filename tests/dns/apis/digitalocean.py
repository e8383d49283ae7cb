"""DigitalOcean: https://docs.digitalocean.com/reference/api/"""

from tests.dns.apis.server import API, SECRET, ZONE, Reply


def create(records, request):
    sent = request.json
    number = records.add(sent["name"].rstrip("."), sent["data"])
    return Reply({"domain_record": {**sent, "id": number}}, status=201)


def delete(records, request, number):
    records.remove(number)
    return Reply(status=204)


DIGITALOCEAN = API(
    "digitalocean",
    settings={"DO_API_URL": "{url}", "DO_AUTH_TOKEN": SECRET},
    authorized=lambda request: request.token == SECRET,
    routes={
        f"POST /v2/domains/{ZONE}/records": create,
        f"DELETE /v2/domains/{ZONE}/records/{{number}}": delete,
    },
)
