"""`banksim`: one bank core on the wire, a load generator, a population. See operations.md, "Commands"."""

from __future__ import annotations

import math
import random
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from twisted.internet.error import ConnectError

import shebao
from shebao.codecs.settings import SwitchSettings

from . import config, load, population, statements, traffic
from .bank import TIMEOUT_S, Bank
from .client import LINES_MAX, WINDOW, Driver, SignOnFailed
from .commands import FAILED, INTERRUPTED, REFUSED, OneLineGroup, Stop
from .messages import Order
from .planting import CLASS_OF, NothingToPlant, plant
from .population import BillsFault
from .script import Interrupted, day_after, moment_now, run_script, today
from .wire import Wire


@click.group(cls=OneLineGroup, name="banksim")
@click.version_option(shebao.__version__, prog_name="banksim", message="%(prog)s %(version)s")
@click.option("--config", "path", type=click.Path(path_type=Path), default=Path("etc/switch.toml"), show_default=True,
              help="The switch's configuration: ports, institutions, dialects.")  # fmt: skip
@click.pass_context
def banksim(context: click.Context, path: Path) -> None:
    """Simulated banks: they reach the switch over TCP, as any bank does."""
    context.obj = path


class _Number(click.FloatRange):
    """A number in a range; `nan` and `inf` are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number; write one such as 100", param, ctx)
        return number


def _shared(command: Any) -> Any:
    """The options of `run` and `load`."""
    for option in reversed((
        click.option("--bills", "bills_file", required=True, type=click.Path(path_type=Path), help="Bill CSV."),
        click.option("--key", help="The bank's MAC key in hex; - reads it from standard input."),
        click.option("--keys", type=click.Path(path_type=Path, allow_dash=True), help="File of lines bank=hex."),
        click.option("--payments", type=click.IntRange(min=1), help="How many of the bills; all if left out."),
        click.option("--lines", type=click.IntRange(1, LINES_MAX), default=2, show_default=True, help="Connections."),
        click.option("--window", type=click.IntRange(1, 10_000), default=WINDOW, show_default=True,
                     help="Requests in flight per line."),
        click.option("--rate", type=_Number(min=0), default=0.0,
                     help="Payments offered a second, of all banks together; 0: as fast as the window allows."),
        click.option("--seed", type=int, default=1, show_default=True),
    )):  # fmt: skip
        command = option(command)
    return command


@banksim.command("population")
@click.option("--bills", "count", type=click.IntRange(1, population.SERIAL_MAX), default=20_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--date", "day", help="YYYY-MM-DD on which the bills can be paid; today if left out.")
@click.option("--first-serial", type=click.IntRange(1, population.SERIAL_MAX), default=1, show_default=True,
              help="Of the bill numbers: another one for bills beside those of an earlier population.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder; . if left out.")
def make_population(count: int, seed: int, day: str | None, first_serial: int, out: Path) -> None:
    """Make up people.csv and bills.csv, ready for ledgerctl."""
    try:
        made = population.populate(seed, count, _day(day), first_serial)
    except ValueError as fault:
        raise Stop(str(fault)) from None
    people, bills = write_population(made, out)
    total = sum(bill.amount for bill in made.bills)
    click.echo(f"{people}: {len(made.people)} people")
    click.echo(f"{bills}: {len(made.bills)} bills, {total / 100:,.2f} yuan")


def write_population(made: population.Population, out: Path) -> tuple[Path, Path]:
    out.mkdir(parents=True, exist_ok=True)
    people, bills = out / "people.csv", out / "bills.csv"
    with people.open("w", encoding="utf-8", newline="") as file:
        population.write_people(made.people, file)
    with bills.open("w", encoding="utf-8", newline="") as file:
        population.write_bills(made.bills, file)
    return people, bills


@banksim.command()
@click.option("--bank", required=True, help="Its name in the configuration.")
@_shared
@click.option("--speed", type=_Number(min=0.1, max=1000), default=20.0, show_default=True,
              help=f"Seconds of the bank's clock in one of ours: its time-out is {TIMEOUT_S:.0f} of them.")  # fmt: skip
@click.option("--statement", is_flag=True, help="At the end, write the bank's own file of the day into the inbox.")
@click.option("--plant", "planted", multiple=True, metavar="KIND=N",
              help=f"Discrepancies in that file: {', '.join(CLASS_OF)}; added: bills beyond --payments.")  # fmt: skip
@click.option("--cut-over", "cut_over", is_flag=True, help="At the end, cut over by message.")
@click.pass_obj
def run(path: Path, /, bank: str, planted: tuple[str, ...], statement: bool, cut_over: bool, **options: Any) -> int:
    """Play one bank core for a day.

    Sign-on, traffic with its troubles, totals, its own statement file.
    """
    settings, drivers, bills = _prepare(path, [bank], options)
    wanted = _wanted(planted)
    rest = _bills(options["bills_file"])[options["payments"] :] if options["payments"] else []
    unpaid = [(bill.number, bill.amount) for bill in rest]
    day = today()
    orders = traffic.orders(bills[0], random.Random(f"run {options['seed']} {bank}"), day)

    async def script(reactor: Any) -> tuple[list[str], bool]:
        driver = _driver(reactor, drivers[0], options, options["speed"])
        began = await _drive(reactor, [driver], [orders])
        said = [load.report(load.measure([driver], *began))]
        date = max(driver.bank.books.dates(), default=day)  # the switch may be a settlement date ahead
        said += await _end_of_day(driver, date, cut_over)
        await driver.close()
        said += driver.bank.problems
        if statement:
            try:
                said += _statement(settings, driver.bank, date, wanted, options["seed"], unpaid)
            except NothingToPlant as fault:  # the day was played all the same: what it came to is told
                said.append(f"no statement file: {fault}")
                return said, False
        return said, not driver.bank.problems

    return _say(script, drivers)


async def _end_of_day(driver: Driver, day: int, cut_over: bool) -> list[str]:
    reply, decoded = await driver.totals(day)
    said = [f"totals of {day}: {'no answer' if reply is None else reply.code}"]
    if reply is not None and decoded is not None and reply.code == "95":
        said.append(f"  the switch has {decoded.fields.get(74)} credits, net {decoded.fields.get(97)}")
    if cut_over:
        reply, _ = await driver.cut_over(day_after(day))
        said.append(f"cut-over to {day_after(day)}: {'no answer' if reply is None else reply.code}")
    return said


def _statement(
    settings: SwitchSettings, bank: Bank, day: int, wanted: dict[str, int], seed: int, unpaid: list[tuple[str, int]]
) -> list[str]:
    dice = random.Random(f"plant {seed} {bank.who.bank}")
    lines, done = plant(bank.books.lines(day), wanted, dice, unpaid, bank.books.lines(day_after(day)))
    path = statements.write_day(Path(settings.state_dir), bank.wire, day, lines)
    return [f"{path}: {len(lines)} lines", *(f"planted {item.kind}: {item.item_class} {item.bill}" for item in done)]


@banksim.command("load")
@click.option("--bank", "banks", multiple=True, required=True, help="May be given several times.")
@_shared
@click.pass_obj
def load_command(path: Path, /, banks: tuple[str, ...], **options: Any) -> int:
    """Make payments as fast as they go, and check each reply."""
    _, wires, bills = _prepare(path, list(banks), options)
    day = today()
    dice = random.Random(f"load {options['seed']}")
    orders = [traffic.orders(mine, dice, day, {}) for mine in bills]
    options["rate"] /= len(banks)

    async def script(reactor: Any) -> tuple[list[str], bool]:
        drivers = [_driver(reactor, wire, options) for wire in wires]
        measured = load.measure(drivers, *await _drive(reactor, drivers, orders))
        for driver in drivers:
            await driver.close()
        problems = [problem for driver in drivers for problem in driver.bank.problems]
        return [load.report(measured), *problems], not problems

    return _say(script, wires)


Prepared = tuple[Wire, tuple[str, int]]


def _prepare(path: Path, banks: list[str], options: dict[str, Any]) -> tuple[SwitchSettings, list[Prepared], list[Any]]:
    """Configuration, wires with their addresses, and each bank's share of the bills."""
    try:
        settings = config.read_settings(path)
        keys = _keys(banks, options)
        prepared: list[Prepared] = []
        for name in banks:
            bank = config.bank_settings(settings, name, str(path))
            wire = config.make_wire(settings, bank, config.read_dialect(bank.dialect, path), keys[name])
            prepared.append((wire, (bank.listen.host, bank.listen.port)))
        bills = _bills(options["bills_file"])[: options["payments"]]
    except (BillsFault, ValueError) as fault:
        raise Stop(str(fault)) from None
    return settings, prepared, [bills[n :: len(banks)] for n in range(len(banks))]


