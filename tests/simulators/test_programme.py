"""The demo's day as written down: a peak day above 60 million yuan, the same for the same seed."""

import pytest

from shebao.simulators import programme
from shebao.simulators.planting import CLASS_OF

DAY = 20261125
BANKS = ["a", "b", "c", "d"]


def test_the_default_day_is_a_peak_day() -> None:
    plan = programme.write_down(1, 20_000, DAY, BANKS)
    amounts = {bill.number: bill.amount for bill in plan.population.bills}
    paid = {order.bill for orders in plan.orders.values() for order in orders}
    assert plan.payments == 20_000 + programme.CONTESTED and len(paid) == 20_000
    assert 60_000_000_00 < sum(amounts[bill] for bill in paid) < 70_000_000_00
    sizes = [len(plan.orders[bank]) for bank in BANKS]
    assert sizes == sorted(sizes, reverse=True)


def test_one_seed_is_one_day_and_a_fifth_bank_joins() -> None:
    assert programme.write_down(3, 500, DAY, BANKS) == programme.write_down(3, 500, DAY, BANKS)
    assert programme.write_down(3, 500, DAY, [*BANKS, "e"]).orders["e"]


def test_contested_bills_are_at_two_banks_and_no_other_bill_is() -> None:
    plan = programme.write_down(2, programme.PAYMENTS_MIN, DAY, BANKS)
    seen: dict[str, int] = {}
    for orders in plan.orders.values():
        assert [order.moment for order in orders] == sorted(order.moment for order in orders)
        for order in orders:
            seen[order.bill] = seen.get(order.bill, 0) + 1
            assert not order.contested or order.fate == "plain"
    assert sorted(seen.values())[-programme.CONTESTED - 1 :] == [1, *[2] * programme.CONTESTED]


def test_what_is_planted_is_known_and_spare_bills_are_nobodys() -> None:
    plan = programme.write_down(1, 500, DAY, BANKS)
    assert {kind for wanted in plan.planted.values() for kind in wanted} == set(CLASS_OF)
    paid = {order.bill for group in (plan.orders, plan.evening) for orders in group.values() for order in orders}
    assert not paid & {bill for bill, _ in plan.unpaid}
    strays = [order.bill for orders in plan.strays.values() for order in orders]
    assert len(strays) == programme.STRAYS and set(strays) <= {order.bill for order in plan.orders["a"]}


@pytest.mark.parametrize(("payments", "banks"), [(500, BANKS[:3]), (programme.PAYMENTS_MIN - 1, BANKS)])
def test_too_little_for_a_day(payments: int, banks: list[str]) -> None:
    with pytest.raises(ValueError, match="at least"):
        programme.write_down(1, payments, DAY, banks)
