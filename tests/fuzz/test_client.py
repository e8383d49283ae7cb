"""The client: any values of the kinds that its arguments have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pylego
from pylego import _engine
from pylego._operations import OPERATIONS
from tests.fuzz.values import JSON, REFUSED, check

everywhere = pytest.mark.parametrize("isolation", ["", "process"])

TEXT = st.text(max_size=20)
RESERVED = {"provider", "resolvers", "propagation_wait", "check_authoritative", "check_recursive"}
VARIABLES = st.dictionaries(TEXT.filter(lambda name: name not in RESERVED | {"self"}), TEXT)
LISTENERS = st.builds(pylego.HTTP01, host=TEXT, port=st.integers()) | st.builds(
    pylego.TLSALPN01, host=TEXT, port=st.integers()
)
PROVIDERS = st.builds(
    lambda variables, provider, settings: pylego.DNS01(provider, **settings, **variables),
    VARIABLES,
    TEXT,
    st.fixed_dictionaries(
        {},
        optional={
            "resolvers": st.lists(TEXT, max_size=2),
            "propagation_wait": st.floats(min_value=0),
            "check_authoritative": st.booleans(),
            "check_recursive": st.booleans(),
        },
    ),
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "account": st.builds(pylego.Account, key=TEXT),
        "email": TEXT,
        "accept_terms": st.booleans(),
        "eab": st.tuples(TEXT, TEXT),
        "trust": TEXT,
        "timeout": st.floats(),
        "cleanup_timeout": st.floats(),
    },
)
ORDER = st.fixed_dictionaries(
    {"challenges": LISTENERS | PROVIDERS | st.lists(LISTENERS | PROVIDERS, max_size=3)},
    optional={
        "csr": TEXT,
        "key_type": st.sampled_from(["EC256", "EC384", "", "DSA"]) | TEXT,
        "profile": TEXT,
        "timeout": st.floats(),
    },
)


def error_of(call):
    """Return the error that a call ends with."""
    try:
        outcome = call()
    except pylego.LEGOError as error:
        check(error)
        return error
    raise AssertionError(outcome)


@everywhere
@given(settings=SETTINGS, names=st.lists(TEXT, max_size=3), order=ORDER)
def test_any_order_at_a_ca_that_is_refused_is_an_invalid_request(isolation, settings, names, order):
    client = pylego.Client(REFUSED, isolation=isolation, **settings)
    error = error_of(lambda: client.obtain(*names, **order))
    timeout = {**settings, **order}.get("timeout", 1)  # an order's own comes before the client's
    assert isinstance(error, pylego.DeadlineExceeded if timeout <= 0 else pylego.InvalidRequest)


@everywhere
@given(operation=TEXT.filter(lambda name: name not in OPERATIONS), message=JSON)
def test_an_operation_that_the_engine_has_not_is_an_invalid_request(isolation, operation, message):
    call = _engine.Call(operation, {"value": message}, isolation=isolation)
    error = error_of(lambda: _engine.run(call))
    assert isinstance(error, pylego.InvalidRequest)


@given(text=TEXT, name=TEXT.filter(lambda name: name not in RESERVED | {"self"}))
def test_no_secret_is_in_a_repr(text, name):
    secret = "s3cret" + text
    challenge = pylego.DNS01("exec", **{name: secret})  # whose program may read any variable
    client = pylego.Client(REFUSED, account=pylego.Account(key=secret), eab=("kid", secret))
    shown = f"{challenge!r} {challenge} {client!r} {vars(client)!r}"
    assert "s3cret" not in shown
    assert challenge.message()["variables"] == {name: secret}
