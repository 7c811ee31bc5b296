"""The books read for the end of the day: a date's detail lines. Nothing is written or judged here.

A detail line tells a wire event, with its payment's values where settlement.md section 4 says so. Corrections and
funds are other kinds of events, and so never stand in a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select, and_, case, func, literal, or_, select

from shebao.codecs.columns import StatementLine

from .journal import CREDITS, REVERSALS
from .schema import day, event, payment

FETCH: Final = 1000  # rows at a time, whatever the size of the day
TEXT_LINES: Final = 20_000  # events whose lines make one text
SEPARATOR: Final = "\x1f"  # no column can hold it: the wire's alphabets let no such character in
TEXT_COLUMNS: Final = (
    "seq", "kind", "trace", "stan", "rrn", "terminal", "branch", "bill", "amount", "receipt", "channel", "original",
)  # fmt: skip
PAYMENTS: Final = ("advice", "payment")  # events with a payment of their own
KINDS: Final = {**dict.fromkeys(CREDITS, "P"), "void": "V", "reversal": "R"}


def detail_lines(conn: Connection, book_id: int, date: int) -> Iterator[StatementLine]:
    """The detail lines of a date, open or closed, in the order of commit (settlement.md section 4).

    Streams with bounded memory. Give it a connection of `Store.reading`, so that all is of one moment.
    """
    query = _lines(book_id, date, _of_date(book_id, date))
    for row in conn.execute(query.execution_options(yield_per=FETCH)):
        yield _line(row)


def detail_texts(conn: Connection, book_id: int, date: int) -> Iterator[str]:
    """The same lines as text, for whoever renders a whole date at once: the store itself puts the columns together.

    TEXT_COLUMNS with SEPARATOR between them, a line end between lines, which come in any order; a block of thousands
    at a time. A trace is a number; `original` is that of what a line undoes, and empty for a payment.
    """
    bounds = select(_before(book_id, date), func.max(event.c.seq)).where(event.c.book_id == book_id)
    first, newest = conn.execute(bounds).one()
    last = conn.execute(_last(book_id, date)).scalar() or newest or 0
    for start in range(first, last, TEXT_LINES):
        until = min(start + TEXT_LINES, last)
        for query in (_payments(book_id, date, start, until), _moves(book_id, date, start, until)):
            if text := conn.execute(_as_text(query, conn.dialect.name)).scalar():
                yield text


def _payments(book_id: int, date: int, after: int, until: int) -> Select[Any]:
    """TEXT_COLUMNS of payments and advices: their rows tell all, at a third of the join's cost."""
    named = {column.name: column for column in payment.c} | {"original": literal("")}
    return select(*(named[name] for name in TEXT_COLUMNS)).where(
        payment.c.book_id == book_id, payment.c.date == date, payment.c.kind.in_(PAYMENTS),
        payment.c.seq > after, payment.c.seq <= until,
    )  # fmt: skip


def _moves(book_id: int, date: int, after: int, until: int) -> Select[Any]:
    """TEXT_COLUMNS of what undoes a payment, or undoes that."""
    query = _lines(book_id, date, and_(event.c.seq > after, event.c.seq <= until, event.c.kind.not_in(PAYMENTS)))
    columns = {column.name: column for column in query.selected_columns}
    original = case((event.c.kind == "unvoid", columns["voided"]), else_=columns["paid"])
    named = columns | {"seq": event.c.seq, "original": original}
    return query.with_only_columns(*(named[name] for name in TEXT_COLUMNS)).order_by(None)


def _as_text(query: Select[Any], store: str) -> Select[Any]:
    values = list(query.selected_columns)
    if store == "sqlite":  # one call; the operator || copies what it has so far each time
        line = func.printf(SEPARATOR.join(["%s"] * len(values)), *values)
    else:
        line = func.concat_ws(SEPARATOR, *values)
    return query.with_only_columns(func.aggregate_strings(line, "\n"))


def _before(book_id: int, date: int) -> ScalarSelect[Any]:
    """The last event of the dates before."""
    last = select(func.coalesce(func.max(day.c.last_seq), 0)).where(day.c.book_id == book_id, day.c.date < date)
    return last.scalar_subquery()


def _last(book_id: int, date: int) -> Select[Any]:
    return select(day.c.last_seq).where(day.c.book_id == book_id, day.c.date == date, day.c.last_seq > 0)


def _of_date(book_id: int, date: int) -> ColumnElement[bool]:
    """A date's events are a range of the book's."""
    last = _last(book_id, date)
    until = or_(~last.exists(), event.c.seq <= last.scalar_subquery())
    return and_(event.c.seq > _before(book_id, date), until)


def _lines(book_id: int, date: int, some: ColumnElement[bool]) -> Select[Any]:
    """Event, its payment, and of a void's reversal the void."""
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
            some,
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
