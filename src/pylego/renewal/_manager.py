"""Keeps all certificates of a configuration valid: in one pass, or for as long as it runs."""

from __future__ import annotations

import logging
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from heapq import heapify, heappop, heappush
from queue import Empty, SimpleQueue

from pylego._errors import InvalidRequest, LEGOError
from pylego.renewal._attempt import Keeper
from pylego.renewal._caller import Ending
from pylego.renewal._managed import Configuration, check_accounts
from pylego.renewal._metrics import Standing
from pylego.renewal._outcome import Outcome, Report

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from pylego._events import Event
    from pylego.renewal._attempt import Clock
    from pylego.renewal._managed import Managed
    from pylego.renewal._metrics import Metrics
    from pylego.storage import Store

    Inbox = SimpleQueue["Outcome | None"]

PARALLEL = 16
"""Certificates at once: most of the time each waits for its CA."""

TIMEOUT = 1800.0
"""Seconds that one order may take: DNS providers have records propagate for many minutes."""

SPREAD = timedelta(hours=1)
"""By up to so much later is done what is not urgent, that thousands do not come at once."""

PART = 20
"""And by no more than such a part of what is left of a certificate's life."""

BREATH = timedelta(seconds=1)
"""What has just been attended to is left alone for so long."""

LONGEST_WAIT = 3600.0
"""Seconds: the clock may be set meanwhile, and a host sleep."""

PATIENCE, LONG_PATIENCE = 1.0, 40.0
"""Seconds to wait for another process that is at a certificate; the second time long enough
to see that it was on another host, and is gone."""

NEVER = datetime.max.replace(tzinfo=timezone.utc)
"""When to do what there is not."""

CALM = ("kept", "issued")
"""The results after which nothing is urgent."""

ATTEMPTS = ("issued", "failed", "stopped")
"""The results of attempts."""

log = logging.getLogger("pylego")


def system_clock() -> datetime:
    """Return the time."""
    return datetime.now(timezone.utc)


