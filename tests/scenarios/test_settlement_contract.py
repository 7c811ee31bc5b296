"""Files of a day and bad files against a second reading of the contract: bytes by `shebao_statements`, which shares no
code with the switch; receipts and states by hand. What ends in which class: `test_settlement_classes`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from shebao_bureau import BANKS, Bureau, bill_number
from shebao_days import D1, ZERO, D, Day, Days, receipt, row
from shebao_statements import FIRST_LINE, Row, camt, control, csv, detail, names, put, sm3

from shebao.ledger.facts import Request

SCHEMA = Path(__file__).resolve().parents[1] / "data" / "camt.053.001.08.xsd"
each_bank = pytest.mark.parametrize("bank", BANKS)


# -- the files that the switch writes ----------------------------------------------------------------------------------


def outbox(bureau: Bureau, bank: str, date: int) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in bureau.folder_of("outbox", bank, date).iterdir()}


def expected_files(bank: str, date: int, rows: Sequence[Row], opened: str) -> dict[str, bytes]:
    told = camt(str(date), rows, opened, f"{date}230000") if bank == "boc" else detail(bank, str(date), rows)
    name, beside = names(bank, str(date))
    files = {name: told, f"{name}.sm3": sm3(told).encode(), f"{name}.ok": b""}
    return {**files, beside: control(str(date), rows)} if beside else files


def odd(asked: Request) -> Request:
    """With blanks at the end, and what a layout has to quote or to escape."""
    return asked._replace(rrn="R&<7        ", terminal='T,"1  ', branch="Q>,2           ")


@each_bank
def test_the_files_of_three_days_to_the_byte(bureau: Bureau, bank: str) -> None:
    text = bureau.config.read_text(encoding="utf-8").replace(f"{bank}银行", "䶮𠮷葛·银行")
    bureau.config.write_text(text, encoding="utf-8")
    serial = iter(range(1, 99))
    rows: list[Row] = []

    def pay(service: str = "payment", mti: str = "0200", fen: int = 12345, bill: str = "", **more: Any) -> Row:
        asked = bureau.request(bank, service, mti, bill or bureau.bill(fen), fen)._replace(**more)
        assert bureau.ask(asked) == ["00"]
        rows.append(row(asked, receipt(bank, bureau.date, next(serial)), date=bureau.date))
        asks[rows[-1]] = asked
        return rows[-1]

    def undo(of: Row, kind: str, service: str = "reversal", first: Row | None = None) -> Row:
        asked = bureau.undo(asks[of], service)
        told = row(asked, kind=kind, date=bureau.date, of=(first or of))
        rows.append(told._replace(original_time=of.time, original_stan=of.stan))
        asks[rows[-1]] = asked
        return rows[-1]

    asks: dict[Row, Request] = {}
    strange = odd(bureau.request(bank, "payment", "0200", bureau.bill(5), 5))
    pay(fen=5, bill=strange.bill, rrn=strange.rrn, terminal=strange.terminal, branch=strange.branch)
    pay(rrn=" " * 12, terminal=" " * 8, branch=" " * 15, channel="03")
    pay("advice", "0220", 999_999_999_999)
    pay("advice", "0220", 700, bill=bill_number(999_001))  # fits no bill: suspense
    voided = pay()
    void = undo(voided, "V", "void")
    undo(void, "P", first=voided)  # the reversal of a void: a P line
    again = pay()
    undo(again, "R")
    bureau.undo(asks[again])  # no effect, so no line
    bureau.undo(asks[again], "void")
    paid_out = pay()
    refused = bureau.request(bank, "payment", "0200", paid_out.bill, 1)
    assert bureau.ask(refused) == ["B1"]
    bureau.close(bank)
    assert outbox(bureau, bank, D) == expected_files(bank, D, rows, f"{D}000000")
    before = outbox(bureau, bank, D)

    bureau.next_day()
    rows.clear()
    undo(paid_out, "R")  # of another date: the net is negative
    bureau.close(bank)
    assert outbox(bureau, bank, D1) == expected_files(bank, D1, rows, f"{D}230000")
    bureau.next_day()
    bureau.close(bank)
    assert outbox(bureau, bank, 20261125) == expected_files(bank, 20261125, [], f"{D1}230000")
    assert bureau.type("close", "--bank", bank, "--date", "2026-11-23").exit_code == 0
    assert outbox(bureau, bank, D) == before
    if bank == "boc":
        schema = etree.XMLSchema(etree.parse(SCHEMA))
        for date in (D, D1, 20261125):
            name = names(bank, str(date))[0]
            schema.assertValid(etree.fromstring(outbox(bureau, bank, date)[name]))


# -- what settles later ------------------------------------------------------------------------------------------------


def classes_open(bureau: Bureau) -> list[str]:
    return sorted(one["class"] for one in bureau.told("exceptions"))


def test_later_lines_settle_what_was_open(bureau: Bureau) -> None:
    """First one file alone, with all that it leaves open; then the next date's, which answers each of them."""
    s = Days(bureau, "ccb", (D, D1))
    first, then = s.at[D], s.at[D1]
    late, twice, live, unknown = first.pay(), first.pay(), first.pay(), first.new()
    s.lists(D, twice, twice, live, first.back(live), unknown)
    unheard = row(first.ask("advice"))  # the bank collected it; the advice comes tomorrow
    s.lists(D, unheard)
    s.close_until(D1)
    s.deliver(D)
    opened = s.run(D)
    assert opened["classes"] == {
        **ZERO, "MATCHED": 1, "DUPLICATE": 1, "LEDGER_ONLY": 1, "STATE_DIFFERS": 1, "BANK_ONLY": 2
    }  # fmt: skip
    assert (opened["state"], opened["exceptions_open"]) == ("CLOSED", 5)
    ids = {one["id"] for one in bureau.told("exceptions")}
    assert s.run(D) == opened and {one["id"] for one in bureau.told("exceptions")} == ids
    assert bureau.type("run", "--bank", "ccb").exit_code == 1 and bureau.type("status").exit_code == 1

    advice = bureau.request("ccb", "advice", "0220", unheard.bill, 12000)
    told = advice._replace(
        trace=int(unheard.time) % 10**12 * 10**6 + int(unheard.stan), moment=int(unheard.time), stan=unheard.stan,
        rrn=unheard.rrn,
    )  # fmt: skip
    assert bureau.ask(told) == ["00"]
    then.undo(live)  # the ledger follows, in its next date
    s.lists(D1, late, first.back(twice), first.back(unknown))
    s.close_until(20261125)
    s.deliver(D1)
    end = s.run(D1)
    assert (end["classes"], end["exceptions_open"]) == ({**ZERO, "OTHER_DATE": 3}, 0)
    assert classes_open(bureau) == [] and bureau.type("status").exit_code == 0  # at once, before D is run again
    end = s.run(D)
    assert end["classes"] == {**ZERO, "MATCHED": 2, "OTHER_DATE": 3}
    assert end["exceptions_open"] == 0 and end["state"] in ("RECONCILED", "SETTLED")
    assert bureau.type("status").exit_code == 0


