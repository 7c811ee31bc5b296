"""The shipped dialects, a bank as the switch sees it, and messages as a bank would send them."""

import json
from pathlib import Path

import pytest

from shebao.codecs import message
from shebao.codecs.compiled import Codec
from shebao.codecs.dialect import load_dialect
from shebao.codecs.framing import Framer, request_bytes
from shebao.codecs.mac import ALGORITHMS, wire_mac, wire_size
from shebao.codecs.tags import build
from shebao.switch.bank import Bank
from shebao.switch.keys import BankKeys

ROOT = Path(__file__).resolve().parents[2]
SWITCH = "33011000"
BILL = "33011026112300000010"
NAMES = ("rcb", "icbc", "ccb", "boc")
NOW_US = 1_795_397_415_000_000  # 2026-11-23 09:30:15 CST
DE7 = "1123093015"


class Wire:
    """One dialect from the bank's side: makes frames, reads replies, checks their MACs. Independent of sessions."""

    def __init__(self, name):
        text = (ROOT / "etc" / "dialects" / f"{name}.toml").read_text(encoding="utf-8")
        self.dialect = load_dialect(text, name)
        text = (ROOT / "tests" / "data" / "vectors" / f"{name}.json").read_text(encoding="utf-8")
        self.vectors = json.loads(text)
        self.key_bytes = bytes.fromhex(self.vectors["mac_key"])
        self.bank = self.vectors["messages"][0]["fields"]["32"]
        self.key = ALGORITHMS[self.dialect.mac.algorithm].make(self.key_bytes)
        self.size = wire_size(self.dialect.mac.hex)
        self.framer = Framer(self.dialect.framing, None)

    def golden(self):
        """The golden frames of this dialect, by name."""
        return {m["name"]: bytes.fromhex(m["frame"]) for m in self.vectors["messages"]}

    def body(self, mti, fields, key=None):
        body = message.encode(self.dialect, mti, fields)
        return body + wire_mac((key or self.key).compute(body), self.dialect.mac.hex)

    def frame(self, body):
        kind = self.dialect.framing.envelope
        source, destination = ("1111", "2222") if kind == "tpdu" else (self.bank, SWITCH)
        return request_bytes(self.dialect.framing, body, source, destination)

    def send(self, mti, fields):
        return self.frame(self.body(mti, fields))

    def replies(self, data):
        """(MTI, fields) of each reply; a wrong MAC or a broken frame fails the test. Heartbeats are left out."""
        frames, error = self.framer.feed(data)
        assert error is None, error
        found = []
        for frame in frames:
            if not frame.body:
                continue
            covered, mac = frame.body[: -self.size], frame.body[-self.size :]
            assert wire_mac(self.key.compute(covered), self.dialect.mac.hex) == mac, "a reply's MAC"
            decoded = message.decode(self.dialect, frame.body)
            assert not decoded.faults
            fields = {n: v for n, v in decoded.fields.items() if n not in (64, 128)}
            found.append((decoded.mti, fields))
        return found


class Messages:
    """Fields of messages, by the bank's institution."""

    de7, now_us, bill = DE7, NOW_US, BILL
    build = staticmethod(build)

    def __init__(self, bank):
        self.bank = bank

    def sign_on(self, code="001", stan="000001"):
        return {7: DE7, 11: stan, 32: self.bank, 70: code}

    def counter(self, proc="390000", stan="000101", tags=(("CH", "01"), ("BN", BILL))):
        return {
            3: proc, 7: DE7, 11: stan, 12: "093015", 13: "1123", 32: self.bank, 37: "326093000101", 41: "TERM0001",
            42: "3301100000BR001", 48: build(tags).hex().upper(),
        }  # fmt: skip

    def payment(self, stan="000102", amount="000001578000"):
        return {**self.counter("500000", stan), 4: amount, 49: "156"}

    def reversal(self, stan="000104", proc="500000"):
        original = "0200" + "000102" + DE7 + self.bank.rjust(11, "0") + "0" * 11
        return {
            3: proc, 4: "000001578000", 7: "1123093101", 11: stan, 32: self.bank, 37: "326093000102", 49: "156",
            90: original,
        }  # fmt: skip


@pytest.fixture(params=NAMES)
def wire(request):
    return Wire(request.param)


@pytest.fixture
def bank(wire):
    return make_bank(wire)


def make_bank(wire, key="rcb"):
    keys = BankKeys(wire.dialect.mac)
    keys.take(b"sealed", lambda: wire.key_bytes)
    return Bank(key, wire.bank, 100, SWITCH, wire.dialect, Codec(wire.dialect), keys)


@pytest.fixture
def messages(wire):
    return Messages(wire.bank)
