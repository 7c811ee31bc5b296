"""Withdrawal of a bill by an operator's command (settlement.md section 1), in the bureau's own book."""

from __future__ import annotations

from shebao.codecs.errors import Code
from shebao.codecs.numbers import bill_ok

from . import bills
from .day import date_of
from .facts import Decision, Effects, Facts, Request


def withdraw(request: Request, facts: Facts) -> Decision:
    """OUTSTANDING to WITHDRAWN. A refusal says why in `note`: 12 the request itself, 25 no such bill, B1, B2.

    Reason and operator are sealed as text, so control characters are refused.
    """
    words = (request.reason, request.operator)
    if not all(word.strip() and word.isprintable() for word in words):
        return Decision(Code.INVALID, note="a withdrawal needs a reason and an operator, in printable characters")
    if not bill_ok(request.bill):
        return Decision(Code.NOT_FOUND, note=f"{request.bill} is no bill number: its check digit is wrong")
    bill = facts.bills[request.bill]
    if bill is None:
        return Decision(Code.NOT_FOUND, note=f"there is no bill {request.bill}")
    today = date_of(facts.now_us)
    # one that was found expired stays so, even if a clock was ahead then: from there only a payment in time leads on
    status = bill.status if bill.status == bills.EXPIRED else bills.status_on(bill, today)
    if status != bills.OUTSTANDING:
        code = Code.PAID if status == bills.PAID else Code.NOT_PAYABLE
        return Decision(code, note=f"bill {bill.number} is {status}: only an OUTSTANDING bill can be withdrawn")
    effects = Effects(kind="withdraw", date=today, bill_before=bill, bill_after=bills.withdrawn(bill))
    return Decision(Code.APPROVED, effects=effects, note=f"bill {bill.number} is withdrawn")
