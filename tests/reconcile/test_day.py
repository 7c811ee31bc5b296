"""A bank's date through the command: closed, compared in its own layout, its differences found, kept and listed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shebao.codecs.columns import StatementLine

BANKS = ("rcb", "icbc", "ccb", "boc")
D = 20261123
CLASSES = ("DUPLICATE", "AMOUNT_DIFFERS", "STATE_DIFFERS", "OTHER_DATE", "MATCHED", "BANK_ONLY", "LEDGER_ONLY")
ZERO = dict.fromkeys(CLASSES, 0)


@pytest.mark.parametrize("bank", BANKS)
def test_a_day_that_agrees(bureau: Any, bank: str) -> None:
    paid = [bureau.pay(bank) for _ in range(3)]
    bureau.undo(paid[0])
    void = bureau.undo(paid[1], "void")
    bureau.undo(void)
    bureau.close(bank)
    bureau.deliver(bank, D, lambda lines: reversed(lines))
    told = bureau.told("run", "--bank", bank, "--date", "2026-11-23")
    assert told == {
        "bank": bank, "date": "2026-11-23", "state": "RECONCILED", "classes": {**ZERO, "MATCHED": 3},
        "exceptions_open": 0,
    }  # fmt: skip
    assert bureau.told("exceptions") == []


@pytest.mark.parametrize("bank", BANKS)
def test_a_day_without_payments_has_a_file_and_is_settled_at_once(bureau: Any, bank: str) -> None:
    """C67"""
    bureau.close(bank)
    assert bureau.our_lines(bank, D) == []
    bureau.deliver(bank, D)
    for words in (["--dry-run"], []):
        told = bureau.told("run", "--bank", bank, *words)
        assert (told["state"], told["classes"]) == ("SETTLED", ZERO)
    assert bureau.type("report").exit_code == 0
    assert bureau.type("status").exit_code == 0


@pytest.mark.parametrize("bank", BANKS)
def test_planted_differences_are_found_with_both_sides(any_bureau: Any, bank: str) -> None:
    bureau = any_bureau
    paid = {name: bureau.pay(bank) for name in ("fine", "lost", "amount", "state", "twice")}
    bureau.undo(paid["state"])
    strange = bureau.bill()
    bureau.close(bank)

    def plant(lines: list[StatementLine]) -> list[StatementLine]:
        of = {one.stan: one for one in lines if one.kind == "P"}
        fine, lost, amount, _, twice = (of[p.stan] for p in paid.values())
        kept = [one for one in lines if one not in (lost, amount) and one.kind == "P"]
        only = fine._replace(bill=strange, stan="999999", rrn="")
        return [*kept, twice, amount._replace(amount=11999), only]

    bureau.deliver(bank, D, plant)
    told = bureau.told("run", "--bank", bank, "--date", "2026-11-23", code=1)
    found = {"DUPLICATE": 1, "AMOUNT_DIFFERS": 1, "STATE_DIFFERS": 1, "BANK_ONLY": 1, "LEDGER_ONLY": 1}
    assert told["classes"] == {**ZERO, **found, "MATCHED": 2}
    assert (told["state"], told["exceptions_open"]) == ("CLOSED", 5)
    listed = {one["class"]: one for one in bureau.told("exceptions", "--bank", bank)}
    assert set(listed) == set(found)
    assert listed["BANK_ONLY"]["bill"] == strange and listed["BANK_ONLY"]["stan"] == "999999"
    assert listed["BANK_ONLY"]["ledger"] == {} and listed["BANK_ONLY"]["bank_line"]["line"] > 0
    assert listed["BANK_ONLY"]["proposal"] == "pay"
    assert listed["DUPLICATE"]["ledger"]["stan"] == paid["twice"].stan and listed["DUPLICATE"]["proposal"] == "return"
    assert listed["LEDGER_ONLY"]["bank_line"] == {} and listed["LEDGER_ONLY"]["proposal"] == "carry"
    assert listed["LEDGER_ONLY"]["ledger"]["receipt"]
    differs = listed["AMOUNT_DIFFERS"]
    assert (differs["amount"], differs["ledger"]["amount"], differs["bank_line"]["amount"]) == (11999, 12000, 11999)
    state = listed["STATE_DIFFERS"]
    assert (state["ledger"]["live"], state["bank_line"]["live"], state["proposal"]) == (False, True, "pay")
    assert all(one["date"] == "2026-11-23" and one["state"] == "OPEN" for one in listed.values())
    shown = bureau.type("exceptions", "--bank", bank).stdout.splitlines()
    assert ["STATE_DIFFERS" in line for line in shown if "已冲 reversed" in line] == [True]  # the one that was undone
    assert bureau.type("status").exit_code == 1


def test_running_again_adds_nothing_and_keeps_ids(bureau: Any) -> None:
    """C75"""
    bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D, lambda lines: [])
    first = bureau.told("run", "--bank", "icbc", code=1)
    listed = bureau.told("exceptions")
    assert bureau.told("run", "--bank", "icbc", code=1) == first
    assert bureau.told("exceptions") == listed
    assert bureau.rows("SELECT count(*) FROM bank_file") == [(1,)]


def test_another_file_for_an_accepted_date_is_refused(bureau: Any) -> None:
    """C75"""
    bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D)
    bureau.told("run", "--bank", "icbc")
    bureau.deliver("icbc", D, lambda lines: [])
    done = bureau.type("run", "--bank", "icbc")
    assert done.exit_code == 3 and "--replace" in done.stderr
    assert bureau.rows("SELECT state FROM day WHERE book_id = 200 AND state <> 'OPEN'") == [("RECONCILED",)]
    assert bureau.told("exceptions") == []


@pytest.mark.parametrize(
    ("listed", "expected", "code"),
    [("PR", {"MATCHED": 1}, 0), ("", {"MATCHED": 1}, 0), ("P", {"STATE_DIFFERS": 1}, 1),
     ("R", {"MATCHED": 1, "LEDGER_ONLY": 1}, 1)],
)  # fmt: skip
def test_a_pair_that_cancels(bureau: Any, listed: str, expected: dict[str, int], code: int) -> None:
    """C73"""
    bureau.undo(bureau.pay("boc"))
    bureau.close("boc")
    bureau.deliver("boc", D, lambda lines: [one for one in lines if one.kind in listed])
    told = bureau.told("run", "--bank", "boc", code=code)
    assert told["classes"] == {**ZERO, **expected}


@pytest.mark.parametrize("order", ["first this date", "first the next date"])
def test_a_counterpart_in_another_date_closes_by_itself(any_bureau: Any, order: str) -> None:
    bureau = any_bureau
    paid = bureau.pay("ccb")
    bureau.close("ccb")
    following = bureau.next_day()
    bureau.close("ccb")
    line = bureau.our_lines("ccb", D)[0]
    bureau.deliver("ccb", D, lambda lines: [])
    bureau.deliver("ccb", following, lines=[line._replace(date=following)])
    if order == "first this date":
        told = bureau.told("run", "--bank", "ccb", "--date", "2026-11-23", code=1)
        assert told["classes"] == {**ZERO, "LEDGER_ONLY": 1}
        assert [e["stan"] for e in bureau.told("exceptions")] == [paid.stan]
    foreseen = bureau.told("run", "--bank", "ccb", "--date", "2026-11-24", "--dry-run")
    later = bureau.told("run", "--bank", "ccb", "--date", "2026-11-24")
    assert foreseen == {**later, "dry_run": True}
    assert later["classes"] == {**ZERO, "OTHER_DATE": 1}
    assert later["state"] == "RECONCILED"  # what is due moved to the bank's date
    assert bureau.told("exceptions") == []
    told = bureau.told("run", "--bank", "ccb", "--date", "2026-11-23")
    assert (told["classes"], told["state"]) == ({**ZERO, "OTHER_DATE": 1}, "SETTLED")


def test_a_line_told_again_in_the_next_date_is_a_duplicate_there(bureau: Any) -> None:
    bureau.pay("rcb")
    bureau.close("rcb")
    following = bureau.next_day()
    bureau.close("rcb")
    bureau.deliver("rcb", following, lines=[bureau.our_lines("rcb", D)[0]._replace(date=following)])
    assert bureau.told("run", "--bank", "rcb", "--date", str(following))["classes"]["OTHER_DATE"] == 1
    bureau.deliver("rcb", D)  # and now it turns out that the bank lists it in its own date too
    assert bureau.told("run", "--bank", "rcb", "--date", str(D))["classes"] == {**ZERO, "MATCHED": 1}
    (one,) = bureau.told("exceptions")
    assert (one["class"], one["date"]) == ("DUPLICATE", "2026-11-24")
    days = bureau.rows("SELECT date, state FROM day WHERE book_id = 100 ORDER BY date")
    assert days == [(D, "RECONCILED"), (following, "CLOSED"), (20261125, "OPEN")]


def test_suspense_and_late_reversals_are_listed_from_the_wire(any_bureau: Any) -> None:
    bureau = any_bureau
    bureau.pay("icbc", bill="33011026112300000010", mti="0220")
    paid = bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D)
    told = bureau.told("run", "--bank", "icbc")
    assert (told["state"], told["exceptions_open"], told["classes"]["MATCHED"]) == ("RECONCILED", 0, 2)
    following = bureau.next_day()
    late = bureau.undo(paid, code="R2")
    classes = {one["class"]: one for one in bureau.told("exceptions")}
    assert set(classes) == {"SUSPENSE", "LATE_REVERSAL"}
    assert classes["SUSPENSE"]["ledger"]["amount"] == 12000 and classes["SUSPENSE"]["proposal"] == "return"
    assert classes["LATE_REVERSAL"]["date"] == "2026-11-24"
    bureau.close("icbc")
    line = bureau.our_lines("icbc", D)[1]
    its_own = line._replace(
        date=following, kind="R", moment=str(late.moment), stan=late.stan, rrn=late.rrn,
        original_moment=line.moment, original_stan=line.stan,
    )
    bureau.deliver("icbc", following, lines=[its_own])
    told = bureau.told("run", "--bank", "icbc", "--date", str(following), code=1)
    assert (told["classes"], told["exceptions_open"], told["state"]) == (ZERO, 1, "CLOSED")


def test_a_late_reversal_told_once_more_is_a_duplicate_in_its_own_date(bureau: Any) -> None:
    """The line that is read first joins the exception from the wire, and stays so; the other is an item."""
    paid = bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D)
    bureau.told("run", "--bank", "icbc")
    first = bureau.next_day()
    late = bureau.undo(paid, code="R2")
    line = bureau.our_lines("icbc", D)[0]
    its_own = line._replace(
        kind="R", moment=str(late.moment), stan=late.stan, original_moment=line.moment, original_stan=line.stan
    )
    bureau.close("icbc")
    second = bureau.next_day()
    bureau.close("icbc")
    for date in (first, second):
        bureau.deliver("icbc", date, lines=[its_own._replace(date=date)])
    for _ in range(2):
        assert bureau.told("run", "--bank", "icbc", "--date", str(second), code=None)["classes"] == ZERO
        told = bureau.told("run", "--bank", "icbc", "--date", str(first), code=1)
        assert told["classes"] == {**ZERO, "DUPLICATE": 1}
    duplicate = next(one for one in bureau.told("exceptions") if one["class"] == "DUPLICATE")
    assert (duplicate["date"], duplicate["bank_line"]["kind"]) == (f"{first // 10000}-11-24", "R")


def test_a_dry_run_says_the_same_and_writes_nothing(bureau: Any) -> None:
    bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D, lambda lines: [])
    told = bureau.told("run", "--bank", "icbc", "--dry-run", code=1)
    assert told["state"] == "CLOSED" and told["dry_run"] is True
    assert told["classes"] == {**ZERO, "LEDGER_ONLY": 1} and told["exceptions_open"] == 1
    assert bureau.rows("SELECT count(*) FROM exception") == bureau.rows("SELECT count(*) FROM bank_block") == [(0,)]
    assert bureau.told("exceptions") == []


def test_an_open_date_is_refused_with_what_to_type(bureau: Any) -> None:
    done = bureau.type("run", "--bank", "icbc", "--date", "2026-11-23")
    assert done.exit_code == 3
    assert "reconcile close --bank icbc --date 2026-11-23" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_its_flag_the_file_is_not_there_yet(bureau: Any) -> None:
    bureau.close("icbc")
    assert bureau.type("run", "--bank", "icbc").exit_code == 5
    path = bureau.deliver("icbc", D)
    path.with_name(path.name + ".ok").unlink()
    assert bureau.type("run", "--bank", "icbc").exit_code == 5


def test_status_tells_what_to_type(bureau: Any) -> None:
    def row() -> Any:
        return next(one for one in bureau.told("status", code=None) if one["bank"] == "icbc")

    assert (row()["dates"], row()["next"], bureau.type("status").exit_code) == ([], "", 0)
    bureau.pay("icbc")
    bureau.close("icbc")
    assert row()["open_date"] == "2026-11-24"
    closed = row()["dates"][0]
    assert (closed["our_file"], closed["bank_file"], bureau.type("status").exit_code) == (True, False, 1)
    bureau.deliver("icbc", D)
    assert row()["next"] == "reconcile run --bank icbc --date 2026-11-23"
    bureau.told("run", "--bank", "icbc")
    assert (row()["next"], row()["balanced"], row()["dates"][0]["matched"]) == ("", True, 1)
    assert bureau.type("status").exit_code == 0


def test_usage(bureau: Any) -> None:
    for words in (["run"], ["run", "--bank", "xyz"], ["run", "--bank", "icbc", "--date", "2026-02-30"], ["nonsense"]):
        done = bureau.type(*words)
        assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1), done.stderr


def test_json_is_plain(bureau: Any) -> None:
    assert json.loads(bureau.type("exceptions", "--json").stdout) == []


def test_a_store_that_is_away_is_one_line(bureau: Any) -> None:
    text = bureau.config.read_text().replace(bureau.url, f"sqlite:///{bureau.folder / 'nowhere' / 'books.db'}")
    bureau.config.write_text(text)
    for words in (["status"], ["run", "--bank", "icbc"], ["exceptions"], ["report"], ["close", "--bank", "icbc"]):
        done = bureau.type(*words)
        assert (done.exit_code, len(done.stderr.splitlines()), done.stdout) == (4, 1, ""), (words, done.output)


def test_being_cut_off_in_the_middle_is_mended_by_the_same_command(bureau: Any, monkeypatch: Any) -> None:
    bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D, lambda lines: [])
    with monkeypatch.context() as broken:
        broken.setattr("shebao.reconcile.shelf.accept", lambda conn, one: 1 / 0)
        assert isinstance(bureau.type("run", "--bank", "icbc").exception, ZeroDivisionError)
    assert bureau.rows("SELECT state FROM day WHERE book_id = 200 AND state <> 'OPEN'") == [("CLOSED",)]
    told = bureau.told("run", "--bank", "icbc", code=1)
    assert told["exceptions_open"] == 1
    assert len(bureau.told("exceptions")) == 1
