"""The lane with a fake store, a writer that is stepped by hand, and a clock that is turned by hand."""

from collections import deque

import pytest
from twisted.internet.task import Clock

from shebao.codecs.settings import Limits
from shebao.ledger.facts import Decision, KeyClass, Request
from shebao.ledger.store import Answer, CommitInDoubt, StoreError
from shebao.switch.lane import Lane as TheLane
from shebao.switch.lane import State
from shebao.switch.services import PAYMENT
from shebao.switch.session import Ticket


def request(bank="rcb", stan=1, service="payment"):
    return Request(service, 100, bank, "0200", KeyClass.PAYMENT, stan, 0, 0, {11: f"{stan:06d}"})


class Writer:
    """Work waits until the test lets it run."""

    def __init__(self):
        self.jobs = deque()

    def run(self, work, done):
        self.jobs.append((work, done))

    def step(self):
        work, done = self.jobs.popleft()
        try:
            result = work()
        except Exception as fault:
            result = fault
        done(result)

    def finish(self, steps_max=100):
        while self.jobs and steps_max:
            self.step()
            steps_max -= 1


class Store:
    """Answers 00 to all, unless the script has something else for the next call."""

    def __init__(self):
        self.batches = []
        self.script = deque()
        self.away = False
        self.pings = self.reconnects = self.abandoned = 0

    def transact(self, requests, now_us, encode):
        self.batches.append([r.trace for r in requests])
        if self.script:
            outcome = self.script.popleft()
            if callable(outcome):
                outcome = outcome(requests)
            if isinstance(outcome, Exception):
                raise outcome
        if self.away:
            raise StoreError("away")
        return [Answer("00", encode(r, Decision("00")), None) for r in requests]

    def ping(self):
        self.pings += 1
        if self.away:
            raise StoreError("away")

    def reconnect(self):
        self.reconnects += 1

    def abandon(self):
        self.abandoned += 1


class Owner:
    def __init__(self):
        self.replies = {}
        self.calls = 0

    def answered(self, answers):
        self.calls += 1
        for ticket, reply in answers:
            assert ticket.request.trace not in self.replies, "answered twice"
            self.replies[ticket.request.trace] = reply and reply.code


class Log:
    def __init__(self):
        self.events = []

    def __getattr__(self, level):
        return lambda event, **values: self.events.append(event)


class Bench:
    def __init__(self, **limits):
        self.clock, self.writer, self.store, self.owner, self.log = Clock(), Writer(), Store(), Owner(), Log()
        self.lane = TheLane(
            self.store, self.writer.run, self.clock, lambda: 0,
            lambda request, decision: f"{request.trace}:{decision.code}".encode(), Limits(**limits), self.log,
        )  # fmt: skip

    def submit(self, *stans, bank="rcb", owner=None):
        now = self.clock.seconds()
        self.lane.submit([Ticket(request(bank, n), PAYMENT, owner or self.owner, None, b"", now) for n in stans])

    def submit_cut_over(self, stan):
        asked = request("rcb", stan, "cutover")
        self.lane.submit([Ticket(asked, PAYMENT, self.owner, None, b"", self.clock.seconds())])

    @property
    def replies(self):
        return self.owner.replies


@pytest.fixture
def bench():
    return Bench()


def test_an_idle_lane_commits_a_batch_of_one_and_what_comes_meanwhile_goes_together(bench):
    bench.submit(1)
    bench.submit(2)
    bench.submit(3, 4)
    assert bench.replies == {}, "nothing leaves before a commit"
    bench.writer.step()
    assert bench.replies == {1: "00"}
    bench.writer.step()
    assert bench.store.batches == [[1], [2, 3, 4]]
    assert bench.replies == {1: "00", 2: "00", 3: "00", 4: "00"}
    assert bench.owner.calls == 2, "a line writes once a batch"


