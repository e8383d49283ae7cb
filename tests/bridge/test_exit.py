"""How programs end: nothing hangs, nothing complains, nothing stays."""

import contextlib
import os
import signal

import pytest

from tests.bridge.processes import SOON, Watched, descendants, left_after_a_kill
from tests.bridge.sources import HANGING

everywhere = pytest.mark.parametrize("isolation", ["", "process"])

# A thread in a call that ends only when it is cancelled; `waiting` is set meanwhile.
CALL_IN_A_THREAD = """
    import os, sys, threading
    waiting = threading.Event()
    def tell(event):
        if event.kind == "triggered":
            waiting.set()
    def call():
        client(timeout=None, on_event=tell).obtain("a.example", challenges=dns01())
    threading.Thread(target=call, daemon=True).start()
    waiting.wait()
"""


@everywhere
def test_the_exit_cancels_what_runs_and_cleans_up(slow_server, guest_program, isolation):
    running = guest_program(
        CALL_IN_A_THREAD, server=slow_server, env={"PYLEGO_ISOLATION": isolation}
    )
    assert running.end() == (0, "", "")
    assert slow_server.records() == {}
    assert "pending" not in slow_server.authorizations()


@everywhere
@pytest.mark.parametrize(
    "way", ["sys.exit(0)", "os._exit(0)", "threading.Thread(target=sys.exit).start()"]
)
def test_no_way_to_exit_hangs_or_complains(slow_server, guest_program, isolation, way):
    source = (
        CALL_IN_A_THREAD
        + f"""
    print(os.getpid(), flush=True)
    sys.stdin.readline()
    {way}
    """
    )
    running = guest_program(source, server=slow_server, env={"PYLEGO_ISOLATION": isolation})
    started = Watched(descendants(int(running.line())))
    running.type("go on\n")
    assert running.end() == (0, "", "")
    assert started.left_after(SOON) == []


@everywhere
def test_a_call_after_the_end_of_the_engine_is_an_error(guest_program, isolation):
    code, out, err = guest_program(
        """
        import atexit
        def late():
            try:
                obtain()
            except pylego.EngineError as error:
                print(error)
        atexit.register(late)  # hooks run last come first
        obtain()
        """,
        env={"PYLEGO_ISOLATION": isolation},
    ).end()
    assert (code, err) == (0, "")
    assert "the interpreter is exiting" in out


def test_a_first_call_at_the_exit_works_or_is_an_error(guest_program):
    code, out, err = guest_program("""
        import atexit
        def late():
            try:
                print(len(obtain()) > 0)
            except pylego.EngineError as error:
                print("thread" in str(error))
        atexit.register(late)
        """).end()
    assert (code, out, err) == (0, "True\n", "")


def test_a_first_call_at_the_exit_is_an_error_of_ours_at_most(program):
    # Not a guest, which has loaded thread pools: they refuse to be loaded at the exit.
    out = program("""
        import atexit, pylego
        def late():
            try:
                pylego.Client("https://127.0.0.1:1/", on_event=print).directory()
            except (pylego.EngineError, pylego.NetworkError):
                print("ours")
        atexit.register(late)
        """).end()
    assert out == (0, "ours\n", "")


@everywhere
def test_a_clean_up_that_hangs_holds_up_the_exit_no_longer_than_it_may_take(
    slow_server, guest_program, isolation
):
    # Since Python 3.12 no thread can be started at the exit, by the program's server either.
    running = guest_program(
        HANGING.replace("ThreadingHTTPServer", "HTTPServer")
        + """
    threading.Thread(target=call, args=(600,), daemon=True).start()
    import sys
    sys.stdin.readline()
    pylego._engine.jobs.EXIT_TIME = 0.5
    """,
        server=slow_server,
        env={"PYLEGO_ISOLATION": isolation},
    )
    assert running.line() == "triggered"
    started = Watched(descendants(running.process.pid))
    running.type("go on\n")
    code, out, err = running.end(timeout=9)
    assert (code, err) == (0, "")
    assert out in ("cleaning\n", "")  # a busy machine may not come to it in that time
    assert started.left_after(SOON) == []


@everywhere
def test_what_was_logged_is_written_before_the_exit(guest_program, isolation):
    out = guest_program(
        """
        import atexit, logging, threading
        begun, go_on, written = threading.Event(), threading.Event(), []
        class Slow(logging.Handler):
            def emit(self, record):
                begun.set()
                go_on.wait()
                written.append(record)
        log = logging.getLogger("pylego")
        log.addHandler(Slow())
        log.setLevel(logging.DEBUG)
        os.environ["LEGO_DEBUG_DNS_API_HTTP_CLIENT"] = "true"
        # Hooks run last come first: this one after the engine's, which the call registers.
        atexit.register(lambda: print(len(written) == waiting > 0))
        obtain("a.example", dns01())
        begun.wait()
        logs = pylego._engine._engines[os.environ["PYLEGO_ISOLATION"]]._logs
        waiting = len(logs._waiting) + 1
        go_on.set()
        """,
        env={"PYLEGO_ISOLATION": isolation},
    ).end()
    assert out == (0, "True\n", "")


@everywhere
def test_everything_is_gone_soon_after_a_kill(slow_server, guest_program, isolation):
    source = (
        CALL_IN_A_THREAD
        + """
    print("waiting", flush=True)
    threading.Event().wait()
    """
    )

    def start():
        running = guest_program(source, server=slow_server, env={"PYLEGO_ISOLATION": isolation})
        assert running.line() == "waiting"
        return running

    assert left_after_a_kill(start) == []


@everywhere
def test_a_program_that_a_provider_runs_is_gone_soon_after_a_kill(
    acme_server, guest_program, isolation, tmp_path
):
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/started\nexec sleep 300\n")
    hook.chmod(0o755)
    os.mkfifo(tmp_path / "started")
    running = guest_program(
        f"obtain(challenges=pylego.DNS01('exec', EXEC_PATH={str(hook)!r}))",
        server=acme_server,
        env={"PYLEGO_ISOLATION": isolation},
    )
    pid = int((tmp_path / "started").read_text())  # when it has been written
    started = Watched(descendants(running.process.pid))
    assert pid in started.descriptors.values()
    running.process.kill()
    try:
        assert started.left_after(SOON) == []
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@everywhere
def test_everything_is_gone_soon_after_a_kill_though_a_fork_lives(
    slow_server, guest_program, isolation
):
    # A fork that Python does not see, so that no hook closes anything in it.
    source = (
        CALL_IN_A_THREAD
        + """
    import ctypes
    libc = ctypes.PyDLL(None)
    fork = libc.fork()
    if fork == 0:
        libc.pause()
    print(fork, flush=True)
    threading.Event().wait()
    """
    )
    forks = []

    def start():
        running = guest_program(source, server=slow_server, env={"PYLEGO_ISOLATION": isolation})
        forks.append(int(running.line()))
        return running

    try:
        assert left_after_a_kill(start, forks) == []
    finally:
        for fork in forks:
            os.kill(fork, signal.SIGKILL)
