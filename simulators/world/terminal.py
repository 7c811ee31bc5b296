"""An operator's terminal: a process of its own beside the daemons, whose store fails and which dies at any step.

One is made for each command and is gone with it. What it lets through is real, and `mishap.done` counts what the ledger
committed, whatever the operator was told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection

from shebao.ledger.backend import StoreError
from shebao.ledger.store import Store
from shebao.reconcile.decisions import Office
from shebao.reconcile.run import Desk

from .core import Place
from .reactor import ProcessDied
from .stage import backend_of
from .store import FaultyBackend, Mishap, Shot

AT_A_DECISION: Final = (
    "refused", "doubt done", "doubt undone", "death before", "death after", "error", "death", "doubt done",
)  # fmt: skip
AT_A_STEP: Final = ("death before", "death after", "error before", "error after", "death before", "death after")


class Terminal:
    """`trouble`: whether something goes wrong at one of its steps."""

    def __init__(self, world: Place, trouble: bool) -> None:
        self._world = world
        self.mishap = _Counting(world.timeline, world.random, world.counted)
        near = world.nodes[0].mishap  # one store: it is away from all
        self.mishap.away_until, self.mishap.full_until = near.away_until, near.full_until
        self.between: Callable[[], None] = lambda: None  # what somebody else does before a step
        self._steps_left, self._at_step = -1, ""
        self.acted = False
        if trouble:
            if world.random.random() < 0.7:
                shot = Shot(world.random.choice(AT_A_DECISION), world.random.randint(0, 12))
                self.mishap.shots = [shot, *([shot] if world.random.random() < 0.2 else [])]
            self._steps_left, self._at_step = world.random.randint(0, 6), world.random.choice(AT_A_STEP)
        deadline_us = world.scene.settings.limits.reply_deadline_s * 1_000_000
        self._store = Store(FaultyBackend(backend_of(world.scene.url), self.mishap), deadline_us)
        banks = {one.book_id: key for key, one in world.scene.settings.banks.items()}
        self.desk = Desk(self._read, self._lock, world.wall.now_us, world.scene.folder)
        self.office = Office(self._store, self.desk, banks)

    def close(self) -> None:
        self._store.close()

    @property
    def troubled(self) -> bool:
        """Whether anything went wrong until now."""
        return self.acted or self.mishap.ever_acted

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        self._is_there(False)
        with self._store.reading() as connection:
            yield connection

    @contextmanager
    def _lock(self, book_id: int) -> Iterator[Connection]:
        self.between()
        self._is_there(True)
        self._steps_left -= 1
        at = self._at_step if self._steps_left == -1 else ""
        if at == "death before":
            self._fails(ProcessDied())
        with self._store.writing() as connection:
            yield connection
            if at == "error before":
                self._fails(StoreError("the connection was lost"))
        if at == "death after":
            self._fails(ProcessDied())
        if at == "error after":
            self._fails(StoreError("the connection was lost during COMMIT"))

    def _is_there(self, writes: bool) -> None:
        now = self._world.timeline.now
        if now < self.mishap.away_until or (writes and now < self.mishap.full_until):
            self._fails(StoreError("the store is away, or the disk full"))

    def _fails(self, fault: BaseException) -> None:
        self.acted = True
        raise fault


class _Counting(Mishap):
    """Counts what took effect, and remembers whether anything was made to fail."""

    done = 0
    ever_acted = False

    def begins(self, writing: bool) -> None:
        try:
            super().begins(writing)
        finally:
            self.ever_acted |= self.acted

    def operates(self, writes: bool) -> None:
        try:
            super().operates(writes)
        finally:
            self.ever_acted |= self.acted

    def commits(self, commit: Callable[[], None], undo: Callable[[], None]) -> None:
        try:
            super().commits(commit, undo)
        finally:
            self.ever_acted |= self.acted
            self.done += self.committed
