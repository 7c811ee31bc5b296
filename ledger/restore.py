"""Books out of a backup, into an empty database: all in one transaction, proved before it counts.

A restored book is not the book that it was: what happened after the backup is lost, and so is which receipt numbers
were given then. So each book goes on with an event `restored`, sealed like any other, and beyond a gap in its receipts
(`day.after_restore`); its anchors go on in a new log (`relog`). What banks then repeat, the ledger has never seen: it
is decided anew. What they do not repeat comes back by reconciliation, as BANK_ONLY.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, delete, func, insert, inspect, select, text, update

from shebao.codecs.settings import SwitchSettings

from . import anchor, relog, schema, sqlite
from .backup import TABLES, BackupError, Piece, Progress, Reader, Summary
from .books import open_books
from .day import after_restore, moment_of, restored, time_of
from .facts import Book, Facts, KeyClass, Request
from .journal import apply
from .migrations import upgrade
from .proof import Proof
from .sqlite import SqliteBackend
from .statements import Statements
from .store import StoreError, make_backend, one_line, told
from .verify import verify

FRESH: Final = {"book", "day", "pulse"}  # tables in which `ledgerctl init` leaves rows
_OTHERS: Final = (
    "SELECT count(*) FROM pg_stat_clear_snapshot(), pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
OTHERS_TRIES: Final = 100  # a server takes a moment to notice that a client has gone
NAP_S: Final = 0.02


class Goal(NamedTuple):
    """Where to, by whom, and what for."""

    settings: SwitchSettings
    folder: Path  # the seal's, <state_dir>/seal
    signer: Ed25519PrivateKey
    operator: str
    accept_faults: bool = False  # bring books back that do not prove right: there may be no better ones


class Gap(NamedTuple):
    """What a restored book's receipts leave out. The bureau's, of date 0, has none."""

    book_id: int
    bank: str
    date: int
    last: int  # that is in the books; 0: none of this date
    next: int


class Restored(NamedTuple):
    summary: Summary
    gaps: list[Gap]
    faults: list[Proof]  # that were accepted


def check(path: Path, progress: Progress = lambda rows: None) -> Summary:
    """Read a backup to its end. BackupError if it is not whole."""
    reader = Reader(path)
    for piece in reader.pieces():
        progress(len(piece.rows))
    return reader.summary


def foresee(path: Path, goal: Goal, now_us: int) -> Summary:
    """All that is asked before anything is written; raises what `restore` would. Nothing is done."""
    summary = _fitting(path, goal, now_us)
    backend = make_backend(goal.settings.database)
    try:
        if isinstance(backend, SqliteBackend) and not backend.path.exists():
            return summary
        with _told(), backend.engine.connect() as connection:
            _must_be_empty(connection, goal.settings.database)
    finally:
        backend.close()
    return summary


def restore(path: Path, goal: Goal, now_us: Callable[[], int], progress: Progress) -> Restored:
    """Bring a backup back. BackupError, StoreError, AnchorError, OSError: nothing was done.

    The logs are begun anew by `relog.begin`, which the caller does next, or whoever signs next.
    """
    summary = foresee(path, goal, now_us())
    anchor.write_public_key(goal.folder, goal.signer.public_key())  # AnchorError while nothing is done
    with _alone(goal.settings.database) as (connection, statements):
        _must_be_empty(connection, goal.settings.database)
        upgrade(connection)
        _fill(connection, statements, Reader(path), progress, summary)
        moment_us = now_us()
        # A bank that joined after the backup has given receipts too: its book begins beyond them, like the others.
        open_books(connection, goal.settings, moment_us)
        brought_back = _events(connection)
        gaps = _begin_anew(connection, goal, summary, moment_us)
        faults = [proof for proof in _prove(connection, goal, brought_back, moment_us) if proof.faults]
        if faults and not goal.accept_faults:
            first = faults[0].findings[0]
            raise BackupError(
                f"{path} holds books that don't prove right, so nothing was done; the first fault: {first}; take an"
                " older backup, or --accept-faults if there is none better"
            )
        banks: dict[str, dict[int, int]] = {}
        for gap in gaps:
            banks.setdefault(gap.bank, {})[gap.book_id] = brought_back[gap.book_id]
        relog.announce(goal.folder, goal.signer, banks, moment_us)
    return Restored(summary, [gap for gap in gaps if gap.date], faults)


# -- before -----------------------------------------------------------------------------------------------

def _fitting(path: Path, goal: Goal, now_us: int) -> Summary:
    """The backup is whole, of this bureau, and the clock is right: receipts go on by the clock."""
    summary = check(path)
    if summary.institution != goal.settings.institution:
        what = f"is of institution {summary.institution}, the configuration is of {goal.settings.institution}"
        raise BackupError(f"{path} {what}; name the right one of the two")
    logs = *goal.folder.glob("*.log"), *anchor.old_logs(goal.folder)
    latest, where = max([(summary.made, path), *((_last_signed(log), log) for log in logs)])
    now = time_of(now_us).isoformat(timespec="seconds")
    if now < latest:
        raise BackupError(f"the clock says {now}, and {where} is of {latest}; set the clock and type it again")
    return summary


def _last_signed(log: Path) -> str:
    """When the last line of a log was signed; "" if there is none."""
    time = ""
    for _, line in anchor.read(log, log.stat().st_size):
        time = line.time if line is not None else time
    return time


def _must_be_empty(connection: Connection, url: str) -> None:
    present = set(inspect(connection).get_table_names())
    for table in TABLES:
        if table.name not in present:
            continue
        counted = select(func.count()).select_from(table)
        if table.name == "book":  # `init` makes them, without an event
            counted = counted.where(table.c.next_seq > 1)
        elif table.name in FRESH:
            continue
        if rows := connection.execute(counted).scalar_one():
            raise BackupError(
                f"the database is not empty: it has {rows} rows of {table.name}, and a restore changes nothing that is"
                " there; name an empty one as [switch] database, or move this one away (an SQLite file with its -wal)"
            )


# -- the transaction --------------------------------------------------------------------------------------

@contextmanager
def _alone(url: str) -> Iterator[tuple[Connection, Statements]]:
    """The database in one transaction, with nobody else connected. What is not committed was never there."""
    backend = make_backend(url)
    engine: Engine = backend.engine
    if isinstance(backend, SqliteBackend):
        sqlite.make_folder(backend.path)
        engine = sqlite.make_engine(url, create=True)
    try:
        with _told(), engine.connect().execution_options(immediate=True) as connection:
            if isinstance(backend, SqliteBackend):
                _out_of_wal(connection, backend.path)
            with connection.begin():
                if not isinstance(backend, SqliteBackend):
                    _nobody_else(connection)
                yield connection, backend.statements
    finally:
        engine.dispose()
        backend.close()


def _out_of_wal(connection: Connection, path: Path) -> None:
    """Only who is alone can leave the write-ahead log; it would hold all of the books a second time."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute("PRAGMA busy_timeout = 0")
    driver.execute("PRAGMA locking_mode = EXCLUSIVE")
    try:
        driver.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise StoreError(f"{path}: {error}") from error
        raise BackupError(_in_use(f"another program has {path} open")) from None


