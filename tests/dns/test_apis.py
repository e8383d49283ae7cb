"""lego's providers with their own SDKs, in their hosts, on stand-ins for their services.

The services cannot be run here. What stands in for each keeps records and gives the
answers that the service documents, as far as the SDK asks; so these tests show that the
whole way through a provider works and leaves nothing, not that a service will agree.
"""

import dataclasses
import functools
import logging
import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

import pylego
from pylego.testing import Faults
from tests.bridge.processes import hosts
from tests.dns.apis.alibaba import ALIBABA
from tests.dns.apis.azure import AZURE
from tests.dns.apis.cloudflare import CLOUDFLARE
from tests.dns.apis.desec import DESEC
from tests.dns.apis.digitalocean import DIGITALOCEAN
from tests.dns.apis.dnsimple import DNSIMPLE
from tests.dns.apis.gandi import GANDI
from tests.dns.apis.godaddy import GODADDY
from tests.dns.apis.google import GOOGLE
from tests.dns.apis.hetzner import HETZNER
from tests.dns.apis.linode import LINODE
from tests.dns.apis.namecheap import NAMECHEAP
from tests.dns.apis.oracle import ORACLE
from tests.dns.apis.ovh import OVH
from tests.dns.apis.porkbun import PORKBUN
from tests.dns.apis.route53 import ROUTE53
from tests.dns.apis.scaleway import SCALEWAY
from tests.dns.apis.server import SECRET, ZONE, APIServer
from tests.dns.apis.tencent import TENCENT
from tests.dns.apis.vultr import VULTR

APIS = [
    ALIBABA,
    AZURE,
    CLOUDFLARE,
    DESEC,
    DIGITALOCEAN,
    DNSIMPLE,
    GANDI,
    GODADDY,
    GOOGLE,
    HETZNER,
    LINODE,
    NAMECHEAP,
    ORACLE,
    OVH,
    PORKBUN,
    ROUTE53,
    SCALEWAY,
    TENCENT,
    VULTR,
]


@pytest.fixture
def new_client(new_client):
    """Make clients whose clean-up may take its time: what is begun anew finds nothing to delete."""
    return functools.partial(new_client, cleanup_timeout=60)


@pytest.fixture(params=APIS, ids=lambda api: api.provider)
def service(request, acme_server, authority):
    with APIServer(request.param, acme_server, authority) as server:
        yield server


@pytest.fixture
def trust(authority, tmp_path):
    path = tmp_path / "trust.pem"
    path.write_bytes(authority.pem)
    return str(path)


