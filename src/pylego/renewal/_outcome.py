"""What became of certificates, for programs and for people."""

from __future__ import annotations

from dataclasses import dataclass, field

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from datetime import datetime

RESULTS = ("kept", "due", "waiting", "busy", "issued", "failed", "stopped")


@dataclass(frozen=True)
class Outcome:
    """What became of one certificate."""

    id: str
    """The certificate's ID in the store."""
    result: str
    """`"kept"`: it is not due; `"due"`: it is, and nobody has begun; `"waiting"`: it is, but may
    not be tried yet; `"busy"`: another process is at it; `"issued"`; `"failed"`; `"stopped"`."""
    why: str
    """For a person."""
    next: datetime
    """When something is to be done next."""
    names: tuple[str, ...] = ()
    """What it names, or is to name where there is none yet."""
    not_after: datetime | None = None
    """When it ends; `None` where there is none."""
    directory: str | None = None
    """The URL of the CA's directory: of the attempt's, otherwise of the certificate's."""
    issued_at: datetime | None = None
    """When it was issued last."""
    failures: int = 0
    """The attempts in a row that have failed."""
    last_error: str = ""
    """What the last of them said."""
    last_failed: datetime | None = None
    """When that was."""
    undeployed: str = ""
    """What the hook said that was to deploy the certificate, where it is to be run again."""
    when: datetime | None = None
    """From when on it is due, and may be tried; `None` where that was not found out."""
    error: Exception | None = field(default=None, compare=False)
    """What failed now: also for `"issued"`, where the hook did that deploys it."""

    @property
    def failed(self) -> bool:
        """Whether something failed now."""
        return self.error is not None or self.result == "failed"

    def __str__(self) -> str:
        return f"{self.id}: {self.result}: {self.why}"


@dataclass(frozen=True)
class Report:
    """What became of all certificates in one pass."""

    outcomes: tuple[Outcome, ...]
    """One for each certificate, in the configuration's order."""

    @property
    def issued(self) -> tuple[Outcome, ...]:
        """Those that were issued."""
        return tuple(each for each in self.outcomes if each.result == "issued")

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Those with which something failed."""
        return tuple(each for each in self.outcomes if each.failed)

    @property
    def due(self) -> tuple[Outcome, ...]:
        """All that were due, whatever came of them."""
        return tuple(each for each in self.outcomes if each.result != "kept")

    @property
    def next(self) -> datetime | None:
        """When something is to be done next."""
        return min((each.next for each in self.outcomes), default=None)
