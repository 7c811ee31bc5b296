"""One date of one bank against the bank's file: read, match, keep what differs, judge the date (section 5).

Everything is worked out before the first write, and written in short transactions. Being cut off in the middle is
harmless: the same command again ends where it would have ended. Nothing is booked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl
from sqlalchemy import Connection

from shebao.codecs.statement import StatementSpec
from shebao.ledger.day import OTHER_DATES, iso
from shebao.ledger.desk import blocks, state_of
from shebao.ledger.desk_facts import DateMoney
from shebao.ledger.dues import money_on

from . import shelf, staged
from .inbox import BankFile, folder_of, read_bank_file
from .items import frame
from .match import counts, late_lines, match
from .worklist import FROM_THE_WIRE, LISTED, Changes, Row, answered, changes, decided_counts, findings

TRIES: Final = 5  # to write what was found while others decide
SEEN: Final = 2 * OTHER_DATES  # an item 7 dates away may itself have its counterpart 7 dates further


class Refused(Exception):
    """Not done, nothing changed: str() says why and what to type."""


class Desk(NamedTuple):
    """What a command works with. `read()` is a snapshot; `lock(book)` a short writing transaction on one book."""

    read: Callable[[], AbstractContextManager[Connection]]
    lock: Callable[[int], AbstractContextManager[Connection]]
    now_us: Callable[[], int]
    state_dir: Path


class Result(NamedTuple):
    bank: str
    date: int
    state: str
    classes: dict[str, int]
    exceptions_open: int
    new: int
    settled: int
    file: BankFile


class _Found(NamedTuple):
    classes: dict[str, int]
    changes: Changes
    before: dict[int, Row]  # the stored rows, as they were read
    rows: list[Row]  # of the date, as they will stand
    money: DateMoney  # of the date, as it will stand

    @property
    def open(self) -> int:
        return sum(blocks(row) for row in self.rows)

    @property
    def state(self) -> str:
        return state_of(self.money._replace(undecided=self.open))

    def dates(self, date: int, rows: Iterable[Row] | None = None) -> set[int]:
        """`date`, and those whose state some rows to be written may change; without `rows` all of them."""
        found = {date}
        for row in (*self.changes.new, *self.changes.changed) if rows is None else rows:
            old = self.before.get(row.id, row) if row.id else row
            found |= {row.date, *(one.ledger_date for one in (row, old) if one.moved_fen)}
        return found


def run(desk: Desk, bank: str, book_id: int, spec: StatementSpec, date: int, dry_run: bool = False) -> Result:
    """Reconciles a closed date; raises Refused, and what `inbox.read_bank_file` raises."""
    if not dry_run:
        with desk.lock(book_id) as conn:
            shelf.wake(conn, book_id)  # whether or not there is a file
    before, file = take_in(desk, bank, book_id, spec, date)
    if before and before.replaced_by and file.digest != before.replaced_by:
        told = f"its file is to be replaced by the one with SM3 {before.replaced_by[:16]}…, and that is not there"
        raise Refused(f"{iso(date)} of {bank}: {told}; put it into the inbox and run again")
    if before and file.digest not in (before.digest, before.replaced_by):
        with desk.read() as conn:
            number = shelf.replacement_waits(conn, book_id, date, file.digest)
        if number:
            told = f"this file waits for a second person, to replace the accepted one, as {bank}-{number}"
            raise Refused(
                f"{iso(date)} of {bank}: {told}; type: reconcile approve {bank}-{number} --reason TEXT --operator OTHER"
            )
        raise Refused(
            f"another file of {bank} is accepted for {iso(date)} (SM3 {before.digest[:16]}…): put that back, or type:"
            f" reconcile run --bank {bank} --date {iso(date)} --replace --reason TEXT --operator NAME"
        )
    now_us = desk.now_us()
    with desk.read() as conn:
        found = _find(conn, book_id, date, file.lines, now_us)
    state = found.state
    if not dry_run:
        is_same = before is not None and before.digest == file.digest
        staged_us = before.staged_us if before and is_same else _stage(desk, book_id, now_us, file.lines)
        one = shelf.AcceptedFile(book_id, date, file.digest, now_us, staged_us, *file.totals, found.classes)
        if before and is_same:
            one = one._replace(accepted_us=before.accepted_us)
        state, found = _settle(desk, one, before, found, file.lines)
        beside = {row.ledger_date for row in found.rows if row.ledger_date}  # a run that was cut off did not count them
        for other in sorted((found.dates(date) | beside) - {date}):
            _count_again(desk, book_id, other)
    settled = sum(row.state == "CLOSED" for row in found.changes.changed)
    new = sum(row.state == "OPEN" for row in found.changes.new)
    return Result(bank, date, state, found.classes, found.open, new, settled, file)


def take_in(
    desk: Desk, bank: str, book_id: int, spec: StatementSpec, date: int
) -> tuple[shelf.AcceptedFile | None, BankFile]:
    """The file that was accepted before, if any, and the one that is in the inbox now, read and checked."""
    with desk.read() as conn:
        _check_closed(conn, bank, book_id, date)
        before = shelf.file_of(conn, book_id, date)
    return before, read_bank_file(folder_of(desk.state_dir, "inbox", bank, date), spec, bank, date)


def _check_closed(conn: Connection, bank: str, book_id: int, date: int) -> None:
    day = shelf.day_of(conn, book_id, date)
    if day is None:
        raise Refused(f"{bank} has no settlement date {iso(date)}; type: reconcile status")
    if day.state == "OPEN":
        raise Refused(f"{iso(date)} of {bank} is still open; it can be run once it is closed")


# -- finding --------------------------------------------------------------------------------------------------------


def _find(conn: Connection, book_id: int, date: int, bank: pl.DataFrame, now_us: int) -> _Found:
    """Matches the date by itself, then what is left of it together with the dates around."""
    ledger = shelf.ledger_lines(conn, book_id, date)
    late = shelf.late_reversals(conn, book_id)
    here = match(ledger, bank, late)
    stored = shelf.exceptions(conn, book_id, *shelf.around(date, OTHER_DATES))
    told_late = late_lines(bank, late)
    bills = pl.concat([
        here.filter(~pl.col("plain"))["bill"], told_late["bill"],
        pl.Series("bill", [r.bill for r in stored if _is_touched(r, date)], pl.String),
    ]).unique()
    of_them = pl.col("bill").is_in(bills.implode())
    wide = [frame([])] if bills.is_empty() else _around(conn, book_id, date, bills)
    ours = pl.concat([ledger.filter(of_them), *wide])
    theirs = bank.filter(of_them)
    if not bills.is_empty():
        theirs = pl.concat([theirs, staged.bank_lines(conn, book_id, *shelf.around(date, SEEN), date, bills)])
    items = match(ours, theirs, late)
    pure = counts(pl.concat([here.filter(~of_them), items]), date)

    known = set(bills.to_list())
    accepted = {date, *shelf.accepted_dates(conn, book_id, *shelf.around(date, OTHER_DATES))}
    found = [row for row in findings(items, ours, theirs, book_id, now_us) if row.date in accepted]
    mine = [row for row in stored if row.bill in known and row.date in accepted]
    to_write = changes(mine, found)
    listed = pl.concat([bank.filter(~of_them), theirs])
    joined = late_lines(listed, late).join(late.drop("answer_date"), on=["moment", "stan"], how="inner")
    known_here = late.filter(pl.col("answer_date") == date)["exception_id"]
    of_the_wire = shelf.exceptions_of(conn, book_id, {*joined["exception_id"], *known_here})
    to_write.changed.extend(answered(of_the_wire, joined, listed))
    before = {row.id: row for row in (*stored, *of_the_wire)}
    rows = _standing(before.values(), to_write, date)
    money = money_on(conn, book_id, date)
    money = money._replace(has_file=True, agrees=True, due=money.due + _moved(to_write, before, date))
    return _Found(decided_counts(pure, found, rows, date), to_write, before, rows, money)


def _is_touched(row: Row, date: int) -> bool:
    """Whether a stored row has to be looked at again: the date is its own, or it may be settled or disturbed."""
    if row.item_class in FROM_THE_WIRE:
        return False
    unsettled = row.state in LISTED or row.moved_fen or row.corrected_fen
    return date in (row.date, row.answer_date) or bool(unsettled)


def _around(conn: Connection, book_id: int, date: int, bills: pl.Series) -> list[pl.DataFrame]:
    """The ledger's lines of these bills in the other dates of the window."""
    first, last = shelf.around(date, SEEN)
    dates = [d.date for d in shelf.days_of(conn, book_id) if first <= d.date <= last and d.date != date]
    of_them = pl.col("bill").is_in(bills.implode())
    return [frame([]), *(shelf.ledger_lines(conn, book_id, d).filter(of_them) for d in dates)]


