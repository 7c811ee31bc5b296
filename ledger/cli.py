"""`ledgerctl`: the books from the command line (operations.md, Commands). What it does lives in the other rooms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy import select

from shebao.codecs.columns import format_yuan
from shebao.codecs.errors import Code
from shebao.codecs.numbers import bill_ok, digits_only

from . import schema
from .anchor import FOLDER
from .backup_cli import backup, restore
from .books import ensure_books
from .commands import (
    DATE,
    DONE,
    LOOK,
    REFUSED,
    USAGE,
    Command,
    Stop,
    bank_of,
    config_option,
    faults_in_words,
    json_option,
    operator_of,
    print_json,
    sign_heads,
    store_of,
    tell,
    tell_faults,
    version_option,
    wall_us,
)
from .config import read_settings
from .csvtext import ENCODINGS, FILE_BYTES_MAX
from .day import date_of
from .facts import BUREAU_BOOK_ID, KeyClass, Request
from .history import Entry, balances, bill_story, given_in_a_lost_time, payment_story, sides, unknown_bill_story
from .imports import Refused, Taken, import_bills, import_people
from .secrets import SecretsError, load_master
from .store import migrate
from .verify import verify as prove

_DRY = click.option("--dry-run", is_flag=True, help="Show what would be done, do nothing.")
_ENCODING = click.option("--encoding", type=click.Choice(ENCODINGS), help="Decides; else it is found out.")
_FILE = click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
_SHOWN: Final = ("at", "bank", "kind", "code", "amount", "stan", "receipt", "move", "operator", "reason")


@click.group(cls=Command, name="ledgerctl")
@config_option
@version_option
@click.pass_context
def ledgerctl(context: click.Context, config: Path) -> None:
    """The bureau's books: bills, payments, balances, proofs."""
    context.obj = config


@ledgerctl.command()
@click.pass_obj
def init(config: Path) -> None:
    """Create or migrate the database, open new banks' books."""
    settings = read_settings(config)
    ran = migrate(settings.database)
    with store_of(settings) as store:
        new = ensure_books(store, settings, wall_us())
    click.echo(f"database: {'migrated to ' + ran[-1] if ran else 'is of this version already'}")
    click.echo(f"books: {'new for ' + ', '.join(new) if new else 'are all there'}")


# -- imports ----------------------------------------------------------------------------------------------

@ledgerctl.command("import-people")
@_FILE
@_ENCODING
@_DRY
@click.pass_obj
def import_people_command(config: Path, file: Path, encoding: str | None, dry_run: bool) -> int:
    """People from a CSV file, all of them or none.

    Columns, in any order: id, name, phone, card, division, enrolled.
    """
    data = _bytes_of(file)
    with store_of(read_settings(config)) as store:
        try:
            taken = import_people(store, data, encoding, dry_run)
        except Refused as refused:
            return _tell_refused(file, refused)
    _tell_taken(file, taken, dry_run, f"{taken.new} new people, {taken.changed} changed, {taken.same} as they were")
    return DONE


@ledgerctl.command("import-bills")
@_FILE
@_ENCODING
@_DRY
@click.pass_obj
def import_bills_command(config: Path, file: Path, encoding: str | None, dry_run: bool) -> int:
    """Bills from a CSV file, all of them or none.

    One line per part, the lines of one bill together. Columns, in any order: bill_number, payer_id, payer_name, office,
    period_from, period_to, issued, due, last_day, insurance_type, amount_fen, owner_only.
    """
    data = _bytes_of(file)
    with store_of(read_settings(config)) as store:
        try:
            taken = import_bills(store, str(file), data, wall_us, encoding, dry_run)
        except Refused as refused:
            return _tell_refused(file, refused)
    _tell_taken(file, taken, dry_run, f"{taken.new} new bills, {taken.same} were there already")
    return DONE


