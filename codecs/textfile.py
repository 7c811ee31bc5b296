"""What the text layouts of a statement file share: lines in, lines out, columns as text.

Contract: settlement.md section 4. Bounded: a physical line, a file, a chunk have their limits; see `columns`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, Final

from .columns import FILE_BYTES_MAX, LINE_BYTES_MAX, LineFault, StatementLine, StatementSpec, format_yuan

ROWS_PER_CHUNK: Final = 500
SEPARATOR: Final = "\x1f"  # between columns on their way to RowReader: no column can hold it


def money_text(spec: StatementSpec, fen: int) -> str:
    return str(fen) if spec.amounts == "fen" else format_yuan(fen)


def texts_of(spec: StatementSpec, line: StatementLine) -> list[str]:
    """The 13 columns as text, blanks at the end of RRN, terminal and branch trimmed."""
    date, moment, stan, rrn, terminal, branch, kind, bill, amount, receipt, channel, first, first_stan, _ = line
    columns = [
        str(date), moment, stan, rrn.rstrip(" "), terminal.rstrip(" "), branch.rstrip(" "), kind, bill,
        money_text(spec, amount), receipt, channel, first, first_stan,
    ]  # fmt: skip
    if not "".join(columns).isprintable():  # the wire's alphabets let no such character in
        raise ValueError(f"a control character in a statement line: {line!r}")
    return columns


def in_chunks(spec: StatementSpec, head: bytes, rows: Iterator[str], tail: str | None) -> Iterator[bytes]:
    yield head
    end = spec.line_end.decode()
    while batch := list(islice(rows, ROWS_PER_CHUNK)):
        yield (end.join(batch) + end).encode(spec.encoding)
    if tail is not None:
        yield (tail + end).encode(spec.encoding)


def physical_lines(spec: StatementSpec, source: BinaryIO) -> Iterator[tuple[int, bytes | LineFault]]:
    """Every physical line with its number, without its line end. The last one may lack it.

    CSV lines may end with LF or CRLF (its readers accept more); elsewhere the wrong one is a fault. A line or a
    file that is too long ends the reading.
    """
    total = number = 0
    while line := source.readline(LINE_BYTES_MAX + 1):
        number += 1
        total += len(line)
        if total > FILE_BYTES_MAX:
            yield number, LineFault(number, "the file is larger than 2 GiB", "send at most 2 GiB")
            return
        if len(line) > LINE_BYTES_MAX:
            yield number, LineFault(number, "the line is too long", f"write at most {LINE_BYTES_MAX} bytes a line")
            return
        if spec.layout == "csv":
            yield number, line.removesuffix(b"\n").removesuffix(b"\r")
            continue
        body = line.removesuffix(spec.line_end)
        if spec.line_end == b"\n" and body.endswith(b"\r"):
            yield number, LineFault(number, "the line ends with CRLF", "end each line with LF")
        elif body.endswith(b"\n"):
            yield number, LineFault(number, "the line ends with LF alone", "end each line with CRLF")
        else:
            yield number, body


def encoding_fault(spec: StatementSpec, number: int) -> LineFault:
    name = spec.encoding.upper()
    return LineFault(number, f"bytes that are no {name}", f"write the file in {name}")
