"""The plain shape of a detail line in each layout, as one regular expression, so that a whole file can be read at once.

What our own writer writes, and a bank's program by and large too. It is narrower than what the line readers take: who
finds a line that does not fit reads the file again with `statement.read`, which names every fault. A line that fits
can be wrong in its meaning only, a date that does not exist or a reversal without its original (`columns.RowReader`);
that is for whoever uses the expression to see, and nothing is read here.

The expressions are Rust's and Python's alike. Wherever they branch the next character decides, so that an engine needs
no second look.
"""

from __future__ import annotations

from typing import Final

from .columns import TIME, StatementSpec

SPACE: Final = r"[ \t\r\n]*"  # between the elements of XML
ENTRY_BEGINS: Final = b"<Ntry>"
ENTRY_ENDS: Final = b"</Ntry>"

_STAN, _NUMBER, _CHANNEL = "[0-9]{6}", "[0-9]{20}", "0[1-5]"
_AMOUNTS: Final = {"fen": "[1-9][0-9]{0,14}", "yuan": r"(?:0|[1-9][0-9]{0,12})\.[0-9]{2}"}
TEXT_SIZES: Final = {"rrn": 12, "terminal": 8, "branch": 15}
_USED: Final = 142  # bytes of a fixed-width record


def plain_line(spec: StatementSpec, date: int) -> str:
    """A line without its line end; in XML an entry without its end tag, with the space before it.

    Named groups: moment, stan, rrn, terminal, branch, kind, bill, amount, receipt, channel, original_moment,
    original_stan; in XML credit and undoes too, and whatever is left out there has no group. Fixed-width columns are
    filled with blanks; an amount may be zero but in the pipe's fen; in XML text is escaped, and as long as it likes.
    """
    if spec.layout == "camt":
        return _entry(f"{date:08d}")
    if spec.layout == "fixed":
        texts = [f"[ -~]{{{size}}}" for size in TEXT_SIZES.values()]
        cells = _cells(texts, "[0-9]{15}", " {20}", " {14}", " {6}")
        return f"^5{date:08d}{''.join(cells)}.{{{spec.record_bytes - _USED}}}$"
    never = "|" if spec.layout == "pipe" else ',"'
    texts = [rf"[^\x00-\x1f\x7f{never}]{{0,{size}}}" for size in TEXT_SIZES.values()]
    cells = _cells(texts, _AMOUNTS[spec.amounts], "", "", "")
    head, separator = (rf"D\|{date:08d}", r"\|") if spec.layout == "pipe" else (f"{date:08d}", ",")
    return f"^{separator.join((head, *cells))}$"


def _cells(texts: list[str], amount: str, no_receipt: str, no_moment: str, no_stan: str) -> list[str]:
    rrn, terminal, branch = texts
    values = {
        "moment": TIME, "stan": _STAN, "rrn": rrn, "terminal": terminal, "branch": branch, "kind": "[PVR]",
        "bill": _NUMBER, "amount": amount, "receipt": f"{_NUMBER}|{no_receipt}", "channel": _CHANNEL,
        "original_moment": f"{TIME}|{no_moment}", "original_stan": f"{_STAN}|{no_stan}",
    }  # fmt: skip
    return [f"(?P<{name}>{value})" for name, value in values.items()]


def _entry(date: str) -> str:
    """As `camt` writes it, with any space between the elements."""
    rrn, terminal, branch = (rf"(?P<{name}>(?:[^\x00-\x1f\x7f<>&]|&(?:lt|gt|amp);)*)" for name in TEXT_SIZES)
    entry = (
        '<Ntry><NtryRef>[0-9A-Za-z.-]{1,35}</NtryRef>'
        f'<Amt Ccy="CNY">(?P<amount>{_AMOUNTS["yuan"]})</Amt><CdtDbtInd>(?P<credit>CRDT|DBIT)</CdtDbtInd>'
        '<(?P<undoes>RvslInd>true</RvslInd><)?Sts><Cd>BOOK</Cd></Sts>'
        f"<BookgDt><Dt>{date[:4]}-{date[4:6]}-{date[6:]}</Dt></BookgDt>"
        "<BkTxCd><Prtry><Cd>(?P<kind>[PVR])</Cd><Issr>SHEBAO</Issr></Prtry></BkTxCd><NtryDtls><TxDtls><Refs>"
        f"<(?:AcctSvcrRef>(?P<receipt>{_NUMBER})</AcctSvcrRef><)?"
        f"InstrId>(?P<moment>{TIME})-(?P<stan>{_STAN})</InstrId><EndToEndId>(?P<bill>{_NUMBER})</EndToEndId>"
        f"<(?:TxId>{rrn}</TxId><)?Prtry><Tp>"
        f"(?:TERMINAL</Tp><Ref>{terminal}</Ref></Prtry><Prtry><Tp>)?"
        f"(?:BRANCH</Tp><Ref>{branch}</Ref></Prtry><Prtry><Tp>)?CHANNEL</Tp><Ref>(?P<channel>{_CHANNEL})</Ref></Prtry>"
        f"<(?:Prtry><Tp>ORIGINAL</Tp><Ref>(?P<original_moment>{TIME})-(?P<original_stan>{_STAN})</Ref></Prtry><)?"
        "/Refs></TxDtls></NtryDtls>"
    )
    return f"^{SPACE}{entry.replace('><', f'>{SPACE}<')}{SPACE}$"
