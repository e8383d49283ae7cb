"""The moments of a certificate, read as other programs read them."""

from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pylego.renewal._leaf import leaves_of

KEY = ec.generate_private_key(ec.SECP256R1())


def made(begin, end, serial, name="a.example"):
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, KEY.public_key(), serial, begin, end)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("year", [1970, 1999, 2026, 2049, 2050, 2200])
@pytest.mark.parametrize("serial", [1, 0x80, 2**159 - 1])
def test_moments_and_number_are_those_of_the_certificate(year, serial):
    begin = datetime(year, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
    end = begin + timedelta(days=47)
    [leaf] = leaves_of({"a": made(begin, end, serial) + made(end, end, 7)}).values()
    assert (int(leaf.serial, 16), leaf.not_before, leaf.not_after) == (serial, begin, end)


@pytest.mark.parametrize("where", range(0, 100, 4))
def test_what_is_no_certificate_is_not_there(where):
    begin = datetime(2026, 1, 1, tzinfo=timezone.utc)
    whole = made(begin, begin, 1)
    lines = whole.splitlines()
    content = "".join(lines[1:-1])
    broken = f"{lines[0]}\n{content[:where]}\n{lines[-1]}"
    assert [*leaves_of({"broken": broken, "whole": whole})] == ["whole"]


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----", "no certificate"])
def test_what_is_not_pem_is_not_there_either(text):
    assert leaves_of({"a": text}) == {}


def test_each_of_thousands_has_its_own():
    begin = datetime(2026, 1, 1, tzinfo=timezone.utc)
    some = [made(begin, begin, serial + 1) for serial in range(7)]
    leaves = leaves_of({str(number): some[number % 7] for number in range(2500)})
    assert [int(leaf.serial, 16) for leaf in leaves.values()] == [n % 7 + 1 for n in range(2500)]
