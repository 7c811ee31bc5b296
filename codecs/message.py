"""A body's bytes to fields and back through pyiso8583: the judge (wire.md sections 2, 3 and 6 rule 1).

pyiso8583 decodes each value; what it does not check is checked here: digits of lengths, alphabets, pads, calendar,
bit 65, forbidden fields, trailing bytes, and where the MAC stands. It goes on after a bad field as far as the rest
can be read. It does not verify a MAC, nor look into DE48. `compiled` does the same, fast, for what is well formed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import iso8583

from .dialect import Dialect, Field
from .elements import FORBIDDEN, MAC_BYTES, MAC_FIELDS, TEXT_ALPHABET, on_calendar
from .errors import Fault, NotEncodable, Unreadable

_HEX: Final = frozenset("0123456789ABCDEF")
_THIRD_BITMAP: Final = 65
_LAST_KEY_FIELD: Final = 11  # DE7 and DE11 make a message answerable: what stands up to here is read to the very end


class Message(NamedTuple):
    """fields: number to value as text; b fields, DE48 and DE55 as upper-case hex, all else as it came."""

    mti: str
    fields: dict[int, str]


class Decoded(NamedTuple):
    """What could be read of a body.

    fields: those that are well formed, as in Message, the MAC among them; DE7 also when it is no date.
    faults: ascending by field, at most one a field; the MAC's field when bytes are left over or lacking.
    mac_field: 64 or 128 if exactly the right one is present (wire.md section 3), else 0.
    """

    mti: str
    fields: dict[int, str]
    faults: tuple[Fault, ...]
    mac_field: int


def decode(dialect: Dialect, body: bytes) -> Decoded:
    """Fields and faults of a body, MTI to MAC; raises Unreadable if no one can answer it (section 6, rule 1)."""
    mti, present, secondary, head_end = _head(dialect, body)
    mac_field = _mac_field(present, secondary)
    walk = _Walk(dialect, body, len(body) - dialect.mac.size if mac_field else len(body))
    walk.fields_from(head_end, [n for n in present if n not in (mac_field, _THIRD_BITMAP)])
    if _THIRD_BITMAP in present:
        walk.faults[_THIRD_BITMAP] = "third_bitmap"
    if mac_field:
        _read_mac(walk, mac_field, head_end)
    elif not walk.stopped and walk.at < len(body):
        walk.faults[128 if secondary else 64] = "trailing"
    for number, reason in ((7, "de7"), (11, "de11")):
        if number not in walk.fields:
            raise Unreadable(reason)
    if mti[0] != "0":
        raise Unreadable("mti_digit")
    faults = tuple(Fault(number, walk.faults[number]) for number in sorted(walk.faults))
    return Decoded(mti, walk.fields, faults, mac_field)


def encode(dialect: Dialect, mti: str, fields: Mapping[int, str]) -> bytes:
    """The body up to its MAC: exactly the bytes that the MAC covers; the caller appends it.

    The MAC's bit is set, 128 if a field above 64 is there, else 64; 64 and 128 among `fields` are left out.
    DE7 and the like need not be on the calendar: a refusal echoes them. Raises NotEncodable.
    """
    document = {"t": mti}
    if len(mti) != 4 or not _digits(mti):
        raise NotEncodable(0, "mti")
    for number, value in fields.items():
        if number in MAC_FIELDS:
            continue
        field = dialect.fields.get(number)
        if field is None or number == _THIRD_BITMAP:
            raise NotEncodable(number, "no such field")
        if not _in_alphabet(field, value):
            raise NotEncodable(number, "alphabet")
        document[str(number)] = _with_pad(field, value)
    mac_field = 128 if any(64 < number < 128 for number in fields) else 64
    document[str(mac_field)] = "0" * 2 * MAC_BYTES
    try:
        body, _ = iso8583.encode(document, dialect.spec)
    except iso8583.EncodeError as error:
        raise NotEncodable(int(error.field) if error.field.isdigit() else 0, "length") from None
    return bytes(body[: -dialect.mac.size])


def encode_mti(dialect: Dialect, mti: str) -> bytes:
    """The first `dialect.mti_size` bytes of a body."""
    return encode_mti_as(dialect.mti, mti)


def encode_mti_as(encoding: str, mti: str) -> bytes:
    """An MTI in a code page, or in BCD."""
    return bytes.fromhex(mti) if encoding == "bcd" else mti.encode(encoding)


# MTI and bitmaps


def _head(dialect: Dialect, body: bytes) -> tuple[str, list[int], bool, int]:
    """MTI, field numbers present (without 1), whether there is a secondary bitmap, where the fields begin."""
    raw = body[: dialect.mti_size]
    mti = raw.hex() if dialect.mti == "bcd" else raw.decode(dialect.mti, "replace")
    if len(mti) != 4 or not _digits(mti):
        raise Unreadable("mti")
    at = dialect.mti_size
    bits = _bitmap(dialect, body, at)
    secondary = bool(bits >> 63)
    at += dialect.bitmap_size
    bits <<= 64
    if secondary:
        bits |= _bitmap(dialect, body, at)
        at += dialect.bitmap_size
    present = [number for number in range(2, 129) if bits >> (128 - number) & 1]
    return mti, present, secondary, at


def _bitmap(dialect: Dialect, body: bytes, at: int) -> int:
    raw = body[at : at + dialect.bitmap_size]
    if len(raw) != dialect.bitmap_size:
        raise Unreadable("bitmap")
    if not dialect.bitmap_hex:
        return int.from_bytes(raw, "big")
    text = raw.decode("latin-1")
    if not _HEX.issuperset(text):
        raise Unreadable("bitmap")
    return int(text, 16)


def read_head(dialect: Dialect, head: bytes) -> tuple[list[int], int]:
    """Field numbers that MTI and bitmaps announce, without 1, and the MAC's as in Decoded. Raises Unreadable."""
    _, present, secondary, _ = _head(dialect, head)
    return present, _mac_field(present, secondary)


