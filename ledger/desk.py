"""The settlement desk in the books: one person asked, another approves, and it becomes an event (section 5, Decisions).

Here is what is the same for every decision: that it is still the proposal that the checker saw, that they are two,
that both say why, and what it does to the exception, to the money due or received, and to the state of its dates. What
an action books is in `rulings` (exceptions) and `funds`. Pure; a refusal is a Decision whose `note` says why.
"""

from __future__ import annotations

import unicodedata
from typing import Final, NamedTuple

from shebao.codecs.errors import Code

from . import cases, funds, rulings
from .day import CLOSED, OPEN, RECONCILED, SETTLED
from .desk_facts import DateMoney, Proposal, Ruling, Share
from .facts import Day, Decision, Effects, ExceptionItem, Facts, Request

# kind of event -> the actions that it comes from (settlement.md section 2)
KINDS: Final[dict[str, frozenset[str]]] = {
    "booked": frozenset({"pay"}),
    "applied": frozenset({"pay"}),
    "parked": frozenset({"suspense"}),
    "reversed": frozenset({"reverse"}),
    "returned": frozenset({"return"}),
    "noted": frozenset({"return", "carry", "accept"}),
    "undone": frozenset({"undo"}),
    "received": frozenset({"receive"}),
    "paidback": frozenset({"payback"}),
    "cancelled": frozenset({"cancel"}),
    "refunded": frozenset({"refund"}),
    "refundpaid": frozenset({"refund-paid"}),
    "swept": frozenset({"sweep"}),
    "replaced": frozenset({"replace"}),
}
UNDECIDED: Final = frozenset({"OPEN", "PROPOSED"})
NOT_BLOCKING: Final = cases.SUSPENSE  # settlement.md section 3
AFTER: Final = {"carry": "CARRIED", "undo": "OPEN"}  # action -> state of its exception; else DECIDED


class Outcome(NamedTuple):
    """What an action does: its effects, and the shares of dates."""

    effects: Effects
    shares: tuple[Share, ...]


def rule(request: Request, facts: Facts) -> Decision:
    """Approve a proposal: everything is checked again, then booked. A refusal leaves the proposal open."""
    proposal = request.proposal
    assert proposal is not None, "a desk request has a proposal"
    wrong = _wrong_people(request, proposal) or _wrong_proposal(facts, proposal)
    if wrong:
        return Decision(Code.INVALID, note=wrong)
    found = _fund(request, facts, proposal) if not proposal.exception_id else _case(request, facts, proposal)
    if isinstance(found, str):
        return Decision(Code.INVALID, note=found)
    effects, shares = found
    about_seq = effects.origin_seq or 0
    if proposal.id and about_seq != proposal.about_seq:
        note = "what it is about has changed since it was proposed: reject it, look again, and propose anew"
        return Decision(Code.INVALID, note=note)
    book = facts.books[request.book_id]
    bill = effects.bill_after
    ruling = Ruling(
        book.book_id, book.next_seq, proposal.id, proposal.exception_id, proposal.action,
        bill.number if bill is not None else proposal.bill, proposal.maker, proposal.maker_reason,
        proposal.maker_from, proposal.made_us, request.operator_from, proposal.reference, proposal.received_on,
    )  # fmt: skip
    done = proposal._replace(
        state="APPROVED", checker=request.operator, checker_reason=request.reason,
        checker_from=request.operator_from, judged_us=facts.now_us, seq=book.next_seq,
    )  # fmt: skip
    effects = effects._replace(ruling=ruling, shares=shares, proposal=done)
    return Decision(Code.APPROVED, effects=effects._replace(days=_judged(facts, effects)), note=effects.kind)


def same_person(one: str, other: str) -> bool:
    """Whether two declared names are one person's (settlement.md section 5, Operators)."""
    return folded(one) == folded(other)


def folded(name: str) -> str:
    """Blanks count nowhere: a name of two characters is often written with one between them."""
    return "".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


def _wrong_people(request: Request, proposal: Proposal) -> str:
    words = (request.operator, request.reason, proposal.maker)
    if not all(word.strip() and word.isprintable() for word in words):
        return "an approval needs an operator and a reason, in printable characters"
    if not (proposal.maker_reason + proposal.reference + proposal.maker_from + request.operator_from).isprintable():
        return "reason and reference of the proposal must be printable characters"
    if same_person(request.operator, proposal.maker):
        return f"{proposal.maker} proposed it: another person has to approve it"
    return ""


def _wrong_proposal(facts: Facts, proposal: Proposal) -> str:
    if not proposal.id:
        return ""  # only asked whether it could be
    stored = facts.proposals.get((proposal.book_id, proposal.id))
    if stored is None:
        return "there is no such proposal"
    if stored.state != "WAITING":
        return f"it was {stored.state} already, by {stored.checker}"
    return "" if stored == proposal else "the proposal has changed since it was looked at; look again"


# -- about an exception -------------------------------------------------------------------------------------------


