"""Whatever banks, files and two people do, in any order: every sum holds after each step, and nothing is stuck at last.

A failure prints its story. SHEBAO_SEED=N tries one seed; the slow test tries many, each a longer story.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from shebao_random_desk import Story

SEED = int(os.environ.get("SHEBAO_SEED", "0"))  # 0: those that are always tried
FEW = [SEED] if SEED else [1, 2]
MANY = [SEED] if SEED else range(510, 514)
# found a fault once: a surplus taken back twice, a late reversal's line that vanished, a file put back, what was
# decided and moved, a voided payment beside its twin
FOUND = [] if SEED else [102, 201, 203, 306]


@pytest.mark.parametrize("seed", FEW)
def test_a_day_at_the_desk(bureau: Any, seed: int) -> None:
    Story(bureau, seed).live(days=1, steps=16)


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_a_day_at_the_desk_of_postgresql(any_bureau: Any) -> None:
    Story(any_bureau, SEED or 3).live(days=1, steps=10)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [*FOUND, *MANY])
def test_days_at_the_desk(bureau: Any, seed: int) -> None:
    Story(bureau, seed).live(days=3, steps=30)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(900)
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("seed", FEW)
def test_days_at_the_desk_of_postgresql(any_bureau: Any, seed: int) -> None:
    Story(any_bureau, seed).live(days=3, steps=30)
