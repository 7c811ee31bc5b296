"""An operator's evening in this world: a bank's statement file comes, late or cut or another one, and is reconciled.

The bank's file is made of the switch's own of that date, as the audit proves it right. What the run must say of it,
and what the date's state does to later reversals, the model knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date as Date

from sqlalchemy import Connection

from shebao.codecs.statement import StatementLine
from shebao.reconcile import run as reconcile
from shebao.reconcile.inbox import BadFile, folder_of, is_there
from shebao.reconcile.run import Desk

from .. import statements
from .almanac import as_int
from .core import Place
from .stage import Killed


def bank_file(world: Place) -> bool:
    """A file of one closed date into the inbox, and the run over it."""
    model = world.model
    ready = [
        (bank, day)
        for bank in world.plan.banks
        for day in sorted(model.dates[bank] - {model.open[bank]})[-5:]
        if _is_written(world, bank, day)
    ]
    if not ready:
        return False
    busy = [one for one in ready if model.lines.get(one)]
    bank, day = world.random.choice(busy if busy and world.random.random() < 0.8 else ready)
    how = world.random.choice(("good", "good", "good", "cut", "line lost"))
    lost: StatementLine | None = None
    lines = statements.read_day(world.scene.folder, world.scene.wires[bank], as_int(day))
    if (bank, day) in model.accepted:
        how = world.random.choice(("again", "replaced"))
        lines = model.accepted[bank, day] if how == "again" else [*model.accepted[bank, day], _another(bank, day)]
    elif how == "line lost":
        single = [line for line in lines if sum(other.bill == line.bill for other in lines) == 1]
        lost = world.random.choice(single) if single else None
        how = how if lost else "good"
        lines = [line for line in lines if line is not lost]
    path = statements.write_day(world.scene.folder, world.scene.wires[bank], as_int(day), lines)
    if how == "cut":
        path.write_bytes(path.read_bytes()[: -world.random.randint(1, 40)])
    world.counted(f"bank's file {how}")
    world.tell(f"a file of {bank} for {day} comes: {how}")
    if world.random.random() < 0.3:
        _run(world, bank, day, world.random.randint(1, 4))
    told = _run(world, bank, day, 0)
    refused = how in ("cut", "replaced")
    if (told == "refused") != refused:
        world.judge.fault(f"a file of {bank} for {day} ({how}): the run said {told}")
    if not refused:
        model.accepted[bank, day] = lines
        agrees = model.agree(bank, day, how != "line lost" and (bank, day) not in model.lost)
        if lost is not None:
            model.lost[bank, day] = lost
        if (told in ("RECONCILED", "SETTLED")) != agrees:
            world.judge.fault(f"{day} of {bank} is {told} after its file ({how})")
    return True


def _run(world: Place, bank: str, day: Date, dies_after: int) -> str:
    """The date's state afterwards, "refused", or "interrupted"."""
    left = [dies_after or 1_000_000]

    @contextmanager
    def lock(book_id: int) -> Iterator[Connection]:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        with world.operator.writing() as connection:
            yield connection

    desk = Desk(world.operator.reading, lock, world.wall.now_us, world.scene.folder)
    spec, book_id = world.scene.dialects[bank].statement, world.scene.settings.banks[bank].book_id
    try:
        return reconcile.run(desk, bank, book_id, spec, as_int(day)).state
    except (BadFile, reconcile.Refused):
        return "refused"
    except Killed:
        return "interrupted"


def _is_written(world: Place, bank: str, day: Date) -> bool:
    folder = folder_of(world.scene.folder, "outbox", bank, as_int(day))
    return is_there(folder, world.scene.dialects[bank].statement, bank, as_int(day))


def _another(bank: str, day: Date) -> StatementLine:
    """A line of a payment that never was."""
    moment = f"{day:%Y%m%d}120000"
    return StatementLine(
        as_int(day), moment, "999999", "000000999999", "T0000001", "330110000BR0001", "P", "33011026010100000014", 100,
        "", "01", "", "",
    )  # fmt: skip
