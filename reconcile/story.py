"""The history of an exception, or of a movement of funds, in order: found, proposed, judged, booked. Reads only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from shebao.codecs.statement import format_yuan
from shebao.ledger.day import time_of
from shebao.ledger.desk_facts import Proposal
from shebao.ledger.schema import event, transfer

from . import shelf
from .decisions import APPROVED, REJECTED, about, by_number
from .worklist import Row, iso


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
    what = " ".join(text for text in (one.action, one.bill, one.dates, one.parts, one.reference) if text)
    made = {"at": _at(one.made_us), "act": "proposed", "what": what, "by": f"{one.maker} ({one.maker_from})"}
    entries: list[dict[str, Any]] = [{**made, "reason": one.maker_reason, "amount": one.amount, "booked": []}]
    if one.state in (APPROVED, REJECTED):
        judged = {"at": _at(one.judged_us), "act": one.state.lower(), "by": f"{one.checker} ({one.checker_from})"}
        booked = _booked(conn, one) if one.state == APPROVED else []
        entries.append({**judged, "what": one.action, "reason": one.checker_reason, "amount": 0, "booked": booked})
    elif one.state != "WAITING":
        entries.append(
            {"at": _at(one.made_us), "act": "lapsed", "what": "its lines changed before anybody judged it", "by": "",
             "reason": "", "amount": 0, "booked": []}
        )  # fmt: skip
    return entries


def _booked(conn: Connection, one: Proposal) -> list[dict[str, Any]]:
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


def words(entry: dict[str, Any]) -> list[str]:
    """An entry as lines for a screen."""
    amount = f"  {format_yuan(entry['amount'])}" if entry["amount"] else ""
    by = f"  {entry['by']}" if entry["by"] else ""
    reason = f"  “{entry['reason']}”" if entry["reason"] else ""
    lines = [f"{entry['at'].replace('T', ' ')[:19]}  {entry['act']:<9} {entry['what']}{amount}{by}{reason}"]
    lines += [
        f"    {one['date']} {one['kind']}: {one['debit']} → {one['credit']}  {format_yuan(one['amount'])}"
        for one in entry["booked"]
    ]
    return lines
