"""The TCP driver of a bank core: connections, the turn of the clock, and no more in flight than its window.

All of the protocol is in `bank`; here are the reactor and its timers, handed in as an argument. `speed` is how
many seconds of the bank's clock pass in one of ours, so that its time-out of 30 s need not be waited for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConnector
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from shebao.codecs.message import Decoded

from .bank import CUT_OVER, SIGN_OFF, Bank
from .cases import Sent
from .messages import Order, Reply

TICK_S: Final = 0.02
RECONNECT_S: Final = 0.2
WINDOW: Final = 64  # messages in flight per line
LINES_MAX: Final = 64
SIGN_ON_WITHIN_S: Final = 15.0  # of our clock, for all lines

Address = tuple[str, int]
Answered = tuple[Reply | None, Decoded | None]


class SignOnFailed(Exception):
    """Connected, perhaps, but not signed on in time; one line for the user."""


class BankLine(Protocol):
    transport: Any  # what a TCP connection has is more than ITransport tells

    def __init__(self, driver: Driver, number: int, address: Address) -> None:
        self.driver, self.number, self.address = driver, number, address

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.driver.line_made(self)

    def dataReceived(self, data: bytes) -> None:
        self.driver.line_received(self.number, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.driver.line_lost(self.number)


class _LineFactory(ClientFactory):
    noisy = False

    def __init__(self, driver: Driver, number: int, address: Address) -> None:
        self.driver, self.number, self.address = driver, number, address

    def buildProtocol(self, addr: Any) -> BankLine:
        return BankLine(self.driver, self.number, self.address)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self.driver.connect_failed(reason, self.address)


class Driver:
    """Runs one bank core against one port of the switch."""

    def __init__(
        self,
        reactor: Any,
        bank: Bank,
        address: Address,
        *,
        lines: int = 2,
        window: int = WINDOW,
        speed: float = 1.0,
        rate: float = 0.0,
    ) -> None:
        """rate: orders offered a second, 0 as fast as the window allows."""
        self.bank = bank
        self.speed = speed
        self._reactor = reactor
        self._addresses = [address]
        self._lines_wanted = max(1, min(lines, LINES_MAX))
        self._window = window
        self._rate = rate
        self._lines: dict[int, BankLine] = {}
        self._numbers = 0
        self._closing = False
        self._down_until_told = False
        self._orders: Iterator[Order] = iter(())
        self._exhausted = True
        self._began = 0.0
        self._offered = 0
        self._finished: Deferred[None] | None = None
        self._signed_on: Deferred[None] | None = None
        self._closed: Deferred[None] | None = None
        self._ticker = LoopingCall(self._tick)
        self._ticker.clock = reactor

    # What a script asks for

    def open(self) -> Deferred[None]:
        """Connects; fires when every line is signed on, fails when the port can't be reached or does not let us."""
        self._signed_on = Deferred()
        self._began = self._reactor.seconds()
        signed_on = self._signed_on
        self._ticker.start(TICK_S, now=False)
        self._connect_all()
        return signed_on

    def run(self, orders: Iterable[Order]) -> Deferred[None]:
        """Offers these orders; fires when each came to its end and nothing is in flight."""
        self._orders, self._exhausted = iter(orders), False
        self._began, self._offered = self._reactor.seconds(), 0
        self._finished = Deferred()
        finished = self._finished
        self._turn()
        return finished

    def totals(self, date: int) -> Deferred[Answered]:
        answered: Deferred[Answered] = Deferred()
        self.bank.ask_totals(date, self._now(), lambda reply, decoded: answered.callback((reply, decoded)))
        self._flush()
        return answered

    def network(self, code: str, date: int = 0) -> Deferred[Answered]:
        answered: Deferred[Answered] = Deferred()
        self.bank.ask_network(code, self._now(), lambda reply, decoded: answered.callback((reply, decoded)), date)
        self._flush()
        return answered

    def cut_over(self, new_date: int) -> Deferred[Answered]:
        return self.network(CUT_OVER, new_date)

    def again(self, sent: Sent) -> Deferred[Answered]:
        """A request that was answered before, once more; until it is answered."""
        answered: Deferred[Answered] = Deferred()
        self.bank.ask_again(sent, self._now(), lambda reply, decoded: answered.callback((reply, decoded)))
        return answered

    def lose_lines(self, collect: int) -> None:
        """Drops every line at once, whatever is in flight, and takes the next orders without any."""
        self._down_until_told = True
        for line in list(self._lines.values()):
            line.transport.abortConnection()
            self.bank.disconnected(line.number)
        self._lines.clear()
        for _ in range(collect):
            if not self._offer_next():
                break

    def come_back(self) -> None:
        self._down_until_told = False
        self._connect_all()

    def also(self, address: Address) -> None:
        """As many lines to another daemon too."""
        self._addresses.append(address)
        self._connect_all()

    def leave(self, address: Address) -> None:
        """No line to that daemon any more, whatever is in flight."""
        self._addresses.remove(address)
        for line in [line for line in self._lines.values() if line.address == address]:
            line.transport.abortConnection()

    def close(self) -> Deferred[None]:
        """Signs off and hangs up; fires when all lines are closed."""
        self._closing = True
        self._closed = Deferred()
        closed = self._closed
        if not self._lines:
            self._hung_up()
        for _ in self._lines:
            self.bank.ask_network(SIGN_OFF, self._now(), lambda reply, decoded: self._hang_up())
        self._flush()
        return closed

    def abandon(self) -> None:
        """Hangs up at once."""
        self._closing = True
        for line in list(self._lines.values()):
            line.transport.abortConnection()
        if self._ticker.running:
            self._ticker.stop()

    # What the lines tell

    def line_made(self, line: BankLine) -> None:
        if self._closing or self._down_until_told:
            line.transport.abortConnection()
            return
        self._lines[line.number] = line
        self.bank.connected(line.number, self._now())
        self._flush()

    def line_received(self, number: int, data: bytes) -> None:
        if number not in self._lines:
            return
        self.bank.received(number, data, self._now())
        if self._signed_on is not None and self.bank.lines_up >= self._lines_wanted:
            signed_on, self._signed_on = self._signed_on, None
            signed_on.callback(None)
        self._turn()

    def line_lost(self, number: int) -> None:
        line = self._lines.pop(number, None)
        if line is None:
            return
        self.bank.disconnected(number)
        if self._closing:
            if not self._lines:
                self._hung_up()
        elif not self._down_until_told:
            self._reactor.callLater(RECONNECT_S, self._connect, line.address)

    def connect_failed(self, reason: Failure, address: Address) -> None:
        if self._signed_on is not None:
            signed_on, self._signed_on = self._signed_on, None
            signed_on.errback(reason)
        elif not self._closing and not self._down_until_told:
            self._reactor.callLater(RECONNECT_S, self._connect, address)

    # The turn

    def _connect_all(self) -> None:
        for address in self._addresses:
            for _ in range(self._lines_wanted):
                self._connect(address)

    def _connect(self, address: Address) -> None:
        if self._closing or self._down_until_told or address not in self._addresses:
            return
        if sum(line.address == address for line in self._lines.values()) >= self._lines_wanted:
            return
        self._numbers += 1
        self._reactor.connectTCP(*address, _LineFactory(self, self._numbers, address), timeout=10)

    def _now(self) -> float:
        return float(self._reactor.seconds()) * self.speed

    def _tick(self) -> None:
        self.bank.tick(self._now())
        if self._signed_on is not None and self._reactor.seconds() - self._began > SIGN_ON_WITHIN_S:
            signed_on, self._signed_on = self._signed_on, None
            why = self.bank.problems[-1] if self.bank.problems else "no answer"
            signed_on.errback(SignOnFailed(f"{self.bank.who.bank}: not signed on: {why}"))
        self._turn()

    def _turn(self) -> None:
        """Takes orders as the window and the rate allow, sends what is due, and sees whether all is done."""
        room = self._window * self.bank.lines_up
        while not self._exhausted and self.bank.in_flight < room and self._due():
            self._offer_next()
        self._flush()
        if self._exhausted and self._finished is not None and not self.bank.open_cases:
            finished, self._finished = self._finished, None
            finished.callback(None)

    def _due(self) -> bool:
        return not self._rate or self._offered < self._rate * (self._reactor.seconds() - self._began)

    def _offer_next(self) -> bool:
        order = next(self._orders, None)
        if order is None:
            self._exhausted = True
            return False
        self._offered += 1
        self.bank.offer(order, self._now())
        return True

    def flush(self) -> None:
        """Send what was asked since the last turn, at once."""
        self._flush()

    def _flush(self) -> None:
        """One write a line and turn."""
        parts: dict[int, list[bytes]] = {}
        for number, data in self.bank.take():
            parts.setdefault(number, []).append(data)
        for number, pieces in parts.items():
            line = self._lines.get(number)
            if line is not None:
                line.transport.write(b"".join(pieces))

    def _hang_up(self) -> None:
        if self.bank.lines_up == 0:
            for line in list(self._lines.values()):
                line.transport.loseConnection()

    def _hung_up(self) -> None:
        if self._ticker.running:
            self._ticker.stop()
        if self._closed is not None:
            closed, self._closed = self._closed, None
            closed.callback(None)
