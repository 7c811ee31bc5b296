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
)
Index("exception_date", exception.c.book_id, exception.c.date)

bank_file = Table(
    "bank_file", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("date", Integer, primary_key=True, autoincrement=False),
    Column("digest", String, nullable=False),
    Column("accepted_us", BigInteger, nullable=False),
    Column("payments", BigInteger, nullable=False),
    Column("payments_fen", BigInteger, nullable=False),
    Column("reversals", BigInteger, nullable=False),
    Column("reversals_fen", BigInteger, nullable=False),
    Column("classes_json", Text, nullable=False, server_default="{}"),
)
