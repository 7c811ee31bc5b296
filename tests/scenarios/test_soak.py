"""A sample of `bin/soak`: a few rounds of real faults on each database, and its verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from shebao_harness import environment

from shebao.simulators.faults import BOTH, FAULTS

QUICK = ("--rate", "40", "--longest", "0.5", "--row", "2", "--seed", "7")


def soak(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-P", "-m", "shebao.simulators.soak", *QUICK, "--json", str(home / "out.json"), *arguments]
    return subprocess.run(
        call, capture_output=True, text=True, env={**environment(), "SHEBAO_HOME": str(home)}, cwd=home
    )


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("engine", "kinds"),
    [
        ("sqlite", ("kill", "full")),
        pytest.param("postgresql", ("lost", "takeover"), marks=pytest.mark.postgres),
    ],
)
def test_a_sample(tmp_path: Path, engine: str, kinds: tuple[str, ...]) -> None:
    chosen = [word for kind in kinds for word in ("--fault", kind)]
    done = soak(tmp_path, "--database", engine, "--faults", str(len(kinds)), *chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    (told,) = json.loads((tmp_path / "out.json").read_text())
    assert (told["lost"], told["doubled"], told["problems"]) == (0, 0, [])
    assert told["rounds"] == len(kinds) and told["acknowledged"] > 50
    assert told["asked_again"] >= told["acknowledged"] - 400, "what was acknowledged is asked for again"
    assert set(told["kinds"]) | set(told["left_out"]) == set(kinds)


def test_every_kind_has_a_name_of_its_own_and_a_database() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert all(fault.engines and set(fault.engines) <= set(BOTH) and fault.told for fault in FAULTS)
