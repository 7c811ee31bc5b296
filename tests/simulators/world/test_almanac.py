"""The model's own calendar and check digits, on values known from elsewhere."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from shebao.codecs import numbers
from shebao.simulators.world.almanac import check_digit_ok, cst, mod_11_10, nearest, nearest_date


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_epoch_in_china() -> None:
    assert cst(0) == moment("1970-01-01T08:00")
    assert cst(1_795_000_000_000_000) == moment("2026-11-18T19:06:40")


@pytest.mark.parametrize(
    ("told", "near", "right"),
    [
        ("1231235959", "2027-01-01T00:00:05", "2026-12-31T23:59:59"),
        ("0101000005", "2026-12-31T23:59:50", "2027-01-01T00:00:05"),
        ("0229120000", "2028-02-29T12:00:01", "2028-02-29T12:00:00"),
        ("0229120000", "2027-03-01T00:00", "2028-02-29T12:00:00"),
        ("0630090000", "2026-12-29T09:00", "2026-06-30T09:00:00"),
        ("0630090000", "2026-12-30T09:00", "2027-06-30T09:00:00"),
    ],
)
def test_the_nearest_year(told: str, near: str, right: str) -> None:
    assert nearest(told, moment(near)) == moment(right)


def test_a_day_that_no_year_has() -> None:
    assert nearest("0230000000", moment("2028-02-29T00:00")) is None


def test_a_date_near_another() -> None:
    assert nearest_date("0101", date(2026, 12, 31)) == date(2027, 1, 1)


def test_the_check_digit_of_the_standard() -> None:
    assert mod_11_10("0794") == "5"  # the example of ISO 7064
    assert all(mod_11_10(f"{n:019d}") == numbers.mod_11_10(f"{n:019d}") for n in range(0, 10**15, 7 * 10**11))
    assert check_digit_ok("33011026112600000018") == numbers.bill_ok("33011026112600000018")
