"""One world: built from its plan, played, healed, and asked at the end whether all is as it must be.

While it is played everything goes wrong that the plan holds. Then faults stop, all daemons serve, and the banks ask
until each of their messages has its answer; only then are books, files and seal compared with what happened (`audit`).
"""

from __future__ import annotations

import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date as Date
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from shebao.codecs.settings import Limits
from shebao.codecs.statement import StatementLine

from . import audit, deeds, mishaps
from .almanac import cst, due_date
from .cases import Cases
from .core import Core, all_lines
from .decided import Bench
from .judge import Judge
from .model import Model
from .network import Wire
from .node import Node
from .passbook import Passbook
from .plan import Plan
from .purse import Purse
from .stage import Scene, Stage
from .timeline import Endless, Timeline, Wall
from .watch import Watch, until_cut_over_s

SETTLE_S: Final = 400.0  # the banks ask at most so long until all is answered
BEAT_S: Final = 1.0
LAST_ACTS: Final = 40
HANGS_S: Final = 100


@dataclass
class Outcome:
    """What came of a world."""

    seed: int
    faults: list[str]
    payments: int = 0
    messages: int = 0
    days: int = 0
    seconds: float = 0.0
    events: int = 0
    mishaps: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)


@contextmanager
def _watched() -> Iterator[None]:
    """A world takes a second; one that hangs for a minute of real time waits for something that never comes."""

    def hangs(*_: object) -> None:
        raise Endless(f"it hangs: {HANGS_S} s of real time")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(HANGS_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class World:
    """Built from a plan; `play` once."""

    def __init__(self, plan: Plan, made: Stage, folder: Path, tell: Callable[[str], None] | None = None) -> None:
        self.plan = plan
        self.timeline = Timeline()
        self._tell = tell
        self.mishaps: Counter[str] = Counter()
        seed = plan.seed
        self.random = Random(f"world {seed}")
        start_us = int((plan.start - cst(0)) / timedelta(microseconds=1))
        self.wall = Wall(self.timeline, start_us)
        limits = Limits(**plan.limits)
        self.scene = Scene(made, folder, start_us, Random(f"scene {seed}"), plan.bills)
        self.scene.settings = replace(self.scene.settings, limits=limits)
        banks = self.scene.settings.banks
        cutovers = {bank: f"{one.cutover:%H:%M:%S}" for bank, one in banks.items()}
        opened = {bank: due_date(plan.start, cutover) for bank, cutover in cutovers.items()}
        self.model = Model(
            {bank: one.institution for bank, one in banks.items()}, opened, self.scene.payers, limits.reply_deadline_s,
            {bank: one.number for bank, one in banks.items()},
        )  # fmt: skip
        self.model.print_bills(self.scene.bills)
        self.first_dates = dict(opened)
        self.judge = Judge(
            self.model, self.timeline, self.tell, cutovers, limits.batch_max, limits.in_flight_per_line,
            limits.lines_per_bank_max, limits.reply_deadline_s,
        )  # fmt: skip
        self.judge.chance = self.random.random
        self.judge.latest_us = lambda: max(clock.latest_us for clock in (self.wall, *(n.wall for n in self.nodes)))
        self.nodes = [self._node(f"switch-{number}", start_us) for number in range(1, plan.nodes + 1)]
        for node in self.nodes:
            node.when_down = self._start_later
        self.cores: list[Core] = [Core(bank, self, Random(f"core {seed} {bank}")) for bank in plan.banks]
        self.judge.lines = lambda: all_lines(self.cores)
        self.watch = Watch(self)
        for node in self.nodes:
            node.when_ready = self.watch.ready
        self.operator = self.scene.open_store()
        self.cases = Cases(self)
        self.purse = Purse(self.model, self.cases)
        self.bench = Bench(self.model, self.cases)
        self.passbooks: Mapping[str, Passbook] = {core.bank: Passbook(core) for core in self.cores}
        self.versions: dict[tuple[str, Date], list[list[StatementLine]]] = {}
        self.model.is_agreed = self.purse.is_agreed
        self.healing = False
        self.messages = 0
        self.healthy_since = 0.0
        self._wires = 0

    def _node(self, name: str, start_us: int) -> Node:
        wall = Wall(self.timeline, start_us)
        random = Random(f"{name} {self.plan.seed}")
        judge, tell = self.judge, self.tell
        return Node(name, self.scene, self.timeline, wall, random, judge, tell, self.counted, judge.fault)

    # -- what cores and nodes use ------------------------------------------------------------------------

    def tell(self, text: str) -> None:
        if self._tell is not None:
            self._tell(f"{self.timeline.now:9.4f} {text}")

    def counted(self, what: str) -> None:
        self.mishaps[what] += 1

    def connect(self, core: Core) -> tuple[Wire, Node] | None:
        up = [node for node in self.nodes if node.state == "up" and node.knows(core.bank)]
        if not up:
            return None
        node = self.random.choice(up)
        self._wires += 1
        wire = node.new_wire(core, self.plan.weather, self._wires)
        if self.healing:
            wire.weather = wire.weather._replace(split=0.0, latency_s=(0.001, 0.01))
        posts = {} if node.daemon is None else node.daemon.posts
        if core.bank in posts and len(posts[core.bank].lines) >= self.plan.limits["lines_per_bank_max"]:
            self.make_room(core)
        self.timeline.later(self.random.uniform(*wire.weather.latency_s), node.connect, core.bank, wire, "127.0.0.1")
        return wire, node

    @staticmethod
    def make_room(core: Core) -> None:
        """The bank has as many lines as it may: the switch may drop one that is not signed on."""
        for line in core.lines:
            if not line.on or any(one.sent.network == "001" for one in line.outstanding.values()):
                line.wire.marks.add("room is needed")

    # -- playing -----------------------------------------------------------------------------------------

    def play(self) -> Outcome:
        try:
            with _watched():
                self._play()
        except Endless as fault:
            self.judge.fault(str(fault))
        except Exception as fault:  # of the switch's code, or of this world's: either way this seed is not clean
            self.judge.fault(f"{type(fault).__name__}: {fault}\n{traceback.format_exc(limit=-8)}")
        finally:
            for node in self.nodes:
                node.kill()
            self.operator.close()
        dates = max((self.model.open[bank] - first).days for bank, first in self.first_dates.items())
        return Outcome(
            self.plan.seed, self.judge.faults, len(self.model.taken), len(self.judge.sent), dates,
            self.timeline.now, self.timeline.events, self.mishaps, self.model.ways, self.judge.codes,
        )  # fmt: skip

    def _play(self) -> None:
        for line in self.plan.told():
            self.tell(line)
        for node in self.nodes:
            node.start()
        self._beat()
        for core in self.cores:
            self._next_deed(core)
        for kind, rate in sorted(self.plan.rates.items()):
            self._next_mishap(kind, rate)
        self.timeline.run_until(self.plan.seconds)
        self._heal()
        self._settle()
        if not self.judge.faults:
            audit.examine(self)

    def _beat(self) -> None:
        """Once a second: banks mind their lines, the judge looks."""
        for core in self.cores:
            core.keep_lines()
            for node in self.nodes:
                if node.state == "up" and not node.knows(core.bank):
                    node.reload()  # an operator looks whether the bank's lines come, and tells it again
        locked = max(node.mishap.locked_until for node in self.nodes)  # a store that is only locked is waited for
        self.judge.look_for_silence(max(self.healthy_since, locked))
        self.watch.look()
        self.timeline.later(BEAT_S, self._beat)

    def _next_deed(self, core: Core) -> None:
        self.timeline.later(self.random.expovariate(self.plan.messages_per_s), self._deed, core)

    def _deed(self, core: Core) -> None:
        if self.healing or self.messages >= self.plan.messages_max:
            return
        self.messages += 1
        deeds.act(core)
        self._next_deed(core)

    def _next_mishap(self, kind: str, rate: float) -> None:
        self.timeline.later(self.random.expovariate(rate / 60), self._mishap, kind, rate)

    def _mishap(self, kind: str, rate: float) -> None:
        if not self.healing:
            mishaps.happen(self, kind)
            self._next_mishap(kind, rate)

    def _start_later(self, node: Node) -> None:
        """systemd starts what has ended."""
        self.judge.trouble_ended(node.name)
        self.timeline.later(self.random.uniform(0.1, 8.0), self._start, node)

    def _start(self, node: Node) -> None:
        if node.state == "down" and not self.healing:
            node.start()

    # -- the end -----------------------------------------------------------------------------------------

    def _heal(self) -> None:
        """No more faults: all daemons serve, clocks are right, banks behave."""
        self.tell("the faults end")
        self.healing = True
        self.judge.stumbling = 0.0
        for node in self.nodes:
            node.mishap.heal()
            node.dies_reading = node.dies_filing = 0.0
            node.wall.jump((self.wall.now_us() - node.wall.now_us()) / 1_000_000)
            if node.state == "down":
                node.start()
        for core in self.cores:
            core.calm = True
            for line in core.lines:
                if line.wire.deaf or line.over or line.wire.marks:
                    line.wire.marks.add("healed")
                    line.wire.cut()
        self.healthy_since = self.timeline.now

    def _last_evening(self) -> None:
        """Files of the last dates, and decisions about what they tell, with every message answered."""
        kinds = [kind for kind in ("bank's file", "clerks", "clerks", "clerks") if kind in self.plan.rates]
        for _ in range(LAST_ACTS if kinds else 0):
            mishaps.happen(self, self.random.choice(kinds))

    def _settle(self) -> None:
        """Until every message has its answer."""
        until = self.timeline.now + SETTLE_S
        while self.timeline.now < until:
            self.timeline.run_until(self.timeline.now + 2.0)
            for node in self.nodes:
                if node.state == "down":
                    node.start()
            if self.nodes[0].state == "up":
                waiting = sum([core.ask_again() for core in self.cores])
                if waiting == 0 and self.watch.is_level():
                    break
        else:
            unanswered = sum(bool(one.tries) and not one.answer for core in self.cores for one in core.sent)
            level = "" if self.watch.is_level() else "; cut-overs are missing"
            states = ", ".join(f"{node.name} is {node.state}" for node in self.nodes)
            text = f"{unanswered} messages have no answer; {states}{level}"
            self.judge.fault(f"after {SETTLE_S:.0f} s of health {text}")
            return
        self._last_evening()
        self.timeline.run_until(self.timeline.now + 35.0)  # a last try for a statement file comes within 30 s
        if not 15.0 < until_cut_over_s(self.wall.now_us()) < 86_390.0:
            self.timeline.run_until(self.timeline.now + 25.0)  # a daemon that stops just then writes its file later
        for node in self.nodes:
            node.stop()
        self.timeline.run_until(self.timeline.now + 5.0)
        for node in self.nodes:
            if node.state != "down":
                self.judge.fault(f"{node.name} did not stop")
