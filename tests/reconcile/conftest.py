"""A bureau for each test, on SQLite or on both databases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from shebao_bureau import Bureau

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
