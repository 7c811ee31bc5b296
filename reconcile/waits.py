"""What waits for a second person, in words: who judges it has to see what it is about. Reads only."""

from __future__ import annotations

from sqlalchemy import Connection

from shebao.ledger.bills import parse_parts
from shebao.ledger.day import iso
from shebao.ledger.desk_facts import Proposal

from . import shelf
from .decisions import booked_as
from .terms import ACTION_WORDS, class_words
from .words import money


def words(conn: Connection, bank: str, one: Proposal) -> str:
    """`rcb-5 到账 received 30,000.00 元 R-1, 收于 on 2026-11-29, 结算日 for 2026-11-29`."""
    dates = [iso(int(date)) for date in one.dates.split()]
    lead = f"{bank}-{one.id} {ACTION_WORDS.get(one.action, one.action)}"
    if one.action == "replace":  # its reference is a digest
        return f"{lead} {bank} {' '.join(dates)}"
    if one.exception_id:
        told = [
            f" {class_words(row.item_class)} {iso(row.date)} {money(row.amount)} 元"
            for row in shelf.exceptions_of(conn, one.book_id, [one.exception_id])
        ]  # fmt: skip
        parts = [f"about {bank}-{one.exception_id}{''.join(told)}", one.bill, one.reference]
        return ", ".join([f"{lead} {parts[0]}", *(part for part in parts[1:] if part)])
    amount = one.amount
    if one.action == "cancel" and (cancelled := booked_as(conn, one.book_id, one.reference)):
        amount, dates = cancelled.amount, [iso(int(date)) for date in cancelled.dates.split()]
        lead = f"{lead} {ACTION_WORDS[cancelled.action]}"
    first = [lead, f"{money(amount)} 元" if amount else "", one.reference, one.bill]
    told = [" ".join(part for part in first if part)]
    told += [f"{kind} {money(fen)} 元" for kind, fen in parse_parts(one.parts)]
    told += [f"收于 on {iso(one.received_on)}"] if one.action == "receive" and one.received_on else []
    told += [f"付于 on {iso(one.received_on)}"] if one.action != "receive" and one.received_on else []
    told += [f"结算日 for {' '.join(dates)}"] if dates else []
    return ", ".join(told)
