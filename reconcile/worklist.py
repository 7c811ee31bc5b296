"""Exceptions as a worklist: what a run found → rows that keep their ids, and the list that people read.

Pure: rows in, rows out; `shelf` reads and writes them. A row is known again by its date and `item_key` (which line
it is about), so running a day again adds nothing twice. Deciding about a row is `decisions`' business.

    found, not stored          -> OPEN       (OTHER_DATE, or taken back by the bank since: CLOSED, it explains itself)
    found again                -> as it was, its class kept up to date; a CLOSED one is OPEN again
    stored, not found any more -> CLOSED     (a later line or file settled it)
    DECIDED, all as it was     -> stays, and keeps its class
    DECIDED, its lines changed -> OPEN again, if what is left between bank and due is not what was left knowingly
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import polars as pl

from shebao.ledger.cases import AMOUNT_DIFFERS, LEDGER_ONLY, STATE_DIFFERS
from shebao.ledger.day import days_between, iso
from shebao.ledger.facts import ExceptionItem

Row = ExceptionItem
FROM_THE_WIRE: Final = ("SUSPENSE", "LATE_REVERSAL")
LISTED: Final = ("OPEN", "PROPOSED", "CARRIED")
DECIDED: Final = "DECIDED"

# class -> (default proposal, in words: Chinese, English)
PROPOSALS: Final[dict[str, tuple[str, str, str]]] = {
    "DUPLICATE": ("return", "请银行退回", "ask the bank to return it"),
    "AMOUNT_DIFFERS": ("ask", "向银行查询", "ask the bank"),
    "STATE_DIFFERS": ("follow", "以银行资金为准", "follow the bank's money"),
    "BANK_ONLY": ("pay", "可缴则入账,否则挂账", "pay the bill if it is payable, else suspense"),
    "LEDGER_ONLY": ("carry", "等下一日文件,再冲正", "carry while the next file is out, then reverse"),
    "SUSPENSE": ("pay", "查明后入账或退回", "apply it to a bill, or return it"),
    "LATE_REVERSAL": ("reverse", "核实后冲正", "reverse it once checked"),
    "OTHER_DATE": ("", "", ""),
}
CHINESE: Final = {
    "DUPLICATE": "重复", "AMOUNT_DIFFERS": "金额不符", "STATE_DIFFERS": "状态不符", "OTHER_DATE": "跨日",
    "MATCHED": "相符", "BANK_ONLY": "长款", "LEDGER_ONLY": "短款", "SUSPENSE": "挂账", "LATE_REVERSAL": "迟到冲正",
}  # fmt: skip


class Changes(NamedTuple):
    new: list[Row]
    changed: list[Row]


def findings(items: pl.DataFrame, ledger: pl.DataFrame, bank: pl.DataFrame, book_id: int, now_us: int) -> list[Row]:
    """The rows that differing items ask for. Frames: `match`'s items, and the lines that they point to."""
    differing = items.filter(pl.col("item_class") != "MATCHED")
    if differing.is_empty():
        return []
    told = {whose: _lines(differing, lines, whose) for whose, lines in (("ledger", ledger), ("bank", bank))}
    repeated = _repeated(differing, ledger, told["bank"])
    seen: Counter[tuple[int, str]] = Counter()
    rows = []
    for item in differing.sort("bank_date", "bank_line", "ledger_date", "ledger_line").iter_rows(named=True):
        ours = told["ledger"].get((item["ledger_date"], item["ledger_line"]))
        theirs = told["bank"].get((item["bank_date"], item["bank_line"]))
        row = _row(item, ours, theirs, book_id, now_us)
        if item["item_class"] == "DUPLICATE" and theirs:
            first = repeated.get(_known_as(theirs))
            row = row._replace(ledger_json=_told(first, None, file_line=False))
        seen[row.date, row.item_key] += 1
        rows.append(row._replace(item_key=f"{row.item_key}:{seen[row.date, row.item_key]}"))
    return rows


