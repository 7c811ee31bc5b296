"""What the commands share: exit statuses, and every failure as one line on standard error (operations.md, Commands).

A command returns its exit status, or None for done. What can go wrong is a table from exception to status; a
traceback is never shown.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import click

import shebao
from shebao.codecs.settings import SettingsError

from .imports import Busy, Refused
from .secrets import SecretsError
from .store import CommitInDoubt, StoreError

DONE: Final = 0
LOOK: Final = 1  # something to look at
USAGE: Final = 2  # usage or configuration
REFUSED: Final = 3
STORE: Final = 4  # store unreachable
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
        StoreError: STORE,
        CommitInDoubt: STORE,
    }

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, *_: Any, **extra: Any) -> Any:
        name = prog_name or self.name or ""
        try:
            result = super().main(args, prog_name=name, **{**extra, "standalone_mode": False})
            code = result if isinstance(result, int) else DONE
            sys.stdout.flush()
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else name
            code = tell(name, f"{error.format_message().rstrip('.')}; type: {where} --help", USAGE)
        except click.Abort:
            code = tell(name, "interrupted; type it again", LOOK)
        except click.ClickException as error:
            code = tell(name, error.format_message(), error.exit_code)
        except BrokenPipeError:  # the reader of our output has gone, as `| head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = DONE
        except tuple(self.failures) as error:
            code = tell(name, _told(error), next(self.failures[k] for k in self.failures if isinstance(error, k)))
        except OSError as error:
            code = tell(name, f"{error.filename or 'a file'}: {error.strerror or error}", REFUSED)
        sys.exit(code)


def tell(name: str, message: str, code: int) -> int:
    click.echo(f"{name}: {' '.join(message.split())}", err=True)
    return code


def _told(error: Exception) -> str:
    if isinstance(error, CommitInDoubt):
        return f"the connection was lost while writing, so it may be done or not: {error}; type it again"
    if isinstance(error, StoreError):
        hint = "" if "type:" in str(error) else "; see [switch] database in the configuration, or type: ledgerctl init"
        return f"the database can't be used: {error}{hint}"
    return str(error)


def tell_faults(name: str, file: Path, refused: Refused) -> int:
    """One line a fault, `FILE:LINE: what is wrong; what would be right`, at most 100, then their number."""
    for fault in refused.faults:
        place = f"{file}:{fault.line}" if fault.line else f"{file}"
        click.echo(f"{place}: {fault}", err=True)
    more = f", the first {len(refused.faults)} shown" if refused.count > len(refused.faults) else ""
    faults = "1 fault" if refused.count == 1 else f"{refused.count} faults"
    return tell(name, f"{file} is refused whole: {faults}{more}; correct it and type the same again", REFUSED)


def config_option(command: Any) -> Any:
    """--config FILE, before the sub-command; kept in the context's object."""
    return click.option(
        "--config", "config", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True,
        help="The switch's configuration.",
    )(command)  # fmt: skip


def version_option(command: Any) -> Any:
    return click.version_option(shebao.__version__, "--version", message="%(prog)s %(version)s")(command)
