"""`pylego certificates`: those of the store, listed, shown and revoked."""

import pytest

from pylego.storage import FileStore

pytest.importorskip("typer")


def test_certificates_are_listed_and_shown(obtained, here, way, folder):
    assert here("certificates list", "--json").json == {"certificates": [], "unreadable": {}}
    told = obtained("b.example", "c.example")["certificate"]
    obtained("a.example")
    listed = here("certificates list", "--json").json["certificates"]
    assert [each["id"] for each in listed] == ["a.example", "b.example"]
    assert listed[1] == told
    assert here("certificates show", "b.example", "--json").json == told
    lines = here("certificates list").out.splitlines()
    assert lines[0].split() == ["ID", "names", "until", "CA", "file"]
    assert "b.example, c.example" in lines[2]
    assert told["path"] in lines[2]
    shown = " ".join(here("certificates show", "b.example").out.split())
    assert f"serial {told['serial']}" in shown
    assert f"CA {way.server.directory}" in shown


def test_what_lego_has_obtained_is_listed(here, way, lego, folder):
    lego("run", *way.ca, *way.http, "--email", "a@a.example", "--domains", "a.example")
    [listed] = here("certificates list", "--json").json["certificates"]
    assert (listed["id"], listed["ca"]) == ("a.example", None)
    [account] = here("accounts list", "--json").json["accounts"]
    assert (account["id"], account["ca"]) == ("a@a.example", way.server.directory)


def test_a_certificate_that_cannot_be_read_is_told(obtained, here, folder):
    obtained("a.example")
    obtained("b.example")
    (folder / "certificates" / "a.example.crt").write_text("")
    done = here("certificates list", "--json")
    assert done.code == 1
    assert [each["id"] for each in done.json["certificates"]] == ["b.example"]
    assert "a.example" in done.json["unreadable"]


def test_a_certificate_that_is_not_there_is_told_with_those_that_are(obtained, here):
    obtained("a.example")
    done = here("certificates show", "b.example")
    assert done.code == 2
    assert done.err.endswith("has no certificate b.example; it has a.example\n")


@pytest.mark.parametrize("by", [(), ("--by-key",)], ids=["account", "key"])
def test_a_certificate_is_revoked_and_archived_as_lego_knows_it(by, obtained, here, lego, folder):
    obtained("a.example")
    done = here("certificates revoke", "a.example", "--reason", "keyCompromise", *by, "--json")
    assert done.code == 0, done.out
    told = {"id": "a.example", "revoked": True, "archived": True, "error": None, "plan": None}
    assert done.json == {"certificates": [told]}
    assert FileStore(folder).certificate_ids() == []
    assert "a.example" in lego("archives", "list")


def test_a_revoked_certificate_may_stay_and_is_revoked_once(obtained, here, folder):
    obtained("a.example")
    flags = ("--cert.name", "a.example", "--reason", "4", "--keep")
    done = here("certificates revoke", *flags)
    assert (done.code, done.out) == (0, "a.example: revoked\n")
    assert FileStore(folder).load("a.example")
    done = here("certificates revoke", *flags)
    assert done.code == 1
    assert "alreadyRevoked" in done.out
    done = here("certificates revoke", "a.example", "--json")  # as after one that was cut off
    assert done.code == 0, done.out
    [told] = done.json["certificates"]
    assert (told["revoked"], told["archived"]) == (True, True)
    assert FileStore(folder).certificate_ids() == []


def test_of_several_each_is_revoked_by_itself(obtained, here, folder):
    obtained("a.example")
    obtained("b.example")
    (folder / "certificates" / "a.example.key").write_text("nothing")
    done = here("certificates revoke", "a.example", "b.example", "--json")
    assert done.code == 4
    assert [each["revoked"] for each in done.json["certificates"]] == [False, True]


def test_nothing_is_revoked_where_one_is_not_there(obtained, here, folder):
    obtained("a.example")
    done = here("certificates revoke", "a.example", "nothing.example")
    assert (done.code, done.out) == (2, "")
    assert FileStore(folder).load("a.example")


def test_another_ca_than_a_certificate_s_own_is_refused(obtained, here, folder, way):
    obtained("a.example")
    done = here("certificates revoke", "a.example", "--server", "https://ca.example/dir")
    assert (done.code, done.out) == (2, "")
    assert f"a.example is from {way.server.directory}" in done.err
    assert FileStore(folder).load("a.example")
    assert here("certificates revoke", "a.example", "--server", way.server.directory).code == 0


def test_what_only_a_new_account_needs_is_not_asked_for(obtained, here, way):
    obtained("a.example")
    env = {"LEGO_EAB_KID": "kid"}
    assert here("certificates revoke", "a.example", env=env).code == 0
    assert here("ca show", way.server.directory, env=env).code == 0


def test_a_reason_that_nobody_knows_is_wrong_use(obtained, here, folder):
    obtained("a.example")
    done = here("certificates revoke", "a.example", "--reason", "boredom")
    assert done.code == 2
    assert "keyCompromise" in done.err
    assert FileStore(folder).load("a.example")
