"""What a bank may tell of a date, and the class that each item ends in, read from the contract a second time.

Many cases share one day, each with bills of its own, since closing and running a date costs more than a case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from shebao_bureau import BANKS, Bureau, bill_number
from shebao_days import ZERO, D, Day, Days, receipt
from shebao_statements import FIRST_LINE, Row, put

from shebao.ledger.day import add_days

each_bank = pytest.mark.parametrize("bank", BANKS)
Item = tuple[str, Row | None, Row | None]  # class, the ledger's line, the bank's


def agrees(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a)
    return [("MATCHED", a, a)]


def bare(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a._replace(receipt="", branch=""))
    return [("MATCHED", a, a)]


def dropped(d: Day) -> list[Item]:
    return [("LEDGER_ONLY", d.pay(), None)]


def added(d: Day) -> list[Item]:
    a = d.new(fen=4321)
    d.tell(a)
    return [("BANK_ONLY", None, a)]


def doubled(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, a)
    return [("MATCHED", a, a), ("DUPLICATE", a, a)]


def tripled(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, a, a)
    return [("MATCHED", a, a), ("DUPLICATE", a, a), ("DUPLICATE", a, a)]


def doubled_unknown(d: Day) -> list[Item]:
    a = d.new()
    d.tell(a, a)
    return [("BANK_ONLY", None, a), ("DUPLICATE", None, a)]


def less(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a._replace(fen=11999))
    return [("AMOUNT_DIFFERS", a, d.told[-1])]


def more_and_reversed(d: Day) -> list[Item]:
    """The first class that applies: the amount, then the state."""
    a = d.pay()
    b = a._replace(fen=12001)
    d.tell(b, d.back(b))
    return [("AMOUNT_DIFFERS", a, b)]


def doubled_with_two_amounts(d: Day) -> list[Item]:
    a = d.pay()
    b = a._replace(fen=90)
    d.tell(b, a)
    return [("MATCHED", a, a), ("DUPLICATE", a, b)]


def reversed_here(d: Day) -> list[Item]:
    a = d.pay()
    d.undo(a)
    d.tell(a)
    return [("STATE_DIFFERS", a, a)]


def voided_here(d: Day) -> list[Item]:
    a = d.pay()
    d.undo(a, "V")
    d.tell(a)
    return [("STATE_DIFFERS", a, a)]


def reversed_there(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, d.back(a))
    return [("STATE_DIFFERS", a, a)]


def pair_on_both(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(d.undo(a), a)
    return [("MATCHED", a, a)]


def reversed_here_voided_there(d: Day) -> list[Item]:
    a = d.pay()
    r = d.undo(a)
    d.tell(a, r._replace(kind="V"))
    return [("MATCHED", a, a)]


def reversed_under_another_key(d: Day) -> list[Item]:
    a = d.pay()
    d.undo(a)
    d.tell(a, d.back(a))
    return [("MATCHED", a, a)]


def pair_left_out_there(d: Day) -> list[Item]:
    a = d.pay()
    d.undo(a)
    return [("MATCHED", a, None)]


def pair_unknown_here(d: Day) -> list[Item]:
    a = d.new()
    d.tell(a, d.back(a))
    return [("MATCHED", None, a)]


def voided_pair_unknown_here(d: Day) -> list[Item]:
    a = d.new()
    d.tell(d.back(a, "V"), a)
    return [("MATCHED", None, a)]


def reversal_alone(d: Day) -> list[Item]:
    """The bank lists the reversal, but not what it reverses."""
    a = d.pay()
    d.tell(d.undo(a))
    return [("LEDGER_ONLY", a, None), ("MATCHED", None, None)]


def void_undone_on_both(d: Day) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    d.tell(d.undo(v, "P", first=a), v, a)
    return [("MATCHED", a, a)]


def void_undone_bank_tells_the_payment(d: Day) -> list[Item]:
    a = d.pay()
    d.undo(d.undo(a, "V"), "P", first=a)
    d.tell(a)
    return [("MATCHED", a, a)]


def void_undone_here_only(d: Day) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    d.undo(v, "P", first=a)
    d.tell(a, v)
    return [("STATE_DIFFERS", a, a)]


def void_undone_there_only(d: Day) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    redone = d.back(v)._replace(kind="P", original_time=v.time, original_stan=v.stan)
    d.tell(a, v, redone)
    return [("STATE_DIFFERS", a, a)]


def void_undone_bank_lists_nothing(d: Day) -> list[Item]:
    a = d.pay()
    d.undo(d.undo(a, "V"), "P", first=a)
    return [("LEDGER_ONLY", a, None)]


def another_bill(d: Day) -> list[Item]:
    """Same time and STAN, another bill: no match."""
    a = d.pay()
    d.tell(a._replace(bill=d.bureau.bill()))
    return [("LEDGER_ONLY", a, None), ("BANK_ONLY", None, d.told[-1])]


def another_second(d: Day) -> list[Item]:
    """STAN and time move, the RRN stays."""
    a = d.pay()
    d.tell(d.new(a)._replace(rrn=a.rrn))
    return [("MATCHED", a, a)]


def another_second_reversed_there(d: Day) -> list[Item]:
    """The bank's reversal names the bank's own time and STAN."""
    a = d.pay()
    b = d.new(a)._replace(rrn=a.rrn)
    d.tell(d.back(b), b)
    return [("STATE_DIFFERS", a, b)]


def another_second_pair_on_both(d: Day) -> list[Item]:
    a = d.pay()
    r = d.undo(a)
    b = d.new(a)._replace(rrn=a.rrn)
    d.tell(b, r._replace(original_time=b.time, original_stan=b.stan))
    return [("MATCHED", a, b)]


def rrn_of_another_amount(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(d.new(a)._replace(rrn=a.rrn, fen=11000))
    return [("LEDGER_ONLY", a, None), ("BANK_ONLY", None, d.told[-1])]


def rrn_of_another_bill(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(d.new()._replace(rrn=a.rrn))
    return [("LEDGER_ONLY", a, None), ("BANK_ONLY", None, d.told[-1])]


def amount_and_bill(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(d.new(a))
    return [("MATCHED", a, a)]


def two_candidates_there(d: Day) -> list[Item]:
    a = d.pay()
    b, c = d.new(a), d.new(a)
    d.tell(b, c)
    return [("LEDGER_ONLY", a, None), ("BANK_ONLY", None, b), ("BANK_ONLY", None, c)]


def two_candidates_there_one_by_rrn(d: Day) -> list[Item]:
    a = d.pay()
    b, c = d.new(a), d.new(a)._replace(rrn=a.rrn)
    d.tell(b, c)
    return [("MATCHED", a, c), ("BANK_ONLY", None, b)]


def zero_rrns(d: Day) -> list[Item]:
    """An RRN of zeros never matches, so two candidates here and one there stay apart."""
    return _rrns_that_say_nothing(d, "000000000000")


def blank_rrns(d: Day) -> list[Item]:
    return _rrns_that_say_nothing(d, " " * 12)


def _rrns_that_say_nothing(d: Day, rrn: str) -> list[Item]:
    a = d.pay(rrn=rrn)
    b = d.pay("advice", bill=a.bill, rrn=rrn)  # paid already: suspense
    d.tell(d.new(a)._replace(rrn=rrn))
    ours: list[Item] = [("LEDGER_ONLY", a, None), ("LEDGER_ONLY", b, None), ("SUSPENSE", b, None)]
    return [*ours, ("BANK_ONLY", None, d.told[-1])]


def twins_of_one_bill(d: Day) -> list[Item]:
    a = d.pay()
    r = d.undo(a)
    b = d.pay(bill=a.bill)
    d.tell(b, a, r)
    return [("MATCHED", a, a), ("MATCHED", b, b)]


def twins_of_one_stan(d: Day) -> list[Item]:
    """The counter wrapped within the day."""
    a = d.pay()
    b = d.pay(stan=a.stan)
    c = d.pay(stan=a.stan)
    d.tell(c, a, b)
    return [("MATCHED", one, one) for one in (a, b, c)]


def twins_of_one_stan_one_lost(d: Day) -> list[Item]:
    a = d.pay()
    b = d.pay(stan=a.stan)
    d.tell(b)
    return [("MATCHED", b, b), ("LEDGER_ONLY", a, None)]


def one_key_two_bills(d: Day) -> list[Item]:
    """A payment and an advice may share time and STAN; the bill tells them apart."""
    a = d.pay()
    asked = d.asks[a.time, a.stan]
    b = d.pay("advice", trace=asked.trace, moment=asked.moment, stan=asked.stan)
    d.tell(b, a)
    return [("MATCHED", a, a), ("MATCHED", b, b)]


def one_key_one_bill(d: Day) -> list[Item]:
    """Reversed, then told by an advice under the same key: suspense, a second genuine payment."""
    a = d.pay()
    r = d.undo(a)
    asked = d.asks[a.time, a.stan]
    b = d.pay("advice", bill=a.bill, trace=asked.trace, moment=asked.moment, stan=asked.stan, rrn=asked.rrn)
    d.tell(b, r, a)
    return [("MATCHED", a, a), ("MATCHED", b, b), ("SUSPENSE", b, None)]


def surplus_taken_back(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, d.back(a), a)
    return [("MATCHED", a, a)]


def surplus_taken_back_by_a_void(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(d.back(a, "V"), a, a)
    return [("MATCHED", a, a)]


def two_surplus_one_taken_back(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, a, d.back(a), a)
    return [("MATCHED", a, a), ("DUPLICATE", a, a)]


def surplus_taken_back_twice(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, a, d.back(a), d.back(a))
    return [("STATE_DIFFERS", a, a)]


def doubled_and_reversed_here(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, d.undo(a), a)
    return [("MATCHED", a, a), ("DUPLICATE", a, a)]


def reversal_doubled(d: Day) -> list[Item]:
    a = d.pay()
    r = d.undo(a)
    d.tell(a, r, r)
    return [("MATCHED", a, a), ("DUPLICATE", r, r)]


def reversal_of_nothing(d: Day) -> list[Item]:
    """What it reverses stands nowhere: an item of its own that one side lacks."""
    r = d.back(d.new())
    d.tell(r)
    return [("STATE_DIFFERS", None, r)]


def in_suspense(d: Day) -> list[Item]:
    a = d.pay("advice", bill=bill_number(900_000 + d.serial))
    d.tell(a)
    return [("MATCHED", a, a), ("SUSPENSE", a, None)]


def in_suspense_and_dropped(d: Day) -> list[Item]:
    a = d.pay("advice", bill=bill_number(900_000 + d.serial))
    return [("LEDGER_ONLY", a, None), ("SUSPENSE", a, None)]


def in_suspense_and_reversed(d: Day) -> list[Item]:
    a = d.pay("advice", bill=bill_number(900_000 + d.serial))
    d.tell(a, d.undo(a))
    return [("MATCHED", a, a)]


def other_small_print(d: Day) -> list[Item]:
    """Receipt, branch, terminal, channel and RRN decide nothing while time and STAN agree."""
    a = d.pay()
    b = a._replace(receipt=receipt(d.bank, D, 77_777), branch="ELSEWHERE", terminal="X", channel="04", rrn="OTHER")
    d.tell(b)
    return [("MATCHED", a, b)]


def reversal_under_the_payments_key(d: Day) -> list[Item]:
    """Keys are per class of message: a reversal may have its payment's time and STAN."""
    a = d.pay()
    r = d.undo(a, like=a)
    assert (r.time, r.stan) == (r.original_time, r.original_stan)
    d.tell(r, a)
    return [("MATCHED", a, a)]


