"""Lines over transports in memory: who may connect, back-pressure, closing without losing a reply."""

from types import SimpleNamespace

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from shebao.codecs.framing import heartbeat
from shebao.codecs.settings import Limits, load_switch
from shebao.switch.line import DRAIN_S, Post
from shebao.switch.session import Reply
from shebao.switch.tally import Tally

BANK = """
[switch]
institution = "33011000"
database = "sqlite:///x"
state_dir = "x"
master_key_file = "x"
[admin]
listen = "127.0.0.1:0"
[banks.rcb]
name = "x"
institution = "14293300"
dialect = "rcb"
listen = "127.0.0.1:0"
allow = ["127.0.0.1/32", "10.1.0.0/16"]
cutover = "23:00:00"
"""


class Transport(StringTransport):
    """Notes what a line does to its connection."""

    aborted = False

    def setTcpNoDelay(self, enabled):
        pass

    def loseWriteConnection(self):
        self.write_closed = True

    def abortConnection(self):
        self.aborted = True


class Log:
    def __getattr__(self, name):
        return lambda *_, **__: self


class Bench:
    def __init__(self, bank, **limits):
        self.clock, self.tickets, self.waiting = Clock(), [], []
        lane = SimpleNamespace(submit=self.tickets.extend)
        settings = load_switch(BANK, "test").banks["rcb"]
        self.now_us = 1_795_397_415_000_000
        self.post = Post(bank, settings, Limits(**limits), Tally(), lane, self.clock, lambda: self.now_us,
                         self.waiting.append, Log())  # fmt: skip

    def connect(self, keys_known=True, host="127.0.0.1"):
        line = self.post.buildProtocol(IPv4Address("TCP", host, 1))
        if line is None:
            return None, None
        transport = Transport()
        line.makeConnection(transport)
        if keys_known:
            self.waiting.pop()()
        return line, transport

    def answer(self, line):
        taken = [t for t in self.tickets if t.owner is line]
        self.tickets[:] = [t for t in self.tickets if t.owner is not line]
        tail = self.post.bank.codec.encode("0210", {7: "1123093015", 11: "000102", 39: "00"})[4:]
        line.answered([(t, Reply("00", tail)) for t in taken])


@pytest.fixture
def wire(make_wire):
    return make_wire("rcb")


@pytest.fixture
def bench(bank):
    return Bench(bank)


def signed_on(bench, wire, messages):
    line, transport = bench.connect()
    line.dataReceived(wire.send("0800", messages.sign_on()))
    assert len(wire.replies(transport.value())) == 1
    transport.clear()
    return line, transport


@pytest.mark.parametrize(
    ("address", "welcome"),
    [
        (IPv4Address("TCP", "127.0.0.1", 1), True),
        (IPv4Address("TCP", "10.1.255.1", 1), True),
        (IPv6Address("TCP", "::ffff:10.1.0.9", 1), True),
        (IPv4Address("TCP", "10.2.0.1", 1), False),
        (IPv6Address("TCP", "::1", 1), False),
        (None, False),
    ],
)
def test_peers_outside_the_allow_list_are_refused_at_accept(bench, address, welcome):
    assert (bench.post.buildProtocol(address) is not None) is welcome
    assert bench.post.tally.refused_lines == (not welcome)


def test_lines_that_never_sign_on_give_way_and_those_signed_on_do_not(bank, wire, messages):
    bench = Bench(bank, lines_per_bank_max=3)
    good = signed_on(bench, wire, messages)
    bench.clock.advance(1)
    oldest = bench.connect()
    bench.clock.advance(1)
    newer = bench.connect()
    assert bench.connect()[0] is not None
    assert oldest[1].aborted and not newer[1].aborted and not good[1].aborted
    oldest[0].connectionLost()
    for line in list(bench.post.lines):
        if not line.signed_on:
            line.dataReceived(wire.send("0800", messages.sign_on()))
    assert bench.connect() == (None, None)


