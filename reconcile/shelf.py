"""The papers of the end of the day in the store: bank files, exceptions, states of dates.

With `staged` (the lines of bank files) the only module of the folder that writes tables; those two and
`reports.queries` alone know their SQL. No write holds a book's lock for long.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import polars as pl
from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, update

from shebao.codecs.numbers import bill_ok
from shebao.ledger.bills import is_payable
from shebao.ledger.day import OPEN, add_days, iso
from shebao.ledger.desk import state_of
from shebao.ledger.dues import money_on
from shebao.ledger.facts import Book, Day
from shebao.ledger.load import bill_of_row
from shebao.ledger.reading import KINDS, SEPARATOR, TEXT_COLUMNS, detail_texts
from shebao.ledger.schema import bill, book, day, event, open_import, payment
from shebao.ledger.schema_day import bank_file, exception, proposal

from .items import LINE_SCHEMA, frame
from .worklist import Row

CHUNK: Final = 1000  # rows a transaction writes: well under 100 ms on SQLite
CARRIED_DATES: Final = 7  # an exception that is carried opens again then (settlement.md section 5)


class Moved(Exception):
    """A row was changed by another program since it was read."""


class OtherFile(Exception):
    """Another file was accepted for the date, or is to replace its file, since it was read."""


class AcceptedFile(NamedTuple):
    """A row of `bank_file`."""

    book_id: int
    date: int
    digest: str
    accepted_us: int
    staged_us: int
    payments: int
    payments_fen: int
    reversals: int
    reversals_fen: int
    classes: dict[str, int]
    replaced_by: str = ""  # digest of the file that the next run takes in its place


# -- reading --------------------------------------------------------------------------------------------------------


def book_of(conn: Connection, book_id: int) -> Book | None:
    found = conn.execute(select(book).where(book.c.book_id == book_id)).first()
    return None if found is None else Book(*found)


def day_of(conn: Connection, book_id: int, date: int) -> Day | None:
    found = conn.execute(select(day).where(day.c.book_id == book_id, day.c.date == date)).first()
    return None if found is None else Day(*found)


def days_of(conn: Connection, book_id: int) -> list[Day]:
    """Every date of a book, the oldest first."""
    return [Day(*r) for r in conn.execute(select(day).where(day.c.book_id == book_id).order_by(day.c.date))]


def latest_closed(conn: Connection, book_id: int) -> int | None:
    query = select(func.max(day.c.date)).where(day.c.book_id == book_id, day.c.state != "OPEN")
    found: int | None = conn.execute(query).scalar()
    return found


def file_of(conn: Connection, book_id: int, date: int) -> AcceptedFile | None:
    found = conn.execute(select(bank_file).where(bank_file.c.book_id == book_id, bank_file.c.date == date)).first()
    return None if found is None else _file(tuple(found))


def files_of(conn: Connection, book_id: int) -> dict[int, AcceptedFile]:
    rows = conn.execute(select(bank_file).where(bank_file.c.book_id == book_id))
    return {r.date: _file(tuple(r)) for r in rows}


def _file(row: tuple[Any, ...]) -> AcceptedFile:
    return AcceptedFile._make((*row[:9], json.loads(row[9]), row[10]))


def replacement_waits(conn: Connection, book_id: int, date: int, digest: str) -> int:
    """The id of the proposal that this file replace the accepted one, while it waits; 0: there is none."""
    query = select(func.max(proposal.c.id)).where(
        proposal.c.book_id == book_id, proposal.c.action == "replace", proposal.c.state == "WAITING",
        proposal.c.dates == str(date), proposal.c.reference == digest,
    )
    return int(conn.execute(query).scalar() or 0)


def accepted_dates(conn: Connection, book_id: int, first: int, last: int) -> list[int]:
    """Dates of a span whose bank file is accepted."""
    query = select(bank_file.c.date).where(bank_file.c.book_id == book_id, bank_file.c.date.between(first, last))
    return [int(d) for d in conn.execute(query).scalars()]


def ledger_lines(conn: Connection, book_id: int, date: int) -> pl.DataFrame:
    """The detail lines of a date as a frame of lines; `line` counts from 1 in order of commit."""
    parts = [_detail_columns(text) for text in detail_texts(conn, book_id, date)]
    if not parts:
        return frame([])
    return pl.concat(parts, rechunk=True).sort("line").with_columns(
        date=pl.lit(date, pl.Int32), line=pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    ).select(*LINE_SCHEMA)


def _detail_columns(text: str) -> pl.DataFrame:
    """A block of `ledger.reading.detail_texts`; `line` is the event's number."""
    cells = pl.Series("text", text.split("\n"), dtype=pl.String).str.split_exact(SEPARATOR, len(TEXT_COLUMNS))
    *columns, beyond = cells.struct.unnest()
    if beyond.null_count() != len(beyond) or columns[-1].null_count():
        raise ValueError("a detail line of the books holds a character that no column can hold")
    at, own = (pl.col(name).str.zfill(18) for name in ("original", "trace"))
    undoes = pl.col("original") != ""
    return pl.DataFrame(columns, schema=TEXT_COLUMNS).select(
        pl.col("stan", "bill", "receipt", "channel"), pl.col("rrn", "terminal", "branch").str.strip_chars_end(" "),
        line=pl.col("seq").cast(pl.Int64), kind=pl.col("kind").replace_strict(KINDS, return_dtype=pl.String),
        moment="20" + own.str.head(12), amount=pl.col("amount").cast(pl.Int64),
        original_moment=pl.when(undoes).then("20" + at.str.head(12)).otherwise(pl.lit("")),
        original_stan=pl.when(undoes).then(at.str.tail(6)).otherwise(pl.lit("")),
    )


