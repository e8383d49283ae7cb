"""What is to be kept valid, and how: what a configuration file describes, or a program."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pylego._errors import InvalidRequest
from pylego.renewal._decision import Policy

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from typing import Any

    from pylego._challenges import Challenge
    from pylego.renewal._hooks import AnyHook

KEY_TYPES = ("EC256", "EC384", "RSA2048", "RSA3072", "RSA4096", "RSA8192")

HOOK_TIMEOUT = 120.0
"""Seconds that a hook may take: lego's."""


@dataclass(frozen=True)
class Server:
    """How a CA is reached."""

    directory: str
    """The directory's URL."""
    trust: str | None = None
    """A file or folder of its roots; the system's by default."""
    verify: bool = True
    """Whether its certificate is checked at all."""
    staging: str | None = None
    """The URL of the directory at which retries are rehearsed."""
    ip_version: int | None = None
    """4 or 6 to reach it over that version of IP only."""
    user_agent: str | None = None
    """What it reads before our own User-Agent."""
    requests_per_second: float | None = None
    """How much is asked of it at most; what it publishes by default."""
    timeout: float | None = None
    """Seconds that any operation may take; each has its own by default."""


@dataclass(frozen=True)
class AccountAt:
    """An account at a CA."""

    name: str
    server: Server
    email: str | None = None
    accept_terms: bool = False
    key_type: str = "EC256"
    """Of its certificates, where they do not say another one."""
    kid: str | None = None
    """The key identifier of its external account."""
    hmac_key_file: str | None = None
    """Where that one's HMAC key is."""
    binding: Callable[[], tuple[str, str] | None] | None = None
    """Finds both, instead."""
    consent: Callable[[str], bool] | None = None
    """Asks somebody whether the CA's terms, of which it is told, are accepted after all."""

    def eab(self) -> tuple[str, str] | None:
        """Read the external account's binding.

        Raises:
            OSError: the HMAC key cannot be read.
        """
        if self.binding is not None:
            return self.binding()
        if self.kid is None or self.hmac_key_file is None:
            return None
        return self.kid, Path(self.hmac_key_file).read_text(encoding="utf-8").strip()


def check_accounts(accounts: Iterable[AccountAt]) -> None:
    """Refuse a second account at a CA: an account takes over where a CA fails, not another account.

    Raises:
        InvalidRequest: there are two at one.
    """
    known: dict[str, str] = {}
    for each in accounts:
        directory = each.server.directory
        if directory in known:
            unused = f"only {known[directory]!r} would be used, and not {each.name!r}"
            msg = f"two accounts are at the CA {directory}: {unused}; leave one of them out"
            raise InvalidRequest(msg)
        known[directory] = each.name


@dataclass(frozen=True)
class Hook:
    """A command without a shell."""

    command: tuple[str, ...]
    timeout: float = HOOK_TIMEOUT


@dataclass(frozen=True)
class Hooks:
    """What is run before an attempt, when a certificate is there, and after.

    Where several certificates have the same `pre` and `post`, and are worked at together by
    one manager, `pre` is run before the first and `post` after the last: each is told of the
    certificate that has it run. Where there is only one of the two it is run for each.

    Stopping the manager ends commands, but not `post`, which may have to undo what `pre` has
    done. A function has no time limit, and is not ended: stopping waits for it.
    """

    pre: AnyHook | None = None
    deploy: AnyHook | None = None
    post: AnyHook | None = None
    patient: bool = True
    """Whether one that could not deploy waits before it is run again; not where somebody asks."""


@dataclass(frozen=True)
class Managed:
    """A certificate that is to be kept valid."""

    name: str
    """What it is kept under."""
    domains: tuple[str, ...]
    challenges: tuple[Challenge, ...]
    """In order of preference."""
    accounts: tuple[AccountAt, ...]
    """The first is preferred; the others take over."""
    key_type: str = "EC256"
    reuse_key: bool = False
    profile: str | None = None
    preferred_chain: str | None = None
    bundle: bool = True
    must_staple: bool = False
    common_name: bool = False
    always_deactivate_authorizations: bool = False
    policy: Policy = field(default_factory=Policy)
    hooks: Hooks = field(default_factory=Hooks)

    # What a person says of one order, and no file.

    csr: str | None = None
    """A certificate request, PEM, which has names and key."""
    key: str | None = field(default=None, repr=False)
    """The key to use, PEM, instead of a new one."""
    not_before: datetime | None = None
    not_after: datetime | None = None
    keeps_names: bool = False
    """Whether it goes on naming what it names, as lego has it: a shorter list loses none."""
    at_once: bool = False
    """Whether somebody waits for it: after failures, and for limits, it does not wait then."""
    missing: str = ""
    """What is not known of how it is asked for: it cannot be renewed then."""
    request: Mapping[str, Any] | None = None
    """What is kept with it, so that a later command asks for it likewise."""


@dataclass(frozen=True)
class Configuration:
    """All that a file says."""

    file: str
    storage: str | None
    certificates: tuple[Managed, ...]
