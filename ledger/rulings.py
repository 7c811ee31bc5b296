"""What two people decide about an exception, as money (settlement.md section 5, Decisions). Pure, like every rule.

One function an action; each says what it books, or in one line why it can't be and what can be done instead. Who may
ask, and what a decision does to its date, is in `desk`; what an exception speaks of in `cases`; its mirror in
`undoing`; funds in `funds`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from . import bills
from .cases import (
    AMOUNT_DIFFERS,
    BANK_ONLY,
    DUPLICATE,
    LATE_REVERSAL,
    LEDGER_ONLY,
    STATE_DIFFERS,
    SUSPENSE,
    Ask,
    bill_of,
    bookings,
    held,
    ledger_payment,
    line_of,
    noted,
    payable,
    payment_of_case,
    told_about,
    told_by,
    why_not,
)
from .day import OTHER_DATES, date_of, days_between, iso
from .facts import Effects, ExceptionItem, Payment, Suspense
from .journal import mirror, money, standing, transfers
from .payment import VOID_PROC, taken_in
from .undoing import undo

# action -> classes that it is allowed for; which side must be live, each rule says.
ALLOWED: Final[dict[str, frozenset[str]]] = {
    "pay": frozenset({BANK_ONLY, STATE_DIFFERS, SUSPENSE}),
    "suspense": frozenset({BANK_ONLY, STATE_DIFFERS, DUPLICATE, AMOUNT_DIFFERS}),
    "reverse": frozenset({LEDGER_ONLY, STATE_DIFFERS, LATE_REVERSAL, AMOUNT_DIFFERS}),
    "return": frozenset({SUSPENSE, DUPLICATE, BANK_ONLY}),
    "carry": frozenset({BANK_ONLY, LEDGER_ONLY}),
    "accept": frozenset({BANK_ONLY, LEDGER_ONLY, DUPLICATE, AMOUNT_DIFFERS, STATE_DIFFERS, LATE_REVERSAL}),
    "undo": frozenset({BANK_ONLY, LEDGER_ONLY, DUPLICATE, AMOUNT_DIFFERS, STATE_DIFFERS, SUSPENSE, LATE_REVERSAL}),
}


def rule(ask: Ask) -> Effects | str:
    """What the decision does, or why it can't be done and what can."""
    action, case = ask.proposal.action, ask.case
    if case.item_class not in ALLOWED[action]:
        others = ", ".join(name for name in ALLOWED if name != "undo" and case.item_class in ALLOWED[name])
        return f"{action} is not for {case.item_class}; allowed are {others or 'none: it closes by itself'}"
    if ask.proposal.bill and action != "pay":
        return f"{action} puts nothing onto a bill: leave --bill out, or propose pay"
    if ask.proposal.reference and action != "return":
        return f"{action} takes no --reference: leave it out"
    return RULES[action](ask)


# -- the bank's money comes in ------------------------------------------------------------------------------------


def _pay(ask: Ask) -> Effects | str:
    """BANK_ONLY, or STATE_DIFFERS with the bank's side live, onto a bill of exactly that amount; SUSPENSE likewise."""
    if ask.case.item_class == SUSPENSE:
        return _apply(ask)
    line = line_of(ask)
    if came := _came_meanwhile(ask):
        return came
    bill = payable(ask, ask.proposal.bill or line.bill, line.trace, line.amount)
    if isinstance(bill, str):
        return bill
    if ask.case.remaining_fen != line.amount:
        return _nothing_to_book(ask)
    told = told_by(ask, line, line.amount)
    payment = taken_in(told, ask.book, suspense=False)
    payment = payment._replace(on_bill="" if bill.number == payment.bill else bill.number)
    return Effects(
        kind="booked", told=told, payment=payment, bill_before=bill,
        bill_after=bills.paid(bill, ask.book.book_id, payment.seq),
        transfers=transfers(ask.book, money(ask.book.bank, "payment", bill.parts)),
    )  # fmt: skip


