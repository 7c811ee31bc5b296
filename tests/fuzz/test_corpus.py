"""Bad input without chance: every file of the kept corpus, every seed, and a few large inputs, through every target."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import shebao_fuzzing as fuzzing

FILES_MAX, BYTES_MAX = 400, 500_000  # of the kept corpus in all
LARGE_BYTES = 1 << 15


def tried(name: str, inputs: Iterable[tuple[str, bytes]]) -> None:
    for told, data in inputs:
        try:
            fuzzing.target(name).one_input(data)
        except BaseException as error:
            error.add_note(f"target {name}, {told}")
            raise


@pytest.mark.parametrize("name", fuzzing.TARGETS)
def test_the_kept_corpus(name: str) -> None:
    paths = sorted(fuzzing.corpus(name).iterdir())
    assert paths
    tried(name, ((path.name, path.read_bytes()) for path in paths))


@pytest.mark.parametrize("name", fuzzing.TARGETS)
def test_the_seeds_and_what_is_left_of_them_when_cut(name: str) -> None:
    seeds = list(fuzzing.target(name).seeds())
    tried(name, ((f"seed {number}", seed) for number, seed in enumerate(seeds)))
    tried(name, ((f"seed {number}, cut", seed[: len(seed) * 2 // 3]) for number, seed in enumerate(seeds)))
    tried(name, [("nothing", b""), ("one byte", b"\x00")])


@pytest.mark.parametrize("name", fuzzing.TARGETS)
def test_large_inputs(name: str) -> None:
    """Whatever would take time with their square reaches the test's time-out."""
    large = fuzzing.target(name).LARGE
    tried(name, ((f"{head!r} and {unit!r}", head + unit * (LARGE_BYTES // len(unit) + 1)) for head, unit in large))


def test_the_kept_corpus_is_small() -> None:
    sizes = [path.stat().st_size for name in fuzzing.TARGETS for path in fuzzing.corpus(name).iterdir()]
    assert len(sizes) <= FILES_MAX and sum(sizes) <= BYTES_MAX and max(sizes) <= fuzzing.KEPT_BYTES_MAX
    assert {path.name for path in (fuzzing.HERE / "corpus").iterdir()} == set(fuzzing.TARGETS)
