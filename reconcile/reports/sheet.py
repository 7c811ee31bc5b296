"""A table of a report before it looks like anything: columns that know what they hold, rows, and how they add up.

Page, workbook and paper draw the same tables, so that none can say what another does not. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from rich.cells import cell_len

from shebao.ledger.day import iso

from ..words import money

COUNT, MONEY, DATE, CODE, TEXT = "count", "money", "date", "code", "text"
NUMBERS: Final = (COUNT, MONEY)
NONE: Final = "—"


class Text(NamedTuple):
    """Words: Chinese, and English in its shadow."""

    chinese: str
    english: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in self if part)


class Column(NamedTuple):
    """kind: a count, fen, YYYYMMDD (0: none), a long number or code, or Text. None in a cell is a dash."""

    key: str
    chinese: str
    english: str
    kind: str = TEXT
    sums: tuple[tuple[int, int], ...] = ()  # (sign, column) of which it is the sum, row by row
    adds_up: bool = True  # a total row has its sum, if it is a number
    names: bool = False  # part of the row's name, as the first column is
    aside: bool = False  # no figure: words that explain one, or what time alone changes; makes no new version


class Table(NamedTuple):
    key: str
    chinese: str
    english: str
    columns: tuple[Column, ...]
    rows: list[tuple[Any, ...]]
    total: bool = False
    note: str = ""
    shown: int = 0  # rows that page and paper show, the rest as one; 0: all. The workbook has all
    drawn: str = ""  # page and paper have a picture "above" it, or "instead"

    def totals(self) -> tuple[Any, ...]:
        """The last row: sums where they mean something."""
        sums = [
            sum(row[n] or 0 for row in self.rows) if column.kind in NUMBERS and column.adds_up else None
            for n, column in enumerate(self.columns)
        ]
        return (Text("合计", "total"), *sums[1:])

    def folded(self) -> Table:
        """As page and paper show it: what is beyond `shown` rows added up, or counted."""
        if not self.shown or len(self.rows) <= self.shown + 1:
            return self
        rest = self._replace(rows=self.rows[self.shown :]).totals()
        name = Text(f"其余 {len(self.rows) - self.shown:,} 行，见 XLSX", "the rest")
        return self._replace(rows=[*self.rows[: self.shown], (name, *(_blank(value) for value in rest[1:]))])

    def figures(self) -> Iterator[tuple[str, str, Any]]:
        """(row, column, value) of everything but what stands aside."""
        seen: dict[str, int] = {}
        for row in self.rows:
            name = " ".join(str(value) for n, value in enumerate(row) if not n or self.columns[n].names)
            seen[name] = seen.get(name, 0) + 1
            told = name if seen[name] == 1 else f"{name} #{seen[name]}"
            for column, value in zip(self.columns[1:], row[1:], strict=True):
                if not column.aside and not column.names:
                    yield told, column.key, str(value) if isinstance(value, Text) else value


def _blank(value: Any) -> Any:
    return Text("") if value is None else value


def width(text: str) -> int:
    """Of its longest line, in letters; Chinese ones count two."""
    return max(map(cell_len, text.split("\n")))


def shown(column: Column, value: Any) -> str:
    """A cell's words, Chinese only where there are both."""
    if value is None or (column.kind == DATE and not value):
        return NONE
    if isinstance(value, Text):
        return value.chinese
    if column.kind == MONEY:
        return money(value)
    if column.kind == COUNT:
        return f"{value:,}"
    return iso(value) if column.kind == DATE else str(value)
