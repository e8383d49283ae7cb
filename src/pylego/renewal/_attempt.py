"""One certificate is kept valid: locked, read again, decided on, obtained, saved, deployed."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial

from pylego._errors import Cancelled, DeadlineExceeded, InvalidRequest, LEGOError
from pylego.renewal._books import Books, state_of
from pylego.renewal._case import Ledgers, case_of, share
from pylego.renewal._choice import may_try
from pylego.renewal._decision import Advice
from pylego.renewal._history import Tries
from pylego.renewal._hooks import run_hook
from pylego.renewal._index import Index
from pylego.renewal._leaf import leaf_of, reading_of
from pylego.renewal._orders import Orders, Progress, check_copies, pending_of
from pylego.renewal._outcome import Outcome
from pylego.renewal._quotas import MINUTE
from pylego.renewal._record import Attempt, failure_of
from pylego.renewal._together import Together
from pylego.renewal._work import Work, account_of, attempt_at

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pylego.renewal._caller import Ending
    from pylego.renewal._case import Case, Memory
    from pylego.renewal._choice import Choice
    from pylego.renewal._history import Ledger, Past
    from pylego.renewal._hooks import AnyHook
    from pylego.renewal._index import Known
    from pylego.renewal._leaf import Reading
    from pylego.renewal._managed import Managed
    from pylego.renewal._orders import OnEvent
    from pylego.storage import Pending, Store, StoredText

    Clock = Callable[[], datetime]

BUSY = MINUTE
"""When to look again at what another process is at."""

TROUBLE = 10 * MINUTE
"""When to try again what failed in a way that could not even be remembered."""

log = logging.getLogger("pylego")


class Keeper:
    """Keeps certificates valid, one at a time on each thread."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        ending: Ending,
        timeout: float,
        on_event: OnEvent | None,
    ) -> None:
        """Keep what all certificates share."""
        self._store = store
        self._clock = clock
        self._ending = ending
        self._timeout = timeout
        self._index = Index(store)
        self._together = Together()
        self._books = Books(store)
        self._orders = Orders(store, self._books, ending, timeout, on_event)

    # What is to be done

    def known(self, ids: list[str], *, keep: bool) -> dict[str, Known]:
        """Read many certificates, as `Index.look` does."""
        return self._index.look(ids, keep=keep)

    def ledgers(self) -> Ledgers:
        """Read the ledgers anew."""
        return Ledgers(self._books.ledger)

    def look(
        self, managed: Managed, reading: Reading | None, state: object, ledgers: Ledgers
    ) -> Outcome:
        """Say what is to be done for a certificate: at once if `next` is not later than now."""
        return case_of(managed, reading, state, self._clock()).look(ledgers)

    def case(self, managed: Managed) -> Case:
        """Read all that bears on a certificate."""
        return self._read(managed)[0]

    def _read(self, managed: Managed) -> tuple[Case, StoredText | None]:
        """Read all that bears on a certificate, and the certificate itself."""
        name = managed.name
        kept, state = self._store.texts([name]).get(name), state_of(self._store, name)
        reading = None if kept is None else self._index.reading(kept)
        if reading is None or reading.leaf is None:
            self._store.load(name)  # says why, if it is there
        return case_of(managed, reading, state, self._clock()), kept

    def _choice(self, work: Work) -> Choice:
        return work.case.choice(work.ledgers, self._clock())

    # Doing it

    def attend(self, managed: Managed, patience: float | None, *, force: bool = False) -> Outcome:
        """Do what is to be done for a certificate, whoever else may be at it.

        Whatever fails is in the outcome: others are to be kept valid, too.

        Args:
            managed: the certificate.
            patience: seconds to wait for another process that is at it; `None`: until it is done.
            force: whether it is renewed before it is due.
        """
        try:
            with ExitStack() as stack:
                try:
                    lock = stack.enter_context(self._store.lock(managed.name, patience))
                except DeadlineExceeded as error:
                    return self._bare(managed, "busy", error.detail, self._clock() + BUSY)
                return self._attend(managed, lock, force=force)
        except Exception as error:  # noqa: BLE001 -- somebody's own code
            if self._is_stop(error):
                return self._bare(managed, "stopped", STOPPED, self._clock())
            return self.failed(managed, error)

    def failed(self, managed: Managed, error: BaseException) -> Outcome:
        """Say that a certificate could not be attended to, in a way that could not be remembered."""
        if not isinstance(error, LEGOError):
            log.error("keeping %s valid failed", managed.name, exc_info=error)
        words, later = failure_of(error).words, self._clock() + TROUBLE
        told = error if isinstance(error, Exception) else RuntimeError(words)
        if told is not error:
            told.__cause__ = error  # whoever raises it is not to end a program by it
        return self._bare(managed, "failed", words, later, error=told)

    def _is_stop(self, error: BaseException | None) -> bool:
        return isinstance(error, Cancelled) and self._ending.come

    def _bare(
        self,
        managed: Managed,
        result: str,
        why: str,
        next_: datetime,
        error: Exception | None = None,
    ) -> Outcome:
        return Outcome(managed.name, result, why, next_, managed.domains, error=error)

    def _attend(self, managed: Managed, lock: Any, *, force: bool) -> Outcome:
        case, kept = self._read(managed)
        account, renewal = case.adviser or managed.accounts[0], case.facts is not None
        work = Work(case, lock, kept, self.ledgers(), account, renewal=renewal)
        self._ask(work)
        case = work.case
        if case.decision.due or force:
            choice = self._choice(work)
            if choice.granted:
                work.why = case.decision.why if case.decision.due else FORCED
                return self._renewed(work, choice)
        self._deploy(work)
        return self._looked(work, error=work.error)

    def _looked(self, work: Work, **more: Any) -> Outcome:
        """Say what has become of it, and what is next."""
        case = work.case.remembering(work.case.memory, self._clock())
        return replace(case.look(work.ledgers), **more)

    def _remember(self, case: Case, **changes: Any) -> Case:
        memory: Memory = replace(case.memory, **changes)
        self._store.save_state(case.managed.name, memory.to_json())
        return case.remembering(memory, self._clock())

    # The CA's advice

    def _ask(self, work: Work) -> None:
        """Ask the CA for its advice (RFC 9773), if it is time to."""
        case, account = work.case, work.case.adviser
        at = case.decision.ask_at
        if at is None or at > self._clock() or account is None or work.kept is None:
            return
        advice = case.memory.advice or Advice(share())
        try:
            told = self._orders.advice(account, work.kept)
        except Cancelled:
            raise
        except LEGOError as error:
            retry_after = self._by_clock(error.retry_after)
            advice = advice.unheard(self._clock(), share(), retry_after)
        else:
            told = replace(told, retry_after=self._by_clock(told.retry_after))
            advice = advice.heard(told, self._clock(), share())
        work.case = self._remember(case, advice=advice)

    def _by_clock(self, moment: datetime | None) -> datetime | None:
        """Tell a moment that was reckoned from the system's time by our clock."""
        return moment and moment + (self._clock() - datetime.now(timezone.utc))

    # Attempts

    def _renewed(self, work: Work, choice: Choice) -> Outcome:
        """Have it issued: rehearsed first after a failure, and by the next CA where one fails."""
        managed = work.case.managed
        if managed.missing:
            raise InvalidRequest(managed.missing)
        work.account = account_of(managed, choice)
        try:
            check_copies(self._store, managed)
            self._together.begin(managed.hooks, partial(self._hook, managed.hooks.pre, work))
        except Exception as error:  # noqa: BLE001 -- somebody's own code
            work.error = error
            if not self._is_stop(error):
                self._note_failure(work)
            return self._ended(work)
        try:
            self._attempts(work, choice)
        finally:  # whatever was not even to be remembered
            self._post(work)
        return self._ended(work)

    def _attempts(self, work: Work, choice: Choice) -> None:
        while choice.granted:
            work.account = account_of(work.case.managed, choice)
            self._attempt(work, choice)
            if work.issued or self._ending.come or work.case.managed.at_once:
                break
            choice = self._choice(work)
        if work.issued:
            self._deploy(work)

    def _post(self, work: Work) -> None:
        hooks = work.case.managed.hooks
        try:
            self._together.end(hooks, partial(self._hook, hooks.post, work, to_its_end=True))
        except Exception as error:  # noqa: BLE001 -- somebody's own code
            log.warning("%s", error)
            work.error = work.error or error

    def _ended(self, work: Work) -> Outcome:
        error = work.error
        if work.issued:
            told = {"result": "issued", "why": work.why}
        elif self._is_stop(error):
            return self._looked(work, result="stopped", why=STOPPED)
        elif error is not None:
            told = {"result": "failed", "why": failure_of(error).words}
        else:
            return self._looked(work)  # another was quicker: it has to wait
        directory = work.account.server.directory
        return self._looked(work, error=error, directory=directory, **told)

    def _attempt(self, work: Work, choice: Choice) -> None:
        """Make one attempt, counted before it begins, and remember what came of it."""
        progress, pending = Progress(), self._pending(work, choice)
        attempt = attempt_at(work, choice, self._clock(), self._timeout)
        if not self._begun(work, choice, attempt):
            return
        work.error = None

        def ended() -> Attempt:
            before = pending is not None and pending.order_url is not None
            lost = before and progress.orders > 0 and not progress.resumed
            now = None if work.issued else self._pending(work, choice)
            return replace(
                attempt,
                ended=self._clock(),
                advised=attempt.advised and progress.replaces,
                orders=progress.orders,
                finalized=now is not None and now.order_url is not None,
                lost=int(lost),
            )

        try:
            self._perform(work, choice, pending, progress)
        except Exception as error:  # noqa: BLE001 -- challenges are somebody's own code, too
            work.error = error
        except BaseException:  # an interruption, on the caller's own thread
            self._counted(work, choice, ended().given_up)
            raise
        self._note(work, choice, ended())

    def _pending(self, work: Work, choice: Choice) -> Pending | None:
        """Return what a crash has cut off: its certificate may come yet, and is not here."""
        name, directory = work.case.managed.name, choice.candidate.directory
        return pending_of(self._store, name, directory, work.kept)

    def _begun(self, work: Work, choice: Choice, attempt: Attempt) -> bool:
        """Count an attempt if it may still be made: others may have begun since it was chosen."""
        told = choice.candidate.quotas, attempt.began
        granted = False

        def begin(past: Past) -> Past:
            nonlocal granted
            past = past.taken_over(attempt.of, attempt.began, attempt.kept)
            granted = work.case.managed.at_once or (
                may_try(past, *told, advised=attempt.advised).granted
            )
            return attempt.begun(past) if granted else past

        self._counted(work, choice, begin)
        work.ledgers.forget()  # an order takes its time, in which others write
        return granted

    def _note(self, work: Work, choice: Choice, attempt: Attempt) -> None:
        """Remember what came of an attempt."""
        error = work.error
        end: Callable[[Past], Past]
        if error is None:
            end = attempt.rehearsed if choice.rehearsal else attempt.succeeded
        elif self._is_stop(error):
            end = attempt.given_up
        else:
            failure = failure_of(error, rehearsal=choice.rehearsal)
            failure = replace(failure, retry_after=self._by_clock(failure.retry_after))
            end = partial(attempt.failed, failure=failure, share=share())
        past = self._counted(work, choice, end)
        if work.issued:
            history = work.case.memory.history.renewed(attempt.ended or attempt.began)
            work.case = self._remember(work.case, history=history)
        elif not self._is_stop(error):
            work.case = self._noted(work, past.tries)

    def _perform(
        self, work: Work, choice: Choice, pending: Pending | None, progress: Progress
    ) -> None:
        case, account = work.case, work.account
        if choice.rehearsal:
            self._orders.rehearse(case, account, choice.candidate.directory, progress)
            return
        issued = self._orders.obtain(case, account, work.kept, pending, work.check, progress)
        if case.managed.hooks.deploy is not None:  # owed from now on, whatever crashes
            work.case = self._remember(case, owed=Tries())
        text = self._orders.keep(case, account, issued)
        work.case = work.case.renewed(reading_of(text, leaf_of(issued)), self._clock())
        work.kept, work.issued = text, True

    def _note_failure(self, work: Work) -> None:
        """Remember a failure of our own before any CA was asked."""
        tries = work.case.memory.history.at(work.account.server.directory)
        words = failure_of(work.error).words if work.error else ""
        work.case = self._noted(work, tries.after_failure(words, self._clock(), share()))

    def _noted(self, work: Work, tries: Tries) -> Case:
        history = work.case.memory.history.noted(work.account.server.directory, tries)
        return self._remember(work.case, history=history)

    def _counted(self, work: Work, choice: Choice, change: Callable[[Past], Past]) -> Past:
        """Change what is remembered of a CA; return all that bears on the certificate then."""
        tries = work.case.memory.history.at(work.account.server.directory)
        names = work.case.managed.domains
        changes: list[Past] = []

        def changed(ledger: Ledger) -> Ledger:
            quotas, now = choice.candidate.quotas, self._clock()
            changes.append(change(ledger.past(names, tries).settled(quotas, now)))
            return ledger.noted(names, changes[-1]).swept_at(now, quotas)

        place = choice.candidate.directory, work.account.name
        ledger = self._books.change(*place, work.ledgers.get(*place), changed)
        work.ledgers.put(*place, ledger)
        return changes[-1]

    # Hooks

    def _deploy(self, work: Work) -> None:
        """Run the hook that deploys the certificate, if it is time to: it is owed until that succeeds."""
        case, now = work.case, self._clock()
        at = case.deploy_at(now)
        if at is None or at > now:
            return
        work.issued = True
        owed: Tries | None = None
        try:
            self._hook(case.managed.hooks.deploy, work)
        except Exception as error:  # noqa: BLE001 -- somebody's own code
            if self._is_stop(error):
                return  # the next start does it
            owed = case.memory.owed or Tries()
            owed = owed.after_failure(failure_of(error).words, now, share())
            work.error = error
        work.case = self._remember(case, owed=owed)

    def _hook(self, hook: AnyHook | None, work: Work, *, to_its_end: bool = False) -> None:
        """Run a hook; what undoes what another has done is not stopped."""
        if hook is None:
            return
        stop = None if to_its_end else self._ending.signal
        run_hook(hook, work.about(self._store), stop=stop)


STOPPED = "it was stopped"
FORCED = "it was to be renewed, due or not"
