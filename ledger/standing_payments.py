"""How each payment and its suspense item stand, against the sealed events about them (for `verify`).

One table of moves says what an event makes of a payment; a merge of streams replays it, a few rows in memory at a time.
Bills, dates and accounts are in `standing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, and_, case, func, literal, select, union_all

from . import proof as p
from . import schema, schema_day
from .journal import REVERSALS
from .proof import Proof, Proofs
from .schema_day import exception
from .walk import rows

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


class Stand(NamedTuple):
    """How a payment stands: the columns of `payment` that change."""

    state: str = "LIVE"
    undone_seq: int | None = None
    suspense: bool = False
    on_bill: str = ""


class Told(NamedTuple):
    """A later event about a payment. of_seq: of a mirror the event that it undoes."""

    key: Row
    seq: int
    kind: str
    amount: int
    bill: str
    move: str
    of_seq: int | None
    onto: str  # the bill that a decision moved


def prove_payments(conn: Connection, proofs: Proofs) -> None:
    """What changes of each payment, and its suspense item, are what its events left."""
    for key, (payments, undoings, items) in merged(_payments(conn), _undoings(conn), _items(conn)):
        proof = proofs[p.STATES]
        if not payments:
            for _, seq, kind, *_ in undoings:
                proof.fault("event", (key[0], seq), f"{kind} of payment {key[0]}/{key[1]}, which is not there")
            for _ in items:
                proofs[p.SUSPENSE].fault("suspense", key, "belongs to no payment")
            continue
        ((_, state, undone_seq, suspense, on_bill, amount, bill, kind, move, onto),) = payments
        proof.looked_at += 1
        parked = not move or kind in PARKS
        stand = Stand(suspense=parked, on_bill="" if parked or onto in (None, bill) else onto)
        item = "OPEN" if parked else ""
        voids: dict[int, int | None] = {}  # by the decision that let it stand again: the void that held till then
        for told in map(Told._make, undoings):
            after = after_event(stand, item, told, bill, voids)
            if after is None:
                what = f"{told.kind} of payment {key[0]}/{key[1]}, which was {stand.state} then"
                proof.fault("event", (key[0], told.seq), what)
                continue
            if told.kind in WIRE and (told.amount, told.bill) != (amount, stand.on_bill or after[0].on_bill or bill):
                of = f"bill {p.shown(told.bill)}, its payment is of {amount} for {bill}"
                proof.fault("event", (key[0], told.seq), f"{told.kind} of {told.amount} fen for {of}")
            stand, item = after
        found = state, undone_seq, bool(suspense), on_bill
        for column, value, right in zip(Stand._fields, found, stand, strict=True):
            if value != right:
                proof.differs("payment", key, column, value, f"{p.shown(right)}, as its events left it")
        _prove_item(proofs[p.SUSPENSE], key, items, amount, stand, item)


WIRE: Final = REVERSALS | {"unvoid"}
PARKS: Final = frozenset({"parked", "reversed"})  # kinds whose own payment is in suspense, whatever they moved


def after_event(
    stand: Stand, item: str, told: Told, bill: str, voids: dict[int, int | None]
) -> tuple[Stand, str] | None:
    """The move that an event makes of a payment and its suspense item; None where it may not."""
    held = "REVERSED" if stand.suspense else item
    kind, state, suspense = told.kind, stand.state, stand.suspense
    if kind in REVERSALS or (kind == "reversed" and state == "LIVE"):
        if state != "LIVE" or (suspense and item != "OPEN") or (kind in REVERSALS and suspense != (not told.move)):
            return None
        return stand._replace(state="VOIDED" if kind == "void" else "REVERSED", undone_seq=told.seq), held
    if kind in ("unvoid", "reversed"):
        may = state == "VOIDED" and (kind == "reversed" or stand.undone_seq == told.of_seq)
        if not may or (told.move and suspense):
            return None
        parked = not told.move
        if kind == "reversed":
            voids[told.seq] = stand.undone_seq
        return stand._replace(state="LIVE", undone_seq=None, suspense=parked), "OPEN" if parked else item
    if kind == "undone reversed" and told.of_seq in voids:
        if state != "LIVE" or (suspense and item != "OPEN"):
            return None
        return stand._replace(state="VOIDED", undone_seq=voids[told.of_seq]), held
    change = DECIDED.get(kind)
    if change is None or (state, suspense, item) not in change[0]:
        return None
    if kind == "undone reversed" and stand.undone_seq != told.of_seq:
        return None
    after = stand._replace(**change[1])
    if kind == "applied":
        after = after._replace(on_bill="" if told.onto == bill else told.onto)
    if "undone_seq" in change[1] and change[1]["undone_seq"] is not None:
        after = after._replace(undone_seq=told.seq)
    return after, _item_after(change[2], item, suspense)


def _item_after(rule: str, item: str, suspense: bool) -> str:
    """`AGAIN`: an item that is undone, or stands again, with its payment; one that was applied stays so."""
    if rule == AGAIN and suspense:
        return "REVERSED" if item == "OPEN" else "OPEN"
    return item if rule in (SAME, AGAIN) else rule


SAME, AGAIN = "same", "again"
_ITEMS: Final = ("", "OPEN", "REVERSED", "APPLIED")
# kind, or "undone" and the kind that was undone -> (state, suspense, item) before, what changes (undone_seq 0: the
# event's own), item after
DECIDED: Final[dict[str, tuple[frozenset[tuple[str, bool, str]], dict[str, Any], str]]] = {
    "applied": (frozenset({("LIVE", True, "OPEN")}), {"suspense": False}, "APPLIED"),
    "returned": (frozenset({("LIVE", True, "OPEN")}), {}, "RETURNED"),
    "refunded": (frozenset(("LIVE", False, one) for one in _ITEMS), {"state": "REFUNDED", "undone_seq": 0}, SAME),
    "undone applied": (frozenset({("LIVE", False, "APPLIED")}), {"suspense": True, "on_bill": ""}, "OPEN"),
    "undone returned": (frozenset({("LIVE", True, "RETURNED")}), {}, "OPEN"),
    "undone reversed": (
        frozenset({("REVERSED", True, "REVERSED"), *(("REVERSED", False, one) for one in _ITEMS)}),
        {"state": "LIVE", "undone_seq": None}, AGAIN,
    ),
    "undone own": (
        frozenset({("LIVE", True, "OPEN"), *(("LIVE", False, one) for one in _ITEMS)}),
        {"state": "REVERSED", "undone_seq": 0}, AGAIN,
    ),
}  # fmt: skip


def _prove_item(proof: Proof, key: Any, items: list[Row], amount: int, stand: Stand, right: str) -> None:
    if bool(items) != bool(right):
        proof.fault("suspense", key, "belongs to a payment that never was in suspense" if items else "is not there")
        return
    for _, found, state, exception_id, exists in items:
        proof.looked_at += 1
        if state != right:
            proof.differs("suspense", key, "state", state, f"{right}, as its payment is {stand.state}")
        if found != amount:
            proof.differs("suspense", key, "amount", found, f"{amount}, its payment's")
        if exists is None:
            proof.fault("suspense", key, f"its exception {exception_id} is not there")


def _payments(conn: Connection) -> Iterator[Row]:
    """((book, seq), what changes, amount, bill; of its own event the kind, the bill's move, the bill it moved)."""
    payment, event, ruling = schema.payment, schema.event, schema_day.ruling
    same = and_(event.c.book_id == payment.c.book_id, event.c.seq == payment.c.seq)
    ruled = and_(ruling.c.book_id == payment.c.book_id, ruling.c.seq == payment.c.seq)
    columns = (
        payment.c.state, payment.c.undone_seq, payment.c.suspense, payment.c.on_bill, payment.c.amount, payment.c.bill,
        event.c.kind, event.c.bill_move, ruling.c.bill,
    )  # fmt: skip
    found = select(payment.c.book_id, payment.c.seq, *columns).select_from(payment)
    found = found.outerjoin(event, same).outerjoin(ruling, ruled)
    return _keyed(rows(conn, found.order_by(payment.c.book_id, payment.c.seq)), 2)


def _undoings(conn: Connection) -> Iterator[Row]:
    """Rows of `Told` for every event after a payment's own, in order."""
    event, ruling = schema.event, schema_day.ruling
    before, payment = event.alias("before"), schema.payment
    onto = func.coalesce(ruling.c.bill, "")
    ruled = and_(ruling.c.book_id == event.c.book_id, ruling.c.seq == event.c.seq)
    same = and_(before.c.book_id == event.c.book_id, before.c.seq == event.c.origin_seq)

    def told(payment_seq: Any, kind: Any) -> Select[Any]:
        own = event.c.amount, event.c.bill, event.c.bill_move, event.c.origin_seq, onto.label("onto")
        seq = func.coalesce(payment_seq, 0).label("payment")
        found = select(event.c.book_id, seq, event.c.seq, kind.label("kind"), *own)
        return found.select_from(event.outerjoin(ruling, ruled).outerjoin(before, same))

    direct = told(event.c.origin_seq, event.c.kind).where(event.c.kind.in_(sorted(REVERSALS | OF_A_PAYMENT)))
    again = told(case((before.c.kind == "void", before.c.origin_seq)), event.c.kind).where(event.c.kind == "unvoid")
    mirror = literal("undone ") + before.c.kind
    undone = event.c.kind == "undone"
    of_origin = told(before.c.origin_seq, mirror).where(undone, before.c.kind.in_(sorted(OF_A_PAYMENT)))
    has_own = select(payment.c.seq).where(payment.c.book_id == before.c.book_id, payment.c.seq == before.c.seq)
    of_own = told(before.c.seq, literal("undone own")).where(undone, has_own.exists())
    both = union_all(direct, again, of_origin, of_own).subquery()
    return _keyed(rows(conn, select(both).order_by(both.c.book_id, both.c.payment, both.c.seq)), 2)


OF_A_PAYMENT: Final = frozenset({"applied", "returned", "reversed", "refunded"})  # decisions about an earlier payment


def _items(conn: Connection) -> Iterator[Row]:
    """((book, seq), amount, state, exception, that exception's id or None)."""
    item = schema.suspense
    same = and_(exception.c.book_id == item.c.book_id, exception.c.id == item.c.exception_id)
    found = select(item.c.book_id, item.c.seq, item.c.amount, item.c.state, item.c.exception_id, exception.c.id)
    return _keyed(rows(conn, found.outerjoin(exception, same).order_by(item.c.book_id, item.c.seq)), 2)


def _keyed(found: Iterable[Row], size: int) -> Iterator[Row]:
    return ((row[:size], *row[size:]) for row in found)
