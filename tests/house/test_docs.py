"""The documents and the commands say the same: generated from click, so that neither is forgotten."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from shebao.ledger.cli import ledgerctl
from shebao.reconcile.cli import reconcile
from shebao.simulators.cli import banksim
from shebao.simulators.demo import main as demo
from shebao.simulators.soak import main as soak
from shebao.simulators.world.cli import main as world
from shebao.switch.cli import switchd
from shebao.switch.keyctl import keyctl

ROOT = Path(__file__).resolve().parents[2]
COMMANDS: dict[str, click.Command] = {
    "switchd": switchd, "ledgerctl": ledgerctl, "keyctl": keyctl, "reconcile": reconcile, "banksim": banksim,
    "demo": demo, "soak": soak, "world": world,
}  # fmt: skip
NOT_CLICK = {"test", "bench", "fuzz"}  # they hand their arguments on
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
COLUMNS = 80


def subcommands() -> Iterator[tuple[str, str, click.Command]]:
    for name, command in COMMANDS.items():
        if isinstance(command, click.Group):
            for sub, one in command.commands.items():
                yield name, sub, one


def examples() -> Iterator[tuple[str, str]]:
    """(document:line, words after bin/) of every example, in fences and in backquotes."""
    for document in DOCUMENTS:
        fenced = False
        for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
            if line.lstrip().startswith("```"):
                fenced = not fenced
            elif fenced:
                for part in line.split("#"):
                    if found := re.search(r"(?:^\s*|: )bin/([a-z].*)", part):
                        yield f"{document.name}:{number}", found[1]
            else:
                for quoted in re.findall(r"`([^`]+)`", line):
                    if found := re.search(r"^bin/([a-z].*)", quoted):
                        yield f"{document.name}:{number}", found[1]


def fault_of(example: str) -> str:
    """What is wrong with an example, or nothing."""
    name, *words = shlex.split(example)
    if name in NOT_CLICK:
        return "" if (ROOT / "bin" / name).is_file() else f"no command bin/{name}"
    command = COMMANDS.get(name)
    if command is None:
        return f"no command bin/{name}"
    while words:
        word = words.pop(0).strip("[]")
        options = {text: option for option in command.params for text in [*option.opts, *option.secondary_opts]}
        if word.startswith("--") and word != "--help":
            if word not in options:
                return f"{command.name} has no option {word}"
            if not getattr(options[word], "is_flag", False):
                words = words[1:]  # its value
        elif isinstance(command, click.Group) and not word.startswith("--"):
            if word not in command.commands:
                return f"{command.name} has no sub-command {word}"
            command = command.commands[word]
    return ""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_and_its_list_have_help_that_fits(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    told = command.get_help(click.Context(command, info_name=name, terminal_width=COLUMNS))
    assert "..." not in re.sub(r"\[ARGS\]\.\.\.", "", told), told  # cut short: the first sentence is too long


@pytest.mark.parametrize(("name", "sub", "command"), list(subcommands()))
def test_every_subcommand_and_option_has_help_and_stands_in_operations(
    name: str, sub: str, command: click.Command
) -> None:
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help or option.show_default, f"{name} {sub} {option.opts[0]} says nothing of itself"
    rows = [line for line in OPERATIONS.splitlines() if f"`{name} " in line]
    assert any(re.search(rf"`{name} {sub}\b|`{sub}\b", line) for line in rows), f"{name} {sub}: add it to Commands"


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "bin").iterdir() if path.name[0] != "_"))
def test_every_command_stands_in_the_readme(name: str) -> None:
    assert f"`{name}`" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert name in COMMANDS or name in NOT_CLICK


def test_the_documents_have_examples() -> None:
    assert len(list(examples())) >= 20


@pytest.mark.parametrize(("place", "example"), list(examples()))
def test_every_example_names_what_exists(place: str, example: str) -> None:
    assert not (fault := fault_of(example)), f"{place}: {fault}"


@pytest.mark.parametrize(
    "example",
    ["nothing run", "keyctl lode", "ledgerctl bill --jsn", "banksim run --bank rcb --cutover", "demo --seeds 1"],
)
def test_a_wrong_example_is_found(example: str) -> None:
    assert fault_of(example)


@pytest.mark.parametrize("name", COMMANDS)
def test_completion_knows_the_command(name: str) -> None:
    from click.shell_completion import BashComplete

    command = COMMANDS[name]
    complete = BashComplete(command, {}, name, f"_{name.upper()}_COMPLETE")
    offered = {item.value for item in complete.get_completions([], "" if isinstance(command, click.Group) else "--")}
    options = {"--seed", "--help"}  # of all that have no sub-command
    wanted = set(command.commands) if isinstance(command, click.Group) else options
    assert wanted <= offered and f"_{name.upper()}_COMPLETE" in complete.source()
