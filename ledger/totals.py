"""The bank's totals of a settlement date against the book's (wire.md section 5, Totals). Changes nothing.

What the bank told goes along with the decision, for whoever remembers it (`told`): the reply does not depend on that.
"""

from __future__ import annotations

from collections.abc import Mapping

from shebao.codecs.errors import Code

from .facts import Day, Decision, Facts, Request, ToldTotals
from .outcome import Say


def compare(request: Request, facts: Facts) -> Decision:
    """0500 for a date, open or not: 00 in balance or 95, and our own figures; 30, 015 for a date unknown.

    Credits are payments and advices (suspense too) and reversals of voids; voids and reversals are their
    reversals, gross. The dates are those that wire.md section 6, rule 10, gave.
    """
    day = facts.days[request.book_id, request.date]
    if day is None:
        return Decision(Code.FORMAT, {44: "015"}, note=f"no settlement date {request.date}")
    ours = figures(day)
    balanced = all(request.totals.get(field) == value for field, value in ours.items())
    beside = told(request.totals, day, facts.now_us)
    if balanced:
        return Decision(Code.APPROVED, {66: "1", **ours}, told=beside)
    # MS is told where DE48 was asked with
    return Decision(Code.TOTALS, {66: "2", **ours}, (("MS", str(Say.TOTALS)),), told=beside)


def told(totals: Mapping[int, str], day: Day, now_us: int) -> ToldTotals | None:
    """What the bank told beside what the book has; None where its figures are no numbers."""
    texts = [totals.get(field, "") for field in (74, 86, 75, 87)]
    if not all(text.isascii() and text.isdigit() for text in texts):
        return None
    ours = (day.credits, day.credits_fen, day.reversals, day.reversals_fen)
    return ToldTotals._make((day.book_id, day.date, now_us, *map(int, texts), *ours))


def figures(day: Day) -> Mapping[int, str]:
    """DE74-77, 86-89 and 97 of a date: debits are always zero, a net of zero is `C`."""
    net = day.credits_fen - day.reversals_fen
    return {
        74: f"{day.credits:010d}",
        75: f"{day.reversals:010d}",
        76: "0" * 10,
        77: "0" * 10,
        86: f"{day.credits_fen:016d}",
        87: f"{day.reversals_fen:016d}",
        88: "0" * 16,
        89: "0" * 16,
        97: f"{'D' if net < 0 else 'C'}{abs(net):016d}",
    }
