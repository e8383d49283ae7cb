"""What pylego 0.1.49 did is what run_lego_command does: recorded.json, played again.

See record.py for how it was made. What differs on purpose is in DIFFERENCES.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.dropin.behaviours import BEHAVIOURS
from tests.dropin.normal import normalised
from tests.dropin.outcome import outcome
from tests.dropin.place import Place
from tests.servers.build import NoGoError
from tests.servers.fixtures import missing

# The first test that asks for a server may have to build it.
pytestmark = pytest.mark.timeout(600)

RECORDED = json.loads(Path(__file__).with_name("recorded.json").read_text())

DIFFERENCES = {
    "capital_letters": (
        {"answer/metadata/domain": "A.Example"},
        "a CA answers with the name in small letters, which 0.1.49 took for another name",
    ),
    "subproblems": (
        {"error/subproblems": ["", "a.example", "b.example", "c.example"]},
        "they come in the order of the names",
    ),
    "two_names_of_three_refused": (
        {"error/code": "dns", "error/detail": "b is unknown"},
        "always the first in the order of the names; 0.1.49 took any",
    ),
    "a_certificate_that_is_none": (
        {"error/type": "lego", "error/code": "certificate_obtain_failed"},
        "what the CA sends as a certificate is looked at",
    ),
    "a_trust_file_that_is_missing": (
        {"error/type": "lego", "error/code": "lego_client_creation_failed"},
        "the file is named; 0.1.49 went on without it and then trusted nobody",
    ),
    "a_trust_file_that_is_no_pem": (
        {"error/type": "lego", "error/code": "lego_client_creation_failed"},
        "as with a missing one",
    ),
    "a_directory_over_http": (
        {"error/code": "invalid_arguments"},
        "refused as an argument, before any network; 0.1.49 had lego's transport refuse it",
    ),
    "a_server_that_is_no_url": (
        {"error/code": "invalid_arguments"},
        "refused before any network; lego's short codes are accepted",
    ),
    "no_server": ({"error/code": "invalid_arguments"}, "refused before any network"),
    "a_csr_without_names": (
        {"error/type": "lego", "error/code": "invalid_csr", "error/status": None},
        "refused before any network; 0.1.49 registered an account and let the CA refuse",
    ),
    "a_private_key_that_no_ca_takes": (
        {"error/code": "invalid_private_key"},
        "refused before any network; 0.1.49 failed to sign with it",
    ),
    "an_env_value_that_is_null": (
        {"error/type": "lego", "error/code": "invalid_arguments"},
        "a value that is no str is refused; 0.1.49 made an empty text of None",
    ),
    "an_env_name_with_an_equals_sign": (
        {"error/code": "invalid_environment"},
        "the code that was meant: 0.1.49 took setenv's error for the network's",
    ),
    "an_env_name_that_is_empty": ({"error/code": "invalid_environment"}, "as with an equals sign"),
    "an_env_value_with_a_nul": ({"error/code": "invalid_environment"}, "as with an equals sign"),
    "a_wait_of_half_a_second": ({"answer/private_key": ""}, "a part of a second can be waited for"),
    "a_port_out_of_range": (
        {"error/code": "invalid_environment"},
        "refused before any network; 0.1.49 failed to listen, and called that the network",
    ),
    "http_01_port_taken": (
        {"answer/metadata/domain": "a.example"},
        "TLS-ALPN-01 is the next challenge type of `http`; 0.1.49 had none",
    ),
    "http_01_interface_that_is_none": (
        {"answer/metadata/domain": "a.example"},
        "as with a port that is taken",
    ),
}
"""By behaviour: what is otherwise today, and why. Everything not named here is as it was."""


@pytest.fixture(scope="module")
def played(isolation, tmp_path_factory):
    """All behaviours, played side by side: some make pylego wait before it tries again."""

    parent = tmp_path_factory.mktemp("played")

    def play(behaviour):
        folder = parent / behaviour.__name__
        folder.mkdir()
        with behaviour(Place(folder)) as arguments:
            return normalised(outcome(arguments))

    with ThreadPoolExecutor(16) as pool:
        yield {each.__name__: pool.submit(play, each) for each in BEHAVIOURS}


def same(then, now):
    """Take out of both what need not be the same."""
    if "answer" in now:
        now["answer"].pop("account_key")  # new
    if "error" in then and "error" in now:
        # The raw error may say more than it did, not less.
        info = now["error"]["info"]
        now["error"]["info"] = {name: info.get(name) for name in then["error"]["info"]}
        if then["error"]["type"] == now["error"]["type"] == "lego":
            # Our own words are better ones, in the same places.
            for error in (then["error"], now["error"]):
                error["detail"] = error["info"]["detail"] = error["str"] = "in pylego's words"
    return then, now


def consistent(outcome):
    """Check what holds for every error: the message, and the raw error."""
    error = outcome.get("error")
    if error is not None:
        assert error["str"] == f"[{error['code']}] {error['detail']}"
        for name in ("type", "code", "detail"):
            assert error["info"][name] == error[name]
        for name in ("status", "acme_type", "subproblems"):
            assert (error["info"].get(name) or None) == (error[name] or None)


@pytest.mark.parametrize("name", [each.__name__ for each in BEHAVIOURS])
def test_it_does_what_0_1_49_did(name, played):
    try:
        now = played[name].result()
    except NoGoError as error:
        missing(f"Pebble cannot be built: {error}")
    consistent(now)
    if name not in DIFFERENCES:
        then, now = same(RECORDED[name], now)
        assert now == then
        return
    expected, reason = DIFFERENCES[name]
    found = {path: at(now, path) for path in expected}
    if name == "subproblems":
        found = {path: [each["identifier"]["value"] for each in found[path]] for path in found}
    assert found == expected, reason
    # What is no difference any more has to leave the table.
    then, now = same(RECORDED[name], now)
    assert now != then


def at(outcome, path):
    """Look an attribute up: `error/code`."""
    for name in path.split("/"):
        outcome = outcome.get(name, "not there") if isinstance(outcome, dict) else "not there"
    return outcome


def test_everything_recorded_is_played():
    assert [each.__name__ for each in BEHAVIOURS] == list(RECORDED)
