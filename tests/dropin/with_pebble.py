"""Behaviours with Pebble: its certificates, and its own words where it refuses."""

import contextlib

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.dropin.place import free_listeners, pkcs8, web_server
from tests.servers.certificates import certificate_request, new_key
from tests.servers.fault_server import problem
from tests.servers.pebble import BLOCKED, EXTERNAL_ACCOUNT

# Certificates


def http_01(place):
    return place.pebble("a.example")


def tls_alpn_01(place):
    return place.pebble("a.example", plugin="tls")


def an_empty_plugin(place):
    return place.pebble("a.example", plugin="")


def several_names(place):
    return place.pebble("c.example", "a.example", "b.example")


def several_names_and_a_common_name(place):
    csr = certificate_request("c.example", "a.example", "b.example", common_name="b.example")
    return place.pebble(csr=csr.decode())


def a_common_name_alone(place):
    return place.pebble(csr=certificate_request(common_name="a.example").decode())


def an_ip_address(place):
    return place.pebble("127.0.0.1")


def capital_letters(place):
    return place.pebble("A.Example")


def a_text_around_the_csr(place):
    csr = certificate_request("a.example").decode()
    return place.pebble(csr=f"A certificate request:\n{csr}And its end.\n")


def no_email(place):
    return place.pebble("a.example", email="")


def an_account_key(place):
    return place.pebble("a.example", private_key=new_key())


def an_account_key_of_rsa(place):
    return place.pebble("a.example", private_key=pkcs8(rsa.generate_private_key(65537, 2048)))


def a_difficult_server(place):
    settings = {"nonce_reject": 30, "validation_sleep": 1, "external_account": True}
    return place.pebble("a.example", server=settings, account=EXTERNAL_ACCOUNT)


def a_nonce_rejected_once(place):
    return place.faults({"newOrder": problem("badNonce", "JWS has an invalid nonce", 400, times=1)})


# What the CA refuses: Pebble's words


def an_external_account_missing(place):
    return place.pebble("a.example", server={"external_account": True})


def an_external_account_unknown(place):
    account = ("kid-2", EXTERNAL_ACCOUNT[1])
    return place.pebble("a.example", server={"external_account": True}, account=account)


def an_external_account_with_another_key(place):
    account = (EXTERNAL_ACCOUNT[0], "c29tZXRoaW5nLWVsc2UtdGhhdC1pcy1sb25nLWVub3VnaA")
    return place.pebble("a.example", server={"external_account": True}, account=account)


def an_external_account_with_a_key_that_is_not_base64(place):
    account = (EXTERNAL_ACCOUNT[0], "!!!")
    return place.pebble("a.example", server={"external_account": True}, account=account)


def a_blocked_name(place):
    return place.pebble(BLOCKED)


def a_blocked_name_among_others(place):
    return place.pebble("a.example", BLOCKED)


def an_email_that_is_none(place):
    return place.pebble("a.example", email="nonsense")


def http_01_unreachable(place):
    return place.pebble("a.example", env=free_listeners())


def tls_alpn_01_unreachable(place):
    return place.pebble("a.example", env=free_listeners(), plugin="tls")


@contextlib.contextmanager
def http_01_with_another_answer(place):
    with place.pebble("a.example") as arguments, web_server(arguments["env"]["HTTP01_PORT"]):
        yield {**arguments, "env": {**arguments["env"], **free_listeners()}}


BEHAVIOURS = (
    http_01,
    tls_alpn_01,
    an_empty_plugin,
    several_names,
    several_names_and_a_common_name,
    a_common_name_alone,
    an_ip_address,
    capital_letters,
    a_text_around_the_csr,
    no_email,
    an_account_key,
    an_account_key_of_rsa,
    a_difficult_server,
    a_nonce_rejected_once,
    an_external_account_missing,
    an_external_account_unknown,
    an_external_account_with_another_key,
    an_external_account_with_a_key_that_is_not_base64,
    a_blocked_name,
    a_blocked_name_among_others,
    an_email_that_is_none,
    http_01_unreachable,
    tls_alpn_01_unreachable,
    http_01_with_another_answer,
)
