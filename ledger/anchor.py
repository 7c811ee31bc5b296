"""Anchors: the heads of the books, signed, in a log beside the database (settlement.md section 2, Seal).

The chain in the tables shows a changed row, but not a tail cut off together with its head: for that the head must
stand elsewhere too. `Anchors.sign` appends one line for each book that has news to `<bank>.log`, meant to be shipped
off the machine; `read` gives the lines back. What they prove is `verify`'s affair; the format for an auditor is in
docs/seal.md.

A line, its fields separated by one blank:

    shebao-anchor-1 TIME BANK BOOK EVENTS HEAD DATE SIGNATURE

TIME is ISO 8601 in CST, HEAD the seal of event number EVENTS in hex, DATE that event's settlement date (YYYYMMDD),
SIGNATURE the Ed25519 signature in hex over the line's bytes before the blank in front of it. A log that a restore began
(`relog`) has a first line of another kind:

    shebao-restore-1 TIME BANK BOOK:EVENTS[,BOOK:EVENTS...] OLD LAST SIGNATURE

EVENTS is how many events of the book the restore brought back, OLD the name that the log before has now, and LAST the
signature of its last line; `-` for both where there was none.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, select

from .day import time_of
from .durable import replace, sync_folder
from .schema import book, event
from .store import Reading

FOLDER: Final = "seal"  # under the state directory
PUBLIC_KEY: Final = "public.key"
KIND: Final = "shebao-anchor-1"
RESTORED: Final = "shebao-restore-1"
NONE: Final = "-"  # instead of an old log's name and last signature
LINE_BYTES_MAX: Final = 1024
TAIL_BYTES: Final = 64 * LINE_BYTES_MAX  # where the latest line of a book is looked for first


class AnchorError(Exception):
    """A head can't be signed, or a log or key file can't be used; `str()` is one line that says what to do."""


class Anchor(NamedTuple):
    """One signed head: after `events` events of the book its seal was `head`."""

    time: str
    bank: str
    book_id: int
    events: int
    head: bytes
    date: int  # settlement date of the last of these events
    signed: bytes  # what the signature covers
    signature: bytes

    def is_signed_by(self, key: Ed25519PublicKey) -> bool:
        return is_signed_by(self, key)


class Restored(NamedTuple):
    """The first line of a log that a restore began."""

    time: str
    bank: str
    books: tuple[tuple[int, int], ...]  # book, how many events of it were brought back
    old: str  # the name of the log before; NONE
    last: str  # the signature, in hex, of its last line; NONE
    signed: bytes
    signature: bytes

    def is_signed_by(self, key: Ed25519PublicKey) -> bool:
        return is_signed_by(self, key)


def is_signed_by(line: Anchor | Restored, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(line.signature, line.signed)
    except InvalidSignature:
        return False
    return True


class Anchors:
    """Signs the heads of all books. Several processes may do so at once: each log is locked while it is written."""

    def __init__(self, reading: Reading, folder: Path, signer: Ed25519PrivateKey, now_us: Callable[[], int]) -> None:
        """folder: `<state_dir>/seal`. now_us: the clock."""
        self._reading, self._folder, self._signer, self._now_us = reading, folder, signer, now_us

    def sign(self) -> int:
        """Append an anchor for each book with news; how many there were. Blocks: call it in a thread.

        Raises StoreError, OSError, or AnchorError: nothing is signed for a book that does not go on from its last
        anchor, since that would make a forged past look right. The other books are signed first.
        """
        write_public_key(self._folder, self._signer.public_key())
        with self._reading() as connection:
            banks = sorted(set(connection.execute(select(book.c.bank)).scalars()))
        written, faults = 0, []
        for bank in banks:
            try:
                written += self._sign_bank(bank)
            except AnchorError as fault:
                faults.append(str(fault))
        if faults:
            raise AnchorError("; ".join(faults))
        return written

    def _sign_bank(self, bank: str) -> int:
        """The heads are read while the log is locked: so what a log tells was in the tables before they are read."""
        path = log_path(self._folder, bank)
        with locked(path) as log, self._reading() as connection:
            columns = book.c.book_id, book.c.next_seq, book.c.seal
            heads = connection.execute(select(*columns).where(book.c.bank == bank).order_by(book.c.book_id)).all()
            lines = []
            for book_id, next_seq, head in heads:
                latest = _latest(log, path, book_id)
                if latest is None or (latest.events, latest.head) != (next_seq - 1, bytes(head)):
                    date = _date_of_head(connection, path, book_id, next_seq - 1, bytes(head), latest)
                    if date is not None:
                        lines.append(self._line(bank, book_id, next_seq - 1, bytes(head), date))
            if lines:
                log.write(b"".join(lines))
                log.flush()
                os.fsync(log.fileno())
        return len(lines)

    def _line(self, bank: str, book_id: int, events: int, head: bytes, date: int) -> bytes:
        time = time_of(self._now_us()).isoformat(timespec="seconds")
        signed = f"{KIND} {time} {bank} {book_id} {events} {head.hex()} {date}".encode()
        return signed + b" " + self._signer.sign(signed).hex().encode() + b"\n"


def _date_of_head(
    connection: Connection, path: Path, book_id: int, events: int, head: bytes, latest: Anchor | None
) -> int | None:
    """The date of the book's last event; None of a book without events. AnchorError if the head does not go on."""
    where = f"book {book_id} has {events} events"
    if latest is not None:
        if events < latest.events:
            raise AnchorError(f"{where}, but {path} has signed {latest.events}; type: ledgerctl verify")
        if _event(connection, book_id, latest.events)[0] != latest.head:
            raise AnchorError(f"{where}, but number {latest.events} is not what {path} signed; type: ledgerctl verify")
    if events == 0:
        return None
    seal, date = _event(connection, book_id, events)
    if seal != head:
        raise AnchorError(f"{where}, but its head is not the seal of the last; type: ledgerctl verify")
    return date


