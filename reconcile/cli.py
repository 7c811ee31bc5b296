"""`reconcile`: close a date, run it against the bank's file, see where things stand, print the day.

Thin: options in, one call, words or JSON out. Deciding about exceptions and funds is announced and not here yet.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

import shebao
from shebao.codecs.settings import BankSettings
from shebao.ledger.commands import (
    DONE,
    REFUSED,
    USAGE,
    Stop,
    bank_of,
    config_option,
    json_option,
    print_json,
    sign_heads,
    tell_faults,
    version_option,
    wall_us,
)
from shebao.ledger.day import date_of, time_of

from . import shelf
from . import status as status_screen
from .close import write_day
from .commands import MONTH, OPEN, Context, Opened, Reconcile, bank_option, date_option, opened
from .cutover import cut_over
from .inbox import BadFile
from .match import CLASSES
from .reports.figures import gather
from .reports.periods import of_day, of_month, of_year
from .reports.report import compose
from .reports.words import money
from .reports.write import summary, write_report
from .run import run as run_date
from .worklist import CHINESE, LISTED, PROPOSALS, Row, as_json, default_proposal, iso

PLAIN_WIDTH = 160
LATER = {
    "propose": "propose a decision about an exception",
    "approve": "approve what another operator proposed",
    "reject": "reject what another operator proposed",
    "receive": "record money that a bank transferred",
    "payback": "pay a bank back",
    "refund": "refund a bill",
    "sweep": "sweep money to the fiscal account",
    "funds": "list money due and received",
    "worklist": "export or import the worklist as XLSX",
}


@click.group(cls=Reconcile, name="reconcile")
@config_option
@version_option
@click.pass_context
def reconcile(context: click.Context, config: Path) -> None:
    """The end of the day: statement files, reconciliation, exceptions, reports."""
    context.obj = Context(config, context.obj or wall_us)  # a test gives a clock of its own


# -- close ----------------------------------------------------------------------------------------------------------


@reconcile.command()
@bank_option()
@date_option("The settlement date; the open one is cut over first. Default: the latest closed date again.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, do nothing.")
@json_option
@click.pass_obj
def close(context: Context, bank: str, date: int | None, dry_run: bool, as_json: bool) -> int:
    """Write a date's statement files into the outbox.

    Closing the open date is the cut-over.
    """
    with opened(context) as house:
        one = bank_of(house.settings, bank)
        date = date or _latest(house, one)
        cut = cut_over(house.store, house.desk, one, date, dry_run)
        if dry_run:
            _print_foreseen(bank, date, cut, as_json)
            return DONE
        if cut and (unsigned := sign_heads(house.settings, house.store, house.desk.now_us)):
            click.echo(f"reconcile: the seal's heads are not signed yet: {unsigned}", err=True)
        spec = house.dialects[bank].statement
        try:
            written = write_day(
                house.desk.read, house.desk.state_dir, spec, house.settings.institution, bank, one.book_id, date
            )
        except ValueError as error:
            raise Stop(f"{iso(date)} of {bank} does not add up: {error}; type: ledgerctl verify", REFUSED) from error
    if as_json:
        files = [str(written.folder / name) for name in written.files]
        print_json({"bank": bank, "date": iso(date), "cut_over": cut, "files": files})
    else:
        if cut:
            click.echo(f"{iso(date)} of {bank} is closed; the next date is open")
        for name in written.files:
            click.echo(written.folder / name)
    return DONE


def _print_foreseen(bank: str, date: int, cut: bool, as_json: bool) -> None:
    if as_json:
        print_json({"bank": bank, "date": iso(date), "cut_over": cut, "files": [], "dry_run": True})
        return
    done = "would be closed and its files written" if cut else "is closed; its files would be written again"
    click.echo(f"{iso(date)} of {bank} {done}; nothing was written")


# -- run ------------------------------------------------------------------------------------------------------------


@reconcile.command()
@bank_option()
@date_option("The settlement date. Default: the latest closed one.")
@click.option("--dry-run", is_flag=True, help="Show what a run would find; change nothing.")
@click.option("--replace", is_flag=True, help="Put another file in the place of an accepted one (not available yet).")
@click.option("--reason", default="", help="Why it is replaced.")
@click.option("--operator", default="", help="Who asks for it.")
@json_option
@click.pass_obj
def run(
    context: Context, bank: str, date: int | None, dry_run: bool, replace: bool, reason: str, operator: str,
    as_json: bool,
) -> int:  # fmt: skip
    """Match the bank's file of a date against the ledger."""
    if replace:
        raise Stop("run --replace is not available yet: it comes with the settlement desk; leave it out", USAGE)
    with opened(context) as house:
        one = bank_of(house.settings, bank)
        date = date or _latest(house, one)
        try:
            found = run_date(house.desk, bank, one.book_id, house.dialects[bank].statement, date, dry_run)
        except BadFile as error:
            told_faults = (f"reconcile: {error.name}: {fault}" for fault in error.faults)
            return tell_faults("reconcile", error.name, told_faults, error.number, "nothing changed")
    if as_json:
        told: dict[str, Any] = {
            "bank": bank, "date": iso(date), "state": found.state, "classes": found.classes,
            "exceptions_open": found.exceptions_open,
        }  # fmt: skip
        print_json({**told, "dry_run": True} if dry_run else told)
    else:
        _print_run(bank, one.name, date, found.state, found.classes, found.exceptions_open, dry_run)
    return OPEN if found.exceptions_open else DONE


