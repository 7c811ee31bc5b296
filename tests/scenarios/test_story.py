"""Random stories, told to the rules in memory and to a live daemon, against the independent model."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from shebao_drivers import Live, Rules
from shebao_story import Story

QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def tell(driver: object, stories: int, steps: int) -> None:
    machine = type("Told", (Story,), {"driver": driver})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=stories,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=QUIET,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            database=None,
        ),
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_rules_agree_with_the_model(tmp_path: Path) -> None:
    tell(Rules(tmp_path / "rules"), stories=25, steps=60)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_live_daemon_agrees_with_the_model(tmp_path: Path) -> None:
    driver = Live(tmp_path / "live")
    with driver.switch:
        tell(driver, stories=8, steps=40)
