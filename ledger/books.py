"""The books that the configuration asks for: one per bank, and the bureau's own. Rows are made once, never removed."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from shebao.codecs.settings import SwitchSettings

from . import schema
from .day import first_date
from .facts import BUREAU_BOOK_ID
from .journal import GENESIS
from .store import Store, StoreError

BUREAU: str = "bureau"  # the bank of the bureau's own book


Wanted = dict[int, tuple[str, int]]  # book -> bank, first date


def ensure_books(store: Store, settings: SwitchSettings, now_us: int) -> list[str]:
    """Make the book, and the first date, of every bank that has none yet; the banks that are new.

    The first date of a new bank is today, after cut-over tomorrow (wire.md section 6, rule 10). StoreError if a
    bank's number belongs to another bank's book: receipt numbers hold it, so it is never reused.
    """
    with store.reading() as connection:
        missing = _missing(connection, settings, now_us)
    if missing:
        with store.writing() as connection:
            _open(connection, missing, now_us)
    return [bank for bank, _ in missing.values()]


def open_books(connection: Connection, settings: SwitchSettings, now_us: int) -> list[str]:
    """The same within somebody's transaction."""
    missing = _missing(connection, settings, now_us)
    _open(connection, missing, now_us)
    return [bank for bank, _ in missing.values()]


def _missing(connection: Connection, settings: SwitchSettings, now_us: int) -> Wanted:
    wanted: Wanted = {BUREAU_BOOK_ID: (BUREAU, 0)}
    for bank in settings.banks.values():
        wanted[bank.book_id] = bank.key, first_date(now_us, bank.cutover)
    rows = connection.execute(select(schema.book.c.book_id, schema.book.c.bank))
    known: dict[int, str] = {row.book_id: row.bank for row in rows}
    _check_numbers(known, {book_id: bank for book_id, (bank, _) in wanted.items()})
    return {book_id: wanted[book_id] for book_id in sorted(wanted.keys() - known.keys())}


def _open(connection: Connection, missing: Wanted, now_us: int) -> None:
    for book_id, (bank, date) in missing.items():
        row = (book_id, bank, date, 1, 1, 1, GENESIS)
        connection.execute(insert(schema.book).values(row))
        if date:
            day = (book_id, date, "OPEN", now_us, None, 0, 0, 0, 0, 0)
            connection.execute(insert(schema.day).values(day))


def _check_numbers(known: dict[int, str], wanted: dict[int, str]) -> None:
    numbers = {bank: book_id for book_id, bank in known.items()}
    for book_id, bank in wanted.items():
        if known.get(book_id, bank) != bank:
            raise StoreError(
                f"number {book_id // 100:02d} of bank {bank} is {known[book_id]}'s in the books, and a number is never"
                f" reused; give {bank} another number"
            )
        if bank in numbers and numbers[bank] != book_id:
            old = f"{numbers[bank] // 100:02d}"
            raise StoreError(f"bank {bank} has number {old} in the books; give it that number again")
