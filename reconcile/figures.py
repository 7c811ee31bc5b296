"""One settlement date in figures: a query each, and nothing else (settlement.md section 7).

Money is fen. Each query runs over the events of one book and date, which have consecutive numbers: (first, last].
How it looks is `report`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import polars as pl
from sqlalchemy import Connection, func, select

from shebao.codecs.statement import Totals
from shebao.ledger.dues import money_on
from shebao.ledger.facts import Day
from shebao.ledger.schema import day, event, payment, transfer

from . import shelf
from .worklist import LISTED, Row

QUARTER_MIN: Final = 15
QUARTERS: Final = 24 * 60 // QUARTER_MIN
WIRE_KINDS: Final = ("payment", "advice")


class BankDay(NamedTuple):
    """What one bank did on the date. `day` None: the bank has no such date."""

    bank: str
    name: str
    book_id: int
    day: Day | None
    totals: Totals
    file: shelf.AcceptedFile | None
    due: int
    exceptions: list[Row]  # of this date: open, proposed, carried
    older: int  # exceptions still listed of earlier dates
    seal: str
    last_seq: int
    restored: list[tuple[int, str]]  # on this date the books came back from a backup: when, and the next receipt


class Figures(NamedTuple):
    date: int
    banks: list[BankDay]
    by_type: dict[str, Totals]  # insurance type, and "suspense"; counts are insurance parts
    by_channel: dict[str, Totals]
    quarters: list[tuple[int, int]]  # payments and fen by transaction time, from `start_min`
    start_min: int  # minute of the day at which the first quarter begins: the cut-over's, or just after
    peak: tuple[str, int]  # busiest minute "hh:mm" and its payments

    @property
    def total(self) -> Totals:
        """Of all banks together."""
        return sum_of(bank.totals for bank in self.banks)

    @property
    def agrees(self) -> bool:
        """Totals by bank, from the days' counters, and by type, from the transfers, tell of the same money."""
        return self.total.net == sum(line.net for line in self.by_type.values())


