"""Money between the bank and the bureau in a report: due and received, the reconciliation statement, the accounts.

Reads by `queries` and adds up; settlement.md section 6 says what each number means. Nothing here judges it: `verdict`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from shebao.ledger.day import days_between
from shebao.ledger.history import own_side

from .periods import Period
from .queries import rows

# settlement date, fen due, fen missing, day on which the latest money that stands came (0: none) → working days late
DaysLate = Callable[[int, int, int, int], int]


def calendar_days_late(today: int) -> DaysLate:
    """Days since the day after the settlement date, holidays and all; for want of a calendar of working days."""

    def late(date: int, due: int, missing: int, came: int) -> int:
        return max(0, days_between(date, today) - 1) if missing > 0 else 0

    return late


class Due(NamedTuple):
    """One settlement date of a bank: what it owes and what has come."""

    bank: str
    date: int
    state: str
    net: int  # of our detail file
    moved: int  # items of other dates that the bank lists here, less those of it that the bank lists elsewhere
    corrections: int
    received: int
    days_late: int
    compared: bool  # a file of the bank is accepted

    @property
    def due(self) -> int:
        return self.net + self.moved + self.corrections

    @property
    def told_state(self) -> str:
        """The one state that a report has for it: as in the books, or that it was compared and does not agree."""
        return "DIFFERS" if self.state == "CLOSED" and self.compared else self.state

    @property
    def missing(self) -> int:
        """Negative: more has come than is due."""
        return self.due - self.received


class Difference(NamedTuple):
    """A line of the reconciliation statement: an exception that is open, or was left unbooked."""

    bank: str
    date: int  # whose statement it stands in
    id: int
    of_date: int  # the exception's own
    item_class: str
    state: str
    bill: str
    fen: int


class Statement(NamedTuple):
    """余额调节表 of a bank and period, over the dates whose file is accepted."""

    bank: str
    dates: int  # of the period
    accepted: int
    due: int
    differences: list[Difference]
    net: int  # the bank's
    classes: dict[str, int]

    @property
    def rest(self) -> int:
        """What no exception explains: must be 0."""
        return self.net - self.due - sum(one.fen for one in self.differences)


class Account(NamedTuple):
    """A line of the trial balance; fen, debit less credit for opening and closing."""

    account: str
    opening: int
    debit: int
    credit: int

    @property
    def closing(self) -> int:
        return self.opening + self.debit - self.credit

    @property
    def own(self) -> int:
        """Closing, positive on the account's own side."""
        return self.closing * own_side(self.account)


class Voucher(NamedTuple):
    bank: str
    date: int
    kind: str
    debit: str
    credit: str
    transfers: int
    fen: int


def dues(conn: Connection, bank: str, book_id: int, until: int, days_late: DaysLate) -> list[Due]:
    """Every date of a bank up to `until`, the oldest first."""
    found = []
    files = {row.date for row in rows(conn, "files", book=book_id, since=0, until=until)}
    for row in rows(conn, "dues", book=book_id, until=until):
        due, received = row.net + row.moved + row.corrections, row.received
        late = days_late(row.date, due, due - received, row.came) if row.state != "OPEN" else 0
        parts = row.net, row.moved, row.corrections
        found.append(Due(bank, row.date, row.state, *parts, received, late, row.date in files))
    return found


def statement(conn: Connection, bank: str, book_id: int, period: Period, owed: Iterable[Due]) -> Statement:
    span = {"book": book_id, "since": period.since, "until": period.until}
    files = {row.date: row for row in rows(conn, "files", **span)}
    of_period = [one for one in owed if period.since <= one.date <= period.until]
    classes: dict[str, int] = {}
    for file in files.values():
        for name, number in json.loads(file.classes_json).items():
            classes[name] = classes.get(name, 0) + number
    lines = [Difference._make((bank, *row)) for row in rows(conn, "differences", **span)]
    return Statement(
        bank, len(of_period), len(files), sum(one.due for one in of_period if one.date in files),
        [line for line in lines if line.date in files], sum(file.net for file in files.values()), classes,
    )  # fmt: skip


def accounts(conn: Connection, books: Mapping[int, tuple[int, int]]) -> list[Account]:
    """The trial balance of some books together, each over its own events (first, last]."""
    opening: dict[str, int] = {}
    moved: dict[str, tuple[int, int]] = {}
    for book_id, (first, last) in books.items():
        for row in rows(conn, "accounts", book=book_id, first=first, last=last):
            for account, debit, credit in ((row.debit, 1, 0), (row.credit, 0, 1)):
                opening[account] = opening.get(account, 0) + (debit - credit) * row.before
                before = moved.get(account, (0, 0))
                moved[account] = before[0] + debit * row.moved, before[1] + credit * row.moved
    order = ("clearing", "fund", "suspense", "refund", "special", "treasury")
    names = sorted(opening, key=lambda name: (order.index(name.split(":")[0]), name))
    return [Account(name, opening[name], *moved[name]) for name in names]


def vouchers(conn: Connection, bank: str, book_id: int, first: int, last: int) -> list[Voucher]:
    return [Voucher._make((bank, *row)) for row in rows(conn, "vouchers", book=book_id, first=first, last=last)]