def _nobody_else(connection: Connection) -> None:
    for _ in range(OTHERS_TRIES):
        others = connection.scalar(text(_OTHERS))
        if not others:
            return
        time.sleep(NAP_S)
    raise BackupError(_in_use(f"{others} other connections to the database"))


def _in_use(by: str) -> str:
    return f"{by}: a restore is for a switch that stands still; stop it (switchd), and type it again"


def _fill(connection: Connection, statements: Statements, reader: Reader, progress: Progress, was: Summary) -> None:
    for table in TABLES:
        if table.name in FRESH:
            connection.execute(delete(table))
    copy = _by_copy if connection.dialect.name == "postgresql" else _by_insert
    for piece in reader.pieces():
        try:
            copy(connection, statements, piece)
        except OverflowError:  # of a number that no database has
            raise BackupError(f"{reader.path} holds a number that is too large; take another backup") from None
        progress(len(piece.rows))
    if reader.summary != was:
        raise BackupError(f"{reader.path} was changed while it was read; type it again")


def _by_insert(connection: Connection, statements: Statements, piece: Piece) -> None:
    connection.exec_driver_sql(statements.insert(piece.table), [tuple(row) for row in piece.rows])


def _by_copy(connection: Connection, statements: Statements, piece: Piece) -> None:
    driver: Any = connection.connection.driver_connection
    into = f"COPY {piece.table.name} ({', '.join(piece.columns)}) FROM STDIN"
    with driver.cursor() as cursor, cursor.copy(into) as copy:
        for row in piece.rows:
            copy.write_row(row)


