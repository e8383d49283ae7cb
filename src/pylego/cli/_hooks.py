"""Hooks of `pylego obtain` and `pylego renew`: lego's flags, for programs without a shell."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pylego.cli._frame import WrongUse, option
from pylego.cli._options import duration, fitting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pylego.renewal import Hook, Hooks

TIMEOUT = 120.0
"""Seconds that a hook may take: lego's."""


def _timeout(name: str) -> Any:
    return option(f"{name}-timeout", parser=duration, about="How long it may take.")


@dataclass(frozen=True)
class HookFlags:
    """Programs to run around an order, with lego's LEGO_HOOK_* variables."""

    pre_hook: Annotated[
        str | None, option("--pre-hook", about="A program to run before a certificate is ordered.")
    ] = None
    pre_hook_timeout: Annotated[float, _timeout("--pre-hook")] = TIMEOUT
    deploy_hook: Annotated[
        str | None, option("--deploy-hook", about="A program to run when a new one is there.")
    ] = None
    deploy_hook_timeout: Annotated[float, _timeout("--deploy-hook")] = TIMEOUT
    post_hook: Annotated[
        str | None, option("--post-hook", about="A program to run afterwards, in any case.")
    ] = None
    post_hook_timeout: Annotated[float, _timeout("--post-hook")] = TIMEOUT

    def remembered(self) -> dict[str, Any]:
        """Return them, to be kept for renewals."""
        return asdict(self)

    def or_those(self, told: Mapping[str, Any]) -> HookFlags:
        """Return these, or what `remembered` returned if there are none."""
        if self != HookFlags() or not told:
            return self
        kept = HookFlags(**fitting(HookFlags, told))
        with suppress(WrongUse):
            kept.check()
            return kept
        return self

    def check(self) -> None:
        """Refuse what is no program with arguments."""
        for flag, text in (
            ("--pre-hook", self.pre_hook),
            ("--deploy-hook", self.deploy_hook),
            ("--post-hook", self.post_hook),
        ):
            try:
                empty = text is not None and not _words(text)
            except ValueError as error:
                raise WrongUse(f"{flag}: {error}") from None
            if empty:
                raise WrongUse(f"{flag} names no program")

    def hooks(self) -> Hooks:
        """Return them as the manager runs them; who asks does not wait for one that failed."""
        from pylego.renewal import Hooks

        return Hooks(
            _hook(self.pre_hook, self.pre_hook_timeout),
            _hook(self.deploy_hook, self.deploy_hook_timeout),
            _hook(self.post_hook, self.post_hook_timeout),
            patient=False,
        )


def _hook(command: str | None, timeout: float) -> Hook | None:
    from pylego.renewal import Hook

    return None if command is None else Hook(tuple(_words(command)), timeout)


def _words(command: str) -> list[str]:
    """Split a command as a shell does it; the backslashes of a path of Windows are its own."""
    if sys.platform != "win32":
        return shlex.split(command)
    lexer = shlex.shlex(command, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    return list(lexer)
