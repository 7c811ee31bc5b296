"""Cut-overs by the clock with a fake lane; threads run at once or when the test says so."""

from datetime import time
from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from shebao.ledger.day import us_of
from shebao.switch.nightfall import CLOSE_RETRY_S, RETRY_S, Nightfall, Works
from shebao.switch.session import Reply


class Log:
    def __getattr__(self, level):
        return lambda event, **values: None


class Bench:
    def __init__(self, open_dates, moment):
        self.open, self.clock, self.now_us = dict(open_dates), Clock(), us_of(moment)
        self.asked, self.filed, self.anchored, self.code, self.faults = [], [], 0, "00", []
        banks = {name: SimpleNamespace(book_id=n * 100, cutover=time(23)) for n, name in enumerate(open_dates, 1)}
        works = Works(self.read, self.close, self.sign)
        self.night = Nightfall(banks, self, works, self.in_thread, self.clock, lambda: self.now_us, Log())

    def act(self, request, done):  # the lane
        self.asked.append((request.bank, request.date, request.operator))
        if self.code == "00":
            self.open[request.bank] = request.date
        done(Reply(self.code, b""))
        if self.code == "00":
            self.night.closed(request.bank)

    def in_thread(self, work, done):
        try:
            result = work()
        except Exception as fault:
            result = fault
        done(result)

    def read(self):
        return dict(self.open)

    def close(self, bank):
        if self.faults:
            raise self.faults.pop()
        self.filed.append(bank)
        return []

    def sign(self):
        self.anchored += 1

    def at(self, moment):
        self.now_us = us_of(moment)
        self.night.tick()


@pytest.fixture
def started():
    bench = Bench({"rcb": 20261123, "boc": 20261123}, 20261123_225900)
    bench.night.start(lambda: None)
    bench.at(20261123_225901)
    assert bench.asked == []
    return bench


def test_at_the_cut_over_every_bank_once(started):
    started.at(20261123_230000)
    started.at(20261123_230001)
    assert started.asked == [("rcb", 20261124, "clock"), ("boc", 20261124, "clock")]
    assert started.anchored >= 2 and set(started.filed) == {"rcb", "boc"}


def test_however_the_clock_jumps_once_per_date(started):
    started.at(20261123_230000)
    started.at(20261123_100000)
    started.at(20261123_230000)
    assert len(started.asked) == 2
    started.at(20261126_090000)
    assert [date for bank, date, _ in started.asked if bank == "rcb"] == [20261124, 20261125, 20261126]


def test_missed_ones_are_made_oldest_first_before_anything_is_served():
    bench = Bench({"rcb": 20261120}, 20261123_090000)
    bench.night.start(lambda: bench.asked.append("serving"))
    bench.night.tick()
    assert [a if a == "serving" else a[1] for a in bench.asked] == [20261121, 20261122, 20261123, "serving"]


def test_a_bank_that_moved_on_by_itself_is_left_alone(started):
    started.open["rcb"] = 20261124  # by an 0800 of its own
    started.at(20261123_230000)
    assert started.open["rcb"] == 20261124


def test_a_store_that_is_away_is_asked_again(started):
    started.code = "91"
    started.at(20261123_230000)
    assert len(started.asked) == 2
    started.night.tick()
    assert len(started.asked) == 2, "not at every tick"
    started.code = "00"
    started.clock.advance(RETRY_S)
    started.night.tick()
    assert started.open == {"rcb": 20261124, "boc": 20261124}


def test_a_cut_over_that_was_made_though_its_answer_was_lost_has_its_file_written(started):
    """Found by the world (1199): a commit in doubt, and then a fault of our own when it was asked again."""
    started.filed.clear()
    started.code = "none"
    started.at(20261123_230000)
    started.open["rcb"] = 20261124
    started.clock.advance(RETRY_S)
    assert started.filed == ["rcb"]


def test_a_file_that_could_not_be_written_is_tried_again(started):
    started.faults = [OSError("disk full")]
    started.at(20261123_230000)
    assert len(started.filed) == 3, "two at the start, one of two now"
    started.clock.advance(CLOSE_RETRY_S)
    assert sorted(started.filed) == ["boc", "boc", "rcb", "rcb"]


def test_a_store_that_is_away_for_long_is_asked_no_more_often_than_at_first(started):
    """Each bank that failed had all banks tried again, each of which failed: thousands of tries within seconds."""
    started.code = "91"
    started.at(20261123_230000)
    tries = []
    for _ in range(8):
        before = len(started.asked)
        started.clock.advance(RETRY_S)
        tries.append(len(started.asked) - before)
    assert tries == [2] * 8, "each bank once a round"
    started.code = "00"
    started.clock.advance(RETRY_S)
    assert started.open == {"rcb": 20261124, "boc": 20261124}
