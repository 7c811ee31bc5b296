"""The soak's town: daemons, database and banks that pay without end, each fault's time without service measured.

What is done to it is `faults`' affair, whether it came through is `judge`'s.
"""

from __future__ import annotations

import random
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread

from . import load, population, script, staging, traffic
from .bank import Bank
from .children import Children, Finished
from .client import Driver
from .daemon import Daemon
from .database import Book, PostgresBook, SqliteBook
from .disk import Disk
from .memory import Memory
from .messages import Order
from .population import Bill
from .staging import Stage

SPEED: Final = 20.0  # a bank's time-out of 30 s takes 1.5
LINES: Final = 2  # of each bank to each daemon
LOOK_S: Final = 0.01
WITHIN_S: Final = 90.0  # service is back, and every outcome known, so long after the fault is over
RESERVE_S: Final = 40.0  # bills that are at hand, as seconds of load
WAVE_MAX: Final = 4_000  # bills imported at a time
FATES: Final = {
    "sure": 4000, "sure void": 300, "back": 300, "repeat": 300, "void": 200, "undone": 100, "inquire": 300, "lost": 30,
    "late": 30, "unvoid": 30, "advice": 300, "advice repeat": 50,
}  # fmt: skip
SAFE_FATES: Final = {"sure": 10_000}  # true whatever date they fall into
CONTESTED_IN: Final = 50  # one of so many bills is carried to two banks


class NoWayBack(Exception):
    """Service did not come back, or an outcome stayed open; one line for the user."""


