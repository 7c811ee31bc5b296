"""Payment and advice: money comes in, onto a bill or into suspense (wire.md section 6, rules 4 and 8).

A payment is a question, and may be refused; an advice is a fact, and is not. How money goes back is in
`reversal`; what an inquiry shows, in `inquiry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shebao.codecs.errors import Code
from shebao.codecs.numbers import bill_ok, receipt
from shebao.codecs.tags import fit

from . import bills
from .facts import (
    Bill,
    Book,
    Decision,
    Effects,
    Event,
    ExceptionItem,
    Facts,
    KeyClass,
    Payment,
    Request,
    Suspense,
)
from .journal import money, transfers
from .outcome import Refusal, Say, declined, paid_where, receipted

PAYMENT_PROC: Final = "500000"  # DE3 of a payment or advice
VOID_PROC: Final = "200000"
STANDS: Final = frozenset({"LIVE", "REFUNDED"})  # states of money that was taken and not undone: a refund comes after
NAME_SIZE_MAX: Final = 900  # bytes of NM beside RN and MS in the 999 of DE48

# Why a bill that is there can't be paid: status on the day of payment -> code, what the teller reads.
NOT_PAYABLE: Final = {
    bills.PAID: (Code.PAID, Say.PAID),
    bills.WITHDRAWN: (Code.NOT_PAYABLE, Say.WITHDRAWN),
    bills.EXPIRED: (Code.NOT_PAYABLE, Say.EXPIRED),
    bills.REFUNDED: (Code.NOT_PAYABLE, Say.REFUNDED),
}


def pay(request: Request, facts: Facts) -> Decision:
    """A payment (wire.md section 6, rule 4): the bill's exact amount, once, or a refusal that says why."""
    if reversed_before(request, facts):
        return declined(request, Code.REVERSED, Say.REVERSED)
    taken = taken_already(request, facts, KeyClass.ADVICE)
    if taken is not None:
        if taken.state not in STANDS:
            return declined(request, Code.REVERSED, Say.REVERSED)
        return _told_again(request, facts, taken)
    bill = payable_bill(request, facts)
    if isinstance(bill, Refusal):
        return declined(request, *bill)
    if not _may_pay(request, facts, bill):
        return declined(request, Code.NOT_PAYER, Say.NOT_PAYER)
    if request.amount != bill.amount:
        return declined(request, Code.AMOUNT, Say.AMOUNT)
    return _onto_bill(request, facts, bill)


def advise(request: Request, facts: Facts) -> Decision:
    """An advice (wire.md section 6, rule 8): money that the bank has is taken, onto its bill or into suspense.

    A payment of the same DE7, DE11 and bill is what it tells of: live, nothing more happens; declined or
    undone since, the money has no bill, even if the bill is payable now.
    """
    if reversed_before(request, facts):
        return declined(request, Code.REVERSED, Say.REVERSED)
    told = taken_already(request, facts, KeyClass.PAYMENT)
    if told is not None and told.state in STANDS:
        return _told_again(request, facts, told)
    if told is None and not _payment_declined(request, facts):
        bill = payable_bill(request, facts)
        if isinstance(bill, Bill) and request.amount == bill.amount:
            return _onto_bill(request, facts, bill)
    return _into_suspense(request, facts)


def reversed_before(request: Request, facts: Facts) -> bool:
    """Whether a reversal of this very message came first: R1 (wire.md section 6, rule 6)."""
    return facts.early[request.book_id, request.trace, request.proc] is not None


def taken_already(request: Request, facts: Facts, key_class: KeyClass) -> Payment | None:
    """Money of this DE7, DE11 and bill that another message brought: one of `key_class`, or an operator's booking.

    The live one, if there are several; else one that was undone since (wire.md section 6, rules 4 and 8).
    """
    undone = None
    for event in facts.events[request.book_id, request.trace]:
        if event.bill == request.bill and _brings_money(event, key_class):
            payment = payment_of(event, facts)
            if payment is not None and payment.state in STANDS:
                return payment
            undone = undone or payment
    return undone


def _brings_money(event: Event, key_class: KeyClass) -> bool:
    return event.key_class >= KeyClass.BOOKED or (event.key_class == key_class and event.proc == PAYMENT_PROC)


def payment_of(event: Event, facts: Facts) -> Payment | None:
    """The money that an event took, retold, voided or reversed; None of a refusal, or of what is no payment's."""
    if event.code != Code.APPROVED:
        return None
    own = facts.payments.get((event.book_id, event.seq))
    if own is not None or event.origin_seq is None:
        return own
    return facts.payments.get((event.book_id, event.origin_seq))