def void_undone_under_the_payments_key(d: Day) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    u = d.undo(v, "P", first=a, like=a)
    d.tell(u, v, a)
    return [("MATCHED", a, a)]


def void_undone_under_the_payments_key_bank_tells_it_all_twice(d: Day) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    u = d.undo(v, "P", first=a, like=a)
    d.tell(a, v, u, a)
    return [("MATCHED", a, a), ("DUPLICATE", a, a)]


def voided_twice(d: Day) -> list[Item]:
    return _voided_twice(d, lambda *all_lines: all_lines, "MATCHED")


def voided_twice_bank_lists_nothing(d: Day) -> list[Item]:
    return _voided_twice(d, lambda *all_lines: (), "MATCHED")


def voided_twice_bank_lists_the_payment(d: Day) -> list[Item]:
    return _voided_twice(d, lambda a, v, u, w: (a,), "STATE_DIFFERS")


def voided_twice_bank_lists_payment_and_last(d: Day) -> list[Item]:
    return _voided_twice(d, lambda a, v, u, w: (w, a), "MATCHED")


def voided_twice_bank_lacks_the_last(d: Day) -> list[Item]:
    return _voided_twice(d, lambda a, v, u, w: (a, v, u), "STATE_DIFFERS")


def _voided_twice(d: Day, listed: Callable[..., Sequence[Row]], name: str) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    u = d.undo(v, "P", first=a)
    told = listed(a, v, u, d.undo(a, "V"))
    d.tell(*told)
    return [(name, a, a if told else None)]


