"""Two sets of lines → seven classes (settlement.md section 5): which payment of the ledger is which of the bank's.

Pure, on columns (polars), no I/O. `match` takes the ledger's and the bank's lines of any number of dates and gives
one row per item. It is a function of the two sets alone, so it does not matter in which order dates are reconciled,
nor how often: what was decided about an item earlier is the worklist's business.

Everything is matched within one bill, so a caller may leave out whole bills, and nothing else changes. `match` on
one date finds what is plainly in order; only the bills of what is left need the dates around it.

Order of the rules: heads by key in their own date, then by key in other dates; then, of equal amount and bill, by
RRN; then by amount and bill alone, if one candidate stands on each side. Lone moves (see `items`) go the same way.
"""

from __future__ import annotations

import polars as pl

from shebao.ledger.day import OTHER_DATES

from .items import KEY, ROOT, Side, settle, side
from .pairs import PAIR, by_rrn, nearest, only_two, rank, ranked_pairs, rounds, without

CLASSES = (
    "DUPLICATE", "AMOUNT_DIFFERS", "STATE_DIFFERS", "OTHER_DATE", "MATCHED", "BANK_ONLY", "LEDGER_ONLY",
)

# a row of `match`: null where a side has no line
ITEM_SCHEMA: dict[str, type[pl.DataType]] = {
    "item_class": pl.String,
    "kind": pl.String,  # "P": a payment and what undid it; "R": a void or reversal alone; "U": a void's reversal alone
    "bill": pl.String,
    "plain": pl.Boolean,  # matched by key in its own date: no other date can change it
    "ledger_date": pl.Int32,
    "ledger_line": pl.Int64,
    "ledger_live": pl.Boolean,
    "bank_date": pl.Int32,
    "bank_line": pl.Int64,
    "bank_live": pl.Boolean,
    "gap": pl.Int64,  # the bank's net less the ledger's, fen, in the bank's date (without a bank's line, the ledger's)
    "answer_date": pl.Int32,  # a surplus that the bank takes back in another date: in which; null: not taken back
    "answer_fen": pl.Int64,  # and what that line moves, below zero; else 0
}
LATE_SCHEMA: dict[str, type[pl.DataType]] = {
    "moment": pl.String,
    "stan": pl.String,
    "bill": pl.String,
    "bank_date": pl.Int32,
    "bank_line": pl.Int64,
    "fen": pl.Int64,  # signed: what the line moves
}
_UNANSWERED = {"answer_date": pl.lit(None, pl.Int32), "answer_fen": pl.lit(0, pl.Int64)}


def match(ledger: pl.DataFrame, bank: pl.DataFrame, late: pl.DataFrame | None = None) -> pl.DataFrame:
    """Frames of lines (`items.LINE_SCHEMA`) → frame of items (ITEM_SCHEMA).

    `late`: see `late_lines`. The gaps account for every line: of each date, the bank's net less the ledger's is the sum
    of the items' gaps there, of the answers and late lines that stand there, and of what OTHER_DATE and its like move
    into the date (a live ledger's amount, to the bank's date) less what they move out of it.
    """
    joined = late_lines(bank, late)
    bank = bank.join(joined, left_on=["date", "line"], right_on=["bank_date", "bank_line"], how="anti")
    agreed, ledger, bank = _agreed_bills(ledger, bank, joined["bill"].unique())
    return pl.concat([agreed, _items(ledger, bank, joined)])


