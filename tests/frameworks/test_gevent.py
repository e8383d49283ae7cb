"""Programs patched by gevent: their threads are greenlets, and go on in a fork."""

import socket

import pytest

PATCHED = """
    from gevent import monkey
    monkey.patch_all()
    import gevent, gevent.event, socket, sys
    from guest import *
    from ticker import longest_gap
"""
PATCHED_LATE = """
    from guest import *
    from gevent import monkey
    monkey.patch_all()
    import gevent
"""

everywhere = pytest.mark.parametrize("isolation", ["", "process"])


@pytest.fixture
def patched(framework_program):
    """Run a patched program to its end; return what it printed."""

    def run(source, *, patch=PATCHED, isolation="", server=None):
        settings = {} if server is None else {"server": server}
        running = framework_program(patch + source, env={"PYLEGO_ISOLATION": isolation}, **settings)
        code, out, err = running.end()
        assert (code, err) == (0, "")
        return out

    return run


@pytest.fixture
def clean_server(slow_server):
    """Give a CA that never gets to its validations, and check what its clients have left."""
    yield slow_server
    assert slow_server.records() == {}
    assert "pending" not in slow_server.authorizations()
    socket.create_server(("127.0.0.1", slow_server.http_port)).close()


@everywhere
def test_no_call_stalls_the_other_greenlets(patched, isolation, calm):
    gaps = calm(
        lambda: patched(
            """
    def calls():  # the first one starts the engine
        for challenges in (HTTP01, TLSALPN01, dns01()):
            obtain("a.example", challenges, on_event=lambda event: None)
    print(longest_gap(gevent.spawn, gevent.sleep, calls))
    """,
            isolation=isolation,
        )
    )
    assert gaps < 0.1


@everywhere
@pytest.mark.parametrize("patch", [PATCHED, PATCHED_LATE], ids=["first", "after-pylego"])
def test_greenlets_make_their_first_calls_at_once(patched, isolation, patch):
    out = patched(
        """
    greenlets = [gevent.spawn(obtain, f"t{number}.example") for number in range(8)]
    print(len({greenlet.get() for greenlet in greenlets}))
    """,
        patch=patch,
        isolation=isolation,
    )
    assert out == "8\n"


@everywhere
def test_a_timeout_cancels_and_cleans_up(patched, isolation, clean_server):
    out = patched(
        """
    caller = gevent.getcurrent()
    def tell(event):  # as an expired timeout does, but not before there is something to clean up
        if event.kind == "triggered":
            gevent.get_hub().loop.run_callback(caller.throw, gevent.Timeout(1))
    for challenges in ([HTTP01, dns01()], dns01()):
        try:
            obtain("a.example", challenges, timeout=None, on_event=tell)
        except gevent.Timeout as error:
            print(error)
    """,
        isolation=isolation,
        server=clean_server,
    )
    assert out == "1 second\n1 second\n"


@everywhere
def test_a_kill_returns_after_the_clean_up(patched, isolation, clean_server):
    out = patched(
        """
    waiting = gevent.event.Event()
    def tell(event):
        if event.kind == "triggered":
            waiting.set()
    greenlet = gevent.spawn(obtain, "a.example", dns01(), timeout=None, on_event=tell)
    waiting.wait()
    greenlet.kill()
    print(greenlet.dead, repr(greenlet.value))
    """,
        isolation=isolation,
        server=clean_server,
    )
    assert out == "True GreenletExit()\n"


@everywhere
def test_ctrl_c_is_raised_after_the_clean_up(framework_program, isolation, clean_server):
    running = framework_program(
        PATCHED
        + """
    # Told when no greenlet runs: gevent raises KeyboardInterrupt in one that does.
    idle = gevent.get_hub().loop.idle()
    def told():
        idle.stop()
        print("triggered", flush=True)
    def tell(event):
        if event.kind == "triggered":
            idle.start(told)
    try:
        obtain("a.example", dns01(), timeout=None, on_event=tell)
    except KeyboardInterrupt as error:
        print(type(error).__name__)
    """,
        env={"PYLEGO_ISOLATION": isolation},
        server=clean_server,
    )
    assert running.line() == "triggered"
    running.interrupt()
    code, out, err = running.end()
    assert (code, out) == (0, "KeyboardInterrupt\n"), err


@everywhere
def test_the_exit_cancels_what_runs_and_cleans_up(patched, isolation, clean_server):
    patched(
        """
    waiting = gevent.event.Event()
    def tell(event):
        if event.kind == "triggered":
            waiting.set()
    gevent.spawn(obtain, "a.example", dns01(), timeout=None, on_event=tell)
    waiting.wait()
    """,
        isolation=isolation,
        server=clean_server,
    )


@everywhere
def test_a_fork_during_8_running_calls(patched, isolation):
    # The engine's own greenlets go on in the fork too, but the messages are the parent's.
    out = patched(
        """
    obtain("before.example")
    started, go_on = [], gevent.event.Event()
    all_started = gevent.event.Event()
    def call(number):
        def tell(event):
            if event.kind == "order":
                started.append(number)
                if len(started) == 8:
                    all_started.set()
                go_on.wait()
        try:
            return obtain(f"parent{number}.example", on_event=tell)
        except pylego.EngineError as error:
            return str(error)
    greenlets = [gevent.spawn(call, number) for number in range(8)]
    all_started.wait()
    its, ours = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        serials = {obtain(f"child{number}.example") for number in range(8)}
        its.recv(1)  # the parent makes calls meanwhile
        serials |= {obtain(f"late{number}.example") for number in range(8)}
        reasons = {greenlet.get() for greenlet in greenlets}
        print("child", len(serials), reasons, flush=True)
        sys.exit(3)
    serials = {obtain(f"during{number}.example") for number in range(8)}
    go_on.set()
    serials |= {greenlet.get() for greenlet in greenlets}
    ours.send(b"!")
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print("parent", len(serials), code, len(obtain("after.example")) > 0)
    """,
        isolation=isolation,
    )
    assert out == (
        "child 16 {'[engine_error] this process was forked during the call,"
        " which goes on in the other'}\nparent 16 3 True\n"
    )
