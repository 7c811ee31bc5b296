"""A bill and the moves that its status may make (settlement.md section 1). No other move exists.

What money does with a move is the journal's affair; who may ask for one, the rules' (`payment`, `reversal`).
"""

from __future__ import annotations

from typing import Final

from .facts import Bill

OUTSTANDING: Final = "OUTSTANDING"
PAID: Final = "PAID"
WITHDRAWN: Final = "WITHDRAWN"
EXPIRED: Final = "EXPIRED"
REFUNDED: Final = "REFUNDED"
STATUSES: Final = (OUTSTANDING, PAID, WITHDRAWN, EXPIRED, REFUNDED)

# (status, act) -> status. Whether "pay" comes in time, and a "release" too late, is judged by `status_on`.
MOVES: Final = {
    (OUTSTANDING, "pay"): PAID,
    (EXPIRED, "pay"): PAID,  # made in time, told late
    (PAID, "release"): OUTSTANDING,  # reversed or voided
    (PAID, "release late"): EXPIRED,  # the same, its last payable day over
    (OUTSTANDING, "withdraw"): WITHDRAWN,
    (OUTSTANDING, "expire"): EXPIRED,
    (PAID, "refund"): REFUNDED,
}


def status_on(bill: Bill, date: int) -> str:
    """The status of a bill towards money that was paid on `date` (YYYYMMDD).

    The last payable day is judged by that date alone, so the stored OUTSTANDING and EXPIRED tell the same:
    money paid in time and told late counts.
    """
    if bill.status == OUTSTANDING or bill.status == EXPIRED:
        return OUTSTANDING if date <= bill.last_day else EXPIRED
    return bill.status


def is_payable(bill: Bill, date: int) -> bool:
    """Whether money paid on `date` may pay this bill (wire.md section 6, rule 4)."""
    return status_on(bill, date) == OUTSTANDING


def paid(bill: Bill, book_id: int, seq: int) -> Bill:
    """The bill paid by the payment (book, seq). KeyError if its status allows no payment."""
    return bill._replace(status=MOVES[bill.status, "pay"], paid_book=book_id, paid_seq=seq)


def released(bill: Bill, today: int) -> Bill:
    """The bill without its payment: OUTSTANDING again, or EXPIRED when its last day is over."""
    act = "release" if today <= bill.last_day else "release late"
    return bill._replace(status=MOVES[bill.status, act], paid_book=None, paid_seq=None)


def withdrawn(bill: Bill) -> Bill:
    return bill._replace(status=MOVES[bill.status, "withdraw"])


def refunded(bill: Bill) -> Bill:
    return bill._replace(status=MOVES[bill.status, "refund"], paid_book=None, paid_seq=None)


def main_type(bill: Bill) -> str:
    """The insurance type that most of the amount is for; of equal ones the first."""
    return max(bill.parts, key=lambda part: part[1])[0]


def parts_text(parts: tuple[tuple[str, int], ...]) -> str:
    """Parts as stored: `170:1530000 390:48000`, in file order."""
    return " ".join(f"{kind}:{fen}" for kind, fen in parts)


def parse_parts(text: str) -> tuple[tuple[str, int], ...]:
    """The inverse of `parts_text`."""
    return tuple((kind, int(fen)) for kind, _, fen in (part.partition(":") for part in text.split()))
