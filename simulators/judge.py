"""Did a town come through? What the banks were told, held against what the switch says now, on the wire and in files.

Lost: an acknowledged payment that is not answered as before, or is missing in totals or in the day's file. Doubled:
a bill paid twice, a receipt given twice, a key with two answers. Faults are sentences.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final

from twisted.internet.defer import DeferredList, TimeoutError
from twisted.internet.threads import deferToThread

from shebao.codecs.statement import StatementLine

from . import proof, script, statements
from .client import WINDOW, Driver
from .messages import APPROVED
from .town import WITHIN_S, NoWayBack, Town

FILES_WITHIN_S: Final = 60.0
OLD_ASKED: Final = 40  # long since acknowledged, asked again each time
OLD_KEPT: Final = 4_000  # of each bank


class Judge:
    def __init__(self, town: Town) -> None:
        self._town = town
        self.lost = 0
        self.doubled = 0
        self.asked_again = 0
        self.faults: list[str] = []
        self._old: dict[str, list[Any]] = {name: [] for name in town.drivers}
        self._told = dict.fromkeys(town.drivers, 0)  # problems and contradictions already counted

    async def after_a_fault(self) -> None:
        """No load runs. Every payment acknowledged since the last time is asked for again, and each date's totals."""
        for name, driver in self._town.drivers.items():
            memory, bank = self._town.memories[name], driver.bank
            fresh, old, dice = memory.take_fresh(), self._old[name], self._town.dice
            self.lost += await self._repeat(driver, fresh + dice.sample(old, min(OLD_ASKED, len(old))))
            old.extend(fresh)
            if len(old) > OLD_KEPT:
                self._old[name] = dice.sample(old, OLD_KEPT)
            for date in bank.books.dates():
                reply, _ = await driver.totals(date)
                if reply is None or reply.code != APPROVED:
                    self.lost += 1
                    self.faults.append(f"{name}: the totals of {date} were answered {reply.code if reply else 'never'}")
            doubled = len(memory.contradicted) + sum(bank.books.twice.values())
            self.doubled, self._told[name] = self.doubled + doubled - self._told[name], doubled
        self._bills_once()

    async def _repeat(self, driver: Driver, sents: list[Any]) -> int:
        """How many are not answered 00 any more; that the bytes are the same, the memory sees."""
        lost = 0
        for first in range(0, len(sents), WINDOW):  # more at once would time out, and be asked once more each
            some = sents[first : first + WINDOW]
            asked = DeferredList([driver.again(sent) for sent in some])
            driver.flush()
            asked.addTimeout(WITHIN_S, self._town.reactor)
            try:
                answers = await asked
            except TimeoutError:
                raise NoWayBack(f"{driver.bank.who.bank}: repeats were not answered in {WITHIN_S:.0f} s") from None
            lost += sum(reply is None or reply.code != APPROVED for _, (reply, _) in answers)
        self.asked_again += len(sents)
        return lost

    def _bills_once(self) -> None:
        books = [driver.bank.books for driver in self._town.drivers.values()]
        twice = proof.no_bill_twice([[line for own in books for date in own.dates() for line in own.lines(date)]], ())
        if twice:
            self.doubled += len(twice)
            self.faults += twice

    async def verify(self) -> None:
        """The trial balance against the banks' own books, and the ledger's own proof."""
        town = self._town
        told = json.loads((await town.command("ledgerctl", "balance", "--json")).out)
        nets = {
            name: sum(driver.bank.books.totals(date).net for date in driver.bank.books.dates())
            for name, driver in town.drivers.items()
        }
        self.faults += proof.balances_agree({row["account"]: row["balance"] for row in told}, nets)
        verified = await town.command("ledgerctl", "verify", fine=(0, 1))
        if verified.status:
            self.faults.append(f"ledgerctl verify: {(verified.out + verified.err).strip().splitlines()[-1]}")

    async def close_the_day(self) -> None:
        """The banks that are still in today cut over; the switch's file of today is each bank's own, line by line."""
        town, day = self._town, script.today()
        details: dict[str, list[StatementLine]] = {}
        for name, driver in town.drivers.items():
            reply, _ = await driver.cut_over(script.day_after(day))
            if reply is None or reply.code != APPROVED:
                self.faults.append(f"{name}: the cut-over was answered {reply.code if reply else 'never'}")
                continue
            folder = town.stage.folder / "outbox" / name / str(day)
            if not await town.until(lambda: bool(list(folder.glob("*.ok"))), FILES_WITHIN_S):  # noqa: B023
                self.faults.append(f"{name}: no statement file of {day} after {FILES_WITHIN_S:.0f} s")
                continue
            details[name] = await deferToThread(statements.read_day, town.stage.folder, town.stage.wires[name], day)
            own = driver.bank.books.lines(day)
            self.lost += len({key(line) for line in own} - {key(line) for line in details[name]})
            self.faults += proof.own_books_agree(name, own, details[name])
            self.faults += proof.receipts_have_no_gap(name, details[name])
        self.doubled += len(twice := proof.no_bill_twice(details.values(), ()))
        self.faults += twice

    def problems(self) -> list[str]:
        """All that is wrong, what the banks complained of too."""
        complaints = [problem for driver in self._town.drivers.values() for problem in driver.bank.problems]
        contradicted = [
            f"{name}: key {' '.join(key)} has two answers"
            for name, memory in self._town.memories.items()
            for key in memory.contradicted[: proof.FAULTS_SHOWN]
        ]
        counted = Counter(complaints + contradicted + self.faults + self._town.said)
        return [text if count == 1 else f"{text} ({count} times)" for text, count in counted.items()]


def key(line: StatementLine) -> tuple[str, str, str]:
    return line.kind, line.moment, line.stan
