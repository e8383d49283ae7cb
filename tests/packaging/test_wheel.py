"""The built wheel, looked at from outside: PYLEGO_WHEEL, of any platform, or this machine's."""

import json
import os
import re
import stat
import struct
import sys
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROMISED_GLIBC = os.environ.get("PYLEGO_GLIBC")

MACHINES = {
    ("ELF", 0x3E): ("x86_64",),
    ("ELF", 0xB7): ("aarch64",),
    ("Mach-O", 0x0100_0007): ("x86_64",),
    ("Mach-O", 0x0100_000C): ("arm64",),
    ("PE", 0x8664): ("amd64",),
}


def machine_of(program):
    """Read a program's format, and its number there for the machine."""
    if program.startswith(b"\x7fELF"):
        return "ELF", *struct.unpack_from("<H", program, 18)
    if program.startswith(b"\xcf\xfa\xed\xfe"):
        return "Mach-O", *struct.unpack_from("<I", program, 4)
    (header,) = struct.unpack_from("<I", program, 60)
    assert program[header : header + 4] == b"PE\0\0"
    return "PE", *struct.unpack_from("<H", program, header + 4)


PT_DYNAMIC, PT_INTERP = 2, 3


def segments(program):
    """Read the types of an ELF file's program headers."""
    (start,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    return [
        kind
        for (kind,) in struct.iter_unpack(f"<I{size - 4}x", program[start : start + size * count])
    ]


def oldest_macos(program):
    """Read LC_BUILD_VERSION of a Mach-O file."""
    (commands,) = struct.unpack_from("<I", program, 16)
    offset = 32
    for _ in range(commands):
        command, size, _, version = struct.unpack_from("<IIII", program, offset)
        if command == 0x32:
            return version >> 16, version >> 8 & 0xFF
        offset += size
    raise AssertionError("it tells no version")


@pytest.fixture(scope="module")
def wheel_path():
    named = os.environ.get("PYLEGO_WHEEL")
    found = [Path(named)] if named else sorted((ROOT / "build/wheel").glob("*.whl"))
    if not found:
        pytest.skip("no wheel: `make test` builds one")
    return found[-1]


@pytest.fixture(scope="module")
def wheel(wheel_path):
    with zipfile.ZipFile(wheel_path) as archive:
        yield archive


@pytest.fixture(scope="module")
def names(wheel_path):
    """What `_bin` holds on the wheel's platform."""
    if "win_" in wheel_path.name:
        return {"lego.exe"}
    glibc = re.search(r"-(many)?linux_", wheel_path.name)
    return {"lego", "lego.so", "pylego.h"} if glibc else {"lego"}


@pytest.fixture(scope="module")
def artefacts(wheel, names):
    inside = {f"pylego/_bin/{name}" for name in names - {"pylego.h"}}
    return {name: wheel.read(name) for name in inside}


def test_it_holds_what_its_platform_runs_and_licences_and_types(wheel, names):
    found = {re.sub(r"^pylego-[^/]*\.dist-info", "INFO", name) for name in wheel.namelist()}
    assert found >= {
        "pylego/__init__.py",
        "pylego/py.typed",
        "pylego/dns.pyi",
        "pylego/providers.json",
        "INFO/licenses/LICENSE",
        "INFO/licenses/NOTICE",
    }
    inside = {name for name in wheel.namelist() if name.startswith("pylego/_bin/")}
    assert inside == {f"pylego/_bin/{name}" for name in names}


def test_one_wheel_serves_every_python(wheel, wheel_path):
    tag = r"(manylinux_2_17|linux|musllinux_1_2)_(x86_64|aarch64)|macosx_1[23]_0_(arm64|x86_64)|win_amd64"
    found = re.search(rf"-py3-none-({tag})\.whl$", wheel_path.name)
    assert found
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/WHEEL"))
    told = wheel.read(metadata).decode().splitlines()
    assert "Root-Is-Purelib: false" in told
    assert [line for line in told if line.startswith("Tag:")] == [f"Tag: py3-none-{found[1]}"]


def test_one_to_publish_names_its_c_library(wheel_path):
    if not PROMISED_GLIBC:
        pytest.skip("a local build is for this machine's C library")
    assert "-linux_" not in wheel_path.name, "no index takes it"


def test_its_programs_are_for_the_machines_of_its_tag(wheel_path, artefacts):
    machine = wheel_path.stem.rpartition("-")[2]
    for name, content in artefacts.items():
        assert machine.endswith(MACHINES[machine_of(content)]), name


def test_its_programs_run_on_the_oldest_macos_of_its_tag(wheel_path, artefacts):
    promised = re.search(r"macosx_(\d+)_(\d+)", wheel_path.name)
    if not promised:
        pytest.skip("it is not for macOS")
    for content in artefacts.values():
        assert oldest_macos(content) <= (int(promised[1]), int(promised[2]))


def test_its_bill_of_materials_names_what_is_linked(wheel):
    (name,) = (name for name in wheel.namelist() if "/sboms/" in name)
    bill = json.loads(wheel.read(name))
    assert bill["bomFormat"] == "CycloneDX"
    listed = {each["name"]: each for each in bill["components"]}
    assert listed.keys() >= {"std", "github.com/go-acme/lego/v5", "github.com/miekg/dns"}
    for each in listed.values():
        assert each["purl"] == f"pkg:golang/{each['name']}@{quote(each['version'])}"


def test_its_bill_of_materials_tells_what_has_built_it(wheel, artefacts):
    (name,) = (name for name in wheel.namelist() if "/sboms/" in name)
    tools = json.loads(wheel.read(name))["metadata"]["tools"]["components"]
    versions = {each["name"]: each["version"] for each in tools}
    by_zig = PROMISED_GLIBC and "pylego/_bin/lego.so" in artefacts
    assert versions.keys() >= {"go", "hatchling"} | ({"zig"} if by_zig else set())
    assert all(f"go{versions['go']}".encode() in content for content in artefacts.values())


def test_it_needs_no_other_package(wheel):
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    required = re.findall(r"^Requires-Dist: .*", wheel.read(metadata).decode(), re.MULTILINE)
    assert [line for line in required if "extra ==" not in line] == []


def test_it_is_smaller_than_27_mb(wheel_path):
    assert wheel_path.stat().st_size < 27_000_000


def test_lego_can_be_executed(wheel, artefacts):
    (name,) = (name for name in artefacts if not name.endswith(".so"))
    mode = wheel.getinfo(name).external_attr >> 16
    assert stat.S_IMODE(mode) == 0o755


def test_notice_names_what_is_inside(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("/NOTICE"))
    text = wheel.read(name).decode()
    for module in ("github.com/go-acme/lego/v5 v5", "github.com/letsencrypt/pebble/v2 v2"):
        assert f"\n{module}" in text
    assert "Mozilla Public License" in text
    assert "Go's standard library" in text


def test_no_path_of_the_building_machine_is_inside(wheel):
    traces = [
        str(ROOT),
        f"{Path.home()}/go/",
        f"{Path.home()}/.cache/",
        sys.prefix,
        os.environ.get("PYLEGO_BUILT_IN", str(ROOT)),
        "/go-build",
        "/pkg/mod/",
        "/pip-",
        "/site-packages/",
    ]
    for name in wheel.namelist():
        content = wheel.read(name)
        found = [trace for trace in traces if trace.encode() in content]
        assert not found, name


def test_what_a_wheel_for_musl_runs_needs_no_loader_and_no_library(wheel_path, artefacts):
    """Nor does `lego` for glibc, which the engine starts in containers of any kind."""
    for name, content in artefacts.items():
        if content.startswith(b"\x7fELF") and not name.endswith(".so"):
            assert not {PT_DYNAMIC, PT_INTERP} & set(segments(content)), name


def test_no_symbol_is_newer_than_the_oldest_system_we_promise(artefacts):
    if not PROMISED_GLIBC:
        pytest.skip("a local build needs this machine's C library: PYLEGO_GLIBC says otherwise")
    for name, content in artefacts.items():
        needed = {tuple(map(int, v)) for v in re.findall(rb"GLIBC_(\d+)\.(\d+)", content)}
        assert max(needed, default=(0, 0)) <= tuple(map(int, PROMISED_GLIBC.split("."))), name
