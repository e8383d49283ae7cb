"""BIND 9, whose zone is changed by dynamic updates (RFC 2136), as a process of its own."""

import base64
import secrets

import dns.query
import dns.tsigkeyring
import dns.update
import dns.zone

from tests.servers.process import NameServer, free_ports, installed

KEY_NAME = "key.example."

CONFIGURATION = """
options {{
    directory "{folder}";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    pid-file none;
    session-keyfile none;
    recursion no;
    dnssec-validation no;
    minimal-responses yes;
    notify no;
    allow-transfer {{ 127.0.0.1; }};
}};
controls {{ }};
logging {{ category default {{ default_stderr; }}; }};
key "{key}" {{ algorithm hmac-sha256; secret "{secret}"; }};
zone "example" {{
    type primary;
    file "zone";
    allow-update {{ key "{key}"; }};
}};
"""

ZONE = """
$TTL 1
@ SOA ns.example. hostmaster.example. 1 3600 600 86400 1
@ NS ns.example.
@ A 127.0.0.1
* A 127.0.0.1
ns A 127.0.0.1
"""


class Bind(NameServer):
    """The primary server of `example.`, in which every name is 127.0.0.1, while the context lasts."""

    provider = "rfc2136"

    def __init__(self, folder, port=0):
        super().__init__(folder, installed("named"))
        self.port = port

    def prepare(self):
        self.port = self.port or free_ports(1)[0]
        self.address = f"127.0.0.1:{self.port}"
        self.secret = base64.b64encode(secrets.token_bytes(32)).decode()
        (self.folder / "zone").write_text(ZONE)
        configuration = self.folder / "named.conf"
        configuration.write_text(
            CONFIGURATION.format(
                folder=self.folder, port=self.port, key=KEY_NAME, secret=self.secret
            )
        )
        return ["-f", "-n", "1", "-c", configuration], [self.port]

    def records(self):
        """List the TXT records of the zone: name and value."""
        zone = dns.zone.from_xfr(dns.query.xfr("127.0.0.1", "example.", port=self.port))
        return [
            (f"{name}.example.", record.strings[0].decode())
            for name, _, record in zone.iterate_rdatas("TXT")
        ]

    def remove(self, name):
        """Remove the TXT records of a name."""
        self.replace(name, [])

    def replace(self, name, values, kind="TXT"):
        """Let a name have these records of a kind, and no others of it."""
        keys = dns.tsigkeyring.from_text({KEY_NAME: self.secret})
        update = dns.update.Update("example.", keyring=keys, keyalgorithm="hmac-sha256")
        update.delete(name, kind)
        for value in values:
            update.add(name, 1, kind, value)
        answer = dns.query.tcp(update, "127.0.0.1", port=self.port, timeout=10)
        assert answer.rcode() == 0

    def credentials(self):
        """Return the settings of lego's provider."""
        return {
            "RFC2136_NAMESERVER": self.address,
            "RFC2136_TSIG_KEY": KEY_NAME,
            "RFC2136_TSIG_ALGORITHM": "hmac-sha256.",
            "RFC2136_TSIG_SECRET": self.secret,
            "RFC2136_POLLING_INTERVAL": "1",
            "RFC2136_SEQUENCE_INTERVAL": "0",  # 60 s otherwise
        }

    def wrong_credentials(self):
        """Return settings with a key that the server does not take."""
        other = base64.b64encode(secrets.token_bytes(32)).decode()
        return {**self.credentials(), "RFC2136_TSIG_SECRET": other}
