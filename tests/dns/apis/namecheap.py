"""Namecheap: https://www.namecheap.com/support/api/methods/"""

import itertools
from xml.sax.saxutils import quoteattr

from tests.dns.apis.server import API, SECRET, ZONE, below


def _answer(command, result):
    return (
        '<ApiResponse xmlns="http://api.namecheap.com/xml.response" Status="OK"><Errors/>'
        f'<CommandResponse Type="{command}">{result}</CommandResponse></ApiResponse>'
    ).encode()


def client_address(records, request):
    return b"127.0.0.1"


def get_hosts(records, request):
    assert request.query["Command"] == "namecheap.domains.dns.getHosts"
    hosts = "".join(
        f'<host HostId="{number}" Type="TXT" Name={quoteattr(name.removesuffix("." + ZONE))} '
        f'Address={quoteattr(value)} MXPref="10" TTL="1800"/>'
        for number, (name, value) in records.kept.items()
    )
    result = f'<DomainDNSGetHostsResult Domain="{ZONE}">{hosts}</DomainDNSGetHostsResult>'
    return _answer(request.query["Command"], result)


def set_hosts(records, request):
    """Replace all hosts of the domain: there is no other change."""
    sent = request.form
    assert sent["Command"] == "namecheap.domains.dns.setHosts"
    wanted = {}
    for number in itertools.count(1):
        if f"HostName{number}" not in sent:
            break
        assert sent[f"RecordType{number}"] == "TXT"
        name = below(sent[f"HostName{number}"])
        wanted.setdefault(name, []).append(sent[f"Address{number}"])
    for name in {*wanted, *(name for name, _ in records.kept.values())}:
        records.replace(name, wanted.get(name, []))
    return _answer(sent["Command"], '<DomainDNSSetHostsResult IsSuccess="true"/>')


def authorized(request):
    if request.path == "/getip":
        return True
    sent = {**request.query, **request.form}
    given = tuple(sent[name] for name in ("ApiUser", "ApiKey", "ClientIp", "SLD", "TLD"))
    return given == ("user", SECRET, "127.0.0.1", *ZONE.split("."))


NAMECHEAP = API(
    "namecheap",
    settings={"NAMECHEAP_API_USER": "user", "NAMECHEAP_API_KEY": SECRET},
    authorized=authorized,
    routes={
        "GET dynamicdns.park-your-domain.com/getip": client_address,
        "GET api.namecheap.com/xml.response": get_hosts,
        "POST api.namecheap.com/xml.response": set_hosts,
    },
)
