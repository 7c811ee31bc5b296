"""Writes the straight-line Python that `compiled` runs: one function per dialect and set of fields.

A decoder or encoder that is generated here knows only the well-formed case. At the first thing that is not, it
returns None, and the judge (`message`) says what is wrong. Names in the source come from checked numbers and
closed lists alone; values that a dialect file could choose go in as objects, through the namespace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from .dialect import Dialect, Field
from .elements import DAYS, TEXT_ALPHABET

_HEX_DIGITS: Final = "0123456789ABCDEF"
_ASCII: Final = "ascii"


def text_table(page: str) -> bytes:
    """Byte to ASCII byte of a code page; 0 for whatever no text field may hold."""
    chars = [bytes([byte]).decode(page, "replace") for byte in range(256)]
    return bytes(ord(char) if char in TEXT_ALPHABET else 0 for char in chars)


# Decoding. Three views of a body: `b` the bytes, `h` their hex digits, `t0` `t1` ... its text, a code page each.


class _Decoder:
    """Source of a function (body, mti) -> Decoded or None for one set of fields.

    Positions are base + offset in bytes: the base is a number at first, and `p` after a field of variable length
    (`z` is its double, for the view of hex digits).
    """

    def __init__(self, dialect: Dialect, head_end: int) -> None:
        self.dialect = dialect
        # whether this line packs anything: then `h` and `z` are needed
        self.packed = any(f.encoding == "bcd" or f.prefix == "bcd" for f in dialect.fields.values())
        self.base: int | None = head_end
        self.offset = 0
        self.pages: list[str] = []
        self.lines: list[str] = []
        self.values: list[str] = []
        self.ranges: list[list[Any]] = []  # [kind of check, view, from, to] of the fixed fields since the last flush

    def source(self, numbers: Sequence[int], mac_field: int) -> str:
        for number in numbers:
            field = self.dialect.fields[number]
            if field.fixed:
                self._fixed(field)
            else:
                self._flush()
                self._variable(field)
            self.values.append(f"{number}: v{number}")
        self._flush()
        self._mac(mac_field)
        views = [f" t{i} = body.translate(table{i}).decode('latin-1')" for i in range(len(self.pages))]
        fields = ", ".join(self.values)
        last = f" return Decoded(mti, {{{fields}}}, (), {mac_field})"
        if self.packed:
            views.append(" h = body.hex()")
        return "\n".join(["def decode(body, mti):", *views, *self.lines, last])

    def namespace(self) -> dict[str, Any]:
        return {"days": DAYS, **{f"table{i}": text_table(page) for i, page in enumerate(self.pages)}}

    def _view(self, page: str) -> str:
        if page not in self.pages:
            self.pages.append(page)
        return f"t{self.pages.index(page)}"

    def _at(self, view: str, offset: int) -> str:
        """Source of a position: offset from the base, in the view's own units."""
        if self.base is not None:
            return str(self.base * (2 if view == "h" else 1) + offset)
        return f"{'z' if view == 'h' else 'p'}+{offset}"

    def _slice(self, view: str, start: int, end: int) -> str:
        return f"{view}[{self._at(view, start)}:{self._at(view, end)}]"

    def _refuse(self, condition: str) -> None:
        self.lines.append(f" if {condition}: return None")

    def _check(self, kind: str, view: str, start: int, end: int) -> None:
        """Notes that a stretch must be digits or text; neighbours are checked in one go."""
        last = self.ranges[-1] if self.ranges else None
        if last and last[:2] == [kind, view] and last[3] == start:
            last[3] = end
        else:
            self.ranges.append([kind, view, start, end])

    def _flush(self) -> None:
        for kind, view, start, end in self.ranges:
            piece = self._slice(view, start, end)
            self._refuse(f"not {piece}.isdigit()" if kind == "digits" else f"'\\0' in {piece}")
        self.ranges = []

    def _fixed(self, field: Field) -> None:
        name, size, start = f"v{field.number}", field.element.size, self.offset
        if field.encoding == "bcd":
            first = 2 * start + (size % 2 if field.pad_left else 0)
            if size % 2:
                pad = 2 * start if field.pad_left else 2 * start + size
                self._refuse(f"{self._slice('h', pad, pad + 1)} != '{field.pad_nibble.lower()}'")
            self.lines.append(f" {name} = {self._slice('h', first, first + size)}")
            self._check("digits", "h", first, first + size)
        elif field.encoding == "bytes":
            self.lines.append(f" {name} = {self._slice('body', start, start + size)}.hex().upper()")
        else:
            self._fixed_text(field, name, start, start + field.wire_max)
        self._calendar(field, name)
        self.offset += field.wire_bytes(field.wire_max)

    def _fixed_text(self, field: Field, name: str, start: int, end: int) -> None:
        view = self._view(_ASCII if field.encoding == "hex" else field.encoding)
        self.lines.append(f" {name} = {self._slice(view, start, end)}")
        kind = field.element.format
        if field.encoding == "hex":
            self._refuse(f"{name}.strip('{_HEX_DIGITS}')")
        elif kind == "x+n":
            self._refuse(f"{name}[:1] not in ('C', 'D')")
            self._check("digits", view, start + 1, end)
        else:
            self._check("digits" if kind == "n" else "text", view, start, end)

    def _calendar(self, field: Field, name: str) -> None:
        check, time = field.element.check, 4 if field.element.check == "moment" else 0
        if check in ("moment", "date"):
            self._refuse(f"{name}[:4] not in days")
        if check in ("moment", "time"):
            hour, minute, second = (f"{name}[{time + i}:{time + i + 2}]" for i in (0, 2, 4))
            self._refuse(f"{hour} > '23' or {minute} > '59' or {second} > '59'")

    def _variable(self, field: Field) -> None:
        name, start = f"v{field.number}", self.offset + field.prefix_bytes
        if field.prefix == "binary":
            self.lines.append(f" n = int.from_bytes({self._slice('body', self.offset, start)}, 'big')")
        else:
            view, unit = ("h", 2) if field.prefix == "bcd" else (self._view(field.prefix_page), 1)
            self.lines.append(f" q = {self._slice(view, self.offset * unit, start * unit)}")
            self._refuse("not q.isdigit()")
            self.lines.append(" n = int(q)")
        self._refuse(f"n > {field.wire_max}")
        self.lines.append(f" s = {self._at('body', start)}")
        self.lines.append(" p = s + (n + 1 >> 1)" if field.wire_bytes(2) == 1 else " p = s + n")
        if field.encoding == "bcd":
            self._variable_bcd(field, name)
        elif field.encoding == "bytes":
            self.lines.append(f" {name} = body[s:p].hex().upper()")
        else:
            self._variable_text(field, name)
        if self.packed:
            self.lines.append(" z = p + p")
        self.base, self.offset = None, 0

    def _variable_bcd(self, field: Field, name: str) -> None:
        pad = field.pad_nibble.lower()
        end, rest = (f"{name}[:1]", f"{name}[1:]") if field.pad_left else (f"{name}[-1:]", f"{name}[:-1]")
        self.lines.append(f" {name} = h[s+s:p+p]")
        if field.counts == "digits":
            self.lines.append(" if n & 1:")
            self.lines.append(f"  if {end} != '{pad}': return None")
            self.lines.append(f"  {name} = {rest}")
        else:
            self.lines.append(f" if {end} == '{pad}': {name} = {rest}")
        self._refuse(f"{name} and not {name}.isdigit()")

    def _variable_text(self, field: Field, name: str) -> None:
        view = self._view(_ASCII if field.encoding == "hex" else field.encoding)
        self.lines.append(f" {name} = {view}[s:p]")
        kind = field.element.format
        if field.encoding == "hex":
            self._refuse(f"n & 1 or {name}.strip('{_HEX_DIGITS}')")
        elif kind == "x+n":
            self._refuse(f"{name}[:1] not in ('C', 'D') or not {name}[1:].isdigit()")
        elif kind == "n":
            self._refuse(f"{name} and not {name}.isdigit()")
        else:
            self._refuse(f"'\\0' in {name}")

    def _mac(self, mac_field: int) -> None:
        """The fields must end where the MAC begins; so every slice before was whole."""
        size = self.dialect.mac.size
        self._refuse(f"{self._at('body', self.offset + size)} != len(body)")
        name = f"v{mac_field}"
        if self.dialect.mac.hex:
            self.lines.append(f" {name} = body[-{size}:].decode('latin-1')")
            self._refuse(f"{name}.strip('{_HEX_DIGITS}')")
        else:
            self.lines.append(f" {name} = body[-{size}:].hex().upper()")
        self.values.append(f"{mac_field}: {name}")


