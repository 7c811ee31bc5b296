"""What a refusal says: only what is wrong, once, and what to do about it."""

from __future__ import annotations

from typing import Any

import pytest
from shebao_clerks import WHY, listed, propose

BY = ("--operator", "甲")
OTHER = ("--operator", "乙")


@pytest.mark.parametrize("date", [(), ("--date", "2026-11-23")])
def test_a_date_that_is_open_closes_by_itself(bureau: Any, date: tuple[str, ...]) -> None:
    """The first thing that a newcomer types: nobody is to cut a bank over because a message told him to."""
    for command in ("run",) if date else ("run", "close"):
        done = bureau.type(command, "--bank", "ccb", *date)
        assert done.exit_code == 3 and done.output.count("\n") == 1, done.output
        assert "2026-11-23 of ccb is still open and closes by itself at its cut-over, 23:00" in done.output
        now = "closing it now is the cut-over and can't be undone: reconcile close --bank ccb --date 2026-11-23"
        assert now in done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "--bank", "icbc", "--replace"), "--replace needs --reason TEXT"),
        (("run", "--bank", "icbc", "--replace", "--dry-run", *WHY), "--replace goes without --dry-run"),
        (("receive", "--bank", "icbc", "--amount", "1", "--reference", "R"), "receive needs --date, --received-on"),
        (("payback", "--bank", "icbc", "--date", "2026-11-23", "--amount", "1"), "payback needs --reference"),
        (("sweep", "--bank", "icbc", "--type", "170", "--amount", "1"), "sweep needs --reference"),
        (("sweep", "--bank", "icbc", "--reference", "S"), "sweep needs --type, --amount"),
        (("sweep", "--bank", "icbc", "--reference", "S", "--type", "170", "--type", "170", "--amount", "1"),
         "sweep needs one --amount for each --type, and each type once"),
    ],
)  # fmt: skip
def test_only_what_is_missing_is_named(bureau: Any, words: tuple[str, ...], told: str) -> None:
    done = bureau.type(*words, *BY)
    assert done.exit_code == 2 and done.output == f"reconcile: {told}\n"


def test_a_bill_number_that_is_none(three: Any) -> None:
    told = next(one["id"] for one in listed(three) if one["class"] == "BANK_ONLY")
    wrong = "123 is no bill number: 20 digits, the last a check digit"
    done = three.type("propose", told, "--action", "pay", "--bill", "123", *WHY, *BY)
    assert done.exit_code == 3 and wrong in done.output and "there is no bill" not in done.output
    assert wrong in three.type("refund", "123", *WHY, *BY).output


def test_an_id_that_is_none_is_told_once(bureau: Any) -> None:
    for command in ("approve", "reject"):
        done = bureau.type(command, "icbc-14", *WHY, *BY)
        assert done.exit_code == 3 and done.output.startswith("reconcile: there is no icbc-14; type:")


def test_money_of_a_refusal_has_separators(three: Any) -> None:
    done = three.type("sweep", "--bank", "icbc", "--type", "170", "--amount", "97719600", "--reference", "S", *BY)
    assert done.exit_code == 3 and "less than the 97,719,600.00 yuan" in done.output


def test_no_date_is_told_as_a_day_and_no_month_as_a_span(bureau: Any) -> None:
    for period, told in ((("--date", "2031-11-28"), "on 2031-11-28;"), (("--month", "2031-11"), "in 2031-11;")):
        assert f"no bank has a settlement date {told}" in bureau.type("report", *period).output


def test_what_a_filter_means_may_be_proposed_already(three: Any) -> None:
    ids = [one["id"] for one in listed(three) if one["class"] == "BANK_ONLY"]
    for told, by in zip(ids, ("甲", "丙", "甲"), strict=True):
        propose(three, told, "accept", by=by)
    words = ("propose", "--class", "BANK_ONLY", "--action", "accept", *WHY, *BY)
    done = three.type(*words)
    assert done.exit_code == 0 and "3 match, but are proposed already (by 甲, 丙)" in done.output
    assert three.told(*words) == {"proposed": [], "refused": []}
    assert "nothing matches" in three.type(*words, "--date", "2026-11-22").output
    assert three.type("reject", "--bank", "icbc", *WHY, *OTHER).exit_code == 0
    done = three.type("approve", "--bank", "icbc", *WHY, *OTHER)
    assert done.exit_code == 0 and "nothing matches that waits: 4 open, and nobody has proposed anything" in done.output
