"""A bank's detail file in the four layouts: lines and faults, each with its place; a good file is written again and
reconciliation takes it in.

Input: which bank and how many bytes a read gives (1 byte), the detail file; for the layout with a control file, 0x1E
and that one.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import shebao_statements as bank_files

from shebao.codecs.dialect import load_dialect
from shebao.codecs.statement import (
    LineFault,
    StatementContext,
    StatementLine,
    StatementSpec,
    read,
    totals_of,
    write,
    write_control,
)
from shebao.reconcile import inbox
from shebao.reconcile.faults import Faults

ROOT = Path(__file__).resolve().parents[3]
BANKS = ("rcb", "icbc", "ccb", "boc")
SPECS = {
    bank: load_dialect((ROOT / f"etc/dialects/{bank}.toml").read_text("utf-8"), bank).statement for bank in BANKS
}
DATE = 20261123
CLOSED = datetime(2026, 11, 23, 23, tzinfo=timezone(timedelta(hours=8)))
PARTING = b"\x1e"  # between detail and control file: no text column may hold it
FAULT_CHARACTERS_MAX = 600
WHOLE_FILE = ("the file is empty", "is missing", " missing", "is larger than")  # what a fault without a line may say

Items = list[StatementLine | LineFault]


class Short(io.BytesIO):
    """A file whose reads give few bytes at a time."""

    step = 1 << 16

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self.step if size is None or size < 0 else min(size, self.step))


def one_input(data: bytes) -> None:
    if not data:
        return
    bank = BANKS[data[0] & 3]
    detail, parting, control = data[1:].partition(PARTING)
    whole = items_of(bank, detail, control if parting else None)
    lines_in_file = detail.count(b"\n") + detail.count(b"\r") + 1
    for item in whole:
        if isinstance(item, LineFault):
            check(item, max(lines_in_file, control.count(b"\n") + 1))
        else:
            assert 0 < item.line <= lines_in_file
    faults = [item for item in whole if isinstance(item, LineFault)]
    lines = [item for item in whole if isinstance(item, StatementLine)]
    if step := data[0] >> 2:
        pieces = items_of(bank, detail, control if parting else None, step)
        assert any(isinstance(item, LineFault) for item in pieces) == bool(faults)
        assert faults or pieces == whole
    if not faults:
        written_again(SPECS[bank], bank, lines)
        told = Faults()
        found = inbox.lines_of(io.BytesIO(detail), SPECS[bank], bank, DATE, control, told)
        assert not told.number and inbox.totals(found) == totals_of(lines)


def items_of(bank: str, detail: bytes, control: bytes | None, step: int = 1 << 16) -> Items:
    source = Short(detail)
    source.step = step
    return list(read(SPECS[bank], bank, DATE, source, control))


def check(fault: LineFault, lines: int) -> None:
    """One line for the operator: what, where, what would be right."""
    text = str(fault)
    assert fault.wrong and fault.right and text.isprintable() and len(text) <= FAULT_CHARACTERS_MAX, text
    assert 0 <= fault.line <= lines, text
    assert fault.line or any(part in fault.wrong for part in WHOLE_FILE), text


def written_again(spec: StatementSpec, bank: str, lines: list[StatementLine]) -> None:
    context = StatementContext(bank, bank_files.INSTITUTION, DATE, CLOSED - timedelta(days=1), CLOSED)
    totals = totals_of(lines)
    detail = b"".join(write(spec, context, totals, lines))
    control = write_control(spec, context, totals) if spec.control_file else None
    again = items_of(bank, detail, control)
    assert [item._replace(line=0) for item in again] == [line._replace(line=0) for line in lines]


def seeds() -> Iterator[bytes]:
    """A day, an empty day and a day with text to quote or to escape, as a bank writes them; some with a fault."""
    row = bank_files.Row(
        "20261123", "20261123093000", "000001", "123456789012", "T0000001", "=1+1", "P", "33011026110100000019", 123450,
        "26112301000000000015", "01",
    )  # fmt: skip
    void = row._replace(kind="V", stan="000002", original_time="20261123093000", original_stan="000001", receipt="")
    back = void._replace(kind="P", stan="000003")
    reversal = void._replace(kind="R", time="20261123235959", terminal="", branch='余杭"&<,')
    days = [[], [row], [row, void, back], [row, reversal], [row._replace(kind="X")], [row._replace(date="20261122")]]
    for number, bank in enumerate(BANKS):
        for rows in days:
            ending = PARTING + bank_files.control("20261123", rows) if bank == "ccb" else b""
            yield bytes([number]) + bank_files.detail(bank, "20261123", rows) + ending
            yield bytes([number + 4 * 7]) + bank_files.detail(bank, "20261123", rows)[:-30] + ending
    yield b"\x03" + b'<?xml version="1.0"?>\n<!DOCTYPE Document [<!ENTITY a SYSTEM "file:///etc/hostname">]>\n<a>&a;</a>'
    yield b"\x03" + bank_files.camt("20261123", [row]).replace(b"=1+1", b"<![CDATA[=1+1]]>&#x41;&#65;&amp;")


_CAMT = b'\x03<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>'
_REFS = b"<Ntry><NtryDtls><TxDtls><Refs>"
_TEXT = (b"\n", b"D|", b'"', b'",\n', b",", b"\x1f", b"5\r\n", b"\xff\n")
LARGE = [
    *((bytes([number]), unit) for number in range(3) for unit in _TEXT),
    *((b"\x02" + PARTING, unit) for unit in (b"a=\n", b"=")),
    *((_CAMT, unit) for unit in (b"<a>", b"<a/>", b"\n", b"&amp;", b"<!---->", b"<Bal/>", b"<Id></Id>", b"<?a b?>")),
    *((_CAMT, unit) for unit in (b"<![CDATA[]]>", b"<Ntry><NtryRef>x</NtryRef></Ntry>")),
    *((_CAMT + b"<a ", unit) for unit in (b"a", b"a='' ", b" ")),
    *((_CAMT + b"<!--", unit) for unit in (b"-", b"x")),
    *((_CAMT + _REFS, unit) for unit in (b"<Prtry></Prtry>", b"<Prtry><Tp>ORIGINAL</Tp></Prtry>")),
]
