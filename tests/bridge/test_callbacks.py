"""Callbacks run on threads of their own: none holds up another's call, nor the exit."""

import asyncio
import contextvars
import threading

import pytest

import pylego
from pylego import _engine
from pylego._engine import callbacks

everywhere = pytest.mark.parametrize("isolation", ["", "process"])


@everywhere
def test_callbacks_of_many_calls_at_once_may_make_calls_that_have_callbacks(
    guest_program, isolation
):
    out = guest_program(
        """
        import threading
        together = threading.Barrier(16)
        def tell(event):
            if event.kind == "order":
                together.wait()
                client(on_event=lambda event: None).register()
        with ThreadPoolExecutor(16) as threads:
            calls = [threads.submit(obtain, f"t{n}.example", on_event=tell) for n in range(16)]
            print(len({each.result() for each in calls}))
        """,
        env={"PYLEGO_ISOLATION": isolation},
    ).end()
    assert out == (0, "16\n", "")


@everywhere
def test_a_callback_that_never_returns_does_not_hold_up_the_exit(
    slow_server, guest_program, isolation
):
    running = guest_program(
        """
        import threading
        told = threading.Event()
        def tell(event):
            told.set()
            threading.Event().wait()
        threading.Thread(target=obtain, kwargs={"on_event": tell}, daemon=True).start()
        told.wait()
        print("leaving", flush=True)
        """,
        server=slow_server,
        env={"PYLEGO_ISOLATION": isolation},
    )
    assert running.line() == "leaving"
    assert running.end(timeout=9) == (0, "", "")  # the exit's own limit is 10


def test_events_come_in_order_and_see_the_caller_s_context(acme_server, new_client):
    name = contextvars.ContextVar("name", default="")
    kinds, elapsed, names = [], [], set()

    def tell(event):
        kinds.append(event.kind)
        elapsed.append(event.elapsed)
        names.add(name.get())

    token = name.set("the caller's")
    new_client(acme_server, on_event=tell).obtain("a.example", challenges=acme_server.http01())
    name.reset(token)
    assert names == {"the caller's"}
    assert elapsed == sorted(elapsed)
    assert kinds[0] == "account"
    assert {"issued", "cleaned_up"} <= set(kinds)  # all of them before the call's end


def test_a_callback_that_is_slow_holds_up_no_deadline_for_longer_than_the_clean_up_may_take(
    slow_server, new_client
):
    go_on = threading.Event()
    client = new_client(
        slow_server, timeout=0.2, cleanup_timeout=0.2, on_event=lambda event: go_on.wait()
    )
    with pytest.raises(pylego.DeadlineExceeded):
        client.obtain("a.example", challenges=slow_server.http01())
    go_on.set()


def test_nor_does_a_coroutine_function_that_is_slow(slow_server):
    async def wait(event):
        await asyncio.Event().wait()

    client = pylego.AsyncClient(
        slow_server.directory,
        trust=slow_server.trust_root,
        accept_terms=True,
        timeout=0.2,
        cleanup_timeout=0.2,
        on_event=wait,
    )
    with pytest.raises(pylego.DeadlineExceeded):
        asyncio.run(client.obtain("a.example", challenges=slow_server.http01()))


def test_a_callback_s_thread_stays_for_what_comes_next(monkeypatch):
    monkeypatch.setattr(callbacks, "PATIENCE", 60)  # never over here
    serial, threads = callbacks.Serial(), set()
    for _ in range(3):
        called = threading.Event()

        def note(called=called):
            threads.add(threading.current_thread())
            called.set()

        serial.call(note)
        assert called.wait(20)
    assert len(threads) == 1


def test_without_a_thread_of_its_own_it_waits_for_nothing(monkeypatch):
    monkeypatch.setattr(callbacks, "PATIENCE", 60)
    refuse_threads(monkeypatch, "can't create new thread at interpreter shutdown")
    serial, threads = callbacks.Serial(), []
    serial.call(lambda: threads.append(threading.get_ident()))
    assert (threads, serial.active) == ([threading.get_ident()], False)


def refuse_threads(monkeypatch, reason):
    """Let no thread for user code be started."""
    start = threading.Thread.start

    def refuse(thread):
        if thread.name in ("pylego-callback", "pylego-solver"):
            raise RuntimeError(reason)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest.fixture
def no_more_threads(monkeypatch):
    """Let the process have as many threads as it may have."""
    refuse_threads(monkeypatch, "can't start new thread")


def test_a_call_of_a_callback_s_own_at_the_exit_is_an_error_and_does_not_wait_for_itself(
    acme_server, new_client, monkeypatch
):
    refuse_threads(monkeypatch, "can't create new thread at interpreter shutdown")
    client = new_client(acme_server, on_event=lambda event: new_client(acme_server).directory())
    with pytest.raises(pylego.EngineError, match="the interpreter is exiting"):
        client.obtain("a.example", challenges=acme_server.http01())


