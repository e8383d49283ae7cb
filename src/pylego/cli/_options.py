"""Options that several commands share, under lego's names: dataclasses for their parameters."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer

from pylego._certificate import moment_of
from pylego.cli import _completion, _secrets
from pylego.cli._frame import WrongUse, option, variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pylego._challenges import Challenge
    from pylego._client import Client
    from pylego._events import EventCallback
    from pylego._models import Account

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
SECONDS = re.compile(r"\d+(?:\.\d*)?")
PART = re.compile(r"(\d+(?:\.\d*)?)(h|ms|m|s)")


def duration(given: str | float) -> float:
    """Read seconds, or a duration as lego writes it: `90s`, `1m30s`."""
    text = str(given)  # a default is no text
    if SECONDS.fullmatch(text):
        return float(text)
    if not PART.sub("", text) == "" != text:
        raise typer.BadParameter(f"{text!r} is no duration: 90s and 1m30s are")
    return sum(float(number) * UNITS[unit] for number, unit in PART.findall(text))


def moment(text: str) -> datetime:
    """Read a moment as lego wants it: RFC 3339."""
    try:
        read = moment_of(text)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is no moment: 2026-03-01T00:00:00Z is one")
    return read


def listed(given: Sequence[str] | None) -> list[str]:
    """Take an option's values apart: lego's flags may be repeated, and have commas."""
    return [part.strip() for each in given or () for part in each.split(",") if part.strip()]


def address(flag: str, text: str) -> tuple[str, int]:
    """Read lego's `interface:port` or `:port`."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise WrongUse(f"{flag} is interface:port or :port, not {text!r}")
    return host.strip("[]"), int(port)


def _wait(flag: str, about: str) -> Any:
    return option(flag, parser=duration, about=about, metavar="DURATION", show_default=False)


HMAC = "--eab.hmac"


def _refuse_secret(value: str | None) -> None:
    if value is not None:
        raise typer.BadParameter(
            f"others could read it: give it in {variable(HMAC)}, "
            f"or a file in {variable(HMAC)}_FILE, or when you are asked for it"
        )


IPv4Only = Annotated[
    bool,
    option(
        *("--ipv4only", "-4"),
        about="Use IPv4 only: to reach the CA, and to listen for its validations.",
    ),
]
IPv6Only = Annotated[bool, option("--ipv6only", "-6", about="Use IPv6 only, for the same.")]


def _ip_version(ipv4only: bool, ipv6only: bool) -> int | None:
    if ipv4only and ipv6only:
        raise WrongUse("give --ipv4only or --ipv6only, not both: without them either is used")
    return 4 if ipv4only else 6 if ipv6only else None


@dataclass(frozen=True)
class CA:
    """Which CA, how it is reached, and what a new account there needs."""

    server: Annotated[
        str,
        option(
            *("--server", "-s"),
            about="The CA: a URL, or a code of `pylego ca list`.",
            autocompletion=_completion.authority,
        ),
    ] = "letsencrypt"
    email: Annotated[
        str | None,
        option(
            "--email", "-m", about="Your address, for the CA; it names the account in the store."
        ),
    ] = None
    accept_tos: Annotated[
        bool, option("--accept-tos", "-a", about="Accept the CA's terms of service.")
    ] = False
    eab: Annotated[
        bool, option("--eab", about="For a CA that wants an external account; --eab.kid is enough.")
    ] = False
    eab_kid: Annotated[
        str | None,
        option(
            "--eab.kid",
            about=f"The external account's key identifier. Its HMAC key is read from {variable(HMAC)}, "
            f"from the file in {variable(HMAC)}_FILE, or asked for.",
        ),
    ] = None
    eab_hmac: Annotated[str | None, typer.Option(HMAC, hidden=True, callback=_refuse_secret)] = None
    tls_skip_verify: Annotated[
        bool, option("--tls-skip-verify", about="Do not verify the CA's HTTPS certificate.")
    ] = False
    overall_request_limit: Annotated[
        int | None,
        option(
            "--overall-request-limit",
            min=1,
            about="At most so many requests a second to the CA; what it publishes by default.",
        ),
    ] = None
    user_agent: Annotated[
        str | None, option("--user-agent", about="What stands before pylego's own User-Agent.")
    ] = None
    ipv4only: IPv4Only = False
    ipv6only: IPv6Only = False
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            parser=duration,
            help="How long it all may take, such as 90s.",
            metavar="DURATION",
        ),
    ] = None

    def client(
        self, *, account: Account | None = None, on_event: EventCallback | None = None
    ) -> Client:
        """Make the client that these options describe."""
        from pylego._client import Client
        from pylego._server import Limits

        limit = self.overall_request_limit
        return Client(
            self.server,
            account=account,
            email=self.email,
            accept_terms=self.accept_tos,
            verify=not self.tls_skip_verify,
            ip_version=self.ip_version,
            limits=None if limit is None else Limits(requests_per_second=limit),
            user_agent=self.user_agent,
            timeout=self.timeout,
            on_event=on_event,
        )

    @property
    def ip_version(self) -> int | None:
        """The only version of IP that is used; `None` for either."""
        return _ip_version(self.ipv4only, self.ipv6only)

    def binding(self) -> tuple[str, str] | None:
        """Find the external account's key identifier and HMAC key; `None` where there is none."""
        if self.eab_kid is None:
            if self.eab:
                raise WrongUse(f"--eab needs --eab.kid, and the HMAC key in {variable(HMAC)}")
            return None
        hmac = _secrets.secret(variable(HMAC), "The HMAC key of the external account")
        return self.eab_kid, hmac

    def check_binding(self, *, new: bool) -> None:
        """Refuse what `binding` would refuse, of which only a new account needs all; nobody is asked yet."""
        if self.eab_kid is None or (new and not sys.stdin.isatty()):
            self.binding()


