"""What goes wrong, and what operators do meanwhile (`office`): one function for each kind of `plan.FAULTS`, in a table.

A mishap that finds nothing to hurt (no line, no daemon that lives) does nothing and is not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from . import clerks, deeds, evening, office
from .bureau import Bureau
from .core import Core, Place
from .lines import BankLine
from .node import Node
from .store import Shot
from .watch import until_cut_over_s


def happen(world: Bureau, kind: str) -> None:
    """One mishap of that kind, now."""
    if _MISHAPS[kind](world):
        world.counted(kind)
        world.tell(f"-- {kind}")


# -- lines -----------------------------------------------------------------------------------------------

def _line(world: Place) -> tuple[Core, BankLine] | None:
    found = [(core, line) for core in world.cores for line in core.standing()]
    return world.random.choice(found) if found else None


def _on_a_line(act: Callable[[Place, Core, BankLine], None]) -> Callable[[Place], bool]:
    def happens(world: Place) -> bool:
        found = _line(world)
        if found is not None:
            act(world, *found)
        return found is not None

    return happens


def _cut(world: Place, core: Core, line: BankLine) -> None:
    line.over = True
    line.wire.cut()


def _half_close(world: Place, core: Core, line: BankLine) -> None:
    line.wire.marks.add("half-closed")
    line.over = True
    line.ends_by = world.timeline.now
    line.wire.half_close()


def _deaf(world: Place, core: Core, line: BankLine) -> None:
    """The bank reads nothing for a while; the switch may reset it when its replies can't be got rid of."""
    line.wire.deaf = True
    line.wire.marks.add("deaf")
    world.timeline.later(world.random.uniform(1, 60), line.wire.listen_again)


def _garbage(world: Place, core: Core, line: BankLine) -> None:
    """Bytes that are no frame: what comes after them is lost with the line."""
    line.wire.marks.add("garbage")
    line.over = True
    line.ends_by = world.timeline.now
    line.wire.send(world.random.choice((b"\xff" * 8, b"9999", b"00 1abcd", bytes([0, 3, 1, 2, 3]) + b"\xff" * 4)))


def _frame_never_ends(world: Place, core: Core, line: BankLine) -> None:
    key = core.key(core.now())
    frame = core.pen.pack("0800", {7: key.de7, 11: key.stan, 32: core.pen.identity.institution, 70: "301"})
    line.wire.marks.add("frame never ends")
    line.over = True
    line.ends_by = world.timeline.now + world.plan.limits["frame_timeout_s"]
    line.wire.send(frame[: world.random.randint(1, len(frame) - 1)])


def _silent(world: Place, core: Core, line: BankLine) -> None:
    """The bank says nothing any more on this line, not even a heartbeat."""
    line.wire.marks.add("silent")
    line.over = True
    line.ends_by = world.timeline.now + world.plan.limits["silence_s"]
    line.wire.mute = True


def _too_many(world: Place) -> bool:
    core = world.random.choice(world.cores)
    if world.plan.limits["lines_per_bank_max"] > 8:
        return False
    made = [core.connect() is not None for _ in range(world.plan.limits["lines_per_bank_max"] + 2)]
    world.make_room(core)
    return any(made)


def _stranger(world: Place) -> bool:
    """A peer that is not in the bank's allow list: closed without a word."""
    core = world.random.choice(world.cores)
    up = [node for node in world.nodes if node.state == "up"]
    if not up:
        return False
    wire = up[0].new_wire(_Stranger(world), world.plan.weather, -1)
    wire.send(core.pen.heartbeat)
    up[0].connect(core.bank, wire, "192.0.2.7")
    return True


class _Stranger:
    def __init__(self, world: Place) -> None:
        self._world = world

    def opened(self, line: object) -> None:
        self._world.judge.fault("a stranger was let in")

    def received(self, line: object, data: bytes) -> None:
        self._world.judge.fault("a stranger was answered")

    def ended(self, line: object) -> None:
        pass


# -- store and processes ---------------------------------------------------------------------------------

def _node(world: Place) -> Node | None:
    found = [node for node in world.nodes if node.alive]
    return world.random.choice(found) if found else None


