"""Every metric of the switch, once: names, help, labels, and where the number comes from (operations.md, Metrics).

Prometheus pulls: nothing here is touched while a payment is served. A scrape reads the banks' tallies, the lane
and the last known facts of the store. All labels come from closed lists, and every series exists, with 0, from
the start, so that an alert sees the first increment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from sqlalchemy import Connection, func, select

from shebao.ledger.day import STATES
from shebao.ledger.desk import UNDECIDED
from shebao.ledger.schema import book, day
from shebao.ledger.schema_day import exception

from .lane import Lane
from .line import Post
from .logs import LogWriter
from .tally import Histogram

OURS: Final = " (this process's own)"
STORES: Final = " (a fact of the store, the same from every daemon)"


class StoreFacts(NamedTuple):
    """What the store knows, by bank."""

    collected_fen: Mapping[str, int] = {}
    exceptions_open: Mapping[str, int] = {}
    dates: Mapping[tuple[str, str], int] = {}  # (bank, state) -> number of settlement dates


def read_store_facts(connection: Connection) -> StoreFacts:
    """Read them in one go; of all books, lanes of one bank together."""
    collected: dict[str, int] = {}
    dates: dict[tuple[str, str], int] = {}
    grouped = (
        select(book.c.bank, day.c.state, func.count(), func.sum(day.c.credits_fen))
        .join(day, day.c.book_id == book.c.book_id)
        .group_by(book.c.bank, day.c.state)
    )
    for bank, state, count, fen in connection.execute(grouped):
        collected[bank] = collected.get(bank, 0) + int(fen or 0)
        dates[bank, state] = count
    open_items = (
        select(book.c.bank, func.count())
        .join(exception, exception.c.book_id == book.c.book_id)
        .where(exception.c.state.in_(UNDECIDED))
        .group_by(book.c.bank)
    )
    return StoreFacts(collected, {bank: count for bank, count in connection.execute(open_items)}, dates)


class Metrics:
    """A Prometheus collector over the running switch."""

    def __init__(self, posts: Mapping[str, Post], lane: Lane, logs: LogWriter) -> None:
        self.store = StoreFacts()
        self.store_reads_failed = 0
        self._posts, self._lane, self._logs = posts, lane, logs
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        yield from self._of_requests()
        yield from self._of_lines()
        yield from self._of_lane()
        yield from self._of_store()

    def _of_requests(self) -> Iterator[Metric]:
        labels = ["bank", "message", "code"]
        requests = CounterMetricFamily("shebao_requests", "Requests answered, by reply code" + OURS, labels=labels)
        seconds = HistogramMetricFamily(
            "shebao_request_seconds", "Seconds from frame in to reply out" + OURS, labels=["bank", "message"]
        )
        for bank, post in self._posts.items():
            for (message, code), count in post.tally.requests.items():
                requests.add_metric([bank, message, code], count)
            for message, histogram in post.tally.seconds.items():
                seconds.add_metric([bank, message], _buckets(histogram), histogram.total)
        yield requests
        yield seconds

    def _of_lines(self) -> Iterator[Metric]:
        tallies = {bank: post.tally for bank, post in self._posts.items()}
        yield self._gauge("shebao_lines", "Lines open" + OURS, lambda post: len(post.lines))
        yield self._gauge("shebao_in_flight", "Requests taken in, not yet answered" + OURS, lambda post: post.in_flight)
        for name, text, attribute in (
            ("shebao_mac_failures", "Messages with a wrong MAC", "mac_failures"),
            ("shebao_lines_refused", "Connections refused", "refused_lines"),
            ("shebao_unknown_tags", "Unknown tags in DE48", "unknown_tags"),
            ("shebao_skewed_requests", "Messages whose DE7 is over 15 minutes off", "skewed"),
        ):
            yield _counter(name, text, {bank: getattr(tally, attribute) for bank, tally in tallies.items()})
        rejected = CounterMetricFamily(
            "shebao_rejected_frames", "Frames that could not be taken, by reason" + OURS, labels=["bank", "reason"]
        )
        for bank, tally in tallies.items():
            for reason, count in tally.rejected.items():
                rejected.add_metric([bank, reason], count)
        yield rejected

    def _of_lane(self) -> Iterator[Metric]:
        yield _histogram("shebao_batch_size", "Requests committed together" + OURS, self._lane.batch_sizes)
        yield _histogram("shebao_commit_seconds", "Seconds of a transaction" + OURS, self._lane.commit_seconds)
        unwritable = self._lane.unwritable_s
        yield GaugeMetricFamily("shebao_unwritable_seconds", "Since the store was last written" + OURS, unwritable)
        yield CounterMetricFamily("shebao_log_lines_dropped", "Log lines nobody took" + OURS, self._logs.dropped)

    def _of_store(self) -> Iterator[Metric]:
        facts = self.store
        collected = CounterMetricFamily(
            "shebao_collected_fen", "Payments and advices taken, fen, gross" + STORES, labels=["bank"]
        )
        exceptions = GaugeMetricFamily("shebao_exceptions_open", "Exceptions undecided" + STORES, labels=["bank"])
        states = GaugeMetricFamily(
            "shebao_settlement_state", "Settlement dates in this state" + STORES, labels=["bank", "state"]
        )
        for bank in self._posts:
            collected.add_metric([bank], facts.collected_fen.get(bank, 0))
            exceptions.add_metric([bank], facts.exceptions_open.get(bank, 0))
            for state in STATES:
                states.add_metric([bank, state], facts.dates.get((bank, state), 0))
        yield collected
        yield exceptions
        yield states
        yield CounterMetricFamily(
            "shebao_store_reads_failed", "Scrapes that got old facts of the store" + OURS, self.store_reads_failed
        )

    def _gauge(self, name: str, text: str, value: Callable[[Post], float]) -> Metric:
        gauge = GaugeMetricFamily(name, text, labels=["bank"])
        for bank, post in self._posts.items():
            gauge.add_metric([bank], value(post))
        return gauge


def _counter(name: str, text: str, by_bank: Mapping[str, int]) -> Metric:
    counter = CounterMetricFamily(name, text + OURS, labels=["bank"])
    for bank, count in by_bank.items():
        counter.add_metric([bank], count)
    return counter


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(name, text, buckets=_buckets(histogram), sum_value=histogram.total)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds: Iterable[str] = [*(str(bound) for bound in histogram.bounds), "+Inf"]
    return list(zip(bounds, accumulate(map(float, histogram.counts)), strict=True))
