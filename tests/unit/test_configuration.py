"""The configuration file: what it says, and where a mistake is."""

import pytest

import pylego
from pylego._directories import DIRECTORIES
from pylego.renewal import ConfigurationError, load
from pylego.renewal._decision import Policy
from pylego.renewal._managed import Hook, Hooks, Server

WHOLE = """\
storage = "state"

[servers.ours]
url = "https://ca.example/directory"
trust = "root.pem"
staging = "https://staging.example/directory"

[servers.open]
url = "zerossl"
tls_skip_verify = true

[accounts.main]
server = "letsencrypt"
email = "ops@example.com"
accepts_terms_of_service = true
key_type = "EC384"

[accounts.second]
server = "ours"
eab = { kid = "kid-1", hmac_key_file = "hmac" }

[challenges.web]
http.address = ":8080"
tls.address = "[::1]:8443"

[challenges.files]
http = { webroot = "www", delay = 1.5, proxy_header = "Forwarded" }

[challenges.dns.dns]
provider = "cloudflare"
resolvers = ["192.0.2.1", "192.0.2.2:5353"]
env = { CF_DNS_API_TOKEN_FILE = "token", CLOUDFLARE_TTL = "120" }
propagation.disable_authoritative_nameservers = true
propagation.disable_recursive_nameservers = false

[challenges.record.dns_persist]

[renew]
days = 20
reuse_key = true

[hooks.deploy]
command = ["systemctl", "reload", "nginx"]

[certificates.site]
domains = [
    "example.com",
    "*.example.com",
]
account = ["main", "second"]
challenge = ["dns", "web"]
profile = "shortlived"
hooks.pre = { command = ["./check"], timeout = 5 }
renew.ari.disable = true

[certificates."mail.example.com"]
domains = ["mail.example.com"]
account = "second"
challenge = "files"
key_type = "RSA2048"
preferred_chain = "ISRG Root X1"
no_bundle = true
must_staple = true
enable_common_name = true
always_deactivate_authorizations = true
renew = { days = 7, reuse_key = false }
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "pylego.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def refused(write):
    """Load a file that cannot be used; return the line that is named, its text, and the message."""

    def refused(text):
        path = write(text)
        with pytest.raises(ConfigurationError) as caught:
            load(path)
        error = caught.value
        assert error.file == str(path)
        assert str(error).startswith(f"[invalid_arguments] {path}:{error.line}: ")
        lines = text.split("\n")
        return error.key, lines[error.line - 1], error.detail

    return refused


def test_a_whole_file(write, tmp_path):
    configuration = load(write(WHOLE))
    assert configuration.storage == str(tmp_path / "state")
    site, mail = configuration.certificates
    assert (site.name, site.domains) == ("site", ("example.com", "*.example.com"))
    assert site.challenges == (
        pylego.DNS01(
            "cloudflare",
            resolvers=["192.0.2.1", "192.0.2.2:5353"],
            check_authoritative=False,
            check_recursive=True,
            CF_DNS_API_TOKEN_FILE=str(tmp_path / "token"),
            CLOUDFLARE_TTL="120",
        ),
        pylego.HTTP01(port=8080),
        pylego.TLSALPN01("::1", 8443),
    )
    main, second = site.accounts
    let_s_encrypt = DIRECTORIES["letsencrypt"]
    assert main.server == Server(let_s_encrypt, staging=DIRECTORIES["letsencrypt-staging"])
    assert (main.email, main.accept_terms, main.eab()) == ("ops@example.com", True, None)
    assert second.server == Server(
        "https://ca.example/directory",
        str(tmp_path / "root.pem"),
        staging="https://staging.example/directory",
    )
    assert (site.key_type, site.reuse_key, site.profile) == ("EC384", True, "shortlived")
    assert site.policy == Policy(days=20, heed_advice=False)
    deploy = Hook(("systemctl", "reload", "nginx"))
    assert site.hooks == Hooks(pre=Hook(("./check",), 5), deploy=deploy)

    assert mail.name == "mail.example.com"
    webroot = str(tmp_path / "www")
    assert mail.challenges == (pylego.HTTP01(delay=1.5, proxy_header="Forwarded", webroot=webroot),)
    assert (mail.key_type, mail.reuse_key, mail.bundle) == ("RSA2048", False, False)
    assert mail.preferred_chain == "ISRG Root X1"
    assert mail.must_staple
    assert mail.common_name
    assert mail.always_deactivate_authorizations
    assert mail.policy == Policy(days=7)
    assert mail.hooks == Hooks(deploy=deploy)


SMALL = """\
[accounts.main]
accepts_terms_of_service = true

[challenges.web]
http = {}

