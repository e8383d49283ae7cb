"""The directory, and an account from its registration to its end."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import pylego
import pylego.testing
from tests.faults.faults import status
from tests.servers.certificates import new_key
from tests.servers.fault_proxy import FaultProxy
from tests.servers.fixtures import authority  # noqa: F401 -- fixtures are found by their names

HMAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


def curve_of(account):
    return load_pem_private_key(account.key.encode(), None).curve.name


def test_the_directory(any_client):
    with pylego.testing.ACMEServer(
        profiles={"short": "six days"}, external_accounts={"kid": HMAC}
    ) as server:
        directory = any_client(server).directory()
        assert directory.url == server.directory
        assert directory.terms_of_service.startswith("data:")
        assert directory.external_account_required
        assert directory.profiles == {"short": "six days"}
        assert directory.renewal_info
        assert "newAccount" not in server.requests()


def test_registering_makes_an_account_and_then_finds_it(acme_server, any_client):
    client = any_client(email="ops@example.com")
    account = client.register()
    assert account.directory == acme_server.directory
    assert account.url.startswith("https://")
    assert account.status == "valid"
    assert account.email == "ops@example.com"
    assert curve_of(account) == "secp256r1"
    assert client.account == account == client.register()
    assert any_client(account=pylego.Account(key=account.key)).register() == account


def test_an_account_that_is_given_whole_is_not_asked_for(acme_server, any_client):
    account = any_client().register()
    before = acme_server.requests()["newAccount"]
    other = any_client(account=account, isolation="process")
    other.obtain("a.example", challenges=acme_server.http01())
    assert acme_server.requests()["newAccount"] == before
    assert other.account == account


def test_recovering_by_the_key(any_client):
    account = any_client().register()
    assert any_client(account=pylego.Account(key=account.key)).recover() == account


def test_a_key_that_the_ca_does_not_know_is_not_recovered(acme_server, any_client):
    with pylego.testing.ACMEServer() as elsewhere:
        key = pylego.Client(
            elsewhere.directory, trust=elsewhere.trust_root, accept_terms=True
        ).register().key  # fmt: skip
    client = any_client(account=pylego.Account(key=key))
    with pytest.raises(pylego.AccountDoesNotExist):
        client.recover()
    with pytest.raises(pylego.AccountDoesNotExist):
        client.deactivate_account()
    assert client.register().status == "valid"


def test_nothing_can_be_recovered_without_a_key(acme_server, any_client):
    with pytest.raises(pylego.InvalidRequest, match="none was given"):
        any_client().recover()
    assert acme_server.requests() == {}


def test_the_email_can_be_changed_and_removed(any_client):
    client = any_client(email="old@example.com")
    client.register()
    assert client.update_account(email="new@example.com").email == "new@example.com"
    assert client.account.email == "new@example.com"
    assert client.update_account(email=None).email is None
    assert client.register().email is None


@pytest.mark.parametrize(
    ("settings", "curve"), [({}, "secp256r1"), ({"key_type": "EC384"}, "secp384r1")]
)
def test_a_rollover_changes_the_key_and_nothing_else(acme_server, any_client, settings, curve):
    client = any_client(email="ops@example.com")
    before = client.register()
    after = client.rollover(**settings)
    assert after.url == before.url
    assert after.key != before.key
    assert curve_of(after) == curve
    assert client.account.key == after.key
    assert client.account.email == "ops@example.com"
    client.obtain("a.example", challenges=acme_server.http01())
    assert client.register().url == before.url
    with pytest.raises(pylego.AccountDoesNotExist):
        any_client(account=pylego.Account(key=before.key)).recover()


def test_a_rollover_to_a_key_of_ones_own(any_client, acme_server):
    with pylego.testing.ACMEServer() as elsewhere:
        key = pylego.Client(
            elsewhere.directory, trust=elsewhere.trust_root, accept_terms=True
        ).register().key  # fmt: skip
    client = any_client()
    client.register()
    assert client.rollover(new_key=key).key == key
    with pytest.raises(pylego.InvalidRequest):
        client.rollover(new_key="no key")


def test_a_key_that_has_an_account_is_no_new_key(any_client):
    taken = any_client().register()
    client = any_client()
    before = client.register()
    with pytest.raises(pylego.LEGOError):
        client.rollover(new_key=taken.key)
    assert client.account == before == client.register()


@pytest.fixture
def proxy(acme_server, authority):  # noqa: F811 -- a fixture
    with FaultProxy(acme_server.directory, acme_server.trust_root, authority) as proxy:
        yield proxy


def change_and_say_nothing(exchange):
    if "rollover" in exchange.path:
        exchange.ask()
    status(429)(exchange)


@pytest.mark.parametrize("given", [True, False])
def test_a_rollover_that_nobody_knows_the_end_of_is_ended_by_the_next(given, any_client, proxy):
    client = any_client(proxy)
    before = client.register()
    settings = {"new_key": new_key()} if given else {}
    proxy.spoil(change_and_say_nothing, kinds=("other",))
    with pytest.raises(pylego.RateLimited) as caught:
        client.rollover(**settings)
    assert "may have the new key" in str(caught.value)
    assert ("only this process has it" in str(caught.value)) is not given
    assert "PRIVATE" not in f"{caught.value!r} {caught.value.info}"
    assert client.account == before
    proxy.spoil(None)
    after = client.rollover(**settings)
    assert after.url == before.url
    assert after.key != before.key
    assert client.register().url == before.url


class Held:
    """A solver whose present waits for the test."""

    def __init__(self, server):
        self.server, self.reached, self.go_on = server, threading.Event(), threading.Event()

    def present(self, presentation):
        self.reached.set()
        assert self.go_on.wait(30)
        self.server.add_txt(presentation.name, presentation.value)

    def clean_up(self, presentation):
        self.server.remove_txt(presentation.name, presentation.value)


def when(kind, client_of, **settings):
    """Make a client, and what is set at an event of its."""
    told = threading.Event()
    client = client_of(on_event=lambda event: event.kind == kind and told.set(), **settings)
    return client, told


def test_a_rollover_waits_for_orders_and_those_that_wait_for_it_take_its_key(
    acme_server, any_client
):
    account = any_client().register()
    earlier, solver = any_client(account=account), Held(acme_server)
    changer, changer_waits = when("waiting", any_client, account=account)
    later, later_waits = when("waiting", any_client, account=pylego.Account(key=account.key))
    with ThreadPoolExecutor() as pool:
        order = pool.submit(earlier.obtain, "a.example", challenges=solver)
        assert solver.reached.wait(30)
        change = pool.submit(changer.rollover, key_type="EC384")
        assert changer_waits.wait(30)
        waiting = pool.submit(later.obtain, "b.example", challenges=acme_server.http01())
        assert later_waits.wait(30)
        assert not change.done()
        solver.go_on.set()
        assert order.result()
        assert waiting.result()
    assert earlier.account == account
    assert later.account.key == changer.account.key == change.result().key != account.key
    assert later.account.url == account.url
    assert later.register() == changer.register()


def test_a_rollover_that_waits_for_another_changes_the_new_key(acme_server, any_client):
    account = any_client().register()
    solver = Held(acme_server)
    with ThreadPoolExecutor() as pool:
        order = pool.submit(
            any_client(account=account).obtain, "a.example", challenges=solver
        )  # fmt: skip
        assert solver.reached.wait(30)
        changes = []
        for key_type in ("EC256", "EC384"):
            client, waits = when("waiting", any_client, account=account)
            changes.append((client, pool.submit(client.rollover, key_type=key_type)))
            assert waits.wait(30)
        solver.go_on.set()
        assert order.result()
    (_, first), (client, second) = changes
    assert curve_of(second.result()) == "secp384r1"
    assert first.result().url == client.register().url


def test_a_result_that_is_read_after_a_rollover_brings_no_old_key_back(acme_server, new_client):
    issued, go_on = threading.Event(), threading.Event()

    def hold(event):
        if event.kind == "issued":
            issued.set()
            assert go_on.wait(30)

    client = new_client(acme_server, on_event=hold)
    with ThreadPoolExecutor() as pool:
        order = pool.submit(client.obtain, "a.example", challenges=acme_server.http01())
        assert issued.wait(30)
        changed = client.rollover()
        go_on.set()
        assert order.result()
    assert client.account == changed
    assert client.register().key == changed.key


def test_an_account_without_its_key_is_refused_at_once(any_client):
    account = any_client().register()
    shown = pylego.Account.from_json(account.to_json())
    with pytest.raises(pylego.InvalidRequest, match=r"to_json\(include_key=True\)"):
        any_client(account=shown)


def test_an_account_of_another_ca_is_refused_before_any_request(acme_server, any_client):
    with pylego.testing.ACMEServer() as elsewhere:
        account = any_client(elsewhere).register()
    with pytest.raises(pylego.InvalidRequest) as caught:
        any_client(account=account).obtain("a.example", challenges=acme_server.http01())
    assert account.directory in str(caught.value)
    assert acme_server.directory in str(caught.value)
    assert acme_server.requests() == {}


@pytest.mark.parametrize("eab", ["kid", ("kid",), ("kid", HMAC, "more"), ("kid", None), 1, ()])
def test_an_external_account_is_a_pair_of_texts(any_client, eab):
    with pytest.raises(pylego.InvalidRequest, match="pair") as caught:
        any_client(eab=eab)
    assert HMAC not in str(caught.value)


def test_a_deactivated_account_obtains_nothing(acme_server, any_client):
    client = any_client()
    client.register()
    assert client.deactivate_account().status == "deactivated"
    with pytest.raises(pylego.ACMEError, match="deactivated") as caught:
        client.obtain("a.example", challenges=acme_server.http01())
    assert not caught.value.retryable


def test_terms_must_be_accepted(acme_server, any_client):
    with pytest.raises(pylego.TermsNotAccepted, match=r"data:text/plain.*accept_terms=True"):
        any_client(accept_terms=False).register()
    with pytest.raises(pylego.TermsNotAccepted):
        any_client(accept_terms=False).obtain("a.example", challenges=acme_server.http01())
    account = any_client().register()
    known = pylego.Account(key=account.key)
    assert any_client(accept_terms=False, account=known).register() == account


def test_an_external_account_is_asked_for(any_client):
    with pylego.testing.ACMEServer(external_accounts={"kid": HMAC}) as server:
        with pytest.raises(pylego.ExternalAccountRequired):
            any_client(server).register()
        assert any_client(server, eab=("kid", HMAC)).register().status == "valid"


def test_an_address_that_the_ca_does_not_take(any_client):
    with pytest.raises(pylego.InvalidContact) as caught:
        any_client(email="not an address").register()
    assert caught.value.status == 400


def test_an_account_round_trips_through_json(any_client):
    account = any_client(email="ops@example.com").register()
    assert pylego.Account.from_json(account.to_json(include_key=True)) == account
    shown = account.to_json()
    assert "PRIVATE" not in shown + repr(account)
    assert pylego.Account.from_json(shown).url == account.url


@pytest.mark.parametrize("text", ["", "[]", "1", '{"key": 1}', '{"keys": "x"}', '{"key": "SECRET'])
def test_what_is_no_account_is_not_read_and_not_quoted(text):
    with pytest.raises(pylego.InvalidRequest) as caught:
        pylego.Account.from_json(text)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
