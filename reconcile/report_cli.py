"""`reconcile report`: a date, a month or a year, as page, workbook, paper and vouchers.

Thin: what it tells comes from `reports`, how late money is from `funds`.
"""

from __future__ import annotations

from collections.abc import Mapping

import click
from sqlalchemy import Connection

import shebao
from shebao.ledger.commands import DONE, REFUSED, YEARS, Stop, json_option, print_json
from shebao.ledger.day import date_of, time_of

from . import shelf
from .commands import MONTH, Context, date_option, opened
from .funds import days_late
from .reports.figures import gather
from .reports.periods import of_day, of_month, of_year
from .reports.report import compose
from .reports.write import summary, write_report
from .workdays import read_workdays


@click.command()
@date_option("The settlement date. Default: the latest closed date of any bank.")
@click.option("--month", type=MONTH, help="A month instead of a date.")
@click.option("--year", type=click.IntRange(YEARS[0], YEARS[-1]), help="A year instead of a date.", metavar="YYYY")
@json_option
@click.pass_obj
def report(context: Context, date: int | None, month: int | None, year: int | None, as_json: bool) -> int:
    """Write the settlement report of a date, month or year.

    As page, workbook, paper and vouchers, into var/reports. Another version only when a figure has changed.
    """
    if sum(given is not None for given in (date, month, year)) > 1:
        raise click.UsageError("--date, --month, --year: give one of them")
    with opened(context) as house:
        banks = {key: (one.name, one.book_id) for key, one in house.settings.banks.items()}
        start = next(iter(house.settings.banks.values())).cutover
        now_us = context.now_us()
        with house.desk.read() as conn:
            if month or year:
                period = of_month(month) if month else of_year(year or 0)
            else:
                period = of_day(date or _latest_of_all(conn, banks))
            late = days_late(read_workdays(context.config), date_of(now_us))
            figures = gather(conn, banks, period, start.hour * 60 + start.minute, date_of(now_us), late)
        if not any(one.days for one in figures.banks):
            when = f"{'in' if month or year else 'on'} {period.label}"
            raise Stop(f"no bank has a settlement date {when}; type: reconcile status", REFUSED)
        made = compose(figures, time_of(now_us), house.settings.operators_identity, shebao.__version__)
        written, folder = write_report(house.desk.state_dir, made)
    if as_json:
        print_json(summary(written, folder))
    else:
        said = written.verdict
        click.echo(f"{said.chinese}  {said.english}\n{folder / 'settlement.html'}")
    return DONE


def _latest_of_all(conn: Connection, banks: Mapping[str, tuple[str, int]]) -> int:
    latest = [shelf.latest_closed(conn, book_id) for _, book_id in banks.values()]
    date = max((d for d in latest if d), default=None)
    if date is None:
        raise Stop("no settlement date is closed yet; type: reconcile close --bank BANK --date DATE", REFUSED)
    return date
