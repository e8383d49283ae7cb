"""`pylego obtain`: how a certificate comes into the store, with lego's executable reading along."""

import datetime as dt
import json
import signal
from pathlib import Path

import pytest

import pylego
from pylego.storage import FileStore, Pending
from pylego.testing import Profile
from tests.cli.conftest import PYLEGO, account_of, names

pytest.importorskip("typer")


def test_a_certificate_is_obtained_and_lego_reads_it(here, way, folder, lego):
    done = here("obtain", "a.example", "b.example", *way.ca, *way.http)
    assert done.code == 0, done.err
    assert done.out.startswith("a.example is obtained: there is no certificate yet\n")
    certificate = FileStore(folder).load("a.example")
    assert names(certificate) == ["a.example", "b.example"]
    assert certificate.ssl_context()
    [listed] = json.loads(lego("certificates", "list", "--json"))
    assert listed["domains"] == ["a.example", "b.example"]
    assert FileStore(folder).accounts() == [(way.server.directory, "noemail@example.com")]
    assert json.loads(lego("accounts", "list", "--json"))[0]["registration"]["status"] == "valid"


def test_what_was_obtained_is_told_to_programs(obtained, way, folder):
    told = obtained("a.example", "--email", "ops@a.example")
    assert (told["action"], told["why"]) == ("obtained", "there is no certificate yet")
    certificate = told["certificate"]
    assert certificate["names"] == ["a.example"]
    assert certificate["ca"] == way.server.directory
    assert certificate["account"] == "ops@a.example"
    assert Path(certificate["path"]) == folder / "certificates" / "a.example.crt"
    assert certificate["has_key"]


def test_lego_s_word_for_it_and_its_flags_do_the_same(here, way, folder):
    done = here(
        "run", "a.example,", "-d", "a.example,b.example", "--cert.name", "mine", *way.ca, *way.tls
    )
    assert done.code == 0, done.err
    assert names(FileStore(folder).load("mine")) == ["a.example", "b.example"]


def test_a_certificate_that_is_not_due_is_kept(obtained, here, way, folder):
    serial = obtained("a.example")["certificate"]["serial"]
    done = here("obtain", "a.example", *way.ca, *way.http, "--json")
    assert (done.code, done.json["action"]) == (3, "kept")
    assert done.json["certificate"]["serial"] == serial
    assert done.json["next"]
    assert FileStore(folder).accounts() == [(way.server.directory, "noemail@example.com")]


def test_names_are_compared_as_certificates_have_them(obtained, here, way):
    obtained("bücher.example", "a.example")
    for given in (("A.Example.", "xn--bcher-kva.example"), ("BÜCHER.example",)):
        assert here("obtain", *given, "-c", "bücher.example", *way.ca, *way.http).code == 3


def test_what_was_told_when_nothing_was_due_is_remembered(lego, here, way, folder):
    lego("run", *way.ca, *way.http, "--email", "a@a.example", "--domains", "a.example")
    email = ("--email", "a@a.example")
    assert here("obtain", "a.example", *way.ca, *email, *way.http).code == 3
    done = here("renew", "--renew-force")
    assert done.code == 0, done.out
    # By now its account is known, too.
    assert here("obtain", "a.example", *way.ca, *way.http, "--renew-force").code == 0
    assert [account for _, account in FileStore(folder).accounts()] == ["a@a.example"]


def test_another_ca_issues_at_once_and_hears_nothing_of_the_first(obtained, here, way, folder):
    obtained("a.example")
    store = FileStore(folder)
    edited = folder / "certificates" / "a.example.json"
    resource = json.loads(edited.read_text())
    resource["pylego"]["directory"] = "https://other.example/dir"
    resource["profile"] = "theirs"
    edited.write_text(json.dumps(resource))
    told = obtained("a.example")
    assert told["action"] == "renewed"
    assert told["why"].startswith("it is to be another: it is from the CA https://other.example")
    assert store.texts()["a.example"].origin.directory == way.server.directory
    assert told["certificate"]["profile"] is None


