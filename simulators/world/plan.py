"""What a world is like: drawn from its seed, "swarm": which faults it has at all, how often, how small the limits are.

A plan is data and can be made smaller: fewer faults, fewer messages, a shorter time. That is how a world that failed is
shrunk to what matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from .network import Weather

# Faults and their highest rate, in times a minute of the world.
FAULTS: Final = {
    "line cut": 6.0,
    "half-close": 3.0,
    "deaf bank": 2.0,
    "garbage": 2.0,
    "frame never ends": 1.0,
    "silent line": 1.0,
    "too many lines": 0.5,
    "stranger": 0.5,
    "store error": 6.0,
    "commit in doubt": 5.0,
    "commit frozen": 1.5,
    "store away": 1.5,
    "store full": 1.5,
    "store flaps": 0.7,
    "store locked": 1.5,
    "store slow": 1.5,
    "death in a transaction": 2.0,
    "death in a read": 0.5,
    "kill": 2.0,
    "death in a file": 1.0,
    "stop": 1.0,
    "clock forth": 2.0,
    "clock back": 1.5,
    "clock over cut-over": 2.0,
    "trouble at cut-over": 1.0,
    "new key": 1.0,
    "own fault": 6.0,
    "reload": 1.0,
    "withdraw": 6.0,
    "import": 2.0,
    "close by command": 1.0,
    "sign heads": 1.0,
    "burst": 4.0,
    "crowd": 1.5,
    "bank's file": 3.0,
    "clerks": 20.0,
}
# What banks do, and its usual weight.
DEEDS: Final = {
    "pay": 30, "repeat": 14, "changed repeat": 4, "void": 8, "reversal": 10, "reversal before": 4, "advice": 10,
    "advice of a payment": 6, "void reversed": 6, "inquiry": 8, "totals": 3, "cut over": 1, "echo": 2, "sign off": 2,
    "flawed": 6, "odd reversal": 4,
}  # fmt: skip
# Moments near which something is to happen, or has been; in China Standard Time, as all of this world.
DAWNS: Final = tuple(
    datetime.fromisoformat(text)
    for text in (
        "2026-11-27T10:00", "2026-11-27T22:59", "2026-11-27T23:59", "2026-12-31T22:58", "2026-12-31T23:59",
        "2027-01-01T00:01", "2027-02-28T23:59", "2028-02-28T22:59", "2028-02-28T23:59", "2028-02-29T12:00",
        "2028-02-29T22:59", "2028-02-29T23:59", "2027-06-30T09:00",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    seed: int
    start: datetime
    seconds: float
    messages_max: int
    messages_per_s: float
    bills: int
    nodes: int
    banks: tuple[str, ...]
    lines_per_bank: int
    weather: Weather
    limits: dict[str, int]
    deeds: dict[str, int]
    rates: dict[str, float]  # of faults, a minute

    def smaller(self) -> Iterator[Plan]:
        """Plans with less in them, the boldest first."""
        yield from self._with_fewer_faults()
        yield from self._with_less_said()
        yield from self._with_less_around()

    def _with_fewer_faults(self) -> Iterator[Plan]:
        kinds = sorted(self.rates)
        half = len(kinds) // 2
        if half:
            yield self.without(kinds[:half])
            yield self.without(kinds[half:])
        for kind in kinds:
            yield self.without([kind])

    def _with_less_said(self) -> Iterator[Plan]:
        if self.messages_max > 4:
            for share in (0.25, 0.5, 0.75, 0.9):
                yield replace(self, messages_max=max(1, int(self.messages_max * share)))
        if len(self.banks) > 1:
            for bank in self.banks:
                yield replace(self, banks=tuple(b for b in self.banks if b != bank))
        for deed in sorted(self.deeds):
            if deed != "pay":
                yield replace(self, deeds={d: w for d, w in self.deeds.items() if d != deed})

    def _with_less_around(self) -> Iterator[Plan]:
        if self.nodes > 1:
            yield replace(self, nodes=1)
        if self.lines_per_bank > 1:
            yield replace(self, lines_per_bank=1)
        if self.weather.split:
            yield replace(self, weather=self.weather._replace(split=0.0))
        if self.seconds > 10:
            yield replace(self, seconds=self.seconds / 2)
        if self.bills > 2:
            yield replace(self, bills=self.bills // 2)

    def without(self, kinds: list[str]) -> Plan:
        return replace(self, rates={kind: rate for kind, rate in self.rates.items() if kind not in kinds})

    def told(self) -> list[str]:
        """The plan in a few lines, for a person."""
        faults = ", ".join(f"{kind} {rate:.1f}" for kind, rate in self.rates.items()) or "none"
        limits = ", ".join(f"{name} {value}" for name, value in self.limits.items())
        return [
            f"seed {self.seed}: begins {self.start:%Y-%m-%d %H:%M}, {self.seconds:.0f} s, at most {self.messages_max}"
            f" messages, {self.messages_per_s:.1f} a second",
            f"banks {' '.join(self.banks)}, {self.lines_per_bank} lines each, {self.nodes} daemons, {self.bills} bills",
            f"faults a minute: {faults}",
            f"limits: {limits}",
            f"deeds: {', '.join(f'{deed} {weight}' for deed, weight in self.deeds.items())}",
        ]


def draw(seed: int) -> Plan:
    """The plan of a seed."""
    random = Random(f"plan {seed}")
    dawn = random.choice(DAWNS) + timedelta(seconds=random.randint(-90, 60))
    share = random.choice((0.0, 0.15, 0.3, 0.5))
    rates = {kind: most * random.uniform(0.1, 1.0) for kind, most in FAULTS.items() if random.random() < share}
    drawn = {deed: max(1, int(weight * random.uniform(0.2, 2.0))) for deed, weight in DEEDS.items()}
    deeds = {deed: weight for deed, weight in drawn.items() if random.random() < 0.8}
    deeds.setdefault("pay", 10)
    slow = random.random() < 0.3
    plan = Plan(
        seed=seed,
        start=dawn,
        seconds=random.choice((15.0, 30.0, 60.0, 120.0)),
        messages_max=random.choice((20, 40, 80, 160)),
        messages_per_s=random.choice((0.5, 1.0, 3.0, 10.0)),
        bills=random.choice((3, 8, 24, 60)),
        nodes=2 if random.random() < 0.3 else 1,
        banks=tuple(sorted(random.sample(("rcb", "icbc", "ccb", "boc"), random.choice((1, 2, 3, 4, 4))))),
        lines_per_bank=random.choice((1, 1, 2, 3)),
        weather=Weather(
            (0.01, 0.8) if slow else (0.0005, 0.02), random.choice((0.0, 0.1, 0.6)), random.choice((400, 65536))
        ),
        limits=_limits(random, slow),
        deeds=deeds,
        rates=rates,
    )
    return _settling(plan, random) if random.random() < 0.35 else plan


def _settling(plan: Plan, random: Random) -> Plan:
    """One evening after the other: many bills are paid, files come, people decide, while the banks go on."""
    evenings = {"clock over cut-over": 2.5, "bank's file": 8.0, "clerks": random.choice((30.0, 90.0))}
    more = {"pay": 60, "advice": 15, "reversal": 12, "repeat": 16, "void": 12, "void reversed": 8, "about a booking": 8}
    return replace(
        plan, bills=60, messages_max=160, messages_per_s=random.choice((1.5, 3.0)), banks=plan.banks[:2],
        seconds=random.choice((60.0, 120.0)), rates=plan.rates | evenings, deeds=plan.deeds | more,
    )  # fmt: skip


def _limits(random: Random, slow: bool) -> dict[str, int]:
    """Small ones are met sooner; slow: the network is, so that a frame takes its time."""
    silence = random.choice((12, 40, 180))
    return {
        "in_flight_per_line": random.choice((1, 2, 4, 16, 256)),
        "reply_deadline_s": random.choice((2, 5, 20)),
        "batch_max": random.choice((1, 4, 8, 200)),
        "lines_per_bank_max": random.choice((4, 128)),
        "heartbeat_s": random.choice((3, 10)) if silence < 180 else 60,
        "silence_s": silence,
        "frame_timeout_s": 30 if slow else random.choice((4, 30)),
        "mac_failures_max": random.choice((1, 2, 5)),
        "commit_deadline_s": random.choice((1, 4, 10)),
        "shutdown_s": random.choice((2, 30)),
        "anchor_every_s": random.choice((20, 60)),
    }
