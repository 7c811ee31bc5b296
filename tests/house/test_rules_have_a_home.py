"""Each rule of docs/wire.md section 6 is named in the docstring of a function that keeps it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RULES = range(1, 13)
NAMED = re.compile(r"section 6, rules? (\d+)(?:(?:,| and) (?:rule )?(\d+))*")


def homes() -> dict[int, list[str]]:
    found: dict[int, list[str]] = {rule: [] for rule in RULES}
    for folder in ("codecs", "ledger", "switch", "reconcile"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    text = " ".join((ast.get_docstring(node) or "").split())
                    for match in NAMED.finditer(text):
                        for rule in re.findall(r"\d+", match.group(0).split("rule", 1)[1]):
                            found.setdefault(int(rule), []).append(f"{path.relative_to(ROOT)}:{node.name}")
    return found


def test_every_rule_has_a_home() -> None:
    missing = [rule for rule, places in homes().items() if not places]
    assert not missing, f"rules without a home: {missing}"


def test_no_docstring_names_a_rule_that_does_not_exist() -> None:
    assert set(homes()) == set(RULES)
