"""Tables of the end of the day: exceptions, bank files, and what two people decide about either, and about funds.

Not the books themselves (`schema`): no transfer is here. `ruling` and `share` are part of their sealed events, and as
final. Keys are led by `book_id` as there.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

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
    Column("gap_fen", BigInteger, nullable=False, server_default="0"),  # the bank's net less the ledger's, in `date`
    Column("answer_date", Integer, nullable=False, server_default="0"),  # where the bank answers it later; 0: nowhere
    Column("answer_fen", BigInteger, nullable=False, server_default="0"),  # what that line moves
    Column("corrected_fen", BigInteger, nullable=False, server_default="0"),  # of the due, by its decisions
    Column("left_fen", BigInteger, nullable=False, server_default="0"),  # of the gap, knowingly, by the last decision
    Column("decided_seq", BigInteger, nullable=False, server_default="0"),  # event of the decision that holds; 0: none
    Column("decided_date", Integer, nullable=False, server_default="0"),  # the date that was open then
    Column("payment_seq", BigInteger, nullable=False, server_default="0"),  # payment that its decision booked; 0: none
)
Index("exception_date", exception.c.book_id, exception.c.date)

bank_file = Table(
    "bank_file", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("date", Integer, primary_key=True, autoincrement=False),
    Column("digest", String, nullable=False),
    Column("accepted_us", BigInteger, nullable=False),
    Column("staged_us", BigInteger, nullable=False),  # names its lines in bank_block
    Column("payments", BigInteger, nullable=False),
    Column("payments_fen", BigInteger, nullable=False),
    Column("reversals", BigInteger, nullable=False),
    Column("reversals_fen", BigInteger, nullable=False),
    Column("classes_json", Text, nullable=False, server_default="{}"),
    Column("replaced_by", String, nullable=False, server_default=""),  # digest of the file that the next run takes
)

# The lines of files, in blocks (see `reconcile.staged`). They stand under a number; `bank_file` makes that count.
bank_block = Table(
    "bank_block", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("staged_us", BigInteger, primary_key=True, autoincrement=False),
    Column("block", Integer, primary_key=True, autoincrement=False),
    Column("lines", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# What the bank's latest 0500 told of a date, beside what the ledger had at that moment.
told_totals = Table(
    "told_totals", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("date", Integer, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("payments", BigInteger, nullable=False),
    Column("payments_fen", BigInteger, nullable=False),
    Column("reversals", BigInteger, nullable=False),
    Column("reversals_fen", BigInteger, nullable=False),
    Column("ledger_payments", BigInteger, nullable=False),
    Column("ledger_payments_fen", BigInteger, nullable=False),
    Column("ledger_reversals", BigInteger, nullable=False),
    Column("ledger_reversals_fen", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What one person (the maker) asks for and another (the checker) judges. Its number is the book's next exception's.
proposal = Table(
    "proposal", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("exception_id", BigInteger, nullable=False),  # 0: it is about funds, or a file
    Column("action", String, nullable=False),
    Column("bill", String, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("dates", String, nullable=False),  # "20261123 20261124"
    Column("parts", String, nullable=False),  # of a sweep, "170:1530000 390:48000"
    Column("reference", String, nullable=False),
    Column("received_on", Integer, nullable=False),  # the day of the transfer at the bank; 0: none
    Column("maker", String, nullable=False),
    Column("maker_reason", String, nullable=False),
    Column("maker_from", String, nullable=False),  # user id and host
    Column("made_us", BigInteger, nullable=False),
    Column("state", String, nullable=False),  # WAITING APPROVED REJECTED LAPSED
    Column("before", String, nullable=False, server_default=""),  # the exception's state, which a rejection restores
    Column("checker", String, nullable=False, server_default=""),
    Column("checker_reason", String, nullable=False, server_default=""),
    Column("checker_from", String, nullable=False, server_default=""),
    Column("judged_us", BigInteger, nullable=False, server_default="0"),
    Column("seq", BigInteger, nullable=False, server_default="0"),  # event that booked it; 0: none
    Column("about_seq", BigInteger, nullable=False, server_default="0"),  # event that it is about, as its maker saw it
)
Index("proposal_exception", proposal.c.book_id, proposal.c.exception_id)
Index("proposal_reference", proposal.c.book_id, proposal.c.reference)

# What two people decided, behind the event that it became; sealed with it. The checker's name and reason are the
# event's own.
ruling = Table(
    "ruling", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("proposal_id", BigInteger, nullable=False),
    Column("exception_id", BigInteger, nullable=False),
    Column("action", String, nullable=False),
    Column("bill", String, nullable=False),  # that the event moved; empty: none
    Column("maker", String, nullable=False),
    Column("maker_reason", String, nullable=False),
    Column("maker_from", String, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("checker_from", String, nullable=False),
    Column("reference", String, nullable=False),
    Column("received_on", Integer, nullable=False),
    sqlite_with_rowid=False,
)
Index("ruling_exception", ruling.c.book_id, ruling.c.exception_id)

# What an event changes of the money due, or received, for a date; sealed with it.
share = Table(
    "share", metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("date", Integer, primary_key=True, autoincrement=False),
    Column("side", String, primary_key=True),  # due received
    Column("fen", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("share_date", share.c.book_id, share.c.date)
