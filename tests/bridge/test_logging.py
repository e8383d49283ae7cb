"""Our logs and lego's arrive in Python's logging, under `pylego`."""

import logging

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
