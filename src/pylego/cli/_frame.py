"""What all commands share: `--json` and `--debug`, errors in words, exit codes, signals.

A command is a function that returns an `Outcome`:

    @command(app)
    def show(name: Annotated[str, typer.Argument()], ca: CA) -> Outcome:
        account = ca.client(account=kept(name)).recover()
        return Outcome({"url": account.url}, lambda console: console.print(account.url))

One that tells everything itself returns nothing. `--json` and `--debug` come by themselves,
and so does every option of a dataclass that annotates a parameter, such as `CA`; one that
two of them have is given to both. Whatever the function raises is told in `run`.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from pylego.cli._showing import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    Function = Callable[..., "Outcome | None"]

DONE, FAILED, WRONG_USE, NOTHING_DUE, PARTLY_FAILED = range(5)
"""Exit codes; a signal's is 128 and its number."""

SIGNALS = tuple(
    signal.Signals[each]
    for each in ("SIGINT", "SIGTERM", "SIGHUP")  # the last one Windows has not
    if each in signal.Signals.__members__
)
"""What ends a command, after its clean-up: SIGHUP comes when a terminal or a connection is lost."""

WIDE = 1000
"""Columns for a program that reads tables: no line of them is broken."""


@dataclass(frozen=True)
class Outcome:
    """What a command has found or done."""

    data: dict[str, Any]
    """For `--json`: one object, whose fields docs/command-line.md lists."""
    show: Callable[[Console], object]
    """Shows it to a person."""
    code: int = DONE
    """The exit code."""


class WrongUse(Exception):
    """Arguments that do not fit each other, or lack something: exit code 2."""

    def format_message(self) -> str:
        """Return the words, as typer's own errors do."""
        return str(self)


class Stopped(BaseException):
    """A signal has ended the command; as KeyboardInterrupt it is no error."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.code = 128 + number


AsJSON = Annotated[bool, typer.Option("--json", help="Print one JSON object, for a program.")]
Debug = Annotated[bool, typer.Option("--debug", help="Log everything; show where an error is.")]
COMMON = {"as_json": AsJSON, "debug": Debug}
"""What every command has; one that takes a parameter of the name is told of it."""


def group(about: str, **settings: Any) -> typer.Typer:
    """Make a group of commands. Help is plain text: rich's would take as long as all else."""
    return typer.Typer(
        help=about,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
        **settings,
    )


def command(
    app: typer.Typer, name: str | None = None, *, hidden: bool = False
) -> Callable[[Function], Function]:
    """Add a function to a group as a command, with the options that every command has."""

    def add(function: Function) -> Function:
        app.command(name, hidden=hidden)(_flattened(function))
        return function

    return add


def _flattened(function: Function) -> Function:
    """Give a function the parameters of its dataclasses, one by one, for typer to read."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[Any, list[str]]] = {}
    # Not get_type_hints: Python 3.10 has it put an Optional around what None is the default of.
    own_parameters = inspect.signature(function, eval_str=True).parameters
    for parameter in own_parameters.values():
        hint = parameter.annotation
        if is_dataclass(hint):
            own = _options(hint)
            groups[parameter.name] = hint, [each.name for each in own]
            there = {each.name for each in parameters}
            parameters += [each for each in own if each.name not in there]
        else:
            parameters.append(_parameter(parameter.name, hint, parameter.default))
    for name, hint in COMMON.items():
        if name not in own_parameters:
            parameters.append(_parameter(name, hint, False))

    @functools.wraps(function)
    def flattened(**given: Any) -> Outcome | None:
        made = {
            name: kind(**{each: given[each] for each in names})
            for name, (kind, names) in groups.items()
        }
        own = {name: given[name] for name in own_parameters if name not in groups}
        return function(**own, **made)

    told: Any = flattened
    told.__signature__ = inspect.Signature(parameters)
    told.__annotations__ = {each.name: each.annotation for each in parameters}
    return flattened


def _options(kind: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        _parameter(each.name, hints[each.name], each.default) for each in fields(kind) if each.init
    ]


def _parameter(name: str, hint: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


Context = typer.Context
"""A command that takes one is told what was typed."""


def typed(context: Context) -> dict[str, str]:
    """Return the flags that were typed, by their parameters; variables are for all commands."""
    sources = {
        each: context.get_parameter_source(each.name or "") for each in context.command.params
    }
    return {
        each.name or "": each.opts[0]
        for each, source in sources.items()
        if source is not None and source.name == "COMMANDLINE"
    }


def refuse_beside_config(context: Context, *groups: Any, but: str = "") -> None:
    """Refuse typed flags of which a configuration file has the say."""
    said = {each.name for group in groups for each in fields(group)} - {but}
    if wrong := [flag for name, flag in typed(context).items() if name in said]:
        raise WrongUse(f"{wrong[0]} does nothing beside --config: the file says that itself")


def option(*names: str, about: str, **settings: Any) -> Any:
    """Describe an option that has lego's name, and so lego's variable in the environment."""
    return typer.Option(*names, help=about, envvar=variable(names[0]), **settings)


def variable(flag: str) -> str:
    """Name the variable that lego reads for a flag."""
    return "LEGO_" + flag.lstrip("-").replace("-", "_").replace(".", "_").upper()


def none(console: Console, folder: str, what: str) -> None:
    """Say in words that the store has none, instead of an empty table: its folder may be misspelt."""
    console.print(
        f"the store {folder} has no {what}", markup=False, highlight=False, soft_wrap=True
    )


def say(text: str, *, err: bool = False) -> None:
    """Print a line while work goes on: it goes on where the line cannot be written, too."""
    with suppress(OSError):
        typer.echo(shown(text), err=err)


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run a command and tell its outcome: the one place where errors become words."""
    flags = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json, debug = "--json" in flags, "--debug" in flags
    if debug:
        _log_everything()
    for number in SIGNALS:
        if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
            signal.signal(number, _stop)  # not where whoever started us ignores it
    try:
        outcome = _main(app, arguments)
        if isinstance(outcome, int):  # typer.Exit, and help
            return outcome
        _tell(outcome, as_json)
    except BrokenPipeError:  # the reader has all that it wanted
        return FAILED
    except (Exception, Stopped) as error:  # noqa: BLE001 -- all of them are told, and none is swallowed
        return _tell_error(error, as_json, debug)
    finally:
        _let_go()
    return outcome.code


