"""What stands in for the services behind lego's providers, which cannot be run here.

One server on the loopback interface is a service under its settings' URL and, for SDKs
whose URLs are fixed, a proxy that is every host it is asked for, by a certificate of the
tests' CA. A service is a table of routes and keeps its TXT records, in the CA's DNS, too.
"""

import functools
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.servers.certificates import server_context
from tests.servers.http_api import HTTPAPI, Reply, Request

ZONE = "zone.example"
SECRET = "s3cret-which-is-its-services-alone"


class Records:
    """The TXT records of the zone, by identifier, each a full name and a value."""

    def __init__(self, dns):
        self.dns = dns
        self.kept = {}
        self.added = self.removed = 0

    def add(self, name, value):
        """Keep one more record; return its identifier."""
        assert name.endswith(f".{ZONE}"), name
        self.added += 1
        self.kept[self.added] = name, value
        self.dns.add_txt(name, value)
        return self.added

    def remove(self, identifier):
        name, value = self.kept.pop(int(identifier))
        self.removed += 1
        self.dns.remove_txt(name, value)

    def at(self, name):
        """Find a name's records: their values by identifier."""
        return {number: value for number, (owner, value) in self.kept.items() if owner == name}

    def values(self, name):
        return list(self.at(name).values())

    def replace(self, name, values):
        """Make these a name's records; those that stay are not touched."""
        for number, value in self.at(name).items():
            if value not in values:
                self.remove(number)
        for value in values:
            if value not in self.values(name):
                self.add(name, value)


def below(name):
    """Complete a name that is relative to the zone."""
    return f"{name}.{ZONE}"


def unquoted(value):
    """Take the quotes off that a zone file has around a TXT record's text."""
    assert value.startswith('"'), value
    assert value.endswith('"'), value
    return value[1:-1]


@dataclass(frozen=True)
class API:
    """One provider's service."""

    provider: str
    settings: Mapping[str, str]
    """The provider's; `{url}` is where the server is."""
    authorized: Callable[[Request], bool]
    routes: Mapping[str, Callable[..., Any]]
    """Functions by method and path, after the host where settings cannot name one.

    A function is given the records, the request, and the path's segments in braces.
    Its answer is a `Reply`, or one's body.
    """
    secrets: tuple[str, ...] = (SECRET,)

    def answer(self, records, request):
        if not self.authorized(request):
            raise LookupError(f"{request} lacks the credentials")
        for route, function in self.routes.items():
            method, _, path = route.partition(" ")
            found = _pattern(path).fullmatch(request.host + request.path)
            if found and method == request.method:
                answer = function(records, request, **found.groupdict())
                return answer if isinstance(answer, Reply) else Reply(answer)
        raise LookupError(f"{request} has no route")


@functools.cache
def _pattern(path):
    parts = re.split(r"{(\w+)}", path)
    return re.compile(
        "".join(
            f"(?P<{part}>[^/]+)" if number % 2 else re.escape(part)
            for number, part in enumerate(parts)
        )
    )


class APIServer(HTTPAPI):
    """A service on a port of its own, while the context lasts.

    Requests are answered one at a time. Those that it cannot answer are `faults`, for a
    provider may make light of an error. What `loses` picks is done, and its connection
    breaks before the answer, once.
    """

    loses: Callable[[Request], bool] | None = None

    def __init__(self, api, dns, authority):
        self.api = api
        self.records = Records(dns)
        self.faults = []
        self.refuses = False
        self._lock = threading.Lock()
        self.context = functools.cache(lambda host: server_context(*authority.server(host)))

    def settings(self):
        """Give the variables that lead the provider here."""
        found = {
            name: value.replace("{url}", self.url) for name, value in self.api.settings.items()
        }
        return {"HTTPS_PROXY": self.url, **found}

    def answer(self, request):
        with self._lock:
            if self.refuses:
                return Reply({"message": "Forbidden"}, status=403)
            try:
                answer = self.api.answer(self.records, request)
            except Exception as error:  # noqa: BLE001 -- the test tells it
                self.faults.append(error)
                return Reply({"message": "Bad Request"}, status=400)
            if self.loses and self.loses(request):
                self.loses = None
                return None
            return answer
