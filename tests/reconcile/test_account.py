"""The special account's statement: both layouts tell the same, and whatever is wrong is named and nothing taken."""

from __future__ import annotations

import string
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree
from shebao_account import HEAD, SPACE, Line, camt, csv, entry

from shebao.reconcile.account import AccountEntry, fen_of, read_account
from shebao.reconcile.accountxml import assigned, day_of

XSD = Path(__file__).resolve().parents[1] / "data" / "camt.053.001.08.xsd"
LINES = [
    Line(),
    Line("R2", "0.01", dates="2026-11-23 2026-11-24", text=""),
    Line("R3", "50000", bank="", dates="", text="误划"),
    Line("R1", "7.5", bank="", dates="", direction="debit"),
]


def wrongs(source: bytes) -> list[str]:
    """Faults as an operator reads them; and then nothing is taken."""
    found = read_account(source)
    assert found.entries == [] and found.faults
    assert all(str(fault).isprintable() and fault.right for fault in found.faults)
    return [str(fault) for fault in found.faults]


def good(source: bytes) -> list[AccountEntry]:
    found = read_account(source)
    assert not found.faults, [str(fault) for fault in found.faults]
    return found.entries


def test_what_is_expected_of_a_csv() -> None:
    first, second, third, fourth = good(csv(LINES))
    assert first == AccountEntry(2, "20261124-000001", 123450, True, 20261124, "icbc", (20261123,), "代收社保费")
    assert (second.amount_fen, second.dates) == (1, (20261123, 20261124))
    assert (third.amount_fen, third.bank, third.dates) == (5_000_000, "", ())
    assert (fourth.amount_fen, fourth.credit) == (750, False)


@pytest.mark.parametrize("version", ["08", "02"])
def test_both_versions_of_camt_tell_the_same_as_the_csv(version: str) -> None:
    plain = [one._replace(line=0, text="") for one in good(csv(LINES))]
    assert [one._replace(line=0, text="") for one in good(camt(LINES, version))] == plain
    assert good(camt(LINES, version))[0].text == "SHEBAO icbc 20261123 代收社保费"


def test_the_camt_of_these_tests_is_valid() -> None:
    etree.XMLSchema(etree.parse(XSD)).assertValid(etree.fromstring(camt(LINES)))


def test_columns_in_any_order_encodings_and_line_ends() -> None:
    head = "text,dates,bank,received_on,amount,reference"
    told = csv(LINES[:3], head)
    assert good(told) == good(csv(LINES[:3]))
    assert good(b"\xef\xbb\xbf" + told) == good(told.decode().encode("gb18030")) == good(told)
    assert good(told.replace(b"\n", b"\r\n")) == good(told)
    least = "reference,amount,received_on,bank,dates"
    assert [one.text for one in good(csv(LINES[:2], least))] == ["", ""]


def test_a_statement_without_entries() -> None:
    assert good(csv([])) == good(camt([], entries=" ")) == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"amount": "0"}, "amount '0'"), ({"amount": "1,234.50"}, "7"), ({"amount": "-1"}, "amount '-1'"),
        ({"amount": "+1"}, "amount"), ({"amount": "1.234"}, "amount"), ({"amount": "1e3"}, "amount"),
        ({"amount": " 1"}, "amount"), ({"amount": ""}, "amount ''"), ({"amount": "１"}, "amount"),
        ({"amount": "01"}, "amount"), ({"amount": "1."}, "amount"), ({"amount": "12345678901234"}, "amount"),
        ({"received_on": "2026-02-30"}, "received_on '2026-02-30' is no date"),
        ({"received_on": "20261124"}, "received_on '20261124' is no date"),
        ({"bank": "ICBC"}, "bank 'ICBC'"), ({"bank": ""}, "half of bank and dates"), ({"dates": ""}, "half of"),
        ({"dates": "20261123"}, "dates: '20261123' is no date"), ({"dates": "2026-11-23;2026-11-24"}, "is no date"),
        ({"dates": "2026-11-23 2026-11-23"}, "twice"), ({"direction": "CREDIT"}, "direction"),
        ({"reference": ""}, "reference ''"), ({"reference": "x" * 65}, "reference"), ({"text": "a\x07b"}, "U+0007"),
        ({"reference": "a\x85b"}, "U+0085"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_line(changed: dict[str, str], says: str) -> None:
    told = wrongs(csv([Line("R0"), Line()._replace(**changed)]))
    assert len(told) == 1 and told[0].startswith("line 3: ") and says in told[0], told


def test_every_fault_is_told() -> None:
    told = wrongs(csv([Line("", "x"), Line("R2", bank="?"), Line("R3")]))
    assert [one.split(":")[0] for one in told] == ["line 2", "line 2", "line 3"]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b"", "no header line"), (b"reference,amount\n", "no column received_on, bank, dates"),
        (f"{HEAD},iban\n".encode(), 'column "iban" too'), (f"{HEAD},text\n".encode(), 'column "text" twice'),
        (f"{HEAD}\n".encode() + b"\xff\xff\n", "UTF-8 or GB18030"), (HEAD.encode("utf-16"), "UTF-16"),
        (f"{HEAD}\na,b\n".encode(), "2 fields"), (f'{HEAD}\n"a\n'.encode(), "is no CSV"),
    ],
)  # fmt: skip
def test_what_is_no_such_csv(source: bytes, says: str) -> None:
    assert says in " ".join(wrongs(source))