def void_undone_then_reversed(d: Day) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    d.tell(d.undo(v, "P", first=a), d.undo(a), v, a)
    return [("MATCHED", a, a)]


def void_undone_after_another_paid(d: Day) -> list[Item]:
    """The bill is paid by then, so the money that came back lies in suspense."""
    a = d.pay()
    v = d.undo(a, "V")
    b = d.pay(bill=a.bill)
    u = d.undo(v, "P", first=a)
    d.tell(b, u, v, a)
    return [("MATCHED", a, a), ("MATCHED", b, b), ("SUSPENSE", a, None)]


def twins_by_rrn_crosswise(d: Day) -> list[Item]:
    """Two of one bill and amount under other keys: the RRN tells which is which."""
    a = d.pay()
    b = d.pay("advice", bill=a.bill)
    d.tell(d.new(a)._replace(rrn=b.rrn), d.new(a)._replace(rrn=a.rrn))
    return [("MATCHED", a, a), ("MATCHED", b, b), ("SUSPENSE", b, None)]


def rrn_with_blanks(d: Day) -> list[Item]:
    a = d.pay(rrn="R 88        ")
    b = d.pay("advice", bill=a.bill)
    d.tell(b, d.new(a)._replace(rrn="R 88"), d.new(a))
    return [("MATCHED", a, a), ("MATCHED", b, b), ("SUSPENSE", b, None), ("BANK_ONLY", None, d.told[-1])]