def test_banks_share_a_batch_fairly_and_a_remainder_goes_round():
    bench = Bench(batch_max=10)
    bench.submit(0)
    bench.submit(*range(100, 140), bank="rcb")
    bench.submit(*range(200, 203), bank="icbc")
    bench.submit(*range(300, 340), bank="boc")
    bench.writer.finish()
    second = bench.store.batches[1]
    assert len(second) == 10
    shares = [sum(1 for n in second if n // 100 == bank) for bank in (1, 2, 3)]
    assert shares[1] == 3 and min(shares[0], shares[2]) >= 3
    order = [n for batch in bench.store.batches for n in batch if n // 100 == 1]
    assert order == list(range(100, 140)), "one bank's own requests keep their order"
    assert len(bench.replies) == 84


def test_a_store_that_is_away_is_answered_91_at_once_and_serves_again_by_itself(bench):
    bench.submit(1)
    bench.submit(2)
    bench.store.away = True
    bench.writer.step()
    assert bench.replies == {1: "91", 2: "91"}
    bench.submit(3)
    assert bench.replies[3] == "91", "at once, without asking the store"
    bench.clock.pump([0.1] * 30)
    bench.writer.finish()
    assert bench.lane.state is State.OUT
    assert len(bench.store.batches) == 1
    bench.store.away = False
    for _ in range(20):
        bench.clock.advance(0.1)
        bench.writer.finish()
    assert bench.lane.state is State.IDLE
    bench.submit(4)
    bench.writer.step()
    assert bench.replies[4] == "00"
    assert bench.store.reconnects


def test_a_locked_store_is_waited_for(bench):
    bench.submit(1)
    bench.clock.pump([1.0] * 60)  # the transaction hangs: the store is asked to give up if it is frozen
    bench.submit(2)
    assert bench.store.abandoned >= 1
    assert bench.replies == {}
    bench.writer.finish()
    assert bench.replies == {1: "00", 2: "00"}


def test_a_commit_in_doubt_is_asked_again_with_the_same_requests(bench):
    bench.store.script.append(CommitInDoubt("broken"))
    bench.submit(1, 2)
    bench.submit(3)
    bench.writer.step()
    assert bench.replies == {}, "nobody is told anything yet"
    bench.clock.advance(0.1)
    bench.writer.finish()
    assert bench.store.batches == [[1, 2], [1, 2], [3]]
    assert bench.store.reconnects == 1
    assert bench.replies == {1: "00", 2: "00", 3: "00"}


def test_while_a_commit_stays_in_doubt_others_get_91_and_past_the_deadline_silence(bench):
    bench.store.script.append(CommitInDoubt("broken"))
    bench.submit(1)
    bench.submit(2)
    bench.writer.step()
    bench.store.away = True
    bench.clock.advance(0.1)
    bench.writer.step()
    assert bench.replies == {2: "91"}
    bench.submit(3)
    assert bench.replies[3] == "91"
    for _ in range(30):
        bench.clock.advance(1.0)
        bench.writer.finish()
    assert 1 not in bench.replies
    bench.store.away = False
    bench.clock.advance(1.0)
    bench.writer.finish()
    assert bench.replies[1] is None, "too late to tell: the repeat finds the truth"
    bench.submit(4)
    bench.writer.finish()
    assert bench.replies[4] == "00"


def test_a_fault_of_our_own_hits_only_the_request_at_fault(bench):
    poison = lambda requests: ValueError("bug") if any(r.trace == 3 for r in requests) else None  # noqa: E731
    bench.store.script.extend([None, poison, poison, poison, poison, poison])
    bench.submit(1)
    bench.submit(2, 3, 4)
    bench.submit(5)
    bench.writer.finish()
    assert bench.replies == {1: "00", 2: "00", 3: "96", 4: "00", 5: "00"}


def test_a_fault_in_doubt_is_not_answered_96_since_it_may_be_done(bench):
    bench.store.script.extend([CommitInDoubt("broken"), ValueError("bug")])
    bench.submit(1)
    bench.writer.step()
    bench.clock.advance(0.1)
    bench.writer.finish()
    assert bench.replies == {1: None}
    assert bench.lane.state is State.IDLE


def test_a_line_that_fails_to_take_its_replies_harms_no_other(bench):
    class Broken:
        def answered(self, answers):
            raise RuntimeError("bug")

    bench.submit(1)
    bench.submit(2, owner=Broken())
    bench.submit(3)
    bench.writer.finish()
    assert bench.replies == {1: "00", 3: "00"}


def test_a_line_that_says_one_after_the_other_is_answered_however_many_it_holds(bench):
    """A line with one in flight submits its next from within an answer: with the store away, 91 to each at once."""

    class OneAtATime(Owner):
        def answered(self, answers):
            super().answered(answers)
            stan = answers[-1][0].request.trace
            if stan < 2_000:
                bench.submit(stan + 1, owner=self)

    bench.store.away = True
    bench.submit(0)
    bench.writer.step()
    assert bench.lane.state is State.OUT
    line = OneAtATime()
    bench.submit(1, owner=line)
    assert line.replies == dict.fromkeys(range(1, 2_001), "91")
    assert bench.log.events == ["store out of reach"]


def test_drained_waits_for_what_is_being_told(bench):
    """An answer that leads to another request, which goes into the books first."""
    seen = []

    class Again(Owner):
        def answered(self, answers):
            super().answered(answers)
            if answers[-1][0].request.trace == 1:
                bench.lane.drain(lambda: seen.append(dict(self.replies)))
                bench.submit(2, owner=self)

    line = Again()
    bench.submit(1, owner=line)
    bench.writer.finish()
    assert seen == [{1: "00", 2: "00"}]


def test_readiness_follows_the_store_when_no_request_comes(bench):
    for _ in range(10):
        bench.clock.advance(1.0)
        bench.writer.finish()
    assert bench.store.pings >= 9
    assert bench.lane.unwritable_s <= 1.0
    bench.store.away = True
    for _ in range(10):
        bench.clock.advance(1.0)
        bench.writer.finish()
    assert bench.lane.unwritable_s >= 9.0
    bench.store.away = False
    for _ in range(3):
        bench.clock.advance(1.0)
        bench.writer.finish()
    assert bench.lane.unwritable_s <= 2.0


def test_drained_means_nothing_waits_and_nothing_runs(bench):
    seen = []
    bench.submit(1)
    bench.submit(2)
    bench.lane.drain(lambda: seen.append("drained"))
    bench.writer.step()
    assert seen == []
    bench.writer.step()
    assert seen == ["drained"]


def test_an_act_of_the_switch_goes_through_the_same_gate_and_tells_of_the_cut_over(bench):
    codes, banks = [], []
    bench.lane.when_cut_over = banks.append
    bench.submit(1)
    bench.lane.act(request(service="cutover", stan=0), lambda reply: codes.append(reply.code))
    bench.writer.finish()
    assert codes == ["00"] and banks == ["rcb"]
    assert bench.store.batches == [[1], [0]]


def test_what_lines_that_are_gone_have_left_behind_is_bounded():
    """A store that is only locked is waited for, and a bank may come again and again meanwhile."""
    bench = Bench(in_flight_per_line=2, lines_per_bank_max=3)
    bench.submit(0)  # in the writer's hands
    bench.submit(*range(1, 9))
    bench.submit(9, bank="boc")
    assert bench.replies == {7: "91", 8: "91"}, "no living lines could have asked for more than 6"
    bench.writer.finish()
    assert [n for n, code in sorted(bench.replies.items()) if code == "00"] == [*range(7), 9]


def test_a_probe_whose_commit_is_in_doubt_is_the_stores_fault_and_not_one_of_ours(bench):
    def lost():
        raise CommitInDoubt("the connection was lost during COMMIT")

    bench.store.ping = lost
    bench.clock.advance(1.0)
    bench.writer.finish()
    assert bench.lane.state is State.OUT
    assert bench.log.events == ["store out of reach"]
    del bench.store.ping
    bench.clock.pump([0.1] * 3)
    bench.writer.finish()
    assert bench.lane.state is State.IDLE


def test_a_cut_over_whose_commit_was_in_doubt_for_long_is_told_all_the_same(bench):
    """Else its date's statement file would wait for the next evening: nobody waits too long for what the switch asks
    of itself, and what a bank asked for too long ago has happened although it is not answered any more."""
    closed, told = [], []
    bench.lane.when_cut_over = closed.append
    own = request("boc", stan=0, service="cutover")
    for ask in (lambda: bench.lane.act(own, told.append), lambda: bench.submit_cut_over(7)):
        bench.store.script.append(CommitInDoubt("frozen"))
        ask()
        bench.clock.advance(60.0)  # it hangs, far beyond the reply deadline
        bench.writer.step()
        bench.clock.advance(0.1)
        bench.writer.finish()
    assert closed == ["boc", "rcb"]
    assert [reply.code for reply in told] == ["00"]
    assert bench.replies == {7: None}, "a bank that has given up hears nothing"


def test_the_deadline_counts_from_when_a_request_was_read_not_from_when_the_lane_took_it(bench):
    """What a full line held back is as old as what it was read with (wire.md section 6, rule 5)."""
    bench.clock.advance(15.0)
    bench.writer.finish()  # a probe of the idle lane
    bench.store.script.append(CommitInDoubt("broken"))
    bench.lane.submit([Ticket(request(stan=1), PAYMENT, bench.owner, None, b"", 0.0)])
    bench.clock.advance(8.0)  # 23 s after it was read
    bench.writer.step()
    bench.clock.advance(0.1)
    bench.writer.finish()
    assert bench.replies == {1: None}
