"""run_lego_command: any argument, and any answer of the library."""

import json
import re
from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

import pylego
from tests.fuzz.values import ANYTHING, JSON, REFUSED, check, nearly

DATA = {
    "csr": "request",
    "private_key": "",
    "certificate": "leaf and chain",
    "issuer_certificate": "chain",
    "metadata": {"stable_url": "https://ca/1", "url": "https://ca/1", "domain": "a.example"},
}
SUCCESS = json.dumps({"success": True, "data": DATA}).encode()

PROMISED = re.compile("cannot be negative|both be provided or both omitted")

NAMES = ("email", "csr", "env", "plugin", "private_key")
OPTIONAL = ("dns_propagation_wait", "dns_nameservers", "eab_kid", "eab_hmac")
TEXTS = st.sampled_from(["", "http", "tls", "-----BEGIN CERTIFICATE REQUEST-----", "\udcff\x00"])
VARIABLES = st.dictionaries(st.text(max_size=8), st.text(max_size=8) | ANYTHING, max_size=3)
VALUES = ANYTHING | TEXTS | VARIABLES | st.lists(st.text(max_size=8), max_size=2)
ARGUMENTS = st.fixed_dictionaries(
    dict.fromkeys(NAMES, VALUES), optional=dict.fromkeys(OPTIONAL, VALUES | st.just("text"))
)


def call(arguments, server=REFUSED):
    """Call; return the response or the error, which is one of the promised."""
    try:
        return pylego.run_lego_command(server=server, **arguments)
    except pylego.LEGOError as error:
        check(error)
        return error
    except ValueError as error:
        if not PROMISED.search(str(error)):
            raise
        return error


@given(arguments=ARGUMENTS, server=VALUES)
def test_any_arguments_make_a_message_or_a_promised_error(arguments, server):
    with mock.patch("pylego.pylego.library.RunLegoCommand", return_value=SUCCESS) as library:
        outcome = call(arguments, server)
    if isinstance(outcome, pylego.LEGOResponse):
        ((message,), _) = library.call_args
        assert set(json.loads(message)) >= {"server", *NAMES}
    else:
        library.assert_not_called()
        assert getattr(outcome, "code", "invalid_arguments") == "invalid_arguments"


@given(arguments=ARGUMENTS)
def test_any_arguments_for_a_ca_that_is_refused_are_an_error(arguments):
    outcome = call(arguments)
    assert isinstance(outcome, ValueError) or outcome.code.startswith("invalid_")


@given(
    text=st.text(max_size=30),
    place=st.sampled_from(["private_key", "env", "eab_hmac"]),
    plugin=st.sampled_from(["", "tls", "cloudflare"]),
)
def test_no_secret_is_in_an_error(text, place, plugin):
    secret = "s3cret" + text
    arguments = {"email": "", "csr": "", "plugin": plugin, "env": {}, "private_key": ""}
    arguments[place] = {"API_TOKEN": secret} if place == "env" else secret
    if place == "eab_hmac":
        arguments["eab_kid"] = "kid"
    outcome = call(arguments)
    assert "s3cret" not in f"{outcome} {outcome!r} {outcome.info}"


ANSWERS = st.builds(
    lambda answer: json.dumps(answer).encode(),
    JSON
    | nearly({"success": True, "data": DATA})
    | nearly({"success": True}).flatmap(
        lambda answer: nearly(DATA).map(lambda data: {**answer, "data": data})
    )
    | st.fixed_dictionaries({"success": st.just(False), "error": JSON | nearly({"code": "x"})}),
)


@given(answer=st.binary() | ANSWERS)
@example(answer=b"[" * 100_000)
@example(answer=b'{"success": true}')
@example(answer=b'{"success": false, "error": "text"}')
@example(answer=json.dumps({"success": True, "data": {**DATA, "new": 1}}).encode())
def test_any_answer_of_the_library_is_a_response_or_an_error(answer):
    arguments = dict.fromkeys(NAMES, "")
    with mock.patch("pylego.pylego.library.RunLegoCommand", return_value=answer):
        outcome = call(arguments)
    assert isinstance(outcome, (pylego.LEGOResponse, pylego.LEGOError))
