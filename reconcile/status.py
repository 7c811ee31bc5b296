"""The operator's one screen at 23:00: can I go home? (operations.md, Commands)

Gathers per bank the open date and every closed date that still wants something (and the latest one anyway), with
what to type next. Reads only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection

from shebao.codecs.statement import StatementSpec, file_names
from shebao.ledger.day import AGREED, time_of
from shebao.ledger.desk import blocks
from shebao.ledger.facts import Day

from . import shelf
from .inbox import folder_of, is_there
from .worklist import CHINESE, LISTED, Row, iso


class Closed(NamedTuple):
    """One closed date of one bank."""

    date: int
    state: str
    closed_us: int
    out: bool  # our file is complete in the outbox
    there: bool  # theirs is complete in the inbox
    matched: int | None  # None: not run yet
    open: int  # exceptions that someone has to decide
    carried: int
    suspense: int
    classes: dict[str, int]  # open exceptions by class


class BankStatus(NamedTuple):
    bank: str
    name: str
    open_date: int | None  # None: the bank has no book yet
    dates: list[Closed]  # the latest closed date last
    next: str  # what to type next; empty: nothing

    @property
    def balanced(self) -> bool:
        return all(d.state in AGREED for d in self.dates) and self.open == 0

    @property
    def open(self) -> int:
        return sum(d.open for d in self.dates)


def bank_status(
    conn: Connection, state_dir: Path, bank: str, name: str, book_id: int, spec: StatementSpec
) -> BankStatus:
    book = shelf.book_of(conn, book_id)
    if book is None:
        return BankStatus(bank, name, None, [], "ledgerctl init")
    days = [d for d in shelf.days_of(conn, book_id) if d.state != "OPEN"]
    rows: dict[int, list[Row]] = {}
    for row in shelf.exceptions(conn, book_id, states=LISTED):
        rows.setdefault(row.date, []).append(row)
    files = shelf.files_of(conn, book_id)
    wanted = [d for d in days if d.state not in AGREED or d.date in rows or d is days[-1]]
    dates = [_closed(d, state_dir, bank, spec, files.get(d.date), rows.get(d.date, [])) for d in wanted]
    return BankStatus(bank, name, book.open_date, dates, _next(bank, dates))


def _closed(
    day: Day, state_dir: Path, bank: str, spec: StatementSpec, file: shelf.AcceptedFile | None, rows: list[Row]
) -> Closed:
    name, _ = file_names(spec, bank, day.date)
    waiting = [r for r in rows if blocks(r)]
    return Closed(
        day.date, day.state, day.closed_us or 0,
        (folder_of(state_dir, "outbox", bank, day.date) / f"{name}.ok").is_file(),
        is_there(folder_of(state_dir, "inbox", bank, day.date), spec, bank, day.date),
        file.classes.get("MATCHED", 0) if file else None,
        len(waiting), sum(r.state == "CARRIED" for r in rows), sum(r.item_class == "SUSPENSE" for r in rows),
        {c: n for c in CHINESE if (n := sum(r.item_class == c for r in waiting))},
    )  # fmt: skip


def _next(bank: str, dates: list[Closed]) -> str:
    for one in dates:
        if not one.out:
            return f"reconcile close --bank {bank} --date {iso(one.date)}"
    for one in dates:
        if one.matched is None and one.there:
            return f"reconcile run --bank {bank} --date {iso(one.date)}"
    if any(one.open for one in dates):
        return f"reconcile exceptions --bank {bank}"
    return ""


def since(closed_us: int) -> str:
    return time_of(closed_us).strftime("%m-%d %H:%M")


def as_json(one: BankStatus) -> dict[str, Any]:
    """One bank of `reconcile status --json`."""
    return {
        "bank": one.bank,
        "open_date": iso(one.open_date) if one.open_date else None,
        "balanced": one.balanced,
        "exceptions_open": one.open,
        "next": one.next,
        "dates": [
            {
                "date": iso(d.date), "state": d.state, "cutover": time_of(d.closed_us).isoformat(timespec="seconds"),
                "our_file": d.out, "bank_file": d.there, "matched": d.matched, "exceptions_open": d.open,
                "carried": d.carried, "suspense": d.suspense, "classes": d.classes,
            }
            for d in one.dates
        ],
    }  # fmt: skip


def verdict(banks: Mapping[str, BankStatus]) -> tuple[str, str]:
    """Chinese and English, one line each: can I go home?"""
    open_ = sum(one.open for one in banks.values())
    if open_:
        return (f"还有 {open_} 笔差异待处理", f"not yet: {open_} exception{'s are' if open_ > 1 else ' is'} open")
    late = [b for b, one in banks.items() if any(d.matched is None for d in one.dates)]
    if late:
        return (f"还在等对账: {', '.join(late)}", f"not yet: not reconciled with {', '.join(late)}")
    return ("账平,可以回家了", "balanced: you can go home")
