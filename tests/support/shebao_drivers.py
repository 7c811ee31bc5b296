"""Two ways to put a story's asks to the switch: the rules in memory, or a live daemon over TCP."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from shebao_harness import BANKS, CST, INSTITUTION, Line, Switch, dialect_of, moment
from shebao_model import CLASS, Ask
from shebao_story import Answer

from shebao.codecs import mac, tags
from shebao.codecs.compiled import Codec
from shebao.codecs.message import Decoded
from shebao.ledger.day import moment_of
from shebao.ledger.facts import Decision, KeyClass, Request
from shebao.ledger.store import open_store
from shebao.switch import replies
from shebao.switch.bank import Bank
from shebao.switch.intake import Refusal, admit, request_of, take_apart


def fields_of(ask: Ask) -> tuple[dict[int, str], list[tuple[str, str]]]:
    """A message as the bank writes it."""
    when, stan = ask.key
    fields = {
        3: ask.proc,
        4: f"{ask.amount:012d}",
        7: when,
        11: stan,
        32: BANKS[ask.bank][1],
        37: f"R{when[4:]}{stan[1:]}",
        49: "156",
    }
    pairs: list[tuple[str, str]] = []
    if CLASS[ask.mti] != "reversal":
        fields |= {12: when[4:], 13: when[:4], 41: "TERM0001", 42: "3301100000BR001"}
        pairs = [("CH", "01"), ("BN", ask.bill)]
    if ask.original is not None:
        mti, moment_, number, institution = ask.original
        fields[90] = mti + number + moment_ + institution.rjust(11, "0") + "0" * 11
    return fields, pairs


def serial_of(fields: dict[int, str]) -> int | None:
    if 48 not in fields:
        return None
    receipt = tags.parse(bytes.fromhex(fields[48])).get("RN")
    return int(receipt[10:19]) if receipt and fields[39] == "00" else None


class Books:
    """What both drivers do to the books from outside: bills in, statuses, balances and totals out."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.numbers = {bank: int(number[0]) * 100 for bank, number in BANKS.items()}

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.switch.folder / "shebao.db") as connection:
            return connection.execute(sql).fetchall()

    def figures(self) -> dict[str, dict[object, object]]:
        banks = {number: bank for bank, number in self.numbers.items()}
        found: dict[str, dict[object, object]] = {
            "date": {},
            "serial": {},
            "clearing": {},
            "suspense": {},
            "totals": {},
        }
        for book, date, receipt in self.rows("SELECT book_id, open_date, next_receipt FROM book WHERE book_id > 0"):
            # the model counts days; a date and its next differ by one
            found["date"][banks[book]] = datetime.strptime(str(date), "%Y%m%d").toordinal()  # type: ignore[index]  # noqa: DTZ007
            found["serial"][banks[book]] = int(str(receipt)) - 1  # type: ignore[index]
        for account, sign in (("clearing", 1), ("suspense", -1)):
            for bank in BANKS:
                (debit,), (credit,) = (
                    self.rows(f"SELECT coalesce(sum(amount), 0) FROM transfer WHERE {side} = '{account}:{bank}'")[0]
                    for side in ("debit", "credit")
                )
                found[account][bank] = sign * (int(str(debit)) - int(str(credit)))
        for book, date, *totals in self.rows(
            "SELECT book_id, date, credits, credits_fen, reversals, reversals_fen FROM day"
        ):
            day = datetime.strptime(str(date), "%Y%m%d").toordinal()  # noqa: DTZ007
            if book in banks:
                found["totals"][banks[book], day] = list(totals)  # type: ignore[index]
        return found

    def begin(self, bills: dict[str, int]) -> dict[str, dict[object, object]]:
        self.switch.import_bills(bills)
        return self.figures()

    def finish(self) -> dict[str, dict[object, object]]:
        done = self.switch.run("ledgerctl", "verify", check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.figures()

    def statuses(self, bills: Sequence[str]) -> dict[str, str]:
        numbers = {int(bill[:19]): bill for bill in bills}
        wanted = ", ".join(map(str, numbers))
        return {numbers[n]: str(s) for n, s in self.rows(f"SELECT number, status FROM bill WHERE number IN ({wanted})")}  # type: ignore[index]

    def withdraw(self, bill: str) -> int:
        return self.switch.run("ledgerctl", "withdraw", bill, "--reason", "printed twice", check=False).returncode


def tomorrow(days: int) -> str:
    return (datetime.now(CST) + timedelta(days=days)).strftime("%m%d")


class Rules(Books):
    """Bytes to request to decision to reply, without a socket: what is left out is lines and lane."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Switch(folder).prepare({}))
        self.store = open_store(self.switch.database)
        self.banks = {bank: self._bank(bank) for bank in BANKS}

    def _bank(self, key: str) -> Bank:
        dialect = dialect_of(key)
        number, institution = BANKS[key]
        return Bank(key, institution, int(number) * 100, INSTITUTION, dialect, Codec(dialect), None)  # type: ignore[arg-type]

    def _request(self, ask: Ask) -> Request:
        bank = self.banks[ask.bank]
        fields, pairs = fields_of(ask)
        if pairs:
            fields[48] = tags.build(pairs).hex().upper()
        covered = bank.codec.encode(ask.mti, fields)
        key = mac.ALGORITHMS[bank.dialect.mac.algorithm].make(bytes(16))
        decoded: Decoded = bank.codec.decode(covered + mac.wire_mac(key.compute(covered), bank.dialect.mac.hex))
        service = admit(bank, decoded, True)
        assert not isinstance(service, Refusal), (ask, service)
        found = take_apart(decoded, service)
        assert not isinstance(found, Refusal), (ask, found)
        request = request_of(bank, decoded, service, found, int(time.time() * 1e6))
        assert not isinstance(request, Refusal), (ask, request)
        return request

    def _encode(self, request: Request, decision: Decision) -> bytes:
        return replies.decided(self.banks[request.bank].codec, request, decision)

    def ask(self, asks: Sequence[Ask]) -> list[Answer]:
        requests = [self._request(ask) for ask in asks]
        answers = self.store.transact(requests, lambda: int(time.time() * 1e6), self._encode)
        found = []
        for request, answer in zip(requests, answers, strict=True):
            assert answer.fault is None, answer.fault
            codec = self.banks[request.bank].codec
            body = codec.encode_mti("0210") + answer.reply
            decoded = codec.decode(body + b"0" * codec.mac_size)
            found.append(Answer(decoded.fields[39], answer.reply, serial_of(decoded.fields)))
        return found

    def cut_over(self, bank: str) -> str:
        date = int((datetime.now(CST) + timedelta(days=1)).strftime("%Y%m%d"))
        if self.figures()["date"][bank] == datetime.strptime(str(date), "%Y%m%d").toordinal():  # noqa: DTZ007
            return "30"
        now_us = int(time.time() * 1e6)
        request = Request(
            "cutover", self.numbers[bank], bank, "0800", KeyClass.NONE, 0, moment_of(now_us), now_us, {}, date=date,
            operator=bank,
        )  # fmt: skip
        return str(self.store.transact([request], lambda: now_us, self._encode)[0].code)

    def restart(self, bluntly: bool) -> None:
        self.store.close()
        self.store = open_store(self.switch.database)


class Live(Books):
    """A daemon and one line for each bank; an ask goes out before the first answer is read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Switch(folder).prepare({}))
        self.lines: dict[str, Line] = {}
        self.cutovers = 0
        self._open()

    def _open(self) -> None:
        self.switch.start()
        self.lines = {bank: self.switch.line(bank).sign_on() for bank in BANKS}

    def ask(self, asks: Sequence[Ask]) -> list[Answer]:
        for ask in asks:
            fields, pairs = fields_of(ask)
            self.lines[ask.bank].send(ask.mti, fields, pairs)
        waiting = list(range(len(asks)))
        found: dict[int, Answer] = {}
        while waiting:
            bank = asks[waiting[0]].bank
            reply = self.lines[bank].receive()
            mine = next(
                n for n in waiting if asks[n].bank == bank and asks[n].key == (reply.fields[7], reply.fields[11])
            )
            waiting.remove(mine)
            found[mine] = Answer(reply.code, reply.body, serial_of(reply.fields))
        return [found[n] for n in range(len(asks))]

    def cut_over(self, bank: str) -> str:
        wanted = tomorrow(1)
        if self.figures()["date"][bank] == (datetime.now(CST) + timedelta(days=1)).toordinal():
            return "30"
        self.cutovers += 1
        stan = f"{999_000 + self.cutovers:06d}"
        return self.lines[bank].ask("0800", {7: moment(), 11: stan, 15: wanted, 70: "201"}).code

    def restart(self, bluntly: bool) -> None:
        if bluntly:
            self.switch.kill()
        else:
            assert self.switch.stop() == 0
        for line in self.lines.values():
            line.close()
        self._open()

    def balance(self) -> object:
        return json.loads(self.switch.run("ledgerctl", "balance", "--json").stdout)
