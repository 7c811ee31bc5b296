"""How a rule answers: approved, declined, told again; and the words on the teller's screen, in one table.

Rules say what happened (`payment`, `reversal`, `inquiry`); the shape of the Decision for it stands here, so
that no rule builds a reply of its own. Codes and what is kept of them: wire.md section 6, rule 2.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from shebao.codecs.errors import KEPT, Code

from .day import mmdd
from .facts import Bill, Decision, Effects, Facts, Payment, Request
from .journal import auth_id

Tags = tuple[tuple[str, str], ...]


class Say(StrEnum):
    """The teller's message, tag MS: Chinese, at most 60 bytes in GB18030 (a test measures them)."""

    PAID_NOW = "缴费成功"
    TOLD_AGAIN = "该笔缴费已入账"
    IN_SUSPENSE = "款项已收妥挂账，待社保机构核实"
    VOIDED = "撤销成功"
    NOTHING_TO_UNDO = "原交易未入账或已撤销，无需处理"
    NOTHING_TO_PAY = "没有待缴的缴费单"
    REVERSED = "该交易已被冲正"
    AMOUNT = "金额与缴费单不符"
    AMOUNT_OF_ORIGINAL = "金额与原交易不符"
    CARD = "该卡未登记"
    CHECK_DIGIT = "缴费单号校验位错误，请核对单号"
    NO_BILL = "查无此缴费单"
    NO_ORIGINAL = "查无原交易"
    PAID = "该缴费单已缴费"
    WITHDRAWN = "该缴费单已作废"
    EXPIRED = "该缴费单已过最后缴费日"
    REFUNDED = "该缴费单已退费"
    NOT_PAYER = "该缴费单只能由本人缴费"
    TOTALS = "总额与社保账不符"
    TOO_LATE = "已过可撤销时间，请联系社保机构"


class Refusal(NamedTuple):
    """Why something can't be done, as a check that several rules share tells it."""

    code: Code
    text: Say
    tags: Tags = ()


def declined(request: Request, code: Code, text: Say, tags: Tags = (), effects: Effects | None = None) -> Decision:
    """A refusal. It is remembered if the message has a key and the code is one that is kept (rule 2)."""
    if effects is None and request.key_class and code in KEPT:
        effects = Effects()
    return Decision(code, {}, (*tags, ("MS", str(text))), effects=effects, note=text.name.lower().replace("_", " "))


def receipted(request: Request, payment: Payment, text: Say, name: str, effects: Effects) -> Decision:
    """00 to a payment or advice, with its receipt and that receipt's settlement date.

    A payment gets DE38 and the payer's name too; an advice does not (wire.md section 5).
    """
    fields = {15: mmdd(payment.date)}
    tags: Tags = (("RN", payment.receipt),)
    if request.service == "payment":
        fields[38] = auth_id(payment.receipt)
        if name:
            tags = (*tags, ("NM", name))
    return Decision(Code.APPROVED, fields, (*tags, ("MS", str(text))), effects=effects)


def undone(
    request: Request, facts: Facts, payment: Payment | None, effects: Effects, text: Say = Say.VOIDED
) -> Decision:
    """00 to a reversal or void: DE15 is the date open now; a void's reply names the payment's receipt."""
    fields = {15: mmdd(facts.books[request.book_id].open_date)}
    if request.service != "void":
        return Decision(Code.APPROVED, fields, effects=effects)
    tags: Tags = (("RN", payment.receipt),) if payment is not None else ()
    return Decision(Code.APPROVED, fields, (*tags, ("MS", str(text))), effects=effects)


def paid_where(request: Request, facts: Facts, bill: Bill) -> Tags:
    """PB and PT of a paid bill, and RN if it was this bank that took the money (wire.md section 5)."""
    assert bill.paid_book is not None and bill.paid_seq is not None, f"{bill.number} is PAID by nothing"
    payment = facts.payments[bill.paid_book, bill.paid_seq]
    bank = facts.bank_of(payment.book_id)
    tags: Tags = (("PB", bank), ("PT", f"{payment.moment:014d}"))
    return (*tags, ("RN", payment.receipt)) if bank == request.bank else tags