def test_late_reversals_and_suspense_beside_the_classes(bureau: Bureau) -> None:
    s = Days(bureau, "boc", (D, D1))
    paid, suspended = s.at[D].pay(), s.at[D].pay("advice", bill=bill_number(990_002))
    s.lists(D, paid, suspended)
    s.close_until(D1)
    s.deliver(D)
    done = s.run(D)
    assert (done["state"], done["exceptions_open"]) == ("RECONCILED", 0)
    assert classes_open(bureau) == ["SUSPENSE"]
    asked = bureau.undo(s.at[D].asks[paid.time, paid.stan], code="R2")
    s.lists(D1, row(asked, kind="R", of=paid))
    s.close_until(20261125)
    s.deliver(D1)
    done = s.run(D1)
    assert (done["classes"], done["exceptions_open"], done["state"]) == (ZERO, 1, "CLOSED")
    listed = {one["class"]: one for one in bureau.told("exceptions")}
    assert set(listed) == {"SUSPENSE", "LATE_REVERSAL"}
    reversal = listed["LATE_REVERSAL"]
    assert (reversal["date"], reversal["bill"], reversal["amount"]) == ("2026-11-24", paid.bill, 12000)
    assert reversal["stan"] == asked.stan and reversal["proposal"] == "reverse"
    assert bureau.type("run", "--bank", "boc", "--date", "2026-11-24").exit_code == 1


def test_a_voids_reversal_that_came_too_late_joins_too(bureau: Bureau) -> None:
    """It is a `P` line of the bank's, with the void as its original."""
    s = Days(bureau, "icbc", (D, D1))
    paid = s.at[D].pay()
    void = s.at[D].undo(paid, "V")
    s.lists(D, paid, void)
    s.close_until(D1)
    s.deliver(D)
    assert s.run(D)["state"] == "SETTLED"  # nothing is due
    asked = bureau.undo(s.at[D].asks[void.time, void.stan], code="R2")
    told = row(asked, kind="P", of=paid)
    s.lists(D1, told._replace(original_time=void.time, original_stan=void.stan))
    s.close_until(20261125)
    s.deliver(D1)
    done = s.run(D1)
    assert (done["classes"], done["exceptions_open"]) == (ZERO, 1)
    (late,) = bureau.told("exceptions")
    assert (late["class"], late["ledger"]["receipt"], late["ledger"]["live"]) == ("LATE_REVERSAL", paid.receipt, False)


