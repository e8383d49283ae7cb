"""dns-persist-01: a record that stays."""

from datetime import datetime, timedelta, timezone

import pytest

import pylego
from pylego import dns_persist

UNTIL = datetime(2100, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def where(acme_server):
    """Say where to look: the zone's servers would be asked at port 53."""
    return {"resolvers": [acme_server.dns], "check_authoritative": False, "check_recursive": True}


@pytest.fixture
def challenge(where):
    return pylego.DNSPersist01(**where)


@pytest.fixture
def issuer(acme_server, client):
    [issuer] = client.directory().caa_identities
    return issuer


class Writer:
    """What a person's code may be: it writes down what it is asked for, and sets it."""

    def __init__(self, server):
        self.server = server
        self.written = []

    def set_txt(self, name, value):
        self.written.append((name, value))
        self.server.set_txt(name, value)


class AsyncWriter(Writer):
    async def set_txt(self, name, value):
        super().set_txt(name, value)


def test_one_record_serves_many_orders(acme_server, any_client, challenge, issuer):
    client = any_client()
    record = dns_persist.record("a.example", client.register(), issuer=issuer, policy="wildcard")
    acme_server.set_txt(record.name, record.value)
    client.obtain("a.example", challenges=challenge)
    client.obtain("a.example", "*.a.example", challenges=challenge)
    assert acme_server.records() == {"_validation-persist.a.example": [record.value]}


def test_the_ca_is_asked_for_its_name(
    acme_server, any_client, challenge, issuer, monkeypatch, tmp_path
):
    trust = tmp_path / "trust.pem"
    trust.write_text(acme_server.trust_root)
    monkeypatch.setenv("SSL_CERT_FILE", str(trust))
    account = any_client().register()
    record = dns_persist.record("a.example", account)
    assert record == dns_persist.record("a.example", account, issuer=issuer)


def test_a_missing_record_is_named_before_the_ca_looks(
    acme_server, any_client, where, challenge, issuer
):
    client = any_client()
    account = client.register()
    with pytest.raises(pylego.PropagationTimeout) as caught:
        client.obtain("*.a.example", challenges=challenge)
    record = dns_persist.record("*.a.example", account, issuer=issuer)
    assert f'create {record.name} TXT "{record.value}"' in str(caught.value)
    [answer] = caught.value.answers
    assert (answer.name, answer.said) == ("_validation-persist.a.example.", "no TXT record")
    assert "pending" not in acme_server.authorizations()

    wide = pylego.DNSPersist01(policy="wildcard", until=UNTIL, **where)
    with pytest.raises(pylego.PropagationTimeout) as caught:
        client.obtain("a.example", challenges=wide)
    record = dns_persist.record("a.example", account, issuer=issuer, policy="wildcard", until=UNTIL)
    assert record.value in str(caught.value)


def test_an_expired_record_is_worth_nothing(acme_server, any_client, challenge, issuer):
    client = any_client()
    past = datetime.now(timezone.utc) - timedelta(hours=1)
    record = dns_persist.record("a.example", client.register(), issuer=issuer, until=past)
    acme_server.set_txt(record.name, record.value)
    with pytest.raises(pylego.PropagationTimeout, match="persistUntil"):
        client.obtain("a.example", challenges=challenge)


@pytest.mark.parametrize("kind", [Writer, AsyncWriter])
@pytest.mark.parametrize("isolation", ["", "process"])
def test_an_object_sets_what_is_missing_once(
    acme_server, any_client, where, issuer, kind, isolation
):
    writer = kind(acme_server)
    challenge = pylego.DNSPersist01(writer=writer, until=UNTIL, **where)
    client = any_client(isolation=isolation)
    for _ in range(2):
        assert client.obtain("a.example", "b.example", challenges=challenge)
    records = [
        dns_persist.record(name, client.account, issuer=issuer, until=UNTIL)
        for name in ("a.example", "b.example")
    ]
    assert sorted(writer.written) == [(each.name, each.value) for each in records]
    assert acme_server.records() == {each.name: [each.value] for each in records}


def test_a_name_and_its_wildcard_end_with_one_record_for_both(acme_server, any_client, where):
    challenge = pylego.DNSPersist01(writer=Writer(acme_server), **where)
    assert any_client().obtain("a.example", "*.a.example", challenges=challenge)
    [[value]] = acme_server.records().values()
    assert value.endswith("; policy=wildcard")


def test_the_server_of_a_test_is_such_an_object(acme_server, client, where):
    assert client.obtain("a.example", challenges=pylego.DNSPersist01(writer=acme_server, **where))


def test_what_its_object_raises_is_the_cause_of_the_orders_error(acme_server, any_client, where):
    class Failing:
        def set_txt(self, name, value):
            raise ZeroDivisionError("no such zone")

    challenge = pylego.DNSPersist01(writer=Failing(), **where)
    with pytest.raises(pylego.ChallengeFailed, match="no such zone") as caught:
        any_client().obtain("a.example", challenges=challenge)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_record_is_verified_where_it_is_looked_for(acme_server, client, where, issuer):
    record = dns_persist.record("a.example", client.register(), issuer=issuer)
    acme_server.set_txt(record.name, "something else")
    for timeout in (0, 1):
        with pytest.raises(pylego.PropagationTimeout) as caught:
            record.verify(timeout=timeout, **where)
        [answer] = caught.value.answers
        assert answer == pylego.Answer(acme_server.dns, record.name + ".", 'TXT "something else"')
    acme_server.set_txt(record.name, "something else", record.value)
    record.verify(**where)


def test_a_record_is_looked_for_until_it_is_there(acme_server, client, where, issuer):
    record = dns_persist.record("a.example", client.register(), issuer=issuer)
    acme_server.set_txt(record.name, record.value)
    acme_server.set_servfail(record.name, 2)
    record.verify(timeout=30, **where)


def test_by_default_the_servers_of_the_zone_are_asked(acme_server, client, issuer):
    acme_server.set_servfail("a.example")
    record = dns_persist.record("a.example", client.register(), issuer=issuer)
    acme_server.set_txt(record.name, record.value)
    with pytest.raises(pylego.PropagationTimeout, match=r"SERVFAIL for a\.example\. NS"):
        record.verify(resolvers=[acme_server.dns])


def test_as_text_it_is_a_line_for_a_zone_file():
    account = pylego.Account(url="https://ca.example/" + "1" * 300)
    record = dns_persist.record("A.example.", account, issuer="ca.example")
    first, second = record.value[:255], record.value[255:]
    assert str(record) == f'_validation-persist.a.example. IN TXT "{first}" "{second}"'


ACCOUNT = pylego.Account(url="https://ca.example/1")


@pytest.mark.parametrize(
    ("attempt", "told"),
    [
        (lambda: dns_persist.record("a.example", pylego.Account()), "register it first"),
        (lambda: dns_persist.record("a.example", ACCOUNT), "give the issuer"),
        (lambda: dns_persist.record("bücher.example", ACCOUNT, issuer="x"), "xn--"),
        (lambda: dns_persist.record("*.", ACCOUNT, issuer="x"), "no name"),
        (lambda: dns_persist.record("a..example", ACCOUNT, issuer="x"), "no name"),
        (lambda: dns_persist.record("a", ACCOUNT, issuer="x", policy="wild"), '"wildcard"'),
        (lambda: pylego.DNSPersist01(until=datetime(2030, 1, 1)), "time zone"),  # noqa: DTZ001
        (lambda: pylego.DNSPersist01(writer=print), "set_txt"),
        (lambda: dns_persist.Record("a", "b").verify(check_authoritative=False), "no name server"),
        (lambda: dns_persist.Record("a", "b").verify(resolvers=["a b"]), "a b"),
        (lambda: dns_persist.Record("a", "b").verify(resolvers="a"), r'resolvers=\["a"\]'),
    ],
)
def test_what_makes_no_record_is_refused(attempt, told):
    with pytest.raises(pylego.InvalidRequest, match=told):
        attempt()


def test_to_look_nowhere_is_refused_before_anything_is_sent(acme_server, client):
    challenge = pylego.DNSPersist01(check_authoritative=False)
    with pytest.raises(pylego.InvalidRequest, match="no name server"):
        client.obtain("a.example", challenges=challenge)
    assert acme_server.requests() == {}
