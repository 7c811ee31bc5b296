"""A statement line and what every layout shares: the 13 columns, their rules, faults, totals, money, the spec.

Contract: settlement.md section 4. The layouts themselves are `framed` and `csvfile` (text) and `camt` (XML);
`statement` is the door to all of them. Nothing here reads or writes a file, and no bank is named: a layout is a
dialect's [statement].
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date as calendar_date
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from .section import Section

FILE_BYTES_MAX: Final = 2 * 1024**3  # a larger statement file is refused
LINE_BYTES_MAX: Final = 4096  # of one physical line in a text layout
SHOWN_MAX: Final = 60  # characters of a wrong value that a fault shows


class StatementLine(NamedTuple):
    """One line of a detail file: the 13 columns of settlement.md section 4, in their order.

    Time, STAN and RRN are the message's own; the rest is the payment's. `line` is no column.
    """

    date: int  # settlement date YYYYMMDD
    moment: str  # transaction time YYYYMMDDhhmmss: DE7 with its year
    stan: str  # 6 digits
    rrn: str  # at most 12 characters; may be empty
    terminal: str  # at most 8; may be empty
    branch: str  # at most 15; may be empty
    kind: str  # "P" payment, "V" void, "R" reversal; a reversal of a void is a P with an original
    bill: str  # 20 digits
    amount: int  # fen, positive in every kind
    receipt: str  # 20 digits; empty only in a bank's own file
    channel: str  # "01" to "05"
    original_moment: str = ""  # of V and R, and of the P that reverses a void
    original_stan: str = ""
    line: int = 0  # the physical line it was read from, counting from 1; 0: not from a file


class LineFault(NamedTuple):
    """What is wrong in a statement file, where, and what would be right. `str()` is one line for the operator."""

    line: int  # physical line, counting from 1; 0: the file as a whole
    wrong: str
    right: str
    where: str = ""  # "NtryRef 12" in XML, the name of the file beside the detail file

    def __str__(self) -> str:
        place = ", ".join(filter(None, (self.where, f"line {self.line}" if self.line else "")))
        return f"{place}: {self.wrong}; {self.right}" if place else f"{self.wrong}; {self.right}"


class Totals(NamedTuple):
    """Gross numbers and amounts (fen) of a day: P lines are payments, V and R lines reversals."""

    payments: int = 0
    payments_fen: int = 0
    reversals: int = 0
    reversals_fen: int = 0

    @property
    def net(self) -> int:
        """Fen; negative when reversals exceed payments."""
        return self.payments_fen - self.reversals_fen


class StatementContext(NamedTuple):
    """Whose file and which day: what a file tells beside its lines."""

    bank: str  # the bank's key in the switch
    institution: str  # the bureau's own, for the XML layout's identification
    date: int  # settlement date YYYYMMDD
    opened: datetime  # the two cut-overs that bound the date, aware, China Standard Time
    closed: datetime


class Tally:
    """Totals as they grow, line by line."""

    def __init__(self, so_far: Totals = Totals()) -> None:  # noqa: B008 - final
        self.payments, self.payments_fen, self.reversals, self.reversals_fen = so_far

    def add(self, kind: str, fen: int) -> None:
        if kind == "P":
            self.payments += 1
            self.payments_fen += fen
        else:
            self.reversals += 1
            self.reversals_fen += fen

    def totals(self) -> Totals:
        return Totals(self.payments, self.payments_fen, self.reversals, self.reversals_fen)


def totals_of(lines: Iterable[StatementLine]) -> Totals:
    tally = Tally()
    for line in lines:
        tally.add(line.kind, line.amount)
    return tally.totals()


_TOLD: Final = {
    "payments": "number of payments",
    "payments_fen": "amount of payments",
    "reversals": "number of reversals",
    "reversals_fen": "amount of reversals",
    "net": "net amount",
}


def totals_faults(counted: Totals, told: Mapping[str, int], line: int, where: str = "") -> Iterator[LineFault]:
    """A fault for each total that the file tells otherwise than its lines add up. told: by attribute of Totals."""
    for name, value in told.items():
        right = getattr(counted, name)
        if value != right:
            money = name.endswith("_fen") or name == "net"
            shown = [f"{format_yuan(number)} yuan" if money else str(number) for number in (value, right)]
            yield LineFault(line, f"{_TOLD[name]} is told as {shown[0]}", f"the lines add up to {shown[1]}", where)


def showing(value: object) -> str:
    """A value of a file for a fault: quoted, ASCII escapes for what does not print, bounded."""
    text = str(value)
    return repr(text) if len(text) <= SHOWN_MAX else repr(text[:SHOWN_MAX]) + "…"


# Money and dates as text

_FEN: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")
_YUAN: Final = re.compile(r"(-?)(0|[1-9][0-9]{0,15})\.([0-9]{2})")


def parse_fen(text: str, signed: bool = False) -> int | None:
    """Fen from plain digits, else None."""
    return int(text) if _FEN.fullmatch(text) and (signed or text[0] != "-") else None


def parse_yuan(text: str, signed: bool = False) -> int | None:
    """Fen from plain yuan with exactly two decimals (`1234.50`): no blank, `+`, exponent or thousands, else None."""
    found = _YUAN.fullmatch(text)
    if found is None or (found[1] and (not signed or not text.strip("-0."))):
        return None
    fen = int(found[2] + found[3])
    return -fen if found[1] else fen


def format_yuan(fen: int) -> str:
    """Yuan with two decimals: -5 is `-0.05`."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def grouped_yuan(fen: int) -> str:
    """The same for people, with thousands separators: -1234567 is `-12,345.67`."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


@lru_cache(maxsize=4096)
def date_exists(yyyymmdd: str) -> bool:
    """Whether eight digits are a date of this century: the wire tells no year, so the books know no other."""
    if not yyyymmdd.startswith("20"):
        return False
    try:
        calendar_date(int(yyyymmdd[:4]), int(yyyymmdd[4:6]), int(yyyymmdd[6:]))
    except ValueError:
        return False
    return True


# The layout as a dialect's data

_ENCODINGS: Final = ("gb18030", "utf-8")
_LINE_ENDS: Final = {"lf": b"\n", "crlf": b"\r\n"}
_AMOUNTS: Final = ("fen", "yuan")
RECORD_BYTES_USED: Final = 142  # of a fixed-width detail record
_ONLY: Final = {  # what a layout leaves no choice about
    "fixed": {"amounts": "fen"},
    "camt": {"encoding": "utf-8", "line_end": "lf", "amounts": "yuan"},
}
_FILE_PART: Final = "[A-Za-z0-9_.-]{0,60}"  # three of them and what stands beside a file fit into a file system's name
_FILE: Final = rf"{_FILE_PART}\{{(BANK|bank)\}}{_FILE_PART}\{{date\}}{_FILE_PART}"
_FILE_RIGHT: Final = (
    'write a name such as "{BANK}_{date}_DTL.txt": {BANK} or {bank}, then {date}, at most 60 characters around each'
)


class StatementSpec(NamedTuple):
    """A dialect's [statement] table."""

    layout: str  # "pipe" "fixed" "csv" "camt"
    encoding: str  # a Python codec: "gb18030" or "utf-8"
    amounts: str  # "fen" or "yuan", which has two decimals
    line_end: bytes
    file: str  # name of the detail file, with {BANK} (upper case) or {bank}, and {date}
    control_file: str = ""  # name of the file that holds the totals; csv only
    bom: bool = False
    record_bytes: int = 0  # of a fixed-width record, line end not counted


