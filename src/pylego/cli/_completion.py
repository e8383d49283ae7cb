"""What a shell offers for the values of options, and which shell it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

FLAGS = ("--install-completion", "--show-completion")
"""typer's. It takes the shell that started the program, or else its name; we take either."""

BY_NAME = "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"
"""The variable that has typer take a name."""


def with_shell(arguments: Sequence[str]) -> list[str]:
    """Name the shell where completion is asked for and none is named: that which started us."""
    given = list(arguments)
    if given and given[0] in FLAGS:
        os.environ[BY_NAME] = "1"
        if len(given) == 1:
            given += _shell()
    return given


def _shell() -> list[str]:
    """Find it; none where no shell has started us, and typer says then that one is wanted."""
    from importlib import import_module

    shells: Any = import_module("shellingham")  # typer's, which has no types
    try:
        name, _ = shells.detect_shell()
    except shells.ShellDetectionFailure:
        return []
    return [name]


def provider(incomplete: str) -> list[str]:
    """Find lego's DNS providers whose names begin so."""
    from pylego._providers import providers

    return [name for name in providers.names if name.startswith(incomplete)]


def authority(incomplete: str) -> list[str]:
    """Find lego's codes of CAs that begin so."""
    from pylego import _engine

    known = _engine.run(_engine.Call("authorities", {}))["authorities"]
    return [each["code"] for each in known if each["code"].startswith(incomplete)]
