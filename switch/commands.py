"""What `switchd` and `keyctl` share: one-line errors with their exit status, and the configuration option."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

import shebao
from shebao.codecs.settings import SettingsError
from shebao.ledger.secrets import SecretsError

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
    """A group of sub-commands whose every failure is one line on standard error (operations.md, Commands)."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, *_: Any, **extra: Any) -> Any:
        name = prog_name or self.name or ""
        try:
            result = super().main(args, prog_name=name, **{**extra, "standalone_mode": False})
            code = result if isinstance(result, int) else DONE
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else name
            code = _tell(name, f"{error.format_message().rstrip('.')}; type: {where} --help", USAGE)
        except click.Abort:
            code = _tell(name, "interrupted", LOOK)
        except click.ClickException as error:
            code = _tell(name, error.format_message(), error.exit_code)
        except (SettingsError, SecretsError) as error:
            code = _tell(name, str(error), USAGE)
        except BrokenPipeError:
            code = LOOK
        sys.exit(code)


def _tell(name: str, message: str, code: int) -> int:
    click.echo(f"{name}: {' '.join(message.split())}", err=True)
    return code


def config_option(command: Any) -> Any:
    """--config FILE, before the sub-command; kept in the context's object."""
    return click.option(
        "--config", "config", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True,
        help="The switch's configuration.",
    )(command)  # fmt: skip


def version_option(command: Any) -> Any:
    return click.version_option(shebao.__version__, "--version", message="%(prog)s %(version)s")(command)
