"""Whatever banks, files and two people do, in any order: every sum holds, and nothing is stuck at the end."""

from __future__ import annotations

import os
from typing import Any

import pytest
from shebao_random_desk import Story

SEED = int(os.environ.get("SHEBAO_SEED", "0"))  # 0: those that are always tried


@pytest.mark.parametrize("seed", [SEED] if SEED else range(1, 5))
def test_two_days_at_the_desk(bureau: Any, seed: int) -> None:
    Story(bureau, seed).live(days=2, steps=14)
