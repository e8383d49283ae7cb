"""Delegation by CNAME: the provider acme-dns writes in another zone than the name's."""

import json

import pytest

import pylego
from tests.servers.acme_dns import AcmeDNS

# The first test that asks for a server may have to build it.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def acme_dns(zones):
    with AcmeDNS(zones("bind").server) as api:
        yield api


@pytest.fixture
def zone(zones, acme_dns, tmp_path):
    storage = tmp_path / "accounts.json"
    settings = {"ACME_DNS_API_BASE": acme_dns.url, "ACME_DNS_STORAGE_PATH": str(storage)}
    return zones("bind").by("acmedns", settings)


@pytest.fixture
def delegated(zone, acme_dns):
    """Give a function that delegates names, as their owner would after the first call."""
    delegations = []

    def delegate(*names):
        for name in names:
            with pytest.raises(pylego.ProviderError, match="CNAME") as caught:
                zone.client().obtain(name, challenges=zone.dns01())
            newest = list(acme_dns.accounts.values())[-1]
            assert newest["fulldomain"] in str(caught.value)
            challenge = f"_acme-challenge.{name}."
            zone.server.replace(challenge, [newest["fulldomain"] + "."], "CNAME")
            delegations.append((challenge, "CNAME"))

    yield delegate
    for name, kind in delegations:
        zone.server.replace(name, [], kind)
    for account in acme_dns.accounts.values():
        zone.server.remove(account["fulldomain"] + ".")  # acme-dns keeps its last values


def test_the_first_call_says_which_alias_to_make_and_the_next_obtains(zone, delegated):
    delegated("one.example")
    certificate = zone.client().obtain("one.example", challenges=zone.dns01())
    assert [each.value for each in certificate.identifiers] == ["one.example"]


def test_a_name_and_its_wildcard(zone, delegated):
    delegated("both.example")
    certificate = zone.client().obtain("both.example", "*.both.example", challenges=zone.dns01())
    assert len(certificate.identifiers) == 2


def test_twenty_names_at_once(zone, delegated):
    names = [f"n{number}.many.example" for number in range(20)]
    delegated(*names)
    assert len(zone.client().obtain(*names, challenges=zone.dns01()).identifiers) == 20


def test_wrong_credentials_are_told(zone, delegated, tmp_path):
    delegated("wrong.example")
    storage = tmp_path / "accounts.json"
    accounts = json.loads(storage.read_text())
    accounts["wrong.example"]["password"] = "no-such-password"
    storage.write_text(json.dumps(accounts))
    with pytest.raises(pylego.ProviderError, match="acmedns") as caught:
        zone.client().obtain("wrong.example", challenges=zone.dns01())
    assert "no-such-password" not in str(caught.value)


def test_an_api_that_stops_after_present_costs_nothing(zone, delegated, acme_dns):
    """acme-dns has nothing to clean up: it keeps an account's last values."""
    events = []

    def tell(event):
        events.append(event.kind)
        if event.kind == "presented":
            acme_dns.stop()

    delegated("stopped.example")
    challenge = zone.dns01(propagation_wait=1)
    assert zone.client(on_event=tell).obtain("stopped.example", challenges=challenge)
    assert not acme_dns.running
    assert "cleaned_up" in events
    assert "clean_up_failed" not in events
