"""What is typed wrong at `bin/world` is said in one line, and nothing is played."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from shebao.simulators.world.cli import main


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--seed", "3", "--mutants"], "--seed replays one world"),
        (["--trace"], "bin/world --seed N --trace"),
        (["--only", "commit forgotten"], "--mutants --only NAME"),
        (["--mutants", "--only", "no such"], "there is no mutant 'no such'"),
        (["--seeds", "0"], "--seeds"),
    ],
)
def test_options_that_do_not_go_together(words: list[str], told: str) -> None:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2 and told in done.output and done.output.count("\n") == 1
