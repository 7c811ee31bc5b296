"""`reconcile receive`, `payback`, `refund`, `sweep`, `funds`: money between banks, the special and the fiscal account.

Each act is kept for a second person (`reconcile approve`). Thin: options in, one proposal, its id out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from shebao.codecs.numbers import no_bill_number
from shebao.ledger.bills import parts_text
from shebao.ledger.commands import DATE, DONE, REFUSED, USAGE, Stop, bank_of, json_option, print_json
from shebao.ledger.day import date_of, iso
from shebao.ledger.desk_facts import Proposal
from shebao.ledger.history import bill_story
from shebao.ledger.records import TYPES

from . import funds as fund_lines
from . import shelf, waits
from .account_cli import latest_day, take_statement
from .commands import Context, bank_option
from .decisions import ask, propose, waiting
from .desk_cli import Place, operator_option, place, reason_option, tell_id
from .reports.money import Due
from .table import Column, print_table
from .words import money
from .workdays import read_workdays

FEN_MAX: Final = 10**15


class Yuan(click.ParamType[int]):
    """A plain decimal such as 1234.50 → fen. Nothing else: no sign, no thousands separator, no exponent."""

    name = "YUAN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """As click asks for it; a wrong amount is a usage error."""
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"(0|[1-9][0-9]{0,15})(\.[0-9]{1,2})?", value, re.ASCII):
            self.fail(f"{value!r} is no amount; write yuan as a plain decimal: 1234.50", param, ctx)
        whole, _, cents = value.partition(".")
        fen = int(whole) * 100 + int(cents.ljust(2, "0"))
        if not 0 < fen < FEN_MAX:
            self.fail(f"{value!r} is not above 0.00 and below 10,000,000,000,000", param, ctx)
        return fen


class Dates(click.ParamType[tuple[int, ...]]):
    """One date or several, with commas."""

    name = "D[,D…]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """As click asks for it."""
        if isinstance(value, tuple):
            return value
        return tuple(sorted({DATE.convert(one.strip(), param, ctx) for one in value.split(",")}))


def _on_option(required: bool = False) -> Callable[[Any], Any]:
    text = "The day of the transfer." if required else "The day of the transfer. Default: today."
    return click.option("--received-on", "on", type=DATE, default=None, help=text)


def _who_proposes(command: Any) -> Any:
    """--reason, --operator, --json, and the context."""
    for option in (click.pass_obj, json_option, operator_option, reason_option(required=False)):
        command = option(command)
    return command


def _transfer(on_required: bool = False) -> Callable[[Any], Any]:
    """--reference, --received-on, or --cancel instead; and who proposes it."""

    def with_options(command: Any) -> Any:
        for option in (
            _who_proposes,
            click.option("--cancel", default="", metavar="REFERENCE", help="Cancel what this reference booked."),
            _on_option(on_required),
            click.option("--reference", default="", help="The number of the transfer."),
        ):
            command = option(command)
        return command

    return with_options


def _reference(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise Stop("--reference is empty or not printable; write the bank's number of the transfer", USAGE)
    return text.strip()


def _propose(here_: Place, one: Proposal, as_json: bool, day_given: bool = True) -> int:
    return tell_id(here_, one, propose(here_.office, one, day_given), as_json)


# -- moving funds ---------------------------------------------------------------------------------------------------


@click.command()
@bank_option(required=False)
@click.option("--date", "dates", type=Dates(), default=None, help="For which settlement dates.")
@click.option("--amount", type=Yuan(), default=None, help="How much came, in yuan: 1234.50.")
@click.option(
    "--statement", type=click.Path(path_type=Path, dir_okay=False), help="Read it from the special account's statement."
)
@_transfer(on_required=True)
def receive(
    context: Context, bank: str | None, dates: tuple[int, ...] | None, amount: int | None, reference: str,
    on: int | None, cancel: str, statement: Path | None, reason: str, operator: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Record money that a bank moved to the special account."""
    if sum((bool(cancel), statement is not None, bool(reference))) > 1:
        raise Stop("give one of --reference, --cancel and --statement", USAGE)
    if cancel:
        _without("--cancel", **{"--date": dates, "--amount": amount, "--received-on": on})
        return _cancel(context, bank, cancel, reason, operator, as_json)
    if statement is not None:
        _without("--statement", **{"--date": dates, "--amount": amount, "--received-on": on})
        return take_statement(context, statement, bank, reason, operator, as_json)
    _needs(
        "receive", **{"--bank": bank, "--date": dates, "--amount": amount, "--reference": reference,
                      "--received-on": on},
    )  # fmt: skip
    with place(context) as here_:
        one = bank_of(here_.house.settings, bank or "")
        _not_ahead(context, on or 0)
        asked = ask(
            here_.office, one.book_id, here_.who(operator, reason), "receive", amount=amount,
            dates=" ".join(map(str, dates or ())), reference=_reference(reference), received_on=on,
        )  # fmt: skip
        return _propose(here_, asked, as_json)


