"""The journal read once from its first event to its last: what `verify` proves event by event.

Events, payments and transfers are merged in key order, a few rows in memory at a time. Proved here: no gap, the seal,
the anchors, each event's rows against its kind, receipts, and what each date counts; the sums of the accounts are
taken along. What needs another order (bills, a payment's later events) is in `standing`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, select

from shebao.codecs.numbers import receipt

from . import proof as p
from . import schema, schema_day
from .bills import MOVES
from .day import add_days, after_restore, first_receipt, time_of
from .desk import KINDS
from .desk_facts import Ruling, Share
from .facts import BUREAU_BOOK_ID, Book, Event, Payment, Transfer
from .heads import Heads
from .journal import CREDITS, GENESIS, REVERSALS, canonical, seal
from .load import payment_of_row
from .proof import Proofs
from .walk_desk import Desk

FETCH: Final = 1000  # rows at a time
TAKES_MONEY: Final = frozenset({"payment", "advice", "booked", "parked"})  # events with a payment row of their own
MAY_TAKE: Final = TAKES_MONEY | {"reversed"}
_RELEASES: Final = ("release", "release late")
# kind -> acts on a bill that it may make (`bills.MOVES`). A kind that is not here is none of this version's.
ACTS: Final[dict[str, tuple[str, ...]]] = {
    "payment": ("pay",),
    "advice": ("pay",),
    "unvoid": ("pay",),
    "void": _RELEASES,
    "reversal": _RELEASES,
    "withdraw": ("withdraw",),
    "cutover": (),
    "restored": (),
    "refused": (),
    "noop": (),
    **dict.fromkeys(KINDS, ()),
    "booked": ("pay",),
    "applied": ("pay",),
    "reversed": ("pay", *_RELEASES),
    "undone": ("pay", *_RELEASES),
    "refunded": ("refund",),
}
ALLOWED: Final = {
    kind: frozenset(f"{before}>{after}" for (before, act), after in MOVES.items() if act in acts)
    for kind, acts in ACTS.items()
}


class Act(NamedTuple):
    """One event with all of its rows. `event` None: rows that belong to no event."""

    key: tuple[int, int]
    event: Event | None
    payment: Payment | None
    transfers: tuple[Transfer, ...]
    ruling: Ruling | None
    shares: tuple[Share, ...]


@dataclass
class Counted:
    """What a date's events add up to."""

    credits: int = 0
    credits_fen: int = 0
    reversals: int = 0
    reversals_fen: int = 0
    last_seq: int = 0  # of its cut-over
    closed_us: int | None = None


@dataclass
class Walked:
    """What the walk leaves for other proofs: sums by account, counts by date. As long as these lists are, no longer."""

    balances: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))  # debits less credits
    dates: defaultdict[tuple[int, int], Counted] = field(default_factory=lambda: defaultdict(Counted))


HeadsOf = Callable[[int, str], Heads]


def walk(conn: Connection, proofs: Proofs, books: dict[int, Book], heads_of: HeadsOf, walked: Walked) -> None:
    """Prove every event of every book, in key order. heads_of: a book's anchors, by its number and bank."""
    todo = dict(books)
    steps: _Steps | None = None
    for act in acts(conn):
        if steps is None or steps.book_id != act.key[0]:
            if steps is not None:
                steps.end()
            book = todo.pop(act.key[0], None)
            steps = _Steps(act.key[0], book, proofs, walked, heads_of(act.key[0], "" if book is None else book.bank))
        try:
            steps.take(act)
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            proofs[p.SEAL].fault("event", act.key, f"it, or its payment or transfers, holds no proper value: {error}")
    if steps is not None:
        steps.end()
    for book in todo.values():
        _Steps(book.book_id, book, proofs, walked, heads_of(book.book_id, book.bank)).end()


def acts(conn: Connection) -> Iterator[Act]:
    """All events with their rows, and rows without an event, by book and number."""
    events = rows(conn, select(schema.event).order_by(*_key(schema.event)))
    payments = rows(conn, select(schema.payment).order_by(*_key(schema.payment)))
    order = (*_key(schema.transfer), schema.transfer.c.line)
    transfers = rows(conn, select(schema.transfer).order_by(*order))
    rulings, share = _small(conn, schema_day.ruling, Ruling), schema_day.share
    shares = _small(conn, share, Share, share.c.date, share.c.side)
    event, payment, transfer = next(events, None), next(payments, None), next(transfers, None)
    while True:
        keys = [row[:2] for row in (event, payment, transfer, rulings.head, shares.head) if row is not None]
        if not keys:
            return
        key = min(keys)
        own_event = own_payment = None
        moved = []
        if event is not None and event[:2] == key:
            own_event, event = Event._make(event), next(events, None)
        if payment is not None and payment[:2] == key:
            own_payment, payment = payment_of_row(payment), next(payments, None)
        while transfer is not None and transfer[:2] == key:
            moved.append(Transfer._make(transfer))
            transfer = next(transfers, None)
        own_ruling, own_shares = rulings.take(key), shares.take(key)
        yield Act(
            (key[0], key[1]), own_event, own_payment, tuple(moved), own_ruling[0] if own_ruling else None,
            tuple(own_shares),
        )  # fmt: skip


