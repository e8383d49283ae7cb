"""Programs patched by eventlet: its threads are greenlets, and it has no poll.

No forks: eventlet's parent and child share one epoll, and disturb each other.
"""

import pytest

PATCHED = """
    import warnings
    warnings.simplefilter("ignore")  # eventlet says that it is deprecated
    import eventlet
    eventlet.monkey_patch()
    import eventlet.event
    from guest import *
    from ticker import longest_gap
"""

everywhere = pytest.mark.parametrize("isolation", ["", "process"])


@pytest.fixture
def patched(framework_program):
    """Start a patched program."""

    def start(source, isolation, **settings):
        return framework_program(PATCHED + source, env={"PYLEGO_ISOLATION": isolation}, **settings)

    return start


@everywhere
def test_no_call_stalls_the_other_greenlets(patched, isolation, calm):
    def once():
        code, out, err = patched(
            """
    def calls():  # the first one starts the engine
        for challenges in (HTTP01, TLSALPN01, dns01()):
            obtain("a.example", challenges, on_event=lambda event: None)
    print(longest_gap(eventlet.spawn, eventlet.sleep, calls))
    """,
            isolation,
        ).end()
        assert (code, err) == (0, "")
        return out

    assert calm(once) < 0.1


@everywhere
def test_greenlets_make_their_first_calls_at_once(patched, isolation):
    out = patched(
        """
    greenlets = [eventlet.spawn(obtain, f"t{number}.example") for number in range(8)]
    print(len({greenlet.wait() for greenlet in greenlets}))
    """,
        isolation,
    ).end()
    assert out == (0, "8\n", "")


@everywhere
def test_a_timeout_cancels_and_cleans_up(patched, isolation, slow_server):
    out = patched(
        """
    caller = eventlet.getcurrent()
    expired = eventlet.Timeout(1)
    expired.cancel()
    def tell(event):  # as an expired timeout does, but not before there is something to clean up
        if event.kind == "triggered":
            eventlet.hubs.get_hub().schedule_call_global(0, caller.throw, expired)
    try:
        obtain("a.example", dns01(), timeout=None, on_event=tell)
    except eventlet.Timeout as error:
        print(error)
    """,
        isolation,
        server=slow_server,
    ).end()
    assert out == (0, "1 second\n", "")
    assert slow_server.records() == {}
    assert "pending" not in slow_server.authorizations()


@everywhere
def test_the_exit_cancels_what_runs_and_cleans_up(patched, isolation, slow_server):
    out = patched(
        """
    waiting = eventlet.event.Event()
    def tell(event):
        if event.kind == "triggered":
            waiting.send()
    eventlet.spawn(obtain, "a.example", dns01(), timeout=None, on_event=tell)
    waiting.wait()
    """,
        isolation,
        server=slow_server,
    ).end()
    assert out == (0, "", "")
    assert slow_server.records() == {}
    assert "pending" not in slow_server.authorizations()
