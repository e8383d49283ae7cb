"""What a user writes, for the type checkers; nothing runs it."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pylego
from pylego import DNS01, HTTP01, TLSALPN01, DNSPersist01, HTTP01App, dns_persist
from pylego.renewal import About, AccountAt, Hooks, Managed, Outcome, Server
from pylego.renewal import load as load_configuration
from pylego.storage import FileStore, Store, import_certbot
from pylego.testing import ACMEServer, Faults, Profile

if TYPE_CHECKING:
    from typing_extensions import assert_type  # noqa: TC004 -- nothing runs it


def obtain() -> None:
    client = pylego.Client("letsencrypt-staging", email="ops@example.com", accept_terms=True)
    certificate = client.obtain("example.com", challenges=HTTP01(port=8080))
    assert_type(certificate, pylego.Certificate)
    assert_type(certificate.not_after, datetime)
    assert_type(certificate.private_key, "str | None")
    client.obtain("*.example.com", challenges=[DNS01("cloudflare", CF_DNS_API_TOKEN="x")])
    client.obtain("example.com", challenges=(HTTP01(), TLSALPN01(host="::1")), timeout=30)


async def obtain_on_a_loop() -> None:
    async with pylego.AsyncClient("letsencrypt-staging", accept_terms=True) as client:
        progress = pylego.follow(client.obtain("example.com", challenges=HTTP01()))
        async for event in progress:
            assert_type(event, pylego.Event)
        assert_type(await progress, pylego.Certificate)
        assert_type(await client.register(), pylego.Account)


def keep() -> None:
    client = pylego.Client("letsencrypt", account=pylego.Account.from_json("{}"))
    assert_type(client.directory().profiles, Mapping[str, str])
    certificate = pylego.Certificate.load("/etc/ssl/example")
    advice = client.renewal_info(certificate)
    assert_type(advice.start, datetime)
    kept = replace(certificate, renewal_info=advice)
    assert_type(kept.renewal_info, "pylego.RenewalInfo | None")
    renewed = client.renew(certificate, challenges=HTTP01(), key_type="EC384")
    assert_type(renewed.pkcs12("secret"), bytes)
    client.revoke(certificate, reason="superseded")
    assert_type(client.deactivate_authorizations(renewed), int)
    assert_type(client.rollover(), pylego.Account)


def manage(folder: Path) -> None:
    def deploy(about: About) -> None:
        assert_type(about.files.certificate, "str | None")

    account = AccountAt("main", Server("https://ca.example/directory"), accept_terms=True)
    certificate = Managed(
        "example.com", ("example.com",), (HTTP01(),), (account,), hooks=Hooks(deploy=deploy)
    )
    manager = pylego.Manager(FileStore(folder), [certificate], parallel=4)
    report = manager.renew_due()
    assert_type(report.failed[0], Outcome)
    assert_type(report.next, "datetime | None")
    pylego.Manager(FileStore(folder), load_configuration("pylego.toml")).run()


async def manage_on_a_loop(manager: pylego.Manager) -> None:
    await manager.run_async()


def store(folder: Path) -> None:
    kept: Store = FileStore(folder, pem=True)
    assert_type(kept.load("example.com"), "pylego.Certificate | None")
    with kept.lock("example.com", timeout=5):
        for text in kept.texts().values():
            assert_type(text.origin.directory, "str | None")
    with FileStore(folder).lock("example.com") as lock:
        assert_type(lock.held, bool)
    assert_type(import_certbot(kept).certificates, list[str])


def ways(name: str) -> None:
    client = pylego.Client("letsencrypt-staging", accept_terms=True)
    ways = [HTTP01(), DNS01("cloudflare", CF_DNS_API_TOKEN="x"), TLSALPN01(), DNSPersist01()]
    client.obtain(name, challenges=ways)
    by_name = {"*.a.example": HTTP01("", 8080, 0.5), "*": TLSALPN01("", 8443, 0.5)}
    client.obtain(name, challenges=by_name)
    mixed: list[pylego.Challenge | pylego.Solver] = [Records(), HTTP01()]
    client.obtain(name, challenges=mixed)
    client.obtain(name, challenges={"*.a.example": [AsyncRecords(), *ways], "*": mixed})
    either: pylego.Challenges = ways if name else {"*": Records()}
    client.renew(client.obtain(name, challenges=either), challenges=HTTP01App())
    pylego.obtain(name, directory="letsencrypt", challenges=either)
    record = dns_persist.record(name, client.account, issuer="ca.example", policy="wildcard")
    assert_type(record, dns_persist.Record)
    record.verify(resolvers=["192.0.2.1"], timeout=60)
    for writer in (ACMEServer(), Writer(), AsyncWriter()):
        DNSPersist01(writer=writer)


class Writer:
    def set_txt(self, name: str, value: str) -> None: ...


class AsyncWriter:
    async def set_txt(self, name: str, value: str) -> None: ...


class Records:
    def present(self, presentation: pylego.Presentation) -> None:
        assert_type(presentation.name, str)

    def clean_up(self, presentation: pylego.Presentation) -> None: ...


class AsyncRecords:
    type = "dns-01"

    async def present(self, presentation: pylego.Presentation) -> None: ...

    async def clean_up(self, presentation: pylego.Presentation) -> None: ...


solver: pylego.Solver = AsyncRecords()
app = HTTP01App()


def at_once() -> None:
    certificate = pylego.obtain(
        "example.com", directory="letsencrypt", challenges=HTTP01(), accept_terms=True, bundle=False
    )
    pylego.obtain("example.com", directory="letsencrypt", challenges=HTTP01(), replaces=certificate)
    pylego.renew(certificate, directory="letsencrypt", challenges=HTTP01(), timeout=30)
    pylego.revoke(certificate, directory="letsencrypt", key=certificate.private_key)


def fail() -> None:
    try:
        obtain()
    except pylego.RateLimited as error:
        assert_type(error.retry_after, "datetime | None")
    except pylego.PropagationTimeout as error:
        assert_type(error.answers, "tuple[pylego.Answer, ...]")
    except pylego.ChallengeFailed as error:
        for attempt in error.attempts:
            assert_type(attempt.identifier, pylego.Identifier)
    except pylego.UnknownProvider as error:
        assert_type(error.nearest, "tuple[str, ...]")
    except pylego.MissingCredentials as error:
        assert_type(error.missing, "tuple[str, ...]")
    except pylego.UnknownSetting as error:
        assert_type(error.nearest, "tuple[str, ...]")
    except pylego.LEGOError as error:
        assert_type(error.subproblems, list[pylego.Subproblem])


def provide() -> None:
    provider = pylego.providers["cloudflare"]
    assert_type(provider, pylego.Provider)
    assert_type(provider.variables[0], pylego.Variable)
    assert_type(pylego.providers.search("hetzner"), list[pylego.Provider])
    assert_type(pylego.dns.cloudflare(CF_DNS_API_TOKEN="x"), DNS01)
    pylego.dns.acme_dns(ACME_DNS_API_BASE_FILE="x", resolvers=["127.0.0.1"], propagation_wait=1)
    pylego.dns.cloudflare(CF_DNS_API_TOKEN=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def drop_in() -> None:
    response = pylego.run_lego_command(
        email="me@example.com", server="https://ca.example/dir", csr=b"", env={"A": "b"}
    )
    assert_type(response, pylego.LEGOResponse)
    assert_type(response.metadata.url, str)


def listen(event: pylego.Event) -> None:
    assert_type(event.elapsed, float)


async def listen_on_a_loop(event: pylego.Event) -> None:
    assert_type(event.kind, str)


listener: pylego.EventCallback = listen
listeners: list[pylego.AsyncEventCallback] = [listen, listen_on_a_loop]
pylego.AsyncClient("letsencrypt-staging", on_event=listen_on_a_loop)


def reach() -> None:
    limits = pylego.Limits(new_orders=(10, 10), requests_per_second=math.inf, orders_in_flight=64)
    pylego.Client(
        "zerossl",
        trust=Path("root.pem"),
        proxy="",
        ip_version=6,
        limits=limits,
        user_agent="mine/1",
    )
    pylego.AsyncClient("zerossl", trust=b"", verify=False)


def serve() -> None:
    with ACMEServer(nonce_reject=30) as server:
        client = pylego.Client(server.directory, trust=server.trust_root, on_event=listen)
        server.set_faults(Faults(path="finalize", drop=1))
        client.obtain("example.com", challenges=server.dns01())
        server.restart()
    ACMEServer(profiles={"short": Profile("an hour", timedelta(hours=1)), "long": "for long"})


def run_lego(folder: Path) -> None:
    done = pylego.run_lego("run", "--path", folder, env={"LEGO_EMAIL": "x"}, input="y\n", timeout=9)
    assert_type(done, subprocess.CompletedProcess[str])
