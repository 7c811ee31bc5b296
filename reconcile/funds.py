"""Money due and received, per bank and date: the list that finance reads, and how late money is (section 6).

Reads only, by the same query as the reports (`reports.money`). What moves funds is `decisions` and the ledger's rules.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection

from shebao.ledger.day import OPEN, iso

from .reports.money import DaysLate, Due, dues
from .workdays import Workdays

ALL_DATES: Final = 99_999_999


def lines(conn: Connection, bank: str, book_id: int, calendar: Workdays, today: int) -> list[Due]:
    """Every closed date of a bank, the oldest first."""
    return [one for one in dues(conn, bank, book_id, ALL_DATES, days_late(calendar, today)) if one.state != OPEN]


def days_late(calendar: Workdays, today: int) -> DaysLate:
    """Working days by which a date's money is late so far, or was when the last of it came; 0 where nothing is due."""

    def late(date: int, due: int, missing: int, came: int) -> int:
        until = today if missing > 0 else came
        return calendar.working_days_late(date, until) if until and due > 0 else 0

    return late


def as_json(one: Due) -> dict[str, Any]:
    """One line of `reconcile funds --json`."""
    return {
        "bank": one.bank, "date": iso(one.date), "state": one.state, "due": one.due, "received": one.received,
        "missing": one.missing, "days_late": one.days_late,
    }  # fmt: skip
