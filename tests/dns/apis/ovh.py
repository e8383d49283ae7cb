"""OVH: https://eu.api.ovh.com/console/"""

import hashlib
import time

from tests.dns.apis.server import API, SECRET, ZONE, below


def now(records, request):
    return int(time.time())


def create(records, request):
    sent = request.json
    assert sent["fieldType"] == "TXT"
    number = records.add(below(sent["subDomain"]), sent["target"])
    return {**sent, "zone": ZONE, "id": number}


def delete(records, request, number):
    records.remove(number)


def refresh(records, request):
    """Serve the changes: ours are served at once."""


def authorized(request):
    """Whether the request is signed: https://help.ovhcloud.com/csm/en-api-getting-started"""
    if request.path == "/auth/time":
        return True
    headers = request.headers
    url = f"http://{headers['Host']}{request.path}"
    signed = [SECRET, "consumer", request.method, url, request.body.decode()]
    digest = hashlib.sha1("+".join([*signed, headers["X-Ovh-Timestamp"]]).encode()).hexdigest()
    return headers["X-Ovh-Signature"] == f"$1${digest}"


OVH = API(
    "ovh",
    settings={
        "OVH_ENDPOINT": "{url}",
        "OVH_APPLICATION_KEY": "application",
        "OVH_APPLICATION_SECRET": SECRET,
        "OVH_CONSUMER_KEY": "consumer",
    },
    authorized=authorized,
    routes={
        "GET /auth/time": now,
        f"POST /domain/zone/{ZONE}/record": create,
        f"POST /domain/zone/{ZONE}/refresh": refresh,
        f"DELETE /domain/zone/{ZONE}/record/{{number}}": delete,
    },
)
