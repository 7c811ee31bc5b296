"""What all commands share: exit statuses, every failure as one line on standard error, options, clock and store.

The rules are those of operations.md, Commands. A command returns its exit status, or None for done. What can go wrong
is a table from exception to status; a traceback is never shown. `banksim` has its own: a bank imports nothing of ours.
"""

from __future__ import annotations

import json
import os
import pwd
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

import click

import shebao
from shebao import streams
from shebao.codecs.settings import BankSettings, SettingsError, SwitchSettings

from .anchor import FOLDER, AnchorError, Anchors
from .backup import BackupError
from .day import as_date
from .imports import Busy
from .relog import begin
from .secrets import SecretsError, load_master
from .store import CommitInDoubt, Store, StoreError, open_store

DONE: Final = 0
LOOK: Final = 1  # something to look at
USAGE: Final = 2  # usage or configuration
REFUSED: Final = 3
STORE: Final = 4  # store unreachable
RUNNING: Final = "switchd.lock"  # in the state directory, held by every daemon that runs on it
DEFAULT_CONFIG: Final = "etc/switch.toml"


class Stop(click.ClickException):
    """The command can't go on: one line that says what is wrong and what to type next, and the exit status."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance


class Command(click.Group):
    """A group of sub-commands whose every failure is one line."""

    failures: ClassVar[Mapping[type[Exception], int]] = {
        SettingsError: USAGE,
        SecretsError: USAGE,
        Busy: REFUSED,
        BackupError: REFUSED,
        StoreError: STORE,
        CommitInDoubt: STORE,
    }

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, *_: Any, **extra: Any) -> Any:
        name = prog_name or self.name or ""
        streams.hold_streams()
        try:
            result = super().main(args, prog_name=name, **{**extra, "standalone_mode": False})
            code = result if isinstance(result, int) else DONE
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            code = USAGE
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else name
            code = tell(name, f"{error.format_message().rstrip('.')}; type: {where} --help", USAGE)
        except click.Abort:
            code = tell(name, "interrupted; type it again", LOOK)
        except click.ClickException as error:
            code = tell(name, error.format_message(), error.exit_code)
        except BrokenPipeError:  # the reader of our output has gone, as `| head` does
            streams.forget_output()
            code = DONE
        except tuple(self.failures) as error:
            code = tell(name, _told(error), next(self.failures[k] for k in self.failures if isinstance(error, k)))
        except OSError as error:
            code = tell(name, streams.told(error), REFUSED)
        sys.exit(code)


def tell(name: str, message: str, code: int) -> int:
    """One line on standard error; gives the code back."""
    click.echo(f"{name}: {' '.join(message.split())}", err=True)
    return code


def _told(error: Exception) -> str:
    if isinstance(error, CommitInDoubt):
        return f"the connection was lost while writing, so it may be done or not: {error}; type it again"
    if isinstance(error, StoreError):
        hint = "" if "type:" in str(error) else "; see [switch] database in the configuration, or type: ledgerctl init"
        return f"the database can't be used: {error}{hint}"
    return str(error)


def tell_faults(name: str, file: object, shown: Iterable[str], count: int, then: str, covered: int = 0) -> int:
    """A file refused whole: `shown`, a line for each of the first of its `count` faults; then their number.

    covered: how many faults those lines tell, where one tells several.
    """
    lines = list(shown)
    for line in lines:
        click.echo(line, err=True)
    covered = covered or len(lines)
    more = f", the first {covered} shown" if count > covered else ""
    return tell(name, f"{file} is refused whole: {faults_in_words(count)}{more}; {then}", REFUSED)


def faults_in_words(count: int) -> str:
    return "1 fault" if count == 1 else f"{count} faults"


def print_json(value: object) -> None:
    """What `--json` prints: one value, Chinese as it is."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


# -- options ----------------------------------------------------------------------------------------------

YEARS: Final = range(1990, 2200)  # of whatever is typed: the days, weeks and years around a date exist too


class Date(click.ParamType[int]):
    """A settlement date as YYYY-MM-DD (or YYYYMMDD) → int YYYYMMDD."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """As click asks for it; a wrong date is a usage error."""
        if isinstance(value, int):
            return value
        digits = value.replace("-", "") if value[4:5] + value[7:8] == "--" else value
        try:
            if len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
                raise ValueError
            as_date(int(digits))
        except ValueError:
            self.fail(f"{value!r} is no date; write it as 2026-11-23", param, ctx)
        if int(digits) // 10_000 not in YEARS:
            self.fail(f"{value!r} is not in the years {YEARS[0]} to {YEARS[-1]}", param, ctx)
        return int(digits)


DATE: Final = Date()
json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON; amounts are integer fen.")


def config_option(command: Any) -> Any:
    """--config FILE, before the sub-command; kept in the context's object."""
    return click.option(
        "--config", "config", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True,
        help="The switch's configuration.",
    )(command)  # fmt: skip


def version_option(command: Any) -> Any:
    """--version, of the whole project."""
    return click.version_option(shebao.__version__, "--version", message="%(prog)s %(version)s")(command)


def bank_of(settings: SwitchSettings, key: str) -> BankSettings:
    """The bank that was named on the command line; raises Stop if there is none."""
    if key not in settings.banks:
        raise Stop(f"no bank {key!r} in the configuration; banks are {', '.join(settings.banks)}", USAGE)
    return settings.banks[key]


# -- what a command works with ----------------------------------------------------------------------------

def wall_us() -> int:
    """Now, in microseconds since the epoch: the only clock of the project's processes."""
    return time.time_ns() // 1000


def system_user() -> str:
    """Who runs this, by the system's own word: the environment, which `getpass` believes, says what it likes."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a user without a name
        return f"uid {os.getuid()}"


def operator_of(settings: SwitchSettings, declared: str | None) -> str:
    """Who acts: the system's user, or whom `--operator` names where that is believed (settlement.md section 5)."""
    user = system_user()
    if settings.operators_identity == "os" and declared not in (None, user):
        raise Stop(f"[operators] identity is os: you are {user}; leave --operator out", REFUSED)
    return declared or user


@contextmanager
def store_of(settings: SwitchSettings) -> Iterator[Store]:
    """The store, reachable and of this version, closed afterwards. Raises StoreError."""
    store = open_store(settings.database, settings.limits.reply_deadline_s * 1_000_000)
    try:
        store.check()
        yield store
    finally:
        store.close()


def anchors_of(settings: SwitchSettings, store: Store, now_us: Callable[[], int]) -> Anchors:
    """Who signs the heads of the books. Raises SecretsError without a master key file that this user can read.

    What a restore that was interrupted left to do with the logs is done first.
    """
    signer, folder = load_master(Path(settings.master_key_file)).signer(), Path(settings.state_dir) / FOLDER
    begin(store.reading, folder, signer)
    return Anchors(store.reading, folder, signer, now_us)


def sign_heads(settings: SwitchSettings, store: Store, now_us: Callable[[], int]) -> str:
    """Sign what a command has done, if this user can; what kept it from that, or "".

    It is done either way: a running switch signs within a minute, and `verify` tells of what stays unsigned.
    """
    try:
        anchors_of(settings, store, now_us).sign()
    except (SecretsError, AnchorError, OSError) as error:
        return " ".join(str(error).split())
    return ""
