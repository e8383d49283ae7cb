"""Makes a page of the docs for each DNS provider, of the catalogue (a hook of mkdocs)."""

from __future__ import annotations

import html
import json
import shlex
from typing import TYPE_CHECKING

from pylego import Provider, providers

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

FOLDER = "providers"

INDEX = """# DNS providers

All {count} of lego. `pylego providers list` prints them too, and `pylego providers show NAME` what is on the page of one.

| Provider | `DNS01(...)` | since lego |
| --- | --- | --- |
{rows}
"""

PAGE = """# {name}

{told}

{examples}By lego's own command line, the executable `pylego/_bin/lego` of the installed package:

```bash
{command}
```

## Settings

{needs}Each may be given as a file that holds it, too: by its name and `_FILE`. What is not given is looked for in the environment.

| Variable | | Default |
| --- | --- | --- |
{rows}
"""

EXAMPLES = """```python
{python}```

By [`run_lego_command`][pylego.run_lego_command]:

```python
import pylego

response = pylego.run_lego_command(
    email="ops@example.com",
    server="https://acme-v02.api.letsencrypt.org/directory",
    csr=csr,
    env={env},
    plugin="{code}",
)
```

"""

MANUAL = """It asks a person at a terminal, which a library has not got: see [your own solver](../guide/solvers.md).

"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages; mkdocs calls this when it knows all others."""
    from mkdocs.structure.files import File  # noqa: PLC0415 -- the pages are tested without it

    pages = {"index": index(), **{each.code: page(each) for each in providers.values()}}
    for name, content in pages.items():
        files.append(File.generated(config, f"{FOLDER}/{name}.md", content=content))
    return files


def index() -> str:
    """List all providers."""
    rows = [
        f"| [{text(each.name)}]({each.code}.md) "
        f"| {', '.join(f'`{name}`' for name in (each.code, *each.aliases))} | {each.since} |"
        for each in sorted(providers.values(), key=lambda each: each.name.casefold())
    ]
    return INDEX.format(count=len(rows), rows="\n".join(rows))


def page(provider: Provider) -> str:
    """Describe one provider."""
    return PAGE.format(
        name=text(provider.name),
        told="\n\n".join(told(provider)),
        examples=examples(provider),
        command=command(provider),
        needs=f"Needs {provider.needs}.\n\n" if provider.needs else "",
        rows="\n".join(
            f"| `{each.name}` | {text(each.description)}{' **Required.**' if each.required else ''} "
            f"| {f'`{each.default}`' if each.default else ''} |"
            for each in provider.variables
        ),
    )


def examples(provider: Provider) -> str:
    """Show how it is used from Python."""
    if provider.code == "manual":
        return MANUAL
    return EXAMPLES.format(python=provider.python, env=environment(provider), code=provider.code)


def told(provider: Provider) -> list[str]:
    """Say what there is to know before the settings."""
    names = " or ".join(f"`{name}`" for name in (provider.code, *provider.aliases))
    known = [f"{names}, since lego {provider.since}."]
    if provider.url:
        known[0] += f" <{provider.url}>"
    words = (provider.description, *provider.notes, *provider.caveats)
    return known + [text(each) for each in words if each]


def environment(provider: Provider) -> str:
    """Write the example's settings as a dict."""
    lines = [
        f"        {json.dumps(name)}: {json.dumps(value)},\n"
        for name, value in provider.values.items()
    ]
    return "{\n" + "".join(lines) + "    }" if lines else "{}"


def command(provider: Provider) -> str:
    """Write how lego's command line is called; its own documentation's examples do not all work."""
    lines = [f"{name}={shlex.quote(value)}" for name, value in provider.values.items()]
    lines.append(f"lego run --accept-tos --email ops@example.com --dns {provider.code}")
    lines.append("    -d example.com -d '*.example.com'")
    return " \\\n".join(lines)


def text(words: str) -> str:
    """Write lego's words so that they stand in one cell of a table."""
    return html.escape(" ".join(words.split()), quote=False).replace("|", r"\|")
