"""Our logs and lego's arrive in Python's logging, under `pylego`."""

import logging
import sys
import threading

import pytest

import pylego


def test_logs_arrive_with_their_level(acme_server, client, caplog):
    caplog.set_level(logging.DEBUG, logger="pylego")
    client.obtain("a.example", challenges=acme_server.dns01())
    # They come by a thread of their own: the next call's are behind them.
    pylego.testing.ACMEServer().__enter__().__exit__(None, None, None)
    sources = {record.lego.get("source") for record in caplog.records if hasattr(record, "lego")}
    assert "pebble" in sources
    assert {record.name for record in caplog.records} == {"pylego"}
    assert logging.DEBUG in {record.levelno for record in caplog.records}


def test_what_lego_logs_in_a_providers_process_arrives(acme_server, client, caplog, tmp_path):
    caplog.set_level(logging.INFO, logger="pylego")
    program = tmp_path / "records"
    program.write_text('#!/bin/sh\necho "asked to $1 $2"\nexit 3\n')
    program.chmod(0o755)
    challenge = pylego.DNS01("exec", EXEC_PATH=str(program), resolvers=[acme_server.dns])
    with pytest.raises(pylego.ProviderError, match="exit status 3"):
        client.obtain("a.example", challenges=challenge)
    pylego.testing.ACMEServer().__enter__().__exit__(None, None, None)
    said = [each for each in caplog.records if "asked to present" in each.getMessage()]
    assert [(each.levelno, each.lego["provider"]) for each in said] == [(logging.INFO, "exec")]
    assert "_acme-challenge.a.example." in said[0].getMessage()


def test_a_program_that_does_not_ask_hears_nothing(program):
    code, out, err = program("""
    import pylego, pylego.testing
    with pylego.testing.ACMEServer() as server:
        client = pylego.Client(server.directory, trust=server.trust_root, accept_terms=True)
        try:
            client.obtain("a.example", challenges=server.dns01(HTTPREQ_ENDPOINT="http://127.0.0.1:1"))
        except pylego.LEGOError:
            pass
    """).end()
    assert (code, out, err) == (0, "", "")


@pytest.mark.parametrize("hook", ["works", "fails"])
def test_a_handler_that_raises_is_reported_and_ends_no_later_log(client, monkeypatch, hook):
    reported, later = [], threading.Event()

    class Failing(logging.Handler):
        def handle(self, record):
            if self not in failed:
                failed.append(self)
                raise LookupError("the handler's own")
            later.set()

    def report(kind, error, traceback):
        reported.append(str(error))
        if hook == "fails":
            raise error

    failed, logger, handler = [], logging.getLogger("pylego"), Failing()
    monkeypatch.setattr(sys, "excepthook", report)
    monkeypatch.setattr(logger, "level", logging.DEBUG)
    logger.addHandler(handler)
    try:
        client.register()
        client.directory()
        assert later.wait(20)
    finally:
        logger.removeHandler(handler)
    assert reported == ["the handler's own"]