def gather(conn: Connection, banks: Mapping[str, tuple[str, int]], date: int, start_min: int) -> Figures:
    """All figures of a date. `banks`: key → (name, book_id); `start_min`: the cut-over's minute of the day."""
    start_min = -(-start_min // QUARTER_MIN) * QUARTER_MIN % (24 * 60)  # people read quarters of a clock
    days = [bank_day(conn, key, name, book_id, date) for key, (name, book_id) in banks.items()]
    by_type: dict[str, Totals] = {}
    lines = [pl.DataFrame(schema={"moment": pl.Int64, "amount": pl.Int64, "channel": pl.String})]
    undone: dict[str, tuple[int, int]] = {}
    for one in days:
        if one.day is None:
            continue
        first, last = _span(conn, one.day)
        for kind, line in type_totals(conn, one.book_id, first, last).items():
            by_type[kind] = sum_of((by_type.get(kind, Totals()), line))
        lines.append(payment_lines(conn, one.book_id, first, last))
        for channel, (number, fen) in reversals_by_channel(conn, one.book_id, first, last).items():
            before = undone.get(channel, (0, 0))
            undone[channel] = (before[0] + number, before[1] + fen)
    paid = pl.concat(lines)
    return Figures(
        date, days, dict(sorted(by_type.items())), _by_channel(paid, undone), _quarters(paid, start_min), start_min,
        _peak(paid),
    )  # fmt: skip


def sum_of(rows: Iterable[Totals]) -> Totals:
    """Column by column."""
    return Totals(*map(sum, zip(Totals(), *rows, strict=True)))


def bank_day(conn: Connection, key: str, name: str, book_id: int, date: int) -> BankDay:
    """One bank's part of a date; also of one that the bank does not have."""
    row = shelf.day_of(conn, book_id, date)
    totals = Totals(row.credits, row.credits_fen, row.reversals, row.reversals_fen) if row else Totals()
    listed = shelf.exceptions(conn, book_id, states=LISTED)
    first, last = _span(conn, row) if row else (0, 0)
    seal = conn.execute(select(event.c.seal).where(event.c.book_id == book_id, event.c.seq == last)).scalar()
    return BankDay(
        key, name, book_id, row, totals, shelf.file_of(conn, book_id, date), money_on(conn, book_id, date).due,
        [r for r in listed if r.date == date], sum(r.date < date for r in listed), seal.hex() if seal else "", last,
        _restores(conn, book_id, first, last),
    )  # fmt: skip


def _restores(conn: Connection, book_id: int, first: int, last: int) -> list[tuple[int, str]]:
    found = select(event.c.at_us, event.c.original_text).where(
        event.c.book_id == book_id, event.c.seq > first, event.c.seq <= last, event.c.kind == "restored"
    )
    return [(at_us, serial) for at_us, serial in conn.execute(found.order_by(event.c.seq))]


def _span(conn: Connection, row: Day) -> tuple[int, int]:
    """(first, last] event numbers of a date: the date before ends where this one begins."""
    query = select(func.max(day.c.last_seq)).where(day.c.book_id == row.book_id, day.c.date < row.date)
    before = conn.execute(query).scalar()
    last = row.last_seq
    if row.state == "OPEN":
        last = conn.execute(select(func.max(event.c.seq)).where(event.c.book_id == row.book_id)).scalar() or 0
    return int(before or 0), int(last)


def type_totals(conn: Connection, book_id: int, first: int, last: int) -> dict[str, Totals]:
    """By insurance type, and `suspense`: what came in by payments, what went out by voids and reversals."""
    found: dict[str, Totals] = {}
    for column, incoming in ((transfer.c.credit, True), (transfer.c.debit, False)):
        query = (
            select(column, func.count(), func.sum(transfer.c.amount))
            .where(transfer.c.book_id == book_id, transfer.c.seq > first, transfer.c.seq <= last)
            .where(column.like("fund:%") | column.like("suspense:%"))
            .group_by(column)
        )
        for account, number, fen in conn.execute(query):
            kind = account.removeprefix("fund:").partition(":")[0]  # "fund:170" is 170, "suspense:icbc" suspense
            line = Totals(number, int(fen)) if incoming else Totals(0, 0, number, int(fen))
            found[kind] = sum_of((found.get(kind, Totals()), line))
    return found


def payment_lines(conn: Connection, book_id: int, first: int, last: int) -> pl.DataFrame:
    """Moment, amount and channel of each payment and advice of the date."""
    query = select(payment.c.moment, payment.c.amount, payment.c.channel).where(
        payment.c.book_id == book_id, payment.c.seq > first, payment.c.seq <= last, payment.c.kind.in_(WIRE_KINDS)
    )
    rows = [tuple(r) for r in conn.execute(query)]
    return pl.DataFrame(rows, schema={"moment": pl.Int64, "amount": pl.Int64, "channel": pl.String}, orient="row")


def reversals_by_channel(conn: Connection, book_id: int, first: int, last: int) -> dict[str, tuple[int, int]]:
    """Voids and reversals of the date by the channel of the payment that they undid."""
    query = (
        select(payment.c.channel, func.count(), func.sum(payment.c.amount))
        .join(event, (event.c.book_id == payment.c.book_id) & (event.c.origin_seq == payment.c.seq))
        .where(event.c.book_id == book_id, event.c.seq > first, event.c.seq <= last)
        .where(event.c.kind.in_(("void", "reversal")))
        .group_by(payment.c.channel)
    )
    return {channel: (number, int(fen)) for channel, number, fen in conn.execute(query)}


def _by_channel(paid: pl.DataFrame, undone: Mapping[str, tuple[int, int]]) -> dict[str, Totals]:
    came = {
        channel: (number, fen)
        for channel, number, fen in paid.group_by("channel").agg(pl.len(), pl.col("amount").sum()).iter_rows()
    }
    return {c: Totals(*came.get(c, (0, 0)), *undone.get(c, (0, 0))) for c in sorted({*came, *undone})}


def _minute() -> pl.Expr:
    return pl.col("moment") // 10_000 % 100 * 60 + pl.col("moment") // 100 % 100


def _quarters(paid: pl.DataFrame, start_min: int) -> list[tuple[int, int]]:
    quarter = (_minute() - start_min + 24 * 60) % (24 * 60) // QUARTER_MIN
    sums = paid.group_by(quarter.alias("quarter")).agg(pl.len(), pl.col("amount").sum())
    found = {q: (number, fen) for q, number, fen in sums.iter_rows()}
    return [found.get(q, (0, 0)) for q in range(QUARTERS)]


def _peak(paid: pl.DataFrame) -> tuple[str, int]:
    if paid.is_empty():
        return "", 0
    minute, number = paid.group_by(_minute().alias("m")).len().sort(["len", "m"], descending=[True, False]).row(0)
    return f"{minute // 60:02d}:{minute % 60:02d}", number
