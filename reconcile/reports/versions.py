"""Versions of a report: another one only when a figure changed, and what changed (settlement.md section 7).

`figures.json` beside the report is what the next one is compared with. What the clock alone changes is no figure
(`sheet.Column.aside`). Pure: text in, text out; `write` has the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from .report import Change, Report
from .words import stamp

VERSIONS: Final = 1_000_000  # a report never has so many
Told = dict[str, dict[str, dict[str, Any]]]  # table → row → column → value


def told(report: Report) -> Told:
    """Every figure of a report by its place."""
    found: Told = {}
    for table in report.tables:
        rows = found.setdefault(table.key, {})
        for row, column, value in table.figures():
            rows.setdefault(row, {})[column] = value
    return found


def after(report: Report, stored: str | None, kept: int) -> Report:
    """The report as the version that it is. stored: `figures.json` as it lies there; None: there is none.

    kept: the highest number under which an older version's files stand beside it; 0: none do.
    """
    before = _read(stored, kept)
    if before is None:
        return report._replace(version=version_of(stored, kept) + 1)
    changed = list(changes(before["figures"], told(report)))
    if changed:
        return report._replace(version=before["version"] + 1, changes=changed)
    return report._replace(version=before["version"], changes=[Change(**one) for one in before["changes"]])


def version_of(stored: str | None, kept: int) -> int:
    """The version that lies there, of a record that somebody spoilt the one after those kept; 0: there is none."""
    before = _read(stored, kept)
    if before is not None:
        return int(before["version"])
    return kept + 1 if kept or stored is not None else 0


def changes(before: Told, now: Told) -> Iterator[Change]:
    """Figure by figure, in the order of the report."""
    for table in dict.fromkeys([*now, *before]):
        old, new = before.get(table, {}), now.get(table, {})
        for row in dict.fromkeys([*new, *old]):
            was, is_ = old.get(row, {}), new.get(row, {})
            for column in dict.fromkeys([*is_, *was]):
                if was.get(column) != is_.get(column):
                    yield Change(table, row, column, was.get(column), is_.get(column))


def record(report: Report) -> str:
    """What `figures.json` holds."""
    value = {
        "period": report.figures.period.label,
        "version": report.version,
        "as_of": stamp(report.as_of),
        "seen": {one.bank: one.seen for one in report.figures.banks},
        "changes": [one._asdict() for one in report.changes],
        "figures": told(report),
    }
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _read(stored: str | None, kept: int) -> dict[str, Any] | None:
    """None also of a file that somebody spoilt, or put back from before: nobody can say then what has changed.

    The version goes on all the same: a number is never given twice.
    """
    try:
        value = _checked(json.loads(stored)) if stored else None
        return value if value is not None and value["version"] >= kept else None
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return None


def _checked(value: Any) -> dict[str, Any]:
    """What `record` writes, as far as it is read here. One of these errors: it is not."""
    if type(value["version"]) is not int or not 0 < value["version"] < VERSIONS:
        raise ValueError("no version")
    for table, rows in value["figures"].items():
        for row, cells in rows.items():
            for column, cell in cells.items():
                _check(table, row, column, cell)
    for one in value["changes"]:
        change = Change(**one)
        _check(change.table, change.row, change.column, change.before, change.after)
    return {name: value[name] for name in ("version", "figures", "changes")}


def _check(table: Any, row: Any, column: Any, *values: Any) -> None:
    """Names are words that can be written, a figure is such words or a number of a size that a database has."""
    if not all(isinstance(name, str) for name in (table, row, column)):
        raise TypeError("no name")
    for text in (table, row, column, *(value for value in values if isinstance(value, str))):
        if any(character < " " or "\ud800" <= character <= "\udfff" for character in text):
            raise ValueError("no words")
    if any(isinstance(value, int) and abs(value) >= 1 << 63 for value in values):
        raise ValueError("no figure")
    if not all(value is None or isinstance(value, int | str) for value in values):
        raise TypeError("no figure")
