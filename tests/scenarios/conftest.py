"""Fixtures for whole days: a database of one's own on the session's PostgreSQL server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

_numbers = itertools.count(1)


@pytest.fixture
def empty_postgres_url(postgres: Any) -> Iterator[str]:
    name = f"scenario_{next(_numbers)}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
