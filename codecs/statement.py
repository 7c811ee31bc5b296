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

from .columns import (
    FILE_BYTES_MAX,
    LineFault,
    StatementContext,
    StatementLine,
    StatementSpec,
    Totals,
    format_yuan,
    parse_yuan,
    statement_spec,
    totals_of,
)

__all__ = [
    "FILE_BYTES_MAX",
    "LineFault",
    "StatementContext",
    "StatementLine",
    "StatementSpec",
    "Totals",
    "file_names",
    "format_yuan",
    "parse_yuan",
    "statement_spec",
    "totals_of",
]


def file_names(spec: StatementSpec, bank: str, date: int) -> tuple[str, str | None]:
    """Names of the detail file and of its control file (None where totals stand in the file itself)."""
    detail, control = (
        name.format(BANK=bank.upper(), bank=bank, date=f"{date:08d}") for name in (spec.file, spec.control_file)
    )
    return detail, control or None
