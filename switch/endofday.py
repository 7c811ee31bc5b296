"""What the daemon does at a date's end, in threads: statement files of closed dates, signed heads.

The files are `reconcile.close`'s, the anchors `ledger.anchor`'s; here they are given this switch's folders, keys
and connections, and the dates that still lack a file are found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import select

from shebao.codecs.dialect import Dialect
from shebao.codecs.settings import SwitchSettings
from shebao.ledger.schema import book, day
from shebao.ledger.store import Reading
from shebao.reconcile.close import Files, write_day
from shebao.reconcile.inbox import folder_of, is_there

LOOK_BACK_DATES: Final = 31  # closed dates that are looked at for a missing file


class EndOfDay:
    """Blocking work: every method is to be called in a thread and may raise."""

    def __init__(
        self, settings: SwitchSettings, dialects: Mapping[str, Dialect], read: Reading, anchor: Callable[[], object],
        files: Files | None = None,
    ) -> None:  # fmt: skip
        """files: what makes them durable, when it is not a plain disk."""
        self._settings, self._dialects, self._read, self._files = settings, dialects, read, files
        self.anchor = anchor

    def open_dates(self) -> dict[str, int]:
        """Each bank's open settlement date."""
        with self._read() as connection:
            rows = connection.execute(select(book.c.book_id, book.c.open_date)).all()
        dates: dict[int, int] = {row.book_id: row.open_date for row in rows}
        return {key: dates[bank.book_id] for key, bank in self._settings.banks.items()}

    def close(self, bank: str) -> list[int]:
        """Write the statement files of closed dates that have none; return those dates, oldest first.

        Raises what the first date that could not be written raised, after all others were.
        """
        settings, spec = self._settings.banks[bank], self._dialects[bank].statement
        with self._read() as connection:
            closed = select(day.c.date).where(day.c.book_id == settings.book_id, day.c.state != "OPEN")
            rows = connection.execute(closed.order_by(day.c.date.desc()).limit(LOOK_BACK_DATES)).scalars()
            dates = sorted(date for date in rows if not self._is_filed(bank, date))
        faults: list[Exception] = []
        for date in dates:
            try:
                write_day(
                    self._read, self._state_dir, spec, self._settings.institution, bank, settings.book_id, date,
                    self._files,
                )  # fmt: skip
            except Exception as fault:  # books that do not add up on one date, a disk that is full
                faults.append(fault)
        if faults:
            raise faults[0]
        return dates

    def _is_filed(self, bank: str, date: int) -> bool:
        return is_there(folder_of(self._state_dir, "outbox", bank, date), self._dialects[bank].statement, bank, date)

    @property
    def _state_dir(self) -> Path:
        return Path(self._settings.state_dir)
