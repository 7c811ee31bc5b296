"""The mutants fit the code as it is: each text that they replace stands exactly once in its file.

That worlds notice them takes an hour (`bin/world --mutants`); here only a few are tried (`test_world`).
"""

from __future__ import annotations

import ast

import pytest

from shebao.ledger.config import CHECKOUT
from shebao.simulators.world.mutants import Mutant, mutants


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_a_mutant_fits_and_can_be_compiled(mutant: Mutant) -> None:
    texts: dict[str, str] = {}
    for file, old, new in mutant.changes:
        text = texts.get(file) or (CHECKOUT / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} has its text {text.count(old)} times"
        assert old != new
        texts[file] = text.replace(old, new)
    for text in texts.values():
        ast.parse(text)


def test_there_are_enough_and_no_name_stands_twice() -> None:
    names = [mutant.name for mutant in mutants()]
    assert len(names) >= 15
    assert len(set(names)) == len(names)
