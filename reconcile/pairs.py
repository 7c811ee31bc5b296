"""Rows of two frames, one to one: the ways to pair that `items` and `match` are made of. Pure, on columns.

Either frame has an `id`; pairs are frames of id (left) and id_right. What a row means is not known here.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from shebao.ledger.day import OTHER_DATES

PAIR: Final = {"id": pl.Int64, "id_right": pl.Int64}


def rank(over: list[str]) -> pl.Expr:
    """Position of a row among those that are equal in `over`, from 0, in the frame's order."""
    return pl.int_range(pl.len()).over(over)


def ranked_pairs(left: pl.DataFrame, right: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    """Pairs the n-th row of `left` with the n-th of `right` among rows equal in `on`: columns id, id_right."""
    mine = left.select("id", *on, nth=rank(on))
    theirs = right.select(*on, id_right="id", nth=rank(on))
    return mine.join(theirs, on=[*on, "nth"], how="inner").select("id", "id_right")


def without(rows: pl.DataFrame, pairs: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.join(pairs, left_on="id", right_on=column, how="anti", maintain_order="left")


def rounds(left: pl.DataFrame, right: pl.DataFrame, rules: list[list[str]]) -> pl.DataFrame:
    """Pairs by one rule after the other, each among what the ones before it left."""
    found = pl.DataFrame(schema=PAIR)
    for on in rules:
        mine, theirs = without(left, found, "id"), without(right, found, "id_right")
        if mine.is_empty() or theirs.is_empty():
            break
        found = pl.concat([found, ranked_pairs(mine, theirs, on) if "date" in on else nearest(mine, theirs, on)])
    return found


def nearest(left: pl.DataFrame, right: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    """One-to-one pairs of equal `on` in dates at most OTHER_DATES apart, the nearest dates first."""
    open_ = left.select("id", "day", *on).join(
        right.select(*on, id_right="id", day_right="day"), on=on, how="inner"
    ).with_columns(gap=(pl.col("day") - pl.col("day_right")).abs()).filter(pl.col("gap") <= OTHER_DATES)
    open_ = open_.sort("gap", "id", "id_right").select("id", "id_right")
    found = [pl.DataFrame(schema=PAIR)]
    while not open_.is_empty():
        first = open_.filter(pl.col("id").is_first_distinct() & pl.col("id_right").is_first_distinct())
        found.append(first)
        open_ = open_.join(first, on="id", how="anti", maintain_order="left").join(
            first, on="id_right", how="anti", maintain_order="left"
        )
    return pl.concat(found)


def by_rrn(left: pl.DataFrame, right: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    telling = pl.col("rrn").str.strip_chars(" 0") != ""
    return rounds(left.filter(telling), right.filter(telling), [["date", *on, "rrn"], [*on, "rrn"]])


def only_two(left: pl.DataFrame, right: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    """Pairs rows equal in `on` where exactly one stands on each side: within a date, then between dates."""
    found = pl.DataFrame(schema=PAIR)
    for where in (["date", *on], on):
        mine, theirs = without(left, found, "id"), without(right, found, "id_right")
        alone = [side_.filter(pl.len().over(where) == 1) for side_ in (mine, theirs)]
        found = pl.concat([found, nearest(alone[0], alone[1], where)])
    return found