def test_a_certificate_is_renewed_for_more_names_and_loses_none(obtained):
    obtained("a.example")
    told = obtained("a.example", "b.example")
    assert (told["action"], told["why"]) == (
        "renewed",
        "it is to be another: it does not name b.example",
    )
    assert told["certificate"]["names"] == ["a.example", "b.example"]
    assert obtained("a.example", "--renew-force")["certificate"]["names"] == [
        "a.example",
        "b.example",
    ]
    told = obtained("a.example", "--force-cert-domains")
    assert told["certificate"]["names"] == ["a.example"]


@pytest.mark.parametrize(
    ("flag", "what"), [("--must-staple", "must-staple"), ("--enable-cn", "a common name")]
)
def test_a_certificate_is_renewed_once_for_what_was_not_asked_for(obtained, here, way, flag, what):
    obtained("a.example")
    told = obtained("a.example", flag)  # the CA of this test issues without it
    why = f"it is to be another: it was asked for without {what}"
    assert (told["action"], told["why"]) == ("renewed", why)
    for again in ([flag], []):
        assert here("obtain", "a.example", *again, *way.ca, *way.http).code == 3


def test_a_renewal_has_a_new_key_or_the_same(obtained, folder):
    obtained("a.example", "--key-type", "RSA2048")
    first = FileStore(folder).load("a.example")
    assert obtained("a.example", "--renew-force", "--reuse-key")["action"] == "renewed"
    second = FileStore(folder).load("a.example")
    assert second.private_key == first.private_key
    assert second.serial != first.serial
    told = obtained("a.example", "--renew-days", "9999", "--renew-force")
    assert told["certificate"]["key_type"] == "RSA2048"
    assert FileStore(folder).load("a.example").private_key != first.private_key


def test_a_key_of_one_s_own_is_used(obtained, folder, tmp_path):
    from pylego.cli._place import new_key

    key = tmp_path / "key.pem"
    key.write_text(new_key("EC384"))
    assert obtained("a.example", "--private-key", key)["certificate"]["key_type"] == "EC384"
    assert FileStore(folder).load("a.example").private_key == key.read_text()


def test_a_certificate_request_brings_a_certificate_without_a_key(obtained, tmp_path):
    csr = request_file(tmp_path, "c.example", "d.example")
    told = obtained("--csr", csr)
    assert told["certificate"]["id"] == "c.example"
    assert told["certificate"]["names"] == ["c.example", "d.example"]
    assert not told["certificate"]["has_key"]


def test_a_certificate_of_a_request_is_renewed_by_it(obtained, here, tmp_path, folder):
    csr = request_file(tmp_path, "c.example")
    obtained("--csr", csr, "--cert.name", "mine")
    first = FileStore(folder).load("mine")
    assert here("renew", "--renew-force", "--json").code == 0
    second = FileStore(folder).load("mine")
    assert (names(second), second.private_key) == (["c.example"], None)
    assert second.serial != first.serial
    csr.unlink()
    done = here("renew", "--renew-force")
    assert done.code == 1
    assert str(csr) in done.err


def test_what_is_no_certificate_request_is_told(here, way, tmp_path):
    (tmp_path / "request.pem").write_text("nothing")
    done = here("obtain", "--csr", tmp_path / "request.pem", *way.ca, *way.http)
    assert done.code == 2
    assert done.err.startswith("[invalid_csr]")
    assert here("obtain", "--csr", tmp_path / "none.pem", *way.ca, *way.http).code == 1


def request_file(folder, *names):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    csr = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    path = folder / "request.pem"
    path.write_bytes(csr.public_bytes(serialization.Encoding.PEM))
    return path


def test_copies_for_servers_are_written_where_they_are_wanted(obtained, folder):
    obtained("a.example", "--pem", "--pfx", env={"LEGO_PFX_PASSWORD": "s3cret"})
    files = {path.name for path in (folder / "certificates").iterdir()}
    assert {"a.example.pem", "a.example.pfx"} <= files
    from cryptography.hazmat.primitives.serialization import pkcs12

    packed = (folder / "certificates" / "a.example.pfx").read_bytes()
    assert pkcs12.load_key_and_certificates(packed, b"s3cret")[0]