def _moved(to_write: Changes, before: Mapping[int, Row], date: int) -> int:
    """By how much `to_write` changes what is due for a date, fen."""
    rows = [(1, row) for row in (*to_write.new, *to_write.changed)]
    rows += [(-1, before[row.id]) for row in to_write.changed]
    return sum(sign * row.moved_fen * ((row.date == date) - (row.ledger_date == date)) for sign, row in rows)


def _standing(before: Iterable[Row], to_write: Changes, date: int) -> list[Row]:
    """The rows of a date as they stand once `to_write` is written."""
    after = {row.id: row for row in before if row.date == date}
    after.update({row.id: row for row in to_write.changed if row.date == date})
    return [*after.values(), *(row for row in to_write.new if row.date == date)]


# -- writing --------------------------------------------------------------------------------------------------------


def _stage(desk: Desk, book_id: int, now_us: int, lines: pl.DataFrame) -> int:
    """Writes the file's lines, block by block, under a number that nobody reads yet; gives that number."""
    with desk.read() as conn:
        abandoned = staged.abandoned(conn, book_id, now_us)
    for old in abandoned:
        more = True
        while more:
            with desk.lock(book_id) as conn:
                more = staged.unstage(conn, book_id, old)
    staged_us = 0
    for block in staged.blocks(lines):
        with desk.lock(book_id) as conn:
            staged_us = staged_us or staged.fresh_number(conn, book_id, now_us)
            staged.stage(conn, book_id, staged_us, block)
    return staged_us


