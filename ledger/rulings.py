"""What two people decide about an exception, as money (settlement.md section 5, Decisions). Pure, like every rule.

One function an action; each says what it books, or in one line why it can't be and what can be done instead. Who may
ask, and what a decision does to its date, is in `desk`; funds are in `funds`. Nothing here knows how an exception was
found: it reads the two sides' lines that the exception keeps.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

from . import bills
from .day import date_of
from .facts import Bill, Book, Effects, ExceptionItem, Facts, KeyClass, Payment, Proposal, Request, Suspense
from .journal import mirror, money, standing, transfers
from .payment import PAYMENT_PROC, VOID_PROC, payment_of, taken_in

BANK_ONLY, LEDGER_ONLY, DUPLICATE = "BANK_ONLY", "LEDGER_ONLY", "DUPLICATE"
AMOUNT_DIFFERS, STATE_DIFFERS, SUSPENSE, LATE_REVERSAL = "AMOUNT_DIFFERS", "STATE_DIFFERS", "SUSPENSE", "LATE_REVERSAL"

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


class Ask(NamedTuple):
    """One decision to be judged: what is asked, about what, against which facts."""

    request: Request
    facts: Facts
    book: Book
    proposal: Proposal
    case: ExceptionItem

    @property
    def seq(self) -> int:
        """Of the event that it becomes."""
        return self.book.next_seq


class Line(NamedTuple):
    """The line that an item is booked by: its time, STAN, RRN and bill are kept."""

    trace: int
    stan: str
    rrn: str
    terminal: str
    branch: str
    channel: str
    bill: str
    amount: int


def rule(ask: Ask) -> Effects | str:
    """What the decision does, or why it can't be done and what can."""
    action, case = ask.proposal.action, ask.case
    if case.item_class not in ALLOWED[action]:
        others = ", ".join(name for name in ALLOWED if name != "undo" and case.item_class in ALLOWED[name])
        return f"{action} is not for {case.item_class}; allowed are {others or 'none: it closes by itself'}"
    return RULES[action](ask)


# -- the bank's money comes in ------------------------------------------------------------------------------------


def _pay(ask: Ask) -> Effects | str:
    """BANK_ONLY, or STATE_DIFFERS with the bank's side live, onto a bill of exactly that amount; SUSPENSE likewise."""
    if ask.case.item_class == SUSPENSE:
        return _apply(ask)
    line = _line(ask)
    bill = _payable(ask, ask.proposal.bill or line.bill, line.trace, line.amount)
    if isinstance(bill, str):
        return bill
    if ask.case.remaining_fen != line.amount:
        return _nothing_to_book(ask)
    told = _told(ask, line, line.amount)
    payment = taken_in(told, ask.book, suspense=False)
    payment = payment._replace(on_bill="" if bill.number == payment.bill else bill.number)
    return Effects(
        kind="booked", told=told, payment=payment, bill_before=bill,
        bill_after=bills.paid(bill, ask.book.book_id, payment.seq),
        transfers=transfers(ask.book, money(ask.book.bank, "payment", bill.parts)),
    )  # fmt: skip


def _apply(ask: Ask) -> Effects | str:
    """Money in suspense onto a bill. The payment keeps the receipt that its payer was given."""
    found = _held(ask)
    if isinstance(found, str):
        return found
    item, payment = found
    bill = _payable(ask, ask.proposal.bill or payment.bill, payment.trace, payment.amount)
    if isinstance(bill, str):
        return bill
    after = payment._replace(suspense=False, on_bill="" if bill.number == payment.bill else bill.number)
    return Effects(
        kind="applied", told=_about(ask, payment), origin_seq=payment.seq, payment_after=after, bill_before=bill,
        bill_after=bills.paid(bill, payment.book_id, payment.seq), suspense=item._replace(state="APPLIED"),
        transfers=transfers(ask.book, money(ask.book.bank, "applied", bill.parts)),
    )  # fmt: skip


def _suspend(ask: Ask) -> Effects | str:
    """What the bank has more than the ledger, into suspense: it opens a SUSPENSE item of the same date."""
    fen = ask.case.remaining_fen
    if fen <= 0:
        return _nothing_to_book(ask)
    return _parked(ask, fen, Effects(kind="parked"))


