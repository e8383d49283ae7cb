"""Damaged installations and narrow machines: what can work works, the rest says why in one sentence."""

import os
import shutil
from pathlib import Path

import pytest

import pylego
from tests.servers.fixtures import missing

EVERYTHING = """
    def outcome(function, *args, **settings):
        try:
            return len(function(*args, **settings)) > 0
        except pylego.LEGOError as error:
            return str(error)
    print(outcome(obtain, "a.example"))
    print(outcome(obtain, "b.example", dns01()))
    print(outcome(obtain, "c.example", isolation="process"))
"""

DROP_IN = """
    try:
        pylego.run_lego_command("dev@example.com", CA["directory"], "no request", {})
    except pylego.LEGOError as error:
        print(error.type, error)
"""


@pytest.fixture
def installation(tmp_path):
    """Copy the installed package; its programs are links to the same files."""
    folder = tmp_path / "site" / "pylego"
    shutil.copytree(Path(pylego.__file__).parent, folder, copy_function=_link)
    return folder


def _link(source, target):
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


@pytest.fixture
def outcomes(guest_program, installation):
    """Call from that installation; return what came of HTTP-01, DNS-01 and a process of its own."""

    def run(source=EVERYTHING, before="", launcher=()):
        running = guest_program(before + source, path=[str(installation.parent)], launcher=launcher)
        code, out, err = running.end()
        assert (code, err) == (0, "")
        return out.splitlines()

    return run


def replace(file, content=None):
    """Replace a file, which is a link to the real one, or remove it."""
    file.unlink()
    if content is not None:
        file.write_bytes(content)


def test_a_whole_one(outcomes):
    assert outcomes() == ["True", "True", "True"]


def test_without_the_library_it_goes_through_the_executable(installation, outcomes):
    replace(installation / "_bin" / "lego.so")
    assert outcomes() == ["True", "True", "True"]


def test_without_the_executable_only_the_library_works(installation, outcomes):
    replace(installation / "_bin" / "lego")
    http, dns, process = outcomes()
    assert http == "True"
    assert "the lego executable beside pylego cannot be run" in dns
    assert "HTTP-01 and TLS-ALPN-01 still work" in dns
    assert process.startswith("[engine_error] the engine's process cannot be started: ")
    assert "No such file" in process


def test_an_executable_that_lost_its_permission(installation, outcomes):
    content = b"#!/bin/sh\n"
    replace(installation / "_bin" / "lego", content)
    http, dns, process = outcomes()
    assert http == "True"
    assert "permission denied" in dns
    assert "Permission denied" in process


def test_without_either_there_is_one_sentence(installation, outcomes):
    for name in ("lego", "lego.so"):
        replace(installation / "_bin" / name)
    assert {line.rpartition(": ")[0] for line in outcomes()} == {
        "[engine_error] the engine's process cannot be started: [Errno 2] No such file or directory"
    }


def test_a_damaged_library(installation, outcomes):
    replace(installation / "_bin" / "lego.so", b"not a library")
    http, dns, process = outcomes()
    assert http.startswith("[engine_error] the engine cannot be loaded: ")
    assert dns == http
    assert process == "True"


def test_the_drop_in_says_the_same(installation, outcomes):
    (said,) = outcomes(DROP_IN)
    assert said.startswith("lego [invalid_csr] ")
    replace(installation / "_bin" / "lego.so", b"not a library")
    (said,) = outcomes(DROP_IN)
    assert said.startswith("lego [engine_error] the engine cannot be loaded: ")
    for name in ("lego", "lego.so"):
        (installation / "_bin" / name).unlink(missing_ok=True)
    (said,) = outcomes(DROP_IN)
    assert said.startswith("lego [engine_error] the engine's process cannot be started: ")


def test_an_executable_of_another_kind(installation, outcomes):
    replace(installation / "_bin" / "lego", b"#!/bin/sh\necho what is this >&2\nexit 3\n")
    (installation / "_bin" / "lego").chmod(0o755)
    http, dns, process = outcomes()
    assert http == "True"
    assert "ended with code 3" in dns
    assert "the engine's process ended with code 3" in process
    assert "what is this" in process


def test_without_a_home_a_temporary_folder_or_an_environment(outcomes):
    before = """
    for name in [name for name in os.environ if name != "TEST_CA"]:
        del os.environ[name]
    os.environ["TMPDIR"] = "/nowhere"
    """
    assert outcomes(before=before) == ["True", "True", "True"]


@pytest.mark.parametrize(
    ("megabytes", "expected"),
    [
        (3000, ["True", "True", "True"]),
        (500, ["[engine_error] the limit on address space (RLIMIT_AS, `ulimit -v`) of 500 MB"] * 3),
    ],
)
def test_a_limit_on_address_space(outcomes, megabytes, expected):
    before = f"""
    import resource
    resource.setrlimit(resource.RLIMIT_AS, ({megabytes} << 20, {megabytes} << 20))
    """
    got = outcomes(before=before)
    assert [line.startswith(start) for line, start in zip(got, expected, strict=True)] == [True] * 3


def test_a_limit_that_the_program_has_used_up_itself(outcomes):
    before = """
    import mmap, resource
    resource.setrlimit(resource.RLIMIT_AS, (2000 << 20, 2000 << 20))
    used = mmap.mmap(-1, 1500 << 20)
    """
    assert outcomes(before=before) == ["True", "True", "True"]


@pytest.fixture
def unshare():
    """Give a command that runs another one with mounts of its own."""
    command = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if shutil.which("unshare") is None or os.system(f"{' '.join(command)} true 2>/dev/null"):
        missing("mounts of one's own are not allowed here")

    def with_mounts(script):
        return [*command, "sh", "-c", f'{script} && exec "$0" "$@"']

    return with_mounts


def test_a_folder_in_which_nothing_can_be_executed(installation, outcomes, unshare):
    mount = (
        f"mount --bind {installation} {installation} && mount -o remount,bind,noexec {installation}"
    )
    http, dns, process = outcomes(launcher=unshare(mount))
    assert http.startswith("[engine_error] the engine cannot be loaded: ")
    assert dns == http
    assert "Permission denied" in process


def test_a_folder_that_cannot_be_written(installation, outcomes, unshare):
    mount = f"mount --bind {installation} {installation} && mount -o remount,bind,ro {installation}"
    assert outcomes(launcher=unshare(mount)) == ["True", "True", "True"]


def test_a_machine_without_proc_on_which_nothing_can_be_written(guest_program, unshare):
    mount = "umount -l /proc && mount --rbind / / && cd / && mount -o remount,bind,ro /"
    check = """
    try:
        open("/tmp/file", "w")
    except OSError:
        print("read-only", os.path.exists("/proc/self"))
    """
    code, out, err = guest_program(check + EVERYTHING, launcher=unshare(mount)).end()
    assert (code, out.splitlines(), err) == (0, ["read-only False", "True", "True", "True"], "")
