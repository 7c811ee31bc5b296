"""What a world is made of before anything happens: configuration, a database with keys, people and bills.

Made once for a process (`Stage`) and copied for each world (`Scene`), so that a world costs milliseconds. Bills and
people are made here, small in number, so that banks meet on the same ones; nothing of it is the switch's own code but
the tables and the import.
"""

from __future__ import annotations

import csv
import io
import shutil
import sqlite3
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from sqlalchemy import insert, update

from shebao.codecs.dialect import Dialect
from shebao.codecs.numbers import mod_11_10
from shebao.codecs.settings import SwitchSettings
from shebao.ledger.books import ensure_books
from shebao.ledger.config import CHECKOUT, read_dialects, read_settings
from shebao.ledger.imports import Pace, import_bills, import_people
from shebao.ledger.schema import bank_key
from shebao.ledger.secrets import Master, seal_key
from shebao.ledger.sqlite import SqliteBackend
from shebao.ledger.store import Store, migrate

from ..population import citizen_id
from ..wire import Identity, Wire
from .almanac import cst

MASTER: Final = Master(bytes(range(32)), bytes(range(32, 64)))
MAC_KEY_BYTES: Final = 16  # of all four dialects
PEOPLE: Final = 8
PERIOD: Final = ("202601", "202612")  # of every bill
TYPES: Final = ("170", "390", "110", "310")
NAMES: Final = ("王建国", "李㛃", "阿依古丽·买买提", "𠮷野", "沈秀英", "张丽娟", "余杭五金厂", "陈伟")


class Payer(NamedTuple):
    id: str
    name: str
    card: str


class PrintedBill(NamedTuple):
    """A bill as a village office printed it."""

    number: str
    payer: Payer
    amount: int  # fen
    last_day: date
    owner_only: bool
    parts: tuple[tuple[str, int], ...]
    due: date

    @property
    def line(self) -> str:
        """BL of an inquiry's reply: number, amount, period, due date, the type that most of it is for."""
        main = max(self.parts, key=lambda part: part[1])[0]
        return f"{self.number}{self.amount:012d}{PERIOD[0]}{PERIOD[1]}{self.due:%Y%m%d}{main}"


class Stage(NamedTuple):
    folder: Path
    settings: SwitchSettings
    dialects: dict[str, Dialect]
    wires: dict[str, Wire]


@cache
def stage(folder: Path) -> Stage:
    """The template database in `folder`, and what all worlds of this process share."""
    config = CHECKOUT / "etc" / "switch.toml"
    settings = read_settings(config)
    settings = replace(
        settings, database=f"sqlite:///{folder / 'template.db'}", state_dir=str(folder), master_key_file=""
    )
    dialects = read_dialects(settings, config)
    migrate(settings.database)
    keys = {bank: bytes(range(at, at + MAC_KEY_BYTES)) for at, bank in enumerate(settings.banks)}
    store = Store(SqliteBackend(settings.database, checkpoints=False), 0)
    with store.writing() as connection:
        for bank, key in keys.items():
            sealed = seal_key(MASTER, bank, "mac", key, lambda size: bytes(size))
            row = (bank, "mac", "current", sealed, "000000", dialects[bank].mac.algorithm, 0)
            connection.execute(insert(bank_key).values(row))
    store.close()
    with sqlite3.connect(folder / "template.db") as template:
        template.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        template.execute("PRAGMA journal_mode = DELETE")  # a file that can be copied
    template.close()
    own = settings.institution
    wires = {
        key: Wire(Identity(key, bank.name, bank.number, bank.institution, own), dialects[key], keys[key])
        for key, bank in settings.banks.items()
    }
    return Stage(folder, settings, dialects, wires)


@cache
def _model_backend(url: str) -> SqliteBackend:
    return SqliteBackend(url, checkpoints=False)


def backend_of(url: str) -> SqliteBackend:
    """A process's own way to the file. All share one engine, whose statements need not be compiled for each."""
    return copy(_model_backend(url))


class Killed(BaseException):
    """A command's process is gone."""


class MortalPace(Pace):
    """Small chunks without pauses; after some of them the process dies."""

    def __init__(self, chunks: int) -> None:
        super().__init__(lambda: 0.0, lambda _: None)
        self.rows, self._left = 2, chunks

    def begin(self) -> None:
        if self._left == 0:
            raise Killed
        self._left -= 1


