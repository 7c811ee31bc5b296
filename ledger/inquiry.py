"""Bill inquiry: what may still be paid, by bill number, id or card (wire.md section 5, Inquiry). Changes nothing."""

from __future__ import annotations

from typing import Final

from shebao.codecs.errors import Code
from shebao.codecs.tags import SIZE_MAX, fit

from . import bills
from .facts import Bill, Decision, Facts, Person, Request
from .outcome import Refusal, Say, Tags, declined
from .payment import payable_bill

# Sizes of tags with their 5 bytes of head.
HEAD: Final = 5
NB: Final = HEAD + 3
BL: Final = HEAD + 55
IN: Final = HEAD + 15
PG: Final = HEAD + 20
COUNT_MAX: Final = 999  # NB has 3 digits


def inquire(request: Request, facts: Facts) -> Decision:
    """What can be paid (wire.md section 6, rule 4): `BN` decides, else `ID`, else DE2; the rest is not judged."""
    if request.bill:
        bill = payable_bill(request, facts)
        if isinstance(bill, Refusal):
            return declined(request, *bill)
        return _one_bill(bill, bill.payer_name)
    if request.person:
        return _of_payer(request, facts, request.person, facts.people[request.person])
    holder = facts.cards[request.card] if request.card else None  # DE2 may hold no digit
    if holder is None:
        return declined(request, Code.CARD, Say.CARD)
    return _of_payer(request, facts, holder.id, holder)


def _of_payer(request: Request, facts: Facts, payer: str, person: Person | None) -> Decision:
    date = request.moment // 1_000_000
    loaded = (facts.bills[number] for number in facts.by_payer[payer])
    found = sorted(bill for bill in loaded if bill is not None and bills.is_payable(bill, date))
    name = person.name if person is not None else found[0].payer_name if found else ""
    after = [bill for bill in found if bill.number > request.page_after]
    if len(found) == 1 and after:
        return _one_bill(found[0], name)
    return _page(len(found), after, name)


def _one_bill(bill: Bill, name: str) -> Decision:
    """One bill found: its amount in DE4, and its insurance parts."""
    tags = (*_name(name, SIZE_MAX - NB - BL - IN * len(bill.parts)), ("NB", "001"), ("BL", _line(bill)))
    parts = tuple(("IN", f"{kind}{fen:012d}") for kind, fen in bill.parts)
    return Decision(Code.APPROVED, {4: f"{bill.amount:012d}"}, (*tags, *parts))


def _page(count: int, after: list[Bill], name: str) -> Decision:
    """A page of bills: as many as fit into DE48, `PG` only if more follow, `NB` of all."""
    if not after:
        tags = (*_name(name, SIZE_MAX - NB), ("NB", f"{min(count, COUNT_MAX):03d}"))
        return Decision(Code.APPROVED, {}, tags if count else (*tags, ("MS", str(Say.NOTHING_TO_PAY))))
    head = (*_name(name, SIZE_MAX - NB - BL - PG), ("NB", f"{min(count, COUNT_MAX):03d}"))
    room = SIZE_MAX - sum(HEAD + len(value.encode("gb18030")) for _, value in head)
    shown = after[: room // BL]
    if len(shown) == len(after):
        return Decision(Code.APPROVED, {}, (*head, *_lines(shown)))
    shown = after[: (room - PG) // BL]
    return Decision(Code.APPROVED, {}, (*head, *_lines(shown), ("PG", shown[-1].number)))


def _name(name: str, room: int) -> Tags:
    """NM, cut to the room for it; none if the name is not known."""
    cut = fit(name, max(room - HEAD, 0))
    return (("NM", cut),) if cut else ()


def _lines(shown: list[Bill]) -> Tags:
    return tuple(("BL", _line(bill)) for bill in shown)


def _line(bill: Bill) -> str:
    """BL, 55 bytes: number, amount, period from and to, due date, main insurance type."""
    period = f"{bill.period_from:06d}{bill.period_to:06d}"
    return f"{bill.number}{bill.amount:012d}{period}{bill.due:08d}{bills.main_type(bill)}"
