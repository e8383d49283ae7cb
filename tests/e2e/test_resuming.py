"""Orders that another process goes on with: their key and URL are kept before the CA issues."""

import asyncio

import pytest
from cryptography.hazmat.primitives import serialization

import pylego
from pylego._operations import GenerateKey, Obtain
from pylego.testing import ACMEServer

everywhere = pytest.mark.parametrize("isolation", ["", "process"])


class Crash(Exception):
    pass


def key_of(client, key_type="EC256"):
    return client._run(GenerateKey(key_type), None)


def order(server, key, name="a.example", **settings):
    return Obtain(identifiers=(name,), challenges=server.http01(), key=key, **settings)


@pytest.mark.parametrize("key_type", ["EC256", "EC384", "RSA2048"])
def test_a_key_is_made_before_a_certificate_is_asked_for(acme_server, client, key_type):
    key = serialization.load_pem_private_key(key_of(client, key_type).encode(), None)
    assert key.key_size == int(key_type[-4:] if key_type.startswith("RSA") else key_type[2:])


def test_a_key_of_no_known_type_is_refused(client):
    with pytest.raises(pylego.InvalidRequest, match="unknown key type"):
        key_of(client, "DSA")


@everywhere
def test_an_order_is_kept_and_gone_on_with_after_a_crash(any_client, acme_server, isolation):
    kept = []

    def crash(url, _):
        kept.append(url)
        raise Crash("just now")

    client = any_client(isolation=isolation)
    account = client.register()  # orders belong to one
    key = key_of(client)
    with pytest.raises(pylego.LEGOError, match="just now") as caught:
        client._run(order(acme_server, key, keep_order=crash), None)
    assert caught.value.code == "order_not_kept"
    assert caught.value.retryable
    assert isinstance(caught.value.__cause__, Crash)

    again = any_client(account=account, isolation=isolation)
    certificate = again._run(order(acme_server, key, order=kept[0]), None)
    assert certificate.order_url == kept[0]
    assert certificate.private_key == key

    # What was issued, and never arrived, is there to be fetched.
    once_more = again._run(order(acme_server, key, order=kept[0]), None)
    assert once_more.serial == certificate.serial


def test_what_is_cancelled_once_more_can_be_gone_on_with_again(acme_server, any_client):
    kept = []

    def crash(url, _):
        kept.append(url)
        raise Crash

    def stop(event):
        if event.kind == "order_resumed":
            raise Crash

    client = any_client()
    account = client.register()
    key = key_of(client)
    with pytest.raises(pylego.LEGOError):
        client._run(order(acme_server, key, keep_order=crash), None)
    with pytest.raises(Crash):
        any_client(account=account, on_event=stop)._run(
            order(acme_server, key, order=kept[0]), None
        )
    assert "pending" not in acme_server.authorizations()
    certificate = any_client(account=account)._run(order(acme_server, key, order=kept[0]), None)
    assert certificate.order_url == kept[0]


def test_a_coroutine_keeps_the_order_too(acme_server, any_client):
    kept = []

    async def keep(url, _):
        await asyncio.sleep(0)
        kept.append(url)

    client = any_client()
    certificate = client._run(order(acme_server, key_of(client), keep_order=keep), None)
    assert kept == [certificate.order_url]


@everywhere
def test_a_key_that_is_made_for_the_order_is_kept_with_it(any_client, acme_server, isolation):
    kept = []

    def crash(url, key):
        kept.append((url, key))
        raise Crash

    client = any_client(isolation=isolation)
    account = client.register()
    with pytest.raises(pylego.LEGOError):
        client._run(order(acme_server, None, key_type="EC384", keep_order=crash), None)
    [(url, key)] = kept
    again = any_client(account=account, isolation=isolation)
    certificate = again._run(order(acme_server, key, order=url), None)
    assert (certificate.order_url, certificate.private_key) == (url, key)


def test_solvers_of_one_s_own_are_asked_beside_it(acme_server, client):
    asked = []

    class Records:
        type = "dns-01"

        def present(self, presentation):
            asked.append("present")
            acme_server.add_txt(presentation.name, presentation.value)

        def clean_up(self, presentation):
            acme_server.remove_txt(presentation.name, presentation.value)

    operation = Obtain(
        identifiers=("a.example",),
        challenges=Records(),
        key=key_of(client),
        keep_order=lambda *_: asked.append("order"),
    )
    client._run(operation, None)
    assert asked == ["present", "order"]


def test_who_keeps_no_order_is_not_asked_and_a_lost_order_is_made_anew(new_client):
    with ACMEServer() as server:
        seen = []
        client = new_client(server, on_event=seen.append)
        key = key_of(client)
        lost = f"{server.directory.removesuffix('/dir')}/my-order/lost"
        certificate = client._run(order(server, key, order=lost), None)
    assert certificate.order_url != lost
    kinds = [event.kind for event in seen]
    assert kinds.count("retrying") == kinds.count("order") == 1
    assert "order_resumed" not in kinds


def test_neither_the_key_nor_anything_else_is_in_the_repr(client):
    operation = Obtain(challenges=pylego.HTTP01(), key="s3cret", order="https://ca.example/1")
    assert "s3cret" not in repr(operation)
