"""The flags of hooks: how a command is split into a program and its arguments."""

from types import SimpleNamespace

import pytest

pytest.importorskip("typer")


@pytest.mark.parametrize(
    ("system", "told", "command"),
    [
        ("linux", r"reload 'two words' a\ b", ("reload", "two words", "a b")),
        ("win32", r"'C:\My Programs\reload.bat' C:\a", (r"C:\My Programs\reload.bat", r"C:\a")),
        ("win32", r'"C:\My Programs\\reload.bat"', (r"C:\My Programs\\reload.bat",)),
    ],
)
def test_a_command_is_split_as_by_a_shell_but_for_the_paths_of_windows(
    monkeypatch, system, told, command
):
    from pylego.cli import _hooks

    monkeypatch.setattr(_hooks, "sys", SimpleNamespace(platform=system))
    flags = _hooks.HookFlags(deploy_hook=told)
    flags.check()
    assert flags.hooks().deploy.command == command
