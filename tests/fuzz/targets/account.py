"""The special account's statement, CSV or camt.053: nothing is raised; all entries, or faults that name their lines.

Input: the file. What is read can be written as a CSV and read again, the same but for the lines.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from shebao_account import Line, camt, entry
from shebao_account import csv as csv_of

from shebao.codecs.columns import format_yuan
from shebao.ledger.csvtext import unprintable
from shebao.reconcile.account import COLUMNS, OPTIONAL, AccountEntry, read_account

FAULT_CHARACTERS_MAX = 1500  # two values of 60 characters, each escaped


def one_input(data: bytes) -> None:
    found = read_account(data)
    assert not (found.entries and found.faults)
    lines = data.count(b"\n") + data.count(b"\r") + 1
    for fault in found.faults:
        text = str(fault)
        assert fault.wrong and fault.right and text.isprintable() and len(text) <= FAULT_CHARACTERS_MAX, text
        assert 0 <= fault.line <= lines, text
    for one in found.entries:
        assert 0 < one.line <= lines and one.amount_fen > 0 and one.reference
        assert not unprintable(one.reference + one.text) and bool(one.bank) == bool(one.dates)
    if found.entries and all(len(one.text.encode()) <= 4096 for one in found.entries):
        again = read_account(written(found.entries))
        assert not again.faults, again.faults
        assert [one._replace(line=0) for one in again.entries] == [one._replace(line=0) for one in found.entries]


def written(entries: list[AccountEntry]) -> bytes:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow((*COLUMNS, *OPTIONAL))
    for one in entries:
        dates = " ".join(map(iso, one.dates))
        told = (one.reference, format_yuan(one.amount_fen), iso(one.received_on), one.bank, dates)
        rows.writerow((*told, "credit" if one.credit else "debit", one.text))
    return out.getvalue().encode()


def iso(date: int) -> str:
    return f"{date // 10_000:04d}-{date // 100 % 100:02d}-{date % 100:02d}"


def seeds() -> Iterator[bytes]:
    some = [Line(), Line("R2", "0.01", dates="2026-11-23 2026-11-24"), Line("R1", bank="", dates="", direction="debit")]
    yield csv_of(some)
    yield csv_of(some).decode().encode("gb18030").replace(b"\n", b"\r\n")
    yield csv_of(some[:1], "dates,bank,received_on,amount,reference").replace(b"1234.50", b'"1234.5"')
    yield csv_of([*some, some[0]])
    for version in ("08", "02"):
        yield camt(some, version)
        yield camt([], version, entry(some[0], 1, version, "PDNG") + entry(some[1], 2, version))
    yield camt([some[0], some[0]])
    yield camt(some[:1]).replace(b"<Dt>2026-11-24</Dt></BookgDt>", b"<DtTm>2026-11-24T23:30:00Z</DtTm></BookgDt>")
    yield b'<?xml version="1.0"?>\n<!DOCTYPE Document [<!ENTITY a SYSTEM "file:///etc/hostname">]>\n<a>&a;</a>'


_HEAD = f"{','.join((*COLUMNS, *OPTIONAL))}\n".encode()
_CAMT = b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>'
_TEXT = b"<Ntry><NtryDtls><TxDtls><RmtInf><Ustrd>"
LARGE = [
    *((_HEAD, unit) for unit in (b"\n", b"\r", b'"', b",", b"\0", b"R,1,2026-11-24,,,,\n", b"R,1,2026-11-24,a,")),
    (_HEAD + b"R,1,2026-11-24,a,", b"2026-11-24 "),
    *((_CAMT, unit) for unit in (b"<a>", b"<a/>", b"\n", b"&amp;", b"<!---->", b"<Ntry/>", b"<Ntry><Amt/></Ntry>")),
    *((_CAMT + b"<a ", unit) for unit in (b"a", b"a='' ", b" ")),
    *((_CAMT + _TEXT, unit) for unit in (b"SHEBAO ", b"SHEBAO a 20261123,", b"&#10;", b"</Ustrd><Ustrd>")),
    (_CAMT + b"<Ntry><NtryDtls>", b"<TxDtls><RmtInf><Ustrd>SHEBAO a 20261123</Ustrd></RmtInf></TxDtls>"),
]
