"""The worklist as a workbook: out, filled in, and back; what was not meant, or is not so any more, is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from shebao_clerks import WHY, D, listed, only, propose, run, strange
from shebao_sums import check

from shebao.codecs.columns import StatementLine
from shebao.reconcile import sheet as sheets
from shebao.reconcile.sheet import COLUMNS


def filled(bureau: Any, path: Path, rows: dict[int, dict[str, Any]]) -> Any:
    """The sheet that goes out, with cells filled in by row from 2, sent back."""
    assert bureau.type("worklist", "--xlsx", str(path), "--bank", "icbc").exit_code == 0
    book = openpyxl.load_workbook(path)
    sheet, heads = book.active, list(COLUMNS)
    for row, cells in rows.items():
        for name, value in cells.items():
            cell = sheet.cell(row, heads.index(name) + 1)
            cell.value = value
            if isinstance(value, str):
                cell.data_type = "s"  # text, even where it begins like a formula
    book.save(path)
    return bureau.type("worklist", "--import", str(path), "--operator", "甲", "--json")


def test_a_workbook_out_and_back(three: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    ids = [one["id"] for one in listed(three)]
    done = filled(three, path, {2: {"decision": "accept", "reason": "=1+1"}, 3: {"decision": " PAY ", "reason": "对"}})
    check(three)
    assert done.exit_code in (0, 3) and "=1+1" in {one["waiting"].get("reason") for one in listed(three)}, done.output
    again = three.type("worklist", "--import", str(path), "--operator", "甲")
    assert again.exit_code == 3 and "take a new sheet" in again.output  # stale
    waiting = [one for one in listed(three) if one["state"] == "PROPOSED"]
    assert waiting and waiting[0]["id"] in ids
    assert three.type("worklist", "--xlsx", str(path)).exit_code == 0
    book = openpyxl.load_workbook(path)
    row = next(n for n in range(2, 9) if book.active.cell(n, 1).value == waiting[0]["id"])
    for name, value in (("decision", "approve"), ("reason", "好")):
        book.active.cell(row, list(COLUMNS).index(name) + 1, value)
    book.save(path)
    assert three.type("worklist", "--import", str(path), "--operator", "甲").exit_code == 3
    assert three.type("worklist", "--import", str(path), "--operator", "乙").exit_code == 0
    check(three)
    assert not [one for one in listed(three) if one["id"] == waiting[0]["id"]]


WRONG = {
    "an unknown action": {2: {"decision": "steal", "reason": "x"}},
    "no reason": {2: {"decision": "accept"}},
    "a judgement of an open one": {2: {"decision": "approve", "reason": "x"}},
    "a number for a bill": {2: {"decision": "pay", "reason": "x", "onto": 33011026110100000010}},
    "a row twice": {2: {"decision": "accept", "reason": "x", "id": "icbc-1"},
                    3: {"decision": "accept", "reason": "x", "id": "icbc-1"}},
    "no id": {2: {"decision": "accept", "reason": "x", "id": None}},
    "a row of a later hundred": {
        **{n: {"decision": "accept", "reason": "x", "id": f"icbc-{n}", "state": "OPEN"} for n in range(2, 130)},
        130: {"decision": "accept", "reason": "x", "id": "icbc-120", "state": "OPEN"},
    },
    "a reason without a decision": {2: {"reason": "x"}},
    "a bill without a decision": {2: {"onto": "33011026110100000062"}},
    "an id of no bank, after good rows": {5: {"decision": "accept", "reason": "x", "id": "x-1"}},
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_workbook_with_a_fault_is_refused_whole(three: Any, tmp_path: Path, what: str) -> None:
    before = three.story.all_rows()
    done = filled(three, tmp_path / "list.xlsx", {4: {"decision": "accept", "reason": "good"}, **WRONG[what]})
    assert done.exit_code in (2, 3), (what, done.output)
    three.story.unchanged_since(before)


# -- what the sheet showed --------------------------------------------------------------------------------------------


def sent_back(bureau: Any, path: Path, by: str = "乙", **cells: Any) -> Any:
    """The first row of the sheet that lies there, filled in."""
    book = openpyxl.load_workbook(path)
    for name, value in cells.items():
        book.active.cell(2, list(COLUMNS).index(name) + 1).value = value
    book.save(path)
    return bureau.type("worklist", "--import", str(path), "--operator", by)


@pytest.fixture
def lone(bureau: Any) -> Any:
    """A payment that only the bank has."""
    bureau.free = bureau.bill()
    bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D, lambda lines: [*lines, strange(lines[0], bureau.free)])
    bureau.next_day()
    run(bureau)
    return bureau


def test_a_sheet_approves_the_proposal_that_it_showed(lone: Any, tmp_path: Path) -> None:
    """C77"""
    path, told = tmp_path / "list.xlsx", only(lone)["id"]
    propose(lone, told, "suspense")
    assert lone.type("worklist", "--xlsx", str(path)).exit_code == 0
    assert lone.type("reject", told, "--operator", "乙", *WHY).exit_code == 0
    propose(lone, told, "return", by="丙")
    for decision in ("approve", "reject"):
        done = sent_back(lone, path, decision=decision, reason="好")
        assert done.exit_code == 3 and "what waits is icbc-3 now, the sheet says icbc-2" in done.output, done.output
    assert only(lone)["waiting"]["action"] == "return"
    assert lone.type("worklist", "--xlsx", str(path)).exit_code == 0
    assert sent_back(lone, path, decision="approve", reason="好").exit_code == 0
    assert not listed(lone)
    check(lone)


def test_a_sheet_decides_about_the_difference_that_it_showed(lone: Any, tmp_path: Path) -> None:
    path, told = tmp_path / "list.xlsx", only(lone)["id"]
    assert lone.type("worklist", "--xlsx", str(path)).exit_code == 0
    lone.deliver("icbc", D, lambda lines: [*lines, strange(lines[0], lone.free, amount=12005)])
    asked = lone.told("run", "--bank", "icbc", "--date", str(D), "--replace", "--operator", "甲", *WHY)["id"]
    assert lone.type("approve", asked, "--operator", "乙", *WHY).exit_code == 0
    run(lone)
    done = sent_back(lone, path, decision="suspense", reason="好")
    assert (only(lone)["id"], only(lone)["state"]) == (told, "OPEN")
    assert done.exit_code == 3 and "bank is 120.05 now, the sheet says 120.00" in done.output, done.output


@pytest.mark.parametrize(
    ("name", "value"),
    [("bank", 120.05), ("ledger", 1), ("class", "DUPLICATE"), ("asked", "x"), ("mark", "银行已冲 bank reversed")],
)
def test_what_the_sheet_showed_is_not_to_be_edited(lone: Any, tmp_path: Path, name: str, value: Any) -> None:
    assert lone.type("worklist", "--xlsx", str(tmp_path / "list.xlsx")).exit_code == 0
    done = sent_back(lone, tmp_path / "list.xlsx", decision="accept", reason="好", **{name: value})
    assert done.exit_code == 3 and "take a new sheet" in done.output, done.output


def test_equal_amounts_tell_which_side_is_undone_or_there_twice(bureau: Any, tmp_path: Path) -> None:
    """On the screen, in the sheet, which is taken back all the same, and in the report."""
    undone, twice = bureau.pay("icbc", 100), bureau.pay("icbc", 200)
    bureau.undo(undone)
    bureau.close("icbc")

    def plant(lines: list[StatementLine]) -> list[StatementLine]:
        return [*(one for one in lines if one.kind == "P"), *(one for one in lines if one.stan == twice.stan)]

    bureau.deliver("icbc", D, plant)
    bureau.next_day()
    run(bureau)
    shown = bureau.type("exceptions").stdout
    assert "1.00 已冲 reversed" in shown and "2.00 重复 twice" in shown, shown
    path = tmp_path / "list.xlsx"
    done = filled(bureau, path, {row: {"decision": "accept", "reason": "好"} for row in (2, 3)})
    assert done.exit_code == 0, done.output
    at = list(COLUMNS).index("mark")
    cells = {row[2]: row[at] for row in openpyxl.load_workbook(path).active.iter_rows(min_row=2, values_only=True)}
    assert cells == {"状态不符 STATE_DIFFERS": "账上已冲 ledger reversed", "重复 DUPLICATE": "银行重复 bank twice"}
    told = [row["class"] for row in bureau.told("report")["tables"]["exception"]]
    assert told == ["状态不符，账上已冲 STATE_DIFFERS, ledger reversed", "重复，银行重复 DUPLICATE, bank twice"]


def test_a_row_of_what_came_by_the_wire_is_taken(bureau: Any, tmp_path: Path) -> None:
    bureau.pay("icbc", mti="0220", bill="33011026110109999999")
    assert bureau.type("worklist", "--xlsx", str(tmp_path / "list.xlsx")).exit_code == 0
    done = sent_back(bureau, tmp_path / "list.xlsx", decision="return", reason="好")
    assert done.exit_code == 0 and only(bureau)["state"] == "PROPOSED", done.output


# -- what can't be meant ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["decision", "reason"])
def test_a_formula_is_no_decision(lone: Any, tmp_path: Path, name: str) -> None:
    """Without a value that was kept with it, it would read as an empty cell, and the row as left alone."""
    assert lone.type("worklist", "--xlsx", str(tmp_path / "list.xlsx")).exit_code == 0
    done = sent_back(lone, tmp_path / "list.xlsx", **{"decision": "accept", "reason": "好", name: '="acc"&"ept"'})
    assert done.exit_code == 3 and "row 2" in done.output and "is a formula; write the text itself" in done.output
    assert only(lone)["state"] == "OPEN"


@pytest.mark.parametrize("told", ["icbc", "xyz-1", "icbc-0", "icbc-" + "9" * 5000])
def test_a_bad_id_is_told_with_its_file_and_row(lone: Any, tmp_path: Path, told: str) -> None:
    path = tmp_path / "list.xlsx"
    assert lone.type("worklist", "--xlsx", str(path)).exit_code == 0
    done = sent_back(lone, path, decision="accept", reason="好", id=told)
    assert done.exit_code == 3 and f"{path}: row 2: " in done.output and len(done.output) < 1000, done.output


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", ""])
def test_a_damaged_workbook_is_refused(bureau: Any, tmp_path: Path, part: str) -> None:
    path = tmp_path / "list.xlsx"
    assert bureau.type("worklist", "--xlsx", str(path)).exit_code == 0
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    with zipfile.ZipFile(path, "w") as book:
        for name, data in {**parts, part: b"<damaged"}.items() if part else ():
            book.writestr(name, data)
    done = bureau.type("worklist", "--import", str(path))
    assert done.exit_code == 3 and "no workbook that can be read" in done.output, done.output


def test_a_workbook_with_a_password_is_refused(bureau: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(4088))  # Excel puts such a one into another container
    done = bureau.type("worklist", "--import", str(path))
    assert done.exit_code == 3 and "without a password" in done.output, done.output


def test_a_sheet_is_written_whole_or_not_at_all(
    bureau: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list.xlsx"
    path.write_bytes(b"the one before")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        sheets.write(path, [])
    assert path.read_bytes() == b"the one before"


# -- what somebody has filled in is not lost, nor passed over in silence ----------------------------------------------


def test_a_list_that_was_filled_in_is_not_written_over(lone: Any, tmp_path: Path) -> None:
    path, out = tmp_path / "list.xlsx", ("worklist", "--xlsx", str(tmp_path / "list.xlsx"))
    assert [lone.type(*out).exit_code for _ in range(2)] == [0, 0]  # untouched
    for cells in ({"decision": "accept"}, {"decision": None, "reason": "好"}):
        sent_back(lone, path, **cells)  # refused: it is half filled in
        before = path.read_bytes()
        done = lone.type(*out)
        assert done.exit_code == 3 and "row 2" in done.output and path.read_bytes() == before, done.output
    book = openpyxl.load_workbook(path)
    for name, value in {"decision": "accept", "reason": "好"}.items():
        book.active.cell(2, list(COLUMNS).index(name) + 1, value)
    book.save(path)
    assert "row 2 is filled in" in lone.type(*out).output
    assert lone.type("worklist", "--import", str(path), "--operator", "甲").exit_code == 0
    assert lone.type(*out).exit_code == 0, "what was taken back is no work to be lost"
    path.write_bytes(b"a letter")
    done = lone.type(*out)
    assert done.exit_code == 3 and "another name" in done.output and path.read_bytes() == b"a letter"


@pytest.mark.parametrize("name", ["list.csv", "list", ".xlsx.bak"])
def test_the_name_of_a_workbook_ends_in_xlsx(bureau: Any, tmp_path: Path, name: str) -> None:
    done = bureau.type("worklist", "--xlsx", str(tmp_path / name))
    assert done.exit_code == 2 and ".xlsx" in done.output and not (tmp_path / name).exists()


def test_a_sheet_in_which_nothing_is_filled_in_says_so(lone: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    assert "1 exception in" in lone.type("worklist", "--xlsx", str(path)).output
    done = lone.type("worklist", "--import", str(path))
    assert done.exit_code == 0 and "nothing is filled in" in done.output and "row" not in done.output.split("\n")[1:]
    told = only(lone)["id"]
    said = sent_back(lone, path, decision="accept", reason="好").output.splitlines()
    assert said[0].startswith(f"  {told}  认账 accept 120.00 元") and said[1] == "1 proposed"
    assert said[-1] == "1 row done, 0 refused"


def test_a_dry_run_judges_the_rows_and_changes_nothing(lone: Any, tmp_path: Path) -> None:
    path, dry = tmp_path / "list.xlsx", ("worklist", "--import", str(tmp_path / "list.xlsx"), "--dry-run")
    assert lone.type("worklist", "--xlsx", str(path)).exit_code == 0
    book = openpyxl.load_workbook(path)
    for decision, by, told, code in (
        ("carry", "甲", "1 row could be done, 0 refused", 0),
        ("pay", "甲", "0 rows could be done, 1 refused", 3),
    ):
        onto = {"onto": "33011026110107777779"} if decision == "pay" else {}
        for name, value in {"decision": decision, "reason": "好", **onto}.items():
            book.active.cell(2, list(COLUMNS).index(name) + 1, value)
        book.save(path)
        done = lone.type(*dry, "--operator", by)
        assert done.exit_code == code and told in done.output, done.output
        assert only(lone)["state"] == "OPEN"
    propose(lone, only(lone)["id"], "carry")
    assert lone.type("worklist", "--xlsx", str(path)).exit_code == 0
    for decision, by, told in (
        ("approve", "乙", "1 row could be done"), ("reject", "乙", "1 row could be done"),
        ("reject", "经办甲", "0 rows could be done"),
    ):  # fmt: skip
        book = openpyxl.load_workbook(path)
        for name, value in (("decision", decision), ("reason", "好")):
            book.active.cell(2, list(COLUMNS).index(name) + 1, value)
        book.save(path)
        assert told in lone.type(*dry, "--operator", by).output
        assert only(lone)["state"] == "PROPOSED"
    assert lone.type("worklist", "--xlsx", str(tmp_path / "2.xlsx"), "--dry-run").exit_code == 2


def test_what_is_offered_is_chinese_and_english_and_is_taken(lone: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    assert lone.type("worklist", "--xlsx", str(path)).exit_code == 0
    (offered,) = openpyxl.load_workbook(path).active.data_validations.dataValidation
    assert offered.formula1 == '"入账 pay,挂账 suspense,退回 return,结转 carry,认账 accept"'
    assert sent_back(lone, path, decision="入账 pay", reason="好").exit_code == 0
    assert only(lone)["waiting"]["action"] == "pay"
