"""One TCP connection: bytes to its session and back, and when to read no more. The listening post of a bank.

Everything that a message means is the session's affair. Here is what a socket needs: reading stops while the
session has its hands full or the bank does not read its replies; a bank that half-closes gets its replies; and a
line that we close is shut for writing first and drained, since closing over unread bytes would reset it, and the
last replies with it.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer  # type: ignore[import-untyped]

from shebao.codecs.settings import BankSettings, Limits, allowed

from .bank import Bank
from .lane import Clock, Lane
from .session import Output, Reply, Session, State, Ticket
from .tally import Tally

READ_BYTES: Final = 16384  # of one read: what a line may hold beyond its in-flight limit
DRAIN_S: Final = 2.0  # a line that we closed is drained so long, then reset


class Transport(typing.Protocol):
    """What a line uses of a TCP connection."""

    bufferSize: int  # bytes of one read

    def write(self, data: bytes) -> None: ...
    def setTcpNoDelay(self, enabled: bool) -> None: ...
    def registerProducer(self, producer: object, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def loseConnection(self) -> None: ...
    def loseWriteConnection(self) -> None: ...
    def abortConnection(self) -> None: ...


@implementer(IHalfCloseableProtocol, IPushProducer)
class Line(Protocol):
    """A bank's connection. `post` is what all lines of the bank share."""

    def __init__(self, post: Post, peer: str) -> None:
        self.peer = peer
        self.session: Session | None = None  # until the bank's keys are known
        self.born = post.clock.seconds()
        self._post = post
        self._log = post.log.bind(peer=peer)
        self._paused = False
        self._choked_since: float | None = None
        self._closed_at: float | None = None
        self._peer_closed = False
        self._gone = False

    # from Twisted

    def connectionMade(self) -> None:
        self._wire = wire = cast(Transport, self.transport)
        wire.setTcpNoDelay(True)
        wire.bufferSize = READ_BYTES
        wire.registerProducer(self, True)
        self._post.lines[self] = None
        self._steer()
        self._post.refresh_keys(self._keys_known)

    def _keys_known(self) -> None:
        if self._gone:
            return
        post = self._post
        if post.bank.keys.newest is None:
            post.tally.refused_lines += 1
            self._log.warning("line refused: the bank has no MAC key; type: keyctl load", bank=post.bank.key)
            self._close()
            return
        self.session = Session(post.bank, post.limits, post.tally, self, self._log, post.clock.seconds())
        self._steer()

    def dataReceived(self, data: bytes) -> None:
        if self.session is None or self._closed_at is not None:
            return
        try:
            self._carry(self.session.received(data, self._post.clock.seconds(), self._post.now_us()))
        except Exception as fault:  # a bug: this line is lost, no other
            self._log.error("fault in a line, closing it", fault=fault)
            self.abort()

    def readConnectionLost(self) -> None:
        """The bank half-closed: it still gets its replies (wire.md section 1)."""
        self._peer_closed = True
        if self.session is None or self._closed_at is not None:
            self._lose()
        else:
            self._carry(self.session.end(self._post.clock.seconds()))

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Any = None) -> None:
        self._gone = True
        self._post.lines.pop(self, None)
        taken = self.session.frames_taken if self.session is not None else 0
        if taken:  # connections without a message are probes: no news
            self._log.info("line closed", messages=taken)

    def pauseProducing(self) -> None:
        """The transport holds as many replies as it should: the bank does not read them."""
        self._choked_since = self._post.clock.seconds()
        self._steer()

    def resumeProducing(self) -> None:
        self._choked_since = None
        self._steer()

    def stopProducing(self) -> None:
        pass

    # from the lane and the daemon

    def answered(self, answers: Sequence[tuple[Ticket, Reply | None]]) -> None:
        """A reply leaves only on the line of its request; if that is gone, it is dropped (wire.md section 5)."""
        assert self.session is not None
        output = self.session.answered(answers, self._post.clock.seconds())
        if not self._gone:
            self._carry(output)

    def end(self) -> None:
        """Take no more, answer what was taken in, close."""
        if self.session is None:
            self._close()
        elif self._closed_at is None:
            self._carry(self.session.end(self._post.clock.seconds()))

    def tick(self) -> None:
        """About once a second."""
        now = self._post.clock.seconds()
        if self._closed_at is not None:
            if now - self._closed_at >= DRAIN_S:
                self.abort()
        elif self._choked_since is not None and now - self._choked_since >= self._post.limits.silence_s:
            self._log.warning("line reset: the bank reads no replies", seconds=self._post.limits.silence_s)
            self.abort()
        elif self.session is not None:
            self._carry(self.session.tick(now))

    @property
    def signed_on(self) -> bool:
        return self.session is not None and self.session.state is State.SIGNED_ON

    def abort(self) -> None:
        self._post.lines.pop(self, None)  # at once: the socket goes in a later turn, and its place is needed now
        if not self._gone:
            self._wire.abortConnection()

    # to the transport

    def _carry(self, output: Output) -> None:
        if output.send:
            self._wire.write(output.send)
        if output.tickets:
            self._post.lane.submit(output.tickets)
        if output.close:
            self._close()
        self._steer()

    def _steer(self) -> None:
        """Read exactly while bytes are wanted."""
        if self._gone or self._peer_closed:
            return
        wanted = self._closed_at is not None or (
            self.session is not None and self.session.reading and self._choked_since is None
        )
        if wanted == self._paused:
            self._paused = not wanted
            (self._wire.resumeProducing if wanted else self._wire.pauseProducing)()

    def _close(self) -> None:
        if self._closed_at is not None or self._gone:
            return
        self._closed_at = self._post.clock.seconds()
        if self._peer_closed:
            self._lose()
        else:
            self._wire.unregisterProducer()
            self._wire.loseWriteConnection()
            self._steer()

    def _lose(self) -> None:
        self._wire.unregisterProducer()
        self._wire.loseConnection()


