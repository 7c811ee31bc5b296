"""The day's figures agree with the books, whichever way they are added up; the page says it and stands alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shebao.reconcile.reports.chart import chart, nice, short
from shebao.reconcile.words import money

D = 20261123


def page(bureau: Any, *words: str) -> str:
    done = bureau.type("report", *words)
    assert done.exit_code == 0, done.output
    text: str = (bureau.state / "reports" / "2026-11-23" / "settlement.html").read_text(encoding="utf-8")
    return text


def a_day(bureau: Any) -> None:
    bureau.pay("rcb", 48000, parts="170:40000 390:8000", at="20261123091500")
    voided = bureau.pay("rcb", 1000, at="20261123091600")
    bureau.undo(bureau.undo(voided, "void"))
    bureau.undo(bureau.pay("icbc", 1530000, parts="110:1530000", at="20261123150000"))
    bureau.pay("icbc", 700, bill="33011026112300000010", mti="0220", at="20261123150001")


def test_totals_by_bank_type_and_channel_are_the_same_money(any_bureau: Any) -> None:
    bureau = any_bureau
    a_day(bureau)
    bureau.close("rcb")
    told = bureau.told("report", "--date", "2026-11-23")
    assert told["total"]["net"] == 48000 + 1000 + 700
    assert told["banks"]["rcb"] == {
        "payments": 3, "payments_fen": 50000, "reversals": 1, "reversals_fen": 1000, "net": 49000,
    }  # fmt: skip
    nets = {kind: line["net"] for kind, line in told["types"].items()}
    assert nets == {"110": 0, "170": 41000, "390": 8000, "suspense": 700}
    assert told["due"] == {"rcb": 49000, "icbc": 700, "ccb": 0, "boc": 0}
    quarters = {one["from"]: (one["payments"], one["fen"]) for one in told["quarters"]}
    assert quarters == {"09:15": (2, 49000), "15:00": (2, 1530700)}


def test_the_verdict_comes_first(bureau: Any) -> None:
    a_day(bureau)
    assert "尚未日切" in page(bureau, "--date", "2026-11-23")
    for bank in ("rcb", "icbc", "ccb", "boc"):
        bureau.close(bank)
        if bank == "boc":
            assert "等待对账文件" in page(bureau)
        bureau.deliver(bank, D)
        bureau.type("run", "--bank", bank, "--date", str(D))
    text = page(bureau)
    assert "账平" in text and text.index("账平") < text.index("<table")
    assert text.index("账平") < text.index(">挂账 1 笔 7.00 元") < text.index("<table")
    assert "icbc-1" in text  # a suspense item is listed and blocks nothing
    assert "挂账待查" in text and "未了差异（含结转、挂账）" in text and "缴费笔数含撤销的冲正 1 笔" in text


def test_an_exception_is_in_the_verdict_and_in_the_list(bureau: Any) -> None:
    bureau.pay("rcb", 123456)
    for bank in ("rcb", "icbc", "ccb", "boc"):
        bureau.close(bank)
        bureau.deliver(bank, D, lambda lines: [])
        bureau.type("run", "--bank", bank, "--date", str(D))
    with bureau.store.writing() as conn:
        conn.exec_driver_sql("UPDATE exception SET gap_fen = -amount")
    text = page(bureau)
    assert re.search(r"未平：1 笔差异，涉及 1,234\.56 元，请联系rcb银行", text)
    assert text.count("rcb-1") == 2 and "短款" in text  # in the list, and in the statement


def test_the_page_loads_nothing_and_trusts_nothing(bureau: Any) -> None:
    bureau.pay("rcb")
    text = page(bureau, "--date", "2026-11-23")
    assert not re.search(r"(src|href)\s*=|@import|url\(|<script", text)
    assert text.count("<svg") == 1 and "@page" in text and 'lang="zh-CN"' in text


def test_no_closed_date_and_unknown_dates_are_refused(bureau: Any) -> None:
    assert bureau.type("report").exit_code == 3
    done = bureau.type("report", "--date", "2026-01-01")
    assert (done.exit_code, len(done.stderr.splitlines())) == (3, 1)


@pytest.mark.parametrize("date", ["0001-01-01", "1989-12-31", "2200-01-01", "9999-12-31"])
def test_a_date_at_the_end_of_all_dates_is_none(bureau: Any, date: str) -> None:
    by = ("--bank", "icbc", "--amount", "1", "--reference", "X")
    for line in (
        ("report", "--date", date), ("report", "--month", date[:7]), ("report", "--year", date[:4]),
        ("close", "--bank", "icbc", "--date", date), ("run", "--bank", "icbc", "--date", date),
        ("exceptions", "--date", date), ("receive", *by, "--received-on", "2026-11-23", "--date", date),
        ("payback", *by, "--date", "2026-11-23", "--received-on", date),
    ):  # fmt: skip
        done = bureau.type(*line)
        assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1), (line, done.output)


@pytest.mark.parametrize("date", ["1990-01-01", "2199-12-31"])
def test_the_first_and_the_last_date_that_can_be_typed(bureau: Any, date: str) -> None:
    for words in (("--date", date), ("--month", date[:7]), ("--year", date[:4])):
        assert bureau.type("report", *words).exit_code == 3  # no bank has it


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (-5, "-0.05"), (123456789, "1,234,567.89"), (-100000, "-1,000.00")]
)
def test_money(fen: int, text: str) -> None:
    assert money(fen) == text


def test_a_chart_of_nothing_is_a_chart() -> None:
    assert chart([(0, 0)] * 96, 0).count("<rect") == 96


@pytest.mark.parametrize(("most", "top"), [(0, 4), (4, 4), (5, 8), (9, 20), (755, 800), (2_600_000, 4_000_000)])
def test_an_axis_ends_at_a_plain_number(most: int, top: int) -> None:
    assert nice(most) == top


def test_labels_are_short() -> None:
    assert [short(v) for v in (0, 800, 12_000, 4_000_000)] == ["0", "800", "1.2万", "400万"]