def statement_spec(section: Section) -> StatementSpec:
    """Reads a dialect's [statement] table; raises SettingsError. See `statement` for the four examples."""
    layout = section.text("layout", choices=("pipe", "fixed", "csv", "camt"))
    spec = StatementSpec(
        layout=layout,
        encoding=section.text("encoding", choices=_ENCODINGS),
        amounts=section.text("amounts", choices=_AMOUNTS),
        line_end=_LINE_ENDS[section.text("line_end", choices=tuple(_LINE_ENDS))],
        file=section.text("file", pattern=_FILE, right=_FILE_RIGHT),
        control_file=section.text("control_file", pattern=_FILE, right=_FILE_RIGHT) if layout == "csv" else "",
        bom=section.boolean("bom", False) if layout == "csv" else False,
        record_bytes=section.integer("record_bytes", least=RECORD_BYTES_USED, most=2000) if layout == "fixed" else 0,
    )
    for key, only in _ONLY.get(layout, {}).items():
        section.text(key, choices=(only,), right=f'write "{only}": layout "{layout}" knows nothing else')
    if spec.bom and spec.encoding != "utf-8":
        raise section.error("bom", "a byte-order mark needs UTF-8", "write bom = false or encoding = \"utf-8\"")
    for beside in ("", ".sm3", ".ok"):
        if spec.control_file == spec.file + beside:
            whose = f"its {beside} file" if beside else "the detail file"
            raise section.error("control_file", f"is the name of {whose} too", _FILE_RIGHT)
    section.finish()
    return spec


# A row of text columns, checked

TIME: Final = r"[0-9]{8}(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]"
_PLAIN_AMOUNT: Final = {"fen": r"[1-9][0-9]{0,14}", "yuan": r"(?!0\.00)(?:0|[1-9][0-9]{0,12})\.[0-9]{2}"}
_FILLED_AMOUNT: Final = r"(?!0{15})[0-9]{15}"  # fen
_AMOUNT_RIGHT: Final = {
    "fen": "write fen above zero in digits only, such as 123450",
    "yuan": "write yuan above zero with two decimals, such as 1234.50",
}

COLUMN_NAMES: Final = (
    "settlement_date",
    "transaction_time",
    "stan",
    "rrn",
    "terminal",
    "branch",
    "kind",
    "bill_number",
    "amount",
    "receipt",
    "channel",
    "original_time",
    "original_stan",
)


class _Column(NamedTuple):
    pattern: str
    right: str