@pytest.fixture
def challenge(service, acme_server, trust, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return pylego.DNS01(
        service.api.provider,
        resolvers=[acme_server.dns],
        check_authoritative=False,  # they would be asked at port 53
        check_recursive=True,
        SSL_CERT_FILE=trust,
        LEGO_DEBUG_DNS_API_HTTP_CLIENT="true",  # most providers then print each request
        **service.settings(),
    )


def test_a_name_and_its_wildcard_leave_nothing_but_what_was_there_and_tell_no_secret(
    acme_server, new_client, service, challenge, caplog
):
    caplog.set_level(logging.DEBUG, logger="pylego")
    theirs = f"other.{ZONE}", "somebody's"
    service.records.add(*theirs)
    events = []
    client = new_client(acme_server, on_event=events.append)
    certificate = client.obtain(f"a.{ZONE}", f"*.a.{ZONE}", challenges=challenge)
    assert service.faults == []
    assert len(certificate.identifiers) == 2
    assert list(service.records.kept.values()) == [theirs]
    assert service.records.removed == service.records.added - 1 >= 2
    assert acme_server.records() == {theirs[0]: [theirs[1]]}
    kinds = [event.kind for event in events]
    assert kinds.count("presented") == kinds.count("cleaned_up") == 2
    assert not leaks(service.api, events, caplog)


def test_a_refusal_is_the_provider_s_error_and_tells_no_secret(
    acme_server, new_client, service, challenge, caplog
):
    caplog.set_level(logging.DEBUG, logger="pylego")
    service.refuses = True
    events = []
    client = new_client(acme_server, on_event=events.append)
    with pytest.raises(pylego.ProviderError, match=service.api.provider) as caught:
        client.obtain(f"a.{ZONE}", challenges=challenge)
    assert acme_server.records() == {}
    assert not leaks(service.api, [*events, caught.value, caught.value.info], caplog)


def test_a_record_is_called_cleaned_up_when_it_is_gone(acme_server, new_client, service, challenge):
    """Some providers clear a name as a whole, once for all that is there."""
    left = []

    def tell(event):
        if event.kind == "cleaned_up":
            left.append(len(service.records.kept))

    client = new_client(acme_server, on_event=tell)
    client.obtain(f"a.{ZONE}", f"*.a.{ZONE}", challenges=challenge)
    assert left in ([1, 0], [0, 0])


@pytest.mark.parametrize("service", [PORKBUN], indirect=True, ids=["porkbun"])
def test_a_key_from_a_file_is_told_to_nobody(
    acme_server, new_client, service, challenge, caplog, tmp_path
):
    caplog.set_level(logging.DEBUG, logger="pylego")
    path = tmp_path / "key"
    path.write_text(f"{SECRET}\n")
    variables = {**challenge.variables, "PORKBUN_SECRET_API_KEY_FILE": str(path)}
    del variables["PORKBUN_SECRET_API_KEY"]
    in_file = dataclasses.replace(challenge, variables=variables)
    new_client(acme_server).obtain(f"a.{ZONE}", challenges=in_file)
    assert "[redacted]" in caplog.text
    assert not leaks(service.api, [], caplog)


def test_a_challenge_can_be_replaced_with_other_settings():
    challenge = pylego.DNS01("httpreq", HTTPREQ_ENDPOINT="http://a")
    replaced = dataclasses.replace(challenge, propagation_wait=1)
    assert replaced == pylego.DNS01("httpreq", propagation_wait=1, HTTPREQ_ENDPOINT="http://a")


@pytest.mark.parametrize(
    "way", [pylego.DNS01("httpreq", HTTPREQ_ENDPOINT="http://a"), pylego.DNSPersist01()]
)
def test_no_name_server_is_refused_before_any_network(acme_server, new_client, way):
    unfit = dataclasses.replace(way, resolvers=["nonsense value"])
    with pytest.raises(pylego.InvalidRequest, match="nonsense value"):
        new_client(acme_server).obtain(f"a.{ZONE}", challenges=unfit)


@pytest.mark.parametrize("service", [ROUTE53], indirect=True, ids=["route53"])
def test_a_removal_whose_answer_is_lost_and_that_is_then_refused_leaves_nothing(
    acme_server, new_client, service, challenge
):
    """Its SDK sends a removal again, for which Route 53 has no record any more."""
    events = []
    service.loses = lambda request: b"<Action>DELETE</Action>" in request.body
    new_client(acme_server, on_event=events.append).obtain(f"a.{ZONE}", challenges=challenge)
    assert service.loses is None
    assert service.faults == []
    assert service.records.kept == {}
    kinds = [event.kind for event in events]
    assert kinds.count("cleaned_up") == 1
    assert "clean_up_failed" not in kinds


@pytest.mark.slow
def test_orders_at_once_lose_no_record_and_leave_none(acme_server, new_client, service, challenge):
    """Many SDKs read, change and write back all records of a name or of the zone, or delete them."""
    client = new_client(acme_server)
    client.register()
    orders = [[f"shared.{ZONE}", f"n{number}.{ZONE}"] for number in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda names: client.obtain(*names, challenges=challenge), orders))
    assert service.faults == []
    assert service.records.kept == {}
    assert acme_server.records() == {}


