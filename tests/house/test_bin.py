"""bin/: POSIX sh that finds its root through links and from any folder, and answers in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("switchd", "ledgerctl", "keyctl", "reconcile", "banksim")


@pytest.mark.parametrize("name", [*COMMANDS, "demo", "test", "fuzz", "soak", "world"])
def test_is_executable_posix_sh(name: str) -> None:
    path = ROOT / "bin" / name
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", str(path)]).returncode == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_version_through_a_link_from_elsewhere(name: str, tmp_path: Path) -> None:
    link = tmp_path / f"某 链接-{name}"
    link.symlink_to(ROOT / "bin" / name)
    done = subprocess.run(
        [str(link), "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C"},
    )
    assert done.returncode == 0, done.stderr
    assert name in done.stdout and "0.1.0" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_missing_configuration_is_one_line(name: str, tmp_path: Path) -> None:
    arguments = {
        "switchd": ["check"],
        "ledgerctl": ["verify"],
        "keyctl": ["list"],
        "reconcile": ["status"],
        "banksim": ["run", "--bank", "rcb", "--bills", "bills.csv"],
    }[name]
    done = subprocess.run(
        [str(ROOT / "bin" / name), "--config", "no-such.toml", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "no-such.toml" in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_python_without_venv_is_one_line_with_the_mend(tmp_path: Path) -> None:
    """A stand-in Python that has no venv: as Debian without python3-venv."""
    stand_in = tmp_path / "python3"
    stand_in.write_text(f'#!/bin/sh\ncase "$2" in *venv*) exit 1;; esac\nexec "{sys.executable}" "$@"\n')
    stand_in.chmod(0o755)
    copy = tmp_path / "copy"
    (copy / "bin").mkdir(parents=True)
    for name in ("switchd", "_environment.sh"):
        (copy / "bin" / name).write_bytes((ROOT / "bin" / name).read_bytes())
        (copy / "bin" / name).chmod(0o755)
    (copy / "setup.cfg").write_bytes((ROOT / "setup.cfg").read_bytes())
    done = subprocess.run(
        [str(copy / "bin" / "switchd"), "check"],
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHON": str(stand_in)},
    )
    assert done.returncode == 2
    assert "python3-venv" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
