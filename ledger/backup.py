"""A backup: every table of the books as of one moment, in one file that either database can be restored from.

`write` makes it from a snapshot that holds up no payment; `Reader` reads it, and has proved it whole only at its end.
How books come out of it again is in `restore`.

The file is gzip over UTF-8 lines, each a JSON value: a header (format, schema, when, the books' heads); for each table
`{"table": name, "columns": [...]}`, then its rows in key order, up to ROWS of them a line, bytes as `{"hex": "..."}`;
and last `{"rows": {table: count}, "sha256": "..."}`, the digest of every byte of the lines before. The digest tells of
accidents. Whoever changes a backup on purpose can make it anew; against him there are the seal and its anchors, and he
reads no bank's key, which lie in it as they lie in the database: under the master key, which is not in it.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from sqlalchemy import Connection, Table, select

from . import schema
from .day import time_of
from .durable import sync_folder
from .migrations import HEAD
from .schema_day import exception
from .store import Reading

FORMAT: Final = "shebao-backup-1"
PART: Final = ".part"  # behind the file's name until all of it is on the disk
ROWS: Final = 500
LINE_BYTES_MAX: Final = 64 * 1024**2
LEVEL: Final = 1  # of compression: the disk is rarely as slow as a better one
MODE: Final = 0o600  # it holds names, phones and cards
TABLES: Final[tuple[Table, ...]] = tuple(exception.metadata.sorted_tables)
Progress = Callable[[int], None]  # is told the number of rows, now and then


class BackupError(Exception):
    """A backup can't be written, or is none that can be restored; `str()` is one line that says what to do."""


class Summary(NamedTuple):
    """What a backup holds."""

    made: str  # ISO 8601, CST
    made_us: int
    institution: str
    books: tuple[tuple[int, str, int, int], ...]  # number, bank, open date, events
    rows: int
    digest: str

    @property
    def events(self) -> int:
        return sum(events for *_, events in self.books)


# -- writing ----------------------------------------------------------------------------------------------

def write(reading: Reading, path: Path, institution: str, now_us: Callable[[], int], progress: Progress) -> Summary:
    """Write a backup, durable and whole or not at all. Raises BackupError, StoreError, OSError.

    All is read in one snapshot. It is no copy of SQLite's pages, which would begin again at every payment of another
    process, nor one file for each database: what was saved from one comes back into the other.
    """
    if path.exists():
        raise BackupError(f"{path} exists already, and a backup is never overwritten; give another name")
    with _part(path) as file, reading() as connection:
        out = _Out(file)
        books = tuple(_books(connection))
        made_us = now_us()
        made = time_of(made_us).isoformat(timespec="seconds")
        heads = [dict(zip(("book_id", "bank", "open_date", "events", "head"), book, strict=True)) for book in books]
        out.line({
            "format": FORMAT, "schema": HEAD, "database": connection.dialect.name, "institution": institution,
            "made": made, "made_us": made_us, "books": heads,
        })  # fmt: skip
        counts = {table.name: _table(connection, table, out, progress) for table in TABLES}
        digest = out.end({"rows": counts})
    return Summary(made, made_us, institution, tuple(book[:4] for book in books), sum(counts.values()), digest)


def _books(connection: Connection) -> Iterator[tuple[int, str, int, int, str]]:
    book = schema.book
    for row in connection.execute(select(book).order_by(book.c.book_id)):
        yield row.book_id, row.bank, row.open_date, row.next_seq - 1, bytes(row.seal).hex()


def _table(connection: Connection, table: Table, out: _Out, progress: Progress) -> int:
    out.line({"table": table.name, "columns": [column.name for column in table.c]})
    found = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=ROWS)
    count = 0
    for part in connection.execute(found).partitions():
        out.line([tuple(row) for row in part])
        count += len(part)
        progress(len(part))
    return count


class _Out:
    """Lines into a compressed file, counted into the digest."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=file, mtime=0)
        self._digest = hashlib.sha256()
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_hex).encode

    def line(self, value: object) -> None:
        data = self._encode(value).encode("utf-8") + b"\n"
        self._digest.update(data)
        self._file.write(data)

    def end(self, counts: dict[str, object]) -> str:
        digest = self._digest.hexdigest()
        self.line({**counts, "sha256": digest})
        self._file.close()
        return digest


def _hex(value: object) -> dict[str, str]:
    if isinstance(value, bytes | memoryview):
        return {"hex": bytes(value).hex()}
    raise TypeError(f"a value of type {type(value).__name__} in the tables; type: ledgerctl verify")


@contextmanager
def _part(path: Path) -> Iterator[IO[bytes]]:
    """The file under a name of its own until it is on the disk. One that a power failure left is written over."""
    part = path.with_name(path.name + PART)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, MODE)
    with os.fdopen(descriptor, "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"{part} is being written by another backup; wait for it, or give another name") from None
        try:
            os.fchmod(descriptor, MODE)
            os.ftruncate(descriptor, 0)
            yield file
            file.flush()
            os.fsync(descriptor)
            _rename(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _rename(part: Path, path: Path) -> None:
    """Never over a file that came to be meanwhile."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise BackupError(f"{path} exists already, and a backup is never overwritten; give another name") from None
    except OSError:  # a file system without links
        part.rename(path)
    part.unlink(missing_ok=True)


