"""A body on any line: both decoders say the same, raise nothing but Unreadable; what was read can be written and told.

Input: which dialect (1 byte: the four shipped ones and a fifth), the body.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shebao.codecs import message
from shebao.codecs.compiled import Codec
from shebao.codecs.describe import describe
from shebao.codecs.dialect import load_dialect
from shebao.codecs.elements import ELEMENTS, MAC_FIELDS
from shebao.codecs.errors import FAULT_REASONS, UNREADABLE_REASONS, CodecError, Unreadable
from shebao.codecs.framing import Framer
from shebao.codecs.message import Decoded

ROOT = Path(__file__).resolve().parents[3]
BANKS = ("rcb", "icbc", "ccb", "boc")
FILES = [*(ROOT / f"etc/dialects/{bank}.toml" for bank in BANKS), ROOT / "tests/data/unionpay_pos.toml"]
CODECS = [Codec(load_dialect(path.read_text("utf-8"), path.name)) for path in FILES]


def one_input(data: bytes) -> None:
    if not data:
        return
    codec, body = CODECS[data[0] % len(CODECS)], data[1:]
    judged = outcome(message.decode, codec.dialect, body)
    assert outcome(codec.decode, body) == judged
    assert all(line.isprintable() for line in describe(codec.dialect, body, None))
    if isinstance(judged, CodecError):
        return
    assert {number for number, _ in judged.faults} <= ELEMENTS.keys()
    assert all(fault.reason in FAULT_REASONS for fault in judged.faults)
    assert [fault.field for fault in judged.faults] == sorted({fault.field for fault in judged.faults})
    assert {7, 11} <= judged.fields.keys() <= ELEMENTS.keys()
    written_again(codec, body, judged)


def written_again(codec: Codec, body: bytes, decoded: Decoded) -> None:
    """Whatever was read can be echoed; a body without a fault comes back to the byte but for a bitmap not needed."""
    mti, fields, faults, mac_field = decoded
    written = codec.encode(mti, fields)
    assert written == message.encode(codec.dialect, mti, fields)
    if faults or not mac_field:
        return
    mac = body[-codec.mac_size :]
    if mac_field == (128 if any(64 < number < 128 for number in fields) else 64):
        assert written + mac == body
    plain = {number: value for number, value in fields.items() if number not in MAC_FIELDS}
    again = codec.decode(written + mac)
    assert {number: value for number, value in again.fields.items() if number not in MAC_FIELDS} == plain
    assert again.mti == mti and not again.faults


def outcome(decode: Callable[..., Decoded], *arguments: Any) -> Any:
    try:
        return decode(*arguments)
    except Unreadable as error:
        assert error.reason in UNREADABLE_REASONS
        return _Refusal(str(error))


class _Refusal(CodecError):
    """An Unreadable that compares by what it says."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Refusal) and self.args == other.args

    __hash__ = CodecError.__hash__


def seeds() -> Iterator[bytes]:
    """The bodies of all golden frames."""
    for number, bank in enumerate(BANKS):
        golden = json.loads((ROOT / f"tests/data/vectors/{bank}.json").read_text("utf-8"))
        for entry in golden["messages"]:
            (frame,), _ = Framer(CODECS[number].dialect.framing, None).feed(bytes.fromhex(entry["frame"]))
            yield bytes([number]) + frame.body
            if not number:  # the same message on the fifth line, which has no vectors
                mti, fields, _, _ = CODECS[0].decode(frame.body)
                yield bytes([4]) + CODECS[4].encode(mti, fields) + bytes(CODECS[4].mac_size)


LARGE = [
    (bytes([number]) + head, unit)
    for number, head in ((0, b"0200C238800008C10013"), (2, b"\x02\x00" + b"\xff" * 16), (3, b"0200" + b"\xff" * 16))
    for unit in (b"0", b"\xff", b"\0", b"A")
]
