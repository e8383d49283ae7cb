"""Makes what a benchmark needs, under build/bench: servers, peers, their environments."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "bench"
GO = HERE / "go"

PEBBLE = "github.com/letsencrypt/pebble/v2"
PEER_TIME = 900  # seconds for one download or compilation


class Unavailable(Exception):
    """A peer cannot be had here; the text says why, for its place in the table."""


@dataclass(frozen=True)
class Servers:
    """Executables and certificates of the servers, without which there is no benchmark."""

    pebble: Path
    names: Path
    delay: Path
    floor: Path
    csr: Path
    certificate: Path
    key: Path
    trust: Path


def servers() -> Servers:
    """Build Pebble, a DNS server for it, the delaying proxy and the floor."""
    programs = BUILD / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    packages = [f"{PEBBLE}/cmd/pebble", "./names", "./floor", "./delay", "./csr"]
    try:
        _go("build", "-o", f"{programs}/", *packages)
        folder = Path(_go("list", "-m", "-f", "{{.Dir}}", PEBBLE).strip())
    except Unavailable as error:
        raise SystemExit(f"the benchmark's servers cannot be built: {error}") from error
    # The certificate that Pebble ships for tests like this one; 127.0.0.1 is in it.
    certificates = folder / "test" / "certs"
    return Servers(
        pebble=programs / "pebble",
        names=programs / "names",
        delay=programs / "delay",
        floor=programs / "floor",
        csr=programs / "csr",
        certificate=certificates / "localhost" / "cert.pem",
        key=certificates / "localhost" / "key.pem",
        trust=certificates / "pebble.minica.pem",
    )


def acmez() -> Path:
    """Build the acmez program, a module of its own: acmez asks for a newer Go than the rest."""
    program = BUILD / "bin" / "acmez"
    _go("build", "-o", str(program), ".", folder=GO / "acmez")
    return program


def certbot() -> Path:
    """Install certbot, and its plugin for dynamic updates."""
    packages = "certbot>=5.8", "certbot-dns-rfc2136>=5.8"
    return _environment("certbot", *packages) / "bin" / "certbot"


def bind() -> Path:
    """Find BIND's server, which a path of the user's need not have: Debian puts it in sbin."""
    found = shutil.which("named", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Unavailable("BIND is not installed")
    return Path(found)


def old_pylego() -> Path:
    """Install pylego 0.1.49; return that environment's Python."""
    return _environment("pylego-0.1.49", "pylego==0.1.49") / "bin" / "python"


def old_wheel() -> Path:
    """Download the wheel of pylego 0.1.49, to weigh it."""
    folder = BUILD / "wheel"
    if not (found := list(folder.glob("*.whl"))):
        pip = [str(old_pylego()), "-m", "pip", "download", "--quiet", "--no-deps"]
        _run([*pip, "--dest", str(folder), "pylego==0.1.49"])
        found = list(folder.glob("*.whl"))
    return found[0]


def our_wheel() -> Path:
    """Find the wheel that the tests run on."""
    wheels = sorted((ROOT / "build/wheel").glob("*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        raise Unavailable("no wheel in build/wheel/")
    return wheels[-1]


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment for another Python, whose packages must be its own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {**kept, **more}


def go_version() -> str:
    """Tell which Go builds the programs."""
    return _go("env", "GOVERSION").strip().removeprefix("go")


def _environment(name: str, *requirements: str) -> Path:
    folder = BUILD / name
    done = folder / ".installed"
    wanted = "\n".join(requirements)
    if not done.exists() or done.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements])
        done.write_text(wanted)
    return folder


def _go(*arguments: str, folder: Path = GO) -> str:
    # A Go from PyPI is beside the Python that runs us.
    path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    environment = {
        **os.environ,
        "PATH": path,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    go = shutil.which("go", path=path)
    if go is None:
        raise Unavailable("Go is not installed")
    return _run([go, *arguments], environment=environment, folder=folder)


def _run(
    command: list[str], *, environment: dict[str, str] | None = None, folder: Path | None = None
) -> str:
    try:
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True,
            timeout=PEER_TIME, check=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{Path(command[0]).name} took more than {PEER_TIME} s") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip() or "no message").splitlines()[-1]
        raise Unavailable(last) from error
    return done.stdout


def request(programs: Servers, *names: str) -> str:
    """Make a certificate request, PEM."""
    return _run([str(programs.csr), *names])
