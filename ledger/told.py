"""What the banks' 0500 told, in the store: the latest of each book and date, for `reconcile status`.

No part of the books: it has no event and no seal, and a row that a crash loses is told again by the bank's next 0500.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from .facts import ToldTotals
from .schema_day import told_totals
from .store import Store


def keep(store: Store, rows: Sequence[ToldTotals]) -> None:
    """Make these the latest of their dates, but where something later is known already. Raises StoreError."""
    ordered = sorted(tuple(row) for row in rows)  # by key, so that two daemons don't block each other
    with store.writing() as connection:
        connection.exec_driver_sql(store.statements.upsert_told, ordered)


def told_of(connection: Connection, book_id: int) -> dict[int, ToldTotals]:
    """The latest of each date of a book."""
    rows = connection.execute(select(told_totals).where(told_totals.c.book_id == book_id))
    return {row.date: ToldTotals(*row) for row in rows}
