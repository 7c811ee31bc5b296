"""The demo's day as it happens: prepare, pay, close, reconcile, prove; each step told on the screen.

Commands run in threads, so that the banks' lines live on while one works. What must hold in the end is `proof`'s.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import CancelledError
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread

from shebao.codecs.statement import StatementLine

from . import load, planting, population, proof, script, statements
from .bank import Bank
from .children import Children, Finished
from .client import Driver
from .daemon import answers, last
from .messages import APPROVED
from .planting import Planted
from .programme import COLLECTED, CONTESTED, Programme
from .screen import Screen
from .staging import Stage

SPEED: Final = 20.0  # a bank's time-out of 30 s takes 1.5
READY_WITHIN_S: Final = 30.0
FILES_WITHIN_S: Final = 30.0
POLL_S: Final = 0.1
LINES: Final = 2  # of each bank
LINES_BREAK_AT: Final = 0.4  # of that bank's orders
LINES_DOWN_S: Final = 0.5
STANDSTILL_S: Final = 60.0  # without one order done: give up
COLUMNS: Final = (
    "bank", "net yuan", "credits", "undone", "B1", "repeats", "time-outs", "reversals", "voids", "advices",
)  # fmt: skip


class Wrong(Exception):
    """The demo can't go on; one line for the user."""


class Refused(Exception):
    """The demo does not touch what it was given; one line for the user."""