def _apply(ask: Ask) -> Effects | str:
    """Money in suspense onto a bill. The payment keeps the receipt that its payer was given."""
    found = held(ask)
    if isinstance(found, str):
        return found
    item, payment = found
    bill = payable(ask, ask.proposal.bill or payment.bill, payment.trace, payment.amount)
    if isinstance(bill, str):
        return bill
    after = payment._replace(suspense=False, on_bill="" if bill.number == payment.bill else bill.number)
    return Effects(
        kind="applied", told=told_about(ask, payment), origin_seq=payment.seq, payment_after=after, bill_before=bill,
        bill_after=bills.paid(bill, payment.book_id, payment.seq), suspense=item._replace(state="APPLIED"),
        transfers=transfers(ask.book, money(ask.book.bank, "applied", bill.parts)),
    )  # fmt: skip


def _suspend(ask: Ask) -> Effects | str:
    """What the bank has more than the ledger, into suspense: it opens a SUSPENSE item of the same date."""
    fen = ask.case.remaining_fen
    if fen <= 0:
        return _nothing_to_book(ask)
    return _came_meanwhile(ask) or _parked(ask, fen, Effects(kind="parked"))


def _came_meanwhile(ask: Ask) -> str:
    """Why money that the ledger had not, or not any more, must not be booked: a message has brought it since."""
    if ask.case.item_class not in (BANK_ONLY, STATE_DIFFERS):
        return ""
    payment = ledger_payment(ask)
    if payment is None or payment.state != "LIVE":
        return ""
    told = f"payment {payment.receipt} of {iso(payment.date)}"
    if abs(days_between(payment.date, ask.case.date)) > OTHER_DATES:
        far = f"the ledger has this money: {told}, too far from {iso(ask.case.date)} to be matched with it"
        return f"{far}; reverse that first, or propose return"
    run = f"type: reconcile run --bank {ask.book.bank} --date {iso(ask.case.date)}"
    return f"the ledger has this money since: {told}; {run}"


def _parked(ask: Ask, fen: int, effects: Effects) -> Effects:
    """`effects` with fen of the bank's line in suspense."""
    told = told_by(ask, line_of(ask), fen)
    payment, book = taken_in(told, ask.book, suspense=True), ask.book
    item = ExceptionItem(
        book.book_id, book.next_exception, ask.case.due_date, SUSPENSE, "OPEN", payment.seq, told.trace, told.bill,
        fen, ask.facts.now_us,
    )  # fmt: skip
    entries = [(row.debit, row.credit, row.amount) for row in effects.transfers]
    effects = effects._replace(other_suspense=effects.suspense, other_exception=effects.exception)
    return effects._replace(
        told=told, payment=payment, transfers=transfers(book, [*entries, *money(book.bank, "suspense", fen)]),
        suspense=Suspense(book.book_id, payment.seq, fen, "OPEN", item.id), exception=item,
    )  # fmt: skip


def _nothing_to_book(ask: Ask) -> str:
    case = ask.case
    if case.answer_fen:
        return f"the bank took it back on {iso(case.answer_date)}: nothing is left to book; propose accept or undo"
    return "the bank's side is not higher than the ledger's: nothing can be booked from it; propose accept or reverse"


# -- the ledger's money goes back ---------------------------------------------------------------------------------


def _reverse(ask: Ask) -> Effects | str:
    """The mirror image of the ledger's payment; of AMOUNT_DIFFERS the bank's amount then goes to suspense."""
    case = ask.case
    if case.item_class == LATE_REVERSAL and ask.facts.acts[case.book_id, case.seq].proc == VOID_PROC:
        return _stand_again(ask)
    payment = payment_of_case(ask)
    if payment is None:
        return "there is no payment in the ledger that it speaks of; propose accept"
    if case.item_class == STATE_DIFFERS and case.remaining_fen > 0:
        return "the bank's side is live: propose pay or suspense"
    beside = [one.receipt for one in bookings(ask.facts, case) if one.state == "LIVE" and one.seq != payment.seq]
    if beside:
        return f"it was booked in parts, and receipt {beside[-1]} stands beside: propose undo first, once for each part"
    effects = _mirrored(ask, payment)
    if isinstance(effects, str) or case.item_class != AMOUNT_DIFFERS:
        return effects
    fen = case.remaining_fen + payment.amount
    return _parked(ask, fen, effects) if fen > 0 else effects