@pytest.mark.usefixtures("no_more_threads")
def test_no_callback_runs_where_there_can_be_no_thread_for_it(acme_server, new_client):
    told = []
    client = new_client(acme_server, on_event=told.append)
    with pytest.raises(pylego.EngineError, match="can't start new thread"):
        client.obtain("a.example", challenges=acme_server.http01())
    assert told == []


@pytest.mark.usefixtures("no_more_threads")
def test_no_solver_runs_where_there_can_be_no_thread_for_it(acme_server, client):
    called = []

    class Solver:
        def present(self, presentation):
            called.append(presentation)

        clean_up = present

    with pytest.raises(pylego.ChallengeFailed, match="can't start new thread"):
        client.obtain("a.example", challenges=Solver())
    assert called == []


@pytest.mark.usefixtures("no_more_threads")
def test_no_log_handler_runs_where_there_can_be_no_thread_for_it(acme_server, client, caplog):
    caplog.set_level("DEBUG", logger="pylego")
    client.obtain("a.example", challenges=acme_server.http01())
    assert not caplog.records
    assert _engine.run(_engine.Call("contract", {}))


def test_a_refused_call_of_asyncio_leaves_no_task_behind(acme_server, monkeypatch):
    call = _engine.Call("contract", {})
    monkeypatch.setattr(_engine.of(call)._transport, "start", lambda *_: False)

    async def main():
        client = pylego.AsyncClient(acme_server.directory, on_event=lambda event: None)
        with pytest.raises(pylego.EngineError, match="closed"):
            await client.directory()
        return len(asyncio.all_tasks())

    assert asyncio.run(main()) == 1


# A call of asyncio's that waits for the CA, and a solver that tells of its clean-up.
ON_A_LOOP = """
    import asyncio, gc, threading, time
    cleaned = threading.Event()
    class Solver:
        type = "dns-01"
        def present(self, presentation):
            pass
        def clean_up(self, presentation):
            cleaned.set()
    def call(tell):
        settings = {"trust": CA["trust_root"], "accept_terms": True, "on_event": tell}
        return pylego.AsyncClient(CA["directory"], **settings).obtain(
            "a.example", challenges=Solver()
        )
    def telling(reached):
        return lambda event: event.kind == "triggered" and reached.set()
"""


@everywhere
@pytest.mark.parametrize(
    "rest",
    [
        pytest.param("pass", id="the-end-of-asyncio-run"),
        pytest.param("task.cancel(); await asyncio.sleep(0); task.cancel()", id="cancelled-twice"),
    ],
)
def test_a_job_s_end_does_not_wait_for_a_listener_that_the_loop_has_cancelled(
    slow_server, guest_program, isolation, rest
):
    running = guest_program(
        ON_A_LOOP
        + f"""
    async def main():
        global task
        reached = asyncio.Event()
        task = asyncio.create_task(call(telling(reached)))
        await reached.wait()
        print("reached", flush=True)
        {rest}
    asyncio.run(main())
    print(cleaned.wait(20), flush=True)
    """,
        server=slow_server,
        env={"PYLEGO_ISOLATION": isolation},
    )
    assert running.line() == "reached"
    assert running.end(timeout=9) == (0, "True\n", "")  # the clean-up's own limit is 10


@everywhere
def test_a_coroutine_that_is_closed_cancels_its_job(slow_server, guest_program, isolation):
    out = guest_program(
        ON_A_LOOP
        + """
    async def main():
        reached = asyncio.Event()
        coroutine = call(telling(reached))
        coroutine.send(None)
        await reached.wait()
        coroutine.close()
        print(cleaned.wait(20))
    asyncio.run(main())
    """,
        server=slow_server,
        env={"PYLEGO_ISOLATION": isolation},
    ).end()
    assert out == (0, "True\n", "")


@everywhere
def test_a_loop_that_is_closed_and_forgotten_cancels_its_jobs(
    slow_server, guest_program, isolation
):
    running = guest_program(
        ON_A_LOOP
        + """
    async def main():
        reached = asyncio.Event()
        asyncio.ensure_future(call(telling(reached)))
        await reached.wait()
        print("reached", flush=True)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    del loop
    gc.collect()
    print(cleaned.wait(20), flush=True)
    """,
        server=slow_server,
        env={"PYLEGO_ISOLATION": isolation},
    )
    assert running.line() == "reached"
    code, out, _ = running.end(timeout=9)  # asyncio itself complains of its pending tasks
    assert (code, out) == (0, "True\n")