def short_zero_rrns(d: Day) -> list[Item]:
    return _rrns_that_say_nothing(d, "000         ")


def another_bill_and_its_rrn(d: Day) -> list[Item]:
    """The key finds another bill, the RRN finds the payment."""
    a = d.pay()
    strange = a._replace(bill=d.bureau.bill(), rrn="")
    d.tell(strange, d.new(a)._replace(rrn=a.rrn))
    return [("MATCHED", a, d.told[-1]), ("BANK_ONLY", None, strange)]


ONE_DATE: tuple[Callable[[Day], list[Item]], ...] = (
    agrees, bare, dropped, added, doubled, tripled, doubled_unknown, less, more_and_reversed, doubled_with_two_amounts,
    reversed_here, voided_here, reversed_there, pair_on_both, reversed_here_voided_there, reversed_under_another_key,
    pair_left_out_there, pair_unknown_here, voided_pair_unknown_here, reversal_alone, void_undone_on_both,
    void_undone_bank_tells_the_payment, void_undone_here_only, void_undone_there_only, void_undone_bank_lists_nothing,
    another_bill, another_second, another_second_reversed_there, another_second_pair_on_both, rrn_of_another_amount,
    rrn_of_another_bill, amount_and_bill, two_candidates_there, two_candidates_there_one_by_rrn, zero_rrns, blank_rrns,
    twins_of_one_bill, twins_of_one_stan, twins_of_one_stan_one_lost, one_key_two_bills, one_key_one_bill,
    surplus_taken_back, surplus_taken_back_by_a_void, two_surplus_one_taken_back, surplus_taken_back_twice,
    doubled_and_reversed_here, reversal_doubled, reversal_of_nothing, in_suspense, in_suspense_and_dropped,
    in_suspense_and_reversed, other_small_print, reversal_under_the_payments_key, void_undone_under_the_payments_key,
    void_undone_under_the_payments_key_bank_tells_it_all_twice, voided_twice, voided_twice_bank_lists_nothing,
    voided_twice_bank_lists_the_payment, voided_twice_bank_lists_payment_and_last, voided_twice_bank_lacks_the_last,
    void_undone_then_reversed, void_undone_after_another_paid, twins_by_rrn_crosswise, rrn_with_blanks,
    short_zero_rrns, another_bill_and_its_rrn,
)  # fmt: skip


