"""What the banks' 0500 told, kept in memory until the store has it: no reply waits for that, and none depends on it.

The latest of each book and date; written once a second at most, in a thread. A store that is away is tried again; what
a crash loses, the bank's next 0500 tells anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from shebao.ledger.facts import ToldTotals
from shebao.ledger.store import StoreError

from .nightfall import InThread
from .session import Log

RETRY_TICKS: Final = 10  # between tries at a store that could not be written

Keep = Callable[[Sequence[ToldTotals]], None]  # blocks and may raise: called in a thread


class Memo:
    """`take` what was told, `tick` about once a second; both on the reactor's thread."""

    def __init__(self, keep: Keep, in_thread: InThread, log: Log) -> None:
        self._keep, self._in_thread, self._log = keep, in_thread, log
        self._rows: dict[tuple[int, int], ToldTotals] = {}
        self._is_busy = False
        self._pause = 0

    def take(self, row: ToldTotals) -> None:
        """Called with every 0500 that was answered: cheap."""
        self._rows[row.book_id, row.date] = row

    def tick(self) -> None:
        self._pause = max(0, self._pause - 1)
        if self._rows and not self._is_busy and not self._pause:
            self._is_busy = True
            rows = self.rows()
            self._in_thread(lambda: self._keep(rows), lambda result: self._kept(rows, result))

    def rows(self) -> list[ToldTotals]:
        """What the store may not have yet."""
        return list(self._rows.values())

    def _kept(self, rows: Sequence[ToldTotals], result: object) -> None:
        self._is_busy = False
        if isinstance(result, BaseException):
            self._pause = RETRY_TICKS
            why = {"why": str(result)} if isinstance(result, StoreError) else {"fault": result}
            self._log.warning("banks' totals not written, trying again", **why)
            return
        for row in rows:
            if self._rows[row.book_id, row.date] is row:  # else the bank has told something else meanwhile
                del self._rows[row.book_id, row.date]