def _to_a_node(act: Callable[[Place, Node], None]) -> Callable[[Place], bool]:
    def happens(world: Place) -> bool:
        node = _node(world)
        if node is not None:
            act(world, node)
        return node is not None

    return happens


def _shot(*whats: str) -> Callable[[Place], bool]:
    def load(world: Place, node: Node) -> None:
        node.mishap.shots.append(Shot(world.random.choice(whats), world.random.randint(0, 16)))

    return _to_a_node(load)


def _for_a_while(name: str, longest_s: float) -> Callable[[Place], bool]:
    def begin(world: Place) -> bool:
        _all_nodes(world, name, world.random.uniform(0.05, longest_s))  # one store: it is away from all
        return True

    return begin


def _flap(world: Place) -> bool:
    """For a while the store is away and back, away and back: what was begun in one such pause fails in the next."""
    ends_at = world.timeline.now + world.random.uniform(10.0, 40.0)

    def away() -> None:
        if world.healing or world.timeline.now > ends_at:
            return
        lasts = world.random.uniform(0.3, 4.0)
        _all_nodes(world, "away_until", lasts)
        world.timeline.later(lasts + world.random.uniform(0.1, 3.0), away)

    away()
    return True


def _dies_reading(world: Place, node: Node) -> None:
    node.dies_reading = 0.5
    world.timeline.later(5.0, setattr, node, "dies_reading", 0.0)


def _dies_filing(world: Place, node: Node) -> None:
    node.dies_filing = 0.15
    world.timeline.later(60.0, setattr, node, "dies_filing", 0.0)


def _kill(world: Place, node: Node) -> None:
    node.kill()
    if world.random.random() < 0.3:  # and the store goes with it, and comes back in pieces
        _flap(world)


def _stop(world: Place, node: Node) -> None:
    node.stop()


def _own_fault(world: Place) -> bool:
    """In single requests for a while; or once in a whole batch, which may just then be in doubt."""
    node, dice = _node(world), world.random.random()
    if dice < 0.4 and node is not None:
        doubt = [Shot(world.random.choice(("doubt done", "doubt undone")))] if dice < 0.15 else []
        node.mishap.shots += [*doubt, Shot("bug", world.random.randint(0, 16))]
        return True
    world.judge.stumbling = 0.5
    world.timeline.later(2.0, setattr, world.judge, "stumbling", 0.0)
    return True


def _reload(world: Place, node: Node) -> None:
    """SIGHUP, mostly with other limits."""
    settings = world.scene.settings
    batch_max, in_flight = world.random.choice((1, 8, 200)), world.random.choice((1, 4, 256))
    if world.random.random() < 0.7:
        limits = replace(settings.limits, batch_max=batch_max, in_flight_per_line=in_flight)
        world.scene.settings = replace(settings, limits=limits)
        world.judge.take_limits(batch_max, in_flight)
    node.reload()


def _new_key(world: Place) -> bool:
    """A bank and the bureau change the MAC key between two lines; what was on its way is asked again under it."""
    core = world.random.choice(world.cores)
    for line in core.lines:
        line.over = True
        line.wire.cut()
    world.scene.load_key(world.operator, core.bank)
    core.pen = world.scene.wires[core.bank]
    for node in world.nodes:
        node.reload()
    return True


# -- clocks ----------------------------------------------------------------------------------------------

def _jump(world: Place, seconds: float) -> bool:
    world.tell(f"clocks jump by {seconds:.0f} s")
    for wall in (world.wall, *(node.wall for node in world.nodes)):
        wall.jump(seconds)
    return True


def _forth(world: Place) -> bool:
    most = world.random.choice((60, 3600, 7200, 86400, 86400 * 2, 86400 * 6))
    return _jump(world, most * world.random.uniform(0.5, 1.0))


def _back(world: Place) -> bool:
    back = -world.random.choice((1, 5, 60, 3600, 90000)) * world.random.uniform(0.5, 1.0)
    if world.random.random() < 0.5:
        world.random.choice(world.nodes).wall.jump(back)  # one machine's alone
        return True
    return _jump(world, back)


