"""What an exception of a signal handler does to a call that waits: cancel, clean up, come through."""

import signal
import socket

import pytest

from tests.bridge.processes import SOON, Watched, descendants

# A call that waits for a CA which never gets to its validations, and what becomes of it.
WAITING = """
    import signal, time
    interrupted = []
    def noted(handler):
        def note(*args):
            interrupted.append(time.monotonic())
            handler(*args)
        return note
    def leave(*_):
        raise SystemExit
    signal.signal(signal.SIGINT, noted(signal.default_int_handler))
    signal.signal(signal.SIGTERM, noted(leave))
    def tell(event):
        if event.kind == "triggered":
            print("triggered", flush=True)
    try:
        client(timeout=None, on_event=tell).obtain("a.example", challenges={challenge})
    except BaseException as error:
        print(type(error).__name__, time.monotonic() - interrupted[0] < 5)
"""

everywhere = pytest.mark.parametrize("isolation", ["", "process"])
every_challenge = pytest.mark.parametrize("challenge", ["HTTP01", "TLSALPN01", "dns01()"])


@pytest.fixture
def waiting(slow_server, guest_program):
    """Start a program whose call waits, and check what it leaves."""
    started = []

    def start(challenge, isolation, **settings):
        running = guest_program(
            WAITING.format(challenge=challenge),
            server=slow_server,
            env={"PYLEGO_ISOLATION": isolation},
            **settings,
        )
        assert running.line() == "triggered"
        started.append(Watched(descendants(running.process.pid)))
        return running

    yield start
    assert [each.left_after(SOON) for each in started] == [[]] * len(started)
    assert slow_server.records() == {}
    for port in (slow_server.http_port, slow_server.tls_port):
        socket.create_server(("127.0.0.1", port)).close()
    assert set(slow_server.authorizations()) == {"deactivated"}


@everywhere
@every_challenge
def test_ctrl_c_is_raised_after_the_clean_up(waiting, challenge, isolation):
    running = waiting(challenge, isolation)
    running.interrupt()
    assert running.end() == (0, "KeyboardInterrupt True\n", "")


@everywhere
@every_challenge
def test_ctrl_c_in_a_terminal_which_reaches_the_whole_foreground_group(
    waiting, challenge, isolation
):
    running = waiting(challenge, isolation, terminal=True)
    running.type("\x03")
    assert running.end()[:2] == (0, "^CKeyboardInterrupt True\n")


@everywhere
@every_challenge
def test_sigterm_to_all_processes_at_once(waiting, challenge, isolation):
    running = waiting(challenge, isolation)
    Watched([running.process.pid, *descendants(running.process.pid)]).signal(signal.SIGTERM)
    assert running.end() == (0, "SystemExit True\n", "")


@everywhere
def test_an_alarm_s_exception_cancels(slow_server, guest_program, isolation):
    code, out, err = guest_program(
        """
        import signal
        def ring(*_):
            raise TimeoutError("the alarm's own")
        signal.signal(signal.SIGALRM, ring)
        try:
            client(
                timeout=None,
                on_event=lambda event: event.kind == "triggered" and signal.alarm(1),
            ).obtain("a.example", challenges=HTTP01)
        except TimeoutError as error:
            print(error)
        """,
        server=slow_server,
        env={"PYLEGO_ISOLATION": isolation},
    ).end()
    assert (code, out, err) == (0, "the alarm's own\n", "")


# A DNS provider's server that answers a removal only when the test says so.
HANGING = """
    import http.server, threading
    go_on = threading.Event()
    class Hanging(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/present":
                print("cleaning", flush=True)
                go_on.wait()
                print("cleaned", flush=True)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hanging)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    def tell(event):
        if event.kind in ("triggered", "cleaned_up"):
            print(event.kind, flush=True)
    challenge = pylego.DNS01(
        "httpreq", resolvers=[CA["dns"]], propagation_wait=0.01,
        HTTPREQ_ENDPOINT=f"http://127.0.0.1:{server.server_port}", HTTPREQ_HTTP_TIMEOUT="600",
    )
    def call(cleanup_timeout):
        client(timeout=None, cleanup_timeout=cleanup_timeout, on_event=tell).obtain(
            "a.example", challenges=challenge
        )
"""


@everywhere
def test_a_second_exception_does_not_wait_for_the_clean_up_which_goes_on(
    slow_server, guest_program, isolation
):
    running = guest_program(
        HANGING
        + """
    try:
        call(cleanup_timeout=600)
    except KeyboardInterrupt as second:
        print(type(second.__context__).__name__, flush=True)
    go_on.set()
    threading.Event().wait()  # until the test has heard the event, and ends this program
    """,
        server=slow_server,
        env={"PYLEGO_ISOLATION": isolation},
    )
    assert running.line() == "triggered"
    running.interrupt()
    assert running.line() == "cleaning"
    running.interrupt()
    assert running.line() == "KeyboardInterrupt"
    assert [running.line(), running.line()] == ["cleaned", "cleaned_up"]


@everywhere
def test_a_clean_up_that_hangs_is_not_waited_for_longer_than_was_said(
    slow_server, guest_program, isolation
):
    running = guest_program(
        HANGING
        + """
    try:
        call(cleanup_timeout=0.2)
    except KeyboardInterrupt:
        print("raised", flush=True)
    os._exit(0)
    """,
        server=slow_server,
        env={"PYLEGO_ISOLATION": isolation},
    )
    assert running.line() == "triggered"
    running.interrupt()
    assert running.line() == "cleaning"
    code, out, _ = running.end()
    assert (code, out.splitlines()[-1]) == (0, "raised")


@everywhere
def test_a_signal_handler_may_make_a_call_during_another(guest_program, isolation):
    code, out, err = guest_program(
        """
        import signal, threading
        main = threading.get_ident()
        def handle(*_):
            print("inner", len(obtain("inner.example")) > 0)
        signal.signal(signal.SIGUSR1, handle)
        told = []
        def tell(event):
            if event.kind == "order":
                signal.pthread_kill(main, signal.SIGUSR1)
        print("outer", len(obtain("outer.example", on_event=tell)) > 0)
        """,
        env={"PYLEGO_ISOLATION": isolation},
    ).end()
    assert (code, sorted(out.splitlines()), err) == (0, ["inner True", "outer True"], "")


def test_an_exception_of_the_event_callback_cancels_and_is_raised(acme_server, new_client):
    def fail(event):
        if event.kind == "order":
            raise LookupError("the callback's own")

    with pytest.raises(LookupError, match="the callback's own"):
        new_client(acme_server, on_event=fail).obtain("a.example", challenges=acme_server.http01())
