"""Virtual time: what happens next, in an order that one seed fixes; and the wall clocks, which may jump.

`Timeline` counts seconds that only go forward, as a monotonic clock does. A `Wall` shows what somebody's clock on the
wall says meanwhile: it can be set, forth and back, without a second passing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

EVENTS_MAX: Final = 500_000  # of one world: more is a loop without end


class Endless(BaseException):
    """A world that comes to no end: something calls itself again and again, or waits for ever. Nobody may catch it
    but the world itself."""


class Call:
    """A call in the future; what a reactor's `callLater` gives back."""

    __slots__ = ("_done", "_live", "args", "function", "time")

    def __init__(self, time: float, function: Callable[..., object], args: tuple[object, ...]) -> None:
        self.time, self.function, self.args = time, function, args
        self._live, self._done = True, False

    def cancel(self) -> None:
        self._live = False

    def active(self) -> bool:
        return self._live and not self._done

    def run(self) -> None:
        if self.active():
            self._done = True
            self.function(*self.args)


class Timeline:
    """The one queue of everything that will happen."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self._count = 0
        self._queue: list[tuple[float, int, Call]] = []

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def later(self, delay: float, function: Callable[..., object], *args: object) -> Call:
        call = Call(self.now + max(delay, 0.0), function, args)
        self._count += 1
        heapq.heappush(self._queue, (call.time, self._count, call))
        return call

    def run_until(self, time: float) -> None:
        """Let everything happen that is due until then. Raises Endless."""
        while self._queue and self._queue[0][0] <= time:
            self._step()
        self.now = max(self.now, time)

    def run_while(self, busy: Callable[[], bool], until: float) -> bool:
        """Go on as long as `busy()`, at most until a time; whether it ended by itself."""
        while busy():
            if not self._queue or self._queue[0][0] > until:
                return False
            self._step()
        return True

    def _step(self) -> None:
        when, _, call = heapq.heappop(self._queue)
        self.now = max(self.now, when)
        if call.active():
            self.events += 1
            if self.events > EVENTS_MAX:
                raise Endless(f"more than {EVENTS_MAX} events by {self.now:.1f} s")
            call.run()


class Wall:
    """A clock on a wall, in microseconds since the epoch."""

    def __init__(self, timeline: Timeline, start_us: int) -> None:
        self._timeline, self._start_us = timeline, start_us
        self._jumped_us = 0
        self.latest_us = start_us  # the latest time that it ever showed

    def now_us(self) -> int:
        now = self._start_us + self._jumped_us + int(self._timeline.now * 1_000_000)
        self.latest_us = max(self.latest_us, now)
        return now

    def jump(self, seconds: float) -> None:
        """Set it forth, or back with a negative number."""
        self.now_us()
        self._jumped_us += int(seconds * 1_000_000)
