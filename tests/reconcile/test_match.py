"""Every way in which two sides can tell of a payment, and the class that it ends in."""

import random
from collections import Counter
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shebao.codecs.columns import StatementContext, StatementLine, totals_of
from shebao.codecs.dialect import load_dialect
from shebao.codecs.statement import write, write_control
from shebao.ledger.day import CST
from shebao.reconcile.faults import Faults
from shebao.reconcile.inbox import lines_of
from shebao.reconcile.items import frame
from shebao.reconcile.match import CLASSES, _items, counts, late_lines, match

D, NEXT, LATER = 20261123, 20261124, 20261202
BILL, OTHER = "33011026112300000010", "33011026112300000028"


def line(kind="P", key=1, of=None, date=D, bill=BILL, fen=100, rrn="", number=None):
    """A line whose time and STAN come from `key`; `of` is the key of the line that it undoes."""
    at = lambda k: (f"20261123{k // 3600:02d}{k // 60 % 60:02d}{k % 60:02d}", f"{k:06d}")  # noqa: E731
    return (date, number or key, kind, *at(key), rrn, "T1", "", bill, fen, "", "01", *(at(of) if of else ("", "")))


def classes(ledger, bank, late=None):
    """Items as (class, kind), most of them once; not those that the bank takes back in another date."""
    found = match(frame(ledger), frame(bank), late).filter(pl.col("answer_date").is_null())
    return sorted(zip(found["item_class"], found["kind"], strict=True))


PAID, UNDONE = line(), line("R", 2, of=1)
VOID, UNVOID = line("V", 3, of=1), line("P", 4, of=3)
AGAIN = line(number=9)  # the bank tells PAID once more