def _event(connection: Connection, book_id: int, seq: int) -> tuple[bytes | None, int]:
    found = select(event.c.seal, event.c.date).where(event.c.book_id == book_id, event.c.seq == seq)
    row = connection.execute(found).one_or_none()
    return (None, 0) if row is None else (bytes(row.seal), row.date)


# -- the log ----------------------------------------------------------------------------------------------

def log_path(folder: Path, bank: str) -> Path:
    return folder / f"{bank}.log"


def old_logs(folder: Path, bank: str = "*") -> list[Path]:
    """The logs that a restore ended: `<bank>.log.1` and so on, oldest first."""
    numbered = [path for path in folder.glob(f"{bank}.log.*") if _NUMBER.fullmatch(path.name.rpartition(".")[2])]
    return sorted(numbered, key=lambda path: (bank_of(path), int(path.name.rpartition(".")[2])))


def bank_of(path: Path) -> str:
    """The bank whose log, or old log, this is by its name."""
    return path.name.partition(".log")[0]


_NUMBER: Final = re.compile("[1-9][0-9]{0,5}")
_HEX_64: Final = re.compile("[0-9a-f]{128}")  # a signature's 64 bytes
_BOOKS: Final = re.compile("[0-9]{1,9}:[0-9]{1,18}(,[0-9]{1,9}:[0-9]{1,18})*")


def parse(line: bytes) -> Anchor | Restored | None:
    """One line without its line end; None if it is none."""
    if line.startswith(f"{RESTORED} ".encode()):
        return _parse_restored(line)
    signed, _, signature = line.rpartition(b" ")
    try:
        kind, time, bank, book_id, events, head, date = signed.decode("ascii").split(" ")
        if kind != KIND or len(signature) != 128 or len(head) != 64:
            return None
        anchor = Anchor(
            time, bank, int(book_id), int(events), bytes.fromhex(head), int(date), signed,
            bytes.fromhex(signature.decode("ascii")),
        )  # fmt: skip
    except ValueError:
        return None
    return anchor