# -- readers' tolerances, and what they do not forgive -----------------------------------------------------------------


def three(bureau: Bureau, bank: str) -> tuple[Day, list[Row]]:
    """A closed date of three payments, one reversed."""
    d = Day(bureau, bank)
    paid = [d.pay() for _ in range(3)]
    rows = [*paid, d.undo(paid[2])]
    bureau.close(bank)
    return d, rows


FORGIVEN: dict[str, tuple[Callable[[list[Row]], bytes], str]] = {  # detail file, digest
    "rcb": (lambda rows: detail("rcb", str(D), rows), "{D}\r\n"),
    "icbc": (  # a name behind the digest; the rest of a record is nobody's business
        lambda rows: detail("icbc", str(D), rows).replace(b" " * 18 + b"\r\n", b"whatever the bank \r\n"),
        "{d}  ICBC_20261123_DTL.txt\n",
    ),
    "ccb": (lambda rows: csv(str(D), rows, always=True, bom=False), "{D}"),
    "boc": (lambda rows: detail("boc", str(D), rows), "{d} *BOC_20261123_DTL.xml\n"),
}


def test_what_readers_forgive(bureau: Bureau) -> None:
    for bank, (write, digest) in FORGIVEN.items():
        _, rows = three(bureau, bank)
        told = [one._replace(receipt="", branch="") for one in rows[::-1]]
        data = write(told)
        digest = digest.format(d=sm3(data), D=sm3(data).upper())
        put(bureau.folder_of("inbox", bank, D), bank, str(D), told, data, digest)
        assert bureau.told("run", "--bank", bank)["classes"] == {**ZERO, "MATCHED": 3}


# a good line becomes a bad one; each is named by its line, in XML by NtryRef too
BAD_LINES: dict[str, dict[str, Any]] = {
    "another date": {"date": "20261124"},
    "a time that does not exist": {"time": "20261123240000"},
    "a day that does not exist": {"time": "20260229090000"},
    "a STAN of letters": {"stan": "00000A"},
    "a STAN of blanks": {"stan": "      "},
    "a bill of 19 digits": {"bill": "3301102611010000001"},
    "an unknown kind": {"kind": "X"},
    "a reversal of nothing": {"kind": "R"},
    "half an original": {"original_time": "20261123090000"},
    "no amount": {"fen": 0},
    "an amount below zero": {"fen": -1},
    "a receipt of letters": {"receipt": "2611230400000000005X"},
}
Bad = tuple[Callable[[str, list[Row]], bytes], str]
BAD_FILES: dict[str, Bad] = {
    "another bank": (
        lambda bank, rows: detail(bank, str(D), rows)
        .replace(b"boc", b"abc").replace(b"icbc", b"abcc").replace(b"|rcb|", b"|abc|"), "abc",
    ),
    "another date": (lambda bank, rows: detail(bank, "20261122", [r._replace(date="20261122") for r in rows]), "2026"),
    "cut in the middle": (lambda bank, rows: detail(bank, str(D), rows)[:-200], ""),
    "the end lost": (lambda bank, rows: detail(bank, str(D), rows)[:-3], ""),
    "empty": (lambda bank, rows: b"", ""),
    "UTF-16": (lambda bank, rows: detail(bank, str(D), rows).decode().encode("utf-16"), ""),
    "a line less than the totals": (lambda bank, rows: _wrong_totals(bank, rows), ""),
}  # fmt: skip


def _wrong_totals(bank: str, rows: list[Row]) -> bytes:
    """The totals of all lines, and one line less."""
    whole = detail(bank, str(D), rows)
    lines = whole.splitlines(keepends=True)
    last = max(n for n, line in enumerate(lines) if rows[0].bill.encode() in line)
    return b"".join(lines[:last] + lines[last + 1 :])


def refused(bureau: Bureau, bank: str) -> str:
    done = bureau.type("run", "--bank", bank, "--date", "2026-11-23")
    assert (done.exit_code, done.stdout) == (3, ""), done.output
    assert "Traceback" not in done.stderr
    untouched(bureau, bank)
    return done.stderr


