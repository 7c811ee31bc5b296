"""What banks told waits in memory for the store: one write at a time, the latest of a date, tried again."""

from shebao.ledger.facts import ToldTotals
from shebao.ledger.store import StoreError
from shebao.switch.memo import RETRY_TICKS, Memo

ROW = ToldTotals(100, 20261123, 1, 3, 36000, 0, 0, 2, 24000, 0, 0)


class Bench:
    def __init__(self):
        self.jobs, self.kept, self.faults, self.logged = [], [], [], []
        self.memo = Memo(self.keep, lambda work, done: self.jobs.append((work, done)), self)

    def warning(self, event, **values):
        self.logged.append(values)

    def keep(self, rows):
        if self.faults:
            raise self.faults.pop()
        self.kept.append(list(rows))

    def run(self):
        """The thread does what it was given."""
        work, done = self.jobs.pop(0)
        try:
            result = work()
        except Exception as fault:
            result = fault
        done(result)


def test_nothing_told_is_nothing_written():
    bench = Bench()
    bench.memo.tick()
    assert not bench.jobs


def test_the_latest_of_a_date_is_written_once_and_one_write_at_a_time():
    bench = Bench()
    later = ROW._replace(at_us=2, payments=4)
    bench.memo.take(ROW)
    bench.memo.take(later)
    bench.memo.tick()
    latest = later._replace(at_us=3)
    bench.memo.take(latest)
    bench.memo.tick()
    assert len(bench.jobs) == 1
    bench.run()
    assert bench.kept == [[later]] and bench.memo.rows() == [latest]
    bench.memo.tick()
    bench.run()
    bench.memo.tick()
    assert bench.kept == [[later], [latest]] and not bench.jobs and bench.memo.rows() == []


def test_a_store_that_is_away_is_tried_again_and_a_fault_of_ours_does_not_end_it():
    bench = Bench()
    bench.faults = [ValueError("a bug"), StoreError("away")]
    bench.memo.take(ROW)
    for tries in (1, 2):
        bench.memo.tick()
        bench.run()
        for _ in range(RETRY_TICKS - 1):
            bench.memo.tick()
        assert not bench.jobs and len(bench.logged) == tries
    bench.memo.tick()
    bench.run()
    assert bench.kept == [[ROW]]
    assert [sorted(values) for values in bench.logged] == [["why"], ["fault"]]
