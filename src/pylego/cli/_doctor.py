"""`pylego doctor`: what would stop an order, found before it is made, with what to do."""

from __future__ import annotations

import errno
import os
import socket
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylego._challenges import DNS01, HTTP01, TLSALPN01
from pylego._errors import InvalidRequest, LEGOError
from pylego.cli._frame import DONE, FAILED, Outcome, WrongUse, words_of
from pylego.cli._options import CA, Validation

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from rich.console import Console

    from pylego._challenges import Challenge
    from pylego._models import Directory

OK, WRONG, UNKNOWN = "ok", "wrong", "unknown"

OFF = 60.0
"""Seconds by which a clock may be off."""

PATIENCE = 5.0
"""Seconds for a connection to an address of a name, and for its answer."""

STRANGER = 1.0
"""Seconds for the request of anybody else who connects meanwhile."""

TIMEOUT = 60.0
"""Seconds for what asks the CA and the DNS, where nobody says otherwise."""

PUBLIC: dict[type[Challenge], int] = {HTTP01: 80, TLSALPN01: 443}
"""The ports that every CA asks (RFC 8555 section 8.3, RFC 8737 section 3)."""

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

WHAT_TO_DO = {
    errno.EACCES: "ports below 1024 are for root: give the program CAP_NET_BIND_SERVICE "
    "(AmbientCapabilities= of systemd, setcap), or listen elsewhere and forward to it",
    errno.EADDRINUSE: "stop what listens there (`ss -ltnp` tells), let it serve a folder for "
    "--http.webroot, or listen elsewhere and forward to it",
    errno.EADDRNOTAVAIL: "name an address of this machine (`ip address` tells), or none",
}
"""Advice by why a port could not be bound."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    check: str
    """`ca`, `clock`, `account`, `port`, `webroot`, `credentials`, `names`, `challenge`,
    `zone`, `address`, `caa` or `reach`."""
    subject: str
    """What it is about: a URL, a port, a name."""
    status: str
    """`ok`, `wrong`, or `unknown` where it could not be found out."""
    detail: str
    """What was found."""
    advice: str = ""
    """What to do."""


def doctor(
    ca: CA,
    ways: Validation,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="The names that a certificate is wanted for."),
    ] = None,
) -> Outcome:
    """Look for what would stop an order, and say what to do.

    Nothing is ordered. CA, clock, ports, DNS, CAA records and credentials are looked at.
    """
    checks = [*_examined(ca, ways, names or [])]
    wrong = any(each.status == WRONG for each in checks)
    return Outcome(
        {"ok": not wrong, "checks": [asdict(each) for each in checks]},
        lambda console: _show(console, checks),
        FAILED if wrong else DONE,
    )


def _show(console: Console, checks: Sequence[Check]) -> None:
    colours = {OK: "green", WRONG: "bold red", UNKNOWN: "yellow"}
    for each in checks:
        console.print(f"{each.status:<8}", style=colours[each.status], end="")
        told = f"{each.check} {each.subject}: {each.detail}"
        console.print(told, markup=False, highlight=False, soft_wrap=True)
        if each.advice:
            told = f"        -> {each.advice}"
            console.print(told, markup=False, highlight=False, soft_wrap=True)


def _examined(ca: CA, validation: Validation, names: Sequence[str]) -> Iterator[Check]:
    ways = validation.challenges()
    directory, check = _ca(ca)
    yield check
    if directory is not None:
        yield _clock(directory)
        yield from _account(ca, directory)
    for way in ways:
        yield from _way(way)

    def examined(names: Sequence[str]) -> Iterator[Check]:
        try:
            found = _dns(names, ways, directory, validation.resolvers, ca.timeout or TIMEOUT)
        except LEGOError as error:
            if isinstance(error, InvalidRequest) and len(names) > 1:  # which of them it is
                for each in names:
                    yield from examined([each])
                return
            advice = "look at the names, the network and --dns.resolvers"
            yield Check("names", ", ".join(names), WRONG, str(error), advice)
            return
        for about in found:
            yield from _name(about, ways, directory)

    yield from examined(names)


def _account(ca: CA, directory: Directory) -> Iterator[Check]:
    if ca.eab_kid is None and directory.external_account_required:
        yield Check(
            "account", directory.url, UNKNOWN, "a new account needs an external one",
            "get its key identifier and HMAC key from the CA, and give --eab.kid",
        )  # fmt: skip
        return
    try:
        ca.check_binding(new=True)
    except (OSError, WrongUse) as error:
        told = words_of(error) if isinstance(error, OSError) else str(error)
        advice = "a new account needs both, key identifier and HMAC key"
        yield Check("account", directory.url, WRONG, told, advice)


def _ca(ca: CA) -> tuple[Directory | None, Check]:
    try:
        directory = ca.client().directory(timeout=ca.timeout or TIMEOUT)
    except InvalidRequest as error:
        return None, Check("ca", ca.server, WRONG, str(error), "`pylego ca list` has the codes")
    except LEGOError as error:
        return None, Check(
            "ca", ca.server, WRONG, str(error),
            "look at the URL, the network and HTTPS_PROXY; LEGO_CA_CERTIFICATES names roots of your own",
        )  # fmt: skip
    return directory, Check("ca", directory.url, OK, "it answers, and is trusted")


def _clock(directory: Directory) -> Check:
    ahead = directory.clock_ahead
    if ahead is None:
        return Check("clock", directory.url, UNKNOWN, "the CA tells no time")
    told = f"this machine's is {abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead'}"
    if abs(ahead) <= OFF:
        return Check("clock", directory.url, OK, told)
    advice = "set it: certificates are valid by it (`timedatectl set-ntp true`)"
    return Check("clock", directory.url, WRONG, told, advice)


def _way(way: Challenge) -> Iterator[Check]:
    match way:
        case HTTP01(webroot=folder) if folder is not None:
            yield _webroot(os.fspath(folder))
        case HTTP01() | TLSALPN01():
            with _listener(way) as (_, check):
                yield check
        case DNS01():
            yield _credentials(way)
        case _:
            pass


def _webroot(folder: str) -> Check:
    if not Path(folder).is_dir():
        told = "there is no such folder"
    elif os.access(folder, os.W_OK):
        return Check("webroot", folder, OK, "files can be written")
    else:
        told = "no file can be written there"
    return Check("webroot", folder, WRONG, told, "name the folder that the web server shows")


def _credentials(way: DNS01) -> Check:
    from pylego._challenges import described
    from pylego._providers import providers

    if way.provider not in providers:
        try:
            providers[way.provider]
        except KeyError as unknown:
            told = str(unknown.args[0])
            return Check("credentials", way.provider, WRONG, told, "`pylego providers list`")
    try:
        described(way)  # refuses what is missing
    except LEGOError as error:
        advice = f"`pylego providers show {way.provider}` tells what each is"
        return Check("credentials", way.provider, WRONG, str(error), advice)
    told = "nothing that it needs for certain is missing; its API was not asked"
    return Check("credentials", way.provider, OK, told)


def _dns(
    names: Sequence[str],
    ways: Sequence[Challenge],
    directory: Directory | None,
    resolvers: Sequence[str],
    timeout: float,
) -> list[dict[str, Any]]:
    """Ask the DNS about names; it is not asked about addresses."""
    from pylego import _engine

    message = {
        "names": list(names),
        "resolvers": list(resolvers),
        "issuers": [] if directory is None else list(directory.caa_identities),
        "methods": [way.message()["type"] for way in ways],
    }
    call = _engine.Call("examine_names", message, timeout)
    found: list[dict[str, Any]] = _engine.run(call)["names"]
    return found


def _name(
    found: dict[str, Any], ways: Sequence[Challenge], directory: Directory | None
) -> Iterator[Check]:
    name, asked = found["name"], found["type"] == "dns"
    direct = [way for way in ways if isinstance(way, (HTTP01, TLSALPN01))]
    by_dns = len(direct) < len(ways)
    if ways and not by_dns and name.startswith("*."):
        told = "http-01 and tls-alpn-01 cannot validate a wildcard"
        yield Check("challenge", name, WRONG, told, "choose --dns")
        return
    if ways and not direct and not asked:
        told = "nothing in the DNS validates an address"  # RFC 8738 section 7
        yield Check("challenge", name, WRONG, told, "choose --http or --tls")
    if asked and (by_dns or not ways):
        yield _zone(found)
    if asked and (direct or not ways) and not name.startswith("*."):
        yield _address(found)
    if asked and directory is not None:
        yield _caa(found, directory)
    for way in direct if not name.startswith("*.") else ():
        yield from _reach(name, found["addresses"], way)


def _zone(found: dict[str, Any]) -> Check:
    if found["zone"]:
        return Check("zone", found["name"], OK, f"it is in the zone {found['zone']}")
    advice = "look at the name, its delegation, and --dns.resolvers"
    return Check("zone", found["name"], WRONG, found["zone_error"], advice)


def _address(found: dict[str, Any]) -> Check:
    if found["addresses"]:
        return Check("address", found["name"], OK, ", ".join(found["addresses"]))
    told = found["addresses_error"] or "it has no address"
    advice = "create an A or AAAA record, or choose --dns"
    return Check("address", found["name"], WRONG, told, advice)


def _caa(found: dict[str, Any], directory: Directory) -> Check:
    name, caa = found["name"], found["caa"]
    if caa["error"]:
        advice = "repair the zone's name servers: a CA that gets no answer does not issue"
        return Check("caa", name, WRONG, caa["error"], advice)
    if not caa["domain"]:
        return Check("caa", name, OK, "there are no records: every CA may issue")
    told = f"{caa['domain']} has {', '.join(caa['records'])}"
    if not directory.caa_identities:
        return Check("caa", name, UNKNOWN, f"{told}; the CA does not tell by which name it goes")
    if caa["refusal"]:
        tag = "issuewild" if name.startswith("*.") else "issue"
        wanted = f'{caa["domain"]}. CAA 0 {tag} "{directory.caa_identities[0]}"'
        return Check("caa", name, WRONG, f"{told}; {caa['refusal']}", f"add {wanted}")
    return Check("caa", name, OK, told)


def _reach(name: str, addresses: Sequence[str], way: HTTP01 | TLSALPN01) -> Iterator[Check]:
    """Connect to a name's addresses as the CA will, while something of ours listens."""
    if isinstance(way, HTTP01) and way.webroot is not None:
        return
    with _listener(way) as (token, _):
        if token:
            for address in addresses:
                yield _reached(name, address, way, token)


