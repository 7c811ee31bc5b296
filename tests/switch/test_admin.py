"""The admin port over a transport in memory; the clock is turned by hand (C45)."""

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from shebao.switch.admin import AdminSite


class Bench:
    def __init__(self, scrape=lambda: succeed(b"shebao_lines 0\n")):
        self.clock, self.why_not = Clock(), ""
        self.site = AdminSite(scrape, lambda: self.why_not, self.clock, 30, 2)

    def connect(self):
        channel = self.site.buildProtocol(None)
        if channel is None:
            return None, None
        transport = StringTransport()
        transport.abortConnection = lambda: setattr(transport, "disconnecting", True)
        channel.makeConnection(transport)
        return channel, transport


@pytest.fixture
def bench():
    return Bench()


def answer(channel, transport, path, version="1.1"):
    transport.clear()
    channel.dataReceived(f"GET {path} HTTP/{version}\r\nHost: x\r\n\r\n".encode())
    return transport.value().decode()


def test_the_three_resources(bench):
    channel, transport = bench.connect()
    assert " 200 " in answer(channel, transport, "/healthz").splitlines()[0]
    assert answer(channel, transport, "/readyz").endswith("ready\n")
    bench.why_not = "the store could not be written for 6 s"
    refused = answer(channel, transport, "/readyz")
    assert " 503 " in refused.splitlines()[0] and bench.why_not in refused
    assert "shebao_lines 0\n" in answer(channel, transport, "/metrics")
    assert " 404 " in answer(channel, transport, "/").splitlines()[0]


def test_a_request_that_drips_is_closed_after_its_deadline(bench):
    channel, transport = bench.connect()
    for byte in b"GET /metrics HTTP/1.1\r\nX-Header: ":
        channel.dataReceived(bytes([byte]))
        bench.clock.advance(1)
        if transport.disconnecting:
            break
    assert transport.disconnecting and bench.clock.seconds() == 30


def test_a_connection_kept_alive_has_a_deadline_for_each_request(bench):
    channel, transport = bench.connect()
    for _ in range(5):
        assert "200" in answer(channel, transport, "/healthz")
        bench.clock.advance(29)
    assert not transport.disconnecting
    bench.clock.advance(1)
    assert transport.disconnecting


def test_a_request_being_answered_is_not_cut_off():
    waiting = Deferred()
    bench = Bench(lambda: waiting)
    channel, transport = bench.connect()
    channel.dataReceived(b"GET /metrics HTTP/1.0\r\n\r\n")
    bench.clock.advance(29)
    waiting.callback(b"late\n")
    assert transport.value().endswith(b"late\n")


def test_at_the_limit_whoever_waited_longest_gives_way(bench):
    (idle, idle_end), (kept, kept_end) = bench.connect(), bench.connect()
    assert "200" in answer(idle, idle_end, "/healthz")  # now `kept` has said nothing for longer
    third, _ = bench.connect()
    assert third is not None and kept_end.disconnecting and not idle_end.disconnecting
    kept.connectionLost(None)
    assert bench.connect()[0] is not None and idle_end.disconnecting


def test_those_being_answered_are_left_alone_and_others_refused():
    bench = Bench(Deferred)
    busy = [bench.connect() for _ in range(2)]
    for channel, _ in busy:
        channel.dataReceived(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert bench.connect() == (None, None)
    busy[0][0].connectionLost(Failure(ConnectionDone()))
    assert bench.connect()[0] is not None and not busy[1][1].disconnecting
