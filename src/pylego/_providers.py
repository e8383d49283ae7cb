"""lego's DNS providers and their settings, as lego's own documentation and source tell them."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from pathlib import Path

from pylego._errors import MissingCredentials, UnknownSetting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What the rest of a provider's process reads: lego itself, and Go's standard library.
GENERAL_PREFIXES = ("LEGO_",)
GENERAL = frozenset(
    {
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "GODEBUG", "HOME", "PATH", "TMPDIR", "TZ"),
    }
)

SPACED = re.compile(r"^(\w+) = ", re.MULTILINE)
"""How some of lego's examples write a setting, which no shell takes for one."""

NEAREST = 3
"""As many names as a person reads."""
ALIKE = 0.6
"""How much of two names must be the same to take one for the other (difflib's measure)."""


@dataclass(frozen=True)
class Variable:
    """One setting of a DNS provider."""

    name: str
    """lego's name of it, such as `"CF_DNS_API_TOKEN"`."""
    description: str
    """What it is, in lego's words; `""` where lego says nothing."""
    required: bool
    """Whether nothing works without it; where there are several ways to log in, see `Provider.ways`."""
    default: str | None
    """What holds without it, where lego tells."""
    credential: bool
    """Whether its value is a secret."""


SEQUENTIAL = "It keeps one record at a time: names are validated one after the other."
REMEMBERS = (
    "Only the process that has written a record can remove it: if it is killed in the middle "
    "of an order, its TXT record _acme-challenge stays until you delete it."
)


@dataclass(frozen=True)
class Provider:
    """One of lego's DNS providers."""

    code: str
    """What `DNS01` and lego call it."""
    aliases: tuple[str, ...]
    """Other names that are accepted."""
    name: str
    """Its name for people."""
    since: str
    """The first version of lego that had it."""
    url: str
    """Its home page; `""` for none."""
    description: str
    """What it is, where lego says more than its name."""
    example: str = field(repr=False)
    """How lego's command line is called with it."""
    notes: tuple[str, ...] = field(repr=False)
    """What lego lists among the settings and is no variable."""
    sequential: bool
    """Whether it keeps one record at a time: names are then validated one after the other."""
    remembers: bool
    """Whether only the process that wrote a record finds it again: if that is killed, the record
    stays, and the event `clean_up_failed` names it."""
    variables: tuple[Variable, ...] = field(repr=False)
    """Every variable that it reads; each may also be given as a file, by its name and `_FILE`."""
    ways: tuple[tuple[tuple[str, ...], ...], ...] = field(repr=False)
    """The sets of variables of which it needs one, as far as that is certain. In a set every
    group needs a value for one of its names. Empty where it may need nothing: credentials of
    the machine it runs on, for example."""
    prefixes: tuple[str, ...] = field(repr=False)
    """How the names begin that its vendor's own library reads beside these."""

    @property
    def python(self) -> str:
        """The Python code that obtains a certificate with it, to copy and fill in."""
        # In JSON's quotes, which are those of Python's own style.
        lines = [f"    {name}={json.dumps(value)},\n" for name, value in self.values.items()]
        settings = "\n" + "".join(lines) if lines else ""
        return (
            "import pylego\n\n"
            f"challenge = pylego.dns.{self.code.replace('-', '_')}({settings})\n"
            'with pylego.Client("letsencrypt", accept_terms=True) as client:\n'
            '    certificate = client.obtain("example.com", "*.example.com", challenges=challenge)\n'
        )

    @property
    def caveats(self) -> tuple[str, ...]:
        """What there is to know of how it keeps records, in sentences."""
        known = {SEQUENTIAL: self.sequential, REMEMBERS: self.remembers}
        return tuple(sentence for sentence, applies in known.items() if applies)

    @property
    def needs(self) -> str:
        """The ways in words; `""` for none."""
        return _in_words(self.ways)

    def reads(self, name: str) -> bool:
        """Tell whether its process reads a variable of that name."""
        own = {variable.name for variable in self.variables}
        return (
            name in own
            or name.removesuffix("_FILE") in own
            or name in GENERAL
            or name.startswith((*GENERAL_PREFIXES, *self.prefixes))
        )

    @property
    def values(self) -> dict[str, str]:
        """Settings that are enough: those of lego's first example, and what it lacks of the first way."""
        example = SPACED.sub(r"\1=", self.example)
        words = shlex.split(example.replace("\\\n", " "), comments=True)
        pairs = (word.partition("=") for word in takewhile(lambda word: word != "lego", words))
        told = {name: value for name, _, value in pairs if value and self.reads(name)}
        lacking = self.lacking(lambda name: name in told)
        return {**told, **{group[0]: "..." for way in lacking[:1] for group in way}}

    def lacking(self, given: Callable[[str], object]) -> list[list[tuple[str, ...]]]:
        """List of each way the groups that have no value, unless one way has all."""
        ways = [[group for group in way if not any(map(given, group))] for way in self.ways]
        return ways if all(ways) else []