def _bytes_of(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Stop(f"{file} can't be read: {error.strerror}; give another file", USAGE) from None
    if len(data) > FILE_BYTES_MAX:
        raise Stop(f"{file} is larger than {FILE_BYTES_MAX >> 20} MiB; import it in parts", REFUSED)
    return data


def _tell_refused(file: Path, refused: Refused) -> int:
    """One line a fault, `FILE:LINE: what is wrong; what would be right`, at most 100, then their number."""
    told = (f"{file}:{fault.line}: {fault}" if fault.line else f"{file}: {fault}" for fault in refused.faults)
    return tell_faults("ledgerctl", file, told, refused.count, "correct it and type the same again")


def _tell_taken(file: Path, taken: Taken, dry_run: bool, what: str) -> None:
    click.echo(f"{file}: read as {taken.encoding.upper()}; {what}{'; nothing was written' if dry_run else ''}")


# -- one bill, one payment --------------------------------------------------------------------------------

@ledgerctl.command()
@click.argument("number", metavar="NUMBER")
@json_option
@click.pass_obj
def bill(config: Path, number: str, as_json: bool) -> None:
    """Everything known about one bill, in time order."""
    _check_bill_number(number)
    with store_of(read_settings(config)) as store, store.reading() as conn:
        found = bill_story(conn, number, date_of(wall_us()))
        entries = unknown_bill_story(conn, number) if found is None else found[2]
    if found is None and not entries:
        raise Stop(f"there is no bill {number}; compare the number with the paper", REFUSED)
    facts: dict[str, Any] = {"bill": number, "status": "not in the books"}
    if found is not None:
        one, status, _ = found
        facts = {
            **facts, "status": one.status, "status_today": status, "payer_id": one.payer_id,
            "payer_name": one.payer_name, "office": one.office, "period_from": one.period_from,
            "period_to": one.period_to, "issued": one.issued, "due": one.due, "last_day": one.last_day,
            "owner_only": one.owner_only, "amount": one.amount, "parts": dict(one.parts),
        }  # fmt: skip
    _show(facts, entries, [], as_json)


@ledgerctl.command()
@click.argument("receipt", metavar="RECEIPT")
@json_option
@click.pass_obj
def payment(config: Path, receipt: str, as_json: bool) -> None:
    """Everything known about one payment, in time order."""
    if len(receipt) != 20 or not digits_only(receipt):
        raise Stop(f"{receipt} is no receipt number; type its 20 digits as the receipt shows them", USAGE)
    if not bill_ok(receipt):  # the same check digit as a bill number's
        raise Stop(f"receipt number {receipt} has a wrong check digit; compare it with the receipt", REFUSED)
    with store_of(read_settings(config)) as store, store.reading() as conn:
        found = payment_story(conn, receipt)
        lost = "" if found is not None else given_in_a_lost_time(conn, receipt)
    if lost:
        raise Stop(f"there is no receipt {receipt}; {lost}", REFUSED)
    if found is None:
        raise Stop(f"there is no receipt {receipt}; compare the number with the receipt", REFUSED)
    taken, entries, moved = found
    _show(taken._asdict(), entries, moved, as_json)


def _check_bill_number(number: str) -> None:
    if len(number) != 20 or not digits_only(number):
        raise Stop(f"{number} is no bill number; type its 20 digits as the bill shows them", USAGE)
    if not bill_ok(number):
        raise Stop(f"bill number {number} has a wrong check digit; compare it with the bill", REFUSED)


def _show(facts: dict[str, Any], entries: Sequence[Entry], moved: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        story = {**facts, "events": [entry._asdict() for entry in entries], **({"transfers": moved} if moved else {})}
        print_json(story)
        return
    for name, value in facts.items():
        click.echo(f"{name:14} {_in_words(name, value)}")
    for entry in entries:
        told = entry._asdict()
        click.echo("  ".join(_in_words(name, told[name]) for name in _SHOWN if told[name] != ""))
    for row in moved:
        click.echo(f"  {row['date']}  {row['debit']} -> {row['credit']}  {format_yuan(row['amount'])}")


def _in_words(name: str, value: Any) -> str:
    if name == "amount":
        return f"{format_yuan(value)} yuan"
    if name == "parts":
        return ", ".join(f"{kind} {format_yuan(fen)}" for kind, fen in value.items())
    return "" if value is None else str(value)


@ledgerctl.command()
@click.argument("number", metavar="NUMBER")
@click.option("--reason", required=True, help="Why; it is sealed with the withdrawal.")
@click.option("--operator", help="Who, where the configuration says that operators declare themselves.")
@_DRY
@click.pass_obj
def withdraw(config: Path, number: str, reason: str, operator: str | None, dry_run: bool) -> None:
    """Withdraw an outstanding bill, for good.

    It can't be paid any more, and this can't be undone.
    """
    _check_bill_number(number)
    settings = read_settings(config)
    now_us = wall_us()
    request = Request(
        service="withdraw", book_id=BUREAU_BOOK_ID, bank="", mti="", key_class=KeyClass.NONE, trace=0, moment=0,
        received_us=now_us, echo={}, bill=number, operator=operator_of(settings, operator), reason=reason,
    )  # fmt: skip
    with store_of(settings) as store:
        answer = store.foresee(request, wall_us) if dry_run else store.act(request, wall_us)
        if not dry_run:
            sign_heads(settings, store, wall_us)
    if answer.decision is None:
        raise Stop(f"this failed by a fault of our own, and nothing was done: {answer.fault!r}; report it", REFUSED)
    if answer.code != Code.APPROVED:
        raise Stop(f"{answer.decision.note}; see: ledgerctl bill {number}", REFUSED)
    click.echo(f"bill {number} would be withdrawn; nothing was written" if dry_run else answer.decision.note)


# -- the whole --------------------------------------------------------------------------------------------

@ledgerctl.command()
@click.option("--date", type=DATE, help="At the end of this settlement date; else now.")
@click.option("--bank", metavar="B", help="Only what this bank's books moved.")
@json_option
@click.pass_obj
def balance(config: Path, date: int | None, bank: str | None, as_json: bool) -> None:
    """Trial balance: each account, positive on its own side."""
    settings = read_settings(config)
    with store_of(settings) as store, store.reading() as conn:
        books = None
        if bank is not None:
            of_bank = schema.book.c.bank == bank_of(settings, bank).key
            books = list(conn.execute(select(schema.book.c.book_id).where(of_bank)).scalars())
        found = balances(conn, date, books)
    if as_json:
        print_json([{"account": account, "balance": fen} for account, fen in found])
        return
    for account, fen in found:
        click.echo(f"{account:24} {format_yuan(fen):>20}")
    debit, credit = sides(found)
    click.echo(f"{'debit':24} {format_yuan(debit):>20}\n{'credit':24} {format_yuan(credit):>20}")


@ledgerctl.command()
@json_option
@click.pass_obj
def verify(config: Path, as_json: bool) -> int:
    """Prove the books and the seal.

    Ends with 1 if anything does not fit, and shows the first rows that do not.
    """
    settings = read_settings(config)
    try:
        public_key = load_master(Path(settings.master_key_file)).signer().public_key()
    except SecretsError:  # an auditor need not have it
        public_key = None
    with store_of(settings) as store:
        proofs = prove(store.reading, Path(settings.state_dir) / FOLDER, wall_us(), public_key)
    if as_json:
        print_json([{**vars(proof), "findings": [one._asdict() for one in proof.findings]} for proof in proofs])
    else:
        for proof in proofs:
            click.echo(f"{'WRONG' if proof.faults else 'right'}  {proof.name}  ({proof.looked_at:,} looked at)")
            for told in [*proof.notes, *proof.findings]:
                click.echo(f"       {told}")
            if proof.faults > len(proof.findings):
                click.echo(f"       ... {proof.faults:,} in all")
    wrong = [proof for proof in proofs if proof.faults]
    if not wrong:
        return DONE
    faults = faults_in_words(sum(proof.faults for proof in wrong))
    message = f"{faults}; the first: {wrong[0].findings[0]}; keep a copy of the database and of the seal folder"
    return tell("ledgerctl", message, LOOK)


# -- backup -----------------------------------------------------------------------------------------------

ledgerctl.add_command(backup)
ledgerctl.add_command(restore)
