"""Cut-overs by the clock, and the files that follow every cut-over (wire.md section 6, rule 10).

Which dates are due is a pure rule (`ledger.day`); a cut-over is an act in the lane like any other, so payments
never straddle it; the statement file is written afterwards, in a thread. Here they are only put in order:
missed cut-overs first, oldest first, before the first line is served; what fails is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from shebao.codecs.errors import Code
from shebao.codecs.settings import BankSettings
from shebao.ledger.day import cutovers_due, date_of, moment_of
from shebao.ledger.facts import KeyClass, Request

from .lane import Clock, Lane
from .session import Log, Reply

RETRY_S: Final = 2.0  # after a cut-over that the store refused
CLOSE_RETRY_S: Final = 30.0  # after a statement file that could not be written
CLOCK: Final = "clock"  # the operator of a cut-over by the clock

InThread = Callable[[Callable[[], object], Callable[[object], None]], None]


class Works(NamedTuple):
    """What happens at a date's end. The first two block and may raise: they are called in a thread."""

    open_dates: Callable[[], Mapping[str, int]]  # bank -> open date, from the store
    close: Callable[[str], list[int]]  # write the statement files of a bank's closed dates that lack one
    sign: Callable[[], None]  # have the heads of the books signed


class Nightfall:
    """Keeps every bank's open date in step with the clock. Call `tick` about once a second."""

    def __init__(
        self,
        banks: Mapping[str, BankSettings],
        lane: Lane,
        works: Works,
        in_thread: InThread,
        clock: Clock,
        now_us: Callable[[], int],
        log: Log,
    ) -> None:
        self._banks, self._lane, self._works, self._in_thread = banks, lane, works, in_thread
        self._clock, self._now_us, self._log = clock, now_us, log
        self._open: dict[str, int] = {}
        self._busy: set[str] = set()  # banks with a cut-over on its way, or a pause after a failed one
        self._reading = False  # the open dates are being read again, or will be after a pause
        self._closing: set[str] = set()
        self._close_again: set[str] = set()
        self._when_level: Callable[[], None] | None = None

    def start(self, done: Callable[[], None]) -> None:
        """Make the cut-overs that were missed; then `done`, and write what files are missing."""
        self._when_level = done
        self._read_open_dates()

    def tick(self) -> None:
        now_us = self._now_us()
        for bank, open_date in self._open.items():
            if bank not in self._busy:
                due = cutovers_due(open_date, now_us, self._banks[bank].cutover)
                if due:
                    self._cut_over(bank, due[0], now_us)
        if self._when_level is not None and self._open and not self._busy:
            done, self._when_level = self._when_level, None
            done()
            for bank in self._banks:
                self.closed(bank)

    def _cut_over(self, bank: str, date: int, now_us: int) -> None:
        self._busy.add(bank)
        request = Request(
            service="cutover",
            book_id=self._banks[bank].book_id,
            bank=bank,
            mti="",
            key_class=KeyClass.NONE,
            trace=0,
            moment=moment_of(now_us),
            received_us=now_us,
            echo={},
            date=date,
            operator=CLOCK,
        )
        self._lane.act(request, lambda reply: self._cut(bank, date, reply))

    def _cut(self, bank: str, date: int, reply: Reply | None) -> None:
        if reply is not None and reply.code == Code.APPROVED:
            self._log.info("cut over by the clock", bank=bank, date=date)
            self._busy.discard(bank)
            self._open[bank] = date
            self.tick()
            return
        code = reply.code if reply is not None else "none"
        self._log.warning("cut-over not made, trying again", bank=bank, date=date, code=code)
        if not self._reading:  # one reading has all banks tried again, however many failed
            self._reading = True
            self._clock.callLater(RETRY_S, self._read_open_dates)

    def _read_open_dates(self) -> None:
        self._reading = True
        self._in_thread(self._works.open_dates, self._know_open_dates)

    def _know_open_dates(self, result: object) -> None:
        if isinstance(result, Mapping):
            self._reading = False
            known = {bank: date for bank, date in result.items() if bank in self._banks}
            made = [bank for bank, date in known.items() if date > self._open.get(bank, date)]
            self._open.update(known)
            self._busy.clear()
            self.tick()
            for bank in made:  # and the answer was lost
                self.closed(bank)
        else:
            self._log.warning("open dates not read, trying again", fault=result)
            self._clock.callLater(RETRY_S, self._read_open_dates)

    # after a cut-over, whoever asked for it

    def closed(self, bank: str) -> None:
        """A date of this bank was closed: write its file, sign the heads."""
        if bank in self._closing:
            self._close_again.add(bank)
            return
        self._closing.add(bank)
        self._works.sign()
        self._in_thread(lambda: self._works.close(bank), lambda result: self._filed(bank, result))

    def _filed(self, bank: str, result: object) -> None:
        self._closing.discard(bank)
        if isinstance(result, BaseException):
            self._log.warning("statement file not written, trying again", bank=bank, fault=result, why=str(result))
            self._clock.callLater(CLOSE_RETRY_S, self.closed, bank)
        elif isinstance(result, list) and result:
            self._log.info("statement files written", bank=bank, dates=result, today=date_of(self._now_us()))
        if bank in self._close_again:
            self._close_again.discard(bank)
            self.closed(bank)
