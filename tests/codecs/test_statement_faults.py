"""Statement files that must be refused: every kind of fault, with its line, in the text layouts."""

import io
import re

import pytest

from shebao.codecs.columns import FILE_BYTES_MAX, LINE_BYTES_MAX
from shebao.codecs.statement import read

BANKS = ("rcb", "icbc", "ccb", "boc")



@pytest.mark.parametrize("bank", BANKS)
def test_another_bank(kit, bank):
    detail, control = kit.written(bank, kit.DAY)
    other = b"xxxx"[: len(bank)]
    if bank == "ccb":
        control = control.replace(b"bank=ccb", b"bank=xxx")
    elif bank == "boc":
        detail = detail.replace(b"<Id>boc</Id>", b"<Id>xxx</Id>")
    else:
        detail = detail.replace(bank.encode(), other, 1)
    faults = kit.faults_of(bank, detail, control)
    assert len(faults) == 1 and other.decode() in faults[0][1] and f"{bank}'s file" in faults[0][1]


@pytest.mark.parametrize("bank", BANKS)
def test_another_date(kit, bank):
    spec, detail, control = kit.SPECS[bank], *kit.written(bank, kit.DAY)
    lines, faults = kit.split(read(spec, bank, kit.DATE + 1, io.BytesIO(detail), control))
    assert lines == []
    assert sum("settlement_date 20261123; this file is of 20261124" in str(fault) for fault in faults) == len(kit.DAY)
    assert any("this is the place of" in str(fault) for fault in faults)


BAD_COLUMNS = [
    ({"moment": "20260229093000"}, "does not exist"),
    ({"moment": "19261123093000"}, "of a year 20xx"),  # the books would keep it as 2026
    ({"moment": "21261123093000"}, "of a year 20xx"),
    ({"moment": "20261123240000"}, "transaction_time"),
    ({"moment": "2026112309300"}, "transaction_time"),
    ({"stan": "00000x"}, "stan"),
    ({"stan": "００００01"}, "stan"),
    ({"kind": "X"}, "kind"),
    ({"bill": "3301102611010000001"}, "bill_number"),
    ({"bill": ""}, "bill_number"),
    ({"receipt": "2611230100000000001x"}, "receipt"),
    ({"channel": "06"}, "channel"),
    ({"channel": ""}, "channel"),
    ({"kind": "R", "original_moment": "", "original_stan": ""}, "without its original"),
    ({"original_moment": "20261123094500", "original_stan": ""}, "half an original"),
    ({"original_moment": "20261323094500", "original_stan": "000001"}, "does not exist"),
]


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize(("change", "told"), BAD_COLUMNS)
def test_bad_columns(kit, bank, change, told):
    if bank == "icbc" and "００" in str(change):
        pytest.skip("too wide for its column")
    detail, control = kit.written(bank, [kit.PAYMENT._replace(**change), kit.PAYMENT])
    lines, faults = kit.reading(bank, detail, control)
    assert any(told in str(fault) for fault in faults)
    assert lines[-1:] == [kit.PAYMENT]
    assert len({fault.line for fault in faults}) == 1 and faults[0].line > 0
    assert not any("add up" in str(fault) for fault in faults)


@pytest.mark.parametrize(
    ("bank", "good", "bad"),
    [
        ("rcb", b"|123450|", [b"|0|", b"|-123450|", b"|+123450|", b"|1234.50|", b"| 1|", b"|1e5|", b"|01|", b"||"]),
        ("icbc", b"000000000123450", [b"000000000000000", b"-00000000123450", b"         123450", b"000000001234.50"]),
        ("ccb", b",1234.50,", [b",0.00,", b",-1.50,", b",1234.5,", b',"1,234.50",', b",1234,", b",1.500,", b",.50,"]),
    ],
)
def test_amounts_that_are_not_plain(kit, bank, good, bad):
    detail, control = kit.written(bank, [kit.PAYMENT])
    body = detail[: detail.rindex(b"\nT")] if bank == "rcb" else detail
    assert good in body
    for wrong in bad:
        faults = kit.faults_of(bank, detail.replace(good, wrong, 1), control)
        assert len(faults) == 1 and faults[0][0] == 2 and "amount" in faults[0][1], (wrong, faults)


