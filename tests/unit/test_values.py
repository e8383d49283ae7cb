"""Values stay what they are: they can be keys of dicts, copied and sent to other processes."""

import copy
import dataclasses
import pickle
from datetime import datetime, timezone

import pytest

import pylego

NOW = datetime(2030, 1, 2, tzinfo=timezone.utc)
NAME = pylego.Identifier("dns", "a.example")
ADVICE = pylego.RenewalInfo(start=NOW, end=NOW, explanation_url=None, retry_after=None)
VALUES = [
    pylego.Account(key="a key", url="https://ca.example/account/1"),
    pylego.Answer("ns.example", "a.example", "NXDOMAIN"),
    pylego.Attempt(NAME, "dns-01", "no such name"),
    pylego.Certificate(
        leaf="leaf",
        chain="chain",
        private_key=None,
        csr=None,
        identifiers=(NAME,),
        not_before=NOW,
        not_after=NOW,
        serial="1",
        fingerprint="2",
        issuer="CN=a",
        url=None,
        order_url=None,
    ),
    pylego.DNS01("cloudflare", CF_DNS_API_TOKEN="a token"),
    pylego.DNSPersist01(resolvers=["127.0.0.1:53"]),
    pylego.Directory(
        url="https://ca.example/directory",
        terms_of_service=None,
        website=None,
        caa_identities=("ca.example",),
        external_account_required=False,
        profiles={"short": "an hour"},
        renewal_info=True,
    ),
    pylego.Event("order"),
    pylego.HTTP01(),
    NAME,
    pylego.Limits(new_orders=(10, 10)),
    ADVICE,
    pylego.Subproblem("dns", "no such name", NAME),
    pylego.TLSALPN01(),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_can_be_a_key_and_be_copied_and_sent_but_not_changed(value):
    for another in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert another == value
        assert hash(another) == hash(value)
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, "another")


def test_the_profiles_of_a_directory_cannot_be_changed():
    [directory] = [value for value in VALUES if isinstance(value, pylego.Directory)]
    for each in (directory, pickle.loads(pickle.dumps(directory))):
        with pytest.raises(TypeError):
            each.profiles["long"] = "a year"
    assert directory.profiles == {"short": "an hour"}


def test_what_0_1_had_is_made_and_compared_as_it_was():
    name = pylego.Identifier("dns", "a.example")
    assert (name.type, name.value) == ("dns", "a.example")
    assert pylego.Subproblem("dns", "no", name) == pylego.Subproblem("dns", "no", NAME)
    assert pylego.Subproblem("dns", "no", name) != pylego.Subproblem("caa", "no", name)


def test_a_listener_takes_interface_port_and_delay_by_their_places():
    assert pylego.HTTP01("::1", 8080, 1.5) == pylego.HTTP01(host="::1", port=8080, delay=1.5)
    assert pylego.TLSALPN01("::1", 8443, 1.5) == pylego.TLSALPN01(host="::1", port=8443, delay=1.5)


@pytest.mark.parametrize("kind", [pylego.HTTP01, pylego.TLSALPN01])
def test_a_listener_keeps_to_a_version_of_ip_that_there_is(kind):
    assert [kind(ip_version=each).message()["ip_version"] for each in (None, 4, 6)] == [0, 4, 6]
    with pytest.raises(pylego.InvalidRequest, match="not 5"):
        kind(ip_version=5)


def test_a_certificate_keeps_the_advice_that_somebody_has_asked_for():
    [certificate] = [value for value in VALUES if isinstance(value, pylego.Certificate)]
    assert certificate.renewal_info is None
    advised = dataclasses.replace(certificate, renewal_info=ADVICE)
    assert advised.renewal_info.start == NOW
    hash(advised)
