"""The model's nouns: what a bank said, what must come back, what was taken, and the ways through the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date as Date
from datetime import datetime
from typing import Final, NamedTuple

PAY, VOID = "500000", "200000"
KIND: Final = {
    "0100": "inquiry", "0101": "inquiry", "0200": "pay", "0201": "pay", "0220": "advice", "0221": "advice",
    "0400": "reversal", "0401": "reversal", "0420": "reversal", "0421": "reversal",
    "0500": "totals", "0501": "totals", "0520": "totals", "0521": "totals",
    "0800": "cutover", "0801": "cutover", "0820": "cutover", "0821": "cutover",
}  # fmt: skip
KEPT: Final = frozenset(["00", "13", "14", "25", "57", "B1", "B2", "B3", "B4", "R1", "R2"])

# The same of the settlement desk: what two people decided about which class, and what was done with funds and files.
WAYS_OF_THE_DESK: Final = (
    "pay BANK_ONLY", "pay STATE_DIFFERS", "pay SUSPENSE", "pay onto another bill",
    "suspense BANK_ONLY", "suspense STATE_DIFFERS", "suspense DUPLICATE", "suspense AMOUNT_DIFFERS",
    "reverse LEDGER_ONLY", "reverse STATE_DIFFERS", "reverse LATE_REVERSAL", "reverse AMOUNT_DIFFERS",
    "reverse of a void, late", "return SUSPENSE", "return SUSPENSE by transfer", "return DUPLICATE",
    "return BANK_ONLY", "carry BANK_ONLY", "carry LEDGER_ONLY", "accept BANK_ONLY", "accept LEDGER_ONLY",
    "accept DUPLICATE", "accept AMOUNT_DIFFERS", "accept STATE_DIFFERS", "accept LATE_REVERSAL",
    "undo booked", "undo parked", "undo applied", "undo returned", "undo reversed", "undo noted",
    "proposal refused", "approval refused", "rejected", "the same person refused", "judged twice refused",
    "receive", "receive in parts", "receive again, no effect", "receive again, other content", "cancel", "payback",
    "refund", "refund-paid", "sweep", "replace", "decided in doubt", "decided again after a death",
    "run of equal files", "run of other files", "run refused", "run died", "run in trouble",
    "decided while a run writes", "opened again under a decision",
)  # fmt: skip

# Every way through the rules that a world can take; one never reached is a gap in the world.
WAYS: Final = (
    "pay 00", "pay 13", "pay 25 unknown", "pay 25 check digit", "pay B1", "pay B2 withdrawn", "pay B2 expired",
    "pay B3", "pay R1 reversed before", "pay 00 told by advice", "pay R1 advice undone",
    "pay in time, bill expired since",
    "advice onto bill", "advice told again", "advice to suspense", "advice after decline", "advice R1 reversed before",
    "void 00", "void 00 of a decline", "void 00 undone already", "void 13", "void 25", "void 25 check digit", "void R2",
    "void R1 reversed before",
    "reversal 00", "reversal 00 of suspense", "reversal 00 of a decline", "reversal 00 undone already", "reversal 13",
    "reversal 25 other bank", "reversal 25 other kind", "reversal 25 remembered", "reversal 25 of no key",
    "reversal leaves the bill expired", "reversal R2", "unvoid R2",
    "unvoid 00", "unvoid to suspense", "unvoid 00 nothing to undo", "unvoid 13",
    "repeat", "94", "30 age", "30 DE13", "68",
    "inquiry one bill", "inquiry page", "inquiry page cut", "inquiry next page", "inquiry nothing", "inquiry B1",
    "inquiry B2", "inquiry 25", "inquiry 14",
    "totals 00", "totals 95", "totals 30",
    "cutover", "cutover again", "cutover 30", "cutover by the clock",
    "withdrawn", "withdrawal refused",
    "pay 00 told by booking", "pay R1 booking undone", "pay B2 refunded", "advice told again of a booking",
    "void R2 of a booking", "void R2 of what is decided", "reversal 00 of a booking", "reversal R2 of what is decided",
    *WAYS_OF_THE_DESK,
)  # fmt: skip


class Said(NamedTuple):
    """A message as a bank sent it; texts are those of the fields."""

    bank: str
    mti: str
    proc: str
    de7: str
    stan: str
    amount: int = 0
    bill: str = ""
    person: str = ""
    card: str = ""
    de90: str = ""
    de13: str = ""
    de15: str = ""
    page: str = ""
    channel: str = ""
    totals: Mapping[int, str] = {}


@dataclass
class Expected:
    """What must come back. `first`: the transmission whose reply is kept, so whose fields a repeat gives back."""

    code: str
    de44: int = 0
    date: Date | None = None  # DE15 of 00
    receipt: tuple[str, Date, int] | None = None  # bank, date, serial of RN
    first: int = -1
    slot: tuple[str, str, datetime, str] | None = None  # of a kept reply: its bytes never change
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # others that must stand in DE48, exactly
    amount: int | None = None  # DE4 of an inquiry
    totals: Mapping[int, str] = field(default_factory=dict)


@dataclass(eq=False)
class Item:
    """An exception that the wire opens, or that money parked by two people opens."""

    bank: str
    kind: str  # SUSPENSE LATE_REVERSAL
    date: Date  # open when it was opened
    bill: str
    amount: int
    state: str = "OPEN"  # PROPOSED CARRIED DECIDED CLOSED
    taken: Taken | None = None
    void: Voided | None = None  # a late reversal's, where it was of a void


@dataclass(eq=False)
class Taken:
    """Money that a bank told us it took, or that two people booked by its file."""

    bank: str
    key: tuple[datetime, str]
    advised: bool
    bill: str
    amount: int
    date: Date
    serial: int
    moment: datetime
    live: bool = True
    suspense: bool = False
    channel: str = ""
    item: Item | None = None  # the exception of its being in suspense
    booked: bool = False  # by two people
    refunded: bool = False
    held: str = ""  # what became of it in suspense: OPEN REVERSED APPLIED RETURNED; empty: it never was there
    onto: str = ""  # the bill that it was put onto, where that is another
    undone_by: object = None  # "V", "R", or the decision that reversed it

    @property
    def pays(self) -> str:
        return self.onto or self.bill

    @property
    def stands(self) -> bool:
        """Taken and not given back to the bank; a refund comes after."""
        return self.live or self.refunded

    @property
    def is_disposed_of(self) -> bool:
        """Two people have decided what becomes of the money."""
        return self.refunded or self.held in ("APPLIED", "RETURNED")

    @property
    def receipt(self) -> tuple[str, Date, int]:
        return self.bank, self.date, self.serial


@dataclass(eq=False)
class Voided:
    bank: str
    key: tuple[datetime, str]
    taken: Taken | None  # None: nothing was moved by it
    date: Date | None = None
    amount: int = 0
    undone: bool = False


class Told(NamedTuple):
    """A remembered answer."""

    content: tuple[object, ...]
    expected: Expected
    proc: str
    bill: str


class DetailLine(NamedTuple):
    """What must stand in the statement file of a date."""

    kind: str
    moment: datetime
    stan: str
    bill: str
    amount: int
    receipt: tuple[str, Date, int]
    rrn: str  # of the message that took effect
    channel: str  # of the payment
    original: tuple[datetime, str] | None  # of the payment that was undone, or the void that was
