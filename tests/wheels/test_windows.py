"""The wheel for Windows, on a Python for Windows, which Wine runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wheels.guests import FOREIGN, run, tool

HERE = Path(__file__).parent


def on_windows(path):
    """Wine shows this machine's files as those of a drive."""
    return f"z:{path}".replace("/", "\\")


@pytest.fixture(scope="module")
def wine():
    """Tell Wine where its own folder is, which is made at the first time."""
    tool("wine")
    prefix = FOREIGN / "wine"
    env = {"WINEPREFIX": str(prefix), "WINEDEBUG": "-all"}
    library = prefix / "drive_c/windows/system32/bcryptprimitives.dll"
    if not library.exists():
        prefix.mkdir(parents=True, exist_ok=True)
        run(["wine", "wineboot", "--init"], env)
        zig = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu"]
        source = HERE / "bcryptprimitives.c"
        run([*zig, "-shared", "-nostdlib", "-o", library, source, "-ladvapi32"])
    return env


@pytest.fixture(scope="module")
def windows(wine, foreign_python, install, tmp_path_factory):
    python = ("wine", foreign_python("windows", "mvn", "unzip") / "python.exe")
    folder = tmp_path_factory.mktemp("windows")
    return install("win_amd64", python, folder, env=wine, place=on_windows)


@pytest.fixture(scope="module")
def ca(install, tmp_path_factory):
    """Run the embedded CA on this machine's Python: Wine 8 has no UDP for its name server."""
    guest = install("manylinux_2_17_x86_64", (sys.executable,), tmp_path_factory.mktemp("ca"))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    line, env = [*guest.python, HERE / "ca.py"], {**os.environ, **guest.env}
    with subprocess.Popen(line, env=env, **pipes) as program:
        yield program.stdout.readline()
        program.stdin.close()  # which ends it


def test_pip_chooses_the_wheel_and_it_obtains_certificates(windows, ca):
    told = windows.run(on_windows(HERE / "windows_certificates.py"), CA=ca)
    assert told.split() == [f"host{number}.example" for number in range(3)]


def test_the_engine_inherits_no_file_and_opens_no_window(windows):
    told = windows.run(on_windows(HERE / "windows_files.py")).splitlines()
    new_group_and_no_window = "['0x8000200']"
    assert told == [
        "an heir keeps it: True",
        "the engine does not: True",
        f"its flags: {new_group_and_no_window}",
    ]


def test_the_engine_ends_with_its_parent_though_another_keeps_its_pipe(windows):
    told = windows.run(on_windows(HERE / "windows_orphan.py")).splitlines()
    assert told == ["it lives: True", "it ends: True"]


def test_the_command_keeps_certificates_renews_them_and_runs_hooks(windows, ca, tmp_path):
    told = json.loads(ca)
    (tmp_path / "root.pem").write_text(told["trust_root"])
    hook = tmp_path / "hook.bat"
    hook.write_text("@echo %LEGO_HOOK_CERT_NAME% %1>>%~dp0told.txt\r\n")

    def pylego(*arguments):
        variables = {
            "LEGO_CA_CERTIFICATES": on_windows(tmp_path / "root.pem"),
            "LEGO_PATH": on_windows(tmp_path / "lego"),
            "LEGO_SERVER": told["directory"],
        }
        return windows.run(*windows.command, *arguments, **variables)

    listening = ("--http", "--http.address", f"127.0.0.1:{told['http_port']}")
    deploy = ("--deploy-hook", f"{on_windows(hook)} 'two words'")
    pylego("obtain", "a.example", "--accept-tos", *listening, *deploy)
    pylego("renew", "--renew-force")
    [listed] = json.loads(pylego("certificates", "list", "--json"))["certificates"]
    assert listed["names"] == ["a.example"]
    assert (tmp_path / "told.txt").read_text().split("\n") == ['a.example "two words"'] * 2 + [""]
    store = on_windows(tmp_path / "lego")
    said = windows.run(on_windows(HERE / "windows_store.py"), STORE=store)
    assert said.splitlines() == ["read: True left: 19", "[]"]


def test_a_hook_that_is_stopped_ends_with_what_it_has_started(windows):
    told = windows.run(on_windows(HERE / "windows_hooks.py")).splitlines()
    assert told == ["it lives: True", "cancelled", "it ends: True"]
