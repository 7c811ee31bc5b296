"""Thousands of worlds in parallel processes, one replayed, one shrunk. What is printed is `cli`'s affair."""

from __future__ import annotations

import gc
import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from .plan import Plan, draw
from .said import WAYS
from .stage import stage
from .world import Outcome, World

MEMORY: Final = Path("/dev/shm")  # worlds need no disk; it is the program that dies, not the machine
TRIES_MAX: Final = 300  # of a plan that is being shrunk


def play(plan: Plan, folder: Path, tell: Callable[[str], None] | None = None) -> Outcome:
    """One world; folder: a scratch folder of this process's own."""
    folder.mkdir(exist_ok=True)
    return World(plan, stage(folder), folder / "world", tell).play()


def play_all(seeds: Iterable[int], processes: int) -> Iterator[Outcome]:
    """The worlds of these seeds, as they come to their end, in the order of seeds."""
    with scratch() as folder:
        if processes == 1:
            for seed in seeds:
                yield _play_seed(seed, str(folder))
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, mp_context=context) as pool:
            try:
                yield from pool.map(partial(_play_seed, folder=str(folder)), seeds, chunksize=4)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _play_seed(seed: int, folder: str) -> Outcome:
    gc.set_threshold(100_000)  # a world leaves little behind and is over in a second
    return play(draw(seed), Path(folder) / str(os.getpid()))


def shrink(plan: Plan, folder: Path, told: Callable[[Plan], None]) -> Plan:
    """A smaller plan that fails alike: each step leaves something out, until nothing more can be left out."""
    tries = 0
    wanted = _kind(play(plan, folder))
    while True:
        for smaller in plan.smaller():
            tries += 1
            if tries > TRIES_MAX:
                return plan
            if _kind(play(smaller, folder)) == wanted:
                plan = smaller
                told(plan)
                break
        else:
            return plan


def _kind(outcome: Outcome) -> str:
    """The first fault, without what is this world's own: whoever shrinks a world wants no other fault."""
    return " ".join(word for word in outcome.faults[0].split() if word.isalpha()) if outcome.faults else ""


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards, in memory where that can be had."""
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="shebao-world-", dir=place) as name:
        yield Path(name)


class Sum:
    """What many worlds came to."""

    def __init__(self) -> None:
        self.worlds = self.payments = self.messages = self.days = self.events = 0
        self.seconds = 0.0
        self.mishaps: Counter[str] = Counter()
        self.ways: Counter[str] = Counter(dict.fromkeys(WAYS, 0))
        self.codes: Counter[str] = Counter()
        self.failed: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        self.worlds += 1
        self.payments += outcome.payments
        self.messages += outcome.messages
        self.days += outcome.days
        self.events += outcome.events
        self.seconds += outcome.seconds
        self.mishaps.update(outcome.mishaps)
        self.ways.update(outcome.ways)
        self.codes.update(outcome.codes)
        if outcome.faults:
            self.failed.append(outcome)

    def never(self) -> list[str]:
        """Ways through the rules that no world took: gaps in the worlds, if there were enough of them."""
        return [way for way in WAYS if not self.ways[way]]
