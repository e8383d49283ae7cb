"""The catalogue of lego's DNS providers, and what is checked by it before any process starts."""

import ast
import inspect
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pylego
from pylego import DNS01
from pylego._challenges import described
from pylego._engine.files import FOLDER
from pylego._providers import nearest

ROOT = Path(__file__).parent.parent.parent
ACCEPTED = re.findall(r'"(.+)"', (ROOT / "engine/cmd/lego/names.go").read_text())
CLOUDFLARE = ("CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY", "CLOUDFLARE_DNS_API_TOKEN")
AT_A_TIME = ("resolvers", "propagation_wait", "check_authoritative", "check_recursive")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    """Take away what a person's environment may have."""
    for provider in ("cloudflare", "hetzner", "httpreq"):
        for variable in pylego.providers[provider].variables:
            monkeypatch.delenv(variable.name, raising=False)
            monkeypatch.delenv(f"{variable.name}_FILE", raising=False)


def lacking(provider, **variables):
    """Return what is missing for an order with this provider alone."""
    try:
        described(DNS01(provider, **variables))
    except pylego.MissingCredentials as error:
        return error.missing
    return ()


def test_every_name_that_lego_accepts_is_in_the_catalogue():
    assert sorted(pylego.providers.names) == sorted(ACCEPTED)
    assert len(pylego.providers) >= 218


def test_aliases_are_found_and_not_listed():
    assert pylego.providers["rfc2136"] is pylego.providers["dnsupdate"]
    for provider in pylego.providers.values():
        for alias in provider.aliases:
            assert alias in pylego.providers
            assert alias not in list(pylego.providers)
            assert pylego.providers[alias] is provider


def test_the_catalogue_is_read_only_and_has_every_field_filled_that_lego_fills():
    assert not hasattr(pylego.providers, "__setitem__")
    for code, provider in pylego.providers.items():
        assert code == provider.code
        assert provider.name
        assert provider.since.startswith("v")
        assert provider.url.startswith("http") or code == "manual"
        assert hash(provider)
        assert pickle.loads(pickle.dumps(provider)) == provider
        names = [variable.name for variable in provider.variables]
        assert len(set(names)) == len(names)
        assert {name for way in provider.ways for group in way for name in group} <= set(names)


def test_settings_have_what_lego_tells_of_them():
    variables = {each.name: each for each in pylego.providers["cloudflare"].variables}
    assert variables["CF_DNS_API_TOKEN"] == pylego.Variable(
        name="CF_DNS_API_TOKEN",
        description="API token with DNS:Edit permission (since v3.1.0)",
        required=False,
        default=None,
        credential=True,
    )
    assert variables["CLOUDFLARE_TTL"].default == "120"
    assert "efault" not in variables["CLOUDFLARE_TTL"].description
    assert variables["CF_TTL"].description == "Alias to CLOUDFLARE_TTL"  # lego's source says it
    [endpoint] = [each for each in pylego.providers["httpreq"].variables if each.required]
    assert endpoint.name == "HTTPREQ_ENDPOINT"


@pytest.mark.parametrize(
    ("provider", "name", "credential"),
    [
        ("cloudflare", "CF_API_EMAIL", False),
        ("dnsupdate", "DNSUPDATE_TSIG_KEY", False),  # the key's name
        ("dnsupdate", "DNSUPDATE_TSIG_SECRET", True),
        ("httpreq", "HTTPREQ_ENDPOINT", False),
        ("httpreq", "HTTPREQ_PASSWORD", True),
        ("hurricane", "HURRICANE_TOKENS", True),
        ("oraclecloud", "TF_VAR_private_key_password", True),
        ("oraclecloud", "TF_VAR_private_key_path", False),
        ("transip", "TRANSIP_PRIVATE_KEY_PATH", False),
    ],
)
def test_credentials_are_told_from_other_settings(provider, name, credential):
    variables = {each.name: each for each in pylego.providers[provider].variables}
    assert variables[name].credential is credential


def test_what_is_no_name_of_a_variable_is_a_note():
    gcloud = pylego.providers["gcloud"]
    assert gcloud.notes[0].startswith("Application Default Credentials: ")
    assert all(each.name.replace("_", "").isalnum() for each in gcloud.variables)


def test_providers_that_know_their_records_by_heart_are_told():
    told = {code for code, provider in pylego.providers.items() if provider.remembers}
    assert {"cloudflare", "digitalocean", "gandiv5", "virtualname"} <= told
    assert told.isdisjoint({"acmedns", "exec", "hetzner", "httpreq", "inwx", "pdns", "route53"})
    assert len(told) == 76


