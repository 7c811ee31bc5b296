"""The demo's day, written down before it happens: who pays where, what goes wrong, what will be planted. Pure.

Roles go to the banks in the order of the configuration, not by their names.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from . import traffic
from .messages import Order
from .population import Bill, Population, populate

WEIGHTS: Final = (46, 24, 18, 12)  # shares of the first four banks; any further bank has the last one's
BANKS_MIN: Final = 4
PAYMENTS_MIN: Final = 400
CONTESTED: Final = 20  # bills that two customers carry to two banks
COLLECTED: Final = 40  # payments that a bank takes while its lines are down
AFTER_CUT_OVER: Final = 25
STRAYS: Final = 2  # advices for bills that another bank was paid
SPARE: Final = 10  # bills that no one pays

# By the bank's place: what is planted in its file. The fourth has a suspense item from the wire, and nothing else.
PLANTED: Final[tuple[Mapping[str, int], ...]] = (
    {"missing": 2, "added": 1},
    {"amount": 1, "twice": 1},
    {"state": 1, "date": 2},
    {},
)


class Programme(NamedTuple):
    population: Population
    day: int
    orders: dict[str, list[Order]]
    evening: dict[str, list[Order]]  # after the cut-over
    strays: dict[str, list[Order]]  # advices that fit no bill any more
    unpaid: list[tuple[str, int]]  # (bill, fen)
    planted: dict[str, Mapping[str, int]]
    loses_lines: str  # the bank whose lines break in the middle of the day
    nets_pairs: str  # the bank that lists neither a payment nor its reversal
    closed_by_command: str  # the others cut over by message

    @property
    def payments(self) -> int:
        return sum(len(orders) for orders in self.orders.values())


def write_down(seed: int, payments: int, day: int, banks: Sequence[str]) -> Programme:
    """banks: at least 4, in the order of the configuration."""
    if len(banks) < BANKS_MIN or payments < PAYMENTS_MIN:
        raise ValueError(f"{len(banks)} banks and {payments} payments: at least {BANKS_MIN} and {PAYMENTS_MIN}")
    dice = random.Random(f"programme {seed}")
    evening_bank, stray_bank = banks[2], banks[3]
    population = populate(seed, payments + AFTER_CUT_OVER + SPARE, day)
    bills = list(population.bills)
    spare = [bills.pop() for _ in range(SPARE)]
    late = [bills.pop() for _ in range(AFTER_CUT_OVER)]
    weights = {bank: WEIGHTS[min(place, len(WEIGHTS) - 1)] for place, bank in enumerate(banks)}
    dealt = traffic.shares(bills, dice, weights)
    orders = {bank: traffic.orders(dealt[bank], dice, day) for bank in banks}
    _contest(orders[banks[0]], orders[evening_bank], dice)
    return Programme(
        population=population,
        day=day,
        orders=orders,
        evening={evening_bank: [_evening(bill, dice, day) for bill in late]},
        strays={stray_bank: _strays(orders[banks[0]], bills)},
        unpaid=[(bill.number, bill.amount) for bill in spare],
        planted={bank: PLANTED[place] if place < len(PLANTED) else {} for place, bank in enumerate(banks)},
        loses_lines=banks[1],
        nets_pairs=stray_bank,
        closed_by_command=stray_bank,
    )


def _contest(first: list[Order], second: list[Order], dice: random.Random) -> None:
    """Some of the first bank's customers carry the same bill to the second bank at the same moment."""
    plain = [place for place, order in enumerate(first) if order.fate == "plain" and not order.payer]
    for place in dice.sample(plain, CONTESTED):
        first[place] = first[place]._replace(contested=True)
        second.append(first[place])
    second.sort(key=lambda order: order.moment)


def _evening(bill: Bill, dice: random.Random, day: int) -> Order:
    return traffic.order(bill, dice, day * 1_000_000 + 173_500 + dice.randrange(60))


def _strays(paid: Sequence[Order], bills: Sequence[Bill]) -> list[Order]:
    """Told late by another bank: it had collected, while the bill was being paid elsewhere."""
    uncontested = [order for order in paid if order.fate == "plain" and not order.contested and not order.payer]
    return [order._replace(fate="advice") for order in uncontested[:STRAYS]]
