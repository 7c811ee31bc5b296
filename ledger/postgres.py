"""PostgreSQL through psycopg 3: several daemons on one database, and a synchronous standby if there is one.

Rows are locked one by one, in order; inserts go by COPY, updates in one pipeline. A commit is never cancelled by us;
whatever fails while one is under way leaves it in doubt, and so does warning 01000: the wait for a synchronous standby
was cut short.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg
from sqlalchemy import URL, Engine, Table, create_engine, make_url

from .backend import CommitInDoubt, Row, StoreError
from .statements import Statements

CONNECT_TIMEOUT_S: Final = 2  # of each host in turn
# A host that has vanished is given up after 25 s by whoever waits for its answer; by default it would take hours.
KEEPALIVES: Final = {
    "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "25000",
}  # fmt: skip
WAIT_CUT_SHORT: Final = "01000"
_WAITS_FOR_LOCK: Final = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"


def address(url: str) -> URL:
    """The URL with what a switch needs: of several hosts the one that can be written, and no endless waiting."""
    parsed = make_url(url)
    defaults = {"connect_timeout": str(CONNECT_TIMEOUT_S), "target_session_attrs": "read-write", **KEEPALIVES}
    return parsed.update_query_dict({key: value for key, value in defaults.items() if key not in parsed.query})


def make_engine(url: str) -> Engine:
    return create_engine(address(url), paramstyle="format", pool_pre_ping=True)


class PostgresBackend:
    """`backend.Backend` on a PostgreSQL server."""

    locks_rows = True

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        self.statements = Statements(self.engine.dialect)
        self._connection: psycopg.Connection[Row] | None = None
        self._cut_short = False

    def _connect(self) -> psycopg.Connection[Row]:
        arguments, options = self.engine.dialect.create_connect_args(self.engine.url)
        options = {key: value for key, value in options.items() if key != "context"}
        connection = psycopg.connect(*arguments, autocommit=True, prepare_threshold=2, **options)
        connection.add_notice_handler(self._notice)
        return connection

    def _notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.sqlstate == WAIT_CUT_SHORT:
            self._cut_short = True

    def begin(self, writing: bool) -> None:
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.execute("BEGIN" if writing else "BEGIN READ ONLY", prepare=False)
        except psycopg.Error as error:
            raise self._failed(error) from error

    def rows(self, sql: str, parameters: Sequence[object]) -> list[Row]:
        try:
            return self._open().execute(sql, parameters).fetchall()
        except psycopg.Error as error:
            raise self._failed(error) from error

    def many(self, sql: str, parameters: Sequence[object], columns: Sequence[str]) -> list[Row]:
        return self.rows(sql, parameters)

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        columns = ", ".join(column.name for column in table.c)
        try:
            with self._open().cursor() as cursor, cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        except psycopg.Error as error:
            raise self._failed(error) from error

    def change(self, sql: str, rows: Sequence[Row]) -> int:
        try:
            with self._open().cursor() as cursor:
                cursor.executemany(sql, rows)
                return cursor.rowcount
        except psycopg.Error as error:
            raise self._failed(error) from error

    def move_bills(self, rows: Sequence[Row]) -> int:
        return self.change(self.statements.move_bill, rows)

    def hold(self) -> None:
        """A transaction that only reads would not wait for the standby: what it tells could still be lost."""
        self.rows("SELECT pg_current_xact_id()", ())

    def commit(self) -> None:
        connection = self._open()
        self._cut_short = False
        try:
            connection.execute("COMMIT", prepare=False)
        except psycopg.Error as error:
            raise CommitInDoubt(str(self._failed(error))) from error
        if self._cut_short:
            self.discard()
            raise CommitInDoubt("the wait for the synchronous standby was cut short")

    def rollback(self) -> None:
        if self._connection is not None:
            try:
                self._connection.execute("ROLLBACK", prepare=False)
            except psycopg.Error:
                self.discard()

    def discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error, OSError):
                connection.close()

    def abandon(self) -> None:
        connection = self._connection
        if connection is not None:
            threading.Thread(target=self._abandon, args=(connection,), name="abandon", daemon=True).start()

    def _abandon(self, connection: psycopg.Connection[Row]) -> None:
        """Cut the socket, which wakes the writer, unless the server itself says that we only wait for a lock."""
        try:
            with self._connect() as asking:
                found = asking.execute(_WAITS_FOR_LOCK, (connection.info.backend_pid,)).fetchone()
            if found is not None and found[0]:
                return
        except (psycopg.Error, OSError):
            pass
        cut(connection)

    def close(self) -> None:
        self.discard()
        self.engine.dispose()

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            raise StoreError("PostgreSQL: no transaction is open")
        return self._connection

    def _failed(self, error: psycopg.Error) -> StoreError:
        self.discard()
        return StoreError(f"PostgreSQL: {' '.join(str(error).split())}")


def cut(connection: psycopg.Connection[Any]) -> None:
    """Shut the connection's socket down under whoever waits on it."""
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