# -- reading ----------------------------------------------------------------------------------------------

class Piece(NamedTuple):
    """Some rows of a table."""

    table: Table
    columns: tuple[str, ...]
    rows: list[Any]


class Reader:
    """A backup file from its first line to its last. What came before the end is not proved: don't keep it."""

    def __init__(self, path: Path) -> None:
        """Reads the header. BackupError if it is no backup, or none of this version."""
        self.path = path
        self._digest = hashlib.sha256()
        self._summary: Summary | None = None
        self._is_one = False  # a backup of this version
        self._file = gzip.open(path, "rb")  # noqa: SIM115  # closed by `pieces`
        header = self._line()
        if not isinstance(header, dict) or not str(header.get("format")).startswith("shebao-backup-"):
            raise self._wrong("is no backup")
        if header["format"] != FORMAT or header.get("schema") != HEAD:
            what = f"was made by another version: format {header['format']}, schema {header.get('schema')}; here"
            raise self._wrong(f"{what} they are {FORMAT} and {HEAD}", "restore it by that version, then update")
        self._header = self._told(header)
        self._is_one = True

    @property
    def summary(self) -> Summary:
        """What the backup holds, once it is read to its end."""
        assert self._summary is not None
        return self._summary

    def pieces(self) -> Iterator[Piece]:
        """All rows. BackupError, at the latest at the end, if anything is not as it was written."""
        counts: dict[str, int] = {}
        table: Table | None = None
        columns: tuple[str, ...] = ()
        todo = {table.name: table for table in TABLES}
        while True:
            before = self._digest.hexdigest()
            line = self._line()
            if isinstance(line, dict) and "sha256" in line:
                break
            if isinstance(line, dict) and line.get("table") in todo:
                table = todo.pop(line["table"])
                columns = tuple(column.name for column in table.c)
                counts[table.name] = 0
                if line.get("columns") != [*columns]:
                    raise self._wrong(f"table {table.name} has other columns")
            elif table is not None and _are_rows(line, len(columns)):
                counts[table.name] += len(line)
                yield Piece(table, columns, line)
            else:
                raise self._wrong("has a line that is none of a backup")
        if line["sha256"] != before or line.get("rows") != counts or todo or self._more():
            raise self._wrong("is not as it was written: its digest or its number of rows is another")
        self._file.close()
        self._summary = self._header._replace(rows=sum(counts.values()), digest=before)

    def _told(self, header: dict[str, Any]) -> Summary:
        """What the header says; how much there is and what its digest is, only the end does."""
        try:
            books = tuple((one["book_id"], one["bank"], one["open_date"], one["events"]) for one in header["books"])
            return Summary(header["made"], header["made_us"], header["institution"], books, 0, "")
        except (KeyError, TypeError):
            raise self._wrong("is damaged") from None

    def _line(self) -> Any:
        with self._read():
            data = self._file.readline(LINE_BYTES_MAX)
            if not data.endswith(b"\n"):
                raise self._wrong("is cut off" if data or self._is_one else "is empty")
            self._digest.update(data)
            return json.loads(data, object_hook=_of_hex)

    def _more(self) -> bool:
        with self._read():
            return bool(self._file.read(1))

    @contextmanager
    def _read(self) -> Iterator[None]:
        try:
            yield
        except EOFError:
            raise self._wrong("is cut off") from None
        except (gzip.BadGzipFile, zlib.error, ValueError, RecursionError):
            raise self._wrong("is damaged" if self._is_one else "is no backup, or damaged") from None

    def _wrong(self, what: str, then: str = "take another copy of it, or another backup") -> BackupError:
        self._file.close()
        return BackupError(f"{self.path} {what}; {then}")


def _are_rows(line: object, size: int) -> bool:
    return isinstance(line, list) and all(isinstance(row, list) and len(row) == size for row in line)


def _of_hex(value: dict[str, Any]) -> Any:
    return bytes.fromhex(value["hex"]) if value.keys() == {"hex"} else value
