"""Linode: https://techdocs.akamai.com/linode-api/"""

import json

from tests.dns.apis.server import API, SECRET, ZONE


def _page(found):
    return {"data": found, "page": 1, "pages": 1, "results": len(found)}


def domains(records, request):
    assert json.loads(request.headers["X-Filter"]) == {"domain": ZONE}
    return _page([{"id": 1, "domain": ZONE, "type": "master"}])


def read(records, request):
    return _page(
        [
            {"id": number, "type": "TXT", "name": name.removesuffix(f".{ZONE}"), "target": value}
            for number, (name, value) in records.kept.items()
        ]
    )


def create(records, request):
    sent = request.json
    return {**sent, "id": records.add(sent["name"], sent["target"])}


def delete(records, request, number):
    records.remove(number)
    return {}


LINODE = API(
    "linode",
    settings={"LINODE_TOKEN": SECRET},
    authorized=lambda request: request.token == SECRET,
    routes={
        "GET api.linode.com/v4/domains": domains,
        "GET api.linode.com/v4/domains/1/records": read,
        "POST api.linode.com/v4/domains/1/records": create,
        "DELETE api.linode.com/v4/domains/1/records/{number}": delete,
    },
)
