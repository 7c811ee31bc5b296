"""One person proposes, another approves or rejects (settlement.md section 5, Decisions): the acts behind the commands.

What a decision books is the ledger's rule (`ledger.desk`), asked twice: when it is proposed, so that nobody waits for
what can't be, and when it is approved, under the books' locks. Here proposals are kept, found and told. No words for a
screen are made here but the reasons of refusals.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, insert, or_, select, update

from shebao.codecs.errors import Code
from shebao.ledger.commands import system_user
from shebao.ledger.day import moment_of
from shebao.ledger.desk import same_person
from shebao.ledger.desk_facts import Proposal
from shebao.ledger.facts import Effects, KeyClass, Request
from shebao.ledger.schema import book
from shebao.ledger.schema_day import exception, proposal
from shebao.ledger.store import Answer, CommitInDoubt, Store

from . import shelf
from .cutover import TRIES
from .run import Desk, Refused
from .worklist import Row

FUNDS = ("receive", "cancel", "payback", "refund", "refund-paid", "sweep", "replace")
CONTENT = ("bill", "amount", "dates", "parts")  # what must be equal of what has one reference, and received_on if told
WAITING, APPROVED, REJECTED, LAPSED = "WAITING", "APPROVED", "REJECTED", "LAPSED"


class Who(NamedTuple):
    """Who acts, why, and from where (settlement.md section 5, Operators)."""

    name: str
    reason: str
    where: str


def here() -> str:
    """User id and host: always recorded, whoever somebody says he is."""
    return f"{os.getuid()} {system_user()}@{socket.gethostname()}"


class Office(NamedTuple):
    """What these acts work with."""

    store: Store
    desk: Desk
    banks: Mapping[int, str]  # book -> bank

    def told(self, book_id: int, number: int) -> str:
        """An id as people type it."""
        return f"{self.banks[book_id]}-{number}"


# -- proposing ------------------------------------------------------------------------------------------------------


def ask(office: Office, book_id: int, who: Who, action: str, **content: Any) -> Proposal:
    """A proposal, not stored yet."""
    plain: dict[str, Any] = {
        "exception_id": 0, "bill": "", "amount": 0, "dates": "", "parts": "", "reference": "", "received_on": 0,
    }  # fmt: skip
    return Proposal(
        book_id=book_id, id=0, action=action, maker=who.name, maker_reason=who.reason, maker_from=who.where,
        made_us=office.desk.now_us(), **{**plain, **content},
    )  # fmt: skip


def propose(office: Office, one: Proposal, day_given: bool = True, dry_run: bool = False) -> int:
    """Keeps a proposal for a second person; its id. The same funds again: the id that they have already.

    dry_run: it is only asked whether it could be; 0.

    day_given: received_on is what was typed, not only the day of typing; so it has to be the same again.
    Raises Refused: it could not be approved as things are, or what has this reference is something else.
    """
    if not one.maker.strip() or not (one.maker + one.maker_reason + one.reference + one.bill).isprintable():
        raise Refused("operator, reason and reference must be printable characters, and the operator not empty")
    known = _same_funds(office, one, day_given)
    if known:
        return known
    answer = office.store.foresee(_request(office, one, Who(f"not {one.maker}", "foreseen", "")), office.desk.now_us)
    one = one._replace(about_seq=_check(answer).origin_seq or 0)
    if dry_run:
        return 0
    with office.desk.lock(one.book_id) as conn:
        number = conn.execute(select(book.c.next_exception).where(book.c.book_id == one.book_id)).scalar_one()
        conn.execute(update(book).where(book.c.book_id == one.book_id).values(next_exception=number + 1))
        if one.exception_id:
            one = one._replace(before=_mark(conn, one))
        conn.execute(insert(proposal).values(one._replace(id=number)._asdict()))
        if one.exception_id:
            _judge(conn, one)
    return int(number)


def _mark(conn: Connection, one: Proposal) -> str:
    """The exception waits for a second person now; gives the state that it had."""
    mine = and_(exception.c.book_id == one.book_id, exception.c.id == one.exception_id)
    before, decided_seq = conn.execute(select(exception.c.state, exception.c.decided_seq).where(mine)).one()
    is_same = decided_seq == one.about_seq if one.action == "undo" else before in ("OPEN", "CARRIED")
    if before == "PROPOSED" or not is_same:
        raise Refused("somebody else has proposed or decided something about it at this moment; look again")
    lapsed = and_(proposal.c.book_id == one.book_id, proposal.c.exception_id == one.exception_id)
    conn.execute(update(proposal).where(lapsed, proposal.c.state == WAITING).values(state=LAPSED))
    conn.execute(update(exception).where(mine).values(state="PROPOSED", proposal=one.action))
    return str(before)


def _same_funds(office: Office, one: Proposal, day_given: bool) -> int:
    """The id of what has this reference already; 0 if nothing has. Raises Refused if that is something else."""
    if one.action not in FUNDS or one.action == "cancel" or not (one.reference or one.bill):
        return 0
    with office.desk.read() as conn:
        rows = _proposals(conn, one.book_id, proposal.c.reference == one.reference)
    if one.action in ("refund", "replace"):  # done once, it may be done again: a bill paid anew, a file put back
        same = one.action, one.bill, one.dates
        rows = [row for row in rows if (row.action, row.bill, row.dates) == same and row.state == WAITING]
    cancelled = max((row.seq for row in rows if row.action == "cancel" and row.state == APPROVED), default=0)
    standing = [
        row for row in rows
        if row.action in FUNDS and row.action != "cancel"
        and (row.state == WAITING or (row.state == APPROVED and row.seq > cancelled))
    ]  # fmt: skip
    if not standing:
        return 0
    row = standing[-1]
    compared = (*CONTENT, "received_on") if day_given else CONTENT
    if row.action == one.action and all(getattr(row, name) == getattr(one, name) for name in compared):
        return row.id
    told = office.told(row.book_id, row.id)
    first = f"reject that first (reconcile reject {told} --help)" if row.state == WAITING else "cancel that first"
    raise Refused(
        f"reference {one.reference!r} stands for {row.action} {told} with other content;"
        f" give this one a reference of its own, or {first}"
    )


# -- judging --------------------------------------------------------------------------------------------------------


def approve(office: Office, book_id: int, number: int, who: Who, dry_run: bool = False) -> Proposal:
    """Everything is checked again, then booked; the proposal as it was. Raises Refused, and it stays open."""
    one = _waiting(office, book_id, number)
    request = _request(office, one, who)
    if dry_run:
        _check(office.store.foresee(request, office.desk.now_us))
        return one
    for left in reversed(range(TRIES)):
        try:
            _check(office.store.act(request, office.desk.now_us))
            return one
        except CommitInDoubt:
            if not left:
                raise
            office.store.reconnect()
            with office.desk.read() as conn:
                if _proposals(conn, book_id, proposal.c.id == one.id)[0].state == APPROVED:
                    return one
    raise AssertionError("unreachable")


def reject(office: Office, book_id: int, number: int, who: Who, dry_run: bool = False) -> Proposal:
    """The exception is as it was before the proposal. Raises Refused."""
    one = _waiting(office, book_id, number)
    if same_person(one.maker, who.name):
        raise Refused(f"{one.maker} proposed it: another person has to judge it")
    if not who.name.isprintable() or not who.reason.isprintable() or not who.reason.strip():
        raise Refused("a rejection needs an operator and a reason, in printable characters")
    if dry_run:
        return one
    with office.desk.lock(book_id) as conn:
        mine = and_(proposal.c.book_id == book_id, proposal.c.id == one.id, proposal.c.state == WAITING)
        judged = {
            "state": REJECTED, "checker": who.name, "checker_reason": who.reason, "checker_from": who.where,
            "judged_us": office.desk.now_us(),
        }  # fmt: skip
        if not conn.execute(update(proposal).where(mine).values(judged)).rowcount:
            raise Refused("it was judged by somebody else at this moment; look again")
        if one.exception_id:
            same = and_(exception.c.book_id == book_id, exception.c.id == one.exception_id)
            as_before = {"state": one.before, "proposal": ""}
            conn.execute(update(exception).where(same, exception.c.state == "PROPOSED").values(as_before))
            _judge(conn, one)
    return one


def _waiting(office: Office, book_id: int, number: int) -> Proposal:
    """What waits under this id: a proposal's own, or that of its exception."""
    with office.desk.read() as conn:
        found = _proposals(conn, book_id, (proposal.c.id == number) | (proposal.c.exception_id == number))
        cases = shelf.exceptions_of(conn, book_id, [number])
    waiting = [one for one in found if one.state == WAITING]
    if waiting:
        return waiting[-1]
    told = office.told(book_id, number)
    if found:
        last = found[-1]
        by = f" by {last.checker}" if last.checker else ""
        raise Refused(f"nothing about {told} waits for a second person: its last proposal was {last.state}{by}")
    if cases:
        raise Refused(f"nobody has proposed anything about {told}; type: reconcile propose {told} --help")
    raise Refused(f"there is no {told}; type: reconcile exceptions, or reconcile funds")


