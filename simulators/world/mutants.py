"""Does the world bite? The code broken on purpose, in a copy, and how many seeds it takes until a world notices.

Each mutant replaces one piece of text that stands exactly once in its file. One that no longer fits, because the code
has moved on, is told and counts as not caught; one that no world notices is a hole in the judge.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

from shebao.ledger.config import CHECKOUT

from ..screen import Screen
from . import runner
from .plan import draw

COPIED: Final = ("codecs", "ledger", "switch", "reconcile", "simulators", "src", "etc")
CHILD: Final = (
    "import sys; sys.path.insert(0, {path!r}); from shebao.simulators.world.mutants import hunt; hunt({seeds})"
)


class Change(NamedTuple):
    file: str
    old: str
    new: str


class Mutant(NamedTuple):
    name: str
    changes: tuple[Change, ...]


def mutants() -> list[Mutant]:
    """All of them, in the order of the file."""
    text = resources.files(__package__).joinpath("mutants.toml").read_text(encoding="utf-8")
    return [
        Mutant(one["name"], tuple(Change(c["file"], c["old"], c["new"]) for c in one["change"]))
        for one in tomllib.loads(text)["mutant"]
    ]


def hunt(seeds: int) -> None:
    """In the child, over the broken copy: seeds in order until one is not clean; prints what came."""
    with runner.scratch() as folder:
        for seed in range(seeds):
            outcome = runner.play(draw(seed), folder)
            if outcome.faults:
                print(json.dumps({"seeds": seed + 1, "fault": outcome.faults[0]}))
                return
    print(json.dumps({"seeds": seeds, "fault": ""}))


def run(screen: Screen, seeds: int, processes: int, only: Sequence[str]) -> int:
    """Every mutant; 0 if all were caught."""
    wanted = [mutant for mutant in mutants() if not only or mutant.name in only]
    began = monotonic()
    missed = 0
    with runner.scratch() as folder, ThreadPoolExecutor(processes) as pool:
        tried = pool.map(lambda pair: _try(pair[1], folder / str(pair[0]), seeds), enumerate(wanted))
        for mutant, (count, fault) in zip(wanted, tried, strict=True):
            missed += not count
            screen.say(f"{f'{count:,}' if count else 'NOT CAUGHT':>10}  {mutant.name}: {fault[:160]}")
    screen.step(f"{len(wanted) - missed} of {len(wanted)} mutants were caught, in {monotonic() - began:.0f} s.")
    return 1 if missed else 0


def _try(mutant: Mutant, folder: Path, seeds: int) -> tuple[int, str]:
    """How many seeds it took (0: none noticed), and what was noticed."""
    folder.mkdir()
    for name in COPIED:
        shutil.copytree(CHECKOUT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for file, old, new in mutant.changes:
        path = folder / file
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            return 0, f"it no longer fits: {file} has its text {text.count(old)} times"
        path.write_text(text.replace(old, new), encoding="utf-8")
    command = [sys.executable, "-P", "-c", CHILD.format(path=str(folder / "src"), seeds=seeds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    shutil.rmtree(folder)
    if done.returncode:
        return 0, f"it does not run: {(done.stderr.strip() or 'killed').splitlines()[-1]}"
    found = json.loads(done.stdout.splitlines()[-1])
    fault = " ".join(found["fault"].partition(": ")[2].split())
    return (found["seeds"], fault) if fault else (0, "")
