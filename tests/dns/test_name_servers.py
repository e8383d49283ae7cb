"""lego's providers on real name servers, through which the CA resolves."""

import itertools
import stat
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import pylego
import pylego.testing
from tests.servers.bind import Bind
from tests.servers.fixtures import found

# The first test that asks for a server may have to build it.
pytestmark = pytest.mark.timeout(600)

UPDATE = f"""#!{sys.executable}
import os, sys
import dns.query, dns.tsigkeyring, dns.update

action, name, value = sys.argv[1:]
keys = dns.tsigkeyring.from_text({{os.environ["KEY_NAME"]: os.environ["KEY_SECRET"]}})
update = dns.update.Update("example.", keyring=keys, keyalgorithm="hmac-sha256")
with open(os.environ["LOG"], "a") as log:
    print(action, value, file=log)
if action == "present" and os.environ.get("KEEPS") == "one":
    update.delete(name, "TXT")
change = update.add if action == "present" else update.delete
change(name, *([1] if action == "present" else []), "TXT", value)
answer = dns.query.tcp(update, "127.0.0.1", port=int(os.environ["PORT"]), timeout=10)
sys.exit(answer.rcode())
"""


@pytest.fixture(params=["bind", "powerdns", "exec", "httpreq"])
def zone(request, zones):
    if request.param in {"exec", "httpreq"}:
        return request.getfixturevalue(request.param)
    return zones(request.param)


@pytest.fixture(name="exec")
def by_script(zones, tmp_path):
    """Give BIND's zone, which a script changes."""
    zone = zones("bind")
    script = tmp_path / "update"
    script.write_text(UPDATE)
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    settings = {
        "EXEC_PATH": str(script),
        "EXEC_POLLING_INTERVAL": "1",
        "EXEC_SEQUENCE_INTERVAL": "0",
        "PORT": str(zone.server.port),
        "KEY_NAME": zone.server.credentials()["RFC2136_TSIG_KEY"],
        "KEY_SECRET": zone.server.secret,
        "LOG": str(tmp_path / "log"),
    }
    return zone.by("exec", settings)


def test_one_name(zone):
    certificate = zone.client().obtain("one.example", challenges=zone.dns01())
    assert [each.value for each in certificate.identifiers] == ["one.example"]
    assert zone.server.records() == []


def test_a_name_and_its_wildcard_have_two_records_at_one_name(zone):
    certificate = zone.client().obtain("both.example", "*.both.example", challenges=zone.dns01())
    assert len(certificate.identifiers) == 2
    assert zone.server.records() == []


def test_twenty_names_at_once(zone):
    names = [f"n{number}.twenty.example" for number in range(20)]
    certificate = zone.client().obtain(*names, challenges=zone.dns01())
    assert len(certificate.identifiers) == 20
    assert zone.server.records() == []


def test_wrong_credentials_are_told_and_leave_nothing(zone):
    if zone.provider == "exec":
        wrong = {**zone.credentials, "KEY_SECRET": "d3Jvbmc="}
    else:
        wrong = zone.server.wrong_credentials()
    with pytest.raises(pylego.ProviderError, match=zone.provider) as caught:
        zone.client().obtain("wrong.example", challenges=zone.dns01(wrong))
    assert list(caught.value.identifiers) == [pylego.Identifier("dns", "wrong.example")]
    assert not any(secret in str(caught.value) for secret in secrets_of(wrong))
    assert zone.server.records() == []


def secrets_of(settings):
    return [
        value
        for name, value in settings.items()
        if any(part in name for part in ("SECRET", "API_KEY", "PASSWORD"))
    ]


def test_a_server_that_stops_after_present_costs_a_record_that_is_named(zone):
    events = []

    def tell(event):
        events.append(event)
        if event.kind == "presented":
            zone.server.stop()
            stopped.append(event)

    stopped = []
    challenge = zone.dns01(propagation_wait=3)  # the server is killed meanwhile
    client = zone.client(on_event=tell, timeout=30)
    try:
        if zone.provider == "httpreq":  # the names are there, only their API has gone
            assert client.obtain("stopped.example", challenges=challenge)
        else:
            with pytest.raises(pylego.LEGOError):
                client.obtain("stopped.example", challenges=challenge)
    finally:
        zone.server.start()
    assert stopped
    [left] = [event for event in events if event.kind == "clean_up_failed"]
    [(name, value)] = zone.server.records()
    assert name == "_acme-challenge.stopped.example."
    assert left.identifier == "stopped.example"
    assert name.rstrip(".") in left.detail
    assert value in left.detail
    zone.server.remove(name)
    assert zone.client().obtain("stopped.example", challenges=zone.dns01())
    assert zone.server.records() == []


def test_a_clean_up_that_fails_once_is_tried_again(httpreq):
    events = []
    httpreq.server.refused_clean_ups = 1
    assert httpreq.client(on_event=events.append).obtain("a.example", challenges=httpreq.dns01())
    assert [call[0] for call in httpreq.server.calls] == ["/present", "/cleanup", "/cleanup"]
    assert [event.kind for event in events if event.kind.startswith("clean")] == ["cleaned_up"]
    assert httpreq.server.records() == []


