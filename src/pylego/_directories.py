"""The CAs that lego has a code for."""

from __future__ import annotations

DIRECTORIES = {
    "actalis": "https://acme-api.actalis.com/acme/directory",
    "digicert": "https://one.digicert.com/mpki/api/v1/acme/v2/directory",
    "freessl": "https://acmepro.freessl.cn/v2/DV",
    "globalsign": "https://emea.acme.atlas.globalsign.com/directory",
    "googletrust": "https://dv.acme-v02.api.pki.goog/directory",
    "googletrust-staging": "https://dv.acme-v02.test-api.pki.goog/directory",
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
    "litessl": "https://acme.litessl.com/acme/v2/directory",
    "peeringhub": "https://stica.peeringhub.io/acme",
    "sectigo": "https://acme.sectigo.com/v2/DV",
    "sectigoev": "https://acme.sectigo.com/v2/EV",
    "sectigoov": "https://acme.sectigo.com/v2/OV",
    "sslcomecc": "https://acme.ssl.com/sslcom-dv-ecc",
    "sslcomrsa": "https://acme.ssl.com/sslcom-dv-rsa",
    "zerossl": "https://acme.zerossl.com/v2/DV90",
}
"""The URL of each one's directory, by the code; a test compares them with lego's own list."""


def directory_of(name: str) -> str:
    """Return the URL of a directory that is named by its URL or by lego's code."""
    return DIRECTORIES.get(name.lower(), name)
