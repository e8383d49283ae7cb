"""`pylego renew` and `pylego status`: what becomes of the certificates of the store, and their hooks."""

import datetime as dt

import pytest

from pylego.storage import FileStore
from tests.cli.conftest import names

pytest.importorskip("typer")


def test_status_tells_what_becomes_of_each_certificate(obtained, here, way):
    obtained("a.example", "b.example")
    done = here("status", "--json")
    assert done.code == 0
    [told] = done.json["certificates"]
    assert told["names"] == ["a.example", "b.example"]
    assert (told["due"], told["failures"], told["last_error"]) == (False, 0, None)
    assert told["next"] < told["not_after"]
    lines = here("status").out.splitlines()
    assert lines[0].split("  ")[0] == "ID"
    assert lines[1].startswith("a.example  a.example, b.example")
    assert (
        here("status", "--renew-days", "0", "--json")
        .json["certificates"][0]["why"]
        .startswith("it is renewed 0 days before its end")
    )


def test_status_says_the_same_by_the_store_and_by_a_configuration_file(
    obtained, here, way, folder, tmp_path
):
    obtained("a.example", "--account-id", "main")
    wrong = ("--http", "--http.address", "127.0.0.1:1")
    assert here("renew", "--renew-force", *wrong).code == 1
    path = tmp_path / "pylego.toml"
    path.write_text(f"""
storage = "{folder}"
[accounts.main]
server = "{way.server.directory}"
[challenges.web.http]
[certificates."a.example"]
domains = ["a.example"]
""")
    [told] = here("status", "--json").json["certificates"]
    assert here("status", "--json", "--config", path).json["certificates"] == [told]
    assert told["failures"] == 1
    assert told["last_failed"] < told["next"]


def test_an_id_that_the_store_has_not_is_wrong_use(obtained, here):
    obtained("a.example")
    for command in ("renew", "status"):
        done = here(command, "b.example")
        assert done.code == 2
        assert done.err.endswith("has no certificate b.example; it has a.example\n")


def test_one_that_cannot_be_read_is_told_by_status(obtained, here, folder):
    obtained("a.example")
    (folder / "certificates" / "a.example.key").write_text("nothing")
    done = here("status", "--json")
    assert done.code == 1
    assert "a.example" in done.json["certificates"][0]["error"]
    assert here("renew").code == 1


def test_what_is_not_due_is_not_renewed(obtained, here, way):
    assert here("renew", "--json").code == 3
    obtained("a.example")
    done = here("renew", "--json")
    assert (done.code, done.json["certificates"][0]["action"]) == (3, "kept")
    assert here("renew").out.startswith("a.example is kept: ")


def test_certificates_are_renewed_as_they_were_obtained(obtained, here, folder):
    obtained("a.example", "b.example", "--email", "a@a.example", "--key-type", "EC384")
    before = FileStore(folder).load("a.example")
    done = here("renew", "--renew-force", "--json")
    assert done.code == 0, done.out
    [told] = done.json["certificates"]
    assert (told["action"], told["why"]) == ("renewed", "it was to be renewed, due or not")
    after = FileStore(folder).load("a.example")
    assert names(after) == ["a.example", "b.example"]
    assert after.serial != before.serial
    assert told["certificate"]["key_type"] == "EC384"
    assert told["certificate"]["account"] == "a@a.example"


def test_what_another_program_has_obtained_is_renewed_by_flags(here, way, lego, folder):
    lego("run", *way.ca, *way.http, "--email", "a@a.example", "--domains", "a.example")
    done = here("renew", "--renew-force")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(
        "a.example has failed: [invalid_arguments] how the names of a.example are validated is not known"
    )
    flags = (*way.ca, "--email", "a@a.example")
    assert here("renew", "--renew-force", *flags, *way.http).code == 0
    assert here("renew", "--renew-force").code == 0  # known by now