def _reached(name: str, address: str, way: HTTP01 | TLSALPN01, token: str) -> Check:
    port = PUBLIC[type(way)]
    subject = f"{name} at {address} port {port}"
    try:
        answer = _asked(name, address, port)
    except OSError as error:
        told = f"nothing answers: {error.strerror or error}"
    else:
        if token in answer:
            return Check("reach", subject, OK, "what pylego listens on answers")
        told = "something else answers"
        if isinstance(way, TLSALPN01):  # which is asked by its ALPN, and we ask without
            advice = "a router that passes acme-tls/1 on (RFC 8737) is right; any other program is in the way"
            return Check("reach", subject, UNKNOWN, told, advice)
    if _is_own(address):
        advice = "let pylego listen on that port, or forward the port to it"
        return Check("reach", subject, WRONG, told, advice)
    advice = "from outside it may be otherwise; look at firewalls, NAT and proxies on the way"
    return Check("reach", subject, UNKNOWN, told, advice)


def _asked(name: str, address: str, port: int) -> str:
    with socket.create_connection((address, port), PATIENCE) as connection:
        path = "/.well-known/acme-challenge/pylego-doctor"
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
        parts = iter(lambda: connection.recv(1 << 12), b"")
        answer = b""
        for part in parts:
            answer += part
            if len(answer) > 1 << 16:
                break
    return answer.decode("latin-1")


