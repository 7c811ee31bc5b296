"""Logs: JSON lines on standard error that never stop a payment and never tell whose it was.

A line goes into a bounded queue and is written by a thread of its own: where the reader of the log blocks or is
gone, lines are dropped and counted. Values are masked by shape, whatever their name: digits as long as a phone,
id or card number. Of an unexpected fault the type and the places are logged, not its text, which may hold data.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import select
import threading
import traceback
from collections.abc import Callable, MutableMapping
from typing import Any, Final

import structlog
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from zope.interface import implementer  # type: ignore[import-untyped]

from shebao.ledger.day import time_of

FLUSH_S: Final = 1.0  # at the end, for a reader that still reads
PLACES_MAX: Final = 12  # of a fault
# Personal numbers have 11 (phone) to 19 (card) digits; bill and receipt numbers have 20 and are not personal.
_PERSONAL: Final = re.compile(r"(?<![0-9])[0-9]{10,18}[0-9Xx](?![0-9])")

Values = MutableMapping[str, Any]


class LogWriter:
    """Writes whole lines to a file descriptor from a thread; `write` never waits."""

    def __init__(self, descriptor: int, lines_max: int) -> None:
        self.dropped = 0
        self._descriptor = descriptor
        self._lines: queue.Queue[str | None] = queue.Queue(lines_max)
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    msg = log = debug = info = warning = error = critical = write  # what structlog calls

    def close(self) -> None:
        try:
            self._lines.put(None, timeout=FLUSH_S)
        except queue.Full:
            return
        self._thread.join(FLUSH_S)

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._write(f"{line}\n".encode("utf-8", "backslashreplace"))
            except OSError:  # closed, or its reader is gone
                self.dropped += 1

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])


def make_log(writer: LogWriter, now_us: Callable[[], int], level: int = logging.INFO) -> Any:
    """A structlog logger: `log.info("event", name=value)`; `bind` adds values to every line."""

    def stamp(_: object, name: str, values: Values) -> Values:
        return {"time": time_of(now_us()).isoformat(timespec="milliseconds"), "level": name, **values}

    return structlog.wrap_logger(
        writer,
        processors=[stamp, tell_fault, mask, structlog.processors.JSONRenderer(ensure_ascii=False, default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


def tell_fault(_: object, __: str, values: Values) -> Values:
    """An exception under `fault` becomes its type and the places it went through; its text stays out."""
    fault = values.get("fault")
    if isinstance(fault, BaseException):
        frames = traceback.extract_tb(fault.__traceback__)[-PLACES_MAX:]
        values["fault"] = type(fault).__qualname__
        values["places"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return values


def mask(_: object, __: str, values: Values) -> Values:
    """Personal numbers in any text value keep their last four characters."""
    return {name: mask_text(value) if isinstance(value, str) else value for name, value in values.items()}


def mask_text(text: str) -> str:
    return _PERSONAL.sub(lambda found: "*" * (len(found[0]) - 4) + found[0][-4:], text)


def take_over(log: Any) -> None:
    """Send what Twisted and the standard library's logging have to say (warnings and worse) the same way."""
    root = logging.getLogger()
    root.handlers[:] = [_Handler(log)]
    root.setLevel(logging.WARNING)

    @implementer(ILogObserver)  # type: ignore[untyped-decorator]
    def observe(event: LogEvent) -> None:
        if event.get("log_level", LogLevel.info) >= LogLevel.warn:
            failure = event.get("log_failure")
            log.error("reactor", source=event.get("log_namespace", ""), fault=failure.value if failure else None)

    for observer in list(globalLogPublisher._observers):
        globalLogPublisher.removeObserver(observer)
    globalLogPublisher.addObserver(observe)


class _Handler(logging.Handler):
    def __init__(self, log: Any) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.warning("library", source=record.name, fault=record.exc_info[1] if record.exc_info else None)
