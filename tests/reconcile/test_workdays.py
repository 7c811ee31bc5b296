"""Working days: weekends, the shipped calendar, and every way to write it wrong."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shebao.codecs.section import SettingsError
from shebao.reconcile.workdays import Workdays, parse_workdays, read_workdays

ETC = Path(__file__).resolve().parents[2] / "etc"
PLAIN = Workdays()
SHIPPED = read_workdays(ETC / "switch.toml")


def test_the_shipped_calendar_is_that_of_the_notice() -> None:
    first = datetime.date(2026, 1, 1)
    days = [first + datetime.timedelta(days=n) for n in range(365)]
    worked = [d for d in days if SHIPPED.is_working(int(f"{d:%Y%m%d}"))]
    assert SHIPPED.years == [2026] and (len(SHIPPED.holidays), len(SHIPPED.workdays)) == (33, 6)
    assert len(worked) == 248, "261 weekdays, 19 of them off, 6 weekends worked"


@pytest.mark.parametrize(
    ("date", "following"),
    [
        (20261123, 20261124),  # Monday
        (20261127, 20261130),  # Friday
        (20261128, 20261130),
        (20260930, 20261008),  # National Day
        (20261009, 20261010),  # a Saturday that is worked
        (20260213, 20260214), (20260214, 20260224), (20261231, 20270101),  # 2027 is not known yet
    ],
)  # fmt: skip
def test_the_next_working_day(date: int, following: int) -> None:
    assert SHIPPED.next_working(date) == following and SHIPPED.is_working(following)


@pytest.mark.parametrize(
    ("due", "until", "late"),
    [
        (20261123, 20261123, 0), (20261123, 20261124, 0), (20261123, 20261125, 1), (20261123, 20261122, 0),
        (20261126, 20261127, 0), (20261126, 20261129, 0), (20261126, 20261130, 1),  # Thursday, over a weekend
        (20261127, 20261130, 0), (20261127, 20261201, 1), (20261128, 20261130, 0),
        (20260930, 20261008, 0), (20260930, 20261009, 1), (20260930, 20261010, 2), (20260930, 20261012, 3),
    ],
)  # fmt: skip
def test_working_days_late(due: int, until: int, late: int) -> None:
    assert SHIPPED.working_days_late(due, until) == late


def test_without_a_file_only_weekends_are_off(tmp_path: Path) -> None:
    assert read_workdays(tmp_path / "switch.toml") == PLAIN
    assert PLAIN.is_working(20261001) and not PLAIN.is_working(20261010) and PLAIN.years == []


dates = st.dates(datetime.date(2025, 1, 1), datetime.date(2027, 12, 31))


@given(dates, dates)
def test_each_working_day_counts_once(due: datetime.date, until: datetime.date) -> None:
    first, last = (int(f"{d:%Y%m%d}") for d in (due, until))
    day, counted = SHIPPED.next_working(first), 0
    while (day := SHIPPED.next_working(day)) <= last:
        counted += 1
    assert SHIPPED.working_days_late(first, last) == counted


@pytest.mark.parametrize(
    ("text", "key", "wrong"),
    [
        ("", "holidays", "is missing"),
        ("holidays = []\n", "workdays", "is missing"),
        ("holidays = []\nworkdays = []\nfestivals = []\n", "festivals", "unknown key"),
        ('holidays = "2026-10-01"\nworkdays = []\n', "holidays", "is text"),
        ("holidays = 2026-10-01\nworkdays = []\n", "holidays", "is a date or time"),
        ('holidays = ["2026-10-01"]\nworkdays = []\n', "holidays", "is text"),
        ("holidays = [20261001]\nworkdays = []\n", "holidays", "is a whole number"),
        ("holidays = [2026-10-01T00:00:00]\nworkdays = []\n", "holidays", "no date without a time"),
        ("holidays = [2026-10-01, 2026-10-01]\nworkdays = []\n", "holidays", "twice"),
        ("holidays = [2026-10-10]\nworkdays = [2026-10-10]\n", "workdays", "stands in holidays too"),
        ("holidays = []\nworkdays = [2026-10-12]\n", "workdays", "is a Monday, which is worked anyway"),
        ("holidays = [2026-02-30]\nworkdays = []\n", "line 1", "not TOML"),
        ("holidays = [\n", "line 2", "not TOML"),
    ],
)
def test_what_is_wrong_is_named(text: str, key: str, wrong: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_workdays(text, "holidays.toml")
    told = str(caught.value)
    assert told.startswith(f"holidays.toml: {key}: ") and wrong in told
    assert caught.value.right and "\n" not in told


def test_a_file_that_can_t_be_read_is_no_absent_one(tmp_path: Path) -> None:
    (tmp_path / "holidays.toml").mkdir()
    with pytest.raises(SettingsError, match="can't be read"):
        read_workdays(tmp_path / "switch.toml")


@given(st.sets(dates), st.sets(dates))
def test_what_is_written_is_read(off: set[datetime.date], on: set[datetime.date]) -> None:
    on = {day for day in on if day.weekday() >= 5} - off
    text = "".join(
        f"{name} = [{', '.join(map(str, sorted(days)))}]\n" for name, days in (("holidays", off), ("workdays", on))
    )
    assert parse_workdays(text, "x") == Workdays(frozenset(off), frozenset(on))
