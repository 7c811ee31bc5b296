"""The fuzz targets by name, what each starts from, and how one is run in a child process with coverage guidance.

A target is a module of tests/fuzz/targets: `one_input(data)` asserts its property for any bytes, `seeds()` gives good
inputs, `LARGE` beginnings and what may follow them without end. Which bytes are tried is not decided here: the kept
corpus, or atheris in `tests/fuzz/child.py`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = ROOT / "tests" / "fuzz"
TARGETS: Final = tuple(sorted(path.stem for path in (HERE / "targets").glob("*.py")))
KEPT_BYTES_MAX: Final = 4096  # of one file of the kept corpus

# Of one input: bytes that are tried, seconds that it may take. Of the process: MiB.
INPUT_BYTES_MAX: Final = 8192
INPUT_SECONDS_MAX: Final = 10
RSS_MB_MAX: Final = 1024


@cache
def target(name: str) -> ModuleType:
    """A target by its name; by its file, where it is none of ours."""
    path = Path(name) if name.endswith(".py") else HERE / "targets" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"shebao_target_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one_input(name: str) -> Callable[[bytes], None]:
    """What tries an input of that target; of "all", the first byte of an input chooses the target."""
    if name != "all":
        tried: Callable[[bytes], None] = target(name).one_input
        return tried
    each = [target(one).one_input for one in TARGETS]
    return lambda data: each[data[0] % len(each)](data[1:]) if data else None


def corpus(name: str) -> Path:
    return HERE / "corpus" / name


def write_seeds(name: str, folder: Path) -> None:
    for number, seed in enumerate(target(name).seeds()):
        (folder / f"seed-{number:03d}").write_bytes(seed)


def command(name: str, folders: Iterable[Path], *options: str) -> list[str]:
    """A child that fuzzes one target; it writes new inputs into the first folder and reads all of them."""
    dictionary = HERE / "dictionaries" / f"{name}.dict"
    limits = [f"-max_len={INPUT_BYTES_MAX}", f"-timeout={INPUT_SECONDS_MAX}", f"-rss_limit_mb={RSS_MB_MAX}"]
    words = [f"-dict={dictionary}"] if dictionary.exists() else []
    folders = [str(folder) for folder in folders]
    return [sys.executable, "-P", str(HERE / "child.py"), name, *limits, *words, *options, *folders]


def run(arguments: list[str], scratch: Path) -> subprocess.CompletedProcess[str]:
    """A child to its end, its temporary files in `scratch`; stdout is all that it said.

    A shell between us starts it: a process begins with the largest size that its parent ever had, and the limit of
    memory would count ours.
    """
    arguments = ["sh", "-c", '"$@"; exit $?', "sh", *arguments]
    env = {**os.environ, "TMPDIR": str(scratch), "TZ": "UTC"}
    return subprocess.run(
        arguments, env=env, cwd=scratch, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
