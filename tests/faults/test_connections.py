"""Certificates of the CA's own HTTPS that cannot be trusted."""

import pytest

from tests.faults.cases import SHOWN
from tests.faults.order import obtain
from tests.servers.certificates import Authority


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.title)
def test_an_untrusted_ca_is_sent_nothing_and_the_error_says_why(shown, ca, proxy_for, authority):
    pair = authority.server(shown.name, begins=shown.begins)
    with proxy_for(ca, pair=pair) as proxy:
        trust = proxy.trust_root if shown.trusted else Authority("another root").pem.decode()
        order = obtain(proxy, ca.http01(), timeout=40, trust=trust)
    assert proxy.requests == []
    assert shown.outcome.says in order.outcome.says
    assert (order.outcome.error, order.outcome.code, order.outcome.retryable) == (
        shown.outcome.error,
        shown.outcome.code,
        shown.outcome.retryable,
    )
    # Nobody changes a certificate within seconds: one try is enough, with the roots that
    # were handed over, and one with the system's.
    assert proxy.connections == 2
