"""Which days a bank works: weekends off, but for what `etc/holidays.toml` says (settlement.md section 6, days late).

Pure but for `read_workdays`, the edge where the file is read. A settlement date is every calendar day; only how late
a bank's money is counts in working days. Dates are ints YYYYMMDD.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Final, NamedTuple

from shebao.codecs.section import read_toml
from shebao.ledger.config import read_text

FILE: Final = "holidays.toml"  # beside the configuration
SATURDAY: Final = 5
DAY: Final = datetime.timedelta(days=1)


class Workdays(NamedTuple):
    """The calendar. Empty: Saturdays and Sundays are off, and nothing else."""

    holidays: frozenset[datetime.date] = frozenset()  # off, on whatever day of the week
    workdays: frozenset[datetime.date] = frozenset()  # Saturdays and Sundays that are worked

    @property
    def years(self) -> list[int]:
        """Those of which it tells anything, ascending."""
        return sorted({day.year for day in self.holidays | self.workdays})

    def is_working(self, date: int) -> bool:
        return self._works(_day_of(date))

    def next_working(self, date: int) -> int:
        """The first working day after a date."""
        return _date_of(self._next(_day_of(date)))

    def working_days_late(self, due_date: int, until: int) -> int:
        """Working days after the one on which the money of a settlement date should have come, `until` included.

        That one is the next working day after the settlement date; 0: `until` is not after it.
        """
        day, last = self._next(_day_of(due_date)), _day_of(until)
        return sum(self._works(day + DAY * number) for number in range(1, (last - day).days + 1))

    def _works(self, day: datetime.date) -> bool:
        return day in self.workdays or (day.weekday() < SATURDAY and day not in self.holidays)

    def _next(self, day: datetime.date) -> datetime.date:
        day += DAY
        while not self._works(day):
            day += DAY
        return day


def _day_of(date: int) -> datetime.date:
    return datetime.date(date // 10_000, date // 100 % 100, date % 100)


def _date_of(day: datetime.date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


def parse_workdays(text: str, source: str) -> Workdays:
    """The calendar from the text of `holidays.toml`. source: the file's name for errors. Raises SettingsError."""
    top = read_toml(text, source)
    off = "write the days off without quotes, such as [2026-10-01, 2026-10-02], or []"
    made_up = "write the Saturdays and Sundays that are worked, such as [2026-10-10], or []"
    holidays = top.dates("holidays", right=off)
    workdays = top.dates("workdays", right=made_up)
    top.finish()
    for day in workdays:
        if day in holidays:
            raise top.error("workdays", f"{day} stands in holidays too", "leave it in one of the two")
        if day.weekday() < SATURDAY:
            raise top.error("workdays", f"{day} is a {day:%A}, which is worked anyway", "leave it out")
    return Workdays(frozenset(holidays), frozenset(workdays))


def read_workdays(config: Path) -> Workdays:
    """The calendar beside a configuration file; without one weekends are off. Raises SettingsError."""
    path = config.parent / FILE
    return parse_workdays(read_text(path, "make it readable"), str(path)) if path.exists() else Workdays()