def test_receipt_and_branch_may_be_empty_in_the_banks_own_file(kit):
    line = kit.PAYMENT._replace(receipt="", branch="", rrn="", terminal="")
    for bank in kit.SPECS:
        assert kit.reading(bank, *kit.written(bank, [line])) == ([line], [])


@pytest.mark.parametrize(
    ("bank", "old", "new", "told"),
    [
        ("rcb", b"T|3|", b"T|4|", "number of payments is told as 4; the lines add up to 3"),
        ("rcb", b"|246905|", b"|246904|", "amount of payments is told as 2469.04 yuan"),
        ("rcb", b"|123455\n", b"|123456\n", "net amount"),
        ("rcb", b"|123455\n", b"|123455|\n", "trailer does not parse"),
        ("rcb", b"|123455\n", b"|+123455\n", "trailer does not parse: net"),
        ("icbc", b"+000000000123455", b"-000000000123455", "net amount is told as -1234.55 yuan"),
        ("icbc", b"+000000000123455", b" 000000000123455", "trailer does not parse: net"),
        ("icbc", b"90000000003", b"9         3", "trailer does not parse: payments"),
    ],
)
def test_trailers_that_disagree(kit, bank, old, new, told):
    detail = kit.written(bank, kit.DAY)[0]
    assert detail.count(old) == 1
    faults = kit.faults_of(bank, detail.replace(old, new))
    assert [told in fault for _, fault in faults] == [True]
    assert faults[0][0] == len(kit.DAY) + 2


def test_zero_is_plus(kit):
    detail = kit.written("icbc", [])[0]
    assert "trailer does not parse: net" in kit.faults_of("icbc", detail.replace(b"+", b"-"))[0][1]


@pytest.mark.parametrize(
    ("order", "line", "told"),
    [
        ("DT", 1, "no header"),
        ("HD", 2, "no trailer"),
        ("HHDT", 2, "second header"),
        ("HDHT", 3, "header after details"),
        ("HDTD", 4, "data after the trailer"),
        ("HDTT", 4, "data after the trailer"),
        ("HD?T", 3, "record type"),
        ("HDT?", 4, "record type"),
    ],
)
@pytest.mark.parametrize("bank", ["rcb", "icbc"])
def test_the_order_of_records(kit, bank, order, line, told):
    end = kit.SPECS[bank].line_end
    header, detail, trailer = kit.written(bank, [kit.PAYMENT])[0].split(end)[:-1]
    records = {"H": header, "D": detail, "T": trailer, "?": b"?" + detail[1:]}
    file = b"".join(records[kind] + end for kind in order)
    assert any(at == line and told in fault for at, fault in kit.faults_of(bank, file))


@pytest.mark.parametrize("bank", BANKS)
def test_an_empty_file(kit, bank):
    faults = kit.faults_of(bank, b"", kit.written(bank, [])[1])
    assert [fault for _, fault in faults if "the file is empty" in fault]


@pytest.mark.parametrize("bank", BANKS)
def test_wrong_encoding(kit, bank):
    detail, control = kit.written(bank, [kit.PAYMENT])
    faults = kit.faults_of(bank, detail.replace(b"=1+1", b"=\xff+1"), control)
    assert len(faults) == 1
    assert re.search(r"bytes that are no (GB18030|UTF-8)|no well-formed XML in UTF-8", faults[0][1])
    assert faults[0][0] > 1


