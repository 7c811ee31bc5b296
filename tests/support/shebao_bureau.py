"""A bureau in a temporary folder: configuration, a ledger, a clock turned by hand, and four banks' files.

Requests go straight to the ledger, without a daemon or a line; reconciliation goes through its command.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from click.testing import CliRunner, Result
from sqlalchemy import insert

from shebao.codecs.columns import StatementContext, StatementLine, Totals, totals_of
from shebao.codecs.dialect import Dialect, load_dialect
from shebao.codecs.numbers import mod_11_10
from shebao.codecs.settings import load_switch
from shebao.codecs.statement import file_names, read, sm3_hex, write, write_control
from shebao.ledger import schema
from shebao.ledger.books import ensure_books
from shebao.ledger.day import add_days, time_of, us_of
from shebao.ledger.facts import KeyClass, Original, Request
from shebao.ledger.secrets import create_master
from shebao.ledger.store import open_store
from shebao.reconcile.cli import reconcile

ROOT = Path(__file__).resolve().parents[2]
BANKS = {"rcb": "01", "icbc": "02", "ccb": "03", "boc": "04"}
PAYER = "33011019900101008X"
KEYS = {"0200": KeyClass.PAYMENT, "0220": KeyClass.ADVICE, "0420": KeyClass.REVERSAL}
Change = Callable[[list[StatementLine]], Iterable[StatementLine]]


# Four dialects cost a command more than all the rest of it; the same text gives the same dialect.
known_dialect = cache(load_dialect)


def bill_number(serial: int) -> str:
    body = f"330110261101{serial:07d}"
    return body + mod_11_10(body)


class Bureau:
    """The shortest ways to have a day, and to reconcile it by the command."""

    def __init__(self, folder: Path, url: str, today: int = 20261123) -> None:
        self.folder, self.date = folder, today
        self.now_us = us_of(today * 1_000_000 + 90000)
        self.url = url
        self.config = folder / "switch.toml"
        self.state = folder / "var"
        text = f'[switch]\ninstitution = "33011000"\ndatabase = "{self.url}"\nstate_dir = "{self.state}"\n'
        text += f'master_key_file = "{folder / "key"}"\n[admin]\nlisten = "127.0.0.1:8580"\n'
        for n, (bank, number) in enumerate(BANKS.items(), 1):
            text += f'[banks.{bank}]\nname = "{bank}银行"\nnumber = "{number}"\ninstitution = "{n}0000000"\n'
            text += f'dialect = "{bank}"\nlisten = "127.0.0.1:{9000 + n}"\n'
            text += 'allow = ["127.0.0.1/32"]\ncutover = "23:00:00"\n'
        self.config.write_text(text, encoding="utf-8")
        create_master(folder / "key", bytes)
        self.store = open_store(self.url)
        ensure_books(self.store, load_switch(text, "switch.toml"), self.now_us)
        self.serial = 0
        self.stan = 0

    # -- the day's traffic -----------------------------------------------------------------------------------------

    def bill(self, fen: int = 12000, parts: str = "") -> str:
        self.serial += 1
        number = bill_number(self.serial)
        row = {
            "division": 330110, "number": int(number[:19]), "payer_id": PAYER, "payer_name": "沈建国", "office": "余杭",
            "period_from": 202601, "period_to": 202612, "issued": 20261101, "due": 20261130, "last_day": 20261231,
            "owner_only": 0, "amount": fen, "parts": parts or f"170:{fen}", "status": "OUTSTANDING",
        }  # fmt: skip
        with self.store.writing() as conn:
            conn.execute(insert(schema.bill).values(row))
        return number

    def request(self, bank: str, service: str, mti: str, bill: str, fen: int, at: str = "", **more: Any) -> Request:
        self.stan += 1
        second = 9 * 3600 + self.stan
        moment = int(at or f"{self.date}{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}")
        return Request(
            service=service, book_id=int(BANKS[bank]) * 100, bank=bank, mti=mti, key_class=KEYS[mti],
            trace=moment % 10**12 * 10**6 + self.stan, moment=moment, received_us=self.now_us, echo={},
            proc=more.pop("proc", "500000"), amount=fen, bill=bill, stan=f"{self.stan:06d}", rrn=f"R{self.stan:011d}",
            terminal="T0000001", branch="BRANCH000000001", channel="01", **more,
        )  # fmt: skip

    def ask(self, *requests: Request) -> list[str]:
        return [a.code for a in self.store.transact(requests, lambda: self.now_us, lambda request, decision: b"")]

    def pay(
        self, bank: str, fen: int = 12000, bill: str = "", mti: str = "0200", at: str = "", parts: str = ""
    ) -> Request:
        """A payment that is approved; an advice of an unknown bill goes to suspense."""
        service = "payment" if mti == "0200" else "advice"
        request = self.request(bank, service, mti, bill or self.bill(fen, parts), fen, at)
        assert self.ask(request) == ["00"]
        return request

    def undo(self, request: Request, service: str = "reversal", code: str = "00") -> Request:
        undo = self.undoing(request, service)
        assert self.ask(undo) == [code]
        return undo

    def undoing(self, request: Request, service: str = "reversal") -> Request:
        """A void or reversal of what a request did, not yet asked."""
        original = Original(request.key_class, request.trace, "")
        proc = "200000" if service == "void" or request.service == "void" else "500000"
        mti = "0200" if service == "void" else "0420"
        return self.request(request.bank, service, mti, request.bill, request.amount, original=original, proc=proc)

    # -- files ------------------------------------------------------------------------------------------------------

    def folder_of(self, box: str, bank: str, date: int) -> Path:
        return self.state / box / bank / str(date)

    def dialect(self, bank: str) -> Dialect:
        path = ROOT / "etc" / "dialects" / f"{bank}.toml"
        return known_dialect(path.read_text(encoding="utf-8"), str(path))

    def our_lines(self, bank: str, date: int) -> list[StatementLine]:
        spec = self.dialect(bank).statement
        name, control = file_names(spec, bank, date)
        folder = self.folder_of("outbox", bank, date)
        with (folder / name).open("rb") as source:
            lines = list(read(spec, bank, date, source, (folder / control).read_bytes() if control else None))
        assert all(isinstance(one, StatementLine) for one in lines), lines
        return lines  # type: ignore[return-value]

    def deliver(
        self, bank: str, date: int, change: Change = list, lines: Iterable[StatementLine] | None = None
    ) -> Path:
        """The bank's own file: our lines, changed; or other lines. Gives the detail file's path."""
        spec = self.dialect(bank).statement
        told = list(change(self.our_lines(bank, date) if lines is None else list(lines)))
        context = StatementContext(bank, "33011000", date, time_of(self.now_us), time_of(self.now_us + 1))
        totals: Totals = totals_of(told)
        folder = self.folder_of("inbox", bank, date)
        folder.mkdir(parents=True, exist_ok=True)
        name, control = file_names(spec, bank, date)
        (folder / name).write_bytes(b"".join(write(spec, context, totals, told)))
        if control:
            (folder / control).write_bytes(write_control(spec, context, totals))
        self.seal(folder / name)
        return folder / name

    def seal(self, path: Path) -> None:
        """Digest and flag beside a detail file, as it is now."""
        path.with_name(path.name + ".sm3").write_text(sm3_hex([path.read_bytes()]))
        path.with_name(path.name + ".ok").write_bytes(b"")

    # -- commands ----------------------------------------------------------------------------------------------------

    def type(self, *words: str) -> Result:
        line = ["--config", str(self.config), *words]
        with patch("shebao.ledger.config.load_dialect", known_dialect):
            return CliRunner().invoke(reconcile, line, obj=lambda: self.now_us, prog_name="reconcile")

    def told(self, *words: str, code: int | None = 0) -> Any:
        """JSON that a sub-command prints."""
        done = self.type(*words, "--json")
        assert code is None or done.exit_code == code, done.output
        return json.loads(done.stdout)

    def close(self, bank: str, date: int = 0) -> None:
        """The cut-over, in the evening of the date; the next morning follows."""
        date = date or self.date
        self.now_us = us_of(date * 1_000_000 + 230000)
        done = self.type("close", "--bank", bank, "--date", str(date))
        assert done.exit_code == 0, done.output

    def next_day(self) -> int:
        self.date = add_days(self.date, 1)
        self.now_us = us_of(self.date * 1_000_000 + 90000)
        return self.date

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.store.reading() as conn:
            return [tuple(r) for r in conn.exec_driver_sql(sql)]
