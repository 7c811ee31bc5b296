"""The shape of a bank day: outlets open at 08:00, a peak before noon and one after, doors shut at 17:30.

A moment is an int YYYYMMDDhhmmss in China Standard Time. No clock here: the day is an argument.
"""

from __future__ import annotations

import random
from typing import Final

# Weight of each quarter of an hour from 08:00 to 17:30.
OPENS_S: Final = 8 * 3600
QUARTER_S: Final = 900
QUARTERS: Final = (
    2, 4, 8, 13, 19, 25, 30, 33, 34, 32, 28, 24, 19, 14, 9, 6,  # 08:00 to 12:00: the morning peak at 10
    4, 3, 3, 4, 7, 11,  # 12:00 to 13:30: lunch
    16, 21, 25, 27, 26, 24, 21, 18, 15, 12, 10, 8, 6, 4, 3, 1,  # 13:30 to 17:30: the afternoon peak at half past 2
)  # fmt: skip


def moments(dice: random.Random, day: int, count: int) -> list[int]:
    """So many moments of one day, ascending, spread as a bank's customers are."""
    starts = dice.choices(range(len(QUARTERS)), QUARTERS, k=count)
    seconds = sorted(OPENS_S + QUARTER_S * quarter + dice.randrange(QUARTER_S) for quarter in starts)
    return [day * 1_000_000 + _hhmmss(second) for second in seconds]


def later(moment: int, seconds: int) -> int:
    """The moment so many seconds later, on the same day (at most 23:59:59)."""
    day, clock = divmod(moment, 1_000_000)
    second = clock // 10000 * 3600 + clock // 100 % 100 * 60 + clock % 100 + seconds
    return day * 1_000_000 + _hhmmss(min(second, 86_399))


def _hhmmss(second: int) -> int:
    return second // 3600 * 10000 + second // 60 % 60 * 100 + second % 60
