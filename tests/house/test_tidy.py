"""House style as a test: every module says what it is for, stays one idea long, and stands alone."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("codecs", "ledger", "switch", "reconcile", "simulators")
MODULE_LINES_MAX = 420
FUNCTION_LINES_MAX = 75

# word -> what to write instead; each is spelt so that this file does not trip over itself
BANNED = {
    "import " + "*": "names",
    "print" + '(f"DEBUG': "nothing",
    "/wo" + "rk/": "a path inside the checkout",
    ".." + "/shared": "a file of this project",
    ".lib" + "rary": "nothing",
    "pypi" + ".org": "no registry's host",
}


def sources() -> list[Path]:
    return sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name]


def test_there_is_something_to_look_at() -> None:
    assert len(sources()) > 30


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_module(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    if not text.strip():
        return
    assert "migrations" in path.parts or ast.get_docstring(tree), "a module opens by saying what it is for"
    assert text.count("\n") <= MODULE_LINES_MAX, "a module is one idea; split it"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            length = node.end_lineno - node.lineno
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines: a function fits a screen"


def test_below_the_edges_nobody_reads_a_clock_or_a_socket() -> None:
    """Clock, randomness, transport are arguments in the pure rooms."""
    pure = [ROOT / "codecs" / p.name for p in (ROOT / "codecs").glob("*.py")]
    pure += [
        ROOT / "ledger" / n
        for n in ("facts.py", "bills.py", "journal.py", "day.py", "decide.py", "payment.py", "reversal.py")
    ]
    pure += [ROOT / "switch" / n for n in ("services.py", "intake.py", "replies.py", "session.py")]
    for path in pure:
        text = path.read_text(encoding="utf-8")
        found = re.search(
            r"^\s*(?:import|from) (time|socket|random|secrets|os|sqlalchemy|twisted|threading)\b", text, re.M
        )
        assert not found, f"{path.name} imports {found.group(1)}" if found else ""
        assert ".now(" not in text and ".today(" not in text, path.name


def test_no_banned_words() -> None:
    for path in tracked():
        if path.suffix in {".py", ".md", ".toml", ".cfg", ".sh", ".yml", ".json", ""} and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            for word, instead in BANNED.items():
                assert word not in text, f"{path.relative_to(ROOT)} holds {word!r}: write {instead}"


def test_no_bank_is_special_in_code() -> None:
    """When a second bank needs an `if`, the dialect format is missing something."""
    for path in sources():
        if path.parts[-2] == "simulators":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                names = [c.value for c in [node.left, *node.comparators] if isinstance(c, ast.Constant)]
                assert not {"rcb", "icbc", "ccb", "boc"} & {n for n in names if isinstance(n, str)}, path
