"""`reconcile exceptions`, `show` and `worklist`: the exceptions as a list, one with its history, and as a workbook.

Thin: what is read comes from `shelf` and `story`, the sheet is `sheet`'s, a filled row goes through `decisions`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy import Connection

from shebao.codecs.settings import BankSettings
from shebao.ledger.commands import DONE, REFUSED, USAGE, Stop, bank_of, json_option, print_json, tell_faults
from shebao.ledger.day import date_of, iso
from shebao.ledger.desk_facts import Proposal

from . import sheet, shelf, story, waits
from .commands import Context, Opened, bank_option, console, date_option, opened, there
from .decisions import WAITING, Who, about, approve, ask, by_number, propose, reject, waiting
from .desk_cli import Place, operator_option, place, sign, tell_signed
from .run import Refused
from .table import Column, print_table
from .terms import ACTION_WORDS, AWAITED, CLASS, class_words
from .words import money
from .worklist import LISTED, PROPOSALS, Row, as_json, default_proposal, mark, marks


def listed(house: Opened, one: BankSettings, today: int) -> list[dict[str, Any]]:
    """The open, proposed and carried exceptions of a bank, as `--json` prints them."""
    with house.desk.read() as conn:
        rows = shelf.exceptions(conn, one.book_id, states=LISTED)
        wanted = [_money(row) for row in rows if row.item_class in ("BANK_ONLY", "SUSPENSE")]
        payable = shelf.payable_amounts(conn, wanted)
        files = shelf.files_of(conn, one.book_id)
        asked = {each.exception_id: each for each in waiting(conn, one.book_id)}
        told = []
        for row in _with_payment(conn, rows):
            proposal = _proposal(row, payable, files)
            line = as_json(row, one.key, today, proposal, date_of(row.opened_us))
            held = asked.get(row.id) if row.state == "PROPOSED" else None
            told.append({**line, "waiting": _waiting(one.key, held)})
    return told


def _with_payment(conn: Connection, rows: Iterable[Row]) -> Iterator[Row]:
    """Of an exception from the wire the payment tells the ledger's side."""
    for row in rows:
        if not row.ledger_json and row.seq:
            row = row._replace(ledger_json=json.dumps(shelf.payment_told(conn, row.book_id, row.seq)))
        yield row


def _money(row: Row) -> tuple[str, int]:
    """Its bill, and the day on which the bank took the money."""
    return row.bill, 20_000_000 + row.trace // 10**12


def _proposal(row: Row, payable: dict[tuple[str, int], int], files: Iterable[int]) -> str:
    return default_proposal(row, payable.get(_money(row)) == row.amount, any(d > row.date for d in files))


def _waiting(bank: str, one: Proposal | None) -> dict[str, str]:
    """What waits for a second person."""
    if one is None:
        return {}
    told = {"action": one.action, "by": one.maker, "reason": one.maker_reason, "bill": one.bill}
    return {"id": f"{bank}-{one.id}", **told}


@click.command("exceptions")
@bank_option(required=False)
@date_option("Only of this settlement date.")
@click.option("--class", "item_class", type=CLASS, help="Only of this class.")
@json_option
@click.pass_obj
def exceptions(context: Context, bank: str | None, date: int | None, item_class: str | None, as_json: bool) -> int:
    """List open exceptions, with both sides' values.

    Open ones are those of state OPEN, PROPOSED or CARRIED.
    """
    with opened(context) as house:
        told = _filtered(house, date_of(context.now_us()), bank, date, item_class)
    if as_json:
        print_json(told)
    elif told:
        _print_exceptions(told)
    else:
        click.echo("无待处理差异 no exceptions")
    return DONE


def _filtered(
    house: Opened, today: int, bank: str | None, date: int | None, item_class: str | None
) -> list[dict[str, Any]]:  # fmt: skip
    banks = [bank_of(house.settings, bank)] if bank else list(house.settings.banks.values())
    return [
        line for one in banks for line in listed(house, one, today)
        if (not date or line["date"] == iso(date)) and (not item_class or line["class"] == item_class)
    ]  # fmt: skip


COLUMNS: Final = (
    Column("编号", "id"), Column("结算日", "date", below=True), Column("类别", "class"),
    Column("缴费单", "bill", below=True), Column("账上", "ledger", right=True),
    Column("银行", "bank", right=True, below=True), Column("建议", "proposal"), Column("状态", "state", below=True),
    Column("天", "days", right=True, below=True),
)  # fmt: skip


