"""Where certificates, their keys and accounts are kept, in the layout of lego v5."""

from pylego._errors import StorageError
from pylego.storage._file_store import FileStore
from pylego.storage._import_acme_sh import import_acme_sh
from pylego.storage._import_certbot import import_certbot
from pylego.storage._imported import Imported
from pylego.storage._locks import Lock
from pylego.storage._recovery import recover
from pylego.storage._values import Origin, Pending, StoredText

TYPE_CHECKING = False  # importing typing would take half of our import time
if TYPE_CHECKING:
    from pylego.storage._store import Store
del TYPE_CHECKING

__all__ = [
    "FileStore",
    "Imported",
    "Lock",
    "Origin",
    "Pending",
    "StorageError",
    "Store",
    "StoredText",
    "import_acme_sh",
    "import_certbot",
    "recover",
]


def __getattr__(name: str) -> object:
    """Load the protocol at its first use: it is for annotations."""
    if name != "Store":
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from pylego.storage._store import Store  # noqa: PLC0415 -- as above

    globals()[name] = Store
    return Store
