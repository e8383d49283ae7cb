"""`pylego accounts`: those of the store, and what the CA keeps of them."""

import json
from pathlib import Path

import pytest

import pylego
from pylego.storage import FileStore
from tests.cli.conftest import PYLEGO, account_of, until
from tests.faults.faults import ERROR, reset_answer, status
from tests.servers.fault_proxy import Answer, FaultProxy
from tests.servers.fixtures import authority  # noqa: F401 -- fixtures are found by their names

pytest.importorskip("typer")

TOO_MUCH = status(429)
"""Trouble that the engine does not wait for, since nobody says when it is over."""


@pytest.fixture
def registered(here, way):
    """Register an account; give what was told."""
    done = here("accounts register", *way.ca, "--email", "a@a.example", "--json")
    assert done.code == 0, done.out
    return done.json


def test_an_account_is_registered_once_and_lego_reads_it(registered, here, way, lego):
    assert registered["status"] == "valid"
    assert (registered["id"], registered["key_type"]) == ("a@a.example", "EC256")
    again = here("accounts register", *way.ca, "--email", "a@a.example", "--json").json
    assert again["url"] == registered["url"]
    assert again.pop("plan") is None
    assert here("accounts list", "--json").json["accounts"] == [again]
    [listed] = json.loads(lego("accounts", "list", "--json"))
    assert listed["registration"]["accountURL"] == registered["url"]
    assert "a@a.example" in here("accounts list").out


def test_the_key_of_an_account_that_was_refused_is_used_again(here, way, folder):
    server = ("--server", way.server.directory)
    done = here("accounts register", *server)
    assert done.code == 1
    key = account_of(folder, way, "noemail@example.com").key
    assert here("accounts register", *server, "--accept-tos").code == 0
    assert account_of(folder, way, "noemail@example.com").key == key


def test_an_account_is_recovered_by_its_key(registered, here, way, folder, tmp_path):
    key = tmp_path / "account.key"
    key.write_text(account_of(folder, way).key)
    flags = ("--account-id", "mine", "--private-key", key)
    done = here("accounts recover", *way.ca, *flags, "--json")
    assert done.code == 0, done.out
    assert (done.json["id"], done.json["url"]) == ("mine", registered["url"])
    assert account_of(folder, way, "mine").email == "a@a.example"


def test_an_account_s_address_is_changed_and_taken_away(registered, here, way, folder):
    this = (*way.ca, "--account-id", "a@a.example", "--json")
    assert (
        here("accounts update", *this, "--new-email", "b@a.example").json["email"] == "b@a.example"
    )
    assert account_of(folder, way).email == "b@a.example"
    assert here("accounts update", *this, "--no-email").json["email"] is None
    assert here("accounts update", *this).code == 2


def test_an_account_gets_another_key_and_lego_goes_on_with_it(registered, here, way, lego, folder):
    before = account_of(folder, way).key
    this = (*way.ca, "--email", "a@a.example")
    done = here("accounts rollover", *this, "--key-type", "EC384", "--json")
    assert done.code == 0, done.out
    assert (done.json["key_type"], done.json["url"]) == ("EC384", registered["url"])
    assert account_of(folder, way).key != before
    assert not done.json["key_change_pending"]
    lego("run", *this, *way.http, "--domains", "a.example")


@pytest.mark.parametrize("heard", [True, False])
def test_a_change_of_key_that_was_cut_off_is_decided_by_the_ca(
    heard, registered, here, way, folder, obtained
):
    from pylego.cli._place import new_key

    store, key = FileStore(folder), new_key("EC256")
    account = account_of(folder, way)
    store.save_pending_key(way.server.directory, "a@a.example", key)
    if heard:
        client = pylego.Client(way.server.directory, account=account, trust=way.server.trust_root)
        client.rollover(new_key=key)
    obtained("a.example", "--email", "a@a.example")
    assert account_of(folder, way).key == (key if heard else account.key)
    assert store.pending_key(way.server.directory, "a@a.example") is None


