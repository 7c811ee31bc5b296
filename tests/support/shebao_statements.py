"""The four statement layouts written down a second time, from the settlement contract's words alone, for checks that
must not share a mistake with the switch's own writers and readers: nothing of shebao is used here but the SM3 digest.

Writers only, and as loose as a bank may be: they write whatever they are given, right or wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.hashes import SM3, Hash

INSTITUTION = "33011000"
COLUMNS = (
    "settlement_date,transaction_time,stan,rrn,terminal,branch,kind,bill_number,amount,receipt,channel,"
    "original_time,original_stan"
)
WIDTHS = (8, 14, 6, 12, 8, 15, 1, 20, 15, 20, 2, 14, 6)
TRIMMED = ("rrn", "terminal", "branch")


class Row(NamedTuple):
    """One line of a statement, the columns in the contract's order."""

    date: str
    time: str
    stan: str
    rrn: str
    terminal: str
    branch: str
    kind: str
    bill: str
    fen: int
    receipt: str
    channel: str
    original_time: str = ""
    original_stan: str = ""

    def trimmed(self) -> Row:
        return self._replace(**{name: getattr(self, name).rstrip(" ") for name in TRIMMED})


class Sums(NamedTuple):
    payments: int
    paid: int
    reversals: int
    returned: int

    @property
    def net(self) -> int:
        return self.paid - self.returned


def sums(rows: Sequence[Row]) -> Sums:
    paid = [row.fen for row in rows if row.kind == "P"]
    returned = [row.fen for row in rows if row.kind != "P"]
    return Sums(len(paid), sum(paid), len(returned), sum(returned))


def yuan(fen: int) -> str:
    sign, fen = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{fen // 100}.{fen % 100:02d}"


def sm3(data: bytes) -> str:
    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize().hex()


# -- layouts -------------------------------------------------------------------------------------------------------


def pipe(date: str, rows: Sequence[Row]) -> bytes:
    total = sums(rows)
    lines = [f"H|rcb|{date}"]
    lines += ["D|" + "|".join(map(str, row.trimmed())) for row in rows]
    lines.append(f"T|{total.payments}|{total.paid}|{total.reversals}|{total.returned}|{total.net}")
    return "".join(line + "\n" for line in lines).encode("gb18030")


def fixed(date: str, rows: Sequence[Row]) -> bytes:
    total = sums(rows)
    records = ["1" + "icbc".ljust(8) + date]
    for row in rows:
        texts = [f"{v:015d}" if isinstance(v, int) else v.ljust(w) for v, w in zip(row, WIDTHS, strict=True)]
        records.append("5" + "".join(texts))
    sign = "-" if total.net < 0 else "+"
    counts = f"{total.payments:010d}{total.paid:015d}{total.reversals:010d}{total.returned:015d}"
    records.append("9" + counts + sign + f"{abs(total.net):015d}")
    return b"".join(record.encode("gb18030").ljust(160) + b"\r\n" for record in records)


def quoted(value: str, always: bool = False) -> str:
    needs = always or any(c in value for c in ',"\r\n')
    return '"' + value.replace('"', '""') + '"' if needs else value


def csv(date: str, rows: Sequence[Row], always: bool = False, bom: bool = True) -> bytes:
    lines = [",".join(quoted(name, always) for name in COLUMNS.split(","))]
    for row in rows:
        lines.append(",".join(quoted(v if isinstance(v, str) else yuan(v), always) for v in row.trimmed()))
    return (b"\xef\xbb\xbf" if bom else b"") + "".join(line + "\r\n" for line in lines).encode()


def control(date: str, rows: Sequence[Row]) -> bytes:
    total = sums(rows)
    pairs = [
        ("bank", "ccb"), ("date", date), ("payments", total.payments), ("payments_amount", yuan(total.paid)),
        ("reversals", total.reversals), ("reversals_amount", yuan(total.returned)), ("net_amount", yuan(total.net)),
    ]  # fmt: skip
    return "".join(f"{key}={value}\r\n" for key, value in pairs).encode("ascii")


def _dashed(date: str) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:8]}"


def _instant(moment: str) -> str:
    return f"{_dashed(moment)}T{moment[8:10]}:{moment[10:12]}:{moment[12:14]}+08:00"


def _balance(code: str, fen: int, date: str) -> str:
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="CNY">{yuan(abs(fen))}</Amt>'
        f"<CdtDbtInd>{'DBIT' if fen < 0 else 'CRDT'}</CdtDbtInd><Dt><Dt>{_dashed(date)}</Dt></Dt></Bal>\n"
    )