def _keys(banks: list[str], options: dict[str, Any]) -> dict[str, str]:
    if options["keys"] is not None:
        try:
            with click.open_file(str(options["keys"]), encoding="utf-8") as file:
                keys = dict(config.read_keys(file.read()))
        except OSError as fault:
            raise ValueError(f"{options['keys']}: {fault.strerror}; write lines bank=hex into it") from None
    elif options["key"] is not None and len(banks) == 1:
        keys = {banks[0]: (sys.stdin.readline() if options["key"] == "-" else options["key"]).strip()}
    else:
        raise ValueError("no MAC key: give --key HEX for one bank, or --keys FILE with lines bank=hex")
    missing = [bank for bank in banks if bank not in keys]
    if missing:
        raise ValueError(f"no key of {missing[0]} in {options['keys']}; add a line {missing[0]}=HEX")
    return keys


def _bills(path: Path) -> list[population.Bill]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(population.read_bills(file, str(path)))
    except OSError as fault:
        raise BillsFault(f"{path}: {fault.strerror}; make one with: banksim population") from None
    except UnicodeDecodeError:
        raise BillsFault(f"{path} is not UTF-8") from None


def _driver(reactor: Any, prepared: Prepared, options: dict[str, Any], speed: float = 1.0) -> Driver:
    wire, address = prepared
    bank = Bank(wire, moment_now)
    return Driver(reactor, bank, address, lines=options["lines"], window=options["window"], rate=options["rate"],
                  speed=speed)  # fmt: skip


