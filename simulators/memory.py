"""What a bank core keeps of every request that moves money, to tell whether the switch ever says two things. Pure.

A key (DE7 and DE11) has one answer for good, once it is one of those that the switch keeps (wire.md section 6, rule
2); after any other the next try is decided anew. Bodies are compared without MTI and MAC.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from .cases import Sent
from .outcomes import NOT_DONE

WireKey = tuple[str, str]  # DE7 and DE11, as on the wire
_UNTOLD: Final = b""


class Memory:
    def __init__(self) -> None:
        self.fresh: list[Sent] = []  # acknowledged since somebody last took them
        self.acknowledged = 0
        self.not_done = 0  # answers that said: no effect
        self.contradicted: list[WireKey] = []
        self._told: dict[WireKey, bytes] = {}

    def ask(self, key: WireKey) -> None:
        self._told.setdefault(key, _UNTOLD)

    def knows(self, key: WireKey) -> bool:
        """Whether this was ever asked: then an answer more is no surprise."""
        return key in self._told

    def tell(self, key: WireKey, code: str, body: bytes) -> None:
        """An answer, expected or one more."""
        if code in NOT_DONE:
            self.not_done += 1
        elif self._told.setdefault(key, _UNTOLD) in (_UNTOLD, body):
            self._told[key] = body
        else:
            self.contradicted.append(key)

    def acknowledge(self, sent: Sent) -> None:
        """The switch said 00 and gave a receipt: from now on this payment may never be lost."""
        self.acknowledged += 1
        self.fresh.append(sent)

    def take_fresh(self) -> list[Sent]:
        taken, self.fresh = self.fresh, []
        return taken


MONEY: Final[Container[str]] = "24"  # second digit of an MTI: payments and advices, reversals