def _lines(items: pl.DataFrame, lines: pl.DataFrame, whose: str) -> dict[tuple[int, int], dict[str, Any]]:
    wanted = items.select(date=f"{whose}_date", line=f"{whose}_line").drop_nulls()
    found = lines.join(wanted, on=["date", "line"], how="semi")
    return {(row["date"], row["line"]): row for row in found.iter_rows(named=True)}


def _repeated(
    items: pl.DataFrame, ledger: pl.DataFrame, bank: Mapping[tuple[int, int], dict[str, Any]]
) -> dict[tuple[object, ...], dict[str, Any]]:
    """The ledger's lines that the bank tells once more, by kind and key."""
    twice = items.filter(pl.col("item_class") == "DUPLICATE").select("bank_date", "bank_line")
    keys = ["kind", "moment", "stan", "bill"]
    rows = [{k: bank[key][k] for k in keys} for key in twice.iter_rows()]
    lines = pl.DataFrame(rows, schema=dict.fromkeys(keys, pl.String))
    found = ledger.join(lines.unique(), on=keys, how="semi")
    in_order = found.sort("date", "line", descending=True)  # whichever date is run: the first of them tells
    return {_known_as(row): row for row in in_order.iter_rows(named=True)}


def _known_as(line: Mapping[str, Any]) -> tuple[object, ...]:
    """A payment and the reversal of its void are both `P` and may have one key; only the second has an original."""
    return line["kind"], bool(line["original_stan"]), line["moment"], line["stan"], line["bill"]


def _row(
    item: Mapping[str, Any], ours: dict[str, Any] | None, theirs: dict[str, Any] | None, book_id: int, now_us: int
) -> Row:
    line = theirs or ours
    if line is None:
        raise LookupError(f"an item without a line: {dict(item)}")
    sign = -1 if item["kind"] == "R" else 1
    moved = sign * ours["amount"] if ours and theirs and ours["date"] != theirs["date"] and item["ledger_live"] else 0
    ours_live, theirs_live = (False if item["kind"] == "R" else item[f"{whose}_live"] for whose in ("ledger", "bank"))
    explained = item["item_class"] == "OTHER_DATE" or item["answer_date"] is not None
    return Row(
        book_id, 0, line["date"], item["item_class"], "CLOSED" if explained else "OPEN",
        0, int(line["moment"][2:] + line["stan"]), line["bill"], line["amount"], now_us, "",
        _told(ours, ours_live, file_line=False), _told(theirs, theirs_live, file_line=True),
        f"{'B' if theirs else 'L'}:{item['kind']}:{line['moment']}:{line['stan']}:{line['bill']}",
        ours["date"] if ours else 0, moved, item["gap"], item["answer_date"] or 0, item["answer_fen"],
    )  # fmt: skip


def _told(line: Mapping[str, Any] | None, live: bool | None, file_line: bool) -> str:
    """One side's values as JSON text; empty when that side has no line."""
    if line is None:
        return ""
    shown = {name: value for name, value in line.items() if name != "line" or file_line}
    return _as_json({**shown, "date": iso(line["date"]), "live": live})


