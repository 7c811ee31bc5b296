"""SQLite, the embedded default: one file, every commit on the disk before it counts.

WAL, `synchronous=FULL` on every connection, our own BEGIN IMMEDIATE. A lock of another process is waited for, with
short naps. A thread copies the log back into the file all the time, so that neither a commit nor a reader waits for it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url

from .backend import CommitInDoubt, Row, StoreError
from .statements import Statements

PAGE_BYTES: Final = 2048  # a payment touches few, random pages: small ones write less
CACHE_KIB: Final = 262_144  # of the writing connection
WAL_PAGES: Final = 16_000
WAL_LIMIT_BYTES: Final = 64 * 1024**2  # a log grown beyond by a long reader is cut when it starts anew
CHECKPOINT_EVERY_S: Final = 0.2
NAP_S: Final = 0.002  # between two tries for the lock
PIECES: Final = (256, 64, 16, 4, 1)  # rows of one INSERT: few calls, so few turns at the interpreter's lock
IN_DOUBT: Final = frozenset({sqlite3.SQLITE_IOERR})


def database_file(url: str) -> Path:
    return Path(make_url(url).database or "")


def make_folder(path: Path) -> None:
    """The folder that a new database file will lie in. Raises StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def connect(path: Path, create: bool = False) -> sqlite3.Connection:
    """A connection in driver autocommit with this house's pragmas. sqlite3.Error if it can't be opened."""
    mode = "rwc" if create else "rw"
    address = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(
        address, uri=True, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    try:
        if create:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        for pragma in (
            "busy_timeout = 10000",
            "journal_mode = WAL",
            "synchronous = FULL",
            f"wal_autocheckpoint = {WAL_PAGES}",
            f"journal_size_limit = {WAL_LIMIT_BYTES}",
            "secure_delete = OFF",
            "temp_store = FILE",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def make_engine(url: str, create: bool = False) -> Engine:
    """An engine for readers and commands: BEGIN is ours; `execution_options(immediate=True)` takes the write lock."""
    path = database_file(url)
    engine = create_engine(url, creator=lambda: connect(path, create))

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("immediate"):
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            begin_immediate(driver)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def begin_immediate(connection: sqlite3.Connection) -> None:
    """Take the write lock, waiting for whoever has it: tried often, since SQLite's own waiting is not fair."""
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            time.sleep(NAP_S)
    finally:
        connection.execute("PRAGMA busy_timeout = 10000")


class SqliteBackend:
    """`backend.Backend` on an SQLite file."""

    locks_rows = False

    def __init__(self, url: str, checkpoints: bool = True) -> None:
        """checkpoints: whether a thread copies the log back; without, SQLite does so at times, within a commit."""
        self.path = database_file(url)
        self.engine = make_engine(url)
        self.statements = Statements(self.engine.dialect)
        self._inserts = lru_cache(maxsize=64)(self._insert_text)
        self._moves = lru_cache(maxsize=8)(_move_text)
        self._connection: sqlite3.Connection | None = None
        self._checkpointer: Checkpointer | None = None
        self._checkpoints = checkpoints

    def begin(self, writing: bool) -> None:
        try:
            if self._connection is None:
                self._connection = connect(self.path)
                self._connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            if self._checkpointer is None and self._checkpoints:
                self._checkpointer = Checkpointer(self.path)
            if writing:
                begin_immediate(self._connection)
            else:
                self._connection.execute("BEGIN")
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def rows(self, sql: str, parameters: Sequence[object]) -> list[Row]:
        try:
            return self._open().execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def many(self, sql: str, parameters: Sequence[object], columns: Sequence[str]) -> list[Row]:
        """All rows in one JSON text: sqlite3 lets the interpreter's lock go, and waits for it again, at every row."""
        wrapped = f"SELECT json_group_array(json_array({', '.join(columns)})) FROM ({sql})"
        found: list[Row] = json.loads(self.rows(wrapped, parameters)[0][0])
        return found

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        self._in_pieces(lambda size: self._inserts(table, size), rows)

    def change(self, sql: str, rows: Sequence[Row]) -> int:
        try:
            return self._open().executemany(sql, rows).rowcount
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def move_bills(self, rows: Sequence[Row]) -> int:
        return self._in_pieces(self._moves, rows)

    def hold(self) -> None:
        """Nothing to do: what is read here is on the disk."""

    def commit(self) -> None:
        connection = self._open()
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            failed = self._failed(error)
            if code in IN_DOUBT:
                raise CommitInDoubt(str(failed)) from error
            raise failed from error

    def rollback(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                self.discard()

    def discard(self) -> None:
        """Closing a connection rolls back what it had not committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def abandon(self) -> None:
        """Nothing to do: there is no server that could freeze, and a lock is waited for."""

    def close(self) -> None:
        if self._checkpointer is not None:
            self._checkpointer.stop()
            self._checkpointer = None
        self.discard()
        self.engine.dispose()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"{self.path}: no transaction is open")
        return self._connection

    def _in_pieces(self, text: Any, rows: Sequence[Row]) -> int:
        """Run a statement of many rows for pieces of fixed sizes, so that few texts stay prepared."""
        connection, start, changed = self._open(), 0, 0
        try:
            for size in PIECES:
                while len(rows) - start >= size:
                    flat = [value for row in rows[start : start + size] for value in row]
                    changed += connection.execute(text(size), flat).rowcount
                    start += size
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return changed

    def _insert_text(self, table: Table, size: int) -> str:
        head, _, marks = self.statements.insert(table).partition(" VALUES ")
        return f"{head} VALUES {', '.join([marks] * size)}"

    def _failed(self, error: sqlite3.Error) -> StoreError:
        self.discard()
        return StoreError(f"{self.path}: {error}")


def _move_text(size: int) -> str:
    """`Statements.move_bill` for many rows at once."""
    values = ", ".join(["(?, ?, ?, ?, ?, ?)"] * size)
    return (
        "UPDATE bill SET status = to_be.column1, paid_book = to_be.column2, paid_seq = to_be.column3"
        f" FROM (VALUES {values}) AS to_be"
        " WHERE bill.division = to_be.column4 AND bill.number = to_be.column5 AND bill.status = to_be.column6"
    )


class Checkpointer:
    """Copies the log back into the database file, beside the writer, and starts the log anew once it has grown."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while not self._stop.wait(CHECKPOINT_EVERY_S):
            try:
                if connection is None:
                    connection = connect(self._path)
                self.checkpoint(connection)
            except (sqlite3.Error, OSError):  # full or away: the writer says so, and the next round tries again
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def checkpoint(self, connection: sqlite3.Connection) -> None:
        """A passive round; when the log is large and all of it is copied, one that cuts it.

        The cut takes the write lock, but then has only what was written since the passive round left to copy. While
        somebody reads an old state nothing can be cut, and trying would only hold up the writer.
        """
        connection.execute("PRAGMA busy_timeout = 0")
        _, pages, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        grown = self._log.exists() and self._log.stat().st_size > 2 * WAL_LIMIT_BYTES
        if grown and pages - copied < WAL_PAGES:
            connection.execute("PRAGMA busy_timeout = 50")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
