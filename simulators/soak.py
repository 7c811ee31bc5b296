"""`bin/soak`: real daemons, real databases, real faults under load for a set time; nothing acknowledged may be lost.

The faults are `faults`' table, the banks and their town `town`, the verdict `judge`. One seed gives one sequence of
faults; when each strikes within the load is the machine's affair.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Final

import click
from twisted.internet.threads import deferToThread

import shebao

from . import script, staging
from .children import CommandFailed
from .client import SignOnFailed
from .commands import FAILED, INTERRUPTED, REFUSED, OneLineCommand, Stop
from .config import CHECKOUT
from .database import Book, PostgresBook, SqliteBook
from .disk import Disk, NoDisk
from .faults import BOTH, FAULTS, KINDS, Fault, obstacle
from .judge import Judge
from .postgres import ServerFailed
from .screen import Screen
from .statements import BadFile
from .town import NoWayBack, Town

VERIFY_EVERY: Final = 25  # faults
BETWEEN_S: Final = (0.05, 0.6)  # load between two faults of a row
MIDNIGHT_S: Final = 300
COLUMNS: Final = ("kind", "times", "lasted s", "no service s")  # the longest


@dataclass
class Kind:
    """What came of one kind of fault."""

    faults: int = 0
    held_s: float = 0.0
    away_s: float = 0.0


@dataclass
class Result:
    engine: str
    seconds: float = 0.0
    rounds: int = 0
    kills: int = 0
    payments: int = 0
    acknowledged: int = 0
    asked_again: int = 0
    lost: int = 0
    doubled: int = 0
    kinds: dict[str, Kind] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def fine(self) -> bool:
        return not (self.problems or self.lost or self.doubled)


class Soak:
    """One database's turn."""

    def __init__(self, screen: Screen, engine: str, seed: int, longest_s: float, row: int) -> None:
        """longest_s: that a fault lasts; row: so many of a kind follow one another; both at the most."""
        self._screen, self._seed, self._longest_s, self._row = screen, seed, longest_s, row
        self._dice = random.Random(f"soak {seed} {engine}")
        self.result = Result(engine)

    def deal(self, kinds: list[Fault], disk: str) -> Iterator[Fault]:
        """Without end: every kind once, then some of them oftener, and again."""
        deck: list[Fault] = []
        oftener: list[Fault] = []
        for fault in kinds:
            if self.result.engine in fault.engines:
                if why := obstacle(fault, disk):
                    self.result.left_out[fault.name] = why
                    self._screen.say(f"left out: {fault.told}: {why}")
                else:
                    deck.append(fault)
                    oftener += [fault] * (fault.often - 1)
        while deck:
            yield from self._dice.sample(deck, len(deck))
            yield from self._dice.sample(oftener, len(oftener))

    async def play(
        self, reactor: Any, home: Path, rate: float, kinds: list[Fault], seconds: float, faults: int
    ) -> None:
        """seconds, faults: which of them comes first ends it."""
        disk, no_disk = await deferToThread(small_disk, kinds)
        book: Book | None = None
        town: Town | None = None
        try:
            reactor.addSystemEventTrigger("before", "shutdown", lambda: clear(town, book, disk))
            engine = self.result.engine
            self._screen.step(f"[bold]{engine}[/bold]" + (" on a small disk in memory" if disk else ""))
            book = await deferToThread(make_book, engine, disk, home)
            town = Town(reactor, home, CHECKOUT / "etc" / "switch.toml", book, self._seed, rate, disk,
                        self._screen.step)  # fmt: skip
            await town.open()
            judge, began = Judge(town), monotonic()
            try:
                for fault in self.deal(kinds, no_disk):
                    await self._round(town, judge, fault)
                    self._count(town, judge, began)
                    if not self.result.fine or self.result.rounds >= faults or monotonic() - began > seconds:
                        break
                await self._end(town, judge)
            finally:
                self._count(town, judge, began)
        except (NoWayBack, CommandFailed, ServerFailed, NoDisk, BadFile) as fault:
            self.result.problems.append(str(fault))
        finally:
            await deferToThread(clear, town, book, disk)

    async def _round(self, town: Town, judge: Judge, fault: Fault) -> None:
        kind = self.result.kinds.setdefault(fault.name, Kind())
        times = min(self._dice.randint(*fault.times), self._row)
        held_s = away_s = 0.0
        before = town.payments()
        town.pay()
        await town.flowing()
        for _ in range(times):
            await town.more_bills()
            await script.sleep(town.reactor, self._dice.uniform(*BETWEEN_S))
            town.watch()
            await fault.inject(town)
            hold_s = min(self._dice.uniform(*fault.holds_s), self._longest_s)
            await script.sleep(town.reactor, hold_s)
            await fault.heal(town)
            await town.flowing()
            held_s, away_s = max(held_s, hold_s), max(away_s, town.longest_s)
        await town.settle()
        await judge.after_a_fault()
        self.result.rounds += 1
        if self.result.rounds % VERIFY_EVERY == 0:
            await judge.verify()
        kind.faults += times
        kind.held_s, kind.away_s = max(kind.held_s, held_s), max(kind.away_s, away_s)
        row = f" x{times}" if times > 1 else ""
        self._screen.step(f"{fault.told}{row}: without service {away_s:.1f} s; {town.payments() - before:,} payments")

    async def _end(self, town: Town, judge: Judge) -> None:
        await judge.close_the_day()
        await judge.verify()
        await deferToThread(town.daemon.stop)

    def _count(self, town: Town, judge: Judge, began: float) -> None:
        result = self.result
        result.seconds, result.kills, result.payments = monotonic() - began, town.kills, town.payments()
        result.acknowledged = sum(memory.acknowledged for memory in town.memories.values())
        result.asked_again, result.lost, result.doubled = judge.asked_again, judge.lost, judge.doubled
        result.problems = judge.problems()


