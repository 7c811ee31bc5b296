"""A bank's own statement file, laid into the switch's inbox; and the switch's, read from its outbox.

The edge: files are written and read here, in the layout of the bank's dialect (settlement.md section 4). As a
bank does, the flag `.ok` comes last, so that nobody reads half a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from shebao.codecs.statement import (
    LineFault,
    StatementContext,
    StatementLine,
    file_names,
    parse_sm3,
    read,
    sm3_hex,
    totals_of,
    write,
    write_control,
)

from .script import CST
from .wire import Wire


class BadFile(Exception):
    """A statement file of the switch that is not as the contract says; one line for the user."""


def write_day(state_dir: Path, wire: Wire, day: int, lines: Sequence[StatementLine]) -> Path:
    """`inbox/<bank>/<YYYYMMDD>/`: detail file, control file where the layout has one, `.sm3`, `.ok`. Gives its path."""
    spec, bank = wire.dialect.statement, wire.identity.bank
    folder = state_dir / "inbox" / bank / str(day)
    folder.mkdir(parents=True, exist_ok=True)
    detail, control = file_names(spec, bank, day)
    (folder / f"{detail}.ok").unlink(missing_ok=True)
    totals, context = totals_of(lines), _context(wire, day)
    _put(folder / detail, write(spec, context, totals, lines))
    if control is not None:
        _put(folder / control, [write_control(spec, context, totals)])
    with (folder / detail).open("rb") as file:
        digest = sm3_hex(iter(lambda: file.read(1 << 16), b""))
    _put(folder / f"{detail}.sm3", [digest.encode("ascii")])
    _put(folder / f"{detail}.ok", [])
    return folder / detail


def read_day(state_dir: Path, wire: Wire, day: int) -> list[StatementLine]:
    """The switch's own detail file of that day, digest checked; raises BadFile."""
    spec, bank = wire.dialect.statement, wire.identity.bank
    folder = state_dir / "outbox" / bank / str(day)
    detail, control = file_names(spec, bank, day)
    path = folder / detail
    for name in (detail, f"{detail}.sm3", f"{detail}.ok", *([control] if control else [])):
        if not (folder / name).is_file():
            raise BadFile(f"{folder / name} is not there")
    with path.open("rb") as file:
        digest = sm3_hex(iter(lambda: file.read(1 << 16), b""))
    if parse_sm3((folder / f"{detail}.sm3").read_text(encoding="ascii")) != digest:
        raise BadFile(f"{path} has another digest than {detail}.sm3 says")
    lines: list[StatementLine] = []
    with path.open("rb") as file:
        for item in read(spec, bank, day, file, (folder / control).read_bytes() if control else None):
            if isinstance(item, LineFault):
                raise BadFile(f"{path}: {item}")
            lines.append(item)
    return lines


def _context(wire: Wire, day: int) -> StatementContext:
    """A bank's day ends at 23:00, as far as its own file says."""
    closed = datetime(day // 10000, day // 100 % 100, day % 100, 23, tzinfo=CST)
    who = wire.identity
    return StatementContext(who.bank, who.switch, day, closed - timedelta(days=1), closed)


def _put(path: Path, chunks: Iterable[bytes]) -> None:
    """Under another name first; then it is there, whole."""
    working = path.with_name(path.name + ".part")
    with working.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    working.replace(path)
