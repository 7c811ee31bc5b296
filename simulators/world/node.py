"""One daemon, in all its lives: started, stopped, killed, started again from what was durable.

Everything is the switch's own: `switch.daemon.Daemon` with its lines, lane, timers and end of day, over
`ledger.store.Store`. Only what surrounds it is the world's: reactor, writer, clock, network, and a store that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from errno import ENOSPC
from os import strerror
from pathlib import Path
from random import Random
from typing import Any, Final

from sqlalchemy import Connection

from shebao.ledger.anchor import FOLDER, AnchorError, Anchors
from shebao.ledger.facts import ToldTotals
from shebao.ledger.sqlite import SqliteBackend
from shebao.ledger.store import CommitInDoubt, Store, StoreError
from shebao.ledger.told import keep
from shebao.reconcile.close import DiskFiles
from shebao.switch.daemon import Daemon
from shebao.switch.endofday import EndOfDay

from .network import Client, Weather, Wire
from .reactor import Life, ProcessDied, Reactor, Writer
from .stage import MASTER, Scene, backend_of
from .store import FaultyBackend, Mishap, Stumble, Tap, Witness
from .timeline import Timeline, Wall

# What a log line may carry as a fault without being one of the switch's.
EXPECTED_FAULTS: Final = (StoreError, CommitInDoubt, AnchorError, Stumble, OSError)
PROBE: Final = bytes(16)  # two keys are the same when their MACs of this are


class Log:
    """The daemon's log, read by the judge: an exception of another kind is a bug of the switch."""

    def __init__(self, told: Callable[[str, dict[str, object]], None], bound: dict[str, object] | None = None) -> None:
        self._told, self._bound = told, bound or {}
        self.dropped = 0  # as logs.LogWriter counts

    def bind(self, **values: object) -> Log:
        return Log(self._told, {**self._bound, **values})

    def event(self, event: str, **values: object) -> None:
        self._told(event, {**self._bound, **values})

    debug = info = warning = error = event


class FrailFiles(DiskFiles):
    """A disk that is full, or a process that dies, at any step that makes a statement file durable."""

    def __init__(self, random: Random, chance: Callable[[], float], counted: Callable[[str], None]) -> None:
        self._random, self._chance, self._counted = random, chance, counted

    def write(self, path: Path, chunks: Iterable[bytes]) -> None:
        if self._fails():
            path.write_bytes(b"".join(chunks)[:-1])
            self._fail()
        super().write(path, chunks)

    def rename(self, old: Path, new: Path) -> None:
        if self._fails():
            self._fail()
        super().rename(old, new)

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        if self._fails():
            self._fail()

    def _fails(self) -> bool:
        return self._random.random() < self._chance()

    def _fail(self) -> None:
        full = self._random.random() < 0.3
        self._counted("disk full within a file" if full else "death within a file")
        raise OSError(ENOSPC, strerror(ENOSPC)) if full else ProcessDied


