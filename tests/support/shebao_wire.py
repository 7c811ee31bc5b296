"""The wire written down a second time, from wire.md sections 1 to 5 alone, for checks that must not share a mistake
with the switch: bodies, frames, DE48 and the exact shape of a reply. Of shebao.codecs only the MACs' arithmetic is
used, which has known answers of its own.

A field's value is text; `Raw` stands for a whole field as it lies on the wire, length prefix and all, so that a test
can say anything that a broken bank could.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from shebao_harness import ANSWER_S, BANKS, INSTITUTION, KEYS, moment

from shebao.codecs import mac

ECHO = (2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70)
Pairs = Iterable[tuple[str, str]]


class Format(NamedTuple):
    kind: str  # n, an, ans, x+n, b or bytes
    digits: int  # of the length prefix; 0: fixed
    size: int


# kind, digits of the length prefix, size: the fields, as wire.md section 2 lists them
_TABLE = """
n 2 19: 2
n 0 6: 3 11 12 73
n 0 12: 4 5 6 82 83 84 85
n 0 10: 7 74 75 76 77 78 79 80 81
n 0 8: 8 9 10
n 0 4: 13 14 15 16 17 18 71 72
n 0 3: 19 20 21 22 23 24 49 50 51 68 69 70
n 0 2: 25 26 67
n 0 1: 27 66
n 2 11: 32 33 99 100
n 0 16: 53 86 87 88 89
n 0 42: 90
an 0 12: 37
an 0 6: 38
an 0 2: 39 92
an 0 3: 40
an 0 1: 91
an 0 5: 93
an 0 7: 94
an 0 42: 95
ans 2 28: 34 102 103
ans 2 37: 35
ans 3 104: 36
ans 0 8: 41
ans 0 15: 42
ans 0 40: 43
ans 2 25: 44
ans 2 76: 45
ans 3 999: 46 47 56 57 58 59 60 61 62 63
ans 3 999: 105 106 107 108 109 110 111 112 113 114 115 116 117 118 119 120 121 122 123 124 125 126 127
ans 3 120: 54
ans 0 25: 98
ans 2 17: 101
ans 3 100: 104
x+n 0 9: 28 29 30 31
x+n 0 17: 97
b 0 16: 52 64 96 128
bytes 3 999: 48 55
"""


def _formats() -> dict[int, Format]:
    found = {}
    for row in _TABLE.strip().splitlines():
        form, _, numbers = row.partition(":")
        kind, digits, size = form.split()
        found |= {int(number): Format(kind, int(digits), int(size)) for number in numbers.split()}
    return found


FORMATS = _formats()
PAGE = {"rcb": "ascii", "icbc": "cp500", "ccb": "ascii", "boc": "ascii"}
LARGEST = {"rcb": 1846, "icbc": 1846, "ccb": 1851, "boc": 1892}
MAC_SIZE = {"rcb": 16, "icbc": 8, "ccb": 8, "boc": 8}


@dataclass(frozen=True)
class Raw:
    """A field as it lies on the wire."""

    data: bytes


Value = str | bytes | Raw


# -- bodies ----------------------------------------------------------------------------------------------


def text(bank: str, value: str) -> bytes:
    return value.encode(PAGE[bank])


def field_bytes(bank: str, number: int, value: Value) -> bytes:
    if isinstance(value, Raw):
        return value.data
    kind, digits, _ = FORMATS[number]
    if kind == "b":
        assert isinstance(value, str)
        return value.encode() if bank == "rcb" else bytes.fromhex(value)
    if kind == "n" and bank == "ccb":
        assert isinstance(value, str)
        packed = bytes.fromhex(value.rjust((len(value) + 1) // 2 * 2, "0"))
        return _prefix(bank, digits, len(value)) + packed
    data = value if isinstance(value, bytes) else text(bank, value)
    return _prefix(bank, digits, len(data)) + data


def _prefix(bank: str, digits: int, length: int) -> bytes:
    if not digits:
        return b""
    if bank == "ccb":
        return bytes.fromhex(f"{length:0{2 if digits == 2 else 4}d}")
    return text(bank, f"{length:0{digits}d}")


def tagged(pairs: Pairs) -> bytes:
    return b"".join(b"%s%03d%s" % (t.encode(), len(v.encode("gb18030")), v.encode("gb18030")) for t, v in pairs)


def head(bank: str, mti: str, numbers: Iterable[int]) -> bytes:
    bits = 0
    for number in numbers:
        bits |= 1 << (128 - number)
    if bits & ((1 << 64) - 1):
        bits |= 1 << 127
    bitmap = bits.to_bytes(16, "big")[: 16 if bits >> 127 else 8]
    mti_bytes = bytes.fromhex(mti) if bank == "ccb" else text(bank, mti)
    return mti_bytes + (bitmap.hex().upper().encode() if bank == "rcb" else bitmap)


def unsealed(bank: str, mti: str, fields: Mapping[int, Value], mac_field: int | None = None) -> bytes:
    """All that the MAC covers. mac_field: the bit to set; None is the right one, 0 is none."""
    if mac_field is None:
        mac_field = 128 if any(number > 64 for number in fields) else 64
    numbers = sorted(fields)
    parts = b"".join(field_bytes(bank, number, fields[number]) for number in numbers)
    return head(bank, mti, [*numbers, *([mac_field] if mac_field else [])]) + parts


def read_body(bank: str, body: bytes) -> tuple[str, dict[int, Value], int]:
    """MTI, fields (DE48 as bytes, all else text), the field that holds the MAC. Fails on all but a perfect body."""
    mti = body[:2].hex() if bank == "ccb" else body[:4].decode(PAGE[bank])
    at = 2 if bank == "ccb" else 4
    size = 16 if bank == "rcb" else 8

    def bitmap() -> int:
        nonlocal at
        raw = body[at : at + size]
        at += size
        if bank == "rcb":
            assert raw == raw.upper()
        return int(raw, 16) if bank == "rcb" else int.from_bytes(raw, "big")

    bits = bitmap() << 64
    if bits >> 127:
        bits |= bitmap()
    assert not bits >> 63 & 1, "bit 65"
    numbers = [number for number in range(2, 129) if bits >> (128 - number) & 1]
    end = len(body) - MAC_SIZE[bank]
    fields: dict[int, Value] = {}
    for number in numbers[:-1]:
        fields[number], at = _read_field(bank, number, body[:end], at)
    assert at == end, f"{end - at} bytes between the fields and the MAC"
    assert numbers[-1] == (128 if bits >> 127 else 64), f"the last field is {numbers[-1]}"
    if numbers[-1] == 128:
        assert any(64 < number < 128 for number in numbers), "a secondary bitmap for nothing"
    return mti, fields, numbers[-1]


def _read_field(bank: str, number: int, body: bytes, at: int) -> tuple[Value, int]:
    kind, digits, length = FORMATS[number]
    if digits:
        prefix = {2: 1, 3: 2}[digits] if bank == "ccb" else digits
        raw = body[at : at + prefix]
        at += prefix
        length = int(raw.hex() if bank == "ccb" else raw.decode(PAGE[bank]))
        assert length <= FORMATS[number].size, f"DE{number} is {length} long"
    size = length
    if kind == "n" and bank == "ccb":
        size = (length + 1) // 2
    elif kind == "b" and bank != "rcb":
        size = length // 2
    data = body[at : at + size]
    assert len(data) == size, f"DE{number} is cut"
    at += size
    if kind == "bytes":
        return data, at
    if kind == "n" and bank == "ccb":
        digits_text = data.hex()
        assert digits_text.isdigit() or not length
        assert len(digits_text) == length or digits_text[0] == "0", f"pad of DE{number}"
        return digits_text[len(digits_text) - length :], at
    if kind == "b":
        return (data.decode() if bank == "rcb" else data.hex().upper()), at
    value = data.decode(PAGE[bank])
    assert kind != "n" or not value or (value.isascii() and value.isdigit()), f"DE{number}"
    assert all(" " <= c <= "~" and c != "|" for c in value), f"DE{number}"
    return value, at


def read_tags(data: bytes) -> list[tuple[str, str]]:
    pairs, at = [], 0
    while at < len(data):
        name, length = data[at : at + 2].decode("ascii"), data[at + 2 : at + 5]
        assert length.isdigit(), "DE48"
        end = at + 5 + int(length)
        assert end <= len(data), "DE48 runs past its end"
        pairs.append((name, data[at + 5 : end].decode("gb18030")))
        at = end
    return pairs


# -- frames ----------------------------------------------------------------------------------------------


def envelope(bank: str, size: int) -> bytes:
    if bank == "ccb":
        return bytes.fromhex("6000120034")
    if bank == "boc":
        stations = INSTITUTION.ljust(11) + BANKS[bank][1].ljust(11)
        return b"\x2e\x02" + f"{size + 46:04d}{stations}".encode() + b"\0\0\0\0" + b"00000000" + b"\0" + b"00000"
    return b""


def length_header(bank: str, length: int) -> bytes:
    return f"{length:04d}".encode() if bank in ("rcb", "boc") else length.to_bytes(2, "big")


def frame(bank: str, body: bytes) -> bytes:
    before = envelope(bank, len(body))
    return length_header(bank, len(before) + len(body)) + before + body


# -- lines -----------------------------------------------------------------------------------------------


@dataclass
class Answer:
    """A reply that has passed every check of form: frame, envelope, MAC, each field."""

    bank: str
    mti: str
    fields: dict[int, Value]
    mac_field: int
    tail: bytes  # between MTI and MAC: what a repeat must get again byte for byte

    @property
    def code(self) -> str:
        return str(self.fields[39])

    @property
    def tags(self) -> list[tuple[str, str]]:
        data = self.fields.get(48, b"")
        assert isinstance(data, bytes)
        return read_tags(data)

    def tag(self, name: str) -> str:
        return dict(self.tags)[name]

    def fits(
        self, asked: Mapping[int, Value], code: str, mti: str, tags: Iterable[str] | None = None, **adds: str
    ) -> Answer:
        """Asserts the whole reply: MTI, code, the echo of `asked`, exactly the fields that may stand beside it.

        tags: names in DE48 in their order; None: no DE48. adds: other fields, as de15="1124"; "*" for any value.
        """
        wanted: dict[int, Value] = {n: v for n, v in asked.items() if n in ECHO}
        wanted |= {39: code} | {int(name[2:]): value for name, value in adds.items()}
        found = {n: v for n, v in self.fields.items() if n != 48}
        wanted = {n: found.get(n, "absent") if v == "*" else v for n, v in wanted.items()}
        assert (self.mti, found) == (mti, wanted), f"{self.bank}: wanted {code}, tags {self.tags}\n{found}\n{wanted}"
        assert [name for name, _ in self.tags] == list(tags or ()), self.tags
        assert (48 in self.fields) == (tags is not None), "DE48 present"
        assert self.mac_field == (128 if any(n > 64 for n in self.fields) else 64)
        return self


class Wire:
    """One TCP line. STANs count up by themselves, one row for all lines of a process."""

    stans = itertools.count(100_001)

    def __init__(self, bank: str, port: int, sign_on: bool = True) -> None:
        self._know(bank)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sign_on:
            asked = self.network("001")
            self.ask("0800", asked).fits(asked, "00", "0810")

    def _know(self, bank: str) -> None:
        self.bank, self.institution, self.buffer = bank, BANKS[bank][1], b""
        algorithm = {"rcb": "x9.19", "icbc": "sm4-cmac", "ccb": "unionpay-ecb", "boc": "aes-cmac"}[bank]
        self.key = mac.ALGORITHMS[algorithm].make(bytes.fromhex(KEYS[bank]))

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def seal(self, covered: bytes) -> bytes:
        raw = self.key.compute(covered)
        return covered + (raw.hex().upper().encode() if self.bank == "rcb" else raw)

    def body(self, mti: str, fields: Mapping[int, Value], mac_field: int | None = None) -> bytes:
        return self.seal(unsealed(self.bank, mti, fields, mac_field))

    def raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def tell(self, mti: str, fields: Mapping[int, Value]) -> None:
        self.raw(frame(self.bank, self.body(mti, fields)))

    def ask(self, mti: str, fields: Mapping[int, Value]) -> Answer:
        self.tell(mti, fields)
        return self.hear()

    def hear(self) -> Answer:
        """The next reply; EOFError when the switch has closed the line."""
        header = 4 if self.bank in ("rcb", "boc") else 2
        raw = self._take(header)
        length = int(raw) if header == 4 else int.from_bytes(raw, "big")
        assert length > 0, "a heartbeat within 60 s"
        whole = self._take(length)
        before = envelope(self.bank, 0)
        if self.bank == "ccb":
            assert whole[:5] == bytes.fromhex("6000340012")
        elif self.bank == "boc":
            stations = (self.institution.ljust(11) + INSTITUTION.ljust(11)).encode()
            assert whole[:46] == b"\x2e\x02%04d" % length + stations + before[28:]
        body = whole[len(before) :]
        assert self.seal(body[: -MAC_SIZE[self.bank]]) == body, "MAC of the reply"
        mti, fields, mac_field = read_body(self.bank, body)
        mti_size = 2 if self.bank == "ccb" else 4
        return Answer(self.bank, mti, fields, mac_field, body[mti_size : -MAC_SIZE[self.bank]])

    def ended(self) -> bool:
        """Whether the switch closes the line without another reply."""
        try:
            self.hear()
        except (EOFError, ConnectionResetError):
            return True
        return False

    def _take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            data = self.socket.recv(65536)
            if not data:
                assert not self.buffer, "the line ended within a frame"
                raise EOFError("the switch closed the line")
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    # -- what a bank asks ---------------------------------------------------------------------------------

    def key_fields(self, when: str = "", stan: str = "") -> dict[int, Value]:
        return {7: when or moment(), 11: stan or f"{next(self.stans):06d}", 32: self.institution}

    def network(self, code: str, **more: str) -> dict[int, Value]:
        return {**self.key_fields(), 70: code, **_numbered(more)}

    def counter(self, proc: str, pairs: Pairs, **more: str) -> dict[int, Value]:
        fields = self.key_fields()
        fields |= {3: proc, 12: str(fields[7])[4:], 13: str(fields[7])[:4], 37: f"R{str(fields[7])[5:]}{fields[11]}"}
        fields |= {41: "TERM 001", 42: "3301100000BR001", 48: tagged(pairs)}
        return {**fields, **_numbered(more)}

    def inquiry(self, *pairs: tuple[str, str], **more: str) -> dict[int, Value]:
        return self.counter("390000", [("CH", "01"), *pairs], **more)

    def payment(self, bill: str, fen: int, *pairs: tuple[str, str], **more: str) -> dict[int, Value]:
        """A payment or, sent as 0220, an advice."""
        return self.counter("500000", [("CH", "01"), ("BN", bill), *pairs], de4=f"{fen:012d}", de49="156", **more)

    def reversal(self, original: Mapping[int, Value], mti: str = "0200", **more: str) -> dict[int, Value]:
        fields = self.key_fields()
        fields |= {3: original[3], 4: original[4], 37: original[37], 49: "156", 90: self.de90(original, mti)}
        return {**fields, **_numbered(more)}

    def void(self, original: Mapping[int, Value], bill: str, mti: str = "0200", **more: str) -> dict[int, Value]:
        fields = self.counter("200000", [("CH", "01"), ("BN", bill)], de49="156")
        return {**fields, 4: original[4], 90: self.de90(original, mti), **_numbered(more)}

    def de90(self, original: Mapping[int, Value], mti: str = "0200") -> str:
        return f"{mti}{original[11]}{original[7]}{self.institution:0>11}{'0' * 11}"

    def totals(self, date: str, credits: int, credits_fen: int, reversals: int, reversals_fen: int) -> dict[int, Value]:
        net = credits_fen - reversals_fen
        fields = {**self.key_fields(), 15: date, 97: f"{'D' if net < 0 else 'C'}{abs(net):016d}"}
        numbers = {74: credits, 75: reversals, 76: 0, 77: 0}
        amounts = {86: credits_fen, 87: reversals_fen, 88: 0, 89: 0}
        fields |= {n: f"{v:010d}" for n, v in numbers.items()} | {n: f"{v:016d}" for n, v in amounts.items()}
        return fields


def _numbered(more: Mapping[str, str]) -> dict[int, Value]:
    return {int(name[2:]): value for name, value in more.items()}