class Providers(Mapping[str, Provider]):
    """lego's DNS providers by their names; aliases are found, and not listed."""

    def __getitem__(self, name: str) -> Provider:
        """Find a provider by its code or an alias."""
        found = _find(name)
        if found is None:
            near = nearest(name, _described())
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            msg = f"lego has no DNS provider {name!r}{hint}"
            raise KeyError(msg)
        return found

    def __contains__(self, name: object) -> bool:
        """Tell whether lego accepts the name."""
        return name in _described()

    def __iter__(self) -> Iterator[str]:
        """Go through the codes, sorted."""
        return (name for name, provider in _described().items() if name == provider["code"])

    def __len__(self) -> int:
        """Count the providers."""
        return sum(1 for _ in self)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that lego accepts, aliases too."""
        return tuple(_described())

    def search(self, text: str) -> list[Provider]:
        """Find providers by a part of a name, a home page or a variable; the best first."""
        text = text.casefold()
        places = {code: _place(text, provider) for code, provider in self.items()}
        found = sorted((place, code) for code, place in places.items() if place is not None)
        return [self[code] for _, code in found]


providers = Providers()
"""lego's DNS providers, loaded at the first use."""


def refuse_unknown(provider: str, names: Iterable[str]) -> None:
    """Refuse variables that the provider does not read.

    An unknown provider is the engine's to refuse, when it is used.

    Raises:
        UnknownSetting: some of the names are none of its variables.
    """
    known = _find(provider)
    unknown = [] if known is None else [name for name in names if not known.reads(name)]
    if known is None or not unknown:
        return
    own = [variable.name for variable in known.variables]
    near = list(dict.fromkeys(each for name in unknown for each in nearest(name, own)))
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    msg = (
        f"DNS provider {known.code} has no setting {' and no '.join(unknown)}{hint} "
        f"(`pylego providers show {known.code}` lists all)"
    )
    info = {"phase": "request", "unknown": unknown, "nearest": near}
    raise UnknownSetting(msg, code="unknown_setting", info=info)


def misspelt(provider: str, names: Iterable[str]) -> dict[str, str]:
    """Find variables that begin as a provider's do and are no one's, each with what it is nearly."""
    known = _find(provider)
    if known is None:
        return {}
    own = [variable.name for variable in known.variables]
    beginnings = tuple({f"{name.partition('_')[0]}_" for name in own})
    alike = [name for name in sorted(names) if name.startswith(beginnings)]
    others = {each["name"] for every in _described().values() for each in every["variables"]}
    unknown = [
        name for name in alike if not known.reads(name) and name.removesuffix("_FILE") not in others
    ]
    return {name: near[0] for name in unknown if (near := nearest(name, own))}


def refuse_missing(provider: str, variables: Mapping[str, str], how: str = "") -> None:
    """Refuse what no constructor of the provider accepts, before a process is started for it.

    Args:
        provider: its code, or an alias.
        variables: what it is given beside the environment.
        how: says to whoever has to give more how to; in Python by default.

    Raises:
        MissingCredentials: no way to log in has all that it needs.
    """
    known = _find(provider)
    if known is None:
        return

    unreadable: dict[str, str] = {}

    def given(name: str) -> bool:
        """Look as lego does: an empty value is none, nor is a file that cannot be read."""
        if variables.get(name, os.environ.get(name)):
            return True
        name = f"{name}_FILE"
        path = variables.get(name, os.environ.get(name))
        if path and not (os.path.exists(path) and os.access(path, os.R_OK)):  # noqa: PTH110 -- a NUL raises in Path
            unreadable[name] = path
        return bool(path) and name not in unreadable

    lacking = known.lacking(given)
    if not lacking:
        return
    missing = list(dict.fromkeys(group[0] for way in lacking for group in way))
    how = how or f'give them by name to DNS01("{provider}", ...), or in the environment'
    msg = f"DNS provider {provider} needs {_in_words(lacking)}: {how}"
    for name, path in unreadable.items():
        msg += f"; {name} names {path}, which cannot be read"
    info = {"phase": "request", "missing": missing}
    raise MissingCredentials(msg, code="missing_credentials", info=info)


