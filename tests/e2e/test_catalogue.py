"""The catalogue and lego's real constructors: nothing is refused early that would have worked."""

import pytest

import pylego
from pylego import DNS01, _providers

CERTAIN = {code: provider for code, provider in pylego.providers.items() if provider.ways}


@pytest.fixture
def constructed(new_client, acme_server, monkeypatch):
    """Return what a provider's constructor says, without what the catalogue says before it."""
    client = new_client(acme_server, timeout=60)
    client.register()

    def construct(code, given):
        with monkeypatch.context() as patched:
            patched.setattr(_providers, "refuse_missing", lambda *_: None)
            with pytest.raises(pylego.ProviderError) as caught:
                client.obtain("a.example", challenges=DNS01(code, **given))
        return caught.value

    return construct


def nearly_enough(provider):
    """Give nothing, then each way without one of its variables."""
    yield {}
    for way in provider.ways:
        for left_out in way:
            given = {group[0]: "x" for group in way if group != left_out}
            if given:
                yield given


def test_the_catalogue_knows_what_most_constructors_want():
    assert len(CERTAIN) >= 205  # of 218; the others may need nothing, or more than names tell


@pytest.mark.slow
def test_what_the_catalogue_refuses_its_constructor_refuses_too(constructed):
    for code, provider in CERTAIN.items():
        for given in nearly_enough(provider):
            with pytest.raises(pylego.MissingCredentials) as refused:
                _providers.refuse_missing(code, given)
            error = constructed(code, given)
            assert "could not be made" in str(error), (code, given)
            # lego names the last way only, where it tries one after the other.
            told = set(getattr(error, "missing", ())) - {"CLOUDFLARE_ZONE_API_TOKEN"}
            assert told <= set(refused.value.missing)
