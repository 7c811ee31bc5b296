"""What the switch must do by itself, looked at once a second: say heartbeats, cut over in time, read a new key, keep
its queues within their limits; and what must be done before it lets a bank in.

Not what it answers: that is the judge's, which this tells.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from shebao.ledger.anchor import FOLDER
from shebao.switch.lane import State
from shebao.switch.line import READ_BYTES

from .almanac import cst, due_date
from .audit import signed_last
from .core import Place
from .lines import BankLine
from .node import Node

BEHIND_S: Final = 20  # so long a daemon with a store that is well may be behind with something
BACK_S: Final = 15.0  # a store that works again is used again by then
STOP_SLACK_S: Final = 5.0
LOOK_AT_HEADS: Final = 5  # every so many seconds
BEAT_SLACK_S: Final = 4.0  # a line begins once its keys were read, and a timer looks once a second
CUT_OVER: Final = "23:00:00"  # of every bank here
FRAME_BYTES: Final = 2048  # more than any message here has
CALLS_MAX: Final = 5_000  # that may wait at a time, timers of all lines and bytes on their way included


def until_cut_over_s(now_us: int) -> float:
    """Seconds until the clock strikes; the next day's, when it is about to."""
    now = cst(now_us)
    evening = datetime.fromisoformat(f"{now:%Y-%m-%d} {CUT_OVER}")
    if now >= evening - timedelta(seconds=3):
        evening += timedelta(days=1)
    return (evening - now).total_seconds()


