"""What a bank owes for a date, what came, and what is undecided: one query each (settlement.md section 6).

due = the date's net + what the bank lists in it though the ledger has it elsewhere - the other way round + corrections.
The same statements serve a batch (`load_desk`), the end of the day and the reports. Nothing is judged here (`desk`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, literal, or_, select

from .desk import NOT_BLOCKING, UNDECIDED
from .desk_facts import DateMoney
from .schema import day, transfer
from .schema_day import bank_file, exception, ruling, share


def date_money(book_id: int, date: int) -> Select[Any]:
    """One row: net, moved in, moved out, shares due, received, undecided, files, files to be replaced."""
    net = select(func.sum(day.c.credits_fen - day.c.reversals_fen)).where(day.c.book_id == book_id, day.c.date == date)
    moved = select(func.sum(exception.c.moved_fen)).where(exception.c.book_id == book_id, exception.c.moved_fen != 0)
    shares = select(func.sum(share.c.fen)).where(share.c.book_id == book_id, share.c.date == date)
    undecided = select(func.count()).select_from(exception).where(
        exception.c.book_id == book_id, exception.c.date == date, exception.c.state.in_(sorted(UNDECIDED)),
        exception.c.item_class != NOT_BLOCKING,
    )  # fmt: skip
    files = select(func.count()).select_from(bank_file).where(bank_file.c.book_id == book_id, bank_file.c.date == date)
    found = (
        net, moved.where(exception.c.date == date), moved.where(exception.c.ledger_date == date),
        shares.where(share.c.side == "due"), shares.where(share.c.side == "received"), undecided, files,
        files.where(bank_file.c.replaced_by != ""),
    )  # fmt: skip
    return select(*(func.coalesce(one.scalar_subquery(), 0).label(f"n{n}") for n, one in enumerate(found)))


def money_of(book_id: int, date: int, row: Any) -> DateMoney:
    """A row of `date_money`."""
    net, moved_in, moved_out, due, received, undecided, files, replaced = (int(value) for value in row)
    return DateMoney(
        book_id, date, bool(files), bool(files) and not replaced, undecided, net + moved_in - moved_out + due, received
    )


def money_on(conn: Connection, book_id: int, date: int) -> DateMoney:
    return money_of(book_id, date, conn.execute(date_money(book_id, date)).one())


def special(book_id: int) -> Select[Any]:
    """One row: what the special account of a book's bank holds. Only decisions move it, and they are few."""
    debits = case((transfer.c.debit.startswith("special:"), transfer.c.amount), else_=0)
    credits = case((transfer.c.credit.startswith("special:"), transfer.c.amount), else_=0)
    own = and_(transfer.c.book_id == ruling.c.book_id, transfer.c.seq == ruling.c.seq)
    touched = or_(transfer.c.debit.startswith("special:"), transfer.c.credit.startswith("special:"))
    total = func.coalesce(func.sum(debits - credits), literal(0))
    return select(total).select_from(ruling.join(transfer, own)).where(ruling.c.book_id == book_id, touched)
