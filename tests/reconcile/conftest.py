"""A bureau for each test, on SQLite or on both databases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shebao_bureau import Bureau
from shebao_clerks import D, run, strange
from shebao_random_desk import Story

from shebao.ledger.store import migrate


@pytest.fixture(scope="session")
def empty_books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as `ledgerctl init` makes it: to be copied."""
    path = tmp_path_factory.mktemp("empty") / "shebao.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def bureau(tmp_path: Path, empty_books: Path) -> Iterator[Bureau]:
    """On SQLite."""
    shutil.copy(empty_books, tmp_path / "shebao.db")
    one = Bureau(tmp_path, f"sqlite:///{tmp_path / 'shebao.db'}")
    yield one
    one.store.close()


@pytest.fixture
def any_bureau(tmp_path: Path, store_url: str) -> Iterator[Bureau]:
    """On SQLite and on PostgreSQL, with the tables that `ledgerctl init` makes."""
    one = Bureau(tmp_path, store_url)
    yield one
    one.store.close()


def with_three(bureau: Any) -> Any:
    """A date with three payments that the bank has alone, of bills that can be paid, and one that it lacks."""
    lost = bureau.pay("icbc")
    bureau.pay("icbc")
    bureau.bills = [bureau.bill() for _ in range(3)]
    bureau.close("icbc")

    def plant(lines: list[Any]) -> list[Any]:
        kept = [one for one in lines if one.stan != lost.stan]
        return [*kept, *(strange(lines[0], bill, stan=f"99999{n}") for n, bill in enumerate(bureau.bills))]

    bureau.deliver("icbc", D, plant)
    bureau.next_day()
    run(bureau)
    bureau.story = Story(bureau, 1, lambda text: None)
    return bureau


@pytest.fixture
def three(bureau: Any) -> Any:
    return with_three(bureau)


@pytest.fixture
def any_three(any_bureau: Any) -> Any:
    return with_three(any_bureau)
