"""A bank's line as the bank knows it: what was sent on it, in order, and what the line alone must answer.

MAC, format, institution, sign-on and function are judged by the line in the order in which messages stand on it, so
the bank can tell beforehand what will come back (wire.md section 6, rules 1 and 11). What passes goes to the books,
and the model tells the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shebao.codecs.framing import Framer

from .almanac import EPOCH
from .network import Wire
from .said import Expected, Said

# What can be wrong with a message before the books are asked: the code and DE44 that it gets.
FLAWS: Final = {
    "": ("", 0),
    "mac": ("A0", 0),
    "pin": ("30", 52),
    "institution": ("31", 0),
    "unknown": ("12", 0),
    "not enabled": ("40", 0),
    "no terminal": ("30", 41),
    "currency": ("30", 49),
    "tags": ("30", 48),
}
BEFORE_SIGN_ON: Final = ("0800", "0801")


@dataclass
class Sent:
    """What a bank wants: one message, however often it has to be sent."""

    said: Said
    fields: dict[int, str]
    flaw: str = ""
    network: str = ""  # DE70
    tries: list[Transmission] = field(default_factory=list)
    answer: str = ""  # DE39 of a final answer
    receipt: str = ""
    day: str = ""  # DE15 of 00
    said_at: datetime = EPOCH  # by the bank's clock, when it was first sent

    @property
    def reply_mti(self) -> str:
        mti = self.said.mti
        return f"{mti[:2]}{int(mti[2]) + 1}0"


@dataclass(eq=False)
class Transmission:
    """One copy of a message on one line."""

    number: int  # its DE37
    sent: Sent
    mti: str
    fields: dict[int, str]
    line: BankLine
    sent_at: float
    end: int = 0  # offset of its last byte
    local: Expected | None = None  # what the line answers by itself
    ignored: bool = False  # behind something that ended the line
    replied: str = ""  # DE39
    replied_at: float = -1.0
    applied: list[Expected] = field(default_factory=list)  # one for each time that it was committed
    stumbled: bool = False
    began_at: float = -1.0  # when its batch went to the store
    doubtful: bool = False  # its batch was in doubt once
    known_at: float = -1.0  # when the lane was told what became of its batch

    @property
    def wire(self) -> Wire:
        return self.line.wire

    @property
    def node(self) -> object:
        return self.line.node

    @property
    def wire_key(self) -> tuple[str, str, str]:
        return self.sent.reply_mti, self.sent.said.de7, self.sent.said.stan


class BankLine:
    """One line, from the bank's side."""

    def __init__(self, wire: Wire, framer: Framer, node: object, mac_failures_max: int) -> None:
        self.wire, self.framer, self.node = wire, framer, node
        self.up = False  # connected
        self.up_at = 0.0
        self.on = False  # signed on, as of what was sent last
        self.over = False  # nothing sent from now on will be taken
        self.over_at_switch = False  # the switch has closed it
        self.ends_by = float("inf")  # when the switch should have closed it, of what was sent on it
        self.quiet_beats = 0  # seconds since the bank's last heartbeat
        self.macs_wrong = 0
        self.messages: list[Transmission] = []
        self.outstanding: dict[tuple[str, str, str], Transmission] = {}
        self._mac_failures_max = mac_failures_max

    def has_its_place(self) -> None:
        """A line that is signed on gives way to no other."""
        if self.on:
            self.wire.marks.discard("room is needed")

    def foresee(self, one: Transmission) -> None:
        """What the line itself will answer to a message that is sent now."""
        if self.over:
            one.ignored = True
            return
        said, flaw = one.sent.said, one.sent.flaw
        if flaw == "mac":
            self.macs_wrong += 1
            if self.macs_wrong >= self._mac_failures_max:
                self.wire.marks.add("macs wrong")
                self.over = True
                self.ends_by = one.sent_at
            one.local = Expected("A0")
            return
        self.macs_wrong = 0
        code, number = FLAWS[flaw]
        if flaw in ("pin", "institution"):
            one.local = Expected(code, number)
        elif not self.on and said.mti not in BEFORE_SIGN_ON:
            one.local = Expected("58")
        elif flaw:
            one.local = Expected(code, number)
        elif one.sent.network in ("001", "002", "301"):
            one.local = Expected("00")
            if one.sent.network != "301":
                self.on = one.sent.network == "001"
