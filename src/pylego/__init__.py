"""lego, Go's ACME client, inside Python: certificates in the server's own time."""

import logging as _logging

from pylego._challenges import DNS01, HTTP01, TLSALPN01
from pylego._client import Client
from pylego._errors import (
    AccountDoesNotExist,
    AccountError,
    ACMEError,
    Attempt,
    BadCSR,
    Cancelled,
    ChallengeFailed,
    DeadlineExceeded,
    EngineError,
    ExternalAccountRequired,
    Identifier,
    InvalidRequest,
    LEGOError,
    NetworkError,
    PropagationTimeout,
    ProviderError,
    RateLimited,
    RejectedIdentifier,
    ServerInternal,
    Subproblem,
    Unauthorized,
)
from pylego._events import Event
from pylego._models import Certificate
from pylego.pylego import LEGOResponse, Metadata, run_lego_command

__all__ = [
    "DNS01",
    "HTTP01",
    "TLSALPN01",
    "ACMEError",
    "AccountDoesNotExist",
    "AccountError",
    "Attempt",
    "BadCSR",
    "Cancelled",
    "Certificate",
    "ChallengeFailed",
    "Client",
    "DeadlineExceeded",
    "EngineError",
    "Event",
    "ExternalAccountRequired",
    "Identifier",
    "InvalidRequest",
    "LEGOError",
    "LEGOResponse",
    "Metadata",
    "NetworkError",
    "PropagationTimeout",
    "ProviderError",
    "RateLimited",
    "RejectedIdentifier",
    "ServerInternal",
    "Subproblem",
    "Unauthorized",
    "run_lego_command",
]

# Silent unless the program says otherwise (the logging HOWTO's rule for libraries).
_logging.getLogger("pylego").addHandler(_logging.NullHandler())
