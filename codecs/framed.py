"""The framed text layouts of a statement file, pipe-separated and fixed width: header, details, trailer.

Contract: settlement.md section 4. A writer yields bytes as lines come; a reader takes a binary file and yields each
line or fault as it is met: neither holds more than a few rows. A reader never raises for what stands in a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise
from typing import BinaryIO, Final

from .columns import (
    COLUMN_NAMES,
    LineFault,
    RowReader,
    StatementContext,
    StatementLine,
    StatementSpec,
    Totals,
    parse_fen,
    parse_yuan,
    showing,
    totals_faults,
)
from .textfile import SEPARATOR, encoding_fault, in_chunks, money_text, physical_lines, texts_of

# Writing


def write_pipe(
    spec: StatementSpec, context: StatementContext, totals: Totals, lines: Iterable[StatementLine]
) -> Iterator[bytes]:
    def row(line: StatementLine) -> str:
        text = "D|" + "|".join(texts_of(spec, line))
        if text.count("|") != len(COLUMN_NAMES):
            raise ValueError(f"'|' inside a column of a statement line: {line!r}")
        return text

    head = f"H|{context.bank}|{context.date}".encode(spec.encoding) + spec.line_end
    sums = (totals.payments_fen, totals.reversals_fen, totals.net)
    payments, reversals, net = (money_text(spec, fen) for fen in sums)
    tail = f"T|{totals.payments}|{payments}|{totals.reversals}|{reversals}|{net}"
    return in_chunks(spec, head, map(row, lines), tail)


_WIDTHS: Final = (8, 14, 6, 12, 8, 15, 1, 20, 15, 20, 2, 14, 6)
_AMOUNT: Final = 8  # index of the amount column
_CUTS: Final = tuple(pairwise(accumulate(_WIDTHS, initial=1)))
_USED: Final = 1 + sum(_WIDTHS)
_BANK, _DATE = slice(1, 9), slice(9, 17)
_TOTALS_WIDTHS: Final = (10, 15, 10, 15, 1, 15)
_TOTALS_CUTS: Final = tuple(pairwise(accumulate(_TOTALS_WIDTHS, initial=1)))


def _fit(spec: StatementSpec, text: str, width: int) -> str:
    """Text blank-filled to a width that counts bytes."""
    room = width - len(text if text.isascii() else text.encode(spec.encoding))
    if room < 0:
        raise ValueError(f"{text!r} is wider than {width} bytes")
    return text + " " * room


def _fill(text: str, width: int) -> str:
    """A number zero-filled to its width."""
    if len(text) > width:
        raise ValueError(f"{text} has more than {width} digits")
    return text.rjust(width, "0")


def write_fixed(
    spec: StatementSpec, context: StatementContext, totals: Totals, lines: Iterable[StatementLine]
) -> Iterator[bytes]:
    def row(line: StatementLine) -> str:
        columns = texts_of(spec, line)
        columns[_AMOUNT] = _fill(columns[_AMOUNT], _WIDTHS[_AMOUNT])
        return _fit(spec, "5" + "".join(map(_fit, [spec] * len(_WIDTHS), columns, _WIDTHS)), spec.record_bytes)

    head = _fit(spec, "1" + _fit(spec, context.bank, 8) + str(context.date), spec.record_bytes)
    sums = (totals.payments_fen, totals.reversals_fen, abs(totals.net))
    payments, reversals, net = (_fill(money_text(spec, fen), 15) for fen in sums)
    tail = "9" + _fill(str(totals.payments), 10) + payments + _fill(str(totals.reversals), 10) + reversals
    tail = _fit(spec, tail + ("-" if totals.net < 0 else "+") + net, spec.record_bytes)
    return in_chunks(spec, head.encode(spec.encoding) + spec.line_end, map(row, lines), tail)


# Reading


class _Pipe:
    """How a pipe-separated file tells header, details and trailer."""

    types: Final = {b"H|": "header", b"D|": "detail", b"T|": "trailer"}
    type_bytes: Final = 2
    types_right: Final = "begin each line with H|, D| or T|"

    def __init__(self, spec: StatementSpec) -> None:
        self.spec = spec
        self.parse_money = parse_fen if spec.amounts == "fen" else parse_yuan

    def size_fault(self, body: bytes) -> tuple[str, str] | None:
        return None

    def header(self, body: bytes) -> list[str]:
        return body.decode(self.spec.encoding).split("|")[1:]

    def row(self, body: bytes) -> str:
        text = body[2:].decode("ascii" if body.isascii() else self.spec.encoding)
        return text.replace(SEPARATOR, "\x00").replace("|", SEPARATOR)

    def told(self, body: bytes) -> dict[str, int | None]:
        values = body.decode(self.spec.encoding).split("|")[1:]
        if len(values) != 5:
            return {}
        return {
            "payments": parse_fen(values[0]),
            "payments_fen": self.parse_money(values[1]),
            "reversals": parse_fen(values[2]),
            "reversals_fen": self.parse_money(values[3]),
            "net": self.parse_money(values[4], signed=True),
        }


class _Fixed:
    """How a fixed-width file tells them."""

    types: Final = {b"1": "header", b"5": "detail", b"9": "trailer"}
    type_bytes: Final = 1
    types_right: Final = "begin each record with 1, 5 or 9"

    def __init__(self, spec: StatementSpec) -> None:
        self.spec = spec

    def size_fault(self, body: bytes) -> tuple[str, str] | None:
        if len(body) == self.spec.record_bytes:
            return None
        return f"a record of {len(body)} bytes", f"write {self.spec.record_bytes} bytes and the line end"

    def header(self, body: bytes) -> list[str]:
        return [body[part].decode(self.spec.encoding).rstrip(" ") for part in (_BANK, _DATE)]

    def row(self, body: bytes) -> str:
        used = body[:_USED]
        if used.isascii():
            text = used.decode("ascii")
            columns = [text[start:end].rstrip(" ") for start, end in _CUTS]
        else:
            columns = [used[start:end].decode(self.spec.encoding).rstrip(" ") for start, end in _CUTS]
        return SEPARATOR.join([column.replace(SEPARATOR, "\x00") for column in columns])

    def told(self, body: bytes) -> dict[str, int | None]:
        values = [body[start:end] for start, end in _TOTALS_CUTS]
        payments, payments_fen, reversals, reversals_fen, sign, net = values
        signed = _number(net)
        if sign not in (b"+", b"-") or (sign == b"-" and not signed):
            signed = None
        elif sign == b"-" and signed is not None:
            signed = -signed
        return {
            "payments": _number(payments),
            "payments_fen": _number(payments_fen),
            "reversals": _number(reversals),
            "reversals_fen": _number(reversals_fen),
            "net": signed,
        }


def _number(digits: bytes) -> int | None:
    return int(digits) if digits.isdigit() else None


def read_pipe(
    spec: StatementSpec, bank: str, date: int, source: BinaryIO, control: bytes | None
) -> Iterator[StatementLine | LineFault]:
    return _read_framed(source, spec, bank, date, _Pipe(spec))


def read_fixed(
    spec: StatementSpec, bank: str, date: int, source: BinaryIO, control: bytes | None
) -> Iterator[StatementLine | LineFault]:
    return _read_framed(source, spec, bank, date, _Fixed(spec))


# (what came before, what comes now): what is wrong and what would be right; what is not here is in order
_OUT_OF_ORDER: Final = {
    ("", "detail"): ("no header before the first detail", "begin the file with its header"),
    ("", "trailer"): ("no header before the trailer", "begin the file with its header"),
    ("header", "header"): ("a second header", "write one header"),
    ("detail", "header"): ("a header after details", "write one header, as the first line"),
    ("trailer", "header"): ("data after the trailer", "end the file with its trailer"),
    ("trailer", "detail"): ("data after the trailer", "end the file with its trailer"),
    ("trailer", "trailer"): ("data after the trailer", "end the file with its trailer"),
}


class _Framed:
    """One reading of a framed file: what came before decides what may come now."""

    def __init__(
        self, spec: StatementSpec, bank: str, date: int, shape: _Pipe | _Fixed, so_far: Totals = Totals()  # noqa: B008
    ) -> None:
        self.spec, self.bank, self.date, self.shape = spec, bank, date, shape
        self.rows = RowReader(spec, date, SEPARATOR, filled=spec.layout == "fixed", so_far=so_far)
        self.before = ""
        self.trailer: tuple[int, dict[str, int | None]] | None = None

    def line(self, number: int, body: bytes) -> Iterator[StatementLine | LineFault]:
        kind = self.shape.types.get(body[: self.shape.type_bytes])
        if kind is None:
            yield self._lost(number, f"record type {_shown(body[: self.shape.type_bytes])}", self.shape.types_right)
            return
        if fault := self.shape.size_fault(body):
            yield self._lost(number, *fault)
            return
        if (self.before, kind) in _OUT_OF_ORDER:
            yield LineFault(number, *_OUT_OF_ORDER[self.before, kind])
        if self.before != "trailer":
            self.before = kind
        try:
            if kind == "detail":
                yield from self.rows.read(number, self.shape.row(body))
            elif kind == "header":
                yield from _header_faults(number, self.shape.header(body), self.bank, self.date)
            elif self.trailer is None:
                self.trailer = number, self.shape.told(body)
        except UnicodeDecodeError:
            self.rows.failed += 1
            yield encoding_fault(self.spec, number)

    def _lost(self, number: int, wrong: str, right: str) -> LineFault:
        self.rows.failed += 1
        return LineFault(number, wrong, right)

    def end(self, number: int) -> Iterator[LineFault]:
        if number == 0:
            yield LineFault(0, "the file is empty", "a day without payments has a header and a trailer too")
        elif self.trailer is None:
            yield LineFault(number, "no trailer: the file may be cut", "end the file with its trailer")
        else:
            yield from _trailer_faults(self.rows, *self.trailer)


def _read_framed(
    source: BinaryIO, spec: StatementSpec, bank: str, date: int, shape: _Pipe | _Fixed
) -> Iterator[StatementLine | LineFault]:
    framed = _Framed(spec, bank, date, shape)
    number = 0
    for number, body in physical_lines(spec, source):
        if isinstance(body, LineFault):
            framed.rows.failed += 1
            yield body
        else:
            yield from framed.line(number, body)
    yield from framed.end(number)


def around_framed(
    spec: StatementSpec, bank: str, date: int, head: bytes, tail: bytes, control: bytes | None, details: int,
    totals: Totals,
) -> Iterator[LineFault]:  # fmt: skip
    """Faults of the first and the last line, without their line ends, of a file of so many details between them."""
    framed = _Framed(spec, bank, date, _Pipe(spec) if spec.layout == "pipe" else _Fixed(spec), totals)
    for number, body, kind in ((1, head, "header"), (details + 2, tail, "trailer")):
        if framed.shape.types.get(body[: framed.shape.type_bytes]) != kind:
            yield LineFault(number, f"no {kind}", "begin the file with its header, end it with its trailer")
        yield from (fault for fault in framed.line(number, body) if isinstance(fault, LineFault))
    yield from framed.end(details + 2)


def _shown(begins: bytes) -> str:
    """How a line begins: as text where it is some, else the bytes as a hex editor shows them."""
    text = begins.decode("ascii", "replace")
    return showing(text) if begins.isascii() and text.isprintable() else f"of bytes {begins.hex(' ').upper()}"


def _header_faults(number: int, told: list[str], bank: str, date: int) -> Iterator[LineFault]:
    if len(told) != 2:
        yield LineFault(number, f"a header of {len(told)} values", "write the bank and the settlement date")
        return
    if told[0] != bank:
        yield LineFault(number, f"the file is of bank {showing(told[0])}", f"this is the place of {bank}'s file")
    if told[1] != str(date):
        yield LineFault(number, f"the file is of date {showing(told[1])}", f"this is the place of {date}'s file")


def _trailer_faults(rows: RowReader, number: int, told: dict[str, int | None]) -> Iterator[LineFault]:
    """Totals that are no plain numbers, or that disagree; a line that was not read explains a difference itself."""
    if not told or None in told.values():
        bad = ", ".join(name for name, value in told.items() if value is None) or "the number of values"
        yield LineFault(number, f"the trailer does not parse: {bad}", "write plain numbers, as the layout says")
    elif not rows.failed:
        plain = {name: value for name, value in told.items() if value is not None}
        yield from totals_faults(rows.tally.totals(), plain, number)
