"""Commands whose every failure is one line on standard error, with its exit status (operations.md, "Commands")."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from shebao import streams
from shebao.codecs.settings import SettingsError

FAILED: Final = 1
USAGE: Final = 2
REFUSED: Final = 3
INTERRUPTED: Final = 130


class Stop(click.ClickException):
    """The command can't go on: what is wrong and what would be right, and the exit status."""

    def __init__(self, message: str, status: int = USAGE) -> None:
        super().__init__(message)
        self.status = status


class OneLineCommand(click.Command):
    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, *_: Any, **extra: Any) -> Any:
        name = self.name or ""
        streams.hold_streams()
        try:
            result = super().main(args, prog_name=name, **{**extra, "standalone_mode": False})
            status = result if isinstance(result, int) else 0
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as fault:
            click.echo(fault.format_message(), err=True)
            status = USAGE
        except click.UsageError as fault:
            where = fault.ctx.command_path if fault.ctx else name
            status = _tell(name, f"{fault.format_message().rstrip('.')}; type: {where} --help", USAGE)
        except Stop as stop:
            status = _tell(name, stop.message, stop.status)
        except click.ClickException as fault:
            status = _tell(name, fault.format_message(), USAGE)
        except SettingsError as fault:
            status = _tell(name, str(fault), USAGE)
        except click.Abort:
            status = _tell(name, "interrupted", INTERRUPTED)
        except BrokenPipeError:
            streams.forget_output()
            status = FAILED
        except OSError as fault:
            status = _tell(name, streams.told(fault), REFUSED)
        sys.exit(status)


class OneLineGroup(OneLineCommand, click.Group):
    pass


def _tell(name: str, text: str, status: int) -> int:
    click.echo(f"{name}: {' '.join(text.split())}", err=True)
    return status
