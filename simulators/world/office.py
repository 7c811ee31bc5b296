"""What operators of this world do by command beside the daemons: withdraw bills, import them, close dates, sign heads.

Each is done at one stroke over a way into the books of their own, as another process does it, and the model says what
must come of it. A bank's evening file is `evening`'s.
"""

from __future__ import annotations

from datetime import timedelta

from shebao.ledger.anchor import FOLDER, AnchorError, Anchors
from shebao.ledger.facts import BUREAU_BOOK_ID, KeyClass, Request
from shebao.ledger.imports import DEAD_AFTER_US, Busy
from shebao.reconcile.close import NotClosed, write_day
from shebao.reconcile.cutover import cut_over
from shebao.reconcile.run import Desk

from .almanac import as_int, cst
from .core import Place
from .stage import MASTER, Killed


def withdraw(world: Place) -> bool:
    bill = world.random.choice(world.scene.bills).number if world.random.random() < 0.9 else world.scene.unknown_bill()
    now_us = world.wall.now_us()
    request = Request(
        service="withdraw", book_id=BUREAU_BOOK_ID, bank="", mti="", key_class=KeyClass.NONE, trace=0, moment=0,
        received_us=now_us, echo={}, bill=bill, operator="沈秀英", reason="printed twice",
    )  # fmt: skip
    done = world.operator.act(request, lambda: now_us).code == "00"
    if done != world.model.withdraw(bill, now_us):
        world.judge.fault(f"withdrawal of {bill} was {'done' if done else 'refused'}")
    return True


def import_bills(world: Place) -> bool:
    """A file of bills, or again that of an import that died; or one that dies itself. While a dead one may still be
    alive, others wait."""
    scene, now_us = world.scene, world.wall.now_us()
    again = bool(scene.half) and world.random.random() < 0.5
    printed = scene.half if again else scene.print_bills(world.random.randint(1, 20))
    with world.operator.reading() as connection:
        dead = [row[0] for row in connection.exec_driver_sql("SELECT touched_us FROM open_import")]
    busy = any(abs(now_us - touched_us) < DEAD_AFTER_US for touched_us in dead)
    dies = not busy and world.random.random() < 0.3
    try:
        scene.import_bills(world.operator, printed, now_us, world.random.randint(0, 3) if dies else 1_000_000)
    except Busy:
        if not busy:
            world.judge.fault("an import was told to wait for one that is long dead")
        return True
    except Killed:
        scene.half = printed
        world.counted("import died")
        return True
    if busy:
        world.judge.fault("two imports at once")
    scene.half = []
    world.model.print_bills(printed)
    return True


def close(world: Place) -> bool:
    """`reconcile close` of a bank's open date, which must be refused when it is too early."""
    bank = world.random.choice(list(world.scene.settings.banks.values()))
    day = world.model.open[bank.key]
    now = cst(world.wall.now_us())
    good = day + timedelta(days=1) <= now.date() + timedelta(days=1)
    desk = Desk(world.operator.reading, lambda book_id: world.operator.writing(), world.wall.now_us, world.scene.folder)
    try:
        done = cut_over(world.operator, desk, bank, as_int(day))
    except NotClosed:
        done = False
    if done != good:
        world.judge.fault(f"{day} of {bank.key} was {'closed' if done else 'not closed'} by command on {now}")
    if done:
        world.model.open_next(bank.key)
        spec, institution = world.scene.dialects[bank.key].statement, world.scene.settings.institution
        closed = as_int(day)
        write_day(world.operator.reading, world.scene.folder, spec, institution, bank.key, bank.book_id, closed)
    return True


def sign(world: Place) -> bool:
    """`ledgerctl seal` beside a daemon that signs."""
    folder = world.scene.folder / FOLDER
    try:
        Anchors(world.operator.reading, folder, MASTER.signer(), world.wall.now_us).sign()
    except AnchorError as fault:
        world.judge.fault(f"a head can't be signed: {fault}")
    return True
