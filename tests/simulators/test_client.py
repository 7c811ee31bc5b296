"""The driver: connections, window, rate, lost lines; on a reactor in memory whose clock is turned by hand."""

from __future__ import annotations

import random
from typing import Any

import pytest
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from twisted.python.failure import Failure

from shebao.simulators import population, traffic
from shebao.simulators.client import RECONNECT_S, TICK_S, Driver, SignOnFailed

TODAY = 20261125
BILLS = population.populate(1, 60, TODAY).bills
ORDERS = traffic.orders(BILLS, random.Random(1), TODAY, {})


class Transport(StringTransportWithDisconnection):
    def setTcpNoDelay(self, on: bool) -> None:
        self.no_delay = on

    def abortConnection(self) -> None:
        self.loseConnection()


class Net:
    """Connects what the driver asks for to the fake switch, when told to."""

    def __init__(self, wired: Any, **options: Any) -> None:
        self.switch, self.bank = wired.switch, wired.bank
        self.switch.bills = {bill.number: bill.amount for bill in BILLS}
        self.reactor = MemoryReactorClock()
        self.driver = Driver(self.reactor, self.bank, ("127.0.0.1", 8581), **options)
        self.lines: list[Any] = []

    def accept(self) -> None:
        for _, _, factory, _, _ in self.reactor.tcpClients:
            line = factory.buildProtocol(None)
            line.makeConnection(transport := Transport())
            transport.protocol = line
            self.lines.append(line)
        self.reactor.tcpClients.clear()

    def exchange(self) -> int:
        """Carries bytes until all are silent; how many requests the switch saw."""
        before = len(self.switch.seen)
        busy = True
        while busy:
            busy = False
            for number, line in enumerate(self.lines):
                data = line.transport.value()
                line.transport.clear()
                if data and line.transport.connected:
                    busy = True
                    line.dataReceived(self.switch.feed(number, data))
        return len(self.switch.seen) - before

    def turn(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK_S)):
            self.reactor.advance(TICK_S)
            self.accept()
            self.exchange()

    def open(self) -> None:
        opened: list[None] = []
        self.driver.open().addCallback(opened.append)
        self.accept()
        self.exchange()
        assert opened == [None]


@pytest.fixture
def net(wired: Any) -> Net:
    return Net(wired, lines=2, window=4, speed=30.0)


def test_all_orders_are_done_and_the_lines_closed(net: Net) -> None:
    net.open()
    assert net.bank.lines_up == 2
    finished: list[str] = []
    net.driver.run(ORDERS).addCallback(lambda _: finished.append("run"))
    net.exchange()
    assert finished == ["run"] and net.bank.done == len(ORDERS) and net.bank.problems == []
    net.driver.close().addCallback(lambda _: finished.append("closed"))
    net.exchange()
    assert finished == ["run", "closed"] and net.bank.lines_up == 0
    assert net.reactor.getDelayedCalls() == []


def test_never_more_in_flight_than_the_window(net: Net) -> None:
    net.open()
    net.driver.run(ORDERS)
    assert net.bank.in_flight == 8  # two lines of four
    assert net.exchange() == len(ORDERS)


def test_a_rate_is_kept(wired: Any) -> None:
    net = Net(wired, lines=1, window=64, rate=10.0)
    net.open()
    net.driver.run(ORDERS)
    net.turn(1.0)
    assert 9 <= net.bank.done <= 12
    net.turn(2.0)
    assert 28 <= net.bank.done <= 32


def test_lines_lost_in_the_middle_are_made_again_and_nothing_stays_open(net: Net) -> None:
    net.open()
    finished: list[None] = []
    net.driver.run(ORDERS).addCallback(finished.append)
    net.driver.lose_lines(collect=5)  # eight in flight never arrive, five are taken without a line
    assert net.bank.lines_up == 0
    net.turn(0.5)
    net.driver.come_back()
    net.turn(2.0)  # a time-out of 30 s takes one of ours
    assert finished == [None] and net.bank.problems == []
    assert sum(entry.startswith("0220") for entry in net.switch.seen) == 5
    assert sum(entry.startswith("0420") for entry in net.switch.seen) == 8
    assert len(net.switch.paid) == len(ORDERS)


def test_lines_to_a_second_daemon_come_and_go(net: Net) -> None:
    net.open()
    net.driver.also(("127.0.0.1", 8591))
    net.turn(2 * TICK_S)
    assert net.bank.lines_up == 4
    net.driver.leave(("127.0.0.1", 8591))
    assert net.bank.lines_up == 2
    net.turn(RECONNECT_S + 2 * TICK_S)
    assert net.bank.lines_up == 2 and {line.address for line in net.driver._lines.values()} == {("127.0.0.1", 8581)}


def test_a_line_that_the_switch_closes_comes_back_by_itself(net: Net) -> None:
    net.open()
    net.lines[0].transport.loseConnection()
    assert net.bank.lines_up == 1
    net.turn(RECONNECT_S + 2 * TICK_S)
    assert net.bank.lines_up == 2


def test_nobody_listens(net: Net) -> None:
    failed: list[Failure] = []
    net.driver.open().addErrback(failed.append)
    for _, _, factory, _, _ in net.reactor.tcpClients:
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
    assert len(failed) == 1 and failed[0].check(ConnectionRefusedError)


def test_a_switch_that_does_not_let_us_sign_on(net: Net) -> None:
    net.switch.code = lambda mti: "31"
    failed: list[Failure] = []
    net.driver.open().addErrback(failed.append)
    net.turn(16)
    assert len(failed) == 1 and failed[0].check(SignOnFailed) and "31" in str(failed[0].value)


def test_totals_and_cut_over_are_answered(net: Net) -> None:
    net.open()
    told: list[str] = []
    net.driver.totals(TODAY).addCallback(lambda answer: told.append(answer[0].code))
    net.driver.cut_over(20261126).addCallback(lambda answer: told.append(answer[0].code))
    net.exchange()
    assert told == ["00", "00"]


def test_an_unanswered_question_ends_with_none(net: Net) -> None:
    net.open()
    net.switch.deaf = lambda mti: True
    told: list[Any] = []
    net.driver.totals(TODAY).addCallback(told.append)
    net.turn(1.1)
    assert told == [(None, None)]
