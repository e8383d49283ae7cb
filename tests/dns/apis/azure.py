"""Azure: https://learn.microsoft.com/en-us/rest/api/dns/"""

from tests.dns.apis.server import API, SECRET, ZONE, Reply, below

TOKEN = "access-token-for-the-zone"
_AUTHORITY = "https://login.microsoftonline.com/tenant"


def discover(records, request):
    return {
        "tenant_discovery_endpoint": f"{_AUTHORITY}/v2.0/.well-known/openid-configuration",
        "metadata": [],
    }


def configure(records, request):
    return {
        "authorization_endpoint": f"{_AUTHORITY}/oauth2/v2.0/authorize",
        "token_endpoint": f"{_AUTHORITY}/oauth2/v2.0/token",
        "issuer": f"{_AUTHORITY}/v2.0",
    }


def grant(records, request):
    sent = request.form
    assert (sent["client_id"], sent["client_secret"]) == ("client", SECRET)
    return {"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN}


def zones(records, request):
    assert "microsoft.network/dnszones" in request.json["query"]
    found = [{"subscriptionId": "subscription", "resourceGroup": "group", "name": ZONE}]
    return {"totalRecords": 1, "count": 1, "resultTruncated": "false", "data": found}


def _set(name, values):
    values = [{"value": [value]} for value in values]
    return {"name": name, "properties": {"TTL": 60, "TXTRecords": values}}


def read(records, request, name):
    values = records.values(below(name))
    if not values:
        return Reply({"error": {"code": "NotFound", "message": "No such record."}}, status=404)
    return _set(name, values)


def write(records, request, name):
    sent = request.json["properties"]["TXTRecords"]
    records.replace(below(name), ["".join(record["value"]) for record in sent])
    return _set(name, records.values(below(name)))


def delete(records, request, name):
    """Delete the set, if it is there: two names in a certificate may share it."""
    found = records.values(below(name))
    records.replace(below(name), [])
    return Reply(status=200 if found else 204)


def authorized(request):
    return request.host == "login.microsoftonline.com" or request.token == TOKEN


_RECORDS = (
    "management.azure.com/subscriptions/subscription/resourceGroups/group/providers"
    f"/Microsoft.Network/dnsZones/{ZONE}/TXT/{{name}}"
)

AZURE = API(
    "azuredns",
    settings={
        "AZURE_AUTH_METHOD": "env",
        "AZURE_TENANT_ID": "tenant",
        "AZURE_CLIENT_ID": "client",
        "AZURE_CLIENT_SECRET": SECRET,
    },
    secrets=(SECRET, TOKEN),
    authorized=authorized,
    routes={
        "GET login.microsoftonline.com/common/discovery/instance": discover,
        "GET login.microsoftonline.com/tenant/v2.0/.well-known/openid-configuration": configure,
        "POST login.microsoftonline.com/tenant/oauth2/v2.0/token": grant,
        "POST management.azure.com/providers/Microsoft.ResourceGraph/resources": zones,
        f"GET {_RECORDS}": read,
        f"PUT {_RECORDS}": write,
        f"DELETE {_RECORDS}": delete,
    },
)
