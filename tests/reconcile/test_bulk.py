"""The second way into a bank's file gives what the first one gives, or nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shebao.codecs.columns import StatementContext, StatementLine, StatementSpec, totals_of
from shebao.codecs.dialect import load_dialect
from shebao.codecs.statement import read, write, write_control
from shebao.ledger.day import CST
from shebao.reconcile import bulk
from shebao.reconcile.bulk import NotPlain, read_plain, totals
from shebao.reconcile.faults import Faults
from shebao.reconcile.inbox import lines_of

BANKS = ("rcb", "icbc", "ccb", "boc")
D = 20261123


def spec_of(bank: str) -> StatementSpec:
    path = Path(__file__).resolve().parents[2] / "etc" / "dialects" / f"{bank}.toml"
    return load_dialect(path.read_text(encoding="utf-8"), str(path)).statement


SPECS = {bank: spec_of(bank) for bank in BANKS}
OPENED = datetime(2026, 11, 22, 23, tzinfo=CST)
PAID = StatementLine(
    D, "20261123093000", "000001", "123456789012", "T0000001", "=1+1", "P", "33011026110100000019", 123450,
    "26112301000000000015", "01",
)  # fmt: skip
VOID = PAID._replace(stan="000002", rrn="R 2", kind="V", original_moment=PAID.moment, original_stan="000001")
UNVOID = PAID._replace(stan="000003", rrn="", receipt="", original_moment=PAID.moment, original_stan="000002")
SMALL = PAID._replace(stan="000004", terminal="<&>", branch=" 余杭 ", amount=5, channel="03")
DAY = [PAID, VOID, UNVOID, SMALL]


def written(bank: str, lines: list[StatementLine]) -> tuple[bytes, bytes | None]:
    spec, context = SPECS[bank], StatementContext(bank, "33011000", D, OPENED, OPENED + timedelta(days=1))
    sums = totals_of(lines)
    control = write_control(spec, context, sums) if spec.control_file else None
    return b"".join(write(spec, context, sums, lines)), control


def at_once(bank: str, detail: bytes, control: bytes | None) -> list[StatementLine] | None:
    """None: it gives up."""
    try:
        found = read_plain(BytesIO(detail), SPECS[bank], bank, D, control)
    except NotPlain:
        return None
    return [StatementLine(**{n: row[n] for n in StatementLine._fields}) for row in found.iter_rows(named=True)]


def by_line(bank: str, detail: bytes, control: bytes | None) -> list[object]:
    return list(read(SPECS[bank], bank, D, BytesIO(detail), control))


@pytest.fixture(params=[bulk.BLOCK_BYTES, 700], ids=["one block", "many"])
def blocks(request, monkeypatch):
    monkeypatch.setattr(bulk, "BLOCK_BYTES", request.param)


@pytest.mark.parametrize("bank", BANKS)
def test_what_our_writer_writes_is_plain(bank, blocks):
    for lines in ([PAID], DAY[:3], DAY[:3] * 40):
        detail, control = written(bank, lines)
        assert at_once(bank, detail, control) == by_line(bank, detail, control)


@pytest.mark.parametrize("bank", ["rcb", "ccb", "boc"])
def test_chinese_and_escapes_are_plain(bank, blocks):
    detail, control = written(bank, DAY)
    assert at_once(bank, detail, control) == by_line(bank, detail, control)


@pytest.mark.parametrize("bank", ["rcb", "icbc", "ccb"])
def test_an_empty_day_is_plain(bank):
    assert at_once(bank, *written(bank, [])) == []


HABITS = {  # of other writers: what the second way takes too
    "space between elements": ("boc", lambda b: b.replace(b"><", b">\n\t <").replace(b"<Cd>\n\t </Cd>", b"<Cd></Cd>")),
    "CRLF in XML": ("boc", lambda b: b.replace(b"\n", b"\r\n")),
    "no line end at the end": ("rcb", lambda b: b[:-1]),
    "no line end at the end, CSV": ("ccb", lambda b: b[:-2]),
    "LF in CSV": ("ccb", lambda b: b.replace(b"\r\n", b"\n")),
    "no byte-order mark": ("ccb", lambda b: b[3:]),
    "what is behind a record": ("icbc", lambda b: b.replace(b" " * 18 + b"\r\n", b"whatever the bank \r\n")),
}


@pytest.mark.parametrize("name", HABITS)
def test_other_habits_are_plain(name, blocks):
    bank, change = HABITS[name]
    detail, control = written(bank, DAY[:3])
    assert change(detail) != detail
    assert at_once(bank, change(detail), control) == by_line(bank, change(detail), control) != []


STRANGE = {  # right, but not by heart
    "quoted": ("ccb", lambda b: b.replace(b"T0000001", b'"T0000001"')),
    "Chinese in records": ("icbc", lambda b: b.replace(b"T0000001", "终端".encode("gb18030") + b"    ")),
    "a numeric reference": ("boc", lambda b: b.replace(b"T0000001", b"T&#48;000001")),
    "another element": ("boc", lambda b: b.replace(b"</Ntry>", b"<AddtlNtryInf>x</AddtlNtryInf></Ntry>")),
    "a comment": ("boc", lambda b: b.replace(b"</Ntry>", b"</Ntry><!-- x -->")),
    "CDATA": ("boc", lambda b: b.replace(b"T0000001", b"<![CDATA[T0000001]]>")),
    "no day": ("boc", lambda b: b),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_strange_is_read_line_by_line(name):
    bank, change = STRANGE[name]
    detail, control = written(bank, DAY[:3] if name != "no day" else [])
    assert name == "no day" or change(detail) != detail
    assert at_once(bank, change(detail), control) is None
    faults = Faults()
    found = lines_of(BytesIO(change(detail)), SPECS[bank], bank, D, control, faults)
    assert (faults.number, found.height) == (0, 0 if name == "no day" else 3)




@pytest.mark.parametrize(
    ("old", "new"),
    [(b"<Ntry>", b"<!--<Ntry>"), (b"<Stmt>", b"<Stmt xmlns='x'>"), (b"</Stmt>", b"<Ntry/></Stmt>"),
     (b"</Stmt>", b""), (b"<Document ", b"<!DOCTYPE d><Document "), (b">CLBD<", b">CLBX<"), (b"<Ntry>", b"<a><Ntry>")],
)  # fmt: skip
def test_entries_in_a_strange_place_are_left_to_the_xml_reader(old, new):
    detail, _ = written("boc", [PAID, VOID])
    assert old in detail
    assert at_once("boc", detail.replace(old, new, 1), None) is None


class Endless(BytesIO):
    """A document of which one text never ends; counts what was asked of it."""

    given = 0

    def read(self, size=-1):
        assert size > 0
        self.given += size
        return super().read(size) or b"x" * size


@pytest.mark.parametrize("behind", [b"<MsgId>", b"<Tp>TERMINAL</Tp><Ref>", b"<Ntry>", b"</Ntry>"])
def test_a_text_without_end_is_given_up_early(behind):
    """C69: neither way keeps what no column can hold; text that is no element's own is skipped as far as 2 GiB."""
    detail, _ = written("boc", [PAID])
    begins = detail[: detail.index(behind) + len(behind)]
    source = Endless(begins)
    with pytest.raises(NotPlain):
        read_plain(source, SPECS["boc"], "boc", D, None)
    assert source.given <= 3 * bulk.BLOCK_BYTES
    if b"Ntry" not in behind:
        *_, last = read(SPECS["boc"], "boc", D, Endless(begins))
        assert "too long" in str(last)