def _print_exceptions(told: list[dict[str, Any]]) -> None:
    print_table(COLUMNS, (
        (
            one["id"], one["date"], one["class"], one["bill"], _side(one, "ledger"), _side(one, "bank"),
            AWAITED.get(one["proposal"], one["proposal"]), _state(one), str(one["age_days"]),
        )
        for one in told
    ))  # fmt: skip
    out = console()
    for item_class in dict.fromkeys(one["class"] for one in told):
        _, chinese, english = PROPOSALS[item_class]
        out.print(f"{class_words(item_class)}: {chinese}; {english}")
    acts = ("", "ask", "follow", "carry")  # an answer is awaited
    first = next((one for one in told if one["state"] == "OPEN" and one["proposal"] not in acts), None)
    if first is not None:
        out.print(f"→ reconcile propose {first['id']} --action {first['proposal']} --reason TEXT", soft_wrap=True)
    held = next((one for one in told if one["state"] == "PROPOSED"), None)
    if held is not None:
        out.print(f"→ reconcile approve {held['id']} --reason TEXT --operator OTHER", soft_wrap=True)


def _state(one: dict[str, Any]) -> str:
    by = one["waiting"].get("by", "")
    return f"{one['state']} by {by}" if by else str(one["state"])


def _side(one: dict[str, Any], whose: str) -> str:
    line = one["ledger" if whose == "ledger" else "bank_line"]
    return " ".join([money(line["amount"]), *filter(None, mark(one["class"], line, whose))]) if line else "—"


# -- one with its history -------------------------------------------------------------------------------------------


@click.command()
@click.argument("told", metavar="ID")
@json_option
@click.pass_obj
def show(context: Context, told: str, as_json: bool) -> int:
    """One exception or receipt with its history.

    All that was proposed, decided and booked, in order, with who, why and from where.
    """
    with place(context) as here:
        book_id, number = here.find(told)
        with here.house.desk.read() as conn:
            row, entries = story.of(conn, book_id, number)
            told = here.office.told(book_id, number)
            if row is not None:
                (full,) = _with_payment(conn, [row])
                head = story.head(told, full)
            else:
                head = [waits.words(conn, told.rpartition("-")[0], one) for one in by_number(conn, book_id, number)]
        if not entries:
            raise Stop(f"there is no {told}; type: reconcile exceptions, or reconcile funds", REFUSED)
    if as_json:
        state = row.state if row else ""
        print_json({"id": told, "class": row.item_class if row else "", "state": state, "history": entries})
        return DONE
    for line in head:
        click.echo(line)
    for entry in entries:
        for line in story.words(entry):
            click.echo(line)
    return DONE


# -- through a workbook ---------------------------------------------------------------------------------------------


