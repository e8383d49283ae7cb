"""Challenges that are answered by the caller's own code."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import pylego
import pylego.testing

everywhere = pytest.mark.parametrize("isolation", ["", "process"])


class Records:
    """Sets the records of the test's CA, as a DNS provider's API would."""

    def __init__(self, server):
        self.server = server
        self.calls = []
        self.threads = set()
        self.at_once = self.most_at_once = 0

    def enter(self, call, presentation):
        self.calls.append((call, presentation.name, presentation.value))
        self.threads.add(threading.get_ident())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)

    def present(self, presentation):
        self.enter("present", presentation)
        self.server.add_txt(presentation.name, presentation.value)
        self.at_once -= 1

    def clean_up(self, presentation):
        self.enter("clean_up", presentation)
        self.server.remove_txt(presentation.name, presentation.value)
        self.at_once -= 1

    def pairs(self):
        return [
            sorted(call[1:] for call in self.calls if call[0] == kind)
            for kind in ("present", "clean_up")
        ]


class AsyncRecords(Records):
    async def present(self, presentation):
        await asyncio.sleep(0)
        super().present(presentation)

    async def clean_up(self, presentation):
        await asyncio.sleep(0)
        super().clean_up(presentation)


@everywhere
@pytest.mark.parametrize("kind", [Records, AsyncRecords])
def test_a_solver_sets_the_records(acme_server, any_client, kind, isolation):
    solver = kind(acme_server)
    certificate = any_client(isolation=isolation).obtain(
        "a.example", "*.a.example", "b.example", challenges=solver
    )
    assert len(certificate.identifiers) == 3
    presented, cleaned = solver.pairs()
    assert presented == cleaned
    assert [name for name, _ in presented] == [
        "_acme-challenge.a.example",
        "_acme-challenge.a.example",
        "_acme-challenge.b.example",
    ]
    assert acme_server.records() == {}
    assert threading.get_ident() not in solver.threads or kind is AsyncRecords


def test_what_a_solver_is_told(acme_server, any_client):
    told = []

    class Looking(Records):
        def present(self, presentation):
            told.append(presentation)
            super().present(presentation)

    any_client().obtain("*.a.example", challenges=Looking(acme_server))
    [presentation] = told
    assert presentation.type == "dns-01"
    assert presentation.identifier == pylego.Identifier("dns", "a.example")
    assert presentation.wildcard
    assert presentation.key_authorization.startswith(presentation.token + ".")
    assert presentation.path == f"/.well-known/acme-challenge/{presentation.token}"


def test_an_account_has_a_label_of_its_own(acme_server, any_client):
    class ByAccount(Records):
        type = "dns-account-01"

    solver = ByAccount(acme_server)
    any_client().obtain("a.example", challenges=solver)
    [(name, _)] = solver.pairs()[0]
    label, rest = name.split(".", 1)
    assert rest == "_acme-challenge.a.example"
    assert len(label) == 17


def test_a_solver_may_wait_until_its_records_are_visible(acme_server, any_client):
    seen = []

    class Waiting(Records):
        def wait(self, presentation):
            seen.append(presentation.name)

    events = []
    any_client(on_event=events.append).obtain("a.example", challenges=Waiting(acme_server))
    assert seen == ["_acme-challenge.a.example"]
    assert "propagated" in [event.kind for event in events]


def test_one_after_the_other_for_all_orders(acme_server, new_client):
    solver = Records(acme_server)
    client = new_client(acme_server, timeout=100)
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda number: client.obtain(
                    f"a{number}.example", f"b{number}.example", challenges=solver
                ),
                range(8),
            )
        )
    assert solver.most_at_once == 1
    assert acme_server.records() == {}


def test_at_once_where_the_solver_allows_it(acme_server, client):
    together = threading.Barrier(2, timeout=40)

    class Parallel(Records):
        parallel = True

        def present(self, presentation):
            together.wait()
            super().present(presentation)

    client.obtain("a.example", "b.example", challenges=Parallel(acme_server))


def test_an_exception_is_the_cause_of_the_orders_error(acme_server, any_client):
    class Failing(Records):
        def present(self, presentation):
            super().present(presentation)
            raise ZeroDivisionError("no such zone")

    solver = Failing(acme_server)
    with pytest.raises(pylego.ChallengeFailed, match="no such zone") as caught:
        any_client().obtain("a.example", challenges=solver)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.code == "solver_failed"
    assert solver.pairs()[0] == solver.pairs()[1] != []
    assert acme_server.records() == {}


def test_a_solver_that_fails_lets_the_next_challenge_try(acme_server, any_client):
    class Failing(Records):
        def present(self, presentation):
            raise ZeroDivisionError

    certificate = any_client().obtain(
        "a.example", challenges=[Failing(acme_server), acme_server.http01()]
    )
    assert certificate.serial


def test_a_clean_up_that_fails_is_told(acme_server, any_client):
    class Forgetful(Records):
        def clean_up(self, presentation):
            raise ZeroDivisionError("it stays")

    events = []
    any_client(on_event=events.append).obtain("a.example", challenges=Forgetful(acme_server))
    [event] = [event for event in events if event.kind == "clean_up_failed"]
    assert "it stays" in event.detail


@everywhere
def test_a_solver_may_make_calls_of_its_own(acme_server, new_client, isolation):
    """More at once than the callbacks have threads, each with a call inside of a call."""

    class Nested(Records):
        parallel = True

        def present(self, presentation):
            inner = new_client(
                acme_server, isolation=isolation, on_event=lambda _: None, timeout=100
            )
            inner.obtain("inner-" + presentation.identifier.value, challenges=acme_server.http01())
            super().present(presentation)

    client = new_client(acme_server, isolation=isolation, timeout=100)
    solver = Nested(acme_server)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: client.obtain(f"a{n}.example", challenges=solver), range(16)))
    assert acme_server.records() == {}


def test_it_sees_the_callers_context(acme_server, any_client):
    who = contextvars.ContextVar("who", default="nobody")
    seen = set()

    class Asking(Records):
        def present(self, presentation):
            seen.add(who.get())
            super().present(presentation)

    who.set("me")
    any_client().obtain("a.example", challenges=Asking(acme_server))
    assert seen == {"me"}


def test_a_cancelled_present_is_heard_to_its_end_and_cleaned_up(acme_server):
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Records):
        def present(self, presentation):
            begun.set()
            assert go_on.wait(30)
            super().present(presentation)

    async def main():
        client = pylego.AsyncClient(
            acme_server.directory, trust=acme_server.trust_root, accept_terms=True
        )
        task = asyncio.create_task(client.obtain("a.example", challenges=solver))
        assert await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        await asyncio.sleep(0)  # the cancellation is on its way
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    solver = Slow(acme_server)
    asyncio.run(main())
    assert [call for call, *_ in solver.calls] == ["present", "clean_up"]
    assert acme_server.records() == {}


def test_cancelling_the_task_cancels_the_coroutine_of_a_solver(acme_server):
    class Endless(AsyncRecords):
        cancelled = False

        async def present(self, presentation):
            reached.set()
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                self.cancelled = True
                raise

    async def main():
        client = pylego.AsyncClient(
            acme_server.directory, trust=acme_server.trust_root, accept_terms=True
        )
        task = asyncio.create_task(client.obtain("a.example", challenges=solver))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    solver, reached = Endless(acme_server), asyncio.Event()
    asyncio.run(main())
    assert solver.cancelled
    assert [call for call, *_ in solver.calls] == ["clean_up"]


@pytest.mark.parametrize("nothing", [object(), Records, "dns", 1])
def test_what_is_no_solver_is_refused_before_anything_is_sent(acme_server, any_client, nothing):
    with pytest.raises(pylego.InvalidRequest):
        any_client().obtain("a.example", challenges=nothing)
    assert acme_server.requests() == {}


def test_challenges_by_name(acme_server, any_client):
    events = []
    any_client(on_event=events.append).obtain(
        "a.example",
        "*.inner.example",
        "b.inner.example",
        challenges={
            "*.inner.example": acme_server.dns01(),
            "a.*": [acme_server.tlsalpn01(), acme_server.http01()],
        },
    )
    by = {event.identifier: event.challenge for event in events if event.kind == "validated"}
    assert by == {
        "a.example": "tls-alpn-01",
        "*.inner.example": "dns-01",
        "b.inner.example": "dns-01",
    }


def test_a_name_that_no_pattern_fits_is_refused_before_anything_is_sent(acme_server, any_client):
    with pytest.raises(pylego.InvalidRequest, match=r"b\.example"):
        any_client().obtain(
            "a.example", "b.example", challenges={"a.example": acme_server.http01()}
        )
    assert acme_server.requests() == {}


def test_a_delay_before_the_ca_is_told(acme_server, any_client):
    events = []
    challenge = pylego.HTTP01("127.0.0.1", acme_server.http_port, delay=0.3)
    any_client(on_event=events.append).obtain("a.example", challenges=challenge)
    at = {event.kind: event.elapsed for event in events}
    assert at["triggered"] - at["presented"] >= 0.3


def test_a_clean_up_after_the_end_of_the_callers_loop_is_made_on_another(acme_server, client):
    class Late(AsyncRecords):
        def present(self, presentation):
            """Answer when the caller's loop is closed: no sooner is a clean-up asked for."""
            reached.set()
            assert closed.wait(30)

        async def clean_up(self, presentation):
            await super().clean_up(presentation)
            cleaned_up.set()

    async def main():
        awaited = pylego.AsyncClient(
            acme_server.directory, trust=acme_server.trust_root, accept_terms=True
        )
        task = asyncio.create_task(awaited.obtain("a.example", challenges=solver))
        await asyncio.to_thread(reached.wait)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()  # at once, without its clean-up
        with pytest.raises(asyncio.CancelledError):
            await task

    solver = Late(acme_server)
    reached, closed, cleaned_up = (threading.Event() for _ in range(3))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    closed.set()
    assert cleaned_up.wait(40)
    assert client.obtain("b.example", challenges=acme_server.http01())


def test_what_the_ca_refuses_has_no_cause_in_a_clean_up_that_fails(acme_server, any_client):
    class Untidy(Records):
        def present(self, presentation):
            """Show nothing: the CA will not find it."""

        def clean_up(self, presentation):
            raise LookupError

    with pytest.raises(pylego.ChallengeFailed) as caught:
        any_client().obtain("a.example", challenges=Untidy(acme_server))
    assert caught.value.code != "solver_failed"
    assert caught.value.__cause__ is None


def test_an_exit_lets_coroutines_clean_up(program):
    running = program("""
        import threading, pylego, pylego.testing

        class Solver:
            def present(self, presentation):
                presented.set()
                threading.Event().wait(0.2)

            async def clean_up(self, presentation):
                print("cleaned up", flush=True)

        server = pylego.testing.ACMEServer().__enter__()
        presented = threading.Event()
        client = pylego.Client(server.directory, trust=server.trust_root, accept_terms=True)
        threading.Thread(
            target=lambda: client.obtain("a.example", challenges=Solver()), daemon=True
        ).start()
        presented.wait(40)
    """)
    code, out, err = running.end()
    assert (code, out) == (0, "cleaned up\n"), err
