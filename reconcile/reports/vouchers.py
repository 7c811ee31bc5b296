"""The voucher export: a period's transfers as a CSV that the bureau's bookkeeping reads.

One line per settlement date, bank, kind of event, debit and credit account; each line is a voucher that balances by
itself, and their sum is the movement of the trial balance. UTF-8 with byte-order mark, CRLF, yuan with two decimals.
"""

from __future__ import annotations

import csv
import io
from typing import Final

from shebao.codecs.statement import format_yuan
from shebao.ledger.day import iso

from .report import Report
from .words import ACCOUNTS, KINDS, TYPES

COLUMNS: Final = (
    "日期", "凭证号", "银行", "业务", "摘要", "借方科目", "借方科目名称", "贷方科目", "贷方科目名称", "金额", "分录数",
)  # fmt: skip
BOM: Final = "\ufeff"


def render(report: Report) -> bytes:
    """The file. Voucher numbers count from 1 within a date and bank."""
    out = io.StringIO()
    out.write(BOM)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    names = {one.bank: one.name for one in report.figures.banks}
    numbers: dict[tuple[int, str], int] = {}
    for one in report.figures.vouchers:
        number = numbers[one.date, one.bank] = numbers.get((one.date, one.bank), 0) + 1
        kind = KINDS.get(one.kind, (one.kind, ""))[0]
        summary = f"{names[one.bank]} {iso(one.date)} {kind} {one.transfers} 项"
        cells = (
            iso(one.date), f"{one.bank}-{one.date}-{number:04d}", one.bank, kind, summary,
            one.debit, _name(one.debit), one.credit, _name(one.credit), format_yuan(one.fen), str(one.transfers),
        )  # fmt: skip
        writer.writerow([safe(cell) for cell in cells])
    return out.getvalue().encode("utf-8", "replace")


def _name(account: str) -> str:
    kind, _, of = account.partition(":")
    insurance = TYPES.get(of, ("",))[0]
    return f"{ACCOUNTS.get(kind, (kind, ''))[0]}-{of} {insurance}".rstrip()


def safe(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