def _agreed_bills(
    ledger: pl.DataFrame, bank: pl.DataFrame, but: pl.Series
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Items of the bills of which either side has one line, the same payment; and the two sides without those bills.

    Most of a day is like that, and what follows costs many times as much a line. `but`: bills with lines not here.
    """
    pays = (pl.col("kind") == "P") & (pl.col("original_stan") == "") & (pl.col("original_moment") == "")
    mine, theirs = (
        side_.with_row_index("at").filter(pays & side_["bill"].is_unique() & ~pl.col("bill").is_in(but.implode()))
        .select("at", "bill", "date", "line", "moment", "stan", "amount")
        for side_ in (ledger, bank)
    )
    both = mine.join(theirs, on="bill").filter(
        pl.all_horizontal(pl.col(name) == pl.col(f"{name}_right") for name in ("date", "moment", "stan", "amount"))
    )
    ours, others = (
        side_.filter(pl.repeat(True, side_.height, dtype=pl.Boolean, eager=True).scatter(both[at], False))
        for side_, at in ((ledger, "at"), (bank, "at_right"))
    )
    told = {f"{w}_live": pl.lit(True) for w in ("ledger", "bank")}
    items = both.select(
        "bill", item_class=pl.lit("MATCHED"), kind=pl.lit("P"), plain=pl.lit(True), ledger_date="date",
        ledger_line="line", bank_date="date_right", bank_line="line_right", gap=pl.lit(0), **told, **_UNANSWERED,
    )
    return _as_items(items), ours, others


def _items(ledger: pl.DataFrame, bank: pl.DataFrame, joined: pl.DataFrame) -> pl.DataFrame:
    ours, theirs = side(ledger), side(bank, ledger)
    pairs, plain = _pair_by_key(ours.heads, theirs.heads)
    ours, theirs = _unlike(ours, pairs, "id"), _unlike(theirs, pairs, "id_right")
    surplus = _surplus(ours.heads, theirs.heads, pairs)
    pairs = pl.concat([pairs, _pair_by_likeness(ours.heads, theirs.heads.join(surplus, on="id", how="anti"), pairs)])
    theirs, taken_back = _take_back(ours, theirs, pairs)
    ours, theirs, moved = _pair_moves(ours, theirs, pairs)
    ours, theirs = _unlike(ours, pairs, "id"), _unlike(theirs, pairs, "id_right")  # a head may have lost a move
    items = [
        _paired(ours.heads, theirs.heads, pairs, plain),
        *_single_heads(ours.heads, theirs.heads, pairs, surplus, taken_back),
        _paired(_alone(ours), _alone(theirs), moved, moved.head(0)),
        *_single_moves(ours, theirs, moved, joined),
    ]
    return pl.concat(map(_as_items, items))


def _as_items(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.col(name).cast(dtype) for name, dtype in ITEM_SCHEMA.items())


def late_lines(bank: pl.DataFrame, late: pl.DataFrame | None) -> pl.DataFrame:
    """The bank's own lines (LATE_SCHEMA) of reversals, of payments and of voids, that the wire answered `R2`.

    `late` has the columns moment, stan: each has an exception from the wire. The bank's first line for it joins that
    exception and is no item; told once more, it is one. With a column answer_date, one that is joined already (not 0)
    has its line in that date.
    """
    if late is None or late.is_empty() or bank.is_empty():
        return pl.DataFrame(schema=LATE_SCHEMA)
    undoes = pl.col("kind") != "P"
    answers = (pl.col("kind") == "R") | (~undoes & (pl.col("original_stan") != ""))
    key = ["moment", "stan"]
    mine = late.select(*key, id=pl.int_range(pl.len()))
    told = bank.filter(answers).join(late, on=key, how="inner")
    if "answer_date" in late.columns:
        told = told.filter((pl.col("answer_date") == 0) | (pl.col("answer_date") == pl.col("date")))
    told = told.select(bank.columns).unique(["date", "line"]).sort("date", "line").with_row_index("id")
    found = told.join(ranked_pairs(mine, told, key).select(id="id_right"), on="id", how="semi")
    fen = pl.when(undoes).then(-pl.col("amount")).otherwise(pl.col("amount"))
    named = found.with_columns(bank_date="date", bank_line="line", fen=fen)
    return named.select(pl.col(c).cast(t) for c, t in LATE_SCHEMA.items())


def counts(items: pl.DataFrame, date: int) -> dict[str, int]:
    """How many items of each class have a line in `date`; all seven classes, zeros included.

    A surplus that the bank takes back, in whichever date, has come to nothing.
    """
    here = items.filter(
        (pl.col("ledger_date").eq_missing(date)) | (pl.col("bank_date").eq_missing(date)),
        pl.col("answer_date").is_null(),
    )
    found = dict(here.group_by("item_class").len().iter_rows())
    return {name: int(found.get(name, 0)) for name in CLASSES}


# -- pairing --------------------------------------------------------------------------------------------------------


def _pair_by_key(ours: pl.DataFrame, theirs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Heads by (time, STAN, bill), the most alike first, own date first; and those pairs that agree in all."""
    plain = rounds(ours, theirs, [["date", *KEY, "amount", "net", "live"]])
    rest = rounds(without(ours, plain, "id"), without(theirs, plain, "id_right"), [
        ["date", *KEY, "live"], ["date", *KEY],
        [*KEY, "amount", "live"], [*KEY, "live"], KEY,
    ])
    return pl.concat([plain, rest]), plain


def _pair_by_likeness(ours: pl.DataFrame, theirs: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Heads that the key did not pair: by RRN (never a blank or all-zero one), then the only two of amount and bill.

    A pair that came and went on one side only is settled as it is; so amount and bill speak for live heads alone.
    """
    mine, other = without(ours, pairs, "id"), without(theirs, pairs, "id_right")
    if mine.is_empty() or other.is_empty():
        return pl.DataFrame(schema=PAIR)
    told = by_rrn(mine, other, ["bill", "amount"])
    mine, other = without(mine, told, "id"), without(other, told, "id_right")
    alike = only_two(mine.filter("live"), other.filter("live"), ["bill", "amount"])
    return pl.concat([told, alike])


# -- what a bank lists more than once, and takes back ------------------------------------------------------------------


def _surplus(ours: pl.DataFrame, theirs: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """The bank's unpaired heads that repeat a payment listed before (or known to the ledger): id."""
    free = without(theirs, pairs, "id_right").sort(pl.col("live").not_(), "id")
    listed = theirs.join(pairs, left_on="id", right_on="id_right", how="semi")
    told = pl.concat([one.select(*KEY, told_day="day") for one in (ours, listed)]).unique()
    near = (pl.col("day") - pl.col("told_day")).abs() <= OTHER_DATES
    again = free.join(told, on=KEY, how="inner").filter(near).select("id").unique()
    fresh = free.join(again, on="id", how="anti", maintain_order="left")
    return pl.concat([again, fresh.filter(pl.col("id").cum_count().over(KEY) > 1).select("id")])


def _unlike(one: Side, pairs: pl.DataFrame, column: str) -> Side:
    """Frees what undoes an unpaired payment by another amount: with no counterpart to differ from, both stand alone."""
    odd = without(one.heads, pairs, column).filter(~pl.col("live") & (pl.col("net") != 0))
    if odd.is_empty():
        return one
    return _split(one, one.moves.filter(pl.col("head").is_in(odd["id"].implode()))["id"])


def _take_back(ours: Side, theirs: Side, pairs: pl.DataFrame) -> tuple[Side, pl.DataFrame]:
    """A bank's later void or reversal of a surplus line undoes that first, while the ledger's payment is live.

    Gives the bank's side without those moves, and the heads that they took back: id, answer_date, answer_fen.
    """
    lone = theirs.moves.filter(pl.col("head").is_null() & (pl.col("sign") < 0))
    undone = ours.heads.filter(~pl.col("live")).select(KEY)
    elsewhere = ours.moves.filter(pl.col("head").is_null() & (pl.col("sign") < 0)).select(
        moment="root_moment", stan="root_stan", bill="bill"
    )
    free = without(theirs.heads, pairs, "id_right").filter("live").join(
        pl.concat([undone, elsewhere]), on=KEY, how="anti", maintain_order="left"
    ).rename({"moment": "root_moment", "stan": "root_stan"})
    joined = nearest(lone, free, [*ROOT, "amount"])
    answers = joined.join(lone, on="id").select(id="id_right", answer_date="date", answer_fen=-pl.col("amount"))
    return theirs._replace(moves=without(theirs.moves, joined, "id")), answers


# -- lone moves -----------------------------------------------------------------------------------------------------


def _alone(one: Side) -> pl.DataFrame:
    """The moves that are items of their own, shaped like heads so that they classify alike."""
    net = pl.col("sign") * pl.col("amount")
    return one.moves.filter(pl.col("head").is_null()).with_columns(live=pl.lit(True), net=net)


def _pair_moves(ours: Side, theirs: Side, pairs: pl.DataFrame) -> tuple[Side, Side, pl.DataFrame]:
    """Pairs lone moves; one that answers an attached move splits that off its head, which then stands by itself."""
    found = pl.DataFrame(schema=PAIR)
    if not (ours.moves["head"].null_count() or theirs.moves["head"].null_count()):
        return ours, theirs, found
    agreed = _agreed(ours.heads, theirs.heads, pairs)
    mine, other = (  # a move of a head that both sides see alike is where it belongs
        one.moves.filter(pl.col("head").is_null() | ~pl.col("head").is_in(heads.implode()))
        for one, heads in zip((ours, theirs), agreed, strict=True)
    )
    lone_mine, lone_other = (m.filter(pl.col("head").is_null()) for m in (mine, other))
    for rule in (_moves_by_key, _moves_by_rrn, _moves_by_likeness):
        for left, right in ((lone_mine, lone_other), (mine, lone_other), (lone_mine, other)):
            found = pl.concat([found, rule(without(left, found, "id"), without(right, found, "id_right"))])
    ours, theirs = _split(ours, found["id"]), _split(theirs, found["id_right"])
    return ours, theirs, found


def _moves_by_key(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    return rounds(left, right, [["date", "sign", *KEY], ["sign", *KEY]])


def _moves_by_rrn(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    return by_rrn(left, right, ["sign", "bill", "amount"])


def _moves_by_likeness(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    return only_two(left, right, ["sign", "bill", "amount"])


def _agreed(ours: pl.DataFrame, theirs: pl.DataFrame, pairs: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Ids of the heads, of either side, that are paired and of one state."""
    state = pairs.join(ours.select("id", "live"), on="id").join(
        theirs.select(id_right="id", live_right="live"), on="id_right"
    ).filter(pl.col("live") == pl.col("live_right"))
    return state["id"], state["id_right"]


def _split(one: Side, ids: pl.Series) -> Side:
    freed = pl.when(pl.col("id").is_in(ids.implode())).then(None).otherwise(pl.col("head"))
    return settle(one._replace(moves=one.moves.with_columns(head=freed)))


# -- classes --------------------------------------------------------------------------------------------------------


def _kind() -> pl.Expr:
    """Of a lone move: "R" or "U"."""
    return pl.when(pl.col("sign") < 0).then(pl.lit("R")).otherwise(pl.lit("U"))


def _named(rows: pl.DataFrame, whose: str) -> pl.DataFrame:
    kind = _kind() if "sign" in rows.columns else pl.lit("P")
    return rows.select(
        "id", "bill", "amount", "net", kind=kind,
        **{f"{whose}_date": "date", f"{whose}_line": "line", f"{whose}_live": "live"},
    )


def _paired(ours: pl.DataFrame, theirs: pl.DataFrame, pairs: pl.DataFrame, plain: pl.DataFrame) -> pl.DataFrame:
    """Items with a line on both sides: the first class that applies."""
    both = pairs.join(_named(ours, "ledger"), on="id").join(
        _named(theirs, "bank").drop("bill", "kind"), left_on="id_right", right_on="id"
    )
    same_amount = (pl.col("amount") == pl.col("amount_right"))
    same_state = pl.col("ledger_live") == pl.col("bank_live")
    item_class = (
        pl.when(~same_amount | (same_state & (pl.col("net") != pl.col("net_right")))).then(pl.lit("AMOUNT_DIFFERS"))
        .when(~same_state).then(pl.lit("STATE_DIFFERS"))
        .when(pl.col("ledger_date") != pl.col("bank_date")).then(pl.lit("OTHER_DATE"))
        .otherwise(pl.lit("MATCHED"))
    )
    sure = plain.with_columns(plain=pl.lit(True))
    return both.with_columns(item_class=item_class).join(sure, on=["id", "id_right"], how="left").with_columns(
        pl.col("plain").fill_null(False) & (pl.col("item_class") == "MATCHED"),
        gap=pl.col("net_right") - pl.col("net"), **_UNANSWERED,
    )


def _single(rows: pl.DataFrame, whose: str, kind: pl.Expr) -> pl.DataFrame:
    """Items with a line on one side only; `rows` has its item_class."""
    blank = {f"{w}_{c}": pl.lit(None) for w in ("ledger", "bank") for c in ("date", "line", "live")}
    told = {f"{whose}_{c}": pl.col(c) for c in ("date", "line", "live")}
    answered = {} if "answer_date" in rows.columns else _UNANSWERED
    gap = pl.col("net") if whose == "bank" else -pl.col("net")
    return rows.with_columns(**answered).select(
        "item_class", "bill", "answer_date", "answer_fen", kind=kind, gap=gap, plain=pl.lit(False), **{**blank, **told}
    )


def _single_heads(
    ours: pl.DataFrame, theirs: pl.DataFrame, pairs: pl.DataFrame, surplus: pl.DataFrame, taken_back: pl.DataFrame
) -> list[pl.DataFrame]:
    """Payments that one side has alone. One that came and went there is matched; a surplus that did, no item at all.

    A surplus that the bank takes back in another date is an item with its answer.
    """
    live, payment = pl.col("live"), pl.lit("P")
    mine = without(ours, pairs, "id").with_columns(
        item_class=pl.when(live).then(pl.lit("LEDGER_ONLY")).otherwise(pl.lit("MATCHED"))
    )
    again = pl.col("id").is_in(surplus["id"].implode())
    other = without(theirs, pairs, "id_right").join(taken_back, on="id", how="left").filter(
        live | ~again | pl.col("answer_date").is_not_null(), pl.col("answer_date").ne_missing(pl.col("date"))
    )
    other = other.with_columns(
        pl.col("answer_fen").fill_null(0),
        item_class=pl.when(again).then(pl.lit("DUPLICATE")).when(live).then(pl.lit("BANK_ONLY"))
        .otherwise(pl.lit("MATCHED"))
    )
    return [_single(mine, "ledger", payment), _single(other, "bank", payment)]


def _single_moves(ours: Side, theirs: Side, moved: pl.DataFrame, joined: pl.DataFrame) -> list[pl.DataFrame]:
    """Moves that one side has alone: it undid a payment and the other did not; or the bank tells one move twice."""
    key = ["sign", *KEY]
    lone = without(_alone(theirs), moved, "id_right")
    told = pl.concat([
        theirs.moves.join(lone, on="id", how="anti").select(key), ours.moves.select(key),
        joined.with_columns(sign=pl.col("fen").sign().cast(pl.Int32)).select(key),
    ]).unique()
    known = lone.join(told, on=key, how="semi")["id"]
    again = pl.col("id").is_in(known.implode()) | (rank(key) > 0)
    other = lone.with_columns(item_class=pl.when(again).then(pl.lit("DUPLICATE")).otherwise(pl.lit("STATE_DIFFERS")))
    mine = without(_alone(ours), moved, "id").with_columns(item_class=pl.lit("STATE_DIFFERS"))
    return [_single(mine, "ledger", _kind()), _single(other, "bank", _kind())]
