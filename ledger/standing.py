"""What stands now, against the sealed events that made it: bills, dates, accounts (for `verify`).

These rows may change, so no seal covers them; each is what its events left. Every proof is a merge of streams in the
same order, sorted by the database, a few rows in memory at a time. What is proved of each event by itself is in
`walk`, payments are in `standing_payments`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, String, and_, case, cast, func, select, union_all

from . import proof as p
from . import schema, schema_day
from .bills import EXPIRED, OUTSTANDING, PAID, parse_parts
from .day import OPEN, STATES, add_days
from .desk import KINDS as DESK
from .facts import BUREAU_BOOK_ID, Book
from .journal import REVERSALS, mirror, money
from .load import full_number
from .proof import Proof, Proofs
from .standing_payments import merged
from .walk import Counted, Walked, rows

Row = tuple[Any, ...]


# -- bills ------------------------------------------------------------------------------------------------

FIELD: Final = "\x1f"  # within a transfer, RECORD between two, where the database joins an event's transfers to a text
RECORD: Final = "\x1e"


def prove_bills(conn: Connection, proofs: Proofs, banks: dict[int, str], today: int) -> None:
    """Each bill's status is where its sealed moves lead; PAID has its one live payment, and every part is booked."""
    status, paid = proofs[p.STATUS], proofs[p.PAID]
    for number, (bills, moves, live) in merged(_bills(conn), _moves(conn), _live(conn)):
        if not bills:
            for _, book_id, seq, *_ in moves:
                status.fault("event", (book_id, seq), f"moved bill {p.shown(number)}, which is not there")
            for _, book_id, seq, _ in live:
                paid.fault("payment", (book_id, seq), f"is live on bill {p.shown(number)}, which is not there")
            continue
        ((_, division, short, parts_text, amount, stored, paid_book, paid_seq, last_day),) = bills
        status.looked_at += 1
        paid.looked_at += 1
        key = division, short
        if division != short // 10**13:
            status.differs("bill", key, "division", division, short // 10**13)
        parts = parse_parts(parts_text)
        if sum(fen for _, fen in parts) != amount:
            status.fault("bill", key, f"amount is {amount}, its parts are {p.shown(parts_text)}")
        _prove_status(status, key, stored, moves, last_day < today)
        _prove_parts(proofs[p.TRANSFERS], key, parts, moves, banks)
        _prove_paid(paid, key, (stored, amount, paid_book, paid_seq), live)


def _prove_status(proof: Proof, key: Any, stored: str, moves: Sequence[Row], is_over: bool) -> None:
    """Where a way of moves from OUTSTANDING ends does not depend on their order, which several books don't tell."""
    degree: Counter[str] = Counter({OUTSTANDING: 1})
    for move in moves:
        before, _, after = move[3].partition(">")
        degree[before] -= 1
        degree[after] += 1
    ends = {name: count for name, count in degree.items() if count}
    if len(ends) != 1 or set(ends.values()) != {1}:
        told = ", ".join(move[3] for move in moves)
        proof.fault("bill", key, f"its sealed moves don't make one way from {OUTSTANDING}: {p.shown(told)}")
        return
    (right,) = ends
    if stored != right and not (right == OUTSTANDING and stored == EXPIRED and is_over):
        last = f"by its last sealed move in event {moves[-1][1]}/{moves[-1][2]}" if moves else "no event moved it"
        proof.differs("bill", key, "status", stored, f"{right}: {last}")


def _prove_parts(proof: Proof, key: Any, parts: Any, moves: Sequence[Row], banks: dict[int, str]) -> None:
    """What moved a bill booked all of its parts. A difference that went to suspense beside it is no part."""
    for _, book_id, seq, _, kind, text in moves:
        if kind == "withdraw":
            continue
        bank = banks.get(book_id, "")
        beside = {f"clearing:{bank}", f"suspense:{bank}"}
        found = [entry for entry in _entries(text) if kind not in DESK or not {*entry[:2]} <= beside]
        right = [
            sorted(mirror(money(bank, cause, parts)) if turned else money(bank, cause, parts))
            for cause, turned in BOOKS.get(kind, ((PAY, kind in REVERSALS),))
        ]
        if found not in right:
            what = f"the transfers of this {kind} are not the parts of bill {key[0]}/{key[1]}"
            proof.fault("transfer", (book_id, seq), what)


PAY: Final = "payment"
# kind -> (cause, mirrored) of the entries that it may book of a bill's parts; wire events: a payment, or its mirror
BOOKS: Final = {
    "applied": (("applied", False),),
    "reversed": ((PAY, True), (PAY, False)),
    "undone": ((PAY, True), (PAY, False), ("applied", True)),
    "refunded": (("refunded", False),),
}


def _prove_paid(proof: Proof, key: Any, bill: tuple[str, int, int | None, int | None], live: Sequence[Row]) -> None:
    stored, amount, paid_book, paid_seq = bill
    named = (paid_book, paid_seq)
    payments = [(book_id, seq) for _, book_id, seq, _ in live]
    if stored != PAID and live:
        proof.fault("bill", key, f"is {stored}, but payment {payments[0][0]}/{payments[0][1]} is live on it")
    elif stored == PAID and len(live) != 1:
        proof.fault("bill", key, f"is PAID and has {len(live)} live payments, right is 1")
    elif stored == PAID and payments[0] != named:
        proof.differs("bill", key, "paid_book/paid_seq", f"{paid_book}/{paid_seq}", "/".join(map(str, payments[0])))
    elif stored == PAID and live[0][3] != amount:
        proof.differs("payment", payments[0], "amount", live[0][3], f"{amount}, its bill's")
    elif stored != PAID and named != (None, None):
        proof.fault("bill", key, f"is {stored}, but names payment {paid_book}/{paid_seq}")


def _bills(conn: Connection) -> Iterator[Row]:
    """(20-digit number, division, number, parts, amount, status, paid_book, paid_seq, last_day)."""
    bill = schema.bill
    columns = (
        bill.c.division, bill.c.number, bill.c.parts, bill.c.amount, bill.c.status, bill.c.paid_book, bill.c.paid_seq,
        bill.c.last_day,
    )  # fmt: skip
    order = bill.c.division, bill.c.number
    return ((full_number(row[1]), *row) for row in rows(conn, select(*columns).order_by(*order)))


def _moves(conn: Connection) -> Iterator[Row]:
    """(bill, book, seq, move, kind, its transfers as one text) of events that moved a bill, by bill."""
    event, transfer = schema.event, schema.transfer
    one = transfer.c.debit + FIELD + transfer.c.credit + FIELD + cast(transfer.c.amount, String)
    own = and_(transfer.c.book_id == event.c.book_id, transfer.c.seq == event.c.seq)
    moved = select(func.aggregate_strings(one, RECORD)).where(own).scalar_subquery()
    ruling = schema_day.ruling
    ruled = and_(ruling.c.book_id == event.c.book_id, ruling.c.seq == event.c.seq)
    number = func.coalesce(ruling.c.bill, event.c.bill)
    found = select(number, event.c.book_id, event.c.seq, event.c.bill_move, event.c.kind, moved)
    found = found.select_from(event.outerjoin(ruling, ruled))
    order = _by_bytes(conn, number), event.c.book_id, event.c.seq
    return rows(conn, found.where(event.c.bill_move != "").order_by(*order))


def _live(conn: Connection) -> Iterator[Row]:
    """(bill, book, seq, amount) of live payments on bills, by bill."""
    payment = schema.payment
    number = case((payment.c.on_bill != "", payment.c.on_bill), else_=payment.c.bill)
    found = select(number, payment.c.book_id, payment.c.seq, payment.c.amount)
    order = _by_bytes(conn, number), payment.c.book_id, payment.c.seq
    return rows(conn, found.where(payment.c.state == "LIVE", payment.c.suspense == 0).order_by(*order))


def _by_bytes(conn: Connection, column: ColumnElement[str]) -> ColumnElement[str]:
    """Text in the order of its bytes, as Python compares it, whatever the database's language."""
    return column.collate("C" if conn.dialect.name == "postgresql" else "BINARY")


def _entries(text: str | None) -> list[tuple[str, str, int]]:
    found = [one.split(FIELD) for one in text.split(RECORD)] if text else []
    return sorted((debit, credit, int(fen)) for debit, credit, fen in found)


# -- dates and accounts -----------------------------------------------------------------------------------

def prove_dates(conn: Connection, proofs: Proofs, books: dict[int, Book], walked: Walked) -> None:
    """Each date's row counts its events and was closed by its cut-over; dates follow each other, the last is open."""
    proof, day = proofs[p.DAYS], schema.day
    todo = dict(walked.dates)
    before: Row | None = None
    for row in rows(conn, select(day).order_by(day.c.book_id, day.c.date)):
        book_id, date, state, opened_us, closed_us, *counts, last_seq = row
        key = book_id, date
        proof.looked_at += 1
        counted = todo.pop(key, Counted())
        book = books.get(book_id)
        is_open = book is not None and date == book.open_date
        if (state == OPEN) != is_open or state not in STATES:
            proof.differs("day", key, "state", state, OPEN if is_open else "CLOSED or later")
        columns = ("credits", "credits_fen", "reversals", "reversals_fen", "last_seq", "closed_us")
        found = (*counts, last_seq, closed_us)
        for column, value in zip(columns, found, strict=True):
            if value != getattr(counted, column):
                proof.differs("day", key, column, value, f"{p.shown(getattr(counted, column))}, by its events")
        if before is not None and before[0] == book_id:
            if date != add_days(before[1], 1):
                proof.fault("day", key, f"follows {before[1]}: a date between is not there")
            elif opened_us != before[4]:
                proof.differs("day", key, "opened_us", opened_us, f"{p.shown(before[4])}, when {before[1]} was closed")
        before = row
    for key, counted in todo.items():
        proof.fault("day", key, f"is not there, but has {counted.credits + counted.reversals} events that it counts")


def prove_accounts(conn: Connection, proofs: Proofs, banks: dict[int, str], walked: Walked) -> None:
    """Debits equal credits; `clearing` is the dues less what was received; `suspense` is its open items."""
    balance = proofs[p.BALANCE]
    balance.looked_at = len(walked.balances)
    if total := sum(walked.balances.values()):
        balance.fault("transfer", "all", f"debits are {total} fen more than credits")
    day, item = schema.day, schema.suspense
    share = schema_day.share
    signed = case((share.c.side == "due", share.c.fen), else_=-share.c.fen)
    net = select(day.c.book_id, func.sum(day.c.credits_fen - day.c.reversals_fen).label("fen")).group_by(day.c.book_id)
    both = union_all(net, select(share.c.book_id, func.sum(signed)).group_by(share.c.book_id)).subquery()
    due = select(both.c.book_id, func.sum(both.c.fen)).group_by(both.c.book_id)
    fen = case((item.c.state == "OPEN", item.c.amount), else_=0)
    held = select(item.c.book_id, func.sum(fen)).group_by(item.c.book_id)
    for name, account, side, found in ((p.CLEARING, "clearing", 1, due), (p.SUSPENSE, "suspense", -1, held)):
        right: defaultdict[str, int] = defaultdict(int)
        for book_id, fen_of_book in rows(conn, found):
            right[banks.get(book_id, "")] += int(fen_of_book)
        for bank in sorted({bank for book_id, bank in banks.items() if book_id != BUREAU_BOOK_ID} | set(right)):
            stands = side * walked.balances.get(f"{account}:{bank}", 0)
            proofs[name].looked_at += 1
            if stands != right[bank]:
                proofs[name].differs("account", f"{account}:{bank}", "balance", f"{stands} fen", f"{right[bank]} fen")