def _begin_anew(connection: Connection, goal: Goal, summary: Summary, now_us: int) -> list[Gap]:
    """One sealed event in each book, from which on its receipts are others than any that were given."""
    reason = f"backup of {summary.made}, SHA-256 {summary.digest}"
    gaps = []
    for row in connection.execute(select(schema.book).order_by(schema.book.c.book_id)).all():
        book = Book(*row)._replace(seal=bytes(row.seal))
        facts = Facts(now_us=now_us, books={book.book_id: book})
        first = after_restore(book, now_us, _earlier(connection, goal, book)) if book.open_date else 0
        request = Request(
            service="restore", book_id=book.book_id, bank=book.bank, mti="", key_class=KeyClass.NONE, trace=0,
            moment=moment_of(now_us), received_us=now_us, echo={}, original_text=str(first) if first else "",
            operator=goal.operator, reason=reason,
        )  # fmt: skip
        apply(facts, request, restored(request, facts), b"")
        (event,), after = facts.new_events, facts.books[book.book_id]
        connection.execute(insert(schema.event).values(tuple(event)))
        changed = {"next_seq": after.next_seq, "next_receipt": after.next_receipt, "seal": after.seal}
        connection.execute(update(schema.book).where(schema.book.c.book_id == book.book_id).values(changed))
        gaps.append(Gap(book.book_id, book.bank, book.open_date, book.next_receipt - 1, first))
    return gaps


def _earlier(connection: Connection, goal: Goal, book: Book) -> int:
    """How often the book was restored before, by its own events or by the logs that were ended."""
    event = schema.event
    told = select(func.count()).where(event.c.book_id == book.book_id, event.c.kind == "restored")
    return max(connection.execute(told).scalar_one(), len(anchor.old_logs(goal.folder, book.bank)))


def _events(connection: Connection) -> dict[int, int]:
    """How many each book has."""
    book = schema.book
    return {book_id: next_seq - 1 for book_id, next_seq in connection.execute(select(book.c.book_id, book.c.next_seq))}


def _prove(connection: Connection, goal: Goal, brought_back: dict[int, int], now_us: int) -> list[Proof]:
    """As `ledgerctl verify` will; what the old logs signed beyond the backup is lost, and no fault."""
    def reading() -> AbstractContextManager[Connection]:
        return nullcontext(connection)

    return verify(reading, goal.folder, now_us, goal.signer.public_key(), brought_back)


@contextmanager
def _told() -> Iterator[None]:
    """Engine faults as StoreError, one line; the drivers' own too, where they are used without SQLAlchemy."""
    with told():
        try:
            yield
        except Exception as error:  # sqlite3's own, or psycopg's from COPY
            if isinstance(error, sqlite3.Error) or type(error).__module__.startswith("psycopg"):
                raise StoreError(one_line(error)) from error
            raise