def test_sequential_providers_are_told():
    assert pylego.providers["duckdns"].sequential
    assert not pylego.providers["cloudflare"].sequential


def test_how_a_provider_keeps_its_records_is_told_in_sentences():
    assert pylego.providers["hetzner"].caveats == ()
    for code, words in (("duckdns", "one after the other"), ("cloudflare", "until you delete it")):
        [told] = pylego.providers[code].caveats
        assert words in told


def test_search_finds_names_first_then_variables():
    assert [each.code for each in pylego.providers.search("Hetzner")] == ["hetzner"]
    assert pylego.providers.search("dns")[0].code.startswith("dns")
    assert [each.code for each in pylego.providers.search("aws_")] == ["lightsail", "route53"]
    assert pylego.providers.search("no provider is like that") == []
    assert len(pylego.providers.search("")) == len(pylego.providers)


def test_an_unknown_name_has_its_nearest_ones():
    with pytest.raises(KeyError, match=r"'cloudfare'; did you mean cloudflare\?"):
        pylego.providers["cloudfare"]
    with pytest.raises(KeyError, match="no DNS provider 'qqqqq'\""):
        pylego.providers["qqqqq"]


@pytest.mark.parametrize(
    ("typed", "meant"), [("rout53", "route53"), ("hetzer", "hetzner"), ("GoDady", "godaddy")]
)
def test_the_nearest_name_comes_first(typed, meant):
    assert nearest(typed, pylego.providers.names)[0] == meant
    assert nearest("", pylego.providers.names) == []


def test_importing_pylego_loads_no_catalogue():
    source = "import sys, pylego; pylego.DNS01('cloudflare'); assert 'pylego._providers' not in sys.modules"
    subprocess.run([sys.executable, "-c", source], check=True)


def test_the_record_is_looked_for_as_lego_5_does_unless_it_is_said_otherwise():
    """lego has a switch for either check, which both switch off: `lego run --help`."""
    program = Path(FOLDER) / "lego"
    told = subprocess.run([program, "run", "--help"], capture_output=True, text=True, check=True)
    [default] = described(DNS01("exec", EXEC_PATH="/bin/true"))
    assert default["propagation"] == {"wait": 0, "authoritative": True, "recursive": True}
    for switch in ("--dns.propagation.disable-ans", "--dns.propagation.disable-rns"):
        assert switch in told.stdout
    for check in ("authoritative", "recursive"):
        [one] = described(DNS01("exec", EXEC_PATH="/bin/true", **{f"check_{check}": False}))
        assert [name for name, on in one["propagation"].items() if on] == [
            {"authoritative": "recursive", "recursive": "authoritative"}[check]
        ]


# Unknown settings, when they are written down.