class Watch:
    """Of one world. Call `look` once a second, `ready` when a daemon says that it is."""

    def __init__(self, world: Place) -> None:
        self._world = world
        self._behind: Counter[tuple[str, str]] = Counter()  # seconds, by daemon and what it is behind with
        self._unsigned: dict[str, tuple[int, float]] = {}  # by bank: a head that was not signed, and since when
        self._out: set[str] = set()  # daemons that do not use their store, though it works
        self._beats = 0

    def ready(self, node: Node) -> None:
        """Before the first line come the keys, and the cut-overs that were missed (wire.md section 6, rule 10)."""
        for bank, post in node.daemon.posts.items() if node.daemon is not None else ():
            if post.bank.keys.newest is None:
                self._fault(f"{node.name} lets {bank} in without having read its key")
        due = due_date(cst(node.wall.now_us()), CUT_OVER)
        for bank, day in self._world.model.open.items():
            if day < due:
                self._fault(f"{node.name} lets {bank} in with {day} open, due is {due}")

    def look(self) -> None:
        for node in self._world.nodes:
            self._look_whether_behind(node)
            self._look_whether_back(node)
            self._look_at_limits(node)
        for core in self._world.cores:
            for line in core.lines:
                self._look_for_heartbeats(line)
        self._beats += 1
        if self._beats % LOOK_AT_HEADS == 0:
            self._look_for_signatures()
        if self._world.timeline.waiting > CALLS_MAX:
            self._fault(f"{self._world.timeline.waiting} calls wait")

    def is_level(self) -> bool:
        """Whether the clock has made all cut-overs that are due."""
        due = due_date(cst(self._world.nodes[0].wall.now_us()), CUT_OVER)
        return all(day >= due for day in self._world.model.open.values())

    def _look_whether_behind(self, node: Node) -> None:
        due = due_date(cst(node.wall.now_us()), CUT_OVER)
        behind = {f"the cut-over of {bank}" for bank, day in self._world.model.open.items() if day < due}
        behind |= {f"the new key of {core.bank}" for core in self._world.cores if not node.knows(core.bank)}
        if not self._is_at_ease(node):
            behind = set()
        for what in behind:
            self._behind[node.name, what] += 1
            if self._behind[node.name, what] == BEHIND_S:
                self._fault(f"{node.name} is behind with {what}")
        for name, what in list(self._behind):
            if name == node.name and what not in behind:
                del self._behind[name, what]

    def _is_at_ease(self, node: Node) -> bool:
        """Whether a daemon has served for a while with a store that was well."""
        since = self._world.timeline.now - BEHIND_S
        at_ease = node.state == "up" and node.mishap.pressed_until <= since
        return at_ease and not self._world.judge.in_trouble(node.name, since)

    def _look_whether_back(self, node: Node) -> None:
        """Service again without a restart once the store is back (rule 9); and a daemon that is told to stop, stops."""
        now, limits = self._world.timeline.now, self._world.plan.limits
        if node.state == "stopping" and now - node.stopping_at > limits["shutdown_s"] + STOP_SLACK_S:
            self._fault(f"{node.name} does not stop")
        if node.state != "up" or node.daemon is None or node.mishap.pressed_until > now - BACK_S:
            return
        out = node.daemon._lane.state in (State.OUT, State.DOUBT)
        quiet_s = now - self._world.judge.failed_at.get(node.name, now)
        if not out:
            self._out.discard(node.name)
        elif quiet_s > BACK_S and node.name not in self._out:
            self._out.add(node.name)  # told once
            self._fault(f"{node.name} does not use its store, which has not failed for {quiet_s:.0f} s")

    def _look_for_signatures(self) -> None:
        """The heads of books with news are signed every so often, not only at the end (settlement.md section 2)."""
        now, world = self._world.timeline.now, self._world
        patience_s = world.plan.limits["anchor_every_s"] + BEHIND_S
        at_ease = all(self._is_at_ease(node) for node in world.nodes)
        with world.operator.reading() as connection:
            heads = connection.exec_driver_sql("SELECT bank, next_seq FROM book WHERE book_id > 0").fetchall()
        for bank, next_seq in heads:
            signed = signed_last(world.scene.folder / FOLDER / f"{bank}.log")
            seq, since = self._unsigned.get(bank, (0, now))
            if not at_ease or signed >= seq:
                self._unsigned[bank] = next_seq - 1, now
            elif now - since > patience_s:
                self._fault(f"event {seq} of {bank} was not signed in {now - since:.0f} s")
                self._unsigned[bank] = next_seq - 1, now

    def _look_at_limits(self, node: Node) -> None:
        """Queues and lines stay within what the configuration says."""
        judge = self._world.judge
        for bank, post in node.daemon.posts.items() if node.daemon is not None else ():
            if len(post.lines) > post.limits.lines_per_bank_max:
                self._fault(f"{bank} has {len(post.lines)} lines on {node.name}")
            for line in post.lines:
                if line.session is None:
                    continue
                if line.session.in_flight > judge.in_flight_ever:
                    self._fault(f"{bank} has {line.session.in_flight} requests in flight on a line")
                held = sum(len(one.frame.body) for one in line.session._held)
                if held > READ_BYTES + FRAME_BYTES:
                    self._fault(f"a line of {bank} holds {held} bytes back")
        for bank, queue in node.daemon._lane._queues.items() if node.daemon is not None else ():
            if len(queue) > judge.in_flight_ever * judge.lines_max:
                self._fault(f"{len(queue)} requests of {bank} wait in the lane")

    def _look_for_heartbeats(self, line: BankLine) -> None:
        """A line that says nothing else says that it is there (wire.md section 1)."""
        assert isinstance(line.node, Node)
        wire = line.wire
        if not line.up or not wire.open or wire.orphaned or wire.deaf or wire.marks or line.node.state != "up":
            return
        quiet_s = self._world.timeline.now - max(line.up_at, wire.wrote_last, wire.heard_again_at)
        most_s = self._world.plan.limits["heartbeat_s"] + BEAT_SLACK_S
        if most_s < quiet_s <= most_s + 1.0:  # told once
            self._fault(f"line {wire.number} has heard no heartbeat for {quiet_s:.1f} s")

    def _fault(self, text: str) -> None:
        self._world.judge.fault(text)