def _is_own(address: str) -> bool:
    """Tell whether an address is this machine's: only then can it be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as bound:
        try:
            bound.bind((address, 0))
        except OSError:
            return False
    return True


@contextmanager
def _listener(way: HTTP01 | TLSALPN01) -> Generator[tuple[str, Check]]:
    """Listen where a challenge would, and answer with a token; `""` where that fails."""
    from secrets import token_hex

    subject = f"{way.host}:{way.port}"
    try:
        listener = _bound(way)
    except OSError as error:
        advice = WHAT_TO_DO.get(error.errno or 0, "choose another address")
        yield "", Check("port", subject, WRONG, error.strerror or str(error), advice)
        return
    token = token_hex(16)
    with listener:
        threading.Thread(target=_answer, args=(listener, token), daemon=True).start()
        yield token, Check("port", subject, OK, "it can be listened on")
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread


def _bound(way: HTTP01 | TLSALPN01) -> socket.socket:
    place = way.host, way.port
    if not way.host and way.ip_version is None and socket.has_dualstack_ipv6():
        return socket.create_server(place, family=socket.AF_INET6, dualstack_ipv6=True)
    family = FAMILIES[way.ip_version or (6 if ":" in way.host else 4)]
    return socket.create_server(place, family=family)


def _answer(listener: socket.socket, token: str) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # it is closed
        with connection:
            try:
                connection.settimeout(STRANGER)
                connection.recv(1 << 12)
                connection.sendall(f"HTTP/1.0 200 OK\r\n\r\n{token}".encode())
            except OSError:
                continue  # whoever asked has gone
