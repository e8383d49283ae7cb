"""The built wheel, looked at from outside: PYLEGO_WHEEL, or the one in dist/."""

import os
import re
import stat
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel_path():
    named = os.environ.get("PYLEGO_WHEEL")
    found = [Path(named)] if named else sorted((ROOT / "dist").glob("*.whl"))
    if not found:
        pytest.skip("no wheel: run `make wheel`")
    return found[-1]


@pytest.fixture(scope="module")
def wheel(wheel_path):
    with zipfile.ZipFile(wheel_path) as archive:
        yield archive


def artefacts(wheel):
    names = [f"pylego/_bin/{name}" for name in ("lego.so", "lego")]
    return {name: wheel.read(name) for name in names if name in wheel.namelist()}


def test_it_holds_both_artefacts_licences_types_and_the_header(wheel):
    names = {re.sub(r"^pylego-[^/]*\.dist-info", "INFO", name) for name in wheel.namelist()}
    assert names >= {
        "pylego/__init__.py",
        "pylego/py.typed",
        "pylego/_bin/lego.so",
        "pylego/_bin/lego",
        "pylego/_bin/pylego.h",
        "INFO/licenses/LICENSE",
        "INFO/licenses/NOTICE",
    }


def test_bin_holds_nothing_else(wheel):
    inside = {name for name in wheel.namelist() if name.startswith("pylego/_bin/")}
    assert inside == {f"pylego/_bin/{name}" for name in ("lego.so", "lego", "pylego.h")}


def test_one_wheel_serves_every_python(wheel, wheel_path):
    assert re.search(r"-py3-none-(linux|manylinux)_\w+\.whl$", wheel_path.name)
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/WHEEL"))
    assert "Root-Is-Purelib: false" in wheel.read(metadata).decode()


def test_it_needs_no_other_package(wheel):
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    required = re.findall(r"^Requires-Dist: .*", wheel.read(metadata).decode(), re.MULTILINE)
    assert [line for line in required if "extra ==" not in line] == []


def test_it_is_smaller_than_27_mb(wheel_path):
    assert wheel_path.stat().st_size < 27_000_000


def test_lego_can_be_executed(wheel):
    mode = wheel.getinfo("pylego/_bin/lego").external_attr >> 16
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
    for name, content in artefacts(wheel).items():
        found = [trace for trace in traces if trace.encode() in content]
        assert not found, name


def test_no_symbol_is_newer_than_the_oldest_system_we_promise(wheel):
    promised = os.environ.get("PYLEGO_GLIBC")
    if not promised:
        pytest.skip("a local build needs this machine's C library: PYLEGO_GLIBC says otherwise")
    for name, content in artefacts(wheel).items():
        needed = {tuple(map(int, v)) for v in re.findall(rb"GLIBC_(\d+)\.(\d+)", content)}
        assert max(needed, default=(0, 0)) <= tuple(map(int, promised.split("."))), name


def test_these_tests_run_on_the_installed_wheel():
    import pylego

    assert ROOT / "src" not in Path(pylego.__file__).parents
