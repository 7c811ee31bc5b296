"""With decisions of the real desk: after each, every total of the report that can be had from two sides is the same."""

from __future__ import annotations

from typing import Any

from shebao_bureau import BANKS
from shebao_clerks import D, approve, decide, only, run, run_day, strange
from shebao_made_day import figures, report

from shebao.codecs.columns import StatementLine
from shebao.ledger.day import add_days
from shebao.reconcile.reports import cube, periods
from shebao.reconcile.reports.verdict import checks


def right(bureau: Any) -> None:
    """Of both dates and of the month."""
    for period in (periods.of_day(D), periods.of_day(add_days(D, 1)), periods.of_month(202611)):
        made = figures(bureau, period)
        wrong = [check for check in checks(made) if not check.same]
        assert not wrong, (period.label, wrong)
        ruled = [one for part in made.banks for one in part.decisions if period.since <= one.date <= period.until]
        by_kind = cube.corrections(made.cube).values()
        assert sum(one.funds for one in ruled) == sum(funds for _, funds, _ in by_kind), period.label
        assert sum(one.suspense for one in ruled) == sum(aside for _, _, aside in by_kind), period.label


def result(bureau: Any, date: int = D) -> dict[str, Any]:
    told = bureau.told("report", "--date", str(date))
    (row,) = (one for one in told["tables"]["result"] if one["bank"].endswith("icbc"))
    return {**row, "version": told["version"]}


def test_classes_are_those_of_now(any_bureau: Any) -> None:
    """What a later date's run explains, it explains in the report of the date before as well; and takes back."""
    bureau = any_bureau
    bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D, lambda lines: [])
    bureau.next_day()
    assert run(bureau)["classes"]["LEDGER_ONLY"] == 1
    row = result(bureau)
    assert (row["LEDGER_ONLY"], row["OTHER_DATE"], row["MATCHED"], row["version"]) == (1, 0, 0, 1)
    line = bureau.our_lines("icbc", D)[0]
    bureau.close("icbc")
    bureau.deliver("icbc", D + 1, lambda lines: [line._replace(date=D + 1)])
    bureau.next_day()
    assert run(bureau, date=D + 1)["classes"]["OTHER_DATE"] == 1
    for date, version in ((D, 2), (D + 1, 1)):
        row = result(bureau, date)
        assert (row["LEDGER_ONLY"], row["BANK_ONLY"], row["OTHER_DATE"], row["version"]) == (0, 0, 1, version), date
    assert {name: row for name, row in run(bureau)["classes"].items() if row} == {"OTHER_DATE": 1}
    bureau.deliver("icbc", D + 1, lambda lines: [])
    by = ("--operator", "经办甲", "--reason", "重发")
    asked = ("run", "--bank", "icbc", "--date", str(D + 1), "--replace", *by)
    approve(bureau, bureau.told(*asked)["id"])
    run(bureau, date=D + 1)
    row = result(bureau)
    assert (row["LEDGER_ONLY"], row["OTHER_DATE"], row["version"]) == (1, 0, 3)


def test_who_decided_next_morning_stands_in_the_report_of_the_date_it_is_about(any_bureau: Any) -> None:
    bureau = any_bureau
    bureau.pay("icbc")
    run_day(bureau, lambda lines: [])
    decide(bureau, "icbc-1", "reverse")
    for date in (D, add_days(D, 1)):  # of the next date too: that is where it is booked
        told = bureau.told("report", "--date", str(date))["tables"]
        (row,) = told["decision"]
        assert (row["id"], row["date"], row["amount"]) == ("icbc-1", add_days(D, 1), 12000)
        assert len(told["correction"]) == (date != D), "money counts once: where it is booked"


def test_a_decision_tells_what_is_in_question_and_what_it_booked(any_bureau: Any) -> None:
    """What the bank lists as a whole is neither, where only the amounts are not the same."""
    bureau = any_bureau
    for _ in range(3):
        bureau.pay("icbc", 48000)
    run_day(bureau, lambda lines: [one._replace(amount=58000) for one in lines])
    booked = {"accept": (0, 0), "suspense": (0, 10000), "reverse": (-48000, 58000)}
    expected = {}
    for one, action in zip(bureau.told("exceptions"), booked, strict=True):
        decide(bureau, one["id"], action)
        expected[one["id"]] = [10000, *booked[action]]
    right(bureau)
    told = bureau.told("report", "--date", str(D))["tables"]["decision"]
    assert {row["id"]: [row[key] for key in ("amount", "funds", "suspense")] for row in told} == expected


def test_every_total_holds_after_every_decision(any_bureau: Any) -> None:
    bureau = any_bureau
    paid = {name: bureau.pay("icbc") for name in ("fine", "lost", "amount", "twice")}
    stray = bureau.pay("icbc", 700, bill="33011026112300000010", mti="0220")
    payable, other = bureau.bill(), bureau.bill(700)
    for bank in BANKS:
        bureau.close(bank)

    def plant(lines: list[StatementLine]) -> list[StatementLine]:
        of = {name: next(one for one in lines if one.stan == p.stan) for name, p in paid.items()}
        kept = [one for one in lines if one not in (of["lost"], of["amount"])]
        return [*kept, of["twice"], of["amount"]._replace(amount=12005), strange(of["fine"], payable)]

    bureau.deliver("icbc", D, plant)
    bureau.next_day()
    run(bureau)
    right(bureau)
    assert report(bureau).verdict.chinese.startswith("未平：4 笔")
    decisions = (
        ("BANK_ONLY", "pay"), ("LEDGER_ONLY", "reverse"), ("AMOUNT_DIFFERS", "suspense"), ("DUPLICATE", "return"),
    )  # fmt: skip
    for item_class, action in decisions:
        decide(bureau, only(bureau, **{"class": item_class})["id"], action)
        right(bureau)
    decide(bureau, only(bureau, **{"class": "SUSPENSE", "bill": stray.bill})["id"], "pay", "--bill", other)
    right(bureau)
    due = bureau.told("report", "--date", "2026-11-23")["due"]["icbc"]
    told = bureau.told(
        "receive", "--bank", "icbc", "--date", "2026-11-23", "--amount", f"{due // 100}.{due % 100:02d}", "--reference",
        "T1", "--received-on", "2026-11-24", "--operator", "经办甲", "--reason", "到账",
    )  # fmt: skip
    approve(bureau, told["id"])
    right(bureau)
    made = report(bureau)
    (icbc,) = (one for one in made.figures.dues if one.bank == "icbc")
    assert icbc.missing == 0 and icbc.state == "SETTLED"
    booked = cube.corrections(figures(bureau, periods.of_day(add_days(D, 1))).cube)
    assert set(booked) == {"booked", "reversed", "parked", "applied"}, "on the date on which they were decided"
