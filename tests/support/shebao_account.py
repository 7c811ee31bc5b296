"""Statements of the special account as the bureau's bank would send them: CSV, and camt.053 in both versions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from xml.sax.saxutils import escape

HEAD = "reference,amount,received_on,bank,dates,direction,text"
SPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."


class Line(NamedTuple):
    """One movement of the account."""

    reference: str = "20261124-000001"
    amount: str = "1234.50"
    received_on: str = "2026-11-24"
    bank: str = "icbc"
    dates: str = "2026-11-23"
    direction: str = "credit"
    text: str = "代收社保费"


def csv(lines: Iterable[Line], head: str = HEAD) -> bytes:
    return "\n".join([head, *(",".join(getattr(one, name) for name in head.split(",")) for one in lines), ""]).encode()


def tag(one: Line) -> str:
    return f"SHEBAO {one.bank} {','.join(one.dates.replace('-', '').split())} {one.text}" if one.bank else one.text


def entry(one: Line, number: int = 1, version: str = "08", status: str = "BOOK", extra: str = "") -> str:
    status = f"<Cd>{status}</Cd>" if version == "08" else status
    sign = {"credit": "CRDT", "debit": "DBIT"}.get(one.direction, one.direction)
    return (
        f'<Ntry><NtryRef>{number}</NtryRef><Amt Ccy="CNY">{one.amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'
        f"<Sts>{status}</Sts><BookgDt><Dt>{one.received_on}</Dt></BookgDt><ValDt><Dt>2026-11-25</Dt></ValDt>"
        f"<AcctSvcrRef>{escape(one.reference)}</AcctSvcrRef>"
        "<BkTxCd><Prtry><Cd>NTRF</Cd></Prtry></BkTxCd>"
        f"<NtryDtls><TxDtls><Refs><EndToEndId>E2E</EndToEndId></Refs>{extra}<RmtInf><Ustrd>{escape(tag(one))}</Ustrd>"
        "</RmtInf></TxDtls></NtryDtls></Ntry>"
    )


def camt(lines: Iterable[Line], version: str = "08", entries: str = "") -> bytes:
    """With these lines, or these entries as they are."""
    written = entries or "\n".join(entry(one, number, version) for number, one in enumerate(lines, 1))
    balance = (
        '<Bal><Tp><CdOrPrtry><Cd>{}</Cd></CdOrPrtry></Tp><Amt Ccy="CNY">0.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        "<Dt><Dt>2026-11-24</Dt></Dt></Bal>"
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{SPACE}{version}"><BkToCstmrStmt>\n'
        "<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-25T00:10:00+08:00</CreDtTm></GrpHdr>\n"
        "<Stmt><Id>S1</Id><ElctrncSeqNb>1</ElctrncSeqNb><CreDtTm>2026-11-25T00:10:00+08:00</CreDtTm>\n"
        "<Acct><Id><Othr><Id>330110990000001</Id></Othr></Id><Ccy>CNY</Ccy></Acct>\n"
        f"{balance.format('OPBD')}{balance.format('CLBD')}\n{written}\n</Stmt></BkToCstmrStmt></Document>\n"
    ).encode()
