"""New anchor logs after a restore (settlement.md section 2, Seal): the old ones are ahead of the tables, and end here.

`announce` puts the new log's first line beside the old log, signed, before the restore commits; `begin` makes it the
log, and keeps the old one as `<bank>.log.<n>`. So whenever the power fails, either nothing was restored and the old log
goes on, or the next `begin` does what is left: it looks into the tables whether the restore came to be.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, select

from . import schema
from .anchor import LINE_BYTES_MAX, NONE, RESTORED, Restored, bank_of, first_line, locked, log_path, old_logs, parse
from .day import time_of
from .durable import alone_in, replace, sync_folder
from .store import Reading

NEXT: Final = ".next"  # behind the log's name
Books = Mapping[int, int]  # book -> how many events of it were brought back


def announce(folder: Path, signer: Ed25519PrivateKey, banks: Mapping[str, Books], now_us: int) -> None:
    """Write what the new logs begin with. Nothing else is changed; what another restore left here is replaced."""
    for path in folder.glob(f"*{NEXT}"):
        path.unlink()
    time = time_of(now_us).isoformat(timespec="seconds")
    for bank, books in banks.items():
        replace(_next(log_path(folder, bank)), _line(signer, bank, books, NONE, NONE, time))


def begin(reading: Reading, folder: Path, signer: Ed25519PrivateKey) -> list[str]:
    """Begin the logs that were announced, if that restore is in the tables; whose they are. Raises OSError, StoreError.

    An announcement of a restore that never came to be is left alone.
    """
    begun: list[str] = []
    if not any(folder.glob(f"*{NEXT}")):
        return begun
    with alone_in(folder), reading() as connection:
        for announced in sorted(folder.glob(f"*{NEXT}")):
            line = first_line(announced)
            if line is None or not line.is_signed_by(signer.public_key()) or line.bank != bank_of(announced):
                continue
            if all(_is_restored(connection, book_id, events) for book_id, events in line.books):
                _begin(log_path(folder, line.bank), line, signer)
                begun.append(line.bank)
    return begun


def _begin(path: Path, line: Restored, signer: Ed25519PrivateKey) -> None:
    """The names change while the old log is locked, whose last line is known only then."""
    announced = _next(path)
    with locked(path) as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - LINE_BYTES_MAX))
        latest = parse(log.read().rstrip(b"\n").rpartition(b"\n")[2])
        if size:
            old = _old_name(path, line.bank)
            last = NONE if latest is None else latest.signature.hex()
            replace(announced, _line(signer, line.bank, dict(line.books), old.name, last, line.time))
            if not old.exists():
                os.link(path, old)
        announced.replace(path)
        sync_folder(path.parent)


def _old_name(path: Path, bank: str) -> Path:
    """What the log is to be called, or is called already, since the power failed in between."""
    olds = old_logs(path.parent, bank)
    if olds and olds[-1].samefile(path):
        return olds[-1]
    number = int(olds[-1].name.rpartition(".")[2]) if olds else 0
    return path.with_name(f"{path.name}.{number + 1}")


def _line(signer: Ed25519PrivateKey, bank: str, books: Books, old: str, last: str, time: str) -> bytes:
    counted = ",".join(f"{book_id}:{events}" for book_id, events in sorted(books.items()))
    signed = f"{RESTORED} {time} {bank} {counted} {old} {last}".encode()
    return signed + b" " + signer.sign(signed).hex().encode() + b"\n"


def _is_restored(connection: Connection, book_id: int, events: int) -> bool:
    event = schema.event
    found = select(event.c.kind).where(event.c.book_id == book_id, event.c.seq == events + 1)
    return connection.execute(found).scalar_one_or_none() == "restored"


def _next(path: Path) -> Path:
    return path.with_name(path.name + NEXT)
