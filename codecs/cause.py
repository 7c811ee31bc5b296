"""Why a whole statement file can't be read, where its first bytes tell: beside its faults, never in their place.

A file of another make has a fault in each of its lines, and none of them says what was done wrong. Pure.
"""

from __future__ import annotations

import re
from typing import Final

from .columns import COLUMN_NAMES, StatementSpec

HEAD_BYTES: Final = 1 << 16  # how much of a file is looked at
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_MAKES: Final = {
    "pipe": (re.compile(rb"H\|"), "lines with | between columns"),
    "fixed": (re.compile(rb"1[A-Za-z0-9]{2,8} {0,6}[0-9]{8} "), "records of a fixed width"),
    "csv": (re.compile(rb"settlement_date[,;\t]"), "CSV with column names"),
    "camt": (re.compile(rb"\s*<"), "an XML document"),
}
_BETWEEN: Final = {b";": "semicolons", b"\t": "tabs"}


def likely_cause(spec: StatementSpec, head: bytes) -> str:
    """What is wrong with all of a file that has faults, and what would be right; empty if nothing is recognised.

    head: at most HEAD_BYTES from its beginning.
    """
    encoding = spec.encoding.upper()
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in head[:2]:
        return f"the file is written in UTF-16; write it in {encoding}"
    if head.startswith(_UTF8_MARK) and spec.layout in ("pipe", "fixed"):
        return f"the file begins with a byte-order mark of UTF-8; write it in {encoding}, without such a mark"
    body = head.removeprefix(_UTF8_MARK)
    made = next((layout for layout, (begins, _) in _MAKES.items() if begins.match(body)), spec.layout)
    if made != spec.layout:
        return f"the file looks like {_MAKES[made][1]}; this bank's has {_MAKES[spec.layout][1]}"
    between = body[len(COLUMN_NAMES[0]) :][:1]
    if spec.layout == "csv" and between in _BETWEEN:
        return f"the columns are separated by {_BETWEEN[between]}; write commas between them"
    return _line_ends(spec, body)


def _line_ends(spec: StatementSpec, body: bytes) -> str:
    """Only where each line has the same wrong one: an editor, or a transfer as text, has changed the whole file."""
    lines = body.split(b"\n")[:-1]
    windows = {line.endswith(b"\r") for line in lines}
    if spec.layout not in ("pipe", "fixed") or len(lines) < 2 or len(windows) > 1:
        return ""
    if spec.line_end == b"\n":
        return "all lines end with CRLF, as Windows writes them; end each line with LF" if True in windows else ""
    return "all lines end with LF alone; end each line with CRLF" if False in windows else ""