def _request(office: Office, one: Proposal, who: Who) -> Request:
    now_us = office.desk.now_us()
    return Request(
        "desk", one.book_id, office.banks[one.book_id], "", KeyClass.NONE, 0, moment_of(now_us), now_us, {},
        operator=who.name, reason=who.reason, operator_from=who.where, proposal=one,
    )  # fmt: skip


def _check(answer: Answer) -> Effects:
    if answer.decision is None:
        raise Refused(f"this failed by a fault of our own, and nothing was done: {answer.fault!r}; report it")
    if answer.code != Code.APPROVED:
        raise Refused(answer.decision.note)
    return answer.decision.effects or Effects()


def _judge(conn: Connection, one: Proposal) -> None:
    for row in shelf.exceptions_of(conn, one.book_id, [one.exception_id]):
        shelf.judge(conn, one.book_id, row.date)


# -- reading --------------------------------------------------------------------------------------------------------


def _proposals(conn: Connection, book_id: int, condition: Any) -> list[Proposal]:
    found = select(*(proposal.c[name] for name in Proposal._fields)).where(proposal.c.book_id == book_id, condition)
    return [Proposal(*row) for row in conn.execute(found.order_by(proposal.c.id))]


def waiting(conn: Connection, book_id: int) -> list[Proposal]:
    """Everything that waits for a second person; not what closed, or opened anew, by itself meanwhile."""
    same = and_(exception.c.book_id == proposal.c.book_id, exception.c.id == proposal.c.exception_id)
    still = select(exception.c.id).where(same, exception.c.state == "PROPOSED").exists()
    return _proposals(conn, book_id, and_(proposal.c.state == WAITING, or_(proposal.c.exception_id == 0, still)))


def by_number(conn: Connection, book_id: int, number: int) -> list[Proposal]:
    """The proposal of this number, if there is one."""
    return _proposals(conn, book_id, proposal.c.id == number)


def booked_as(conn: Connection, book_id: int, reference: str) -> Proposal | None:
    """The last movement of funds that was booked with a reference."""
    found = _proposals(conn, book_id, and_(proposal.c.reference == reference, proposal.c.state == APPROVED))
    moving = [one for one in found if one.action in FUNDS and one.action not in ("cancel", "replace")]
    return moving[-1] if moving else None


def about(conn: Connection, book_id: int, exception_id: int) -> list[Proposal]:
    """All that was ever proposed about an exception, in order."""
    return _proposals(conn, book_id, proposal.c.exception_id == exception_id)


def chosen(
    rows: Sequence[Row], action: str, item_class: str | None, date: int | None
) -> list[Row]:
    """The exceptions that a filter means: open ones to propose about (action), else those that wait."""
    states = ("OPEN", "CARRIED") if action else ("PROPOSED",)
    return [
        row for row in rows
        if row.state in states and (not item_class or row.item_class == item_class) and (not date or row.date == date)
        and not (action == "carry" and row.state == "CARRIED")
    ]  # fmt: skip
