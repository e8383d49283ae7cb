"""A server that refuses most nonces, whatever is asked."""

from tests.faults import faults
from tests.faults.order import obtain


def test_nine_nonces_of_ten_are_refused_at_every_request(ca, proxy_for):
    with proxy_for(ca) as proxy:
        proxy.spoil(faults.bad_nonces(9))
        order = obtain(proxy, ca.http01(), timeout=20)
    assert order.certificate is not None, order.outcome
    assert len(proxy.requests) > 9 * len(set(proxy.requests) - {"directory", "newNonce"})
