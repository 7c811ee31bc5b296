"""The books: all tables of the first version, and triggers that keep the journal final.

What was once released is never edited: a later change of `schema` needs a migration of its own.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from shebao.ledger.migrations.final import keep_final

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _books()
    _bills()
    _journal()
    _aside()
    _end_of_day()
    _desk()
    op.execute("INSERT INTO pulse (id, beats, imports) VALUES (1, 0, 0)")
    for statement in keep_final(op.get_bind().dialect.name):
        op.execute(statement)


def _books() -> None:
    op.create_table(
        "book",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bank", sa.String(), nullable=False),
        sa.Column("open_date", sa.Integer(), nullable=False),
        sa.Column("next_seq", sa.BigInteger(), nullable=False),
        sa.Column("next_receipt", sa.BigInteger(), nullable=False),
        sa.Column("next_exception", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("book_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "day",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("date", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("closed_us", sa.BigInteger(), nullable=True),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("credits_fen", sa.BigInteger(), nullable=False),
        sa.Column("reversals", sa.BigInteger(), nullable=False),
        sa.Column("reversals_fen", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "date"),
        sqlite_with_rowid=False,
    )


def _bills() -> None:
    op.create_table(
        "bill",
        sa.Column("division", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payer_id", sa.String(), nullable=False),
        sa.Column("payer_name", sa.String(), nullable=False),
        sa.Column("office", sa.String(), nullable=False),
        sa.Column("period_from", sa.Integer(), nullable=False),
        sa.Column("period_to", sa.Integer(), nullable=False),
        sa.Column("issued", sa.Integer(), nullable=False),
        sa.Column("due", sa.Integer(), nullable=False),
        sa.Column("last_day", sa.Integer(), nullable=False),
        sa.Column("owner_only", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("paid_book", sa.Integer(), nullable=True),
        sa.Column("paid_seq", sa.BigInteger(), nullable=True),
        sa.Column("import_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("division", "number"),
        sqlite_with_rowid=False,
    )
    op.create_index("bill_payer", "bill", ["payer_id"], unique=False)
    op.create_table(
        "open_import",
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("touched_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("import_id"),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("card", sa.String(), nullable=False),
        sa.Column("division", sa.String(), nullable=False),
        sa.Column("enrolled", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("person_card", "person", ["card"], unique=False)


def _journal() -> None:
    op.create_table(
        "event",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("date", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key_class", sa.Integer(), nullable=False),
        sa.Column("trace", sa.BigInteger(), nullable=False),
        sa.Column("mti", sa.String(), nullable=False),
        sa.Column("proc", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("bill", sa.String(), nullable=False),
        sa.Column("original_text", sa.String(), nullable=False),
        sa.Column("stan", sa.String(), nullable=False),
        sa.Column("rrn", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("origin_seq", sa.BigInteger(), nullable=True),
        sa.Column("bill_move", sa.String(), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "event_key",
        "event",
        ["book_id", "trace", "key_class"],
        unique=True,
        sqlite_where=sa.text("key_class > 0"),
        postgresql_where=sa.text("key_class > 0"),
    )
    op.create_table(
        "payment",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("date", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("receipt", sa.String(), nullable=False),
        sa.Column("trace", sa.BigInteger(), nullable=False),
        sa.Column("moment", sa.BigInteger(), nullable=False),
        sa.Column("stan", sa.String(), nullable=False),
        sa.Column("rrn", sa.String(), nullable=False),
        sa.Column("terminal", sa.String(), nullable=False),
        sa.Column("branch", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("bill", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("suspense", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("undone_seq", sa.BigInteger(), nullable=True),
        sa.Column("on_bill", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("book_id", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "transfer",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("date", sa.Integer(), nullable=False),
        sa.Column("debit", sa.String(), nullable=False),
        sa.Column("credit", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "seq", "line"),
        sqlite_with_rowid=False,
    )


def _aside() -> None:
    op.create_table(
        "early",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("trace", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("proc", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "trace", "proc"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "suspense",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("exception_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pulse",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("beats", sa.BigInteger(), nullable=False),
        sa.Column("imports", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "bank_key",
        sa.Column("bank", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("check_value", sa.String(), nullable=False),
        sa.Column("algorithm", sa.String(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bank", "kind", "state"),
    )


def _end_of_day() -> None:
    op.create_table(
        "exception",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("date", sa.Integer(), nullable=False),
        sa.Column("item_class", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("trace", sa.BigInteger(), nullable=False),
        sa.Column("bill", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("proposal", sa.String(), server_default="", nullable=False),
        sa.Column("ledger_json", sa.Text(), server_default="", nullable=False),
        sa.Column("bank_json", sa.Text(), server_default="", nullable=False),
        sa.Column("item_key", sa.String(), server_default="", nullable=False),
        sa.Column("ledger_date", sa.Integer(), server_default="0", nullable=False),
        sa.Column("moved_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("gap_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("answer_date", sa.Integer(), server_default="0", nullable=False),
        sa.Column("answer_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("corrected_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("left_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("decided_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("decided_date", sa.Integer(), server_default="0", nullable=False),
        sa.Column("payment_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("book_id", "id"),
    )
    op.create_index("exception_date", "exception", ["book_id", "date"], unique=False)
    op.create_table(
        "bank_file",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("date", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("accepted_us", sa.BigInteger(), nullable=False),
        sa.Column("staged_us", sa.BigInteger(), nullable=False),
        sa.Column("payments", sa.BigInteger(), nullable=False),
        sa.Column("payments_fen", sa.BigInteger(), nullable=False),
        sa.Column("reversals", sa.BigInteger(), nullable=False),
        sa.Column("reversals_fen", sa.BigInteger(), nullable=False),
        sa.Column("classes_json", sa.Text(), server_default="{}", nullable=False),
        sa.Column("replaced_by", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("book_id", "date"),
    )
    op.create_table(
        "bank_block",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("staged_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("lines", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "staged_us", "block"),
        sqlite_with_rowid=False,
    )


def _desk() -> None:
    op.create_table(
        "told_totals",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("date", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("payments", sa.BigInteger(), nullable=False),
        sa.Column("payments_fen", sa.BigInteger(), nullable=False),
        sa.Column("reversals", sa.BigInteger(), nullable=False),
        sa.Column("reversals_fen", sa.BigInteger(), nullable=False),
        sa.Column("ledger_payments", sa.BigInteger(), nullable=False),
        sa.Column("ledger_payments_fen", sa.BigInteger(), nullable=False),
        sa.Column("ledger_reversals", sa.BigInteger(), nullable=False),
        sa.Column("ledger_reversals_fen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "date"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "proposal",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("exception_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("bill", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("dates", sa.String(), nullable=False),
        sa.Column("parts", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("received_on", sa.Integer(), nullable=False),
        sa.Column("maker", sa.String(), nullable=False),
        sa.Column("maker_reason", sa.String(), nullable=False),
        sa.Column("maker_from", sa.String(), nullable=False),
        sa.Column("made_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("before", sa.String(), server_default="", nullable=False),
        sa.Column("checker", sa.String(), server_default="", nullable=False),
        sa.Column("checker_reason", sa.String(), server_default="", nullable=False),
        sa.Column("checker_from", sa.String(), server_default="", nullable=False),
        sa.Column("judged_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("about_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("book_id", "id"),
    )
    op.create_index("proposal_exception", "proposal", ["book_id", "exception_id"], unique=False)
    op.create_index("proposal_reference", "proposal", ["book_id", "reference"], unique=False)
    op.create_table(
        "ruling",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("proposal_id", sa.BigInteger(), nullable=False),
        sa.Column("exception_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("bill", sa.String(), nullable=False),
        sa.Column("maker", sa.String(), nullable=False),
        sa.Column("maker_reason", sa.String(), nullable=False),
        sa.Column("maker_from", sa.String(), nullable=False),
        sa.Column("made_us", sa.BigInteger(), nullable=False),
        sa.Column("checker_from", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("received_on", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_index("ruling_exception", "ruling", ["book_id", "exception_id"], unique=False)
    op.create_table(
        "share",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("date", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("fen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "seq", "date", "side"),
        sqlite_with_rowid=False,
    )
    op.create_index("share_date", "share", ["book_id", "date"], unique=False)