def untouched(bureau: Bureau, bank: str) -> None:
    book = int(BANKS[bank]) * 100
    assert bureau.rows(f"SELECT state FROM day WHERE book_id = {book} AND date = {D}") == [("CLOSED",)]
    for table in ("bank_file", "bank_block", "exception"):
        assert bureau.rows(f"SELECT count(*) FROM {table}") == [(0,)], table


@each_bank
def test_bad_files_leave_the_date_as_it_was(bureau: Bureau, bank: str) -> None:
    _, rows = three(bureau, bank)
    folder = bureau.folder_of("inbox", bank, D)
    good = row(bureau.request(bank, "payment", "0200", bureau.bill(), 12000), receipt(bank, D, 9))
    bad = [good._replace(**columns) for columns in BAD_LINES.values()]
    told = [one for each in bad for one in (good, each)]
    put(folder, bank, str(D), told)
    said = refused(bureau, bank)
    for n, name in enumerate(BAD_LINES):
        line = FIRST_LINE[bank] + 2 * n + 1
        assert re.search(rf"\bline {line}\b", said), (name, said)
        assert bank != "boc" or re.search(rf"\bNtryRef {2 * n + 2}\b", said), (name, said)
        assert not re.search(rf"\bline {line - 1}\b", said), (name, said)
    dry = bureau.type("run", "--bank", bank, "--dry-run")
    assert (dry.exit_code, dry.stderr) == (3, said)
    for name, (write, says) in BAD_FILES.items():
        if bank == "ccb" and name == "another bank":
            continue  # its detail file does not name the bank; the control file does, below
        put(folder, bank, str(D), rows, write(bank, rows))
        said = refused(bureau, bank)
        assert re.search(says, said), (name, said)


@pytest.mark.parametrize("bank", ["ccb", "boc"])
def test_what_must_lie_beside_the_file(bureau: Bureau, bank: str) -> None:
    _, rows = three(bureau, bank)
    folder = bureau.folder_of("inbox", bank, D)
    name, beside = names(bank, str(D))
    run = ("run", "--bank", bank, "--date", "2026-11-23")
    assert bureau.type(*run).exit_code == 5
    path = put(folder, bank, str(D), rows)
    whole = path.read_bytes()
    for lost in filter(None, (f"{name}.sm3", beside, name)):
        kept = (folder / lost).read_bytes()
        (folder / lost).unlink()
        assert lost in refused(bureau, bank)
        (folder / lost).write_bytes(kept)
    for digest in (" ", "0" * 64, sm3(whole)[:-1]):
        put(folder, bank, str(D), rows, digest=digest)
        assert "digest" in refused(bureau, bank), digest
    if beside:
        put(folder, bank, str(D), rows)
        right = control(str(D), rows)
        for old, new in (
            (b"bank=ccb", b"bank=boc"), (b"date=20261123", b"date=20261122"), (b"payments=3", b"payments=4"),
            (b"net_amount=240.00", b"net_amount=240.0"), (b"reversals=1\r\n", b""), (right, b""),
            (b"reversals_amount=120.00", b"reversals_amount=-120.00"),
        ):  # fmt: skip
            assert old in right
            (folder / beside).write_bytes(right.replace(old, new))
            assert beside in refused(bureau, bank), new
    (folder / f"{name}.ok").unlink()
    for words in (run, (*run, "--dry-run"), (*run, "--json")):
        assert bureau.type(*words).exit_code == 5
        untouched(bureau, bank)


@pytest.mark.parametrize("bank", ["rcb", "ccb"])
def test_another_file_for_an_accepted_date(bureau: Bureau, bank: str) -> None:
    _, rows = three(bureau, bank)
    folder = bureau.folder_of("inbox", bank, D)
    put(folder, bank, str(D), rows)
    first = bureau.told("run", "--bank", bank)
    put(folder, bank, str(D), rows[::-1])
    for words in (("run", "--bank", bank), ("run", "--bank", bank, "--dry-run")):
        done = bureau.type(*words)
        assert done.exit_code == 3 and "--replace" in done.stderr, done.output
    asked = bureau.told("run", "--bank", bank, "--replace", "--reason", "x", "--operator", "a")["id"]
    put(folder, bank, str(D), rows)
    assert bureau.told("run", "--bank", bank) == first  # only asked for
    put(folder, bank, str(D), rows[::-1])
    for operator, code in (("a", 3), ("b", 0)):
        done = bureau.type("approve", asked, "--reason", "x", "--operator", operator)
        assert done.exit_code == code, done.output
    assert bureau.told("run", "--bank", bank) == first  # the same lines
