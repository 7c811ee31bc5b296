"""A store that fails: before, during and after a commit, slow, frozen, read-only, full; and the tap for the judge.

`Mishap` is what one daemon's store does just now. `FaultyBackend` stands between the ledger and its real SQLite file
and acts it out at every step; what it lets through is real. `Tap` is the store as the lane sees it: it notes which
batches were really committed, in which order, and hands them to the judge, whatever the lane is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, NamedTuple, Protocol

from sqlalchemy import Table

from shebao.ledger.backend import Backend, CommitInDoubt, Row, StoreError
from shebao.ledger.facts import Decision, Request
from shebao.ledger.store import Answer, Encode, Store

from .reactor import ProcessDied, Writer
from .timeline import Timeline

WORK_S: Final = (0.0002, 0.004)  # of an ordinary piece of work


class Shot(NamedTuple):
    """One thing that goes wrong once, in the next transaction that writes."""

    what: str  # "error" "death" "bug", or one of AT_COMMIT
    at: int = 0  # which operation before the commit, but for those at the commit


AT_COMMIT: Final = (
    "refused", "doubt done", "doubt undone", "death before", "death after", "frozen done", "frozen undone",
)  # fmt: skip


class Mishap:
    """How one daemon's store behaves just now, and for how long."""

    def __init__(self, timeline: Timeline, random: Random, counted: Callable[[str], None]) -> None:
        self.away_until = self.full_until = self.locked_until = self.slow_until = 0.0
        self.waits_until = 0.0  # for a lock: whoever waits does so to the end, even if the world is healed meanwhile
        self.shots: list[Shot] = []
        self.acted = False  # whether the transaction was made to fail
        self.is_ping = False  # whether the next transaction is a probe
        self.committed = False  # whether the transaction that just ended is durable
        self._timeline, self._random, self._counted = timeline, random, counted
        self._shot: Shot | None = None
        self._operations = 0
        self._frozen: Exception | None = None

    def heal(self) -> None:
        self.away_until = self.full_until = self.locked_until = self.slow_until = 0.0
        self.shots.clear()

    @property
    def pressed_until(self) -> float:
        """Until when it is slow, waits, or fails, as far as that is known."""
        return max(self.away_until, self.full_until, self.locked_until, self.waits_until, self.slow_until)

    # what the writer asks

    def delay_s(self) -> float:
        """A lock of another process is waited for."""
        wait = max(0.0, self.locked_until - self._timeline.now)
        if wait:
            self.waits_until = self._timeline.now + wait
        return wait + self._random.uniform(*WORK_S)

    def takes_s(self) -> float:
        if self._timeline.now < self.slow_until:
            self._counted("slow commit")
            return self._random.uniform(0.5, 8.0)
        return self._random.uniform(*WORK_S)

    @property
    def hangs(self) -> bool:
        """Whether the work that was just done is not going to be told."""
        return self._frozen is not None

    def frozen(self) -> Exception | None:
        fault, self._frozen = self._frozen, None
        return fault

    # what the backend asks

    def begins(self, writing: bool) -> None:
        self.committed, self._operations, self.acted = False, 0, False
        waits = self.is_ping and self._random.random() < 0.8  # a probe rarely takes the place of a batch
        self._shot = self.shots.pop(0) if self.shots and writing and not waits else None
        if self._timeline.now < self.away_until:
            self.acted = True
            self._counted("store away")
            raise StoreError("the store is away")

    def operates(self, writes: bool) -> None:
        self._operations += 1
        if writes and self._timeline.now < self.full_until:
            self.acted = True
            self._counted("store read-only or full")
            raise StoreError("the disk is full, or the store is read-only")
        shot = self._shot
        if shot is not None and shot.what in ("error", "death", "bug") and self._operations > shot.at:
            self._shot = None
            self.acted = True
            self._counted(f"{shot.what} within a transaction")
            if shot.what == "death":
                raise ProcessDied
            if shot.what == "bug":
                raise Stumble
            raise StoreError("the connection was lost")

    def commits(self, commit: Callable[[], None], undo: Callable[[], None]) -> None:
        shot, self._shot = self._shot, None
        what = shot.what if shot is not None and shot.what in AT_COMMIT else ""
        if what:
            self.acted = True
            self._counted(f"commit: {what}")
        if what in ("refused", "doubt undone", "death before", "frozen undone"):
            undo()
        else:
            commit()
            self.committed = True
        if what == "refused":
            raise StoreError("the commit was refused")
        if what.startswith("death"):
            raise ProcessDied
        if what.startswith("doubt"):
            raise CommitInDoubt("the connection was lost during COMMIT")
        if what.startswith("frozen"):
            self._frozen = CommitInDoubt("abandoned: the store did not answer")