class Manager:
    """Keeps certificates valid without anyone watching.

    It may be used by many threads at once. Several managers may share a store, in
    processes and on hosts of their own: each certificate is done by one of them.

    Args:
        store: where the certificates are, and what is remembered of them.
        configuration: what `load` returns, or the certificates alone.
        parallel: how many certificates are worked at at once.
        timeout: seconds that one order may take.
        spread: by up to so much `run` does later what is not urgent, that thousands of
            certificates do not come at once; never by more than a twentieth of what is
            left of a certificate's life.
        clock: returns the time, with its zone; for tests.
        on_event: is called with a certificate's ID and each event of its orders, on
            threads of pylego's. An exception of its ends the attempt as failed.
        on_outcome: is called with each outcome of `run` and `renew_due`, on their thread.
        metrics: are told how the certificates stand, as long as `run` or `renew_due` runs.

    Raises:
        InvalidRequest: two certificates have the same ID, or one has no account, or two at one CA.
    """

    def __init__(
        self,
        store: Store,
        configuration: Configuration | Iterable[Managed],
        *,
        parallel: int = PARALLEL,
        timeout: float = TIMEOUT,
        spread: timedelta = SPREAD,
        clock: Clock = system_clock,
        on_event: Callable[[str, Event], object] | None = None,
        on_outcome: Callable[[Outcome], object] | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Keep the settings; nothing is read, and nothing sent."""
        if isinstance(configuration, Configuration):
            configuration = configuration.certificates
        self._managed = _by_id(configuration)
        self._store = store
        self._parallel = max(parallel, 1)
        self._spread = spread
        self._clock = clock
        self._on_outcome = on_outcome
        self._metrics = metrics
        self._standings: dict[str, Standing] = {}
        self._ending = Ending()
        self._inboxes: set[Inbox] = set()
        self._busy: set[str] = set()
        self._keeper = Keeper(
            store, clock=clock, ending=self._ending, timeout=timeout, on_event=on_event
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._store!r}, {len(self._managed)} certificates)"

    def status(self) -> Report:
        """Say how each certificate is, and what is next; nothing is done."""
        return Report(tuple(self._looks(list(self._managed.values()))))

    def renew_due(self, *, force: bool = False) -> Report:
        """Renew, or obtain, what is due now, and ask the CAs for their advice where it is time to.

        One that fails holds no other one up, and is in the report. An interruption
        (KeyboardInterrupt) and `stop` end what is under way, which cleans up first.

        Args:
            force: whether everything is renewed, due or not. The CAs' limits, and waits
                after failures, are kept all the same.
        """
        outcomes = {outcome.id: outcome for outcome in self._begin()}
        now = self._clock()
        todo = [each.id for each in outcomes.values() if force or each.next <= now]
        with self._working(force=force) as (inbox, begin):
            for each in random.sample(todo, len(todo)):  # so two managers seldom meet
                begin(each)
            for _ in todo:
                outcome = inbox.get()
                if outcome is None:
                    break
                outcomes[outcome.id] = outcome
                self._tell(outcome)
        for outcome in _rest(inbox):  # of those that were stopped
            outcomes[outcome.id] = outcome
            self._tell(outcome)
        return Report(tuple(outcomes.values()))

    def run(self) -> None:
        """Keep everything valid until `stop`.

        Nothing is looked at before its time: it waits for the next moment at which
        something is to be done for any certificate.
        """
        with self._working() as (inbox, begin):
            waiting = [(self._moment(each), each.id) for each in self._begin()]
            heapify(waiting)
            while not self._ending.come:
                now = self._clock()
                while waiting and waiting[0][0] <= now:
                    begin(heappop(waiting)[1])
                outcome = self._next(inbox, waiting[0][0] if waiting else NEVER)
                if outcome is not None:
                    soonest = self._clock() + BREATH  # whatever it says
                    heappush(waiting, (max(self._moment(outcome), soonest), outcome.id))
                    self._tell(outcome)
        for outcome in _rest(inbox):
            self._tell(outcome)

    async def run_async(self) -> None:
        """Do what `run` does, on a thread; cancelled it stops, and waits for the end."""
        import asyncio  # noqa: PLC0415 -- for those who use it

        running = asyncio.ensure_future(asyncio.to_thread(self.run))
        try:
            await asyncio.wait([running])  # which cancels nothing, as `shield`, and logs nothing
        except asyncio.CancelledError:
            self.stop()
            await asyncio.wait([running])
            raise
        running.result()

    def stop(self) -> None:
        """End `run` and `renew_due`, for good: what is under way is cancelled and cleans up.

        It returns at once, and may be called by any thread, and by a signal handler.
        """
        self._ending.come = True
        for inbox in tuple(self._inboxes):
            inbox.put(None)  # takes no lock that what a signal has interrupted could hold

    # What is to be done

    def _begin(self) -> tuple[Outcome, ...]:
        outcomes = tuple(self._looks(list(self._managed.values()), keep=True))
        if self._metrics is not None:
            self._standings = {each.id: _standing(each) for each in outcomes}
            self._metrics.update(self._standings)
        return outcomes

    def _looks(self, managed: Sequence[Managed], *, keep: bool = False) -> Iterator[Outcome]:
        ledgers = self._keeper.ledgers()
        try:
            known = self._keeper.known([each.name for each in managed], keep=keep)
        except LEGOError as error:
            yield from self._looks_at_each(managed, error)
            return
        for each in managed:
            yield self._keeper.look(each, *known[each.name], ledgers)

    def _looks_at_each(self, managed: Sequence[Managed], error: LEGOError) -> Iterator[Outcome]:
        """Find out which one cannot be read; attending to it says why."""
        if len(managed) > 1:
            for each in managed:
                yield from self._looks([each])
        else:
            [only] = managed
            now = self._clock()
            yield Outcome(only.name, "due", str(error), now, only.domains, error=error)

    def _moment(self, outcome: Outcome) -> datetime:
        """Say when to do what is next."""
        calm = outcome.result in CALM and not outcome.failed
        if not calm or outcome.not_after is None:
            return outcome.next
        left = max(outcome.not_after - outcome.next, timedelta(0))
        share = random.random()  # noqa: S311 -- spreads, and protects nothing
        return outcome.next + min(self._spread, left / PART) * share

    # Doing it

    @contextmanager
    def _working(self, *, force: bool = False) -> Generator[tuple[Inbox, Callable[[str], object]]]:
        """Return where outcomes arrive, and what has a certificate attended to."""
        inbox: Inbox = SimpleQueue()
        pool = ThreadPoolExecutor(self._parallel, "pylego-renewal")
        self._inboxes.add(inbox)
        if self._ending.come:
            inbox.put(None)
        try:
            yield inbox, lambda id: pool.submit(self._attend, id, inbox, force)  # noqa: A006 -- as in the store
        except BaseException:
            self._ending.come = True
            raise
        finally:
            if self._ending.come:
                self._ending.come_now()
            pool.shutdown(wait=True, cancel_futures=True)
            self._inboxes.discard(inbox)

    def _attend(self, id: str, inbox: Inbox, force: bool) -> None:  # noqa: A002 -- as in the store
        patience = LONG_PATIENCE if id in self._busy else PATIENCE
        managed = self._managed[id]
        try:
            outcome = self._keeper.attend(managed, patience, force=force)
        except BaseException as error:  # noqa: BLE001 -- of it the inbox alone hears
            outcome = self._keeper.failed(managed, error)
        if outcome.result == "busy":
            self._busy.add(id)
        else:
            self._busy.discard(id)
        inbox.put(outcome)

    def _next(self, inbox: Inbox, moment: datetime) -> Outcome | None:
        """Wait for an outcome, for the next moment, or for the end."""
        wait = (moment - self._clock()).total_seconds()
        try:
            return inbox.get(timeout=min(max(wait, 0), LONGEST_WAIT))
        except Empty:
            return None

    def _tell(self, outcome: Outcome) -> None:
        level = logging.WARNING if outcome.failed else logging.INFO
        log.log(level, "%s", outcome)
        if self._metrics is not None:
            known = self._standings.get(outcome.id, Standing())
            self._standings[outcome.id] = (
                replace(known, next_attempt=outcome.next)  # it was not even read
                if outcome.not_after is None
                else _standing(outcome)
            )
            attempts = {outcome.result: 1} if outcome.result in ATTEMPTS else {}
            self._metrics.update(self._standings, attempts)
        if self._on_outcome is not None:
            self._on_outcome(outcome)


def _by_id(certificates: Iterable[Managed]) -> dict[str, Managed]:
    known: dict[str, Managed] = {}
    for each in certificates:
        if each.name in known:
            msg = f"two certificates are to be kept as {each.name!r}"
            raise InvalidRequest(msg)
        if not each.accounts:
            msg = f"no account is given by which {each.name!r} is to be issued"
            raise InvalidRequest(msg)
        check_accounts(each.accounts)
        known[each.name] = each
    return known


def _standing(outcome: Outcome) -> Standing:
    return Standing(outcome.not_after, outcome.next, outcome.issued_at, outcome.failures)


def _rest(inbox: Inbox) -> Iterator[Outcome]:
    """Return what has arrived meanwhile."""
    while True:
        try:
            outcome = inbox.get_nowait()
        except Empty:
            return
        if outcome is not None:
            yield outcome