class Scene:
    """One world's own database and folder, and its people and bills."""

    def __init__(self, made: Stage, folder: Path, start_us: int, random: Random, bills: int) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copyfile(made.folder / "template.db", folder / "world.db")
        self.url = f"sqlite:///{folder / 'world.db'}"
        self.settings = replace(made.settings, database=self.url, state_dir=str(folder))
        self.dialects, self.wires = made.dialects, dict(made.wires)
        self.today = cst(start_us).date()
        self.payers = [Payer(citizen_id(random), name, f"62284800{n:08d}") for n, name in enumerate(NAMES[:PEOPLE])]
        self.strangers = Payer(citizen_id(random), "无名", "6228480099999999")  # known to nobody
        self._serial = 0
        self.random = random
        self._parts: list[tuple[tuple[str, int], ...]] = []
        self.bills: list[PrintedBill] = []
        self.half: list[PrintedBill] = []  # of an import that died: nobody may see them
        store = self.open_store()
        ensure_books(store, self.settings, start_us)
        self.import_people(store, start_us)
        self.import_bills(store, self.print_bills(bills), start_us)
        store.close()

    def open_store(self) -> Store:
        """Another process's: an operator's, or the judge's."""
        return Store(backend_of(self.url), self.settings.limits.reply_deadline_s * 1_000_000)

    def load_key(self, store: Store, bank: str) -> None:
        """A new MAC key, as `keyctl load` stores it; and the bank's end of the wire with it."""
        key, dialect = self.random.randbytes(MAC_KEY_BYTES), self.dialects[bank]
        sealed = seal_key(MASTER, bank, "mac", key, self.random.randbytes)
        with store.writing() as connection:
            connection.execute(update(bank_key).where(bank_key.c.bank == bank).values(sealed=sealed))
        self.wires[bank] = Wire(self.wires[bank].identity, dialect, key)

    def print_bills(self, count: int) -> list[PrintedBill]:
        return [self._print() for _ in range(count)]

    def unknown_bill(self) -> str:
        self._serial += 1
        return _number(self.today, 5_000_000 + self._serial)

    def _print(self) -> PrintedBill:
        random = self.random
        self._serial += 1
        kinds = random.sample(TYPES, random.choice((1, 1, 2, 3)))
        parts = tuple((kind, random.randint(100, 2_000_000)) for kind in kinds)
        if self._parts and random.random() < 0.15:  # money may be put onto another bill of the same amount
            parts = random.choice(self._parts)
        self._parts.append(parts)
        ahead = random.choice((-1, 0, 1, 2, 60, 60, 60))
        payer = self.payers[0] if random.random() < 0.3 else random.choice(self.payers)
        amount = sum(fen for _, fen in parts)
        last_day = self.today + timedelta(days=ahead)
        due = min(last_day, self.today - timedelta(days=random.choice((1, 2, 30))))
        number, owner_only = _number(self.today, self._serial), random.random() < 0.2
        return PrintedBill(number, payer, amount, last_day, owner_only, parts, due)

    def import_bills(
        self, store: Store, printed: list[PrintedBill], now_us: int, dies_after: int = 1_000_000
    ) -> None:
        """As `ledgerctl import-bills` takes them in; Killed after so many chunks. Raises Busy."""
        data = bill_csv(printed, self.today)
        import_bills(store, "world", data, lambda: now_us, pace=MortalPace(dies_after))
        self.bills += printed

    def import_people(self, store: Store, now_us: int) -> None:
        rows = [(p.id, p.name, "13800000000", p.card, "330110", "170") for p in self.payers]
        data = _csv(("id", "name", "phone", "card", "division", "enrolled"), rows)
        import_people(store, data, pace=Pace(lambda: 0.0, lambda _: None))

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def bill_csv(printed: list[PrintedBill], today: date) -> bytes:
    head = (
        "bill_number", "payer_id", "payer_name", "office", "period_from", "period_to", "issued", "due", "last_day",
        "insurance_type", "amount_fen", "owner_only",
    )  # fmt: skip
    issued = f"{today - timedelta(days=30):%Y-%m-%d}"
    rows = [
        (
            bill.number, bill.payer.id, bill.payer.name, "良渚街道安溪村", *PERIOD, issued, f"{bill.due:%Y-%m-%d}",
            f"{bill.last_day:%Y-%m-%d}", kind, str(fen), str(int(bill.owner_only)),
        )
        for bill in printed
        for kind, fen in bill.parts
    ]  # fmt: skip
    return _csv(head, rows)


def _csv(head: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue().encode()


def _number(day: date, serial: int) -> str:
    body = f"330110{day:%y%m%d}{serial:07d}"
    return body + mod_11_10(body)
