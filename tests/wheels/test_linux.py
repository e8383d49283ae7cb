"""The wheels for Linux: on this machine's Pythons, in an empty root, and on aarch64 by qemu."""

import dataclasses
import platform
import re
import subprocess
import sys

import pytest

from tests.wheels.guests import ALL, ROOT, missing, run, tool

ENGINE = """
import pylego, pylego._engine as engine, pylego.testing
with pylego.testing.ACMEServer() as server:
    print([type(each._transport).__name__ for each in engine._engines.values()])
"""

pytestmark = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="this machine is no Linux on x86-64, whose kernel and emulators these tests need",
)


OLDEST, NEWEST = ("3.10",), ("3.14", "3.13", "3.12", "3.11")


@pytest.fixture(scope="module", params=[OLDEST, NEWEST], ids=["oldest", "newest"])
def native(request, install, tmp_path_factory):
    """The oldest and the machine's newest Python, each with an environment that was made for this."""
    found = (run([ROOT / "tools/find-python", version]).strip() for version in request.param)
    python = next(filter(None, found), None) or missing(f"no Python {' or '.join(request.param)}")
    folder = tmp_path_factory.mktemp("venv")
    run([python, "-m", "venv", folder])
    python = (folder / "bin/python",)
    [packages] = folder.glob("lib/python*/site-packages")
    guest = install("manylinux_2_17_x86_64", python, packages, lent=False)
    return dataclasses.replace(guest, command=(folder / "bin/pylego",))


def test_pip_chooses_the_wheel_for_glibc_and_its_command_obtains_certificates(native):
    assert native.run("-c", ENGINE) == "['Library']\n"
    assert native.demo() == ALL


def test_without_the_library_the_same_comes_over_pipes(native):
    library = native.artefacts / "lego.so"
    hidden = library.rename(native.folder / "lego.so")
    try:
        assert native.run("-c", ENGINE) == "['Process']\n"
        assert native.demo() == ALL
    finally:
        hidden.rename(library)


# Where there is nothing else: no loader, no C library, no /etc. Go itself opens /dev/null.
IN_AN_EMPTY_ROOT = """
root=${lego%/*}
mkdir -p "$root/dev" && touch "$root/dev/null"
exec unshare --map-root-user --mount sh -c '
    mount --bind /dev/null "$0/dev/null" && exec chroot "$0" /lego "$@"
' "$root" "$@"
"""

# By -0 the engine finds itself here, and starts its hosts so, too.
BY_QEMU = 'exec qemu-aarch64-static -0 "$0" "$lego" "$@"'


@pytest.fixture(scope="module")
def for_musl(install, tmp_path_factory):
    """Install the wheel of a machine with musl where a Python of this one finds it."""

    def install_for_musl(machine):
        tag = f"musllinux_1_2_{machine}"
        as_if = ("--only-binary=:all:", f"--platform={tag}")
        return install(tag, (sys.executable,), tmp_path_factory.mktemp(tag), *as_if)

    return install_for_musl


@pytest.fixture(scope="module")
def alone(for_musl):
    """Its `lego` finds no file but itself."""
    if subprocess.run(
        [tool("unshare"), "--map-root-user", "--mount", "true"], check=False
    ).returncode:
        missing("nobody may have a root of their own on this machine")
    return for_musl("x86_64").launch(IN_AN_EMPTY_ROOT)


@pytest.fixture(scope="module")
def emulated(for_musl):
    tool("qemu-aarch64-static")
    return for_musl("aarch64").launch(BY_QEMU)


@pytest.fixture(params=["alone", "emulated"])
def musl(request):
    return request.getfixturevalue(request.param)


def test_the_engine_of_the_wheels_for_musl_needs_no_system_and_is_spoken_to_by_pipes(musl):
    assert re.match(r"lego version \S+ linux/", run([musl.artefacts / "lego", "--version"]))
    assert musl.run("-c", ENGINE) == "['Process']\n"
    assert musl.demo() == ALL


@pytest.fixture(scope="module")
def aarch64(foreign_python, install, tmp_path_factory):
    """Debian's Python for aarch64, and the wheel that a pip chooses there."""
    root = foreign_python("aarch64", "qemu-aarch64-static", "apt-get", "dpkg-deb")
    python = ("qemu-aarch64-static", "-L", root, root / "usr/bin/python3")
    folder = tmp_path_factory.mktemp("aarch64")
    return install("manylinux_2_17_aarch64", python, folder).launch(BY_QEMU)


def test_on_aarch64_pip_chooses_the_wheel_with_the_library_and_it_obtains_certificates(aarch64):
    assert aarch64.run("-c", ENGINE) == "['Library']\n"
    assert aarch64.demo() == ALL