class Day:
    def __init__(self, reactor: Any, screen: Screen, stage: Stage, children: Children, plan: Programme) -> None:
        self._reactor, self._screen, self._stage, self._children, self._plan = reactor, screen, stage, children, plan
        self._tomorrow = script.day_after(plan.day)
        self._log = stage.folder / "switchd.log"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._drivers = {
            name: Driver(reactor, Bank(wire, script.moment_now), stage.address(name), lines=LINES, speed=SPEED)
            for name, wire in stage.wires.items()
        }
        self._details: dict[str, list[StatementLine]] = {}
        self._planted: dict[str, list[Planted]] = {}
        self._measured: load.Measured | None = None
        self._faults: list[str] = []

    async def play(self) -> list[str]:
        """The whole day; gives what did not come out right."""
        steps = (
            self._prepare, self._start_daemon, self._pay, self._tell_late, self._close, self._reconcile, self._report,
            self._verify, self._hang_up,
        )  # fmt: skip
        try:
            for step in steps:
                await step()
        except Exception:
            self._tell_faults()  # whatever stopped the day: what was wrong before is worth knowing
            raise
        self._sum_up()
        return self._all_faults()

    def _all_faults(self) -> list[str]:
        return self._faults + [problem for driver in self._drivers.values() for problem in driver.bank.problems]

    def _tell_faults(self) -> None:
        for fault in self._all_faults():
            self._screen.say(f"WRONG: {fault}")

    async def stop_daemon(self) -> list[str]:
        """SIGTERM; gives what is wrong with its end."""
        if self._daemon is None:
            return []
        status = await deferToThread(self._children.stop, self._daemon)
        self._screen.step(f"The daemon finished what it had taken in and ended with {status}.")
        return [f"the daemon ended with {status}"] if status else []

    # Before the doors open

    async def _prepare(self) -> None:
        plan, folder = self._plan, self._stage.folder
        people, bills = folder / "people.csv", folder / "bills.csv"
        with people.open("w", encoding="utf-8", newline="") as file:
            population.write_people(plan.population.people, file)
        with bills.open("w", encoding="utf-8", newline="") as file:
            population.write_bills(plan.population.bills, file)
        total = sum(bill.amount for bill in plan.population.bills)
        self._screen.step(f"A population: {len(plan.population.people):,} people, {len(plan.population.bills):,} bills "
                          f"of {population.OFFICES} village offices, {_yuan(total)} yuan.")  # fmt: skip
        await self._command("ledgerctl", "init")
        before = _json(await self._command("ledgerctl", "balance", "--json"), "ledgerctl balance")
        if any(row["balance"] for row in before):
            raise Refused("that database holds books already; give the demo an empty one, or leave out --database")
        await self._command("keyctl", "init")
        for bank, key in self._stage.keys.items():
            await self._command("keyctl", "load", "--bank", bank, "--kind", "mac", "--hex", "-", given=key + "\n")
        self._screen.step(f"Database made; master key and {len(self._stage.keys)} bank keys loaded.")
        await self._command("ledgerctl", "import-people", str(people))
        await self._command("ledgerctl", "import-bills", str(bills))
        self._screen.step("People and bills imported.")

    async def _start_daemon(self) -> None:
        self._daemon = self._children.daemon(self._log)
        host, port = self._stage.settings.admin_listen
        url = f"http://{host}:{port}/readyz"
        until = self._reactor.seconds() + READY_WITHIN_S
        while not await deferToThread(answers, url):
            if not self._daemon_lives() or self._reactor.seconds() > until:
                raise Wrong(f"the daemon did not become ready; its log is {self._log}: {last(self._log)}")
            await script.sleep(self._reactor, POLL_S)
        for driver in self._drivers.values():
            await driver.open()
        ports = ", ".join(f"{bank} {listen[1]}" for bank, listen in self._ports().items())
        self._screen.step(f"The daemon is ready; {LINES} lines of each bank are signed on ({ports}).")

    def _daemon_lives(self) -> bool:
        return self._daemon is not None and self._daemon.poll() is None

    def _ports(self) -> dict[str, tuple[str, int]]:
        return {bank: self._stage.address(bank) for bank in self._drivers}

    # The day

    async def _pay(self) -> None:
        total = self._plan.payments
        breaks = self._plan.loses_lines
        break_at = int(LINES_BREAK_AT * len(self._plan.orders[breaks]))
        broken = False
        moved_at, done = self._reactor.seconds(), 0

        def look() -> None:
            nonlocal broken, moved_at, done
            if not broken and self._drivers[breaks].bank.done >= break_at:
                broken = True
                self._drivers[breaks].lose_lines(COLLECTED)
                self._reactor.callLater(LINES_DOWN_S, self._drivers[breaks].come_back)
                self._screen.say(f"{breaks}: all lines lost; {COLLECTED} payments are collected without one")
            before, done = done, sum(driver.bank.done for driver in self._drivers.values())
            self._screen.advance(done, total)
            moved_at = self._reactor.seconds() if done != before else moved_at
            if not self._daemon_lives() or self._reactor.seconds() - moved_at > STANDSTILL_S:
                paying.cancel()

        self._screen.step(f"The doors open: {total:,} payments over {len(self._drivers)} banks.")
        self._screen.begin("paying", total)
        watch = LoopingCall(look)
        watch.clock = self._reactor
        watch.start(POLL_S, now=False)
        began = self._reactor.seconds()
        drivers = list(self._drivers.values())
        paying = load.run_all(drivers, [self._plan.orders[bank] for bank in self._drivers])
        try:
            await paying
        except CancelledError:
            what = "nothing moves any more" if self._daemon_lives() else "the daemon ended"
            raise Wrong(f"{what} after {done} of {total} payments; its log {self._log}: {last(self._log)}") from None
        finally:
            watch.stop()
            self._screen.end()
        self._measured = load.measure(drivers, began, self._reactor.seconds())
        self._screen.step(f"The doors close: {load.report(self._measured)}.")

    async def _tell_late(self) -> None:
        """Advices of money for bills that were paid elsewhere meanwhile; then each bank's totals."""
        for bank, orders in self._plan.strays.items():
            await self._drivers[bank].run(orders)
        answers = []
        for bank, driver in self._drivers.items():
            reply, _ = await driver.totals(self._plan.day)
            code = "no answer" if reply is None else reply.code
            answers.append(f"{bank} {code}")
            if code != APPROVED:
                self._faults.append(f"{bank}: the totals of {self._plan.day} were answered {code}")
        self._screen.step(f"Totals by 0500, compared by the switch: {', '.join(answers)}.")

    async def _close(self) -> None:
        day, by_command = self._plan.day, self._plan.closed_by_command
        for bank, driver in self._drivers.items():
            if bank == by_command:
                continue
            reply, _ = await driver.cut_over(self._tomorrow)
            if reply is None or reply.code != APPROVED:
                raise Wrong(f"{bank}: the cut-over to {self._tomorrow} was answered {reply.code if reply else 'never'}")
        await self._command("reconcile", "close", "--bank", by_command, "--date", _iso(day))
        for bank, orders in self._plan.evening.items():
            await self._drivers[bank].run(orders)
        until = self._reactor.seconds() + FILES_WITHIN_S
        for bank, wire in self._stage.wires.items():
            while (details := _detail(self._stage, bank, day)) is None:
                if self._reactor.seconds() > until:
                    raise Wrong(f"{bank}: no statement file of {day} after {FILES_WITHIN_S:.0f} s")
                await script.sleep(self._reactor, POLL_S)
            self._details[bank] = await deferToThread(statements.read_day, details, wire, day)
        lines = sum(map(len, self._details.values()))
        self._screen.step(f"{_iso(day)} is closed, {by_command}'s by command, the others' by their message; "
                          f"{lines:,} lines in {len(self._details)} statement files.")  # fmt: skip
        for bank, driver in self._drivers.items():
            self._faults += proof.own_books_agree(bank, driver.bank.books.lines(day), self._details[bank])
            self._faults += proof.receipts_have_no_gap(bank, self._details[bank])
        self._screen.step("Each bank's own books against the switch's file of the day: "
                          + ("equal to the fen." if not self._faults else "THEY DIFFER."))  # fmt: skip

    # The night

    async def _reconcile(self) -> None:
        plan, day = self._plan, self._plan.day
        statuses = []
        for bank, driver in self._drivers.items():
            lines = driver.bank.books.lines(day)
            if bank == plan.nets_pairs:
                lines = planting.without_pairs(lines)
            lines, self._planted[bank] = planting.plant(
                lines, plan.planted[bank], random.Random(f"plant {bank}"), plan.unpaid,
                driver.bank.books.lines(self._tomorrow),
            )  # fmt: skip
            await deferToThread(statements.write_day, self._stage.folder, driver.bank.wire, day, lines)
            ran = await self._command("reconcile", "run", "--bank", bank, "--date", _iso(day), "--json", fine=(0, 1))
            told = _json(ran, "reconcile run")
            statuses.append(f"{bank} {told['state']}")
            self._faults += proof.classes_agree(bank, told["classes"], self._details[bank], self._planted[bank])
        self._screen.step(f"The banks' own files came and were matched: {', '.join(statuses)}.")
        listed = _json(await self._command("reconcile", "exceptions", "--json"), "reconcile exceptions")
        self._faults += proof.exceptions_agree(listed, self._planted, self._suspense())
        found = {(item["bank"], item["class"], item["bill"]) for item in listed}
        for bank, items in self._planted.items():
            for item in items:
                seen = item.item_class not in proof.LISTED or (bank, item.item_class, item.bill) in found
                self._say_found(bank, f"planted {item.kind}", seen, item.item_class, item.bill, item.amount)
        for bank, bill, amount in self._suspense():
            seen = (bank, "SUSPENSE", bill) in found
            self._say_found(bank, "told of a bill paid elsewhere", seen, "SUSPENSE", bill, amount)

    def _say_found(self, bank: str, done: str, seen: bool, item_class: str, bill: str, amount: int) -> None:
        what = "found" if seen else "NOT FOUND"
        self._screen.say(f"{bank}: {done}, {what} {item_class}: bill {bill}, {_yuan(amount)} yuan")

    def _suspense(self) -> list[tuple[str, str, int]]:
        return [(bank, order.bill, order.amount) for bank, orders in self._plan.strays.items() for order in orders]

    async def _report(self) -> None:
        await self._command("reconcile", "report", "--date", _iso(self._plan.day))
        self._screen.step(f"Reports written: {self._stage.folder / 'reports' / _iso(self._plan.day)}")

    async def _verify(self) -> None:
        strays = {order.bill for orders in self._plan.strays.values() for order in orders}
        aside = [
            line.receipt
            for bank in self._plan.strays
            for line in self._details[bank]
            if line.bill in strays
        ]
        self._faults += proof.no_bill_twice(self._details.values(), aside)
        balances = _json(await self._command("ledgerctl", "balance", "--json"), "ledgerctl balance")
        nets = {
            bank: sum(driver.bank.books.totals(date).net for date in driver.bank.books.dates())
            for bank, driver in self._drivers.items()
        }
        unequal = proof.balances_agree({row["account"]: row["balance"] for row in balances}, nets)
        self._faults += unequal
        verified = await self._command("ledgerctl", "verify", fine=(0, 1))
        if verified.status:
            self._faults.append(f"ledgerctl verify: {(verified.out + verified.err).strip().splitlines()[-1]}")
        self._screen.step("The trial balance and each bank's own books: "
                          + ("equal to the fen." if not unequal else "THEY DIFFER."))  # fmt: skip
        self._screen.step("ledgerctl verify: "
                          + ("books and seal hold." if not verified.status else "IT FOUND SOMETHING."))  # fmt: skip

    async def _hang_up(self) -> None:
        for driver in self._drivers.values():
            await driver.close()

    # What happened

    def _sum_up(self) -> None:
        day = _iso(self._plan.day)
        self._screen.table(f"The day {day}", COLUMNS, [self._row(driver.bank) for driver in self._drivers.values()])
        fates = Counter(order.fate for orders in self._plan.orders.values() for order in orders)
        self._screen.say(f"{CONTESTED} bills were carried to two banks at once, each was paid once.")
        self._screen.say(f"{fates['lost']} replies were lost, {fates['late']} came too late; "
                         f"{self._plan.loses_lines} lost its lines and came back.")  # fmt: skip
        collected = sum(driver.bank.books.totals(self._plan.day).net for driver in self._drivers.values())
        if self._measured is not None:
            speed = f"{self._measured.rate:,.0f} payments/s, p50 {self._measured.p50_ms:.0f} ms"
            store = self._stage.settings.database.split(":")[0]
            self._screen.say(f"{_yuan(collected)} yuan; {speed}, p99 {self._measured.p99_ms:.0f} ms on {store}.")
        self._screen.say(f"It all lies in {self._stage.folder}: reports/, outbox/, inbox/, seal/, switchd.log")
        self._tell_faults()
        if self._all_faults():
            self._screen.step(f"The day did not come out right: {len(self._all_faults())} faults.")
        else:
            self._screen.step("Every book balances; all that was planted was found, and nothing else.")

    def _row(self, bank: Bank) -> list[str]:
        sums = bank.books.totals(self._plan.day)

        def replies(*steps: str, code: str = "") -> int:
            return sum(n for (step, told), n in bank.codes.items() if step in steps and code in ("", told))

        numbers = (
            sums.payments, sums.reversals, replies("pay", code="B1"), replies("repeat"), bank.timeouts,
            replies("reverse", "unvoid"), replies("void", code=APPROVED), replies("advise", code=APPROVED),
        )  # fmt: skip
        return [bank.who.bank, _yuan(sums.net), *(f"{number:,}" for number in numbers)]

    async def _command(self, command: str, *arguments: str, given: str = "", fine: tuple[int, ...] = (0,)) -> Finished:
        finished: Finished = await deferToThread(self._children.run, command, *arguments, given=given, fine=fine)
        return finished


def _detail(stage: Stage, bank: str, day: int) -> Path | None:
    """The state folder, once the switch's file of that day is complete."""
    return stage.folder if list((stage.folder / "outbox" / bank / str(day)).glob("*.ok")) else None


def _json(finished: Finished, command: str) -> Any:
    try:
        return json.loads(finished.out)
    except ValueError:
        raise Wrong(f"{command} --json printed no JSON: {finished.out[:80]!r}") from None


def _yuan(fen: int) -> str:
    return f"{fen / 100:,.2f}"


def _iso(day: int) -> str:
    return f"{day // 10000:04d}-{day // 100 % 100:02d}-{day % 100:02d}"
