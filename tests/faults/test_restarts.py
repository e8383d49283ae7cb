"""A CA that is killed and started again, which loses accounts, orders and nonces."""

import pytest

from tests.faults.cases import STEPS
from tests.faults.order import listens, obtain
from tests.servers.fault_proxy import FaultProxy

# The first test that asks for a server may have to build it.
pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("step", STEPS)
def test_a_restarted_ca_gets_account_and_order_anew(step, pebble, authority):
    def restart(exchange):
        pebble.restart()
        exchange.forward()

    kind, after = STEPS[step]
    with FaultProxy(pebble.directory, pebble.trust.read_text(), authority) as proxy:
        proxy.spoil(restart, kinds=(kind,), after=after, times=1)
        order = obtain(proxy, pebble.http01(), timeout=40)
    assert proxy.hits == 1
    assert order.certificate is not None, order.outcome
    assert not listens(pebble.http_port)