def _settle(
    desk: Desk, one: shelf.AcceptedFile, before: shelf.AcceptedFile | None, found: _Found, lines: pl.DataFrame
) -> tuple[str, _Found]:
    """Writes what was found; what somebody decided meanwhile is looked at again first."""
    for left in reversed(range(TRIES)):
        try:
            return _write(desk, one._replace(classes=found.classes), before, found), found
        except shelf.OtherFile:
            raise Refused("another file was accepted, or approved, for it at this moment; type it again") from None
        except shelf.Moved:
            if not left:
                raise Refused("exceptions of it are being decided at this moment; type it again") from None
            with desk.read() as conn:
                found = _find(conn, one.book_id, one.date, lines, desk.now_us())
    raise AssertionError("unreachable")


def _write(desk: Desk, one: shelf.AcceptedFile, before: shelf.AcceptedFile | None, found: _Found) -> str:
    """Exceptions, with the states of their dates; with the last of them the file. Most runs are one transaction.

    A date is never judged before its exceptions stand, nor later.
    """
    state = ""
    parts = list(shelf.chunks([*found.changes.new, *found.changes.changed])) or [[]]
    for number, part in enumerate(parts, 1):
        with desk.lock(one.book_id) as conn:
            shelf.check_file(conn, one, before)
            shelf.write(conn, part, found.before)
            if number == len(parts):
                shelf.accept(conn, one)
            for date in sorted(found.dates(one.date, part) - {one.date}):
                shelf.judge(conn, one.book_id, date)
            state = shelf.judge(conn, one.book_id, one.date)
    return state


def _count_again(desk: Desk, book_id: int, date: int) -> None:
    """Another date whose exceptions this run has changed is matched again, so that its classes say so too."""
    with desk.read() as conn:
        file = shelf.file_of(conn, book_id, date)
        if file is None:
            return
        lines = staged.lines_of(conn, book_id, file.staged_us)
        found = _find(conn, book_id, date, lines, desk.now_us())
    if found.classes != file.classes or found.changes.new or found.changes.changed:
        _settle(desk, file, file, found, lines)