def payable_bill(request: Request, facts: Facts) -> Bill | Refusal:
    """The bill that `request.bill` names, if it can be paid on DE7's date; else why not (25, B1, B2).

    A number whose check digit fails is never looked up (wire.md section 4).
    """
    if not bill_ok(request.bill):
        return Refusal(Code.NOT_FOUND, Say.CHECK_DIGIT)
    bill = facts.bills[request.bill]
    if bill is None:
        return Refusal(Code.NOT_FOUND, Say.NO_BILL)
    status = bills.status_on(bill, request.moment // 1_000_000)
    if status in NOT_PAYABLE:
        code, text = NOT_PAYABLE[status]
        return Refusal(code, text, paid_where(request, facts, bill) if status == bills.PAID else ())
    return bill


def _may_pay(request: Request, facts: Facts, bill: Bill) -> bool:
    """False (B3) if `ID` or DE2 is given and not the payer's, of a bill that its owner alone may pay."""
    if not bill.owner_only:
        return True
    if request.person and request.person != bill.payer_id:
        return False
    if not request.card:
        return True
    holder = facts.cards[request.card]
    return holder is not None and holder.id == bill.payer_id


def _payment_declined(request: Request, facts: Facts) -> bool:
    events: Sequence[Event] = facts.events[request.book_id, request.trace]
    return any(
        event.key_class == KeyClass.PAYMENT
        and event.proc == PAYMENT_PROC
        and event.bill == request.bill
        and event.code != Code.APPROVED
        for event in events
    )


def _told_again(request: Request, facts: Facts, payment: Payment) -> Decision:
    bill = facts.bills.get(payment.bill)
    name = fit(bill.payer_name, NAME_SIZE_MAX) if bill is not None else ""
    effects = Effects(kind="noop", origin_seq=payment.seq)
    return receipted(request, payment, Say.TOLD_AGAIN, name, effects)


def _onto_bill(request: Request, facts: Facts, bill: Bill) -> Decision:
    book = facts.books[request.book_id]
    payment = taken_in(request, book, suspense=False)
    effects = Effects(
        kind=request.service,
        bill_before=bill,
        bill_after=bills.paid(bill, book.book_id, payment.seq),
        payment=payment,
        transfers=transfers(book, money(book.bank, "payment", bill.parts)),
    )
    return receipted(request, payment, Say.PAID_NOW, fit(bill.payer_name, NAME_SIZE_MAX), effects)


def _into_suspense(request: Request, facts: Facts) -> Decision:
    book = facts.books[request.book_id]
    payment = taken_in(request, book, suspense=True)
    item = suspense_item(request, facts, payment)
    effects = Effects(
        kind=request.service,
        payment=payment,
        transfers=transfers(book, money(book.bank, "suspense", payment.amount)),
        suspense=Suspense(book.book_id, payment.seq, payment.amount, "OPEN", item.id),
        exception=item,
    )
    return receipted(request, payment, Say.IN_SUSPENSE, "", effects)


def suspense_item(request: Request, facts: Facts, payment: Payment) -> ExceptionItem:
    """The exception that money in suspense opens; it belongs to the date open now."""
    return exception(request, facts, "SUSPENSE", payment)


def exception(request: Request, facts: Facts, item_class: str, payment: Payment) -> ExceptionItem:
    """An exception from the wire about a payment: the book's next number, the next event (settlement.md section 5)."""
    book = facts.books[request.book_id]
    return ExceptionItem(
        book.book_id, book.next_exception, book.open_date, item_class, "OPEN", book.next_seq,
        request.trace, payment.bill, payment.amount, facts.now_us,
    )  # fmt: skip


def taken_in(request: Request, book: Book, suspense: bool) -> Payment:
    """A new payment row with the book's next receipt (wire.md section 4, Receipt number)."""
    number, lane = divmod(book.book_id, 100)
    return Payment(
        book_id=book.book_id,
        seq=book.next_seq,
        date=book.open_date,
        kind=request.service,
        receipt=receipt(book.open_date % 1_000_000, f"{number:02d}", lane, book.next_receipt),
        trace=request.trace,
        moment=request.moment,
        stan=request.stan,
        rrn=request.rrn,
        terminal=request.terminal,
        branch=request.branch,
        channel=request.channel,
        bill=request.bill,
        amount=request.amount,
        suspense=suspense,
        state="LIVE",
    )
