"""The books read for the end of the day: a date's detail lines. Nothing is written or judged here.

A detail line tells a wire event, with its payment's values where settlement.md section 4 says so. Corrections and
funds are other kinds of events, and so never stand in a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, func, or_, select

from shebao.codecs.columns import StatementLine

from .journal import CREDITS, REVERSALS
from .schema import day, event, payment

FETCH: Final = 1000  # rows at a time, whatever the size of the day
KINDS: Final = {**dict.fromkeys(CREDITS, "P"), "void": "V", "reversal": "R"}


def detail_lines(conn: Connection, book_id: int, date: int) -> Iterator[StatementLine]:
    """The detail lines of a date, open or closed, in the order of commit (settlement.md section 4).

    Streams with bounded memory. Give it a connection of `Store.reading`, so that all is of one moment.
    """
    for row in conn.execute(_lines(book_id, date).execution_options(yield_per=FETCH)):
        yield _line(row)


def _lines(book_id: int, date: int) -> Select[Any]:
    """Event, its payment, and of a void's reversal the void. A date's events are a range of the book's."""
    before = select(func.coalesce(func.max(day.c.last_seq), 0)).where(day.c.book_id == book_id, day.c.date < date)
    last = select(day.c.last_seq).where(day.c.book_id == book_id, day.c.date == date, day.c.last_seq > 0)
    voided = event.alias("voided")
    undone = and_(event.c.kind == "unvoid", voided.c.book_id == event.c.book_id, voided.c.seq == event.c.origin_seq)
    of = func.coalesce(voided.c.origin_seq, event.c.origin_seq, event.c.seq)
    return (
        select(
            event.c.date, event.c.kind, event.c.trace, event.c.stan, event.c.rrn,
            payment.c.terminal, payment.c.branch, payment.c.bill, payment.c.amount, payment.c.receipt,
            payment.c.channel, payment.c.trace.label("paid"), voided.c.trace.label("voided"),
        )
        .select_from(event)
        .outerjoin(voided, undone)
        .join(payment, and_(payment.c.book_id == event.c.book_id, payment.c.seq == of))
        .where(
            event.c.book_id == book_id,
            event.c.date == date,
            event.c.kind.in_(sorted(CREDITS | REVERSALS)),
            event.c.seq > before.scalar_subquery(),
            or_(~last.exists(), event.c.seq <= last.scalar_subquery()),
        )
        .order_by(event.c.seq)
    )  # fmt: skip


def _line(row: Any) -> StatementLine:
    moment, _ = _told(row.trace)
    original = row.voided if row.kind == "unvoid" else row.paid if row.kind in REVERSALS else None
    original_moment, original_stan = ("", "") if original is None else _told(original)
    return StatementLine(
        row.date, moment, row.stan, row.rrn, row.terminal, row.branch, KINDS[row.kind], row.bill, row.amount,
        row.receipt, row.channel, original_moment, original_stan,
    )  # fmt: skip


def _told(trace: int) -> tuple[str, str]:
    """A trace as the transaction time YYYYMMDDhhmmss and the STAN."""
    moment, stan = divmod(trace, 1_000_000)
    return f"20{moment:012d}", f"{stan:06d}"
