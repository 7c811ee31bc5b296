"""`reconcile receive --statement`: the special account's own statement becomes proposals, so that nobody types it.

Thin: what a statement says is `account`'s, one proposal a credit goes through `decisions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from shebao.codecs.statement import format_yuan
from shebao.ledger.commands import DONE, REFUSED, bank_of, print_json, tell_faults
from shebao.ledger.day import add_days, date_of

from .account import Account, AccountEntry, read_account
from .accountxml import FILE_BYTES_MAX
from .commands import Context, there
from .decisions import WAITING, Who, ask, by_number, propose
from .desk_cli import Place, place
from .run import Refused

FAULTS_MAX: Final = 100


def latest_day(context: Context) -> int:
    """The last day on which money can have moved: a bank that keeps longer hours may be in the next one already."""
    return add_days(date_of(context.now_us()), 1)


def take_statement(
    context: Context, path: Path, bank: str | None, reason: str, operator: str | None, as_json: bool
) -> int:
    """Every credit that names a bank and its dates becomes a proposal; the others are told, to be typed."""
    with place(context) as here_:
        banks = here_.house.settings.banks
        if bank is not None:
            bank_of(here_.house.settings, bank)
        with there(path).open("rb") as source:
            account = read_account(source.read(FILE_BYTES_MAX + 1), banks, latest_day(context))
        if account.faults:
            shown = (f"reconcile: {path}: {fault}" for fault in account.faults[:FAULTS_MAX])
            return tell_faults("reconcile", path, shown, len(account.faults), "nothing was recorded")
        who = here_.who(operator, reason)
        ids: list[str] = []
        held: list[str] = []
        left: list[AccountEntry] = []
        refused: list[str] = []
        for entry in account.entries:
            if not entry.credit or (bank and entry.bank in banks and entry.bank != bank):
                continue
            if not entry.bank:
                left.append(entry)
                continue
            try:
                told, waits = _proposed(here_, entry, who)
            except Refused as error:
                refused.append(f"line {entry.line}: {entry.reference}: {error}")
                continue
            ids.append(told)
            held += [told] if waits else []
    for one in refused:
        click.echo(f"reconcile: {path}: {one}", err=True)
    _tell(account, ids, held, left, refused, as_json)
    return REFUSED if refused else DONE


def _proposed(here_: Place, entry: AccountEntry, who: Who) -> tuple[str, bool]:
    """Its id, and whether it waits for a second person: told once more it may be booked already. Raises Refused."""
    office, banks = here_.office, here_.house.settings.banks
    if entry.bank not in banks:
        raise Refused(f"it names bank {entry.bank!r}, and banks are {', '.join(banks)}; type it by hand")
    book_id = banks[entry.bank].book_id
    asked = ask(
        office, book_id, who, "receive", amount=entry.amount_fen, dates=" ".join(map(str, entry.dates)),
        reference=entry.reference, received_on=entry.received_on,
    )  # fmt: skip
    number = propose(office, asked)
    with here_.house.desk.read() as conn:
        waits = any(one.state == WAITING for one in by_number(conn, book_id, number))
    return office.told(book_id, number), waits


def _tell(
    account: Account, ids: list[str], held: list[str], left: Sequence[AccountEntry], refused: list[str], as_json: bool
) -> None:
    debits = sum(not entry.credit for entry in account.entries)
    if as_json:
        lines = [{"line": one.line, "reference": one.reference, "amount": one.amount_fen} for one in left]
        print_json({"ids": ids, "unassigned": lines, "refused": refused, "debits": debits})
        return
    for entry in left:
        what = f"line {entry.line}: {entry.reference} {format_yuan(entry.amount_fen)} {entry.text}".rstrip()
        click.echo(f"未注明银行或日期 names no bank or dates, type it: {what}")
    booked = f"{len(ids) - len(held)} booked already, " if len(held) < len(ids) else ""
    wait = "1 receipt waits" if len(held) == 1 else f"{len(held)} receipts wait"
    told = f"{wait} for a second person, {booked}{len(left)} to be typed, {len(refused)} refused"
    click.echo(f"{told}, {debits} debits left alone" if debits else told)
    if held:
        click.echo(f"→ reconcile approve {held[0]} --reason TEXT --operator OTHER")
    if held[1:]:
        click.echo(f"  各按其号 each by its id: {' '.join(held)}")
