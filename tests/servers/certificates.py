"""Keys, certificate requests and a CA in memory, made by `cryptography`: not by what is tested."""

import datetime as dt
import ipaddress
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = dt.timedelta(days=1)


class Authority:
    """A CA: a self-signed root, or an intermediate of another."""

    def __init__(self, name, issuer=None):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        issuer = issuer or self
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        self.certificate = (
            _certificate(self.name, self.key.public_key(), issuer.name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(_key_identifier(self.key.public_key()), critical=False)
            # Python 3.13 trusts no intermediate without it (RFC 5280 section 4.2.1.1).
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()),
                critical=False,
            )
            .sign(issuer.key, hashes.SHA256())
        )

    @property
    def pem(self):
        return pem(self.certificate)

    @property
    def key_pem(self):
        return key_pem(self.key)

    def sign(self, request, *, begins=-DAY):
        """Issue a certificate for a certificate request."""
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return self._leaf(request.subject, request.public_key(), names.value, begins)

    def server(self, *names, begins=-DAY):
        """Make a server's certificate and key, both PEM; it is valid from then, counted from now, on."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self._leaf(_name(names[0]), key.public_key(), _alternatives(names), begins)
        return pem(leaf), key_pem(key)

    def _leaf(self, subject, public_key, names, begins=-DAY):
        return (
            _certificate(subject, public_key, self.name, begins)
            .add_extension(names, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )


def certificate_request(*names, common_name=None, key=None):
    """Make a certificate request, PEM."""
    subject = x509.Name([]) if common_name is None else _name(common_name)
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        builder = builder.add_extension(_alternatives(names), critical=False)
    return pem(builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()))


def new_key():
    """Make a P-256 key, PEM."""
    return key_pem(ec.generate_private_key(ec.SECP256R1())).decode()


def pem(thing):
    return thing.public_bytes(serialization.Encoding.PEM)


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def server_context(certificate, key):
    """Make the TLS settings of a server that shows this pair, both PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:  # ssl reads only files
        chain = Path(folder) / "chain.pem"
        chain.write_bytes(certificate + key)
        context.load_cert_chain(chain)
    return context


def names_of(certificate):
    """List the names in a certificate; an authority's has none."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names]


def _name(common_name):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def _alternatives(names):
    return x509.SubjectAlternativeName([_general_name(name) for name in names])


def _general_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_identifier(public_key):
    return x509.SubjectKeyIdentifier.from_public_key(public_key)


def _certificate(subject, public_key, issuer, begins=-DAY):
    now = dt.datetime.now(dt.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + begins + 31 * DAY)
    )
