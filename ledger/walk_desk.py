"""What `verify` proves of each decision of the settlement desk, event by event; `walk` calls it.

Its accounts by the table of settlement.md section 2, its mirror where it undoes another, its two people, and that the
shares of dates are what it moved. What it left of payments and bills is proved in `standing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import proof as p
from .desk import KINDS, same_person
from .desk_facts import Ruling, Share
from .facts import Event, Transfer
from .journal import BY_TYPE
from .proof import Proof, Proofs

# kind -> (debit, credit) that its transfers may have. `undone` and `cancelled` are mirrors of another event's.
ACCOUNTS: Final[dict[str, frozenset[tuple[str, str]]]] = {
    "booked": frozenset({("clearing", "fund")}),
    "parked": frozenset({("clearing", "suspense")}),
    "applied": frozenset({("suspense", "fund")}),
    "returned": frozenset({("suspense", "clearing"), ("suspense", "special")}),
    "reversed": frozenset(
        {("fund", "clearing"), ("suspense", "clearing"), ("clearing", "suspense"), ("clearing", "fund")}
    ),
    "noted": frozenset(),
    "replaced": frozenset(),
    "received": frozenset({("special", "clearing")}),
    "paidback": frozenset({("clearing", "special")}),
    "refunded": frozenset({("fund", "refund")}),
    "refundpaid": frozenset({("refund", "special")}),
    "swept": frozenset({("treasury", "special")}),
}
MIRRORS: Final = frozenset({"undone", "cancelled"})
OF_ANY_AMOUNT: Final = frozenset({"reversed", "noted", "replaced"}) | MIRRORS  # their transfers need not be the amount

Entries = Sequence[tuple[str, str, int]]


class Desk:
    """The decisions of one book, as they come. It keeps each one's entries, as there are few: mirrors need them."""

    def __init__(self, bank: str, proofs: Proofs) -> None:
        self._bank, self._proofs = bank, proofs
        self._earlier: dict[int, Entries] = {}

    def take(self, event: Event, moved: Sequence[Transfer], ruling: Ruling | None, shares: Sequence[Share]) -> None:
        """One event that has a ruling, or is of a kind that needs one."""
        key, proof = (event.book_id, event.seq), self._proofs[p.CORRECTIONS]
        if ruling is None:
            if event.kind in KINDS:
                proof.fault("event", key, f"is of kind {event.kind} and names no two operators")
            elif shares:
                self._proofs[p.CLEARING].fault("share", key, "belongs to no decision")
            return
        proof.looked_at += 1
        self._people(proof, event, ruling)
        entries = [(row.debit, row.credit, row.amount) for row in moved]
        self._earlier[event.seq] = entries
        self._accounts(event, moved, entries)
        self._shares(event, ruling, entries, shares)

    def _people(self, proof: Proof, event: Event, ruling: Ruling) -> None:
        key = event.book_id, event.seq
        if ruling.action not in KINDS.get(event.kind, frozenset()):
            proof.fault("ruling", key, f"action {p.shown(ruling.action)} does not lead to a {p.shown(event.kind)}")
        if not ruling.maker.strip() or not event.operator.strip():
            proof.fault("ruling", key, "names no two operators")
        elif same_person(ruling.maker, event.operator):
            proof.fault("ruling", key, f"maker and checker are one person, {p.shown(event.operator)}")

    def _accounts(self, event: Event, moved: Sequence[Transfer], entries: Entries) -> None:
        proof, key = self._proofs[p.TRANSFERS], (event.book_id, event.seq)
        if event.kind in MIRRORS:
            right = [(credit, debit, fen) for debit, credit, fen in self._earlier.get(event.origin_seq or 0, ())]
            if list(entries) != right:
                proof.fault("transfer", key, f"are not the mirror image of event {event.book_id}/{event.origin_seq}")
            return
        allowed = ACCOUNTS.get(event.kind, frozenset())
        for row in moved:
            if (self._name(row.debit), self._name(row.credit)) not in allowed:
                what = f"{p.shown(row.debit)} to {p.shown(row.credit)} is no entry of a {event.kind} of {self._bank}"
                proof.fault("transfer", (*key, row.line), what)
        total = sum(row.amount for row in moved)
        if event.kind not in OF_ANY_AMOUNT and total != event.amount:
            proof.differs("transfer", key, "sum", total, f"{event.amount}, the event's amount")

    def _name(self, account: str) -> str:
        """An account without its bank or type; empty if it is another bank's."""
        name, _, whose = account.partition(":")
        return name if name in BY_TYPE or whose == self._bank else ""

    def _shares(self, event: Event, ruling: Ruling, entries: Entries, shares: Sequence[Share]) -> None:
        """Corrections change what is due by what they move of clearing; funds what is received, the other way."""
        clearing = f"clearing:{self._bank}"
        moved = sum(fen * ((debit == clearing) - (credit == clearing)) for debit, credit, fen in entries)
        side, right = ("due", moved) if ruling.exception_id else ("received", -moved)
        found = sum(share.fen for share in shares if share.side == side)
        if found != right or any(share.side != side for share in shares):
            what = f"of side {side} are {found} fen, right is {right}, what it moved of {clearing}"
            self._proofs[p.CLEARING].fault("share", (event.book_id, event.seq), what)
