"""Bills and people into the books: the whole file or none of it, while payments go on (settlement.md section 1).

Bills are written in chunks under an import's id, which stands in `open_import`: as long as it does they count as
absent (`load`). The last, short transaction takes that row away, and all are there at once. An import that died leaves
bills that were never there; the next one clears them away. People, who are no money, are written in chunks as such.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection, delete, insert, select, tuple_, update

from . import schema
from .bills import parts_text
from .csvtext import Fault, decode, records
from .facts import Bill
from .load import bill_of_row
from .records import BILL_COLUMNS, PEOPLE_COLUMNS, Numbered, PersonRow, bills, people
from .store import Store

FAULTS_MAX: Final = 100  # told one by one
CHUNK_MAX: Final = 500  # rows in one transaction
CHUNK_MIN: Final = 20
LOCK_S: Final = 0.05  # a chunk that held the write lock longer makes the next one smaller
DEAD_AFTER_US: Final = 60_000_000  # without a chunk
COMPARED: Final = (
    "payer_id", "payer_name", "office", "period_from", "period_to", "issued", "due", "last_day", "owner_only", "parts",
)  # fmt: skip

T = TypeVar("T")


class Refused(Exception):
    """The file can't be taken, and nothing was: its first faults, and how many there are in all."""

    def __init__(self, faults: Sequence[Fault], count: int) -> None:
        super().__init__(f"{count} faults")
        self.faults, self.count = faults, count


class Busy(Exception):
    """Another import is under way, or has taken over."""


class Taken(NamedTuple):
    """What an import did."""

    encoding: str
    new: int
    changed: int  # of people; a bill is never changed
    same: int


