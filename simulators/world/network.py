"""Lines between bank cores and daemons: bytes that are split, joined and late, lines that are cut or half closed.

A line keeps its bytes in order and loses none while it stands, as TCP does: messages are lost with a line that is cut,
doubled by a bank that asks again, and reordered across lines. The daemon's end is a Twisted transport, as far as
`switch.line` uses one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple, Protocol

from .reactor import Address, Life, Port
from .timeline import Timeline


class Weather(NamedTuple):
    """What the network does to bytes."""

    latency_s: tuple[float, float] = (0.001, 0.02)
    split: float = 0.0  # share of the deliveries that bring a piece only
    buffer_bytes: int = 65536  # what a transport holds before it tells its producer to pause


class Client(Protocol):
    """The bank's end."""

    def opened(self, line: Wire) -> None: ...
    def received(self, line: Wire, data: bytes) -> None: ...
    def ended(self, line: Wire) -> None:
        """No more bytes will come: closed by the switch, reset, or refused."""


class Wire:
    """One TCP connection. The client's side is this object, the server's `Transport`."""

    def __init__(self, timeline: Timeline, random: Random, weather: Weather, client: Client, number: int) -> None:
        self.number = number
        self.weather, self.client = weather, client
        self.marks: set[str] = set()  # what the bank did that lets the switch close this line
        self.open = True  # as the bank sees it
        self.by_switch = False  # it was the switch that closed it
        self.in_order = False  # after all that it had to say
        self.shut_at = float("inf")  # when the switch shut its end: what comes later is drained, not taken in
        self.deaf = False  # the bank reads nothing
        self.heard_again_at = 0.0  # when it began to read again
        self.orphaned = False  # the daemon is gone, what it had written is still on its way
        self.mute = False  # the bank says nothing
        self.sent = self.arrived = 0  # bytes towards the switch
        self.arrivals: list[tuple[int, float, int]] = []  # (arrived in all, when, the daemon's wall clock)
        self._written: list[tuple[float, bytes]] = []  # what the switch wrote, and when
        self.protocol: Any = None
        self.transport: Transport | None = None
        self.life: Life | None = None
        self._timeline, self._random = timeline, random
        self._up, self._down = bytearray(), bytearray()
        self._half_closed = self._up_pumping = self._down_pumping = False
        self._now_us: Callable[[], int] = lambda: 0

    # the bank's side

    def send(self, data: bytes) -> int:
        """Put bytes on the wire; the offset at which they end."""
        if self.open and not self._half_closed and not self.mute:
            self._up += data
            self.sent += len(data)
            self._pump_up()
        return self.sent

    def half_close(self) -> None:
        """Send no more, still read."""
        self._half_closed = True
        self._pump_up()

    def cut(self) -> None:
        """The line is lost, in both directions, with all that is on its way."""
        if not self.open:
            return
        self.open = False
        self._up.clear()
        self._down.clear()
        if self.transport is not None:
            self._server_later(self.transport.lost)
        self._timeline.later(self._delay(), self.client.ended, self)

    def close(self) -> None:
        """The bank closes: what it has sent still arrives, what comes is no longer read."""
        if self.open:
            self.open = False
            self._half_closed = True
            self._down.clear()
            self._pump_up()

    def listen_again(self) -> None:
        self.deaf = False
        self.heard_again_at = self._timeline.now
        self._pump_down()
        self._timeline.later(2.0, self._hears_well)

    def _hears_well(self) -> None:
        """From now on the switch has no reason any more to reset this line."""
        if not self.deaf:
            self.marks.discard("deaf")

    def arrived_at(self, offset: int) -> tuple[float, int] | None:
        """When the byte before that offset was read by the switch: seconds, and its wall clock; None: never."""
        at = bisect_left(self.arrivals, (offset, 0.0, 0))
        return self.arrivals[at][1:] if at < len(self.arrivals) else None

    # between

    def connect(self, port: Port, life: Life, peer: str, now_us: Callable[[], int]) -> None:
        self.life, self._now_us = life, now_us
        if not (life.lives and port.listening):
            self._refuse()
            return
        self.protocol = port.factory.buildProtocol(Address(peer, 40000 + self.number % 20000))
        if self.protocol is None:
            self.marks.add("refused")
            self.by_switch = True
            self._refuse()
            return
        self.transport = Transport(self)
        self.protocol.makeConnection(self.transport)
        if self.open:
            self.client.opened(self)
            self._pump_up()

    def process_died(self) -> None:
        """The daemon's process is gone: the system resets the line, or first delivers what was written."""
        if self.transport is not None:
            self.transport.gone = True
        if self.open and self._down and not self.deaf and self._random.random() < 0.5:
            self.orphaned = True
        elif self.open:
            self.open = False
            self._timeline.later(self._delay(), self.client.ended, self)

    def _refuse(self) -> None:
        self.open = False
        self._timeline.later(self._delay(), self.client.ended, self)

    def _delay(self) -> float:
        return self._random.uniform(*self.weather.latency_s)

    def _server_later(self, function: Callable[..., object]) -> None:
        assert self.life is not None
        self.life.later(self._delay(), function)

    def _piece(self, waiting: int) -> int:
        whole = self._random.random() >= self.weather.split
        return waiting if whole else self._random.randint(waiting // 4 + 1, waiting)

    def _pump_up(self) -> None:
        if self.transport is not None and not self._up_pumping and (self._up or self._half_closed):
            self._up_pumping = True
            self._server_later(self._bring_up)

    def _bring_up(self) -> None:
        self._up_pumping = False
        transport = self.transport
        assert transport is not None
        if transport.gone or transport.paused or transport.closing:
            return
        if self._up:
            size = min(self._piece(len(self._up)), transport.bufferSize)
            piece = bytes(self._up[:size])
            del self._up[:size]
            self.arrived += size
            self.arrivals.append((self.arrived, self._timeline.now, self._now_us()))
            self.protocol.dataReceived(piece)
        if self._up:
            self._pump_up()
        elif self._half_closed and not transport.read_closed and not transport.gone:
            transport.read_closed = True
            self.protocol.readConnectionLost()

    # towards the bank

    def write(self, data: bytes) -> None:
        self._down += data
        if data:
            self._written.append((self._timeline.now, data))
        self._pump_down()

    def written_at(self, body: bytes) -> float:
        """When the switch wrote a reply that the bank has read just now."""
        return next(when for when, data in reversed(self._written) if body in data)

    def shut(self) -> None:
        self.shut_at = min(self.shut_at, self._timeline.now)

    def wrote_since(self, when: float) -> bool:
        """Whether the switch has written anything that may answer what arrived then."""
        return bool(self._written) and self.wrote_last >= when

    @property
    def wrote_last(self) -> float:
        """When the switch wrote last; 0: never."""
        return self._written[-1][0] if self._written else 0.0

    @property
    def waiting_down(self) -> int:
        return len(self._down)

    def _pump_down(self) -> None:
        if not self._down_pumping and not self.deaf:
            self._down_pumping = True
            self._timeline.later(self._delay(), self._bring_down)

    def _bring_down(self) -> None:
        self._down_pumping = False
        transport = self.transport
        if transport is None or self.deaf:
            return
        if not self.open:  # the bank is gone: a write is answered by a reset
            self._down.clear()
            if not transport.gone:
                self._server_later(transport.lost)
            return
        if self._down:
            size = self._piece(len(self._down))
            piece = bytes(self._down[:size])
            del self._down[:size]
            self.client.received(self, piece)
        if self._down:
            self._pump_down()
            return
        if self.orphaned:
            self.open = False
            self.client.ended(self)
            return
        if self.life is not None and self.life.lives:
            transport.drained()
        if transport.write_closed and self.open:
            self.by_switch = self.in_order = True
            self.client.ended(self)


class Transport:
    """The daemon's end of a wire: what `switch.line.Transport` asks for."""

    def __init__(self, wire: Wire) -> None:
        self.bufferSize = 65536
        self.paused = self.closing = self.gone = False
        self.read_closed = self.write_closed = False
        self._wire = wire
        self._producer: Any = None
        self._choked = False

    def write(self, data: bytes) -> None:
        if self.gone or self.closing or self.write_closed:
            return
        self._wire.write(data)
        full = self._wire.waiting_down > self._wire.weather.buffer_bytes
        if full and self._producer is not None and not self._choked:
            self._choked = True
            self._producer.pauseProducing()

    def drained(self) -> None:
        if self._producer is not None and self._choked:
            self._choked = False
            self._producer.resumeProducing()
        if self.closing:
            self.lost()

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def registerProducer(self, producer: object, streaming: bool) -> None:
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False
        self._wire._pump_up()

    def loseConnection(self) -> None:
        """Closes once all is written."""
        self._wire.shut()
        self.closing = self.write_closed = True
        self._wire._pump_down()

    def loseWriteConnection(self) -> None:
        self._wire.shut()
        self.write_closed = True
        self._wire._pump_down()

    def abortConnection(self) -> None:
        wire = self._wire
        self.gone = True
        assert wire.life is not None
        wire.life.later(0.0, self._tell_lost)
        if wire.open:
            wire.open, wire.by_switch = False, True
            wire._down.clear()
            wire._timeline.later(wire._delay(), wire.client.ended, wire)

    def lost(self) -> None:
        """The connection is over."""
        if not self.gone:
            self.gone = True
            self._tell_lost()

    def _tell_lost(self) -> None:
        self._wire.protocol.connectionLost(None)
