"""Group commit: requests of all lines gather while one transaction runs, then go into the next, together.

No timer and no added latency: an idle lane commits a batch of one. One transaction at a time runs in the
writer's thread; all else here happens in the reactor's. Replies are released only by a commit that the store
has confirmed (wire.md section 6, rule 5). The store, the writer, the clock and the encoder are arguments.

    IDLE --submit--> WRITING --done--> IDLE
    WRITING --store out of reach--> OUT --probe succeeds--> IDLE       (while OUT: 91 at once)
    WRITING --commit in doubt--> DOUBT --the same batch again, until the store tells--> IDLE
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, NamedTuple, Protocol

from shebao.codecs.errors import Code
from shebao.codecs.settings import Limits
from shebao.ledger.facts import Decision, Request, ToldTotals
from shebao.ledger.store import Answer, CommitInDoubt, StoreError

from .session import Log, Reply, Ticket
from .tally import Histogram

BACKOFF_S: Final = (0.1, 0.2, 0.5, 1.0)  # between probes of a store that is away; the last one repeats
IDLE_PROBE_S: Final = 1.0  # an idle lane asks this often whether it could still write
BATCH_SIZES: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
COMMIT_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Encode = Callable[[Request, Decision], bytes]


class State(Enum):
    IDLE = "idle"
    WRITING = "writing"
    OUT = "store out of reach"
    DOUBT = "commit in doubt"


class Delayed(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """The part of a reactor that the lane uses; tests hand in twisted.internet.task.Clock."""

    def seconds(self) -> float: ...
    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> Delayed: ...


class Store(Protocol):
    """What the lane uses of `ledger.store.Store`."""

    def transact(self, requests: Sequence[Request], now_us: Callable[[], int], encode: Encode) -> list[Answer]: ...
    def ping(self) -> None: ...
    def reconnect(self) -> None: ...
    def abandon(self) -> None: ...


class Job(NamedTuple):
    """What waits in the lane: a line's ticket, or an act of the switch's own with its callback."""

    request: Request
    ticket: Ticket | None
    done: Callable[[Reply | None], None] | None


# run(work, done): do `work` in the writer's thread, then call done(result or exception) in this one
Run = Callable[[Callable[[], object], Callable[[object], None]], None]


class Lane:
    """The only way from the lines into the books. Call it from one thread."""

    def __init__(
        self, store: Store, run: Run, clock: Clock, now_us: Callable[[], int], encode: Encode, limits: Limits, log: Log
    ) -> None:
        self.state = State.IDLE
        self.batch_sizes = Histogram(BATCH_SIZES)
        self.commit_seconds = Histogram(COMMIT_SECONDS)
        self._store, self._run, self._clock, self._now_us = store, run, clock, now_us
        self._encode, self.limits, self._log = encode, limits, log
        self._queues: dict[str, deque[Job]] = {}
        self._alone: deque[Job] = deque()  # of a batch that failed as a whole: each is tried by itself
        self._batch: list[Job] = []
        self._untold: deque[tuple[Callable[..., None], object]] = deque()  # who is to hear, and what
        self._telling = False
        self._turn = 0
        self._tries = 0
        self._busy = False  # something runs in the writer's thread
        self._began = 0.0
        self._written = clock.seconds()  # when the store last showed that it can be written
        self._watch: Delayed | None = None
        self._idle_probe = clock.callLater(IDLE_PROBE_S, self._probe_idle)
        self._when_drained: Callable[[], None] | None = None
        self.when_cut_over: Callable[[str], None] = lambda bank: None  # a date of this bank was closed
        self.when_told: Callable[[ToldTotals], None] = lambda row: None  # a bank told its totals

    # from the lines

    def submit(self, tickets: Sequence[Ticket]) -> None:
        """Take in what a line has read. Each ticket is answered exactly once, through its owner."""
        self._take([Job(ticket.request, ticket, None) for ticket in tickets])

    def act(self, request: Request, done: Callable[[Reply | None], None]) -> None:
        """An act of the switch's own, such as a cut-over by the clock."""
        self._take([Job(request, None, done)])

    def drain(self, done: Callable[[], None]) -> None:
        """Call `done` once nothing waits and nothing runs."""
        self._when_drained = done
        self._look_drained()

    @property
    def unwritable_s(self) -> float:
        """For how long the store has not shown that it can be written; about a second when all is well."""
        return self._clock.seconds() - self._written

    @property
    def waiting(self) -> int:
        return sum(map(len, self._queues.values())) + len(self._batch) + len(self._alone)

    @property
    def _waiting_max(self) -> int:
        """Of one bank: what all of its lines may have in flight. More can only be left behind by lines that are gone,
        of a bank that comes again and again while the store is locked."""
        return self.limits.in_flight_per_line * self.limits.lines_per_bank_max

    def _take(self, jobs: Sequence[Job]) -> None:
        if self.state is State.OUT or (self.state is State.DOUBT and self._tries > 1):
            self._answer_all(jobs, Code.INOPERATIVE)
            return
        too_many: list[Job] = []
        for job in jobs:
            queue = self._queues.get(job.request.bank)
            if queue is None:
                queue = self._queues[job.request.bank] = deque()
            (queue if len(queue) < self._waiting_max else too_many).append(job)
        self._begin()
        if too_many:
            self._answer_all(too_many, Code.INOPERATIVE)

    # a batch

    def _begin(self) -> None:
        if self.state is not State.IDLE or self._busy:
            return
        batch = self._gather()
        if not batch:
            return
        self.state = State.WRITING
        self._batch = batch
        self._write()

    def _go_on(self) -> None:
        """The next batch; or, with nothing left to do, whoever waits for just that."""
        self._begin()
        self._look_drained()

    def _gather(self) -> list[Job]:
        """Fair shares of the banks up to batch_max (wire.md section 6, rule 9); each bank's own in order.

        The bank that comes first changes from batch to batch, so that a remainder goes round.
        """
        if self._alone:
            return [self._alone.popleft()]
        waiting = [queue for queue in self._queues.values() if queue]
        self._turn += 1
        if waiting:
            first = self._turn % len(waiting)
            waiting = waiting[first:] + waiting[:first]
        batch: list[Job] = []
        while waiting and (room := self.limits.batch_max - len(batch)) > 0:
            share = max(1, room // len(waiting))
            for queue in waiting:
                for _ in range(min(share, len(queue), self.limits.batch_max - len(batch))):
                    batch.append(queue.popleft())
            waiting = [queue for queue in waiting if queue]
        return batch

    def _write(self) -> None:
        requests = [job.request for job in self._batch]
        again = self.state is State.DOUBT
        store, now_us, encode = self._store, self._now_us, self._encode

        def work() -> object:
            if again:
                store.reconnect()
            return store.transact(requests, now_us, encode)

        self._began = self._clock.seconds()
        self._busy = True
        self._watch = self._clock.callLater(self.limits.commit_deadline_s, self._abandon)
        self._run(work, self._wrote)

    def _abandon(self) -> None:
        """The commit deadline: a frozen store hangs rather than fails. One that is only locked is waited for,
        which is for the store to tell: `abandon` leaves such a transaction alone."""
        self._watch = self._clock.callLater(self.limits.commit_deadline_s, self._abandon)
        self._store.abandon()

    def _wrote(self, result: object) -> None:
        self._busy = False
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if isinstance(result, CommitInDoubt) or (self.state is State.DOUBT and isinstance(result, StoreError)):
            self._doubt(result)
        elif isinstance(result, StoreError):
            self._go_out(result)
        elif isinstance(result, BaseException):
            self._fail(result)
        else:
            assert isinstance(result, list)
            self._release(result)

    def _release(self, answers: list[Answer]) -> None:
        now = self._clock.seconds()
        self._written = now
        self.batch_sizes.observe(len(self._batch))
        self.commit_seconds.observe(now - self._began)
        late = self.limits.reply_deadline_s if self.state is State.DOUBT else float("inf")
        if self.state is State.DOUBT:
            self._log.info("the store has told what became of the commit", requests=len(self._batch))
        for answer in answers:
            if answer.fault is not None:
                self._log.error("fault in a request, answered 96", fault=answer.fault)
        batch, self._batch, self._tries = self._batch, [], 0
        self.state = State.IDLE
        self._begin()  # the next batch runs while these replies leave
        told: list[tuple[Job, Reply | None]] = []
        for job, answer in zip(batch, answers, strict=True):
            if job.request.service == "cutover" and answer.code == Code.APPROVED:  # however late that is known
                self._guarded(self.when_cut_over, job.request.bank)
            if answer.decision is not None and answer.decision.told is not None:
                self._guarded(self.when_told, answer.decision.told)
            waits = job.ticket is None or now - job.ticket.began <= late
            told.append((job, Reply(answer.code, answer.reply) if waits else None))
        self._deliver(told)
        self._look_drained()

    def _fail(self, fault: BaseException) -> None:
        """A fault of our own took the whole batch: each request is tried alone, so that only the one at fault
        gets 96, without effect (wire.md section 6, rule 1). One in doubt gets no answer: it may be done."""
        self._log.warning("fault in a batch", fault=fault, requests=len(self._batch))
        batch, self._batch, before, self.state = self._batch, [], self.state, State.IDLE
        self._tries = 0
        if before is State.DOUBT:
            self._deliver([(job, None) for job in batch])
        elif len(batch) > 1:
            self._alone.extend(batch)
        else:
            self._answer_all(batch, Code.MALFUNCTION)
        self._go_on()

    # the store is away

    def _go_out(self, fault: StoreError | CommitInDoubt) -> None:
        """Store out of reach or its disk full: 91 to all that wait, at once (wire.md section 6, rule 9)."""
        self._log.warning("store out of reach", fault=str(fault), requests=self.waiting)
        batch, self._batch, self.state, self._tries = self._batch, [], State.OUT, 0
        self._answer_all([*batch, *self._empty_queues()], Code.INOPERATIVE)
        self._probe_later(self._probe)

    def _probe(self) -> None:
        self._run_probe(self._probed)

    def _run_probe(self, done: Callable[[object], None]) -> None:
        store, again = self._store, self.state is State.OUT

        def work() -> object:
            if again:
                store.reconnect()
            store.ping()
            return None

        self._busy = True
        self._began = self._clock.seconds()
        self._watch = self._clock.callLater(self.limits.commit_deadline_s, self._abandon)
        self._run(work, done)

    def _probed(self, result: object) -> None:
        self._probe_ended()
        if isinstance(result, BaseException):
            self._probe_later(self._probe)
            self._look_drained()
            return
        self._log.info("store back")
        self.state, self._tries, self._written = State.IDLE, 0, self._clock.seconds()
        self._go_on()

    def _probe_ended(self) -> None:
        self._busy = False
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _probe_later(self, what: Callable[[], None]) -> None:
        pause = BACKOFF_S[min(self._tries, len(BACKOFF_S) - 1)]
        self._tries += 1
        self._clock.callLater(pause, what)

    def _probe_idle(self) -> None:
        """Readiness when no request comes: ask the store itself, as the lane would."""
        self._idle_probe = self._clock.callLater(IDLE_PROBE_S, self._probe_idle)
        if self.state is State.IDLE and not self._busy and self.unwritable_s >= IDLE_PROBE_S:
            self._run_probe(self._idle_probed)

    def _idle_probed(self, result: object) -> None:
        self._probe_ended()
        if isinstance(result, BaseException):
            if isinstance(result, StoreError | CommitInDoubt):
                self._go_out(result)
            else:
                self._log.warning("fault in a probe", fault=result)
                self._go_on()
            return
        self._written = self._clock.seconds()
        self._go_on()

    # a commit in doubt

    def _doubt(self, fault: object) -> None:
        """Nothing is sent. The same requests go to the store again: their keys tell what became of them
        (wire.md section 6, rules 2 and 5). While the store does not answer, others get 91."""
        self._log.warning("commit in doubt", fault=str(fault), requests=len(self._batch), tries=self._tries)
        self.state = State.DOUBT
        if self._tries:
            self._answer_all(self._empty_queues(), Code.INOPERATIVE)
        self._probe_later(self._write)

    # answers

    def _answer_all(self, jobs: Sequence[Job], code: Code) -> None:
        decision = Decision(code=code)
        self._deliver([(job, Reply(code, self._encode(job.request, decision))) for job in jobs])

    def _empty_queues(self) -> list[Job]:
        jobs = [*self._alone, *(job for queue in self._queues.values() for job in queue)]
        self._alone.clear()
        self._queues.clear()
        return jobs

    def _deliver(self, answers: Sequence[tuple[Job, Reply | None]]) -> None:
        """Hand each line its answers at once, so that it writes once a batch.

        In answer a line may submit its next, which with the store away is answered right here: one after the other,
        however many it holds, and never one within the other.
        """
        by_owner: dict[int, list[tuple[Ticket, Reply | None]]] = {}
        for job, reply in answers:
            if job.ticket is not None:
                by_owner.setdefault(id(job.ticket.owner), []).append((job.ticket, reply))
            elif job.done is not None:
                self._untold.append((job.done, reply))
        self._untold.extend((pairs[0][0].owner.answered, pairs) for pairs in by_owner.values())
        if self._telling:
            return
        self._telling = True
        while self._untold:
            self._guarded(*self._untold.popleft())
        self._telling = False

    def _guarded(self, deliver: Callable[..., None], answers: object) -> None:
        """A fault of one line must not keep the others from their replies."""
        try:
            deliver(answers)
        except Exception as fault:
            self._log.warning("fault while answering", fault=fault)

    def _look_drained(self) -> None:
        if self._when_drained is not None and self.waiting == 0 and not (self._busy or self._telling):
            done, self._when_drained = self._when_drained, None
            done()