def _text(most: int) -> _Column:
    return _Column(rf"[^\x00-\x1f\x7fSEP]{{0,{most}}}", f"write at most {most} printable characters")


_COLUMNS: Final = (  # SEP and AMOUNT: what the layout puts there
    _Column("[0-9]{8}", "write the file's settlement date as YYYYMMDD"),
    _Column(TIME, "write a time that exists as YYYYMMDDhhmmss"),
    _Column("[0-9]{6}", "write 6 digits"),
    _text(12),
    _text(8),
    _text(15),
    _Column("[PVR]", "write P, V or R"),
    _Column("[0-9]{20}", "write 20 digits"),
    _Column("AMOUNT", ""),
    _Column("(?:[0-9]{20})?", "write 20 digits, or leave it empty"),
    _Column("0[1-5]", "write 01 to 05"),
    _Column(f"(?:{TIME})?", "write a time that exists as YYYYMMDDhhmmss, or leave it empty"),
    _Column("(?:[0-9]{6})?", "write 6 digits, or leave it empty"),
)


class RowReader:
    """Checks rows of one file, given as 13 text columns joined by `separator`, and makes StatementLines of them.

    Blanks at the end of RRN, terminal and branch are trimmed, so that lines of all layouts compare.
    `failed` counts rows with a fault; `tally` sums the good ones.
    """

    def __init__(
        self, spec: StatementSpec, date: int, separator: str, filled: bool = False, so_far: Totals = Totals()  # noqa: B008
    ) -> None:
        amount = _FILLED_AMOUNT if filled else _PLAIN_AMOUNT[spec.amounts]
        sep = re.escape(separator)
        self.patterns = [
            re.compile(column.pattern.replace("SEP", sep).replace("AMOUNT", amount)) for column in _COLUMNS
        ]
        self.row = re.compile(sep.join(f"({pattern.pattern})" for pattern in self.patterns))
        self.rights = [column.right or _AMOUNT_RIGHT[spec.amounts] for column in _COLUMNS]
        self.separator = separator
        self.date = date
        self.date_text = f"{date:08d}"
        self.tally = Tally(so_far)
        self.failed = 0

    def read(self, number: int, row: str) -> Sequence[StatementLine | LineFault]:
        """The line, or every fault of it."""
        found = self.row.fullmatch(row)
        if found is None:
            return self._fail(self._column_faults(number, row.split(self.separator)))
        columns = found.groups()
        date, moment, stan, rrn, terminal, branch, kind, bill, amount, receipt, channel, first, first_stan = columns
        if (
            date != self.date_text
            or not date_exists(moment[:8])
            or (first and not date_exists(first[:8]))
            or bool(first) != bool(first_stan)
            or (kind != "P" and not first)
            or not row.isascii()
        ):
            faults = self._meaning_faults(number, columns)
            if faults:
                return self._fail(faults)
        fen = int(amount.replace(".", ""))
        self.tally.add(kind, fen)
        return (
            StatementLine(
                self.date, moment, stan, rrn.rstrip(" "), terminal.rstrip(" "), branch.rstrip(" "), kind, bill, fen,
                receipt, channel, first, first_stan, number,
            ),
        )  # fmt: skip

    def _fail(self, faults: list[LineFault]) -> list[LineFault]:
        self.failed += 1
        return faults

    def _column_faults(self, number: int, columns: Sequence[str]) -> list[LineFault]:
        if len(columns) != len(COLUMN_NAMES):
            return [LineFault(number, f"{len(columns)} columns", f"write {len(COLUMN_NAMES)} columns")]
        faults = [
            LineFault(number, f"{name} {showing(value)}", right)
            for name, value, pattern, right in zip(COLUMN_NAMES, columns, self.patterns, self.rights, strict=True)
            if not pattern.fullmatch(value)
        ]
        return faults or [LineFault(number, "a separator inside a column", f"write {len(COLUMN_NAMES)} columns")]

    def _meaning_faults(self, number: int, columns: Sequence[str]) -> list[LineFault]:
        faults = []
        if columns[0] != self.date_text:
            faults.append(LineFault(number, f"settlement_date {columns[0]}", f"this file is of {self.date_text}"))
        for column in (1, 11):
            if columns[column] and not date_exists(columns[column][:8]):
                wrong = f"{COLUMN_NAMES[column]} {columns[column]} does not exist"
                faults.append(LineFault(number, wrong, "write a date of the calendar, of a year 20xx"))
        if bool(columns[11]) != bool(columns[12]):
            right = "write both original_time and original_stan, or neither"
            faults.append(LineFault(number, "half an original", right))
        elif columns[6] != "P" and not columns[11]:
            right = "write original_time and original_stan of the payment"
            faults.append(LineFault(number, f"kind {columns[6]} without its original", right))
        for column in (3, 4, 5):
            if not columns[column].isprintable():
                wrong = f"{COLUMN_NAMES[column]} {showing(columns[column])}"
                faults.append(LineFault(number, wrong, self.rights[column]))
        return faults