class Holding:
    """A solver for an order's other name, which keeps the order until a flag is set."""

    def __init__(self, server):
        self.server, self.flag = server, threading.Event()

    def present(self, presentation):
        self.server.add_txt(presentation.name, presentation.value)

    def wait(self, presentation):
        assert self.flag.wait(30)

    def clean_up(self, presentation):
        self.server.remove_txt(presentation.name, presentation.value)


def test_an_order_leaves_the_record_of_another_at_its_name(
    acme_server, new_client, service, challenge
):
    presented, other = threading.Event(), Holding(acme_server)

    def told(event):
        if (event.kind, event.identifier) == ("presented", f"a.{ZONE}"):
            presented.set()

    late, soon = new_client(acme_server, on_event=told), new_client(acme_server)
    ways = {"other.example": other, "*": challenge}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(late.obtain, f"a.{ZONE}", "other.example", challenges=ways)
        assert presented.wait(30)
        [theirs] = service.records.kept.values()
        soon.obtain(f"a.{ZONE}", challenges=challenge)
        assert theirs in service.records.kept.values()
        other.flag.set()
        assert first.result()
    assert service.faults == []
    assert service.records.kept == {}
    assert acme_server.records() == {}


def kill_hosts():
    for pid in hosts():
        with suppress(ProcessLookupError):  # one that waited for the next order has just ended
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("ends", ["well", "at its deadline", "refused by the CA"])
@pytest.mark.parametrize(
    "service", [CLOUDFLARE, GANDI, HETZNER], indirect=True, ids=lambda api: api.provider
)
def test_a_record_whose_host_was_killed_is_taken_away_by_another_or_named(
    acme_server, new_client, service, challenge, ends
):
    events = []

    def tell(event):
        events.append(event)
        if event.kind == "presented":
            kill_hosts()

    waiting = dataclasses.replace(
        challenge, propagation_wait=30 if ends == "at its deadline" else 0.5
    )
    client = new_client(acme_server, on_event=tell, timeout=4 if ends == "at its deadline" else 60)
    client.register()
    new_client(acme_server).obtain(f"b.{ZONE}", challenges=challenge)  # its host serves the next
    if ends == "refused by the CA":
        acme_server.set_faults(Faults(path="finalize", status=403, status_count=-1))
    error = None
    try:
        client.obtain(f"a.{ZONE}", challenges=waiting)
    except pylego.LEGOError as failed:
        error = failed
    assert (error is None) is (ends == "well")
    left = [event.detail for event in events if event.kind == "clean_up_failed"]
    if not pylego.providers[service.api.provider].remembers:
        assert service.records.kept == {}
        assert left == []
        return
    [(name, value)] = service.records.kept.values()
    for told in [*left, *([str(error)] if error else [])]:
        assert f"the TXT record {name}. with the value {value} may be left" in told
        # A busy machine may kill it only when it is at the clean-up.
        assert re.search(rf"DNS provider {service.api.provider} (has gone|.* its process )", told)
    assert len(left) == 1
    assert "cleaned_up" not in {event.kind for event in events}


@pytest.mark.slow
def test_a_provider_finds_its_record_in_another_process_where_the_catalogue_says_so(
    acme_server, new_client, service, challenge
):
    kinds = []

    def tell(event):
        kinds.append(event.kind)
        if event.kind == "presented":
            kill_hosts()

    client = new_client(acme_server, on_event=tell)
    client.obtain(f"a.{ZONE}", challenges=dataclasses.replace(challenge, propagation_wait=0.3))
    remembers = pylego.providers[service.api.provider].remembers
    assert len(service.records.kept) == remembers
    assert ("clean_up_failed" if remembers else "cleaned_up") in kinds


def leaks(api, told, caplog):
    """Find what tells one of the service's secrets."""
    texts = [str(each) for each in told] + [record.getMessage() for record in caplog.records]
    return [text for text in texts for secret in api.secrets if secret in text]
