"""Oracle Cloud: https://docs.oracle.com/en-us/iaas/api/#/en/dns/20180115/"""

import base64

from tests.dns.apis.keys import PEM, SECRETS
from tests.dns.apis.server import API, ZONE, Reply

_KEY = base64.b64encode(PEM.encode()).decode()


def _collection(records, name):
    items = [
        {"domain": name, "recordHash": str(number), "rtype": "TXT", "rdata": f'"{value}"'}
        for number, value in records.at(name).items()
    ]
    return Reply({"items": items}, headers={"opc-total-items": str(len(items))})


def read(records, request, name):
    assert (request.query["rtype"], request.query["compartmentId"]) == ("TXT", "compartment")
    return _collection(records, name)


def change(records, request, name):
    for sent in request.json["items"]:
        if sent.get("operation") == "REMOVE":
            records.remove(sent["recordHash"])
        else:
            records.add(sent["domain"], sent["rdata"])
    return _collection(records, name)


_RECORDS = f"dns.us-phoenix-1.oci.oraclecloud.com/20180115/zones/{ZONE}./records/{{name}}"

ORACLE = API(
    "oraclecloud",
    settings={
        "OCI_COMPARTMENT_OCID": "compartment",
        "OCI_REGION": "us-phoenix-1",
        "OCI_TENANCY_OCID": "tenancy",
        "OCI_USER_OCID": "user",
        "OCI_PUBKEY_FINGERPRINT": "12:34",
        "OCI_PRIVKEY": _KEY,
    },
    secrets=(*SECRETS, _KEY),
    authorized=lambda request: 'keyId="tenancy/user/12:34"' in request.token,
    routes={f"GET {_RECORDS}": read, f"PATCH {_RECORDS}": change},
)
