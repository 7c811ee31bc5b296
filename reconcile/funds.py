"""Money due and received, per bank and date: the list that finance reads, and how late money is (section 6).

Reads only, by the same query as the reports (`reports.money`). What moves funds is `decisions` and the ledger's rules.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, func, select

from shebao.ledger.day import OPEN
from shebao.ledger.schema_day import ruling, share

from .reports.money import DaysLate, Due, dues
from .workdays import Workdays
from .worklist import iso

ALL_DATES: Final = 99_999_999


def lines(conn: Connection, bank: str, book_id: int, calendar: Workdays, today: int) -> list[Due]:
    """Every closed date of a bank, the oldest first."""
    late = days_late(conn, {bank: book_id}, calendar, today)
    return [one for one in dues(conn, bank, book_id, ALL_DATES, late) if one.state != OPEN]


def days_late(conn: Connection, books: dict[str, int], calendar: Workdays, today: int) -> DaysLate:
    """Working days by which a date's money is late so far, or was when the last of it came; 0 where nothing is due."""

    def late(bank: str, date: int, due: int, missing: int) -> int:
        until = today if missing > 0 else _came(conn, books[bank], date)
        return calendar.working_days_late(date, until) if until and due > 0 else 0

    return late


def _came(conn: Connection, book_id: int, date: int) -> int:
    """The day on which the latest money for a date came; 0: none did."""
    query = (
        select(func.max(ruling.c.received_on))
        .join(share, (share.c.book_id == ruling.c.book_id) & (share.c.seq == ruling.c.seq))
        .where(share.c.book_id == book_id, share.c.date == date, share.c.side == "received", share.c.fen > 0)
    )
    return int(conn.execute(query).scalar() or 0)


def as_json(one: Due) -> dict[str, Any]:
    """One line of `reconcile funds --json`."""
    return {
        "bank": one.bank, "date": iso(one.date), "state": one.state, "due": one.due, "received": one.received,
        "missing": one.missing, "days_late": one.days_late,
    }  # fmt: skip
