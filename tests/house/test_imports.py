"""The import contract of setup.cfg holds: the flow runs one way, the simulators stand apart."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_contract() -> None:
    code = (
        "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(config_filename='../setup.cfg'))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=ROOT / "src", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kept, 0 broken" in done.stdout
