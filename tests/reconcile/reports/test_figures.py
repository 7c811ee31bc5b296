"""Totals that stand in two places agree, whatever the day was like; a day of nothing is a day."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shebao_bureau import BANKS
from shebao_made_day import AT, D, Desk, bank_file, everything, figures, report

from shebao.reconcile.reports import cube, periods
from shebao.reconcile.reports.report import Report, compose
from shebao.reconcile.reports.verdict import checks
from shebao.reconcile.terms import ACTION_WORDS


def totals(made: Report, measure: str) -> dict[str, int]:
    """Of each table that has it, the grand total."""
    found = {}
    for table in made.tables:
        for column, value in zip(table.columns, table.totals(), strict=True):
            if column.key == measure and table.total:
                found[table.key] = value
    return found


def test_a_total_is_the_same_wherever_it_stands(any_bureau: Any) -> None:
    everything(any_bureau, spread=9)
    made = report(any_bureau)
    for measure in ("payments_fen", "reversals_fen", "corrections_fen", "net"):
        found = totals(made, measure)
        found.pop("correction", None)
        assert len(set(found.values())) == 1 and len(found) == 6, (measure, found)
    assert totals(made, "net")["correction"] == totals(made, "corrections_fen")["bank"] != 0
    assert all(check.same for check in checks(made.figures))
    counts = totals(made, "payments")
    assert counts["bank"] == counts["channel"] == counts["branch"] == counts["office"] < counts["type"]
    assert counts["quarter"] == counts["bank"] - 1, "a void's reversal has no time of payment of its own"


def test_accounts_open_as_they_closed_and_balance(bureau: Any) -> None:
    everything(bureau)
    first = figures(bureau)
    second = figures(bureau, periods.of_day(20261124))
    assert {a.account: a.closing for a in first.accounts} == {a.account: a.opening for a in second.accounts}
    for made in (first, second):
        assert sum(a.debit for a in made.accounts) == sum(a.credit for a in made.accounts)
        assert sum(a.opening for a in made.accounts) == sum(a.closing for a in made.accounts) == 0
    balances = {a.account: a.own for a in first.accounts}
    assert balances["suspense:ccb"] == 333 and balances["suspense:icbc"] == 0
    assert {a.account.split(":")[0] for a in first.accounts} == {
        "clearing", "fund", "suspense", "refund", "special", "treasury",
    }  # fmt: skip


def test_corrections_stand_where_they_belong(bureau: Any) -> None:
    everything(bureau)
    made = figures(bureau)
    by_type = {kind: line for (kind,), line in cube.lines(made.cube, "type", counted="parts").items()}
    assert by_type["suspense"].corrections_fen == -700 - 900 + 333
    assert by_type["210"].corrections == 2 and by_type["210"].net == 0, "booked, and undone"
    by_bank = {bank: line for (bank,), line in cube.lines(made.cube, "bank").items()}
    assert by_bank["icbc"].corrections_fen == -900 and by_bank["icbc"].corrections == 2
    by_office = {office: line for (office,), line in cube.lines(made.cube, "office").items()}
    assert by_office["suspense"].payments == 2 and by_office["suspense"].corrections_fen == -1267
    assert set(cube.corrections(made.cube)) == {"booked", "applied", "returned", "parked", "undone", "refunded"}


def test_a_bank_that_joined_later_is_not_waited_for(bureau: Any) -> None:
    for bank in BANKS:
        bureau.close(bank)
        bureau.deliver(bank, D)
        bureau.type("run", "--bank", bank, "--date", str(D))
    with bureau.store.writing() as conn:
        conn.exec_driver_sql("DELETE FROM day WHERE book_id = 400 AND date = 20261123")
    assert report(bureau).verdict.level == "good"
    assert report(bureau, periods.of_day(20261125)).verdict.level == "wait", "that date is still to come"


def test_what_is_open_hides_nothing_that_is_waited_for(bureau: Any) -> None:
    desk = Desk(bureau)
    desk.exception("rcb", "BANK_ONLY", "OPEN", 500, gap_fen=500)
    desk.exception("rcb", "LEDGER_ONLY", "CARRIED", 300, gap_fen=-300, decided_date=D)
    desk.exception("rcb", "SUSPENSE", "OPEN", 700)
    bureau.pay("rcb", 12300)
    bank_file(bureau, "rcb", 12300 + 500 - 300)
    for bank in ("rcb", "boc"):
        bureau.close(bank)
    bureau.pay("ccb", 99)
    told = report(bureau, periods.of_month(202611)).verdict
    assert told.level == "bad" and told.chinese == (
        "未平：1 笔差异，涉及 5.00 元，请联系rcb银行；尚未日切：rcb银行、icbc银行、ccb银行、boc银行，数字未定；"
        "等待对账文件：boc银行；结转或未入账差异 1 笔，合计净额 -3.00 元（绝对额 3.00 元）；挂账 1 笔 7.00 元；"
        "待划款 123.00 元"
    )
    assert told.english == (
        "not balanced: 1 open, 5.00 yuan; call rcb; interim: rcb, icbc, ccb, boc not closed yet; "
        "not compared yet: the file of boc is awaited; 1 carried or left unbooked, -3.00 yuan net (3.00 gross); "
        "1 in suspense, 7.00 yuan; 123.00 yuan still to come"
    )


def test_money_paid_over_is_told_with_the_bank_that_gets_it_back(bureau: Any) -> None:
    desk = Desk(bureau)
    for bank in BANKS:
        bureau.close(bank)
        bureau.deliver(bank, D)
        bureau.type("run", "--bank", bank, "--date", str(D))
    desk.decide("boc", "received", [("special:boc", "clearing:boc", 48000)], shares=[(D, "received", 48000)])
    made = report(bureau)
    assert made.verdict.level == "wait" and made.verdict.chinese.endswith("；多划 480.00 元，应退还boc银行")
    assert made.verdict.english.endswith("480.00 yuan too much, to be paid back to boc")


def test_a_date_has_one_state_in_a_report(bureau: Any) -> None:
    bureau.pay("rcb", 12345)
    for bank in BANKS:
        bureau.close(bank)
    bureau.deliver("rcb", D, lambda lines: [])
    bureau.type("run", "--bank", "rcb", "--date", str(D))
    tables = {table.key: table for table in report(bureau).tables}
    told = {key: [row[n].chinese for row in tables[key].rows] for key, n in (("result", 1), ("money", 2))}
    assert told["result"] == told["money"] == ["有差异", *["已日切，未对账"] * 3]


def test_who_decided_is_told_by_name(bureau: Any) -> None:
    everything(bureau)
    made = report(bureau)
    (table,) = (one for one in made.tables if one.key == "decision")
    found = [(row[0], row[2], row[6].chinese, row[7].chinese) for row in table.rows]
    assert ("rcb-1", 2500, "张经办", "李复核") in found and len(found) == 9


def test_an_action_has_the_name_of_the_screens(bureau: Any) -> None:
    desk = Desk(bureau)
    for action in ACTION_WORDS:
        desk.decide("boc", "swept", [("treasury:170", "special:boc", 3000)], action=action)
    (table,) = (one for one in report(bureau).tables if one.key == "decision")
    assert [str(row[1]) for row in table.rows] == list(ACTION_WORDS.values())


def test_a_long_list_of_decisions_is_cut_and_says_so(bureau: Any) -> None:
    desk = Desk(bureau)
    for _ in range(45):
        desk.decide("boc", "swept", [("treasury:170", "special:boc", 3000)])
    (table,) = (one for one in report(bureau).tables if one.key == "decision")
    assert len(table.rows) == 45 and "全部见 XLSX" in table.note
    assert table.folded().rows[-1][0].chinese == "其余 5 行，见 XLSX"


def test_a_due_is_explained_in_its_row(bureau: Any) -> None:
    everything(bureau)
    made = report(bureau)
    (table,) = (one for one in made.tables if one.key == "money")
    nets = {one.name: one.totals.net for one in made.figures.banks}
    for row in table.rows:
        net, moved, corrections, due = row[3:7]
        assert net + moved + corrections == due and net == nets[row[0].chinese]
    assert [row[5] for row in table.rows] == [0, -900, 333, 0], "refunds do not reduce the due"


def test_a_month_and_a_year_are_their_days(bureau: Any) -> None:
    everything(bureau)
    bureau.next_day()
    bureau.pay("rcb", 4000, at="20261124100000")
    day, next_day = figures(bureau), figures(bureau, periods.of_day(20261124))
    month, year = (report(bureau, one) for one in (periods.of_month(202611), periods.of_year(2026)))
    net = day.total.net + next_day.total.net
    assert next_day.total.net == 4000 and month.figures.total.net == year.figures.total.net == net
    (by_day,), (by_month,) = ([t for t in one.tables if t.key == "course"] for one in (month, year))
    assert [(str(row[0]), row[-1]) for row in by_day.rows] == [
        ("2026-11-23", day.total.net), ("2026-11-24", 4000),
    ]  # fmt: skip
    assert [(str(row[0]), row[-1]) for row in by_month.rows] == [("2026-11", net)]
    (owed,) = (table for table in month.tables if table.key == "owed")
    due = sum(one.due for one in month.figures.dues)
    assert owed.totals()[1:4] == (due, 5000, due - 5000)
    spans = {span.english: line and line.net for span, line in next_day.comparisons}
    assert spans == {
        "this date": 4000, "day before": day.total.net, "same day last week": None, "month to date": net,
        "year to date": net,
    }  # fmt: skip


def test_the_statement_explains_the_banks_net_or_the_verdict_says_so(bureau: Any) -> None:
    desk = everything(bureau)
    nets = {one.bank: one.totals.net for one in figures(bureau).banks}
    desk.exception("boc", "LEDGER_ONLY", "CARRIED", 88000, gap_fen=-88000)
    # booked and undone again: the bank has it, the due has not; a suspense item was returned, so is less due
    for bank, fen in {"rcb": nets["rcb"] + 2500, "icbc": nets["icbc"], "boc": nets["boc"] - 88000}.items():
        bank_file(bureau, bank, fen)
    bank_file(bureau, "ccb", nets["ccb"] + 333)
    made = report(bureau)
    lines = {one.bank: [line.fen for line in one.differences] for one in made.figures.statements}
    assert lines == {"rcb": [2500], "icbc": [900], "ccb": [], "boc": [-88000]}
    assert all(one.rest == 0 for one in made.figures.statements)
    assert made.verdict.level == "good" and "待划款" in made.verdict.chinese, made.verdict
    assert "结转或未入账差异 3 笔，合计净额 -846.00 元（绝对额 914.00 元）" in made.verdict.chinese
    (table,) = (one for one in made.tables if one.key == "difference")
    assert table.totals()[-1] == -84600 and table.note.startswith("绝对额合计 914.00 元")
    with bureau.store.writing() as conn:
        conn.exec_driver_sql("UPDATE bank_file SET payments_fen = payments_fen + 1 WHERE book_id = 300")
    made = report(bureau)
    assert made.verdict.level == "bad" and made.verdict.english.startswith("NOT RIGHT: ccb")
    with bureau.store.writing() as conn:
        conn.exec_driver_sql("UPDATE bank_file SET replaced_by = 'another' WHERE book_id = 300")
    assert "the file of ccb is awaited;" in report(bureau).verdict.english, "one about to be replaced is no file"


def test_what_does_not_add_up_is_not_right(bureau: Any) -> None:
    everything(bureau)
    with bureau.store.writing() as conn:
        conn.exec_driver_sql("UPDATE day SET credits_fen = credits_fen + 100 WHERE book_id = 100 AND date = 20261123")
    made = report(bureau)
    assert made.verdict.level == "bad" and "相差 -1.00 元" in made.verdict.chinese


def test_money_that_is_late_is_said_with_the_bank_to_call(bureau: Any) -> None:
    bureau.pay("rcb", 12345)
    for bank in BANKS:
        bureau.close(bank)
        bureau.deliver(bank, D)
        bureau.type("run", "--bank", bank, "--date", str(D))
    asked: list[tuple[int, int, int]] = []

    def late(date: int, due: int, missing: int, came: int) -> int:
        asked.append((date, missing, came))
        return 3 if missing else 0

    made = compose(figures(bureau, days_late=late), AT, "os", "0")
    assert (D, 12345, 0) in asked
    assert made.verdict.level == "wait" and "123.45 元，已逾期，请联系rcb银行" in made.verdict.chinese
    assert "自报" not in " ".join(map(str, made.says))


def test_a_day_of_nothing_is_a_day(any_bureau: Any) -> None:
    """C67: all four banks closed without a payment."""
    for bank in BANKS:
        any_bureau.close(bank)
        any_bureau.deliver(bank, D)
        assert any_bureau.type("run", "--bank", bank, "--date", str(D)).exit_code == 0
    told = any_bureau.told("report")
    assert set(told["verdict"]) == {"level", "chinese", "english"}
    assert told["verdict"]["level"] == "good" and told["total"]["net"] == 0
    assert [row["type"] for row in told["tables"]["type"]] == ["挂账 suspense"] and len(told["tables"]["bank"]) == 4
    for name in told["files"]:
        with open(name, "rb") as file:  # noqa: PTH123
            assert file.read(4)
    for words in (("--month", "2026-11"), ("--year", "2026")):
        assert any_bureau.type("report", *words).exit_code == 0


@pytest.mark.parametrize(
    "words", [("--month", "2026-13"), ("--month", "202611"), ("--date", "2026-11-23", "--year", "2026")]
)
def test_a_wrong_period_is_a_usage_error(bureau: Any, words: tuple[str, ...]) -> None:
    assert bureau.type("report", *words).exit_code == 2


def test_a_period_without_dates_is_refused(bureau: Any) -> None:
    for words in (("--month", "2026-10"), ("--year", "2025")):
        done = bureau.type("report", *words)
        assert (done.exit_code, len(done.stderr.splitlines())) == (3, 1)


KEYS = st.sampled_from(["payment", "advice", "unvoid", "void", "reversal", "booked", "refunded"])
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["rcb", "boc"]), st.just(D), KEYS, st.sampled_from(["170", "390", "suspense"]),
        st.sampled_from(["01", "02", ""]), st.sampled_from(["a", "b"]), st.sampled_from(["x", "suspense"]),
        st.integers(1, 9), st.integers(0, 9), st.integers(-(10**15), 10**15),
    ),
    max_size=30,
)  # fmt: skip


@settings(deadline=None)
@given(ROWS)
def test_any_two_groupings_have_one_total(rows: list[tuple[Any, ...]]) -> None:
    frame = cube.frame(rows)
    whole = cube.total(cube.lines(frame, "bank").values())
    for keys in (("type",), ("bank", "type"), ("channel",), ("bank", "branch"), ("office",), ("date",)):
        assert cube.total(cube.lines(frame, *keys).values()) == whole
    assert whole.net == sum(row[-1] for row in rows) == frame.select(pl.col("fen").sum()).item()
    moved = cube.corrections(frame).values()
    assert sum(funds + aside for _, funds, aside in moved) == whole.corrections_fen
