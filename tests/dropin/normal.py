"""Takes out of an outcome what differs between two runs of the same behaviour."""

import re

from cryptography import x509

from tests.servers.certificates import names_of


def normalised(value):
    """Replace certificates by their names, and addresses, tokens and identifiers by what they are.

    Nothing else is touched: not the white space around certificates, nor anything
    that a server or pylego has put into words.
    """
    if isinstance(value, dict):
        return {name: normalised(each) for name, each in value.items()}
    if isinstance(value, list):
        return [normalised(each) for each in value]
    if not isinstance(value, str):
        return value
    value = _BLOCK.sub(_block, value)
    for pattern, replacement in _PATTERNS:
        value = pattern.sub(replacement, value)
    return value


_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)

_PATTERNS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # The client's own port in "read tcp 127.0.0.1:1234->127.0.0.1:5678".
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"192\.0\.2\.1:\d+", "192.0.2.1:PORT"),
        (r"(value: )[\w-]{43}", r"\1VALUE"),
        (r"\b((?:[a-z]+\.)*example):\d+", r"\1:PORT"),
        (r"\b(certZ|my-order|authZ|chalZ|finalize-order)/[\w-]+", r"\1/ID"),
        (r"(acme-challenge/)[\w-]+", r"\1TOKEN"),
        (r'(expected[^"]*")[\w-]{43}\.[\w-]{43}', r"\1KEY-AUTHORIZATION"),
        (r"[\w-]{43}\.[\w-]{43}", "KEY-AUTHORIZATION"),
        # A resolver may be named: "lookup a.invalid on 10.0.0.1:53: no such host".
        (r"(lookup \S+)(?: on [\d.:\[\]a-f]+)?: .*", r"\1: FAILED"),
        (r"/[^\s\"]*/([\w-]*trust\.pem)", r"FOLDER/\1"),
    )
)


def _block(found):
    label = found.group(1)
    text = (found.group() + "\n").encode()
    if label == "CERTIFICATE":
        certificate = x509.load_pem_x509_certificate(text)
        names = names_of(certificate)
        return f"<{label} of {', '.join(names) or 'an authority'}>"
    return f"<{label}>"
