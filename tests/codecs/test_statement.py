"""Statement files: golden bytes of the text layouts, round trips, digest, money, and the layout as data."""

import io
import re
from datetime import timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shebao.codecs.section import SettingsError, read_toml
from shebao.codecs.statement import (
    Totals,
    file_names,
    format_yuan,
    parse_sm3,
    parse_yuan,
    read,
    sm3_hex,
    statement_spec,
    totals_of,
    write,
)

BANKS = ("rcb", "icbc", "ccb", "boc")
CST = timezone(timedelta(hours=8))

# Golden bytes, column by column


def test_pipe_to_the_byte(kit):
    assert kit.written("rcb", kit.DAY)[0] == (
        b"H|rcb|20261123\n"
        b"D|20261123|20261123093000|000001|123456789012|T0000001|=1+1|P|33011026110100000019|123450|26112301000000000015|01||\n"
        b"D|20261123|20261123094500|000002|RRN 2|T0000001|=1+1|V|33011026110100000019|123450|26112301000000000015|01"
        b"|20261123093000|000001\n"
        b"D|20261123|20261123095000|000003||T0000001|=1+1|P|33011026110100000019|123450|26112301000000000015|01"
        b"|20261123094500|000002\n"
        b'D|20261123|20261123093000|000004|123456789012|A,"B|@SUM(A1)|P|33011026110100000019|5|26112301000000000015|03||\n'
        b"T|3|246905|1|123450|123455\n"
    )


def test_fixed_to_the_byte(kit):
    records = kit.written("icbc", [kit.VOID])[0].split(b"\r\n")
    void = (
        b"5" b"20261123" b"20261123094500" b"000002" b"RRN 2       " b"T0000001" b"=1+1           " b"V"
        b"33011026110100000019" b"000000000123450" b"26112301000000000015" b"01" b"20261123093000" b"000001"
    )  # fmt: skip
    trailer = b"9" b"0000000000" b"000000000000000" b"0000000001" b"000000000123450" b"-" b"000000000123450"
    assert len(void) == 142
    assert records == [b"1icbc    20261123".ljust(160), void.ljust(160), trailer.ljust(160), b""]


def test_csv_to_the_byte(kit):
    detail, control = kit.written("ccb", [kit.VOID, kit.SMALL])
    assert detail == (
        b"\xef\xbb\xbfsettlement_date,transaction_time,stan,rrn,terminal,branch,kind,bill_number,amount,receipt,channel,"
        b"original_time,original_stan\r\n"
        b"20261123,20261123094500,000002,RRN 2,T0000001,=1+1,V,33011026110100000019,1234.50,26112301000000000015,01,"
        b"20261123093000,000001\r\n"
        b'20261123,20261123093000,000004,123456789012,"A,""B",@SUM(A1),P,33011026110100000019,0.05,26112301000000000015,03,,\r\n'
    )
    assert control == (
        b"bank=ccb\r\ndate=20261123\r\npayments=1\r\npayments_amount=0.05\r\nreversals=1\r\nreversals_amount=1234.50\r\n"
        b"net_amount=-1234.45\r\n"
    )


def test_empty_days(kit):
    assert kit.written("rcb", [])[0] == b"H|rcb|20261123\nT|0|0|0|0|0\n"
    assert b"+000000000000000" in kit.written("icbc", [])[0]
    assert kit.written("ccb", [])[1].endswith(b"net_amount=0.00\r\n")
    for bank in kit.SPECS:
        assert kit.reading(bank, *kit.written(bank, [])) == ([], [])


def test_file_names(kit):
    assert file_names(kit.SPECS["rcb"], "rcb", kit.DATE) == ("RCB_20261123_DTL.txt", None)
    assert file_names(kit.SPECS["ccb"], "ccb", kit.DATE) == ("CCB_20261123_DTL.csv", "CCB_20261123_DTL.ctl")


# Round trips

def trimmed(line):
    return line._replace(rrn=line.rrn.rstrip(" "), terminal=line.terminal.rstrip(" "), branch=line.branch.rstrip(" "))