def test_a_clean_up_that_fails_twice_is_an_event_and_costs_no_certificate(httpreq, caplog):
    events = []
    httpreq.server.refused_clean_ups = 2
    assert httpreq.client(on_event=events.append).obtain("a.example", challenges=httpreq.dns01())
    [(name, value)] = httpreq.server.records()
    [left] = [event for event in events if event.kind.startswith("clean")]
    assert left.kind == "clean_up_failed"
    assert name in left.detail
    assert value in left.detail
    [logged] = [each for each in caplog.records if "clean-up failed" in each.getMessage()]
    assert logged.levelname == "WARNING"


def test_orders_with_resolvers_of_their_own_see_each_a_world_of_its_own(httpreq):
    """All with the same credentials, at once; what an alias leads to depends on who is asked."""
    with pylego.testing.ACMEServer() as other:
        other.set_cname("_acme-challenge.a.example", "elsewhere.example")
        challenges = [
            httpreq.dns01(resolvers=[resolver], propagation_wait=0.01)
            for resolver in (httpreq.server.address, other.dns)
        ]

        def obtain(number):
            try:
                httpreq.client().obtain("a.example", challenges=challenges[number % 2])
            except pylego.ChallengeFailed as error:
                return error.code

        with ThreadPoolExecutor(8) as pool:
            ends = list(pool.map(obtain, range(8)))
    assert ends == [None, "unauthorized"] * 4
    names = [call[2] for call in httpreq.server.calls if call[0] == "/present"]
    assert sorted(names) == ["_acme-challenge.a.example"] * 4 + ["elsewhere.example"] * 4
    assert httpreq.server.records() == []


def test_sixteen_orders_of_a_name_and_its_wildcard_lose_no_record_and_leave_none(zones):
    """lego's pdns reads all records of a name, changes them, and writes them back."""
    zone = zones("powerdns")
    with ThreadPoolExecutor(16) as pool:
        certificates = list(
            pool.map(
                lambda _: zone.client(timeout=100).obtain(
                    "shared.example", "*.shared.example", challenges=zone.dns01()
                ),
                range(16),
            )
        )
    assert len({each.serial for each in certificates}) == 16
    assert zone.server.records() == []


def test_orders_of_the_same_credentials_lose_no_record_whatever_else_they_differ_in(zones):
    """Each has a host of its own, of which none knows what the others are writing."""
    zone = zones("powerdns")
    resolver = zone.server.address
    ways = [
        zone.dns01(),
        zone.dns01({**zone.credentials, "PDNS_TTL": "60"}),
        zone.dns01({**zone.credentials, "LEGO_DEBUG_CLIENT_VERBOSE_ERROR": "true"}),
        zone.dns01(resolvers=[resolver, resolver]),
    ]
    with ThreadPoolExecutor(8) as pool:
        certificates = list(
            pool.map(
                lambda way: zone.client(timeout=100).obtain(
                    "alike.example", "*.alike.example", challenges=way
                ),
                ways * 2,
            )
        )
    assert len({each.serial for each in certificates}) == 8
    assert zone.server.records() == []


def test_a_provider_that_keeps_one_record_serves_one_authorization_after_the_other(
    request, tmp_path
):
    """Across orders too: exec is one of those that lego calls sequential."""
    zone = request.getfixturevalue("exec")
    one = zone.dns01({**zone.credentials, "KEEPS": "one"})
    with ThreadPoolExecutor(3) as pool:
        orders = [
            pool.submit(zone.client().obtain, "o.example", "*.o.example", challenges=one)
            for _ in range(3)
        ]
    assert all(len(order.result().identifiers) == 2 for order in orders)
    lines = (tmp_path / "log").read_text().splitlines()
    # A clean-up that a busy machine does not end in half of its time is made again.
    calls = [line.split() for line, _ in itertools.groupby(lines)]
    assert [action for action, _ in calls] == ["present", "cleanup"] * 6
    assert [value for _, value in calls[0::2]] == [value for _, value in calls[1::2]]
    assert zone.server.records() == []


def test_whether_aliases_are_followed_is_each_orders_own(zones):
    zone = zones("bind")
    alias, target = "_acme-challenge.alias.example.", "elsewhere.delegated.example."
    zone.server.replace(alias, [target], "CNAME")
    ways = {
        "followed": zone.dns01(),
        # A server ignores a TXT record beside a CNAME (RFC 2136 section 3.4.2.2).
        "not followed": zone.dns01(
            {
                **zone.credentials,
                "LEGO_DISABLE_CNAME_SUPPORT": "true",
                "RFC2136_PROPAGATION_TIMEOUT": "1",  # they take turns
            }
        ),
    }

    def obtain(way):
        try:
            return zone.client().obtain("alias.example", challenges=ways[way])
        except pylego.LEGOError as error:
            return error

    try:
        with ThreadPoolExecutor(8) as pool:
            ends = list(pool.map(lambda number: obtain(list(ways)[number % 2]), range(8)))
    finally:
        zone.server.replace(alias, [], "CNAME")
    assert [isinstance(end, pylego.Certificate) for end in ends] == [True, False] * 4, ends
    assert zone.server.records() == []


@pytest.mark.parametrize(
    ("ci", "end"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_a_server_that_is_not_installed_is_missed_in_ci_only(monkeypatch, tmp_path, ci, end):
    monkeypatch.setenv("CI", ci)
    server = Bind(tmp_path)
    server.program = None
    with pytest.raises(end, match="Bind is not installed"):
        found(server)
