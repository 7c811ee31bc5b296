"""What every sub-command of `reconcile` shares: options, dates, one-line errors with their exit status.

Exit status (settlement.md section 5): 0 done or balanced, 1 exceptions are open, 2 usage or configuration,
3 refused, 4 store unreachable, 5 the bank's file is not there yet.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
from sqlalchemy import Connection, select

import shebao
from shebao.codecs.dialect import Dialect
from shebao.codecs.settings import BankSettings, SettingsError, SwitchSettings
from shebao.ledger.config import read_dialects, read_settings
from shebao.ledger.day import as_date
from shebao.ledger.schema import book
from shebao.ledger.store import CommitInDoubt, Store, StoreError, open_store

from .close import NotClosed
from .inbox import BadFile, NotThere
from .run import Desk, Refused

DONE: Final = 0
OPEN: Final = 1
USAGE: Final = 2
REFUSED: Final = 3
STORE: Final = 4
AWAITED: Final = 5
DEFAULT_CONFIG: Final = "etc/switch.toml"


class Stop(click.ClickException):
    """The command can't go on: one line that says what is wrong and what to type next, and the exit status."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class Command(click.Group):
    """A group whose sub-commands return their exit status, and whose every failure is a line on standard error."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, *_: Any, **extra: Any) -> Any:
        name = prog_name or self.name or ""
        try:
            result = super().main(args, prog_name=name, **{**extra, "standalone_mode": False})
            code = result if isinstance(result, int) else DONE
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else name
            code = _tell(name, f"{error.format_message().rstrip('.')}; type: {where} --help", USAGE)
        except click.Abort:
            code = _tell(name, "interrupted; nothing is half done: type it again", REFUSED)
        except Stop as error:
            code = _tell(name, error.format_message(), error.exit_status)
        except click.ClickException as error:
            code = _tell(name, error.format_message(), error.exit_code)
        except SettingsError as error:
            code = _tell(name, str(error), USAGE)
        except BadFile as error:
            code = _tell_faults(name, error)
        except NotThere as error:
            code = _tell(name, str(error), AWAITED)
        except (NotClosed, Refused) as error:
            code = _tell(name, str(error), REFUSED)
        except (StoreError, CommitInDoubt) as error:
            where = "see [switch] database in the configuration"
            code = _tell(name, f"the database can't be used: {error}; {where}", STORE)
        except BrokenPipeError:
            code = DONE
        except OSError as error:
            code = _tell(name, f"{error.filename or 'a file'}: {error.strerror or error}", REFUSED)
        sys.exit(code)


def _tell(name: str, message: str, code: int) -> int:
    click.echo(f"{name}: {' '.join(message.split())}", err=True)
    return code


def _tell_faults(name: str, error: BadFile) -> int:
    """One line a fault, at most 100, then their number; the date is as it was."""
    for fault in error.faults:
        click.echo(f"{name}: {error.name}: {fault}", err=True)
    more = f", {len(error.faults)} shown" if error.number > len(error.faults) else ""
    plural = "s" if error.number != 1 else ""
    return _tell(name, f"{error.name} is refused whole ({error.number} fault{plural}{more}); nothing changed", REFUSED)


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


def config_option(command: Any) -> Any:
    return click.option(
        "--config", "config", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True,
        help="The switch's configuration.",
    )(command)  # fmt: skip


def version_option(command: Any) -> Any:
    return click.version_option(shebao.__version__, "--version", message="%(prog)s %(version)s")(command)