class Post(Factory):
    """A bank's listening post: who may connect, and what its lines share."""

    noisy = False

    def __init__(
        self,
        bank: Bank,
        settings: BankSettings,
        limits: Limits,
        tally: Tally,
        lane: Lane,
        clock: Clock,
        now_us: Callable[[], int],
        refresh_keys: Callable[[Callable[[], None]], None],
        log: Any,
    ) -> None:
        self.bank, self.settings, self.limits, self.tally, self.lane = bank, settings, limits, tally, lane
        self.clock, self.now_us, self.refresh_keys, self.log = clock, now_us, refresh_keys, log.bind(bank=bank.key)
        self.lines: dict[Line, None] = {}  # in the order in which they came, so that a run can be repeated

    def buildProtocol(self, addr: IAddress | None) -> Line | None:
        """A line for an allowed peer, else None: the connection is closed without a word."""
        peer = str(getattr(addr, "host", ""))
        if not allowed(self.settings, peer):
            self._refuse("peer is not in the bank's allow list", peer)
            return None
        if len(self.lines) >= self.limits.lines_per_bank_max and not self._make_room():
            self._refuse("the bank has as many lines as it may", peer)
            return None
        return Line(self, peer)

    def tick(self) -> None:
        for line in list(self.lines):
            line.tick()

    def take_settings(self, settings: BankSettings, limits: Limits) -> None:
        """A configuration read again: the allow list for new lines, limits for all."""
        self.settings, self.limits = settings, limits
        for line in self.lines:
            if line.session is not None:
                line.session.limits = limits

    def end(self) -> None:
        """Let every line end."""
        for line in list(self.lines):
            line.end()

    @property
    def in_flight(self) -> int:
        return sum(line.session.in_flight for line in list(self.lines) if line.session is not None)

    def _refuse(self, why: str, peer: str) -> None:
        self.tally.refused_lines += 1
        self.log.info("line refused", why=why, peer=peer)

    def _make_room(self) -> bool:
        """Lines that never sign on must not hold the bank's places: the oldest of them gives way."""
        idle = [line for line in self.lines if not line.signed_on]
        if idle:
            min(idle, key=lambda line: line.born).abort()
        return bool(idle)