def shown(one: dict[str, Any]) -> tuple[str, str, int]:
    return one["class"], one["bill"], one["amount"]


def wanted(item: Item) -> tuple[str, str, int]:
    """amount: the bank's, for LEDGER_ONLY (and what came by the wire) the ledger's."""
    name, ours, theirs = item
    told = theirs or ours
    assert told is not None
    return name, told.bill, told.fen


def side(one: Row | None, line: int | None = None) -> dict[str, Any]:
    """What `exceptions --json` tells of a side, but for blanks at the end."""
    if one is None:
        return {}
    one = one.trimmed()
    told = {
        "kind": one.kind, "moment": one.time, "stan": one.stan, "bill": one.bill, "amount": one.fen,
        "receipt": one.receipt, "channel": one.channel, "terminal": one.terminal, "branch": one.branch,
        "rrn": one.rrn,
    }  # fmt: skip
    return told if line is None else {**told, "line": line}


def check_values(bank: str, listed: list[dict[str, Any]], items: list[Item], told: list[Row]) -> None:
    """Both sides' values to the last column; a bank's line by its place in the file, each place once."""
    places = [(FIRST_LINE[bank] + n, one) for n, one in enumerate(told)]
    left = list(items)
    for one in listed:
        line = one["bank_line"].get("line")
        theirs = dict(places)[line] if line else None
        item = next(i for i in left if wanted(i) == shown(one) and (i[2] is None or i[2] == theirs))
        left.remove(item)
        for key, values in (("ledger", side(item[1])), ("bank_line", side(theirs, line))):
            shown_values = {n: v.rstrip() if isinstance(v, str) else v for n, v in one[key].items() if n in values}
            assert shown_values == values, (one["class"], key)
            assert bool(one[key]) == bool(values), one
        if item[0] != "SUSPENSE":  # that one tells the message which opened it
            assert one["stan"] == (theirs or item[1]).stan  # type: ignore[union-attr]
        if theirs and theirs.kind != "P":  # the bank's side is reversed, or says so twice
            assert one["bank_line"]["live"] is False, one
        assert all(type(v["amount"]) is int for v in (one, one["ledger"], one["bank_line"]) if v)
    assert not left
    taken = [one["bank_line"]["line"] for one in listed if one["bank_line"]]
    assert len(taken) == len(set(taken))


@each_bank
def test_one_date(bureau: Bureau, bank: str) -> None:
    d = Day(bureau, bank)
    items = [item for case in ONE_DATE for item in case(d)]
    bureau.close(bank)
    told = d.told[::2] + d.told[1::2][::-1]  # in any order
    put(bureau.folder_of("inbox", bank, D), bank, str(D), told)
    foreseen = bureau.told("run", "--bank", bank, "--dry-run", code=1)
    assert bureau.told("exceptions") == [one for one in bureau.told("exceptions") if one["class"] == "SUSPENSE"]
    done = bureau.told("run", "--bank", bank, "--date", "2026-11-23", code=1)
    assert foreseen == {**done, "dry_run": True}
    listed = bureau.told("exceptions", "--bank", bank)
    open_items = [item for item in items if item[0] not in ("MATCHED", "OTHER_DATE")]
    assert Counter(map(shown, listed)) - Counter(map(wanted, open_items)) == Counter()
    assert Counter(map(wanted, open_items)) - Counter(map(shown, listed)) == Counter()
    counted = Counter(name for name, _, _ in items if name != "SUSPENSE")
    blocking = sum(item[0] != "SUSPENSE" for item in open_items)
    assert done == {
        "bank": bank, "date": "2026-11-23", "state": "CLOSED", "classes": {**ZERO, **counted},
        "exceptions_open": blocking,
    }  # fmt: skip
    check_values(bank, listed, open_items, told)


# -- several dates -----------------------------------------------------------------------------------------------------

Y, Y1, Y7, Y8 = 20261228, 20261229, 20270104, 20270105  # across the end of a year
Found = tuple[dict[int, tuple[str, ...]], tuple[tuple[str, int], ...]]  # classes by date; exceptions with their dates

