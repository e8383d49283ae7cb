"""Pythons that have a wheel of dist/, and how they are run."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"

FOREIGN = ROOT / "build/foreign"
"""What the emulators run: unpacked once, and kept until `make clean`."""

ALL = 3
"""What the demo obtains: by HTTP-01, TLS-ALPN-01 and DNS-01, the last by a provider of lego's."""

RUN_TIME = 900
"""Seconds: an emulator on a busy machine takes less, a program that hangs more."""


def run(line, env=None):
    """Run a command to its end; return what it printed, or fail with all that it said."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYLEGO_")}
    done = subprocess.run(
        [str(word) for word in line],
        env={**ours, **(env or {})},
        cwd="/",  # which each has, in a root of its own too
        input="",  # Wine's Python does not start without a stdin that it knows
        capture_output=True,
        text=True,
        timeout=RUN_TIME,
        check=False,
    )
    if done.returncode:
        said = done.stdout + done.stderr
        pytest.fail(f"{' '.join(map(str, line))} ended with {done.returncode}:\n{said}")
    return done.stdout


def missing(reason):
    """Skip what this machine cannot run; CI has to have everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def tool(name):
    """Find a program."""
    return shutil.which(name) or missing(f"{name} is not on this machine")


def wheel_for(tag):
    """Find a platform's wheel."""
    found = [*DIST.glob(f"pylego-*-{tag}.whl")]
    return found[0] if found else missing(f"dist/ has none for {tag}: run `make wheels`")


@dataclass(frozen=True)
class Guest:
    """A Python, perhaps an emulated one, and the folder where it has pylego of a wheel."""

    python: tuple
    folder: Path
    env: dict = field(default_factory=dict)
    command: tuple = ("-c", "from pylego.cli import main; main()")

    @property
    def tag(self):
        """The platform that the wheel is for, by its own word."""
        [told] = self.folder.glob("pylego-*.dist-info/WHEEL")
        return re.search(r"^Tag: py3-none-(.+)$", told.read_text(), re.MULTILINE)[1]

    @property
    def artefacts(self):
        return self.folder / "pylego/_bin"

    def launch(self, line):
        """Have `lego` started by a line of sh, where $lego is what the wheel has, in a folder of its own."""
        lego = self.artefacts / "lego"
        root = self.folder / "root"
        root.mkdir()
        real = lego.rename(root / "lego")
        lego.write_text(f"#!/bin/sh\nlego={real}\n{line}\n")
        for each in (lego, real):
            each.chmod(0o755)
        return self

    def run(self, *arguments, **variables):
        return run([*self.python, *arguments], {**self.env, **variables})

    def demo(self):
        """Obtain a certificate by each challenge from the embedded CA; return how many were verified."""
        return self.run(*self.command, "demo").count("verified against the CA's root")
