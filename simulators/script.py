"""The simulators' edge: the wall clock in China Standard Time, and a script run on the reactor to its end."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta, timezone
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

CST: Final = timezone(timedelta(hours=8))
Result = TypeVar("Result")


class Interrupted(Exception):
    """The reactor was stopped from outside, by Ctrl-C for one, before the script was done."""


def moment_now() -> int:
    """YYYYMMDDhhmmss."""
    return int(datetime.now(CST).strftime("%Y%m%d%H%M%S"))


def today() -> int:
    return moment_now() // 1_000_000


def day_after(day: int) -> int:
    following = datetime(day // 10000, day // 100 % 100, day % 100, tzinfo=CST) + timedelta(days=1)
    return int(following.strftime("%Y%m%d"))


def run_script(script: Callable[[Any], Coroutine[Any, Any, Result]]) -> Result:
    """Runs `script(reactor)` once in this process; gives its result, raises its exception or Interrupted."""
    from twisted.internet import reactor as installed

    reactor: Any = installed
    outcome: list[Result] = []
    failures: list[Failure] = []

    def start() -> None:
        done = ensureDeferred(script(reactor))
        done.addCallbacks(outcome.append, failures.append)
        done.addBoth(lambda _: reactor.stop() if reactor.running else None)

    reactor.callWhenRunning(start)
    reactor.run()
    if failures:
        failures[0].raiseException()
    if not outcome:
        raise Interrupted
    return outcome[0]


def sleep(reactor: Any, seconds: float) -> Deferred[None]:
    done: Deferred[None] = Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done


async def wait_for_the_day(reactor: Any, tell: Callable[[str], None], lasts_s: int) -> None:
    """What ends after midnight would have two dates: wait for the new day instead."""
    clock = moment_now() % 1_000_000
    left_s = 86_400 - (clock // 10000 * 3600 + clock // 100 % 100 * 60 + clock % 100)
    if left_s < lasts_s < 86_400:
        tell(f"It is nearly midnight: waiting {left_s + 5} s for the new day.")
        await sleep(reactor, left_s + 5)


def forever() -> Deferred[None]:
    """Until the reactor is stopped."""
    return Deferred()
