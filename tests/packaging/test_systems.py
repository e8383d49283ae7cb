"""Every module can be imported on systems that lack what Linux has; mypy looks at what they call.

And what tests/systems.py has run there uses nothing that is not there.
"""

import fnmatch
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import systems

TESTS = Path(__file__).resolve().parents[1]

EVERY = [file for file in TESTS.rglob("test_*.py") if file.parent.name != "wheels"]
"""Those of tests/wheels are for one machine, and run by themselves."""

IMPORT = """
import asyncio, concurrent.futures, ctypes, importlib, logging, os, pkgutil, select, signal
import socket, subprocess, sys, tempfile, typing
import pytest, rich.console, typer

MISSING = {
    "win32": (
        (os, "fork register_at_fork environb set_blocking killpg geteuid getuid fchmod O_NOFOLLOW "
             "O_DIRECTORY O_NONBLOCK O_CLOEXEC getpgid setsid"),
        (signal, "SIGKILL SIGCHLD SIGHUP SIGPIPE SIGXFSZ SIGALRM SIGUSR1 pause pthread_sigmask"),
        (select, "poll"),
        (socket, "AF_UNIX"),
    ),
    "darwin": ((os, "pidfd_open"), (signal, "pidfd_send_signal")),
}
for module, names in MISSING[sys.argv[1]]:
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
if sys.argv[1] == "win32":
    os.supports_dir_fd.clear()
    for name in ("fcntl", "resource", "termios", "tty", "pty", "pwd", "grp"):
        sys.modules[name] = None  # importing it fails
sys.platform = sys.argv[1]

import pylego

for module in pkgutil.walk_packages(pylego.__path__, "pylego."):
    importlib.import_module(module.name)
    print(module.name)
"""


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_every_module_can_be_imported(system):
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, system], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "pylego._engine.process" in done.stdout
    assert "pylego.storage._folder" in done.stdout


LACKED = {
    "win32": re.compile(
        r"""^\s*(import|from)\ (fcntl|resource|termios|tty|pty|pwd|grp)\b
        | \bos\.(fork|mkfifo|killpg|get(e)?uid|setsid|umask|fchmod)\b
        | \bsignal\.(SIGKILL|SIGCHLD|SIGHUP|SIGPIPE|SIGALRM|SIGUSR\d|setitimer|pause)\b
        | \bselect\.poll\b | \bsocket\.AF_UNIX\b | "/(proc|dev|bin)/
        | \bdef\ test_\w+\([^)]*\b(program|guest_program|lifeline|started)\b
        | \bstat\.S_IMODE\b | \.symlink_to\( | \#!/bin/""",
        re.MULTILINE | re.VERBOSE,
    ),
    "darwin": re.compile(r'"/proc|CDLL|\bunshare\b'),
}


@pytest.mark.parametrize("system", LACKED)
def test_what_is_run_there_uses_nothing_that_it_lacks(system):
    every = [file.relative_to(TESTS).as_posix() for file in EVERY]
    passed_over = systems.LACKED[system]
    assert [each for each in passed_over if not fnmatch.filter(every, each)] == []
    run = [file for file in every if not any(fnmatch.fnmatch(file, each) for each in passed_over)]
    assert len(run) > 40
    wanting = {
        file: found[0]
        for file in run
        if (found := LACKED[system].search((TESTS / file).read_text()))
    }
    assert wanting == {}


IMPORTED = re.compile(r"^from (tests[\w.]*) import (?:\(\s*)?([\w, \n]+)", re.MULTILINE)
LOADED = re.compile(r"^(?:import|from) (?:fcntl|resource|termios|tty|pty|pwd|grp)\b", re.MULTILINE)


def helpers(file, known):
    """Add what a file imports of the tests' own, and what that imports."""
    for module, names in IMPORTED.findall(file.read_text()):
        folder = TESTS.parent.joinpath(*module.split("."))
        for helper in (folder, *(folder / name.strip() for name in names.split(","))):
            path = helper.with_suffix(".py")
            if path.is_file() and path not in known:
                known.add(path)
                helpers(path, known)
    return known


def test_what_the_tests_on_windows_import_loads_there():
    passed_over = systems.LACKED["win32"]
    loaded = {TESTS / "conftest.py"}
    for file in EVERY:
        name = file.relative_to(TESTS).as_posix()
        if not any(fnmatch.fnmatch(name, each) for each in passed_over):
            loaded |= {file, *file.parent.glob("conftest.py")} | helpers(file, set())
            for each in file.parent.glob("conftest.py"):
                helpers(each, loaded)
    assert TESTS / "servers/process.py" in loaded
    assert [str(each) for each in loaded if LOADED.search(each.read_text())] == []
