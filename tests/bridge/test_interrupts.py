"""Ctrl-C cancels, waits for the clean-up, and comes through."""

import pytest

WAITING = """
    import sys, time, socket
    import pylego, pylego.testing

    # The CA never gets to its validations: each waits for minutes.
    with pylego.testing.ACMEServer(validation_sleep=600) as server:
        seen = []
        def tell(event):
            seen.append(event.kind)
            if event.kind == "triggered":
                print("triggered", flush=True)
        client = pylego.Client(
            server.directory, trust=server.trust_root, accept_terms=True, on_event=tell
        )
        challenge = getattr(server, {challenge!r})()
        began = []
        import signal
        previous = signal.getsignal(signal.SIGINT)
        def noted(*args):
            began.append(time.monotonic())
            previous(*args)
        signal.signal(signal.SIGINT, noted)
        try:
            client.obtain("a.example", challenges=challenge)
        except KeyboardInterrupt:
            took = time.monotonic() - began[0]
        if challenge.__class__.__name__ != "DNS01":
            socket.create_server(("127.0.0.1", challenge.port)).close()
        print(seen.count("presented"), seen.count("cleaned_up"), server.records(), took < 5)
        print(took, file=sys.stderr)
"""


@pytest.mark.parametrize("challenge", ["http01", "tlsalpn01", "dns01"])
def test_ctrl_c_is_raised_after_the_clean_up(program, challenge):
    running = program(WAITING.format(challenge=challenge))
    assert running.line() == "triggered"
    running.interrupt()
    code, out, _ = running.end()
    assert (code, out.strip()) == (0, "1 1 {} True")


def test_an_exception_of_the_event_callback_cancels_and_is_raised(acme_server, new_client):
    def fail(event):
        if event.kind == "order":
            raise LookupError("the callback's own")

    with pytest.raises(LookupError, match="the callback's own"):
        new_client(acme_server, on_event=fail).obtain("a.example", challenges=acme_server.http01())
