"""Payments, reversals, corrections and net, added up by whatever is asked for.

All from one query's rows (`queries`, cube): its legs on funds and suspense, so that any two tables of a report have
the same grand total. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import polars as pl

from shebao.ledger.journal import CREDITS, REVERSALS

SCHEMA: Final = {
    "bank": pl.String, "date": pl.Int64, "kind": pl.String, "type": pl.String, "channel": pl.String,
    "branch": pl.String, "office": pl.String, "parts": pl.Int64, "acts": pl.Int64, "fen": pl.Int64,
}  # fmt: skip
SUSPENSE: Final = "suspense"  # as insurance type and as office: money that stands on no bill
PAYMENTS, REVERSED, CORRECTIONS = "payments", "reversals", "corrections"


class Line(NamedTuple):
    """One row of such a table. Corrections are signed; the others count gross, as in a detail file."""

    payments: int = 0
    payments_fen: int = 0
    reversals: int = 0
    reversals_fen: int = 0
    corrections: int = 0
    corrections_fen: int = 0

    @property
    def net(self) -> int:
        return self.payments_fen - self.reversals_fen + self.corrections_fen


def frame(rows: Iterable[Sequence[Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")


def lines(cube: pl.DataFrame, *keys: str, counted: str = "acts") -> dict[tuple[Any, ...], Line]:
    """Rows by some columns. counted: "acts", messages and decisions; "parts", insurance parts of bills."""
    found: dict[tuple[Any, ...], dict[str, tuple[int, int]]] = {}
    grouped = cube.group_by(*keys, _group().alias("group")).agg(pl.col(counted).sum(), pl.col("fen").sum())
    for *key, group, number, fen in grouped.sort(*keys, "group").iter_rows():
        found.setdefault(tuple(key), {})[group] = (number, fen)
    return {key: _line(groups) for key, groups in found.items()}


def _group() -> pl.Expr:
    kind = pl.col("kind")
    return (
        pl.when(kind.is_in(sorted(CREDITS))).then(pl.lit(PAYMENTS))
        .when(kind.is_in(sorted(REVERSALS))).then(pl.lit(REVERSED)).otherwise(pl.lit(CORRECTIONS))
    )  # fmt: skip


def _line(groups: Mapping[str, tuple[int, int]]) -> Line:
    payments, back, corrections = (groups.get(name, (0, 0)) for name in (PAYMENTS, REVERSED, CORRECTIONS))
    return Line(*payments, back[0], -back[1], *corrections)


def total(rows: Iterable[Line]) -> Line:
    """Column by column."""
    return Line(*map(sum, zip(Line(), *rows, strict=True)))


def corrections(cube: pl.DataFrame) -> dict[str, tuple[int, int, int]]:
    """Kind of decision → how many, and fen that it moved on funds and in suspense."""
    of_funds = pl.when(pl.col("type") != SUSPENSE).then(pl.col("fen")).otherwise(0)
    rows = cube.filter(_group() == CORRECTIONS).group_by("kind").agg(
        pl.col("acts").sum(), of_funds.sum().alias("funds"), pl.col("fen").sum()
    )  # fmt: skip
    return {kind: (acts, funds, fen - funds) for kind, acts, funds, fen in rows.sort("kind").iter_rows()}
