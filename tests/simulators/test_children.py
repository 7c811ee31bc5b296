"""Commands as children: their status and words come back, and none outlives its owner."""

import socket
import threading
from pathlib import Path

import pytest

from shebao.simulators.children import Children, CommandFailed
from shebao.simulators.population import populate, write_bills
from shebao.simulators.script import today

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def children(tmp_path: Path) -> Children:
    return Children(tmp_path, ROOT / "etc" / "switch.toml")


def test_a_command_that_works(children: Children, tmp_path: Path) -> None:
    finished = children.run("banksim", "population", "--bills", "20", "--out", "here")
    assert finished.status == 0 and "20 bills" in finished.out
    assert (tmp_path / "here" / "bills.csv").is_file()


def test_a_command_that_fails_says_so_in_one_line(children: Children) -> None:
    with pytest.raises(CommandFailed, match=r"banksim dance ended with 2: .*No such command"):
        children.run("banksim", "dance")
    assert children.run("banksim", "dance", fine=(0, 2)).status == 2


def test_a_command_that_is_not_there(children: Children) -> None:
    with pytest.raises(CommandFailed, match="nosuchcommand is not installed"):
        children.run("nosuchcommand", "x")


def test_the_end_ends_what_runs(tmp_path: Path) -> None:
    """A bank that waits for a switch which never answers is ended, and nothing can be started any more."""
    with (tmp_path / "bills.csv").open("w", encoding="utf-8", newline="") as file:
        write_bills(populate(1, 20, today()).bills, file)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = (ROOT / "etc" / "switch.toml").read_text(encoding="utf-8")
        (tmp_path / "switch.toml").write_text(text.replace(":8581", f":{silent.getsockname()[1]}"), encoding="utf-8")
        children = Children(tmp_path, tmp_path / "switch.toml")
        failed: list[str] = []

        def run() -> None:
            try:
                children.run("banksim", "run", "--bank", "rcb", "--bills", "bills.csv", "--key", "00" * 16)
            except CommandFailed as fault:
                failed.append(str(fault))

        thread = threading.Thread(target=run)
        thread.start()
        with silent.accept()[0] as line:
            line.recv(1)  # it has connected: it runs
            children.end_all()
        thread.join(30)
        assert not thread.is_alive() and "ended with" in failed[0]
        with pytest.raises(CommandFailed, match="ending"):
            children.run("banksim", "--version")
