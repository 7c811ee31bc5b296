"""What the store asks of a database engine, and the two ways in which it can fail.

`sqlite` and `postgres` implement `Backend`; `load`, `write` and `batch` use it and know no engine. It is one
connection that writes, used by one thread at a time; readers take connections from `engine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Engine, Table

from .statements import Statements

Row = tuple[Any, ...]


class StoreError(Exception):
    """Out of reach, read-only or full: nothing happened. `str()` is one line.

    Answered 91 (wire.md section 6, rule 9).
    """


class CommitInDoubt(Exception):
    """The connection failed during COMMIT: it may have happened. Ask again with the same requests (rule 5)."""


class Backend(Protocol):
    """One writing connection. Every method but `abandon` raises `StoreError` when the engine fails.

    After any error the connection is thrown away; the next `begin` opens a new one.
    """

    engine: Engine
    statements: Statements
    locks_rows: bool  # rows have to be locked one by one (FOR UPDATE); SQLite locks the whole file

    def begin(self, writing: bool) -> None:
        """Begin a transaction; to write, or one that only reads. A lock of another process is waited for."""

    def rows(self, sql: str, parameters: Sequence[object]) -> list[Row]: ...

    def many(self, sql: str, parameters: Sequence[object], columns: Sequence[str]) -> list[Row]:
        """The same, for a SELECT of these columns that finds a row for most keys, none of them bytes."""

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert whole rows, in the order of the table's columns."""

    def change(self, sql: str, rows: Sequence[Row]) -> int:
        """Run one statement for each tuple of parameters; return how many rows it changed in all."""

    def move_bills(self, rows: Sequence[Row]) -> int:
        """For rows (status, paid_book, paid_seq, division, number, status as loaded): change the bills that still
        are as loaded; return how many those are."""

    def hold(self) -> None:
        """Make this transaction one that waits for a synchronous standby although it changes nothing."""

    def commit(self) -> None:
        """Make it durable. Raises CommitInDoubt if it may have happened although an error was reported."""

    def rollback(self) -> None: ...

    def discard(self) -> None:
        """Throw the connection away."""

    def abandon(self) -> None:
        """From another thread: give up on a frozen server; one that only waits for a lock is left alone."""

    def close(self) -> None: ...
