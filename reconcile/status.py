"""The operator's one screen at 23:00: can I go home? (operations.md, Commands)

Gathers per bank the open date and every closed date that still wants something (and the latest one anyway), with
what both sides have of it so far (a bank tells by 0500 at any time), and what to type next. Reads only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from shebao.codecs.statement import StatementSpec, Totals, file_names
from shebao.ledger.day import AGREED, DAY_US, iso, time_of
from shebao.ledger.desk import blocks
from shebao.ledger.desk_facts import Proposal
from shebao.ledger.facts import Day, ToldTotals
from shebao.ledger.told import told_of

from . import shelf
from .decisions import waiting
from .inbox import folder_of, is_there
from .words import money
from .worklist import CHINESE, LISTED, Row

FRESH_US: Final = DAY_US // 2  # a date that was closed longer ago is not this evening's


class Told(NamedTuple):
    """The bank's latest 0500 of a date."""

    at_us: int
    bank: Totals
    ledger: Totals  # what the ledger had at that moment

    @property
    def gap(self) -> Totals:
        """The bank's figures less the ledger's."""
        return Totals(*(theirs - ours for theirs, ours in zip(self.bank, self.ledger, strict=True)))

    @property
    def agrees(self) -> bool:
        return self.bank == self.ledger


class SoFar(NamedTuple):
    """What both sides have of a date."""

    date: int
    state: str
    ledger: Totals
    told: Told | None  # None: the bank has not told anything yet

    @property
    def differs(self) -> bool:
        """Whether it is something to look at: of a date that is reconciled the bank's file has the last word."""
        return self.told is not None and not self.told.agrees and self.state not in AGREED


class Closed(NamedTuple):
    """One closed date of one bank."""

    so_far: SoFar
    closed_us: int
    out: bool  # our file is complete in the outbox
    there: bool  # theirs is complete in the inbox
    matched: int | None  # None: not run yet, or to be run again with the file that replaces it
    open: int  # exceptions that someone has to decide
    carried: int
    suspense: int
    classes: dict[str, int]  # open exceptions by class

    @property
    def date(self) -> int:
        return self.so_far.date

    @property
    def state(self) -> str:
        return self.so_far.state


class BankStatus(NamedTuple):
    bank: str
    name: str
    open_date: SoFar | None  # None: the bank has no book yet
    dates: list[Closed]  # the latest closed date last
    next: str  # what to type next; empty: nothing
    waiting: int = 0  # proposals that wait for a second person
    undecided: int = 0  # exceptions of the open date that someone has to decide: what came late from the wire

    @property
    def balanced(self) -> bool:
        return all(d.state in AGREED for d in self.dates) and self.open == 0

    @property
    def open(self) -> int:
        return sum(d.open for d in self.dates) + self.undecided

    @property
    def differing(self) -> list[int]:
        """Dates not reconciled yet of which the bank told other totals than the ledger had."""
        shown = [d.so_far for d in self.dates]
        return [one.date for one in ([*shown, self.open_date] if self.open_date else shown) if one.differs]


def bank_status(
    conn: Connection, state_dir: Path, bank: str, name: str, book_id: int, spec: StatementSpec
) -> BankStatus:
    book = shelf.book_of(conn, book_id)
    if book is None:
        return BankStatus(bank, name, None, [], "ledgerctl init")
    told = told_of(conn, book_id)
    every = shelf.days_of(conn, book_id)
    days = [d for d in every if d.state != "OPEN"]
    rows: dict[int, list[Row]] = {}
    for row in shelf.exceptions(conn, book_id, states=LISTED):
        rows.setdefault(row.date, []).append(row)
    files = shelf.files_of(conn, book_id)
    wanted = [d for d in days if d.state not in AGREED or d.date in rows or d is days[-1]]
    dates = [
        _closed(d, _so_far(d, told), state_dir, bank, spec, files.get(d.date), rows.get(d.date, [])) for d in wanted
    ]
    open_date = next((_so_far(d, told) for d in every if d.date == book.open_date), None)
    held = waiting(conn, book_id)
    undecided = sum(blocks(row) for row in rows.get(book.open_date, []))
    return BankStatus(bank, name, open_date, dates, _next(bank, dates, held, undecided), len(held), undecided)


def _so_far(day: Day, told: Mapping[int, ToldTotals]) -> SoFar:
    row = told.get(day.date)
    totals = Totals(day.credits, day.credits_fen, day.reversals, day.reversals_fen)
    return SoFar(day.date, day.state, totals, Told(row.at_us, Totals(*row[3:7]), Totals(*row[7:])) if row else None)


def _closed(
    day: Day, so_far: SoFar, state_dir: Path, bank: str, spec: StatementSpec, file: shelf.AcceptedFile | None,
    rows: list[Row],
) -> Closed:  # fmt: skip
    name, _ = file_names(spec, bank, day.date)
    blocking = [r for r in rows if blocks(r)]
    return Closed(
        so_far, day.closed_us or 0,
        (folder_of(state_dir, "outbox", bank, day.date) / f"{name}.ok").is_file(),
        is_there(folder_of(state_dir, "inbox", bank, day.date), spec, bank, day.date),
        file.classes.get("MATCHED", 0) if file and not file.replaced_by else None,
        len(blocking), sum(r.state == "CARRIED" for r in rows), sum(r.item_class == "SUSPENSE" for r in rows),
        {c: n for c in CHINESE if (n := sum(r.item_class == c for r in blocking))},
    )  # fmt: skip


