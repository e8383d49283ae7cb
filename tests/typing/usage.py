"""What a user writes, for the type checkers; nothing runs it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pylego
from pylego import DNS01, HTTP01, TLSALPN01
from pylego.testing import ACMEServer, Faults

if TYPE_CHECKING:
    from typing_extensions import assert_type  # noqa: TC004 -- nothing runs it


def obtain() -> None:
    client = pylego.Client("letsencrypt-staging", email="ops@example.com", accept_terms=True)
    certificate = client.obtain("example.com", challenges=HTTP01(port=8080))
    assert_type(certificate, pylego.Certificate)
    assert_type(certificate.not_after, datetime)
    assert_type(certificate.private_key, "str | None")
    client.obtain("*.example.com", challenges=[DNS01("cloudflare", CF_DNS_API_TOKEN="x")])
    client.obtain("example.com", challenges=(HTTP01(), TLSALPN01(host="::1")), timeout=30)


def fail() -> None:
    try:
        obtain()
    except pylego.RateLimited as error:
        assert_type(error.retry_after, "datetime | None")
    except pylego.ChallengeFailed as error:
        for attempt in error.attempts:
            assert_type(attempt.identifier, pylego.Identifier)
    except pylego.LEGOError as error:
        assert_type(error.subproblems, list[pylego.Subproblem])


def drop_in() -> None:
    response = pylego.run_lego_command(
        email="me@example.com", server="https://ca.example/dir", csr=b"", env={"A": "b"}
    )
    assert_type(response, pylego.LEGOResponse)
    assert_type(response.metadata.url, str)


def listen(event: pylego.Event) -> None:
    assert_type(event.elapsed, float)


def serve() -> None:
    with ACMEServer(nonce_reject=30) as server:
        client = pylego.Client(server.directory, trust=server.trust_root, on_event=listen)
        server.set_faults(Faults(path="finalize", drop=1))
        client.obtain("example.com", challenges=server.dns01())
