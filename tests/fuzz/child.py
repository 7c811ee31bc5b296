"""The child process that fuzzes one target, or all, under atheris: child.py TARGET [libFuzzer's options and folders].

Only what is fuzzed is instrumented, before it is imported. It keeps no corpus and judges nothing: see `run` beside it.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

INSTRUMENTED = ["shebao.codecs", "shebao.ledger", "shebao.simulators", "iso8583", "tomllib"]


def main() -> None:
    import shebao_fuzzing

    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=INSTRUMENTED):
        one_input = shebao_fuzzing.one_input(name)
    again = shlex.join([sys.executable, "-P", __file__, name])  # a merge starts itself anew, by a shell
    atheris.Setup([again, *options], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
