"""The world, to those who reconcile and decide in it: what a bank core sees of it, and the papers of the desk."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date as Date
from typing import Protocol

from shebao.codecs.statement import StatementLine

from .cases import Cases
from .core import Place
from .decided import Bench
from .passbook import Passbook
from .purse import Purse


class Bureau(Place, Protocol):
    """A world with its papers."""

    cases: Cases
    purse: Purse
    bench: Bench
    passbooks: Mapping[str, Passbook]
    versions: dict[tuple[str, Date], list[list[StatementLine]]]  # of a date's file, as they came
