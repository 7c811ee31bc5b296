"""What a reply means to a bank: entries in its own books, the next step, or a complaint. Pure.

One function a step, in a table. A complaint is a sentence: the switch said what it must not say in this case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shebao.codecs.message import Decoded

from .books import Books
from .cases import Case, Sent
from .messages import APPROVED, Reply, receipt_faults
from .wire import Identity

NOT_DONE: Final = frozenset({"58", "68", "91", "96"})  # no effect: to be tried again
LOST_RACE: Final = "B1"
NOT_FOUND: Final = "25"

Settled = list[str]  # complaints, empty when all is well


def settle(books: Books, who: Identity, sent: Sent, reply: Reply, decoded: Decoded, body: bytes) -> Settled:
    """Books what the reply to a case's message means. body: the reply's, without MTI and MAC."""
    case = sent.case
    if case is None:
        return []
    if sent.step == "repeat":
        return [] if body == case.body else [f"the repeat of {sent.key} brought another reply"]
    complaints = _SETTLERS[sent.step](books, who, case, sent, reply, decoded)
    if case.todo and case.todo[0] == "repeat":
        case.body = body
    return complaints


def _inquired(books: Books, who: Identity, case: Case, sent: Sent, reply: Reply, decoded: Decoded) -> Settled:
    if reply.code != APPROVED:
        return _refused(case, sent, reply)
    wrong = []
    if decoded.fields.get(4) != f"{case.order.amount:012d}" or reply.tags.get("NB") != "001":
        wrong.append(f"inquiry of {case.order.bill}: amount {decoded.fields.get(4)}, NB {reply.tags.get('NB')}")
    if sum(int(part[3:]) for part in reply.tags.all("IN")) != case.order.amount:
        wrong.append(f"inquiry of {case.order.bill}: its parts are not its amount")
    return wrong


def _paid(books: Books, who: Identity, case: Case, sent: Sent, reply: Reply, decoded: Decoded) -> Settled:
    if reply.code == APPROVED:
        case.receipt, case.date = reply.tags.get("RN") or "", reply.date
        books.payment(case.order, sent.key, reply.date, case.receipt)
        return receipt_faults(case.receipt, who.number, reply.date)
    if reply.code == LOST_RACE and case.order.contested:
        case.todo.clear()
        return []
    return _refused(case, sent, reply)


def _voided(books: Books, who: Identity, case: Case, sent: Sent, reply: Reply, decoded: Decoded) -> Settled:
    if reply.code != APPROVED or case.paid is None:
        return _refused(case, sent, reply)
    books.void(case.order, sent.key, reply.date, case.receipt, case.paid)
    told = reply.tags.get("RN")
    return [] if told == case.receipt else [f"a void names receipt {told}, the payment had {case.receipt}"]


def _reversed(books: Books, who: Identity, case: Case, sent: Sent, reply: Reply, decoded: Decoded) -> Settled:
    late = case.late
    if reply.code == NOT_FOUND:
        return ["a payment that was approved is not found"] if late and late.code == APPROVED else []
    if reply.code != APPROVED or case.paid is None:
        return _refused(case, sent, reply)
    if late and late.code != APPROVED:
        return []  # there was nothing to reverse
    if case.receipt:  # it was answered, and is booked
        books.reversal(case.order, sent.key, reply.date, case.receipt, case.paid)
        return []
    receipt = (late.tags.get("RN") or "") if late else ""
    books.payment(case.order, case.paid, late.date if late else reply.date, receipt)
    books.reversal(case.order, sent.key, reply.date, receipt, case.paid)
    return []


def _unvoided(books: Books, who: Identity, case: Case, sent: Sent, reply: Reply, decoded: Decoded) -> Settled:
    if reply.code == NOT_FOUND:
        return []  # the void never reached the switch: the payment stands anyway
    if reply.code != APPROVED or case.paid is None or case.voided is None:
        return _refused(case, sent, reply)
    books.void(case.order, case.voided, reply.date, case.receipt, case.paid)
    books.void_reversal(case.order, sent.key, reply.date, case.receipt, case.voided)
    return []


def _refused(case: Case, sent: Sent, reply: Reply) -> Settled:
    case.todo.clear()
    return [f"{sent.step} of {case.order.bill} ({case.order.fate}) was answered {reply.code or 'without a code'}"]


_SETTLERS: Final[dict[str, Callable[[Books, Identity, Case, Sent, Reply, Decoded], Settled]]] = {
    "inquire": _inquired,
    "pay": _paid,
    "advise": _paid,
    "void": _voided,
    "reverse": _reversed,
    "unvoid": _unvoided,
}