def test_a_rollover_that_was_cut_off_is_brought_to_its_end(registered, here, way, folder):
    from pylego.cli._place import new_key

    key = new_key("EC256")
    account = account_of(folder, way)
    FileStore(folder).save_pending_key(way.server.directory, "a@a.example", key)
    client = pylego.Client(way.server.directory, account=account, trust=way.server.trust_root)
    client.rollover(new_key=key)
    assert here("accounts rollover", *way.ca, "--email", "a@a.example").code == 0
    assert account_of(folder, way).key == key


@pytest.fixture
def proxied(acme_server, authority, here, tmp_path):  # noqa: F811 -- a fixture
    """Register an account through a proxy; give that, and what runs commands on the account."""
    with FaultProxy(acme_server.directory, acme_server.trust_root, authority) as proxy:
        root = tmp_path / "proxy.pem"
        root.write_text(proxy.trust_root)
        flags = ("--server", proxy.directory, "--email", "a@a.example")

        def run(command, *arguments):
            return here(command, *flags, *arguments, env={"LEGO_CA_CERTIFICATES": str(root)})

        assert run("accounts register", "--accept-tos").code == 0
        yield proxy, run


def refused(exchange):
    exchange.ask()
    TOO_MUCH(exchange)


@pytest.mark.parametrize("answer", [refused, reset_answer])
def test_a_key_that_the_ca_may_have_is_kept_until_the_ca_can_say(answer, proxied, folder):
    proxy, run = proxied
    store = FileStore(folder)
    account = store.load_account(proxy.directory, "a@a.example")
    first = iter([answer])  # what is sent again is answered by the CA: with 400, after the change

    def trouble(exchange):
        changes = "rollover" in exchange.path
        next(first, type(exchange).forward)(exchange) if changes else TOO_MUCH(exchange)

    proxy.spoil(trouble, kinds=("other", "newAccount"))
    done = run("accounts rollover")
    assert done.code == 1
    assert "both are kept" in done.err
    key = store.pending_key(proxy.directory, "a@a.example")
    assert store.load_account(proxy.directory, "a@a.example") == account
    proxy.spoil(None)
    assert run("accounts rollover").code == 0
    assert store.load_account(proxy.directory, "a@a.example").key == key != account.key
    assert store.pending_key(proxy.directory, "a@a.example") is None


def test_a_change_whose_answer_was_trouble_is_found_out_at_once(proxied, folder):
    proxy, run = proxied
    before = FileStore(folder).load_account(proxy.directory, "a@a.example").key
    asked = iter([refused, TOO_MUCH])  # the change itself, and the engine's look at the account
    proxy.spoil(lambda exchange: next(asked, type(exchange).forward)(exchange), kinds=("other",))
    assert run("accounts rollover").code == 0
    assert FileStore(folder).load_account(proxy.directory, "a@a.example").key != before
    assert run("accounts update", "--no-email").code == 0


def test_a_key_that_the_ca_does_not_take_is_let_go(proxied, folder):
    proxy, run = proxied
    before = FileStore(folder).load_account(proxy.directory, "a@a.example").key
    asked = iter([no_such_key] * 3)  # the change, the look at the account, and who has the new key

    def refuse(exchange):
        next(asked, type(exchange).forward)(exchange)

    proxy.spoil(refuse, kinds=("other", "newAccount"))
    done = run("accounts rollover")
    assert (done.code, "badPublicKey" in done.err) == (1, True)
    assert list(asked) == []
    assert FileStore(folder).pending_key(proxy.directory, "a@a.example") is None
    assert FileStore(folder).load_account(proxy.directory, "a@a.example").key == before


def no_such_key(exchange):
    problem = {"type": ERROR + "badPublicKey", "detail": "no", "status": 400}
    headers = {"Content-Type": "application/problem+json"}
    exchange.send(Answer(400, headers, json.dumps(problem).encode()))


