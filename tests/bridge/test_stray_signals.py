"""Signals that interrupt no wait: Python runs their handlers when the main thread wakes."""

import pytest


@pytest.mark.parametrize("isolation", ["", "process"])
def test_a_signal_that_reaches_another_thread_cancels_too(slow_server, guest_program, isolation):
    out = guest_program(
        """
        import signal, threading
        def tell(event):
            if event.kind == "triggered":
                signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        try:
            obtain("a.example", dns01(), timeout=None, on_event=tell)
        except KeyboardInterrupt as error:
            print(type(error).__name__)
        """,
        server=slow_server,
        env={"PYLEGO_ISOLATION": isolation},
    ).end()
    assert out == (0, "KeyboardInterrupt\n", "")
    assert slow_server.records() == {}
    assert set(slow_server.authorizations()) == {"deactivated"}