def small_disk(kinds: list[Fault]) -> tuple[Disk | None, str]:
    """One to be filled, if it is wanted and can be had; else why not."""
    if KINDS["full"] not in kinds:
        return None, "not wanted"
    try:
        return Disk(), ""
    except NoDisk as fault:
        return None, str(fault)


def make_book(engine: str, disk: Disk | None, home: Path) -> Book:
    if engine == "sqlite":
        return SqliteBook(disk.folder if disk else home)
    return PostgresBook(disk.folder if disk else None, staging.private_host(os.getpid()))


def clear(town: Town | None, book: Book | None, disk: Disk | None) -> None:
    """Whatever is left: nothing of ours runs on, no disk stays mounted."""
    for one in (town.end if town else None, book.close if book else None, disk.remove if disk else None):
        if one is not None:
            one()


@click.command(cls=OneLineCommand, name="soak")
@click.version_option(shebao.__version__, prog_name="soak", message="%(prog)s %(version)s")
@click.option("--minutes", type=click.FloatRange(0.1, 1440), default=5.0, show_default=True,
              help="How long, for each database.")  # fmt: skip
@click.option("--faults", type=click.IntRange(1, 1_000_000), default=1_000_000,
              help="End after so many rounds, if that is earlier.")  # fmt: skip
@click.option("--database", type=click.Choice([*BOTH, "both"]), default="both", show_default=True)
@click.option("--fault", "names", multiple=True, type=click.Choice(list(KINDS)), help="Only these kinds.")
@click.option("--longest", type=click.FloatRange(0.1, 60), default=15.0, show_default=True,
              help="Seconds that one fault lasts at the most.")  # fmt: skip
@click.option("--row", type=click.IntRange(1, 100), default=20, show_default=True,
              help="Faults of one kind in a round at the most.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(10, 5000), default=200.0, show_default=True,
              help="Payments offered a second, of all banks together.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, other faults.")
@click.option("--json", "out", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there too.")
def main(minutes: float, faults: int, database: str, names: tuple[str, ...], longest: float, row: int, rate: float,
         seed: int, out: Path | None) -> int:  # fmt: skip
    """Faults under load for a set time; nothing that was acknowledged may be lost or doubled."""
    home = Path(os.environ.get("SHEBAO_HOME") or CHECKOUT) / "var" / "soak"
    engines = list(BOTH) if database == "both" else [database]
    kinds = [fault for fault in FAULTS if not names or fault.name in names]
    for name in names:
        if not set(engines) & set(KINDS[name].engines):
            raise click.UsageError(f"--fault {name} is tried on {' and '.join(KINDS[name].engines)} only")
    try:
        staging.reach_loopback()
        lock = staging.claim(home)
    except (staging.StageTaken, staging.NoLoopback) as fault:
        raise Stop(str(fault), REFUSED) from None
    screen = Screen()

    async def play(reactor: Any) -> list[Result]:
        signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(reactor.stop))
        await script.wait_for_the_day(reactor, screen.step, int(minutes * 60 * len(engines)) + MIDNIGHT_S)
        results = []
        for engine in engines:
            folder = home / engine
            folder.mkdir()
            soak = Soak(screen, engine, seed, longest, row)
            await soak.play(reactor, folder, rate, kinds, minutes * 60, faults)
            results.append(soak.result)
        return results

    with lock:
        try:
            results = script.run_script(play)
        except script.Interrupted:
            raise Stop("interrupted; nothing is left running", INTERRUPTED) from None
        except SignOnFailed as fault:
            raise Stop(str(fault), FAILED) from None
    for result in results:
        tell(screen, result)
    if out is not None:
        text = json.dumps([{**vars(r), "kinds": {k: vars(v) for k, v in r.kinds.items()}} for r in results], indent=1)
        out.write_text(text + "\n", encoding="utf-8")
    return 0 if all(result.fine for result in results) else FAILED


def tell(screen: Screen, result: Result) -> None:
    rows = [
        [KINDS[name].told, f"{kind.faults:,}", f"{kind.held_s:.1f}", f"{kind.away_s:.1f}"]
        for name, kind in sorted(result.kinds.items())
    ]
    screen.table(f"{result.engine}, {result.seconds / 60:.1f} minutes, {result.rounds:,} rounds", COLUMNS, rows)
    screen.say(f"kills {result.kills:,}, payments {result.payments:,}, acknowledged {result.acknowledged:,}, "
               f"asked again {result.asked_again:,}, lost {result.lost:,}, doubled {result.doubled:,}")  # fmt: skip
    for name, why in result.left_out.items():
        screen.say(f"left out: {name}: {why}")
    for problem in result.problems:
        screen.say(f"WRONG: {problem}")


if __name__ == "__main__":
    main()