@click.command()
@click.option("--xlsx", "out", type=click.Path(path_type=Path, dir_okay=False), help="Write the worklist here.")
@click.option("--import", "filled", type=click.Path(path_type=Path, dir_okay=False), help="Take a filled one back.")
@bank_option(required=False)
@date_option("--xlsx: only of this settlement date.")
@click.option("--class", "item_class", type=CLASS, help="--xlsx: only of this class.")
@click.option("--dry-run", is_flag=True, help="--import: judge each row by itself; decide nothing.")
@operator_option
@json_option
@click.pass_obj
def worklist(
    context: Context, out: Path | None, filled: Path | None, bank: str | None, date: int | None,
    item_class: str | None, dry_run: bool, operator: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Write or take back the worklist as a workbook.

    Out with --xlsx, back with --import, filled in.
    Of an open row the decision is an action, of a proposed one approve or reject; every decision needs a reason.
    """
    if (out is None) == (filled is None):
        raise Stop("give either --xlsx FILE, to write the worklist, or --import FILE, to take it back", USAGE)
    if out is not None:
        if dry_run:
            raise Stop("--dry-run belongs to --import", USAGE)
        if out.suffix.lower() != ".xlsx":
            raise Stop(f"{out} is no name of a workbook; let it end in .xlsx", USAGE)
        with place(context) as here:
            if wrong := sheet.in_the_way(out, partial(_stands, here)):
                raise Stop(f"{out} is there already, and {wrong}: it stays as it is; give another name", REFUSED)
            told = _filtered(here.house, date_of(context.now_us()), bank, date, item_class)
        return _write(out, told, as_json)
    if bank or date or item_class:
        raise Stop("--bank, --date and --class belong to --xlsx; --import takes the rows that are filled in", USAGE)
    assert filled is not None
    return _take_back(context, filled, operator, dry_run, as_json)


def _write(path: Path, told: list[dict[str, Any]], as_json: bool) -> int:
    rows = [
        {
            **line, "class": class_words(line["class"]), "proposal": _proposal_words(line["proposal"]),
            "ledger": line["ledger"].get("amount", ""), "bank": line["bank_line"].get("amount", ""),
            "mark": _marked(line["class"], line["ledger"], line["bank_line"]),
            "waiting": " ".join(text for name, text in line["waiting"].items() if text and name != "id"),
            "asked": line["waiting"].get("id", ""),
        }
        for line in told
    ]  # fmt: skip
    number = sheet.write(path, rows)
    if as_json:
        print_json({"file": str(path), "rows": number})
    else:
        what = "1 exception" if number == 1 else f"{number} exceptions"
        click.echo(f"{what} in {path}; fill in the yellow columns, then type:")
        click.echo(f"reconcile worklist --import {path} --operator NAME")
    return DONE


def _marked(item_class: str, ledger: dict[str, Any], bank: dict[str, Any]) -> str:
    return " ".join(marks(item_class, ledger, bank)).strip()


def _proposal_words(proposal: str) -> str:
    """A proposal that is an action, or that is none yet: then the answer of the bank is awaited."""
    return AWAITED.get(proposal) or ACTION_WORDS.get(proposal, proposal) or "—"


def _take_back(context: Context, path: Path, operator: str | None, dry_run: bool, as_json: bool) -> int:
    rows, faults = sheet.read(there(path))
    with place(context) as here:
        places: list[tuple[int, int]] = []
        for row in rows:  # all of them, before anything is done
            try:
                places.append(here.find(row.id))
            except Stop as error:
                faults.append(f"row {row.row}: {error.message}")
        if faults:
            shown = (f"reconcile: {path}: {fault}" for fault in faults[: sheet.FAULTS_MAX])
            return tell_faults("reconcile", path, shown, len(faults), "nothing was decided")
        done: list[str] = []
        acted: dict[str, dict[str, Proposal]] = {verb: {} for verb in (PROPOSED, *VERBS.values())}
        refused: list[dict[str, Any]] = []
        for row, (book_id, number) in zip(rows, places, strict=True):
            try:
                asked = _act(here, book_id, number, row, here.who(operator, row.reason), dry_run)
                acted[VERBS.get(row.decision, PROPOSED)][row.id] = asked
                done.append(row.id)
            except Refused as error:
                refused.append({"row": row.row, "id": row.id, "why": str(error)})
        if not dry_run:
            sign(here)
            for verb, mine in acted.items():
                if mine and not as_json:
                    tell_signed(here, mine, verb, f"{len(mine)} {verb}")
    for one in refused:
        click.echo(f"reconcile: {path}: row {one['row']}: {one['id']}: {one['why']}", err=True)
    if as_json:
        told = {"done": done, "refused": refused}
        print_json({**told, "dry_run": True} if dry_run else told)
    elif not rows:
        click.echo(f"nothing is filled in: {path} has no row with a decision and a reason (the yellow columns)")
    else:
        what = f"{'row' if len(done) == 1 else 'rows'} {'could be done' if dry_run else 'done'}"
        click.echo(f"{len(done)} {what}, {len(refused)} refused")
    return REFUSED if refused else DONE


ACTS: Final = {"approve": approve, "reject": reject}
PROPOSED: Final = "proposed"
VERBS: Final = {"approve": "approved", "reject": "rejected"}  # how one is told once it is done


def _act(here: Place, book_id: int, number: int, row: sheet.Filled, who: Who, dry_run: bool) -> Proposal:
    """What a filled row asks for, if its exception, and what waits about it, still are as the sheet showed them."""
    judged, changed = _now(here, book_id, number, row)
    if changed:
        raise Refused(f"{changed}; take a new sheet")
    if row.decision in ACTS:
        return ACTS[row.decision](here.office, book_id, judged, who, dry_run)  # this one, whatever is proposed now
    wanted = ask(
        here.office, book_id, who, row.decision, exception_id=number, bill=row.onto, reference=row.reference
    )
    propose(here.office, wanted, dry_run=dry_run)
    return wanted


def _stands(here: Place, row: sheet.Filled) -> bool:
    try:
        return not _now(here, *here.find(row.id), row)[1]
    except Stop:
        return True  # of another switch, perhaps


def _now(here: Place, book_id: int, number: int, row: sheet.Filled) -> tuple[int, str]:
    """The proposal that waits about a row's exception, 0 for none, and what is not as the sheet showed it."""
    with here.house.desk.read() as conn:
        cases = list(_with_payment(conn, shelf.exceptions_of(conn, book_id, [number])))
        held = [one.id for one in about(conn, book_id, number) if one.state == WAITING]
    if not cases:
        return 0, "there is no such exception"
    (case,) = cases
    judged = held[-1] if held and case.state == "PROPOSED" else 0
    asked = here.office.told(book_id, judged) if judged else ""
    ledger, bank = (json.loads(told) if told else {} for told in (case.ledger_json, case.bank_json))
    sides = ledger.get("amount"), bank.get("amount"), _marked(case.item_class, ledger, bank)
    return judged, row.shown.changed(sheet.Shown(case.item_class, case.state, *sides, asked))
