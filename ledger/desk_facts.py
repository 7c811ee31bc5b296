"""The nouns of the settlement desk: what one person asks, what two decided, and the money of a date.

Rows of tables, and sums over them; the rules are in `desk`, `rulings` and `funds`. Units are those of `facts`.
"""

from __future__ import annotations

from typing import NamedTuple


class Proposal(NamedTuple):
    """A row of `proposal`: what a maker asks for and a checker judges (settlement.md section 5, Decisions).

    `id` 0: not stored yet, only asked whether it could be approved.
    """

    book_id: int
    id: int
    exception_id: int  # 0: about funds, or a file
    action: str  # see `desk.RULES`
    bill: str
    amount: int
    dates: str  # "20261123 20261124"
    parts: str  # of a sweep: "170:1530000 390:48000"
    reference: str
    received_on: int
    maker: str
    maker_reason: str
    maker_from: str  # user id and host
    made_us: int
    state: str = "WAITING"  # WAITING APPROVED REJECTED; LAPSED: its exception changed meanwhile
    before: str = ""  # the exception's state, which a rejection restores
    checker: str = ""
    checker_reason: str = ""
    checker_from: str = ""
    judged_us: int = 0
    seq: int = 0  # event that booked it
    about_seq: int = 0  # event that it is about, as its maker saw it: of a payment, a receipt, a decision; 0: none


class Ruling(NamedTuple):
    """A row of `ruling`: what two people decided, sealed with the event that it became."""

    book_id: int
    seq: int
    proposal_id: int
    exception_id: int
    action: str
    bill: str  # that the event moved
    maker: str
    maker_reason: str
    maker_from: str
    made_us: int
    checker_from: str
    reference: str
    received_on: int


class Share(NamedTuple):
    """A row of `share`: what an event changes of the money due, or received, for a date."""

    book_id: int
    seq: int
    date: int
    side: str  # "due" "received"
    fen: int


class DateMoney(NamedTuple):
    """What decides a closed date's state, and how a receipt is shared out."""

    book_id: int
    date: int
    has_file: bool  # the bank's file is accepted
    agrees: bool  # and none is to replace it
    undecided: int  # exceptions, but for carried ones and suspense
    due: int
    received: int