def test_what_is_not_known_is_told_before_it_is_due_and_given_once(here, way, lego, folder):
    lego("run", *way.ca, *way.http, "--email", "a@a.example", "--domains", "a.example")
    for command in ("renew", "status"):
        done = here(command, "--json")
        assert done.code == 1
        [told] = done.json["certificates"]
        assert "how the names of a.example are validated is not known" in told["error"]
    flags = (*way.ca, "--email", "a@a.example")
    assert here("renew", "--dry-run", *flags, *way.http).code == 3
    assert here("status").code == 1  # looking remembers nothing
    assert here("renew", *flags, *way.http).code == 3
    assert here("status").code == 0
    done = here("renew", "--renew-force")
    assert done.code == 0, done.err
    assert [account for _, account in FileStore(folder).accounts()] == ["a@a.example"]


@pytest.mark.parametrize("given", [("--server", "letsencrypt-staging"), ("--account-id", "b")])
def test_another_ca_or_account_is_not_passed_over(given, obtained, here, way, folder):
    obtained("a.example")
    serial = FileStore(folder).load("a.example").serial
    done = here("renew", "--renew-force", *given)
    assert (done.code, done.out) == (2, "")
    assert f"`pylego obtain {given[0]}`" in done.err
    assert FileStore(folder).load("a.example").serial == serial
    variables = {"LEGO_SERVER": "letsencrypt-staging", "LEGO_EAB_KID": "k"}  # are for all commands
    assert here("renew", env=variables).code == 3
    own = ("--server", way.server.directory, "--account-id", "noemail@example.com")
    assert here("renew", *own).code == 3


def test_a_way_that_cannot_validate_a_wildcard_is_not_kept(obtained, here, way, folder):
    obtained("*.a.example", *way.dns)
    kept = FileStore(folder).state("request@*.a.example")
    done = here("renew", *way.http, "--json")
    assert done.code == 1
    assert "a wildcard is validated by --dns" in done.json["certificates"][0]["error"]
    assert FileStore(folder).state("request@*.a.example") == kept


def test_when_it_is_renewed_is_remembered(obtained, here, way, folder):
    told = obtained("a.example", "--renew-days", "7", "--ari-disable")
    [status] = here("status", "--json").json["certificates"]
    assert status["why"].startswith("it is renewed 7 days before its end")
    assert status["next"] == told["next"]
    asked = way.server.requests()
    assert here("renew", "--json").json["certificates"][0]["why"] == status["why"]
    assert way.server.requests() == asked
    [once] = here("status", "--renew-days", "8", "--json").json["certificates"]
    assert once["why"].startswith("it is renewed 8 days before its end")


PASSWORD = {"LEGO_PFX_PASSWORD": "s3cret"}


@pytest.mark.acme_server(authz_reuse=100)
def test_a_pfx_is_written_again_as_it_was_and_for_no_other(obtained, here, folder):
    from cryptography.hazmat.primitives.serialization import pkcs12

    obtained("a.example", "--pfx", "--pfx.format", "DES", env=PASSWORD)
    obtained("b.example")
    obtained("c.example", "--pfx")
    assert FileStore(folder).state("request@a.example")["pfx"] == {"format": "DES", "own": True}
    assert here("renew", "--renew-force", env=PASSWORD).code == 0
    there = sorted(path.name for path in (folder / "certificates").glob("*.pfx"))
    assert there == ["a.example.pfx", "c.example.pfx"]
    for name in ("a.example", "c.example"):
        packed = (folder / "certificates" / f"{name}.pfx").read_bytes()
        _, leaf, _ = pkcs12.load_key_and_certificates(packed, b"s3cret")
        assert f"{leaf.serial_number:x}" == FileStore(folder).load(name).serial.lstrip("0")


def test_a_pfx_with_a_password_of_its_own_keeps_it(obtained, here, folder):
    obtained("a.example", "--pfx", env=PASSWORD)
    packed = (folder / "certificates" / "a.example.pfx").read_bytes()
    done = here("renew", "--json")
    assert done.code == 1  # and not only when it is due
    assert "LEGO_PFX_PASSWORD" in done.json["certificates"][0]["error"]
    assert here("renew", "--renew-force").code == 1
    assert (folder / "certificates" / "a.example.pfx").read_bytes() == packed
    assert here("renew", env=PASSWORD).code == 3