def test_line_ends(kit):
    detail = kit.written("rcb", kit.DAY)[0]
    assert all("CRLF" in fault for _, fault in kit.faults_of("rcb", detail.replace(b"\n", b"\r\n"))[:-1])
    assert kit.reading("rcb", detail[:-1]) == (kit.DAY, [])
    fixed = kit.written("icbc", kit.DAY)[0]
    assert "LF alone" in kit.faults_of("icbc", fixed.replace(b"\r\n", b"\n"))[0][1]
    assert "161 bytes" in kit.faults_of("icbc", fixed[:-1])[0][1]
    detail, control = kit.written("ccb", kit.DAY)
    assert kit.reading("ccb", detail.replace(b"\r\n", b"\n"), control.replace(b"\r\n", b"\n")) == (kit.DAY, [])


def test_csv_readers_accept_more(kit):
    detail, control = kit.written("ccb", [kit.PAYMENT, kit.VOID])
    assert kit.reading("ccb", detail.removeprefix(b"\xef\xbb\xbf"), control) == ([kit.PAYMENT, kit.VOID], [])
    quoted = detail.replace(b",=1+1,", b',"=1+1",').replace(b"20261123,2026", b'"20261123",2026')
    assert kit.reading("ccb", quoted, control) == ([kit.PAYMENT, kit.VOID], [])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"stan,rrn", b"rrn,stan", "column names"),
        (b",=1+1,", b',"=1+1,', "no CSV"),
        (b",=1+1,", b",=1,1,", "14 columns"),
        (b",=1+1,", b",=1\x1f1,", "14 columns"),
        (b",=1+1,", b',"=1\n1",', "no CSV"),
        (b",=1+1,", b",=1\x001,", "branch"),
    ],
)
def test_bad_csv(kit, old, new, told):
    detail, control = kit.written("ccb", [kit.PAYMENT])
    if told == "14 columns" and b"\x1f" in new:
        told = "branch"
    assert told in kit.faults_of("ccb", detail.replace(old, new), control)[0][1]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"date=20261123", b"date=20261124", "line 2: date '20261124'"),
        (b"payments=3", b"payments=2", "line 3: number of payments is told as 2"),
        (b"payments_amount=2469.05", b"payments_amount=2469.06", "line 4: amount of payments"),
        (b"payments_amount=2469.05", b"payments_amount=246905", "line 4: payments_amount '246905' is no plain number"),
        (b"net_amount=1234.55\r\n", b"", "net_amount missing"),
        (b"net_amount=1234.55\r\n", b"net_amount=1234.55\r\n" * 2, "line 8: a second net_amount="),
        (b"reversals=1", b"\xffreversals=1", "line 5"),
        (b"net_amount=1234.55", b"net_amount=1234.55" + b"0" * 5000, "larger than"),
    ],
)
def test_bad_control_file(kit, old, new, told):
    detail, control = kit.written("ccb", kit.DAY)
    assert old in control
    faults = kit.faults_of("ccb", detail, control.replace(old, new))
    assert told in faults[0][1] and "CCB_20261123_DTL.ctl" in faults[0][1]


def test_a_missing_control_file(kit):
    assert "CCB_20261123_DTL.ctl: is missing" in kit.faults_of("ccb", kit.written("ccb", kit.DAY)[0], None)[0][1]


def test_a_line_without_end_is_not_loaded(kit):
    class Endless(io.RawIOBase):
        given = 0

        def readable(self):
            return True

        def readinto(self, buffer):
            self.given += len(buffer)
            assert self.given < 1 << 20
            buffer[:] = b"x" * len(buffer)
            return len(buffer)

    for bank in ("rcb", "icbc", "ccb"):
        faults = kit.split(read(kit.SPECS[bank], bank, kit.DATE, io.BufferedReader(Endless(), LINE_BYTES_MAX), b""))[1]
        assert "too long" in str(faults[0])


def test_a_file_above_2_gib(kit, monkeypatch):
    assert FILE_BYTES_MAX == 2 * 1024**3
    monkeypatch.setattr("shebao.codecs.textfile.FILE_BYTES_MAX", 300)
    assert "larger than 2 GiB" in kit.faults_of("rcb", kit.written("rcb", kit.DAY)[0])[0][1]
