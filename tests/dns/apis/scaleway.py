"""Scaleway: https://www.scaleway.com/en/developers/api/domains-and-dns/"""

from tests.dns.apis.server import API, ZONE, unquoted

_KEY = "9c0d6a6b-6f4a-4f0e-8a59-0d5a1a5b3c7e"  # the SDK takes nothing but a UUID


def change(records, request, zone):
    assert zone.endswith(f".{ZONE}.")
    for sent in request.json["changes"]:
        for record in sent.get("add", {}).get("records", []):
            records.add(record["name"].rstrip("."), unquoted(record["data"]))
        if "delete" in sent:
            gone = sent["delete"]["id_fields"]
            kept = records.values(gone["name"].rstrip("."))
            kept.remove(unquoted(gone["data"]))
            records.replace(gone["name"].rstrip("."), kept)
    return {"records": []}


SCALEWAY = API(
    "scaleway",
    settings={"SCW_SECRET_KEY": _KEY},
    secrets=(_KEY,),
    authorized=lambda request: request.headers["X-Auth-Token"] == _KEY,
    routes={"PATCH api.scaleway.com/domain/v2beta1/dns-zones/{zone}/records": change},
)