def _over_cut_over(world: Place) -> bool:
    return _jump(world, until_cut_over_s(world.wall.now_us()) - 3.0 + world.random.choice((0, 0, 5, 3600)))


def _trouble_at_cut_over(world: Place) -> bool:
    """Just when the clock strikes, the store is in trouble for all daemons."""
    shots = ("refused", "doubt done", "doubt undone", "frozen done", "frozen undone", "death before", "death after")
    what = world.random.choice(("away", "full", "full", "slow", *shots))
    lasts = world.random.uniform(2.0, 15.0)

    def strike() -> None:
        for node in world.nodes:
            if what in ("away", "full", "slow"):
                setattr(node.mishap, f"{what}_until", world.timeline.now + lasts)
            else:
                node.mishap.shots[:0] = [Shot(what)] * world.random.choice((1, 1, 2, 4))

    if not world.healing:
        _jump(world, until_cut_over_s(world.wall.now_us()) - 1.0)
        world.timeline.later(world.random.uniform(0.5, 1.0), lambda: None if world.healing else strike())
    return True


# -- crowds ----------------------------------------------------------------------------------------------

def _burst(world: Place) -> bool:
    for core in world.cores[: world.random.randint(1, len(world.cores))]:
        most = world.random.choice((10, 40, 40, 40, 250))
        deeds.burst(core, world.random.randint(most // 4, most))
    return True


def _crowd(world: Place) -> bool:
    """A bank has much to say just while the store is away; or, while it is locked, leaves it behind on line after
    line."""
    core = world.random.choice(world.cores)
    if world.random.random() < 0.6:
        packed = [one for one in world.cores if one.pen.dialect.mti == "bcd"]  # the most messages in one read
        core = packed[0] if packed else core
        _all_nodes(world, "away_until", 8.0)
        world.timeline.later(world.random.uniform(0.5, 3.0), _crowd_now, world, core, 200)
    else:
        _all_nodes(world, "locked_until", 20.0)
        for at in range(7):
            world.timeline.later(1.0 + 2.5 * at, _crowd_now, world, core, 5)
            world.timeline.later(2.0 + 2.5 * at, _leave, core)
    return True


def _all_nodes(world: Place, name: str, lasts_s: float) -> None:
    for node in world.nodes:
        setattr(node.mishap, name, world.timeline.now + lasts_s)


def _crowd_now(world: Place, core: Core, count: int) -> None:
    if not world.healing:
        deeds.crowd(core, count)


def _leave(core: Core) -> None:
    for line in core.standing():
        line.over = True
        line.wire.cut()


_MISHAPS: Final[dict[str, Callable[[Bureau], bool]]] = {
    "line cut": _on_a_line(_cut),
    "half-close": _on_a_line(_half_close),
    "deaf bank": _on_a_line(_deaf),
    "garbage": _on_a_line(_garbage),
    "frame never ends": _on_a_line(_frame_never_ends),
    "silent line": _on_a_line(_silent),
    "too many lines": _too_many,
    "stranger": _stranger,
    "store error": _shot("error", "error", "refused"),
    "commit in doubt": _shot("doubt done", "doubt undone"),
    "commit frozen": _shot("frozen done", "frozen undone"),
    "store away": _for_a_while("away_until", 12.0),
    "store full": _for_a_while("full_until", 12.0),
    "store flaps": _flap,
    "store locked": _for_a_while("locked_until", 25.0),
    "store slow": _for_a_while("slow_until", 12.0),
    "death in a transaction": _shot("death", "death before", "death after"),
    "death in a read": _to_a_node(_dies_reading),
    "kill": _to_a_node(_kill),
    "death in a file": _to_a_node(_dies_filing),
    "stop": _to_a_node(_stop),
    "clock forth": _forth,
    "clock back": _back,
    "clock over cut-over": _over_cut_over,
    "trouble at cut-over": _trouble_at_cut_over,
    "new key": _new_key,
    "own fault": _own_fault,
    "reload": _to_a_node(_reload),
    "withdraw": office.withdraw,
    "import": office.import_bills,
    "close by command": office.close,
    "sign heads": office.sign,
    "burst": _burst,
    "crowd": _crowd,
    "bank's file": evening.bank_file,
    "clerks": clerks.act,
}
