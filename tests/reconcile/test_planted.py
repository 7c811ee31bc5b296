"""Honest days of four banks, each in its own layout, with discrepancies planted at random: a run finds exactly those.

A plant is a generator: until its `yield` the first date is open, after it the second. It takes payments into the books,
tells the bank's lines, and ends with what it must come to. Files are written, sealed, read and run as in operation,
the dates in any order, before and after the other's file is there; the lines of a file in any order.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from shebao_bureau import BANKS, Bureau
from shebao_days import ZERO, D, Days
from shebao_statements import Row

D1 = D + 1


class Comes(NamedTuple):
    """An item: its class, the dates that it counts in, and the line that its exception tells in the last of them."""

    item_class: str
    dates: tuple[int, ...]
    told: Row


Plant = Callable[[Days], Iterator[list[Comes]]]
PLANTS: list[Plant] = []


def plant(one: Plant) -> Plant:
    PLANTS.append(one)
    return one


@plant
def agrees(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    s.lists(D, a)
    yield [Comes("MATCHED", (D,), a)]


@plant
def agrees_later(s: Days) -> Iterator[list[Comes]]:
    yield []
    a = s.at[D1].pay()
    s.lists(D1, a)
    yield [Comes("MATCHED", (D1,), a)]


@plant
def lost_there(s: Days) -> Iterator[list[Comes]]:
    yield [Comes("LEDGER_ONLY", (D,), s.at[D].pay())]


@plant
def lost_here(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].new(fen=777)
    s.lists(D, a)
    yield [Comes("BANK_ONLY", (D,), a)]


@plant
def told_twice(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    s.lists(D, a, a)
    yield [Comes("MATCHED", (D,), a), Comes("DUPLICATE", (D,), a)]


@plant
def told_again(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    s.lists(D, a)
    s.lists(D1, a)
    yield [Comes("MATCHED", (D,), a), Comes("DUPLICATE", (D1,), a)]


@plant
def another_amount(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    b = a._replace(fen=a.fen + random.Random(a.stan).choice([-1, 1, 5000]))
    s.lists(D, b)
    yield [Comes("AMOUNT_DIFFERS", (D,), b)]


@plant
def in_the_next_date(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    s.lists(D1, a)
    yield [Comes("OTHER_DATE", (D, D1), a)]


@plant
def for_less_in_the_next_date(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    b = a._replace(fen=1)
    s.lists(D1, b)
    yield [Comes("AMOUNT_DIFFERS", (D, D1), b)]


@plant
def told_the_day_before(s: Days) -> Iterator[list[Comes]]:
    bill = s.bureau.bill()
    yield []
    a = s.at[D1].pay("advice", bill=bill)
    s.lists(D, a)
    yield [Comes("OTHER_DATE", (D1, D), a)]


def pair_of_one_date(kind: str, listed: str, comes: str) -> Plant:
    def pair(s: Days) -> Iterator[list[Comes]]:
        a = s.at[D].pay()
        r = s.at[D].undo(a, kind)
        s.lists(D, *(one for one, name in ((r, "R"), (a, "P")) if name in listed))
        yield {
            "": [Comes("MATCHED", (D,), a)], "PR": [Comes("MATCHED", (D,), a)],
            "P": [Comes("STATE_DIFFERS", (D,), a)],
            "R": [Comes("LEDGER_ONLY", (D,), a), Comes("MATCHED", (D,), r)],
        }[listed]  # fmt: skip

    return pair


PLANTS += [pair_of_one_date(kind, listed, "") for kind in "RV" for listed in ("", "P", "R", "PR")]


@plant
def reversed_there(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    s.lists(D, a, s.at[D].back(a))
    yield [Comes("STATE_DIFFERS", (D,), a)]


@plant
def pair_unknown_here(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].new()
    s.lists(D, a, s.at[D].back(a, "V"))
    yield [Comes("MATCHED", (D,), a)]


def reversal_of_yesterday(ours: bool, theirs: bool) -> Plant:
    def undone(s: Days) -> Iterator[list[Comes]]:
        a = s.at[D].pay()
        s.lists(D, a)
        yield []
        r = s.at[D1].undo(a) if ours else s.at[D1].back(a)
        if theirs:
            s.lists(D1, r)
        yield [Comes("MATCHED", (D,), a), Comes("MATCHED" if ours and theirs else "STATE_DIFFERS", (D1,), r)]

    return undone


PLANTS += [reversal_of_yesterday(*who) for who in ((True, True), (True, False), (False, True))]


@plant
def reversal_told_late(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    r = s.at[D].undo(a)
    s.lists(D, a)
    s.lists(D1, r)
    yield [Comes("MATCHED", (D,), a), Comes("OTHER_DATE", (D, D1), r)]


@plant
def surplus_taken_back_later(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    s.lists(D, a, a)
    s.lists(D1, s.at[D].back(a))
    yield [Comes("MATCHED", (D,), a)]


@plant
def surplus_taken_back_at_once(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    s.lists(D, a, s.at[D].back(a), a)
    yield [Comes("MATCHED", (D,), a)]


@plant
def void_undone(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    v = s.at[D].undo(a, "V")
    u = s.at[D].undo(v, "P", first=a)
    s.lists(D, u, a, v)
    yield [Comes("MATCHED", (D,), a)]


@plant
def twins_of_one_bill(s: Days) -> Iterator[list[Comes]]:
    """Reversed and paid again, equal in all but time and STAN; the bank forgets the second."""
    a = s.at[D].pay()
    r = s.at[D].undo(a)
    b = s.at[D].pay(bill=a.bill)
    s.lists(D, r, a)
    yield [Comes("MATCHED", (D,), a), Comes("LEDGER_ONLY", (D,), b)]


@plant
def twins_of_one_stan(s: Days) -> Iterator[list[Comes]]:
    """The counter wrapped: two genuine payments, and one told twice."""
    a = s.at[D].pay()
    b = s.at[D].pay(stan=a.stan)
    s.lists(D, b, a, b)
    yield [Comes("MATCHED", (D,), a), Comes("MATCHED", (D,), b), Comes("DUPLICATE", (D,), b)]


@plant
def twins_of_one_amount(s: Days) -> Iterator[list[Comes]]:
    a, b = s.at[D].pay(fen=5), s.at[D].pay(fen=5)
    s.lists(D, b)
    yield [Comes("LEDGER_ONLY", (D,), a), Comes("MATCHED", (D,), b)]


@plant
def by_its_rrn(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    s.lists(D, s.at[D].new(a)._replace(rrn=a.rrn))
    yield [Comes("MATCHED", (D,), a)]


@plant
def by_amount_and_bill(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    s.lists(D, s.at[D].new(a))
    yield [Comes("MATCHED", (D,), a)]


@plant
def another_bill(s: Days) -> Iterator[list[Comes]]:
    a = s.at[D].pay()
    b = a._replace(bill=s.bureau.bill())
    s.lists(D, b)
    yield [Comes("LEDGER_ONLY", (D,), a), Comes("BANK_ONLY", (D,), b)]


def two_days(bureau: Bureau, chance: random.Random, plants: int) -> dict[str, tuple[Days, list[Comes]]]:
    """Both dates of every bank over, their files told but not yet delivered; what each bank's must come to."""
    days = {bank: Days(bureau, bank, (D, D1)) for bank in BANKS}
    growing = {bank: [chance.choice(PLANTS)(s) for _ in range(plants)] for bank, s in days.items()}
    comes: dict[str, list[Comes]] = {bank: [] for bank in BANKS}
    for _ in (D, D1):
        for bank, running in growing.items():
            comes[bank] += [item for one in running for item in next(one, [])]
            bureau.close(bank)
        bureau.next_day()
    for s in days.values():
        for day in s.at.values():
            chance.shuffle(day.told)
    return {bank: (days[bank], comes[bank]) for bank in BANKS}


