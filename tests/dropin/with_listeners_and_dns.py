"""Behaviours of what answers the challenges: listeners, and a DNS provider with its name servers."""

import contextlib
import socket

from tests.dropin.place import free_listeners, web_server
from tests.servers.process import free_ports

NO_ADDRESS_OF_THIS_MACHINE = "192.0.2.1"  # RFC 5737

# Listeners


def http_01_port_taken(place):
    return _with_ports_taken(place, "HTTP01_PORT")


def http_01_and_tls_alpn_01_ports_taken(place):
    return _with_ports_taken(place, "HTTP01_PORT", "TLSALPN01_PORT")


def tls_alpn_01_port_taken(place):
    return _with_ports_taken(place, "TLSALPN01_PORT", plugin="tls")


def http_01_interface_that_is_none(place):
    return place.embedded(env=_interfaces("HTTP01_IFACE"))


def http_01_and_tls_alpn_01_interfaces_that_are_none(place):
    return place.embedded(env=_interfaces("HTTP01_IFACE", "TLSALPN01_IFACE"))


def tls_alpn_01_interface_that_is_none(place):
    return place.embedded(env=_interfaces("TLSALPN01_IFACE"), plugin="tls")


# A DNS provider


def dns_01(place):
    return place.embedded(plugin="httpreq")


def dns_01_for_a_wildcard(place):
    return place.embedded("*.a.example", plugin="httpreq")


def dns_01_with_a_wait(place):
    return place.embedded(plugin="httpreq", dns_propagation_wait=1)


def dns_01_whose_provider_cannot_be_reached(place):
    endpoint = f"http://127.0.0.1:{free_ports(1)[0]}"
    return place.embedded(env={"HTTPREQ_ENDPOINT": endpoint}, plugin="httpreq")


@contextlib.contextmanager
def dns_01_whose_provider_refuses(place):
    with place.embedded(plugin="httpreq") as arguments:
        endpoint = arguments["env"]["HTTPREQ_ENDPOINT"] + "/nothing"
        yield {**arguments, "env": {**arguments["env"], "HTTPREQ_ENDPOINT": endpoint}}


@contextlib.contextmanager
def dns_01_whose_record_is_never_seen(place):
    (port,) = free_ports(1)
    env = {"HTTPREQ_ENDPOINT": f"http://127.0.0.1:{port}"}
    with web_server(port), place.embedded(env=env, plugin="httpreq") as arguments:
        yield arguments


def dns_01_whose_name_server_is_away(place):
    away = f"127.0.0.1:{free_ports(1)[0]}"
    return place.embedded(plugin="httpreq", dns_nameservers=[away])


BEHAVIOURS = (
    http_01_port_taken,
    http_01_and_tls_alpn_01_ports_taken,
    tls_alpn_01_port_taken,
    http_01_interface_that_is_none,
    http_01_and_tls_alpn_01_interfaces_that_are_none,
    tls_alpn_01_interface_that_is_none,
    dns_01,
    dns_01_for_a_wildcard,
    dns_01_with_a_wait,
    dns_01_whose_provider_cannot_be_reached,
    dns_01_whose_provider_refuses,
    dns_01_whose_record_is_never_seen,
    dns_01_whose_name_server_is_away,
)


def _interfaces(*names):
    return dict.fromkeys(names, NO_ADDRESS_OF_THIS_MACHINE)


@contextlib.contextmanager
def _with_ports_taken(place, *names, **arguments):
    with contextlib.ExitStack() as held:
        env = {name: free_listeners()[name] for name in names}
        for port in env.values():
            held.enter_context(socket.create_server(("127.0.0.1", int(port))))
        yield held.enter_context(place.embedded(env=env, **arguments))
