"""What a bank's lines have counted since the process began: plain numbers that `metrics` reads at a scrape.

Written by the reactor's thread only, several numbers a payment, so it is nothing but ints and lists. Every
label is from a closed list; what is not in it counts as `other`.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from shebao.codecs.errors import UNREADABLE_REASONS, Code
from shebao.codecs.framing import REASONS

from .services import SERVICES

OTHER: Final = "other"
MESSAGES: Final = tuple(service.name for service in SERVICES)
CODES: Final = (*(str(code.value) for code in Code), OTHER)
# Why a frame was rejected: framing, then what makes a message unreadable, then what is never answered.
REJECT_REASONS: Final = (*REASONS, *UNREADABLE_REASONS, "incomplete", "reply", OTHER)
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0)


class Histogram:
    """Counts of values at or below each bound, not cumulated; the last is beyond all bounds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Tally:
    """One bank's numbers."""

    def __init__(self) -> None:
        self.requests = {(message, code): 0 for message in MESSAGES for code in CODES}
        self.seconds = {message: Histogram(SECONDS) for message in MESSAGES}
        self.rejected = dict.fromkeys(REJECT_REASONS, 0)
        self.mac_failures = 0
        self.unknown_tags = 0
        self.skewed = 0
        self.refused_lines = 0

    def request(self, message: str, code: str, seconds: float) -> None:
        """A request was answered (code `other`: it never will be); seconds from frame in to reply out."""
        key = (message, code)
        self.requests[key if key in self.requests else (message, OTHER)] += 1
        self.seconds[message].observe(seconds)

    def reject(self, reason: str) -> None:
        self.rejected[reason if reason in self.rejected else OTHER] += 1
