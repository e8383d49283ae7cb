"""Route 53: https://docs.aws.amazon.com/Route53/latest/APIReference/"""

from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from tests.dns.apis.server import API, SECRET, ZONE, unquoted
from tests.servers.http_api import Reply

_NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"


def _answer(kind, content):
    return f'<{kind} xmlns="{_NAMESPACE}">{content}</{kind}>'.encode()


def _change(status):
    return (
        f"<ChangeInfo><Id>/change/C1</Id><Status>{status}</Status>"
        "<SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo>"
    )


_GONE = _answer(
    "ErrorResponse",
    "<Error><Type>Sender</Type><Code>InvalidChangeBatch</Code>"
    "<Message>it was not found</Message></Error>",
)


def zones(records, request):
    zone = (
        f"<HostedZone><Id>/hostedzone/Z1</Id><Name>{ZONE}.</Name><CallerReference/>"
        "<Config><PrivateZone>false</PrivateZone></Config></HostedZone>"
    )
    return _answer(
        "ListHostedZonesByNameResponse",
        f"<HostedZones>{zone}</HostedZones><IsTruncated>false</IsTruncated>"
        f"<DNSName>{request.query['dnsname']}</DNSName><MaxItems>100</MaxItems>",
    )


def sets(records, request):
    name = request.query["name"]
    values = "".join(
        f"<ResourceRecord><Value>{escape(chr(34) + value + chr(34))}</Value></ResourceRecord>"
        for value in records.values(name.rstrip("."))
    )
    found = (
        f"<ResourceRecordSet><Name>{name}</Name><Type>TXT</Type><TTL>10</TTL>"
        f"<ResourceRecords>{values}</ResourceRecords></ResourceRecordSet>"
    )
    return _answer(
        "ListResourceRecordSetsResponse",
        f"<ResourceRecordSets>{found if values else ''}</ResourceRecordSets>"
        "<IsTruncated>false</IsTruncated><MaxItems>100</MaxItems>",
    )


def change(records, request):
    [sent] = ET.fromstring(request.body).iter(f"{{{_NAMESPACE}}}Change")

    def texts(tag):
        return [each.text for each in sent.iter(f"{{{_NAMESPACE}}}{tag}")]

    [name], [action] = texts("Name"), texts("Action")
    name, values = name.rstrip("."), [unquoted(value) for value in texts("Value")]
    if action == "DELETE":  # it has to name the set as it is
        kept = records.values(name)
        attempt = request.headers["Amz-Sdk-Request"]
        if not kept and not attempt.startswith("attempt=1;"):
            return Reply(_GONE, status=400)  # done already, but its answer was not heard
        assert sorted(values) == sorted(kept), f"{values} is to be deleted of {kept}: {attempt}"
    records.replace(name, values if action == "UPSERT" else [])
    return _answer("ChangeResourceRecordSetsResponse", _change("PENDING"))


def progress(records, request):
    return _answer("GetChangeResponse", _change("INSYNC"))


ROUTE53 = API(
    "route53",
    settings={
        "AWS_ENDPOINT_URL_ROUTE_53": "{url}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
    },
    authorized=lambda request: request.token.startswith("Credential=key/"),
    routes={
        "GET /2013-04-01/hostedzonesbyname": zones,
        "GET /2013-04-01/hostedzone/Z1/rrset": sets,
        "POST /2013-04-01/hostedzone/Z1/rrset": change,
        "GET /2013-04-01/change/C1": progress,
    },
)
