"""One line's protocol, sans-IO: bytes in, replies and tickets for the lane out, `now` as an argument.

    before sign-on --0800/001--> signed on --0800/002--> signing off --all answered--> before sign-on

Beside its state a session counts what it owes (`in_flight`), holds what it may not take yet (frames past the
limit, or behind a sign-off), and knows whether it is ending: then it takes no more bytes, answers what it took
in, and asks to be closed. It touches no socket, no ledger and no clock. `line` carries its output out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, NamedTuple, Protocol

from shebao.codecs.errors import Code, Unreadable
from shebao.codecs.framing import Frame, Framer, heartbeat
from shebao.codecs.mac import MacKey
from shebao.codecs.message import Decoded
from shebao.codecs.settings import Limits
from shebao.ledger.facts import Request

from . import services
from .bank import Bank
from .intake import Refusal, admit, is_skewed, moment_of, request_of, take_apart
from .replies import echo_of, plain, seal
from .services import Service
from .tally import Tally

NOTES_MAX: Final = 5  # log lines of one kind that one line may cause


class State(Enum):
    BEFORE_SIGN_ON = "before sign-on"
    SIGNED_ON = "signed on"
    SIGNING_OFF = "signing off"


# What moves a line's state (wire.md section 6, rule 11). A pair that is not here is impossible.
TRANSITIONS: Final = {
    (State.BEFORE_SIGN_ON, services.SIGN_ON): State.SIGNED_ON,
    (State.SIGNED_ON, services.SIGN_ON): State.SIGNED_ON,
    (State.BEFORE_SIGN_ON, services.SIGN_OFF): State.SIGNING_OFF,
    (State.SIGNED_ON, services.SIGN_OFF): State.SIGNING_OFF,
    (State.BEFORE_SIGN_ON, services.ECHO_TEST): State.BEFORE_SIGN_ON,
    (State.SIGNED_ON, services.ECHO_TEST): State.SIGNED_ON,
    (State.SIGNING_OFF, None): State.BEFORE_SIGN_ON,  # all earlier requests are answered
}


class Owner(Protocol):
    """Who brings a ticket's answer back to its session: the line."""

    def answered(self, answers: Sequence[tuple[Ticket, Reply | None]]) -> None: ...


class Reply(NamedTuple):
    """What the lane says to a ticket: the code, and the reply body without MTI and MAC."""

    code: str
    tail: bytes


class Ticket(NamedTuple):
    """A request on its way through the lane, with all that its reply will need."""

    request: Request
    service: Service
    owner: Owner
    key: MacKey  # verified the request, so it seals the reply
    envelope: bytes
    began: float  # when its last byte was read


class Output(NamedTuple):
    """What a session wants done: bytes sent, tickets handed to the lane, the line closed after the bytes."""

    send: bytes = b""
    tickets: Sequence[Ticket] = ()
    close: bool = False


class _Held(NamedTuple):
    frame: Frame
    began: float
    received_us: int


class Log(Protocol):
    """Structured log lines: an event and plain values, never a field's value."""

    def debug(self, event: str, **values: object) -> object: ...
    def info(self, event: str, **values: object) -> object: ...
    def warning(self, event: str, **values: object) -> object: ...
    def error(self, event: str, **values: object) -> object: ...


