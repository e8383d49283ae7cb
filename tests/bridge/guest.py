"""What programs of the tests import: the CA of the test that started them, and how to call it."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pylego

CA = json.loads(os.environ.get("TEST_CA", "{}"))
HTTP01 = pylego.HTTP01(host="127.0.0.1", port=CA.get("http_port", 80))
TLSALPN01 = pylego.TLSALPN01(host="127.0.0.1", port=CA.get("tls_port", 443))


def dns01():
    """lego's httpreq, which sets the records of the CA's own DNS server."""
    return pylego.DNS01(
        "httpreq",
        resolvers=[CA["dns"]],
        check_authoritative=False,
        check_recursive=True,
        HTTPREQ_ENDPOINT=CA["httpreq"],
    )


def client(**settings):
    settings = {"trust": CA["trust_root"], "accept_terms": True, "timeout": 30, **settings}
    return pylego.Client(CA["directory"], **settings)


def obtain(name="a.example", challenges=HTTP01, **settings):
    """Obtain a certificate; return its serial number."""
    return client(**settings).obtain(name, challenges=challenges).serial


def obtain_at_once(count, prefix="t"):
    with ThreadPoolExecutor(count) as threads:
        return set(threads.map(lambda number: obtain(f"{prefix}{number}.example"), range(count)))


def environment(server):
    """Tell a program of the CA that it finds here."""
    names = ("directory", "trust_root", "dns", "http_port", "tls_port", "httpreq")
    return {
        "TEST_CA": json.dumps({name.lstrip("_"): getattr(server, name) for name in names}),
        "PYTHONPATH": str(Path(__file__).parent),
    }
