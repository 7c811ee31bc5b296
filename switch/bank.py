"""A bank as the running switch sees it: its settings, its dialect compiled, its keys. Wired once, by `daemon`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shebao.codecs.compiled import Codec
from shebao.codecs.dialect import Dialect
from shebao.codecs.mac import MacKey


class Keys(Protocol):
    """What a line uses of the bank's MAC keys."""

    @property
    def newest(self) -> MacKey | None:
        """The newest key that the bank has used; None: no key is loaded."""

    def verify(self, body: bytes) -> MacKey | None:
        """The key under which the body's last bytes are its MAC, or None."""


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Everything that a line of one bank needs to know and that all its lines share."""

    key: str  # its name in switch.toml
    institution: str  # the only DE32 that it may send
    book_id: int
    station: str  # the switch's own institution: what a CUPS header must name
    dialect: Dialect
    codec: Codec
    keys: Keys
