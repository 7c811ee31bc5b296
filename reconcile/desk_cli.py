"""`reconcile propose`, `approve`, `reject`: two people decide, one by one or in bulk by a filter.

Thin: options in, one act of `decisions` each, words or JSON out. Funds have commands of their own (`funds_cli`); what
these propose is approved here as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import click

from shebao.codecs.settings import BankSettings
from shebao.ledger.commands import (
    DATE,
    DONE,
    REFUSED,
    USAGE,
    Stop,
    bank_of,
    json_option,
    operator_of,
    print_json,
    sign_heads,
)
from shebao.ledger.day import iso
from shebao.ledger.desk_facts import Proposal

from . import shelf, signed, waits
from .commands import Context, Opened, bank_option, opened
from .decisions import APPROVED, Office, Who, approve, ask, by_number, chosen, here, propose, reject, waiting
from .run import Refused
from .terms import ACTION, CLASS
from .words import money
from .worklist import LISTED

ID_NUMBER: Final = re.compile("[1-9][0-9]{0,17}")  # what a database column and Python's int take
SHOWN_MAX: Final = 40  # characters of an id that is none


class Place(NamedTuple):
    """Configuration, office and signer of one command."""

    house: Opened
    office: Office

    def who(self, operator: str | None, reason: str) -> Who:
        if not (operator or "").strip() and self.house.settings.operators_identity == "declared":
            raise Stop("type who you are: --operator NAME ([operators] identity is declared)", USAGE)
        return Who(operator_of(self.house.settings, operator), reason, here())

    def find(self, told: str) -> tuple[int, int]:
        """(book, number) of an id as people type it."""
        bank, _, number = told.rpartition("-")
        if not bank or not ID_NUMBER.fullmatch(number):
            short = told if len(told) <= SHOWN_MAX else f"{told[:SHOWN_MAX]}…"
            see = "ids look like icbc-12: see reconcile exceptions and reconcile funds"
            raise Stop(f"{short!r} is no id; {see}", USAGE)
        banks = self.house.settings.banks
        key = bank if bank in banks else next((one for one in banks if one.lower() == bank.lower()), bank)
        return bank_of(self.house.settings, key).book_id, int(number)


@contextmanager
def place(context: Context) -> Iterator[Place]:
    """The same for every command here; what was booked is signed at the end."""
    with opened(context) as house:
        banks = {one.book_id: key for key, one in house.settings.banks.items()}
        yield Place(house, Office(house.store, house.desk, banks))


def sign(one: Place) -> None:
    """What was booked is signed at once, if this user can."""
    if unsigned := sign_heads(one.house.settings, one.house.store, one.house.desk.now_us):
        click.echo(f"reconcile: the seal's heads are not signed yet: {unsigned}", err=True)


def operator_option(command: Any) -> Any:
    text = "Who acts; left out only where [operators] identity is os."
    return click.option("--operator", default=None, metavar="NAME", help=text)(command)


def reason_option(required: bool = True) -> Callable[[Any], Any]:
    default: dict[str, Any] = {} if required else {"default": ""}  # a default, even None, would make it optional
    return click.option("--reason", required=required, help="Why; it is kept.", **default)


def filter_options(command: Any) -> Any:
    """--class, --bank, --date instead of an id."""
    for option in (
        click.option("--class", "item_class", type=CLASS, help="All of this class."),
        bank_option(required=False),
        click.option("--date", type=DATE, default=None, help="All of this settlement date."),
    ):
        command = option(command)
    return command


# -- one by one, or all that a filter means ---------------------------------------------------------------------------


@click.command("propose")
@click.argument("told", metavar="[ID]", required=False)
@click.option("--action", required=True, type=ACTION, help="What is to be done.")
@click.option("--bill", default="", help="pay: onto this bill instead of the one that the line names.")
@click.option("--reference", default="", help="return: the bureau pays it back by this transfer.")
@reason_option()
@operator_option
@filter_options
@json_option
@click.pass_obj
def propose_command(
    context: Context, told: str | None, action: str, bill: str, reference: str, reason: str, operator: str | None,
    item_class: str | None, bank: str | None, date: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Propose what to do about an exception.

    Or about all that a filter means. Another person approves it.
    """
    with place(context) as here_:
        targets = _targets(here_, told, action, item_class, bank, date)
        who = here_.who(operator, _words(reason))

        def one(book_id: int, number: int) -> Proposal:
            asked = ask(
                here_.office, book_id, who, action, exception_id=number, bill=bill, reference=reference
            )
            propose(here_.office, asked)
            return asked

        rest = "" if targets else _why_none(here_, action, item_class, bank, date)
        which = _filter(item_class, bank, date) if told is None else here_.office.told(*targets[0])
        then = f"→ reconcile approve {which} --reason TEXT --operator OTHER"
        return _each(here_, targets, one, "proposed", as_json, bulk=told is None, none=rest, then=then)


