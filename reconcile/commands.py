"""What every sub-command of `reconcile` shares beside what all commands do: its failures, its desk, its options.

Exit status (settlement.md section 5): 0 done or balanced, 1 exceptions are open, 2 usage or configuration,
3 refused, 4 store unreachable, 5 the bank's file is not there yet.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
from rich.console import Console
from sqlalchemy import Connection, select

from shebao.codecs.dialect import Dialect
from shebao.codecs.settings import SwitchSettings
from shebao.ledger.commands import DATE, REFUSED, YEARS, Command, Stop, store_of
from shebao.ledger.config import read_dialects, read_settings
from shebao.ledger.schema import book
from shebao.ledger.store import Store

from . import shelf
from .close import NotClosed
from .inbox import NotThere
from .run import Desk, Refused

OPEN: Final = 1
AWAITED: Final = 5
PLAIN_WIDTH: Final = 160


class Reconcile(Command):
    """The group: what the end of the day may refuse, and with which status."""

    failures = {**Command.failures, NotThere: AWAITED, NotClosed: REFUSED, Refused: REFUSED}


class Context(NamedTuple):
    """What the group's options give a sub-command."""

    config: Path
    now_us: Callable[[], int]


class Opened(NamedTuple):
    """Configuration, store and desk of one command."""

    settings: SwitchSettings
    dialects: dict[str, Dialect]
    store: Store
    desk: Desk


@contextmanager
def opened(context: Context) -> Iterator[Opened]:
    """All of it, for one command; the store is closed afterwards."""
    settings = read_settings(context.config)
    dialects = read_dialects(settings, context.config)
    with store_of(settings) as store:
        desk = desk_of(store, Path(settings.state_dir), context.now_us)
        _wake(desk, settings)
        yield Opened(settings, dialects, store, desk)


def _wake(desk: Desk, settings: SwitchSettings) -> None:
    """What was carried long enough is open again for whoever looks, also where nobody runs a date."""
    books = [bank.book_id for bank in settings.banks.values()]
    with desk.read() as conn:
        over = [book_id for book_id in books if shelf.carried_enough(conn, book_id)]
    for book_id in over:
        with desk.lock(book_id) as conn:
            shelf.wake(conn, book_id)


def desk_of(store: Store, state_dir: Path, now_us: Callable[[], int]) -> Desk:
    """The desk over a store and a state folder."""

    @contextmanager
    def lock(book_id: int) -> Iterator[Connection]:
        """A short writing transaction that holds a book's row, as every batch does."""
        with store.writing() as conn:
            conn.execute(select(book.c.book_id).where(book.c.book_id == book_id).with_for_update())
            yield conn

    return Desk(store.reading, lock, now_us, state_dir)


def console() -> Console:
    """Standard output; what is no terminal gets lines as wide as they need."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def there(path: Path) -> Path:
    """A file that somebody named; raises Stop if it is not there."""
    if not path.exists():
        raise Stop(f"文件不存在 there is no such file: {path}", REFUSED)
    return path


def bank_option(required: bool = True) -> Callable[[Any], Any]:
    """--bank."""
    return click.option("--bank", required=required, metavar="BANK", help="The bank's key in the configuration: icbc.")


def date_option(text: str) -> Callable[[Any], Any]:
    """--date, whose help is `text`."""
    return click.option("--date", type=DATE, default=None, help=text)


class Month(click.ParamType[int]):
    """A month as YYYY-MM → int YYYYMM."""

    name = "YYYY-MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """As click asks for it; a wrong month is a usage error."""
        if isinstance(value, int):
            return value
        year, _, month = value.partition("-")
        plain = all(part.isascii() and part.isdigit() for part in (year, month))
        if not plain or len(year) != 4 or len(month) != 2 or not (int(year) in YEARS and 1 <= int(month) <= 12):
            self.fail(f"{value!r} is no month; write it as 2026-11", param, ctx)
        return int(year) * 100 + int(month)


MONTH: Final = Month()