def _let_go() -> None:
    """Give up what cannot be written: Python would try it again at its end, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # noqa: PERF203 -- twice
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _stop(number: int, _frame: object) -> None:
    raise Stopped(number)


def _main(app: typer.Typer, arguments: Sequence[str]) -> Outcome | int:
    outcome = typer.main.get_command(app).main(
        list(arguments), prog_name="pylego", standalone_mode=False
    )
    return DONE if outcome is None else outcome


def _tell(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        _print_json(outcome.data)
        return
    outcome.show(_console())


def _console() -> Console:
    """Make what shows to a person, and no more than that."""
    from rich.console import Console

    class Showing(Console):
        def print(self, *objects: Any, **settings: Any) -> None:
            texts = (shown(each) if isinstance(each, str) else each for each in objects)
            super().print(*texts, **settings)

    return Showing(width=None if sys.stdout.isatty() else WIDE)


def _tell_error(error: BaseException, as_json: bool, debug: bool) -> int:
    told, code = _described(error)
    usage: Any = error if isinstance(error, ClickException) else None
    if as_json:
        try:
            _print_json({"error": told})
        except OSError:
            as_json = False
    with suppress(OSError):  # nobody is there to be told
        if debug:
            import traceback

            typer.echo(shown("".join(traceback.format_exception(error))), err=True, nl=False)
        elif usage is not None and not as_json:
            usage.show()  # with the command's usage
        elif not as_json:
            typer.echo(shown(told["message"]), err=True)
    return code


def _described(error: BaseException) -> tuple[dict[str, Any], int]:
    """Say for a program what failed, and with which exit code."""
    from pylego._errors import (
        InvalidRequest,
        LEGOError,
        MissingCredentials,
        UnknownProvider,
        UnknownSetting,
    )

    told: dict[str, Any] = {
        "class": type(error).__name__,
        "code": "internal",
        "message": f"{type(error).__name__}: {error}",
        "identifiers": [],
        "retryable": False,
        "retry_after": None,
    }
    code = FAILED
    words = {"message": str(error)}
    if isinstance(error, (InvalidRequest, MissingCredentials, UnknownProvider, UnknownSetting)):
        code = WRONG_USE  # what was given, refused before anybody was asked
    if isinstance(error, LEGOError):
        told |= {
            **words,
            "code": error.code,
            "identifiers": [each.value for each in error.identifiers],
            "retryable": error.retryable,
            "retry_after": error.retry_after and error.retry_after.isoformat(),
        }
    elif isinstance(error, Stopped):
        told |= {**words, "code": "interrupted", "retryable": True}
        code = error.code
    elif isinstance(error, (WrongUse, ClickException)):
        usage: Any = error
        told |= {"class": "WrongUse", "code": "wrong_use", "message": usage.format_message()}
        code = WRONG_USE
    elif isinstance(error, typer.Abort):  # the end of the input, where an answer was wanted
        told |= {"class": "WrongUse", "code": "wrong_use", "message": "nothing was answered"}
        code = WRONG_USE
    elif isinstance(error, OSError):
        told |= {"message": words_of(error), "code": "system"}
    return told, code


def words_of(error: OSError) -> str:
    """Say what failed without the number that only programs know."""
    why = error.strerror or str(error)
    return why if error.filename is None else f"{error.filename}: {why}"


ClickException: Any = typer.BadParameter.__mro__[2]
"""What typer raises for arguments that it does not understand. Newer ones have a click
of their own, under another name."""


def _print_json(data: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(data, indent=2, default=_plain))


def _plain(value: Any) -> str:
    """Write what JSON has no type for: moments, as in RFC 3339, and paths."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _log_everything() -> None:
    import logging

    class Showing(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return shown(super().format(record))

    handler = logging.StreamHandler()
    handler.setFormatter(Showing("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.DEBUG, handlers=[handler])
