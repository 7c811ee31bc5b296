"""What is written stays: triggers for events, transfers, and what never changes of a payment.

They stop a careless hand, not a determined one, who can drop them: that is what the seal is for. Engines without
triggers (a distributed one) have grants and the seal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

# table -> its final columns, empty for all. A trigger on a list costs nothing where only other columns are set.
FINAL: Final[dict[str, tuple[str, ...]]] = {
    "event": (),
    "transfer": (),
    "ruling": (),
    "share": (),
    "payment": (
        "book_id", "seq", "date", "kind", "receipt", "trace", "moment", "stan", "rrn", "terminal", "branch", "channel",
        "bill", "amount",
    ),
}  # fmt: skip


def keep_final(dialect: str) -> Iterator[str]:
    """The statements that create the triggers, in the words of "sqlite" or "postgresql"."""
    if dialect == "postgresql":
        yield (
            "CREATE FUNCTION keep_final() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is final: corrections are new rows', TG_TABLE_NAME; END $$"
        )
    for table, columns in FINAL.items():
        update = f"UPDATE OF {', '.join(columns)}" if columns else "UPDATE"
        if dialect == "postgresql":
            yield (
                f"CREATE TRIGGER {table}_is_final BEFORE DELETE OR TRUNCATE OR {update} ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION keep_final()"
            )
            continue
        for name, act in (("changed", update), ("deleted", "DELETE")):
            yield (
                f"CREATE TRIGGER {table}_is_not_{name} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is final: corrections are new rows'); END"
            )
