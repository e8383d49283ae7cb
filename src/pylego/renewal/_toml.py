"""Reading TOML so that every mistake has its file, line and key, whatever the keys mean."""

from __future__ import annotations

import re
from bisect import bisect_left
from importlib import import_module
from importlib.util import find_spec

from pylego._errors import InvalidRequest
from pylego._providers import nearest
from pylego.renewal._names import printable

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import Any, NoReturn

    Place = tuple[str, ...]

CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f]")
"""Characters that no file's name, URL or setting has."""

NO_TOML = (ValueError, RecursionError)
"""What the parser raises: its own error is a ValueError, and that of a number too long is no more."""


class ConfigurationError(InvalidRequest):
    """A configuration file that cannot be used, and where in it."""

    def __init__(
        self, detail: str, *, file: str = "", line: int = 0, key: str = "", **fields: Any
    ) -> None:
        """Say it in the words of compilers, which editors know."""
        where = f"{file}:{line}: " if file else ""
        super().__init__(f"{where}{key and f'{key}: '}{detail}", **fields)
        self.file = file
        self.line = line
        self.key = key


def read(path: Path) -> Table:
    """Return the table that is the whole file.

    Raises:
        ConfigurationError: it is no TOML.
        OSError: it cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = "TOML is UTF-8 text"
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(msg, file=str(path), line=line) from None
    source = Source(path, text.replace("\r\n", "\n"))
    return Table(source, (), source.document)


class Source:
    """The file, and where in it a key is."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.folder = path.parent.absolute()
        self._lines = [f"{line}\n" for line in text.split("\n")]
        self._loads: Callable[[str], dict[str, Any]] = _toml().loads
        try:
            self.document = self._loads(text)
        except NO_TOML as error:
            told = re.search(r"\(at line (\d+)", str(error))
            line = int(told[1]) if told else len(self._lines)
            raise ConfigurationError(str(error), file=str(path), line=line) from None

    def line(self, key: Place) -> int:
        """Return the first line of the statement that brings a key.

        The parser itself tells: it is the first line without which what precedes it, up
        to the end of a statement, has no such key.
        """
        counts = range(len(self._lines) + 1)
        return bisect_left(counts, True, key=lambda count: _has(self._whole(count), key))

    def _whole(self, count: int) -> Any:
        """Parse so many lines, and those after them that complete the last statement."""
        document = None
        while document is None:
            document = self._parsed("".join(self._lines[:count]))
            count += 1
        return document

    def _parsed(self, text: str) -> dict[str, Any] | None:
        try:
            return self._loads(text)
        except NO_TOML:
            return None


def _has(value: Any, key: Place) -> bool:
    for part in key:
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]  # pyright: ignore[reportUnknownVariableType]
    return True


class Table:
    """One table of the file, and which of its keys are known."""

    def __init__(self, source: Source, place: Place, values: dict[str, Any]) -> None:
        self.source = source
        self.values = values
        self._place = place
        self._known: set[str] = set()

    @property
    def name(self) -> str:
        return self._place[-1]

    def refuse(self, key: Place, why: str) -> NoReturn:
        """Say what is wrong with a key of this table, or where it would have to be."""
        place = here = (*self._place, *key)
        while not _has(self.source.document, here):
            here = here[:-1]
        raise ConfigurationError(
            why, file=str(self.source.path), line=max(self.source.line(here), 1), key=_dotted(place)
        )

    def done(self, known: Iterable[str] = ()) -> None:
        """Refuse what nobody has asked for."""
        every = {*self._known, *known}
        for name in self.values:
            if name not in every:
                self.refuse((name,), f"there is no such key{suggestion(name, every)}")

    def text(self, name: str) -> str | None:
        value: str | None = self._value(name, str, "text")
        if value is not None and (wrong := CONTROL.search(value)):
            self.refuse((name,), f"a text has no control characters: {printable(wrong[0])} is one")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._value(name, bool, "true or false")
        return default if value is None else value

    def number(self, name: str) -> float | None:
        value: float | None = self._value(name, (int, float), "a number")
        if value is not None and not 0 <= value < float("inf"):
            self.refuse((name,), "a number that is not negative is wanted")
        return value

    def texts(self, name: str) -> tuple[str, ...] | None:
        value = self._value(name, list, "a list of texts")
        if value is not None and not all(isinstance(each, str) and each for each in value):
            self.refuse((name,), "a list of texts is wanted")
        return None if value is None else tuple(value)

    def one_or_more(self, name: str) -> tuple[str, ...]:
        if isinstance(self.values.get(name), list):
            return self.texts(name) or ()
        value = self.text(name)
        return () if value is None else (value,)

    def path(self, name: str) -> str | None:
        """Read a path, which is taken from the file's own folder."""
        value = self.text(name)
        return None if value is None else str(self.source.folder / value)

    def choice(self, name: str, among: tuple[str, ...]) -> str | None:
        value = self.text(name)
        if value is not None and value not in among:
            self.refuse((name,), f"{value!r} is none of {', '.join(among)}")
        return value

    def known(self, key: str, name: str, among: dict[str, Any]) -> Any:
        if name not in among:
            self.refuse((key,), f"there is no [{key}s.{quoted(name)}]{suggestion(name, among)}")
        return among[name]

    def address(self, port: int) -> tuple[str, int]:
        """Read an address to listen on, as lego writes it: host:port."""
        value = self.text("address")
        if value is None:
            return "", port
        host, colon, number = value.rpartition(":")
        if not colon or not number.isdecimal() or not 0 < int(number) < 1 << 16:
            self.refuse(("address",), f'an address is "host:port" or ":port", not {value!r}')
        return host.strip("[]"), int(number)

    def table(self, name: str) -> Table:
        values = self._value(name, dict, "a table")
        return Table(self.source, (*self._place, name), values or {})

    def tables(self, name: str) -> Iterator[Table]:
        every = self.table(name)
        for each in every.values:
            if not each.isprintable():
                every.refuse((each,), "a name has no control characters")
            yield every.table(each)

    def _value(self, name: str, kind: Any, words: str) -> Any:
        self._known.add(name)
        value = self.values.get(name)
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if value is not None and not fits:  # and which might be a secret
            self.refuse((name,), f"{words} is wanted")
        return value


def suggestion(name: str, among: Iterable[str]) -> str:
    near = nearest(name, sorted(among))
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _dotted(place: Place) -> str:
    return ".".join(map(quoted, place))


def quoted(name: str) -> str:
    """Write a key as TOML does."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(escaped)}"'


def _toml() -> Any:
    """Return Python's parser, which is there since 3.11, or the one that it was made of."""
    for name in ("tomllib", "tomli"):
        if find_spec(name):
            return import_module(name)
    msg = "reading TOML on Python 3.10 needs one more package: pip install 'pylego[cli]'"
    raise InvalidRequest(msg)
