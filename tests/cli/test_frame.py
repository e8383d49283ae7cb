"""What all commands share: JSON, errors in words, exit codes, signals, progress, options."""

import datetime as dt
import json
import signal
from pathlib import Path

import pytest

import pylego
from tests.cli.conftest import PYLEGO, redirected, until

pytest.importorskip("typer")

SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"


## Outcomes and errors


def test_an_outcome_is_shown_to_a_person_or_printed_as_one_object(own_command):
    assert own_command("code", "0").out == "0\n"
    assert own_command("code", "0", "--json").json == {"code": 0}


def test_moments_are_written_as_programs_read_them(own_command):
    told = {"moment": "2026-03-01T00:00:00+00:00", "path": "/a"}
    assert own_command("moment", "--json").json == told


@pytest.mark.parametrize("code", [0, 1, 3, 4])
def test_the_exit_code_is_the_outcome_s(code, own_command):
    assert own_command("code", str(code)).code == code
    assert own_command("code", str(code), "--json").code == code


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("refused", 1, "[rateLimited] too many\n"),
        ("system", 1, "/nowhere: No such file or directory\n"),
        ("internal", 1, "ZeroDivisionError: a bug\n"),
        ("use", 2, "--this needs --that\n"),
    ],
)
def test_an_error_is_its_own_words_on_stderr_and_an_exit_code(kind, code, words, own_command):
    done = own_command("fail", kind)
    assert (done.code, done.out, done.err) == (code, "", words)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("refused", {"class": "RateLimited", "code": "rateLimited", "retryable": True}),
        ("system", {"class": "FileNotFoundError", "code": "system", "retryable": False}),
        ("internal", {"class": "ZeroDivisionError", "code": "internal", "retryable": False}),
        ("use", {"class": "WrongUse", "code": "wrong_use", "retryable": False}),
    ],
)
def test_an_error_is_an_object_where_json_is_wanted(kind, told, own_command):
    done = own_command("fail", kind, "--json")
    assert done.err == ""
    error = done.json["error"]
    assert told.items() <= error.items()
    assert sorted(error) == [
        *("class", "code", "identifiers", "message", "retry_after", "retryable")
    ]
    if kind == "refused":
        assert error["identifiers"] == ["a.example"]
        assert dt.datetime.fromisoformat(error["retry_after"]).tzinfo is not None


def test_an_error_has_a_traceback_where_it_is_asked_for(own_command):
    done = own_command("fail", "internal", "--debug")
    assert done.code == 1
    assert "Traceback" in done.err
    assert done.err.endswith("ZeroDivisionError: a bug\n")


