"""What every sub-command of `reconcile` shares: options, dates, and its own failures beside the common ones.

Exit status (settlement.md section 5): 0 done or balanced, 1 exceptions are open, 2 usage or configuration,
3 refused, 4 store unreachable, 5 the bank's file is not there yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
from sqlalchemy import Connection, select

from shebao.codecs.dialect import Dialect
from shebao.codecs.settings import BankSettings, SwitchSettings
from shebao.ledger.commands import REFUSED, USAGE, Command, Stop, tell
from shebao.ledger.config import read_dialects, read_settings
from shebao.ledger.day import as_date
from shebao.ledger.schema import book
from shebao.ledger.store import Store, open_store

from .close import NotClosed
from .inbox import BadFile, NotThere
from .run import Desk, Refused

OPEN: Final = 1
AWAITED: Final = 5


class Reconcile(Command):
    """The group: what the end of the day may refuse, and with which status."""

    failures = {**Command.failures, NotThere: AWAITED, NotClosed: REFUSED, Refused: REFUSED}


def tell_faults(error: BadFile) -> int:
    """One line a fault, at most 100, then their number; the date is as it was."""
    for fault in error.faults:
        click.echo(f"reconcile: {error.name}: {fault}", err=True)
    more = f", {len(error.faults)} shown" if error.number > len(error.faults) else ""
    plural = "s" if error.number != 1 else ""
    refused = f"{error.name} is refused whole ({error.number} fault{plural}{more}); nothing changed"
    return tell("reconcile", refused, REFUSED)


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
    settings = read_settings(context.config)
    dialects = read_dialects(settings, context.config)
    store = open_store(settings.database)
    try:
        yield Opened(settings, dialects, store, desk_of(store, Path(settings.state_dir), context.now_us))
    finally:
        store.close()


def desk_of(store: Store, state_dir: Path, now_us: Callable[[], int]) -> Desk:
    @contextmanager
    def lock(book_id: int) -> Iterator[Connection]:
        """A short writing transaction that holds a book's row, as every batch does."""
        with store.writing() as conn:
            conn.execute(select(book.c.book_id).where(book.c.book_id == book_id).with_for_update())
            yield conn

    return Desk(store.reading, lock, now_us, state_dir)


def bank_of(settings: SwitchSettings, key: str) -> BankSettings:
    if key not in settings.banks:
        raise Stop(f"no bank {key!r} in the configuration; banks are {', '.join(settings.banks)}", USAGE)
    return settings.banks[key]


class Date(click.ParamType[int]):
    """A settlement date as YYYY-MM-DD (or YYYYMMDD) → int YYYYMMDD."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        digits = value.replace("-", "") if value[4:5] + value[7:8] == "--" else value
        try:
            if len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
                raise ValueError
            as_date(int(digits))
        except ValueError:
            self.fail(f"{value!r} is no date; write it as 2026-11-23", param, ctx)
        return int(digits)


DATE: Final = Date()


def bank_option(required: bool = True) -> Callable[[Any], Any]:
    return click.option("--bank", required=required, metavar="BANK", help="The bank's key in the configuration: icbc.")


def date_option(text: str) -> Callable[[Any], Any]:
    return click.option("--date", type=DATE, default=None, help=text)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON; amounts are integer fen.")