TEXT = st.text(st.characters(codec="gb18030", exclude_characters="|") | st.sampled_from(" <&>',"), max_size=8)
MOMENTS = st.datetimes().map(lambda at: f"{at:%Y%m%d%H%M%S}".zfill(14))
STANS = st.integers(0, 999999).map("{:06d}".format)
NUMBERS = st.integers(0, 10**20 - 1).map("{:020d}".format)


@st.composite
def several(draw):
    texts = TEXT if draw(st.booleans()) else st.text("Ab 0'&<>", max_size=8)
    lines = []
    for _ in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from("PPVR"))
        original = (draw(MOMENTS), draw(STANS)) if kind != "P" or draw(st.booleans()) else ("", "")
        one = StatementLine(
            D, draw(MOMENTS), draw(STANS), draw(texts), draw(texts)[:4], draw(texts), kind, draw(NUMBERS),
            draw(st.integers(1, 10**12)), draw(NUMBERS | st.just("")), draw(st.sampled_from(["01", "05"])), *original,
        )  # fmt: skip
        lines.append(one)
    return [one for one in lines if "".join(map(str, one)).isprintable()]


@pytest.mark.parametrize("bank", BANKS)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_both_ways_agree_on_every_file(bank: str, data: st.DataObject) -> None:
    """Whole or damaged: what is read at once has no fault and the same lines, to the line number."""
    try:
        detail, control = written(bank, data.draw(several()))
    except ValueError:
        return  # wider than the layout
    damaged = bytearray(detail)
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, max(len(damaged) - 1, 0)))
        other = data.draw(st.sampled_from([b"", b"0", b" ", b"|", b"\n", b"\r\n", b"<", b"&", b"\x00", b"\xff", b"9"]))
        damaged[at : at + data.draw(st.integers(0, 1))] = other
    found = at_once(bank, bytes(damaged), control)
    assert found is None or found == by_line(bank, bytes(damaged), control)


def test_totals_are_gross():
    lines = pl.DataFrame({"kind": ["P", "V", "P", "R"], "amount": [5, 2, 1, 1]})
    assert totals(lines) == (2, 6, 2, 3)
    assert totals(lines.head(0)) == (0, 0, 0, 0)
