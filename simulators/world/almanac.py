"""Calendar and check digits, once more: what the model needs of them, from the standards and not from `codecs`.

All moments are naive and in China Standard Time: this world has no other.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date as Date
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

EPOCH: Final = datetime.fromisoformat("1970-01-01T08:00")


def cst(now_us: int) -> datetime:
    """China Standard Time, naive."""
    return EPOCH + timedelta(microseconds=now_us)


@lru_cache(maxsize=4096)
def nearest(mmddhhmmss: str, near: datetime) -> datetime | None:
    """The moment of that month, day and time which is nearest to another."""
    month, day, hour, minute, second = (int(mmddhhmmss[at : at + 2]) for at in (0, 2, 4, 6, 8))
    around = 8 if mmddhhmmss.startswith("0229") else 1
    found = []
    for year in range(near.year - around, near.year + around + 1):
        with suppress(ValueError):  # no such day in that year
            found.append(EPOCH.replace(year, month, day, hour, minute, second))
    return min(found, key=lambda moment: abs(moment - near), default=None)


def nearest_date(mmdd: str, near: Date) -> Date:
    moment = nearest(mmdd + "000000", EPOCH.replace(near.year, near.month, near.day))
    assert moment is not None
    return moment.date()


def due_date(moment: datetime, cutover: str) -> Date:
    """The date that is open then, if every cut-over, at HH:MM:SS, was made by the clock."""
    return moment.date() + timedelta(days=int(f"{moment:%H:%M:%S}" >= cutover))


def as_int(day: Date) -> int:
    """YYYYMMDD, as the switch writes it."""
    return int(f"{day:%Y%m%d}")


def mod_11_10(digits: str) -> str:
    """ISO 7064 MOD 11,10 as the standard tells it, step by step."""
    product = 10
    for digit in digits:
        total = (product + int(digit)) % 10 or 10
        product = total * 2 % 11
    return str((11 - product) % 10)


def written(text: str) -> datetime:
    """The moment of YYYYMMDDhhmmss."""
    year, *rest = (int(part) for part in (text[:4], *(text[at : at + 2] for at in range(4, 14, 2))))
    month, day, hour, minute, second = rest
    return EPOCH.replace(year, month, day, hour, minute, second)


def as_date(told: int) -> Date:
    """The date of YYYYMMDD."""
    return Date(told // 10000, told // 100 % 100, told % 100)


def check_digit_ok(number: str) -> bool:
    return len(number) == 20 and number.isdigit() and mod_11_10(number[:19]) == number[19]
