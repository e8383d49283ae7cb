"""Google Cloud DNS: https://cloud.google.com/dns/docs/reference/rest/v1"""

import base64
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tests.dns.apis.keys import KEY, PEM, SECRETS
from tests.dns.apis.server import API, ZONE

TOKEN = "access-token-for-the-zone"


def grant(records, request):
    """Exchange a token that the service account has signed: RFC 7523."""
    signed, _, signature = request.form["assertion"].rpartition(".")
    KEY.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="),
        signed.encode(),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )
    return {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3599}


def zones(records, request):
    assert request.query["dnsName"] == f"{ZONE}."
    return {"managedZones": [{"name": "zone", "dnsName": f"{ZONE}.", "visibility": "public"}]}


def read(records, request):
    name = request.query["name"]
    values = [f'"{value}"' for value in records.values(name.rstrip("."))]
    found = {"name": name, "type": "TXT", "ttl": 120, "rrdatas": values}
    return {"rrsets": [found] if values else []}


def change(records, request):
    """Change whole sets: a deletion has to name one as it is, an addition none that is there."""
    for gone in request.json.get("deletions", []):
        values = [value.strip('"') for value in gone["rrdatas"]]
        assert sorted(values) == sorted(records.values(gone["name"].rstrip(".")))
        records.replace(gone["name"].rstrip("."), [])
    for new in request.json.get("additions", []):
        assert records.values(new["name"].rstrip(".")) == []
        records.replace(new["name"].rstrip("."), new["rrdatas"])
    return {"id": "1", "status": "done"}


ACCOUNT = {
    "type": "service_account",
    "project_id": "project",
    "client_email": "lego@project.iam.gserviceaccount.com",
    "private_key_id": "1",
    "private_key": PEM,
    "token_uri": "{url}/token",
}

_PROJECT = "dns.googleapis.com/dns/v1/projects/project/managedZones"

GOOGLE = API(
    "gcloud",
    settings={"GCE_SERVICE_ACCOUNT": json.dumps(ACCOUNT)},
    secrets=(*SECRETS, TOKEN),
    authorized=lambda request: request.path == "/token" or request.token == TOKEN,
    routes={
        "POST /token": grant,
        f"GET {_PROJECT}": zones,
        f"GET {_PROJECT}/zone/rrsets": read,
        f"POST {_PROJECT}/zone/changes": change,
    },
)