def _next(bank: str, dates: list[Closed], held: list[Proposal], undecided: int) -> str:
    for one in dates:
        if not one.out:
            return f"reconcile close --bank {bank} --date {iso(one.date)}"
    if files := [one for one in held if one.action == "replace"]:  # it is no exception, and its date waits for it
        return f"reconcile approve {bank}-{files[0].id} --reason TEXT --operator OTHER"
    for one in dates:
        if one.matched is None and one.there:
            return f"reconcile run --bank {bank} --date {iso(one.date)}"
    if undecided or any(one.open for one in dates):
        return f"reconcile exceptions --bank {bank}"
    return f"reconcile funds --bank {bank}" if held else ""


def since(closed_us: int) -> str:
    return time_of(closed_us).strftime("%m-%d %H:%M")


def as_json(one: BankStatus) -> dict[str, Any]:
    """One bank of `reconcile status --json`."""
    return {
        "bank": one.bank,
        "open_date": iso(one.open_date.date) if one.open_date else None,
        "open": {**_so_far_json(one.open_date), "exceptions_open": one.undecided} if one.open_date else None,
        "balanced": one.balanced,
        "exceptions_open": one.open,
        "waiting": one.waiting,
        "next": one.next,
        "dates": [
            {
                **_so_far_json(d.so_far), "cutover": time_of(d.closed_us).isoformat(timespec="seconds"),
                "our_file": d.out, "bank_file": d.there, "matched": d.matched, "exceptions_open": d.open,
                "carried": d.carried, "suspense": d.suspense, "classes": d.classes,
            }
            for d in one.dates
        ],
    }  # fmt: skip


def _so_far_json(one: SoFar) -> dict[str, Any]:
    told = one.told and {
        "at": time_of(one.told.at_us).isoformat(timespec="seconds"), "agrees": one.told.agrees,
        "bank": _totals_json(one.told.bank), "ledger": _totals_json(one.told.ledger), "gap": _totals_json(one.told.gap),
    }  # fmt: skip
    return {"date": iso(one.date), "state": one.state, "ledger": _totals_json(one.ledger), "told": told}


def _totals_json(totals: Totals) -> dict[str, int]:
    return {**totals._asdict(), "net_fen": totals.net}


def so_far_words(one: SoFar) -> str:
    """What the ledger has of a date; and that the bank has told nothing of it, if so."""
    words = f"账上 ledger {_side_words(one.ledger)} · 净额 net {money(one.ledger.net)} 元"
    return words if one.told else f"{words} · 银行 0500 未报 no totals told"


def told_words(one: SoFar) -> str:
    """What the bank told of a date, beside what the ledger had then; empty if it has told nothing."""
    if one.told is None:
        return ""
    told, when = one.told, since(one.told.at_us)
    if told.agrees:
        return f"银行 0500 ({when}) 相符 agrees: {_side_words(told.bank)}"
    gap = told.gap
    parts = [(gap.payments, gap.payments_fen, ""), (gap.reversals, gap.reversals_fen, "冲正 reversals ")]
    gaps = ", ".join(f"{word}{number:,} 笔 {money(fen)} 元" for number, fen, word in parts if number or fen)
    return (
        f"银行 0500 ({when}) 不符 differs: 银行 bank {_side_words(told.bank)}"
        f" · 账上 ledger {_side_words(told.ledger)} · 差 gap {gaps}"
    )


def _side_words(totals: Totals) -> str:
    words = f"{totals.payments:,} 笔 {money(totals.payments_fen)} 元"
    if totals.reversals or totals.reversals_fen:
        words += f", 冲正 reversals {totals.reversals:,} 笔 {money(totals.reversals_fen)} 元"
    return words


def to_look_at(banks: Mapping[str, BankStatus]) -> tuple[str, str] | None:
    """Chinese and English: what nobody has to decide, and somebody should look at; None: nothing."""
    found = ", ".join(f"{bank} {iso(date)}" for bank, one in banks.items() for date in one.differing)
    if not found:
        return None
    return f"银行 0500 与账不符,请查看: {found}", f"to look at: the bank told other totals: {found}"


def verdict(banks: Mapping[str, BankStatus], now_us: int) -> tuple[str, str]:
    """Chinese and English, one line each: can I go home? All that keeps a date is named, not only the first of it."""
    parts: list[tuple[str, str]] = []
    for found, chinese, english in (
        (_whose(banks, lambda d: not d.out), "我方文件未出", "our file is missing"),
        (_whose(banks, lambda d: d.there and d.matched is None), "银行文件待对账", "to be run"),
        (_whose(banks, lambda d: not d.there and d.matched is None), "还在等", "waiting for"),
    ):
        if found:
            parts.append((f"{chinese}: {found}", f"{english}: {found}"))
    if open_ := sum(one.open for one in banks.values()):
        many = "exceptions are" if open_ > 1 else "exception is"
        parts.insert(0, (f"还有 {open_} 笔差异,留待对账员", f"{open_} {many} left for the clerk"))
    if not parts:
        fresh = any(d.closed_us > now_us - FRESH_US for one in banks.values() for d in one.dates)
        balanced = ("账平,可以回家了", "balanced: you can go home")
        parts.append(balanced if fresh else ("暂无待处理", "nothing is open so far"))
    if held := sum(one.waiting for one in banks.values()):
        parts.append((f"另有 {held} 项待复核", f"{held} {'wait' if held > 1 else 'waits'} for a second person"))
    chinese, english = ("; ".join(words) for words in zip(*parts, strict=True))
    return chinese, english


def _whose(banks: Mapping[str, BankStatus], wants: Callable[[Closed], bool]) -> str:
    return ", ".join(bank for bank, one in banks.items() if any(wants(d) for d in one.dates))
