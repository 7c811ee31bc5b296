"""The bank's side: a reply of any content becomes a Reply with its faults, and the bank core goes on.

Input: which bank, and whether the MAC stays as it is (1 byte), a reply's body without its MAC. The bank has each kind
of message in flight; it hears the reply twice, in time and after its time-out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from shebao.codecs import tags
from shebao.codecs.dialect import Dialect, load_dialect
from shebao.codecs.errors import Unreadable
from shebao.codecs.framing import Framer, reply_bytes
from shebao.codecs.mac import wire_mac
from shebao.codecs.message import Message
from shebao.simulators import messages
from shebao.simulators.bank import ECHO, Bank
from shebao.simulators.messages import ECHOED, Key, Order
from shebao.simulators.wire import Identity, Wire

ROOT = Path(__file__).resolve().parents[3]
KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
MOMENT = 20261123093015
BANKS = [
    Identity(bank, bank, f"{number:02d}", f"0104000{number}", "33011000")
    for number, bank in enumerate(("rcb", "icbc", "ccb", "boc"), 1)
]
BILL = "33011026110100000019"
SENTENCE_MAX = 300


@cache
def dialect_of(bank: str) -> Dialect:
    return load_dialect((ROOT / f"etc/dialects/{bank}.toml").read_text("utf-8"), bank)


@cache
def wire_of(who: Identity) -> Wire:
    return Wire(who, dialect_of(who.bank), KEY)


def one_input(data: bytes) -> None:
    if not data:
        return
    who = BANKS[data[0] & 3]
    wire, body = wire_of(who), data[1:]
    if not data[0] & 4:
        body += mac_of(wire, body)
    read_as_any_reply(wire, body)
    if len(body) + wire.dialect.framing.envelope_size > wire.dialect.framing.largest:
        return
    bank = busy_bank(wire)
    data_in = reply_bytes(wire.dialect.framing, envelope_of(wire), body)
    for now in (1.0, 32.0):
        bank.received(1, data_in, now)
        bank.tick(now)
        bank.take()
    assert bank.problem_count >= len(bank.problems)
    assert all(problem.isprintable() and len(problem) <= SENTENCE_MAX for problem in bank.problems)


def read_as_any_reply(wire: Wire, body: bytes) -> None:
    try:
        decoded = wire.codec.decode(body)
    except Unreadable:
        return
    for step, request in requests(wire.identity).items():
        reply = messages.read_reply(step, request.mti, request.fields, decoded, MOMENT // 1_000_000)
        assert all(fault.isprintable() and len(fault) <= SENTENCE_MAX for fault in reply.faults)
        assert reply.date == 0 or 20250101 <= reply.date <= 20271231


@cache
def requests(who: Identity) -> dict[str, Message]:
    """A message of each step."""
    order, key, first = Order(BILL, 12000, MOMENT), Key(MOMENT, "000101"), Key(MOMENT, "000100")
    return {
        "inquire": Message("0100", messages.inquiry(who, order, key)),
        "pay": Message("0200", messages.payment(who, order, key)),
        "void": Message("0200", messages.void(who, order, key, first)),
        "advise": Message("0220", messages.payment(who, order, key)),
        "reverse": Message("0420", messages.reversal(who, order, key, first, messages.PAY_PROC)),
        "unvoid": Message("0420", messages.reversal(who, order, key, first, messages.VOID_PROC)),
        "totals": Message("0500", messages.totals(who, key, 20261123, (2, 24000), (1, 12000))),
        "network": Message("0800", messages.network(who, key, ECHO)),
    }


def busy_bank(wire: Wire) -> Bank:
    """A bank on one line that is signed on, with an order of several fates, an echo and totals in flight."""
    bank = Bank(wire, lambda: MOMENT)
    bank.connected(1, 0.0)
    answer(bank, wire, {39: "00"})
    for fate in ("plain", "inquire", "void"):
        bank.offer(Order(BILL, 12000, MOMENT, fate=fate), 0.5)
    bank.ask_network(ECHO, 0.5, lambda reply, decoded: None)
    bank.ask_totals(20261123, 0.5, lambda reply, decoded: None)
    return bank


def answer(bank: Bank, wire: Wire, added: dict[int, str]) -> None:
    """The switch's reply to all that the bank has sent."""
    for line, data in bank.take():
        framed = reply_bytes(wire.dialect.framing, envelope_of(wire), reply_body(wire, data, added))
        bank.received(line, framed, 0.1)


def reply_body(wire: Wire, request: bytes, added: dict[int, str]) -> bytes:
    (frame,), _ = Framer(wire.dialect.framing, None).feed(request)
    decoded = wire.codec.decode(frame.body)
    fields = {number: value for number, value in decoded.fields.items() if number in ECHOED} | added
    body = wire.codec.encode(messages.reply_mti(decoded.mti), fields)
    return body + mac_of(wire, body)


def mac_of(wire: Wire, body: bytes) -> bytes:
    return wire_mac(wire.mac_key.compute(body), wire.dialect.mac.hex)


@cache
def envelope_of(wire: Wire) -> bytes:
    """The envelope of a request of this bank: its reply has it swapped."""
    (frame,), _ = Framer(wire.dialect.framing, None).feed(wire.pack("0800", {7: "1123093015", 11: "000001"}))
    return frame.envelope


def seeds() -> Iterator[bytes]:
    """A good reply and a refusal of each message that is in flight, on each line."""
    receipt = "26112301000000000015"
    added = {
        "0800": {39: "00"},
        "0200": {15: "1123", 38: "000015", 39: "00", 48: tags.build([("RN", receipt)]).hex().upper()},
        "0100": {4: "000000012000", 39: "00", 48: tags.build([("NB", "000")]).hex().upper()},
        "0500": {39: "00", 66: "1", 74: "0" * 10, 75: "0" * 10, 76: "0" * 10, 77: "0" * 10, 86: "0" * 16, 87: "0" * 16}
        | {88: "0" * 16, 89: "0" * 16, 97: "C" + "0" * 16},
    }
    for number, who in enumerate(BANKS):
        wire = wire_of(who)
        for _, data in busy_bank(wire).take():
            (frame,), _ = Framer(wire.dialect.framing, None).feed(data)
            for more in (added[wire.codec.decode(frame.body).mti], {39: "B1"}, {39: "91"}, {39: "30", 44: "048"}):
                yield bytes([number]) + reply_body(wire, data, more)[: -wire.codec.mac_size]


LARGE = [(bytes([number]), b"0") for number in range(4)]
