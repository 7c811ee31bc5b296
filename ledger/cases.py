"""What an exception speaks of: two sides' lines, the payment, the suspense item, the bill; and how an event tells it.

Shared by the rules that decide about it (`rulings`, `undoing`), and by `load_desk`, which loads what they read. Pure.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, cast

from shebao.codecs.numbers import no_bill_number
from shebao.codecs.statement import grouped_yuan

from . import bills
from .day import iso
from .desk_facts import Proposal
from .facts import Bill, Book, Event, ExceptionItem, Facts, KeyClass, Payment, Request, Suspense
from .payment import PAYMENT_PROC, payment_of

BANK_ONLY, LEDGER_ONLY, DUPLICATE = "BANK_ONLY", "LEDGER_ONLY", "DUPLICATE"
AMOUNT_DIFFERS, STATE_DIFFERS, SUSPENSE, LATE_REVERSAL = "AMOUNT_DIFFERS", "STATE_DIFFERS", "SUSPENSE", "LATE_REVERSAL"


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


def line_of(ask: Ask) -> Line:
    """The bank's line; where it has none the ledger's payment that the bank still counts."""
    _, bank = sides(ask.case)
    if bank:
        names = ("stan", "rrn", "terminal", "branch", "channel", "bill", "amount")
        return Line(trace_of(bank["moment"], bank["stan"]), *(bank[name] for name in names))
    payment = payment_of_case(ask, live=False)
    if payment is None:
        raise LookupError(f"exception {ask.case.id} has no line to book by")
    p = payment
    return Line(p.trace, p.stan, p.rrn, p.terminal, p.branch, p.channel, p.bill, p.amount)


def payment_of_case(ask: Ask, live: bool = True) -> Payment | None:
    """The ledger's payment that the exception speaks of: the live one, if there are several of one key.

    Where the ledger has no line for it, or that one is undone, it is what was booked for the bank's line.
    """
    case, facts = ask.case, ask.facts
    if case.seq:
        act = facts.acts[case.book_id, case.seq]
        origin = facts.acts.get((case.book_id, act.origin_seq or 0))
        for event in (act, origin):
            found = None if event is None else payment_of(event, facts)
            if found is not None:
                return found
        return facts.payments.get((case.book_id, act.origin_seq or 0))
    booked = bookings(facts, case)
    standing = [payment for payment in booked if payment.state == "LIVE"]
    if booked and not case.ledger_date:
        return (standing or booked)[-1]
    known = ledger_payment(ask, live)
    if standing and (known is None or (live and known.state != "LIVE")):
        return standing[-1]
    return known


def ledger_payment(ask: Ask, live: bool = True) -> Payment | None:
    """What a message brought by the key of one of the lines, and no decision about them."""
    case, facts = ask.case, ask.facts
    ledger, _ = sides(case)
    booked = {payment.seq for payment in bookings(facts, case)}
    found_ones = [
        payment
        for trace in sorted(traces(case))
        for event in facts.events[case.book_id, trace]
        if (payment := payment_of(event, facts)) is not None and payment.bill == case.bill
        and payment.seq not in booked
    ]
    found_ones.sort(key=lambda p: (p.receipt != ledger.get("receipt"), (p.state == "LIVE") != live))
    return found_ones[0] if found_ones else None


def bookings(facts: Facts, case: ExceptionItem) -> list[Payment]:
    """What was ever booked by decisions about it, in order."""
    found = (facts.payments.get((one.book_id, one.seq)) for one in facts.decided[case.book_id, case.id])
    return [payment for payment in found if payment is not None]


def decisions(facts: Facts, case: ExceptionItem) -> list[Event]:
    """The decisions about it that stand, in order: the last one is undone first."""
    acts = [facts.acts[one.book_id, one.seq] for one in facts.decided[case.book_id, case.id]]
    undone = {act.origin_seq for act in acts if act.kind == "undone"}
    return [act for act in acts if act.kind != "undone" and act.seq not in undone]


def held(ask: Ask) -> tuple[Suspense, Payment] | str:
    """The suspense item of a SUSPENSE exception and its payment, while it is open."""
    for item in ask.facts.suspense.values():
        if item.book_id == ask.case.book_id and item.exception_id == ask.case.id:
            if item.state != "OPEN":
                return f"the suspense item is {item.state} since: nothing is left to decide"
            return item, ask.facts.payments[item.book_id, item.seq]
    raise LookupError(f"exception {ask.case.id} is SUSPENSE without an item")


def payable(ask: Ask, number: str, trace: int, amount: int) -> Bill | str:
    bill = ask.facts.bills.get(number)
    wrong = why_not(ask, bill, number, trace, amount)
    if wrong or bill is None:
        rest = "return" if ask.case.item_class == SUSPENSE else "suspense"
        return f"{wrong}; propose {rest}, or pay with --bill onto another bill"
    return bill


def why_not(ask: Ask, bill: Bill | None, number: str, trace: int, amount: int) -> str:
    """Why money of this time and amount can't pay the bill; empty if it can."""
    if bill is None:
        return no_bill_number(number) or f"there is no bill {number}"
    date = 20_000_000 + trace // 10**12
    status = bills.status_on(bill, date)
    if status == bills.PAID and bill.paid_book is not None and bill.paid_seq is not None:
        payment = ask.facts.payments[bill.paid_book, bill.paid_seq]
        bank = ask.facts.bank_of(payment.book_id)
        return f"bill {number} is PAID by {bank} on {iso(payment.date)}, receipt {payment.receipt}"
    if status != bills.OUTSTANDING:
        return f"bill {number} is {status} for money of {iso(date)}"
    if bill.amount != amount:
        return f"bill {number} is of {grouped_yuan(bill.amount)} yuan, this money is {grouped_yuan(amount)} yuan"
    return ""


def bill_of(facts: Facts, payment: Payment) -> Bill:
    bill = facts.bills[payment.pays]
    if bill is None:
        raise LookupError(f"payment {payment.receipt} stands on bill {payment.pays}, which is not there")
    return bill


# -- as the event tells it ----------------------------------------------------------------------------------------


def told_by(ask: Ask, line: Line, amount: int) -> Request:
    """A booking by a bank's line: it counts as that bank's message (wire.md section 6, rules 4, 6 and 8)."""
    known = [event.key_class for event in ask.facts.events[ask.book.book_id, line.trace]]
    number = max([KeyClass.BOOKED - 1, *known]) + 1
    return ask.request._replace(
        service="booked", key_class=cast(KeyClass, number), trace=line.trace, moment=20 * 10**12 + line.trace // 10**6,
        proc=PAYMENT_PROC, amount=amount, bill=line.bill, stan=line.stan, rrn=line.rrn, terminal=line.terminal,
        branch=line.branch, channel=line.channel,
    )  # fmt: skip


def told_about(ask: Ask, payment: Payment) -> Request:
    return ask.request._replace(amount=payment.amount, bill=payment.bill, stan=payment.stan, rrn=payment.rrn)


def noted(ask: Ask) -> Request:
    return ask.request._replace(amount=ask.case.amount, bill=ask.case.bill)