@pytest.mark.parametrize("bank", BANKS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(kit, bank, data):
    lines = data.draw(kit.days)
    assert kit.reading(bank, *kit.written(bank, lines)) == ([trimmed(line) for line in lines], [])


@pytest.mark.parametrize("bank", BANKS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damage_is_told_or_harmless(kit, bank, data):
    """Never an exception; without a fault (the digest not asked) the totals and the number of lines still hold."""
    lines = data.draw(kit.days)
    detail, control = kit.written(bank, lines)
    damaged = bytearray(detail)
    at = data.draw(st.integers(0, len(detail) - 1))
    act = data.draw(st.sampled_from(["change", "cut", "remove", "insert"]))
    if act == "cut":
        del damaged[at:]
    elif act == "remove":
        del damaged[at]
    else:
        byte = data.draw(st.integers(0, 255))
        damaged[at : at + (act == "change")] = bytes([byte])
    found, faults = kit.reading(bank, bytes(damaged), control)
    assert faults or totals_of(found) == totals_of(lines)
    assert all("\n" not in str(fault) for fault in faults)


@pytest.mark.parametrize("bank", BANKS)
@given(rubbish=st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_rubbish_is_refused(kit, bank, rubbish):
    lines, faults = kit.reading(bank, rubbish, b"")
    assert faults and not lines


@pytest.mark.parametrize("bank", BANKS)
def test_lines_carry_their_physical_line(kit, bank):
    detail, control = kit.written(bank, kit.DAY)
    lines = list(read(kit.SPECS[bank], bank, kit.DATE, io.BytesIO(detail), control))
    physical = detail.decode(kit.SPECS[bank].encoding).split("\n")
    for line in lines:
        assert f"{line.original_stan or line.stan}" in physical[line.line - 1]
    assert [line.line for line in lines] == list(range(lines[0].line, lines[0].line + len(kit.DAY)))


@pytest.mark.parametrize("bank", BANKS)
def test_writing_streams(kit, bank):
    taken = []

    def lines():
        for number in range(3000):
            taken.append(number)
            yield kit.PAYMENT

    chunks = write(kit.SPECS[bank], kit.context(bank), Totals(3000, 3000 * 123450, 0, 0), lines())
    next(chunks)
    next(chunks)
    assert len(taken) < 1000
    assert all(len(chunk) < 1 << 20 for chunk in chunks)
    assert len(taken) == 3000


@pytest.mark.parametrize("bank", BANKS)
def test_a_writer_refuses_other_totals(kit, bank):
    with pytest.raises(ValueError, match="add up"):
        list(write(kit.SPECS[bank], kit.context(bank), Totals(1, 1, 0, 0), [kit.PAYMENT]))


@pytest.mark.parametrize("bank", BANKS)
def test_a_writer_refuses_what_the_wire_cannot_bring(kit, bank):
    with pytest.raises(ValueError, match="control character"):
        kit.written(bank, [kit.PAYMENT._replace(branch="a\nb")])


def test_a_pipe_inside_a_column(kit):
    with pytest.raises(ValueError, match="inside a column"):
        kit.written("rcb", [kit.PAYMENT._replace(branch="a|b")])
    line = kit.PAYMENT._replace(branch="a|b")
    assert kit.reading("ccb", *kit.written("ccb", [line])) == ([line], [])


def test_widths_count_bytes(kit):
    line = kit.PAYMENT._replace(branch="余杭支行", terminal="终端")
    detail = kit.written("icbc", [line])[0]
    assert {len(record) for record in detail.split(b"\r\n")[:-1]} == {160}
    assert kit.reading("icbc", detail) == ([line], [])
    with pytest.raises(ValueError, match="wider than 15 bytes"):
        kit.written("icbc", [kit.PAYMENT._replace(branch="余杭区临平支行营业部")])


def test_blanks_stay_in_fixed_and_go_elsewhere(kit):
    line = kit.PAYMENT._replace(rrn="12          ", branch=" x ")
    assert b"|12|T0000001| x|" in kit.written("rcb", [line])[0]
    assert b"12          T0000001 x             P" in kit.written("icbc", [line])[0]
    assert kit.reading("icbc", kit.written("icbc", [line])[0])[0] == [trimmed(line)]


# Digest and money


def test_sm3():
    assert sm3_hex([b"a", b"bc"]) == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


@pytest.mark.parametrize("text", ["{}", "{}\n", "{}\r\n", "{}  RCB_20261123_DTL.txt\n", "{} *文件.txt"])
def test_digests_that_are_forgiven(text):
    digest = sm3_hex([b"abc"])
    assert parse_sm3(text.format(digest)) == parse_sm3(text.format(digest.upper())) == digest


@pytest.mark.parametrize("text", ["", "{}0", " {}", "{}\n{}", "{}x.txt", "\ufeff{}"])
def test_digests_that_are_not(text):
    assert parse_sm3(text.format("0" * 64, "0" * 64)) is None
    assert parse_sm3("0" * 63) is None


@given(st.integers(-(10**17), 10**17))
def test_yuan_round_trip(fen):
    assert parse_yuan(format_yuan(fen), signed=True) == fen
    assert parse_yuan(format_yuan(fen)) == (fen if fen >= 0 else None)


@pytest.mark.parametrize(
    "text", ["", "1", "1.5", "1.505", "01.50", "+1.50", " 1.50", "1,000.00", "1e2", "１.00", "1.00\n"]
)
def test_yuan_that_is_not_plain(text):
    assert parse_yuan(text) is None
    assert parse_yuan("-0.00", signed=True) is None


# The layout as data


@pytest.mark.parametrize(
    ("bank", "old", "new", "told"),
    [
        ("rcb", '"pipe"', '"pip"', "statement.layout"),
        ("rcb", '"gb18030"', '"gbk"', "statement.encoding"),
        ("rcb", "{date}", "{day}", "statement.file"),
        ("rcb", "{BANK}_", "../{BANK}_", "statement.file"),
        ("rcb", 'amounts = "fen"', 'amounts = "fen"\nrecord_bytes = 160', "statement.record_bytes: unknown key"),
        ("icbc", "160", "141", "statement.record_bytes"),
        ("icbc", '"fen"', '"yuan"', "statement.amounts"),
        ("ccb", '"utf-8"', '"gb18030"', "statement.bom"),
        ("ccb", "DTL.ctl", "DTL.csv", "statement.control_file"),
        ("ccb", "DTL.ctl", "DTL.csv.sm3", "statement.control_file"),
        ("ccb", "DTL.ctl", "DTL.csv.ok", "statement.control_file"),
        ("rcb", "_DTL", "D" * 61, "statement.file"),
        ("rcb", "{BANK}", "B" * 61 + "{BANK}", "statement.file"),
        ("ccb", "{BANK}_{date}_DTL.ctl", "{BANK}" + "-" * 61 + "{date}", "statement.control_file"),
        ("boc", '"utf-8"', '"gb18030"', "statement.encoding"),
    ],
)
def test_bad_statement_tables(kit, bank, old, new, told):
    table = kit.TABLES[bank].replace(old, new)
    assert table != kit.TABLES[bank]
    with pytest.raises(SettingsError, match=re.escape(told)) as refused:
        statement_spec(read_toml(f"[statement]{table}", "etc/dialects/x.toml").section("statement"))
    assert "etc/dialects/x.toml" in str(refused.value)
