"""A period in figures: all that a report tells, read once, in one snapshot (settlement.md section 7).

Money is fen. Each number comes from a query of `queries`; totals that stand in two places are added up from the same
rows, or compared in `verdict`. How it looks is nobody's business here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import polars as pl
from sqlalchemy import Connection

from shebao.codecs.statement import Totals
from shebao.ledger.day import days_between
from shebao.ledger.desk import NOT_BLOCKING, UNDECIDED, blocks

from .. import shelf
from ..worklist import LISTED, Row
from . import money
from .cube import Line, frame, lines, total
from .periods import DAY, Period, Span, compared
from .queries import rows

QUARTER_MIN: Final = 15
DAY_MIN: Final = 24 * 60
QUARTERS: Final = DAY_MIN // QUARTER_MIN
MINUTES: Final = {"bank": pl.String, "minute": pl.Int64, "payments": pl.Int64, "fen": pl.Int64}


class DateRow(NamedTuple):
    """A settlement date of a bank (`queries`, days)."""

    date: int
    state: str
    closed_us: int | None
    credits: int
    credits_fen: int
    reversals: int
    reversals_fen: int
    corrections: int
    corrections_fen: int

    @property
    def line(self) -> Line:
        return Line(*self[3:])


class Worklist(NamedTuple):
    """Exceptions of a bank, those that the wire opened included."""

    new: int  # of the period
    solved: int  # of these
    decided: int  # in the period, of whatever date
    open: int  # of the period and before: somebody has to decide
    carried: int
    suspense: int
    oldest: int  # date of the oldest open one; 0: none
    oldest_days: int


class Ruled(NamedTuple):
    """What two people decided (`queries`, decisions)."""

    date: int
    exception_id: int  # 0: it is about funds, or a file
    proposal_id: int
    action: str
    fen: int  # of the item; of AMOUNT_DIFFERS what the two sides are apart
    funds: int  # booked, added to the funds
    suspense: int  # booked, added to suspense
    maker: str
    checker: str
    at_us: int
    maker_reason: str
    checker_reason: str


class BankPart(NamedTuple):
    """One bank in the period. `days` empty: it has no such date; `is_open`: nor is the period over for it."""

    bank: str
    name: str
    book_id: int
    first: int
    last: int  # its events are (first, last]
    seen: int  # the book's last event when the figures were read
    days: list[DateRow]
    worklist: Worklist
    exceptions: list[Row]  # of the period: open, proposed, carried
    older: int  # still listed, of earlier dates
    seal: str
    seal_date: int
    restored: list[tuple[int, str]]  # the books came back from a backup: when, and the next receipt
    is_open: bool
    decisions: list[Ruled]

    @property
    def totals(self) -> Totals:
        """By the counters of its dates: what its detail files tell."""
        return Totals(*total(one.line for one in self.days)[:4])


class Figures(NamedTuple):
    period: Period
    today: int
    banks: list[BankPart]
    cube: pl.DataFrame
    minutes: pl.DataFrame
    start_min: int  # minute of the day at which the first quarter begins: the cut-over's, or just after
    comparisons: list[tuple[Span, Line | None]]  # None: no bank has such a date
    dues: list[money.Due]  # every date up to the period's last
    statements: list[money.Statement]
    accounts: list[money.Account]
    vouchers: list[money.Voucher]

    @property
    def total(self) -> Line:
        """Of all banks together."""
        return lines(self.cube.with_columns(all=pl.lit("")), "all").get(("",), Line())

    @property
    def quarters(self) -> list[tuple[int, int]]:
        """Payments and fen by transaction time, from `start_min`."""
        quarter = (_minute() - self.start_min + DAY_MIN) % DAY_MIN // QUARTER_MIN
        sums = self.minutes.group_by(quarter.alias("quarter")).agg(pl.col("payments").sum(), pl.col("fen").sum())
        found = {q: (number, fen) for q, number, fen in sums.iter_rows()}
        return [found.get(q, (0, 0)) for q in range(QUARTERS)]

    @property
    def peak(self) -> tuple[str, int]:
        """The busiest minute, "hh:mm" (beyond a day "MM-DD hh:mm"), and its payments."""
        if self.minutes.is_empty():
            return "", 0
        sums = self.minutes.group_by("minute").agg(pl.col("payments").sum())
        minute, number = sums.sort(["payments", "minute"], descending=[True, False]).row(0)
        t = f"{minute:012d}"
        clock = f"{t[8:10]}:{t[10:]}"
        return (clock if self.period.unit == DAY else f"{t[4:6]}-{t[6:8]} {clock}"), number


def gather(
    conn: Connection, banks: Mapping[str, tuple[str, int]], period: Period, start_min: int, today: int,
    days_late: money.DaysLate | None = None,
) -> Figures:  # fmt: skip
    """All figures of a period. `banks`: key → (name, book_id); `start_min`: the cut-over's minute of the day."""
    days_late = days_late or money.calendar_days_late(today)
    parts = [bank_part(conn, key, name, book_id, period, today) for key, (name, book_id) in banks.items()]
    dues = {one.bank: money.dues(conn, one.bank, one.book_id, period.until, days_late) for one in parts}
    spans = {one.bank: {"book": one.book_id, "first": one.first, "last": one.last} for one in parts}
    return Figures(
        period, today, parts,
        pl.concat([frame((key, *row) for row in rows(conn, "cube", **span)) for key, span in spans.items()]),
        pl.concat([_minutes(key, rows(conn, "minutes", **span)) for key, span in spans.items()]),
        -(-start_min // QUARTER_MIN) * QUARTER_MIN % DAY_MIN,  # people read quarters of a clock
        comparisons(conn, [one.book_id for one in parts], compared(period)),
        [due for one in parts for due in dues[one.bank]],
        [money.statement(conn, one.bank, one.book_id, period, dues[one.bank]) for one in parts],
        money.accounts(conn, {one.book_id: (one.first, one.last) for one in parts}),
        [v for one in parts for v in money.vouchers(conn, one.bank, one.book_id, one.first, one.last)],
    )  # fmt: skip


def _minutes(bank: str, found: Sequence[Any]) -> pl.DataFrame:
    return pl.DataFrame([(bank, *row) for row in found], schema=MINUTES, orient="row")


def _minute() -> pl.Expr:
    return pl.col("minute") // 100 % 100 * 60 + pl.col("minute") % 100


def bank_part(conn: Connection, key: str, name: str, book_id: int, period: Period, today: int) -> BankPart:
    """One bank's part; also of a period that it has no date of."""
    dates = {"book": book_id, "since": period.since, "until": period.until}
    (span,) = rows(conn, "span", **dates)
    first, last = span.first, max(span.first, span.last or 0)
    listed = shelf.exceptions(conn, book_id, last=period.until, states=LISTED)
    book = shelf.book_of(conn, book_id)
    seal = rows(conn, "seal", book=book_id, last=last)
    return BankPart(
        key, name, book_id, first, last, span.seen or 0, [DateRow._make(row) for row in rows(conn, "days", **dates)],
        worklist(rows(conn, "exceptions", book=book_id, until=period.until), period, today),
        [r for r in listed if r.date >= period.since], sum(r.date < period.since for r in listed),
        seal[0].seal.hex() if seal else "", seal[0].date if seal else 0,
        [(row.at_us, row.original_text) for row in rows(conn, "restores", book=book_id, first=first, last=last)],
        book is None or book.open_date <= period.until,
        [Ruled._make(row) for row in rows(conn, "decisions", first=first, last=last, **dates)],
    )  # fmt: skip


def worklist(found: Sequence[Any], period: Period, today: int) -> Worklist:
    """Counts of exceptions from the rows of `queries`, exceptions."""
    def count(wanted: Any) -> int:
        return sum(row.number for row in found if wanted(row))

    def waits(row: Any) -> bool:
        return row.state in UNDECIDED and row.item_class != NOT_BLOCKING

    solved = ("DECIDED", "CLOSED")
    oldest = min((row.date for row in found if waits(row)), default=0)
    return Worklist(
        count(lambda row: row.date >= period.since),
        count(lambda row: row.date >= period.since and row.state in solved),
        count(lambda row: period.since <= row.decided_date <= period.until),
        count(waits), count(lambda row: row.state == "CARRIED"),
        count(lambda row: row.item_class == NOT_BLOCKING and row.state in LISTED),
        oldest, max(0, days_between(oldest, today)) if oldest else 0,
    )  # fmt: skip


def comparisons(
    conn: Connection, books: Sequence[int], spans: Sequence[Span]
) -> list[tuple[Span, Line | None]]:  # fmt: skip
    """Each span's totals, of all books together."""
    since, until = min(one.since for one in spans), max(one.until for one in spans)
    days = [DateRow._make(r) for book in books for r in rows(conn, "days", book=book, since=since, until=until)]
    found = [(one, [day.line for day in days if one.since <= day.date <= one.until]) for one in spans]
    return [(one, total(its) if its else None) for one, its in found]


def blocking(figures: Figures) -> dict[str, list[Row]]:
    """Exceptions of the period that somebody has to decide, by bank."""
    return {one.bank: [row for row in one.exceptions if blocks(row)] for one in figures.banks}
