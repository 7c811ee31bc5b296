"""Everything known about one bill or one payment, in time order, and the trial balance: read for `ledgerctl`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, union_all

from . import schema
from .bills import status_on
from .day import add_days, date_of, time_of
from .facts import Bill, Payment
from .load import bill_of_row, payment_of_row
from .schema_day import ruling

# Accounts whose balance stands on the debit side; the others' on the credit side (settlement.md section 2).
DEBIT_ACCOUNTS: Final = ("clearing", "special", "treasury")


class Entry(NamedTuple):
    """One event in the story of a bill or payment."""

    at: str  # CST
    bank: str
    seq: int
    kind: str
    code: str
    amount: int  # fen, as asked
    stan: str
    rrn: str
    receipt: str  # of the payment that it took
    move: str
    operator: str
    reason: str


def bill_story(conn: Connection, number: str, today: int) -> tuple[Bill, str, list[Entry]] | None:
    """The bill, its status towards money paid today, and every event that names it. None: no such bill."""
    hidden = select(schema.open_import.c.import_id)
    found = select(schema.bill).where(
        schema.bill.c.division == int(number[:6]),
        schema.bill.c.number == int(number[:19]),
        schema.bill.c.import_id.not_in(hidden),
    )
    row = conn.execute(found).one_or_none()
    if row is None:
        return None
    bill = bill_of_row(tuple(row))
    return bill, status_on(bill, today), _entries(conn, _names(number))


def unknown_bill_story(conn: Connection, number: str) -> list[Entry]:
    """Events that name a bill which is not there: money in suspense, refusals."""
    return _entries(conn, _names(number))


def _names(number: str) -> ColumnElement[bool]:
    """Events that name a bill, or that put money onto it by a decision though the bank's line named another."""
    event, onto = schema.event, ruling.c.bill == number
    decided = select(ruling.c.seq).where(ruling.c.book_id == event.c.book_id, ruling.c.seq == event.c.seq, onto)
    return or_(event.c.bill == number, decided.exists())


def payment_story(conn: Connection, receipt: str) -> tuple[Payment, list[Entry], list[dict[str, Any]]] | None:
    """The payment of a receipt number, the events about it, and the money that they moved. None: no such receipt."""
    payment, event = schema.payment, schema.event
    # the receipt number tells book and date (wire.md section 4)
    book_id, date = int(receipt[6:10]), 20_000_000 + int(receipt[:6])
    found = select(payment).where(
        payment.c.book_id == book_id, payment.c.date == date, payment.c.receipt == receipt
    )
    row = conn.execute(found).one_or_none()
    if row is None:
        return None
    taken = payment_of_row(tuple(row))
    direct = or_(event.c.seq == taken.seq, event.c.origin_seq == taken.seq)
    voids = select(event.c.seq).where(event.c.book_id == book_id, event.c.origin_seq == taken.seq)
    about = and_(event.c.book_id == book_id, or_(direct, event.c.origin_seq.in_(voids)))
    entries = _entries(conn, about)
    seqs = [entry.seq for entry in entries]
    transfer = schema.transfer
    moved = select(transfer).where(transfer.c.book_id == book_id, transfer.c.seq.in_(seqs))
    rows = conn.execute(moved.order_by(transfer.c.seq, transfer.c.line))
    return taken, entries, [{**row._mapping} for row in rows]


def given_in_a_lost_time(conn: Connection, receipt: str) -> str:
    """Why a receipt may be genuine although it is not in the books: they were restored from a backup. Else ""."""
    event, date = schema.event, 20_000_000 + int(receipt[:6])
    found = select(event.c.at_us).where(
        event.c.book_id == int(receipt[6:10]), event.c.kind == "restored", event.c.date <= date
    )
    for at_us in conn.execute(found.order_by(event.c.at_us)).scalars():
        if date <= add_days(date_of(at_us), 1):
            return (
                f"the books were restored from a backup at {time_of(at_us):%Y-%m-%d %H:%M}, so it may have been given"
                " in the time that was lost: ask the bank, and see its file of that date"
            )
    return ""


def _entries(conn: Connection, condition: Any) -> list[Entry]:
    event, payment, book = schema.event, schema.payment, schema.book
    found = (
        select(event, payment.c.receipt, book.c.bank)
        .join(book, book.c.book_id == event.c.book_id)
        .outerjoin(payment, and_(payment.c.book_id == event.c.book_id, payment.c.seq == event.c.seq))
        .where(condition)
        .order_by(event.c.at_us, event.c.book_id, event.c.seq)
    )
    return [
        Entry(
            f"{time_of(row.at_us):%Y-%m-%d %H:%M:%S}", row.bank, row.seq, row.kind, row.code, row.amount, row.stan,
            row.rrn, row.receipt or "", row.bill_move, row.operator, row.reason,
        )
        for row in conn.execute(found)
    ]  # fmt: skip


def balances(conn: Connection, date: int | None, books: Sequence[int] | None) -> list[tuple[str, int]]:
    """Each account and its balance in fen, positive on the account's own side, at the end of `date` (None: now).

    books: only what these books moved.
    """
    transfer = schema.transfer
    sides = [
        select(column.label("account"), (sign * func.sum(transfer.c.amount)).label("fen")).where(
            transfer.c.date <= date if date is not None else transfer.c.date > 0,
            transfer.c.book_id.in_(books) if books is not None else transfer.c.book_id >= 0,
        ).group_by(column)
        for sign, column in ((1, transfer.c.debit), (-1, transfer.c.credit))
    ]  # fmt: skip
    both = union_all(*sides).subquery()
    rows = conn.execute(select(both.c.account, func.sum(both.c.fen)).group_by(both.c.account).order_by(both.c.account))
    return [(account, int(fen) * own_side(account)) for account, fen in rows]


def own_side(account: str) -> int:
    """1 for an account with a debit balance, -1 for one with a credit balance."""
    return 1 if account.split(":")[0] in DEBIT_ACCOUNTS else -1


def sides(found: Iterable[tuple[str, int]]) -> tuple[int, int]:
    """Sum of the balances on the debit side and on the credit side: equal when the books balance."""
    debit = [fen * own_side(account) for account, fen in found]
    return sum(fen for fen in debit if fen > 0), -sum(fen for fen in debit if fen < 0)
