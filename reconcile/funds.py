"""Money due and received, per bank and date: the list that finance reads, and how late money is (section 6).

Reads only. What moves funds is `decisions` and the ledger's rules; the sums themselves are `ledger.dues`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from shebao.ledger.day import OPEN
from shebao.ledger.dues import money_on
from shebao.ledger.schema_day import ruling, share

from . import shelf
from .worklist import iso

Late = Callable[[int, int], int]  # settlement date, until -> working days late


class Line(NamedTuple):
    bank: str
    date: int
    state: str
    due: int
    received: int
    days_late: int

    @property
    def missing(self) -> int:
        """Below zero: more came than is due."""
        return self.due - self.received


def lines(conn: Connection, bank: str, book_id: int, late: Late, today: int) -> list[Line]:
    """Every closed date of a bank, the oldest first."""
    found = []
    for day in shelf.days_of(conn, book_id):
        if day.state == OPEN:
            continue
        money = money_on(conn, book_id, day.date)
        until = today if money.due > money.received else _came(conn, book_id, day.date)
        days = late(day.date, until) if until and money.due > 0 else 0
        found.append(Line(bank, day.date, day.state, money.due, money.received, days))
    return found


def _came(conn: Connection, book_id: int, date: int) -> int:
    """The day on which the latest money for a date came; 0: none did."""
    query = (
        select(func.max(ruling.c.received_on))
        .join(share, (share.c.book_id == ruling.c.book_id) & (share.c.seq == ruling.c.seq))
        .where(share.c.book_id == book_id, share.c.date == date, share.c.side == "received", share.c.fen > 0)
    )
    return int(conn.execute(query).scalar() or 0)


def as_json(one: Line) -> dict[str, Any]:
    """One line of `reconcile funds --json`."""
    return {
        "bank": one.bank, "date": iso(one.date), "state": one.state, "due": one.due, "received": one.received,
        "missing": one.missing, "days_late": one.days_late,
    }  # fmt: skip
