"""`pylego lego`: lego's own command line in the place of this program."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from pylego import _lego
from pylego._engine import executable
from pylego._errors import EngineError, LEGOError

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(arguments: Sequence[str]) -> NoReturn:
    """Become lego, with these arguments as they are."""
    try:
        _lego.finish(arguments, os.environ)
        executable.become(arguments)
    except EngineError as error:
        sys.exit(error.detail)
    except LEGOError as error:
        sys.exit(str(error))
