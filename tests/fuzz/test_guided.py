"""Coverage-guided fuzzing for a bounded number of inputs, and that it finds and stops what it should."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import shebao_fuzzing as fuzzing

RUNS = 2_000  # beside the kept corpus
PLANTED_RUNS = 2_000_000

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed: it is made for CPython 3.11 to 3.13 on Linux, x86_64",
)


def test_the_memory_of_whoever_starts_it_is_not_the_childs(tmp_path: Path) -> None:
    """A process begins with the largest size that its parent ever had, and the limit would hit it for that."""
    held = bytearray(b"x") * (300 << 20)
    told = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    done = fuzzing.run([sys.executable, "-c", told], tmp_path)
    assert len(held) and 0 < int(done.stdout) < 200, done.stdout


@pytest.mark.slow
def test_a_short_run_of_all_targets(tmp_path: Path) -> None:
    kept, found = tmp_path / "kept", tmp_path / "found"
    kept.mkdir(), found.mkdir()
    for number, name in enumerate(fuzzing.TARGETS):
        for path in fuzzing.corpus(name).iterdir():
            (kept / f"{name}-{path.name}").write_bytes(bytes([number]) + path.read_bytes())
    runs = len(list(kept.iterdir())) + RUNS
    options = (f"-runs={runs}", "-seed=1", f"-artifact_prefix={tmp_path}/")
    done = fuzzing.run(fuzzing.command("all", [found, kept], *options), tmp_path)
    assert done.returncode == 0, done.stdout[-4000:]
    assert f"Done {runs} runs" in done.stdout and "cov: " in done.stdout


PLANTED = '''
def one_input(data):
    if data[:1] == b"s":
        if data[1:2] == b"h":
            if data[2:3] == b"e":
                {fault}
'''


@pytest.mark.parametrize(
    ("fault", "told", "kept"),
    [
        ("raise KeyError('planted')", "KeyError", "crash-"),
        ("while True: data = data", "timeout", "timeout-"),
        ("held = bytearray(b'x') * (1 << 30); __import__('time').sleep(9)", "out-of-memory", "oom-"),
    ],
    ids=["exception", "endless", "memory"],
)
def test_a_planted_fault_is_found_by_coverage(tmp_path: Path, fault: str, told: str, kept: str) -> None:
    """Three bytes in a row: chance alone needs millions of inputs."""
    planted, found = tmp_path / "planted.py", tmp_path / "found"
    planted.write_text("import atheris\n\n\n@atheris.instrument_func" + PLANTED.format(fault=fault))
    found.mkdir()
    options = (f"-runs={PLANTED_RUNS}", "-seed=1", "-timeout=1", "-rss_limit_mb=300", "-max_len=8")
    done = fuzzing.run(fuzzing.command(str(planted), [found], *options, f"-artifact_prefix={tmp_path}/"), tmp_path)
    assert done.returncode and told in done.stdout, done.stdout[-4000:]
    (path,) = tmp_path.glob(f"{kept}*")
    assert path.read_bytes()[:3] == b"she"
