"""A small day of statement lines and the four [statement] tables, for the tests of the layouts."""

import io
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import strategies as st

from shebao.codecs.dialect import load_dialect
from shebao.codecs.section import read_toml
from shebao.codecs.statement import (
    LineFault,
    StatementContext,
    StatementLine,
    read,
    statement_spec,
    totals_of,
    write,
    write_control,
)

DATE = 20261123
CST = timezone(timedelta(hours=8))
TABLES = {
    "rcb": """
layout = "pipe"
encoding = "gb18030"
amounts = "fen"
line_end = "lf"
file = "{BANK}_{date}_DTL.txt"
""",
    "icbc": """
layout = "fixed"
encoding = "gb18030"
amounts = "fen"
line_end = "crlf"
file = "{BANK}_{date}_DTL.txt"
record_bytes = 160
""",
    "ccb": """
layout = "csv"
encoding = "utf-8"
bom = true
amounts = "yuan"
line_end = "crlf"
file = "{BANK}_{date}_DTL.csv"
control_file = "{BANK}_{date}_DTL.ctl"
""",
    "boc": """
layout = "camt"
encoding = "utf-8"
amounts = "yuan"
line_end = "lf"
file = "{BANK}_{date}_DTL.xml"
""",
}


def spec_of(bank):
    return statement_spec(read_toml(f"[statement]{TABLES[bank]}", "x.toml").section("statement"))


SPECS = {bank: spec_of(bank) for bank in TABLES}

PAYMENT = StatementLine(
    DATE, "20261123093000", "000001", "123456789012", "T0000001", "=1+1", "P", "33011026110100000019", 123450,
    "26112301000000000015", "01",
)  # fmt: skip
VOID = PAYMENT._replace(
    moment="20261123094500",
    stan="000002",
    rrn="RRN 2",
    kind="V",
    original_moment="20261123093000",
    original_stan="000001",
)
UNVOID = PAYMENT._replace(
    moment="20261123095000", stan="000003", rrn="", original_moment="20261123094500", original_stan="000002"
)
SMALL = PAYMENT._replace(stan="000004", terminal='A,"B', branch="@SUM(A1)", amount=5, channel="03")
DAY = [PAYMENT, VOID, UNVOID, SMALL]


def context(bank, date=DATE):
    opened = datetime(2026, 11, 22, 23, tzinfo=CST)
    return StatementContext(bank, "33011000", date, opened, opened + timedelta(days=1))


def written(bank, lines):
    """Detail file and control file of a day."""
    totals = totals_of(lines)
    detail = b"".join(write(SPECS[bank], context(bank), totals, lines))
    return detail, write_control(SPECS[bank], context(bank), totals) if SPECS[bank].control_file else None


def split(items):
    items = list(items)
    return (
        [item._replace(line=0) for item in items if isinstance(item, StatementLine)],
        [item for item in items if isinstance(item, LineFault)],
    )


def reading(bank, detail, control=None):
    return split(read(SPECS[bank], bank, DATE, io.BytesIO(detail), control))


def faults_of(bank, detail, control=None):
    return [(fault.line, str(fault)) for fault in reading(bank, detail, control)[1]]


TEXT = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "|")
CENTURY = (datetime(2000, 1, 1, tzinfo=CST), datetime(2099, 12, 31, 23, 59, 59, tzinfo=CST))
moments = st.integers(*(int(at.timestamp()) for at in CENTURY)).map(
    lambda second: f"{datetime.fromtimestamp(second, CST):%Y%m%d%H%M%S}"
)
digits = {size: st.text("0123456789", min_size=size, max_size=size) for size in (6, 20)}
text = {size: st.text(TEXT, max_size=size) for size in (8, 12, 15)}


@st.composite
def statement_lines(draw):
    kind = draw(st.sampled_from("PPVR"))
    original = (draw(moments), draw(digits[6])) if kind != "P" or draw(st.booleans()) else ("", "")
    return StatementLine(
        DATE,
        draw(moments),
        draw(digits[6]),
        draw(text[12]),
        draw(text[8]),
        draw(text[15]),
        kind,
        draw(digits[20]),
        draw(st.integers(1, 10**12 - 1)),
        draw(digits[20] | st.just("")),
        draw(st.sampled_from(["01", "02", "03", "04", "05"])),
        *original,
    )


days = st.lists(statement_lines(), max_size=6)


@pytest.fixture(scope="session")
def kit():
    """Everything above: `kit.written(bank, lines)`, `kit.reading(bank, detail, control)`, ..."""
    return SimpleNamespace(
        **{
            name: globals()[name]
            for name in (
                *("DATE", "TABLES", "SPECS", "PAYMENT", "VOID", "UNVOID", "SMALL", "DAY"),
                *("context", "written", "split", "reading", "faults_of", "days"),
            )
        }
    )


ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def dialects():
    """The four shipped dialects and a fifth, a UnionPay POS line, by name."""
    paths = [*(ROOT / "etc/dialects").glob("*.toml"), ROOT / "tests/data/unionpay_pos.toml"]
    loaded = [load_dialect(path.read_text(encoding="utf-8"), path.name) for path in paths]
    return {dialect.name: dialect for dialect in loaded}


@pytest.fixture(scope="session")
def golden():
    """The golden frames by dialect: `mac_key` and `messages` (name, mti, fields, de48, frame)."""
    paths = (ROOT / "tests/data/vectors").glob("*.json")
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
