"""Versions of a report: another one only when a figure changed, and what changed (settlement.md section 7).

`figures.json` beside the report is what the next one is compared with. What the clock alone changes is no figure
(`sheet.Column.aside`). Pure: text in, text out; `write` has the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .report import Change, Report
from .words import stamp

Told = dict[str, dict[str, dict[str, Any]]]  # table → row → column → value


def told(report: Report) -> Told:
    """Every figure of a report by its place."""
    found: Told = {}
    for table in report.tables:
        rows = found.setdefault(table.key, {})
        for row, column, value in table.figures():
            rows.setdefault(row, {})[column] = value
    return found


def after(report: Report, stored: str | None) -> Report:
    """The report as the version that it is. stored: `figures.json` as it lies there; None: there is none."""
    before = _read(stored)
    if before is None:
        return report
    changed = list(changes(before["figures"], told(report)))
    if changed:
        return report._replace(version=before["version"] + 1, changes=changed)
    return report._replace(version=before["version"], changes=[Change(**one) for one in before["changes"]])


def version_of(stored: str) -> int:
    """The version that lies there; 0: nobody knows."""
    before = _read(stored)
    return int(before["version"]) if before else 0


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


def _read(stored: str | None) -> dict[str, Any] | None:
    """None also of a file that somebody spoilt: then the version begins anew."""
    try:
        value = json.loads(stored) if stored else None
        return value if isinstance(value, dict) and {"version", "figures", "changes"} <= value.keys() else None
    except ValueError:
        return None