# Each case is a generator: until its `yield` the first date is open, after it the second; it ends with what it expects.
Case = Callable[[Days], Iterator[Found]]


def in_the_next_date(s: Days) -> Iterator[Found]:
    s.lists(Y1, s.at[Y].pay())
    yield {Y: ("OTHER_DATE",), Y1: ("OTHER_DATE",)}, ()


def seven_dates_away(s: Days) -> Iterator[Found]:
    s.lists(Y7, s.at[Y].pay())
    yield {Y: ("OTHER_DATE",), Y7: ("OTHER_DATE",)}, ()


def eight_dates_away(s: Days) -> Iterator[Found]:
    s.lists(Y8, s.at[Y].pay())
    yield {Y: ("LEDGER_ONLY",), Y8: ("BANK_ONLY",)}, (("LEDGER_ONLY", Y), ("BANK_ONLY", Y8))


def by_rrn_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y1, s.at[Y].new(a)._replace(rrn=a.rrn))
    yield {Y: ("OTHER_DATE",), Y1: ("OTHER_DATE",)}, ()


def by_amount_and_bill_in_the_next_date(s: Days) -> Iterator[Found]:
    s.lists(Y1, s.at[Y].new(s.at[Y].pay()))
    yield {Y: ("OTHER_DATE",), Y1: ("OTHER_DATE",)}, ()


def another_amount_in_the_next_date(s: Days) -> Iterator[Found]:
    s.lists(Y1, s.at[Y].pay()._replace(fen=1))
    yield {Y: ("AMOUNT_DIFFERS",), Y1: ("AMOUNT_DIFFERS",)}, (("AMOUNT_DIFFERS", Y1),)


def reversed_here_told_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.at[Y].undo(a)
    s.lists(Y1, a)
    yield {Y: ("STATE_DIFFERS",), Y1: ("STATE_DIFFERS",)}, (("STATE_DIFFERS", Y1),)


def whole_pair_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y1, a, s.at[Y].undo(a))
    yield {Y: ("OTHER_DATE",), Y1: ("OTHER_DATE",)}, ()


def banks_reversal_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    r = s.at[Y].undo(a)
    s.lists(Y, a)
    s.lists(Y1, r)
    yield {Y: ("MATCHED", "OTHER_DATE"), Y1: ("OTHER_DATE",)}, ()


def ledgers_reversal_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    yield {}, ()
    s.lists(Y, s.at[Y1].undo(a))
    yield {Y: ("MATCHED", "OTHER_DATE"), Y1: ("OTHER_DATE",)}, ()


