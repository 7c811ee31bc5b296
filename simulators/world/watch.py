"""What the switch must do by itself, looked at once a second: say heartbeats, cut over in time, read a new key, keep
its queues within their limits; and what must be done before it lets a bank in.

Not what it answers: that is the judge's, which this tells.
"""

from __future__ import annotations

from collections import Counter
from datetime import date as Date
from datetime import timedelta
from typing import Final

from .almanac import cst
from .core import Place
from .lines import BankLine
from .node import Node

BEHIND_S: Final = 20  # so long a daemon with a store that is well may be behind with something
BEAT_SLACK_S: Final = 4.0  # a line begins once its keys were read, and a timer looks once a second
CUT_OVER_HOUR: Final = 23
CALLS_MAX: Final = 5_000  # that may wait at a time, timers of all lines and bytes on their way included


def due_date(now_us: int) -> Date:
    """The date that is open at a time, if all cut-overs were made by the clock."""
    now = cst(now_us)
    return now.date() + timedelta(days=int(now.hour >= CUT_OVER_HOUR))


class Watch:
    """Of one world. Call `look` once a second, `ready` when a daemon says that it is."""

    def __init__(self, world: Place) -> None:
        self._world = world
        self._behind: Counter[tuple[str, str]] = Counter()  # seconds, by daemon and what it is behind with

    def ready(self, node: Node) -> None:
        """Before the first line come the keys, and the cut-overs that were missed (wire.md section 6, rule 10)."""
        for bank, post in node.daemon.posts.items() if node.daemon is not None else ():
            if post.bank.keys.newest is None:
                self._fault(f"{node.name} lets {bank} in without having read its key")
        due = due_date(node.wall.now_us())
        for bank, day in self._world.model.open.items():
            if day < due:
                self._fault(f"{node.name} lets {bank} in with {day} open, due is {due}")

    def look(self) -> None:
        for node in self._world.nodes:
            self._look_whether_behind(node)
            self._look_at_limits(node)
        for core in self._world.cores:
            for line in core.lines:
                self._look_for_heartbeats(line)
        if self._world.timeline.waiting > CALLS_MAX:
            self._fault(f"{self._world.timeline.waiting} calls wait")

    def is_level(self) -> bool:
        """Whether the clock has made all cut-overs that are due."""
        due = due_date(self._world.nodes[0].wall.now_us())
        return all(day >= due for day in self._world.model.open.values())

    def _look_whether_behind(self, node: Node) -> None:
        due = due_date(node.wall.now_us())
        behind = {f"the cut-over of {bank}" for bank, day in self._world.model.open.items() if day < due}
        behind |= {f"the new key of {core.bank}" for core in self._world.cores if not node.knows(core.bank)}
        now, mishap = self._world.timeline.now, node.mishap
        pressed = max(mishap.locked_until, mishap.slow_until, mishap.away_until) > now - BEHIND_S
        if node.state != "up" or pressed or self._world.judge.in_trouble(node.name, now - BEHIND_S):
            behind = set()
        for what in behind:
            self._behind[node.name, what] += 1
            if self._behind[node.name, what] == BEHIND_S:
                self._fault(f"{node.name} is behind with {what}")
        for name, what in list(self._behind):
            if name == node.name and what not in behind:
                del self._behind[name, what]

    def _look_at_limits(self, node: Node) -> None:
        """Queues and lines stay within what the configuration says."""
        for bank, post in node.daemon.posts.items() if node.daemon is not None else ():
            if len(post.lines) > post.limits.lines_per_bank_max:
                self._fault(f"{bank} has {len(post.lines)} lines on {node.name}")
            for line in post.lines:
                if line.session is not None and line.session.in_flight > self._world.judge.in_flight_ever:
                    self._fault(f"{bank} has {line.session.in_flight} requests in flight on a line")

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
