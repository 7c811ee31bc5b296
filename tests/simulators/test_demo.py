"""The demo as a user starts it, small: it ends well, twice in a row, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A checkout's folder of its own, so that no other demo is in the way."""
    shutil.copytree(ROOT / "etc", tmp_path / "余杭 home" / "etc")
    return tmp_path / "余杭 home"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "shebao.simulators.demo", *arguments]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "SHEBAO_HOME": str(home), "PYTHONUTF8": "1"}


def demo(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=environment(home), cwd=home, text=True, capture_output=True, timeout=250,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_a_small_day_comes_out_right_twice(home: Path) -> None:
    for seed in ("1", "2"):
        ran = demo(home, "--payments", "600", "--seed", seed)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "Every book balances" in ran.stdout and "WRONG" not in ran.stdout
        assert re.search(r"payments/s, p50 \d+ ms, p99 \d+ ms on sqlite", ran.stdout)
        assert ran.stdout.count("planted ") >= 7 and "SUSPENSE" in ran.stdout
        assert "\x1b" not in ran.stdout  # no terminal, no colours
    assert list((home / "var" / "demo" / "reports").rglob("settlement.html"))
    assert {path.name for path in (home / "var" / "demo" / "outbox").iterdir()} == {"rcb", "icbc", "ccb", "boc"}


@pytest.mark.postgres
def test_the_same_day_comes_out_right_on_postgresql(home: Path, postgres: Any) -> None:
    postgres.execute("CREATE DATABASE demo_day")
    try:
        ran = demo(home, "--payments", "600", "--database", postgres.url("demo_day"))
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "Every book balances" in ran.stdout and "ms on postgresql" in ran.stdout
        again = demo(home, "--payments", "600", "--database", postgres.url("demo_day"))
        assert again.returncode == 3 and len(again.stderr.strip().splitlines()) == 1  # it wants an empty one
    finally:
        postgres.execute("DROP DATABASE demo_day WITH (FORCE)")


@pytest.mark.parametrize(
    ("stage", "how"),
    [
        ("A population", signal.SIGINT),
        ("The doors open", signal.SIGTERM),
        ("stays up", signal.SIGINT),
        ("stays up", signal.SIGHUP),
    ],
)
def test_ctrl_c_leaves_nothing_running(home: Path, stage: str, how: signal.Signals) -> None:
    demo_process = subprocess.Popen(
        command("--payments", "400", "--keep-running"), env=environment(home), cwd=home, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert demo_process.stdout is not None
    seen = ""
    while stage not in seen:
        line = demo_process.stdout.readline()
        assert line, seen
        seen += line
    task = Path(f"/proc/{demo_process.pid}/task")
    children = {int(pid) for thread in task.iterdir() for pid in (thread / "children").read_text().split()}
    assert children or stage == "A population"
    demo_process.send_signal(how)
    _, said = demo_process.communicate(timeout=60)
    assert demo_process.returncode == 130 and said.strip() == "demo: interrupted; nothing is left running"
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(("--payments", "3"), "--payments"), (("--seed", "x"), "--seed"), (("--dance",), "--dance")],
)
def test_what_is_typed_wrong_is_said_in_one_line(home: Path, arguments: tuple[str, ...], word: str) -> None:
    ran = demo(home, *arguments)
    assert ran.returncode == 2 and word in ran.stderr and len(ran.stderr.strip().splitlines()) == 1


def test_a_database_that_is_not_there_is_one_line(home: Path) -> None:
    ran = demo(home, "--payments", "400", "--database", "postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=2")
    assert ran.returncode == 1 and "Traceback" not in ran.stderr and len(ran.stderr.strip().splitlines()) == 1


def test_without_loopback_it_says_so_at_once(home: Path) -> None:
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a network of their own")
    ran = subprocess.run(
        [*alone, *command()], env=environment(home), cwd=home, text=True, capture_output=True, timeout=60
    )
    assert ran.returncode == 3 and ran.stdout == ""
    assert ran.stderr.count("\n") == 1 and "ip link set lo up" in ran.stderr
