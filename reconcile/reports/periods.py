"""What a report is about: a settlement date, a month or a year, and the spans that it is compared with."""

from __future__ import annotations

import calendar
from typing import Final, NamedTuple

from shebao.ledger.day import add_days, iso

DAY, MONTH, YEAR = "day", "month", "year"
TITLES: Final = {DAY: ("日报", "Daily"), MONTH: ("月报", "Monthly"), YEAR: ("年报", "Yearly")}


class Period(NamedTuple):
    unit: str
    since: int  # first settlement date, YYYYMMDD
    until: int  # last one

    @property
    def label(self) -> str:
        """2026-11-23, 2026-11 or 2026: also its folder's name."""
        return iso(self.since)[: {DAY: 10, MONTH: 7, YEAR: 4}[self.unit]]

    def part_of(self, date: int) -> int:
        """Which row of the period's own course a date belongs to: its date, of a year its month YYYYMM."""
        return date // 100 if self.unit == YEAR else date


class Span(NamedTuple):
    """What a period is compared with, by name."""

    chinese: str
    english: str
    since: int
    until: int


def of_day(date: int) -> Period:
    return Period(DAY, date, date)


def of_month(month: int) -> Period:
    """month: YYYYMM."""
    last = calendar.monthrange(month // 100, month % 100)[1]
    return Period(MONTH, month * 100 + 1, month * 100 + last)


def of_year(year: int) -> Period:
    return Period(YEAR, year * 10_000 + 101, year * 10_000 + 1231)


def compared(period: Period) -> list[Span]:
    """The period itself first, then what finance holds it against (settlement.md section 7)."""
    since, until = period.since, period.until
    year = since // 10_000 * 10_000
    to_date = Span("本年累计", "year to date", year + 101, until)
    if period.unit == DAY:
        yesterday, week = add_days(since, -1), add_days(since, -7)
        return [
            Span("本日", "this date", since, until), Span("前一日", "day before", yesterday, yesterday),
            Span("上周同日", "same day last week", week, week),
            Span("本月累计", "month to date", since // 100 * 100 + 1, until), to_date,
        ]  # fmt: skip
    if period.unit == MONTH:
        before, last_year = of_month(add_days(since, -1) // 100), of_month(since // 100 - 100)
        return [
            Span("本月", "this month", since, until), Span("上月", "month before", before.since, before.until),
            Span("去年同月", "same month last year", last_year.since, last_year.until), to_date,
        ]  # fmt: skip
    return [
        Span("本年", "this year", since, until),
        Span("上年", "year before", year - 10_000 + 101, year - 10_000 + 1231),
    ]
