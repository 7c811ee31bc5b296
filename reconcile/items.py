"""One side's statement lines → its items: a payment with what undid it on the same date (settlement.md section 5).

Pure, on columns: frames in, frames out, no I/O. Either side is netted by the same rules, so that the ledger's
detail lines and the bank's are comparable. What is compared with what lives in `match`.

A **head** is a `P` line that tells of money taken in. A **move** is a line that speaks of an earlier one: a void or
reversal (sign -1), or the reversal of a void (a `P` line with an original, sign +1). A move whose payment stands in
the same date of the same side is attached to that head; a move that finds no head there is **lone**: an item of its
own. A head is live while its moves sum to zero.

Identity is (transaction time, STAN, bill): the same key with another bill is another payment.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from .pairs import ranked_pairs

LINE_SCHEMA: dict[str, type[pl.DataType]] = {
    "date": pl.Int32,  # settlement date of the file that the line stands in
    "line": pl.Int64,  # physical line number, or NtryRef; the ledger's: position within its date
    "kind": pl.String,
    "moment": pl.String,
    "stan": pl.String,
    "rrn": pl.String,
    "terminal": pl.String,
    "branch": pl.String,
    "bill": pl.String,
    "amount": pl.Int64,  # fen, positive
    "receipt": pl.String,
    "channel": pl.String,
    "original_moment": pl.String,
    "original_stan": pl.String,
}
KEY = ["moment", "stan", "bill"]
ROOT = ["root_moment", "root_stan", "bill"]


class Side(NamedTuple):
    """`heads`: id, date, day, line, KEY, rrn, amount, live, net. `moves`: id, …, sign, ROOT, head (id or null)."""

    heads: pl.DataFrame
    moves: pl.DataFrame


def frame(rows: Iterable[tuple[object, ...]]) -> pl.DataFrame:
    """Rows in the order of LINE_SCHEMA → a frame of lines."""
    return pl.DataFrame(list(rows), schema=LINE_SCHEMA, orient="row")


def side(lines: pl.DataFrame, other: pl.DataFrame | None = None) -> Side:
    """Nets one side's lines of any number of dates; heads and moves are numbered by `id` in order of date and line.

    other: the lines of the other side. Of several moves that speak of one payment, those that it has as well come
    first, so that it does not matter in which order a bank lists them.
    """
    numbered = lines.sort("date", "line").with_row_index("id").with_columns(
        pl.col("id").cast(pl.Int64),
        day=pl.col("date").cast(pl.String).str.to_date("%Y%m%d").cast(pl.Int32),
    )
    takes_in = (pl.col("kind") == "P") & (pl.col("original_stan") == "") & (pl.col("original_moment") == "")
    common = ["id", "date", "day", "line", *KEY, "rrn", "amount"]
    heads = numbered.filter(takes_in).select(common)
    moves = numbered.filter(~takes_in).select(
        *common, "original_moment", "original_stan", sign=pl.when(pl.col("kind") == "P").then(1).otherwise(-1)
    )
    if other is not None:
        moves = pl.concat([moves.join(other, on=KEY, how=how, maintain_order="left") for how in ("semi", "anti")])
    return settle(Side(heads, _attach(heads, _rooted(moves))))


def settle(one: Side) -> Side:
    """Works out anew which heads are live, and their net amounts, from the moves attached to them."""
    sums = one.moves.filter(pl.col("head").is_not_null()).group_by("head").agg(
        moved=pl.col("sign").sum(), moved_fen=(pl.col("sign") * pl.col("amount")).sum()
    )
    heads = one.heads.drop("live", "net", strict=False).join(sums, left_on="id", right_on="head", how="left").select(
        *[c for c in one.heads.columns if c not in ("live", "net")],
        live=pl.col("moved").fill_null(0) >= 0,
        net=pl.col("amount") + pl.col("moved_fen").fill_null(0),
    )
    return Side(heads.sort("id"), one.moves)


def _rooted(moves: pl.DataFrame) -> pl.DataFrame:
    """Adds ROOT, the payment that a move is about: a void's is its original, an unvoid's is its void's original."""
    undos = moves.filter(pl.col("sign") < 0).select(
        pl.col("moment").alias("original_moment"), pl.col("stan").alias("original_stan"), "bill",
        via_moment="original_moment", via_stan="original_stan",
    ).unique(["original_moment", "original_stan", "bill"], keep="first", maintain_order=True)
    seen = moves.join(undos, on=["original_moment", "original_stan", "bill"], how="left", maintain_order="left")
    unvoid = (pl.col("sign") > 0) & pl.col("via_stan").is_not_null()
    return seen.with_columns(
        root_moment=pl.when(unvoid).then("via_moment").otherwise("original_moment"),
        root_stan=pl.when(unvoid).then("via_stan").otherwise("original_stan"),
    ).drop("via_moment", "via_stan")


def _attach(heads: pl.DataFrame, moves: pl.DataFrame) -> pl.DataFrame:
    """Gives every move its `head`, or null. An undone void cancels out; else one undo a head, equal amounts first."""
    undos, redos = moves.filter(pl.col("sign") < 0), moves.filter(pl.col("sign") > 0)
    pairs = ranked_pairs(
        undos.with_columns(original_moment="moment", original_stan="stan"), redos,
        ["date", "original_moment", "original_stan", "bill"],
    )
    first = heads.unique(["date", *KEY], keep="first", maintain_order=True).select("date", *KEY, head="id")
    root_key = ["date", *ROOT]
    void = undos.join(pairs, on="id", how="inner").join(
        redos.select(id_right="id", back="amount"), on="id_right", how="inner"
    ).join(first, left_on=root_key, right_on=["date", *KEY], how="left")
    # a void and its reversal without their payment come to nothing: they are no items, while they are of one amount
    void, nothing, uneven = (
        pl.concat([part.select("id", "head"), part.select("head", id="id_right").select("id", "head")])
        for part in (
            void.filter(pl.col("head").is_not_null()),
            void.filter(pl.col("head").is_null() & (pl.col("amount") == pl.col("back"))),
            void.filter(pl.col("head").is_null() & (pl.col("amount") != pl.col("back"))),
        )
    )
    cancelled = pl.concat([void, nothing, uneven])

    # of heads with one key, those that were voided and stand again are undone last: either is left live alone
    again = pl.col("id").is_in(void["head"].drop_nulls().implode())
    rooted = heads.sort(again, "id").rename({"moment": "root_moment", "stan": "root_stan"})
    rest = undos.join(cancelled, on="id", how="anti", maintain_order="left")
    exact = ranked_pairs(rest, rooted, [*root_key, "amount"])
    rest = rest.join(exact, on="id", how="anti", maintain_order="left")
    left = rooted.join(exact, left_on="id", right_on="id_right", how="anti", maintain_order="left")
    loose = ranked_pairs(rest, left, root_key)
    head_of = pl.concat([void, *(p.select("id", head="id_right") for p in (exact, loose))])
    return moves.join(nothing, on="id", how="anti", maintain_order="left").join(
        head_of, on="id", how="left", maintain_order="left"
    )
