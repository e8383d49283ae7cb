"""Values of every kind, and objects that are nearly what they should be."""

from hypothesis import strategies as st

import pylego

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)

JSON = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=4,
)

KEYS = st.text(max_size=8) | st.integers() | st.none() | st.tuples(st.text(max_size=3))

ANYTHING = st.recursive(
    PLAIN | st.binary(max_size=20) | st.just(object()) | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.sets(st.text(max_size=3), max_size=3)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=4,
)

REFUSED = "http://ca.invalid/directory"
"""A CA that is refused for its scheme: whatever else is wrong, nothing is sent."""


def nearly(shape):
    """Objects of a shape in which fields are missing, of another kind, or too many."""
    fields = {name: st.just(value) | JSON for name, value in shape.items()}
    return st.builds(
        lambda some, more: {**more, **some},
        st.fixed_dictionaries({}, optional=fields),
        st.dictionaries(st.text(max_size=8), JSON, max_size=1),
    )


def check(error):
    """See that an exception is one of ours, with all that its documentation promises."""
    assert isinstance(error, pylego.LEGOError)
    assert error.attempts or error.detail in str(error)
    assert type(error).__name__ in repr(error)
    assert error.type in {"acme", "lego"}
    assert all(isinstance(text, str) for text in (error.code, error.phase, error.acme_type))
    assert error.status is None or isinstance(error.status, int)
    assert isinstance(error.retryable, bool)
    assert error.retry_after is None or error.retry_after.tzinfo is not None
    assert all(isinstance(each.identifier.value, str) for each in error.subproblems)
    assert all(isinstance(each.value, str) for each in error.identifiers)
    assert all(isinstance(each.identifier.type, str) for each in error.attempts)
