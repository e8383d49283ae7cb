"""Prints what CHANGELOG.md says of a version: release_notes.py v1.2.3, the tag.

It fails if pyproject.toml has another version, or the section none of its own or no date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def notes(tag: str, version: str, changelog: str) -> str:
    """The section of the tag's version, without its heading."""
    if tag != f"v{version}":
        raise SystemExit(
            f"pyproject.toml has version {version}, whose tag is v{version}, not {tag}"
        )
    heading = rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$"
    found = re.search(rf"{heading}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not found or not found[1].strip():
        raise SystemExit(f"CHANGELOG.md has nothing under '## {version} (YYYY-MM-DD)'")
    return found[1].strip()


def main(arguments: list[str]) -> None:
    """Print it."""
    if len(arguments) != 1:
        raise SystemExit(__doc__)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    [version] = re.findall(r'^version = "(.+)"', project, re.MULTILINE)
    print(notes(arguments[0], version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))


if __name__ == "__main__":
    main(sys.argv[1:])
