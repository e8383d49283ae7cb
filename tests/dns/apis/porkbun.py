"""Porkbun: https://porkbun.com/api/json/v3/documentation"""

from tests.dns.apis.server import API, SECRET, ZONE, below


def create(records, request):
    sent = request.json
    number = records.add(below(sent["name"]), sent["content"])
    return {"status": "SUCCESS", "id": number}


def delete(records, request, number):
    records.remove(number)
    return {"status": "SUCCESS"}


def authorized(request):
    return (request.json["apikey"], request.json["secretapikey"]) == ("key", SECRET)


PORKBUN = API(
    "porkbun",
    settings={"PORKBUN_API_KEY": "key", "PORKBUN_SECRET_API_KEY": SECRET},
    authorized=authorized,
    routes={
        f"POST api.porkbun.com/api/json/v3/dns/create/{ZONE}": create,
        f"POST api.porkbun.com/api/json/v3/dns/delete/{ZONE}/{{number}}": delete,
    },
)
