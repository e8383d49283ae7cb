"""Moves the tree to another version of lego: `make upgrade-lego VERSION=vX.Y.Z`.

With a version it writes what names it: go.mod and go.sum of the engine and of the benchmark's
floor, and docs/lego.md. Nothing is written before all modules have been downloaded, so a version
that cannot be had leaves the tree as it was. Without one it tells what is different since the last
commit and has to be looked at by a person.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LEGO = "github.com/go-acme/lego/v5"
MODULES = (ROOT / "engine", ROOT / "benchmarks/go")
PAGE = ROOT / "docs/lego.md"
CATALOGUE = "src/pylego/providers.json"

BY_HAND = """
Look at these by hand, then run `make test`:
- docs/lego.md: commands and flags that lego has gained or lost. What the tests below say of the
  page is missing in it, or too much.
- engine/tools/catalogue/tables.go: what the constructors of the providers above take, where they
  take one set of variables or another; which of them keep records in memory.
- docs/benchmark.md tells the version that was measured: `make bench` measures this one.
- lego's own changelog: what the engine does in its own way (engine/acme, issuance, dnssolver).
"""


def go(*arguments: str, folder: Path) -> str:
    """Run Go with the user's proxies and caches; it may change go.mod there."""
    settings = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOWORK": "off"}
    done = subprocess.run(
        ["go", *arguments],
        cwd=folder,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = re.sub(r"^go: downloading .*\n", "", done.stdout + done.stderr, flags=re.MULTILINE)
        raise SystemExit(f"{said}go {' '.join(arguments)}: failed. Nothing was changed.")
    return done.stdout


def sums_of_lego(version: str, folder: Path) -> set[str]:
    """The lines of lego's own go.sum: the checksum database does not know all of its modules."""
    had = json.loads(go("mod", "download", "-json", f"{LEGO}@{version}", folder=folder))
    return set((Path(had["Dir"]) / "go.sum").read_text().splitlines())


def resolved(module: Path, version: str, scratch: Path) -> dict[Path, str]:
    """What go.mod and go.sum of a module become: made in a copy, by downloading everything."""
    copy = scratch / module.relative_to(ROOT)
    shutil.copytree(module, copy)
    sums = set((copy / "go.sum").read_text().splitlines()) | sums_of_lego(version, copy)
    (copy / "go.sum").write_text("".join(f"{line}\n" for line in sorted(sums)))
    go("mod", "edit", f"-require={LEGO}@{version}", folder=copy)
    go("mod", "tidy", folder=copy)
    return {module / name: (copy / name).read_text() for name in ("go.mod", "go.sum")}


def move(version: str) -> None:
    """Write all that names the version, once it is known to be there."""
    with tempfile.TemporaryDirectory() as scratch:
        files: dict[Path, str] = {}
        for module in MODULES:
            files |= resolved(module, version, Path(scratch))
    old = re.search(rf"{re.escape(LEGO)} v(\S+)", (MODULES[0] / "go.mod").read_text())
    assert old, "engine/go.mod does not require lego"
    files[PAGE] = PAGE.read_text().replace(f"lego {old[1]} ", f"lego {version[1:]} ")
    for path, content in files.items():
        path.write_text(content)


def providers(text: str) -> dict[str, dict[str, Any]]:
    """The catalogue's providers by their codes."""
    return {each["code"]: each for each in json.loads(text)["providers"]}


def told(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> list[str]:
    """A line for each provider that has come, gone, or wants something else."""
    lines = [f"{code} is gone" for code in before if code not in after]
    for code, now in after.items():
        if code not in before:
            lines.append(f"{code} is new ({now['name']}): {credentials(now)}")
            continue
        was = before[code]
        names = {each["name"] for each in now["variables"]}
        old_names = {each["name"] for each in was["variables"]}
        changes = [f"+{name}" for name in sorted(names - old_names)]
        changes += [f"-{name}" for name in sorted(old_names - names)]
        if now["ways"] != was["ways"]:
            changes.append(credentials(now))
        changes += [
            f"{key}: {now[key]}"
            for key in ("aliases", "sequential", "remembers")
            if now[key] != was[key]
        ]
        if changes:
            lines.append(f"{code}: {', '.join(changes)}")
    return lines


def credentials(provider: dict[str, Any]) -> str:
    """What a provider wants, as the catalogue has it."""
    ways = [" and ".join("/".join(names) for names in way) for way in provider["ways"]]
    return f"wants {' or '.join(ways)}" if ways else "what it wants is not certain"


def report() -> None:
    """Tell what is another since the last commit, and what no program can decide."""
    shown = ["git", "show", f"HEAD:{CATALOGUE}"]
    before = subprocess.run(shown, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = told(providers(before), providers((ROOT / CATALOGUE).read_text()))
    if lines:
        print("lego's DNS providers are others:", *lines, sep="\n- ")
    else:
        print("lego's DNS providers want what they wanted.")
    print(BY_HAND)


def main(arguments: list[str]) -> None:
    """Move, or tell."""
    if not arguments:
        report()
    elif re.fullmatch(r"v5\.\d+\.\d+(-[0-9A-Za-z.-]+)?", arguments[0]) and not arguments[1:]:
        move(arguments[0])
    else:
        raise SystemExit(f"{arguments[0]!r} is no version of lego's, such as v5.3.1")


if __name__ == "__main__":
    main(sys.argv[1:])
