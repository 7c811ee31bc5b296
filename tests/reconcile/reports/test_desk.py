"""With decisions of the real desk: after each, every total of the report that can be had from two sides is the same."""

from __future__ import annotations

from typing import Any

from shebao_bureau import BANKS
from shebao_clerks import D, approve, decide, only, run, strange
from shebao_made_day import figures, report

from shebao.codecs.columns import StatementLine
from shebao.ledger.day import add_days
from shebao.reconcile.reports import cube, periods
from shebao.reconcile.reports.verdict import checks


def right(bureau: Any) -> None:
    """Of both dates and of the month."""
    for period in (periods.of_day(D), periods.of_day(add_days(D, 1)), periods.of_month(202611)):
        wrong = [check for check in checks(figures(bureau, period)) if not check.same]
        assert not wrong, (period.label, wrong)


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
    assert report(bureau).verdict.chinese.startswith("未平:4 笔")
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