def test_no_password_is_taken_from_arguments(here, way):
    done = here("obtain", "a.example", *way.ca, *way.http, "--pfx", "--pfx.password", "s3cret")
    assert done.code == 2
    assert "LEGO_PFX_PASSWORD_FILE" in done.err
    assert "s3cret" not in done.err


@pytest.mark.parametrize("how", ["variable", "file"])
def test_a_password_that_is_there_and_empty_is_refused(how, here, way, folder, tmp_path):
    (tmp_path / "empty").write_text("\n")
    env = {"LEGO_PFX_PASSWORD": ""}
    if how == "file":
        env = {"LEGO_PFX_PASSWORD_FILE": str(tmp_path / "empty")}
    done = here("obtain", "a.example", *way.ca, *way.http, "--pfx", env=env)
    assert done.code == 2
    assert "LEGO_PFX_PASSWORD" in done.err
    assert "is empty" in done.err
    assert not folder.exists()


def test_a_format_that_pfx_files_have_not_is_refused_before_anything_is_asked(here, way):
    before = way.server.requests()
    flags = ("a.example", "--pfx", "--pfx.format", "FOO")
    for command in (("obtain", *way.ca, *way.http), ("renew",)):
        done = here(*command, *flags)
        assert done.code == 2
        assert "'FOO' is none of SHA256, PBMAC1, DES, RC2" in " ".join(done.err.split())
    assert way.server.requests() == before


def test_the_formats_of_pfx_files_are_the_engine_s(obtained, folder):
    obtained("a.example")
    certificate = FileStore(folder).load("a.example")
    from pylego.cli._place import PFX_FORMATS

    assert all(certificate.pkcs12("s3cret", each) for each in PFX_FORMATS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "which names?"),
        (("a.example",), "how are the names validated?"),
        (("--cert.name", "mine", "--http"), "there is no certificate mine yet"),
        (("a.example", "--csr", "x", "--http"), "--csr has its own names"),
        (("--csr", "x", "--must-staple", "--http"), "--csr says itself"),
        (("a.example", "--not-before", "tomorrow"), "no moment"),
    ],
)
def test_what_does_not_fit_is_wrong_use(arguments, words, here, folder):
    done = here("obtain", *arguments)
    assert done.code == 2
    assert words in " ".join(done.err.split())
    assert not folder.exists()


def test_a_plan_says_what_would_be_asked_of_whom_and_asks_nobody(here, folder):
    flags = ("--server", "letsencrypt", "--http", "--dns", "httpreq", "--profile", "shortlived")
    done = here("obtain", "a.example", *flags, "--dry-run", "--json")
    assert done.code == 0, done.err
    plan = done.json["plan"]
    assert plan["ca"] == "https://acme-v02.api.letsencrypt.org/directory"
    assert plan["account"] == {
        "id": "noemail@example.com",
        "url": None,
        "email": None,
        "terms_accepted": False,
    }
    assert plan["challenges"] == ["http-01, answered at :80", "dns-01, by httpreq"]
    assert plan["due"]
    assert not folder.exists()
    told = " ".join(here("obtain", "a.example", *flags, "--dry-run").out.split())
    assert "noemail@example.com (it would be made; the CA's terms are not accepted yet" in told
    assert "key a new one, EC256" in told


def test_a_name_that_no_certificate_can_hold_leaves_nothing_in_the_store(here, way, folder):
    done = here("obtain", "a b", *way.ca, *way.http)
    assert done.code == 2
    assert done.err.startswith(
        '[invalid_arguments] "a b" is not a name that a certificate can hold: it has a character'
    )
    assert not folder.exists()


@pytest.mark.parametrize(
    ("ways", "words"),
    [
        (("--dns", "cloudfare"), "did you mean cloudflare"),
        (("--http", "--dns", "cloudfare"), "did you mean cloudflare"),
        (("--dns", "cloudflare"), "DNS provider cloudflare needs"),
    ],
)
def test_a_plan_that_cannot_come_true_is_refused(ways, words, here, folder):
    done = here("obtain", "a.example", *ways, "--dry-run")
    assert done.code == 2
    assert words in done.err
    assert not folder.exists()


