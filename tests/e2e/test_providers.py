"""DNS-01 through lego's providers, each in a process of its own."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

import pylego
import pylego.testing


def hosts():
    """Find the provider hosts that this process has started."""
    everyone = set()
    for task in Path("/proc/self/task").iterdir():
        everyone |= set((task / "children").read_text().split())
    return [
        int(pid) for pid in everyone if b"provider" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def test_an_unknown_provider_names_its_nearest_matches(client):
    with pytest.raises(pylego.ProviderError, match="cloudflare"):
        client.obtain("a.example", challenges=pylego.DNS01("cloudfare"))


def test_manual_points_to_the_command_line(client):
    with pytest.raises(pylego.ProviderError, match="pylego lego run"):
        client.obtain("a.example", challenges=pylego.DNS01("manual"))


def test_missing_credentials_are_told_in_the_words_of_lego(client):
    with pytest.raises(pylego.ProviderError, match="CLOUDFLARE_EMAIL"):
        client.obtain("a.example", challenges=pylego.DNS01("cloudflare"))


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