[certificates.site]
domains = ["example.com"]
"""


def test_of_one_account_and_one_challenge_neither_need_be_named(write):
    (site,) = load(write(SMALL)).certificates
    assert site.challenges == (pylego.HTTP01(),)
    assert site.accounts[0].server.directory == DIRECTORIES["letsencrypt"]
    assert (site.key_type, site.policy, site.reuse_key) == ("EC256", Policy(), False)


def test_the_key_of_an_external_account_is_read_when_it_is_needed(write, tmp_path):
    account = load(write(WHOLE)).certificates[1].accounts[0]
    with pytest.raises(FileNotFoundError):
        account.eab()
    (tmp_path / "hmac").write_text("s3cret\n")
    assert account.eab() == ("kid-1", "s3cret")
    assert "s3cret" not in repr(account)


@pytest.mark.parametrize(
    ("old", "new", "key", "why"),
    [
        ('url = "zerossl"', 'url = "zerosl"', "servers.open.url", "did you mean zerossl"),
        ('url = "zerossl"', 'url = "http://ca.example"', "servers.open.url", "https URL"),
        ('server = "ours"', 'server = "hours"', "accounts.second.server", "did you mean ours"),
        ('server = "ours"', "server = 5", "accounts.second.server", "text is wanted"),
        ('key_type = "EC384"', 'key_type = "DSA"', "accounts.main.key_type", "none of EC256"),
        ('email = "ops', 'mail = "ops', "accounts.main.mail", "did you mean email"),
        ('eab = { kid = "kid-1", hmac', "eab = { hmac", "accounts.second.eab", "belong together"),
        ('address = ":8080"', 'address = "8080"', "challenges.web.http.address", '"host:port"'),
        ('address = ":8080"', 'address = ":80800"', "challenges.web.http.address", '"host:port"'),
        ("delay = 1.5", "delay = nan", "challenges.files.http.delay", "not negative"),
        ('provider = "cloudflare"', 'provider = "cloudfare"', "challenges.dns.dns.provider", "cloudflare"),
        ("CF_DNS_API_TOKEN_FILE", "CF_DNS_API_TOKEN", "challenges.dns.dns.env.CF_DNS_API_TOKEN", "CF_DNS_API_TOKEN_FILE"),
        ("CLOUDFLARE_TTL", "CLOUDFLARE_TTTL", "challenges.dns.dns.env", "did you mean CLOUDFLARE_TTL"),
        ("days = 20", "days = true", "renew.days", "a number"),
        ("days = 20", "days = 1e9", "renew.days", "36500"),
        ('command = ["systemctl", "reload", "nginx"]', 'command = "systemctl reload nginx"', "hooks.deploy.command", "a list of texts"),
        ('command = ["systemctl", "reload", "nginx"]', "timeout = 5", "hooks.deploy.command", "as a list"),
        ('    "example.com",', "    5,", "certificates.site.domains", "a list of texts"),
        ('account = ["main", "second"]', 'account = ["main", "secund"]', "certificates.site.account", "did you mean second"),
        ('account = ["main", "second"]', 'account = ["main", "main"]', "certificates.site.account", "only 'main' would be used"),
        ('challenge = "files"', 'challenge = "file"', 'certificates."mail.example.com".challenge', "did you mean files"),
        ('domains = ["mail.example.com"]', "domains = []", 'certificates."mail.example.com".domains', "at least one"),
        ("must_staple = true", 'must_staple = "yes"', 'certificates."mail.example.com".must_staple', "true or false"),
        ("[challenges.record.dns_persist]", "[challenges.record]", "challenges.record", "one of http, tls"),
        ("renew.ari.disable", "renew.ari.disabled", "certificates.site.renew.ari.disabled", "did you mean disable"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line_and_key(refused, old, new, key, why):
    # A list of several lines begins at its key; what is missing is missing in its table.
    begins = {"    5,": "domains = [", "timeout = 5": "[hooks.deploy]"}.get(new, new)
    assert WHOLE.count(old) == 1
    found, line, message = refused(WHOLE.replace(old, new))
    assert found == key
    assert why in message
    assert line in {each for each in WHOLE.replace(old, new).split("\n") if begins in each}


def test_what_is_missing_is_told_with_the_line_of_its_table(refused):
    key, line, message = refused(SMALL.replace("domains = ", "# "))
    assert (key, line) == ("certificates.site.domains", "[certificates.site]")
    assert "at least one domain" in message
    key, line, _ = refused(SMALL.replace("[accounts.main]\naccepts_terms_of_service = true", ""))
    assert (key, line) == ("certificates.site.account", "[certificates.site]")
    key, line, message = refused("storage = 'x'\n")
    assert (key, line) == ("", "storage = 'x'")
    assert "[certificates.NAME]" in message


@pytest.mark.parametrize(
    ("right", "wrong", "key", "near"),
    [
        ("domains = [", "domain = [", "certificates.site.domain", "domains"),
        ("[accounts.main]", "[acounts.main]", "acounts", "accounts"),
        ("[challenges.web]", "[chalenges.web]", "chalenges", "challenges"),
        ('provider = "c', 'providr = "c', "challenges.dns.dns.providr", "provider"),
        ('url = "https', 'ulr = "https', "servers.ours.ulr", "url"),
        ('kid = "', 'kidd = "', "accounts.second.eab.kidd", "kid"),
        ('command = ["sys', 'comand = ["sys', "hooks.deploy.comand", "command"),
    ],
)
def test_a_misspelt_key_is_named_before_the_one_that_is_missing(right, wrong, key, near, refused):
    text = MISSPELT.replace(right, wrong)
    assert text != MISSPELT
    found, line, message = refused(text)
    assert (found, wrong in line) == (key, True)
    assert f"did you mean {near}?" in message


MISSPELT = """\
[servers.ours]
url = "https://ca.example/directory"
[accounts.main]
[accounts.second]
eab = { kid = "kid-1", hmac_key_file = "hmac" }
[challenges.web]
http = {}
[challenges.dns.dns]
provider = "cloudflare"
[hooks.deploy]
command = ["systemctl"]
[certificates.site]
domains = ["a.example"]
account = "main"
challenge = "web"
"""


@pytest.mark.parametrize(
    ("old", "new", "key", "why"),
    [
        ("a.example", "a b", "certificates.site.domains", "neither letter, digit nor hyphen"),
        ('["a.example', '["a\\u0000.example', "certificates.site.domains", "neither letter, digit"),
        ("a.example", "*.a.example", "certificates.site.domains", "by dns or dns_persist"),
        ("[certificates.site]", '[certificates."../a"]', 'certificates."../a"', "cannot be the name"),
        ("[certificates.site]", '[certificates."a/b"]', 'certificates."a/b"', "can have / in its"),
        ("[certificates.site]", '[certificates."a\\\\b"]', 'certificates."a\\\\b"', "can have \\ in its"),
        ("[certificates.site]", '[certificates."a\\u0000"]', 'certificates."a\\u0000"', "no control"),
        ("[certificates.site]", '[certificates."a\\u202e"]', 'certificates."a\\u202e"', "no control"),
        ("[certificates.site]", '[certificates."\\n"]', 'certificates."\\u000a"', "no control"),
        ("[certificates.site]", '[certificates." "]', 'certificates." "', "cannot be the name"),
        ("[certificates.site]", '[certificates."request@a"]', 'certificates."request@a"', "not a certificate's"),
        ("[accounts.main]", '[accounts."a\\u0000"]', 'accounts."a\\u0000"', "no control"),
        ("[accounts.main]", '[accounts."a/b"]', 'accounts."a/b"', "cannot be the ID of an account"),
        ("[challenges.web]", '[challenges."a\\u0007"]', 'challenges."a\\u0007"', "no control"),
        ('"cloudflare"', '"cloud\\u0000flare"', "challenges.dns.dns.provider", "no control"),
        ('"hmac"', '"h\\u0000mac"', "accounts.second.eab.hmac_key_file", "no control"),
        ('["systemctl"]', '["system\\u0000ctl"]', "hooks.deploy.command", "be given \\u0000"),
    ],
)  # fmt: skip
def test_what_no_order_could_be_for_is_refused(old, new, key, why, refused):
    found, line, message = refused(MISSPELT.replace(old, new))
    assert found == key
    assert new in line
    assert why in message


def test_certificates_whose_files_would_be_the_same_are_refused(refused):
    more = '[certificates."s,ite"]\ndomains = ["b.example"]\n'
    key, line, message = refused(MISSPELT + more)
    assert (key, line) == ('certificates."s,ite"', '[certificates."s,ite"]')
    assert "those of [certificates.site], called site" in message


def test_what_is_no_toml_is_told_with_its_line(refused, write):
    _, line, message = refused(SMALL.replace("http = {}", "http = }"))
    assert line == "http = }"
    assert "Invalid" in message or "Expected" in message or "Unclosed" in message
    path = write("")
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(ConfigurationError, match=r":2: TOML is UTF-8"):
        load(path)


def test_a_secret_that_is_out_of_place_is_in_no_message(refused):
    for old, new in (
        ('CF_DNS_API_TOKEN_FILE = "token"', 'CF_DNS_API_TOKEN = "s3cret"'),
        ('kid = "kid-1"', 'kid = ["s3cret"]'),
        ('hmac_key_file = "hmac"', 'hmac_key = "s3cret"'),
    ):
        *_, message = refused(WHOLE.replace(old, new))
        assert "s3cret" not in message


def test_the_line_of_a_late_mistake_in_a_long_file_is_found(refused):
    many = "".join(
        f'[certificates."n{n}.example"]\ndomains = ["n{n}.example"]\n' for n in range(500)
    )
    key, line, _ = refused(f"{SMALL}{many}key_tipe = 'EC256'\n{many.replace('example', 'test')}")
    assert key == 'certificates."n499.example".key_tipe'
    assert line == "key_tipe = 'EC256'"
