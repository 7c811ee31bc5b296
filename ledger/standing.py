"""What stands now, against the sealed events that made it: payments, suspense items, bills, dates (for `verify`).

These rows may change, so no seal covers them; each is what its events left. Every proof is a merge of streams in the
same order, sorted by the database, a few rows in memory at a time. What is proved of each event by itself is in `walk`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, String, and_, case, cast, func, select, union_all

from . import proof as p
from . import schema
from .bills import EXPIRED, OUTSTANDING, PAID, parse_parts
from .day import OPEN, STATES, add_days
from .facts import BUREAU_BOOK_ID, Book
from .journal import REVERSALS, mirror, money
from .load import full_number
from .proof import Proof, Proofs
from .schema_day import exception
from .walk import Counted, Walked, rows

Row = tuple[Any, ...]


def merged(*streams: Iterable[Row]) -> Iterator[tuple[Any, list[list[Row]]]]:
    """Rows of several streams that begin with the same key, which ascends; the key, and each stream's rows of it."""
    grouped = [groupby(stream, key=lambda row: row[0]) for stream in streams]
    heads = [next(group, None) for group in grouped]
    while True:
        keys = [head[0] for head in heads if head is not None]
        if not keys:
            return
        key = min(keys)
        found: list[list[Row]] = []
        for place, head in enumerate(heads):
            if head is not None and head[0] == key:
                found.append(list(head[1]))
                heads[place] = next(grouped[place], None)
            else:
                found.append([])
        yield key, found


# -- payments and suspense --------------------------------------------------------------------------------

class Stand(NamedTuple):
    """How a payment stands: the columns of `payment` that change."""

    state: str = "LIVE"
    undone_seq: int | None = None
    suspense: bool = False


def prove_payments(conn: Connection, proofs: Proofs) -> None:
    """`state`, `undone_seq` and `suspense` of each payment, and its suspense item, are what its events left."""
    for key, (payments, undoings, items) in merged(_payments(conn), _undoings(conn), _items(conn)):
        proof = proofs[p.STATES]
        if not payments:
            for _, seq, kind, *_ in undoings:
                proof.fault("event", (key[0], seq), f"{kind} of payment {key[0]}/{key[1]}, which is not there")
            for _ in items:
                proofs[p.SUSPENSE].fault("suspense", key, "belongs to no payment")
            continue
        ((_, state, undone_seq, suspense, amount, bill, move),) = payments
        proof.looked_at += 1
        stand, ever_in_suspense = Stand(suspense=not move), not move
        for _, seq, kind, own_amount, own_bill, own_move, of_seq in undoings:
            after = _after(stand, seq, kind, own_move, of_seq)
            if after is None:
                what = f"{kind} of payment {key[0]}/{key[1]}, which was {stand.state} then"
                proof.fault("event", (key[0], seq), what)
                continue
            if (own_amount, own_bill) != (amount, bill):
                what = f"{kind} of {own_amount} fen for bill {p.shown(own_bill)}, its payment is of {amount} for {bill}"
                proof.fault("event", (key[0], seq), what)
            stand = after
            ever_in_suspense = ever_in_suspense or stand.suspense
        for column, found, right in zip(Stand._fields, (state, undone_seq, bool(suspense)), stand, strict=True):
            if found != right:
                proof.differs("payment", key, column, found, f"{p.shown(right)}, as its events left it")
        _prove_item(proofs[p.SUSPENSE], key, items, amount, stand, ever_in_suspense)


def _after(stand: Stand, seq: int, kind: str, move: str, of_seq: int) -> Stand | None:
    """The move that a void, a reversal or a void's reversal makes; None where it may not."""
    if kind == "unvoid":
        if stand.state != "VOIDED" or stand.undone_seq != of_seq or (move and stand.suspense):
            return None
        return Stand(suspense=not move)
    if stand.state != "LIVE" or stand.suspense != (not move):
        return None
    return stand._replace(state="VOIDED" if kind == "void" else "REVERSED", undone_seq=seq)


