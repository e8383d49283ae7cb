"""lego's documented commands by `run_lego`, on the embedded CA: its words, its files, its codes."""

import base64
import json
import re
import shutil
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

import pylego
from pylego.testing import ACMEServer

pytestmark = pytest.mark.slow  # lego waits five seconds before it looks again

EMAIL = "ops@example.com"


class Lego:
    """lego with a folder and a CA of its own."""

    def __init__(self, server, folder):
        self.server = server
        self.folder = folder / "lego"
        self.trust = folder / "trust.pem"
        self.trust.write_text(server.trust_root)

    def __call__(self, *arguments, env=None, code=0, **settings):
        """Run it where it has to end with that code; return what it said."""
        trust = {"LEGO_CA_CERTIFICATES": str(self.trust)}
        done = pylego.run_lego(*arguments, env={**trust, **(env or {})}, timeout=60, **settings)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    @property
    def account(self):
        """The flags that name folder, CA and account."""
        return "--path", self.folder, "--server", self.server.directory, "--email", EMAIL

    @property
    def http(self):
        return "--http", "--http.address", f"127.0.0.1:{self.server.http_port}"

    def run(self, *arguments, **settings):
        return self("run", *self.account, "--accept-tos", *self.http, *arguments, **settings)

    def account_folder(self, folder=None):
        host = urlsplit(self.server.directory).netloc.replace(":", "_")
        return (folder or self.folder) / "accounts" / host / EMAIL

    def key(self, folder=None):
        return (self.account_folder(folder) / f"{EMAIL}.key").read_text()

    def certificate(self, name="a.example"):
        return x509.load_pem_x509_certificate(self.file(f"{name}.crt").read_bytes())

    def file(self, name):
        return self.folder / "certificates" / name

    def client(self, key):
        return pylego.Client(
            self.server.directory,
            account=pylego.Account(key=key),
            trust=self.server.trust_root,
            timeout=30,
        )

    def knows(self, key):
        """Ask the CA which account a key has."""
        return self.client(key).recover().url


