"""How programs end: nothing hangs, nothing complains, nothing stays."""

import os
import signal

import pytest

from tests.bridge.processes import SOON, Watched, descendants

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
    assert set(slow_server.authorizations()) == {"deactivated"}


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


@everywhere
def test_everything_is_gone_soon_after_a_kill(slow_server, guest_program, isolation):
    source = (
        CALL_IN_A_THREAD
        + """
    print("waiting", flush=True)
    threading.Event().wait()
    """
    )
    running = guest_program(source, server=slow_server, env={"PYLEGO_ISOLATION": isolation})
    assert running.line() == "waiting"
    started = Watched(descendants(running.process.pid))
    assert started.descriptors
    running.process.kill()
    assert started.left_after(SOON) == []


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
    running = guest_program(source, server=slow_server, env={"PYLEGO_ISOLATION": isolation})
    fork = int(running.line())
    started = Watched(set(descendants(running.process.pid)) - {fork})
    assert started.descriptors
    running.process.kill()
    try:
        assert started.left_after(SOON) == []
    finally:
        os.kill(fork, signal.SIGKILL)
