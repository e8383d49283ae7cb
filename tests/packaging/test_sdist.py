"""A source distribution is enough to build a wheel."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist"]
    subprocess.run([*build, "--directory", folder], cwd=ROOT, check=True)
    (path,) = folder.glob("*.tar.gz")
    return path


def test_it_holds_sources_and_nothing_that_was_built(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert names >= {
        "LICENSE",
        "NOTICE",
        "PKG-INFO",
        "engine/cmd/lego/main.go",
        "engine/go.sum",
        "hatch_build.py",
        "pyproject.toml",
        "src/pylego/py.typed",
    }
    assert not [name for name in names if "/_bin/" in name or ".venv" in name]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_builds_a_wheel(sdist, tmp_path):
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", tmp_path, sdist], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {"pylego/_bin/lego.so", "pylego/_bin/lego"} <= set(archive.namelist())
