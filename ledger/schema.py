"""Tables of the books, as SQLAlchemy Core: SQLite and PostgreSQL from one description.

Every primary and unique key is led by `book_id` (or `division` for bills), so that the same tables can be
distributed over several machines later. Money is fen; `date` columns are YYYYMMDD; `moment` is
YYYYMMDDhhmmss (CST); `*_us` is microseconds since the epoch; `trace` is YYMMDDhhmmss and the STAN, 18 digits.
A change here, or in `schema_day`, needs a migration of its own; a test compares the two to the letter.
Tables of the end of the day (exceptions, bank files) are in `schema_day`; people of the register in `person`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, text

metadata = MetaData()

book = Table(
    "book", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),  # bank number x 100 + lane; 0 the bureau
    Column("bank", String, nullable=False),
    Column("open_date", Integer, nullable=False),  # 0: the bureau's book has none
    Column("next_seq", BigInteger, nullable=False),
    Column("next_receipt", BigInteger, nullable=False),
    Column("next_exception", BigInteger, nullable=False),
    Column("seal", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

day = Table(
    "day", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("date", Integer, primary_key=True, autoincrement=False),
    Column("state", String, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("closed_us", BigInteger),
    Column("credits", BigInteger, nullable=False),
    Column("credits_fen", BigInteger, nullable=False),
    Column("reversals", BigInteger, nullable=False),
    Column("reversals_fen", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

bill = Table(
    "bill", metadata,
    Column("division", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # first 19 digits; the 20th is a check
    Column("payer_id", String, nullable=False),
    Column("payer_name", String, nullable=False),
    Column("office", String, nullable=False),
    Column("period_from", Integer, nullable=False),
    Column("period_to", Integer, nullable=False),
    Column("issued", Integer, nullable=False),
    Column("due", Integer, nullable=False),
    Column("last_day", Integer, nullable=False),
    Column("owner_only", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("parts", String, nullable=False),  # "170:1530000 390:48000"
    Column("status", String, nullable=False),
    Column("paid_book", Integer),
    Column("paid_seq", BigInteger),
    Column("import_id", BigInteger, nullable=False, server_default="0"),  # while it is in `open_import`: not there yet
    sqlite_with_rowid=False,
)
Index("bill_payer", bill.c.payer_id)

# Imports that still write their bills in chunks. A bill of one counts as absent; the import's last, short
# transaction takes its row away here, and all its bills are there at once.
open_import = Table(
    "open_import", metadata,
    Column("import_id", BigInteger, primary_key=True, autoincrement=False),
    Column("source", String, nullable=False),
    Column("touched_us", BigInteger, nullable=False),  # by the latest chunk: one long silent has died
)

person = Table(
    "person", metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("phone", String, nullable=False),
    Column("card", String, nullable=False),
    Column("division", String, nullable=False),
    Column("enrolled", String, nullable=False),
)
Index("person_card", person.c.card)

event = Table(
    "event", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("date", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("key_class", Integer, nullable=False),
    Column("trace", BigInteger, nullable=False),
    Column("mti", String, nullable=False),
    Column("proc", String, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("bill", String, nullable=False),
    Column("original_text", String, nullable=False),
    Column("stan", String, nullable=False),
    Column("rrn", String, nullable=False),
    Column("code", String, nullable=False),
    Column("origin_seq", BigInteger),
    Column("bill_move", String, nullable=False),
    Column("operator", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("reply", LargeBinary, nullable=False),
    Column("seal", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
Index(
    "event_key", event.c.book_id, event.c.trace, event.c.key_class, unique=True,
    sqlite_where=text("key_class > 0"), postgresql_where=text("key_class > 0"),
)

payment = Table(
    "payment", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("date", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("receipt", String, nullable=False),
    Column("trace", BigInteger, nullable=False),
    Column("moment", BigInteger, nullable=False),
    Column("stan", String, nullable=False),
    Column("rrn", String, nullable=False),
    Column("terminal", String, nullable=False),
    Column("branch", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("bill", String, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("suspense", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("undone_seq", BigInteger),  # event of the void, reversal or decision that holds now
    Column("on_bill", String, nullable=False, server_default=""),  # the bill it pays, where that is not `bill`
    sqlite_with_rowid=False,
)

transfer = Table(
    "transfer", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("date", Integer, nullable=False),
    Column("debit", String, nullable=False),
    Column("credit", String, nullable=False),
    Column("amount", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

early = Table(
    "early", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("trace", BigInteger, primary_key=True, autoincrement=False),
    Column("proc", String, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

suspense = Table(
    "suspense", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("exception_id", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# One row: written to see whether the store can be written, and the number of the latest import.
pulse = Table(
    "pulse", metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("beats", BigInteger, nullable=False),
    Column("imports", BigInteger, nullable=False),
)

bank_key = Table(
    "bank_key", metadata,
    Column("bank", String, primary_key=True),
    Column("kind", String, primary_key=True),  # mac, zone
    Column("state", String, primary_key=True),  # current, next
    Column("sealed", LargeBinary, nullable=False),  # AES-256-GCM: nonce, ciphertext; bound to bank and kind
    Column("check_value", String, nullable=False),
    Column("algorithm", String, nullable=False),
    Column("since_us", BigInteger, nullable=False),
)