class Node:
    """A machine that runs one daemon at a time."""

    def __init__(
        self, name: str, scene: Scene, timeline: Timeline, wall: Wall, random: Random, witness: Witness,
        story: Callable[[str], None], counted: Callable[[str], None], fault: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.name, self.wall = name, wall
        self.mishap = Mishap(timeline, random, counted)
        self.daemon: Daemon | None = None
        self.state = "down"  # "starting" "up" "stopping"
        self.stopping_at = 0.0
        self.wires: list[Wire] = []
        self.forced = False  # the last time it stopped, lines were left that did not end in time
        self.dies_reading = 0.0  # chance that the process dies within a read
        self.dies_filing = 0.0  # chance that it dies, or that the disk is full, at each step of a statement file
        self.when_down: Callable[[Node], None] = lambda node: None
        self.when_ready: Callable[[Node], None] = lambda node: None
        self._scene, self._timeline, self._random = scene, timeline, random
        self._witness, self._story, self._counted, self._fault = witness, story, counted, fault
        self._life: Life | None = None
        self._backend: SqliteBackend | None = None
        self._writer: Writer | None = None
        self._reactor: Reactor | None = None

    @property
    def alive(self) -> bool:
        return self._life is not None and self._life.lives

    @property
    def formed_at(self) -> float:
        """When the batch that is in work was put together."""
        return self._writer.formed_at if self._writer is not None else 0.0

    def start(self) -> None:
        """A new process, from what is durable."""
        self.state = "starting"
        self._story(f"{self.name} starts")
        life = self._life = Life(self._timeline, self.kill)
        reactor = self._reactor = Reactor(life, self._random)
        settings = self._scene.settings
        backend = self._backend = backend_of(self._scene.url)
        store = Store(FaultyBackend(backend, self.mishap), settings.limits.reply_deadline_s * 1_000_000)
        writer = self._writer = Writer(life, self.mishap)
        tap = Tap(store, self.mishap, lambda: writer, self._witness, self)
        writer.told = tap.told
        read = self._reading(store)
        now_us = self.wall.now_us
        anchors = Anchors(read, Path(settings.state_dir) / FOLDER, MASTER.signer(), now_us)
        files = FrailFiles(self._random, lambda: self.dies_filing, self._counted)
        end_of_day = EndOfDay(settings, self._scene.dialects, read, anchors.sign, files)
        log: Any = Log(self._logged)
        self.daemon = Daemon(
            reactor, settings, self._scene.dialects, MASTER, tap, writer, end_of_day, read, self._keeping(store),
            now_us, log, log,
        )  # fmt: skip
        self.daemon.start(self._ready)

    def kill(self) -> None:
        """`kill -9`: what was not committed is gone, the system resets the lines."""
        if not self.alive:
            return
        self._counted("process died")
        self._story(f"{self.name} dies")
        self._end()

    def stop(self) -> None:
        """SIGTERM."""
        if self.alive and self.state != "stopping" and self.daemon is not None:
            self._story(f"{self.name} is told to stop")
            self._counted("process stopped")
            self.state, self.stopping_at = "stopping", self._timeline.now
            for wire in self.wires:
                wire.marks.add("the daemon stops")
            self.daemon.stopped.addCallback(self._stopped)
            self.daemon.stop()

    def connect(self, bank: str, wire: Wire, peer: str) -> None:
        """A line towards this machine; refused where nothing listens."""
        port = None if self.daemon is None else self.daemon.ports.get(bank)
        if port is None or not self.alive or self._life is None:
            wire.open = False
            self._timeline.later(0.01, wire.client.ended, wire)
            return
        self.wires.append(wire)
        wire.connect(port, self._life, peer, self.wall.now_us)

    def knows(self, bank: str) -> bool:
        """Whether it has the bank's MAC key that is in use."""
        known = None if self.daemon is None else self.daemon.posts[bank].bank.keys.newest
        return known is not None and known.compute(PROBE) == self._scene.wires[bank].mac_key.compute(PROBE)

    def reload(self) -> None:
        """SIGHUP."""
        if self.daemon is not None and self.state == "up":
            self.daemon.reload(lambda: (self._scene.settings, self._scene.dialects))

    def new_wire(self, client: Client, weather: Weather, number: int) -> Wire:
        return Wire(self._timeline, self._random, weather, client, number)

    # within

    def _ready(self) -> None:
        self.state = "up"
        self._story(f"{self.name} is ready")
        self.when_ready(self)

    def _stopped(self, _: object) -> None:
        assert self.daemon is not None and self._reactor is not None
        self._story(f"{self.name} has stopped, {self.daemon.unanswered} unanswered")
        self.forced = self.daemon.forced
        left = [wire.number for wire in self.wires if wire.open and wire.transport and not wire.transport.gone]
        if left and not self.forced:
            self._fault(f"{self.name} stopped with lines open: {left}")
        try:
            self._reactor.getThreadPool().finish()
        except ProcessDied:
            self._counted("process died")
        self._end()

    def _end(self) -> None:
        assert self._life is not None and self._backend is not None
        self._life.end()
        self._backend.close()
        self.state = "down"
        for wire in self.wires:
            wire.process_died()
        self.wires.clear()
        self.daemon = None
        self.when_down(self)

    def _reading(self, store: Store) -> Callable[[], Any]:
        @contextmanager
        def reading() -> Iterator[Connection]:
            self.mishap.begins(False)
            with store.reading() as connection:
                yield connection
                if self._random.random() < self.dies_reading:
                    raise ProcessDied

        return reading

    def _keeping(self, store: Store) -> Callable[[Sequence[ToldTotals]], None]:
        def keep_told(rows: Sequence[ToldTotals]) -> None:
            self.mishap.begins(False)
            self.mishap.operates(True)
            keep(store, rows)
            self._counted("a bank's totals written")

        return keep_told

    def _logged(self, event: str, values: dict[str, object]) -> None:
        where = " ".join(f"{name}={value}" for name, value in values.items())
        self._story(f"{self.name}: {event} {where}"[:300])
        fault = values.get("fault")
        if isinstance(fault, BaseException) and not isinstance(fault, EXPECTED_FAULTS):
            self._fault(f"{self.name} logged a fault of its own: {event}: {fault!r}")
