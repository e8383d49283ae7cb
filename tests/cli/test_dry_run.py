"""`--dry-run`: what would be asked of whom is told, nobody is asked, and nothing is written."""

import pytest

pytest.importorskip("typer")

EMAIL = ("--email", "a@a.example")


def state(folder):
    """Give all that is in a folder, with when it was written."""
    return {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


@pytest.fixture
def line(way, tmp_path, obtained, folder, client, acme_server):
    """Complete a command's line, on a store that has an account and a certificate."""
    obtained("a.example", *EMAIL)
    live = tmp_path / "certbot" / "live" / "b.example"
    live.mkdir(parents=True)
    certificate = client.obtain("b.example", challenges=acme_server.http01())
    (live / "fullchain.pem").write_text(certificate.fullchain)
    (live / "privkey.pem").write_text(certificate.private_key)
    [key] = folder.glob("accounts/*/*/*.key")
    more = {
        "accounts register": ("--email", "b@a.example", "--account-id", "b"),
        "accounts recover": ("--private-key", key, "--account-id", "c"),
        "accounts update": (*EMAIL, "--new-email", "c@a.example"),
        "migrate certbot": (tmp_path / "certbot",),
        "certificates revoke a.example": (),
        "obtain b.example": (*way.http, *way.ca[2:]),
        "renew": ("--renew-force",),
        "migrate": (),
    }
    return lambda command: (command, *more.get(command, EMAIL), "--dry-run")


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("accounts register", ["to register b@a.example; its terms are not accepted yet"]),
        ("accounts recover", ["which account has the key of"]),
        ("accounts update", ["to write to c@a.example about https://"]),
        ("accounts rollover", ["to keep a new key, EC256", "to give https://"]),
        ("accounts deactivate", ["to end https://"]),
        ("certificates revoke a.example", ["to revoke a.example (serial", "into an archive"]),
        ("migrate certbot", ["to keep certificate b.example"]),
        ("migrate", ["migrate --path"]),
        ("obtain b.example", None),
        ("renew", None),
    ],
)
def test_what_would_be_asked_is_told_and_nobody_is_asked(command, asked, line, here, way, folder):
    given = line(command)
    requests, before = way.server.requests(), state(folder)
    env = {"LEGO_SERVER": way.server.directory}
    done, shown = here(*given, "--json", env=env), here(*given, env=env)
    assert (done.code, shown.code) == (0, 0), done.out + shown.err
    assert (done.err, shown.err) == ("", "")
    assert way.server.requests() == requests
    assert state(folder) == before
    if asked is None:
        return
    told = done.json["certificates"][0] if "revoke" in command else done.json
    steps = told["plan"]
    assert all(each.keys() == {"whom", "what"} for each in steps)
    whom = {each["whom"] for each in steps}
    assert whom <= {way.server.directory, str(folder), "lego"}
    assert (way.server.directory in whom) is not command.startswith("migrate")
    for words in asked:
        assert any(words in each["what"] for each in steps), steps
        assert words in " ".join(shown.out.split())


def test_what_would_fail_is_told_without_asking(line, here, way):
    line("renew")
    env = {"LEGO_SERVER": way.server.directory}
    requests = way.server.requests()
    done = here("certificates revoke", "a.example", "none.example", "--dry-run", env=env)
    assert (done.code, done.out) == (2, "")
    assert "has no certificate none.example" in done.err
    for command in ("update --no-email", "rollover", "deactivate"):
        done = here(f"accounts {command}", "--email", "x@a.example", "--dry-run", env=env)
        assert done.code == 2
        assert "has no account x@a.example" in done.err
    gone = ("accounts recover", "--private-key", "/nowhere", "--dry-run")
    assert here(*gone, env=env).code == 1
    assert way.server.requests() == requests


def test_an_account_that_is_there_would_not_be_registered(line, here, way):
    line("renew")
    env = {"LEGO_SERVER": way.server.directory}
    done = here("accounts register", *EMAIL, "--dry-run", "--json", env=env)
    assert (done.code, done.json["plan"], done.json["status"]) == (0, [], "valid")
    assert here("accounts register", *EMAIL, "--dry-run", env=env).out == "nothing is to do\n"


def test_terms_that_a_new_account_lacks_are_told(here, way):
    flags = ("a.example", *way.http, "--dry-run")
    server = ("--server", way.server.directory)
    for given, accepted in ((server, False), (way.ca, True)):
        done = here("obtain", *flags, *given, "--json")
        assert done.json["plan"]["account"]["terms_accepted"] is accepted
        told = " ".join(here("obtain", *flags, *given).out.split())
        assert ("the CA's terms are not accepted yet: --accept-tos does" in told) is not accepted


def test_what_is_not_due_would_be_kept(obtained, here, way):
    obtained("a.example")
    done = here("obtain", "a.example", *way.ca, *way.http, "--dry-run", "--json")
    assert (done.code, done.json["action"]) == (3, "kept")
    assert done.json["plan"]["due"] is False


def test_no_store_is_made_by_looking(here, way, folder):
    env = {"LEGO_SERVER": way.server.directory}
    assert here("accounts register", *EMAIL, "--dry-run", env=env).code == 0
    assert here("obtain", "a.example", *way.http, "--dry-run", env=env).code == 0
    assert not folder.exists()