@pytest.mark.parametrize(
    ("provider", "typed", "meant"),
    [
        ("cloudflare", "CF_DNS_API_TOKN", "CF_DNS_API_TOKEN"),
        ("cloudflare", "cf_dns_api_token", "CF_DNS_API_TOKEN"),
        ("cloudflare", "CF_DNS_API_TOKEN_FIL", "CF_DNS_API_TOKEN"),
        ("hetzner", "HETZNER_TOKEN", "HETZNER_API_TOKEN"),
        ("route53", "AMS_REGION", "AWS_REGION"),
        ("rfc2136", "RFC2136_NAMESERVERS", "RFC2136_NAMESERVER"),
        # Whose vendor's library reads others that begin like them.
        ("exoscale", "EXOSCALE_KEY", "EXOSCALE_API_KEY"),
        ("huaweicloud", "HUAWEICLOUD_ACCESS_KEY", "HUAWEICLOUD_ACCESS_KEY_ID"),
        ("linode", "LINODE_API_TOKEN", "LINODE_TOKEN"),
        ("ovh", "OVH_CONSUMERKEY", "OVH_CONSUMER_KEY"),
        ("scaleway", "SCW_SECRETKEY", "SCW_SECRET_KEY"),
        ("tencentcloud", "TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRET_ID"),
        ("vinyldns", "VINYLDNS_SECRETKEY", "VINYLDNS_SECRET_KEY"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_nearest_one(provider, typed, meant):
    with pytest.raises(pylego.UnknownSetting, match=meant) as caught:
        DNS01(provider, **{typed: "secret-value"})
    error = caught.value
    assert error.unknown == (typed,)
    assert error.nearest[0] == meant
    assert (error.code, error.phase) == ("unknown_setting", "request")
    assert isinstance(error, pylego.ProviderError)
    assert "secret-value" not in str(error)


def test_all_misspelt_settings_are_told_at_once():
    with pytest.raises(pylego.UnknownSetting) as caught:
        DNS01("hetzner", HETZNER_TOKEN="x", HETZNER_TTLS="1")
    assert caught.value.unknown == ("HETZNER_TOKEN", "HETZNER_TTLS")
    assert caught.value.nearest == ("HETZNER_API_TOKEN", "HETZNER_TTL")


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("cloudflare", "CF_DNS_API_TOKEN"),
        ("cloudflare", "CF_DNS_API_TOKEN_FILE"),
        ("cloudflare", "CF_TTL"),  # in lego's source only
        ("cloudflare", "HTTPS_PROXY"),
        ("cloudflare", "LEGO_DISABLE_CNAME_SUPPORT"),
        ("dnsupdate", "RFC2136_TSIG_GSS_REALM"),
        ("exec", "WHAT_ITS_PROGRAM_READS"),
        ("oraclecloud", "TF_VAR_region"),
        # Of the vendor's library.
        ("huaweicloud", "HUAWEICLOUD_SDK_IAM_ENDPOINT"),
        ("linode", "LINODE_URL"),
        ("route53", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ("scaleway", "SCW_DEFAULT_ORGANIZATION_ID"),
        ("tencentcloud", "TENCENTCLOUD_CREDENTIALS_FILE"),
        ("vinyldns", "VINYLDNS_LOG"),
    ],
)
def test_what_a_providers_process_reads_is_accepted(provider, name):
    assert DNS01(provider, **{name: "x"}).variables == {name: "x"}


def test_an_unknown_provider_is_left_to_the_engine():
    assert DNS01("no provider is like that", ANY_NAME="x").variables == {"ANY_NAME": "x"}


@pytest.mark.parametrize("value", [60, None, b"secret", ["secret"]])
def test_a_setting_that_is_no_text_is_refused_by_its_name(value):
    with pytest.raises(
        pylego.InvalidRequest, match=f"CLOUDFLARE_TTL .* {type(value).__name__}"
    ) as caught:
        DNS01("cloudflare", CLOUDFLARE_TTL=value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", [lambda **more: DNS01("exec", **more), pylego.DNSPersist01])
def test_one_resolver_is_no_list_of_them(kind):
    with pytest.raises(pylego.InvalidRequest, match=r'resolvers=\["127\.0\.0\.1:53"\]'):
        kind(resolvers="127.0.0.1:53")


@pytest.mark.parametrize("wait", [-1, float("nan")])
def test_a_wait_that_is_none_is_refused(wait):
    with pytest.raises(pylego.InvalidRequest, match="propagation_wait"):
        DNS01("exec", propagation_wait=wait)


# Missing ones, when an order begins.


@pytest.mark.parametrize(
    ("provider", "given", "missing"),
    [
        ("cloudflare", {}, CLOUDFLARE),
        ("cloudflare", {"CF_API_EMAIL": "x"}, CLOUDFLARE[1:]),
        ("cloudflare", {"CF_API_EMAIL": "x", "CLOUDFLARE_API_KEY": "x"}, ()),
        ("cloudflare", {"CF_DNS_API_TOKEN": "x"}, ()),
        ("cloudflare", {"CF_ZONE_API_TOKEN": "x"}, CLOUDFLARE),
        ("cloudflare", {"CF_DNS_API_TOKEN": ""}, CLOUDFLARE),
        ("cloudflare", {"CF_DNS_API_TOKEN_FILE": __file__}, ()),
        ("cloudflare", {"CF_DNS_API_TOKEN_FILE": "/run/no/token"}, CLOUDFLARE),
        ("cloudflare", {"CF_DNS_API_TOKEN_FILE": "/run/no/token", "CF_DNS_API_TOKEN": "x"}, ()),
        ("hetzner", {}, ("HETZNER_API_TOKEN",)),
        ("hetzner", {"HETZNER_API_KEY": "x"}, ()),
        ("httpreq", {}, ("HTTPREQ_ENDPOINT",)),
        ("httpreq", {"HTTPREQ_MODE": "RAW"}, ("HTTPREQ_ENDPOINT",)),
        ("rfc2136", {"RFC2136_NAMESERVER": "x"}, ()),
        ("route53", {}, ()),  # the machine may have them
        ("gcloud", {}, ()),
        ("azuredns", {}, ()),
        ("manual", {}, ()),
    ],
)
def test_missing_settings_are_told_where_it_is_certain(provider, given, missing):
    assert lacking(provider, **given) == missing


def test_the_environment_counts_at_each_call(monkeypatch):
    challenge = DNS01("hetzner")
    monkeypatch.setenv("HETZNER_API_TOKEN_FILE", __file__)
    assert described(challenge)
    monkeypatch.delenv("HETZNER_API_TOKEN_FILE")
    with pytest.raises(pylego.MissingCredentials):
        described(challenge)


def test_an_empty_setting_hides_that_of_the_environment(monkeypatch):
    monkeypatch.setenv("HETZNER_API_TOKEN", "x")
    assert lacking("hetzner", HETZNER_API_TOKEN="") == ("HETZNER_API_TOKEN",)


def test_a_file_that_cannot_be_read_is_named():
    with pytest.raises(
        pylego.MissingCredentials, match=r"; HETZNER_API_TOKEN_FILE names /no/file"
    ) as caught:
        described(DNS01("hetzner", HETZNER_API_TOKEN_FILE="/no/file"))
    assert caught.value.missing == ("HETZNER_API_TOKEN",)


def test_the_ways_to_log_in_are_said_in_words():
    with pytest.raises(pylego.MissingCredentials) as caught:
        described(DNS01("cloudflare"))
    assert (
        "cloudflare needs CLOUDFLARE_EMAIL (or CF_API_EMAIL) and CLOUDFLARE_API_KEY (or CF_API_KEY), "
        "or CLOUDFLARE_DNS_API_TOKEN (or CF_DNS_API_TOKEN)"
    ) in str(caught.value)
    assert (caught.value.code, caught.value.phase) == ("missing_credentials", "request")


def test_a_provider_with_others_behind_it_is_not_refused_early():
    challenges = [DNS01("hetzner"), pylego.HTTP01()]
    assert [each["type"] for each in described(challenges)] == ["dns-01", "http-01"]


# Functions.


def test_every_provider_is_a_function():
    for name in pylego.providers.names:
        function = getattr(pylego.dns, name.replace("-", "_"))
        assert function() == DNS01(name)
    assert dir(pylego.dns) == sorted(name.replace("-", "_") for name in pylego.providers.names)


def test_a_function_takes_what_the_class_takes():
    settings = {"resolvers": ["127.0.0.1"], "propagation_wait": 1, "CF_DNS_API_TOKEN": "x"}
    assert pylego.dns.cloudflare(**settings) == DNS01("cloudflare", **settings)
    with pytest.raises(pylego.UnknownSetting):
        pylego.dns.cloudflare(CF_TOKEN="x")


def test_a_misspelt_function_has_the_nearest_name():
    with pytest.raises(AttributeError, match="did you mean cloudflare"):
        pylego.dns.cloudfare  # noqa: B018


def test_the_stub_has_every_function_with_its_settings():
    stub = ast.parse(Path(pylego.dns.__file__).with_name("dns.pyi").read_text())
    functions = {each.name: each for each in stub.body if isinstance(each, ast.FunctionDef)}
    aliases = {
        each.targets[0].id: each.value.id for each in stub.body if isinstance(each, ast.Assign)
    }
    assert sorted([*functions, *aliases]) == dir(pylego.dns)
    for code, provider in pylego.providers.items():
        arguments = [each.arg for each in functions[code.replace("-", "_")].args.kwonlyargs]
        assert arguments == [*AT_A_TIME, *(each.name for each in provider.variables)]
    ours = inspect.signature(DNS01).parameters.values()
    assert [each.name for each in ours if each.kind is each.KEYWORD_ONLY] == [*AT_A_TIME]


def test_the_python_example_of_every_provider_has_all_that_it_needs():
    for provider in pylego.providers.values():
        code = compile(provider.python, provider.code, "exec", flags=ast.PyCF_ONLY_AST)
        call = code.body[1].value
        given = {each.arg: each.value.value for each in call.keywords}
        assert lacking(provider.code, **given) == ()


def test_the_catalogue_is_that_of_the_version_of_lego_that_is_built():
    told = json.loads(Path(pylego.dns.__file__).with_name("providers.json").read_text())
    assert f"go-acme/lego/v5 {told['lego']}\n" in (ROOT / "engine/go.mod").read_text()
