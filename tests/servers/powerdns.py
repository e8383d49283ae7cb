"""PowerDNS, whose zone is changed through its HTTP API, as a process of its own."""

import contextlib
import json
import secrets
import urllib.request
from pathlib import Path

from tests.servers.process import NameServer, free_ports, installed

CONFIGURATION = """
launch=gsqlite3
gsqlite3-database={folder}/zones.sqlite3
local-address=127.0.0.1
local-port={port}
api=yes
api-key={key}
webserver=yes
webserver-address=127.0.0.1
webserver-port={api}
webserver-allow-from=127.0.0.1
socket-dir={folder}
query-cache-ttl=0
cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
guardian=no
daemon=no
"""

SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")


class PowerDNS(NameServer):
    """The primary server of `example.`, in which every name is 127.0.0.1, while the context lasts."""

    provider = "pdns"

    def __init__(self, folder):
        super().__init__(folder, installed("pdns_server") if SCHEMA.exists() else None)

    def prepare(self):
        port, api = free_ports(2)
        self.address, self.url = f"127.0.0.1:{port}", f"http://127.0.0.1:{api}"
        self.key = secrets.token_hex(16)
        (self.folder / "pdns.conf").write_text(
            CONFIGURATION.format(folder=self.folder, port=port, api=api, key=self.key)
        )
        self._create_database()
        return [f"--config-dir={self.folder}"], [api, port]

    def begun(self):
        self._create_zone()

    def credentials(self):
        """Return the settings of lego's provider."""
        return {"PDNS_API_URL": self.url, "PDNS_API_KEY": self.key, "PDNS_POLLING_INTERVAL": "1"}

    def wrong_credentials(self):
        """Return settings with a key that the server does not take."""
        return {**self.credentials(), "PDNS_API_KEY": "wrong-" + secrets.token_hex(8)}

    def records(self):
        """List the TXT records of the zone: name and value."""
        zone = self._ask("/api/v1/servers/localhost/zones/example.")
        return [
            (each["name"], record["content"].strip('"'))
            for each in zone["rrsets"]
            for record in each["records"]
            if each["type"] == "TXT"
        ]

    def remove(self, name):
        """Remove the TXT records of a name."""
        change = {"rrsets": [{"name": name, "type": "TXT", "changetype": "DELETE"}]}
        self._ask("/api/v1/servers/localhost/zones/example.", change, method="PATCH")

    def _create_database(self):
        import sqlite3

        with contextlib.closing(sqlite3.connect(self.folder / "zones.sqlite3")) as database:
            database.executescript(SCHEMA.read_text())

    def _create_zone(self):
        names = [("example.", "A"), ("*.example.", "A"), ("ns.example.", "A")]
        zone = {
            "name": "example.",
            "kind": "Native",
            "nameservers": ["ns.example."],
            "rrsets": [
                {"name": name, "type": kind, "ttl": 1, "records": [_record("127.0.0.1")]}
                for name, kind in names
            ],
        }
        self._ask("/api/v1/servers/localhost/zones", zone)

    def _ask(self, path, message=None, method=None):
        request = urllib.request.Request(
            self.url + path,
            None if message is None else json.dumps(message).encode(),
            {"X-API-Key": self.key, "Content-Type": "application/json"},
            method=method,
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            body = answer.read()
            return json.loads(body) if body else None


def _record(content):
    return {"content": content, "disabled": False}
