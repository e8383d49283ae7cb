"""What is refused before anything is sent."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

import pylego
from tests.servers.certificates import certificate_request, new_key


def refused(acme_server, trust, **arguments):
    """Call with one bad argument; return the error after checking that nothing was sent."""
    good = {
        "email": "dev@example.com",
        "server": acme_server.directory,
        "csr": certificate_request("a.example"),
        "env": trust,
        "plugin": "http",
    }
    with pytest.raises(pylego.LEGOError) as caught:
        pylego.run_lego_command(**{**good, **arguments})
    assert not any(acme_server.requests().values())
    assert caught.value.type == "lego"
    return caught.value


@pytest.mark.parametrize(
    "csr",
    [
        "",
        "nonsense",
        b"\xff\xfe",
        new_key(),
        certificate_request("a.example")[:200],
        certificate_request("a.example").replace(b"\nMI", b"\nAA", 1),
        certificate_request(),
        "-----BEGIN CERTIFICATE REQUEST-----\n\n-----END CERTIFICATE REQUEST-----\n",
    ],
    ids=["empty", "no PEM", "no text", "a key", "cut off", "no ASN.1", "no names", "hollow"],
)
def test_a_bad_csr(acme_server, trust, csr):
    assert refused(acme_server, trust, csr=csr).code == "invalid_csr"


def test_a_csr_that_somebody_has_changed(acme_server, trust):
    lines = certificate_request("a.example").decode().splitlines()
    der = bytearray(base64.b64decode("".join(lines[1:-1])))
    der[der.index(b"a.example")] = ord("b")
    text = base64.b64encode(der).decode()
    assert (
        refused(acme_server, trust, csr="\n".join([lines[0], text, lines[-1]])).code
        == "invalid_csr"
    )


@pytest.mark.parametrize("name", ["a b.example", "a..example", "-a.example", "a" * 64 + ".example"])
def test_a_name_that_no_certificate_can_hold(acme_server, trust, name):
    assert refused(acme_server, trust, csr=certificate_request(name)).code == "invalid_arguments"


ED25519 = ed25519.Ed25519PrivateKey.generate().private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


@pytest.mark.parametrize(
    "key",
    ["nonsense", b"\xff\xfe", certificate_request("a.example"), new_key()[:80], ED25519],
    ids=["no PEM", "no text", "a csr", "cut off", "of a kind no CA takes"],
)
def test_a_bad_private_key(acme_server, trust, key):
    error = refused(acme_server, trust, private_key=key)
    assert error.code == "invalid_private_key"


def test_a_bad_private_key_is_in_no_text(acme_server, trust):
    key = new_key().replace("EC PRIVATE KEY", "SECRET KEY")
    error = refused(acme_server, trust, private_key=key)
    for line in key.splitlines()[1:-1]:
        assert line not in str(error)
        assert line not in str(error.info)


@pytest.mark.parametrize("value", [1, None, True, ["a"], b"a", 1.5], ids=repr)
def test_an_env_value_that_is_no_text(acme_server, trust, value):
    error = refused(acme_server, trust, env={**trust, "SOME_SETTING": value})
    assert error.code == "invalid_arguments"


@pytest.mark.parametrize("name", ["", "A=B", "A\0B"])
def test_an_env_name_that_cannot_be(acme_server, trust, name):
    assert refused(acme_server, trust, env={**trust, name: "x"}).code == "invalid_environment"


def test_an_env_value_that_cannot_be(acme_server, trust):
    error = refused(acme_server, trust, env={**trust, "SOME_SECRET": "hush\0hush"})
    assert error.code == "invalid_environment"
    assert "hush" not in str(error)


@pytest.mark.parametrize("name", ["HTTP01_PORT", "TLSALPN01_PORT"])
@pytest.mark.parametrize("port", ["0", "-1", "65536", "http", "80.0", " 80"])
def test_a_port_that_is_none(acme_server, trust, name, port):
    error = refused(acme_server, trust, env={**trust, name: port})
    assert error.code == "invalid_environment"
    assert name in error.detail


@pytest.mark.parametrize(
    "server", ["", "nonsense", "letsencrypted", "ftp://ca.example/", "https://"]
)
def test_a_server_that_is_none(acme_server, trust, server):
    assert refused(acme_server, trust, server=server).code == "invalid_arguments"


def test_a_directory_over_http(acme_server, trust):
    http = acme_server.directory.replace("https://", "http://")
    error = refused(acme_server, trust, server=http)
    assert error.code == "invalid_arguments"
    assert "https" in error.detail


def test_an_external_account_that_is_not_base64(acme_server, trust):
    error = refused(acme_server, trust, eab_kid="kid", eab_hmac="!hush!")
    assert error.code == "account_registration_failed"
    assert "hush" not in str(error)


def test_an_env_that_is_no_mapping(acme_server, trust):
    assert refused(acme_server, trust, env="namecheap").code == "invalid_arguments"


@pytest.mark.parametrize("server", ["what is this", "https://192.0.2.1/", "192.0.2.1:dns", ""])
def test_a_name_server_that_is_none(acme_server, trust, server):
    servers = ["192.0.2.1", server]
    error = refused(acme_server, trust, plugin="httpreq", dns_nameservers=servers)
    assert error.code == "invalid_arguments"
    assert "dns_nameservers" in error.detail


def test_an_argument_of_another_type_is_named(acme_server, trust):
    error = refused(acme_server, trust, csr=5)
    assert error.detail == "the arguments do not fit: csr is a number, and has to be text"


def test_a_plugin_that_is_no_text(acme_server, trust):
    assert refused(acme_server, trust, plugin=5).code == "invalid_arguments"


@pytest.mark.parametrize("code", ["letsencrypt", "letsencrypt-staging", "zerossl"])
def test_a_short_code_is_a_server(code):
    # The request is what is refused; the code has been understood before that.
    with pytest.raises(pylego.LEGOError) as caught:
        pylego.run_lego_command("dev@example.com", code, b"nonsense", {})
    assert caught.value.code == "invalid_csr"


def test_an_unknown_code_names_the_known_ones():
    with pytest.raises(pylego.LEGOError) as caught:
        pylego.run_lego_command("dev@example.com", "letsencrypted", b"nonsense", {})
    assert caught.value.code == "invalid_arguments"
    assert "letsencrypt-staging" in caught.value.detail
