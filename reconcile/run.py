"""One date of one bank against the bank's file: read, match, keep what differs, judge the date (section 5).

Everything is worked out before the first write, and written in short transactions. Being cut off in the middle is
harmless: the same command again ends where it would have ended. Nothing is booked here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl
from sqlalchemy import Connection

from shebao.codecs.statement import StatementSpec

from . import shelf
from .inbox import BankFile, folder_of, read_bank_file
from .items import frame
from .match import OTHER_DATES, counts, late_lines, match
from .worklist import FROM_THE_WIRE, LISTED, Changes, Row, blocks, changes, findings, iso

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
    rows: list[Row]  # of the date, as they will stand
    due: int  # fen, as it will stand


def run(desk: Desk, bank: str, book_id: int, spec: StatementSpec, date: int, dry_run: bool = False) -> Result:
    """Reconciles a closed date; raises Refused, and what `inbox.read_bank_file` raises."""
    with desk.read() as conn:
        _check_closed(conn, bank, book_id, date)
        before = shelf.file_of(conn, book_id, date)
    file = read_bank_file(folder_of(desk.state_dir, "inbox", bank, date), spec, bank, date)
    if before and before.digest != file.digest:
        raise Refused(
            f"another file of {bank} is accepted for {iso(date)} (SM3 {before.digest[:16]}…): replacing it"
            " (--replace) comes with the settlement desk; put the accepted file back and run again"
        )
    now_us = desk.now_us()
    with desk.read() as conn:
        found = _find(conn, book_id, date, file.lines, now_us)
    if dry_run:
        state = shelf.state_of(not any(blocks(row) for row in found.rows), found.due)
    else:
        staged_us = before.staged_us if before else _stage(desk, book_id, now_us, file.lines)
        one = shelf.AcceptedFile(book_id, date, file.digest, now_us, staged_us, *file.totals, found.classes)
        if before:
            one = one._replace(accepted_us=before.accepted_us)
        state = _write(desk, one, found)
    open_ = sum(blocks(row) for row in found.rows)
    settled = sum(row.state == "CLOSED" for row in found.changes.changed)
    new = sum(row.state == "OPEN" for row in found.changes.new)
    return Result(bank, date, state, found.classes, open_, new, settled, file)


def _check_closed(conn: Connection, bank: str, book_id: int, date: int) -> None:
    day = shelf.day_of(conn, book_id, date)
    if day is None:
        raise Refused(f"{bank} has no settlement date {iso(date)}; type: reconcile status")
    if day.state == "OPEN":
        close = f"reconcile close --bank {bank} --date {iso(date)}"
        raise Refused(f"{iso(date)} of {bank} is still open; type first: {close}")


# -- finding --------------------------------------------------------------------------------------------------------


def _find(conn: Connection, book_id: int, date: int, bank: pl.DataFrame, now_us: int) -> _Found:
    """Matches the date by itself, then what is left of it together with the dates around."""
    ledger = shelf.ledger_lines(conn, book_id, date)
    late = shelf.late_reversals(conn, book_id)
    here = match(ledger, bank, late)
    stored = shelf.exceptions(conn, book_id, *shelf.around(date, OTHER_DATES))
    ours_to_touch = [r for r in stored if r.item_class not in FROM_THE_WIRE]
    touched = [r for r in ours_to_touch if r.date == date or r.state in LISTED or r.moved_fen]
    bills = pl.concat([
        here.filter(~pl.col("plain"))["bill"], late_lines(bank, late)["bill"],
        pl.Series("bill", [r.bill for r in touched], pl.String),
    ]).unique()
    of_them = pl.col("bill").is_in(bills.implode())
    wide = [frame([])] if bills.is_empty() else _around(conn, book_id, date, bills)
    ours = pl.concat([ledger.filter(of_them), *wide])
    theirs = bank.filter(of_them)
    if not bills.is_empty():
        theirs = pl.concat([theirs, shelf.bank_lines(conn, book_id, *shelf.around(date, SEEN), date, bills)])
    items = match(ours, theirs, late)
    classes = counts(pl.concat([here.filter(~of_them), items]), date)

    known = set(bills.to_list())
    accepted = {date, *shelf.accepted_dates(conn, book_id, *shelf.around(date, OTHER_DATES))}
    unanswered = items.filter(pl.col("answer_date").is_null())  # what the bank took back itself closes
    found = [row for row in findings(unanswered, ours, theirs, book_id, now_us) if row.date in accepted]
    mine = [row for row in stored if row.bill in known and row.date in accepted]
    to_write = changes(mine, found)
    due = shelf.due(conn, book_id, date) + _moved(to_write, stored, date)
    return _Found(classes, to_write, _standing(stored, to_write, date), due)


def _around(conn: Connection, book_id: int, date: int, bills: pl.Series) -> list[pl.DataFrame]:
    """The ledger's lines of these bills in the other dates of the window."""
    first, last = shelf.around(date, SEEN)
    dates = [d.date for d in shelf.days_of(conn, book_id) if first <= d.date <= last and d.date != date]
    of_them = pl.col("bill").is_in(bills.implode())
    return [frame([]), *(shelf.ledger_lines(conn, book_id, d).filter(of_them) for d in dates)]


def _moved(to_write: Changes, stored: list[Row], date: int) -> int:
    """By how much `to_write` changes what is due for a date, fen."""
    before = {row.id: row for row in stored}
    rows = [(1, row) for row in (*to_write.new, *to_write.changed)]
    rows += [(-1, before[row.id]) for row in to_write.changed]
    return sum(sign * row.moved_fen * ((row.date == date) - (row.ledger_date == date)) for sign, row in rows)


def _standing(stored: list[Row], to_write: Changes, date: int) -> list[Row]:
    """The rows of a date as they stand once `to_write` is written."""
    after = {row.id: row for row in stored if row.date == date}
    after.update({row.id: row for row in to_write.changed if row.date == date})
    return [*after.values(), *(row for row in to_write.new if row.date == date)]


# -- writing --------------------------------------------------------------------------------------------------------


def _stage(desk: Desk, book_id: int, now_us: int, lines: pl.DataFrame) -> int:
    """Writes the file's lines, in chunks, under a number that nobody reads yet; gives that number."""
    with desk.read() as conn:
        abandoned = shelf.abandoned(conn, book_id, now_us)
    for old in abandoned:
        more = True
        while more:
            with desk.lock(book_id) as conn:
                more = shelf.unstage(conn, book_id, old)
    with desk.lock(book_id) as conn:
        staged_us = shelf.fresh_staging(conn, book_id, now_us)
        shelf.stage(conn, shelf.staged_rows(book_id, staged_us, lines.head(1)))  # the number is taken
    for part in lines.slice(1).iter_slices(shelf.STAGED):
        rows = shelf.staged_rows(book_id, staged_us, part)
        with desk.lock(book_id) as conn:
            shelf.stage(conn, rows)
    return staged_us


def _write(desk: Desk, one: shelf.AcceptedFile, found: _Found) -> str:
    """Exceptions first, then the file and the states: a date is never judged before its exceptions stand."""
    rows = [*found.changes.new, *found.changes.changed]
    for part in shelf.chunks(rows):
        with desk.lock(one.book_id) as conn:
            shelf.write(conn, part)
    others = {d for row in rows for d in (row.date, row.ledger_date if row.moved_fen else 0)} - {one.date, 0}
    with desk.lock(one.book_id) as conn:
        shelf.accept(conn, one)
        state = shelf.judge(conn, one.book_id, one.date)
        for date in sorted(others):
            shelf.judge(conn, one.book_id, date)
    return state