def reversal_of_yesterday_on_both(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    yield {}, ()
    s.lists(Y1, s.at[Y1].undo(a))
    yield {Y: ("MATCHED",), Y1: ("MATCHED",)}, ()


def reversal_of_yesterday_here(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    yield {}, ()
    s.at[Y1].undo(a)
    yield {Y: ("MATCHED",), Y1: ("STATE_DIFFERS",)}, (("STATE_DIFFERS", Y1),)


def reversal_of_yesterday_there(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    s.lists(Y1, s.at[Y].back(a))
    yield {Y: ("MATCHED",), Y1: ("STATE_DIFFERS",)}, (("STATE_DIFFERS", Y1),)


def void_of_yesterday_there(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    s.lists(Y1, s.at[Y].back(a, "V"))
    yield {Y: ("MATCHED",), Y1: ("STATE_DIFFERS",)}, (("STATE_DIFFERS", Y1),)


def told_again_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    s.lists(Y1, a)
    yield {Y: ("MATCHED",), Y1: ("DUPLICATE",)}, (("DUPLICATE", Y1),)


def surplus_taken_back_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a, a)
    s.lists(Y1, s.at[Y].back(a))
    yield {Y: ("MATCHED",)}, ()


def unknown_taken_back_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].new()
    s.lists(Y, a)
    s.lists(Y1, s.at[Y].back(a))
    yield {}, ()


def told_late_by_an_advice(s: Days) -> Iterator[Found]:
    bill = s.bureau.bill()
    yield {}, ()
    s.lists(Y, s.at[Y1].pay("advice", bill=bill))
    yield {Y: ("OTHER_DATE",), Y1: ("OTHER_DATE",)}, ()


def suspense_in_the_next_date(s: Days) -> Iterator[Found]:
    s.lists(Y1, s.at[Y].pay("advice", bill=bill_number(990_001)))
    yield {Y: ("OTHER_DATE",), Y1: ("OTHER_DATE",)}, (("SUSPENSE", Y),)


def reversal_of_yesterday_under_another_key(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    yield {}, ()
    s.at[Y1].undo(a)
    s.lists(Y1, s.at[Y1].back(a))
    yield {Y: ("MATCHED",), Y1: ("MATCHED",)}, ()


def void_undone_in_the_next_date(s: Days) -> Iterator[Found]:
    yield from _void_undone(s, True, ("MATCHED",), ())


def void_undone_in_the_next_date_here_only(s: Days) -> Iterator[Found]:
    yield from _void_undone(s, False, ("STATE_DIFFERS",), (("STATE_DIFFERS", Y1),))


def _void_undone(s: Days, told: bool, classes: tuple[str, ...], listed: Any) -> Iterator[Found]:
    a = s.at[Y].pay()
    v = s.at[Y].undo(a, "V")
    s.lists(Y, a, v)
    yield {}, ()
    u = s.at[Y1].undo(v, "P", first=a)
    if told:
        s.lists(Y1, u)
    yield {Y: ("MATCHED",), Y1: classes}, listed


def surplus_of_two_dates_taken_back_in_the_second(s: Days) -> Iterator[Found]:
    """Told in both dates, and taken back where it was told again."""
    a = s.at[Y].pay()
    s.lists(Y, a)
    s.lists(Y1, a, s.at[Y].back(a))
    yield {Y: ("MATCHED",)}, ()


SEVERAL_DATES: tuple[Case, ...] = (
    in_the_next_date, by_rrn_in_the_next_date, by_amount_and_bill_in_the_next_date,
    another_amount_in_the_next_date, reversed_here_told_in_the_next_date, whole_pair_in_the_next_date,
    banks_reversal_in_the_next_date, ledgers_reversal_in_the_next_date, reversal_of_yesterday_on_both,
    reversal_of_yesterday_here, reversal_of_yesterday_there, void_of_yesterday_there, told_again_in_the_next_date,
    surplus_taken_back_in_the_next_date, unknown_taken_back_in_the_next_date, told_late_by_an_advice,
    suspense_in_the_next_date, reversal_of_yesterday_under_another_key, void_undone_in_the_next_date,
    void_undone_in_the_next_date_here_only, surplus_of_two_dates_taken_back_in_the_second,
)  # fmt: skip
FAR_DATES: tuple[Case, ...] = (seven_dates_away, eight_dates_away)


@pytest.mark.parametrize("first_date", [Y])
@pytest.mark.parametrize("order", [(Y8, Y1, Y, Y7), (Y, Y1)], ids=str)
def test_several_dates(bureau: Bureau, order: tuple[int, ...]) -> None:
    """Whatever the order in which the dates are run, the end is the same."""
    s = Days(bureau, "rcb", sorted(order))
    running = [case(s) for case in SEVERAL_DATES + (FAR_DATES if Y8 in order else ())]
    expected = [next(case) for case in running]
    s.close_until(Y1)
    expected = [next(case, found) for case, found in zip(running, expected, strict=True)]
    s.close_until(add_days(max(order), 1))
    for date in order:
        s.deliver(date)
        s.run(date)
    ends = {date: s.run(date) for date in order}
    for date in order:
        classes = Counter(name for found, _ in expected for name in found.get(date, ()))
        assert ends[date]["classes"] == {**ZERO, **classes}, date
    listed = Counter((one["class"], one["date"]) for one in bureau.told("exceptions"))
    dashed = lambda d: f"{d // 10000}-{d // 100 % 100:02d}-{d % 100:02d}"  # noqa: E731
    assert listed == Counter((name, dashed(date)) for _, found in expected for name, date in found)
    for date in order:
        blocking = sum(at == date and name != "SUSPENSE" for _, found in expected for name, at in found)
        assert (ends[date]["exceptions_open"], ends[date]["state"] == "CLOSED") == (blocking, blocking > 0), date
