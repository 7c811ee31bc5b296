"""`reconcile`: close a date, run it against the bank's file, see where things stand, print the day.

Thin: options in, one call, words or JSON out. Deciding is in `desk_cli`, lists in
`worklist_cli`, funds in `funds_cli`, reports in `report_cli`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

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
from shebao.ledger.day import iso

from . import shelf
from . import status as status_screen
from .close import write_day
from .commands import OPEN, Context, Opened, Reconcile, bank_option, console, date_option, opened
from .cutover import cut_over
from .decisions import Who, ask, propose
from .desk_cli import Place, approve_command, operator_option, place, propose_command, reject_command, tell_id
from .funds_cli import funds_command, payback, receive, refund, sweep
from .inbox import BadFile
from .match import CLASSES
from .report_cli import report
from .run import run as run_date
from .run import take_in
from .terms import class_words
from .worklist_cli import exceptions, show, worklist


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
@click.option("--replace", is_flag=True, help="Ask for another file in the place of the accepted one; two people do.")
@click.option("--reason", default=None, help="--replace: why.")
@operator_option
@json_option
@click.pass_obj
def run(
    context: Context, bank: str, date: int | None, dry_run: bool, replace: bool, reason: str | None,
    operator: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Match the bank's file of a date against the ledger."""
    if not replace and (reason is not None or operator is not None):
        raise Stop("--reason and --operator belong to --replace", USAGE)
    if replace and not (reason or "").strip():
        raise Stop("--replace needs --reason TEXT", USAGE)
    if replace and dry_run:
        raise Stop("--replace goes without --dry-run", USAGE)
    with place(context) as here:
        house = here.house
        one = bank_of(house.settings, bank)
        date = _closed(house, one, date or _latest(house, one))
        try:
            if replace:
                return _replace(here, one, date, here.who(operator, reason or ""), as_json)
            found = run_date(house.desk, bank, one.book_id, house.dialects[bank].statement, date, dry_run)
        except BadFile as error:
            lines, covered = error.faults.told()
            if error.cause:
                click.echo(f"reconcile: {error.name}: 可能的原因 likely cause: {error.cause}", err=True)
            shown = [f"reconcile: {error.name}: {line}" for line in lines]
            return tell_faults("reconcile", error.name, shown, error.faults.number, "nothing changed", covered)
    if as_json:
        told: dict[str, Any] = {
            "bank": bank, "date": iso(date), "state": found.state, "classes": found.classes,
            "exceptions_open": found.exceptions_open,
        }  # fmt: skip
        print_json({**told, "dry_run": True} if dry_run else told)
    else:
        _print_run(bank, one.name, date, found.state, found.classes, found.exceptions_open, dry_run)
    return OPEN if found.exceptions_open else DONE


def _replace(here: Place, one: BankSettings, date: int, who: Who, as_json: bool) -> int:
    """Another file for an accepted date: read and checked now, taken by the next run once somebody has approved."""
    before, file = take_in(here.house.desk, one.key, one.book_id, here.house.dialects[one.key].statement, date)
    if before is None:
        raise Stop(f"no file of {iso(date)} is accepted yet; type: reconcile run --bank {one.key}", REFUSED)
    if before.digest == file.digest and not before.replaced_by:  # else it takes back what was approved, and not run yet
        raise Stop("the file in the inbox is the one that is accepted: put the other one there first", REFUSED)
    asked = ask(here.office, one.book_id, who, "replace", dates=str(date), reference=file.digest)
    return tell_id(here, asked, propose(here.office, asked), as_json)


def _print_run(
    bank: str, name: str, date: int, state: str, classes: dict[str, int], open_: int, dry_run: bool
) -> None:
    out = console()
    out.print(f"[bold]{name} {bank}  {iso(date)}  {state}{' (dry run)' if dry_run else ''}[/]")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("类别 class")
    table.add_column("笔 items", justify="right")
    for item_class in CLASSES:
        if classes[item_class] or item_class == "MATCHED":
            table.add_row(class_words(item_class), f"{classes[item_class]:,}")
    out.print(table)
    if open_:
        differences = sum(classes[one] for one in CLASSES if one != "MATCHED")
        rest = max(0, differences - open_)
        told = f"{open_:,} 笔待处理  {open_:,} to look at"
        if rest:
            told = f"{differences:,} 笔差异,已处理 {rest:,},待处理 {open_:,}"
            told += f"  {differences:,} differences, {rest:,} decided or explained, {open_:,} open"
        out.print(f"{told}; type: reconcile exceptions --bank {bank} --date {iso(date)}", soft_wrap=True)
    else:
        out.print("账平 balanced")


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
        _print_status(banks, context.now_us())
    return DONE if all(one.balanced for one in banks.values()) else OPEN


def _print_status(banks: dict[str, status_screen.BankStatus], now_us: int) -> None:
    out = console()
    chinese, english = status_screen.verdict(banks, now_us)
    out.print(f"[bold]{chinese}[/]  {english}", soft_wrap=True)
    if look := status_screen.to_look_at(banks):
        out.print("  ".join(look), soft_wrap=True)
    out.print()
    for one in banks.values():
        open_date = f"在收 open {iso(one.open_date.date)}" if one.open_date else "无账本 no book"
        out.print(f"[bold]{one.bank}[/] {one.name}  {open_date}")
        for d in one.dates:
            out.print(f"    {_status_line(d)}", soft_wrap=True)
            _print_so_far(out, "    ", d.so_far)
        if one.open_date:
            undecided = f"待处理 open {one.undecided:,} · " if one.undecided else ""
            _print_so_far(out, f"{iso(one.open_date.date)} OPEN · {undecided}", one.open_date)
        if one.waiting:
            out.print(f"    待复核 {one.waiting:,} waiting for a second person", soft_wrap=True)
        if one.next:
            out.print(f"    [bold]→ {one.next}[/]", soft_wrap=True)


def _print_so_far(out: Console, lead: str, one: status_screen.SoFar) -> None:
    """What both sides have of a date."""
    out.print(f"    {lead}{status_screen.so_far_words(one)}", soft_wrap=True)
    if told := status_screen.told_words(one):
        out.print(f"        [bold]{told}[/]" if one.differs else f"        {told}", soft_wrap=True)


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


def _latest(house: Opened, one: BankSettings) -> int:
    """The latest closed date; raises Stop if none is."""
    with house.desk.read() as conn:
        date, book = shelf.latest_closed(conn, one.book_id), shelf.book_of(conn, one.book_id)
    if date is None and book is None:
        raise Stop(f"{one.key} has no book yet; type: ledgerctl init", REFUSED)
    return _closed(house, one, date or (book.open_date if book else 0))


def _closed(house: Opened, one: BankSettings, date: int) -> int:
    """A date that is not the open one; raises Stop: nobody is to cut a bank over only because a message says how."""
    with house.desk.read() as conn:
        day = shelf.day_of(conn, one.book_id, date)
    if day is not None and day.state == "OPEN":
        told = f"{iso(date)} of {one.key} is still open and closes by itself at its cut-over, {one.cutover:%H:%M}"
        close_now = f"reconcile close --bank {one.key} --date {iso(date)}"
        raise Stop(f"{told}; closing it now is the cut-over and can't be undone: {close_now}", REFUSED)
    return date


for command in (
    exceptions, show, worklist, propose_command, approve_command, reject_command, receive, payback, refund, sweep,
    funds_command, report,
):  # fmt: skip
    reconcile.add_command(command)


if __name__ == "__main__":
    reconcile()
