"""lego's own command line, from Python."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence

PATH, CONFIG = "path", "config"
"""lego's flags for its folder, and for a file that names another one."""

CONFIGS = (".lego.yml", ".lego.yaml")
"""Where lego looks for that file otherwise."""

TELLING = {"--help", "--version"}
"""With these lego looks into no folder."""


def run_lego(
    *args: str | os.PathLike[str],
    env: Mapping[str, str | os.PathLike[str]] | None = None,
    timeout: float | None = None,
    input: str | None = None,  # noqa: A002 -- subprocess's word
) -> subprocess.CompletedProcess[str]:
    r"""Run lego's own command line, whole, in a process of its own; no Go is loaded into this one.

    ```python
    import pylego

    done = pylego.run_lego("certificates", "list", "--json", "--path", "/etc/ssl/example")
    print(done.returncode, done.stdout)
    ```

    lego's exit code is in the answer, and not 0 where it failed; that is no exception. It
    logs to stdout. What a crash of pylego's has left half done in a folder that lego may use
    is finished before.

    Args:
        args: lego's command and flags, as a shell would give them.
        env: variables for lego alone, beside this process's environment: credentials of
            DNS providers, and lego's own, such as `LEGO_EAB_HMAC`. Other users of the machine
            can read arguments, but not these.
        timeout: seconds until lego is ended, with the hooks that it runs; none by
            default. What it has presented stays then: it does not clean up.
        input: what lego reads where it asks, such as `"y\n"`. Without it nobody is there
            to be asked: lego says so and fails.

    Raises:
        InvalidRequest: an argument cannot be handed to a program, or the timeout is none.
        DeadlineExceeded: the timeout is over; `info["stdout"]` and `info["stderr"]` have
            what lego said.
        StorageError: what a crash has left cannot be finished.
        EngineError: lego cannot run here.
    """
    from pylego._engine import executable  # noqa: PLC0415 -- subprocess, for those who use it

    return executable.run(args, env=env, timeout=timeout, given=input, before=finish)


def finish(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Finish what a crash of ours has left half done in a folder that lego may use."""
    for folder in () if TELLING & {*arguments} else _folders(arguments, environ):
        if _has_journal(folder):
            from pylego.storage import recover  # noqa: PLC0415 -- where there is something to do

            recover(folder)


def _folders(arguments: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the folder of lego's flag, and that of its configuration file: its commands differ in which they use."""
    from pylego._engine import executable  # noqa: PLC0415 -- as above

    yield _given(PATH, arguments, environ) or ".lego"
    config = _given(CONFIG, arguments, environ) or next(filter(os.path.isfile, CONFIGS), "")
    if config:  # which lego itself reads; what is wrong with it, it says when it runs
        told = executable.run(["storage", config], env=None, timeout=None, given=None)
        if told.returncode == 0 and told.stdout:
            yield told.stdout


def _given(flag: str, arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return what a flag says, with as many dashes as lego takes, where it was given last; or its variable."""
    found = environ.get(f"LEGO_{flag.upper()}", "")
    for number, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in {f"--{flag}", f"-{flag}"}:
            found = value if equals else "".join(arguments[number + 1 : number + 2])
    return found


def _has_journal(folder: str) -> bool:
    """Look for a journal, without loading what reads one."""
    try:
        with os.scandir(f"{folder}/pylego/journal") as entries:
            return any(entries)
    except (OSError, ValueError):
        return False
