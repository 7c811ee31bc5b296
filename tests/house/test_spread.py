"""bin/test runs what is quick, spread over the processors; but all that somebody names, and what a person wants to
watch as one plain pytest."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPREAD = "-P -m pytest -n logical --maxprocesses 4 --dist worksteal"


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """A checkout whose Python only says what it was asked."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "test"
    script.write_bytes((ROOT / "bin" / "test").read_bytes())
    script.chmod(0o755)
    stand_in = f"root={tmp_path} python=echo\nenvironment() {{ :; }}\nsay() {{ :; }}\n"
    (tmp_path / "bin" / "_environment.sh").write_text(stand_in, encoding="utf-8")
    return script


def asked(script: Path, *arguments: str) -> str:
    return subprocess.run([str(script), *arguments], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("arguments", ["", "-q", "tests/house -q", "--durations=15", "-q --tb=short"])
def test_what_is_quick_is_spread(told: Path, arguments: str) -> None:
    assert asked(told, *arguments.split()) == f"{SPREAD} -m not slow {arguments}".strip()


def test_what_is_chosen_by_name_is_all_there(told: Path) -> None:
    assert asked(told, "-k", "stories") == f"{SPREAD} -k stories"


@pytest.mark.parametrize("arguments", ["tests/x.py", "tests/x.py::test_y[1]", "tests/x.py -s", "-m slow", "-mslow -q"])
def test_a_file_or_a_mark_is_one_plain_pytest(told: Path, arguments: str) -> None:
    assert asked(told, *arguments.split()) == f"-P -m pytest {arguments}"


@pytest.mark.parametrize(
    "arguments", ["-s", "-sv", "-vs", "-x", "-q -x", "--pdb", "--capture=no", "--trace", "--sw", "-n 3", "-n0"]
)
def test_what_somebody_watches_is_not_spread(told: Path, arguments: str) -> None:
    assert asked(told, *arguments.split()) == f"-P -m pytest -m not slow {arguments}"