def head_bytes(dialect: Dialect, mti: str, numbers: Sequence[int]) -> bytes:
    """MTI and the bitmaps of a message with just these fields, ascending."""
    bits = sum(1 << (128 - number) for number in numbers)
    if numbers[-1] > 64:
        bits |= 1 << 127
    bitmap = bits.to_bytes(16, "big")[: 16 if numbers[-1] > 64 else 8]
    return encode_mti(dialect, mti) + (bitmap.hex().upper().encode() if dialect.bitmap_hex else bitmap)


def _mac_field(present: Sequence[int], secondary: bool) -> int:
    """DE128 when bit 1 is set, else DE64; 0 for the other of the two, neither, or both (wire.md section 3)."""
    right, other = (128, 64) if secondary else (64, 128)
    return right if right in present and other not in present else 0


def _read_mac(walk: _Walk, mac_field: int, head_end: int) -> None:
    """The MAC is the body's last bytes, wherever the fields before it end."""
    start = len(walk.body) - walk.dialect.mac.size
    if start < head_end:
        walk.faults[mac_field] = "cut"
        return
    value = walk.body[start:].decode("latin-1") if walk.dialect.mac.hex else walk.body[start:].hex().upper()
    if not _HEX.issuperset(value):
        walk.faults[mac_field] = "alphabet"
        return
    walk.fields[mac_field] = value
    if not walk.stopped and walk.at != start:
        walk.faults[mac_field] = "trailing" if walk.at < start else "cut"


# The fields


