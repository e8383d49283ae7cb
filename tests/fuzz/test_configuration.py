"""The configuration file: any text is a configuration, or an error with the line of the mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylego.renewal import ConfigurationError, load
from pylego.renewal._managed import Configuration
from pylego.storage._layout import safe_name
from tests.unit.test_configuration import WHOLE

LINES = WHOLE.split("\n")


@st.composite
def spoilt(draw):
    """Leave lines out, double or exchange some, or change a piece of the text."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        lines[place : place + 1] = draw(
            st.just([])
            | st.just(lines[place : place + 1] * 2)
            | st.sampled_from(LINES).map(lambda line: [line])
        )
    text = "\n".join(lines)
    begin = draw(st.integers(0, len(text)))
    end = draw(st.integers(begin, min(len(text), begin + 8)))
    return text[:begin] + draw(st.text(max_size=4)) + text[end:]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("configuration") / "pylego.toml"


@given(text=st.text() | spoilt())
def test_any_text_is_a_configuration_or_an_error_with_its_line(file, text):
    data = text.encode(errors="surrogatepass")
    file.write_bytes(data)
    outcome = read(file)
    if isinstance(outcome, Configuration):
        assert outcome.certificates
    else:
        assert outcome.file == str(file)
        assert 1 <= outcome.line <= data.count(b"\n") + 1
        assert outcome.detail


NAMES = st.text(min_size=1, max_size=6) | st.text("ab./\\\0 @*:,-é", min_size=1, max_size=4)


@given(names=st.lists(NAMES, min_size=1, max_size=3, unique=True))
def test_certificates_are_kept_under_names_of_their_own_or_one_is_refused(file, names):
    """No other file is written than that of the name: none drops what it cannot hold."""
    keys = ["".join(f"\\U{ord(each):08x}" for each in name) for name in names]
    tables = [f"[certificates.\"{key}\"]\ndomains = ['a.example']\n" for key in keys]
    accounts = "[accounts.main]\n[challenges.web.http]\n"
    file.write_text(accounts + "".join(tables), encoding="utf-8")
    outcome = read(file)
    if isinstance(outcome, Configuration):
        assert [each.name for each in outcome.certificates] == names
        assert all(name.isprintable() and not {*name} & {*"/\\"} for name in names)
        files = {safe_name(name) for name in names}
        assert len(files) == len(names)
        assert "" not in files
    else:
        assert outcome.key.startswith("certificates.")
        assert 3 <= outcome.line <= 2 + 2 * len(names)
        assert str(outcome).isprintable()


def read(file):
    """Read a file; return the configuration, or the error."""
    try:
        return load(file)
    except ConfigurationError as error:
        return error