def _as_json(line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def changes(stored: Iterable[Row], found: Iterable[Row]) -> Changes:
    """What to write so that the stored rows say what was found. `stored`: the rows that the run may touch."""
    before = {(row.date, row.item_key): row for row in stored if row.item_class not in FROM_THE_WIRE}
    new, changed = [], []
    for row in found:
        old = before.pop((row.date, row.item_key), None)
        if old is None:
            new.append(row)
            continue
        kept = _again(old, row)
        if kept != old:
            changed.append(kept)
    changed += [kept for old in before.values() if (kept := _gone(old)) != old]
    return Changes(new, changed)


def _again(old: Row, row: Row) -> Row:
    """A stored row whose item is found again."""
    as_found = row._replace(
        id=old.id, opened_us=old.opened_us, corrected_fen=old.corrected_fen, left_fen=old.left_fen,
        decided_seq=old.decided_seq, decided_date=old.decided_date, payment_seq=old.payment_seq,
    )  # fmt: skip
    if old.state == DECIDED or old.corrected_fen:
        return _beside_decision(old, as_found)
    same = (old.item_class, old.amount, old.gap_fen) == (row.item_class, row.amount, row.gap_fen)
    if old.state in LISTED and row.state == "OPEN" and same:
        return as_found._replace(state=old.state, proposal=old.proposal)
    if old.decided_seq and old.left_fen and row.state == "OPEN" and as_found.remaining_fen == old.left_fen:
        return as_found._replace(state=DECIDED)  # the line that was decided on is back
    return as_found


def _beside_decision(old: Row, as_found: Row) -> Row:
    """A row about which something was decided, or is booked: it waits as long as what is booked does not fit."""
    same = old._replace(
        gap_fen=as_found.gap_fen, moved_fen=as_found.moved_fen, ledger_date=as_found.ledger_date,
        answer_date=as_found.answer_date, answer_fen=as_found.answer_fen,
    )
    fits = same.remaining_fen == 0 or (old.decided_seq > 0 and same.remaining_fen == old.left_fen)
    if old.state == DECIDED and fits:
        return same
    if not old.corrected_fen:
        return as_found  # nothing is booked: it is what the matching says
    if fits:
        return as_found._replace(state=DECIDED if old.decided_seq else "CLOSED")  # the line that was decided on is back
    if old.state in LISTED and (old.amount, old.remaining_fen) == (as_found.amount, same.remaining_fen):
        return same._replace(bank_json=as_found.bank_json)  # its class is by what was decided, as `_reopened` found it
    return _reopened(as_found, old)


def _reopened(row: Row, old: Row, item_class: str = "") -> Row:
    """A decided row whose lines are not what was decided on; what its decision booked is the ledger's side now."""
    ledger = row.ledger_json or old.ledger_json
    if old.state != DECIDED and old.ledger_json:
        ledger = old.ledger_json  # as this told it the first time
    elif old.payment_seq and old.bank_json:
        ledger = _told({**json.loads(old.bank_json), "date": old.date}, True, file_line=False)
    if not item_class:
        booked = json.loads(ledger)["amount"] if ledger else old.amount
        item_class = AMOUNT_DIFFERS if row.amount != booked else STATE_DIFFERS
    return row._replace(item_class=item_class, state="OPEN", proposal="", ledger_json=ledger)


def _gone(old: Row) -> Row:
    """A stored row whose item is not found any more."""
    row = old._replace(moved_fen=0, gap_fen=0, answer_date=0, answer_fen=0)
    if old.state == DECIDED and row.remaining_fen in (0, old.left_fen):
        return row
    if not row.remaining_fen:
        return row._replace(state="CLOSED") if old.state in LISTED else row
    if old.state in LISTED and row.remaining_fen == old.remaining_fen:
        return row  # it is open since its lines changed, and still waits
    if row.remaining_fen > 0:
        return _reopened(row, old, STATE_DIFFERS)
    booked = _reopened(row._replace(bank_json="", amount=-row.remaining_fen, ledger_date=0), old, LEDGER_ONLY)
    line = json.loads(booked.ledger_json)
    return booked._replace(ledger_json=_as_json({**line, "amount": booked.amount}))


def decided_counts(pure: Mapping[str, int], found: Iterable[Row], rows: Iterable[Row], date: int) -> dict[str, int]:
    """How many items of each class stand in `date`: `pure` by matching alone, but a decided item keeps its class.

    rows: of the date, as they stand. What vanished, or was taken back, under a decision is no item for the matching.
    """
    counted = dict(pure)
    by_key = {row.item_key: row for row in found if row.date == date}
    for row in rows:
        if not (row.decided_seq or row.corrected_fen) or row.state == "CLOSED" or row.item_class not in counted:
            continue
        item = by_key.get(row.item_key)
        counted[row.item_class] += 1
        if item is not None and not item.answer_date:
            counted[item.item_class] -= 1
    return counted


def answered(stored: Iterable[Row], late: pl.DataFrame, bank: pl.DataFrame) -> list[Row]:
    """Exceptions of late reversals, with the bank's own lines for them (`match.late_lines`, with exception_id).

    stored: those that have a line now, or had one where it is not any more. What was decided before its line came, or
    went, and does not fit it, is open again.
    """
    told = {one["exception_id"]: one for one in late.iter_rows(named=True)}
    lines = {(line["date"], line["line"]): line for line in bank.iter_rows(named=True)} if told else {}
    changed = []
    for row in stored:
        if row.item_class != "LATE_REVERSAL":
            continue
        one = told.get(row.id)
        after = row._replace(answer_date=0, answer_fen=0, bank_json="")
        if one is not None:
            line = _told(lines[one["bank_date"], one["bank_line"]], False, file_line=True)
            after = row._replace(answer_date=one["bank_date"], answer_fen=one["fen"], bank_json=line)
        if row.state == DECIDED and after.remaining_fen not in (0, row.left_fen):
            after = after._replace(state="OPEN", proposal="")
        if after != row:
            changed.append(after)
    return changed


def difference(row: Row) -> int:
    """Fen in question: of AMOUNT_DIFFERS what the two sides are apart, else the item's amount."""
    if row.item_class != "AMOUNT_DIFFERS" or not (row.ledger_json and row.bank_json):
        return row.amount
    ours, theirs = json.loads(row.ledger_json), json.loads(row.bank_json)
    return abs(int(theirs["amount"]) - int(ours["amount"])) or row.amount


def mark(item_class: str, line: Mapping[str, Any], whose: str) -> tuple[str, str]:
    """What a side's amount does not tell, Chinese and English: that it is undone, or there twice."""
    if whose == "bank" and line and item_class == "DUPLICATE":
        return "重复", "twice"
    return ("已冲", "reversed") if line.get("live") is False else ("", "")


def marks(item_class: str, ledger: Mapping[str, Any], bank: Mapping[str, Any]) -> tuple[str, str]:
    """Those of both sides."""
    sides = (("账上", "ledger", ledger), ("银行", "bank", bank))
    told = [(name, whose, *mark(item_class, line, whose)) for name, whose, line in sides]
    return (
        "、".join(f"{name}{chinese}" for name, _, chinese, _ in told if chinese),
        ", ".join(f"{whose} {english}" for _, whose, _, english in told if english),
    )


# -- the list -------------------------------------------------------------------------------------------------------


def default_proposal(row: Row, payable: bool, next_file_is_in: bool) -> str:
    """The action proposed when nobody has proposed one (settlement.md section 5).

    payable: the bill can be paid now with exactly this amount; next_file_is_in: the bank's file of a later date.
    """
    if row.proposal:
        return row.proposal
    if row.decided_seq and row.item_class == STATE_DIFFERS:
        return "undo"
    if row.item_class in ("BANK_ONLY", "SUSPENSE"):
        return "pay" if payable else ("suspense" if row.item_class == "BANK_ONLY" else "return")
    if row.item_class == "LEDGER_ONLY":
        return "reverse" if next_file_is_in else "carry"
    if row.item_class == "STATE_DIFFERS":
        return _follow(row)
    return PROPOSALS[row.item_class][0]


def _follow(row: Row) -> str:
    """The bank's money: where its side is live the payment is booked, where it is reversed the ledger's is undone."""
    told = json.loads(row.bank_json) if row.bank_json else {}
    if not told:  # the ledger alone undid it: for the bank the money is still there; or alone let it stand again
        return "reverse" if json.loads(row.ledger_json)["kind"] == "P" else "pay"
    if told["kind"] != "P":
        return "reverse"
    return "pay" if told["live"] else "reverse"


def as_json(row: Row, bank: str, today: int, proposal: str, opened: int) -> dict[str, Any]:
    """One exception as `reconcile exceptions --json` prints it; amounts in fen, dates YYYY-MM-DD."""
    return {
        "id": f"{bank}-{row.id}",
        "bank": bank,
        "date": iso(row.date),
        "class": row.item_class,
        "bill": row.bill,
        "amount": row.amount,
        "stan": f"{row.trace:018d}"[-6:],
        "proposal": proposal,
        "state": row.state,
        "ledger": json.loads(row.ledger_json) if row.ledger_json else {},
        "bank_line": json.loads(row.bank_json) if row.bank_json else {},
        "age_days": max(0, days_between(opened, today)),
        "time": f"20{row.trace:018d}"[:14],
    }