def _without(option: str, **others: object) -> None:
    """What an option does not take is refused: whoever gave it expects that it counts."""
    if given := [name for name, value in others.items() if value]:
        raise Stop(f"{option} takes no {', '.join(given)}: it goes by what is booked or written there", USAGE)


def _needs(command: str, **options: object) -> None:
    if missing := [name for name, value in options.items() if not value]:
        raise Stop(f"{command} needs {', '.join(missing)}", USAGE)


def _not_ahead(context: Context, on: int) -> None:
    if on > latest_day(context):
        raise Stop(f"--received-on {iso(on)} has not come yet; write the day on which the money moved", USAGE)


def _cancel(
    context: Context, bank: str | None, reference: str, reason: str, operator: str | None, as_json: bool
) -> int:
    with place(context) as here_:
        settings = here_.house.settings
        if bank is None and len(settings.banks) > 1:
            raise Stop("whose? --cancel needs --bank as well", USAGE)
        one = bank_of(settings, bank or next(iter(settings.banks)))
        asked = ask(
            here_.office, one.book_id, here_.who(operator, reason), "cancel", reference=_reference(reference)
        )
        return _propose(here_, asked, as_json)


@click.command()
@bank_option(required=False)
@click.option("--date", type=DATE, default=None, help="For which settlement date.")
@click.option("--amount", type=Yuan(), default=None, help="How much, in yuan: 1234.50.")
@_transfer()
def payback(
    context: Context, bank: str | None, date: int | None, amount: int | None, reference: str, on: int | None,
    cancel: str, reason: str, operator: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Pay a bank back what it moved too much."""
    if cancel:
        _without("--cancel", **{"--date": date, "--amount": amount, "--reference": reference, "--received-on": on})
        return _cancel(context, bank, cancel, reason, operator, as_json)
    _needs("payback", **{"--bank": bank, "--date": date, "--amount": amount, "--reference": reference})
    with place(context) as here_:
        one = bank_of(here_.house.settings, bank or "")
        asked = ask(
            here_.office, one.book_id, here_.who(operator, reason), "payback", amount=amount, dates=str(date),
            reference=_reference(reference), received_on=on or date_of(context.now_us()),
        )  # fmt: skip
        return _propose(here_, asked, as_json, day_given=on is not None)


@click.command()
@click.argument("number", metavar="BILL")
@click.option("--paid", is_flag=True, help="The refund that was decided has been paid out, by --reference.")
@click.option("--reference", default="", help="--paid: the number of the transfer.")
@_on_option()
@_who_proposes
def refund(
    context: Context, number: str, paid: bool, reference: str, on: int | None, reason: str, operator: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Refund a paid bill.

    First it is decided (REFUNDED); then --paid, when the money has gone the way it came.
    """
    if wrong := no_bill_number(number):
        raise Stop(f"{wrong}; see the bill", USAGE)
    if not paid and (reference or on):
        told = "it is decided first, by two people; once the money has gone, type"
        raise Stop(f"--reference and --received-on belong to --paid: {told}: reconcile refund {number} --paid", USAGE)
    with place(context) as here_:
        book_id, amount = _paid_at(here_, number, context)
        action, day = ("refund-paid", on or date_of(context.now_us())) if paid else ("refund", 0)
        if paid:
            reference = _reference(reference)
        asked = ask(
            here_.office, book_id, here_.who(operator, reason), action, bill=number, amount=amount,
            reference=reference, received_on=day,
        )  # fmt: skip
        return _propose(here_, asked, as_json, day_given=on is not None)


def _paid_at(here_: Place, number: str, context: Context) -> tuple[int, int]:
    """The book in which a bill was paid last, and the bill's amount."""
    with here_.house.desk.read() as conn:
        story = bill_story(conn, number, date_of(context.now_us()))
        paid_book = story[0].paid_book if story is not None else None
        paid_in = shelf.book_of(conn, paid_book) if paid_book is not None else None
    if story is None:
        raise Stop(f"there is no bill {number}; see: ledgerctl bill {number}", REFUSED)
    bill, status, entries = story
    refunds = [entry.bank for entry in entries if entry.kind == "refunded"]
    bank = paid_in.bank if paid_in is not None else refunds[-1] if refunds else ""
    if not bank:
        told = f"bill {number} is {status}: only a PAID bill can be refunded; see: ledgerctl bill {number}"
        raise Stop(told, REFUSED)
    if bank not in here_.house.settings.banks:
        told = f"bill {number} was paid at {bank}, which is not in the configuration; put its table [banks.{bank}] back"
        raise Stop(told, REFUSED)
    return here_.house.settings.banks[bank].book_id, bill.amount


@click.command()
@bank_option(required=False)
@click.option("--type", "types", type=click.Choice(TYPES), multiple=True, help="Insurance type; repeat with --amount.")
@click.option("--amount", "amounts", type=Yuan(), multiple=True, help="How much of that type, in yuan.")
@_transfer()
def sweep(
    context: Context, bank: str | None, types: tuple[str, ...], amounts: tuple[int, ...], reference: str,
    on: int | None, cancel: str, reason: str, operator: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Record money swept to the fiscal account.

    From a bank's special account, by insurance type.
    """
    if cancel:
        _without("--cancel", **{"--type": types, "--amount": amounts, "--reference": reference, "--received-on": on})
        return _cancel(context, bank, cancel, reason, operator, as_json)
    _needs("sweep", **{"--bank": bank, "--reference": reference, "--type": types, "--amount": amounts})
    if len(types) != len(amounts) or len({*types}) != len(types):
        raise Stop("sweep needs one --amount for each --type, and each type once", USAGE)
    with place(context) as here_:
        one = bank_of(here_.house.settings, bank or "")
        asked = ask(
            here_.office, one.book_id, here_.who(operator, reason), "sweep", amount=sum(amounts),
            parts=parts_text(tuple(zip(types, amounts, strict=True))), reference=_reference(reference),
            received_on=on or date_of(context.now_us()),
        )  # fmt: skip
        return _propose(here_, asked, as_json, day_given=on is not None)


# -- the list -------------------------------------------------------------------------------------------------------


@click.command("funds")
@bank_option(required=False)
@json_option
@click.pass_obj
def funds_command(context: Context, bank: str | None, as_json: bool) -> int:
    """List money due, received, missing, and how late."""
    with place(context) as here_:
        settings = here_.house.settings
        banks = [bank_of(settings, bank)] if bank else list(settings.banks.values())
        today, calendar = date_of(context.now_us()), read_workdays(context.config)
        with here_.house.desk.read() as conn:
            found = [line for one in banks for line in fund_lines.lines(conn, one.key, one.book_id, calendar, today)]
            held = [
                f"{waits.words(conn, each.key, one)} · {one.maker}"
                for each in banks for one in waiting(conn, each.book_id) if not one.exception_id
            ]  # fmt: skip
    if as_json:
        print_json([fund_lines.as_json(line) for line in found])
        return DONE
    _print(found)
    for told in held:
        click.echo(f"待复核 waits for a second person: {told}")
    return DONE


COLUMNS: Final = (
    Column("银行", "bank"), Column("结算日", "date"), Column("状态", "state", below=True),
    Column("应划", "due", right=True), Column("到账", "received", right=True), Column("差额", "missing", right=True),
    Column("迟(工作日)", "days late", right=True),
)  # fmt: skip


def _print(found: list[Due]) -> None:
    print_table(COLUMNS, (
        (one.bank, iso(one.date), one.state, money(one.due), money(one.received), money(one.missing),
         str(one.days_late or ""))
        for one in found
    ))  # fmt: skip