@pytest.mark.parametrize(
    "arguments", [("code", "x"), ("code", "1", "--no-such"), ("no-such",), ("code",)]
)
def test_wrong_use_is_told_with_the_usage(arguments, own_command):
    done = own_command(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: pylego")
    error = own_command(*arguments, "--json").json["error"]
    assert (error["class"], error["code"]) == ("WrongUse", "wrong_use")


def test_a_command_that_tells_everything_itself_is_told_of_its_flags(own_command):
    assert own_command("flags").out == "False\n"
    assert own_command("flags", "--json").out == "True\n"


def test_a_reader_that_goes_away_is_no_error(started):
    running = started("code", "0", "--json")
    running.process.stdout.close()
    running.process.wait(60)
    assert running.process.stderr.read() == ""


## Streams of which nothing comes, or into which nothing goes

FULL = Path("/dev/full")
full = pytest.mark.skipif(not FULL.exists(), reason="/dev/full is Linux's")


@pytest.mark.parametrize("arguments", [("ca", "list"), ("ca", "list", "--json"), ("--version",)])
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_error(closed, arguments, started):
    code, _, err = started(*arguments, source=PYLEGO, launcher=redirected(closed)).end()
    assert (code, err) == (0, "")


@full
@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_what_cannot_be_written_is_a_failure_in_one_line(flags, started):
    running = started("ca", "list", *flags, source=PYLEGO, launcher=redirected(">/dev/full"))
    assert running.end() == (1, "", "No space left on device\n")


@full
@pytest.mark.parametrize("flags", [(), ("--json",)])
@pytest.mark.parametrize("where", [">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full"])
def test_an_error_that_cannot_be_written_has_its_exit_code(where, flags, started):
    code, _, err = started("fail", "use", *flags, launcher=redirected(where)).end()
    assert code == 2
    assert "Traceback" not in err


def test_an_error_that_nobody_reads_is_none(started):
    running = started("fail", "use", "--json")
    running.process.stdout.close()
    running.process.wait(60)
    assert running.process.stderr.read() in {"", "--this needs --that\n"}


@full
@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_an_order_goes_on_where_its_progress_cannot_be_told(where, started, way, tmp_path):
    arguments = ("obtain", "a.example", *way.ca, *way.http, "--path", tmp_path / "store")
    running = started(*arguments, source=PYLEGO, env=way.env, launcher=redirected(where))
    code, out, err = running.end()
    assert (code, err) == (0, "")
    assert out.startswith("a.example is obtained")


## Signals


@pytest.mark.parametrize("terminal", [False, True], ids=["piped", "terminal"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.acme_server(validation_sleep=600)
def test_a_signal_ends_a_command_after_its_clean_up(number, terminal, started, way, acme_server):
    arguments = ("obtain", "a.example", *way.ca, *way.dns)
    running = started(*arguments, env=way.env, terminal=terminal)
    stream = running.output if terminal else running.process.stderr
    told = until(stream, "the CA is asked to validate")
    assert acme_server.records()
    running.process.send_signal(number)
    code, out, err = running.end()
    assert code == 128 + number
    assert acme_server.records() == {}
    assert "Traceback" not in told + out + err
    assert f"ended by {number.name}" in out + err


def test_a_key_that_interrupts_does_so_on_a_terminal(started):
    running = started("wait", terminal=True)
    until(running.output, "waiting")
    running.type("\x03")
    code, said, _ = running.end()
    assert code == 130
    assert "Traceback" not in said


def test_an_interrupt_is_an_object_where_json_is_wanted(started):
    running = started("wait", "--json")
    until(running.process.stderr, "waiting")
    running.interrupt()
    code, out, err = running.end()
    assert (code, err) == (130, "")
    assert json.loads(out)["error"]["code"] == "interrupted"


def test_the_end_of_the_input_is_no_answer(started):
    running = started("ask", terminal=True)
    until(running.output, "Well?")
    running.type("\x04")
    code, said, _ = running.end()
    assert (code, said.strip().splitlines()[-1]) == (2, "nothing was answered")


## Progress


def test_progress_is_plain_lines_on_stderr_where_nobody_watches(own_command, way):
    done = own_command("obtain", "a.example", *way.ca, *way.http, env=way.env)
    assert (done.code, done.out) == (0, "a.example\n")
    assert done.err.splitlines() == [
        "the account is ready",
        "the order is made",
        "a.example: to be validated",
        "a.example: presented",
        "a.example: the CA is asked to validate",
        "a.example: validated",
        *sorted(("a.example: cleaned up", "the CA is signing"), key=done.err.index),
        "issued",
    ]


def test_progress_is_a_bar_on_a_terminal(started, way):
    running = started("obtain", "a.example", *way.ca, *way.http, env=way.env, terminal=True)
    said = until(running.output, "a.example\r\n")
    assert running.process.wait(60) == 0
    assert "Order" in said
    assert "1/1 names" in said
    assert "issued" in said
    assert "━" in said


## Options


@pytest.mark.parametrize("challenge", ["http", "tls", "dns"])
def test_a_certificate_is_validated_by_legos_flags(challenge, own_command, way):
    flags = getattr(way, challenge)
    done = own_command("obtain", "a.example", *way.ca, *flags, "--json", env=way.env)
    assert done.json == {"names": ["a.example"]}, done.err


def test_terms_that_are_not_accepted_are_told_with_the_flag_that_accepts_them(own_command, way):
    done = own_command("register", "--server", way.server.directory, env=way.env)
    assert done.code == 1
    assert "--accept-tos" in done.err


def test_legos_variables_stand_for_flags(own_command, way):
    env = {
        "LEGO_SERVER": way.server.directory,
        "LEGO_ACCEPT_TOS": "true",
        "LEGO_EMAIL": "ops@a.example",
    }
    assert own_command("register", env={**way.env, **env}).out == "ops@a.example\n"


def test_a_file_has_a_providers_settings(own_command, way, tmp_path):
    settings = tmp_path / "settings.env"
    settings.write_text(f"# ours\n\nexport HTTPREQ_ENDPOINT='{way.server.httpreq}'\n")
    env = {**way.env, "HTTPREQ_ENDPOINT": ""}
    arguments = ("obtain", "a.example", *way.ca, *way.dns, "--env-file", settings)
    del env["HTTPREQ_ENDPOINT"]
    assert own_command(*arguments, env=env).out == "a.example\n"
    settings.write_text(f"A=b\n{SECRET}\n")
    done = own_command(*arguments, env=env)
    assert (done.code, done.err) == (2, f"{settings}, line 2: NAME=value is wanted\n")


@pytest.mark.parametrize("line", [b"A=b\0c", b"\0A=b", b"A\0=b"])
def test_a_setting_that_no_environment_can_have_is_refused(line, own_command, tmp_path):
    settings = tmp_path / "settings.env"
    settings.write_bytes(line)
    done = own_command("obtain", "a.example", "--dns", "httpreq", "--env-file", settings)
    assert (done.code, done.err) == (2, f"{settings}, line 1: NAME=value is wanted\n")


def test_a_file_of_settings_that_is_no_text_is_refused(own_command, tmp_path):
    settings = tmp_path / "settings.env"
    settings.write_bytes(b"A=\xff")
    done = own_command("obtain", "a.example", "--dns", "httpreq", "--env-file", settings)
    assert (done.code, done.err) == (2, f"{settings} is not UTF-8 text\n")
    env = {"LEGO_EAB_HMAC_FILE": str(settings)}
    done = own_command("register", "--eab.kid", "kid", env=env)
    assert (done.code, done.err) == (2, f"{settings} is not UTF-8 text\n")


@pytest.mark.acme_server(external_accounts={"kid": SECRET})
class TestExternalAccounts:
    def test_the_key_comes_from_the_environment(self, own_command, way):
        arguments = ("register", *way.ca, "--email", "a@a.example", "--eab.kid", "kid")
        done = own_command(*arguments, env={**way.env, "LEGO_EAB_HMAC": SECRET})
        assert done.out == "a@a.example\n"

    def test_the_key_comes_from_a_file(self, own_command, way, tmp_path):
        file = tmp_path / "hmac"
        file.write_text(f"{SECRET}\n")
        arguments = ("register", *way.ca, "--email", "a@a.example", "--eab.kid", "kid")
        done = own_command(*arguments, env={**way.env, "LEGO_EAB_HMAC_FILE": str(file)})
        assert done.out == "a@a.example\n"

    def test_the_key_is_asked_for_on_a_terminal_and_not_shown(self, started, way):
        arguments = ("register", *way.ca, "--email", "a@a.example", "--eab.kid", "kid")
        running = started(*arguments, env=way.env, terminal=True)
        said = until(running.output, "The HMAC key of the external account: ")
        running.type(f"{SECRET}\n")
        code, rest, _ = running.end()
        assert code == 0
        assert "a@a.example" in rest
        assert SECRET not in said + rest

    def test_nobody_is_asked_where_nobody_is_there(self, own_command, way):
        done = own_command("register", *way.ca, "--eab.kid", "kid", env=way.env)
        assert done.code == 2
        assert "LEGO_EAB_HMAC_FILE" in done.err

    def test_no_key_is_taken_from_arguments(self, own_command, way):
        for given in (("--eab.hmac", SECRET), (f"--eab.hmac={SECRET}",)):
            done = own_command("register", *way.ca, "--eab.kid", "kid", *given)
            assert done.code == 2
            assert "LEGO_EAB_HMAC" in done.err
            assert SECRET not in done.err

    def test_the_flag_that_lego_wants_needs_the_identifier(self, own_command, way):
        done = own_command("register", *way.ca, "--eab", env=way.env)
        assert done.code == 2
        assert "--eab.kid" in done.err


def test_a_version_of_ip_is_kept_to_on_the_way_to_the_ca_and_where_it_asks(own_command, way):
    arguments = ("obtain", "a.example", *way.ca, *way.http)
    assert own_command(*arguments, "-4", env=way.env).out == "a.example\n"
    done = own_command(*arguments, "-6", env=way.env)  # the test's CA is at 127.0.0.1
    assert (done.code, done.out) == (1, "")
    done = own_command(*arguments, "-4", "-6", env=way.env)
    assert done.code == 2
    assert "--ipv4only or --ipv6only" in done.err


UNTIL = dt.datetime(2026, 3, 1, tzinfo=dt.timezone.utc)


@pytest.mark.parametrize(
    ("flags", "way"),
    [
        ({"http": True, "ipv4only": True}, pylego.HTTP01(ip_version=4)),
        ({"tls": True, "ipv6only": True}, pylego.TLSALPN01(ip_version=6)),
        ({"dns_persist": True}, pylego.DNSPersist01(check_recursive=True)),
        (
            {
                "dns_persist": True,
                "dns_persist_resolvers": ["127.0.0.1"],
                "dns_persist_propagation_disable_ans": True,
                "dns_persist_propagation_disable_rns": True,
                "dns_persist_persist_until": UNTIL,
            },
            pylego.DNSPersist01(["127.0.0.1"], check_authoritative=False, until=UNTIL),
        ),
    ],
)
def test_flags_are_ways_to_validate_and_are_remembered(flags, way):
    from pylego.cli._options import Validation

    chosen = Validation(**flags)
    assert chosen.challenges() == [way]
    kept = json.loads(json.dumps(chosen.remembered()))
    assert Validation.from_remembered(kept) == chosen


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1m30s", 90), ("1.5h", 5400), ("10ms", 0.01)]
)
def test_durations_are_legos_or_seconds(text, seconds):
    from pylego.cli._options import duration

    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "1x", "s", "1m x", "-1", "-1s", "nan", "inf", "1e3"])
def test_what_is_no_duration_is_refused(text, own_command):
    done = own_command("register", "--timeout", text)
    assert done.code == 2
    assert "no duration" in done.err


@pytest.mark.parametrize("text", ["80", "a:b", ":0", ":65536", ""])
def test_what_is_no_address_is_refused(text, own_command):
    done = own_command("obtain", "a.example", "--http", "--http.address", text)
    assert done.code == 2
    assert done.err.startswith("--http.address is interface:port or :port, not")


def test_an_address_may_be_an_ipv6_one():
    from pylego.cli._options import address

    assert address("--http.address", "[::1]:80") == ("::1", 80)
    assert address("--http.address", ":80") == ("", 80)


def test_lists_may_be_repeated_and_have_commas():
    from pylego.cli._options import listed

    assert listed(["a, b", "c"]) == ["a", "b", "c"]
    assert listed(None) == []


def test_variables_are_named_as_lego_does():
    from pylego.cli._frame import variable

    assert variable("--dns.propagation.disable-ans") == "LEGO_DNS_PROPAGATION_DISABLE_ANS"
