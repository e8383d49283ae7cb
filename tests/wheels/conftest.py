"""The wheels of dist/, installed and run: on this machine, in an empty root, by qemu and by Wine.

`make test-wheels` runs these tests alone, from an environment that has no pylego.
"""

import re
import sys
from pathlib import Path

import pip
import pytest

from tests.wheels.guests import DIST, FOREIGN, ROOT, Guest, run, tool, wheel_for

PIP = Path(pip.__file__).parent
"""This environment's own: any Python can run the folder, and it then chooses for that one."""


@pytest.fixture(scope="session")
def extras(tmp_path_factory):
    """A folder with what `pylego[cli]` needs besides, for every platform and Python."""
    folder = tmp_path_factory.mktemp("extras")
    told = (ROOT / "pyproject.toml").read_text()
    wanted = re.findall(r'"([^";]+)[^"]*"', re.search(r"^cli = \[(.+)\]$", told, re.MULTILINE)[1])
    pure = ["--only-binary=:all:", "--platform=any", "--abi=none", "--python-version=3.10"]
    line = [sys.executable, PIP, "download", "--quiet", "--dest", folder, *pure]
    run([*line, *wanted, "colorama"])  # which Windows needs
    return folder


@pytest.fixture(scope="session")
def install(extras):
    """Have a Python's pip choose the wheel of that tag among all of dist/.

    One that has a pip installs for itself; another is lent ours, and finds in a
    folder what that has installed there. `place` is how it calls our paths.
    """

    def install(tag, python, folder, *options, lent=True, env=None, place=str):
        wheel_for(tag)
        env = {"PIP_FIND_LINKS": "", **(env or {})}
        line = [*python, *([place(PIP)] if lent else ["-m", "pip"]), "install", *options]
        found = ["--no-index", f"--find-links={place(DIST)}", f"--find-links={place(extras)}"]
        into = [f"--target={place(folder)}"] if lent else []
        run([*line, "--quiet", "--no-compile", *found, *into, "pylego[cli]"], env)
        guest = Guest(python, folder, {**env, "PYTHONPATH": place(folder)} if lent else env)
        assert guest.tag == tag
        return guest

    return install


@pytest.fixture(scope="session")
def foreign_python():
    """Bring a Python of another platform here, if its emulator is."""

    def find(platform, *wanted):
        for name in wanted:
            tool(name)
        folder = FOREIGN / platform
        if not folder.exists():
            run([ROOT / "tools/foreign-python", platform, folder])
        return folder

    return find
