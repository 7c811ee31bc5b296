"""Reversal, void, and the reversal of a void: money goes back, or comes to stand again (rules 6 and 7).

Three acts, one order of questions: is there an original, did it do anything, is it undone already, is it the
same amount, is it too late; then the mirror image. Who finds an original finds it by DE90 alone.
"""

from __future__ import annotations

from typing import Final

from shebao.codecs.errors import Code
from shebao.codecs.numbers import bill_ok

from . import bills
from .day import AGREED, date_of
from .facts import (
    Bill,
    Decision,
    Early,
    Effects,
    Event,
    ExceptionItem,
    Facts,
    KeyClass,
    Original,
    Payment,
    Request,
    Suspense,
)
from .journal import mirror, money, standing, transfers
from .outcome import Say, declined, undone
from .payment import PAYMENT_PROC, STANDS, VOID_PROC, exception, payment_of, reversed_before, suspense_item

INSTITUTION_SIZE: Final = 11  # digits of DE32 within DE90, zero-filled

# Class of DE90's MTI -> classes in which to look for a payment, the likelier first (rule 6, "the other way round").
LOOK_IN: Final = {
    KeyClass.PAYMENT: (KeyClass.PAYMENT, KeyClass.BOOKED, KeyClass.ADVICE),
    KeyClass.ADVICE: (KeyClass.ADVICE, KeyClass.PAYMENT, KeyClass.BOOKED),
}


def reverse(request: Request, facts: Facts) -> Decision:
    """A reversal (wire.md section 6, rule 6), of a payment or advice, or with DE3 200000 of a void."""
    original = request.original
    assert original is not None, "intake lets no reversal through without DE90"
    if not _is_of_this_bank(original, request):
        return declined(request, Code.NOT_FOUND, Say.NO_ORIGINAL)
    event = find_original(original, request.proc, facts, request.book_id)
    if event is None:
        return _not_found(request, facts, original)
    if event.code != Code.APPROVED or (event.kind == "noop" and event.origin_seq is None):
        return undone(request, facts, None, Effects(kind="noop", bill_number=event.bill))  # also a void of nothing
    payment = payment_of(event, facts)
    if payment is None:
        raise LookupError(f"event {event.seq} of book {event.book_id} was approved, but its payment is not loaded")
    if request.proc == VOID_PROC:
        return _reverse_void(request, facts, event, payment)
    if payment.state not in STANDS:
        return undone(request, facts, payment, _no_effect(payment))
    if request.amount != payment.amount:
        return declined(request, Code.AMOUNT, Say.AMOUNT_OF_ORIGINAL)
    if _date_is_reconciled(facts, payment.book_id, payment.date) or _is_decided(facts, payment):
        return _too_late(request, facts, payment)
    return undone(request, facts, payment, _mirrored(request, facts, payment))


def void(request: Request, facts: Facts) -> Decision:
    """A void (wire.md section 6, rule 7): the teller's own reversal, within the original's open date.

    What was reversed or voided already stays so: 00, no effect, as of any reversal; but on a later date the
    answer is R2 before that, since 00 would have the teller pay out a second time. R2 opens no exception.
    """
    original = request.original
    assert original is not None, "intake lets no void through without DE90"
    if reversed_before(request, facts):
        return declined(request, Code.REVERSED, Say.REVERSED)
    if not bill_ok(request.bill):
        return declined(request, Code.NOT_FOUND, Say.CHECK_DIGIT)
    event = None
    if _is_of_this_bank(original, request):
        event = find_original(original, PAYMENT_PROC, facts, request.book_id)
    if event is None or event.bill != request.bill:
        return declined(request, Code.NOT_FOUND, Say.NO_ORIGINAL)
    if event.code != Code.APPROVED:
        return undone(request, facts, None, Effects(kind="noop"), Say.NOTHING_TO_UNDO)
    payment = payment_of(event, facts)
    if payment is None:
        raise LookupError(f"event {event.seq} of book {event.book_id} was approved, but its payment is not loaded")
    if payment.kind == "booked" or payment.date != facts.books[request.book_id].open_date:
        return declined(request, Code.TOO_LATE_TO_REVERSE, Say.TOO_LATE)
    if payment.state not in STANDS:
        return undone(request, facts, payment, _no_effect(payment), Say.NOTHING_TO_UNDO)
    if request.amount != payment.amount:
        return declined(request, Code.AMOUNT, Say.AMOUNT_OF_ORIGINAL)
    if _is_decided(facts, payment):
        return declined(request, Code.TOO_LATE_TO_REVERSE, Say.TOO_LATE)
    return undone(request, facts, payment, _mirrored(request, facts, payment))


def find_original(original: Original, proc: str, facts: Facts, book_id: int) -> Event | None:
    """The message that DE90 speaks of (wire.md section 6, rule 6): approved if there is one, else declined.

    MTI by class: with no approved payment, an advice of that DE7 and DE11 is the original, and the other way
    round; an item that an operator booked counts as a payment. DE3 must be the original's (a void's is 200000).
    """
    events = facts.events[book_id, original.trace]
    declined_one = None
    for key_class in LOOK_IN.get(original.key_class, ()):
        for event in _of_class(events, key_class, proc, facts):
            if event.code == Code.APPROVED:
                return event
            declined_one = declined_one or event
    return declined_one


def _of_class(events: list[Event], key_class: KeyClass, proc: str, facts: Facts) -> list[Event]:
    """Payments of one class; of an operator's bookings the twins too, those undone already last."""
    if key_class == KeyClass.BOOKED and proc == PAYMENT_PROC:
        booked = [event for event in events if event.key_class >= KeyClass.BOOKED]
        return sorted(booked, key=lambda event: facts.payments[event.book_id, event.seq].state not in STANDS)
    return [event for event in events if event.key_class == key_class and event.proc == proc]