@pytest.fixture
def lego(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # lego looks for its configuration here, and migrates to here
    with ACMEServer(authz_reuse=100, blocked_names=["not-mine.example"]) as server:
        yield Lego(server, tmp_path)


@pytest.fixture
def ready(lego):
    """An account that has had two names validated: lego waits some seconds for each."""
    lego("accounts", "register", *lego.account, "--accept-tos")
    lego.client(lego.key()).obtain("a.example", "b.example", challenges=lego.server.http01())
    return lego


def names(certificate):
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return sorted(extension.value.get_values_for_type(x509.DNSName))


## run


def test_run_obtains_and_keeps_a_certificate(lego):
    lego.run("--domains", "a.example", "--domains", "b.example")
    assert names(lego.certificate()) == ["a.example", "b.example"]
    files = {path.name for path in (lego.folder / "certificates").iterdir()}
    assert files == {f"a.example.{end}" for end in ("crt", "issuer.crt", "json", "key")}
    for file in lego.folder.rglob("*"):
        assert stat.S_IMODE(file.stat().st_mode) == (0o700 if file.is_dir() else 0o600), file
    loaded = pylego.Certificate.load(lego.file("a.example.crt"), lego.file("a.example.key"))
    assert {each.value for each in loaded.identifiers} == {"a.example", "b.example"}


def test_run_validates_by_tls(lego):
    address = f"127.0.0.1:{lego.server.tls_port}"
    lego("run", *lego.account, "--accept-tos", "--tls", "--tls.address", address, "-d", "a.example")
    assert names(lego.certificate()) == ["a.example"]


def test_run_validates_by_a_dns_provider_whose_settings_are_in_env(lego):
    lego(
        *("run", *lego.account, "--accept-tos", "--dns", "httpreq", "--domains", "*.a.example"),
        *("--dns.resolvers", lego.server.dns, "--dns.propagation.disable-ans"),
        env=lego.server.dns01().variables,
    )
    assert names(lego.certificate("_.a.example")) == ["*.a.example"]
    assert {change.action for change in lego.server.dns_log()} == {"presented", "cleaned_up"}


def test_run_takes_a_certificate_request(ready, tmp_path):
    client = ready.client(ready.key())
    request = tmp_path / "request.pem"
    request.write_text(client.obtain("a.example", challenges=ready.server.http01()).csr)
    ready.run("--csr", request)
    assert names(ready.certificate()) == ["a.example"]
    assert not ready.file("a.example.key").exists()


def test_run_writes_the_forms_that_are_asked_for(ready):
    ready.run("-d", "a.example", "--pem", "--pfx", env={"LEGO_PFX_PASSWORD": "s3cret"})
    pem = ready.file("a.example.pem").read_text()
    assert {"PRIVATE KEY", "CERTIFICATE"} == set(re.findall("BEGIN (?:EC )?([A-Z ]+)-", pem))
    pfx = pkcs12.load_pkcs12(ready.file("a.example.pfx").read_bytes(), b"s3cret")
    assert pfx.cert.certificate == ready.certificate()


def test_run_calls_hooks_with_what_it_has_done(ready, tmp_path):
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\nenv >{tmp_path}/told\necho the hook was here\n")
    hook.chmod(0o755)
    assert "the hook was here" in ready.run("-d", "a.example", "--deploy-hook", str(hook))
    told = (tmp_path / "told").read_text().splitlines()
    assert f"LEGO_HOOK_CERT_PATH={ready.file('a.example.crt')}" in told


def test_run_renews_when_it_is_due_or_forced(ready):
    ready.run("-d", "a.example")
    first = ready.certificate().serial_number
    assert "Skip renewal" in ready.run("-d", "a.example", "--ari-disable")
    assert ready.certificate().serial_number == first
    # Where stdout is no terminal lego would wait up to eight minutes first.
    ready.run("-d", "a.example", "--renew-force", "--no-random-sleep")
    assert ready.certificate().serial_number != first


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "please specify"),
        (("-d", "a.example", "--nonsense"), "flag provided but not defined: -nonsense"),
        (("-d", "a.example", "--key-type", "ROT13"), "ROT13"),
        (("-d", "a.example", "--csr", "request.pem"), "but not both"),
    ],
)
def test_run_ends_with_1_where_it_is_called_wrongly(lego, arguments, words):
    assert words in lego.run(*arguments, code=1)


