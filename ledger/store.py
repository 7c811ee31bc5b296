"""The store: the one narrow door between the lane, or a command, and the books. It holds an engine and a lock.

Engines are in `sqlite` and `postgres`, the shape of a batch in `batch`. Other programs read and write the tables that
are not the books' (exceptions, bank files) through `reading` and `writing`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from . import sqlite
from .backend import Backend, CommitInDoubt, StoreError
from .batch import Answer, Encode, run
from .facts import REPLY_DEADLINE_US, Decision, Request
from .migrations import is_current, upgrade
from .sqlite import SqliteBackend
from .statements import Statements

__all__ = ["Answer", "CommitInDoubt", "Encode", "Reading", "Store", "StoreError", "migrate", "open_store"]

Reading = Callable[[], AbstractContextManager[Connection]]  # `Store.reading`, to whoever needs no more of a store
_BEAT: Final = "UPDATE pulse SET beats = beats + 1 WHERE id = 1"


def open_store(url: str, reply_deadline_us: int = REPLY_DEADLINE_US) -> Store:
    """A store by its SQLAlchemy URL. Nothing is connected yet: a store that is away is told by the first use."""
    return Store(make_backend(url), reply_deadline_us)


def make_backend(url: str) -> Backend:
    if _is_sqlite(url):
        return SqliteBackend(url)
    from .postgres import PostgresBackend  # not above: a command over SQLite starts without its driver

    return PostgresBackend(url)


def migrate(url: str) -> list[str]:
    """Create the database, or bring it to this version; the revisions that ran. Raises StoreError."""
    if _is_sqlite(url):
        sqlite.make_folder(sqlite.database_file(url))
        engine = sqlite.make_engine(url, create=True)
    else:
        from . import postgres

        engine = postgres.make_engine(url)
    try:
        with told(), engine.connect().execution_options(immediate=True) as connection, connection.begin():
            return upgrade(connection)
    finally:
        engine.dispose()


def _is_sqlite(url: str) -> bool:
    try:
        kind = make_url(url).get_backend_name()
    except ArgumentError:
        kind = ""
    if kind not in ("sqlite", "postgresql"):
        right = 'write "sqlite:///FILE" or "postgresql+psycopg://USER@HOST/NAME"'
        raise StoreError(f"the database URL can't be used; {right}")
    return kind == "sqlite"


class Store:
    """One per process. `transact` and `reconnect` are one thread's at a time; `abandon` may come from any."""

    def __init__(self, backend: Backend, reply_deadline_us: int) -> None:
        self._backend = backend
        self._reply_deadline_us = reply_deadline_us
        self._lock = threading.Lock()

    @property
    def engine(self) -> Engine:
        """For readers: reports, `verify`, metrics."""
        return self._backend.engine

    @property
    def statements(self) -> Statements:
        """Texts for `exec_driver_sql` with tuples, where many rows are written."""
        return self._backend.statements

    def transact(self, requests: Sequence[Request], now_us: Callable[[], int], encode: Encode) -> list[Answer]:
        """Decide the requests in order and make the outcome durable; answers in the same order.

        StoreError: nothing happened. CommitInDoubt: `reconnect`, and call again with the same requests: their keys
        tell what became of them (wire.md section 6, rules 2 and 5).
        """
        if not requests:
            return []
        with self._lock:
            return run(self._backend, requests, now_us, encode, self._reply_deadline_us)

    def foresee(self, request: Request, now_us: Callable[[], int]) -> Answer:
        """What a command's act would be answered now; nothing is done."""
        with self._lock:
            (answer,) = run(self._backend, [request], now_us, _no_reply, self._reply_deadline_us, durable=False)
        return answer

    def act(self, request: Request, now_us: Callable[[], int]) -> Answer:
        """Do a command's act, which no bank waits for."""
        (answer,) = self.transact([request], now_us, _no_reply)
        return answer

    def check(self) -> None:
        """Raise StoreError if the database can't be reached, or is not of this version."""
        with self.reading() as connection:
            if not is_current(connection):
                raise StoreError("the database has no tables of this version; type: ledgerctl init")

    def ping(self) -> None:
        """Raise StoreError unless the store can be written now."""
        with self._lock:
            self._backend.begin(writing=True)
            try:
                if self._backend.change(_BEAT, [()]) != 1:
                    raise StoreError("the database has no tables of this version; type: ledgerctl init")
            except BaseException:
                self._backend.rollback()
                raise
            self._backend.commit()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose reads all see one moment, and block nobody."""
        with told(), self.engine.connect() as connection:
            if self._backend.locks_rows:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in one transaction that may write. SQLite: it holds the only write lock, so be quick."""
        with told(), self.engine.connect() as connection:
            connection = connection.execution_options(immediate=True)
            with connection.begin():
                yield connection

    def reconnect(self) -> None:
        """Drop the connection that was in doubt; the next use opens another."""
        with self._lock:
            self._backend.discard()

    def abandon(self) -> None:
        """From another thread: the commit deadline is over, give up on a frozen server."""
        self._backend.abandon()

    def close(self) -> None:
        with self._lock:
            self._backend.close()


def _no_reply(request: Request, decision: Decision) -> bytes:
    return b""


@contextmanager
def told() -> Iterator[None]:
    """Engine faults as StoreError, one line."""
    try:
        yield
    except DBAPIError as error:
        raise StoreError(one_line(error.orig)) from error
    except SQLAlchemyError as error:
        raise StoreError(one_line(error)) from error


def one_line(error: object) -> str:
    return " ".join(str(error).split())