def _entry(number: int, row: Row) -> str:
    row = row.trimmed()
    back = row.kind != "P"
    original = f"{row.original_time}-{row.original_stan}" if row.original_time else ""
    plain = (("AcctSvcrRef", row.receipt), ("InstrId", f"{row.time}-{row.stan}"), ("EndToEndId", row.bill))
    named = (("TERMINAL", row.terminal), ("BRANCH", row.branch), ("CHANNEL", row.channel), ("ORIGINAL", original))
    references = "".join(f"<{tag}>{escape(v)}</{tag}>" for tag, v in (*plain, ("TxId", row.rrn)) if v)
    references += "".join(f"<Prtry><Tp>{tag}</Tp><Ref>{escape(v)}</Ref></Prtry>" for tag, v in named if v)
    return (
        f'<Ntry><NtryRef>{number}</NtryRef><Amt Ccy="CNY">{yuan(row.fen)}</Amt>'
        f"<CdtDbtInd>{'DBIT' if back else 'CRDT'}</CdtDbtInd>{'<RvslInd>true</RvslInd>' if back else ''}"
        f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{_dashed(row.date)}</Dt></BookgDt>"
        f"<BkTxCd><Prtry><Cd>{row.kind}</Cd><Issr>SHEBAO</Issr></Prtry></BkTxCd>"
        f"<NtryDtls><TxDtls><Refs>{references}</Refs></TxDtls></NtryDtls></Ntry>\n"
    )


def camt(date: str, rows: Sequence[Row], opened: str = "", closed: str = "") -> bytes:
    """opened, closed: the two cut-overs, YYYYMMDDhhmmss; a bank's own may say anything."""
    total = sums(rows)
    name = f"{INSTITUTION}-boc-{date}"
    start, end = _instant(opened or f"{date}000000"), _instant(closed or f"{date}230000")
    both = ("Ntries", len(rows), total.paid + total.returned)
    parts = (both, ("CdtNtries", total.payments, total.paid), ("DbtNtries", total.reversals, total.returned))
    summary = "".join(f"<Ttl{t}><NbOfNtries>{n}</NbOfNtries><Sum>{yuan(s)}</Sum></Ttl{t}>" for t, n, s in parts)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">\n<BkToCstmrStmt>\n'
        f"<GrpHdr><MsgId>{name}</MsgId><CreDtTm>{end}</CreDtTm></GrpHdr>\n<Stmt>\n<Id>{name}</Id>\n"
        f"<ElctrncSeqNb>{date}</ElctrncSeqNb>\n<CreDtTm>{end}</CreDtTm>\n"
        f"<FrToDt><FrDtTm>{start}</FrDtTm><ToDtTm>{end}</ToDtTm></FrToDt>\n"
        "<Acct><Id><Othr><Id>boc</Id></Othr></Id><Ccy>CNY</Ccy></Acct>\n"
        f"{_balance('OPBD', 0, date)}{_balance('CLBD', total.net, date)}<TxsSummry>{summary}</TxsSummry>\n"
        f"{''.join(_entry(n, row) for n, row in enumerate(rows, 1))}</Stmt>\n</BkToCstmrStmt>\n</Document>\n"
    ).encode()


LAYOUTS = {"rcb": (pipe, "txt"), "icbc": (fixed, "txt"), "ccb": (csv, "csv"), "boc": (camt, "xml")}
FIRST_LINE = {"rcb": 2, "icbc": 2, "ccb": 2, "boc": 14}  # physical line of the first detail


def detail(bank: str, date: str, rows: Sequence[Row]) -> bytes:
    return LAYOUTS[bank][0](date, rows)


def names(bank: str, date: str) -> tuple[str, str]:
    """Detail file and control file, empty where the layout has none."""
    stem = f"{bank.upper()}_{date}_DTL"
    return f"{stem}.{LAYOUTS[bank][1]}", f"{stem}.ctl" if bank == "ccb" else ""


def put(folder: Path, bank: str, date: str, rows: Sequence[Row], data: bytes | None = None, digest: str = "") -> Path:
    """A bank's delivery: detail file, control file, digest, flag. data, digest: instead of the right ones."""
    folder.mkdir(parents=True, exist_ok=True)
    name, beside = names(bank, date)
    data = detail(bank, date, rows) if data is None else data
    (folder / name).write_bytes(data)
    if beside:
        (folder / beside).write_bytes(control(date, rows))
    (folder / f"{name}.sm3").write_bytes((digest or sm3(data)).encode())
    (folder / f"{name}.ok").write_bytes(b"")
    return folder / name
