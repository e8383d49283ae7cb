"""`pylego ca`: the CAs that lego knows, and what each says of itself."""

import pytest

from pylego.testing import Profile

pytest.importorskip("typer")


def test_the_cas_that_lego_has_a_code_for_are_listed_without_asking_them(pylego_command):
    done = pylego_command("ca", "list")
    lines = [line.split() for line in done.out.splitlines()]
    staging = "https://acme-staging-v02.api.letsencrypt.org/directory"
    assert ["letsencrypt", "https://acme-v02.api.letsencrypt.org/directory"] in lines
    assert ["letsencrypt-staging", staging] in lines
    known = {
        each["code"]: each for each in pylego_command("ca", "list", "--json").json["authorities"]
    }
    assert len(known) == len(lines) - 1
    assert known["letsencrypt-staging"]["staging"]
    assert known["letsencrypt"]["limits"] == {
        "new_orders": {"count": 10, "seconds": 10},
        "requests_per_second": 18,
        "requests_in_flight": 32,
        "orders_in_flight": None,
    }
    assert known["letsencrypt"]["rate_limits"] == {
        "failed_authorizations": {"count": 5, "seconds": 3600},
        "orders": {"count": 300, "seconds": 3 * 3600},
        "duplicates": {"count": 5, "seconds": 7 * 24 * 3600},
        "advised_are_exempt": True,
    }
    assert not any(known["zerossl"]["rate_limits"].values())


def test_the_limits_that_a_ca_is_known_to_have_are_shown():
    from rich.console import Console

    from pylego import Directory
    from pylego.cli import _ca

    [known] = _ca.known_as("letsencrypt")
    offered = Directory(known["directory"], None, None, (), False, {}, True, 0)
    console = Console(width=200)
    with console.capture() as shown:
        _ca._show(console, known, offered)
    told = " ".join(shown.get().split())
    for words in (
        "the CA's limit 5 in 1 h: failed authorizations of one identifier",
        "the CA's limit 300 in 3 h: orders of one account",
        "the CA's limit 5 in 168 h: certificates for the same names",
        "exempt renewals that the CA advises (RFC 9773)",
    ):
        assert words in told


@pytest.mark.acme_server(
    external_accounts={"kid": "aGVsbG8taGVsbG8taGVsbG8taGVsbG8taGVsbG8taGVsbG8"},
    profiles={"short": Profile("for a day")},
)
def test_a_ca_is_shown_as_its_directory_has_it(pylego_command, way):
    url = way.server.directory
    done = pylego_command("ca", "show", url, env=way.env)
    assert done.code == 0, done.err
    told = " ".join(done.out.split())
    for words in (
        f"directory {url}",
        "external account needed",
        "profile short: for a day",
        "renewal advice yes (RFC 9773)",
        "our limit 32 requests at once",
    ):
        assert words in told
    data = pylego_command("ca", "show", url, "--json", env=way.env).json
    assert data["external_account_required"]
    assert not any(data["rate_limits"].values())
    assert data["profiles"] == {"short": "for a day"}
    assert (data["code"], data["directory"]) == ("", url)


def test_a_ca_that_nobody_knows_is_refused_with_the_codes(pylego_command):
    done = pylego_command("ca", "show", "letsencript")
    assert done.code == 2
    assert "letsencrypt, letsencrypt-staging" in done.err