def exceptions(
    conn: Connection, book_id: int, first: int = 0, last: int = 99_999_999, states: Collection[str] = ()
) -> list[Row]:
    query = select(*(exception.c[name] for name in Row._fields)).where(
        exception.c.book_id == book_id, exception.c.date.between(first, last)
    )
    if states:
        query = query.where(exception.c.state.in_(tuple(states)))
    return [Row(*r) for r in conn.execute(query.order_by(exception.c.date, exception.c.id))]


def exceptions_of(conn: Connection, book_id: int, numbers: Collection[int]) -> list[Row]:
    """Rows by their numbers."""
    found = select(*(exception.c[name] for name in Row._fields)).where(
        exception.c.book_id == book_id, exception.c.id.in_(sorted(numbers))
    )
    return [Row(*r) for r in conn.execute(found)] if numbers else []


def late_reversals(conn: Connection, book_id: int) -> pl.DataFrame:
    """moment and STAN of the reversals that were answered R2, their exceptions, and where the bank's lines stand."""
    query = (
        select(event.c.trace, exception.c.id, exception.c.answer_date)
        .join(exception, and_(exception.c.book_id == event.c.book_id, exception.c.seq == event.c.seq))
        .where(exception.c.book_id == book_id, exception.c.item_class == "LATE_REVERSAL")
    )
    rows = [(f"20{trace:018d}", number, date) for trace, number, date in conn.execute(query)]
    return pl.DataFrame(
        [(told[:14], told[14:], number, date) for told, number, date in rows],
        schema={"moment": pl.String, "stan": pl.String, "exception_id": pl.Int64, "answer_date": pl.Int32},
        orient="row",
    )  # fmt: skip


