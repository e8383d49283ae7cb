"""Many threads, one engine, one port."""

import base64
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from pylego._engine import surroundings


def test_64_threads_at_once_on_one_port(acme_server, new_client):
    together = threading.Barrier(64)

    def obtain(number):
        together.wait()
        client = new_client(acme_server, timeout=100)
        return client.obtain(f"host{number}.example", challenges=acme_server.http01())

    with ThreadPoolExecutor(64) as pool:
        certificates = list(pool.map(obtain, range(64)))
    names = {certificate.identifiers[0].value for certificate in certificates}
    assert names == {f"host{number}.example" for number in range(64)}


def test_threads_with_one_client_share_its_account_from_their_first_calls_on(acme_server, client):
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda number: client.obtain(f"h{number}.example", challenges=acme_server.http01()),
                range(8),
            )
        )
    assert acme_server.requests()["newAccount"] == 1


def test_a_program_that_exits_in_the_middle_of_a_call_neither_hangs_nor_complains(program):
    code, out, err = program("""
    import threading, sys, pylego, pylego.testing
    server = pylego.testing.ACMEServer(validation_sleep=600).__enter__()
    there = threading.Event()
    client = pylego.Client(
        server.directory, trust=server.trust_root, accept_terms=True,
        on_event=lambda event: event.kind == "triggered" and there.set(),
    )
    def call():
        try:
            client.obtain("a.example", challenges=server.http01())
        except pylego.LEGOError:
            pass
    threading.Thread(target=call, daemon=True).start()
    there.wait()
    """).end()
    assert (code, out, err) == (0, "", "")


def test_another_thread_may_change_the_environment_meanwhile(monkeypatch):
    # A mock, since no test can hit the moment between a name and its value.
    errors = [KeyError(b"GONE"), RuntimeError("changed size during iteration")]

    class Changing:
        def items(self):
            if errors:
                raise errors.pop()
            return [(b"A", b"1")]

    monkeypatch.setattr(os, "environb", Changing())
    assert surroundings.caller()["environment"] == base64.b64encode(b"A=1").decode()
