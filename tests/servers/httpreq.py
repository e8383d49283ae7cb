"""The API that lego's httpreq calls, for the records of `pylego.testing`'s server."""

import base64
import secrets

from tests.servers.http_api import HTTPAPI, Reply


class HTTPReq(HTTPAPI):
    """Changes the embedded server's records, and writes down who asked for what.

    Args:
        names: the embedded server.
        anyone: whether all credentials will do, or only its own.
    """

    provider = "httpreq"

    def __init__(self, names, *, anyone=False):
        self.names = names
        self.address = names.dns
        self.user, self.password = "user", secrets.token_hex(16)
        self.anyone = anyone
        self.calls = []
        self.refused_clean_ups = 0
        """How many of the next ones fail."""

    def answer(self, request):
        user, _, password = base64.b64decode(request.token).decode().partition(":")
        if not self.anyone and (user, password) != (self.user, self.password):
            return Reply({"error": "forbidden"}, status=401)
        name, value = request.json["fqdn"].rstrip("."), request.json["value"]
        self.calls.append((request.path, f"{user}:{password}", name, value))
        if request.path == "/cleanup" and self.refused_clean_ups:
            self.refused_clean_ups -= 1
            return Reply({"error": "not now"}, status=500)
        change = self.names.add_txt if request.path == "/present" else self.names.remove_txt
        change(name, value)
        return Reply()

    def credentials(self, user=None, password=None):
        """Return the settings of lego's provider."""
        return {
            "HTTPREQ_ENDPOINT": self.url,
            "HTTPREQ_USERNAME": user or self.user,
            "HTTPREQ_PASSWORD": password or self.password,
            "HTTPREQ_POLLING_INTERVAL": "1",
        }

    def wrong_credentials(self):
        """Return settings with a password that the server does not take."""
        return self.credentials(password="wrong-" + secrets.token_hex(8))

    def records(self):
        """List the TXT records: name and value."""
        return [
            (f"{name}.", value) for name, values in self.names.records().items() for value in values
        ]

    def remove(self, name):
        """Remove the TXT records of a name."""
        self.names.set_txt(name.rstrip("."))
