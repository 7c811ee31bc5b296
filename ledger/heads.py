"""The anchors beside the tables: every signed head must be the seal of that very event (settlement.md section 2, Seal).

`verify` notes the size of each log before it takes its snapshot, so that no anchor that is written meanwhile seems to
be ahead of the tables. Lines are judged once (`judge`) and met again in order while the events pass (`Heads`). A log
that a restore ended goes on proving what the restore brought back; what it signed beyond is lost, and no fault.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from . import anchor
from .anchor import NONE, Anchor, AnchorError, Restored
from .facts import Event
from .proof import Proof, shown

# Every minute with news is signed while a switch runs; a book that nothing was signed of for longer, although it has
# older events, has lost its log. Long enough for a switch that is stopped and started.
UNSIGNED_MAX_US: Final = 600_000_000
Sizes = dict[Path, int]


class Log(NamedTuple):
    """One log of a bank's chain of logs, as long as it was before the snapshot."""

    path: Path
    size: int
    brought_back: dict[int, int]  # book -> its events that a later restore brought back; none: no restore followed


def sizes(folder: Path) -> Sizes:
    """The logs in the seal folder, old ones too, and how long they are now."""
    return {path: path.stat().st_size for path in [*sorted(folder.glob("*.log")), *anchor.old_logs(folder)]}


def chain(folder: Path, bank: str, logs: Sizes, brought_back: dict[int, int]) -> list[Log]:
    """A bank's logs, oldest first: each restore's names the one before.

    brought_back: book -> events, by a restore that no log tells of yet.
    """
    found: list[Log] = []
    path, limits = anchor.log_path(folder, bank), dict(brought_back)
    while path in logs and all(path != log.path for log in found):
        found.append(Log(path, logs[path], dict(limits)))
        first = anchor.first_line(path)
        if first is None:
            break
        for book_id, events in first.books:
            limits[book_id] = min(events, limits.get(book_id, events))
        path = folder / first.old
    return found[::-1]


def judge(proof: Proof, folder: Path, logs: Sizes, banks: dict[int, str], expected: Ed25519PublicKey | None) -> None:
    """Every line by itself: readable, rightly signed, of a book that is there, never going back.

    expected: the public half of the master key file, if that can be had; else `public.key` is believed.
    """
    if not logs:
        return
    try:
        key = anchor.read_public_key(folder)
        if expected is not None and anchor.key_bytes(key) != anchor.key_bytes(expected):
            where = str(folder / anchor.PUBLIC_KEY)
            proof.fault("anchor", where, "is not the other half of the master key file's, which judges the lines")
        key = expected or key
    except AnchorError as error:
        proof.fault("anchor", str(folder / anchor.PUBLIC_KEY), str(error).partition(": ")[2])
        if expected is None:
            return
        key = expected
    for path, size in logs.items():
        _judge_log(proof, path, size, banks, key)


def _judge_log(proof: Proof, path: Path, size: int, banks: dict[int, str], key: Ed25519PublicKey) -> None:
    latest: dict[int, int] = {}
    for number, line in anchor.read(path, size):
        proof.looked_at += 1
        where = f"{path}:{number}"
        if line is None:
            proof.fault("anchor", where, "is no anchor")
        elif not line.is_signed_by(key):
            proof.fault("anchor", where, "its signature is not that of the public key")
        elif isinstance(line, Restored):
            if number != 1 or line.bank != anchor.bank_of(path):
                proof.fault("anchor", where, f"begins a log of {shown(line.bank)}, and is not the first line of one")
            elif what := _missing(path.with_name(line.old), line):
                proof.fault("anchor", where, what)
            latest = dict(line.books)
        elif banks.get(line.book_id) != line.bank or line.bank != anchor.bank_of(path):
            proof.fault("anchor", where, f"signs book {line.book_id} of {shown(line.bank)}, which is not there")
        elif line.events <= latest.get(line.book_id, 0):
            proof.fault("anchor", where, f"{line.events} events, after {latest[line.book_id]} further up")
        else:
            latest[line.book_id] = line.events


def _missing(old: Path, line: Restored) -> str:
    """What is wrong with the old log that a new one names; "" if it is there, up to the line that was its last."""
    if line.old == NONE:
        return ""
    try:
        with old.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - anchor.LINE_BYTES_MAX))
            last = log.read().rstrip(b"\n").rpartition(b" ")[2].decode("ascii", "replace")
    except FileNotFoundError:
        return f"goes on from {line.old}, which is not there; bring it back from where it was shipped to"
    return "" if last == line.last or line.last == NONE else f"goes on from another last line than {line.old} has"


class Heads:
    """One book's anchors, in order, while its events pass by."""

    def __init__(self, proof: Proof, path: Path, logs: Sequence[Log], book_id: int, now_us: int) -> None:
        """path: its bank's log. logs: those that there are, oldest first."""
        self._proof, self._path, self._book_id, self._now_us = proof, path, book_id, now_us
        self._lines = self._own(logs)
        self._next = next(self._lines, None)
        self._is_signed = self._next is not None
        self._oldest: Event | None = None
        self._seen = self._good = 0

    def _own(self, logs: Sequence[Log]) -> Iterator[tuple[str, Anchor]]:
        """Where a line stands, and the line."""
        for log in logs:
            last = log.brought_back.get(self._book_id)
            for number, line in anchor.read(log.path, log.size):
                if not isinstance(line, Anchor) or line.book_id != self._book_id:
                    continue
                if last is None or line.events <= last:
                    yield f"{log.path}:{number}", line

    def passes(self, event: Event) -> None:
        """The next event of the book, ascending."""
        self._oldest = self._oldest or event
        while self._next is not None and self._next[1].events <= event.seq:
            where, line = self._next
            if line.events == event.seq and line.head != event.seal:
                what = f"event {self._book_id}/{event.seq} has another seal than was signed"
                since = f": the first that was changed is one of {self._good + 1} to {event.seq}"
                self._proof.fault("anchor", where, what + since)
            elif line.events == event.seq and line.date != event.date:
                self._proof.differs("anchor", where, "date", line.date, event.date)
            elif line.events == event.seq:
                self._good = event.seq
            elif line.events > self._seen:  # else it goes back, which `judge` tells
                self._proof.fault("anchor", where, f"signs event {self._book_id}/{line.events}, which is not there")
            self._next = next(self._lines, None)
        self._seen = event.seq

    def end(self, last: int) -> None:
        """The book has no more events than `last`: nothing may have been signed beyond."""
        while self._next is not None:
            where, line = self._next
            what = f"is ahead of the tables: {line.events} events were signed, book {self._book_id} has {last}"
            self._proof.fault("anchor", where, what)
            self._next = next(self._lines, None)
        if not self._is_signed and self._oldest is not None and self._now_us - self._oldest.at_us > UNSIGNED_MAX_US:
            what = (
                f"no head of book {self._book_id} is there, which has {last} events: bring the log back from where it"
                " was shipped to; if no switch has run since, start it, and it signs"
            )
            self._proof.fault("anchor", str(self._path), what)
