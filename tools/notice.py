"""Writes NOTICE: every Go module linked into lego.so or lego, with its licence.

`--check` fails instead when NOTICE is not what it would write. The texts are the modules' own,
from the module cache; equal texts are printed once.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import hatch_build

NOTICE = hatch_build.ROOT / "NOTICE"
LICENCE = re.compile(r"(un)?(licen[cs]e|copying|copyright|notice|patents)\b", re.IGNORECASE)
SOURCE = {".go", ".s", ".c", ".h"}

HEAD = """pylego

Python and Go code of this project: Apache License 2.0, see LICENSE.

The wheel also holds, compiled and unmodified, the Go modules below, among them
lego (MIT), Pebble (Mozilla Public License 2.0, together with the other modules
under that licence) and Go's own standard library. The source code of each is
public at its module path in the version named here, which is where every Go
tool gets it from. lego's words about its DNS providers are in
pylego/providers.json and pylego/dns.pyi.

This file is written by `make notice`.
"""


def linked_packages() -> list[tuple[str, str, str, str]]:
    """Every package of both commands on every platform that we build for.

    As folder, module, the module's version and its folder; without our own and Go's.
    """
    template = (
        "{{$d := .Dir}}{{with .Module}}{{if not .Main}}"
        r'{{$d}}{{"\t"}}{{.Path}}{{"\t"}}{{.Version}}{{"\t"}}{{.Dir}}{{end}}{{end}}'
    )
    packages = set()
    for row in hatch_build.PLATFORMS.values():
        tools = hatch_build.toolchain(row)
        for name in row.artefacts:
            answer = subprocess.run(
                [tools.go, "list", "-deps", "-f", template, hatch_build.ARTEFACTS[name].package],
                cwd=hatch_build.ROOT / "engine",
                env=hatch_build.environment(name, tools, row),
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            ).stdout
            packages |= {tuple(line.split("\t")) for line in answer.splitlines()}
    return sorted(packages)


def licences(package: Path, module: Path) -> dict[str, str]:
    """Licence files from the package's folder up to the module's root: path -> text."""
    found = {}
    for folder in (package, *package.parents):
        for file in folder.iterdir():
            if LICENCE.match(file.name) and file.suffix not in SOURCE and file.is_file():
                text = file.read_text(encoding="utf-8", errors="replace")
                lines = [line.rstrip() for line in text.splitlines()]
                found[file.relative_to(module).as_posix()] = "\n".join(lines).strip()
        if folder == module:
            return found
    raise AssertionError(f"{package} is not in {module}")


def notice() -> str:
    """The whole file."""
    owners: dict[str, set[str]] = defaultdict(set)  # text -> who has it
    modules: dict[str, bool] = {}  # module -> has it any?
    for folder, module, version, root in linked_packages():
        title = f"{module} {version}"
        found = licences(Path(folder), Path(root))
        modules[title] = modules.get(title, False) or bool(found)
        for path, text in found.items():
            owners[text].add(title if "/" not in path else f"{title} ({path})")
        # The Go authors put one licence on all they publish; not every Go carries the file.
        if module == "golang.org/x/sys":
            owners[found["LICENSE"]].add("Go's standard library")
    bare = sorted(title for title, has_some in modules.items() if not has_some)
    if bare:
        raise SystemExit(f"no licence found for {', '.join(bare)}")
    rule = "-" * 80
    parts = [f"{HEAD}\n", *(f"{title}\n" for title in sorted(modules))]
    for text, titles in sorted(owners.items(), key=lambda item: sorted(item[1])):
        parts += [f"\n{rule}\n", *(f"{title}\n" for title in sorted(titles)), f"\n{text}\n"]
    return "".join(parts)


if __name__ == "__main__":
    written = notice()
    if sys.argv[1:] != ["--check"]:
        NOTICE.write_text(written, encoding="utf-8")
    elif not NOTICE.exists() or NOTICE.read_text(encoding="utf-8") != written:
        raise SystemExit("NOTICE is not what the linked modules say: run `make notice`.")
