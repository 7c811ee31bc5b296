"""The end of a world: the tables, the files and the seal against what the model says happened. Its own SQL, no ORM.

Only when every reply was right: a book that differs then differs from what banks were told.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import date as Date
from datetime import timedelta
from pathlib import Path

from shebao.codecs.statement import StatementLine
from shebao.ledger.anchor import FOLDER, Anchors
from shebao.ledger.verify import verify

from ..statements import BadFile, read_day
from .almanac import as_int
from .bureau import Bureau
from .passbook import BRANCH, TERMINAL
from .said import DetailLine
from .stage import MASTER


def examine(world: Bureau) -> None:
    """Everything that must hold once all is quiet."""
    tables = sqlite3.connect(world.scene.folder / "world.db")
    try:
        for look in (_bills, _payments, _accounts, _dates, _money, _acknowledged):
            for fault in look(world, tables):
                world.judge.fault(fault)
    finally:
        tables.close()
    for fault in (*_files(world), *_seal(world)):
        world.judge.fault(fault)


def _bills(world: Bureau, tables: sqlite3.Connection) -> Iterator[str]:
    stored = {
        f"{number:019d}": status
        for number, status in tables.execute(
            "SELECT number, status FROM bill WHERE import_id NOT IN (SELECT import_id FROM open_import)"
        )
    }
    for number, status in world.model.status.items():
        found = stored.pop(number[:19], "not there")
        if found != status:
            yield f"bill {number} is {found}, by the model {status}"
    if stored:
        yield f"{len(stored)} bills that nobody imported"


def _payments(world: Bureau, tables: sqlite3.Connection) -> Iterator[str]:
    rows = tables.execute("SELECT receipt, bill, amount, date, state, suspense, on_bill FROM payment")
    stored = Counter((r, b, a, d, s if s in ("LIVE", "REFUNDED") else "", bool(x), o) for r, b, a, d, s, x, o in rows)
    told = Counter(
        (
            world.model.receipt_text(t.receipt), t.bill, t.amount, as_int(t.date),
            "LIVE" if t.live else "REFUNDED" if t.refunded else "", t.suspense, t.onto,
        )
        for t in world.model.taken
    )  # fmt: skip
    for row in (stored - told):
        yield f"a payment in the books that the model has not: {row}"
    for row in (told - stored):
        yield f"a payment of the model's that the books have not: {row}"


def _accounts(world: Bureau, tables: sqlite3.Connection) -> Iterator[str]:
    balances: Counter[str] = Counter()
    for debit, credit, amount in tables.execute("SELECT debit, credit, amount FROM transfer"):
        balances[debit] += amount
        balances[credit] -= amount
    for bank in world.scene.settings.banks:
        if balances[f"clearing:{bank}"] != world.model.clearing[bank]:
            yield f"clearing:{bank} is {balances[f'clearing:{bank}']}, by the model {world.model.clearing[bank]}"
        if -balances[f"suspense:{bank}"] != world.model.in_suspense[bank]:
            yield f"suspense:{bank} is {-balances[f'suspense:{bank}']}, by the model {world.model.in_suspense[bank]}"
    funds: Counter[str] = Counter()
    for taken in world.model.taken:
        if taken.live and not taken.suspense:
            funds.update({f"fund:{kind}": fen for kind, fen in world.model.bills[taken.pays].parts})
    for bank in world.scene.settings.banks:
        funds[f"refund:{bank}"] = world.purse.refund[bank]
        funds[f"special:{bank}"] = -world.model.special[bank]
    funds.update({f"treasury:{kind}": -fen for kind, fen in world.purse.treasury.items()})
    funds = Counter({name: fen for name, fen in funds.items() if fen})
    names = ("fund:", "refund:", "special:", "treasury:")
    stored = Counter({name: -fen for name, fen in balances.items() if name.startswith(names) and fen})
    if stored != funds:
        yield f"funds are {dict(stored)}, by the model {dict(funds)}"


def _dates(world: Bureau, tables: sqlite3.Connection) -> Iterator[str]:
    """Dates, their totals, and receipts that count from 1 without a gap."""
    for bank, one in world.scene.settings.banks.items():
        rows = tables.execute(
            "SELECT date, state, credits, credits_fen, reversals, reversals_fen FROM day WHERE book_id = ? ORDER BY 1",
            (one.book_id,),
        ).fetchall()
        dates = sorted(world.model.dates[bank])
        if [row[0] for row in rows] != [as_int(day) for day in dates]:
            yield f"{bank} has the dates {[row[0] for row in rows]}, by the model {dates}"
            continue
        for day, row in zip(dates, rows, strict=True):
            if list(row[2:]) != world.model.sums.get((bank, day), [0, 0, 0, 0]):
                yield f"{bank} {day}: totals {row[2:]}, by the model {world.model.sums.get((bank, day))}"
            right = "OPEN" if day == world.model.open[bank] else world.purse.state(bank, day)
            if row[1] != right:
                yield f"{bank} {day} is {row[1]}, by the model {right}"
            like = f"{day:%y%m%d}{one.number}%"
            found = tables.execute("SELECT receipt FROM payment WHERE receipt LIKE ? ORDER BY receipt", (like,))
            serials = [int(number[10:19]) for (number,) in found]
            if serials != list(range(1, len(serials) + 1)):
                yield f"{bank} {day}: receipts {serials} have a gap"


def _money(world: Bureau, tables: sqlite3.Connection) -> Iterator[str]:
    """What is due and received for each date, exception by exception; and the statement of each that was run."""
    names = {one.book_id: bank for bank, one in world.scene.settings.banks.items()}
    due: Counter[tuple[str, int, int]] = Counter()
    received: Counter[tuple[str, int]] = Counter()
    for book, date, side, fen, number in tables.execute(
        "SELECT share.book_id, share.date, side, fen, exception_id FROM share JOIN ruling USING (book_id, seq)"
    ):
        if side == "due":
            due[names[book], date, number] += fen
        else:
            received[names[book], date] += fen
    purse = world.purse
    right = Counter({(bank, as_int(day), number): fen for (bank, day, number), fen in purse.corrected.items() if fen})
    if Counter({key: fen for key, fen in due.items() if fen}) != right:
        yield f"corrections of dues are {due}, by the model {right}"
    came = Counter({(bank, as_int(day)): fen for (bank, day), fen in purse.received.items() if fen})
    if Counter({key: fen for key, fen in received.items() if fen}) != came:
        yield f"received is {received}, by the model {came}"
    for bank in world.scene.settings.banks:
        world.cases.read(bank, False)
        days = world.model.dates[bank]
        between = sum(purse.due(bank, day) - purse.received[bank, day] for day in days)
        if between != world.model.clearing[bank]:
            yield f"clearing:{bank} is {world.model.clearing[bank]}, due less received {between}"
        held = sum(t.amount for t in world.model.taken if t.bank == bank and t.held == "OPEN")
        if held != world.model.in_suspense[bank]:
            yield f"suspense:{bank} is {world.model.in_suspense[bank]}, its open items {held}"
    for (bank, day), file in purse.files.items():
        if (bank, day) not in purse.replacing and file.net != purse.due(bank, day) + purse.between(bank, day):
            yield f"{day} of {bank}: the bank's net is {file.net}, due and differences are other"
    states = {(names[book], number): state for book, number, state in tables.execute(
        "SELECT book_id, id, state FROM proposal")}  # fmt: skip
    if states != {key: one.state for key, one in purse.asked.items()}:
        yield f"proposals are {states}, by the model {[(key, one.state) for key, one in purse.asked.items()]}"


def _acknowledged(world: Bureau, tables: sqlite3.Connection) -> Iterator[str]:
    """What a bank was given a receipt for is in the books, for its bill, whatever the model says."""
    rows = dict(tables.execute("SELECT receipt, bill FROM payment"))
    for core in world.cores:
        for sent in core.sent:
            if sent.answer == "00" and sent.receipt and sent.said.mti[:2] == "02":
                if sent.receipt not in rows:
                    yield f"receipt {sent.receipt} was given and is not in the books"
                elif rows[sent.receipt] != sent.said.bill:
                    yield f"receipt {sent.receipt} was given for {sent.said.bill}, the books say {rows[sent.receipt]}"


def _files(world: Bureau) -> Iterator[str]:
    """Every closed date has its file, and the file has every event of the date, in order."""
    for bank, pen in world.scene.wires.items():
        oldest = max(world.model.dates[bank]) - timedelta(days=25)  # the daemon looks back a month for missing files
        for day in sorted(world.model.dates[bank] - {world.model.open[bank]}):
            if day < oldest:
                continue
            try:
                lines = read_day(Path(world.scene.settings.state_dir), pen, as_int(day))
            except BadFile as fault:
                yield f"{bank} {day}: {fault}"
                continue
            found = [line._replace(line=0) for line in lines]
            told = [as_written(world, day, one) for one in world.model.lines.get((bank, day), [])]
            if found != told:
                yield f"the file of {bank} {day} has {found}, by the model {told}"


def _seal(world: Bureau) -> Iterator[str]:
    key, now_us = MASTER.signer().public_key(), world.nodes[0].wall.now_us()
    folder = world.scene.folder / FOLDER
    if any(node.forced for node in world.nodes):  # it had no time left to sign; whoever runs next does
        Anchors(world.operator.reading, folder, MASTER.signer(), lambda: now_us).sign()
    proofs = verify(world.operator.reading, folder, now_us, key)
    signed = {bank: signed_last(folder / f"{bank}.log") for bank in world.scene.settings.banks}
    with world.operator.reading() as connection:
        heads = connection.exec_driver_sql("SELECT bank, next_seq FROM book WHERE book_id > 0").fetchall()
    for bank, next_seq in heads:
        if signed[bank] != next_seq - 1:
            yield f"{bank} has {next_seq - 1} events, the last head that was signed is of {signed[bank]}"
    for proof in proofs:
        for finding in proof.findings:
            yield f"verify, {proof.name}: {finding}"


def signed_last(log: Path) -> int:
    """How many events the last line of an anchor log signs; 0 without one."""
    lines = log.read_text(encoding="ascii").splitlines() if log.is_file() else []
    return int(lines[-1].split()[4]) if lines else 0


def as_written(world: Bureau, day: Date, one: DetailLine) -> StatementLine:
    """The line that must stand in the file of its date."""
    original = ("", "") if one.original is None else (f"{one.original[0]:%Y%m%d%H%M%S}", one.original[1])
    return StatementLine(
        as_int(day), f"{one.moment:%Y%m%d%H%M%S}", one.stan, one.rrn, TERMINAL, BRANCH, one.kind, one.bill,
        one.amount, world.model.receipt_text(one.receipt), one.channel, *original,
    )  # fmt: skip