CASES = {
    "both list it": ([PAID], [PAID], [("MATCHED", "P")]),
    "nothing on either side": ([], [], []),
    "only the bank": ([], [PAID], [("BANK_ONLY", "P")]),
    "only the ledger": ([PAID], [], [("LEDGER_ONLY", "P")]),
    "another amount": ([PAID], [line(fen=90)], [("AMOUNT_DIFFERS", "P")]),
    "both list the pair": ([PAID, UNDONE], [PAID, UNDONE], [("MATCHED", "P")]),
    "the bank leaves a cancelled pair out": ([PAID, UNDONE], [], [("MATCHED", "P")]),
    "the ledger never saw a pair that came to nothing": ([], [PAID, UNDONE], [("MATCHED", "P")]),
    "the bank lists the payment only": ([PAID, UNDONE], [PAID], [("STATE_DIFFERS", "P")]),
    "the bank lists the reversal only": ([PAID, UNDONE], [UNDONE], [("LEDGER_ONLY", "P"), ("MATCHED", "R")]),
    "the bank reversed it, the ledger did not": ([PAID], [PAID, UNDONE], [("STATE_DIFFERS", "P")]),
    "a void and a reversal are alike": ([PAID, VOID], [PAID, UNDONE], [("MATCHED", "P")]),
    "a void undone is one live item": ([PAID, VOID, UNVOID], [PAID, VOID, UNVOID], [("MATCHED", "P")]),
    "and needs the payment's line alone": ([PAID, VOID, UNVOID], [PAID], [("MATCHED", "P")]),
    "a void that only the ledger took back": ([PAID, VOID, UNVOID], [PAID, VOID], [("STATE_DIFFERS", "P")]),
    "listed twice": ([PAID], [PAID, AGAIN], [("DUPLICATE", "P"), ("MATCHED", "P")]),
    "listed twice, unknown here": ([], [PAID, AGAIN], [("BANK_ONLY", "P"), ("DUPLICATE", "P")]),
    "listed twice, taken back once": ([PAID], [PAID, AGAIN, UNDONE], [("MATCHED", "P")]),
    "listed twice, taken back twice": (
        [PAID], [PAID, AGAIN, UNDONE, line("R", 5, of=1)], [("STATE_DIFFERS", "P")]
    ),
    "listed twice and reversed here": (
        [PAID, UNDONE], [PAID, AGAIN, UNDONE], [("DUPLICATE", "P"), ("MATCHED", "P")]
    ),
    "a reversal listed twice": (
        [PAID, UNDONE], [PAID, UNDONE, line("R", 2, of=1, number=9)], [("DUPLICATE", "R"), ("MATCHED", "P")]
    ),
    "listed twice with two amounts": (
        [PAID], [line(fen=90), AGAIN], [("DUPLICATE", "P"), ("MATCHED", "P")]
    ),
    "the same key with another bill": ([PAID], [line(bill=OTHER)], [("BANK_ONLY", "P"), ("LEDGER_ONLY", "P")]),
    "two genuine payments of one bill": ([PAID, line(key=7)], [PAID, line(key=7)], [("MATCHED", "P")] * 2),
    "one key, one bill, taken in twice": (  # reversed, then told again by an advice: suspense
        [PAID, UNDONE, AGAIN], [PAID, UNDONE, AGAIN], [("MATCHED", "P")] * 2
    ),
    "by RRN": ([line(rrn="R77")], [line(key=8, rrn="R77")], [("MATCHED", "P")]),
    "an RRN of another amount tells nothing": (
        [line(rrn="R77")], [line(key=8, rrn="R77", fen=90)], [("BANK_ONLY", "P"), ("LEDGER_ONLY", "P")]
    ),
    "an all-zero RRN tells nothing": (
        [line(rrn="000000000000"), line(key=5)], [line(key=8, rrn="000000000000")],
        [("BANK_ONLY", "P"), ("LEDGER_ONLY", "P"), ("LEDGER_ONLY", "P")],
    ),
    "by amount and bill, one on each side": ([PAID], [line(key=8)], [("MATCHED", "P")]),
    "not so with two candidates": (
        [PAID, line(key=5)], [line(key=8)], [("BANK_ONLY", "P"), ("LEDGER_ONLY", "P"), ("LEDGER_ONLY", "P")]
    ),
    "reversed after a time-out, then paid anew and lost": (
        [PAID, UNDONE], [line(key=8)], [("BANK_ONLY", "P"), ("MATCHED", "P")]
    ),
    "in the bank's next date": ([PAID], [line(date=NEXT)], [("OTHER_DATE", "P")]),
    "more than seven dates away": ([PAID], [line(date=LATER)], [("BANK_ONLY", "P"), ("LEDGER_ONLY", "P")]),
    "in the next date, with another amount": ([PAID], [line(date=NEXT, fen=90)], [("AMOUNT_DIFFERS", "P")]),
    "in both dates": ([PAID], [PAID, line(date=NEXT)], [("DUPLICATE", "P"), ("MATCHED", "P")]),
    "a reversal in the bank's next date": (
        [PAID, UNDONE], [PAID, line("R", 2, of=1, date=NEXT)], [("MATCHED", "P"), ("OTHER_DATE", "R")]
    ),
    "a reversal in the ledger's next date": (
        [PAID, line("R", 2, of=1, date=NEXT)], [PAID, UNDONE], [("MATCHED", "P"), ("OTHER_DATE", "R")]
    ),
    "a reversal in the next date of both": (
        [PAID, line("R", 2, of=1, date=NEXT)], [PAID, line("R", 2, of=1, date=NEXT)],
        [("MATCHED", "P"), ("MATCHED", "R")],
    ),
    "a later reversal of the ledger's alone": (
        [PAID, line("R", 2, of=1, date=NEXT)], [PAID], [("MATCHED", "P"), ("STATE_DIFFERS", "R")]
    ),
    "a later reversal of the bank's alone": (
        [PAID], [PAID, line("R", 2, of=1, date=NEXT)], [("MATCHED", "P"), ("STATE_DIFFERS", "R")]
    ),
    "a payment in the date before, its reversal here": (
        [PAID, UNDONE], [line(date=20261122), UNDONE], [("MATCHED", "R"), ("OTHER_DATE", "P")]
    ),
    "a later reversal takes a surplus back": ([PAID], [PAID, AGAIN, line("R", 2, of=1, date=NEXT)], [("MATCHED", "P")]),
    "and what only the bank had": ([], [PAID, line("R", 2, of=1, date=NEXT)], []),
    "but not while the ledger is reversed": (
        [PAID, line("R", 2, of=1, date=NEXT)], [PAID, AGAIN, line("R", 2, of=1, date=NEXT)],
        [("DUPLICATE", "P"), ("MATCHED", "P"), ("MATCHED", "R")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    ledger, bank, expected = CASES[name]
    assert classes(ledger, bank) == sorted(expected)


@pytest.mark.parametrize("name", CASES)
def test_the_order_of_lines_says_nothing(name):
    ledger, bank, expected = CASES[name]
    assert classes(ledger[::-1], bank[::-1]) == sorted(expected)


LATE = pl.DataFrame({"moment": [UNDONE[3]], "stan": [UNDONE[4]]})
LATER_UNDONE = line("R", 2, of=1, date=NEXT)


def test_a_banks_line_for_a_reversal_that_came_too_late_joins_its_exception():
    assert classes([PAID], [PAID, LATER_UNDONE], LATE) == [("MATCHED", "P")]
    assert late_lines(frame([PAID, LATER_UNDONE]), LATE).rows() == [(*UNDONE[3:5], BILL, NEXT, 2, -100)]
    assert late_lines(frame([PAID, LATER_UNDONE]), None).is_empty()


def test_told_once_more_it_is_an_item():
    """Which of the two stands first in the files decides; the other repeats it."""
    bank = [PAID, LATER_UNDONE, line("R", 2, of=1, date=NEXT, number=9)]
    assert classes([PAID], bank[::-1], LATE) == [("DUPLICATE", "R"), ("MATCHED", "P")]
    assert late_lines(frame(bank[::-1]), LATE)["bank_line"].to_list() == [2]


@pytest.mark.parametrize(("name", "ledger"), [("DUPLICATE", [PAID]), ("BANK_ONLY", [])])
def test_a_surplus_stays_an_item_with_the_answer_of_another_date(name, ledger):
    """Its exception may be decided already; of one date, it has come to nothing."""
    bank = [*ledger, AGAIN, LATER_UNDONE]
    item = match(frame(ledger), frame(bank)).filter(pl.col("item_class") != "MATCHED").row(0, named=True)
    assert (item["item_class"], item["bank_date"], item["gap"]) == (name, D, 100)
    assert (item["answer_date"], item["answer_fen"]) == (NEXT, -100)
    same = match(frame(ledger), frame([*ledger, AGAIN, UNDONE]))
    assert same.filter(pl.col("answer_date").is_not_null() | (pl.col("gap") != 0)).is_empty()


def test_a_surplus_is_not_taken_back_by_another_amount():
    bank = [PAID, AGAIN, line("R", 2, of=1, date=NEXT, fen=90)]
    assert classes([PAID], bank) == [("DUPLICATE", "P"), ("MATCHED", "P"), ("STATE_DIFFERS", "R")]


def test_half_a_reversal_of_what_the_ledger_never_saw_is_two_items():
    assert classes([], [PAID, line("R", 2, of=1, fen=90)]) == [("BANK_ONLY", "P"), ("STATE_DIFFERS", "R")]


GAPS = {
    "the bank's is higher": ([PAID], [line(fen=130)], {(D, 30)}),
    "reversed here": ([PAID, UNDONE], [PAID], {(D, 100)}),
    "reversed there": ([PAID], [PAID, UNDONE], {(D, -100)}),
    "half reversed there": ([PAID], [PAID, line("R", 2, of=1, fen=90)], {(D, -90)}),
    "only the ledger": ([PAID], [], {(D, -100)}),
    "told twice": ([PAID], [PAID, AGAIN], {(D, 100)}),
    "told in the next date": ([PAID], [line(date=NEXT)], set()),
    "and for less": ([PAID], [line(date=NEXT, fen=90)], {(NEXT, -10)}),
    "told there, reversed here": ([PAID, UNDONE], [line(date=NEXT)], {(NEXT, 100)}),
    "a reversal of its own": ([PAID], [PAID, LATER_UNDONE], {(NEXT, -100)}),
    "a void undone here only": ([PAID, VOID, UNVOID], [PAID, VOID], {(D, -100)}),
}


@pytest.mark.parametrize("name", GAPS)
def test_gap(name):
    ledger, bank, expected = GAPS[name]
    items = match(frame(ledger), frame(bank)).filter(pl.col("gap") != 0)
    at = pl.coalesce("bank_date", "ledger_date")
    assert set(items.select(at, "gap").iter_rows()) == expected


def test_a_voids_reversal_that_the_bank_lists_alone_leaves_no_gap_behind():
    """The ledger voided it, took that back, and voided it again; the bank lists what took it back, twice."""
    ledger = [PAID, VOID, UNVOID, line("V", 5, of=1)]
    items = match(frame(ledger), frame([UNVOID, (*UNVOID[:1], 9, *UNVOID[2:])]))
    told = sorted(items.select("item_class", "kind", "gap").iter_rows())
    assert told == [
        ("DUPLICATE", "U", 100), ("LEDGER_ONLY", "P", -100), ("MATCHED", "U", 0), ("STATE_DIFFERS", "R", 100),
        ("STATE_DIFFERS", "R", 100),
    ]  # fmt: skip


def test_an_item_counts_in_each_date_in_which_it_has_a_line():
    found = match(frame([PAID]), frame([line(date=NEXT)]))
    for date in (D, NEXT):
        assert counts(found, date) == {c: int(c == "OTHER_DATE") for c in CLASSES}
    assert counts(found, LATER) == dict.fromkeys(CLASSES, 0)


def test_only_what_is_in_order_by_key_is_plain():
    plain = match(frame([PAID]), frame([PAID]))["plain"].to_list()
    guessed = match(frame([PAID]), frame([line(key=8)]))["plain"].to_list()
    assert (plain, guessed) == ([True], [False])


# -- planted discrepancies are found, and nothing else ---------------------------------------------------------------

FAULTS = ("none", "lost here", "lost there", "twice", "amount", "not reversed", "next day", "pair left out")


def plant(fault, key, bill):
    """One payment with one fault: ledger lines, bank lines, classes that it must end in."""
    paid, undone = line(key=key, bill=bill), line("R", key + 1, of=key, bill=bill)
    return {
        "none": ([paid], [paid], ["MATCHED"]),
        "lost here": ([], [paid], ["BANK_ONLY"]),
        "lost there": ([paid], [], ["LEDGER_ONLY"]),
        "twice": ([paid], [paid, paid], ["MATCHED", "DUPLICATE"]),
        "amount": ([paid], [line(key=key, bill=bill, fen=101)], ["AMOUNT_DIFFERS"]),
        "not reversed": ([paid, undone], [paid], ["STATE_DIFFERS"]),
        "next day": ([paid], [line(key=key, bill=bill, date=NEXT)], ["OTHER_DATE"]),
        "pair left out": ([paid, undone], [], ["MATCHED"]),
    }[fault]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(FAULTS), max_size=30), st.randoms(use_true_random=False))
def test_planted_faults_are_found_and_nothing_else(faults: list[str], chance: random.Random):
    ledger, bank, expected = [], [], Counter()
    for n, fault in enumerate(faults):
        ours, theirs, ends = plant(fault, 10 + 2 * n, f"330110261123{n:08d}")
        ledger += ours
        bank += theirs
        expected.update(ends)
    chance.shuffle(bank)
    assert Counter(c for c, _ in classes(ledger, bank)) == expected


@pytest.mark.parametrize("bank", ["rcb", "icbc", "ccb", "boc"])
@settings(max_examples=10, deadline=None)
@given(faults=st.lists(st.sampled_from([f for f in FAULTS if f != "next day"]), min_size=1, max_size=20))
def test_planted_faults_are_found_in_each_layout(bank: str, faults: list[str]):
    """The bank's lines go through its own file."""
    path = Path(__file__).resolve().parents[2] / "etc" / "dialects" / f"{bank}.toml"
    spec = load_dialect(path.read_text(encoding="utf-8"), str(path)).statement
    ledger, bank_rows, expected = [], [], Counter()
    for n, fault in enumerate(faults):
        ours, theirs, ends = plant(fault, 10 + 2 * n, f"33011026112300000{n:02d}0")
        ledger += ours
        bank_rows += theirs
        expected.update(ends)
    told = [
        StatementLine(d, moment, stan, rrn, terminal, branch, kind, bill, fen, "", channel, first, first_stan)
        for d, _, kind, moment, stan, rrn, terminal, branch, bill, fen, _, channel, first, first_stan in bank_rows
    ]
    opened = datetime(2026, 11, 22, 23, tzinfo=CST)
    context = StatementContext(bank, "33011000", D, opened, opened + timedelta(days=1))
    totals = totals_of(told)
    file = BytesIO(b"".join(write(spec, context, totals, told)))
    control = write_control(spec, context, totals) if spec.control_file else None
    faults_found = Faults()
    lines = lines_of(file, spec, bank, D, control, faults_found)
    assert not faults_found.number
    found = match(frame(ledger), lines)
    assert Counter(found["item_class"]) == expected


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_line_is_accounted_for_whatever_the_files_hold(data):
    """No net is lost: the bank's live items less the ledger's are what the lines say."""
    some = st.lists(
        st.builds(
            line, kind=st.sampled_from("PPPRV"), key=st.integers(1, 4), of=st.integers(1, 4),
            date=st.sampled_from([D, NEXT]), bill=st.sampled_from([BILL, OTHER]), fen=st.just(100),
        ),
        max_size=12,
    )  # fmt: skip
    as_payment = lambda row: row if row[2] != "P" else (*row[:-2], "", "")  # noqa: E731
    ledger, bank = ([as_payment(r) for r in data.draw(some)] for _ in range(2))
    found = match(frame(ledger), frame(bank))
    assert set(found["item_class"]) <= set(CLASSES)
    paired = found.filter(pl.col("ledger_line").is_not_null() & pl.col("bank_line").is_not_null())
    assert paired.height <= min(len(ledger), len(bank))
    same = match(frame(bank), frame(bank))
    assert set(same["item_class"]) <= {"MATCHED", "DUPLICATE", "STATE_DIFFERS"}


# -- no fen is lost ---------------------------------------------------------------------------------------------------


def net(lines, date):
    return sum(fen if kind == "P" else -fen for at, _, kind, *_, fen, _, _, _, _ in lines if at == date)


def accounted(items, ledger, bank, late, date):
    """What the reconciliation statement says of a date: gaps, answers, late lines, moved in less moved out."""
    amounts = {(row[0], row[1]): row[9] for row in ledger}
    told = sum(late_lines(frame(bank), late).filter(pl.col("bank_date") == date)["fen"])
    for item in items.iter_rows(named=True):
        ours, theirs = item["ledger_date"], item["bank_date"]
        assert not (item["gap"] and item["item_class"] == "MATCHED"), "a gap that no worklist shows"
        told += item["gap"] * ((theirs or ours) == date) + item["answer_fen"] * (item["answer_date"] == date)
        if ours and theirs and ours != theirs and item["ledger_live"]:
            moved = amounts[ours, item["ledger_line"]] * (-1 if item["kind"] == "R" else 1)
            told += moved * ((theirs == date) - (ours == date))
    return told


def several(fen):
    """Lines of all kinds about few keys, so that they meet; those of the ledger undo whole amounts only."""
    lines = st.builds(
        line, kind=st.sampled_from("PPPRV"), key=st.integers(1, 4), of=st.none() | st.integers(1, 4),
        date=st.sampled_from([D, D, NEXT, 20261125, LATER]), bill=st.sampled_from([BILL, BILL, OTHER]),
        fen=st.sampled_from(fen), rrn=st.sampled_from(["", "", "R1", "R2"]),
    ).map(lambda row: row if row[2] == "P" or row[-1] else (*row[:-2], row[3], row[4]))  # fmt: skip
    return st.lists(lines, max_size=9).map(lambda rows: [(r[0], n, *r[2:]) for n, r in enumerate(rows, 1)])


LATES = st.lists(st.integers(1, 4), max_size=2).map(
    lambda keys: pl.DataFrame([line(key=k)[3:5] for k in keys], schema={"moment": str, "stan": str}, orient="row")
)


def check_the_money(ledger, bank, late):
    items = match(frame(ledger), frame(bank), late)
    for date in sorted({row[0] for row in (*ledger, *bank)}):
        assert net(bank, date) - net(ledger, date) == accounted(items, ledger, bank, late, date), date
    closed = pl.col("item_class").is_in(["MATCHED", "OTHER_DATE"])  # nobody looks at these
    assert items.filter(closed, pl.col("gap") != 0).is_empty()


def test_of_two_payments_with_one_key_one_voided_and_standing_again_the_other_is_the_reversed_one():
    """The bank lists only the void's reversal, twice: the second is what is too much, and nothing else differs."""
    void, again = line("V", 2, of=1, number=2), line("P", 3, of=2, number=5)
    ledger = [line(number=1), void, line(number=3), line("R", 4, of=1, number=4), again]
    found = match(frame(ledger), frame([again, (*again[:1], 6, *again[2:])]))
    assert set(found.filter(pl.col("item_class") != "MATCHED").select("item_class", "kind", "gap").iter_rows()) == {
        ("DUPLICATE", "U", 100)
    }


@settings(max_examples=50, deadline=None)
@given(several([100]), several([100, 100, 90]), LATES)
def test_every_fen_of_every_date_is_accounted_for(ledger, bank, late):
    check_the_money(ledger, bank, late)


@settings(max_examples=25, deadline=None)
@given(several([100]), several([100, 100, 90]), st.integers(0, 4))
def test_bills_that_agree_end_as_the_whole_matching_says(ledger, bank, agreeing):
    """The short way is not another way."""
    same = [line(key=20 + n, bill=f"330110261199{n:08d}", rrn="R1") for n in range(agreeing)]
    ours, theirs = frame([*ledger, *same]), frame([*bank, *same[::-1]])
    whole = _items(ours, theirs, late_lines(theirs, None))
    assert set(match(ours, theirs).rows()) == set(whole.rows()) and len(match(ours, theirs)) == len(whole)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=300, deadline=None)
@given(several([100]), several([100, 100, 90]), LATES)
def test_every_fen_of_every_date_is_accounted_for_at_length(ledger, bank, late):
    check_the_money(ledger, bank, late)


@pytest.mark.parametrize("first", [True, False])
def test_of_two_reversals_of_one_payment_the_ledgers_own_is_matched_in_any_order(first):
    """A bank that reversed once more, with another STAN: it is that line which differs."""
    own, again = line("R", 2, of=1, number=5), line("R", 3, of=1, number=3 if first else 9)
    found = match(frame([PAID, UNDONE]), frame([PAID, own, again]))
    wrong = found.filter(pl.col("item_class") != "MATCHED")
    assert wrong.select("item_class", "bank_line").rows() == [("STATE_DIFFERS", again[1])]
