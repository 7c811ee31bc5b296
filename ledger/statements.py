"""The hot statements: SQLAlchemy Core, compiled once per engine into text that takes plain tuples.

Core's own execution costs several times the statement itself, so what runs per batch is compiled here. Lists of
keys are padded to powers of two, so that an engine sees, and keeps prepared, few different texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Column, Dialect, Select, Table, bindparam, select, text

from . import schema
from .schema_day import exception, proposal, ruling, share, told_totals

KEYS_MAX: Final = 512  # in one statement

_UNPAID: Final = "status IN ('OUTSTANDING', 'EXPIRED')"


class Statements:
    """Texts of the hot statements in one engine's words."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._mark = "?" if dialect.paramstyle == "qmark" else "%s"
        self.by_keys = lru_cache(maxsize=256)(self._by_keys)
        self.books = self._text(select(schema.book).order_by(schema.book.c.book_id))
        self.open_imports = self._text(select(schema.open_import.c.import_id))
        self.update_book = self._update(schema.book, key=1)
        self.update_payment = self._update(schema.payment, key=2, only=("suspense", "state", "undone_seq", "on_bill"))
        self.upsert_day = self._upsert(schema.day, tuple(schema.day.c), key=2)
        self.upsert_suspense = self._upsert(schema.suspense, tuple(schema.suspense.c), key=2)
        self.upsert_exception = self._upsert(exception, tuple(exception.c), key=2)
        self.upsert_proposal = self._upsert(proposal, tuple(proposal.c), key=2)
        self.upsert_person = self._upsert(schema.person, tuple(schema.person.c), key=1)
        told = self._upsert(told_totals, tuple(told_totals.c), key=2)
        self.upsert_told = f"{told} WHERE excluded.at_us >= told_totals.at_us"
        self.insert_early = self._insert(schema.early, tuple(schema.early.c)) + " ON CONFLICT DO NOTHING"
        self.replace_file = (
            f"UPDATE bank_file SET replaced_by = {self._mark} WHERE book_id = {self._mark} AND date = {self._mark}"
        )
        self.move_bill = (
            f"UPDATE bill SET status = {self._mark}, paid_book = {self._mark}, paid_seq = {self._mark}"
            f" WHERE division = {self._mark} AND number = {self._mark} AND status = {self._mark}"
        )

    def _by_keys(self, name: str, count: int) -> str:
        """The SELECT called `name`, for `count` keys; see `_SELECTS`."""
        sql = self._text(_SELECTS[name](count))
        if name == "events" and self._dialect.name == "sqlite":
            # it takes a book for ten rows, and would walk through all of them instead
            return sql.replace("FROM event", "FROM event INDEXED BY event_key")
        return sql

    def render(self, statement: Select[Any]) -> tuple[str, list[Any]]:
        """Any statement as a text and its parameters: for what is too rare to be kept compiled."""
        compiled = statement.compile(dialect=self._dialect, compile_kwargs={"render_postcompile": True})
        return str(compiled), [compiled.params[name] for name in compiled.positiontup or ()]

    def insert(self, table: Table) -> str:
        return self._insert(table, tuple(table.c))

    def _text(self, statement: Select[Any]) -> str:
        return str(statement.compile(dialect=self._dialect))

    def _insert(self, table: Table, columns: Sequence[Column[Any]]) -> str:
        names = ", ".join(column.name for column in columns)
        return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join([self._mark] * len(columns))})"

    def _update(self, table: Table, key: int, only: Sequence[str] = ()) -> str:
        """Parameters: the changed columns in the table's order, then the first `key` columns."""
        columns = list(table.c)
        changed = only or [column.name for column in columns[key:]]
        sets = ", ".join(f"{name} = {self._mark}" for name in changed)
        where = " AND ".join(f"{column.name} = {self._mark}" for column in columns[:key])
        return f"UPDATE {table.name} SET {sets} WHERE {where}"

    def _upsert(self, table: Table, columns: Sequence[Column[Any]], key: int, only: Sequence[str] = ()) -> str:
        changed = only or [column.name for column in columns[key:]]
        keys = ", ".join(column.name for column in columns[:key])
        sets = ", ".join(f"{name} = excluded.{name}" for name in changed)
        return f"{self._insert(table, columns)} ON CONFLICT ({keys}) DO UPDATE SET {sets}"


def padded(keys: Sequence[Any]) -> list[Any]:
    """The keys with the last one repeated up to a power of two."""
    size = 1 << (len(keys) - 1).bit_length()
    return [*keys, *[keys[-1]] * (size - len(keys))]


def _marks(count: int) -> list[Any]:
    return [bindparam(f"k{n}") for n in range(count)]


def _in_book(table: Table, column: str, *columns: Column[Any]) -> Any:
    """SELECT of one book's rows: parameters are the book, then the keys."""

    def build(count: int) -> Select[Any]:
        chosen = select(*columns) if columns else select(table)
        return chosen.where(table.c.book_id == bindparam("book"), table.c[column].in_(_marks(count)))

    return build


def _events(count: int) -> Select[Any]:
    found: Select[Any] = _in_book(schema.event, "trace")(count)
    return found.where(text("key_class > 0"))  # as the index has it


def _bills(lock: bool) -> Any:
    def build(count: int) -> Select[Any]:
        bill = schema.bill
        chosen = select(bill).where(bill.c.division == bindparam("division"), bill.c.number.in_(_marks(count)))
        return chosen.order_by(bill.c.number).with_for_update() if lock else chosen

    return build


def _payable_of(count: int) -> Select[Any]:
    bill = schema.bill
    chosen = select(bill).where(bill.c.payer_id.in_(_marks(count)), text(_UNPAID))
    return chosen.order_by(bill.c.number)


def _books_locked(count: int) -> Select[Any]:
    book = schema.book
    return select(book).where(book.c.book_id.in_(_marks(count))).order_by(book.c.book_id).with_for_update()


def _people(column: str) -> Any:
    person = schema.person

    def build(count: int) -> Select[Any]:
        chosen = select(person.c.id, person.c.name, person.c.card).where(person.c[column].in_(_marks(count)))
        return chosen.order_by(person.c.id)

    return build


_SELECTS: Final = {
    "books locked": _books_locked,
    "days": _in_book(schema.day, "date"),
    "events": _events,
    "early": _in_book(schema.early, "trace"),
    "payments": _in_book(schema.payment, "seq"),
    "suspense": _in_book(schema.suspense, "seq"),
    "exceptions": _in_book(exception, "id"),
    "proposals": _in_book(proposal, "id"),
    "acts": _in_book(schema.event, "seq"),
    "entries": _in_book(schema.transfer, "seq"),
    "shares": _in_book(share, "seq"),
    "rulings by reference": _in_book(ruling, "reference"),
    "rulings by bill": _in_book(ruling, "bill"),
    "rulings by exception": _in_book(ruling, "exception_id"),
    "suspense of": _in_book(schema.suspense, "exception_id"),
    "bills": _bills(lock=False),
    "bills locked": _bills(lock=True),
    "payable of": _payable_of,
    "people": _people("id"),
    "cards": _people("card"),
}