@click.command("approve")
@click.argument("told", metavar="[ID]", required=False)
@reason_option()
@operator_option
@filter_options
@click.option("--dry-run", is_flag=True, help="Check whether it could be approved; book nothing.")
@json_option
@click.pass_obj
def approve_command(
    context: Context, told: str | None, reason: str, operator: str | None, item_class: str | None, bank: str | None,
    date: int | None, dry_run: bool, as_json: bool,
) -> int:  # fmt: skip
    """Approve what another person proposed.

    Exceptions, receipts, refunds, replaced files: everything is checked again, then booked.
    """
    with place(context) as here_:
        targets = _targets(here_, told, "", item_class, bank, date)
        who = here_.who(operator, _words(reason))

        def one(book_id: int, number: int) -> Proposal:
            return approve(here_.office, book_id, number, who, dry_run)

        done = "could be approved" if dry_run else "approved"
        funds = _funds(here_, item_class, bank, date) if told is None else []
        rest = "" if targets else _why_none(here_, "", item_class, bank, date)
        status = _each(here_, targets, one, done, as_json, bulk=told is None, beside=funds, none=rest)
        if not dry_run:
            sign(here_)
        return status


@click.command("reject")
@click.argument("told", metavar="[ID]", required=False)
@reason_option()
@operator_option
@filter_options
@json_option
@click.pass_obj
def reject_command(
    context: Context, told: str | None, reason: str, operator: str | None, item_class: str | None, bank: str | None,
    date: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Reject what another person proposed.

    An exception is as it was before.
    """
    with place(context) as here_:
        targets = _targets(here_, told, "", item_class, bank, date)
        who = here_.who(operator, _words(reason))

        def one(book_id: int, number: int) -> Proposal:
            return reject(here_.office, book_id, number, who)

        funds = _funds(here_, item_class, bank, date) if told is None else []
        rest = "" if targets else _why_none(here_, "", item_class, bank, date)
        return _each(here_, targets, one, "rejected", as_json, bulk=told is None, beside=funds, none=rest)


def _words(reason: str) -> str:
    if not reason.strip():
        raise Stop("--reason is empty; say why", USAGE)
    return reason


Target = tuple[int, int]


def _targets(
    here_: Place, told: str | None, action: str, item_class: str | None, bank: str | None, date: int | None
) -> list[Target]:
    filters = (item_class, bank, date)
    if told is not None:
        if any(filters):
            raise Stop("give an id, or a filter (--class, --bank, --date), not both", USAGE)
        return [here_.find(told)]
    if not any(filters):
        raise Stop("which? give an id such as icbc-12, or a filter: --class, --bank, --date", USAGE)
    with here_.house.desk.read() as conn:
        return [
            (row.book_id, row.id)
            for one in _banks(here_, bank)
            for row in chosen(shelf.exceptions(conn, one.book_id, states=LISTED), action, item_class, date)
        ]


def _why_none(here_: Place, action: str, item_class: str | None, bank: str | None, date: int | None) -> str:
    """What a filter means all the same: it waits already, or nobody has proposed anything; empty: it means nothing."""
    found, makers = 0, []
    with here_.house.desk.read() as conn:
        for one in _banks(here_, bank):
            rows = shelf.exceptions(conn, one.book_id, states=LISTED)
            rows = chosen(rows, "" if action else "undo", item_class, date)
            found += len(rows)
            ids = {row.id for row in rows if row.state == "PROPOSED"}
            makers += [each.maker for each in waiting(conn, one.book_id) if each.exception_id in ids]
    if not found:
        return ""
    if makers:
        match = "1 matches, but is" if found == 1 else f"{found} match, but are"
        return f"{match} proposed already (by {', '.join(dict.fromkeys(makers))})"
    return f"nothing matches that waits: {found} open, and nobody has proposed anything"


def _banks(here_: Place, bank: str | None) -> list[BankSettings]:
    settings = here_.house.settings
    return [bank_of(settings, bank)] if bank else list(settings.banks.values())


def _filter(item_class: str | None, bank: str | None, date: int | None) -> str:
    given = (("--class", item_class), ("--bank", bank), ("--date", iso(date) if date else None))
    return " ".join(f"{name} {value}" for name, value in given if value)


def _funds(here_: Place, item_class: str | None, bank: str | None, date: int | None) -> list[str]:
    """A line for each bank of which funds or files wait: a filter means exceptions only."""
    told = []
    with here_.house.desk.read() as conn:
        for one in here_.house.settings.banks.values():
            held = [] if item_class or bank not in (None, one.key) else waiting(conn, one.book_id)
            ids = [
                here_.office.told(each.book_id, each.id) for each in held
                if not each.exception_id and (not date or str(date) in each.dates.split())
            ]  # fmt: skip
            if ids:
                verb = "waits" if len(ids) == 1 else "wait"
                told.append(f"{len(ids)} of {one.key} {verb} about funds or a file, each by its id: {' '.join(ids)}")
    return told


def _each(
    here_: Place, targets: Iterable[Target], act: Callable[[int, int], Proposal], done: str, as_json: bool, bulk: bool,
    beside: Iterable[str] = (), none: str = "", then: str = "",
) -> int:  # fmt: skip
    """Does what can be done and names what is refused; exit 3 if anything was.

    In words: beside, what it left alone; none, why there is nothing to do; then, what to type once something is done.
    """
    acted: dict[str, Proposal] = {}
    refused: list[dict[str, str]] = []
    for book_id, number in targets:
        told = here_.office.told(book_id, number)
        try:
            acted[told] = act(book_id, number)
        except Refused as error:
            refused.append({"id": told, "why": str(error)})
    for one in refused:
        lead = "" if re.search(rf"\b{re.escape(one['id'])}\b", one["why"]) else f"{one['id']}: "
        click.echo(f"reconcile: {lead}{one['why']}", err=True)
    if as_json:
        many = {done.replace(" ", "_"): [*acted], "refused": refused}
        print_json(many if bulk else {"id": told, "done": not refused})
    elif bulk and not acted and not refused:
        click.echo(none or ("no exception matches" if beside else "nothing matches: there is nothing to do"))
    elif acted or bulk:
        tell_signed(here_, acted, done, f"{len(acted)} {done}, {len(refused)} refused" if bulk else "")
    for line in () if as_json else [*beside, *([then] if acted and then else [])]:
        click.echo(line)
    return REFUSED if refused else DONE


def tell_signed(here_: Place, acted: dict[str, Proposal], done: str, counted: str) -> None:
    """What somebody has put his name to. counted: of many, how many; empty: it is one, and what it did is told too."""
    in_all = 0
    with here_.house.desk.read() as conn:
        for book_id, bank in here_.office.banks.items():
            mine = {told: one for told, one in acted.items() if one.book_id == book_id}
            for (told, one), each in zip(mine.items(), signed.about(conn, bank, [*mine.values()]), strict=True):
                in_all += each.amount
                click.echo(f"  {told}  {each.what}" if counted else f"{told} {done}: {each.what}")
                if not counted and done == "approved":
                    click.echo("\n".join(signed.outcome(conn, bank, one)))
    if counted:
        click.echo(counted)
    if counted and acted:
        click.echo(f"合计 in all {money(in_all)} 元")


def tell_id(here_: Place, one: Proposal, number: int, as_json: bool) -> int:
    """What waits for a second person now, and how it is approved; typed once more it may be booked already."""
    told = here_.office.told(one.book_id, number)
    with here_.house.desk.read() as conn:
        booked = [row for row in by_number(conn, one.book_id, number) if row.state == APPROVED]
    if as_json:
        print_json({"id": told})
    elif booked:
        click.echo(f"{told} is booked already, approved by {booked[0].checker}; nothing was done")
    else:
        with here_.house.desk.read() as conn:
            (asked,) = by_number(conn, one.book_id, number)
            click.echo(waits.words(conn, here_.office.banks[one.book_id], asked))
        click.echo(f"{told} waits for a second person; type: reconcile approve {told} --reason TEXT --operator OTHER")
    return DONE
