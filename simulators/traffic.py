"""A day's customers: which bill is paid at which bank, when, by which channel, and what goes wrong. Pure.

One seed gives one day. Nothing is sent here; the orders go to `bank.Bank.offer` in the order of their moments.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from .hours import moments
from .messages import Order
from .population import Bill

# Of ten thousand orders. The rest is plain.
FATES_PER_10000: Final[Mapping[str, int]] = {
    "inquire": 300,
    "repeat": 120,
    "void": 30,
    "undone": 5,
    "lost": 15,
    "late": 15,
    "unvoid": 8,
    "advice": 60,
    "advice repeat": 10,
}
SLOW: Final = frozenset({"lost", "late", "unvoid"})  # they wait for a time-out: not in the last part of a day
SLOW_PART: Final = 0.8
CHANNELS: Final = (("01", 38), ("02", 20), ("03", 14), ("04", 28))
OUTLETS: Final = 24  # of each bank
NET_BRANCH: Final = "330110000NET   "  # blanks at the end are part of DE42


def orders(
    bills: Sequence[Bill], dice: random.Random, day: int, fates: Mapping[str, int] = FATES_PER_10000
) -> list[Order]:
    """An order for each bill, ascending by moment. fates: per ten thousand; {} for a day without trouble."""
    names = ["plain", *fates]
    weights = [10_000 - sum(fates.values()), *fates.values()]
    drawn = dice.choices(names, weights, k=len(bills))
    slow_until = int(len(bills) * SLOW_PART)
    shuffled = list(bills)
    dice.shuffle(shuffled)
    return [
        order(bill, dice, moment, fate if place < slow_until or fate not in SLOW else "plain")
        for place, (bill, moment, fate) in enumerate(zip(shuffled, moments(dice, day, len(bills)), drawn, strict=True))
    ]


def order(bill: Bill, dice: random.Random, moment: int, fate: str = "plain") -> Order:
    """One customer. Who must pay himself, and some others, give their id."""
    channel = dice.choices([name for name, _ in CHANNELS], [share for _, share in CHANNELS])[0]
    outlet = dice.randrange(1, OUTLETS + 1)
    in_person = channel in ("01", "02")
    return Order(
        bill=bill.number,
        amount=bill.amount,
        moment=moment,
        channel=channel,
        terminal=f"T{outlet:03d}{dice.randrange(1, 9):04d}" if channel == "01" else f"K{outlet:03d}".ljust(8),
        branch=f"330110000BR{outlet:04d}" if in_person else NET_BRANCH,
        fate=fate,
        payer=bill.payer_id if bill.owner_only or dice.random() < 0.3 else "",
    )


def shares(bills: Iterable[Bill], dice: random.Random, weights: Mapping[str, int]) -> dict[str, list[Bill]]:
    """Which bank each bill is paid at."""
    banks, parts = list(weights), list(weights.values())
    dealt: dict[str, list[Bill]] = {bank: [] for bank in banks}
    for bill in bills:
        dealt[dice.choices(banks, parts)[0]].append(bill)
    return dealt
