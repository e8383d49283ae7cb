"""The executable `lego`: run beside this process, or in its place."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

from pylego._engine import limits, programs, surroundings, system
from pylego._engine.files import EXECUTABLE
from pylego._errors import EngineError, InvalidRequest

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from typing import NoReturn, TypeAlias

    Text: TypeAlias = str | os.PathLike[str]

LONGEST = 2_000_000
"""Seconds that can be waited for: the milliseconds of `poll` are an int of C's."""


def run(
    arguments: Sequence[Text],
    *,
    env: Mapping[str, Text] | None,
    timeout: float | None,
    given: str | None,
    before: Callable[[Sequence[str], Mapping[str, str]], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run lego to its end; `given` is what it reads from stdin, `before` is told how it is called.

    Raises:
        InvalidRequest: an argument, or what is given, cannot be handed to a program.
        DeadlineExceeded: the timeout is over; lego was ended.
        EngineError: lego cannot run here.
    """
    surroundings.require_timeout(timeout)
    limits.require_room()
    programs.require_exit_codes("lego")
    with _refusing_what_does_not_fit():
        command = [EXECUTABLE, *(os.fspath(each) for each in arguments)]
        environment = _texts([*system.variables(), *(env or {}).items()])
        read = None if given is None else str.encode(given, errors="surrogateescape")
    if before is not None:
        before([os.fsdecode(each) for each in command[1:]], environment)
    with programs.Program(command, environment, reads=read is not None) as program:
        try:
            process = _started(program)
            said = process.communicate(read, _waitable(timeout))
        except subprocess.TimeoutExpired:
            # lego ends at once when it is asked to, and leaves what it has presented.
            out, err = map(_text, program.end())
            msg = f"lego did not end within {timeout} seconds"
            # Alone: subprocess's own names the arguments.
            raise surroundings.too_late(msg, stdout=out, stderr=err) from None
        except BaseException:
            program.end()
            raise
    return subprocess.CompletedProcess(command, process.returncode, *map(_text, said))


def become(arguments: Sequence[str]) -> NoReturn:
    """Put lego in the place of this program: the same process, terminal and arguments.

    Raises:
        EngineError: lego cannot be started here.
    """
    try:
        if sys.platform == "win32":  # whose exec is another process, for which no shell waits
            sys.exit(subprocess.call([EXECUTABLE, *arguments]))  # noqa: S603 -- our own
        sys.stdout.flush()
        sys.stderr.flush()
        for number in system.signals_taken_back():  # which Python ignores, and exec hands on
            signal.signal(number, signal.SIG_DFL)
        os.execv(EXECUTABLE, ["lego", *arguments])  # noqa: S606 -- that is the point
    except OSError as error:
        raise _unusable(error) from error


@contextlib.contextmanager
def _refusing_what_does_not_fit() -> Generator[None]:
    """Make Python's refusals ours, without what they are about: it may be a secret."""
    try:
        yield
    except (TypeError, ValueError) as error:
        words = "a text is no Unicode" if isinstance(error, UnicodeError) else error
        msg = f"lego cannot be called so: {words}"
        raise InvalidRequest(msg) from None


def _texts(variables: Iterable[tuple[Text | bytes, Text | bytes]]) -> dict[str, str]:
    return {os.fsdecode(name): os.fsdecode(value) for name, value in variables}


def _started(program: programs.Program) -> subprocess.Popen[bytes]:
    try:
        with _refusing_what_does_not_fit():
            return program.start()
    except OSError as error:
        raise _unusable(error) from error


def _unusable(error: OSError) -> EngineError:
    return EngineError(f"lego cannot be started: {EXECUTABLE}: {error.strerror or error}")


def _waitable(timeout: float | None) -> float | None:
    return None if timeout is None or timeout > LONGEST else timeout


def _text(said: bytes) -> str:
    return said.decode(errors="replace")
