"""The history of an exception, or of a movement of funds, in order: found, proposed, judged, booked. Reads only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from shebao.ledger.bills import parse_parts
from shebao.ledger.day import iso, time_of
from shebao.ledger.desk_facts import Proposal
from shebao.ledger.schema import event, transfer

from . import shelf
from .decisions import APPROVED, REJECTED, about, by_number
from .terms import class_words
from .words import money
from .worklist import Row


def of(conn: Connection, book_id: int, number: int) -> tuple[Row | None, list[dict[str, Any]]]:
    """The exception of this number, if it is one, and the entries of its story, oldest first; amounts in fen."""
    found = shelf.exceptions_of(conn, book_id, [number])
    row = found[0] if found else None
    proposals = about(conn, book_id, number) if row else by_number(conn, book_id, number)
    entries = [entry for one in proposals for entry in _told(conn, one)]
    if row is not None:
        opened = {"at": _at(row.opened_us), "act": "found", "what": f"{row.item_class}, {iso(row.date)}"}
        entries.insert(0, {**opened, "by": "", "reason": "", "amount": row.amount, "booked": []})
    return row, entries


def _told(conn: Connection, one: Proposal) -> list[dict[str, Any]]:
    dates = " ".join(iso(int(date)) for date in one.dates.split())
    parts = ", ".join(f"{kind} {money(fen)} 元" for kind, fen in parse_parts(one.parts))
    reference = f"SM3 {one.reference[:16]}…" if one.action == "replace" else one.reference
    what = " ".join(text for text in (one.action, one.bill, dates, parts, reference) if text)
    made = {"at": _at(one.made_us), "act": "proposed", "what": what, "by": f"{one.maker} ({one.maker_from})"}
    entries: list[dict[str, Any]] = [{**made, "reason": one.maker_reason, "amount": one.amount, "booked": []}]
    if one.state in (APPROVED, REJECTED):
        judged = {"at": _at(one.judged_us), "act": one.state.lower(), "by": f"{one.checker} ({one.checker_from})"}
        transfers = booked(conn, one) if one.state == APPROVED else []
        entries.append({**judged, "what": one.action, "reason": one.checker_reason, "amount": 0, "booked": transfers})
    elif one.state != "WAITING":
        entries.append(
            {"at": _at(one.made_us), "act": "lapsed", "what": "its lines changed before anybody judged it", "by": "",
             "reason": "", "amount": 0, "booked": []}
        )  # fmt: skip
    return entries


def booked(conn: Connection, one: Proposal) -> list[dict[str, Any]]:
    """The transfers of what was approved."""
    query = (
        select(transfer.c.date, transfer.c.debit, transfer.c.credit, transfer.c.amount, event.c.kind)
        .join(event, (event.c.book_id == transfer.c.book_id) & (event.c.seq == transfer.c.seq))
        .where(transfer.c.book_id == one.book_id, transfer.c.seq == one.seq)
        .order_by(transfer.c.line)
    )
    return [
        {"date": iso(row.date), "kind": row.kind, "debit": row.debit, "credit": row.credit, "amount": row.amount}
        for row in conn.execute(query)
    ]


def _at(us: int) -> str:
    return time_of(us).isoformat(timespec="seconds")


def head(told: str, row: Row) -> list[str]:
    """What an exception is, and what both sides have of it: so that somebody can ask the bank about it."""
    lines = [f"{told}  {class_words(row.item_class)}  {iso(row.date)}  {row.state}  {row.bill}"]
    for name, text in (("账上 ledger", row.ledger_json), ("银行 bank", row.bank_json)):
        lines.append(f"    {name:<9} {_side(json.loads(text)) if text and json.loads(text) else '—'}")
    if row.state == "CLOSED":
        lines.append(f"    关闭 closed: {_why_closed(row)}")
    return lines


def _side(line: Mapping[str, Any]) -> str:
    moment = str(line["moment"])
    clock = f"{iso(int(moment[:8]))} {moment[8:10]}:{moment[10:12]}:{moment[12:14]}"
    state = " 已冲 reversed" if line.get("live") is False else ""
    names = (("STAN", "stan"), ("RRN", "rrn"), ("终端 terminal", "terminal"), ("网点 branch", "branch"),
             ("凭证 receipt", "receipt"), ("文件行 line of the file", "line"))  # fmt: skip
    told = [f"{shown} {str(line[name]).strip()}" for shown, name in names if str(line.get(name) or "").strip()]
    return " · ".join([f"{money(line['amount'])} 元{state}", f"交易 at {clock}", *told])


def _why_closed(row: Row) -> str:
    """By what the row itself tells; nobody decided about it."""
    if row.item_class == "OTHER_DATE" and row.ledger_date:
        return f"账上在另一结算日 the ledger has it in {iso(row.ledger_date)}"
    if row.answer_date:
        return f"银行已冲回 the bank took it back in its file of {iso(row.answer_date)}"
    if row.item_class == "SUSPENSE":
        return "挂账款已冲回 its money in suspense was reversed"
    return "后来的文件已无此差异 a later file or line settled it"


def words(entry: dict[str, Any]) -> list[str]:
    """An entry as lines for a screen."""
    amount = f"  {money(entry['amount'])} 元" if entry["amount"] else ""
    by = f"  {entry['by']}" if entry["by"] else ""
    reason = f"  “{entry['reason']}”" if entry["reason"] else ""
    lines = [f"{entry['at'].replace('T', ' ')[:19]}  {entry['act']:<9} {entry['what']}{amount}{by}{reason}"]
    return [*lines, *map(booking, entry["booked"])]


def booking(one: Mapping[str, Any]) -> str:
    """A transfer as a line."""
    return f"    {one['date']} {one['kind']}: {one['debit']} → {one['credit']}  {money(one['amount'])} 元"
