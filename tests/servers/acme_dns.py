"""A stand-in for acme-dns, whose own program cannot be had from a package registry.

It speaks acme-dns's HTTP API as its README documents it, `register` and `update`, and
keeps the two last values of an account; the records are real ones, on BIND.
"""

import secrets
import uuid

from tests.servers.http_api import HTTPAPI, Reply


class AcmeDNS(HTTPAPI):
    """The API on a port of its own, while the context lasts; records go to a name server."""

    def __init__(self, names):
        self.names = names
        self.accounts = {}

    def answer(self, request):
        sent = request.json if request.body else {}
        if request.path == "/register":
            return Reply(self.register(), status=201)
        if request.path == "/update" and self.update(
            request.headers["X-Api-User"],
            request.headers["X-Api-Key"],
            sent["subdomain"],
            sent["txt"],
        ):
            return Reply({"txt": sent["txt"]})
        return Reply({"error": "forbidden"}, status=401)

    def register(self):
        """Make an account."""
        account = {
            "username": str(uuid.uuid4()),
            "password": secrets.token_urlsafe(30),
            "subdomain": str(uuid.uuid4()),
            "allowfrom": [],
        }
        account["fulldomain"] = f"{account['subdomain']}.auth.example"
        self.accounts[account["username"]] = {**account, "values": []}
        return account

    def update(self, username, password, subdomain, value):
        """Set a record, beside the one before; tell whether that was allowed."""
        account = self.accounts.get(username)
        if account is None or (account["password"], account["subdomain"]) != (password, subdomain):
            return False
        account["values"] = [*account["values"], value][-2:]
        self.names.replace(account["fulldomain"] + ".", account["values"])
        return True