class FaultyBackend:
    """`ledger.backend.Backend` over a real one."""

    def __init__(self, inner: Backend, mishap: Mishap) -> None:
        self._inner, self._mishap = inner, mishap
        self.engine, self.statements, self.locks_rows = inner.engine, inner.statements, inner.locks_rows

    def begin(self, writing: bool) -> None:
        self._guarded(lambda: self._mishap.begins(writing))
        self._inner.begin(writing)

    def rows(self, sql: str, parameters: Sequence[object]) -> list[Row]:
        self._guarded(lambda: self._mishap.operates(False))
        return self._inner.rows(sql, parameters)

    def many(self, sql: str, parameters: Sequence[object], columns: Sequence[str]) -> list[Row]:
        self._guarded(lambda: self._mishap.operates(False))
        return self._inner.many(sql, parameters, columns)

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        self._guarded(lambda: self._mishap.operates(True))
        self._inner.insert(table, rows)

    def change(self, sql: str, rows: Sequence[Row]) -> int:
        self._guarded(lambda: self._mishap.operates(True))
        return self._inner.change(sql, rows)

    def move_bills(self, rows: Sequence[Row]) -> int:
        self._guarded(lambda: self._mishap.operates(True))
        return self._inner.move_bills(rows)

    def hold(self) -> None:
        self._inner.hold()

    def commit(self) -> None:
        try:
            self._mishap.commits(self._inner.commit, self._inner.rollback)
        except BaseException:
            self._inner.discard()
            raise

    def rollback(self) -> None:
        self._inner.rollback()

    def discard(self) -> None:
        self._inner.discard()

    def abandon(self) -> None:
        self._inner.abandon()

    def close(self) -> None:
        self._inner.close()

    def _guarded(self, check: Callable[[], None]) -> None:
        """After any error the connection is thrown away, with what it had not committed."""
        try:
            check()
        except BaseException:
            self._inner.discard()
            raise


class Witness(Protocol):
    """What the tap tells: the judge's side."""

    def stumbles(self, request: Request) -> bool:
        """Whether deciding this request shall fail by a fault of the switch's own."""

    def began(self, node: object, requests: Sequence[Request]) -> None: ...
    def committed(self, node: object, requests: Sequence[Request], now_us: int, stumbled: set[int]) -> None: ...
    def store_failed(self, node: object, requests: Sequence[Request], fault: BaseException) -> None: ...
    def store_worked(self, node: object, requests: Sequence[Request]) -> None: ...
    def own_fault(self, node: object, requests: Sequence[Request]) -> None: ...
    def failure_known(self, node: object) -> None: ...
    def fault(self, text: str) -> None: ...


class Stumble(Exception):
    """A fault of our own, on purpose."""


class Tap:
    """`lane.Store`: the real one, watched."""

    def __init__(
        self, store: Store, mishap: Mishap, writer: Callable[[], Writer], witness: Witness, node: object
    ) -> None:
        self._store, self._mishap, self._writer = store, mishap, writer
        self._witness, self._node = witness, node
        self._ended = ""  # how the latest work did: "well", "failed"; by a fault of our own: ""
        self._latest: Sequence[Request] = ()

    def transact(self, requests: Sequence[Request], now_us: Callable[[], int], encode: Encode) -> list[Answer]:
        moments: list[int] = []
        stumbled: set[int] = set()

        def watched_now() -> int:
            moments.append(now_us())
            return moments[-1]

        def watched_encode(request: Request, decision: Decision) -> bytes:
            if decision.code != "96" and self._witness.stumbles(request):
                stumbled.add(id(request))
                raise Stumble
            return encode(request, decision)

        self._mishap.committed, self._ended = False, ""
        self._witness.began(self._node, requests)
        self._latest = requests
        try:
            answers = self._store.transact(requests, watched_now, watched_encode)
        except BaseException as fault:
            if self._mishap.committed:
                self._witness.committed(self._node, requests, moments[-1], stumbled)
            if isinstance(fault, StoreError | CommitInDoubt):
                self._failed(requests, fault)
            elif isinstance(fault, Stumble):
                self._witness.own_fault(self._node, requests)
            raise
        if self._mishap.committed:
            self._witness.committed(self._node, requests, moments[-1], stumbled)
        self._end(requests)
        return answers

    def told(self) -> None:
        """The lane is told now what its latest work came to."""
        if self._ended == "well":
            self._witness.store_worked(self._node, self._latest)
        elif self._ended:
            self._witness.failure_known(self._node)

    def ping(self) -> None:
        self._ended, self._latest = "", ()
        self._mishap.is_ping = True
        try:
            self._store.ping()
        except (StoreError, CommitInDoubt) as fault:
            self._failed([], fault)
            raise
        finally:
            self._mishap.is_ping = False
        self._end([])

    def _end(self, requests: Sequence[Request]) -> None:
        """Nothing was raised: it went well, or hangs and will be given up."""
        if self._mishap.hangs:
            self._failed(requests, CommitInDoubt())
        else:
            self._ended = "well"

    def _failed(self, requests: Sequence[Request], fault: Exception) -> None:
        """One that fails although nothing was done to it: wrong SQL, a broken constraint, rows that do not fit."""
        self._ended = "failed"
        if not self._mishap.acted:
            self._witness.fault(f"the store failed by itself: {fault}")
        self._witness.store_failed(self._node, requests, fault)

    def reconnect(self) -> None:
        self._store.reconnect()

    def abandon(self) -> None:
        self._store.abandon()
        self._writer().give_up()