def _case(request: Request, facts: Facts, proposal: Proposal) -> Outcome | str:
    case = facts.exceptions.get((proposal.book_id, proposal.exception_id))
    if case is None:
        return "there is no such exception"
    wrong = _wrong_state(case, proposal)
    if wrong:
        return wrong
    book = facts.books[request.book_id]
    effects = rulings.rule(cases.Ask(request, facts, book, proposal, case))
    if isinstance(effects, str):
        return effects
    clearing = f"clearing:{book.bank}"
    fen = sum(t.amount * ((t.debit == clearing) - (t.credit == clearing)) for t in effects.transfers)
    is_undo = proposal.action == "undo"
    shares = _undone_shares(facts, case, book.next_seq) if is_undo else ()
    if fen and not is_undo:
        shares = (Share(book.book_id, book.next_seq, case.due_date, "due", fen),)
    corrected = case.corrected_fen + fen
    holds, since = _before(facts, case) if is_undo else (book.next_seq, book.open_date)
    after = case._replace(
        state=AFTER.get(proposal.action, "DECIDED"), proposal="" if is_undo else proposal.action,
        corrected_fen=corrected,
        left_fen=0 if proposal.action in AFTER else case.gap_fen + case.answer_fen - corrected,
        decided_seq=holds, decided_date=since, payment_seq=_standing(facts, case, effects),
    )  # fmt: skip
    return Outcome(effects._replace(case=after), shares)


def _before(facts: Facts, case: ExceptionItem) -> tuple[int, int]:
    """Event and date of the decision that holds once the last one is undone: what booked nothing is behind it."""
    earlier = [act for act in cases.decisions(facts, case) if act.seq != case.decided_seq]
    booked = [act for act in earlier if facts.entries[act.book_id, act.seq]]
    return (booked[-1].seq, booked[-1].date) if booked else (0, 0)


def _standing(facts: Facts, case: ExceptionItem, effects: Effects) -> int:
    """The last of the payments that its decisions booked and that is live after `effects`; 0: none."""
    after = {one.seq: one for one in (effects.payment_after, effects.other_after) if one is not None}
    booked = [after.get(one.seq, one) for one in cases.bookings(facts, case)]
    booked += [effects.payment] if effects.payment is not None else []
    return max((one.seq for one in booked if one.state == "LIVE"), default=0)


def _undone_shares(facts: Facts, case: ExceptionItem, seq: int) -> tuple[Share, ...]:
    """Where the decision counted; but what the bank took back since, in the date of that line, which it answers."""
    is_taken_back = case.answer_fen < 0 and case.item_class != cases.LATE_REVERSAL
    undone = facts.shares[case.book_id, case.decided_seq]
    return tuple(
        one._replace(seq=seq, fen=-one.fen, date=case.answer_date if is_taken_back else one.date) for one in undone
    )


def _wrong_state(case: ExceptionItem, proposal: Proposal) -> str:
    """Whether the exception waits for this decision."""
    if proposal.id:
        return "" if case.state == "PROPOSED" else f"the exception is {case.state} since; nothing waits for approval"
    if case.state == "PROPOSED":
        return "another proposal about it waits for a second person: approve or reject that first"
    if proposal.action == "undo":
        return "" if case.decided_seq else f"it is {case.state}: there is no decision to undo"
    if case.state in ("OPEN", "CARRIED"):
        return ""
    if case.state == "DECIDED":
        return "it is decided; undo that first (--action undo)"
    return "it closed by itself: there is nothing to decide"


# -- about funds --------------------------------------------------------------------------------------------------


def _fund(request: Request, facts: Facts, proposal: Proposal) -> Outcome | str:
    book = facts.books[request.book_id]
    found = funds.rule(funds.Fund(request, facts, book, proposal))
    if isinstance(found, str):
        return found
    effects, moved = found
    shares = (Share(book.book_id, book.next_seq, date, "received", fen) for date, fen in sorted(moved.items()) if fen)
    return Outcome(effects, tuple(shares))


# -- states of dates ----------------------------------------------------------------------------------------------


def state_of(money: DateMoney) -> str:
    """A closed date's state (settlement.md section 3)."""
    if not money.agrees or money.undecided:
        return CLOSED
    return SETTLED if money.received == money.due else RECONCILED


def blocks(case: ExceptionItem) -> bool:
    """Whether it keeps its date from being RECONCILED."""
    return case.state in UNDECIDED and case.item_class != NOT_BLOCKING


def _judged(facts: Facts, effects: Effects) -> tuple[Day, ...]:
    """The dates whose state the effects change."""
    changed = dict(facts.money)
    for share in effects.shares:
        money = changed[share.book_id, share.date]
        changed[share.book_id, share.date] = money._replace(**{share.side: getattr(money, share.side) + share.fen})
    for case in (effects.case, effects.exception, effects.other_exception):
        if case is None:
            continue
        before = facts.exceptions.get((case.book_id, case.id))
        key = case.book_id, case.date
        change = blocks(case) - (before is not None and blocks(before))
        if key in changed:
            changed[key] = changed[key]._replace(undecided=changed[key].undecided + change)
    if effects.replaced is not None and effects.ruling is not None:
        key = effects.ruling.book_id, effects.replaced[0]
        changed[key] = changed[key]._replace(agrees=False)
    days = []
    for key, money in sorted(changed.items()):
        day = facts.days.get(key)
        if day is not None and day.state != OPEN and day.state != state_of(money):
            days.append(day._replace(state=state_of(money)))
    return tuple(days)
