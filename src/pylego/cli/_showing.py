"""What a person is shown: texts that do nothing but show, and tables of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType

GAP = 2
"""Columns between those of a table."""

COMMANDS = re.compile(r"[\0-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What makes a terminal do other things than show a text, or show it in another order."""


def shown(text: str) -> str:
    """Return a text as it can be shown to a person: a CA, or a file, may have put anything into it.

    Further lines are indented: none passes for a message of its own.
    """
    visible = COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return re.sub(r"\n(?=.)", "\n  ", visible)


@dataclass(frozen=True)
class Table:
    """Plain texts in columns; where the screen has no room for their words, each row by itself.

    Nothing is cut off: what is shown can be copied.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        """Have texts that only show."""
        object.__setattr__(self, "rows", [[*map(shown, row)] for row in self.rows])

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Tell rich what to draw."""
        needed = self._needed()
        room = options.max_width - GAP * (len(needed) - 1)
        if sum(least for least, _ in needed) <= room or not any(self.headings):
            yield self._columns(needed, room)
            return
        for number, row in enumerate(self.rows):
            if number:
                yield ""
            told = [pair for pair in zip(self.headings, row, strict=True) if pair[1]]
            yield Table(("", ""), told)

    def _needed(self) -> list[tuple[int, int]]:
        """Return the width of each column's longest word, and of its longest text; the first is never broken."""
        from rich.cells import cell_len

        needed: list[tuple[int, int]] = []
        for number, texts in enumerate(zip(self.headings, *self.rows, strict=True)):
            most = max(map(cell_len, texts))
            words = (word for text in texts for word in text.split())
            needed.append((max(map(cell_len, words), default=0) if number else most, most))
        return needed

    def _columns(self, needed: Sequence[tuple[int, int]], room: int) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        spare = room - sum(least for least, _ in needed)
        widths: dict[int, int] = {}
        # Who wants least has it first: names are broken before dates are.
        *others, last = sorted(
            range(len(needed)), key=lambda each: needed[each][1] - needed[each][0]
        )
        for number in (*others, last):
            least, most = needed[number]
            more = spare if number == last else max(spare, 0)
            widths[number] = max(min(most, least + more), 1)
            spare -= widths[number] - least
        drawn = Table(box=None, pad_edge=False, header_style="bold", show_header=any(self.headings))
        for number, heading in enumerate(self.headings):
            drawn.add_column(heading, width=widths[number], overflow="fold")
        for row in self.rows:
            drawn.add_row(*map(Text, row))
        return drawn
