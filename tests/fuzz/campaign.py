"""Coverage-guided fuzzing of whatever reads what others wrote, one target after the other; see docs/reliability.md.

    bin/fuzz [TARGET ...] [--seconds N] [--keep] [--repeat FILE]

A campaign goes on from var/fuzz/TARGET, where its inputs stay, the kept corpus and the target's seeds. A fault ends
it: the input that shows it stays in var/fuzz, and --repeat FILE runs that one again.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import shebao_fuzzing as fuzzing  # noqa: E402  the path comes first

WORK = ROOT / "var" / "fuzz"
SECONDS = 60
KEPT_FILES_MAX = 80  # of one target, found by coverage


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description="Coverage-guided fuzzing, one target after the other.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {' '.join(fuzzing.TARGETS)}; default: all")
    parser.add_argument("--seconds", type=int, default=SECONDS, help=f"for each target (default: {SECONDS})")
    parser.add_argument("--keep", action="store_true", help="afterwards write the smallest set that covers as much"
                        " to tests/fuzz/corpus")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="run one target on one file, without atheris")
    asked = parser.parse_args()
    for name in asked.targets:
        if name not in fuzzing.TARGETS:
            parser.error(f"no target '{name}'; there are: {' '.join(fuzzing.TARGETS)}")
    if asked.repeat is not None and len(asked.targets) != 1:
        parser.error("--repeat FILE needs the one target that FILE is for")
    if asked.repeat is not None and not asked.repeat.is_file():
        parser.error(f"--repeat: there is no file {asked.repeat}")
    if asked.seconds < 1:
        parser.error("--seconds: write 1 or more")
    return asked


def campaign(name: str, seconds: int) -> bool:
    """True when no fault was found."""
    folder = WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="shebao-fuzz-") as scratch:
        seeds = Path(scratch, "seeds")
        seeds.mkdir()
        fuzzing.write_seeds(name, seeds)
        options = (f"-max_total_time={seconds}", f"-artifact_prefix={WORK}/{name}-", "-print_final_stats=1")
        folders = [folder, seeds, *([fuzzing.corpus(name)] if fuzzing.corpus(name).is_dir() else [])]
        done = fuzzing.run(fuzzing.command(name, folders, *options), Path(scratch))
    told = done.stdout.splitlines()
    executions = next((line.split()[-1] for line in told if line.startswith("stat::number_of_executed_units")), "?")
    covered = next((line.partition("cov: ")[2] for line in reversed(told) if "cov: " in line), "?")
    print(f"{name}: {executions} executions in {seconds} s, cov: {covered}", flush=True)
    if done.returncode:
        print("\n".join(told[-40:]), file=sys.stderr)
        return False
    return True


def keep(name: str) -> None:
    """The kept corpus anew: what is there by a telling name stays, the rest is the smallest set that covers as much."""
    kept = fuzzing.corpus(name)
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="shebao-fuzz-") as scratch:
        found = Path(scratch, "found")
        found.mkdir()
        fuzzing.write_seeds(name, found)
        for path in [*kept.iterdir(), *(WORK / name).iterdir()]:
            if path.stat().st_size <= fuzzing.KEPT_BYTES_MAX:
                shutil.copy(path, found)
        for counters in (1, 0):  # how often each edge is taken counts too, unless that makes too many files
            merged = Path(scratch, f"merged-{counters}")
            merged.mkdir()
            options = ("-set_cover_merge=1", f"-use_counters={counters}")
            done = fuzzing.run(fuzzing.command(name, [merged, found], *options), Path(scratch))
            if done.returncode:
                raise SystemExit(done.stdout[-2000:])
            if len(list(merged.iterdir())) <= KEPT_FILES_MAX:
                break
        for path in kept.iterdir():
            if not path.name.startswith("fault-"):
                path.unlink()
        for path in merged.iterdir():
            shutil.copy(path, kept / path.name)
    print(f"{name}: {len(list(kept.iterdir()))} files kept", flush=True)


def main() -> int:
    asked = arguments()
    if asked.repeat is not None:
        fuzzing.target(asked.targets[0]).one_input(asked.repeat.read_bytes())
        print(f"{asked.targets[0]}: no fault with {asked.repeat}")
        return 0
    code = "import atheris"
    if subprocess.run([sys.executable, "-P", "-c", code], capture_output=True).returncode:
        print("fuzz: atheris is not installed: it is made for CPython 3.11 to 3.13 on Linux, x86_64; "
              "there `bin/test tests/fuzz` runs the kept corpus alone", file=sys.stderr)
        return 2
    sound = True
    for name in asked.targets or fuzzing.TARGETS:
        sound = campaign(name, asked.seconds) and sound
        if asked.keep:
            keep(name)
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
