"""The CSV layout of a statement file, and the control file of totals that stands beside it.

Contract: settlement.md section 4. Values stay byte for byte what they are, formula-looking ones too: it is a file
between machines, and only RFC 4180 decides what is quoted. Streams like `framed`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
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

CONTROL_BYTES_MAX: Final = 4096
_BOM: Final = b"\xef\xbb\xbf"


def write_csv(
    spec: StatementSpec, context: StatementContext, totals: Totals, lines: Iterable[StatementLine]
) -> Iterator[bytes]:
    """The totals stand in the control file: see `write_control`."""

    def row(line: StatementLine) -> str:
        columns = texts_of(spec, line)
        text = ",".join(columns)
        if '"' in text or text.count(",") >= len(COLUMN_NAMES):
            text = ",".join(['"' + c.replace('"', '""') + '"' if '"' in c or "," in c else c for c in columns])
        return text

    head = (_BOM if spec.bom else b"") + ",".join(COLUMN_NAMES).encode() + spec.line_end
    return in_chunks(spec, head, map(row, lines), None)


def write_control(spec: StatementSpec, context: StatementContext, totals: Totals) -> bytes:
    values = {
        "bank": context.bank,
        "date": str(context.date),
        "payments": str(totals.payments),
        "payments_amount": money_text(spec, totals.payments_fen),
        "reversals": str(totals.reversals),
        "reversals_amount": money_text(spec, totals.reversals_fen),
        "net_amount": money_text(spec, totals.net),
    }
    end = spec.line_end.decode()
    return "".join(f"{key}={value}{end}" for key, value in values.items()).encode("ascii")


def read_csv(
    spec: StatementSpec, bank: str, date: int, source: BinaryIO, control: bytes | None
) -> Iterator[StatementLine | LineFault]:
    rows = RowReader(spec, date, SEPARATOR)
    number = 0
    for number, body in physical_lines(spec, source):
        if isinstance(body, bytes) and body.count(0) * 3 > len(body):  # UTF-16: one fault, not one for each column
            body = LineFault(number, "NUL bytes", f"write the file in {spec.encoding.upper()}")
        if isinstance(body, LineFault):
            rows.failed += 1
            yield body
            continue
        try:
            columns = _csv_columns((body.removeprefix(_BOM) if number == 1 else body).decode(spec.encoding))
        except UnicodeDecodeError:
            rows.failed += 1
            yield encoding_fault(spec, number)
        except csv.Error as error:
            rows.failed += 1
            yield LineFault(number, f"no CSV: {error}", "quote as RFC 4180 says, one line a row")
        else:
            if number > 1:
                yield from rows.read(number, SEPARATOR.join(columns))
            elif tuple(columns) != COLUMN_NAMES:
                yield LineFault(1, f"column names {showing(','.join(columns))}", f"write {','.join(COLUMN_NAMES)}")
    if number == 0:
        yield LineFault(0, "the file is empty", "a day without payments has the line of column names too")
    yield from _totals_beside(spec, bank, date, control, rows)


def around_csv(
    spec: StatementSpec, bank: str, date: int, head: bytes, tail: bytes, control: bytes | None, details: int,
    totals: Totals,
) -> Iterator[LineFault]:  # fmt: skip
    """Faults of the column names, a line without its end, and of the control file; there is no tail."""
    if tail or head.removeprefix(_BOM) != ",".join(COLUMN_NAMES).encode():
        yield LineFault(1, "other column names", f"write {','.join(COLUMN_NAMES)}")
    yield from _totals_beside(spec, bank, date, control, RowReader(spec, date, SEPARATOR, so_far=totals))


def _totals_beside(
    spec: StatementSpec, bank: str, date: int, control: bytes | None, rows: RowReader
) -> Iterator[LineFault]:
    name = spec.control_file.format(BANK=bank.upper(), bank=bank, date=date)
    if control is None:
        yield LineFault(0, "is missing", "send the totals beside the detail file", name)
    else:
        yield from _control_faults(spec, bank, date, control, name, rows)


def _csv_columns(text: str) -> list[str]:
    columns = text.split(",") if '"' not in text else next(csv.reader([text], strict=True))
    return [column.replace(SEPARATOR, "\x00") for column in columns] if SEPARATOR in text else columns


_TOTAL_OF: Final = {
    "payments": "payments",
    "payments_amount": "payments_fen",
    "reversals": "reversals",
    "reversals_amount": "reversals_fen",
    "net_amount": "net",
}
_CONTROL_KEYS: Final = ("bank", "date", *_TOTAL_OF)


def _control_faults(
    spec: StatementSpec, bank: str, date: int, control: bytes, name: str, rows: RowReader
) -> Iterator[LineFault]:
    """Faults of the control file; its lines may stand in any order and end with LF."""
    if len(control) > CONTROL_BYTES_MAX:
        yield LineFault(0, f"is larger than {CONTROL_BYTES_MAX} bytes", "write 7 lines of totals", name)
        return
    seen = set()
    for number, raw in enumerate(control.removesuffix(b"\n").split(b"\n"), 1):
        key, _, value = raw.removesuffix(b"\r").decode("latin-1").partition("=")
        if key not in _CONTROL_KEYS or key in seen:
            wrong = f"a second {key}=" if key in seen else f"{showing(key)} is unknown"
            yield LineFault(number, wrong, f"write one line each of {', '.join(_CONTROL_KEYS)}", name)
            continue
        seen.add(key)
        if key in _TOTAL_OF:
            yield from _control_total(spec, number, key, value, name, rows)
        elif value != (right := {"bank": bank, "date": str(date)}[key]):
            yield LineFault(number, f"{key} {showing(value)}", f"this is the place of {right}'s file", name)
    if missing := [key for key in _CONTROL_KEYS if key not in seen]:
        yield LineFault(0, f"{', '.join(missing)} missing", "write the totals of the detail file", name)


def _control_total(
    spec: StatementSpec, number: int, key: str, value: str, name: str, rows: RowReader
) -> Iterator[LineFault]:
    parse = parse_yuan if key.endswith("amount") and spec.amounts == "yuan" else parse_fen
    told = parse(value, signed=key == "net_amount")
    if told is None:
        yield LineFault(number, f"{key} {showing(value)} is no plain number", "write it as the layout says", name)
    elif not rows.failed:  # a line that was not read explains a difference itself
        yield from totals_faults(rows.tally.totals(), {_TOTAL_OF[key]: told}, number, name)
