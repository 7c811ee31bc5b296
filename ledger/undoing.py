"""A decision undone by its mirror, which is a decision of its own (settlement.md section 5). Pure, like every rule.

What it undoes is the decision that holds; the exception is open again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from . import bills
from .cases import LATE_REVERSAL, Ask, bill_of, noted, told_about, why_not
from .day import date_of
from .facts import Effects, ExceptionItem, Payment, Suspense
from .journal import mirror, transfers
from .payment import VOID_PROC


def undo(ask: Ask) -> Effects | str:
    """The mirror image of the decision that holds; the exception is open again."""
    case, facts = ask.case, ask.facts
    if not case.decided_seq:
        return "nothing was decided about it, so there is nothing to undo"
    decided = facts.acts[case.book_id, case.decided_seq]
    entries = [(row.debit, row.credit, row.amount) for row in facts.entries[case.book_id, case.decided_seq]]
    effects = Effects(
        kind="undone", origin_seq=decided.seq, transfers=transfers(ask.book, mirror(entries)), told=noted(ask)
    )
    undoing = UNDOINGS.get(decided.kind)
    if undoing is None:
        return effects
    own = facts.payments.get((case.book_id, decided.seq))
    origin = facts.payments.get((case.book_id, decided.origin_seq or 0))
    found = undoing(ask, effects, own, origin)
    if isinstance(found, str):
        return found
    payment = own or origin
    return found if payment is None else found._replace(told=told_about(ask, payment))


def _undo_booked(ask: Ask, effects: Effects, own: Payment | None, origin: Payment | None) -> Effects | str:
    assert own is not None
    if own.state != "LIVE":
        return f"payment {own.receipt} is {own.state} since; there is nothing left to undo"
    bill = bill_of(ask.facts, own)
    return effects._replace(
        payment_after=own._replace(state="REVERSED", undone_seq=ask.seq),
        bill_before=bill, bill_after=bills.released(bill, date_of(ask.facts.now_us)),
    )  # fmt: skip


def _undo_parked(ask: Ask, effects: Effects, own: Payment | None, origin: Payment | None) -> Effects | str:
    assert own is not None
    return _given_up(ask, effects._replace(other_after=own._replace(state="REVERSED", undone_seq=ask.seq)), own)


def _given_up(ask: Ask, effects: Effects, payment: Payment) -> Effects | str:
    """`effects` with the payment's suspense item closed, if nothing was decided about that."""
    item, opened = _item_of(ask, payment)
    if item.state != "OPEN" or opened.state not in ("OPEN", "CARRIED"):
        return f"its suspense item, exception {opened.id}, is {item.state}, {opened.state}: undo or reject that first"
    return effects._replace(suspense=item._replace(state="REVERSED"), exception=opened._replace(state="CLOSED"))


def _undo_applied(ask: Ask, effects: Effects, own: Payment | None, origin: Payment | None) -> Effects | str:
    assert origin is not None
    if origin.state != "LIVE":
        return f"payment {origin.receipt} is {origin.state} since; there is nothing left to undo"
    bill = bill_of(ask.facts, origin)
    item = ask.facts.suspense[origin.book_id, origin.seq]
    return effects._replace(
        payment_after=origin._replace(suspense=True, on_bill=""), suspense=item._replace(state="OPEN"),
        bill_before=bill, bill_after=bills.released(bill, date_of(ask.facts.now_us)),
    )  # fmt: skip


def _undo_returned(ask: Ask, effects: Effects, own: Payment | None, origin: Payment | None) -> Effects | str:
    assert origin is not None
    return effects._replace(suspense=ask.facts.suspense[origin.book_id, origin.seq]._replace(state="OPEN"))


def _undo_reversed(ask: Ask, effects: Effects, own: Payment | None, origin: Payment | None) -> Effects | str:
    """The payment stands again, if its bill can take it; what was parked beside it goes back."""
    assert origin is not None
    if _is_of_a_void(ask):
        return _undo_stood_again(ask, effects, origin)
    if origin.undone_seq != ask.case.decided_seq:
        return f"payment {origin.receipt} is {origin.state} by another event since; there is nothing left to undo"
    if own is not None:
        parked = _undo_parked(ask, effects, own, origin)
        if isinstance(parked, str):
            return parked
        effects = parked._replace(other_suspense=parked.suspense, other_exception=parked.exception)
        effects = effects._replace(suspense=None, exception=None)
    after = origin._replace(state="LIVE", undone_seq=None)
    if origin.suspense:
        item, opened = _item_of(ask, origin)
        again = None if opened.id == ask.case.id else opened._replace(state="OPEN", proposal="")
        return effects._replace(payment_after=after, suspense=item._replace(state="OPEN"), exception=again)
    bill = bill_of(ask.facts, origin)
    wrong = why_not(ask, bill, origin.pays, origin.trace, origin.amount)
    if wrong:
        return f"the payment can't stand again: {wrong}; propose suspense instead"
    return effects._replace(
        payment_after=after, bill_before=bill, bill_after=bills.paid(bill, origin.book_id, origin.seq)
    )


def _is_of_a_void(ask: Ask) -> bool:
    return ask.case.item_class == LATE_REVERSAL and ask.facts.acts[ask.case.book_id, ask.case.seq].proc == VOID_PROC


def _undo_stood_again(ask: Ask, effects: Effects, origin: Payment) -> Effects | str:
    """The payment of a void whose late reversal was decided: it is voided again, by the void that it was voided by."""
    if origin.state != "LIVE":
        return f"payment {origin.receipt} is {origin.state} since; there is nothing left to undo"
    void_seq = ask.facts.acts[ask.case.book_id, ask.case.seq].origin_seq
    after = origin._replace(state="VOIDED", undone_seq=void_seq)
    if ask.facts.acts[origin.book_id, ask.case.decided_seq].bill_move:
        bill = bill_of(ask.facts, origin)
        free = bills.released(bill, date_of(ask.facts.now_us))
        return effects._replace(payment_after=after, bill_before=bill, bill_after=free)
    return _given_up(ask, effects._replace(payment_after=after), origin)


def _item_of(ask: Ask, payment: Payment) -> tuple[Suspense, ExceptionItem]:
    """A payment's suspense item, and the exception that it opened."""
    item = ask.facts.suspense[payment.book_id, payment.seq]
    return item, ask.facts.exceptions[payment.book_id, item.exception_id]


Undoing = Callable[[Ask, Effects, Payment | None, Payment | None], Effects | str]
UNDOINGS: Final[dict[str, Undoing]] = {  # kind of the event -> what else its mirror changes
    "booked": _undo_booked,
    "parked": _undo_parked,
    "applied": _undo_applied,
    "returned": _undo_returned,
    "reversed": _undo_reversed,
}