class Session:
    """The protocol of one line, from its first byte to its last. Times are seconds of a monotonic clock."""

    def __init__(self, bank: Bank, limits: Limits, tally: Tally, owner: Owner, log: Log, now: float) -> None:
        self.state = State.BEFORE_SIGN_ON
        self.in_flight = 0
        self.ending = False
        self.frames_taken = 0
        self.limits = limits
        self._bank, self._tally, self._owner, self._log = bank, tally, owner, log
        self._framer = Framer(bank.dialect.framing, bank.station)
        self._held: deque[_Held] = deque()
        self._sign_off: tuple[_Held, Decoded, MacKey] | None = None
        self._mac_failures = 0
        self._replies_seen = 0
        self._heard = self._sent = now
        self._frame_began: float | None = None
        self._send: list[bytes] = []
        self._tickets: list[Ticket] = []

    @property
    def reading(self) -> bool:
        """Whether more bytes are wanted; past the in-flight limit they are not (wire.md section 6, rule 9)."""
        return not self.ending and not self._held and self.in_flight < self.limits.in_flight_per_line

    # what may happen to a line

    def received(self, data: bytes, now: float, now_us: int) -> Output:
        """Bytes came in at `now`; `now_us` is the same moment since the epoch."""
        if self.ending:
            return Output()
        self._heard = now
        frames, error = self._framer.feed(data)
        if not self._framer.partial:
            self._frame_began = None
        elif frames or self._frame_began is None:
            self._frame_began = now
        self._held.extend(_Held(frame, now, now_us) for frame in frames)
        if error is not None:
            self._reject(error.reason, error.detail)
        return self._proceed(now)

    def answered(self, answers: Sequence[tuple[Ticket, Reply | None]], now: float) -> Output:
        """The lane has answered tickets of this line; None: no answer will be given, the bank will ask again."""
        codec, framing, as_hex = self._bank.codec, self._bank.dialect.framing, self._bank.dialect.mac.hex
        for ticket, reply in answers:
            self._tally.request(ticket.service.name, reply.code if reply else "other", now - ticket.began)
            if reply is not None:
                mti = codec.encode_mti(services.reply_mti(ticket.request.mti))
                self._send.append(seal(framing, ticket.envelope, mti, reply.tail, ticket.key, as_hex))
        self.in_flight -= len(answers)
        return self._proceed(now)

    def end(self, now: float) -> Output:
        """No more bytes will be taken: the bank half-closed the line, or the switch stops."""
        self.ending = True
        return self._proceed(now)

    def tick(self, now: float) -> Output:
        """Time has passed. Call about once a second."""
        if not self.reading:  # whoever does not listen can't complain of silence
            self._heard = now
            self._frame_began = None if self._frame_began is None else now
        for due, act in self._timers():
            if not self.ending and now >= due:
                act(now)
        return self._proceed(now)

    def _timers(self) -> tuple[tuple[float, Callable[[float], None]], ...]:
        """The table of a line's timers: when due, what then (wire.md section 1)."""
        limits = self.limits
        forever = float("inf")
        return (
            (self._sent + limits.heartbeat_s, self._beat),
            (self._heard + limits.silence_s, self._fall_silent),
            (forever if self._frame_began is None else self._frame_began + limits.frame_timeout_s, self._give_up_frame),
        )

    def _beat(self, now: float) -> None:
        self._send.append(heartbeat(self._bank.dialect.framing))

    def _fall_silent(self, now: float) -> None:
        self._log.info("line silent", seconds=self.limits.silence_s)
        self.ending = True

    def _give_up_frame(self, now: float) -> None:
        self._reject("incomplete", f"a frame not complete after {self.limits.frame_timeout_s} s")

    # taking frames

    def _proceed(self, now: float) -> Output:
        """Take what may be taken now, then say what is to be done."""
        if self.state is State.SIGNING_OFF and self.in_flight == 0:
            self._signed_off()
        while self._held and self.in_flight < self.limits.in_flight_per_line and self.state is not State.SIGNING_OFF:
            held = self._held.popleft()
            if held.frame.body:
                self._take(held)
        if self._send:
            self._sent = now
        output = Output(
            b"".join(self._send), self._tickets, self.ending and not self._held and self.in_flight == 0
        )
        self._send, self._tickets = [], []
        return output

    def _take(self, held: _Held) -> None:
        """One message: the order of checks of wire.md section 6, rule 1."""
        self.frames_taken += 1
        try:
            decoded = self._bank.codec.decode(held.frame.body)
        except Unreadable as fault:
            self._reject(fault.reason, "message unreadable")
            self._held.clear()
            return
        if services.is_reply(decoded.mti):
            self._ignore_reply(decoded)
            return
        key = self._bank.keys.verify(held.frame.body) if decoded.mac_field else None
        if key is None:
            self._fail_mac(held, decoded)
            return
        self._mac_failures = 0
        if is_skewed(moment_of(decoded.fields[7], held.received_us), held.received_us):
            self._tally.skewed += 1
        service = admit(self._bank, decoded, self.state is State.SIGNED_ON)
        if isinstance(service, Refusal):
            self._refuse(held, decoded, service, key)
            return
        tags = take_apart(decoded, service)
        if isinstance(tags, Refusal):
            self._refuse(held, decoded, tags, key)
            return
        if tags.unknown:
            self._tally.unknown_tags += len(tags.unknown)
        if not service.asks:
            self._serve(held, decoded, service, key)
            return
        request = request_of(self._bank, decoded, service, tags, held.received_us)
        if isinstance(request, Refusal):
            self._refuse(held, decoded, request, key)
            return
        self.in_flight += 1
        self._tickets.append(Ticket(request, service, self._owner, key, held.frame.envelope, held.began))

    def _serve(self, held: _Held, decoded: Decoded, service: Service, key: MacKey) -> None:
        """Sign-on, sign-off, echo: answered by the line itself (wire.md section 6, rule 11)."""
        before, self.state = self.state, TRANSITIONS[self.state, service]
        if service is services.SIGN_OFF:
            self._sign_off = (held, decoded, key)
            if self.in_flight == 0:
                self._signed_off()
            return
        if before is not self.state:
            self._log.info("signed on")
        self._reply(held, decoded, service, Refusal(Code.APPROVED), key)

    def _signed_off(self) -> None:
        assert self._sign_off is not None, "signing off without a sign-off"
        held, decoded, key = self._sign_off
        self._sign_off = None
        self.state = TRANSITIONS[self.state, None]
        self._log.info("signed off")
        self._reply(held, decoded, services.SIGN_OFF, Refusal(Code.APPROVED), key)

    # refusing

    def _fail_mac(self, held: _Held, decoded: Decoded) -> None:
        """A0; the fifth in a row is answered and ends the line (wire.md section 3)."""
        self._mac_failures += 1
        self._tally.mac_failures += 1
        self._log.warning("MAC wrong", in_a_row=self._mac_failures, mti=decoded.mti)
        key = self._bank.keys.newest
        if key is not None:
            self._refuse(held, decoded, Refusal(Code.MAC), key)
        if self._mac_failures >= self.limits.mac_failures_max:
            self.ending = True
            self._held.clear()

    def _refuse(self, held: _Held, decoded: Decoded, refusal: Refusal, key: MacKey) -> None:
        self._reply(held, decoded, services.service_of(decoded.mti, decoded.fields), refusal, key)

    def _reply(self, held: _Held, decoded: Decoded, service: Service, refusal: Refusal, key: MacKey) -> None:
        bank = self._bank
        tail = plain(bank.codec, decoded.mti, echo_of(decoded.fields, service.echo), refusal.code, refusal.field)
        mti = bank.codec.encode_mti(services.reply_mti(decoded.mti))
        frame = seal(bank.dialect.framing, held.frame.envelope, mti, tail, key, bank.dialect.mac.hex)
        self._send.append(frame)
        self._tally.request(service.name, refusal.code, 0.0)

    def _ignore_reply(self, decoded: Decoded) -> None:
        """A message that is itself a reply: counted, logged, never answered, the line kept (wire.md section 5)."""
        self._tally.reject("reply")
        self._replies_seen += 1
        if self._replies_seen <= NOTES_MAX:
            self._log.warning("reply-type message ignored", mti=decoded.mti)

    def _reject(self, reason: str, detail: str) -> None:
        """The stream can't be trusted any more: count it, log it, end the line (wire.md section 1)."""
        self._tally.reject(reason)
        self._log.warning("frame rejected, closing the line", reason=reason, detail=detail)
        self.ending = True
