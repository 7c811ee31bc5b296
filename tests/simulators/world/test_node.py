"""A daemon on a machine of its own, over a store in trouble: what it does before it lets a bank in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shebao.simulators.world import runner
from shebao.simulators.world.plan import draw
from shebao.simulators.world.stage import stage
from shebao.simulators.world.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """Two minutes, one daemon, no faults but the test's."""
    plan = draw(1).without(list(draw(1).rates))
    with runner.scratch() as folder:
        yield World(plan, stage(folder), folder / "world")


def test_a_daemon_lets_no_bank_in_before_it_has_read_the_keys(world: World) -> None:
    """Without them it would refuse each line and say that none was loaded (found by world 400492)."""
    told: list[str] = []
    world._tell = told.append
    node = world.nodes[0]
    node.mishap.away_until = 5.0
    node.start()
    world.timeline.run_until(4.9)
    assert node.daemon is not None and list(node.daemon.ports) == ["admin"]
    assert node.daemon.why_not_ready()
    world.timeline.run_until(10.0)
    assert set(node.daemon.ports) == {"admin", "rcb", "icbc", "ccb", "boc"}
    assert all(node.knows(bank) for bank in world.scene.settings.banks)
    assert sum("keys not read" in line for line in told) >= 2
    assert not any("no MAC key" in line for line in told)
    node.kill()


def test_a_new_key_is_read_on_reload_even_if_the_first_reading_failed(world: World) -> None:
    node = world.nodes[0]
    node.start()
    world.timeline.run_until(1.0)
    world.scene.load_key(world.operator, "icbc")
    assert not node.knows("icbc") and node.knows("rcb")
    node.mishap.away_until = 3.0
    node.reload()
    world.timeline.run_until(2.0)
    assert not node.knows("icbc")
    world.timeline.run_until(3.5)
    node.reload()
    world.timeline.run_until(4.0)
    assert node.knows("icbc") and node.knows("rcb")
    node.kill()