@pytest.mark.acme_server(blocked_names=["blocked.example"])
def test_what_the_ca_said_is_kept_and_shown_by_status(here, way, folder):
    done = here("obtain", "blocked.example", *way.ca, *way.http)
    assert done.code == 1
    assert "blocked.example" in done.err
    state = FileStore(folder).state("blocked.example")
    [tries] = state["history"]["tries"].values()
    assert tries["failures"] == 1
    assert FileStore(folder).pending("blocked.example") is None


def test_what_was_cut_off_is_gone_on_with(obtained, way, folder):
    from pylego._operations import Obtain
    from pylego.cli._place import new_key

    kept = []

    def crash(url, _):
        kept.append(url)
        raise RuntimeError("just now")

    obtained("first.example")
    store = FileStore(folder)
    account = store.load_account(way.server.directory, "noemail@example.com")
    client = pylego.Client(way.server.directory, account=account, trust=way.server.trust_root)
    key = new_key("EC256")
    settings = {"challenges": way.server.http01(), "key": key, "keep_order": crash}
    with pytest.raises(pylego.LEGOError, match="just now"):
        client._run(Obtain(identifiers=("a.example",), **settings), 30)
    store.save_pending("a.example", Pending(key, kept[0], way.server.directory))
    obtained("a.example")
    assert store.load("a.example").private_key == key
    assert store.pending("a.example") is None


def test_what_was_cut_off_after_its_certificate_was_saved_is_over(obtained, way, folder):
    obtained("a.example")
    store = FileStore(folder)
    first = store.load("a.example")
    pending = Pending(first.private_key, first.order_url, way.server.directory)
    store.save_pending("a.example", pending)
    obtained("a.example", "--renew-force")
    assert store.load("a.example").serial != first.serial
    assert store.pending("a.example") is None


@pytest.mark.acme_server(profiles={"brief": Profile(validity=dt.timedelta(seconds=4))})
def test_what_is_due_and_failed_waits(obtained, here, folder, way):
    obtained("a.example", "--profile", "brief")
    while not here("status", "--json").json["certificates"][0]["due"]:
        pass
    wrong = ("--http", "--http.address", "192.0.2.1:80")
    assert here("renew", *wrong).code == 1
    done = here("renew", "--json")
    assert done.code == 1
    assert "the last of 1 attempts failed" in done.json["certificates"][0]["why"]


@pytest.mark.acme_server(validation_sleep=600)
def test_a_signal_leaves_neither_records_nor_a_lock(started, way, folder):
    env = {**way.env, "LEGO_PATH": str(folder)}
    running = started("obtain", "a.example", *way.ca, *way.dns, source=PYLEGO, env=env)
    for line in running.process.stderr:
        if "the CA is asked to validate" in line:
            break
    assert way.server.records()
    running.process.send_signal(signal.SIGTERM)
    assert running.end()[0] == 128 + signal.SIGTERM
    assert way.server.records() == {}
    with FileStore(folder).lock("a.example", timeout=0):
        assert FileStore(folder).state("a.example") == {}


def test_progress_and_outcome_are_shown_on_a_terminal(started, way, folder):
    env = {**way.env, "LEGO_PATH": str(folder), "COLUMNS": "200"}
    arguments = ("obtain", "a.example", *way.ca, *way.http)
    running = started(*arguments, source=PYLEGO, env=env, terminal=True)
    said = ""
    while "a.example.crt" not in said:
        said += running.line() + "\n"
    assert running.process.wait(60) == 0
    assert "1/1 names" in said
    assert "a.example is obtained" in said


def test_an_account_that_the_ca_has_lost_is_made_anew_and_kept(obtained, here, way, folder):
    obtained("a.example")
    before = account_of(folder, way, "noemail@example.com")
    way.server.restart()
    assert here("renew", "--renew-force", *way.ca).code == 0
    after = account_of(folder, way, "noemail@example.com")
    assert after.url != before.url
    assert after.key == before.key