def _print_run(
    bank: str, name: str, date: int, state: str, classes: dict[str, int], open_: int, dry_run: bool
) -> None:
    console = _console()
    console.print(f"[bold]{name} {bank}  {iso(date)}  {state}{' (dry run)' if dry_run else ''}[/]")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("类别 class")
    table.add_column("笔 items", justify="right")
    for item_class in CLASSES:
        if classes[item_class] or item_class == "MATCHED":
            table.add_row(f"{CHINESE[item_class]} {item_class}", f"{classes[item_class]:,}")
    console.print(table)
    if open_:
        console.print(f"{open_:,} to look at; type: reconcile exceptions --bank {bank} --date {iso(date)}")
    else:
        console.print("账平 balanced")


# -- exceptions -----------------------------------------------------------------------------------------------------


@reconcile.command()
@bank_option(required=False)
@date_option("Only of this settlement date.")
@click.option("--class", "item_class", type=click.Choice([*PROPOSALS]), help="Only of this class.")
@json_option
@click.pass_obj
def exceptions(context: Context, bank: str | None, date: int | None, item_class: str | None, as_json: bool) -> int:
    """List open exceptions, with both sides' values.

    Open ones are those of state OPEN, PROPOSED or CARRIED.
    """
    with opened(context) as house:
        banks = [bank_of(house.settings, bank)] if bank else list(house.settings.banks.values())
        today = date_of(context.now_us())
        told = [
            line for one in banks for line in _listed(house, one, today)
            if (not date or line["date"] == iso(date)) and (not item_class or line["class"] == item_class)
        ]  # fmt: skip
    if as_json:
        print_json(told)
    elif told:
        _print_exceptions(told)
    else:
        click.echo("无待处理差异 no exceptions")
    return DONE


def _listed(house: Opened, one: BankSettings, today: int) -> list[dict[str, Any]]:
    with house.desk.read() as conn:
        rows = shelf.exceptions(conn, one.book_id, states=LISTED)
        wanted = [row.bill for row in rows if row.item_class in ("BANK_ONLY", "SUSPENSE")]
        payable = shelf.payable_amounts(conn, wanted, today)
        files = shelf.files_of(conn, one.book_id)
        told = []
        for row in rows:
            if not row.ledger_json and not row.bank_json:  # from the wire: the payment tells
                row = row._replace(ledger_json=json.dumps(shelf.payment_told(conn, row.book_id, row.seq)))
            proposal = _proposal(row, payable, files)
            told.append(as_json(row, one.key, today, proposal, date_of(row.opened_us)))
    return told


def _proposal(row: Row, payable: dict[str, int], files: Iterable[int]) -> str:
    return default_proposal(row, payable.get(row.bill) == row.amount, any(d > row.date for d in files))