def holds_credential(name: str) -> bool:
    """Tell whether a variable of that name holds a secret of some provider's, or of lego's.

    One that only a vendor's library reads is told by its name.
    """
    credentials, prefixes, rule = _credentials()
    if not name.startswith(prefixes):
        return name in credentials
    upper = name.upper()
    return any(word in upper for word in rule["words"]) and not upper.endswith(
        tuple(rule["harmless"])
    )


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """Find the names that are most like one, the nearest first."""
    from difflib import SequenceMatcher  # noqa: PLC0415 -- only for mistakes

    matcher = SequenceMatcher(b=name.casefold(), autojunk=False)
    alike: dict[str, float] = {}
    for each in names:
        matcher.set_seq1(each.casefold())
        alike[each] = matcher.ratio()
    least = max(ALIKE, max(alike.values(), default=0) - 0.1)  # a good one leaves no others
    best = sorted(alike, key=lambda each: -alike[each])
    return [each for each in best if alike[each] >= least][:NEAREST]


@cache
def _catalogue() -> dict[str, Any]:
    """Read the file that engine/tools/catalogue has written."""
    text = Path(__file__).with_name("providers.json").read_text(encoding="utf-8")
    catalogue: dict[str, Any] = json.loads(text)
    return catalogue


@cache
def _described() -> dict[str, dict[str, Any]]:
    """Return what the catalogue says of each provider, by every name."""
    return {
        name: provider
        for provider in _catalogue()["providers"]
        for name in (provider["code"], *provider["aliases"])
    }


@cache
def _credentials() -> tuple[frozenset[str], tuple[str, ...], dict[str, list[str]]]:
    """Return the variables that are secrets, how others may begin, and what these are called then."""
    every = _catalogue()["providers"]
    variables = [variable for provider in every for variable in provider["variables"]]
    credentials = {variable["name"] for variable in variables if variable["credential"]}
    prefixes = {prefix for provider in every for prefix in provider["prefixes"] if prefix}
    return frozenset(credentials), (*GENERAL_PREFIXES, *prefixes), _catalogue()["credential"]


def _find(name: str) -> Provider | None:
    described = _described().get(name)
    return None if described is None else _provider(described["code"])


@cache
def _provider(code: str) -> Provider:
    """Make one provider: all of them would take as long as reading the file."""
    fields = dict(_described()[code])
    fields["variables"] = tuple(Variable(**each) for each in fields["variables"])
    for name in ("aliases", "notes", "prefixes"):
        fields[name] = tuple(fields[name])
    ways: list[list[list[str]]] = fields["ways"]
    fields["ways"] = tuple(tuple(tuple(group) for group in way) for way in ways)
    return Provider(**fields)


def _in_words(ways: Iterable[Iterable[Iterable[str]]]) -> str:
    return ", or ".join(" and ".join(map(_either, way)) for way in ways)


def _either(group: Iterable[str]) -> str:
    first, *others = group
    return f"{first} (or {' or '.join(others)})" if others else first


def _place(text: str, provider: Provider) -> int | None:
    """Say how good a match is; the smaller the better, nothing for none."""
    names = [each.casefold() for each in (provider.code, *provider.aliases, provider.name)]
    variables = [variable.name.casefold() for variable in provider.variables]
    wheres = [
        text in names,
        any(name.startswith(text) for name in names),
        any(text in name for name in names),
        text in provider.url.casefold(),
        any(name.startswith(text) for name in variables),
    ]
    return next((place for place, found in enumerate(wheres) if found), None)