def _is_of_this_bank(original: Original, request: Request) -> bool:
    own = request.echo.get(32, "")
    return original.institution.zfill(INSTITUTION_SIZE) == own.zfill(INSTITUTION_SIZE)


def _not_found(request: Request, facts: Facts, original: Original) -> Decision:
    """25, and it is remembered, so that an original that comes later moves nothing (wire.md section 6, rule 6).

    Only a message that is not there is remembered: not one that is there with another DE3, nor one that
    can't come, since DE90's MTI is of no payment, advice or void.
    """
    early = None
    key = request.book_id, original.trace, request.proc
    is_there = any(event.key_class in LOOK_IN for event in facts.events[request.book_id, original.trace])
    if original.key_class in LOOK_IN and not is_there and facts.early[key] is None:
        early = Early(*key, facts.books[request.book_id].next_seq)
    return declined(request, Code.NOT_FOUND, Say.NO_ORIGINAL, effects=Effects(early=early))


def _date_is_reconciled(facts: Facts, book_id: int, date: int) -> bool:
    day = facts.days[book_id, date]
    return day is not None and day.state in AGREED


def _is_decided(facts: Facts, payment: Payment) -> bool:
    """Whether two people have disposed of the money since: its bill refunded, its suspense item decided."""
    item = facts.suspense.get((payment.book_id, payment.seq))
    if item is not None and item.state in ("APPLIED", "RETURNED"):
        return True
    return payment.state == "REFUNDED" or (not payment.suspense and _bill_of(facts, payment).status == bills.REFUNDED)


def _bill_of(facts: Facts, payment: Payment) -> Bill:
    bill = facts.bills[payment.pays]
    if bill is None:
        raise LookupError(f"payment {payment.receipt} stands on bill {payment.pays}, which is not there")
    return bill


def _no_effect(payment: Payment) -> Effects:
    return Effects(kind="noop", origin_seq=payment.seq, bill_number=payment.bill)


def _too_late(request: Request, facts: Facts, payment: Payment, origin_seq: int | None = None) -> Decision:
    """R2: the bank has paid out what is settled here, so an exception is opened (wire.md section 6, rule 6)."""
    effects = Effects(
        origin_seq=payment.seq if origin_seq is None else origin_seq,
        bill_number=payment.bill,
        exception=exception(request, facts, "LATE_REVERSAL", payment),
    )
    return declined(request, Code.TOO_LATE_TO_REVERSE, Say.TOO_LATE, effects=effects)


def _mirrored(request: Request, facts: Facts, payment: Payment) -> Effects:
    """The payment undone: its entries mirrored, its bill free again, or its suspense item closed."""
    book = facts.books[request.book_id]
    state = "VOIDED" if request.service == "void" else "REVERSED"
    after = payment._replace(state=state, undone_seq=book.next_seq)
    bill = None if payment.suspense else _bill_of(facts, payment)
    moved = transfers(book, mirror(standing(payment, book.bank, bill)))
    if bill is not None:
        return Effects(
            kind=request.service, origin_seq=payment.seq, bill_number=payment.pays, payment_after=after,
            transfers=moved, bill_before=bill, bill_after=bills.released(bill, date_of(facts.now_us)),
        )  # fmt: skip
    suspense = facts.suspense[payment.book_id, payment.seq]
    item = facts.exceptions[payment.book_id, suspense.exception_id]
    return Effects(
        kind=request.service, origin_seq=payment.seq, bill_number=payment.bill, payment_after=after,
        transfers=moved, suspense=suspense._replace(state="REVERSED"), exception=item._replace(state="CLOSED"),
    )  # fmt: skip


def _reverse_void(request: Request, facts: Facts, voided: Event, payment: Payment) -> Decision:
    """A void's own reversal (wire.md section 6, rule 6): the payment stands again under its old receipt.

    Only the void that holds now can be reversed: one that had no effect, or was reversed already, gets 00.
    Where the bill can't take the payment back, or it stood in suspense before, the money goes to suspense.
    """
    if payment.undone_seq != voided.seq or payment.state != "VOIDED":
        return undone(request, facts, payment, _no_effect(payment))
    if request.amount != voided.amount:
        return declined(request, Code.AMOUNT, Say.AMOUNT_OF_ORIGINAL)
    if _date_is_reconciled(facts, voided.book_id, voided.date):
        return _too_late(request, facts, payment, voided.seq)
    return undone(request, facts, payment, _standing_again(request, facts, voided, payment))


def _standing_again(request: Request, facts: Facts, voided: Event, payment: Payment) -> Effects:
    book = facts.books[request.book_id]
    again = payment._replace(state="LIVE", undone_seq=None)
    bill = None if payment.suspense else _bill_of(facts, payment)
    if bill is not None and bills.is_payable(bill, payment.moment // 1_000_000):
        return Effects(
            kind="unvoid", origin_seq=voided.seq, bill_number=payment.bill, payment_after=again,
            transfers=transfers(book, money(book.bank, "payment", bill.parts)),
            bill_before=bill, bill_after=bills.paid(bill, payment.book_id, payment.seq),
        )  # fmt: skip
    item: ExceptionItem = suspense_item(request, facts, payment)
    return Effects(
        kind="unvoid", origin_seq=voided.seq, bill_number=payment.bill, payment_after=again._replace(suspense=True),
        transfers=transfers(book, money(book.bank, "suspense", payment.amount)),
        suspense=Suspense(payment.book_id, payment.seq, payment.amount, "OPEN", item.id), exception=item,
    )  # fmt: skip