def _parse_restored(line: bytes) -> Restored | None:
    signed, _, signature = line.rpartition(b" ")
    try:
        _, time, bank, books, old, last = signed.decode("ascii").split(" ")
        stem, _, number = old.rpartition(".")
        named = old == NONE or (stem == f"{bank}.log" and _NUMBER.fullmatch(number))
        signatures = (signature.decode("ascii"), *([] if last == NONE else [last]))
        if not named or not _BOOKS.fullmatch(books) or not all(map(_HEX_64.fullmatch, signatures)):
            return None
        pairs = tuple((int(book_id), int(events)) for book_id, events in (one.split(":") for one in books.split(",")))
        return Restored(time, bank, pairs, old, last, signed, bytes.fromhex(signature.decode("ascii")))
    except ValueError:
        return None


def first_line(path: Path) -> Restored | None:
    """What the log says of a restore that began it."""
    with path.open("rb") as log:
        line = log.readline(LINE_BYTES_MAX)
    found = parse(line[:-1]) if line.endswith(b"\n") else None
    return found if isinstance(found, Restored) else None


def read(path: Path, size: int) -> Iterator[tuple[int, Anchor | Restored | None]]:
    """Line numbers and anchors of the first `size` bytes of a log; None for a line that is none.

    Streams. A last line without its line end is still being written, or was when the power failed: it is left out.
    """
    with path.open("rb") as log:
        number = 0
        while size > 0 and (line := log.readline(min(LINE_BYTES_MAX, size))):
            number, size = number + 1, size - len(line)
            if line.endswith(b"\n"):
                yield number, parse(line[:-1])
            elif size > 0:
                yield number, None
                return  # not a log of ours from here on: no line is that long


@contextmanager
def locked(path: Path) -> Iterator[IO[bytes]]:
    """The log, locked against other processes, with whole lines only: a line cut off by a power failure goes."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        log = os.fdopen(descriptor, "a+b")
        fcntl.flock(log, fcntl.LOCK_EX)
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            break
        log.close()  # a restore began another log while we waited
    with log:
        size = os.fstat(descriptor).st_size
        log.seek(max(0, size - LINE_BYTES_MAX))
        torn = log.read().rpartition(b"\n")[2]
        if torn:
            os.ftruncate(descriptor, size - len(torn))
        if not size:
            sync_folder(path.parent)
        yield log


def _latest(log: IO[bytes], path: Path, book_id: int) -> Anchor | None:
    """The latest anchor of a book in its locked log."""
    size = log.seek(0, os.SEEK_END)
    for start in sorted({max(0, size - TAIL_BYTES), 0}, reverse=True):
        log.seek(start)
        lines = log.read().splitlines()
        for line in reversed(lines[1:] if start else lines):
            anchor = parse(line)
            if anchor is None:
                raise AnchorError(f"{path} has a line that is no anchor; type: ledgerctl verify")
            if isinstance(anchor, Anchor) and anchor.book_id == book_id:
                return anchor
    return None


# -- the public key ---------------------------------------------------------------------------------------

def write_public_key(folder: Path, key: Ed25519PublicKey) -> Path:
    """Write `public.key`, as PEM, where it is not yet; the file. AnchorError if it is another key pair's."""
    path = folder / PUBLIC_KEY
    if path.exists():
        if key_bytes(read_public_key(folder)) != key_bytes(key):
            raise AnchorError(
                f"{path}: is not the other half of the master key file's; bring the right one of the two back, or move"
                f" the folder {folder} away to begin new logs"
            )
        return path
    folder.mkdir(parents=True, exist_ok=True)
    text = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    replace(path, text)
    return path


def read_public_key(folder: Path) -> Ed25519PublicKey:
    """The public key that lies in the folder; AnchorError if there is none that can be used."""
    path = folder / PUBLIC_KEY
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except FileNotFoundError:
        raise AnchorError(f"{path}: is missing; bring it back, or start the switch, which writes it again") from None
    except OSError as error:
        raise AnchorError(f"{path}: can't be read: {error.strerror}") from None
    except ValueError:
        raise AnchorError(f"{path}: is no public key; bring your copy of it back") from None
    if not isinstance(key, Ed25519PublicKey):
        raise AnchorError(f"{path}: is no Ed25519 key; bring your copy of it back")
    return key


def key_bytes(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes_raw()