def test_run_ends_with_1_where_the_ca_does_not_validate(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ACMEServer(blocked_names=["not-mine.example"]) as server:
        lego = Lego(server, tmp_path)
        assert "rejectedIdentifier" in lego.run("-d", "not-mine.example", code=1)
        # Nothing listens where it validates.
        wrong = ("--http", "--http.address", "127.0.0.1:0")
        said = lego(*("run", *lego.account, "--accept-tos", "-d", "a.example", *wrong), code=1)
        assert "Connection refused" in said or "connection refused" in said


def test_run_does_not_trust_a_ca_without_its_root(lego):
    said = lego.run("-d", "a.example", env={"LEGO_CA_CERTIFICATES": ""}, code=1)
    assert "certificate signed by unknown authority" in said


## certificates


def test_certificates_are_listed(ready):
    ready.run("-d", "a.example")
    said = ready("certificates", "list", "--path", ready.folder)
    assert "Found the following certificates:" in said
    assert "Domains: a.example" in said
    [listed] = json.loads(ready("certificates", "list", "--json", "--path", ready.folder))
    assert (listed["name"], listed["domains"]) == ("a.example", ["a.example"])
    assert Path(listed["path"]) == ready.file("a.example.crt")


def test_a_certificate_is_revoked_and_archived(ready):
    ready.run("-d", "a.example")
    revoke = ("certificates", "revoke", *ready.account, "--cert.name", "a.example")
    ready(*revoke, "--keep", "--reason", "4")
    assert ready.file("a.example.crt").exists()
    assert "alreadyRevoked" in ready(*revoke, code=1)

    ready.run("-d", "b.example")
    ready("certificates", "revoke", *ready.account, "--cert.name", "b.example")
    assert not ready.file("b.example.crt").exists()
    assert [*(ready.folder / "archives" / "certificates").glob("b.example_*.zip")] != []


def test_what_is_not_there_cannot_be_revoked(lego):
    lego("accounts", "register", *lego.account, "--accept-tos")
    revoke = ("certificates", "revoke", *lego.account)
    assert "no certificate names/IDs specified" in lego(*revoke, code=1)
    assert "no such file" in lego(*revoke, "--cert.name", "a.example", code=1)


## archives


def test_an_archive_is_listed_and_restored(ready):
    archives = ("--path", ready.folder)
    assert "No archives were found." in ready("archives", "list", *archives)
    ready.run("-d", "a.example")
    before = ready.file("a.example.key").read_text()
    ready("certificates", "revoke", *ready.account, "--cert.name", "a.example")
    assert "a.example_" in ready("archives", "list", *archives)
    assert "Choose the archive to restore: 1" in ready(
        "archives", "restore", *archives, input="1\n"
    )
    assert ready.file("a.example.key").read_text() == before
    assert "No archives were found." in ready("archives", "list", *archives)


## accounts


def test_an_account_is_registered_and_listed(lego):
    lego("accounts", "register", *lego.account, "--accept-tos")
    kept = json.loads((lego.account_folder() / "account.json").read_text())
    assert lego.knows(lego.key()) == kept["registration"]["accountURL"]
    said = lego("accounts", "list", "--path", lego.folder)
    assert f"Email: {EMAIL}" in said
    assert f"Server: {lego.server.directory}" in said
    [listed] = json.loads(lego("accounts", "list", "--json", "--path", lego.folder))
    assert listed["email"] == EMAIL


def test_the_terms_of_service_are_asked_for(lego):
    register = ("accounts", "register", *lego.account)
    assert "You did not accept the TOS" in lego(*register, input="n\n", code=1)
    # The key is made and kept before that, and lego would next look for its account.
    shutil.rmtree(lego.folder)
    lego(*register, input="y\n")
    assert lego.knows(lego.key())


def test_an_account_is_bound_to_an_external_one_whose_key_is_in_env(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hmac = base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")
    with ACMEServer(external_accounts={"kid": hmac}) as server:
        lego = Lego(server, tmp_path)
        register = ("accounts", "register", *lego.account, "--accept-tos")
        assert "External Account Binding" in lego(*register, code=1)
        shutil.rmtree(lego.folder)
        lego(*register, "--eab", "--eab.kid", "kid", env={"LEGO_EAB_HMAC": hmac})
        assert lego.knows(lego.key())


def test_an_account_is_recovered_from_its_key(lego, tmp_path):
    lego("accounts", "register", *lego.account, "--accept-tos")
    key = tmp_path / "account.key"
    key.write_text(lego.key())
    other = tmp_path / "other"
    recover = ("accounts", "recover", "--server", lego.server.directory, "--email", EMAIL)
    lego(*recover, "--path", other, "--private-key", key, input="y\n")
    assert json.loads((lego.account_folder(other) / "account.json").read_text())["registration"][
        "accountURL"
    ] == lego.knows(lego.key(other))


def test_a_key_without_an_account_cannot_be_recovered(lego, tmp_path):
    key = tmp_path / "account.key"
    key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    )
    recover = ("accounts", "recover", *lego.account, "--private-key", key)
    assert "Aborting" in lego(*recover, input="n\n")
    assert "accountDoesNotExist" in lego(*recover, input="y\n", code=1)


def test_an_account_gets_another_key(lego):
    lego("accounts", "register", *lego.account, "--accept-tos")
    old = lego.key()
    url = lego.knows(old)
    assert "Aborting" in lego("accounts", "keyrollover", *lego.account, input="n\n")
    assert lego.key() == old
    lego("accounts", "keyrollover", *lego.account, input="y\n")
    assert lego.key() != old
    assert lego.knows(lego.key()) == url
    with pytest.raises(pylego.ACMEError):  # Pebble says malformed
        lego.knows(old)


## dnshelp


def test_dnshelp_tells_of_all_providers_and_of_one(lego):
    every = lego("dnshelp")
    for code in pylego.providers:
        assert re.search(rf"\b{re.escape(code)}\b", every)
    assert "CLOUDFLARE_DNS_API_TOKEN" in lego("dnshelp", "--code", "cloudflare")
    lego("dnshelp", "--code", "nonsense", code=1)


## migrate


def as_lego_4(lego):
    """Lay out what lego 5 has kept as lego 4 did; return the account's URL."""
    folder = lego.account_folder()
    kept = json.loads((folder / "account.json").read_text())
    url = kept["registration"].pop("accountURL")
    old = {"email": EMAIL, "registration": {"body": kept["registration"], "uri": url}}
    (folder / "account.json").write_text(json.dumps(old))
    (folder / "keys").mkdir(mode=0o700)
    (folder / f"{EMAIL}.key").rename(folder / "keys" / f"{EMAIL}.key")
    resource = json.loads(lego.file("a.example.json").read_text())
    old = {
        "domain": "a.example",
        "certUrl": resource["certUrl"],
        "certStableUrl": resource["certStableUrl"],
    }
    lego.file("a.example.json").write_text(json.dumps(old))
    return url


def test_a_folder_of_lego_4_is_migrated(ready, tmp_path):
    ready.run("-d", "a.example")
    url = as_lego_4(ready)
    migrate = ("migrate", "--path", ready.folder)
    ready(*migrate, input="n\n")
    assert (ready.account_folder() / "keys").exists()
    ready(*migrate, input="y\n")
    assert ready.knows(ready.key()) == url
    assert json.loads(ready.file("a.example.json").read_text())["domains"] == ["a.example"]
    [suggested] = tmp_path.glob(".lego.migration.*.yml")
    assert "a.example" in suggested.read_text()
    first = ready.certificate().serial_number
    ready.run("-d", "a.example", "--renew-force", "--no-random-sleep")
    assert ready.certificate().serial_number != first
    assert ready.knows(ready.key()) == url


## A configuration file


CONFIGURATION = """
storage: {lego.folder}
servers:
  embedded:
    url: {lego.server.directory}
accounts:
  ops@example.com:
    server: embedded
    email: ops@example.com
    acceptsTermsOfService: true
challenges:
  web:
    http:
      address: 127.0.0.1:{lego.server.http_port}
certificates:
"""

CERTIFICATE = """
  {name}:
    challenge: web
    domains: [{name}]
"""


@pytest.mark.parametrize("named", [True, False], ids=["named", "found"])
def test_a_configuration_file_is_carried_out(ready, tmp_path, named):
    file = tmp_path / ("ours.yml" if named else ".lego.yml")
    flags = ("--config", file) if named else ()
    both = [CERTIFICATE.format(name=name) for name in ("a.example", "b.example")]
    file.write_text("".join([CONFIGURATION.format(lego=ready), *both]))
    ready(*flags)
    assert names(ready.certificate("a.example")) == ["a.example"]
    assert names(ready.certificate("b.example")) == ["b.example"]
    listed = json.loads(ready("certificates", "list", "--json", *flags))
    assert sorted(each["name"] for each in listed) == ["a.example", "b.example"]

    # What the file has no longer is archived, and what is not due is left alone.
    file.write_text(CONFIGURATION.format(lego=ready) + both[0])
    before = ready.certificate("a.example")
    ready(*flags)
    assert ready.certificate("a.example") == before
    assert not ready.file("b.example.crt").exists()
    assert "b.example_" in ready("archives", "list", *flags)


def test_a_configuration_file_that_is_wrong_ends_with_1(lego, tmp_path):
    file = tmp_path / "ours.yml"
    file.write_text("nonsense: true\n")
    assert "nonsense" in lego("--config", file, code=1)
    assert "no configuration file found" in lego(code=1)