def _prove_item(proof: Proof, key: Any, items: list[Row], amount: int, stand: Stand, ever: bool) -> None:
    if bool(items) != ever:
        proof.fault("suspense", key, "belongs to a payment that never was in suspense" if items else "is not there")
        return
    for _, found, state, exception_id, exists in items:
        proof.looked_at += 1
        right = "OPEN" if stand.state == "LIVE" else "REVERSED"
        if state != right:
            proof.differs("suspense", key, "state", state, f"{right}, as its payment is {stand.state}")
        if found != amount:
            proof.differs("suspense", key, "amount", found, f"{amount}, its payment's")
        if exists is None:
            proof.fault("suspense", key, f"its exception {exception_id} is not there")


def _payments(conn: Connection) -> Iterator[Row]:
    """((book, seq), state, undone_seq, suspense, amount, bill, the bill's move by its own event)."""
    payment, event = schema.payment, schema.event
    same = and_(event.c.book_id == payment.c.book_id, event.c.seq == payment.c.seq)
    columns = payment.c.state, payment.c.undone_seq, payment.c.suspense, payment.c.amount, payment.c.bill
    found = select(payment.c.book_id, payment.c.seq, *columns, event.c.bill_move)
    return _keyed(rows(conn, found.outerjoin(event, same).order_by(payment.c.book_id, payment.c.seq)), 2)


def _undoings(conn: Connection) -> Iterator[Row]:
    """((book, payment), seq, kind, amount, bill, move, origin) of voids, reversals and voids' reversals, in order."""
    event = schema.event
    void = event.alias("void")
    own = event.c.seq, event.c.kind, event.c.amount, event.c.bill, event.c.bill_move, event.c.origin_seq
    direct = select(event.c.book_id, func.coalesce(event.c.origin_seq, 0).label("payment"), *own)
    direct = direct.where(event.c.kind.in_(sorted(REVERSALS)))
    same = and_(void.c.book_id == event.c.book_id, void.c.seq == event.c.origin_seq, void.c.kind == "void")
    again = select(event.c.book_id, func.coalesce(void.c.origin_seq, 0).label("payment"), *own)
    again = again.select_from(event).outerjoin(void, same).where(event.c.kind == "unvoid")
    both = union_all(direct, again).subquery()
    return _keyed(rows(conn, select(both).order_by(both.c.book_id, both.c.payment, both.c.seq)), 2)


def _items(conn: Connection) -> Iterator[Row]:
    """((book, seq), amount, state, exception, that exception's id or None)."""
    item = schema.suspense
    same = and_(exception.c.book_id == item.c.book_id, exception.c.id == item.c.exception_id)
    found = select(item.c.book_id, item.c.seq, item.c.amount, item.c.state, item.c.exception_id, exception.c.id)
    return _keyed(rows(conn, found.outerjoin(exception, same).order_by(item.c.book_id, item.c.seq)), 2)


def _keyed(found: Iterable[Row], size: int) -> Iterator[Row]:
    return ((row[:size], *row[size:]) for row in found)


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
    for _, book_id, seq, _, kind, text in moves:
        if kind == "withdraw":
            continue
        right = money(banks.get(book_id, ""), "payment", parts)
        if kind in REVERSALS:
            right = mirror(right)
        if _entries(text) != sorted(right):
            what = f"the transfers of this {kind} are not the parts of bill {key[0]}/{key[1]}"
            proof.fault("transfer", (book_id, seq), what)


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
    found = select(event.c.bill, event.c.book_id, event.c.seq, event.c.bill_move, event.c.kind, moved)
    order = _by_bytes(conn, event.c.bill), event.c.book_id, event.c.seq
    return rows(conn, found.where(event.c.bill_move != "").order_by(*order))


def _live(conn: Connection) -> Iterator[Row]:
    """(bill, book, seq, amount) of live payments on bills, by bill."""
    payment = schema.payment
    found = select(payment.c.bill, payment.c.book_id, payment.c.seq, payment.c.amount)
    order = _by_bytes(conn, payment.c.bill), payment.c.book_id, payment.c.seq
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
    """Debits equal credits; `clearing` is the dues, since nothing is received yet; `suspense` is its open items."""
    balance = proofs[p.BALANCE]
    balance.looked_at = len(walked.balances)
    if total := sum(walked.balances.values()):
        balance.fault("transfer", "all", f"debits are {total} fen more than credits")
    day, item = schema.day, schema.suspense
    due = select(day.c.book_id, func.sum(day.c.credits_fen - day.c.reversals_fen)).group_by(day.c.book_id)
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
