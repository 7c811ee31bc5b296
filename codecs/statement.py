"""A day's statement files of one bank: names, digest, and the door to the four layouts. Pure: bytes in, bytes out.

Contract: settlement.md section 4. The layout is data, a dialect's [statement] table:

    [statement]                       # rcb                       icbc        ccb         boc
    layout = "pipe"                   # "pipe"                    "fixed"     "csv"       "camt"
    encoding = "gb18030"              # "gb18030"                 "gb18030"   "utf-8"     "utf-8"
    amounts = "fen"                   # "fen"                     "fen"       "yuan"      "yuan"
    line_end = "lf"                   # "lf"                      "crlf"      "crlf"      "lf"
    file = "{BANK}_{date}_DTL.txt"    # ..._DTL.txt               .txt        .csv        .xml
    record_bytes = 160                # fixed only: bytes of a record without its line end
    bom = true                        # csv only, may be left out: no byte-order mark
    control_file = "{BANK}_{date}_DTL.ctl"  # csv only: the file of totals

{BANK} is the bank's key in upper case, {bank} as it is, {date} YYYYMMDD.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from cryptography.hazmat.primitives import hashes

from .camt import around_camt, read_camt
from .camtout import write_camt
from .columns import (
    FILE_BYTES_MAX,
    LineFault,
    StatementContext,
    StatementLine,
    StatementSpec,
    Tally,
    Totals,
    format_yuan,
    grouped_yuan,
    parse_yuan,
    statement_spec,
    totals_of,
)
from .csvfile import around_csv, read_csv, write_control, write_csv
from .framed import around_framed, read_fixed, read_pipe, write_fixed, write_pipe

__all__ = [
    "FILE_BYTES_MAX",
    "LineFault",
    "StatementContext",
    "StatementLine",
    "StatementSpec",
    "Totals",
    "around",
    "file_names",
    "format_yuan",
    "grouped_yuan",
    "parse_sm3",
    "parse_yuan",
    "read",
    "sm3_hex",
    "statement_spec",
    "totals_of",
    "write",
    "write_control",
]

_WRITERS: Final = {"pipe": write_pipe, "fixed": write_fixed, "csv": write_csv, "camt": write_camt}
_READERS: Final = {"pipe": read_pipe, "fixed": read_fixed, "csv": read_csv, "camt": read_camt}
_AROUND: Final = {"pipe": around_framed, "fixed": around_framed, "csv": around_csv, "camt": around_camt}
_SM3: Final = re.compile(r"([0-9a-fA-F]{64})(?:[ \t]+[^\r\n]*)?(?:\r?\n)?")


def file_names(spec: StatementSpec, bank: str, date: int) -> tuple[str, str | None]:
    """Names of the detail file and of its control file (None where totals stand in the file itself)."""
    detail, control = (
        name.format(BANK=bank.upper(), bank=bank, date=f"{date:08d}") for name in (spec.file, spec.control_file)
    )
    return detail, control or None


def write(
    spec: StatementSpec, context: StatementContext, totals: Totals, lines: Iterable[StatementLine]
) -> Iterator[bytes]:
    """The detail file in chunks, from lines in the order they were committed; same arguments, same bytes.

    totals: what the lines add up to (`totals_of`, or the day's own counters): one layout tells them before the
    lines. Raises ValueError, at the end, when they do not, and for a line that the wire's rules do not let arise.
    """
    return _WRITERS[spec.layout](spec, context, totals, _summed(totals, lines))


def _summed(totals: Totals, lines: Iterable[StatementLine]) -> Iterator[StatementLine]:
    tally = Tally()
    for line in lines:
        tally.add(line.kind, line.amount)
        yield line
    if tally.totals() != totals:
        raise ValueError(f"the lines add up to {tally.totals()}, not to {totals}")


def read(
    spec: StatementSpec, bank: str, date: int, source: BinaryIO, control: bytes | None = None
) -> Iterator[StatementLine | LineFault]:
    """Every line and every fault of a detail file, in the order met; a file with any fault is to be refused whole.

    source: a binary file, read once from where it stands, in bounded memory; control: the bytes of the control file
    where the layout has one, None when it is not there. Lines carry their physical line; blanks at the end of RRN,
    terminal and branch are trimmed. The digest is the caller's: `sm3_hex`, `parse_sm3`. Raises only what `source` does.
    """
    return _READERS[spec.layout](spec, bank, date, source, control)


def around(
    spec: StatementSpec, bank: str, date: int, head: bytes, tail: bytes, control: bytes | None, details: int,
    totals: Totals,
) -> Iterator[StatementLine | LineFault]:  # fmt: skip
    """Every fault of what stands around the details, for who has read those by `plain` and knows their sum.

    Text: head and tail are the first and the last line, without line ends; CSV has no tail. XML: head ends with the
    first entry, tail begins behind the last; that entry's line is given too, if an entry may stand there.
    """
    return _AROUND[spec.layout](spec, bank, date, head, tail, control, details, totals)


def sm3_hex(chunks: Iterable[bytes]) -> str:
    """SM3 digest as it stands in a `.sm3` file: exactly 64 lower-case hex characters."""
    digest = hashes.Hash(hashes.SM3())
    for chunk in chunks:
        digest.update(chunk)
    return digest.finalize().hex()


def parse_sm3(text: str) -> str | None:
    """The digest in the text of a `.sm3` file, lower case; None when there is none.

    Forgives case, a line end, and a file name behind it.
    """
    found = _SM3.fullmatch(text)
    return found[1].lower() if found else None
