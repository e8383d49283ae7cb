"""An order that was begun is gone on with, whatever stops it meanwhile, and its key used no longer than it serves."""

from datetime import datetime, timedelta, timezone

import pytest

import pylego
from pylego.storage import Pending
from pylego.testing import Faults


def attempt(manager):
    [outcome] = manager.renew_due().outcomes
    return outcome


@pytest.fixture
def issued(new_manager, managed, store, monkeypatch):
    """Have the CA issue a certificate that could not be saved; return its order."""
    # A disk that is full from this moment on cannot be had here.
    with monkeypatch.context() as patch:

        def full(*_, **__):
            raise pylego.StorageError("no space left on the device")

        patch.setattr(store, "save", full)
        assert attempt(new_manager(managed("a.example"))).result == "failed"
    return store.pending("a.example")


def limited(server):
    server.set_faults(Faults(path="order", status=429, status_count=-1))
    return pylego.RateLimited, None


def without_credentials(_):
    return pylego.MissingCredentials, pylego.DNS01("cloudflare")


@pytest.mark.parametrize("stopped", [limited, without_credentials])
def test_what_says_nothing_of_an_order_does_not_have_it_forgotten(
    new_manager, managed, store, clock, acme_server, issued, stopped
):
    error, challenge = stopped(acme_server)
    clock.pass_by(hours=8)
    failed = attempt(new_manager(managed("a.example", challenge=challenge)))
    assert isinstance(failed.error, error)
    acme_server.set_faults()
    clock.pass_by(hours=12)
    assert attempt(new_manager(managed("a.example"))).result == "issued"
    certificate = store.load("a.example")
    assert (certificate.private_key, certificate.order_url) == (issued.key, issued.order_url)
    assert acme_server.requests()["newOrder"] == acme_server.requests()["finalize"] == 1
    assert store.pending("a.example") is None


def test_an_order_that_the_ca_has_lost_is_made_anew(
    new_manager, managed, store, clock, acme_server, issued
):
    acme_server.restart()
    clock.pass_by(hours=8)
    assert attempt(new_manager(managed("a.example"))).result == "issued"
    assert store.load("a.example").order_url != issued.order_url
    assert store.pending("a.example") is None


def test_an_order_that_lego_has_overtaken_is_given_up(
    new_manager, managed, store, clock, acme_server, acme_client, issued
):
    begin = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=1)
    validity = {"not_before": begin, "not_after": begin + timedelta(days=90)}
    newer = acme_client.obtain("a.example", challenges=acme_server.http01(), **validity)
    assert newer.not_before == begin
    store.save("a.example", newer)
    clock.pass_by(days=80)
    assert attempt(new_manager(managed("a.example"))).result == "issued"
    renewed = store.load("a.example")
    assert renewed.order_url not in {issued.order_url, newer.order_url}
    assert renewed.private_key not in {issued.key, newer.private_key}
    assert store.pending("a.example") is None


def test_a_key_that_the_ca_refuses_is_not_asked_for_again(
    new_manager, managed, store, clock, acme_server
):
    new_manager(managed("b.example")).renew_due()
    account = store.load_account(acme_server.directory, "main")
    store.save_pending("a.example", Pending(account.key, None, acme_server.directory))
    manager = new_manager(managed("a.example"))
    assert isinstance(attempt(manager).error, pylego.BadCSR)  # a CA takes no account's key
    clock.pass_by(hours=8)
    assert attempt(manager).result == "issued"
    assert store.load("a.example").private_key != account.key
