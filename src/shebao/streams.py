"""The standard streams of a command, made fit for use: none closed, no character that can't be written."""

import io
import os
import sys
from contextlib import suppress
from pathlib import Path


def hold_streams() -> None:
    """A closed stream (`>&-`) becomes the null device; what the terminal's encoding lacks is written as an escape."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def told(error: OSError) -> str:
    """An error of the operating system as one line for the user; an output that failed is not offered its rest."""
    if not error.filename:
        forget_output()
    return f"{error.filename or 'what it writes'}: {error.strerror or error}; mend that and type it again"


def forget_output() -> None:
    """Nobody takes our output any more: what is still to come goes to the null device, without a word at the end."""
    null = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError):  # an output in memory has no descriptor
        os.dup2(null, sys.stdout.fileno())
    os.close(null)
