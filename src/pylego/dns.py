"""lego's DNS providers as functions: `pylego.dns.cloudflare(CF_DNS_API_TOKEN="...")`.

Each takes what `DNS01` takes after the provider's name, and returns that `DNS01`. A hyphen
in the provider's name is `_` here. An editor knows them all by `dns.pyi`.
"""

from __future__ import annotations

from functools import partial as _partial

from pylego._challenges import DNS01 as _DNS01
from pylego._providers import nearest as _nearest
from pylego._providers import providers as _providers


def _names() -> dict[str, str]:
    return {name.replace("-", "_"): name for name in _providers.names}


def __getattr__(attribute: str) -> _partial[_DNS01]:
    """Make the function of a provider."""
    if attribute.startswith("_") or attribute not in _names():  # not loaded for `__path__`
        near = [] if attribute.startswith("_") else _nearest(attribute, _names())
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        msg = f"module {__name__!r} has no attribute {attribute!r}{hint}"
        raise AttributeError(msg)
    name = _names()[attribute]
    function = _partial(_DNS01, name)
    settings = ", ".join(variable.name for variable in _providers[name].variables)
    function.__doc__ = f"Answer dns-01 through {_providers[name].name}, which reads {settings}."
    return function


def __dir__() -> list[str]:
    """List every provider."""
    return sorted(_names())