@dataclass(frozen=True)
class Validation:
    """How names are validated; several ways are tried in lego's order: DNS last."""

    http: Annotated[
        bool, option("--http", about="Validate by http-01: the CA asks at port 80 of each name.")
    ] = False
    http_address: Annotated[
        str, option("--http.address", about="Where to listen for http-01: interface:port or :port.")
    ] = ":80"
    http_delay: Annotated[
        float, _wait("--http.delay", "How long to wait before the CA is told to ask, such as 2s.")
    ] = 0.0
    http_proxy_header: Annotated[
        str | None,
        option(
            "--http.proxy-header",
            about="Behind a proxy that changes Host: the header with the name asked for.",
        ),
    ] = None
    http_webroot: Annotated[
        Path | None,
        option(
            "--http.webroot",
            about="Do not listen: write into the folder that your web server serves.",
        ),
    ] = None
    tls: Annotated[
        bool,
        option("--tls", about="Validate by tls-alpn-01: the CA asks at port 443 of each name."),
    ] = False
    tls_address: Annotated[
        str,
        option("--tls.address", about="Where to listen for tls-alpn-01: interface:port or :port."),
    ] = ":443"
    tls_delay: Annotated[
        float, _wait("--tls.delay", "How long to wait before the CA is told to ask, such as 2s.")
    ] = 0.0
    dns: Annotated[
        str | None,
        option(
            "--dns",
            about="Validate by dns-01: a provider of `pylego providers list` sets TXT records.",
            autocompletion=_completion.provider,
        ),
    ] = None
    env_file: Annotated[
        Path | None,
        option("--env-file", about="A file with the provider's settings, NAME=value in each line."),
    ] = None
    dns_resolvers: Annotated[
        list[str] | None,
        option(
            "--dns.resolvers",
            about="Recursive name servers to ask, host:port; the system's by default.",
        ),
    ] = None
    dns_propagation_wait: Annotated[
        float,
        _wait(
            "--dns.propagation.wait",
            "How long to wait, such as 60s, instead of looking whether the record is visible.",
        ),
    ] = 0.0
    dns_propagation_disable_ans: Annotated[
        bool,
        option(
            "--dns.propagation.disable-ans",
            about="Do not wait until the zone's own name servers show the record.",
        ),
    ] = False
    dns_propagation_disable_rns: Annotated[
        bool,
        option(
            "--dns.propagation.disable-rns",
            about="Do not wait until the recursive name servers show the record.",
        ),
    ] = False
    dns_persist: Annotated[
        bool,
        option(
            "--dns-persist",
            about="Validate by dns-persist-01: a TXT record that you have set once.",
        ),
    ] = False
    dns_persist_resolvers: Annotated[
        list[str] | None,
        option(
            "--dns-persist.resolvers",
            about="Recursive name servers to ask, host:port; the system's by default.",
        ),
    ] = None
    dns_persist_propagation_disable_ans: Annotated[
        bool,
        option(
            "--dns-persist.propagation.disable-ans",
            about="Do not look for that record on the zone's own servers.",
        ),
    ] = False
    dns_persist_propagation_disable_rns: Annotated[
        bool,
        option(
            "--dns-persist.propagation.disable-rns",
            about="Do not look for that record on the recursive name servers.",
        ),
    ] = False
    dns_persist_persist_until: Annotated[
        datetime | None,
        option(
            "--dns-persist.persist-until",
            parser=moment,
            about="The end (RFC 3339) of the record that you are told to set, if it is missing.",
            metavar="TIME",
        ),
    ] = None
    ipv4only: IPv4Only = False
    ipv6only: IPv6Only = False

    @property
    def chosen(self) -> bool:
        """Whether a way is chosen; settings of one may come from the environment without it."""
        return bool(self.http or self.tls or self.dns or self.dns_persist)

    def remembered(self) -> dict[str, Any]:
        """Return what is not as by default, to be kept: no setting of a provider's is in it."""
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        chosen = {
            each.name: told[each.name] for each in fields(self) if told[each.name] != each.default
        }
        return {name: _plain(value) for name, value in chosen.items()}

    @classmethod
    def from_remembered(cls, told: Mapping[str, Any]) -> Validation:
        """Read what `remembered` returned."""
        return cls(**fitting(cls, told))

    @property
    def resolvers(self) -> list[str]:
        """The name servers to ask; none for the system's."""
        return listed(self.dns_resolvers)

    def challenges(self) -> list[Challenge]:
        """Return the ways that were chosen, none for none."""
        from pylego._challenges import HTTP01, TLSALPN01, DNSPersist01

        version = _ip_version(self.ipv4only, self.ipv6only)
        ways: list[Challenge] = []
        if self.http:
            host, port = address("--http.address", self.http_address)
            ways.append(
                HTTP01(
                    host,
                    port,
                    self.http_delay,
                    ip_version=version,
                    proxy_header=self.http_proxy_header,
                    webroot=self.http_webroot,
                )
            )
        if self.tls:
            host, port = address("--tls.address", self.tls_address)
            ways.append(TLSALPN01(host, port, self.tls_delay, ip_version=version))
        if self.dns is not None:
            ways.append(self._dns01(self.dns))
        if self.dns_persist:
            ways.append(
                DNSPersist01(
                    listed(self.dns_persist_resolvers),
                    check_authoritative=not self.dns_persist_propagation_disable_ans,
                    check_recursive=not self.dns_persist_propagation_disable_rns,
                    until=self.dns_persist_persist_until,
                )
            )
        return ways

    def _dns01(self, provider: str) -> Challenge:
        from pylego._challenges import DNS01

        return DNS01(
            provider,
            resolvers=self.resolvers,
            propagation_wait=self.dns_propagation_wait,
            check_authoritative=not self.dns_propagation_disable_ans,
            check_recursive=not self.dns_propagation_disable_rns,
            **self._settings(provider),
        )

    def _settings(self, provider: str) -> dict[str, str]:
        """Return what the provider reads of the file, and the environment has not; the rest goes there.

        Another certificate's provider may have other credentials under the same names.
        """
        from pylego._providers import misspelt, providers, refuse_unknown

        found = {} if self.env_file is None else _secrets.in_file(self.env_file)
        missing = {name: value for name, value in found.items() if name not in os.environ}
        known = providers[provider] if missing and provider in providers else None
        own = {name for name in missing if known is not None and known.reads(name)}
        refuse_unknown(provider, misspelt(provider, missing.keys() - own))
        os.environ.update({name: missing[name] for name in missing.keys() - own})
        return {name: missing[name] for name in own}


def fitting(flags: type, told: Mapping[str, Any]) -> dict[str, Any]:
    """Read flags as they were kept: one of which the value is not as it should be is not given."""
    kinds = get_type_hints(flags)
    read = {name: _read(value, kinds[name]) for name, value in told.items() if name in kinds}
    return {name: value for name, value in read.items() if value is not None}


def _read(value: Any, kind: Any) -> Any:
    """Read what `_plain` wrote; `None` where it is of another kind."""
    from pylego.renewal import _saved

    kinds = get_args(kind) or (kind,)
    if type(value) is str and Path in kinds:
        return Path(value)
    if type(value) is str and datetime in kinds:
        return _saved.moment_of(value)
    if type(value) is list:
        texts = _saved.list_of(value)
        return texts if list[str] in kinds and all(type(each) is str for each in texts) else None
    if type(value) is int and float in kinds:
        return float(value)
    return value if type(value) in kinds else None


def _plain(value: object) -> object:
    """Write what JSON has no type for."""
    match value:
        case Path():
            return str(value.absolute())
        case datetime():
            return value.isoformat()
        case _:
            return value