class _Stream:
    """Rows of a table in key order, those of one key at a time."""

    def __init__(self, found: Iterator[tuple[Any, ...]], make: Callable[..., Any]) -> None:
        self._found, self._make = found, make
        self.head = next(found, None)

    def take(self, key: tuple[Any, ...]) -> list[Any]:
        taken = []
        while self.head is not None and self.head[:2] == key:
            taken.append(self._make(*self.head))
            self.head = next(self._found, None)
        return taken


def _small(conn: Connection, table: Any, make: Callable[..., Any], *columns: Any) -> _Stream:
    return _Stream(rows(conn, select(table).order_by(*_key(table), *columns)), make)


def rows(conn: Connection, statement: Select[Any]) -> Iterator[tuple[Any, ...]]:
    for part in conn.execute(statement.execution_options(yield_per=FETCH)).partitions():
        yield from map(tuple, part)


def _key(table: Any) -> tuple[Any, Any]:
    return table.c.book_id, table.c.seq


class _Steps:
    """One book's walk: what was expected next, given all that came before."""

    def __init__(self, book_id: int, book: Book | None, proofs: Proofs, walked: Walked, heads: Heads) -> None:
        self.book_id = book_id
        self._book, self._proofs, self._walked, self._heads = book, proofs, walked, heads
        self._bank = book.bank if book is not None else ""
        self._seq, self._seal = 0, GENESIS
        self._open = 0  # settlement date; 0: not known before the first event, or the bureau's, which has none
        self._serial = 1  # of the next receipt
        self._desk = Desk(self._bank, proofs)
        if book is None:
            proofs[p.EVENTS].fault("book", book_id, "is not there, but has events")

    def take(self, act: Act) -> None:
        event = act.event
        if event is None:
            if act.payment is not None:
                self._proofs[p.EVENTS].fault("payment", act.key, "belongs to no event")
            for transfer in act.transfers:
                self._proofs[p.TRANSFERS].fault("transfer", (*act.key, transfer.line), "belongs to no event")
            if act.ruling is not None or act.shares:
                self._proofs[p.CORRECTIONS].fault("ruling", act.key, "it, or its share, belongs to no event")
            return
        self._chain(event, act)
        self._belongs(event, act)
        if act.payment is not None:
            self._receipt(act.payment)
        if event.kind == "restored":
            self._gap(event)
        self._count(event, act)

    def end(self) -> None:
        """After the last event: the book's own row, and anchors beyond."""
        self._heads.end(self._seq)
        book = self._book
        if book is None:
            return
        events, sealed = self._proofs[p.EVENTS], self._proofs[p.SEAL]
        if book.next_seq != self._seq + 1:
            events.differs("book", book.book_id, "next_seq", book.next_seq, self._seq + 1)
        if bytes(book.seal) != self._seal:
            sealed.fault("book", book.book_id, f"its head is not the seal of its last event, {self._seq}")
        if self._open and book.open_date != self._open:
            self._proofs[p.DAYS].differs("book", book.book_id, "open_date", book.open_date, self._open)
        if book.next_receipt != self._serial:
            self._proofs[p.RECEIPTS].differs("book", book.book_id, "next_receipt", book.next_receipt, self._serial)

    def _chain(self, event: Event, act: Act) -> None:
        """The numbers and the seal. Each row is held against the seal stored before it, so that one fault is one."""
        gaps, sealed = self._proofs[p.EVENTS], self._proofs[p.SEAL]
        gaps.looked_at += 1
        sealed.looked_at += 1
        if event.seq != self._seq + 1:
            after = f"number {self._seq}" if self._seq else "the beginning"
            gaps.fault("event", act.key, f"follows {after}: {self._seq + 1} is not there")
        if seal(self._seal, canonical(event, act.payment, act.transfers, act.ruling, act.shares)) != event.seal:
            what = "its seal is not that of its rows in event, payment and transfer, after the seal before it"
            sealed.fault("event", act.key, what)
        self._seq, self._seal = event.seq, event.seal
        self._heads.passes(event)

    def _belongs(self, event: Event, act: Act) -> None:
        """The event's rows are those that its kind has."""
        proof = self._proofs[p.TRANSFERS]
        proof.looked_at += len(act.transfers)
        if event.kind not in ACTS:
            what = f"is of kind {p.shown(event.kind)}, which this version does not book, and names no two operators"
            self._proofs[p.CORRECTIONS].fault("event", act.key, what)
            return
        if event.bill_move and event.bill_move not in ALLOWED[event.kind]:
            self._proofs[p.STATUS].fault("event", act.key, f"{event.kind} makes no move {p.shown(event.bill_move)}")
        self._moved(event, act)
        self._desk.take(event, act.transfers, act.ruling, act.shares)
        if act.payment is not None and event.kind in MAY_TAKE:
            self._taken(event, act.payment)
        elif act.payment is not None:
            self._proofs[p.EVENTS].fault("payment", act.key, f"belongs to an event of kind {event.kind}")
        elif event.kind in TAKES_MONEY:
            self._proofs[p.EVENTS].fault("payment", act.key, f"is not there, but its event of kind {event.kind} is")

    def _taken(self, event: Event, payment: Payment) -> None:
        """What payment and event tell both, they tell alike."""
        proof, key = self._proofs[p.STATES], (event.book_id, event.seq)
        for column in ("date", "kind", "trace", "stan", "rrn", "bill", "amount"):
            found, right = getattr(payment, column), getattr(event, column)
            if column == "kind" and event.kind in KINDS:
                right = "booked"
            if found != right:
                proof.differs("payment", key, column, found, f"{p.shown(right)}, as its event has it")
        if payment.moment % 10**12 != payment.trace // 10**6:
            proof.differs("payment", key, "moment", payment.moment, f"20{payment.trace // 10**6:012d}, as in its trace")

    def _moved(self, event: Event, act: Act) -> None:
        """Accounts by the table of settlement.md section 2; the sum is the amount. Parts are held against the bill."""
        proof, total = self._proofs[p.TRANSFERS], 0
        gives_back = event.kind in REVERSALS
        for line, transfer in enumerate(act.transfers, 1):
            key = *act.key, transfer.line
            if transfer.line != line:
                proof.fault("transfer", key, f"line {line} is not there")
            if transfer.amount <= 0:
                proof.fault("transfer", key, f"amount is {transfer.amount}, not above 0")
            if transfer.date != event.date:
                proof.differs("transfer", key, "date", transfer.date, f"{event.date}, its event's")
            self._walked.balances[transfer.debit] += transfer.amount
            self._walked.balances[transfer.credit] -= transfer.amount
            total += transfer.amount
            if event.kind in KINDS:
                continue  # by `walk_desk`
            side = "credit" if gives_back else "debit"
            if getattr(transfer, side) != f"clearing:{self._bank}":
                proof.differs("transfer", key, side, getattr(transfer, side), f"clearing:{self._bank}")
            side = "debit" if gives_back else "credit"
            right = "fund:" if event.bill_move else f"suspense:{self._bank}"
            other = getattr(transfer, side)
            if other != right if not event.bill_move else not other.startswith(right):
                proof.differs("transfer", key, side, other, right)
        if event.kind in KINDS:
            return
        moves_money = event.kind in CREDITS or event.kind in REVERSALS
        if total != (event.amount if moves_money else 0):
            right = f"{event.amount}, the event's amount" if moves_money else f"none, of a {event.kind}"
            proof.differs("transfer", act.key, "sum", total, right)

    def _receipt(self, payment: Payment) -> None:
        proof = self._proofs[p.RECEIPTS]
        proof.looked_at += 1
        number, lane = divmod(self.book_id, 100)
        key = payment.book_id, payment.seq
        right = receipt(payment.date % 1_000_000, f"{number:02d}", lane, self._serial)
        if payment.receipt != right:
            proof.differs("payment", key, "receipt", payment.receipt, f"{right}, the next one")
            serial = payment.receipt[10:19]
            if serial.isdecimal() and int(serial) > self._serial:  # after a gap, which is one fault and not thousands
                self._serial = int(serial)
        self._serial += 1

    def _gap(self, event: Event) -> None:
        """A restore: receipts go on after what may have been given since the backup. The bureau's book has none."""
        proof, before = self._proofs[p.RECEIPTS], self._serial
        when, who = f"{time_of(event.at_us):%Y-%m-%d %H:%M:%S}", p.shown(event.operator)
        told = f"book {self.book_id} was restored at {when} by {who}"
        if self.book_id == BUREAU_BOOK_ID:
            proof.note(f"{told} from the {p.shown(event.reason, 128)}")
            return
        self._serial = int(event.original_text)
        right = before
        if self._book is not None:
            right = after_restore(self._book._replace(open_date=event.date, next_receipt=before), event.at_us, 0)
        if self._serial < right:
            what = f"its gap ends at receipt {self._serial}, right is {right} or more"
            proof.fault("event", (event.book_id, event.seq), what)
        proof.note(f"{told}: its receipts of {event.date} go from {before - 1} to {self._serial}")

    def _count(self, event: Event, act: Act) -> None:
        """The date that was open, and its gross counts."""
        if self.book_id == BUREAU_BOOK_ID:
            return
        self._open = self._open or event.date
        if event.date != self._open:
            self._proofs[p.DAYS].differs("event", act.key, "date", event.date, f"{self._open}, which was open")
        counted = self._walked.dates[self.book_id, event.date]
        fen = sum(transfer.amount for transfer in act.transfers)
        if event.kind in CREDITS:
            counted.credits += 1
            counted.credits_fen += fen
        elif event.kind in REVERSALS:
            counted.reversals += 1
            counted.reversals_fen += fen
        elif event.kind == "cutover":
            counted.last_seq, counted.closed_us = event.seq, event.at_us
            self._open, self._serial = add_days(self._open, 1), first_receipt(self._serial)
