"""Money between a bank, the bureau's special account and the fiscal account (settlement.md section 6). Pure rules.

Received, paid back, cancelled, refunded, swept: one function an action, each gives its effects and what it changes of
the money received for which date, or says why not. Who may ask is in `desk`; how late money is, not the books' affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from shebao.codecs.statement import grouped_yuan

from . import bills
from .day import OPEN, iso
from .desk_facts import Proposal, Ruling
from .facts import Book, Effects, Facts, Request
from .journal import mirror, money, transfers

Moved = tuple[Effects, dict[int, int]]  # date -> fen of what was received


class Fund(NamedTuple):
    """One movement of funds to be judged."""

    request: Request
    facts: Facts
    book: Book
    proposal: Proposal

    @property
    def dates(self) -> list[int]:
        return sorted(int(date) for date in self.proposal.dates.split())


def rule(fund: Fund) -> Moved | str:
    """What it books, or why it can't be done and what can."""
    return RULES[fund.proposal.action](fund)


def _receive(fund: Fund) -> Moved | str:
    """A bank's transfer: oldest date first, each up to its due, the rest on the last."""
    wrong = _wrong_dates(fund) or _known_already(fund)
    if wrong:
        return wrong
    amount = fund.proposal.amount
    entries = money(fund.book.bank, "received", amount)
    return _effects(fund, "received", entries), shared_out(fund, amount)


def shared_out(fund: Fund, amount: int) -> dict[int, int]:
    """An amount over the dates, oldest first. What one has too much, or a negative due, goes to the others."""
    dates, left, shares = fund.dates, amount, {}
    for date in dates[:-1]:
        known = fund.facts.money[fund.book.book_id, date]
        shares[date] = min(left, known.due - known.received)
        left -= shares[date]
    shares[dates[-1]] = left
    return shares


def _pay_back(fund: Fund) -> Moved | str:
    wrong = _wrong_dates(fund) or _known_already(fund)
    if wrong:
        return wrong
    if len(fund.dates) != 1:
        return "a pay-back is of one date; give one date, or type it once for each"
    held = fund.facts.special[fund.book.book_id]
    if fund.proposal.amount > held:
        return _too_little(fund, held, fund.proposal.amount, "paid back")
    entries = money(fund.book.bank, "paid back", fund.proposal.amount)
    return _effects(fund, "paidback", entries), {fund.dates[0]: -fund.proposal.amount}


def _cancel(fund: Fund) -> Moved | str:
    """The mirror image of what has this reference and was not cancelled yet."""
    standing = in_force(fund.facts, fund.book.book_id, fund.proposal.reference)
    if standing is None:
        return f"nothing with reference {fund.proposal.reference!r} stands in the books of {fund.book.bank}"
    key = standing.book_id, standing.seq
    entries = mirror((row.debit, row.credit, row.amount) for row in fund.facts.entries[key])
    amount = fund.facts.acts[key].amount
    shares = {share.date: -share.fen for share in fund.facts.shares[key] if share.side == "received"}
    effects = _effects(fund, "cancelled", entries, amount)
    return effects._replace(origin_seq=standing.seq), shares


def _refund(fund: Fund) -> Moved | str:
    """A paid bill is REFUNDED: its money waits in `refund` until it is paid out by the way it came."""
    number = fund.proposal.bill
    bill = fund.facts.bills.get(number)
    if bill is None:
        return f"there is no bill {number}"
    if bill.status != bills.PAID or bill.paid_book is None or bill.paid_seq is None:
        return f"bill {number} is {bill.status}: only a PAID bill can be refunded"
    payment = fund.facts.payments[bill.paid_book, bill.paid_seq]
    if payment.book_id != fund.book.book_id:
        return f"bill {number} was paid at {fund.facts.bank_of(payment.book_id)} since; reject this, propose again"
    effects = _effects(fund, "refunded", money(fund.book.bank, "refunded", bill.parts), bill.amount)
    told = effects.told
    assert told is not None
    return effects._replace(
        told=told._replace(bill=payment.bill), origin_seq=payment.seq, bill_before=bill,
        bill_after=bills.refunded(bill),
        payment_after=payment._replace(state="REFUNDED", undone_seq=fund.book.next_seq),
    ), {}  # fmt: skip


