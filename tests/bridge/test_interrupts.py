"""What an exception of a signal handler does to a call that waits: cancel, clean up, come through."""

import signal
import socket
import time

import pytest

from pylego import _engine
from pylego._engine import jobs
from tests.bridge.processes import SOON, Watched, descendants
from tests.bridge.sources import HANGING
from tests.servers.certificates import certificate_request

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
    assert "pending" not in slow_server.authorizations()


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


@everywhere
@pytest.mark.parametrize("plugin", ["http", "tls", "httpreq"])
def test_ctrl_c_interrupts_the_drop_in(slow_server, guest_program, tmp_path, isolation, plugin):
    trust = tmp_path / "trust.pem"
    trust.write_text(slow_server.trust_root)
    running = guest_program(
        """
        try:
            pylego.run_lego_command(
                "dev@example.com", CA["directory"], os.environ["REQUEST"], {}, os.environ["PLUGIN"],
                dns_propagation_wait=0.01, dns_nameservers=[CA["dns"]],
            )
        except KeyboardInterrupt:
            print("KeyboardInterrupt")
        """,
        server=slow_server,
        env={
            "PYLEGO_ISOLATION": isolation,
            "PLUGIN": plugin,
            "REQUEST": certificate_request("a.example").decode(),
            "SSL_CERT_FILE": str(trust),
            "HTTP01_PORT": str(slow_server.http_port),
            "TLSALPN01_PORT": str(slow_server.tls_port),
            **slow_server.dns01().variables,
        },
    )
    while not slow_server.requests().get("challenge"):  # it has told the CA, and waits
        assert running.process.poll() is None
        time.sleep(0.01)
    started = Watched(descendants(running.process.pid))
    running.interrupt()
    assert running.end() == (0, "KeyboardInterrupt\n", "")
    assert started.left_after(SOON) == []
    assert not any(slow_server.records().values())
    assert "pending" not in slow_server.authorizations()


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
    code, out, _ = running.end()  # the clean-up may not even have come to the provider's server
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


class Interrupt(BaseException):
    """What a signal handler raises."""


def test_an_interrupt_of_the_very_end_leaves_a_job_that_has_ended():
    # No test can hit the moment after the lock is taken: so this lock does.
    class Interrupting:
        def acquire(self, **settings):
            job.end()
            assert lock.acquire(**settings)
            raise Interrupt

        def release(self):
            lock.release()

    job = jobs.Job(1, lambda number: None)
    lock, job._running = job._running, Interrupting()
    with pytest.raises(Interrupt):
        job.wait()
    job._running = lock
    assert job.wait(0)


@everywhere
@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("step", ["registering", "sending"])
def test_an_interrupt_of_a_start_is_raised_at_once(monkeypatch, isolation, step, place):
    call = _engine.Call("contract", {}, cleanup_timeout=600, isolation=isolation)
    engine = _engine.of(call)
    interrupted = engine if step == "registering" else engine._transport
    start = interrupted.start

    def interrupt(*args):
        monkeypatch.undo()
        if place == "after":
            start(*args)
        raise Interrupt

    monkeypatch.setattr(interrupted, "start", interrupt)
    with pytest.raises(Interrupt):
        _engine.run(call)
    assert _engine.run(call)
    assert engine._jobs == {}
    assert _engine.of(call) is engine


@everywhere
@pytest.mark.parametrize("place", ["before", "after"])
def test_an_interrupt_of_the_first_call_leaves_one_engine_for_the_next(
    guest_program, isolation, place
):
    code, out, err = guest_program(
        f"""
        import threading
        start = threading.Thread.start
        def interrupt(thread):
            threading.Thread.start = start
            if {place == "after"}:
                start(thread)
            raise KeyboardInterrupt
        threading.Thread.start = interrupt
        try:
            obtain()
        except KeyboardInterrupt:
            print(len(obtain()) > 0)
        children = "".join(
            open(f"/proc/self/task/{{task}}/children").read() for task in os.listdir("/proc/self/task")
        )
        print([each.name for each in threading.enumerate()], len(children.split()))
        """,
        env={"PYLEGO_ISOLATION": isolation},
    ).end()
    processes = 1 if isolation else 0
    assert (code, out, err) == (0, f"True\n['MainThread', 'pylego'] {processes}\n", "")
