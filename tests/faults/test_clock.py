"""A CA whose clock is off."""

import datetime as dt

import pytest

import pylego
from tests.faults import faults
from tests.faults.order import obtain
from tests.servers.fault_server import FaultServer
from tests.servers.process import free_ports

TEN_MINUTES = dt.timedelta(minutes=10)


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_retry_after_date_is_kept_to_the_second_by_the_clock_of_the_ca(minutes, ca, proxy_for):
    with proxy_for(ca) as proxy:
        fault = faults.another_clock(minutes, retry_after=2, code=503)
        proxy.spoil(fault, kinds=("newOrder",), times=1)
        order = obtain(proxy, ca.http01(), timeout=10)
    assert order.certificate is not None, order.outcome
    assert 1 < order.elapsed < 8


@pytest.mark.parametrize("minutes", [-10, 10])
def test_an_error_tells_the_wait_by_our_clock(minutes, ca, proxy_for):
    with proxy_for(ca) as proxy:
        fault = faults.another_clock(minutes, retry_after=3600, code=503)
        proxy.spoil(fault, kinds=("newOrder",))
        order = obtain(proxy, ca.http01(), timeout=10)
    assert 3590 <= order.outcome.retry_after <= 3600


def test_a_certificate_whose_validity_has_not_begun_is_passed_on(authority):
    with FaultServer(authority, issued_from=TEN_MINUTES) as server:
        client = pylego.Client(
            server.directory, trust=authority.pem.decode(), accept_terms=True, timeout=10
        )
        certificate = client.obtain("a.example", challenges=pylego.HTTP01(port=free_ports(1)[0]))
    assert certificate.not_before > dt.datetime.now(dt.timezone.utc) + TEN_MINUTES / 2


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_directory_tells_by_how_much_the_clocks_differ(minutes, ca, proxy_for):
    with proxy_for(ca) as proxy:
        proxy.spoil(faults.another_clock(minutes), kinds=("directory",))
        directory = pylego.Client(proxy.directory, trust=proxy.trust_root).directory()
    assert directory.clock_ahead == pytest.approx(minutes * 60, abs=5)


def test_clocks_that_agree_are_told_as_agreeing(ca):
    assert abs(pylego.Client(ca.directory, trust=ca.trust_root).directory().clock_ahead) < 5