def check(bureau: Bureau, seed: int, plants: int) -> None:
    chance = random.Random(seed)
    for bank, (s, comes) in two_days(bureau, chance, plants).items():
        order = chance.sample((D, D1), 2)
        for date in order:  # the second file comes late
            s.deliver(date)
            s.run(date)
        ends = {date: s.run(date) for date in chance.sample(order, 2)}
        listed = [
            (one["class"], int(one["date"].replace("-", "")), one["bill"], one["amount"], one["stan"])
            for one in bureau.told("exceptions", "--bank", bank)
        ]
        open_ = [one for one in comes if one.item_class not in ("MATCHED", "OTHER_DATE")]
        wanted = [(one.item_class, one.dates[-1], one.told.bill, one.told.fen, one.told.stan) for one in open_]
        assert Counter(listed) == Counter(wanted), (seed, bank)
        for date, end in ends.items():
            counted = Counter(one.item_class for one in comes if date in one.dates)
            assert end["classes"] == {**ZERO, **counted}, (seed, bank, date)
            assert end["exceptions_open"] == sum(one.dates[-1] == date for one in open_), (seed, bank, date)


def test_what_is_planted_is_found_and_nothing_else(bureau: Bureau) -> None:
    check(bureau, seed=1, plants=40)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 22))
def test_what_is_planted_is_found_with_many_seeds(bureau: Bureau, seed: int) -> None:
    check(bureau, seed, plants=120)
