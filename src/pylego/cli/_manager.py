"""`pylego manager`, and what `renew` and `status` do by a configuration file."""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pylego.cli import _certificates, _issuing
from pylego.cli._frame import SIGNALS, AsJSON, Context, WrongUse, say, typed
from pylego.cli._options import address
from pylego.cli._place import Copies, Place
from pylego.cli._progress import plain_of_many

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from pylego.renewal import Managed, Outcome
    from pylego.renewal._metrics import Metrics
    from pylego.storage import FileStore

CONFIG = "A TOML file that describes the certificates, and how they are obtained."
Config = Annotated[Path | None, typer.Option("--config", help=CONFIG, metavar="FILE")]


def manager(
    context: Context,
    config: Annotated[Path, typer.Option("--config", help=CONFIG, metavar="FILE")],
    place: Place,
    copies: Copies,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Answer Prometheus at interface:port, or on loopback at :port."
        ),
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Keep certificates valid, until it is ended.

    Those that a configuration file describes: each is obtained, and renewed when its time
    has come. Ctrl-C, SIGTERM or SIGHUP ends it, after its clean-up.
    """
    from pylego.renewal import Manager

    def tell(outcome: Outcome) -> None:
        say(json.dumps(told(outcome)) if as_json else str(outcome))

    with _served(metrics) as counted:
        store, every = described(context, config, place, copies)
        managing = Manager(
            store, every.values(), on_event=plain_of_many, on_outcome=tell, metrics=counted
        )

        def stop(_number: int, _frame: object) -> None:
            managing.stop()

        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, stop)  # that is how it is ended
        managing.run()


@contextmanager
def _served(listen: str | None) -> Generator[Metrics | None]:
    """Serve metrics, if they are wanted."""
    if listen is None:
        yield None
        return
    from pylego.renewal._metrics import LOOPBACK, Metrics

    host, port = address("--metrics", listen)
    metrics = Metrics()
    with metrics.serve(port, host or LOOPBACK):
        yield metrics


def described(
    context: Context, config: Path, place: Place, copies: Copies | None = None
) -> tuple[FileStore, dict[str, Managed]]:
    """Read a configuration; return its store, and its certificates."""
    from pylego.renewal import load

    configuration = load(config)
    if configuration.storage is not None and "path" not in typed(context):
        place = Place(Path(configuration.storage))  # LEGO_PATH is for other commands
    store = place.store(copies)
    return store, {each.name: each for each in configuration.certificates}


def chosen(known: Mapping[str, Managed], ids: Sequence[str], where: object) -> list[Managed]:
    """Return these certificates, or all."""
    for id in ids:
        if id not in known:
            raise WrongUse(f"{where} has no certificate {id}; it has {', '.join(known) or 'none'}")
    return [known[id] for id in dict.fromkeys(ids) or known]


def told(outcome: Outcome) -> dict[str, Any]:
    """Describe an outcome for a program."""
    return {
        "id": outcome.id,
        "result": outcome.result,
        "why": outcome.why,
        "next": outcome.next.isoformat(),
        "names": list(outcome.names),
        "not_after": outcome.not_after and outcome.not_after.isoformat(),
        "ca": outcome.directory,
        "failures": outcome.failures,
        "last_error": outcome.last_error or None,
        "error": None if outcome.error is None else str(outcome.error),
    }


ACTIONS = {"issued": "renewed", "due": "planned"}
"""What `renew` calls a result that it has another word for."""


def renewed(store: FileStore, outcome: Outcome) -> dict[str, Any]:
    """Describe an outcome as `pylego renew` does."""
    result, error, certificate = outcome.result, _error(store, outcome), None
    undone = error or _undone(store, outcome)
    if error is None and outcome.not_after is not None:
        certificate = _certificates.described(store, _certificates.there(store, outcome.id))
    return {
        "id": outcome.id,
        "action": "failed" if error else "waiting" if undone else ACTIONS.get(result, result),
        "why": outcome.why,
        "next": _issuing.moment_of(outcome),
        "plan": None,
        "certificate": certificate,
        "error": undone,
    }


def _undone(store: FileStore, outcome: Outcome) -> str | None:
    """Say what has failed before, and may not be tried again yet; to wait where all is well is no failure."""
    if outcome.result not in {"kept", "waiting"}:
        return None
    if outcome.result == "waiting" and (_expired(outcome) or _failed_lately(store, outcome)):
        return outcome.why
    return _undeployed(outcome)


def _undeployed(outcome: Outcome) -> str | None:
    """Say why the certificate that is there is not used yet."""
    return f"it is not deployed yet: {outcome.undeployed}" if outcome.undeployed else None


def _failed_lately(store: FileStore, outcome: Outcome) -> bool:
    """Tell whether it is a failure that it waits after."""
    from pylego.renewal._books import state_of
    from pylego.renewal._case import Memory

    history, now = Memory.from_json(state_of(store, outcome.id), "").history, _issuing.now()
    return any(each.free(now) > now for each in history.tries.values())


def _expired(outcome: Outcome) -> bool:
    return outcome.not_after is None or outcome.not_after < _issuing.now()


def status(store: FileStore, outcome: Outcome) -> dict[str, Any]:
    """Describe an outcome as `pylego status` does."""
    end = outcome.not_after
    return {
        "id": outcome.id,
        "names": list(outcome.names),
        "ca": outcome.directory,
        "not_after": end and end.isoformat(),
        "expired": _expired(outcome),
        "due": outcome.result == "due",
        "next": _issuing.moment_of(outcome),
        "why": outcome.why,
        "failures": outcome.failures,
        "last_error": outcome.last_error or _undeployed(outcome),
        "last_failed": outcome.last_failed and outcome.last_failed.isoformat(),
        "order_pending": store.pending(outcome.id) is not None,
        "error": _error(store, outcome),
    }


def _error(store: FileStore, outcome: Outcome) -> str | None:
    """Say what failed, or why the certificate cannot be read."""
    from pylego._errors import LEGOError

    error: Exception | None = outcome.error
    try:
        store.load(outcome.id)
    except LEGOError as unreadable:
        error = error or unreadable
    return None if error is None else str(error)
