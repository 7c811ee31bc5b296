"""What somebody has put his name to, in words: what it is about, what was booked, what is due now. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from shebao.ledger.day import iso
from shebao.ledger.desk_facts import Proposal
from shebao.ledger.dues import money_on

from . import shelf, story, waits
from .decisions import booked_as, by_number
from .terms import ACTION_WORDS, class_words
from .words import money
from .worklist import difference

READ_AT_ONCE: Final = 500  # exceptions


class Signed(NamedTuple):
    """One proposal. amount: fen in question."""

    what: str
    amount: int


def about(conn: Connection, bank: str, asked: Sequence[Proposal]) -> list[Signed]:
    """What each of one bank's proposals is about."""
    numbers = [one.exception_id for one in asked if one.exception_id]
    rows = {
        row.id: row
        for start in range(0, len(numbers), READ_AT_ONCE)
        for row in shelf.exceptions_of(conn, asked[0].book_id, numbers[start : start + READ_AT_ONCE])
    }
    told = []
    for one in asked:
        row = rows.get(one.exception_id)
        if row is None:
            told.append(Signed(waits.words(conn, bank, one).partition(" ")[2], one.amount))
            continue
        fen = difference(row)
        parts = f"{ACTION_WORDS[one.action]} {money(fen)} 元", class_words(row.item_class), one.bill or row.bill
        told.append(Signed(" · ".join([*parts, *filter(None, [one.reference])]), fen))
    return told


def outcome(conn: Connection, bank: str, one: Proposal) -> Iterator[str]:
    """Lines that tell what an approval did: bookings, what is due and received now, or what to type."""
    (done,) = by_number(conn, one.book_id, one.id)
    booked = story.booked(conn, done)
    yield from (story.booking(entry) for entry in booked)
    if one.action == "replace":
        yield from (f"→ reconcile run --bank {bank} --date {iso(int(date))}" for date in one.dates.split())
    elif not booked:
        yield "    不记账 nothing is booked"
    moved = booked_as(conn, one.book_id, one.reference) if one.action == "cancel" else None
    for date in (moved or one).dates.split() if one.action != "replace" else ():
        now = money_on(conn, one.book_id, int(date))
        sums = f"应划 due {money(now.due)} · 到账 received {money(now.received)}"
        yield f"    {bank} {iso(int(date))} {sums} · 差额 missing {money(now.due - now.received)}"
