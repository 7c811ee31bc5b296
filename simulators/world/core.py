"""A bank core of this world: it pays, asks again, takes back, tells late, and now and then does all of it wrongly.

Unlike `simulators.bank`, which behaves, this one says whatever a bank might say in whatever order, and remembers each
message, so that it can be sent again. Every copy has a DE37 of its own: by that the judge knows it in the books.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Protocol

from shebao.codecs.errors import Unreadable

from .. import messages
from ..messages import Key, Order
from ..wire import Wire as Pen
from .judge import Judge
from .lines import BankLine, Sent, Transmission
from .model import PAY, VOID, Model, Said
from .network import Wire
from .node import Node
from .plan import Plan
from .stage import PrintedBill, Scene
from .timeline import Timeline, Wall

FINAL = frozenset("00 12 13 14 25 30 31 40 57 94 95 B1 B2 B3 B4 R1 R2".split())  # told, for good
PATIENCE_S = 50.0
TWICE_WRONG = {"0200": "0220", "0220": "0200"}


class Place(Protocol):
    """What a core knows of the world."""

    plan: Plan
    timeline: Timeline
    wall: Wall
    scene: Scene
    judge: Judge
    model: Model

    def connect(self, core: Core, line_number: int) -> tuple[Wire, Node] | None: ...
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
        self._early: list[Sent] = []  # reversed before they were sent
        self._hot = random.sample(place.scene.bills, min(3, len(place.scene.bills)))

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
        made = self.place.connect(self, len(self.lines))
        if made is None:
            return None
        wire, node = made
        line = BankLine(wire, self.pen.framer(), node, self.place.plan.limits["mac_failures_max"])
        self.lines.append(line)
        self._by_wire[wire.number] = line
        return line

    def opened(self, wire: Wire) -> None:
        line = self._line(wire)
        line.up = True
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

    def _line(self, wire: Wire) -> BankLine:
        return self._by_wire[wire.number]

    # -- what is sent ------------------------------------------------------------------------------------

    def send(self, sent: Sent, line: BankLine | None = None, again: bool = False) -> bool:
        """One copy of a message on a line; False: there is no line that can take it now."""
        mti = messages.repeat_mti(sent.said.mti) if again else sent.said.mti
        ready = [line] if line is not None else [one for one in self.lines if one.up and not one.over and one.wire.open]
        key = sent.reply_mti, sent.said.de7, sent.said.stan
        ready = [one for one in ready if key not in one.outstanding]
        on = [one for one in ready if one.on]
        if not ready or (not on and self.calm and not sent.network):
            return False
        line = self.random.choice(on if on and self.random.random() < 0.95 else ready)
        number = len(self.place.judge.sent)
        fields = {**sent.fields, 37: f"{number:012d}"}
        one = Transmission(number, sent, mti, fields, line.wire, line.node, self.place.timeline.now)
        self.place.judge.sent.append(one)
        line.foresee(one)
        frame = self.pen.pack(mti, fields)
        if sent.flaw == "mac":
            frame = frame[:-1] + bytes([frame[-1] ^ 1])
        one.end = line.wire.send(frame)
        sent.tries.append(one)
        line.messages.append(one)
        if not one.ignored:
            line.outstanding[key] = one
        self.place.tell(f"{self.bank} says {Judge.name(one)}{f' [{sent.flaw}]' if sent.flaw else ''} on line {line.wire.number}")
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
        code = judge.replied(one, line, decoded, self.pen.without_mti_and_mac(body))
        if one.sent.answer not in FINAL:
            one.sent.answer = code
        return None

    # -- what a bank does --------------------------------------------------------------------------------

    def now(self) -> datetime:
        return datetime(1970, 1, 1, 8) + timedelta(microseconds=self.place.wall.now_us()) + self.skew

    def key(self, moment: datetime) -> Key:
        self._stan = self._stan % 999_999 + 1
        return Key(int(f"{moment:%Y%m%d%H%M%S}"), f"{self._stan:06d}")

    def act(self) -> None:
        """One deed, drawn by the plan's weights."""
        deeds = self.place.plan.deeds
        deed = self.random.choices(list(deeds), list(deeds.values()))[0]
        self.place.counted(f"deed: {deed}")
        getattr(self, "_" + deed.replace(" ", "_"))()

    def burst(self, count: int) -> None:
        """Many at once on one line."""
        ready = [line for line in self.lines if line.on and line.wire.open]
        if ready:
            line = self.random.choice(ready)
            for _ in range(count):
                self._offer(self._payment(self._bill()), line)

    def _offer(self, sent: Sent, line: BankLine | None = None) -> Sent:
        self.sent.append(sent)
        self.send(sent, line)
        return sent

    def _bill(self) -> tuple[str, int, PrintedBill | None]:
        """A bill number, what is to be paid for it, and the bill, if there is one."""
        dice, scene = self.random.random(), self.place.scene
        if dice < 0.05:
            return scene.unknown_bill(), 48000, None
        bill = self.random.choice(self._hot if dice < 0.35 else scene.bills)
        if dice > 0.97:
            return f"{bill.number[:-1]}{(int(bill.number[-1]) + 1) % 10}", bill.amount, None
        off = self.random.choice((-100, 1)) if self.random.random() < 0.08 else 0
        return bill.number, max(1, bill.amount + off), bill

    def _moment(self, days: int = 1) -> datetime:
        """Mostly now; now and then old, ahead, or just at the edge."""
        now, dice = self.now(), self.random.random()
        if dice < 0.86:
            return now - timedelta(seconds=self.random.choice((0, 0, 1, 30)))
        if dice < 0.93:
            return now - timedelta(days=days * self.random.random())
        edge = timedelta(days=days if dice < 0.97 else -1)
        return now - edge + timedelta(seconds=self.random.choice((-3600, -1, 0, 1, 3600)))

    def _payment(
        self, what: tuple[str, int, PrintedBill | None], mti: str = "0200", moment: datetime | None = None,
        key: Key | None = None,
    ) -> Sent:  # fmt: skip
        number, amount, bill = what
        moment = moment or self._moment(7 if mti == "0220" else 1)
        key = key or self.key(moment)
        payer, card = "", ""
        if self.random.random() < 0.3:
            someone = self.random.choice((*self.place.scene.payers, self.place.scene.strangers))
            someone = bill.payer if bill is not None and self.random.random() < 0.6 else someone
            payer = someone.id if self.random.random() < 0.6 else ""
            card = someone.card if self.random.random() < 0.5 else ""
        order = Order(number, amount, key.moment, self.random.choice(("01", "02", "03", "04")), payer=payer)
        fields = messages.payment(self.pen.identity, order, key)
        if card:
            fields[2] = card
        if self.random.random() < 0.04:
            other = moment + timedelta(days=self.random.choice((-8, -2, -1, 1, 2)))
            fields[13] = f"{other:%m%d}"
        said = Said(self.bank, mti, PAY, key.de7, key.stan, amount, number, payer, card, "", fields[13])
        return Sent(said, fields)

    def _pay(self) -> None:
        if self._early and self.random.random() < 0.5:
            self._offer(self._early.pop(0))
        else:
            self._offer(self._payment(self._bill()))

    def _advice(self) -> None:
        self._offer(self._payment(self._bill(), "0220"))

    def _advice_of_a_payment(self) -> None:
        """The same DE7, DE11 and bill as a payment, or the other way round."""
        found = self._some(lambda said: said.mti in TWICE_WRONG and said.proc == PAY)
        if found is not None:
            other = found.said._replace(mti=TWICE_WRONG[found.said.mti])
            self._offer(Sent(other, dict(found.fields)))

    def _some(self, fits: Callable[[Said], bool]) -> Sent | None:
        """A message of the past, rather a recent one."""
        found = [sent for sent in self.sent if not sent.flaw and fits(sent.said)]
        if not found:
            return None
        return self.random.choice(found[-5:] if self.random.random() < 0.6 else found)

    def _repeat(self) -> None:
        found = self._some(lambda said: bool(said.mti))
        if found is not None:
            self.send(found, again=self.random.random() < 0.8)

    def _changed_repeat(self) -> None:
        """The same key with other content: 94, or the first that comes."""
        found = self._some(lambda said: said.proc in (PAY, VOID) and said.mti[:2] == "02")
        if found is None:
            return
        number, amount, _ = self._bill()
        if self.random.random() < 0.5:
            said, fields = found.said._replace(amount=amount), {**found.fields, 4: f"{amount:012d}"}
        else:
            pairs = [("CH", "01"), ("BN", number)]
            fields = {**found.fields, 48: messages.tags.build(pairs).hex().upper()}
            said = found.said._replace(bill=number, person="")
        self._offer(Sent(said, fields))

    def _void(self) -> None:
        found = self._some(lambda said: said.proc == PAY and said.mti[:2] == "02")
        if found is None:
            return
        number, amount = found.said.bill, found.said.amount
        if self.random.random() < 0.1:
            number, amount, _ = self._bill()
        self._offer(self._undo(found, "0200", VOID, number, amount))

    def _reversal(self, fits: Callable[[Said], bool] | None = None) -> None:
        found = self._some(fits or (lambda said: said.proc == PAY and said.mti[:2] == "02"))
        if found is not None:
            off = 100 if self.random.random() < 0.06 else 0
            mti = self.random.choice(("0400", "0420"))
            self._offer(self._undo(found, mti, found.said.proc, "", found.said.amount + off))

    def _void_reversed(self) -> None:
        self._reversal(lambda said: said.proc == VOID and said.mti == "0200")

    def _reversal_before(self) -> None:
        """Of a payment, advice or void that is sent only later, or never."""
        late = self._payment(self._bill(), self.random.choice(("0200", "0200", "0220")))
        paid = self._some(lambda said: said.proc == PAY and said.mti == "0200")
        if paid is not None and self.random.random() < 0.3:
            late = self._undo(paid, "0200", VOID, paid.said.bill, paid.said.amount)
        self._early.append(late)
        self._offer(self._undo(late, self.random.choice(("0400", "0420")), late.said.proc, "", late.said.amount))

    def _odd_reversal(self) -> None:
        """Of another bank, with the MTI of the other class, of no class, or with another DE3."""
        found = self._some(lambda said: said.mti[:2] == "02")
        if found is None:
            return
        undo = self._undo(found, "0400", found.said.proc, "", found.said.amount)
        de90, oddity = undo.fields[90], self.random.choice(("bank", "class", "no class", "proc"))
        if oddity == "bank":
            de90 = f"{de90[:20]}{'99999999':0>11}{de90[31:]}"
        elif oddity == "class":
            de90 = TWICE_WRONG.get(de90[:4], "0220") + de90[4:]
        elif oddity == "no class":
            de90 = "0400" + de90[4:]
        proc = (VOID if undo.said.proc == PAY else PAY) if oddity == "proc" else undo.said.proc
        fields = {**undo.fields, 3: proc, 90: de90}
        self._offer(Sent(undo.said._replace(proc=proc, de90=de90), fields))

    def _undo(self, found: Sent, mti: str, proc: str, number: str, amount: int) -> Sent:
        """A void (mti 0200) or reversal of a message."""
        key = self.key(self._moment(1 if mti == "0200" else 7))
        original = Key(int(f"2000{found.said.de7}"), found.said.stan)
        order = Order(number, amount, key.moment)
        if mti == "0200":
            fields = messages.void(self.pen.identity, order, key, original)
        else:
            fields = messages.reversal(self.pen.identity, order, key, original, proc)
        fields[90] = found.said.mti + fields[90][4:]
        said = Said(self.bank, mti, proc, key.de7, key.stan, amount, number, de90=fields[90], de13=fields.get(13, ""))
        return Sent(said, fields)

    def _inquiry(self) -> None:
        number, _, bill = self._bill()
        key = self.key(self._moment())
        fields = messages.inquiry(self.pen.identity, Order(number, 0, key.moment), key)
        said = Said(self.bank, "0100", "390000", key.de7, key.stan, 0, number, de13=fields[13])
        someone = bill.payer if bill is not None else self.place.scene.strangers
        how = self.random.choice(("number", "id", "card", "page"))
        if how in ("id", "page"):
            page = number if how == "page" else ""
            pairs = [("CH", "01"), ("ID", someone.id), *([("PG", page)] if page else [])]
            fields[48] = messages.tags.build(pairs).hex().upper()
            said = said._replace(bill="", person=someone.id, page=page)
        elif how == "card":
            fields[48] = messages.tags.build([("CH", "01")]).hex().upper()
            fields[2] = someone.card
            said = said._replace(bill="", card=someone.card)
        self._offer(Sent(said, fields))

    def _totals(self) -> None:
        model = self.place.model
        day = self.random.choice((*sorted(model.dates[self.bank]), model.open[self.bank] + timedelta(days=3)))
        told = model.totals_of(self.bank, day)
        if self.random.random() < 0.3:
            told = {**told, 74: f"{int(told[74]) + 1:010d}"}
        key = self.key(self._moment())
        fields = {7: key.de7, 11: key.stan, 15: f"{day:%m%d}", 32: self.pen.identity.institution, **told}
        said = Said(self.bank, self.random.choice(("0500", "0520")), "", key.de7, key.stan, de15=fields[15], totals=told)
        self._offer(Sent(said, dict(sorted(fields.items()))))

    def _cut_over(self) -> None:
        day: date = self.place.model.open[self.bank] + timedelta(days=self.random.choice((0, 1, 1, 2, -1)))
        key = self.key(self._moment())
        fields = messages.network(self.pen.identity, key, "201", int(f"{day:%Y%m%d}"))
        said = Said(self.bank, self.random.choice(("0800", "0820")), "", key.de7, key.stan, de15=fields[15])
        self._offer(Sent(said, fields, network="201"))

    def _echo(self) -> None:
        self._on_some_line("301")

    def _sign_off(self) -> None:
        self._on_some_line("002")

    def _on_some_line(self, code: str) -> None:
        ready = [line for line in self.lines if line.up and not line.over and line.wire.open]
        if ready:
            self.network(self.random.choice(ready), code)

    def _flawed(self) -> None:
        sent = self._payment(self._bill())
        sent.flaw = flaw = self.random.choice(
            ("mac", "mac", "pin", "institution", "unknown", "not enabled", "no terminal", "currency", "tags")
        )
        fields = sent.fields
        if flaw == "pin":
            fields[52] = "0123456789ABCDEF"
        elif flaw == "institution":
            fields[32] = "99999999"
        elif flaw == "unknown":
            fields[3] = "777777"
        elif flaw == "not enabled":
            sent.said = sent.said._replace(mti="0600")
            fields[3] = "910000"
        elif flaw == "no terminal":
            del fields[41]
        elif flaw == "currency":
            fields[49] = "840"
        elif flaw == "tags":
            fields[48] = fields[48][:-2]
        self._offer(sent)


def all_lines(cores: Sequence[Core]) -> list[BankLine]:
    return [line for core in cores for line in core.lines]
