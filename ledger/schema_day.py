"""Tables of the end of the day: exceptions, and the bank files that were accepted.

Not the books themselves (`schema`): nothing here moves money. Keys are led by `book_id` as there.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from .schema import metadata

exception = Table(
    "exception", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("date", Integer, nullable=False),
    Column("item_class", String, nullable=False),
    Column("state", String, nullable=False),  # OPEN PROPOSED CARRIED DECIDED CLOSED
    Column("seq", BigInteger, nullable=False),  # event that opened it, or the ledger's payment; 0: none
    Column("trace", BigInteger, nullable=False),
    Column("bill", String, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("proposal", String, nullable=False, server_default=""),
    Column("ledger_json", Text, nullable=False, server_default=""),
    Column("bank_json", Text, nullable=False, server_default=""),
    Column("item_key", String, nullable=False, server_default=""),  # which line it is about, so that a rerun finds it
    Column("ledger_date", Integer, nullable=False, server_default="0"),  # where the ledger's line stands; 0: nowhere
    Column("moved_fen", BigInteger, nullable=False, server_default="0"),  # of the due: from ledger_date to date
)
Index("exception_date", exception.c.book_id, exception.c.date)

bank_file = Table(
    "bank_file", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("date", Integer, primary_key=True, autoincrement=False),
    Column("digest", String, nullable=False),
    Column("accepted_us", BigInteger, nullable=False),
    Column("staged_us", BigInteger, nullable=False),  # names its lines in bank_line
    Column("payments", BigInteger, nullable=False),
    Column("payments_fen", BigInteger, nullable=False),
    Column("reversals", BigInteger, nullable=False),
    Column("reversals_fen", BigInteger, nullable=False),
    Column("classes_json", Text, nullable=False, server_default="{}"),
)

# The lines of accepted files. They are staged in chunks under a number of their own; `bank_file` makes them count.
bank_line = Table(
    "bank_line", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("staged_us", BigInteger, primary_key=True, autoincrement=False),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    Column("date", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("moment", String, nullable=False),
    Column("stan", String, nullable=False),
    Column("rrn", String, nullable=False),
    Column("terminal", String, nullable=False),
    Column("branch", String, nullable=False),
    Column("bill", String, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("receipt", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("original_moment", String, nullable=False),
    Column("original_stan", String, nullable=False),
    sqlite_with_rowid=False,
)
