"""A batch's facts, read under its locks: one set-based query per table and book or division.

What must be there is said in `facts.Facts`; what is asked and not found is loaded as absent. Order of locks:
books ascending, then bills ascending by division and number, so that two daemons can't block each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from shebao.codecs.numbers import bill_ok, mod_11_10

from . import load_desk
from .backend import Backend, Row
from .bills import parse_parts
from .facts import (
    BUREAU_BOOK_ID,
    Bill,
    Book,
    Day,
    Early,
    Event,
    ExceptionItem,
    Facts,
    KeyClass,
    Payment,
    Person,
    Request,
    Suspense,
)
from .schema import bill as bill_table
from .statements import KEYS_MAX, padded

READ_ONLY: Final = frozenset({"inquiry", "totals"})  # services that change nothing
WITHOUT_BILL: Final = frozenset({"totals", "cutover"})

_BILL_COLUMNS: Final = tuple(column.name for column in bill_table.c)

Pair = tuple[int, int]


def load(backend: Backend, requests: Sequence[Request], reply_deadline_us: int) -> Facts:
    """The facts of one batch, but for its moment, which is known once the locks are held: set it then."""
    facts = Facts(now_us=0, books={}, reply_deadline_us=reply_deadline_us)
    _books(backend, requests, facts)
    proposals = load_desk.asked(requests)
    load_desk.before_events(backend, proposals, facts)
    asked = _traces(requests, facts)
    for event in _events(backend, asked, facts):
        facts.events[event.book_id, event.trace].append(event)
    _early(backend, asked, facts)
    load_desk.suspense_of(backend, proposals, facts)
    _payments(backend, _named_by_events(facts) | load_desk.payments_of(facts), facts)
    _people(backend, requests, facts)
    _bills(backend, requests, facts, load_desk.bills_of(proposals, facts))
    _payments(backend, _named_by_bills(facts), facts)
    _suspense(backend, facts)
    dates = load_desk.dates_of(proposals, facts) if proposals else set()
    _days(backend, requests, facts, dates)
    load_desk.money(backend, dates, proposals, facts)
    return facts


def _by_key(backend: Backend, name: str, lead: Sequence[object], keys: Iterable[object]) -> Iterable[Row]:
    """Rows of the SELECT called `name`, for any number of keys, ascending."""
    for part in _parts(keys):
        yield from backend.rows(backend.statements.by_keys(name, len(part)), (*lead, *part))


def _bills_by_key(backend: Backend, name: str, lead: Sequence[object], keys: Iterable[object]) -> Iterable[Row]:
    for part in _parts(keys):
        yield from backend.many(backend.statements.by_keys(name, len(part)), (*lead, *part), _BILL_COLUMNS)


def _parts(keys: Iterable[object]) -> Iterable[list[object]]:
    wanted = sorted(set(keys))  # type: ignore[type-var]
    for start in range(0, len(wanted), KEYS_MAX):
        yield padded(wanted[start : start + KEYS_MAX])


def _by_book(backend: Backend, name: str, pairs: Iterable[Pair]) -> Iterable[Row]:
    """The same, for (book, key) pairs: one statement per book, ascending."""
    keys: defaultdict[int, list[int]] = defaultdict(list)
    for book_id, key in pairs:
        keys[book_id].append(key)
    for book_id in sorted(keys):
        yield from _by_key(backend, name, (book_id,), keys[book_id])


def _books(backend: Backend, requests: Sequence[Request], facts: Facts) -> None:
    """Lock the books that the batch writes to, in order; read the names of all."""
    wanted = {request.book_id for request in requests}
    if backend.locks_rows:
        writing = {request.book_id for request in requests if request.service not in READ_ONLY}
        for row in _by_key(backend, "books locked", (), writing):
            facts.books[row[0]] = Book(*row)
    for row in backend.rows(backend.statements.books, ()):
        facts.banks[row[0]] = row[1]
        if row[0] in wanted:
            facts.books.setdefault(row[0], Book(*row))


def _traces(requests: Sequence[Request], facts: Facts) -> list[Pair]:
    """Declare what is asked of `events` and `early`; return the (book, trace) pairs."""
    for request in requests:
        book_id = request.book_id
        if request.key_class != KeyClass.NONE:
            facts.events.setdefault((book_id, request.trace), [])
            facts.early[book_id, request.trace, request.proc] = None
        if request.original is not None:
            facts.events.setdefault((book_id, request.original.trace), [])
            facts.early[book_id, request.original.trace, request.proc] = None
    return list(facts.events)


def _events(backend: Backend, asked: Sequence[Pair], facts: Facts) -> list[Event]:
    return sorted(Event(*row) for row in _by_book(backend, "events", asked))


def _early(backend: Backend, asked: Sequence[Pair], facts: Facts) -> None:
    for row in _by_book(backend, "early", asked):
        facts.early[row[0], row[1], row[2]] = Early(*row)


def _named_by_events(facts: Facts) -> set[Pair]:
    named: set[Pair] = set()
    for (book_id, _), events in facts.events.items():
        for event in events:
            named.add((book_id, event.seq))
            if event.origin_seq is not None:
                named.add((book_id, event.origin_seq))
    return named


def _named_by_bills(facts: Facts) -> set[Pair]:
    """The live payments of paid bills, maybe another bank's: under the bill's lock they stand still."""
    return {
        (bill.paid_book, bill.paid_seq)
        for bill in facts.bills.values()
        if bill is not None and bill.paid_book is not None and bill.paid_seq is not None
    } - facts.payments.keys()


def _payments(backend: Backend, pairs: Iterable[Pair], facts: Facts) -> None:
    for row in _by_book(backend, "payments", pairs):
        facts.payments[row[0], row[1]] = payment_of_row(row)


def payment_of_row(row: Row) -> Payment:
    return Payment._make((*row[:14], bool(row[14]), *row[15:]))


def _people(backend: Backend, requests: Sequence[Request], facts: Facts) -> None:
    for request in requests:
        if request.card and request.service in ("inquiry", "payment"):
            facts.cards[request.card] = None
    for row in _by_key(backend, "cards", (), facts.cards):
        person = Person(*row)
        if facts.cards[person.card] is None:
            facts.cards[person.card] = facts.people[person.id] = person
    ids = {request.person for request in requests if request.person and request.service == "inquiry"}
    for wanted in ids - facts.people.keys():
        facts.people[wanted] = None
    for row in _by_key(backend, "people", (), ids):
        facts.people[row[0]] = Person(*row)


def _bills(backend: Backend, requests: Sequence[Request], facts: Facts, lock: set[str]) -> None:
    """Bills to be changed, locked; bills that are only looked at, not."""
    lock |= {payment.pays for payment in facts.payments.values()}
    look: set[str] = set()
    for request in requests:
        if request.bill and request.service not in WITHOUT_BILL:
            (look if request.service == "inquiry" else lock).add(request.bill)
    rows: list[Row] = []
    payers = _payers(requests, facts)
    rows += _bills_by_key(backend, "payable of", (), payers)
    rows += _of_division(backend, "bills", look - lock, facts)
    rows += _of_division(backend, "bills locked" if backend.locks_rows else "bills", lock, facts)
    hidden: set[int] = set()
    if any(row[16] for row in rows):  # read after the bills: an import that ended since is there as a whole
        hidden = {row[0] for row in backend.rows(backend.statements.open_imports, ())}
    asked = {int(number[:19]): number for number in facts.bills}
    for row in rows:
        if row[16] not in hidden:
            bill = bill_of_row(row, asked.get(row[1]))
            facts.bills[bill.number] = bill
    of: dict[str, list[str]] = {payer: [] for payer in payers}
    for loaded in facts.bills.values():
        if loaded is not None and loaded.payer_id in of:
            of[loaded.payer_id].append(loaded.number)
    facts.by_payer.update((payer, tuple(sorted(numbers))) for payer, numbers in of.items())


def _payers(requests: Sequence[Request], facts: Facts) -> set[str]:
    """Whose bills are asked for: by `ID`, else by card (wire.md section 5, Inquiry)."""
    payers = set()
    for request in requests:
        if request.service == "inquiry" and not request.bill:
            if request.person:
                payers.add(request.person)
            elif (holder := facts.cards.get(request.card)) is not None:
                payers.add(holder.id)
    return payers


def _of_division(backend: Backend, name: str, numbers: Iterable[str], facts: Facts) -> list[Row]:
    """Rows of bills by their 20-digit numbers; one statement per division, ascending."""
    keys: defaultdict[int, list[int]] = defaultdict(list)
    for number in numbers:
        if bill_ok(number):
            facts.bills.setdefault(number, None)
            keys[int(number[:6])].append(int(number[:19]))
    rows: list[Row] = []
    for division in sorted(keys):
        rows += _bills_by_key(backend, name, (division,), keys[division])
    return rows


def bill_of_row(row: Row, number: str | None = None) -> Bill:
    """A row of `bill`, in the table's order, as a Bill. number: its 20 digits, where they are known already."""
    return Bill._make(
        (number or full_number(row[1]), *row[2:10], bool(row[10]), row[11], parse_parts(row[12]), *row[13:16])
    )


def full_number(number: int) -> str:
    """The 20 digits of a stored 19-digit number."""
    digits = f"{number:019d}"
    return digits + mod_11_10(digits)


def _suspense(backend: Backend, facts: Facts) -> None:
    for row in _by_book(backend, "suspense", facts.payments):
        facts.suspense[row[0], row[1]] = Suspense(*row)
    items = [(found.book_id, found.exception_id) for found in facts.suspense.values()]
    for row in _by_book(backend, "exceptions", items):
        facts.exceptions[row[0], row[1]] = ExceptionItem(*row)


def _days(backend: Backend, requests: Sequence[Request], facts: Facts, more: set[Pair]) -> None:
    wanted = more | {(book.book_id, book.open_date) for book in facts.books.values() if book.book_id != BUREAU_BOOK_ID}
    wanted.update((request.book_id, request.date) for request in requests if request.date)
    wanted.update((payment.book_id, payment.date) for payment in facts.payments.values())
    facts.days.update(dict.fromkeys(wanted))
    for row in _by_book(backend, "days", wanted):
        facts.days[row[0], row[1]] = Day(*row)
