"""Bytes of a CSV file to records with their physical line numbers, and faults that name what would be right.

Encoding, header, line ends, quotes and field sizes are judged here (settlement.md section 1, operations.md
Commands); what the columns mean is in `records`. Pure: the bytes come in as an argument.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

FIELD_BYTES_MAX: Final = 4096
FILE_BYTES_MAX: Final = 512 * 1024**2
ENCODINGS: Final = ("utf-8", "gb18030")
_SHOWN_MAX: Final = 40  # characters of a wrong value in a fault
_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
# C0 and C1 controls, surrogates, noncharacters of the first plane; those of the others end in FFFE and FFFF too
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_LAST_TWO: Final = 0xFFFE


class Fault(NamedTuple):
    """What is wrong on a physical line (from 1; 0: the file as a whole), and what would be right."""

    line: int
    wrong: str
    right: str

    def __str__(self) -> str:
        return f"{self.wrong}; {self.right}"


class Record(NamedTuple):
    """One record: the line it begins on, and its values by column."""

    line: int
    values: dict[str, str]


def decode(data: bytes, encoding: str | None = None) -> tuple[str, str] | Fault:
    """Text and the encoding it is in: `encoding` decides, else a byte-order mark, else UTF-8 if all of it is, else
    GB18030 (settlement.md section 1)."""
    if data[:2] in _UTF16 and encoding is None:
        return Fault(0, "is UTF-16", "save it as UTF-8 or GB18030")
    if data[:3] == _BOM and encoding in (None, "utf-8"):
        encoding, data = "utf-8", data[3:]
    tried: list[UnicodeDecodeError] = []
    for name in (encoding,) if encoding else ENCODINGS:
        try:
            return data.decode(name), name
        except UnicodeDecodeError as error:
            tried.append(error)
    worst = max(tried, key=lambda error: error.start)  # the encoding that went further is the likelier one
    ends = [data.count(end, 0, worst.start) for end in (b"\n", b"\r", b"\r\n")]
    line = ends[0] + ends[1] - ends[2] + 1
    what = worst.encoding.upper() if encoding else "UTF-8 or GB18030"
    return Fault(line, f"byte 0x{data[worst.start]:02X} is no {what}", "save the file again, or give its --encoding")


def records(text: str, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Record | Fault]:
    """The records below the header, in order; a fault for each that can't be taken apart.

    A header without all columns, but for `optional` ones, is one fault and ends it: nothing below could be understood.
    Line ends may be LF, CRLF or CR; the last may be missing; empty lines are skipped.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            right = "quote a field with a comma, quote or line break, and double its quotes"
            yield Fault(line, f"is no CSV: {error}", right)
            continue
        if not fields:
            continue
        if header is None:
            fault = _header_fault(fields, columns, optional, line)
            if fault is not None:
                yield fault
                return
            header = fields
            continue
        yield _record(line, header, fields)
    if header is None:
        yield Fault(1, "there is no header line", f"write {','.join(columns)}")


def _header_fault(
    fields: Sequence[str], columns: Sequence[str], optional: Sequence[str], line: int
) -> Fault | None:
    known = (*columns, *optional)
    may = f", may be {','.join(optional)}" if optional else ""
    right = f"write {','.join(columns)}{may}, in any order"
    missing = [name for name in columns if name not in fields]
    if missing:
        return Fault(line, f"the header has no column {', '.join(missing)}", right)
    for number, name in enumerate(fields):
        if name not in known or name in fields[:number]:
            return Fault(line, f"the header has column {shown(name)} {'twice' if name in known else 'too'}", right)
    return None


def _record(line: int, header: Sequence[str], fields: Sequence[str]) -> Record | Fault:
    if len(fields) != len(header):
        return Fault(line, f"{len(fields)} fields", f"as the header says, {len(header)}")
    for name, value in zip(header, fields, strict=True):
        if len(value) * 4 > FIELD_BYTES_MAX and len(value.encode("utf-8", "surrogatepass")) > FIELD_BYTES_MAX:
            return Fault(line, f"{name} is longer than {FIELD_BYTES_MAX} bytes", "shorten it")
        if "\x00" in value:
            return Fault(line, f"{name} holds a NUL", "take it out")
    return Record(line, dict(zip(header, fields, strict=True)))


def unprintable(text: str) -> str:
    """The first control character, surrogate or noncharacter in a text, as U+XXXX; empty if there is none."""
    found = _UNPRINTABLE.search(text)
    if found is not None:
        return f"U+{ord(found[0]):04X}"
    bad = [character for character in text if ord(character) > 0xFFFF and ord(character) & 0xFFFE == _LAST_TWO]
    return f"U+{ord(bad[0]):04X}" if bad else ""


def shown(value: str) -> str:
    """A wrong value for a fault: one line, ASCII escapes for what can't be seen, bounded."""
    cut = value if len(value) <= _SHOWN_MAX else value[: _SHOWN_MAX - 1] + "…"
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in cut) + '"'
