"""One call as the engine is told of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from typing import Any

    from pylego._engine.questions import Answer


@dataclass(frozen=True, eq=False, repr=False)
class Call:
    """An operation, its input, and how long it may take."""

    operation: str
    """The engine's name of it."""
    message: dict[str, Any]
    """Its input."""
    timeout: float | None = None
    """Seconds until the engine ends it; none by default."""
    cleanup_timeout: float = 10.0
    """Seconds that a cancelled call is waited for: its clean-up."""
    answer: Answer | None = None
    """Finds the caller's own code that answers a question; nobody does by default."""
    isolation: str | None = None
    """`"process"` for an engine in a process of its own. By default what the
    environment's PYLEGO_ISOLATION says, otherwise in this process where that is possible."""

    @property
    def patience(self) -> float:
        """Seconds after which its end waits for no callback any more."""
        return math.inf if self.timeout is None else self.timeout + self.cleanup_timeout
