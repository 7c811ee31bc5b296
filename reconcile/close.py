"""A closed date becomes files: detail, totals, digest, and last of all the flag (settlement.md section 4).

Each file is written under a temporary name, synced, renamed, and its folder synced, in this order, so that a reader
that waits for `.ok` never sees half a file, nor a power cut one that was promised. The bytes come from the store
alone: writing them again gives the same. The cut-over itself is the ledger's (`ledger.day`); `cut_over` only asks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from shebao.codecs.statement import (
    StatementContext,
    StatementSpec,
    Totals,
    file_names,
    sm3_hex,
    write,
    write_control,
)
from shebao.ledger.day import add_days, iso, time_of, us_of
from shebao.ledger.durable import alone_in, sync_folder
from shebao.ledger.facts import Day
from shebao.ledger.reading import detail_lines
from shebao.ledger.store import Reading

from .inbox import CHUNK_BYTES, folder_of
from .shelf import day_of


class NotClosed(Exception):
    """The date is open, or no settlement date of the bank at all: str() is one line for the operator."""


class Files(Protocol):
    """The four acts on the file system that make a file durable; tests put a recorder in their place."""

    def write(self, path: Path, chunks: Iterable[bytes]) -> None: ...
    def rename(self, old: Path, new: Path) -> None: ...
    def remove(self, path: Path) -> None: ...
    def sync_folder(self, path: Path) -> None: ...


class DiskFiles:
    """`Files` on a real disk."""

    def write(self, path: Path, chunks: Iterable[bytes]) -> None:
        """Writes and syncs a whole new file."""
        with path.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, old: Path, new: Path) -> None:
        old.replace(new)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def sync_folder(self, path: Path) -> None:
        sync_folder(path)


class Written(NamedTuple):
    folder: Path
    files: tuple[str, ...]
    digest: str


def write_day(
    read: Reading, state_dir: Path, spec: StatementSpec, institution: str, bank: str, book_id: int, date: int,
    files: Files | None = None,
) -> Written:  # fmt: skip
    """Writes a closed date's files into the outbox; raises NotClosed, and OSError.

    ValueError: the detail lines do not add up to the date's totals, so the books are not whole.
    """
    files = files or DiskFiles()
    folder = folder_of(state_dir, "outbox", bank, date)
    name, control_name = file_names(spec, bank, date)
    temporary = folder / f".{name}.tmp"
    with read() as conn:
        day, opened_us = _bounds(conn, bank, book_id, date)
        context = StatementContext(bank, institution, date, time_of(opened_us), time_of(day.closed_us or 0))
        totals = Totals(day.credits, day.credits_fen, day.reversals, day.reversals_fen)
        _make_folder(folder, files)
        with alone_in(folder):  # two daemons close one date, or a daemon and a command
            files.write(temporary, write(spec, context, totals, detail_lines(conn, book_id, date)))
            digest = sm3_hex(_chunks(temporary))
            if (folder / name).exists() and sm3_hex(_chunks(folder / name)) != digest:
                files.remove(folder / f"{name}.ok")  # the layout was edited: not complete while the files disagree
                files.sync_folder(folder)
            files.rename(temporary, folder / name)
            files.sync_folder(folder)
            beside = [(f"{name}.sm3", digest.encode("ascii")), (f"{name}.ok", b"")]
            if control_name:
                beside.insert(0, (control_name, write_control(spec, context, totals)))
            for other, content in beside:
                publish(folder / other, [content], files)
    return Written(folder, (name, *(other for other, _ in beside)), digest)


def publish(path: Path, chunks: Iterable[bytes], files: Files) -> None:
    """One file, whole or not at all: temporary name, write, fsync, rename, fsync of the folder."""
    temporary = path.with_name(f".{path.name}.tmp")
    files.write(temporary, chunks)
    files.rename(temporary, path)
    files.sync_folder(path.parent)


def _bounds(conn: Connection, bank: str, book_id: int, date: int) -> tuple[Day, int]:
    """The closed day, and when it began: at the cut-over before it, the bank's first date at its 00:00."""
    day = day_of(conn, book_id, date)
    if day is None:
        raise NotClosed(f"{bank} has no settlement date {iso(date)}; type: reconcile status")
    if day.state == "OPEN" or day.closed_us is None:
        raise NotClosed(f"{iso(date)} of {bank} is still open; it is written once it is closed")
    before = day_of(conn, book_id, add_days(date, -1))
    return day, us_of(date * 1_000_000) if before is None or before.closed_us is None else before.closed_us


def _make_folder(folder: Path, files: Files) -> None:
    """Makes the folder and what is missing above it, each entry durable in its parent."""
    missing = [folder, *folder.parents]
    missing = [f for f in missing if not f.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        files.sync_folder(one.parent)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