def test_each_new_line_of_a_crowd_takes_another_one_s_place(bank):
    """Twisted tells of a reset in a later turn; until then the place is already free."""
    bench = Bench(bank, lines_per_bank_max=2)
    crowd = []
    for _ in range(6):
        crowd.append(bench.connect())
        bench.clock.advance(0.001)
    assert [transport.aborted for _, transport in crowd] == [True] * 4 + [False] * 2
    assert len(bench.post.lines) == 2


def test_a_line_waits_for_the_keys_to_be_read(bench, wire, messages):
    _line, transport = bench.connect(keys_known=False)
    assert transport.producerState == "paused"
    bench.waiting.pop()()
    assert transport.producerState == "producing"


def test_a_bank_without_a_key_is_refused(bench):
    bench.post.bank.keys.newest = None
    _, transport = bench.connect()
    assert transport.write_closed and bench.post.tally.refused_lines == 1


def test_reading_stops_at_the_limit_and_while_replies_are_not_read(bank, wire, messages):
    bench = Bench(bank, in_flight_per_line=2)
    line, transport = signed_on(bench, wire, messages)
    line.dataReceived(b"".join(wire.send("0200", messages.payment(f"{n:06d}")) for n in range(5)))
    assert transport.producerState == "paused" and len(bench.tickets) == 2
    for _ in range(3):
        bench.answer(line)
    assert transport.producerState == "producing" and len(wire.replies(transport.value())) == 5
    line.pauseProducing()
    assert transport.producerState == "paused"
    line.resumeProducing()
    assert transport.producerState == "producing"


def test_a_bank_that_never_reads_is_reset_in_the_end(bench, wire, messages):
    line, transport = signed_on(bench, wire, messages)
    line.pauseProducing()
    bench.clock.advance(179)
    bench.post.tick()
    assert not transport.aborted
    bench.clock.advance(1)
    bench.post.tick()
    assert transport.aborted


def test_a_line_that_we_close_is_shut_for_writing_then_drained_then_reset(bench, wire, messages):
    line, transport = signed_on(bench, wire, messages)
    line.dataReceived(wire.send("0200", messages.payment()) + b"\xff" * 100)
    assert not hasattr(transport, "write_closed"), "a reply is owed"
    bench.answer(line)
    assert len(wire.replies(transport.value())) == 1 and transport.write_closed
    assert transport.producerState == "producing", "what still comes is read away"
    line.dataReceived(b"\xff" * 1000)
    bench.clock.advance(DRAIN_S)
    bench.post.tick()
    assert transport.aborted


def test_an_answer_for_a_line_that_is_gone_is_dropped_and_counted(bench, wire, messages):
    line, transport = signed_on(bench, wire, messages)
    line.dataReceived(wire.send("0200", messages.payment()))
    line.connectionLost()
    assert line not in bench.post.lines
    bench.answer(line)
    assert transport.value() == b"" and bench.post.tally.requests["payment", "00"] == 1


def test_a_fault_in_a_line_ends_that_line_only(bench, wire, messages):
    """C51."""
    line, transport = signed_on(bench, wire, messages)
    other, _ = signed_on(bench, wire, messages)
    line.session.received = lambda *_: 1 / 0
    line.dataReceived(b"x")
    assert transport.aborted
    other.dataReceived(wire.send("0200", messages.payment()))
    assert len(bench.tickets) == 1


def test_heartbeats_leave_by_the_tick(bench, wire, messages):
    _line, transport = signed_on(bench, wire, messages)
    bench.clock.advance(60)
    bench.post.tick()
    assert transport.value() == heartbeat(wire.dialect.framing)


def test_when_the_switch_stops_a_line_ends_after_its_answers(bench, wire, messages):
    line, transport = signed_on(bench, wire, messages)
    line.dataReceived(wire.send("0200", messages.payment()))
    bench.post.end()
    assert transport.producerState == "paused" and not hasattr(transport, "write_closed")
    bench.answer(line)
    assert transport.write_closed
