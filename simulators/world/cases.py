"""Exceptions and proposals as the judge knows them: read from the tables as facts, their states followed by itself.

What a matching finds is not foretold here (`tests/reconcile` has its own oracle); that it is lawful is: nothing comes
out of nothing, nothing vanishes, and what was decided stays so until its lines change. What a decision does is
`decided`'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date as Date
from typing import Any, Final

from .almanac import EPOCH, as_date
from .core import Place
from .said import Item, Taken

OF_THE_WIRE: Final = ("SUSPENSE", "LATE_REVERSAL")
NEVER: Final = EPOCH.date()
UNDECIDED: Final = ("OPEN", "PROPOSED")
_COLUMNS: Final = (
    "id, date, item_class, state, bill, amount, ledger_json, bank_json, ledger_date, moved_fen, gap_fen, answer_date,"
    " answer_fen, corrected_fen"
)


@dataclass(eq=False)
class Made:
    """A decision that was booked."""

    kind: str  # booked parked applied returned reversed stood noted
    own: Taken | None = None  # money that it booked
    origin: Taken | None = None  # money that it speaks of
    reference: str = ""
    date: Date = NEVER  # whose due it changed
    closed: Item | None = None  # a suspense item that it closed
    suspended: bool = False  # stood: in suspense, as before


@dataclass(eq=False)
class Case:
    """An exception."""

    bank: str
    number: int
    item: Item | None  # of the wire's, and of parked money
    own_state: str = "OPEN"
    kind: str = ""  # its class
    date: Date = NEVER
    bill: str = ""
    amount: int = 0
    ledger: dict[str, Any] = field(default_factory=dict)
    theirs: dict[str, Any] = field(default_factory=dict)  # the bank's line
    ledger_date: Date | None = None
    moved: int = 0
    gap: int = 0
    answer_date: Date | None = None
    answer: int = 0
    corrected: int = 0  # by its decisions, as the judge adds them up
    left: int = 0  # what its last decision left, knowingly
    made: list[Made] = field(default_factory=list)  # the decisions that stand, the last one holds
    owns: list[Taken] = field(default_factory=list)  # all that was ever booked by its decisions

    @property
    def decision(self) -> Made | None:
        return self.made[-1] if self.made else None

    @property
    def state(self) -> str:
        return self.own_state if self.item is None else self.item.state

    @state.setter
    def state(self, state: str) -> None:
        if self.item is None:
            self.own_state = state
        else:
            self.item.state = state

    def __str__(self) -> str:
        answer = f", answered by {self.answer} on {self.answer_date}" if self.answer_date else ""
        moved = f", moved {self.moved} from {self.ledger_date}" if self.moved else ""
        return (
            f"{self.bank}-{self.number} {self.kind} {self.state} of {self.date}: gap {self.gap}{answer}{moved},"
            f" corrected {self.corrected}"
        )

    @property
    def remaining(self) -> int:
        """What is still between the bank's net and the due."""
        return self.gap + self.answer - self.corrected

    @property
    def due_date(self) -> Date:
        """Where its corrections count: its own date, or that of the bank's line which answers it (section 6)."""
        return self.answer_date or self.date


@dataclass(eq=False)
class Asked:
    """A proposal."""

    bank: str
    number: int
    action: str
    maker: str
    case: int = 0  # number of its exception; 0: funds, or a file
    bill: str = ""
    amount: int = 0
    dates: tuple[Date, ...] = ()
    parts: tuple[tuple[str, int], ...] = ()
    reference: str = ""
    before: str = ""  # the state that a rejection restores
    state: str = "WAITING"
    cancelled: bool = False  # what it moved was taken back
    about: object = None  # payment, receipt or decision that its maker looked at

    @property
    def content(self) -> tuple[object, ...]:
        """What must be equal of funds that have one reference."""
        return self.action, self.bill, self.amount, self.dates, self.parts


