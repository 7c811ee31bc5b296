"""A report into its folder: every file whole or not at all, older versions kept, `figures.json` last of all.

`<state_dir>/reports/<2026-11-23 | 2026-11 | 2026>/` has the latest version under plain names, and version N, once
it is not the latest, as `settlement.vN.html` and so on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from shebao.ledger.desk import blocks
from shebao.ledger.durable import alone_in

from ..close import DiskFiles, publish
from . import page, paper, versions, vouchers, workbook
from .chart import clock
from .cube import lines
from .periods import DAY
from .report import Report
from .sheet import Text

RECORD: Final = "figures.json"
FILES: Final[dict[str, Callable[[Report], bytes]]] = {
    "settlement.html": lambda report: page.render(report).encode("utf-8", "replace"),
    "settlement.xlsx": workbook.render,
    "settlement.pdf": paper.render,
    "vouchers.csv": vouchers.render,
}


class Written(NamedTuple):
    report: Report  # as the version that it became
    folder: Path


def write_report(state_dir: Path, report: Report) -> Written:
    """Writes all files of a report; raises OSError."""
    folder = state_dir / "reports" / report.figures.period.label
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):  # two commands write one report
        record = folder / RECORD
        stored = record.read_text(encoding="utf-8", errors="replace") if record.exists() else None
        kept = _kept(folder)
        report = versions.after(report, stored, kept)
        made = {name: make(report) for name, make in FILES.items()}
        if before := versions.version_of(stored, kept):
            _keep(folder, before, report.version)
        made[RECORD] = versions.record(report).encode("utf-8")
        for name, content in made.items():
            publish(folder / name, [content], DiskFiles())
    return Written(report, folder)


def _kept(folder: Path) -> int:
    """The highest number under which an older version's files stand there; 0: none do."""
    names = "|".join(re.escape(name).replace(r"\.", r"\.v([0-9]{1,6})\.", 1) for name in (*FILES, RECORD))
    found = (re.fullmatch(names, path.name) for path in folder.iterdir())
    return max((int(one[one.lastindex or 0]) for one in found if one), default=0)


def _keep(folder: Path, version: int, now: int) -> None:
    """The files of the version before under its number; those kept already are left alone."""
    if version == now:
        return
    for name in (*FILES, RECORD):
        stem, _, ending = name.partition(".")
        kept, latest = folder / f"{stem}.v{version}.{ending}", folder / name
        if latest.exists() and not kept.exists():
            os.link(latest, kept)  # publishing puts another file in the place of `latest`


def summary(report: Report, folder: Path) -> dict[str, Any]:
    """The same figures for `reconcile report --json`; amounts in fen.

    banks, types, channels: as the detail files tell them. tables: as the page has them, corrections included.
    """
    figures = report.figures
    quarters = [
        {"from": clock(figures.start_min, q), "payments": n, "fen": fen}
        for q, (n, fen) in enumerate(figures.quarters) if n
    ]  # fmt: skip
    due = {one.bank: 0 for one in figures.banks}
    for one in figures.dues:
        if one.date >= figures.period.since:
            due[one.bank] += one.due
    of_period = {"date": figures.period.label} if figures.period.unit == DAY else {"period": figures.period.label}
    total, said = figures.total, report.verdict
    return {
        **of_period,
        "version": report.version,
        "as_of": report.as_of.isoformat(timespec="seconds"),
        "operators": "declared" if report.declared else "os",
        "verdict": {"level": said.level, "chinese": said.chinese, "english": said.english},
        "total": {**_wire(total[:4]), "corrections": total.corrections, "corrections_fen": total.corrections_fen,
                  "net": total.net},
        "banks": {one.bank: _wire(one.totals) for one in figures.banks},
        "types": {key: _wire(line[:4]) for (key,), line in lines(figures.cube, "type", counted="parts").items()},
        "channels": {key: _wire(line[:4]) for (key,), line in lines(figures.cube, "channel").items()},
        "due": due,
        "exceptions_open": sum(blocks(r) for one in figures.banks for r in one.exceptions),
        "quarters": quarters,
        "tables": {table.key: _rows(table) for table in report.tables},
        "changes": [one._asdict() for one in report.changes],
        "file": str(folder / "settlement.html"),
        "files": [str(folder / name) for name in (*FILES, RECORD)],
    }  # fmt: skip


def _wire(line: Any) -> dict[str, int]:
    payments, payments_fen, reversals, reversals_fen = line
    return {
        "payments": payments, "payments_fen": payments_fen, "reversals": reversals, "reversals_fen": reversals_fen,
        "net": payments_fen - reversals_fen,
    }  # fmt: skip


def _rows(table: Any) -> list[dict[str, Any]]:
    keys = [column.key for column in table.columns]
    return [{k: str(v) if isinstance(v, Text) else v for k, v in zip(keys, row, strict=True)} for row in table.rows]
