"""What two people decided is proved like all else: a changed ruling, share or correction is named, by ours and outside.

The auditor's verifier (docs/seal_verifier.py) sees what is sealed; ours sees also what follows from it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from shebao_decided import TAMPERED_DESK, Decided

from shebao.ledger import proof, schema

VERIFIER = Path(__file__).parents[2] / "docs" / "seal_verifier.py"


@pytest.fixture
def decided(till: Any, tmp_path: Path) -> Decided:
    return Decided(till, tmp_path)


only_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def audit(decided: Decided) -> tuple[int, list[str]]:
    """As an auditor would: without the project's modules in reach."""
    file = decided.till.url.removeprefix("sqlite:///")
    command = [sys.executable, "-I", str(VERIFIER), file, str(decided.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_good_decisions_prove(decided: Decided) -> None:
    assert decided.faults() == {}
    if decided.till.url.startswith("sqlite"):
        assert audit(decided)[0] == 0
    looked_at = {one.name: one.looked_at for one in decided.verify()}
    assert looked_at[proof.CORRECTIONS] == len(decided.at) == 9


@only_sqlite
@pytest.mark.parametrize("what", TAMPERED_DESK)
def test_a_changed_decision_is_named(decided: Decided, what: str) -> None:
    statements, against, kind, says = TAMPERED_DESK[what]
    decided.till.tamper(*statements(decided))
    faults = decided.faults()
    assert set(faults) == against, faults
    told = says.format(decided.at.get(kind, 0))
    assert any(told in finding for findings in faults.values() for finding in findings), faults
    status, theirs = audit(decided)
    if proof.SEAL in against:
        of = f"event 100/{decided.at.get(kind, 1)}: its seal is not that of its rows"
        assert status == 1 and of in theirs, theirs
    elif what == "a ruling of no event":
        assert (status, theirs) == (1, ["ruling 100/99: belongs to no event"])
    elif proof.STATUS in against:
        assert status == 1 and any("which is not where its sealed moves lead" in line for line in theirs), theirs


@only_sqlite
def test_no_column_of_a_decision_can_be_changed(decided: Decided) -> None:
    """One by one, of every ruling and share: ours and the auditor's verifier name the event."""
    for table, kind in (("ruling", "booked"), ("share", "received")):
        of = f"book_id = 100 AND seq = {decided.at[kind]}"
        for column in schema.metadata.tables[table].c:
            if column.name in ("book_id", "seq"):
                continue
            ((before,),) = decided.till.rows(f"SELECT quote({column.name}) FROM {table} WHERE {of}")
            after = f"{column.name} + 1" if str(before).isdigit() else "'x'"
            decided.till.tamper(f"UPDATE {table} SET {column.name} = {after} WHERE {of}")
            assert proof.SEAL in decided.faults(), (table, column.name)
            status, told = audit(decided)
            assert status == 1 and f"event 100/{decided.at[kind]}: its seal" in told[0], (table, column.name, told)
            decided.till.tamper(f"UPDATE {table} SET {column.name} = {before} WHERE {of}")
    assert decided.faults() == {} and audit(decided)[0] == 0


@only_sqlite
def test_swapped_decisions_are_named(decided: Decided) -> None:
    """The rulings of two events exchanged: either is a right one, but not where it stands."""
    one, other = decided.at["reversed"], decided.at["booked"]
    decided.till.tamper(
        *(f"UPDATE ruling SET seq = {after} WHERE book_id = 100 AND seq = {before}"
          for before, after in ((one, 99), (other, one), (99, other)))
    )  # fmt: skip
    faults = decided.faults()
    told = [finding for finding in faults[proof.SEAL] if f"100/{one}:" in finding or f"100/{other}:" in finding]
    assert len(told) == 2, faults
