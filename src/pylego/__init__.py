"""lego, Go's ACME client, inside Python: certificates in the server's own time."""

import logging as _logging
from importlib import import_module as _import_module

from pylego._errors import (
    AccountDoesNotExist,
    AccountError,
    ACMEError,
    Answer,
    Attempt,
    BadCSR,
    Cancelled,
    ChallengeFailed,
    DeadlineExceeded,
    EngineError,
    ExternalAccountRequired,
    HookFailed,
    Identifier,
    InvalidContact,
    InvalidRequest,
    LEGOError,
    MissingCredentials,
    NetworkError,
    PropagationTimeout,
    ProviderError,
    RateLimited,
    RejectedIdentifier,
    ServerInternal,
    StorageError,
    Subproblem,
    TermsNotAccepted,
    Unauthorized,
    UnknownProvider,
    UnknownSetting,
)
from pylego.pylego import LEGOResponse, Metadata, run_lego_command

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from pylego import dns as dns
    from pylego import dns_persist as dns_persist
    from pylego import renewal as renewal
    from pylego import storage as storage
    from pylego._async_client import AsyncClient
    from pylego._certificate import Certificate
    from pylego._challenges import DNS01, HTTP01, TLSALPN01, Challenge, DNSPersist01, Presentation
    from pylego._client import Client
    from pylego._events import AsyncEventCallback, Event, EventCallback
    from pylego._follow import Progress, follow
    from pylego._functions import obtain, renew, revoke
    from pylego._lego import run_lego
    from pylego._models import Account, Directory, RenewalInfo
    from pylego._providers import Provider, Variable, providers
    from pylego._server import Limits
    from pylego._ways import Challenges, Solver, TXTWriter
    from pylego._web_app import HTTP01App
    from pylego.renewal._manager import Manager
del TYPE_CHECKING

__all__ = [
    "DNS01",
    "HTTP01",
    "TLSALPN01",
    "ACMEError",
    "Account",
    "AccountDoesNotExist",
    "AccountError",
    "Answer",
    "AsyncClient",
    "AsyncEventCallback",
    "Attempt",
    "BadCSR",
    "Cancelled",
    "Certificate",
    "Challenge",
    "ChallengeFailed",
    "Challenges",
    "Client",
    "DNSPersist01",
    "DeadlineExceeded",
    "Directory",
    "EngineError",
    "Event",
    "EventCallback",
    "ExternalAccountRequired",
    "HTTP01App",
    "HookFailed",
    "Identifier",
    "InvalidContact",
    "InvalidRequest",
    "LEGOError",
    "LEGOResponse",
    "Limits",
    "Manager",
    "Metadata",
    "MissingCredentials",
    "NetworkError",
    "Presentation",
    "Progress",
    "PropagationTimeout",
    "Provider",
    "ProviderError",
    "RateLimited",
    "RejectedIdentifier",
    "RenewalInfo",
    "ServerInternal",
    "Solver",
    "StorageError",
    "Subproblem",
    "TXTWriter",
    "TermsNotAccepted",
    "Unauthorized",
    "UnknownProvider",
    "UnknownSetting",
    "Variable",
    "follow",
    "obtain",
    "providers",
    "renew",
    "revoke",
    "run_lego",
    "run_lego_command",
]

# Silent unless the program says otherwise (the logging HOWTO's rule for libraries).
_logging.getLogger("pylego").addHandler(_logging.NullHandler())

_LATER = {
    "AsyncClient": "pylego._async_client",
    "Certificate": "pylego._certificate",
    "Challenge": "pylego._challenges",
    "DNS01": "pylego._challenges",
    "DNSPersist01": "pylego._challenges",
    "HTTP01": "pylego._challenges",
    "Presentation": "pylego._challenges",
    "TLSALPN01": "pylego._challenges",
    "Client": "pylego._client",
    "AsyncEventCallback": "pylego._events",
    "Event": "pylego._events",
    "EventCallback": "pylego._events",
    "Progress": "pylego._follow",
    "follow": "pylego._follow",
    "obtain": "pylego._functions",
    "renew": "pylego._functions",
    "revoke": "pylego._functions",
    "run_lego": "pylego._lego",
    "Account": "pylego._models",
    "Directory": "pylego._models",
    "RenewalInfo": "pylego._models",
    "Provider": "pylego._providers",
    "Variable": "pylego._providers",
    "providers": "pylego._providers",
    "Limits": "pylego._server",
    "Challenges": "pylego._ways",
    "Solver": "pylego._ways",
    "TXTWriter": "pylego._ways",
    "HTTP01App": "pylego._web_app",
    "Manager": "pylego.renewal._manager",
}
"""Public names whose modules are loaded at their first use: programs that only know
`run_lego_command` do not pay for them."""

_MODULES = ("dns", "dns_persist", "renewal", "storage")
"""Public modules, loaded at their first use for the same reason."""


def __getattr__(name: str) -> object:
    """Load a name at its first use."""
    if name in _MODULES:
        return _import_module(f"{__name__}.{name}")
    if name not in _LATER:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = globals()[name] = getattr(_import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    """List the names that are still to be loaded, too."""
    return sorted({*globals(), *_LATER, *_MODULES})
