"""A report as PDF on A4, set by typst with the font that we ship; the machine's own fonts play no part.

The template gets everything as data (JSON), never as markup: no name can be mistaken for a command.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import typst

from . import glyphs
from .chart import alone
from .page import pictures
from .report import Report
from .sheet import CODE, NUMBERS, TEXT, Column, Table, Text, shown, width

TEMPLATE: Final = Path(__file__).with_name("templates") / "settlement.typ"
NAME_MAX: Final = 60  # characters of a cell
LONG_WORD: Final = re.compile(r"([!-~]{16})(?=[!-~])")  # may be broken here
BREAK: Final = "\u200b"
FEW: Final = 8  # rows that stay on one page
SHORT, WIDE_MAX = 14, 60  # widths (`sheet.width`) of words that never wrap, and beyond which a column gets no more


def render(report: Report) -> bytes:
    """The PDF. The same report gives the same bytes."""
    return bytes(_compile(report, "pdf"))


def images(report: Report, per_inch: float = 80) -> list[bytes]:
    """Its pages as PNG, for who wants to look at them."""
    made = _compile(report, "png", per_inch)
    return made if isinstance(made, list) else [made]


def _compile(report: Report, form: Any, per_inch: float | None = None) -> Any:
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(glyphs.font().parent)]
    )
    return typst.compile(
        TEMPLATE.read_bytes(), font_paths=fonts, ignore_system_fonts=True, format=form, ppi=per_inch,
        sys_inputs={"data": json.dumps(_data(report), ensure_ascii=False)}, timestamp=int(report.as_of.timestamp()),
    )  # fmt: skip


def _data(report: Report) -> dict[str, Any]:
    """What the template asks for, every word settable."""
    drawn = pictures(report)
    return {
        "font": glyphs.FAMILY,
        "title": _words(report.title),
        "period": report.figures.period.label,
        "version": report.version,
        "as_of": report.as_of.strftime("%Y-%m-%d %H:%M:%S"),
        "level": report.verdict.level,
        "verdict": _words(Text(*report.verdict.first), short=False),
        "also": glyphs.told(report.verdict.also),
        "news": _words(report.news, short=False),
        "tiles": [[*_words(name), value] for name, value in report.tiles],
        "says": [_words(line, short=False) for line in report.says],
        "tables": [_table(table, drawn) for table in report.sheets],
    }


def _table(whole: Table, drawn: dict[str, str]) -> dict[str, Any]:
    table = whole.folded()
    rows = [] if table.drawn == "instead" else table.rows
    return {
        "title": _words(Text(table.chinese, table.english), short=False),
        "note": glyphs.told(table.note),
        "picture": alone(drawn[table.key]) if table.drawn else "",
        "rows_shown": table.drawn != "instead",
        "few": len(rows) <= FEW and table.drawn != "above",
        "columns": [
            {"head": [column.chinese, column.english], "number": column.kind in NUMBERS, "code": column.kind == CODE,
             "share": share}
            for column, share in zip(table.columns, shares(table), strict=True)
        ],
        "rows": [_cells(table.columns, row) for row in rows],
        "total": _cells(table.columns, whole.totals(), blank="") if whole.total else [],
    }


def shares(table: Table) -> list[int]:
    """How what numbers and short words leave of the width goes to the columns of longer words, which wrap.

    0: as wide as its words. Each by its longest, that none is squeezed to nothing by another.
    """
    longest = [
        max(width(str(one)) for one in (column.chinese, column.english, *(row[n] for row in table.rows)))
        if column.kind == TEXT else 0
        for n, column in enumerate(table.columns)
    ]  # fmt: skip
    return [min(one, WIDE_MAX) if one and (one > SHORT or one == max(longest)) else 0 for one in longest]


def _cells(columns: tuple[Column, ...], row: tuple[Any, ...], blank: str | None = None) -> list[list[Any]]:
    """(Chinese, English, whether it is a negative number) of each cell."""
    cells: list[list[Any]] = []
    for column, value in zip(columns, row, strict=True):
        if isinstance(value, Text):
            cells.append([*_words(value), False])
        elif value is None and blank is not None:
            cells.append([blank, "", False])
        else:
            minus = column.kind in NUMBERS and value is not None and value < 0
            cells.append([*_words(Text(shown(column, value)), short=column.kind != CODE), minus])
    return cells


def _words(value: Text, short: bool = True) -> list[str]:
    return [_word(part, short) for part in value]


def _word(text: str, short: bool) -> str:
    cut = text if not short or len(text) <= NAME_MAX else f"{text[: NAME_MAX - 1]}…"
    return LONG_WORD.sub(rf"\1{BREAK}", glyphs.told(cut))
