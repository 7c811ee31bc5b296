"""A day's orders: one a bill, one seed one day, trouble in the measure asked for."""

import random
from collections import Counter

from shebao.simulators import population, traffic
from shebao.simulators.cases import FATES

TODAY = 20261125
BILLS = population.populate(1, 3000, TODAY).bills


def test_every_bill_once_and_in_time_order() -> None:
    day = traffic.orders(BILLS, random.Random(2), TODAY)
    assert sorted(order.bill for order in day) == sorted(bill.number for bill in BILLS)
    assert [order.moment for order in day] == sorted(order.moment for order in day)
    assert day == traffic.orders(BILLS, random.Random(2), TODAY)


def test_fates_are_known_and_most_are_plain() -> None:
    count = Counter(order.fate for order in traffic.orders(BILLS, random.Random(2), TODAY))
    assert set(traffic.FATES_PER_10000) <= set(FATES)
    assert set(count) <= set(FATES)
    assert count["plain"] > 0.9 * len(BILLS) > 0 < count["repeat"]
    assert set(Counter(order.fate for order in traffic.orders(BILLS, random.Random(2), TODAY, {}))) == {"plain"}


def test_nothing_slow_at_the_end_of_the_day() -> None:
    day = traffic.orders(BILLS, random.Random(4), TODAY, {"lost": 5000})
    assert any(order.fate == "lost" for order in day[: len(day) // 2])
    assert not any(order.fate == "lost" for order in day[int(len(day) * traffic.SLOW_PART) :])


def test_terminals_and_branches_have_their_wire_lengths() -> None:
    for order in traffic.orders(BILLS[:500], random.Random(2), TODAY):
        assert len(order.terminal) == 8 and len(order.branch) == 15


def test_who_must_pay_himself_gives_his_id() -> None:
    owners = {bill.number: bill.payer_id for bill in BILLS if bill.owner_only}
    assert owners
    for order in traffic.orders(BILLS, random.Random(2), TODAY):
        assert order.bill not in owners or order.payer == owners[order.bill]


def test_banks_share_all_bills() -> None:
    dealt = traffic.shares(BILLS, random.Random(9), {"rcb": 3, "icbc": 1})
    assert len(dealt["rcb"]) + len(dealt["icbc"]) == len(BILLS)
    assert len(dealt["rcb"]) > 2 * len(dealt["icbc"])