async def _drive(reactor: Any, drivers: list[Driver], orders: Sequence[Iterable[Order]]) -> tuple[float, float]:
    for driver in drivers:
        await driver.open()
    began = reactor.seconds()
    await load.run_all(drivers, orders)
    return began, reactor.seconds()


def _say(script: Any, wires: list[Prepared]) -> int:
    try:
        said, fine = run_script(script)
    except ConnectError:
        ports = ", ".join(f"{host}:{port}" for _, (host, port) in wires)
        raise Stop(f"nobody listens at {ports}; start the daemon: switchd run", REFUSED) from None
    except SignOnFailed as fault:
        raise Stop(str(fault), REFUSED) from None
    except Interrupted:
        raise Stop("interrupted", INTERRUPTED) from None
    for line in said:
        click.echo(line)
    return 0 if fine and said[0].endswith(" 0 problems") else FAILED


def _wanted(planted: tuple[str, ...]) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for text in planted:
        kind, _, count = text.partition("=")
        if kind not in CLASS_OF or not (count.isascii() and count.isdigit()):
            raise Stop(f"--plant {text}: write KIND=N with a kind of {', '.join(CLASS_OF)}")
        wanted[kind] = int(count)
    return wanted


def _day(text: str | None) -> int:
    if text is None:
        return today()
    try:
        if not re.fullmatch("2[0-9]{3}-[0-9]{2}-[0-9]{2}", text):  # around it are other dates, which must exist too
            raise ValueError
        digits = int(text.replace("-", ""))
        population.as_date(digits)
    except ValueError:
        raise Stop(f"--date {text}: write a date that exists, of 2000 to 2999, as YYYY-MM-DD") from None
    return digits