class Cases:
    """All exceptions of a world."""

    def __init__(self, world: Place) -> None:
        self._world = world
        self.all: dict[tuple[str, int], Case] = {}

    def of(self, bank: str) -> list[Case]:
        return [case for (of_bank, _), case in sorted(self.all.items(), key=lambda one: one[0]) if of_bank == bank]

    def undecided(self, bank: str, day: Date) -> bool:
        """Whether any keeps its date open: late reversals from the moment they come, suspense never."""
        late = any(
            (item.bank, item.kind, item.date) == (bank, "LATE_REVERSAL", day) and item.state in UNDECIDED
            for item in self._world.model.items
        )
        return late or any(
            case.bank == bank and case.item is None and case.date == day and case.state in UNDECIDED
            for case in self.all.values()
        )

    def read(self, bank: str, after_a_run: bool) -> None:
        """Takes in what the tables say now, and says what can't be."""
        for told in self._unlawful(bank, after_a_run):
            self._world.judge.fault(told)

    def _unlawful(self, bank: str, after_a_run: bool) -> Iterator[str]:
        book_id = self._world.scene.settings.banks[bank].book_id
        with self._world.operator.reading() as connection:
            rows = connection.exec_driver_sql(
                f"SELECT {_COLUMNS} FROM exception WHERE book_id = ? ORDER BY id", (book_id,)
            ).fetchall()
        items = [item for item in self._world.model.items if item.bank == bank]
        wire = iter(items)
        seen = set()
        for row in rows:
            item = next(wire, None) if row[2] in OF_THE_WIRE else None
            seen.add((bank, row[0]))
            case = self.all.get((bank, row[0]))
            if case is None:
                if (row[2] in OF_THE_WIRE and item is None) or (row[2] not in OF_THE_WIRE and not after_a_run):
                    yield f"exception {bank}-{row[0]}, {row[2]}, came out of nothing"
                case = self.all[bank, row[0]] = Case(bank, row[0], item, row[3])
                if row[3] not in ("OPEN", "CLOSED") and item is None:
                    yield f"exception {bank}-{row[0]} begins as {row[3]}"
            before = case.state
            self._take_in(case, row)
            yield from self._odd(case, before, row[3], row[13], after_a_run)
            case.state = row[3]
        for number in {number for of_bank, number in self.all if of_bank == bank and (bank, number) not in seen}:
            yield f"exception {bank}-{number} is gone"
        if len([row for row in rows if row[2] in OF_THE_WIRE]) != len(items):
            yield f"{bank} has {len(rows)} exceptions, some of the model's {len(items)} from the wire are missing"

    def _odd(self, case: Case, before: str, state: str, corrected: int, after_a_run: bool) -> Iterator[str]:
        """What is wrong with an exception as the table has it now."""
        name = f"exception {case.bank}-{case.number}, {case.kind},"
        if corrected != case.corrected:
            yield f"{name} corrects {corrected} fen, by the model {case.corrected}"
        if state != before:
            if not after_a_run or case.kind == "SUSPENSE" or not self._may_become(case, before, state):
                yield f"{name} is {state}, by the model {before}"
        elif after_a_run and state == "DECIDED" and self._must_be_open(case):
            yield f"{name} is DECIDED still, though {case.remaining} fen are between"
        if state == "CLOSED" and case.remaining and case.kind not in OF_THE_WIRE:
            yield f"{name} is CLOSED with {case.remaining} fen between"

    @staticmethod
    def _must_be_open(case: Case) -> bool:
        """Its lines are not what was decided on. Whoever accepted a late reversal knew that the bank would tell it."""
        accepted = case.kind == "LATE_REVERSAL" and case.decision is not None and case.decision.kind == "noted"
        return case.remaining not in (0, case.left) and not accepted

    def _may_become(self, case: Case, before: str, state: str) -> bool:
        """What a run may do to a state."""
        if before == "DECIDED":
            if state == "OPEN" and case.remaining not in (0, case.left):
                self._world.model.ways["opened again under a decision"] += 1
                return True
            return False
        if state == "DECIDED":  # the line that was decided on is back
            return case.decision is not None and case.remaining in (0, case.left)
        return state in ("OPEN", "CLOSED")

    @staticmethod
    def _take_in(case: Case, row: Any) -> None:
        ledger, theirs = (json.loads(text) if text else {} for text in row[6:8])
        case.date, case.kind, case.bill, case.amount = as_date(row[1]), row[2], row[4], row[5]
        case.ledger, case.theirs = ledger, theirs
        case.ledger_date = as_date(row[8]) if row[8] else None
        case.moved, case.gap = row[9], row[10]
        case.answer_date, case.answer = as_date(row[11]) if row[11] else None, row[12]