class _Walk:
    """One way through a body's fields: what was read, what was at fault, how far it came.

    limit: where the MAC begins. stopped: a field could not be measured, so what follows it can't be read.
    """

    def __init__(self, dialect: Dialect, body: bytes, limit: int) -> None:
        self.dialect, self.body, self.limit = dialect, body, limit
        self.fields: dict[int, str] = {}
        self.faults: dict[int, str] = {}
        self.at = 0
        self.stopped = False

    def fields_from(self, at: int, numbers: Sequence[int]) -> None:
        """Asks pyiso8583 for all fields; after one that it can't read, asks again for those behind it."""
        self.at = at
        left = list(numbers)
        while left and not self.stopped:
            read = self._values(left)
            while left and not self.stopped:
                number = left.pop(0)
                self._take(self.dialect.fields[number], read.get(number))
                if number not in read:
                    break

    def _values(self, numbers: Sequence[int]) -> dict[int, str]:
        """The values that pyiso8583 reads from here on, up to the first field that it can't."""
        head = head_bytes(self.dialect, "0000", numbers)
        data = head + self.body[self.at :]
        try:
            values, _ = iso8583.decode(data, self.dialect.spec)
        except iso8583.DecodeError as error:
            values = error.doc_dec
            # every field was read and bytes are left over (the MAC is): no field's fault
            whole = error.pos - len(head) == sum(len(e["len"]) + len(e["data"]) for e in _parts(error, numbers))
            if not (whole and error.pos < len(data)):
                values.pop(error.field, None)
        return {number: values[str(number)] for number in numbers if str(number) in values}

    def _take(self, field: Field, value: str | None) -> None:
        """Moves past one field and keeps its value or its fault. value None: pyiso8583 could not read it."""
        limit = len(self.body) if field.number <= _LAST_KEY_FIELD else self.limit
        start = self.at + field.prefix_bytes
        length = _length(field, self.body[self.at : start]) if start <= limit else None
        end = start if length is None else start + field.wire_bytes(length)
        reason = ""
        if length is None or end > limit:
            self.stopped = True
            reason = "cut" if start > limit or length is not None else "length"
        if length is not None and length > field.wire_max:
            reason = "length"
        if not reason:
            reason, value = _judge(field, value)
        self.at = end
        if field.number in FORBIDDEN:
            reason = "forbidden"
        if reason:
            self.faults[field.number] = reason
        if value is not None and (not reason or (field.number == 7 and reason == "calendar")):
            self.fields[field.number] = value


def _parts(error: iso8583.DecodeError, numbers: Sequence[int]) -> list[dict[str, bytes]]:
    return [error.doc_enc[str(number)] for number in numbers if str(number) in error.doc_enc]


def _length(field: Field, prefix: bytes) -> int | None:
    """What a length prefix says; None if it is no number. A fixed field has its size."""
    if field.fixed:
        return field.wire_max
    if field.prefix == "binary":
        return int.from_bytes(prefix, "big")
    text = prefix.hex() if field.prefix == "bcd" else prefix.decode(field.prefix_page, "replace")
    return int(text) if _digits(text) else None


def _judge(field: Field, value: str | None) -> tuple[str, str | None]:
    """The reason that a value of the right length is refused for, or "", and the value without its pad."""
    if value is None:
        return ("pad" if field.encoding == "bcd" else "alphabet"), None
    value = _without_pad(field, value)
    if not _in_alphabet(field, value):
        return "alphabet", None
    return ("" if on_calendar(field.element.check, value) else "calendar"), value


def _in_alphabet(field: Field, value: str) -> bool:
    """Alphabets of wire.md section 2; b fields and bytes are whole bytes in upper-case hex."""
    kind = field.element.format
    if kind == "n":
        return not value or _digits(value)
    if kind == "x+n":
        return value[:1] in ("C", "D") and _digits(value[1:])
    if kind in ("b", "bytes"):
        return len(value) % 2 == 0 and _HEX.issuperset(value)
    return TEXT_ALPHABET.issuperset(value)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


# BCD whose prefix counts bytes: pyiso8583 sees whole bytes, so the pad nibble is ours to add and take away


def _pads_itself(field: Field) -> bool:
    return field.encoding == "bcd" and field.counts == "bytes"


def _without_pad(field: Field, value: str) -> str:
    if not _pads_itself(field):
        return value
    if field.pad_left:
        return value[1:] if value[:1] == field.pad_nibble else value
    return value[:-1] if value[-1:] == field.pad_nibble else value


def _with_pad(field: Field, value: str) -> str:
    if not _pads_itself(field) or len(value) % 2 == 0:
        return value
    return field.pad_nibble + value if field.pad_left else value + field.pad_nibble


