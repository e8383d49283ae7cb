"""What the keys of a TOML file mean that describes many certificates, in lego's words, checked before anything is asked for.

Secrets are not in it: a variable's value is in a file (`..._FILE`) or in the environment.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pylego._challenges import DNS01, HTTP01, TLSALPN01, DNSPersist01
from pylego._directories import DIRECTORIES, directory_of
from pylego._errors import InvalidRequest, LEGOError
from pylego._providers import providers
from pylego.renewal._decision import Policy
from pylego.renewal._managed import (
    HOOK_TIMEOUT,
    KEY_TYPES,
    AccountAt,
    Configuration,
    Hook,
    Hooks,
    Managed,
    Server,
    check_accounts,
)
from pylego.renewal._names import check_id, check_name, without_way
from pylego.renewal._quotas import STAGING
from pylego.renewal._toml import quoted, read, suggestion
from pylego.storage._layout import account_place

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeVar

    from pylego._challenges import Challenge
    from pylego.renewal._toml import Table

    T = TypeVar("T")


def load(path: str | Path) -> Configuration:
    """Read a configuration file.

    Raises:
        ConfigurationError: something in it cannot be used.
        OSError: it cannot be read.
    """
    return _configuration(read(Path(path)))


def _configuration(top: Table) -> Configuration:
    top.done(("storage", "servers", "accounts", "challenges", "hooks", "renew", "certificates"))
    storage = top.path("storage")
    servers = {each.name: _server(each) for each in top.tables("servers")}
    accounts = {each.name: _account(each, servers) for each in top.tables("accounts")}
    ways = {each.name: _challenges(each) for each in top.tables("challenges")}
    hooks = _hooks(top.table("hooks"), Hooks())
    policy = _policy(top.table("renew"), Policy(), reuse_key=False)
    described = [*top.tables("certificates")]
    _check_ids(described)
    certificates = [_certificate(each, accounts, ways, hooks, policy) for each in described]
    if not certificates:
        top.refuse((), "it describes no certificate: [certificates.NAME] begins one")
    return Configuration(str(top.source.path), storage, tuple(certificates))


def _server(table: Table) -> Server:
    url, staging, trust = table.text("url"), table.text("staging"), table.path("trust")
    verify = not table.flag("tls_skip_verify")
    table.done()
    if not url:
        table.refuse(("url",), "the directory's URL is missing")
    directory = _directory(table, "url", url, DIRECTORIES)
    return Server(
        directory=directory,
        trust=trust,
        verify=verify,
        staging=STAGING.get(directory)
        if staging is None
        else _directory(table, "staging", staging, DIRECTORIES),
    )


def _directory(table: Table, key: str, name: str, among: Iterable[str]) -> str:
    url = directory_of(name)
    if not url.startswith("https://"):
        hint = suggestion(name, among)
        table.refuse((key,), f"{name!r} is neither an https URL nor one of lego's codes{hint}")
    return url


def _account(table: Table, servers: dict[str, Server]) -> AccountAt:
    name = table.text("server") or "letsencrypt"  # lego's default
    server = servers.get(name)
    if server is None:
        url = _directory(table, "server", name, [*servers, *DIRECTORIES])
        server = Server(url, staging=STAGING.get(url))
    eab = table.table("eab")
    account = AccountAt(
        name=table.name,
        server=server,
        email=table.text("email"),
        accept_terms=table.flag("accepts_terms_of_service"),
        key_type=table.choice("key_type", KEY_TYPES) or "EC256",
        kid=eab.text("kid"),
        hmac_key_file=eab.path("hmac_key_file"),
    )
    eab.done()
    table.done()
    try:
        account_place(server.directory, account.name)
    except InvalidRequest as error:
        table.refuse((), error.detail)
    if (account.kid is None) != (account.hmac_key_file is None):
        eab.refuse((), "kid and hmac_key_file belong together")
    return account


def _challenges(table: Table) -> tuple[Challenge, ...]:
    read = {"http": _http, "tls": _tls, "dns": _dns, "dns_persist": _dns_persist}
    found = [read[name](table.table(name)) for name in table.values if name in read]
    table.done(read)
    if not found:
        table.refuse((), f"one of {', '.join(read)} is wanted")
    return tuple(found)


def _http(table: Table) -> Challenge:
    host, port = table.address(80)
    challenge = HTTP01(
        host,
        port,
        table.number("delay") or 0,
        proxy_header=table.text("proxy_header"),
        webroot=table.path("webroot"),
    )
    table.done()
    return challenge


def _tls(table: Table) -> Challenge:
    challenge = TLSALPN01(*table.address(443), table.number("delay") or 0)
    table.done()
    return challenge


def _dns(table: Table) -> Challenge:
    provider, resolvers = table.text("provider"), table.texts("resolvers") or ()
    propagation, env = table.table("propagation"), table.table("env")
    wait = propagation.number("wait") or 0
    authoritative = not propagation.flag("disable_authoritative_nameservers")
    recursive = not propagation.flag("disable_recursive_nameservers", default=True)
    propagation.done()
    table.done()
    if not provider:
        table.refuse(("provider",), "the provider is missing")
    try:
        known = providers[provider]
    except KeyError as error:
        table.refuse(("provider",), str(error.args[0]))
    variables = {name: env.text(name) or "" for name in env.values}
    for variable in known.variables:
        if variable.credential and variable.name in variables:
            hint = f"name a file that holds it, {variable.name}_FILE, or set it in the environment"
            env.refuse((variable.name,), f"a secret does not belong in this file: {hint}")
    files = {name: env.path(name) or "" for name in variables if name.endswith("_FILE")}
    try:
        return DNS01(
            provider,
            resolvers=resolvers,
            propagation_wait=wait,
            check_authoritative=authoritative,
            check_recursive=recursive,
            **{**variables, **files},
        )
    except LEGOError as error:
        env.refuse((), error.detail)


def _dns_persist(table: Table) -> Challenge:
    challenge = DNSPersist01(table.texts("resolvers") or ())
    table.done()
    return challenge


def _certificate(
    table: Table,
    accounts: dict[str, AccountAt],
    known_ways: dict[str, tuple[Challenge, ...]],
    hooks: Hooks,
    policy: tuple[Policy, bool],
) -> Managed:
    domains, key_type = table.texts("domains"), table.choice("key_type", KEY_TYPES)
    own, ways = table.one_or_more("account"), table.one_or_more("challenge")
    renewal, reuse_key = _policy(table.table("renew"), policy[0], reuse_key=policy[1])
    described = Managed(
        name=table.name,
        domains=domains or (),
        challenges=(),
        accounts=(),
        reuse_key=reuse_key,
        profile=table.text("profile"),
        preferred_chain=table.text("preferred_chain"),
        bundle=not table.flag("no_bundle"),
        must_staple=table.flag("must_staple"),
        common_name=table.flag("enable_common_name"),
        always_deactivate_authorizations=table.flag("always_deactivate_authorizations"),
        policy=renewal,
        hooks=_hooks(table.table("hooks"), hooks),
    )
    table.done()  # before what is missing, which may be a key that is misspelt
    chosen = _accounts(table, own, accounts)
    challenges = tuple(
        way for each in _one_of(table, "challenge", ways, known_ways) for way in each
    )
    _check_names(table, described.domains, challenges)
    return replace(
        described, challenges=challenges, accounts=chosen, key_type=key_type or chosen[0].key_type
    )


def _accounts(
    table: Table, names: tuple[str, ...], known: dict[str, AccountAt]
) -> tuple[AccountAt, ...]:
    chosen = _one_of(table, "account", names, known)
    try:
        check_accounts(chosen)
    except InvalidRequest as error:
        table.refuse(("account",), error.detail)
    return chosen


def _one_of(table: Table, key: str, names: tuple[str, ...], known: dict[str, T]) -> tuple[T, ...]:
    """Return those that are named, or the only one that there is."""
    if names:
        return tuple(table.known(key, name, known) for name in names)
    if len(known) != 1:
        table.refuse((key,), f"{AN[key]} is missing: [{key}s.NAME] describes one")
    return tuple(known.values())


AN = {"account": "an account", "challenge": "a challenge"}


def _check_ids(tables: Iterable[Table]) -> None:
    """Refuse what no files could be called, and names of which the files would be the same."""
    known: dict[str, str] = {}
    for table in tables:
        try:
            file = check_id(table.name)
        except InvalidRequest as error:
            table.refuse((), error.detail)
        if file in known:
            why = f"its files would be those of [certificates.{quoted(known[file])}], called {file}"
            table.refuse((), why)
        known[file] = table.name


def _check_names(table: Table, domains: tuple[str, ...], ways: tuple[Challenge, ...]) -> None:
    """Refuse what no order could be for."""
    if not domains:
        table.refuse(("domains",), "a certificate names at least one domain or address")
    for name in domains:
        try:
            check_name(name)
        except InvalidRequest as error:  # noqa: PERF203 -- the first is told
            table.refuse(("domains",), error.detail)
    if wrong := without_way(domains, ways):
        why = "a wildcard is validated by dns or dns_persist, not by http or tls"
        table.refuse(("domains",), f"{wrong}: {why}")


def _policy(table: Table, default: Policy, *, reuse_key: bool) -> tuple[Policy, bool]:
    ari = table.table("ari")
    days = table.number("days")
    try:
        policy = Policy(
            days=default.days if days is None else days,
            heed_advice=not ari.flag("disable", default=not default.heed_advice),
        )
    except InvalidRequest as error:
        table.refuse(("days",), error.detail)
    reuse_key = table.flag("reuse_key", default=reuse_key)
    ari.done()
    table.done()
    return policy, reuse_key


def _hooks(table: Table, default: Hooks) -> Hooks:
    hooks = Hooks(
        pre=_hook(table.table("pre")) or default.pre,
        deploy=_hook(table.table("deploy")) or default.deploy,
        post=_hook(table.table("post")) or default.post,
    )
    table.done()
    return hooks


def _hook(table: Table) -> Hook | None:
    if not table.values:
        return None
    command, timeout = table.texts("command"), table.number("timeout")
    table.done()
    if not command:
        table.refuse(("command",), "a program and its arguments are wanted, as a list")
    if any("\0" in each for each in command):
        table.refuse(("command",), "no program can be given \\u0000")
    return Hook(command, HOOK_TIMEOUT if timeout is None else timeout)
