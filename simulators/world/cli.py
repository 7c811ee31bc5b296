"""`bin/world`: plays worlds, says what happened in them, and replays, shrinks or tells one that failed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import Final

import click
from rich.console import Console

import shebao

from ..commands import FAILED, OneLineCommand
from ..screen import Screen
from . import mutants, runner
from .plan import Plan, draw
from .runner import Sum

FAILED_SHOWN: Final = 10


@click.command(cls=OneLineCommand, name="world")
@click.version_option(shebao.__version__, prog_name="world", message="%(prog)s %(version)s")
@click.option("--seeds", type=click.IntRange(1, 10_000_000), default=200, show_default=True, help="How many worlds.")
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="The first seed.")
@click.option("--processes", type=click.IntRange(1, 256), help="As many as there are cores, if left out.")
@click.option("--seed", "one", type=click.IntRange(0), help="Replay this one.")
@click.option("--trace", is_flag=True, help="With --seed: tell its story, line by line.")
@click.option("--shrink/--no-shrink", default=True, show_default=True, help="Make a world that failed smaller.")
@click.option("--mutants", "with_mutants", is_flag=True, help="Break the code on purpose; do worlds notice?")
@click.option("--only", multiple=True, metavar="NAME", help="With --mutants: this one alone; may be repeated.")
def main(
    seeds: int, first: int, processes: int | None, one: int | None, trace: bool, shrink: bool, with_mutants: bool,
    only: tuple[str, ...],
) -> int:  # fmt: skip
    """Play simulated worlds: the switch among faults, judged by an independent model.

    Ends with 1 if any world was not clean. The same seed is the same world, to the event.
    """
    wrong = _at_odds(one, trace, with_mutants, only)
    if wrong:
        raise click.UsageError(wrong)
    screen = Screen()
    cores = processes or os.cpu_count() or 1
    if with_mutants:
        return mutants.run(screen, seeds, cores, only)
    if one is not None:
        return _replay(screen, draw(one), trace, shrink)
    began = monotonic()
    total = Sum()
    screen.begin("worlds", seeds)
    for outcome in runner.play_all(range(first, first + seeds), cores):
        total.add(outcome)
        if outcome.faults and len(total.failed) <= FAILED_SHOWN:  # at once: the rest may take hours
            screen.say(f"seed {outcome.seed}: {outcome.faults[0]}")
        screen.advance(total.worlds, seeds)
    screen.end()
    _tell(screen, total, monotonic() - began)
    if total.failed:
        worst = total.failed[0].seed
        screen.say(f"{len(total.failed)} of {total.worlds} worlds failed; type: bin/world --seed {worst} --trace")
        if shrink:
            with runner.scratch() as folder:
                _shrink(screen, draw(worst), folder)
        return FAILED
    screen.step(f"All {total.worlds:,} worlds are clean.")
    return 0


def _at_odds(one: int | None, trace: bool, with_mutants: bool, only: tuple[str, ...]) -> str:
    """What does not go together, in a sentence; empty: nothing."""
    if one is not None and with_mutants:
        return "--seed replays one world, --mutants hunts through many; type: bin/world --mutants --seeds N"
    if trace and one is None:
        return "--trace tells one world's story; type: bin/world --seed N --trace"
    if only and not with_mutants:
        return "--only names a mutant; type: bin/world --mutants --only NAME"
    unknown = sorted(set(only) - {mutant.name for mutant in mutants.mutants()})
    if unknown:
        return f"--only: there is no mutant {unknown[0]!r}; their names stand in simulators/world/mutants.toml"
    return ""


def _replay(screen: Screen, plan: Plan, trace: bool, shrink: bool) -> int:
    tell = Console(highlight=False, soft_wrap=True, markup=False).print if trace else None
    with runner.scratch() as folder:
        outcome = runner.play(plan, folder, tell)
        for fault in outcome.faults:
            screen.say(fault)
        if not outcome.faults:
            screen.step(f"Seed {plan.seed} is clean: {outcome.messages} messages, {outcome.payments} payments.")
            return 0
        if shrink:
            _shrink(screen, plan, folder)
    return FAILED


def _shrink(screen: Screen, plan: Plan, folder: Path) -> None:
    screen.step(f"Seed {plan.seed} is made smaller.")
    small = runner.shrink(plan, folder, lambda smaller: None)
    for line in small.told():
        screen.say(line)
    console = Console(highlight=False, soft_wrap=True, markup=False)
    runner.play(small, folder, console.print)


def _tell(screen: Screen, total: Sum, took_s: float) -> None:
    screen.step(
        f"{total.worlds:,} worlds in {took_s:.0f} s, {total.worlds / took_s:.1f} a second: {total.messages:,} messages,"
        f" {total.payments:,} payments, {total.days:,} settlement dates, {total.seconds / 3600:,.1f} hours,"
        f" {total.events:,} events."
    )
    faults = ((kind, f"{count:,}") for kind, count in sorted(total.mishaps.items()) if not kind.startswith("deed: "))
    screen.table("What went wrong, and what operators did", ("kind", "times"), faults)
    ways = ((way, f"{count:,}") for way, count in total.ways.items())
    screen.table("Ways through the rules", ("rule", "times"), ways)
    messages = sorted({name.split()[0] for name in total.codes})
    screen.table("Replies", ("code", *messages), _by_code(total, messages))
    never = total.never()
    if never:
        screen.say(f"Never reached: {', '.join(never)}")


def _by_code(total: Sum, messages: list[str]) -> Iterable[tuple[str, ...]]:
    for code in sorted({name.split()[1] for name in total.codes}):
        yield code, *(f"{total.codes[f'{message} {code}']:,}" for message in messages)


if __name__ == "__main__":
    main()