def test_the_ca_s_advice_is_asked_for_kept_and_heeded(obtained, here, way, folder):
    obtained("a.example")
    past = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=2)
    leaf = FileStore(folder).load("a.example").leaf
    way.server.set_renewal_info(leaf, past, past + dt.timedelta(days=1))
    assert here("renew", "--ari-disable").code == 3
    # One that was issued just now is kept for a while, whatever is said of it.
    [told] = here("renew", "--json").json["certificates"]
    assert told["action"] == "kept"
    assert told["why"].startswith("the CA advises to renew it between")
    advice = FileStore(folder).state("a.example")["advice"]
    assert advice["ask_at"]
    [told] = here("status", "--json").json["certificates"]
    assert told["why"].startswith("the CA advises to renew it between")
    asked = way.server.requests()
    assert here("renew").code == 3
    assert way.server.requests() == asked


def test_each_certificate_has_its_provider_s_settings_by_a_file_of_its_own(tmp_path, monkeypatch):
    from pylego.cli._options import Validation

    monkeypatch.delenv("HTTPREQ_ENDPOINT", raising=False)
    monkeypatch.setenv("HTTPREQ_USERNAME", "from the environment")
    settings, ways = tmp_path / "settings.env", []
    for url in ("https://one.example", "https://two.example"):
        settings.write_text(f"HTTPREQ_ENDPOINT={url}\nHTTPREQ_USERNAME=from the file\n")
        ways += Validation(dns="httpreq", env_file=settings).challenges()
    assert [dict(way.variables) for way in ways] == [
        {"HTTPREQ_ENDPOINT": "https://one.example"},
        {"HTTPREQ_ENDPOINT": "https://two.example"},
    ]


@pytest.mark.acme_server(authz_reuse=100)
def test_each_is_renewed_by_itself(obtained, here, folder):
    obtained("a.example")
    obtained("b.example")
    (folder / "certificates" / "a.example.crt").write_text("nothing")
    done = here("renew", "--renew-force", "--json")
    assert done.code == 4
    assert [each["action"] for each in done.json["certificates"]] == ["failed", "renewed"]
    assert here("renew", "a.example", "--renew-force").code == 1
    assert here("renew", "b.example").code == 3


@pytest.mark.acme_server(authz_reuse=100)
@pytest.mark.parametrize(
    "broken",
    [
        {"challenges": 4, "hooks": 3, "csr": 7, "bundle": "x"},
        {"challenges": {"http": "x", "dns_resolvers": 3, "more": 1}, "hooks": {"more": 1}},
        {"hooks": {"pre_hook": "'", "post_hook": ["x"]}, "server": 3, "account": [], "pfx": 1},
        {"server": "nowhere", "renew_days": -1, "ari_disable": "x", "pfx": {"format": "X"}},
    ],
)
def test_of_what_was_kept_wrongly_shaped_parts_are_read_as_nothing(
    broken, obtained, here, folder, way
):
    obtained("a.example")
    obtained("b.example")
    store, kept = FileStore(folder), {"a": [1], "history": 3, "advice": "x", "deploy": 4}
    store.save_state("a.example", kept)
    store.save_state("request@a.example", broken)
    assert here("status", "b.example").code == 0
    done = here("renew", "--renew-force", "--json")
    assert done.code == 4, done.out + done.err
    told, other = done.json["certificates"]
    assert told["error"].endswith("--http, --tls, --dns or --dns-persist once")
    assert other["action"] == "renewed"
    assert here("renew", "a.example", "--renew-force", *way.http).code == 0


def test_what_fails_waits_and_its_error_is_shown(obtained, here, folder, way):
    obtained("a.example")
    wrong = ("--http", "--http.address", "127.0.0.1:1")
    done = here("renew", "--renew-days", "0", "--renew-force", *wrong, "--json")
    assert done.code == 1
    assert done.json["certificates"][0]["action"] == "failed"
    [told] = here("status", "--json").json["certificates"]
    assert told["failures"] == 1
    assert told["last_error"] in done.json["certificates"][0]["error"]
    assert "the next is at" in told["why"]


