"""Fixtures for whole days: a database of one's own on the session's PostgreSQL server, a switch with a small town."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shebao_bureau import Bureau
from shebao_desk import Desk, prepare
from shebao_wire import Wire

from shebao.ledger.store import migrate

_numbers = itertools.count(1)


@pytest.fixture
def empty_postgres_url(postgres: Any) -> Iterator[str]:
    name = f"scenario_{next(_numbers)}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("town") / "s")


@pytest.fixture(scope="module")
def desk(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One daemon a module; whatever its tests did, its books are whole and it ends as it should."""
    with Desk(prepared, tmp_path_factory.mktemp("desk") / "s") as opened:
        yield opened
        assert opened.switch.stop() == 0
        assert not [entry for entry in opened.switch.log if entry.get("level") == "error"], opened.switch.log[-20:]
        verify = opened.switch.run("ledgerctl", "verify", check=False)
        assert verify.returncode == 0, verify.stdout + verify.stderr


@pytest.fixture(params=["rcb", "icbc", "ccb", "boc"])
def wire(request: pytest.FixtureRequest, desk: Desk) -> Iterator[Wire]:
    """A line that is signed on, of each bank in turn."""
    with desk.wire(request.param) as line:
        yield line


@pytest.fixture
def first_date() -> int:
    return 20261123


@pytest.fixture
def bureau(tmp_path: Path, first_date: int) -> Iterator[Bureau]:
    """A ledger without a daemon, all banks' first date open."""
    url = f"sqlite:///{tmp_path / 'shebao.db'}"
    migrate(url)
    one = Bureau(tmp_path, url, first_date)
    yield one
    one.store.close()