def test_two_credits_of_one_reference_are_refused_but_a_debit_may_have_it() -> None:
    pair = [Line("R1"), Line("R1", "5")]
    assert wrongs(csv(pair)) == [
        "line 3: reference 'R1' is that of line 2 too; give each credit a reference of its own"
    ]
    assert "NtryRef 2, line 8: reference 'R1' is that of NtryRef 1, line 7 too" in wrongs(camt(pair))[0]
    assert len(good(csv([Line("R1"), Line("R1", direction="debit"), Line("R1", direction="debit")]))) == 3


def test_too_large() -> None:
    assert "64 MiB" in wrongs(b" " * (64 * 1024**2 + 1))[0]


# -- camt.053 -------------------------------------------------------------------------------------------------------


def one_of(changed: str, to: str, version: str = "08") -> bytes:
    written = camt([Line()], version).decode()
    assert changed in written
    return written.replace(changed, to, 1).encode()


@pytest.mark.parametrize(
    ("changed", "to", "says"),
    [
        ('Ccy="CNY">1234', 'Ccy="USD">1234', "currency 'USD'"),
        ("<CdtDbtInd>CRDT</CdtDbtInd><Sts>", "<CdtDbtInd>C</CdtDbtInd><Sts>", "direction 'C'"),
        ("<CdtDbtInd>CRDT</CdtDbtInd><Sts>", "<Sts>", "0 times CdtDbtInd"),
        ("<Sts><Cd>BOOK</Cd></Sts>", "", "0 times Sts"),
        ("<Cd>BOOK</Cd>", "<Cd>NEXT</Cd>", "status 'NEXT'"),
        ("<NtryRef>", '<Amt Ccy="CNY">1</Amt><NtryRef>', "2 times Amt"),
        (">1234.50<", ">1234.505<", "amount '1234.505'"),
        ("<Dt>2026-11-24</Dt></BookgDt>", "<Dt>24.11.2026</Dt></BookgDt>", "received_on '24.11.2026'"),
        ("代收", "代&#x85;收", "text holds U+0085"),
        ("代收", "代&unknown;收", "undefined entity"),
        ("<Document xmlns", "<!DOCTYPE Document [<!ENTITY a 'b'>]>\n<Document xmlns", "DOCTYPE"),
        ("</Stmt>", "</Stmt><Stmt><Acct><Id><IBAN>X</IBAN></Id></Acct></Stmt>", "statements of 2 accounts"),
        ("Stmt>", "Stnt>", ""),
        (f"{SPACE}08", f"{SPACE}06", "the root element is"),
        (f"{SPACE}08", "urn:iso:std:iso:20022:tech:xsd:camt.054.001.08", "the root element is"),
        ('encoding="UTF-8"', 'encoding="GB18030"', "encoding is declared as 'GB18030'"),
        ("</Document>", "", "no element found"),
        ("<Stmt>", "<Stmt>" + "<a>" * 60, "nested too deeply"),
        ("代收", "x" * 10_001, "too long"),
    ],
)
def test_a_wrong_document_is_named(changed: str, to: str, says: str) -> None:
    assert says in " ".join(wrongs(one_of(changed, to)))


def test_a_document_in_another_encoding_or_without_a_statement() -> None:
    assert "UTF-8" in wrongs(camt([Line()]).decode().encode("utf-16"))[0]
    empty = f'<Document xmlns="{SPACE}08"><BkToCstmrStmt/></Document>'.encode()
    assert wrongs(empty) == ["no Stmt; write the statement of the special account"]
    assert good(b"\xef\xbb\xbf\n" + camt([Line()]).split(b"\n", 1)[1])


@pytest.mark.parametrize("version", ["08", "02"])
@pytest.mark.parametrize("status", ["PDNG", "INFO", "FUTR"])
def test_what_is_not_booked_is_left_out(version: str, status: str) -> None:
    entries = entry(Line("", "x"), 1, version, status) + entry(Line("R2"), 2, version)
    assert [one.reference for one in good(camt([], version, entries))] == ["R2"]


def test_the_reference_is_the_banks_else_that_of_its_one_detail_else_the_number() -> None:
    def reference(changed: str) -> str:
        (one,) = good(one_of("<AcctSvcrRef>20261124-000001</AcctSvcrRef>", changed))
        return one.reference

    assert reference("") == "1"
    assert reference("<AcctSvcrRef> A \n B </AcctSvcrRef>") == "A B"
    detail = "<NtryDtls><TxDtls><Refs><AcctSvcrRef>{}</AcctSvcrRef></Refs></TxDtls></NtryDtls>"
    assert reference(detail.format("D1")) == "D1"
    assert reference(detail.format("D1") + detail.format("D2")) == "1"


