"""Pebble, Let's Encrypt's test server, as a process of its own."""

import contextlib
import json

import pylego
from tests.servers.build import executable
from tests.servers.certificates import Authority
from tests.servers.process import ServerProcess, free_ports

EXTERNAL_ACCOUNT = ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")
"""Key identifier and HMAC key of the external account that Pebble knows, if it requires one."""

BLOCKED = "blocked-domain.example"
"""A name that Pebble refuses."""


class Pebble:
    """Pebble and its DNS, in which every name is 127.0.0.1, while the context lasts.

    resolver is the address of another DNS server to ask instead; nonce_reject is the percentage of good nonces that are refused; validation_sleep
    is the longest time, in seconds, that each validation waits.
    """

    def __init__(
        self, folder, *, resolver=None, nonce_reject=0, validation_sleep=0, external_account=False
    ):
        self.folder = folder
        self.resolver = resolver
        self.external_account = external_account
        self.environment = {
            "PEBBLE_WFE_NONCEREJECT": str(nonce_reject),
            "PEBBLE_AUTHZREUSE": "0",
            **(
                {"PEBBLE_VA_SLEEPTIME": str(validation_sleep)}
                if validation_sleep
                else {"PEBBLE_VA_NOSLEEP": "1"}
            ),
        }

    def __enter__(self):
        acme, management, self.http_port, self.tls_port, dns, dns_management = free_ports(6)
        self.directory = f"https://127.0.0.1:{acme}/dir"
        self.trust = self.folder / "trust.pem"
        authority = Authority("The root of Pebble's own HTTPS")
        certificate, key = authority.server("localhost", "127.0.0.1")
        self.trust.write_bytes(authority.pem)
        (self.folder / "certificate.pem").write_bytes(certificate)
        (self.folder / "key.pem").write_bytes(key)
        (self.folder / "pebble.json").write_text(
            json.dumps({"pebble": self._configuration(acme, management)})
        )
        with contextlib.ExitStack() as stack:
            resolver = self.resolver or stack.enter_context(self._names(dns, dns_management))
            self._process = ServerProcess(
                [executable("pebble"), "-config", "pebble.json", "-dnsserver", resolver],
                folder=self.folder,
                environment=self.environment,
            )
            stack.enter_context(self._process)
            self._process.wait_for(self.directory, self.trust)
            management = f"https://127.0.0.1:{management}/roots/0"
            self.root = self._process.wait_for(management, self.trust)
            self._running = stack.pop_all()
        return self

    @contextlib.contextmanager
    def _names(self, port, management):
        """Start Pebble's own DNS; yield its address."""
        server = ServerProcess(
            [
                executable("pebble-challtestsrv"),
                *("-defaultIPv4", "127.0.0.1"),
                *("-defaultIPv6", ""),
                *("-dnsserver", f"127.0.0.1:{port}"),
                *("-management", f"127.0.0.1:{management}"),
                *("-http01", ""),
                *("-https01", ""),
                *("-tlsalpn01", ""),
                *("-doh", ""),
            ],
            folder=self.folder,
        )
        with server:
            server.wait_for_port(port)
            yield f"127.0.0.1:{port}"

    def __exit__(self, *exception):
        self._running.close()

    def restart(self):
        """Kill Pebble and start it again on its ports: with its memory goes all it knew."""
        self._process.process.kill()
        self._process.process.wait()
        self._process.__enter__()
        self._process.wait_for(self.directory, self.trust)

    def http01(self):
        """Return the challenge settings with which Pebble finds http-01's answers."""
        return pylego.HTTP01(host="127.0.0.1", port=self.http_port)

    def env(self):
        """Tell where Pebble looks for answers, in pylego's words, and what to trust."""
        return {
            "SSL_CERT_FILE": str(self.trust),
            "HTTP01_IFACE": "127.0.0.1",
            "HTTP01_PORT": str(self.http_port),
            "TLSALPN01_IFACE": "127.0.0.1",
            "TLSALPN01_PORT": str(self.tls_port),
        }

    def _configuration(self, acme, management):
        configuration = {
            "listenAddress": f"127.0.0.1:{acme}",
            "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": "certificate.pem",
            "privateKey": "key.pem",
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "domainBlocklist": [BLOCKED],
            "retryAfter": {"authz": 0, "order": 0},
            "keyAlgorithm": "ecdsa",
        }
        if self.external_account:
            configuration["externalAccountBindingRequired"] = True
            configuration["externalAccountMACKeys"] = dict([EXTERNAL_ACCOUNT])
        return configuration
