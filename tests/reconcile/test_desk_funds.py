"""Money due, received, paid back, refunded and swept, by command, by the word of the contract (settlement.md, 6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from shebao_account import Line, camt, csv
from shebao_clerks import WHY, D, approve, decide, only, run, run_day, strange
from shebao_sums import balance, check, due, received

BOOK = 200
DATES = (D, D + 1, D + 2)
BY = ("--operator", "经办甲")


@pytest.fixture
def days(bureau: Any) -> Any:
    """Three reconciled dates of 120, 240 and 120 yuan due; the fourth is open."""
    for date, number in zip(DATES, (1, 2, 1), strict=True):
        for _ in range(number):
            bureau.pay("icbc")
        bureau.close("icbc")
        bureau.deliver("icbc", date)
        bureau.next_day()
        run(bureau, date=date)
    return bureau


def words(amount: str, dates: str = "2026-11-23", reference: str = "TR-1", on: str = "2026-11-26") -> tuple[str, ...]:
    return ("receive", "--bank", "icbc", "--date", dates, "--amount", amount, "--reference", reference,
            "--received-on", on, *BY)  # fmt: skip


def took(bureau: Any, *line: str) -> str:
    told: str = bureau.told(*line)["id"]
    approve(bureau, told)
    return told


def missing(bureau: Any) -> list[int]:
    return [line["missing"] for line in bureau.told("funds", "--bank", "icbc")]


def test_in_parts_oldest_first_and_over(days: Any) -> None:
    everything = "2026-11-25,2026-11-23,2026-11-24"
    took(days, *words("100", everything))
    assert missing(days) == [2000, 24000, 12000]
    took(days, *words("300.5", everything, "TR-2"))
    assert missing(days) == [0, 0, 12000 - 4050]
    took(days, *words("100", everything, "TR-3"))
    assert missing(days) == [0, 0, -2050]  # over: the rest on the last
    states = [line["state"] for line in days.told("funds", "--bank", "icbc")]
    assert states == ["SETTLED", "SETTLED", "RECONCILED"]
    took(days, "payback", "--bank", "icbc", "--date", "2026-11-25", "--amount", "20.50", "--reference", "BACK-1", *BY)
    assert missing(days) == [0, 0, 0] and balance(days, "special:icbc") == 48000
    assert [line["state"] for line in days.told("funds", "--bank", "icbc")] == ["SETTLED"] * 3


def test_a_date_whose_due_is_negative_takes_it_from_the_others(days: Any) -> None:
    paid = days.pay("icbc")
    days.close("icbc")
    days.deliver("icbc", D + 3)
    days.next_day()
    days.undo(paid)  # before its date is reconciled: it counts in the next one
    days.close("icbc")
    days.deliver("icbc", D + 4)
    days.next_day()
    assert (due(days, BOOK, D + 3), due(days, BOOK, D + 4)) == (12000, -12000)
    took(days, *words("120", "2026-11-25,2026-11-26,2026-11-27", on="2026-11-28"))
    assert [received(days, BOOK, date) for date in (D + 2, D + 3, D + 4)] == [12000, 0, 0]
    took(days, *words("240", "2026-11-26,2026-11-27,2026-11-24", "TR-2", on="2026-11-28"))
    assert [received(days, BOOK, date) for date in (D + 1, D + 3, D + 4)] == [24000, 0, 0]


def test_the_same_reference_again_cancelled_and_typed_again(days: Any) -> None:
    told = took(days, *words("120"))
    before = days.rows("SELECT COUNT(*) FROM proposal")
    assert days.told(*words("120.00"))["id"] == told and days.rows("SELECT COUNT(*) FROM proposal") == before
    for other in (words("120.01"), words("120", "2026-11-24"), words("120", on="2026-11-25")):
        assert days.type(*other).exit_code == 3
    payback = ("payback", "--bank", "icbc", "--date", "2026-11-23", "--amount", "120", "--reference", "TR-1", *BY)
    assert days.type(*payback).exit_code == 3
    took(days, "receive", "--bank", "icbc", "--cancel", "TR-1", *BY)
    assert missing(days)[0] == 12000 and balance(days, "special:icbc") == 0
    assert days.type("receive", "--bank", "icbc", "--cancel", "TR-1", *BY).exit_code == 3
    again = took(days, *words("120"))
    assert again != told and missing(days)[0] == 0
    assert days.told(*words("120"))["id"] == again
    assert days.told(*words("120", reference=" TR-1 "))["id"] == again


@pytest.mark.parametrize("amount", [
    "1e5", "1,000", "-1", "+1", "0", "0.00", "0.001", "１２", "1.", ".5", "01", "", " 1", "1 ", "١٢", "1_000", "nan",
    "inf", "0x10", "99999999999999999999",
])  # fmt: skip
def test_no_amount_but_a_plain_decimal(bureau: Any, amount: str) -> None:
    for line in (
        words(amount), ("payback", "--bank", "icbc", "--date", "2026-11-23", "--amount", amount, "--reference", "X"),
        ("sweep", "--bank", "icbc", "--type", "170", "--amount", amount, "--reference", "X"),
    ):  # fmt: skip
        assert bureau.type(*line).exit_code == 2, line


def test_what_is_refused(days: Any) -> None:
    before = days.rows("SELECT COUNT(*), MAX(id) FROM proposal")
    assert days.type(*words("1", "2026-11-26")).exit_code == 3  # still open
    assert days.type(*words("1", "2026-11-23,2026-11-26")).exit_code == 3
    assert days.type(*words("1", "2026-10-01")).exit_code == 3  # no date of this bank
    assert days.type(*words("1", "2026-02-30")).exit_code == 2
    assert days.type(*words("1", "2026-11-23,")).exit_code == 2
    assert days.type(*words("1", on="2027-11-23")).exit_code == 2
    for reference in ("", " ", "a\x1b[2Jb", "a\nb", "a\x00b", "\u202e1"):
        assert days.type(*words("1", reference=reference)).exit_code == 2, reference
    assert days.type(*words("1")[:3], *words("1")[5:]).exit_code == 2  # no date
    assert days.type("receive", "--bank", "abc", *words("1")[3:]).exit_code == 2
    assert days.type("refund", "1", *BY).exit_code == 2
    assert days.type("refund", days.bill(), *BY).exit_code == 3
    assert days.rows("SELECT COUNT(*), MAX(id) FROM proposal") == before


def test_no_more_is_swept_than_is_there(days: Any) -> None:
    sweep = ("sweep", "--bank", "icbc", "--type", "170", "--amount", "100", "--type", "390", "--amount", "20")
    assert days.type(*sweep, "--reference", "S-1", *BY).exit_code == 3
    took(days, *words("150"))
    told = days.told(*sweep, "--reference", "S-1", *BY)["id"]
    second = days.told(*sweep, "--reference", "S-2", *BY)["id"]
    approve(days, told)
    assert "less than" in approve(days, second, code=3).output  # 30 yuan are left: it waits
    assert (balance(days, "special:icbc"), balance(days, "treasury:170"), balance(days, "treasury:390")) == (
        3000, 10000, 2000,
    )  # fmt: skip
    took(days, "sweep", "--bank", "icbc", "--cancel", "S-1", *BY)
    assert balance(days, "treasury:170") == 0
    approve(days, second)
    assert days.type("sweep", "--bank", "icbc", "--type", "170", "--amount", "1", "--type", "170", "--amount", "2",
                     "--reference", "S-3").exit_code == 2  # fmt: skip


def test_days_late_go_by_working_days(days: Any) -> None:
    """23 November 2026 is a Monday: due by Tuesday; the Wednesday is one late, and a weekend does not count."""
    assert [line["days_late"] for line in days.told("funds", "--bank", "icbc")] == [2, 1, 0]  # it is Thursday 26
    days.now_us += 4 * 86_400_000_000  # Monday 30
    assert [line["days_late"] for line in days.told("funds", "--bank", "icbc")] == [4, 3, 2]
    took(days, *words("120", on="2026-11-25"))
    assert days.told("funds", "--bank", "icbc")[0]["days_late"] == 1  # it came on the Wednesday


def test_days_late_leave_out_what_was_cancelled(days: Any) -> None:
    took(days, *words("120", on="2026-11-26"))
    took(days, "receive", "--bank", "icbc", "--cancel", "TR-1", *BY)
    assert days.told("funds", "--bank", "icbc")[0]["days_late"] == 2  # nothing came: it is late so far
    took(days, *words("120", on="2026-11-24"))
    assert days.told("funds", "--bank", "icbc")[0]["days_late"] == 0
    money = days.told("report", "--date", "2026-11-23")["tables"]["money"]
    assert [row["days_late"] for row in money if "icbc" in row["bank"]] == [0]


def test_a_statement_instead_of_typing(days: Any, tmp_path: Path) -> None:
    file = tmp_path / "special.csv"
    head = "reference,amount,received_on,bank,dates\n"
    file.write_text(head + "TR-1,120.00,2026-11-24,icbc,2026-11-23\nTR-2,360,2026-11-26,icbc,2026-11-24 2026-11-25\n")
    told = days.told("receive", "--statement", str(file), *BY)
    assert len(told["ids"]) == 2 and not told["refused"]
    assert days.told("receive", "--statement", str(file), *BY)["ids"] == told["ids"]  # the same again: no effect
    for one in told["ids"]:
        approve(days, one)
    assert missing(days) == [0, 0, 0]
    assert days.told("receive", "--statement", str(file), *BY)["ids"] == told["ids"]
    file.write_text(head + "TR-1,121.00,2026-11-24,icbc,2026-11-23\nTR-3,1,2026-11-26,icbc,2026-11-23\n")
    told = days.told("receive", "--statement", str(file), *BY, code=3)
    assert len(told["ids"]) == len(told["refused"]) == 1
    file.write_text(head + "TR-4,1,2026-11-26,icbc,2026-11-23\nTR-5,1e3,2026-11-26,icbc,2026-11-23\n")
    before = days.rows("SELECT COUNT(*) FROM proposal")
    assert days.type("receive", "--statement", str(file), *BY).exit_code == 3  # whole or not at all
    assert days.rows("SELECT COUNT(*) FROM proposal") == before


def test_a_due_that_changes_afterwards_makes_the_date_reconciled_again(bureau: Any) -> None:
    bureau.pay("icbc")
    bureau.only = bureau.bill()
    run_day(bureau, lambda lines: [*lines, strange(lines[0], bureau.only)])
    item = only(bureau)["id"]
    decide(bureau, item, "accept")
    took(bureau, *words("120", on="2026-11-24"))
    assert run(bureau)["state"] == "SETTLED"
    decide(bureau, item, "undo")
    decide(bureau, item, "pay")
    assert run(bureau)["state"] == "RECONCILED" and missing(bureau) == [12000]
    took(bureau, *words("120", reference="TR-2", on="2026-11-24"))
    assert run(bureau)["state"] == "SETTLED"


def test_the_same_person_can_not_approve_money(days: Any) -> None:
    told = days.told(*words("120"))["id"]
    for name in ("经办甲", " 经办甲", "经办甲\u3000"):
        assert days.type("approve", told, "--operator", name, *WHY).exit_code == 3
    check(days)


# -- what is typed once more, or wrongly ------------------------------------------------------------------------------


def payback(*more: str) -> tuple[str, ...]:
    return ("payback", "--bank", "icbc", "--date", "2026-11-23", "--amount", "5", "--reference", "PB-1", *BY, *more)


def test_what_is_typed_again_after_it_was_approved_waits_for_nobody(days: Any) -> None:
    told = took(days, *words("120"))
    done = days.type(*words("120"))
    assert done.exit_code == 0 and f"{told} is booked already, approved by 复核乙" in done.output
    assert "second person" not in done.output


def test_other_content_names_what_is_to_be_done_with_the_first(days: Any) -> None:
    told = days.told(*words("120"))["id"]
    done = days.type(*words("121"))
    assert done.exit_code == 3 and f"reject that first (reconcile reject {told}" in done.output, done.output
    approve(days, told)
    assert "cancel that first" in days.type(*words("121")).output


def test_a_day_that_was_not_told_is_no_other_content(days: Any) -> None:
    took(days, *words("120"))
    told = days.told(*payback())["id"]
    days.now_us += 86_400_000_000
    assert days.told(*payback())["id"] == told
    assert days.type(*payback("--received-on", "2026-11-27")).exit_code == 3
    assert days.told(*payback("--received-on", "2026-11-26"))["id"] == told
    approve(days, told)
    sweep = ("sweep", "--bank", "icbc", "--type", "170", "--amount", "1", "--reference", "S-1", *BY)
    told = days.told(*sweep)["id"]
    days.now_us += 86_400_000_000
    assert days.told(*sweep)["id"] == told
    refund = ("refund", days.rows("SELECT bill FROM payment")[0][0], *BY)
    approve(days, days.told(*refund)["id"])
    told = days.told(*refund, "--paid", "--reference", "RF-1")["id"]
    days.now_us += 86_400_000_000
    assert days.told(*refund, "--paid", "--reference", "RF-1")["id"] == told


@pytest.mark.parametrize("line", [
    ("payback", "--cancel", "TR-1", "--amount", "5"), ("payback", "--cancel", "TR-1", "--date", "2026-11-23"),
    ("payback", "--cancel", "TR-1", "--reference", "X"), ("payback", "--cancel", "TR-1", "--received-on", "2026-11-23"),
    ("receive", "--cancel", "TR-1", "--amount", "5"), ("receive", "--cancel", "TR-1", "--date", "2026-11-23"),
    ("receive", "--cancel", "TR-1", "--received-on", "2026-11-23"), ("receive", "--cancel", "TR-1", "--reference", "X"),
    ("sweep", "--cancel", "TR-1", "--type", "170"), ("sweep", "--cancel", "TR-1", "--amount", "5"),
    ("sweep", "--cancel", "TR-1", "--reference", "X"), ("receive", "--statement", "x.csv", "--amount", "5"),
], ids=" ".join)  # fmt: skip
def test_an_option_that_would_be_ignored_is_refused(days: Any, line: tuple[str, ...]) -> None:
    took(days, *words("120"))
    done = days.type(*line, "--bank", "icbc", *BY)
    assert done.exit_code == 2 and "--" in done.output, done.output
    assert days.type("receive", "--cancel", "TR-1", "--bank", "icbc", *BY).exit_code == 0


@pytest.mark.parametrize("more", [("--reference", "RF-1"), ("--received-on", "2026-11-24")])
def test_a_refund_that_is_not_paid_has_no_reference(days: Any, more: tuple[str, ...]) -> None:
    (bill,) = days.rows("SELECT bill FROM payment")[0]
    done = days.type("refund", bill, *more, *BY)
    assert done.exit_code == 2 and f"type: reconcile refund {bill} --paid" in done.output
    approve(days, days.told("refund", bill, *BY)["id"])
    took(days, *words("120"))
    took(days, "refund", bill, "--paid", "--reference", "RF-1", *BY)


def test_a_bank_that_is_not_in_the_configuration_any_more_refunds_nothing(bureau: Any) -> None:
    paid = bureau.pay("boc")
    text = bureau.config.read_text()
    without = text[: text.index("[banks.boc]")]
    for left, code, line in ((without, 3, ()), (text, 0, ()), (without, 3, ("--paid", "--reference", "R"))):
        bureau.config.write_text(left)
        done = bureau.type("refund", paid.bill, *line, *BY)
        assert done.exit_code == code, done.output
        assert code == 0 or "was paid at boc, which is not in the configuration" in done.output
        if code == 0:
            approve(bureau, "boc-1")


# -- a statement that can't be taken ----------------------------------------------------------------------------------


def statement(bureau: Any, content: bytes, *more: str) -> Any:
    file = bureau.folder / "statement"
    file.write_bytes(content)
    return bureau.type("receive", "--statement", str(file), *more, *BY)


def test_a_bank_that_a_statement_names_wrongly(days: Any) -> None:
    lines = [Line("TR-1", "120.00", bank="icbx"), Line("TR-2", "120.00", dates="2026-11-25")]
    done = statement(days, csv(lines))
    assert done.exit_code == 3 and "line 2: " in done.output and "'icbx' is not in the configuration" in done.output
    assert "write one of rcb, icbc, ccb, boc" in done.output and not days.rows("SELECT id FROM proposal")
    done = statement(days, camt(lines))  # the payer's slip: nobody here can mend that file
    assert done.exit_code == 3 and "TR-1: it names bank 'icbx', and banks are rcb, icbc" in done.output
    assert days.rows("SELECT reference FROM proposal") == [("TR-2",)]
    done = statement(days, csv(lines[1:]), "--bank", "xyz")
    assert done.exit_code == 2 and "banks are rcb" in done.output


def test_money_of_a_day_that_has_not_come(days: Any) -> None:
    for written in (csv, camt):
        done = statement(days, written([Line("TR-1", "120.00", "2027-11-24")]))
        assert done.exit_code == 3 and "'2027-11-24' has not come yet" in done.output, done.output
    assert statement(days, csv([Line("TR-1", "120.00", "2026-11-27")])).exit_code == 0  # tomorrow, as when typed


def test_a_statement_that_is_too_large_is_not_read_whole(days: Any) -> None:
    file = days.folder / "large"
    with file.open("wb") as out:
        out.truncate(1 << 40)
    done = days.type("receive", "--statement", str(file), *BY)
    assert done.exit_code == 3 and "larger than 64 MiB" in done.output


def test_a_statement_told_again_says_what_is_booked(days: Any) -> None:
    lines = [Line("TR-1", "100.00"), Line("TR-2", "20.00")]
    assert "2 receipts wait for a second person, 0 to be typed" in statement(days, csv(lines)).output
    approve(days, "icbc-1")
    done = statement(days, csv(lines))
    assert "1 receipt waits for a second person, 1 booked already" in done.output and "approve icbc-2" in done.output


def test_a_date_that_has_too_much_gives_it_to_the_others_only_if_it_is_named(days: Any) -> None:
    """As a bank nets its next transfer; whoever does not want that leaves the date out."""
    took(days, *words("200.00", reference="A"))
    took(days, *words("100.00", "2026-11-24", reference="B"))
    assert missing(days)[:2] == [-8000, 14000]
    took(days, *words("60.00", "2026-11-23,2026-11-24", reference="C"))
    assert missing(days)[:2] == [0, 0]
    check(days)
