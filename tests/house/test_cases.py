"""Every kind of fault in `tests/cases.md` has its row, and the tests that the row names exist."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
IDS = {f"C{n:02d}" for n in range(1, 94, 2)}
LATER = {"key exchange", "TLS"}
ROW = re.compile(r"\| (C\d\d) \| ([^|]+) \| ([^|]+) \|")
NAMED = re.compile(r"([\w/]+\.py)::(\w+)")


def rows() -> list[tuple[str, str, str]]:
    lines = (TESTS / "cases.md").read_text(encoding="utf-8").splitlines()
    found = [ROW.fullmatch(line) for line in lines if line.startswith("| C")]
    assert all(found), "a row is | id | kind | tests |"
    return [match.groups() for match in found if match]  # type: ignore[misc]


def test_every_id_has_one_row() -> None:
    ids = [name for name, _, _ in rows()]
    assert sorted(ids) == sorted(IDS) and ids == sorted(ids)


@pytest.mark.parametrize(("name", "kind", "tests"), rows(), ids=lambda text: text if len(text) == 3 else "")
def test_its_tests_exist(name: str, kind: str, tests: str) -> None:
    assert len(kind) > 20, "say what goes wrong"
    named = NAMED.findall(tests)
    later = re.findall(r"later: (.+?)(?:;|$)", tests)
    assert named or later, "a test, or what it waits for"
    assert set(later) <= LATER
    rest = re.sub(r"later: (.+?)(?:; until then |$)", "", NAMED.sub("", tests))
    assert not re.search(r"\w+::|\.py", rest), rest
    for path, test in named:
        tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert test in defined, f"{path} has no {test}"