def test_a_renewal_is_planned_without_asking(obtained, here, way):
    serial = obtained("a.example")["certificate"]["serial"]
    asked = way.server.requests()
    done = here("renew", "--dry-run", "--json")
    assert done.code == 3
    [told] = done.json["certificates"]
    assert told["action"] == "kept"
    assert here("renew", "--dry-run").out.startswith("a.example is kept: ")
    assert here("renew", "--dry-run", "--renew-force").code == 0
    assert told["plan"]["replaces"] == serial
    assert told["plan"]["ca"] == way.server.directory
    assert told["plan"]["challenges"] == [f"http-01, answered at 127.0.0.1:{way.server.http_port}"]
    assert told["plan"]["due"] is False
    assert way.server.requests() == asked


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("", "DNS provider httpreq needs HTTPREQ_ENDPOINT: set them in the environment, or"),
        ("HTTPREQ_ENDPONT=x", "has no setting HTTPREQ_ENDPONT; did you mean HTTPREQ_ENDPOINT?"),
    ],
)
def test_what_a_renewal_would_lack_is_named_before_anybody_is_asked(
    settings, words, obtained, here, way, tmp_path, folder
):
    obtained("a.example")
    obtained("b.example")
    asked, before = way.server.requests(), sorted(folder.rglob("*"))
    file = tmp_path / "settings.env"
    file.write_text(settings)
    flags, env = (*way.dns, "--env-file", file), {"HTTPREQ_ENDPOINT": ""}
    done = here("renew", "--dry-run", *flags, "--json", env=env)
    assert done.code == 1
    for told in done.json["certificates"]:
        assert (told["action"], told["plan"]) == ("failed", None)
        assert words in told["error"]
    shown = here("renew", "a.example", "--dry-run", *flags, env=env)
    assert shown.err.startswith("a.example would fail: ")
    assert way.server.requests() == asked
    assert sorted(folder.rglob("*")) == before
    assert here("renew", "a.example", "--renew-force", *flags, env=env).code == 1
    assert way.server.requests()["newOrder"] == asked["newOrder"]


def test_a_setting_that_is_misspelt_in_the_environment_is_named(obtained, here, way):
    obtained("a.example")
    env = {"HTTPREQ_ENDPOINT": "", "HTTPREQ_ENDPONT": "https://api.example"}
    done = here("renew", "--dry-run", *way.dns, env=env)
    assert "; HTTPREQ_ENDPONT is there: is it to be HTTPREQ_ENDPOINT?" in done.err
    done = here("obtain", "b.example", *way.ca, *way.dns, env=env)
    assert (done.code, done.out) == (2, "")
    assert "HTTPREQ_ENDPONT is there" in done.err


@pytest.fixture
def hook(tmp_path):
    """A program that writes down what it is told; give it and what it has written."""
    told = tmp_path / "told"
    script = tmp_path / "hook.sh"
    script.write_text(
        f'#!/bin/sh\necho "$1 $2 $LEGO_HOOK_CERT_NAME $LEGO_HOOK_CERT_PATH" >> {told}\n'
    )
    script.chmod(0o755)
    return script, lambda: told.read_text().splitlines()


def test_hooks_are_run_around_an_order_and_again_when_it_is_renewed(obtained, here, hook, folder):
    script, told = hook
    obtained(
        *("a.example", "--pre-hook", f"{script} pre"),
        *("--deploy-hook", f"{script} deploy 'in one'", "--post-hook", f"{script} post"),
    )
    path = folder / "certificates" / "a.example.crt"
    once = ["pre  a.example ", f"deploy in one a.example {path}", f"post  a.example {path}"]
    assert told() == once
    assert here("renew").code == 3
    assert told() == once
    assert here("renew", "--renew-force").code == 0
    assert told() == 2 * once