def _refund_paid(fund: Fund) -> Moved | str:
    """The refund is paid out, by the way the money came."""
    number, facts, book_id = fund.proposal.bill, fund.facts, fund.book.book_id
    wrong = _known_already(fund)
    if wrong:
        return wrong
    of_bill = [one for one in facts.referred[book_id, number] if one.action in ("refund", "refund-paid")]
    decided = [one for one in of_bill if one.action == "refund"]
    if not decided:
        return f"no refund of bill {number} is decided at {fund.book.bank}; type first: reconcile refund {number}"
    paid = [one for one in of_bill if one.action == "refund-paid" and one.seq > decided[-1].seq]
    standing = [one for one in paid if not _is_cancelled(facts, one)]
    if standing:
        return f"the refund of bill {number} was paid with reference {standing[-1].reference!r} already"
    amount = facts.acts[book_id, decided[-1].seq].amount
    return _effects(fund, "refundpaid", money(fund.book.bank, "refund paid", amount), amount), {}


def _sweep(fund: Fund) -> Moved | str:
    """From the special account to the fiscal account, by insurance type; not more than is there."""
    wrong = _known_already(fund)
    if wrong:
        return wrong
    parts = bills.parse_parts(fund.proposal.parts)
    amount, held = sum(fen for _, fen in parts), fund.facts.special[fund.book.book_id]
    if amount > held:
        return _too_little(fund, held, amount, "swept")
    return _effects(fund, "swept", money(fund.book.bank, "swept", parts), amount), {}


def _replace_file(fund: Fund) -> Moved | str:
    """Another file for an accepted date: the next run takes it, until then the date is CLOSED."""
    (date,) = fund.dates
    known = fund.facts.money[fund.book.book_id, date]
    if not known.has_file:
        return f"no file of {iso(date)} is accepted, so there is none to replace; type: reconcile run"
    return _effects(fund, "replaced", ())._replace(replaced=(date, fund.proposal.reference)), {}


RULES: Final[dict[str, Callable[[Fund], Moved | str]]] = {
    "receive": _receive,
    "cancel": _cancel,
    "payback": _pay_back,
    "refund": _refund,
    "refund-paid": _refund_paid,
    "sweep": _sweep,
    "replace": _replace_file,
}


def in_force(facts: Facts, book_id: int, reference: str) -> Ruling | None:
    """What was booked with a reference and stands."""
    found = [one for one in facts.referred[book_id, reference] if one.reference == reference]
    standing = [one for one in found if one.action in MOVING and not _is_cancelled(facts, one)]
    return standing[-1] if standing else None


MOVING: Final = frozenset({"receive", "payback", "refund-paid", "sweep"})


def _is_cancelled(facts: Facts, one: Ruling) -> bool:
    others: Sequence[Ruling] = facts.referred[one.book_id, one.reference]
    return any(
        other.action == "cancel" and facts.acts[other.book_id, other.seq].origin_seq == one.seq for other in others
    )


def _known_already(fund: Fund) -> str:
    known = in_force(fund.facts, fund.book.book_id, fund.proposal.reference)
    if known is None:
        return ""
    return f"reference {known.reference!r} is booked already, by {known.action}; cancel that first, or correct it"


def _wrong_dates(fund: Fund) -> str:
    for date in fund.dates:
        day = fund.facts.days[fund.book.book_id, date]
        if day is None:
            return f"{fund.book.bank} has no settlement date {iso(date)}; type: reconcile funds"
        if day.state == OPEN:
            return f"{iso(date)} of {fund.book.bank} is still open, so what is due is not known yet"
    return ""


def _too_little(fund: Fund, held: int, amount: int, what: str) -> str:
    holds, wanted = grouped_yuan(held), grouped_yuan(amount)
    return f"special:{fund.book.bank} holds {holds} yuan, less than the {wanted} yuan to be {what}"


def _effects(fund: Fund, kind: str, entries: Iterable[tuple[str, str, int]], amount: int | None = None) -> Effects:
    fen = fund.proposal.amount if amount is None else amount
    told = fund.request._replace(amount=fen, bill=fund.proposal.bill)
    return Effects(kind=kind, told=told, transfers=transfers(fund.book, entries))
