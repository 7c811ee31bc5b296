"""The writer's thread: runs one piece of work after another, beside the reactor, and brings each result back.

The narrow gate between the reactor and the store: it could become a process without the lane knowing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any


class Writer:
    """`run(work, done)`: `work()` in the writer's thread, then `done(result or exception)` in the reactor's."""

    def __init__(self, call_from_thread: Callable[..., Any]) -> None:
        self._call_from_thread = call_from_thread
        self._jobs: SimpleQueue[tuple[Callable[[], object], Callable[[object], None]] | None] = SimpleQueue()
        # A daemon thread: a store that hangs must not keep the process from its end.
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[], object], done: Callable[[object], None]) -> None:
        self._jobs.put((work, done))

    def stop(self) -> None:
        """End after the work that was given, without waiting for it."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done = job
            result: object
            try:
                result = work()
            except Exception as fault:
                result = fault
            self._call_from_thread(done, result)