def test_the_pending_key_of_another_account_is_no_change(registered, here, way, folder):
    here("accounts register", *way.ca, "--email", "b@a.example")
    before, other = account_of(folder, way), account_of(folder, way, "b@a.example")
    FileStore(folder).save_pending_key(way.server.directory, "a@a.example", other.key)
    this = (*way.ca, "--email", "a@a.example")
    done = here("accounts update", *this, "--no-email", "--debug")
    assert done.code == 0, done.err
    assert f"it is that of the account {other.url}" in done.err
    assert FileStore(folder).pending_key(way.server.directory, "a@a.example") is None
    assert account_of(folder, way).key == before.key


def test_the_key_of_another_account_is_refused_and_nothing_stays_pending(
    registered, here, way, folder, tmp_path
):
    here("accounts register", *way.ca, "--email", "b@a.example")
    taken = tmp_path / "taken.key"
    taken.write_text(account_of(folder, way, "b@a.example").key)
    before = account_of(folder, way).key
    flags = (*way.ca, "--email", "a@a.example", "--private-key", taken)
    assert here("accounts rollover", *flags).code == 1
    assert account_of(folder, way).key == before
    assert FileStore(folder).pending_key(way.server.directory, "a@a.example") is None


def test_an_account_is_ended_where_that_is_meant(registered, here, way, folder):
    this = (*way.ca, "--email", "a@a.example")
    done = here("accounts deactivate", *this)
    assert done.code == 2
    assert "--yes" in done.err
    assert here("accounts deactivate", *this, "--yes", "--json").json["status"] == "deactivated"
    assert account_of(folder, way).status == "deactivated"


def test_who_is_there_is_asked_whether_an_account_is_to_end(registered, started, way, folder):
    env = {**way.env, "LEGO_PATH": str(folder)}
    arguments = ("accounts", "deactivate", *way.ca, "--email", "a@a.example")
    running = started(*arguments, source=PYLEGO, env=env, terminal=True)
    until(running.output, "[y/N]")
    running.type("n\n")
    code, rest, _ = running.end()
    assert code == 1
    assert "nothing was done" in rest
    assert account_of(folder, way).status == "valid"


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_who_is_there_is_asked_whether_the_terms_are_accepted(answer, code, started, way, folder):
    env = {**way.env, "LEGO_PATH": str(folder)}
    arguments = ("accounts", "register", "--server", way.server.directory)
    running = started(*arguments, source=PYLEGO, env=env, terminal=True)
    assert "terms" in until(running.output, "[y/N]")
    running.type(f"{answer}\n")
    assert running.end()[0] == code
    account = account_of(folder, way, "noemail@example.com")
    assert (account.url is None) is (answer == "n")


@pytest.mark.parametrize("broken", ["account.json", "b@a.example.key"])
def test_an_account_that_cannot_be_read_is_told_and_the_others_are_listed(
    broken, registered, here, way
):
    other = here("accounts register", *way.ca, "--email", "b@a.example", "--json").json
    there = Path(other["path"]).parent
    (there / broken).unlink()
    if broken == "account.json":
        (there / broken).write_text("{")
    done = here("accounts list", "--json")
    assert done.code == 1
    assert [each["id"] for each in done.json["accounts"]] == ["a@a.example"]
    [(name, why)] = done.json["unreadable"].items()
    assert name == f"{there.parent.name}/b@a.example"
    assert str(there / "account.json") in why
    assert f"{name}: {why}" in here("accounts list").out


@pytest.mark.parametrize(
    ("command", "what"),
    [("accounts list", "account"), ("certificates list", "certificate"), ("status", "certificate")],
)
def test_a_folder_that_is_not_there_is_told_in_words(command, what, here, folder):
    done = here(command)
    assert (done.code, done.out) == (0, f"the store {folder} has no {what}\n")
    assert not folder.exists()


def test_an_account_that_is_not_there_is_told(here, way):
    done = here("accounts deactivate", *way.ca, "--email", "a@a.example", "--yes")
    assert done.code == 2
    assert "pylego accounts register" in done.err