@pytest.mark.parametrize(
    ("told", "day"),
    [
        ("2026-11-24", "2026-11-24"), ("2026-11-24+08:00", "2026-11-24"), ("2026-11-24Z", "2026-11-24"),
        ("2026-11-24T23:30:00", "2026-11-24"), ("2026-11-24T23:30:00+08:00", "2026-11-24"),
        ("2026-11-24T23:30:00Z", "2026-11-25"), ("2026-11-24T23:30:00.123456789Z", "2026-11-25"),
        ("2026-11-24T25:30:00", "2026-11-24T25:30:00"), ("9999-12-31T23:00:00Z", "9999-12-31T23:00:00Z"),
        ("2026-13-01", "2026-13-01"), ("", ""),
    ],
)  # fmt: skip
def test_the_day_at_the_bank_is_chinas(told: str, day: str) -> None:
    assert day_of(told) == day


@pytest.mark.parametrize(
    ("text", "bank", "dates"),
    [
        ("SHEBAO icbc 20261123", "icbc", ["2026-11-23"]),
        ("代收 SHEBAO icbc 20261124,20261123 费", "icbc", ["2026-11-23", "2026-11-24"]),
        ("SHEBAO ICBC 20261123, 20261124", "icbc", ["2026-11-23", "2026-11-24"]),
        ("ＳＨＥＢＡＯ　ｉｃｂｃ　２０２６１１２３，２０２６１１２４", "icbc", ["2026-11-23", "2026-11-24"]),
        ("代收SHEBAO icbc 20261123。", "icbc", ["2026-11-23"]),
        ("SHEBAO icbc 20261123 SHEBAO icbc 20261123", "icbc", ["2026-11-23"]),
        ("SHEBAO icbc 20261123 SHEBAO ccb 20261123", "", []),
        ("SHEBAO icbc 20261131", "", []), ("SHEBAO icbc", "", []), ("SHEBAO 20261123", "", []), ("", "", []),
        ("SHEBAO icbc 20261123,2026 1124", "", []),  # cut: half of what it is for is not what it is for
        ("SHEBAO icbc 202611231", "", []), ("SHEBAO icbc 20261123,", "", []), ("XSHEBAO icbc 20261123", "", []),
        ("SHEBAO toolongabank 20261123", "", []),
    ],
)  # fmt: skip
def test_what_a_remittance_text_assigns(text: str, bank: str, dates: list[str]) -> None:
    assert assigned(text) == (bank, dates)


def test_the_texts_of_an_entry_are_one() -> None:
    source = one_of("</Ustrd>", "</Ustrd><Ustrd>第二行</Ustrd>").replace(
        b"</NtryDtls>", "</NtryDtls><AddtlNtryInf>备注 &lt;1&gt;</AddtlNtryInf>".encode()
    )
    assert good(source)[0].text == "SHEBAO icbc 20261123 代收社保费 第二行 备注 <1>"


# -- whatever comes -------------------------------------------------------------------------------------------------

plain = st.text(string.ascii_letters + string.digits + "余杭·-&<>", min_size=1, max_size=20)
days = st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(str)
lines = st.builds(
    Line, reference=plain, amount=st.integers(1, 10**15 - 1).map(lambda fen: f"{fen // 100}.{fen % 100:02d}"),
    received_on=days, bank=st.sampled_from(["icbc", "rcb", "a1234567"]),
    dates=st.sets(days, min_size=1, max_size=5).map(lambda some: " ".join(sorted(some))),
    direction=st.sampled_from(["credit", "debit"]), text=plain,
)  # fmt: skip


@given(st.lists(lines, max_size=8, unique_by=lambda one: one.reference), st.sampled_from(["08", "02"]))
def test_what_is_written_is_read(written: list[Line], version: str) -> None:
    expected = [
        (one.reference, int(one.amount.replace(".", "")), one.direction == "credit", one.received_on, one.bank,
         tuple(one.dates.split()))
        for one in written
    ]  # fmt: skip
    for source in (csv(written), camt(written, version, "" if written else " ")):
        found = [
            (one.reference, one.amount_fen, one.credit, _iso(one.received_on), one.bank, tuple(map(_iso, one.dates)))
            for one in good(source)
        ]
        assert found == expected


def _iso(date: int) -> str:
    return f"{date // 10_000:04d}-{date // 100 % 100:02d}-{date % 100:02d}"


@given(st.binary(max_size=300) | st.text(HEAD + '",\n;<>&', max_size=300).map(str.encode))
@example(b"<")
@example(b"\xef\xbb\xbf")
@example(f"{HEAD}\n".encode() + b"\x00,1,2026-11-24,,,credit,\n")
def test_any_bytes_are_read_or_refused(source: bytes) -> None:
    found = read_account(source)
    assert not (found.entries and found.faults)
    assert all(str(fault).isprintable() and 0 <= fault.line <= len(source) + 1 for fault in found.faults)


@given(st.integers(1, 10**15 - 1))
def test_yuan(fen: int) -> None:
    assert fen_of(f"{fen // 100}.{fen % 100:02d}") == fen
    assert fen_of(f"{fen}") == fen * 100 if fen < 10**13 else fen_of(f"{fen}") is None
