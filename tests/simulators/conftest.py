"""A switch in memory, just clever enough to answer a simulated bank; and the banks to try on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shebao.codecs import tags
from shebao.codecs.compiled import Codec
from shebao.codecs.dialect import Dialect, load_dialect
from shebao.codecs.framing import Framer, reply_bytes
from shebao.codecs.mac import ALGORITHMS, verify, wire_mac
from shebao.codecs.numbers import receipt
from shebao.simulators.bank import Bank
from shebao.simulators.wire import Identity, Wire

ROOT = Path(__file__).resolve().parents[2]
KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
SWITCH = "33011000"
TODAY = 20261125
BANKS = {
    "rcb": Identity("rcb", "余杭农村商业银行", "01", "14293300", SWITCH),
    "icbc": Identity("icbc", "中国工商银行", "02", "01020000", SWITCH),
    "ccb": Identity("ccb", "中国建设银行", "03", "01050000", SWITCH),
    "boc": Identity("boc", "中国银行", "04", "01040000", SWITCH),
}
ECHOED = (2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70)


def dialect_of(bank: str) -> Dialect:
    path = ROOT / "etc" / "dialects" / f"{bank}.toml"
    return load_dialect(path.read_text(encoding="utf-8"), path.name)


class FakeSwitch:
    """Pays a bill once, keeps replies by key, reverses and voids. `deaf` requests are taken in but not answered."""

    def __init__(self, bank: str, bills: dict[str, int]) -> None:
        self.who = BANKS[bank]
        self.dialect = dialect_of(bank)
        self.codec = Codec(self.dialect)
        self.key = ALGORITHMS[self.dialect.mac.algorithm].make(KEY)
        self.bills = bills
        self.date = TODAY
        self.serial = 0
        self.paid: dict[str, str] = {}  # bill -> receipt
        self.live: dict[str, tuple[str, str]] = {}  # DE11 and DE7 of a payment -> (bill, receipt)
        self.undone: dict[str, str] = {}  # DE11 and DE7 of a void -> those of its payment
        self.stored: dict[tuple[str, str], bytes] = {}
        self.seen: list[str] = []  # MTI and DE3 of each request
        self.deaf: Callable[[str], bool] = lambda mti: False
        self.spoil: Callable[[dict[int, str]], None] = lambda fields: None
        self.code: Callable[[str], str] = lambda mti: ""  # a code that the switch answers instead
        self.framers: dict[int, Framer] = {}

    def feed(self, line: int, data: bytes) -> bytes:
        framer = self.framers.setdefault(line, Framer(self.dialect.framing, SWITCH))
        frames, error = framer.feed(data)
        assert error is None, error
        return b"".join(self._answer(frame.envelope, frame.body) for frame in frames if frame.body)

    def _answer(self, envelope: bytes, body: bytes) -> bytes:
        assert verify(self.key, body, self.dialect.mac.hex)
        decoded = self.codec.decode(body)
        assert decoded.faults == ()
        fields = decoded.fields
        mti = decoded.mti[:3] + "0"
        self.seen.append(f"{decoded.mti} {fields.get(3, fields.get(70, ''))}".strip())
        key = (mti[:2] + ("2" if mti[2] == "2" else "0"), fields[7] + fields[11])
        forced = self.code(decoded.mti)
        if key in self.stored and mti[1] in "24":
            tail = self.stored[key]
        else:
            tail = self._decide(mti, fields, forced)
            if mti[1] in "24" and not forced:
                self.stored[key] = tail
        if self.deaf(decoded.mti):
            return b""
        reply = self.codec.encode_mti(f"{mti[:2]}{int(mti[2]) + 1}0") + tail
        reply += wire_mac(self.key.compute(reply), self.dialect.mac.hex)
        return reply_bytes(self.dialect.framing, envelope, reply)

    def _decide(self, mti: str, fields: dict[int, str], forced: str) -> bytes:
        reply = {number: fields[number] for number in ECHOED if number in fields}
        if forced:
            reply[39] = forced
        elif mti[1] in "58":
            reply[39] = "00"
            reply.update({15: fields[15]} if 15 in fields else {})
            if mti[1] == "5":
                reply.update({66: "1"} | {n: fields[n] for n in (74, 75, 76, 77, 86, 87, 88, 89, 97)})
        else:
            self._business(mti, fields, reply)
        self.spoil(reply)
        return self.codec.encode(f"{mti[:2]}{int(mti[2]) + 1}0", reply)[self.codec.mti_size :]

    def _business(self, mti: str, fields: dict[int, str], reply: dict[int, str]) -> None:
        tagged = tags.parse(bytes.fromhex(fields.get(48, "")))
        bill = tagged.get("BN") or ""
        reply[39] = "00"
        original = fields.get(90, "")[4:20]
        if mti == "0100":
            amount = f"{self.bills[bill]:012d}"
            reply[4] = amount
            reply[48] = _de48(("NM", "沈建国"), ("NB", "001"), ("IN", "170" + amount))
        elif fields[3] == "500000" and mti[1] == "2":
            self._pay(mti, fields, bill, reply)
        else:
            self._undo(mti, fields, original, reply)
        if reply[39] == "00" and mti != "0100":
            reply[15] = f"{self.date % 10000:04d}"

    def _pay(self, mti: str, fields: dict[int, str], bill: str, reply: dict[int, str]) -> None:
        if bill in self.paid:
            reply[39] = "B1"
            reply[48] = _de48(("PB", "boc"), ("PT", "20261125093015"), ("MS", "该缴费单已缴费"))
            return
        self.serial += 1
        number = receipt(self.date % 1_000_000, self.who.number, 0, self.serial)
        self.paid[bill] = number
        self.live[fields[11] + fields[7]] = (bill, number)
        reply[48] = _de48(("RN", number), ("MS", "缴费成功"))
        if mti == "0200":
            reply[38] = "K7Q2ZB"

    def _undo(self, mti: str, fields: dict[int, str], original: str, reply: dict[int, str]) -> None:
        if original in self.undone:  # a void's own reversal: the payment stands again
            payment = self.undone.pop(original)
            self.paid[self.live[payment][0]] = self.live[payment][1]
        elif original in self.live:
            bill, number = self.live[original]
            self.paid.pop(bill, None)
            if mti == "0200":
                self.undone[fields[11] + fields[7]] = original
                reply[48] = _de48(("RN", number), ("MS", "已撤销"))
        else:
            reply[39] = "25"


def _de48(*pairs: tuple[str, str]) -> str:
    return tags.build(pairs).hex().upper()


class Wired:
    """A bank and a fake switch, joined; time is turned by hand."""

    def __init__(self, bank: str, bills: dict[str, int]) -> None:
        self.switch = FakeSwitch(bank, bills)
        self.bank = Bank(Wire(BANKS[bank], self.switch.dialect, KEY), lambda: TODAY * 1_000_000 + 93015)
        self.now = 1000.0

    def connect(self, line: int = 1) -> None:
        self.bank.connected(line, self.now)
        self.exchange()

    def exchange(self) -> None:
        """Carries bytes to and fro until both are silent."""
        while out := self.bank.take():
            for number, data in out:
                answer = self.switch.feed(number, data)
                if answer:
                    self.bank.received(number, answer, self.now)

    def turn(self, seconds: float) -> None:
        self.now += seconds
        self.bank.tick(self.now)
        self.exchange()


@pytest.fixture(params=list(BANKS))
def wired(request: pytest.FixtureRequest) -> Wired:
    return Wired(request.param, {f"3301102611230000{n:03d}0": 48000 for n in range(100)})