def decoder(dialect: Dialect, numbers: Sequence[int], mac_field: int, head_end: int) -> tuple[str, dict[str, Any]]:
    """Source and namespace of `decode(body, mti)` for well-formed bodies with just these fields before the MAC."""
    writer = _Decoder(dialect, head_end)
    return writer.source(numbers, mac_field), writer.namespace()


# Encoding. A body is a row of pieces: text of one code page, hex digits, bytes.


class _Encoder:
    """Source of a function (head, fields) -> bytes or None; the head is MTI and bitmaps."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.gets: list[str] = []
        self.refusals: list[str] = []
        self.digits: list[str] = []  # values that must be digits, checked in one go
        self.texts: list[str] = []  # values that must be printable, likewise
        self.pieces: list[tuple[str, str]] = []  # (code page or "hex" or "", inside of an f-string or an expression)

    def source(self, numbers: Sequence[int]) -> str:
        for number in numbers:
            self.gets.append(f" v{number} = fields[{number}]")
            self._field(self.dialect.fields[number])
        checks = [f" if {' or '.join(self.refusals)}: return None"] if self.refusals else []
        if self.digits:
            joined = "".join(f"{{{name}}}" for name in self.digits)
            checks.append(f" q = f'{joined}'")
            checks.append(" if q and not (q.isascii() and q.isdigit()): return None")
        if self.texts:
            joined = "".join(f"{{{name}}}" for name in self.texts)
            checks.append(f" q = f'{joined}'")
            checks.append(" if not (q.isascii() and q.isprintable()) or '|' in q: return None")
        body = " + ".join(["head", *self._joined()])
        return "\n".join(["def encode(head, fields):", *self.gets, *checks, f" return {body}"])

    def _joined(self) -> list[str]:
        """Neighbouring pieces of one kind become one f-string, encoded at once."""
        groups: list[tuple[str, str]] = []
        for kind, inside in self.pieces:
            if kind and groups and groups[-1][0] == kind:
                groups[-1] = (kind, groups[-1][1] + inside)
            else:
                groups.append((kind, inside))
        return [
            inside if not kind else f"fromhex(f'{inside}')" if kind == "hex" else f"f'{inside}'.encode('{kind}')"
            for kind, inside in groups
        ]

    def _field(self, field: Field) -> None:
        name, kind = f"v{field.number}", field.element.format
        if field.encoding == "bcd":
            self.digits.append(name)
            self._bcd(field, name)
            return
        if kind in ("b", "bytes"):
            self._bytes(field, name)
            return
        if kind == "n":
            self.digits.append(name)
        elif kind == "x+n":
            self.refusals.append(f"{name}[:1] not in ('C', 'D') or not {name}[1:]")
            self.digits.append(f"{name}[1:]")
        else:
            self.texts.append(name)
        self._prefix(field, f"len({name})")
        self.pieces.append((field.encoding, f"{{{name}}}"))

    def _bcd(self, field: Field, name: str) -> None:
        length = f"len({name})"
        self._prefix(field, length if field.counts == "digits" else f"(len({name}) + 1 >> 1)")
        pad = field.pad_nibble
        if not field.fixed:
            pad = f'{{"{pad}" if len({name}) & 1 else ""}}'
        elif field.element.size % 2 == 0:
            pad = ""
        self.pieces.append(("hex", f"{pad}{{{name}}}" if field.pad_left else f"{{{name}}}{pad}"))

    def _bytes(self, field: Field, name: str) -> None:
        """Upper-case hex text: only what comes back the same may go out."""
        self.gets.append(f" w{field.number} = fromhex({name})")
        self.refusals.append(f"w{field.number}.hex().upper() != {name}")
        if field.encoding == "hex":
            self._prefix(field, f"len({name})")
            self.pieces.append((_ASCII, f"{{{name}}}"))
        else:
            self._prefix(field, f"len(w{field.number})")
            self.pieces.append(("", f"w{field.number}"))

    def _prefix(self, field: Field, length: str) -> None:
        if field.fixed:
            self.refusals.append(f"{length} != {field.wire_max}")
            return
        self.refusals.append(f"{length} > {field.wire_max}")
        if field.prefix == "binary":
            self.pieces.append(("", f"{length}.to_bytes({field.prefix_bytes}, 'big')"))
        elif field.prefix == "bcd":
            self.pieces.append(("hex", f"{{{length}:0{2 * field.prefix_bytes}d}}"))
        else:
            self.pieces.append((field.prefix_page, f"{{{length}:0{field.prefix_bytes}d}}"))


def encoder(dialect: Dialect, numbers: Sequence[int]) -> tuple[str, dict[str, Any]]:
    """Source and namespace of `encode(head, fields)` for fields in ascending order, without the MAC's."""
    return _Encoder(dialect).source(numbers), {"fromhex": bytes.fromhex}
