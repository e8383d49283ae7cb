"""Which variables hold a secret: the catalogue's, and those that only a vendor's library reads."""

import pytest

import pylego
from pylego._providers import holds_credential


def test_every_variable_of_the_catalogue_is_what_the_catalogue_says():
    every = [each for provider in pylego.providers.values() for each in provider.variables]
    assert [each.name for each in every if holds_credential(each.name) != each.credential] == []


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("AWS_SESSION_TOKEN", True),  # which lego's own code never names
        ("TF_VAR_private_key_password", True),
        ("AWS_PROFILE", False),
        ("AWS_SHARED_CREDENTIALS_FILE", False),
        ("LEGO_EAB_HMAC", True),
        ("LEGO_PFX_PASSWORD", True),
        ("LEGO_SERVER", False),
        ("CF_DNS_API_TOKEN", True),
        ("CF_DNS_API_TOKEN_FILE", False),
        ("SSH_AUTH_SOCK", False),  # no provider's
        ("MY_TOKEN", False),
        ("", False),
    ],
)
def test_a_variable_that_only_a_library_reads_is_told_by_its_name(name, secret):
    assert holds_credential(name) is secret
