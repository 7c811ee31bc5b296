"""What one life of a daemon takes for its reactor, its threads and its writer: calls on the world's timeline.

Work for a thread is done at one stroke, a little later, so that everything else may come before or after it. When the
process dies, all of its calls die with it (`Life.end`): nothing of a dead daemon ever runs again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any, Final, NamedTuple, Protocol

from twisted.python.failure import Failure

from .timeline import Call, Timeline

THREAD_S: Final = (0.0002, 0.02)  # until a thread does its work, and until its result is told


class ProcessDied(BaseException):
    """Power gone, or `kill -9`: raised within a thread's work, it ends this life of the daemon."""


class Life:
    """One process: whether it lives, and how it dies."""

    def __init__(self, timeline: Timeline, died: Callable[[], None]) -> None:
        self.timeline = timeline
        self.lives = True
        self._died = died

    def end(self) -> None:
        self.lives = False

    def later(self, delay: float, function: Callable[..., object], *args: object) -> Call:
        return self.timeline.later(delay, self._if_alive, function, args)

    def _if_alive(self, function: Callable[..., object], args: tuple[object, ...]) -> None:
        if not self.lives:
            return
        try:
            function(*args)
        except ProcessDied:
            self._died()


class Address(NamedTuple):
    host: str
    port: int


class Port:
    """A listening port; what `listenTCP` gives back."""

    def __init__(self, factory: Any, address: Address) -> None:
        self.factory, self._address, self.listening = factory, address, True

    def getHost(self) -> Address:
        return self._address

    def stopListening(self) -> None:
        self.listening = False


class Threads:
    """A pool that never is short of threads."""

    def __init__(self, life: Life, random: Random) -> None:
        self._life, self._random = life, random
        self._waiting: list[Callable[[], object]] = []

    def finish(self) -> None:
        """The process ends by itself: it waits for its threads, and what they come to is told to nobody."""
        while self._waiting:
            with suppress(Exception):
                self._waiting.pop(0)()

    def callInThreadWithCallback(
        self, done: Callable[[bool, object], None], work: Callable[..., object], *args: object, **named: object
    ) -> None:
        """As twisted.python.threadpool's."""
        todo = partial(work, *args, **named)
        self._waiting.append(todo)
        self._life.later(self._random.uniform(*THREAD_S), self._work, done, todo)

    def _work(self, done: Callable[[bool, object], None], todo: Callable[[], object]) -> None:
        self._waiting.remove(todo)
        result: tuple[bool, object]
        try:
            result = True, todo()
        except Exception:
            result = False, Failure()  # type: ignore[no-untyped-call]
        self._life.later(self._random.uniform(*THREAD_S), done, *result)


class Reactor:
    """The part of a Twisted reactor that the daemon uses."""

    def __init__(self, life: Life, random: Random) -> None:
        self._life = life
        self._threads = Threads(life, random)
        self.ports: list[Port] = []

    def seconds(self) -> float:
        return self._life.timeline.now

    def callLater(self, delay: float, function: Callable[..., object], *args: object, **named: object) -> Call:
        if named:
            return self._life.later(delay, lambda: function(*args, **named))
        return self._life.later(delay, function, *args)

    def callFromThread(self, function: Callable[..., object], *args: object) -> None:
        self._life.later(0, function, *args)

    def getThreadPool(self) -> Threads:
        return self._threads

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Port:
        self.ports.append(Port(factory, Address(interface, port)))
        return self.ports[-1]


class Pace(Protocol):
    """How the store behaves: how long a piece of work takes, and whether it hangs."""

    def delay_s(self) -> float: ...
    def takes_s(self) -> float: ...
    def frozen(self) -> Exception | None:
        """What a result that hangs turns into once it is given up; None: it does not hang."""


class Writer:
    """The writer's thread: one piece of work after another, each at one stroke, its result told some time later."""

    def __init__(self, life: Life, pace: Pace) -> None:
        self._life, self._pace = life, pace
        self._jobs: deque[tuple[Callable[[], object], Callable[[object], None]]] = deque()
        self.told: Callable[[], None] = lambda: None  # just before a result is told
        self.formed_at = 0.0  # when the latest work was handed over
        self._busy = False
        self._hangs: tuple[Callable[[object], None], Exception] | None = None

    def run(self, work: Callable[[], object], done: Callable[[object], None]) -> None:
        self.formed_at = self._life.timeline.now
        self._jobs.append((work, done))
        self._go_on()

    def stop(self) -> None:
        pass

    def give_up(self) -> None:
        """What hung is told as failed."""
        if self._hangs is not None:
            (done, fault), self._hangs = self._hangs, None
            self._life.later(0.001, self._tell, done, fault)

    def _go_on(self) -> None:
        if not self._busy and self._jobs:
            self._busy = True
            self._life.later(self._pace.delay_s(), self._work, *self._jobs.popleft())

    def _work(self, work: Callable[[], object], done: Callable[[object], None]) -> None:
        result: object
        try:
            result = work()
        except Exception as fault:
            result = fault
        hung = self._pace.frozen()
        if hung is not None:
            self._hangs = done, hung
        else:
            self._life.later(self._pace.takes_s(), self._tell, done, result)

    def _tell(self, done: Callable[[object], None], result: object) -> None:
        self._busy = False
        self.told()
        done(result)
        self._go_on()