@pytest.mark.acme_server(authz_reuse=100)
def test_many_are_renewed_at_once(obtained, here, tmp_path):
    """Each waits until the other one has begun."""
    script = tmp_path / "meet.sh"
    script.write_text(
        "#!/bin/sh\n"
        f"cd {tmp_path} && touch met-$LEGO_HOOK_CERT_NAME\n"
        "until [ -e met-a.example ] && [ -e met-b.example ]; do sleep 0.05; done\n"
    )
    script.chmod(0o755)
    for each in ("a.example", "b.example"):
        obtained(each)
    done = here("renew", "--renew-force", "--pre-hook", script, "--pre-hook-timeout", "40s")
    assert done.code == 0, done.out
    assert [line.split(":")[0] for line in done.out.splitlines()] == [
        "a.example is renewed",
        "b.example is renewed",
    ]


def test_without_the_first_hook_nothing_is_done(here, way, folder, hook):
    script, _ = hook
    hooks = ("--pre-hook", "false", "--post-hook", script)
    done = here("obtain", "a.example", *way.ca, *way.http, *hooks)
    assert done.code == 1
    assert "the hook false failed with exit code 1" in done.err
    assert FileStore(folder).certificate_ids() == []
    assert way.server.requests().get("newOrder", 0) == 0


def test_a_certificate_that_could_not_be_deployed_is_kept_and_that_is_told(here, way, folder):
    done = here("obtain", "a.example", *way.ca, *way.http, "--deploy-hook", "false")
    assert done.code == 1
    assert done.err.splitlines()[-1].endswith("the hook false failed with exit code 1")
    assert FileStore(folder).load("a.example")
    assert FileStore(folder).state("a.example")["history"]["tries"] == {}


@pytest.mark.parametrize("again", ["renew", "obtain"])
def test_what_could_not_be_deployed_is_deployed_by_the_next_command(
    again, here, way, folder, tmp_path
):
    script, told = tmp_path / "deploy.sh", tmp_path / "told"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    flags = ("a.example", *way.ca, *way.http, "--deploy-hook", script)
    assert here("obtain", *flags).code == 1
    assert here("renew").code == 1  # it is not waited for, and fails again
    serial = FileStore(folder).load("a.example").serial
    script.write_text(f'#!/bin/sh\necho "$LEGO_HOOK_CERT_PATH" >> {told}\n')
    done = here(again, *(flags if again == "obtain" else ()))
    assert done.code == 3, done.err
    assert told.read_text() == f"{folder / 'certificates' / 'a.example.crt'}\n"
    assert FileStore(folder).load("a.example").serial == serial
    assert here("renew").code == 3
    assert len(told.read_text().splitlines()) == 1


def test_a_hook_afterwards_that_fails_is_told(here, way, folder):
    done = here("obtain", "a.example", *way.ca, *way.http, "--post-hook", "false")
    assert done.code == 1
    assert "the hook false failed with exit code 1" in done.err
    assert FileStore(folder).load("a.example")


@pytest.mark.parametrize("given", ["", "'"])
def test_a_hook_that_is_no_program_is_wrong_use(given, here):
    done = here("renew", "--deploy-hook", given)
    assert done.code == 2
    assert "--deploy-hook" in done.err


def test_another_program_s_pfx_stays_until_the_password_for_a_new_one_is_given(
    obtained, here, folder
):
    obtained("a.example")
    store = FileStore(folder, pfx_password="another's")
    store.save("a.example", store.load("a.example"))
    file = folder / "certificates" / "a.example.pfx"
    before = file.read_bytes()
    planned = here("renew", "--renew-force", "--dry-run", "--json")
    assert planned.code == 1
    assert "--pfx" in planned.json["certificates"][0]["error"]
    done = here("renew", "--renew-force", "--json")
    assert done.code == 1
    assert "--pfx" in done.json["certificates"][0]["error"]
    assert file.read_bytes() == before
    [told] = here("status", "--json").json["certificates"]
    assert told["last_error"] == done.json["certificates"][0]["error"]
    assert here("renew", "--renew-force", "--pfx").code == 0
    assert file.read_bytes() != before
