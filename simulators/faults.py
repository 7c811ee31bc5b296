"""What `bin/soak` does to a town: one row a kind of fault, what is done and what undoes it, each under load.

A kind that this machine does not allow says why; then it is left out, and told.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from twisted.internet.threads import deferToThread

from . import script
from .bank import CUT_OVER
from .messages import APPROVED
from .town import FATES, LINES, SAFE_FATES, Town

BOTH: Final = ("sqlite", "postgresql")
POSTGRESQL: Final = ("postgresql",)
CROWD: Final = 12  # connections of strangers
Act = Callable[[Town], Awaitable[object]]


class Fault(NamedTuple):
    name: str
    engines: tuple[str, ...]
    told: str
    inject: Act
    heal: Act
    times: tuple[int, int] = (1, 1)  # in a row, from and to
    holds_s: tuple[float, float] = (0.0, 0.0)  # between the two, from and to
    often: int = 1  # cards in the deck


# -- the daemon -----------------------------------------------------------------------------------------------------


async def _kill(town: Town) -> None:
    await town.kill(town.daemon)


async def _start(town: Town) -> None:
    await deferToThread(town.daemon.start)


async def _stop(town: Town) -> None:
    await deferToThread(town.daemon.stop)


async def _freeze_daemon(town: Town) -> None:
    town.daemon.freeze()


async def _thaw_daemon(town: Town) -> None:
    town.daemon.thaw()


async def _join(town: Town) -> None:
    """A second daemon serves the same banks; then one of the two, drawn by the dice, is killed."""
    await deferToThread(town.twin.start)
    for name, driver in town.drivers.items():
        driver.also(town.twin_stage.address(name))
    await town.until(lambda: all(d.bank.lines_up >= 2 * LINES for d in town.drivers.values()), 30)
    await town.flowing(20)
    await town.kill(town.dice.choice([town.daemon, town.twin]))


async def _part(town: Town) -> None:
    if not town.daemon.lives:
        await deferToThread(town.daemon.start)
    await town.flowing()
    for name, driver in town.drivers.items():
        driver.leave(town.twin_stage.address(name))
    if town.twin.lives:
        await deferToThread(town.twin.stop)


async def _take_descriptors(town: Town) -> None:
    """So few are left that strangers take them all; with PostgreSQL the daemon must connect anew besides."""
    town.daemon.limit_descriptors()
    town.crowd = [socket.create_connection(town.stage.address(name)) for name in town.drivers for _ in range(CROWD)]
    if town.book.engine == "postgresql":
        town.postgres.proxies[0].cut()
        town.postgres.mend()


async def _give_descriptors(town: Town) -> None:
    for one in town.crowd:
        one.close()
    town.daemon.free_descriptors()


async def _cut_over(town: Town) -> None:
    """A bank closes its date, and the daemon dies in the middle of it."""
    town.fates = SAFE_FATES
    await town.turn_over()
    open_banks = [name for name in town.drivers if name not in town.cut_over]
    if len(open_banks) > 2:
        bank = town.dice.choice(open_banks)
        town.cut_over.append(bank)
        asked = town.drivers[bank].network(CUT_OVER, script.day_after(script.today()))
        asked.addErrback(lambda _: None)
    await script.sleep(town.reactor, town.dice.random() * 0.02)
    await town.kill(town.daemon)


async def _cut_over_again(town: Town) -> None:
    await deferToThread(town.daemon.start)
    await town.flowing()
    for bank in town.cut_over:
        reply, _ = await town.drivers[bank].cut_over(script.day_after(script.today()))
        if reply is None or reply.code != APPROVED:
            town.said.append(f"{bank}: the cut-over after a kill was answered {reply.code if reply else 'never'}")
    await town.flowing()
    await town.turn_over()
    town.fates = FATES


# -- the disk -------------------------------------------------------------------------------------------------------


async def _fill(town: Town) -> None:
    if town.disk is not None:
        await deferToThread(town.disk.fill)
    await town.refused()


async def _make_room(town: Town) -> None:
    if town.disk is not None:
        await deferToThread(town.disk.free)
    await deferToThread(town.book.come_back)


# -- SQLite ---------------------------------------------------------------------------------------------------------


async def _lock(town: Town) -> None:
    town.sqlite.lock()


async def _unlock(town: Town) -> None:
    town.sqlite.unlock()


# -- PostgreSQL -----------------------------------------------------------------------------------------------------


def _ends(how: signal.Signals) -> Act:
    async def end(town: Town) -> None:
        town.kills += how == signal.SIGKILL
        await deferToThread(town.postgres.server.stop, how)

    return end


async def _come_back(town: Town) -> None:
    await deferToThread(town.book.come_back)


async def _freeze(town: Town) -> None:
    town.postgres.server.freeze()


async def _cut(town: Town) -> None:
    for proxy in town.postgres.proxies:
        proxy.cut()


async def _hush(town: Town) -> None:
    for proxy in town.postgres.proxies:
        proxy.hush()


async def _mend(town: Town) -> None:
    town.postgres.mend()


async def _lose(town: Town) -> None:
    """The next COMMIT of a payment: the server did it and its answer is lost, or it never heard of it."""
    proxy = town.postgres.proxies[0]
    proxy.lost.clear()
    proxy.lose = town.dice.choice(["answer", "answer", "question"])
    await town.until(proxy.lost.is_set, 15)


async def _read_only(town: Town) -> None:
    await deferToThread(town.postgres.read_only, True)
    await town.refused()


async def _writable(town: Town) -> None:
    await deferToThread(town.postgres.read_only, False)


async def _primary_dies(town: Town) -> None:
    await deferToThread(town.postgres.pair_up)
    await town.flowing(20)
    town.watch()
    town.kills += 1
    await deferToThread(town.postgres.server.stop, signal.SIGKILL)


async def _standby_takes_over(town: Town) -> None:
    await deferToThread(town.postgres.take_over)


FAULTS: Final = (
    Fault("kill", BOTH, "switchd killed (kill -9)", _kill, _start, (8, 20), (0, 0.3), often=4),
    Fault("restart", BOTH, "switchd ended by SIGTERM and started", _stop, _start, (1, 2)),
    Fault("stall", BOTH, "switchd frozen (SIGSTOP)", _freeze_daemon, _thaw_daemon, (1, 2), (0.5, 8)),
    Fault("twins", BOTH, "a second daemon joins, one of the two is killed", _join, _part, holds_s=(0, 2)),
    Fault("descriptors", BOTH, "descriptors at their limit", _take_descriptors, _give_descriptors, holds_s=(0.5, 8)),
    Fault("cutover", BOTH, "switchd killed in a cut-over", _cut_over, _cut_over_again),
    Fault("full", BOTH, "the disk is full", _fill, _make_room, (1, 2), (0.2, 5)),
    Fault("locked", ("sqlite",), "the book locked by another", _lock, _unlock, (1, 3), (0.5, 15)),
    Fault("stopped", POSTGRESQL, "PostgreSQL stopped", _ends(signal.SIGINT), _come_back, (1, 2), (0.2, 8)),
    Fault("crashed", POSTGRESQL, "PostgreSQL killed (kill -9)", _ends(signal.SIGKILL), _come_back, (1, 3), (0, 2)),
    Fault("frozen", POSTGRESQL, "PostgreSQL frozen (SIGSTOP)", _freeze, _come_back, (1, 2), (0.5, 15)),
    Fault("cut", POSTGRESQL, "PostgreSQL cut off, connections broken", _cut, _mend, (1, 3), (0.2, 8)),
    Fault("silent", POSTGRESQL, "PostgreSQL cut off, packets vanish", _hush, _mend, (1, 2), (0.5, 15)),
    Fault("lost", POSTGRESQL, "the answer to a COMMIT lost", _lose, _mend, (4, 10), often=2),
    Fault("readonly", POSTGRESQL, "the primary read-only", _read_only, _writable, holds_s=(0.2, 8)),
    Fault("takeover", POSTGRESQL, "the primary killed, its standby takes over", _primary_dies, _standby_takes_over),
)
KINDS: Final = {fault.name: fault for fault in FAULTS}


def obstacle(fault: Fault, disk: str) -> str:
    """Why this machine does not allow a fault, or nothing. disk: why no small disk can be had."""
    if fault.name == "full":
        return disk
    if fault.name == "descriptors":
        with suppress(OSError):
            return "" if os.listdir(Path("/proc/self/fd")) else "the kernel does not list descriptors"  # noqa: PTH208
        return "there is no /proc"
    return ""
