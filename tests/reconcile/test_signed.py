"""Whoever proposes or approves sees on the screen what he has put his name to, and what was booked for it."""

from __future__ import annotations

from typing import Any

from shebao_clerks import WHY, listed, only

BY, OTHER = ("--operator", "甲"), ("--operator", "乙")
RECEIPT = ("receive", "--bank", "icbc", "--date", "2026-11-23", "--amount", "30", "--reference", "R-1",
           "--received-on", "2026-11-24", *BY)  # fmt: skip


def lines(bureau: Any, *words: str, code: int = 0) -> list[str]:
    done = bureau.type(*words, *WHY)
    assert done.exit_code == code, done.output
    told: list[str] = done.stdout.splitlines()
    return told


def test_one_is_told_with_its_money_and_bill_and_what_was_booked(three: Any) -> None:
    one = next(one for one in listed(three) if one["class"] == "BANK_ONLY")
    told, what = one["id"], f"入账 pay 120.00 元 · 长款 BANK_ONLY · {one['bill']}"
    assert lines(three, "propose", told, "--action", "pay", *BY) == [
        f"{told} proposed: {what}", f"→ reconcile approve {told} --reason TEXT --operator OTHER",
    ]  # fmt: skip
    assert lines(three, "approve", told, "--dry-run", *OTHER) == [f"{told} could be approved: {what}"]
    head, *booked = lines(three, "approve", told, *OTHER)
    assert head == f"{told} approved: {what}"
    assert booked == [line for line in three.type("show", told).stdout.splitlines() if " booked: " in line] and booked
    assert three.told("propose", only(three, **{"class": "LEDGER_ONLY"})["id"], "--action", "accept", *WHY, *BY)


def test_what_books_nothing_says_so(three: Any) -> None:
    told = only(three, **{"class": "LEDGER_ONLY"})["id"]
    assert lines(three, "propose", told, "--action", "carry", *BY)[0].startswith(f"{told} proposed: 结转 carry 120.00")
    assert lines(three, "approve", told, *OTHER)[1:] == ["    不记账 nothing is booked"]
    told = next(one["id"] for one in listed(three) if one["class"] == "BANK_ONLY")
    lines(three, "propose", told, "--action", "accept", *BY)
    assert lines(three, "reject", told, *OTHER) == [
        f"{told} rejected: 认账 accept 120.00 元 · 长款 BANK_ONLY · {only(three, id=told)['bill']}"
    ]


def test_many_are_told_each_with_its_money_and_their_sum_and_who_is_next(three: Any) -> None:
    found = [one for one in listed(three) if one["class"] == "BANK_ONLY"]
    told = lines(three, "propose", "--bank", "icbc", "--class", "长款", "--action", "pay", *BY)
    each = [f"  {one['id']}  入账 pay 120.00 元 · 长款 BANK_ONLY · {one['bill']}" for one in found]
    assert told == [
        *each, "3 proposed, 0 refused", "合计 in all 360.00 元",
        "→ reconcile approve --class BANK_ONLY --bank icbc --reason TEXT --operator OTHER",
    ]  # fmt: skip
    told = lines(three, "approve", "--bank", "icbc", "--date", "2026-11-23", *OTHER)
    assert told == [*each, "3 approved, 0 refused", "合计 in all 360.00 元"]


def test_funds_are_told_before_and_after(three: Any) -> None:
    told = three.type(*RECEIPT).stdout.splitlines()
    what = "到账 received 30.00 元 R-1, 收于 on 2026-11-24, 结算日 for 2026-11-23"
    assert told[0] == f"icbc-5 {what}" and told[1].startswith("icbc-5 waits for a second person; type: ")
    assert lines(three, "approve", "icbc-5", *OTHER) == [
        f"icbc-5 approved: {what}",
        "    2026-11-24 received: special:icbc → clearing:icbc  30.00 元",
        "    icbc 2026-11-23 应划 due 240.00 · 到账 received 30.00 · 差额 missing 210.00",
    ]
    assert three.type("receive", "--bank", "icbc", "--cancel", "R-1", *BY).stdout.startswith("icbc-6 冲销 cancel 到账")
    assert lines(three, "approve", "icbc-6", *OTHER)[-1].endswith("到账 received 0.00 · 差额 missing 240.00")
