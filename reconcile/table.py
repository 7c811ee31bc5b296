"""A list on the screen in which nothing is ever cut short: an id, a bill number and an amount are read off and typed.

What is too wide for the terminal shows some columns one below another; what is too wide even so is wider than it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .commands import console


class Column(NamedTuple):
    """below: on a narrow screen it stands below the column before it."""

    chinese: str
    english: str
    right: bool = False
    below: bool = False


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """The wide shape if it fits, else the narrow one; what stands in a cell is never taken for markup."""
    out, rows = console(), list(rows)
    groups = [[place] for place in range(len(columns))]
    table = _table(columns, rows, groups)
    if _width(table) > out.width:
        starts = [place for place, each in enumerate(columns) if not each.below]
        groups = [[*range(start, end)] for start, end in zip(starts, [*starts[1:], len(columns)], strict=True)]
        table = _table(columns, rows, groups)
    Console(highlight=False, width=max(out.width, _width(table))).print(table)


def _table(columns: Sequence[Column], rows: Iterable[Sequence[str]], groups: Sequence[Sequence[int]]) -> Table:
    """groups: which columns stand in one place, one below another."""
    stacked = len(groups) < len(columns)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, leading=int(stacked), padding=(0, 1, 0, int(not stacked)))
    for group in groups:
        heads = [(columns[place].chinese, columns[place].english) for place in group]
        head = "\n".join(heads[0] if len(group) == 1 else map(" ".join, heads))
        justify = "right" if columns[group[0]].right else "left"
        table.add_column(Text(head), justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(Text("\n".join(row[place] for place in group)) for group in groups))
    return table


def _width(table: Table) -> int:
    """What the whole table takes at most: its cells, their padding, and the lines between them."""
    texts = [[str(each.header), *map(str, each.cells)] for each in table.columns]
    beside = table.padding[1] + table.padding[3] + 1
    return sum(max(cell_len(line) for text in each for line in text.split("\n")) + beside for each in texts)