def _print_exceptions(told: list[dict[str, Any]]) -> None:
    console = _console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, justify in (
        ("编号\nid", "left"), ("结算日\ndate", "left"), ("类别\nclass", "left"), ("缴费单\nbill", "left"),
        ("账上\nledger", "right"), ("银行\nbank", "right"), ("建议\nproposal", "left"), ("天\ndays", "right"),
    ):  # fmt: skip
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for one in told:
        table.add_row(
            one["id"], one["date"], one["class"], one["bill"], _side(one["ledger"]), _side(one["bank_line"]),
            one["proposal"], str(one["age_days"]),
        )  # fmt: skip
    console.print(table)
    for item_class in dict.fromkeys(one["class"] for one in told):
        _, chinese, english = PROPOSALS[item_class]
        console.print(f"{CHINESE[item_class]} {item_class}: {chinese}; {english}")


def _side(line: dict[str, Any]) -> str:
    if not line:
        return "—"
    state = " 已冲 reversed" if line["live"] is False else ""  # None: a line repeated, whose state is told elsewhere
    return f"{money(line['amount'])}{state}"


# -- status ---------------------------------------------------------------------------------------------------------


@reconcile.command()
@json_option
@click.pass_obj
def status(context: Context, as_json: bool) -> int:
    """The one screen at 23:00: can I go home?"""
    with opened(context) as house, house.desk.read() as conn:
        banks = {
            key: status_screen.bank_status(
                conn, house.desk.state_dir, key, one.name, one.book_id, house.dialects[key].statement
            )
            for key, one in house.settings.banks.items()
        }
    if as_json:
        print_json([status_screen.as_json(one) for one in banks.values()])
    else:
        _print_status(banks)
    return DONE if all(one.balanced for one in banks.values()) else OPEN


def _print_status(banks: dict[str, status_screen.BankStatus]) -> None:
    console = _console()
    chinese, english = status_screen.verdict(banks)
    console.print(f"[bold]{chinese}[/]  {english}\n")
    for one in banks.values():
        open_date = f"在收 open {iso(one.open_date)}" if one.open_date else "无账本 no book"
        console.print(f"[bold]{one.bank}[/] {one.name}  {open_date}")
        for d in one.dates:
            console.print(f"    {_status_line(d)}", soft_wrap=True)
        if one.next:
            console.print(f"    [bold]→ {one.next}[/]", soft_wrap=True)


def _status_line(d: status_screen.Closed) -> str:
    """One closed date of one bank, in words."""
    when = status_screen.since(d.closed_us)
    ours = "我方已出 ours out" if d.out else "我方未出 ours missing"
    theirs = "银行已到 theirs in" if d.there or d.matched is not None else f"银行未到 theirs awaited since {when}"
    parts = [f"{iso(d.date)} {d.state}", f"日切 cut over {when}", ours, theirs]
    if d.matched is not None:
        parts.append(f"相符 matched {d.matched:,}")
    aside = ((d.open, "待处理 open"), (d.carried, "结转 carried"), (d.suspense, "挂账 suspense"))
    parts += [f"{word} {number:,}" for number, word in aside if number]
    return " · ".join(parts)


# -- report ---------------------------------------------------------------------------------------------------------


@reconcile.command()
@date_option("The settlement date. Default: the latest closed date of any bank.")
@click.option("--month", type=MONTH, help="A month instead of a date.")
@click.option("--year", type=click.IntRange(1990, 2199), help="A year instead of a date.", metavar="YYYY")
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
            figures = gather(conn, banks, period, start.hour * 60 + start.minute, date_of(now_us))
        if not any(one.days for one in figures.banks):
            raise Stop(f"no bank has a settlement date in {period.label}; type: reconcile status", REFUSED)
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


# -- what comes later ------------------------------------------------------------------------------------------------


def _announce(name: str, does: str) -> None:
    help_ = f"{does[0].upper()}{does[1:]} (not available yet)."

    @reconcile.command(name, help=help_, context_settings={"ignore_unknown_options": True})
    @click.argument("rest", nargs=-1, type=click.UNPROCESSED)
    def later(rest: tuple[str, ...]) -> int:
        raise Stop(f"{name} is not available yet: it comes with the settlement desk; type: reconcile exceptions", USAGE)


for _name, _does in LATER.items():
    _announce(_name, _does)


def _latest(house: Opened, one: BankSettings) -> int:
    with house.desk.read() as conn:
        date = shelf.latest_closed(conn, one.book_id)
    if date is None:
        raise Stop(f"{one.key} has no closed date yet; name the open one: --date YYYY-MM-DD", REFUSED)
    return date


def _console() -> Console:
    """Standard output; what is no terminal gets lines as wide as they need."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


if __name__ == "__main__":
    reconcile()