def _mirrored(ask: Ask, payment: Payment) -> Effects | str:
    """A live payment undone: its bill is free again, or its suspense item closed."""
    facts, book = ask.facts, ask.book
    if payment.state != "LIVE":
        return f"payment {payment.receipt} is {payment.state} already; propose accept"
    item = facts.suspense.get((payment.book_id, payment.seq))
    if item is not None and item.state == "RETURNED":
        return f"payment {payment.receipt} was returned from suspense: there is nothing to reverse; propose accept"
    bill = None if payment.suspense else bill_of(facts, payment)
    after = payment._replace(state="REVERSED", undone_seq=ask.seq)
    effects = Effects(
        kind="reversed", told=told_about(ask, payment), origin_seq=payment.seq, payment_after=after,
        transfers=transfers(book, mirror(standing(payment, book.bank, bill))),
    )  # fmt: skip
    if bill is not None:
        return effects._replace(bill_before=bill, bill_after=bills.released(bill, date_of(facts.now_us)))
    assert item is not None, f"payment {payment.receipt} is in suspense without an item"
    closed = facts.exceptions[payment.book_id, item.exception_id]
    if closed.state == "PROPOSED" and closed.id != ask.case.id:
        return f"exception {closed.id} about its suspense item waits for a second person: approve or reject that first"
    if closed.id == ask.case.id:
        return effects._replace(suspense=item._replace(state="REVERSED"))
    return effects._replace(suspense=item._replace(state="REVERSED"), exception=closed._replace(state="CLOSED"))


def _stand_again(ask: Ask) -> Effects | str:
    """A void's reversal that came too late: the bank has the money again, so the payment stands again."""
    payment = payment_of_case(ask)
    if payment is None or payment.state != "VOIDED":
        return "the payment stands already; propose accept"
    after = payment._replace(state="LIVE", undone_seq=None)
    if payment.suspense:
        item = ask.facts.suspense[payment.book_id, payment.seq]
        again = ask.facts.exceptions[payment.book_id, item.exception_id]
        return Effects(
            kind="reversed", told=told_about(ask, payment), origin_seq=payment.seq, payment_after=after,
            suspense=item._replace(state="OPEN"), exception=again._replace(state="OPEN", proposal=""),
            transfers=transfers(ask.book, money(ask.book.bank, "suspense", payment.amount)),
        )  # fmt: skip
    bill = bill_of(ask.facts, payment)
    wrong = why_not(ask, bill, payment.pays, payment.trace, payment.amount)
    if wrong:
        return f"{wrong}; propose accept, and ask the bank to return the money"
    return Effects(
        kind="reversed", told=told_about(ask, payment), origin_seq=payment.seq, payment_after=after,
        bill_before=bill, bill_after=bills.paid(bill, payment.book_id, payment.seq),
        transfers=transfers(ask.book, money(ask.book.bank, "payment", bill.parts)),
    )  # fmt: skip


# -- nothing moves, or suspense is given up -----------------------------------------------------------------------


def _return(ask: Ask) -> Effects | str:
    """SUSPENSE goes back: the bank still holds it, or with a reference the bureau pays. Else the bank repays."""
    if ask.case.item_class != SUSPENSE:
        return Effects(kind="noted", told=noted(ask))
    found = held(ask)
    if isinstance(found, str):
        return found
    item, payment = found
    cause = "returned by transfer" if ask.proposal.reference else "returned"
    return Effects(
        kind="returned", told=told_about(ask, payment), origin_seq=payment.seq,
        suspense=item._replace(state="RETURNED"),
        transfers=transfers(ask.book, money(ask.book.bank, cause, payment.amount)),
    )  # fmt: skip


def _note(ask: Ask) -> Effects | str:
    return Effects(kind="noted", told=noted(ask))


RULES: Final[dict[str, Callable[[Ask], Effects | str]]] = {
    "pay": _pay, "suspense": _suspend, "reverse": _reverse, "return": _return, "carry": _note, "accept": _note,
    "undo": undo,
}  # fmt: skip