class Town:
    def __init__(
        self, reactor: Any, home: Path, original: Path, book: Book, seed: int, rate: float, disk: Disk | None,
        tell: Callable[[str], None],
    ) -> None:  # fmt: skip
        """home: an empty folder. original: the configuration that it is made of."""
        self.tell = tell
        self.reactor, self.book, self.disk = reactor, book, disk
        self.dice = random.Random(f"town {seed}")
        host = staging.private_host(random.SystemRandom().randrange(2_000_000))
        self.stage = staging.build(home, original, book.url, seed, host)
        self.daemon = self._daemon(self.stage)
        self.twin_stage = staging.twin(self.stage)
        self.twin = self._daemon(self.twin_stage)
        self.memories = {name: Memory() for name in self.stage.wires}
        self.drivers = {name: self._driver(name, rate) for name in self.stage.wires}
        self.fates = FATES
        self.kills = 0
        self.crowd: list[socket.socket] = []
        self.cut_over: list[str] = []  # banks whose date was closed early
        self.said: list[str] = []  # what faults found wrong
        self._seed, self._serial, self._reserve = seed, 1, int(rate * RESERVE_S)
        self._bills: deque[Bill] = deque()
        self._contested: dict[str, deque[Order]] = {name: deque() for name in self.drivers}
        self._paying = False
        self._running: Deferred[None] | None = None
        self._approved = dict.fromkeys(self.drivers, 0)
        self._moved = dict.fromkeys(self.drivers, 0.0)
        self.longest_s = 0.0  # without service to some bank, since `watch`
        self._watch = LoopingCall(self._look)
        self._watch.clock = reactor

    def _daemon(self, stage: Stage) -> Daemon:
        children = Children(stage.folder, stage.config)
        return Daemon(children, stage.folder / f"{stage.config.stem}.log", stage.settings.admin_listen)

    def _driver(self, name: str, rate: float) -> Driver:
        bank = Bank(self.stage.wires[name], script.moment_now, memory=self.memories[name])
        share = rate / len(self.stage.wires)
        return Driver(self.reactor, bank, self.stage.address(name), lines=LINES, speed=SPEED, rate=share)

    # Its life

    async def open(self) -> None:
        for command in (("ledgerctl", "init"), ("keyctl", "init")):
            await self.command(*command)
        for bank, key in self.stage.keys.items():
            await self.command("keyctl", "load", "--bank", bank, "--kind", "mac", "--hex", "-", given=key + "\n")
        self.tell("Database made; keys loaded.")
        await self.more_bills()
        self.tell(f"{len(self._bills):,} bills imported.")
        await deferToThread(self.daemon.start)
        for driver in self.drivers.values():
            await driver.open()
        self.tell("The daemon is ready; the banks are signed on.")

    async def more_bills(self) -> None:
        """Another wave, imported beside the living daemon, where few are left."""
        while len(self._bills) < self._reserve:
            wave = min(WAVE_MAX, self._reserve)
            made = await deferToThread(population.populate, self._seed, wave, script.today(), self._serial)
            self._serial += wave
            path = self.stage.folder / "bills.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                population.write_bills(made.bills, file)
            await self.command("ledgerctl", "import-bills", str(path))
            self._bills.extend(made.bills)

    async def command(self, command: str, *arguments: str, given: str = "", fine: tuple[int, ...] = (0,)) -> Finished:
        run = self.daemon.children.run
        finished: Finished = await deferToThread(run, command, *arguments, given=given, fine=fine)
        return finished

    def end(self) -> None:
        """At once, whatever is going on."""
        self._paying = False
        if self._watch.running:
            self._watch.stop()
        for driver in self.drivers.values():
            driver.abandon()
        for daemon in (self.daemon, self.twin):
            if daemon.lives:
                daemon.kill()
            daemon.children.end_all()

    # Load

    def pay(self) -> None:
        """The banks pay until `settle`."""
        self._paying = True
        self._running = load.run_all(list(self.drivers.values()), [self._orders(name) for name in self.drivers])
        self._running.addErrback(lambda _: None)
        self._moved = dict.fromkeys(self._moved, self.reactor.seconds())
        self._watch.start(LOOK_S, now=True)

    async def settle(self) -> None:
        """No new order; every open outcome becomes known. Raises NoWayBack."""
        self._paying = False
        self._watch.stop()
        if self._running is not None:
            with suppress(TimeoutError):
                await self._running.addTimeout(WITHIN_S, self.reactor)
        if still := sum(driver.bank.open_cases for driver in self.drivers.values()):
            raise NoWayBack(f"{still} orders have no outcome {WITHIN_S:.0f} s after the banks stopped paying")

    async def turn_over(self) -> None:
        """Every outcome known, then on again."""
        await self.settle()
        self.pay()
        await self.flowing()

    def _orders(self, name: str) -> Iterator[Order]:
        while self._paying and (self._bills or self._contested[name]):
            if self._contested[name]:
                yield self._contested[name].popleft()
                continue
            shares = [10_000 - sum(self.fates.values()), *self.fates.values()]
            fate = self.dice.choices(["plain", *self.fates], shares)[0]
            order = traffic.order(self._bills.popleft(), self.dice, script.moment_now(), fate)
            if self.dice.randrange(CONTESTED_IN) == 0:
                order = order._replace(fate="sure", payer="", contested=True)
                other = self.dice.choice([bank for bank in self.drivers if bank != name])
                self._contested[other].append(order)
            yield order

    def approved(self, name: str) -> int:
        return self.memories[name].acknowledged

    def payments(self) -> int:
        """Orders that came to their end."""
        return sum(driver.bank.done for driver in self.drivers.values())

    def watch(self) -> None:
        """Measure from now on."""
        self.longest_s = 0.0
        self._moved = dict.fromkeys(self._moved, self.reactor.seconds())

    def _look(self) -> None:
        now = self.reactor.seconds()
        for name in self.drivers:
            count = self.approved(name)
            self.longest_s = max(self.longest_s, now - self._moved[name])
            if count != self._approved[name]:
                self._approved[name], self._moved[name] = count, now

    async def flowing(self, payments: int = 5) -> None:
        """Every bank has so many payments more approved. Raises NoWayBack."""
        wanted = {name: self.approved(name) + payments for name in self.drivers}
        if not await self.until(lambda: all(self.approved(name) >= count for name, count in wanted.items()), WITHIN_S):
            silent = [name for name, count in wanted.items() if self.approved(name) < count]
            raise NoWayBack(f"{WITHIN_S:.0f} s after the fault was over {', '.join(silent)} had no service")

    async def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        deadline = self.reactor.seconds() + within_s
        while not condition():
            if self.reactor.seconds() > deadline:
                return False
            await script.sleep(self.reactor, LOOK_S)
        return True

    # What the faults ask for

    async def refused(self, within_s: float = 15.0) -> bool:
        """Whether some bank is told that nothing can be done."""
        before = sum(memory.not_done for memory in self.memories.values())
        return await self.until(lambda: sum(m.not_done for m in self.memories.values()) > before, within_s)

    async def kill(self, daemon: Daemon) -> None:
        self.kills += 1
        await deferToThread(daemon.kill)

    @property
    def postgres(self) -> PostgresBook:
        assert isinstance(self.book, PostgresBook)
        return self.book

    @property
    def sqlite(self) -> SqliteBook:
        assert isinstance(self.book, SqliteBook)
        return self.book