def payable_amounts(conn: Connection, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """(bill number, date of the money) → amount, of the bills that such money can pay."""
    found = {}
    for number, date in sorted(set(wanted)):
        if not bill_ok(number):
            continue
        row = conn.execute(
            select(bill).where(
                bill.c.division == int(number[:6]), bill.c.number == int(number[:19]),
                bill.c.import_id.not_in(select(open_import.c.import_id)),
            )
        ).first()
        if row and is_payable(bill_of_row(tuple(row)), date):
            found[number, date] = int(row.amount)
    return found


def payment_told(conn: Connection, book_id: int, seq: int) -> dict[str, object]:
    """The ledger's own values of an exception from the wire: its payment, or the one that its message was about.

    The way there: a late reversal → payment, the reversal of a void → void → payment.
    """
    row = None
    while row is None and seq:
        row = conn.execute(select(payment).where(payment.c.book_id == book_id, payment.c.seq == seq)).first()
        before = select(event.c.origin_seq).where(event.c.book_id == book_id, event.c.seq == seq)
        seq = conn.execute(before).scalar() or 0
    if row is None:
        return {}
    names = ("stan", "rrn", "terminal", "branch", "bill", "amount", "receipt", "channel")
    told = {name: getattr(row, name) for name in names}
    return {"date": iso(row.date), "kind": "P", "moment": str(row.moment), **told, "live": row.state == "LIVE"}


# -- writing: the caller holds the book's lock -----------------------------------------------------------------------


def check_file(conn: Connection, one: AcceptedFile, before: AcceptedFile | None) -> None:
    """Raises OtherFile if the date's file is not `before` any more, nor `one`, or is to be replaced by another now."""
    now = file_of(conn, one.book_id, one.date)
    digests = [file and (file.digest, file.replaced_by) for file in (now, before, one)]
    if digests[0] not in digests[1:]:
        raise OtherFile


def accept(conn: Connection, one: AcceptedFile) -> None:
    """Makes a file, or what a new run found in it, the date's."""
    same = and_(bank_file.c.book_id == one.book_id, bank_file.c.date == one.date)
    values = one._asdict() | {"classes_json": json.dumps(one.classes)}
    del values["classes"]
    if not conn.execute(update(bank_file).where(same).values(values)).rowcount:
        conn.execute(insert(bank_file).values(values))


def write(conn: Connection, rows: Iterable[Row], before: Mapping[int, Row]) -> None:
    """New rows get the book's next ids, but for those that another run has just written; changed ones are replaced.

    before: the changed ones as they were read. Raises Moved, and the caller rolls back, if one is not so any more.
    """
    rows = list(rows)
    new, changed = [r for r in rows if not r.id], [r for r in rows if r.id]
    if new:
        book_id = new[0].book_id
        here = and_(exception.c.book_id == book_id, exception.c.date.in_({r.date for r in new}))
        known = {tuple(r) for r in conn.execute(select(exception.c.date, exception.c.item_key).where(here))}
        new = [r for r in new if (r.date, r.item_key) not in known]
    if new:
        first = conn.execute(select(book.c.next_exception).where(book.c.book_id == book_id)).scalar_one()
        conn.execute(insert(exception), [r._replace(id=first + n)._asdict() for n, r in enumerate(new)])
        conn.execute(update(book).where(book.c.book_id == book_id).values(next_exception=first + len(new)))
    for row in changed:
        old = before[row.id]
        as_read = and_(
            exception.c.book_id == row.book_id, exception.c.id == row.id, exception.c.state == old.state,
            exception.c.decided_seq == old.decided_seq, exception.c.proposal == old.proposal,
        )  # fmt: skip
        values = dict(zip(Row._fields[2:], row[2:], strict=True))
        if conn.execute(update(exception).where(as_read).values(values)).rowcount != 1:
            raise Moved(f"exception {row.id} was decided meanwhile")


def judge(conn: Connection, book_id: int, date: int) -> str:
    """Works out a closed date's state and writes it; gives the state."""
    row = day_of(conn, book_id, date)
    if row is None or row.state == OPEN:
        return row.state if row else ""
    state = state_of(money_on(conn, book_id, date))
    if state != row.state:
        conn.execute(update(day).where(day.c.book_id == book_id, day.c.date == date).values(state=state))
    return state


def carried_enough(conn: Connection, book_id: int) -> list[int]:
    """The dates of what was carried for CARRIED_DATES, and is to be opened again."""
    return sorted(set(conn.execute(select(exception.c.date).where(_carried_enough(conn, book_id))).scalars()))


def wake(conn: Connection, book_id: int) -> None:
    """Opens again what was carried for CARRIED_DATES, and judges its dates anew."""
    dates = carried_enough(conn, book_id)
    if dates:
        over = _carried_enough(conn, book_id)
        conn.execute(update(exception).where(over).values(state="OPEN", proposal=""))
    for date in dates:
        judge(conn, book_id, date)


def _carried_enough(conn: Connection, book_id: int) -> ColumnElement[bool]:
    book = book_of(conn, book_id)
    until = add_days(book.open_date, -CARRIED_DATES) if book else 0
    return and_(
        exception.c.book_id == book_id, exception.c.state == "CARRIED", exception.c.decided_date <= until
    )  # fmt: skip


def chunks(rows: list[Row], size: int = CHUNK) -> Iterator[list[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def around(date: int, days: int) -> tuple[int, int]:
    return add_days(date, -days), add_days(date, days)

