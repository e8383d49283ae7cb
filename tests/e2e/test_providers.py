"""DNS-01 through lego's providers, each in a process of its own."""

import contextlib
import os
import signal

import pytest

import pylego
import pylego.testing
from tests.bridge.processes import hosts


def test_an_unknown_provider_names_its_nearest_matches(client):
    with pytest.raises(pylego.ProviderError, match="cloudflare"):
        client.obtain("a.example", challenges=pylego.DNS01("cloudfare"))


def test_manual_points_to_the_command_line(client):
    with pytest.raises(pylego.ProviderError, match="pylego lego run"):
        client.obtain("a.example", challenges=pylego.DNS01("manual"))


def test_missing_credentials_are_told_in_the_words_of_lego(client):
    with pytest.raises(pylego.ProviderError, match="CLOUDFLARE_EMAIL"):
        client.obtain("a.example", challenges=pylego.DNS01("cloudflare"))


@pytest.mark.parametrize(
    ("provider", "error"),
    [("cloudflare", pylego.MissingCredentials), ("cloudfare", pylego.UnknownProvider)],
)
@pytest.mark.parametrize("first", ["*.out.example", "*.in.example"])
def test_a_provider_that_is_some_names_only_way_is_made_before_anything_is_sent(
    acme_server, any_client, provider, error, first
):
    ways = {
        "*.out.example": [pylego.DNS01(provider), pylego.DNS01(provider)],
        "*.in.example": acme_server.http01(),
    }
    challenges = {first: ways.pop(first), **ways}
    with pytest.raises(error) as caught:
        any_client().obtain("b.in.example", "a.out.example", challenges=challenges)
    assert [each.value for each in caught.value.identifiers] == ["a.out.example"]
    assert "newAccount" not in acme_server.requests()


def test_a_provider_that_no_name_needs_may_lack_its_credentials(acme_server, any_client):
    challenges = {
        "*.out.example": pylego.DNS01("cloudflare"),
        "*": [pylego.DNS01("cloudflare"), acme_server.dns01()],
    }
    assert any_client().obtain("a.in.example", challenges=challenges)


def test_nothing_is_left_when_the_provider_refuses(acme_server, client):
    deaf = acme_server.dns01(HTTPREQ_ENDPOINT="http://127.0.0.1:1")
    with pytest.raises(pylego.LEGOError, match="httpreq"):
        client.obtain("a.example", "b.example", challenges=deaf)
    assert acme_server.records() == {}


def test_a_host_that_is_killed_is_a_typed_error_and_the_process_lives(acme_server, new_client):
    killed = []

    def kill(event):
        if event.kind == "order":
            killed.extend(hosts())
            for pid in killed:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    client = new_client(acme_server, on_event=kill)
    with contextlib.suppress(pylego.ProviderError):  # unless it died between two calls
        client.obtain("a.example", challenges=acme_server.dns01())
    assert killed
    assert new_client(acme_server).obtain("b.example", challenges=acme_server.dns01())
    assert acme_server.records() == {}


def test_a_record_that_never_shows_up_times_out_and_says_who_said_what(acme_server, client):
    acme_server.set_servfail("_acme-challenge.a.example")
    challenge = acme_server.dns01(HTTPREQ_PROPAGATION_TIMEOUT="1", HTTPREQ_POLLING_INTERVAL="1")
    with pytest.raises(pylego.PropagationTimeout, match="SERVFAIL"):
        client.obtain("a.example", challenges=challenge)
    assert acme_server.records() == {}


def test_an_alias_of_the_challenge_name_is_followed(acme_server, client):
    acme_server.set_cname("_acme-challenge.a.example", "a.validation.example")
    client.obtain("a.example", challenges=acme_server.dns01())
    assert {change.name for change in acme_server.dns_log()} == {"a.validation.example"}


def test_a_wait_replaces_the_checks(acme_server, client):
    settings = acme_server.dns01().variables
    challenge = pylego.DNS01(
        "httpreq", resolvers=[acme_server.dns], propagation_wait=0.01, **settings
    )
    assert client.obtain("a.example", challenges=challenge)
