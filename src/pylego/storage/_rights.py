"""Who else may write into a folder of keys."""

from __future__ import annotations

import os
import stat

from pylego._errors import StorageError

BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def check_rights(status: os.stat_result, path: str) -> None:
    """Refuse a folder that others can write into: they could take keys, or give us theirs.

    Raises:
        StorageError: its mode or its owner lets them.
    """
    if not hasattr(os, "geteuid"):
        return  # Windows' rights are not in a mode
    if status.st_mode & BY_OTHERS:
        msg = f"others can write into {path}: take that away (chmod go-w), for keys are kept there"
        raise StorageError(msg, path=path)
    user = os.geteuid()
    if user != 0 and status.st_uid not in (user, 0):  # root may use a folder of whom it works for
        msg = f"{path} belongs to another user, who can write into it: keys are not kept there"
        raise StorageError(msg, path=path)


def looks(status: os.stat_result) -> tuple[int, ...]:
    """Return what tells that it is still the folder that was checked, with the same rights."""
    return status.st_dev, status.st_ino, status.st_mode, status.st_uid
