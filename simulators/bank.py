"""A bank core: lines, sign-on, payments that go well or badly, its own books. Sans-IO.

Bytes come in by `received`, go out by `take`; time is an argument, in seconds of the bank's own clock, which a
driver may speed up. As a real bank does, it never leaves an outcome open: a payment that was not answered
within 30 s is reversed by an advice that is repeated until it is answered, and what was collected while no line
was up is told afterwards, store and forward. Steps of an order: `cases`; what replies mean: `outcomes`.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, NamedTuple

from shebao.codecs.errors import Unreadable
from shebao.codecs.framing import Framer
from shebao.codecs.message import Decoded

from . import messages, outcomes
from .books import Books
from .cases import AFTER_TIMEOUT, FATES, FORWARDED, GIVEN_UP, MTI, Answer, Case, Sent, make
from .memory import MONEY, Memory
from .messages import APPROVED, Key, Order, Reply
from .wire import Wire

TIMEOUT_S: Final = 30.0  # of the bank's clock, until a message counts as not answered
HEARTBEAT_S: Final = 60.0  # of silence of our own
TRIES_MAX: Final = 5  # of a customer's payment that the switch could not do
PROBLEMS_KEPT: Final = 100
STAN_MAX: Final = 999_999
SIGN_ON, SIGN_OFF, CUT_OVER, ECHO = "001", "002", "201", "301"  # DE70


class Line:
    """One connection: CONNECTED until its sign-on is approved, then SIGNED_ON."""

    __slots__ = ("framer", "in_flight", "number", "sent_at", "signed_on")

    def __init__(self, number: int, framer: Framer, now: float) -> None:
        self.number, self.framer, self.sent_at = number, framer, now
        self.signed_on = False
        self.in_flight = 0


class Outgoing(NamedTuple):
    line: int
    data: bytes


class Bank:
    def __init__(
        self, wire: Wire, clock: Callable[[], int], timeout_s: float = TIMEOUT_S, memory: Memory | None = None
    ) -> None:
        """clock: the moment YYYYMMDDhhmmss now, for messages that are no customer's. memory: of a bank that lives
        through faults: it keeps every answer, is patient, and asks again for whatever it may ask again."""
        self.wire = wire
        self.who = wire.identity
        self.books = Books()
        self.problems: list[str] = []
        self.problem_count = 0
        self.codes: Counter[tuple[str, str]] = Counter()  # (step, DE39) -> replies
        self.timeouts = 0
        self.open_cases = 0
        self.done = 0  # orders that came to their end
        self.answered_at: array[float] = array("d")  # one for each reply in time, of the bank's clock
        self.waited_s: array[float] = array("d")  # beside it: how long it took
        self._clock = clock
        self._timeout_s = timeout_s
        self._memory = memory
        self._stan = 0
        self._lines: dict[int, Line] = {}
        self._up: list[Line] = []  # those signed on
        self._waiting: dict[tuple[str, str], Sent] = {}
        self._deadlines: deque[tuple[float, Sent]] = deque()
        self._asked_twice: set[tuple[str, str]] = set()  # may be answered twice
        self._overdue: dict[tuple[str, str], Sent] = {}  # timed out: their replies may still come
        self._held: dict[tuple[str, str], bytes] = {}  # replies that are to be late
        self._forward: deque[Sent] = deque()  # store and forward, until a line is up
        self._parked: deque[Case] = deque()  # the next step needs a line
        self._again: deque[tuple[float, Sent]] = deque()  # not done: once more later
        self._out: list[Outgoing] = []

    @property
    def lines_up(self) -> int:
        return len(self._up)

    @property
    def in_flight(self) -> int:
        return len(self._waiting)

    # What a driver tells

    def connected(self, number: int, now: float) -> None:
        line = self._lines[number] = Line(number, self.wire.framer(), now)
        self._sign_on(line, now)

    def _sign_on(self, line: Line, now: float) -> None:
        key = self._key(self._clock())
        fields = messages.network(self.who, key, SIGN_ON)
        self._post(Sent("network", "", key, MTI["network"], fields, None), line, now)

    def disconnected(self, number: int) -> None:
        """What is in flight on that line will time out: nothing else is known."""
        line = self._lines.pop(number, None)
        if line in self._up:
            self._up.remove(line)

    def received(self, number: int, data: bytes, now: float) -> None:
        line = self._lines.get(number)
        if line is None:
            return
        frames, error = line.framer.feed(data)
        for frame in frames:
            if frame.body:  # else a heartbeat
                self._reply(frame.body, now)
        if error is not None:
            self._problem(f"the stream of line {number} broke: {error.detail}")

    def offer(self, order: Order, now: float) -> None:
        """A customer's order. With no line up, the bank collects and tells it later by an advice."""
        self.open_cases += 1
        self._go_on(Case(order, FATES[order.fate] if self._up else ("advise",)), now)

    def ask_totals(self, date: int, now: float, answer: Answer) -> None:
        """An 0500 with the own books' totals of a settlement date."""
        sums = self.books.totals(date)
        key = self._key(self._clock())
        credits, reversals = (sums.payments, sums.payments_fen), (sums.reversals, sums.reversals_fen)
        self._ask("totals", key, messages.totals(self.who, key, date, credits, reversals), now, answer)

    def ask_network(self, code: str, now: float, answer: Answer, date: int = 0) -> None:
        """Sign-off, echo, or the cut-over to a date."""
        key = self._key(self._clock())
        self._ask("network", key, messages.network(self.who, key, code, date), now, answer)

    def ask_again(self, sent: Sent, now: float, answer: Answer) -> None:
        """What was answered long ago, once more; the memory compares."""
        again = Sent(sent.step, "sure", sent.key, messages.repeat_mti(sent.mti), sent.fields, None)
        again.answer = answer
        self._post_or_store(again, now)

    def tick(self, now: float) -> None:
        """Time-outs, second attempts, heartbeats; to be called at least once a second of the bank's clock."""
        while self._deadlines and self._deadlines[0][0] <= now:
            self._timed_out(self._deadlines.popleft()[1], now)
        while self._again and self._again[0][0] <= now:
            self._once_more(self._again.popleft()[1], now)
        for line in self._lines.values():
            if now - line.sent_at >= HEARTBEAT_S:
                line.sent_at = now
                self._out.append(Outgoing(line.number, self.wire.heartbeat))

    def take(self) -> list[Outgoing]:
        """What is to be sent, in order."""
        out, self._out = self._out, []
        return out

    # Sending

    def _go_on(self, case: Case, now: float) -> None:
        """The case's next step, or its end."""
        if not case.todo:
            self.open_cases -= 1
            self.done += 1
            return
        step, _, mode = case.todo[0].partition(" ")
        if not self._up and step not in FORWARDED:
            self._parked.append(case)
            return
        case.todo.popleft()
        self._post_or_store(make(step, mode, case, self.who, self._key), now)

    def _post_or_store(self, sent: Sent, now: float) -> None:
        if self._up:
            self._post(sent, self._free_line(), now)
        else:
            self._forward.append(sent)

    def _post(self, sent: Sent, line: Line, now: float) -> None:
        sent.line, sent.at = line.number, now
        line.in_flight += 1
        line.sent_at = now
        self._waiting[sent.wire_key] = sent
        if self._memory is not None:
            self._memory.ask(sent.wire_key)
        self._deadlines.append((now + self._timeout_s, sent))
        self._out.append(Outgoing(line.number, self.wire.pack(sent.mti, sent.fields)))

    def _ask(self, step: str, key: Key, fields: dict[int, str], now: float, answer: Answer) -> None:
        if not self._up:
            answer(None, None)
            return
        sent = Sent(step, "", key, MTI[step], fields, None)
        sent.answer = answer
        self._post(sent, self._free_line(), now)

    def _free_line(self) -> Line:
        return self._up[0] if len(self._up) == 1 else min(self._up, key=lambda line: line.in_flight)

    def _key(self, moment: int) -> Key:
        self._stan = self._stan % STAN_MAX + 1
        return Key(moment, f"{self._stan:06d}")

    # What did not go well

    def _timed_out(self, sent: Sent, now: float) -> None:
        if self._waiting.get(sent.wire_key) is not sent or now < sent.at + self._timeout_s:
            return  # answered, or sent again since
        self._no_longer_waits(sent)
        self.timeouts += 1
        if sent.forwarded:
            self._asked_twice.add(sent.wire_key)
            sent.mti = messages.repeat_mti(sent.mti)
            self._post_or_store(sent, now)
            return
        if sent.answer is not None:
            sent.answer(None, None)
        if sent.case is None:
            line = self._lines.get(sent.line)
            if line is not None and sent.fields.get(70) == SIGN_ON:
                self._sign_on(line, now)
            return
        self._overdue[sent.wire_key] = sent
        if sent.step in GIVEN_UP:
            sent.case.todo.clear()
        sent.case.todo.extendleft(reversed(AFTER_TIMEOUT[sent.step]))
        held = self._held.pop(sent.wire_key, None)
        if held is not None:
            self._reply(held, now)
        self._go_on(sent.case, now)

    def _once_more(self, sent: Sent, now: float) -> None:
        """After a reply that says: not done."""
        if sent.forwarded:
            sent.mti = messages.repeat_mti(sent.mti)
            self._post_or_store(sent, now)
        elif sent.case is not None:
            if sent.case.tries < TRIES_MAX or self._memory is not None:
                sent.case.todo.appendleft(sent.step)
            else:
                self._problem(f"{sent.step} of {sent.case.order.bill}: not done, {TRIES_MAX} times")
                sent.case.todo.clear()
            self._go_on(sent.case, now)

    def _no_longer_waits(self, sent: Sent) -> None:
        del self._waiting[sent.wire_key]
        line = self._lines.get(sent.line)
        if line is not None:
            line.in_flight -= 1

    def _problem(self, text: str) -> None:
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(f"{self.who.bank}: {text}")

    # Replies

    def _reply(self, body: bytes, now: float) -> None:
        try:
            decoded = self.wire.unpack(body)
        except Unreadable as fault:
            return self._problem(f"a reply can't be read: {fault.reason}")
        if decoded is None:
            return self._problem("a reply has a wrong MAC")
        wire_key = decoded.fields.get(7, ""), decoded.fields.get(11, "")
        if self._memory is not None and decoded.mti[1] in MONEY:
            self._memory.tell(wire_key, decoded.fields.get(39, ""), self.wire.without_mti_and_mac(body))
        sent = self._waiting.get(wire_key)
        if sent is None:
            return self._late(wire_key, decoded)
        if sent.mode == "lost":
            return None
        if sent.mode == "late":
            self._held[wire_key] = body
            return None
        self._no_longer_waits(sent)
        self.answered_at.append(now)
        self.waited_s.append(now - sent.at)
        return self._act_on(sent, self._read(sent, decoded), decoded, body, now)

    def _late(self, wire_key: tuple[str, str], decoded: Decoded) -> None:
        sent = self._overdue.get(wire_key)
        if sent is None:
            if wire_key in self._asked_twice or (self._memory is not None and self._memory.knows(wire_key)):
                return
            self._problem(f"a reply {decoded.mti} to nothing that waits: {' '.join(wire_key)}")
        elif sent.mode != "lost" and sent.case is not None and sent.case.paid == sent.key:
            sent.case.late = self._read(sent, decoded)

    def _read(self, sent: Sent, decoded: Decoded) -> Reply:
        step = sent.step if sent.step != "repeat" else ("pay" if sent.mti[:3] == "020" else "advise")
        reply = messages.read_reply(step, sent.mti, sent.fields, decoded, sent.key.moment // 1_000_000)
        for fault in reply.faults:
            self._problem(f"the reply to {sent.mti} {sent.step} {sent.key.de7} {sent.key.stan}: {fault}")
        self.codes[sent.step, reply.code] += 1
        return reply

    def _act_on(self, sent: Sent, reply: Reply, decoded: Decoded, body: bytes, now: float) -> None:
        case = sent.case
        if reply.code in outcomes.NOT_DONE and (case is not None or sent.mode == "sure"):
            self._again.append((now + self._timeout_s, sent))
        elif case is None:
            if sent.step == "network":
                self._line_state(sent, reply, now)
            if sent.answer is not None:
                sent.answer(reply, decoded)
        else:
            kept = self.wire.without_mti_and_mac(body)
            for complaint in outcomes.settle(self.books, self.who, sent, reply, decoded, kept):
                self._problem(complaint)
            if self._memory is not None and case.receipt and case.paid == sent.key and sent.step in ("pay", "advise"):
                self._memory.acknowledge(sent)
            self._go_on(case, now)

    def _line_state(self, sent: Sent, reply: Reply, now: float) -> None:
        line = self._lines.get(sent.line)
        if line is None:
            return
        if reply.code != APPROVED:
            self._problem(f"network message {sent.fields[70]} was answered {reply.code}")
        elif sent.fields[70] == SIGN_ON and not line.signed_on:
            line.signed_on = True
            self._up.append(line)
            self._line_is_up(now)
        elif sent.fields[70] == SIGN_OFF and line.signed_on:
            line.signed_on = False
            self._up.remove(line)

    def _line_is_up(self, now: float) -> None:
        """First what was stored, then what had to wait."""
        while self._forward:
            self._post(self._forward.popleft(), self._free_line(), now)
        for _ in range(len(self._parked)):
            self._go_on(self._parked.popleft(), now)
