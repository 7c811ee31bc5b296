"""A bank's own file, from its folder to a frame of lines, or to the faults for which it is refused whole.

Looks at `<state_dir>/inbox/<bank>/<YYYYMMDD>/` (settlement.md section 4). Without `.ok` the file is not there yet;
with it, everything has to be right: digest, totals, encoding, every line. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import polars as pl

from shebao.codecs.cause import HEAD_BYTES, likely_cause
from shebao.codecs.statement import (
    FILE_BYTES_MAX,
    LineFault,
    StatementLine,
    StatementSpec,
    Totals,
    file_names,
    parse_sm3,
    read,
    sm3_hex,
)

from .bulk import NotPlain, read_plain, totals
from .faults import Faults
from .items import frame

BATCH: Final = 50_000  # lines that stand in memory as Python objects at a time
CHUNK_BYTES: Final = 1 << 20
SIDE_FILE_BYTES_MAX: Final = 64 * 1024  # of .sm3 and .ctl


class BankFile(NamedTuple):
    name: str
    digest: str
    lines: pl.DataFrame
    totals: Totals


class NotThere(Exception):
    """The file is not complete yet: str() says what is awaited and where."""


class BadFile(Exception):
    """The file is refused whole. cause: what is likely wrong with all of it; empty if nothing is recognised."""

    def __init__(self, name: str, faults: Faults, cause: str = "") -> None:
        super().__init__(name)
        self.name, self.faults, self.cause = name, faults, cause


def folder_of(state_dir: Path, box: str, bank: str, date: int) -> Path:
    """`box` is "inbox" or "outbox"."""
    return state_dir / box / bank / f"{date:08d}"


def is_there(folder: Path, spec: StatementSpec, bank: str, date: int) -> bool:
    """Whether whoever wrote the folder, the bank or the switch, has said that the file is complete."""
    return (folder / f"{file_names(spec, bank, date)[0]}.ok").is_file()


def read_bank_file(folder: Path, spec: StatementSpec, bank: str, date: int) -> BankFile:
    """The whole file, checked; raises NotThere or BadFile, and OSError when it can't be read."""
    name, control_name = file_names(spec, bank, date)
    if not is_there(folder, spec, bank, date):
        raise NotThere(f"{folder / name}.ok is not there yet: wait for the bank's file; type: reconcile status")
    faults = Faults()
    digest = _told_digest(folder / f"{name}.sm3", faults)
    control = _small(folder / control_name) if control_name else None
    path = folder / name
    if not path.is_file():
        faults.add(LineFault(0, "is missing", f"deliver it beside {name}.ok"))
        raise BadFile(name, faults)
    if path.stat().st_size > FILE_BYTES_MAX:
        faults.add(LineFault(0, "is larger than 2 GiB", "ask the bank for the right file"))
        raise BadFile(name, faults)
    with path.open("rb") as source:
        found = sm3_hex(iter(lambda: source.read(CHUNK_BYTES), b""))
        if digest and found != digest:
            wrong = f"digest is {found}, {name}.sm3 says {digest}"
            faults.add(LineFault(0, wrong, "deliver the file again, unchanged"))
            raise BadFile(name, faults)
        source.seek(0)
        lines = lines_of(source, spec, bank, date, control, faults)
        if faults.number:
            source.seek(0)
            raise BadFile(name, faults, likely_cause(spec, source.read(HEAD_BYTES)))
    return BankFile(name, found, lines, totals(lines))


def _told_digest(path: Path, faults: Faults) -> str:
    text = _small(path)
    told = None if text is None else parse_sm3(text.decode("latin-1"))
    if told is None:
        wrong = "is missing" if text is None else "does not hold a digest"
        faults.add(LineFault(0, wrong, "write the SM3 digest of the detail file, 64 hex characters", path.name))
        return ""
    return told


def _small(path: Path) -> bytes | None:
    if not path.is_file():
        return None
    with path.open("rb") as source:
        return source.read(SIDE_FILE_BYTES_MAX + 1)


def lines_of(
    source: BinaryIO, spec: StatementSpec, bank: str, date: int, control: bytes | None, faults: Faults
) -> pl.DataFrame:
    """All lines as a frame, if they are good; what is wrong is added to `faults`."""
    begins = source.tell()
    if not faults.number:
        try:
            return read_plain(source, spec, bank, date, control)
        except NotPlain:
            source.seek(begins)
    frames = [frame([])]
    told = iter(read(spec, bank, date, source, control))
    while batch := list(islice(told, BATCH)):
        good = []
        for one in batch:
            if isinstance(one, StatementLine):
                good.append(one)
            else:
                faults.add(one)
        if not faults.number:
            frames.append(frame(_rows(good)))
    return pl.concat(frames, rechunk=True)


def _rows(lines: Iterable[StatementLine]) -> Iterable[tuple[object, ...]]:
    """Columns of a statement line in the order of `items.LINE_SCHEMA`."""
    return (
        (
            one.date, one.line, one.kind, one.moment, one.stan, one.rrn, one.terminal, one.branch, one.bill,
            one.amount, one.receipt, one.channel, one.original_moment, one.original_stan,
        )
        for one in lines
    )  # fmt: skip
