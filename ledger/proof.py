"""What a proof is, to those who make one and to who shows it: a name, how much was looked at, what does not fit.

Nothing is read or judged here (`walk`, `standing`, `heads`; all are called by `verify`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

FINDINGS_MAX: Final = 20  # kept of each proof; the rest is counted

BALANCE: Final = "debits equal credits"
TRANSFERS: Final = "every transfer is positive, and its event's"
PAID: Final = "every PAID bill has one live payment, every other none"
STATUS: Final = "every bill's status is its last sealed move"
STATES: Final = "every payment stands as its events left it"
CLEARING: Final = "clearing is each bank's dues less what was received"
SUSPENSE: Final = "suspense is its open items"
RECEIPTS: Final = "receipts have no gap but a restore's"
DAYS: Final = "every date counts its events"
CORRECTIONS: Final = "every correction has two operators"
EVENTS: Final = "events have no gap"
SEAL: Final = "the seal"
ANCHORS: Final = "the anchors"

# In this order they are told: what is nearest to a tampered row first.
NAMES: Final = (
    EVENTS, SEAL, ANCHORS, TRANSFERS, RECEIPTS, STATES, STATUS, PAID, DAYS, BALANCE, CLEARING, SUSPENSE, CORRECTIONS,
)  # fmt: skip


class Finding(NamedTuple):
    """A row that does not fit: its table, its key (columns joined by `/`, or a file and line), and what differs."""

    table: str
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.table} {self.key}: {self.what}"


@dataclass
class Proof:
    """One thing that is proved, and the first rows, in the order of the books, that speak against it."""

    name: str
    looked_at: int = 0  # rows, or sums
    faults: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what is right, but an auditor wants to know

    def fault(self, table: str, key: object, what: str) -> None:
        """Against the proof. key: a tuple of key columns, or text."""
        self.faults += 1
        if len(self.findings) < FINDINGS_MAX:
            text = "/".join(map(str, key)) if isinstance(key, tuple) else str(key)
            self.findings.append(Finding(table, text, what))

    def note(self, text: str) -> None:
        if len(self.notes) < FINDINGS_MAX:
            self.notes.append(text)

    def differs(self, table: str, key: object, column: str, found: object, right: object) -> None:
        self.fault(table, key, f"{column} is {shown(found)}, right is {shown(right)}")


Proofs = dict[str, Proof]


def proofs() -> Proofs:
    return {name: Proof(name) for name in NAMES}


def shown(value: object, size: int = 64) -> str:
    """A value for a finding: printable, on one line, not endless."""
    if value is None or value == "":
        return "empty"
    if isinstance(value, bytes):
        value = value.hex()
    text = str(value)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= size else f"{text[:size - 3]}..."
