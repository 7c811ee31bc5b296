"""A bank core of this world: its lines, what it sent on them, and what came back.

It remembers each message, so that it can be sent again, on any line and at any time. Every copy has a DE37 of its own:
by that the judge knows it in the books. What a bank thinks of to say is in `deeds`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Final, Protocol

from shebao.codecs.errors import Unreadable
from shebao.ledger.store import Store

from .. import messages
from ..messages import Key
from ..wire import Wire as Pen
from .almanac import cst
from .judge import Judge
from .lines import BankLine, Sent, Transmission
from .model import Model
from .network import Wire
from .node import Node
from .plan import Plan
from .said import KEPT, Said
from .stage import Scene
from .timeline import Timeline, Wall

# Codes that are told for good; after the others a bank asks again.
FINAL: Final = frozenset({*KEPT, "12", "30", "31", "40", "94", "95"})
PATIENCE_S: Final = 50.0  # until a line on which nothing comes back is given up


class Place(Protocol):
    """The world, to those who live in it."""

    plan: Plan
    timeline: Timeline
    random: Random
    wall: Wall
    scene: Scene
    judge: Judge
    model: Model
    nodes: list[Node]
    cores: list[Core]
    operator: Store  # an operator's own way into the books
    healing: bool

    def connect(self, core: Core) -> tuple[Wire, Node] | None: ...
    def make_room(self, core: Core) -> None: ...
    def counted(self, what: str) -> None: ...
    def tell(self, text: str) -> None: ...


class Core:
    """One bank."""

    def __init__(self, bank: str, place: Place, random: Random) -> None:
        self.bank, self.place, self.random = bank, place, random
        self.pen: Pen = place.scene.wires[bank]
        self.lines: list[BankLine] = []
        self._by_wire: dict[int, BankLine] = {}
        self.sent: list[Sent] = []
        self.skew = timedelta(seconds=random.choice((0, 0, 0, 2, -2, 40)))
        self.calm = False  # the world is being healed: connect, sign on, ask again, nothing new
        self._stan = random.randint(1, 999_000)
        self.early: list[Sent] = []  # reversed before they were sent
        self.hot = random.sample(place.scene.bills, min(3, len(place.scene.bills)))

    # -- lines -------------------------------------------------------------------------------------------

    def keep_lines(self) -> None:
        """About once a second: connect what is missing, sign on, send heartbeats, ask again."""
        self.lines = [line for line in self.lines if line.wire.open]
        wanted = self.place.plan.lines_per_bank
        if len(self.lines) < wanted and (self.calm or self.random.random() < 0.7):
            self.connect()
        for line in self.lines:
            if self._has_waited(line):
                line.over = True
                line.wire.cut()
            if line.over:
                continue
            if line.up and not line.on and (self.calm or self.random.random() < 0.3):
                self.network(line, "001")
            line.quiet_beats += 1
            if line.quiet_beats > 3 or self.random.random() < 0.5:
                line.quiet_beats = 0
                line.wire.send(self.pen.heartbeat)

    def _has_waited(self, line: BankLine) -> bool:
        """A bank gives up a line on which it waits for too long."""
        oldest = min((one.sent_at for one in line.outstanding.values()), default=self.place.timeline.now)
        return self.place.timeline.now - oldest > PATIENCE_S

    def connect(self) -> BankLine | None:
        made = self.place.connect(self)
        if made is None:
            return None
        wire, node = made
        line = BankLine(wire, self.pen.framer(), node, self.place.plan.limits["mac_failures_max"])
        self.lines.append(line)
        self._by_wire[wire.number] = line
        return line

    def opened(self, wire: Wire) -> None:
        line = self._line(wire)
        line.up, line.up_at = True, self.place.timeline.now
        if self.calm or self.random.random() < 0.9:
            self.network(line, "001")

    def received(self, wire: Wire, data: bytes) -> None:
        line = self._line(wire)
        frames, error = line.framer.feed(data)
        for frame in frames:
            if frame.body:
                self._reply(line, frame.body)
        if error is not None:
            self.place.judge.fault(f"{self.bank}: the switch's stream can't be read: {error.detail}")

    def ended(self, wire: Wire) -> None:
        line = self._line(wire)
        if wire.by_switch and not line.over_at_switch:
            line.over_at_switch = True
            self.place.judge.closed_by_switch(line)
        wire.close()
        line.up = line.on = False
        line.over = True

    def standing(self) -> list[BankLine]:
        """Lines on which something can be said."""
        return [line for line in self.lines if line.up and not line.over and line.wire.open]

    def _line(self, wire: Wire) -> BankLine:
        return self._by_wire[wire.number]

    # -- what is sent ------------------------------------------------------------------------------------

    def send(self, sent: Sent, line: BankLine | None = None, again: bool = False) -> bool:
        """One copy of a message on a line; False: there is no line that can take it now."""
        mti = messages.repeat_mti(sent.said.mti) if again else sent.said.mti
        ready = [line] if line is not None else self.standing()
        key = sent.reply_mti, sent.said.de7, sent.said.stan
        ready = [one for one in ready if key not in one.outstanding]
        on = [one for one in ready if one.on]
        if not ready or (not on and self.calm and not sent.network):
            return False
        line = self.random.choice(on if on and self.random.random() < 0.95 else ready)
        number = len(self.place.judge.sent)
        fields = {**sent.fields, 37: f"{number:012d}"}
        one = Transmission(number, sent, mti, fields, line, self.place.timeline.now)
        self.place.judge.sent.append(one)
        line.foresee(one)
        frame = self.pen.pack(mti, fields)
        if sent.flaw == "mac":
            frame = frame[:-1] + bytes([frame[-1] ^ 1])
        one.end = line.wire.send(frame)
        if not sent.tries:
            sent.said_at = self.now()
        sent.tries.append(one)
        line.messages.append(one)
        if not one.ignored:
            line.outstanding[key] = one
        flaw = f" [{sent.flaw}]" if sent.flaw else ""
        self.place.tell(f"{self.bank} says {Judge.name(one)}{flaw} on line {line.wire.number}")
        return True

    def network(self, line: BankLine, code: str) -> None:
        moment = self.now()
        key = self.key(moment)
        fields = messages.network(self.pen.identity, key, code)
        said = Said(self.bank, "0800", "", key.de7, key.stan)
        self.send(Sent(said, fields, network=code), line)

    def ask_again(self) -> int:
        """Send what was never answered for good; how many wait still."""
        waiting = 0
        for sent in self.sent:
            if sent.flaw or sent.answer in FINAL or not sent.tries:
                continue
            if sent.answer == "68" and sent.said.mti[:3] == "020":
                continue  # told: not done
            waiting += 1
            if not any(one in line.outstanding.values() for line in self.lines for one in sent.tries[-3:]):
                self.send(sent, again=True)
        return waiting

    def _reply(self, line: BankLine, body: bytes) -> None:
        judge = self.place.judge
        try:
            decoded = self.pen.unpack(body)
        except Unreadable as fault:
            return judge.fault(f"{self.bank}: a reply can't be read: {fault.reason}")
        if decoded is None:
            return judge.fault(f"{self.bank}: a reply has a wrong MAC")
        one = line.outstanding.pop((decoded.mti, decoded.fields.get(7, ""), decoded.fields.get(11, "")), None)
        if one is None:
            return judge.fault(f"{self.bank}: a reply {decoded.mti} to nothing that waits on this line")
        kept = self.pen.without_mti_and_mac(body)
        code = judge.replied(one, line, decoded, kept, line.wire.written_at(body))
        if one.sent.network == "001":
            self.place.timeline.later(2.0, line.has_its_place)
        if one.sent.answer not in FINAL:
            one.sent.answer = code
            one.sent.day = decoded.fields.get(15, "") if code == "00" else ""
        return None

    def now(self) -> datetime:
        return cst(self.place.wall.now_us()) + self.skew

    def key(self, moment: datetime) -> Key:
        self._stan = self._stan % 999_999 + 1
        return Key(int(f"{moment:%Y%m%d%H%M%S}"), f"{self._stan:06d}")

    def offer(self, sent: Sent, line: BankLine | None = None) -> Sent:
        self.sent.append(sent)
        self.send(sent, line)
        return sent

    def some(self, fits: Callable[[Said], bool]) -> Sent | None:
        """A message of the past, rather a recent one."""
        found = [sent for sent in self.sent if not sent.flaw and fits(sent.said)]
        if not found:
            return None
        return self.random.choice(found[-5:] if self.random.random() < 0.6 else found)

    def on_some_line(self, code: str) -> None:
        ready = self.standing()
        if ready:
            self.network(self.random.choice(ready), code)


def all_lines(cores: Sequence[Core]) -> list[BankLine]:
    return [line for core in cores for line in core.lines]
