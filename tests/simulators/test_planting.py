"""Discrepancies planted in a bank's lines: exactly what was asked, exactly as told."""

import random
from collections import Counter

import pytest

from shebao.codecs.statement import StatementLine
from shebao.simulators.planting import CLASS_OF, NothingToPlant, plant, without_pairs


def line(number: int, kind: str = "P", original: int = 0, date: int = 20261125) -> StatementLine:
    return StatementLine(
        date=date,
        moment=f"{date}{100000 + number}",
        stan=f"{number:06d}",
        rrn=f"611250{number:06d}",
        terminal="T0010001",
        branch="330110000BR0001",
        kind=kind,
        bill=f"3301102611{original or number:010d}",
        amount=48000,
        receipt="",
        channel="01",
        original_moment=f"{date}{100000 + original}" if original else "",
        original_stan=f"{original:06d}" if original else "",
    )


DAY = [line(n) for n in range(1, 31)]


def test_each_kind_is_what_it_says() -> None:
    wanted = dict.fromkeys(CLASS_OF, 1)
    tomorrow = [line(n, date=20261126) for n in range(40, 43)]
    out, done = plant(DAY, wanted, random.Random(3), [("33011026112300000010", 99900)], tomorrow)
    told = {item.kind: item for item in done}
    assert {item.kind: item.item_class for item in done} == CLASS_OF
    bills = Counter(item.bill for item in out)
    assert bills[told["missing"].bill] == 0
    assert bills[told["added"].bill] == 1 and told["added"].amount == 99900
    assert bills[told["twice"].bill] == 2
    assert [item.amount for item in out if item.bill == told["amount"].bill] == [told["amount"].amount] == [58000]
    assert [item.kind for item in out if item.bill == told["state"].bill] == ["P", "R"]
    assert [item.date for item in out if item.bill == told["date"].bill] == [20261125]
    assert len(out) == len(DAY) - 1 + 1 + 1 + 1 + 1


def test_nothing_else_is_touched() -> None:
    out, done = plant(DAY, {"missing": 2, "amount": 3}, random.Random(5))
    touched = {item.bill for item in done}
    assert len(touched) == 5
    assert [item for item in out if item.bill not in touched] == [item for item in DAY if item.bill not in touched]


def test_a_payment_that_was_reversed_is_never_a_victim() -> None:
    day = [line(1), line(2, "R", 1), line(3)]
    _, done = plant(day, {"missing": 1}, random.Random(1))
    assert done[0].bill == day[2].bill
    with pytest.raises(NothingToPlant, match="2 times 'missing'"):
        plant(day, {"missing": 2}, random.Random(1))


def test_pairs_are_left_out_and_standing_payments_stay() -> None:
    standing = [line(4), line(5, "V", 4), line(6, "P", 5)._replace(bill=line(4).bill)]
    day = [line(1), line(2, "R", 1), line(3), *standing, line(8, "R", 7)]
    assert without_pairs(day) == [line(3), *standing, line(8, "R", 7)]
