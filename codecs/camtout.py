"""The XML layout of a statement file, ISO 20022 camt.053.001.08, written entry by entry; `camt` reads it.

Contract: settlement.md section 4. The head tells the totals, so they have to be known before the first entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final
from xml.sax.saxutils import escape

from .columns import StatementContext, StatementLine, StatementSpec, Totals, format_yuan
from .textfile import ROWS_PER_CHUNK, texts_of

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


def _iso(yyyymmdd: str) -> str:
    return f"{yyyymmdd[:4]}-{yyyymmdd[4:6]}-{yyyymmdd[6:]}"


def _sign(payment: bool) -> str:
    return "CRDT" if payment else "DBIT"


def _balance(code: str, fen: int, date: str) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"CNY\">{format_yuan(abs(fen))}</Amt>"
        f"<CdtDbtInd>{_sign(fen >= 0)}</CdtDbtInd><Dt><Dt>{date}</Dt></Dt></Bal>\n"
    )


def _number_and_sum(tag: str, number: int, fen: int) -> str:
    return f"<{tag}><NbOfNtries>{number}</NbOfNtries><Sum>{format_yuan(fen)}</Sum></{tag}>"


def _head(context: StatementContext, totals: Totals) -> str:
    identity = f"{context.institution}-{context.bank}-{context.date}"
    opened, closed = (moment.isoformat(timespec="seconds") for moment in (context.opened, context.closed))
    date = _iso(str(context.date))
    number, gross = totals.payments + totals.reversals, totals.payments_fen + totals.reversals_fen
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="{NAMESPACE}">\n<BkToCstmrStmt>\n'
        f"<GrpHdr><MsgId>{identity}</MsgId><CreDtTm>{closed}</CreDtTm></GrpHdr>\n"
        f"<Stmt>\n<Id>{identity}</Id>\n<ElctrncSeqNb>{context.date}</ElctrncSeqNb>\n<CreDtTm>{closed}</CreDtTm>\n"
        f"<FrToDt><FrDtTm>{opened}</FrDtTm><ToDtTm>{closed}</ToDtTm></FrToDt>\n"
        f"<Acct><Id><Othr><Id>{context.bank}</Id></Othr></Id><Ccy>CNY</Ccy></Acct>\n"
        + _balance("OPBD", 0, date)
        + _balance("CLBD", totals.net, date)
        + "<TxsSummry>"
        + _number_and_sum("TtlNtries", number, gross)
        + _number_and_sum("TtlCdtNtries", totals.payments, totals.payments_fen)
        + _number_and_sum("TtlDbtNtries", totals.reversals, totals.reversals_fen)
        + "</TxsSummry>\n"
    )


def _leaf(tag: str, text: str) -> str:
    return f"<{tag}>{text}</{tag}>" if text else ""


def _reference(kind: str, text: str) -> str:
    return f"<Prtry><Tp>{kind}</Tp><Ref>{text}</Ref></Prtry>" if text else ""


def _entry(spec: StatementSpec, number: int, line: StatementLine) -> str:
    date, moment, stan, rrn, terminal, branch, kind, bill, amount, receipt, channel, first, first_stan = map(
        escape, texts_of(spec, line)
    )
    reversal = "" if kind == "P" else "<RvslInd>true</RvslInd>"
    return (
        f'<Ntry><NtryRef>{number}</NtryRef><Amt Ccy="CNY">{amount}</Amt><CdtDbtInd>{_sign(kind == "P")}</CdtDbtInd>'
        f"{reversal}<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{_iso(date)}</Dt></BookgDt>"
        f"<BkTxCd><Prtry><Cd>{kind}</Cd><Issr>SHEBAO</Issr></Prtry></BkTxCd><NtryDtls><TxDtls><Refs>"
        f"{_leaf('AcctSvcrRef', receipt)}<InstrId>{moment}-{stan}</InstrId><EndToEndId>{bill}</EndToEndId>"
        f"{_leaf('TxId', rrn)}{_reference('TERMINAL', terminal)}{_reference('BRANCH', branch)}"
        f"{_reference('CHANNEL', channel)}{_reference('ORIGINAL', first and f'{first}-{first_stan}')}"
        "</Refs></TxDtls></NtryDtls></Ntry>\n"
    )


def write_camt(
    spec: StatementSpec, context: StatementContext, totals: Totals, lines: Iterable[StatementLine]
) -> Iterator[bytes]:
    """The totals stand before the entries, so the caller must know them."""
    yield _head(context, totals).encode("utf-8")
    entries = (_entry(spec, number, line) for number, line in enumerate(lines, 1))
    while batch := list(islice(entries, ROWS_PER_CHUNK)):
        yield "".join(batch).encode("utf-8")
    yield b"</Stmt>\n</BkToCstmrStmt>\n</Document>\n"