class Pace:
    """How many rows the next chunk takes, and a pause after each as long as it held the lock, for the others."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, nap: Callable[[float], object] = time.sleep
    ) -> None:
        self._clock, self._nap = clock, nap
        self.rows = CHUNK_MAX // 5
        self._since = 0.0

    def begin(self) -> None:
        self._since = self._clock()

    def end(self) -> None:
        took = self._clock() - self._since
        if took > LOCK_S:
            self.rows = max(CHUNK_MIN, self.rows // 2)
        elif took < LOCK_S / 2:
            self.rows = min(CHUNK_MAX, self.rows * 2)
        self._nap(min(took, 1.0))


# -- bills ------------------------------------------------------------------------------------------------

def import_bills(
    store: Store, source: str, data: bytes, now_us: Callable[[], int], encoding: str | None = None,
    dry_run: bool = False, pace: Pace | None = None,
) -> Taken:  # fmt: skip
    """Take a bill file in. Raises Refused, Busy, StoreError; afterwards all of its bills are there, or none.

    The same file again changes nothing; a bill that is there with other content is a fault.
    """
    text, encoding = _decoded(data, encoding)
    pace = pace or Pace()
    _refuse(_faults(bills(records(text, BILL_COLUMNS))))  # before anything is written
    if dry_run:
        return _compare(store, text, encoding)
    import_id = _begin(store, source, now_us, pace)
    try:
        taken = _compare(store, text, encoding)
        if taken.new:
            _write_bills(store, _good_bills(text), import_id, now_us, pace)
        _end(store, import_id)
    except BaseException:
        _clear(store, import_id, pace)
        raise
    return taken


def _good_bills(text: str) -> Iterator[Numbered]:
    return (found for found in bills(records(text, BILL_COLUMNS)) if isinstance(found, Numbered))


def _compare(store: Store, text: str, encoding: str) -> Taken:
    """How many bills are new; Refused if one is there with other content."""
    same = total = 0
    faults: list[Fault] = []
    with store.reading() as connection:
        for chunk in _chunks(_good_bills(text), CHUNK_MAX):
            total += len(chunk)
            there = _stored(connection, [found.bill for found in chunk])
            for line, bill in chunk:
                stored = there.get(bill.number)
                if stored is not None:
                    same += 1
                    faults += _other_content(line, bill, stored)
    _refuse(faults)
    return Taken(encoding, total - same, 0, same)


def _other_content(line: int, bill: Bill, stored: Bill) -> list[Fault]:
    other = [name for name in COMPARED if getattr(bill, name) != getattr(stored, name)]
    if not other:
        return []
    wrong = f"bill {bill.number} is there already with other content: {', '.join(other)}"
    return [Fault(line, wrong, "withdraw it and issue one with a number of its own")]


def _stored(connection: Connection, wanted: Sequence[Bill]) -> dict[str, Bill]:
    """Bills that are there, by number; those of an import under way are not."""
    keys = [_key(bill) for bill in wanted]
    hidden = select(schema.open_import.c.import_id)
    found = select(schema.bill).where(
        tuple_(schema.bill.c.division, schema.bill.c.number).in_(keys), schema.bill.c.import_id.not_in(hidden)
    )
    rows = (bill_of_row(tuple(row)) for row in connection.execute(found))
    return {bill.number: bill for bill in rows}


def _begin(store: Store, source: str, now_us: Callable[[], int], pace: Pace) -> int:
    """Take the one place for imports; clear away what a dead one left. Raises Busy."""
    with store.writing() as connection:
        # a number that no import had before; and the row is the lock that two beginnings contend for
        connection.execute(update(schema.pulse).values(imports=schema.pulse.c.imports + 1))
        import_id: int = connection.execute(select(schema.pulse.c.imports)).scalar_one()
        now = now_us()
        others = connection.execute(select(schema.open_import)).all()
        for other in others:
            if abs(now - other.touched_us) < DEAD_AFTER_US:
                raise Busy(f"{other.source} is being imported; wait until that has ended, then type it again")
        connection.execute(insert(schema.open_import).values(import_id=import_id, source=source, touched_us=now))
    for other in others:
        _clear(store, other.import_id, pace)
    return import_id


def _write_bills(
    store: Store, found: Iterator[Numbered], import_id: int, now_us: Callable[[], int], pace: Pace
) -> None:
    text = store.statements.insert(schema.bill) + " ON CONFLICT DO NOTHING"
    while chunk := list(islice(found, pace.rows)):
        rows = [_row(item.bill, import_id) for item in chunk]  # outside of the lock
        pace.begin()
        with store.writing() as connection:
            touch = update(schema.open_import).where(schema.open_import.c.import_id == import_id)
            if connection.execute(touch.values(touched_us=now_us())).rowcount != 1:
                raise Busy("another import has taken this one's place, because it stood still too long; type it again")
            connection.exec_driver_sql(text, sorted(rows))
        pace.end()


def _key(bill: Bill) -> tuple[int, int]:
    return int(bill.number[:6]), int(bill.number[:19])


def _row(bill: Bill, import_id: int) -> tuple[Any, ...]:
    middle = (*bill[1:9], int(bill.owner_only), bill.amount, parts_text(bill.parts))
    return (*_key(bill), *middle, bill.status, None, None, import_id)


def _end(store: Store, import_id: int) -> None:
    with store.writing() as connection:
        connection.execute(delete(schema.open_import).where(schema.open_import.c.import_id == import_id))


def _clear(store: Store, import_id: int, pace: Pace) -> None:
    """Take away the bills of an import that did not end, and then its place."""
    bill = schema.bill
    with store.reading() as connection:
        found = connection.execute(select(bill.c.division, bill.c.number).where(bill.c.import_id == import_id))
        keys = [tuple(row) for row in found]
    while keys:
        part, keys = keys[: pace.rows], keys[pace.rows :]
        pace.begin()
        with store.writing() as connection:
            still = select(schema.open_import.c.import_id).where(schema.open_import.c.import_id == import_id)
            if connection.execute(still).first() is None:
                return  # it has ended after all
            connection.execute(delete(bill).where(tuple_(bill.c.division, bill.c.number).in_(part)))
        pace.end()
    _end(store, import_id)


# -- people -----------------------------------------------------------------------------------------------

def import_people(
    store: Store, data: bytes, encoding: str | None = None, dry_run: bool = False, pace: Pace | None = None
) -> Taken:
    """Take a file of people in: new ones are added, known ones get what the file says. Raises Refused, StoreError."""
    text, encoding = _decoded(data, encoding)
    pace = pace or Pace()
    _refuse(_faults(people(records(text, PEOPLE_COLUMNS))))
    with store.reading() as connection:
        _refuse(fault for chunk in _chunks(_good_people(text), CHUNK_MAX) for fault in _card_faults(connection, chunk))
    new = changed = same = 0
    rows = _good_people(text)
    while chunk := list(islice(rows, pace.rows)):
        with store.reading() as connection:
            known = _known_people(connection, [person.id for _, person in chunk])
        wanted = [person for _, person in chunk if known.get(person.id) != person]
        added = sum(person.id not in known for person in wanted)
        new, changed, same = new + added, changed + len(wanted) - added, same + len(chunk) - len(wanted)
        if wanted and not dry_run:
            pace.begin()
            with store.writing() as connection:
                connection.exec_driver_sql(store.statements.upsert_person, [tuple(person) for person in wanted])
            pace.end()
    return Taken(encoding, new, changed, same)


def _good_people(text: str) -> Iterator[tuple[int, PersonRow]]:
    return (found for found in people(records(text, PEOPLE_COLUMNS)) if not isinstance(found, Fault))


def _known_people(connection: Connection, ids: Sequence[str]) -> dict[str, PersonRow]:
    rows = connection.execute(select(schema.person).where(schema.person.c.id.in_(ids)))
    return {row.id: PersonRow(*row) for row in rows}


def _card_faults(connection: Connection, chunk: Sequence[tuple[int, PersonRow]]) -> Iterator[Fault]:
    cards = {person.card: (line, person.id) for line, person in chunk if person.card}
    columns = select(schema.person.c.card, schema.person.c.id)
    for card, owner in connection.execute(columns.where(schema.person.c.card.in_(list(cards)))):
        line, wanted = cards[card]
        if owner != wanted:
            yield Fault(line, "this card is another person's", "a card is one person's; correct the one that is wrong")


# -- both -------------------------------------------------------------------------------------------------

def _decoded(data: bytes, encoding: str | None) -> tuple[str, str]:
    decoded = decode(data, encoding)
    if isinstance(decoded, Fault):
        raise Refused([decoded], 1)
    return decoded


def _faults(found: Iterable[object]) -> Iterator[Fault]:
    return (item for item in found if isinstance(item, Fault))


def _refuse(faults: Iterable[Fault]) -> None:
    """Raise Refused if there is a fault: the first of them in the order of the file, and their number."""
    first: list[Fault] = []
    count = 0
    for fault in faults:
        count += 1
        if len(first) < FAULTS_MAX:
            first.append(fault)
    if count:
        raise Refused(sorted(first), count)


def _chunks(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while chunk := list(islice(items, size)):
        yield chunk
