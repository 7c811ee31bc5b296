"""A line of the world keeps its bytes in order, loses none while it stands, and tells each end how it ended."""

from __future__ import annotations

from random import Random

import pytest

from shebao.simulators.world.network import Weather, Wire
from shebao.simulators.world.reactor import Address, Life, Port
from shebao.simulators.world.timeline import Endless, Timeline


class Server:
    """What the daemon's line would be."""

    def __init__(self) -> None:
        self.heard, self.half_closed, self.lost, self.pauses = b"", False, False, 0

    def buildProtocol(self, address: Address) -> Server:
        return self

    def makeConnection(self, transport: object) -> None:
        self.transport = transport
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def readConnectionLost(self) -> None:
        self.half_closed = True

    def connectionLost(self, reason: object) -> None:
        self.lost = True

    def pauseProducing(self) -> None:
        self.pauses += 1

    def resumeProducing(self) -> None:
        self.pauses -= 1


class Client:
    def __init__(self) -> None:
        self.heard, self.ends = b"", 0

    def opened(self, line: Wire) -> None:
        pass

    def received(self, line: Wire, data: bytes) -> None:
        self.heard += data

    def ended(self, line: Wire) -> None:
        self.ends += 1


class Place:
    def __init__(self, weather: Weather) -> None:
        self.timeline, self.server, self.client = Timeline(), Server(), Client()
        self.life = Life(self.timeline, lambda: None)
        self.port = Port(self.server, Address("127.0.0.1", 1))
        self.wire = Wire(self.timeline, Random(7), weather, self.client, 1)

    def connect(self) -> None:
        self.wire.connect(self.port, self.life, "127.0.0.1", lambda: 5)

    def wait(self) -> None:
        self.timeline.run_until(self.timeline.now + 100)


@pytest.fixture(params=[Weather(), Weather((0.1, 2.0), 0.7, 50)], ids=["fair", "foul"])
def place(request: pytest.FixtureRequest) -> Place:
    return Place(request.param)


DATA = bytes(range(256)) * 3


def test_bytes_arrive_in_order_both_ways(place: Place) -> None:
    place.wire.send(DATA[:100])
    place.connect()
    offset = place.wire.send(DATA[100:])
    place.server.transport.write(DATA)
    place.wait()
    assert place.server.heard == DATA
    assert place.client.heard == DATA
    assert place.wire.arrived_at(offset) is not None
    assert place.wire.arrived_at(offset + 1) is None
    assert place.server.pauses == 0, "paused while the buffer was full, and resumed"


def test_a_half_closed_line_still_gets_what_is_written(place: Place) -> None:
    place.connect()
    place.wire.send(DATA)
    place.wire.half_close()
    place.wait()
    assert place.server.heard == DATA and place.server.half_closed
    place.server.transport.write(b"late")
    place.server.transport.loseConnection()
    place.wait()
    assert place.client.heard == b"late" and place.client.ends == 1 and place.server.lost
    assert place.wire.by_switch


def test_a_cut_line_loses_what_is_on_its_way(place: Place) -> None:
    place.connect()
    place.wire.send(DATA)
    place.wire.cut()
    place.wait()
    assert place.server.heard == b"" and place.server.lost and place.client.ends == 1
    assert not place.wire.by_switch


def test_a_paused_reader_gets_nothing_until_it_resumes(place: Place) -> None:
    place.connect()
    place.server.transport.pauseProducing()
    place.wire.send(DATA)
    place.wait()
    assert place.server.heard == b""
    place.server.transport.resumeProducing()
    place.wait()
    assert place.server.heard == DATA


def test_a_deaf_bank_chokes_the_writer(place: Place) -> None:
    place.connect()
    place.wire.deaf = True
    place.server.transport.write(bytes(70_000))
    place.wait()
    assert place.server.pauses == 1 and place.client.heard == b""
    place.wire.listen_again()
    place.wait()
    assert place.server.pauses == 0 and len(place.client.heard) == 70_000


def test_a_dead_process_resets_its_lines_and_calls_nothing_any_more(place: Place) -> None:
    place.connect()
    place.wire.send(DATA)
    place.life.end()
    place.wire.process_died()
    place.wait()
    assert place.server.heard == b"" and not place.server.lost and place.client.ends == 1


def test_what_a_process_had_written_may_still_arrive_after_its_death(place: Place) -> None:
    """The system delivers it, then the line ends; or it resets the line at once. Both happen."""
    heard = set()
    for seed in range(20):
        one = Place(place.wire.weather)
        one.wire._random.seed(seed)
        one.connect()
        one.server.transport.write(DATA)
        one.life.end()
        one.wire.process_died()
        one.wait()
        assert one.client.ends == 1 and not one.wire.open and not one.server.lost
        heard.add(one.client.heard)
    assert heard == {b"", DATA}


def test_a_world_that_never_ends_is_told() -> None:
    timeline = Timeline()

    def again() -> None:
        timeline.later(0, again)

    again()
    with pytest.raises(Endless):
        timeline.run_until(1)