def _parked(ask: Ask, fen: int, effects: Effects) -> Effects:
    """`effects` with fen of the bank's line in suspense."""
    told = _told(ask, _line(ask), fen)
    payment, book = taken_in(told, ask.book, suspense=True), ask.book
    item = ExceptionItem(
        book.book_id, book.next_exception, ask.case.due_date, SUSPENSE, "OPEN", payment.seq, told.trace, told.bill,
        fen, ask.facts.now_us,
    )  # fmt: skip
    entries = [(row.debit, row.credit, row.amount) for row in effects.transfers]
    return effects._replace(
        told=told, payment=payment, transfers=transfers(book, [*entries, *money(book.bank, "suspense", fen)]),
        suspense=Suspense(book.book_id, payment.seq, fen, "OPEN", item.id), exception=item,
    )  # fmt: skip


def _nothing_to_book(ask: Ask) -> str:
    case = ask.case
    if case.answer_fen:
        return f"the bank took it back on {case.answer_date}: nothing is left to book; propose accept or undo"
    return "the bank's side is not higher than the ledger's: nothing can be booked from it; propose accept or reverse"


# -- the ledger's money goes back ---------------------------------------------------------------------------------


def _reverse(ask: Ask) -> Effects | str:
    """The mirror image of the ledger's payment; of AMOUNT_DIFFERS the bank's amount then goes to suspense."""
    case = ask.case
    if case.item_class == LATE_REVERSAL and ask.facts.acts[case.book_id, case.seq].proc == VOID_PROC:
        return _stand_again(ask)
    payment = _payment(ask)
    if payment is None:
        return "there is no payment in the ledger that it speaks of; propose accept"
    if case.item_class == STATE_DIFFERS and case.remaining_fen > 0:
        return "the bank's side is live: propose pay or suspense"
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
    bill = None if payment.suspense else _bill_of(facts, payment)
    after = payment._replace(state="REVERSED", undone_seq=ask.seq)
    effects = Effects(
        kind="reversed", told=_about(ask, payment), origin_seq=payment.seq, payment_after=after,
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
    payment = _payment(ask)
    if payment is None or payment.state != "VOIDED":
        return "the payment stands already; propose accept"
    bill = _bill_of(ask.facts, payment)
    wrong = _why_not(ask, bill, payment.pays, payment.trace, payment.amount)
    if wrong:
        return f"{wrong}; propose accept, and ask the bank to return the money"
    return Effects(
        kind="reversed", told=_about(ask, payment), origin_seq=payment.seq,
        payment_after=payment._replace(state="LIVE", undone_seq=None, suspense=False),
        bill_before=bill, bill_after=bills.paid(bill, payment.book_id, payment.seq),
        transfers=transfers(ask.book, money(ask.book.bank, "payment", bill.parts)),
    )  # fmt: skip


# -- nothing moves, or suspense is given up -----------------------------------------------------------------------


def _return(ask: Ask) -> Effects | str:
    """SUSPENSE goes back: the bank still holds it, or with a reference the bureau pays. Else the bank repays."""
    if ask.case.item_class != SUSPENSE:
        return Effects(kind="noted", told=_noted(ask))
    found = _held(ask)
    if isinstance(found, str):
        return found
    item, payment = found
    cause = "returned by transfer" if ask.proposal.reference else "returned"
    return Effects(
        kind="returned", told=_about(ask, payment), origin_seq=payment.seq,
        suspense=item._replace(state="RETURNED"),
        transfers=transfers(ask.book, money(ask.book.bank, cause, payment.amount)),
    )  # fmt: skip


def _note(ask: Ask) -> Effects | str:
    return Effects(kind="noted", told=_noted(ask))


# -- undone by its mirror -----------------------------------------------------------------------------------------


def _undo(ask: Ask) -> Effects | str:
    """The mirror image of the decision that holds; the exception is open again."""
    case, facts = ask.case, ask.facts
    if not case.decided_seq:
        return "nothing was decided about it, so there is nothing to undo"
    decided = facts.acts[case.book_id, case.decided_seq]
    entries = [(row.debit, row.credit, row.amount) for row in facts.entries[case.book_id, case.decided_seq]]
    effects = Effects(
        kind="undone", origin_seq=decided.seq, transfers=transfers(ask.book, mirror(entries)), told=_noted(ask)
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
    return found if payment is None else found._replace(told=_about(ask, payment))


def _undo_booked(ask: Ask, effects: Effects, own: Payment | None, origin: Payment | None) -> Effects | str:
    assert own is not None
    if own.state != "LIVE":
        return f"payment {own.receipt} is {own.state} since; there is nothing left to undo"
    bill = _bill_of(ask.facts, own)
    return effects._replace(
        payment_after=own._replace(state="REVERSED", undone_seq=ask.seq),
        bill_before=bill, bill_after=bills.released(bill, date_of(ask.facts.now_us)),
    )  # fmt: skip


def _undo_parked(ask: Ask, effects: Effects, own: Payment | None, origin: Payment | None) -> Effects | str:
    assert own is not None
    facts = ask.facts
    item = facts.suspense[own.book_id, own.seq]
    opened = facts.exceptions[own.book_id, item.exception_id]
    if item.state != "OPEN" or opened.state not in ("OPEN", "CARRIED"):
        return f"its suspense item, exception {opened.id}, is {item.state}, {opened.state}: undo or reject that first"
    return effects._replace(
        other_after=own._replace(state="REVERSED", undone_seq=ask.seq),
        suspense=item._replace(state="REVERSED"), exception=opened._replace(state="CLOSED"),
    )  # fmt: skip


def _undo_applied(ask: Ask, effects: Effects, own: Payment | None, origin: Payment | None) -> Effects | str:
    assert origin is not None
    if origin.state != "LIVE":
        return f"payment {origin.receipt} is {origin.state} since; there is nothing left to undo"
    bill = _bill_of(ask.facts, origin)
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
    if origin.undone_seq != ask.case.decided_seq:
        return f"payment {origin.receipt} is {origin.state} by another event since; there is nothing left to undo"
    if origin.suspense:
        item = ask.facts.suspense[origin.book_id, origin.seq]
        opened = ask.facts.exceptions[origin.book_id, item.exception_id]
        if own is not None:
            return "both the payment and the difference were in suspense: propose pay or suspense instead"
        again = None if opened.id == ask.case.id else opened._replace(state="OPEN")
        return effects._replace(
            payment_after=origin._replace(state="LIVE", undone_seq=None), suspense=item._replace(state="OPEN"),
            exception=again,
        )  # fmt: skip
    bill = _bill_of(ask.facts, origin)
    wrong = _why_not(ask, bill, origin.pays, origin.trace, origin.amount)
    if wrong:
        return f"the payment can't stand again: {wrong}; propose suspense instead"
    if own is not None:
        parked = _undo_parked(ask, effects, own, origin)
        if isinstance(parked, str):
            return parked
        effects = parked
    return effects._replace(
        payment_after=origin._replace(state="LIVE", undone_seq=None), bill_before=bill,
        bill_after=bills.paid(bill, origin.book_id, origin.seq),
    )  # fmt: skip


Undoing = Callable[[Ask, Effects, Payment | None, Payment | None], Effects | str]
UNDOINGS: Final[dict[str, Undoing]] = {  # kind of the event -> what else its mirror changes
    "booked": _undo_booked,
    "parked": _undo_parked,
    "applied": _undo_applied,
    "returned": _undo_returned,
    "reversed": _undo_reversed,
}
RULES: Final[dict[str, Callable[[Ask], Effects | str]]] = {
    "pay": _pay, "suspense": _suspend, "reverse": _reverse, "return": _return, "carry": _note, "accept": _note,
    "undo": _undo,
}  # fmt: skip


# -- what an exception speaks of ----------------------------------------------------------------------------------


def sides(case: ExceptionItem) -> tuple[dict[str, Any], dict[str, Any]]:
    """The ledger's and the bank's line that the exception keeps; empty where a side has none."""
    ledger, bank = (json.loads(text) if text else {} for text in (case.ledger_json, case.bank_json))
    return ledger, bank


def trace_of(moment: str, stan: str) -> int:
    """A statement line's time and STAN as a trace."""
    return int(moment[2:] + stan)


def traces(case: ExceptionItem) -> set[int]:
    """Of every message that it may speak of: for `load_desk`."""
    found = {case.trace} if case.trace else set()
    for side in sides(case):
        for moment, stan in (("moment", "stan"), ("original_moment", "original_stan")):
            if side.get(moment) and side.get(stan):
                found.add(trace_of(side[moment], side[stan]))
    return found


def _line(ask: Ask) -> Line:
    """The bank's line; where it has none the ledger's payment that the bank still counts."""
    _, bank = sides(ask.case)
    if bank:
        names = ("stan", "rrn", "terminal", "branch", "channel", "bill", "amount")
        return Line(trace_of(bank["moment"], bank["stan"]), *(bank[name] for name in names))
    payment = _payment(ask, live=False)
    if payment is None:
        raise LookupError(f"exception {ask.case.id} has no line to book by")
    p = payment
    return Line(p.trace, p.stan, p.rrn, p.terminal, p.branch, p.channel, p.bill, p.amount)


def _payment(ask: Ask, live: bool = True) -> Payment | None:
    """The ledger's payment that the exception speaks of: the live one, if there are several of one key."""
    case, facts = ask.case, ask.facts
    if case.payment_seq:
        return facts.payments.get((case.book_id, case.payment_seq))
    if case.seq:
        act = facts.acts[case.book_id, case.seq]
        origin = facts.acts.get((case.book_id, act.origin_seq or 0))
        for event in (act, origin):
            found = None if event is None else payment_of(event, facts)
            if found is not None:
                return found
        return facts.payments.get((case.book_id, act.origin_seq or 0))
    ledger, _ = sides(case)
    found_ones = [
        payment
        for trace in sorted(traces(case))
        for event in facts.events[case.book_id, trace]
        if (payment := payment_of(event, facts)) is not None and payment.bill == case.bill
    ]
    found_ones.sort(key=lambda p: (p.receipt != ledger.get("receipt"), (p.state == "LIVE") != live))
    return found_ones[0] if found_ones else None


def _held(ask: Ask) -> tuple[Suspense, Payment] | str:
    """The suspense item of a SUSPENSE exception and its payment, while it is open."""
    for item in ask.facts.suspense.values():
        if item.book_id == ask.case.book_id and item.exception_id == ask.case.id:
            if item.state != "OPEN":
                return f"the suspense item is {item.state} since: nothing is left to decide"
            return item, ask.facts.payments[item.book_id, item.seq]
    raise LookupError(f"exception {ask.case.id} is SUSPENSE without an item")


def _payable(ask: Ask, number: str, trace: int, amount: int) -> Bill | str:
    bill = ask.facts.bills.get(number)
    wrong = _why_not(ask, bill, number, trace, amount)
    if wrong or bill is None:
        rest = "return" if ask.case.item_class == SUSPENSE else "suspense"
        return f"{wrong}; propose {rest}, or pay with --bill onto another bill"
    return bill


def _why_not(ask: Ask, bill: Bill | None, number: str, trace: int, amount: int) -> str:
    """Why money of this time and amount can't pay the bill; empty if it can."""
    if bill is None:
        return f"there is no bill {number}"
    date = 20_000_000 + trace // 10**12
    status = bills.status_on(bill, date)
    if status == bills.PAID and bill.paid_book is not None and bill.paid_seq is not None:
        payment = ask.facts.payments[bill.paid_book, bill.paid_seq]
        bank = ask.facts.bank_of(payment.book_id)
        return f"bill {number} is PAID by {bank} on {payment.date}, receipt {payment.receipt}"
    if status != bills.OUTSTANDING:
        return f"bill {number} is {status} for money of {date}"
    if bill.amount != amount:
        return f"bill {number} is of {bill.amount} fen, this money is {amount} fen"
    return ""


def _bill_of(facts: Facts, payment: Payment) -> Bill:
    bill = facts.bills[payment.pays]
    if bill is None:
        raise LookupError(f"payment {payment.receipt} stands on bill {payment.pays}, which is not there")
    return bill


# -- as the event tells it ----------------------------------------------------------------------------------------


def _told(ask: Ask, line: Line, amount: int) -> Request:
    """A booking by a bank's line: it counts as that bank's message (wire.md section 6, rules 4, 6 and 8)."""
    known = [event.key_class for event in ask.facts.events[ask.book.book_id, line.trace]]
    number = max([KeyClass.BOOKED - 1, *known]) + 1
    return ask.request._replace(
        service="booked", key_class=cast(KeyClass, number), trace=line.trace, moment=20 * 10**12 + line.trace // 10**6,
        proc=PAYMENT_PROC, amount=amount, bill=line.bill, stan=line.stan, rrn=line.rrn, terminal=line.terminal,
        branch=line.branch, channel=line.channel,
    )  # fmt: skip


def _about(ask: Ask, payment: Payment) -> Request:
    return ask.request._replace(amount=payment.amount, bill=payment.bill, stan=payment.stan, rrn=payment.rrn)


def _noted(ask: Ask) -> Request:
    return ask.request._replace(amount=ask.case.amount, bill=ask.case.bill)
