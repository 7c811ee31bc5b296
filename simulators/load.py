"""Load on the switch, and what came of it: payments a second, latency by percentiles, every reply checked.

The orders go through the same bank cores as any simulated day, so a wrong echo, code, MAC or receipt is a
problem here too. Latency is from the write of a request to its reply, by the reactor's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from twisted.internet.defer import Deferred, DeferredList

from .client import Driver
from .messages import APPROVED, Order


class Measured(NamedTuple):
    """Times in milliseconds; `rate` in approved payments a second from the first order to the last reply."""

    payments: int
    replies: int
    seconds: float
    rate: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    problems: int


def run_all(drivers: Sequence[Driver], orders: Sequence[Iterable[Order]]) -> Deferred[None]:
    """Every driver with its orders at once; fires when all are done."""
    running = [driver.run(mine) for driver, mine in zip(drivers, orders, strict=True)]
    return DeferredList(running, fireOnOneErrback=True).addCallback(lambda _: None)


def measure(drivers: Sequence[Driver], began: float, ended: float) -> Measured:
    """What the banks saw between two readings of the reactor's clock."""
    waits: list[float] = []
    approved = replies = problems = 0
    for driver in drivers:
        bank = driver.bank
        waits += [1000 * wait / driver.speed for wait in bank.waited_s]
        approved += bank.codes["pay", APPROVED] + bank.codes["advise", APPROVED]
        replies += sum(bank.codes.values())
        problems += bank.problem_count + sum(bank.books.twice.values())
    waits.sort()
    seconds = max(ended - began, 1e-9)
    return Measured(
        payments=approved,
        replies=replies,
        seconds=seconds,
        rate=approved / seconds,
        p50_ms=percentile(waits, 50),
        p99_ms=percentile(waits, 99),
        max_ms=waits[-1] if waits else 0.0,
        problems=problems,
    )


def percentile(ascending: Sequence[float], per_cent: float) -> float:
    """The smallest value that at least so many per cent do not exceed; 0 of none."""
    if not ascending:
        return 0.0
    rank = -(-len(ascending) * per_cent // 100)
    return ascending[max(int(rank), 1) - 1]


def report(found: Measured) -> str:
    return (
        f"{found.payments} payments in {found.seconds:.2f} s, {found.rate:.0f} a second; latency p50 "
        f"{found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms, max {found.max_ms:.1f} ms; "
        f"{found.replies} replies checked, {found.problems} problems"
    )
