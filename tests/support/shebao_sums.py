"""What must hold after every step of the settlement desk (settlement.md sections 2 and 6), worked out anew from rows.

Its own sums, by plain SQL: none of the project's queries is used, but for `verify`.
"""

from __future__ import annotations

from typing import Any

from shebao.ledger.verify import verify


def check(bureau: Any) -> None:
    """Books proved; clearing is due less received; suspense its open items; and the statement of each date."""
    faults = [str(one) for proof in verify(bureau.store.reading, bureau.state / "seal", bureau.now_us)
              for one in proof.findings if proof.name != "the anchors"]  # fmt: skip
    assert not faults, faults
    for book_id, bank in bureau.rows("SELECT book_id, bank FROM book WHERE book_id > 0 ORDER BY book_id"):
        dates = bureau.rows(f"SELECT date, state FROM day WHERE book_id = {book_id} ORDER BY date")
        dues = {date: due(bureau, book_id, date) for date, _ in dates}
        came = {date: received(bureau, book_id, date) for date, _ in dates}
        assert sum(dues.values()) - sum(came.values()) == balance(bureau, f"clearing:{bank}"), bank
        held = one(bureau, f"SELECT SUM(amount) FROM suspense WHERE book_id = {book_id} AND state = 'OPEN'")
        assert held == -balance(bureau, f"suspense:{bank}"), bank
        for date, state in dates:
            check_state(bureau, book_id, date, state, dues[date], came[date])


def check_state(bureau: Any, book_id: int, date: int, state: str, due_fen: int, received_fen: int) -> None:
    file = bureau.rows(
        f"SELECT payments_fen - reversals_fen, replaced_by FROM bank_file WHERE book_id = {book_id} AND date = {date}"
    )
    undecided = one(bureau, f"SELECT COUNT(*) FROM exception WHERE book_id = {book_id} AND date = {date} "
                            "AND state IN ('OPEN', 'PROPOSED') AND item_class <> 'SUSPENSE'")  # fmt: skip
    if state != "OPEN":
        agrees = bool(file) and not file[0][1] and not undecided
        right = "CLOSED" if not agrees else "SETTLED" if due_fen == received_fen else "RECONCILED"
        assert state == right, (book_id, date, state, right, due_fen, received_fen)
    if file and not file[0][1]:
        left = sum(differences(bureau, book_id, date).values())
        assert file[0][0] == due_fen + left, (book_id, date, file[0][0], due_fen, differences(bureau, book_id, date))


def differences(bureau: Any, book_id: int, date: int) -> dict[int, int]:
    """By exception: what of the bank's net is not in the due."""
    found = {}
    here, answered = (f"CASE WHEN {column} = {date} THEN {fen} ELSE 0 END"
                      for column, fen in (("date", "gap_fen"), ("answer_date", "answer_fen")))  # fmt: skip
    rows = bureau.rows(f"SELECT id, {here} + {answered} FROM exception WHERE book_id = {book_id}")
    for number, gap in rows:
        booked = one(bureau, "SELECT SUM(fen) FROM share JOIN ruling ON ruling.book_id = share.book_id AND "
                             "ruling.seq = share.seq WHERE side = 'due' AND share.book_id = "
                             f"{book_id} AND share.date = {date} AND exception_id = {number}")  # fmt: skip
        if gap - booked:
            found[number] = gap - booked
    return found


def due(bureau: Any, book_id: int, date: int) -> int:
    net = one(bureau, f"SELECT credits_fen - reversals_fen FROM day WHERE book_id = {book_id} AND date = {date}")
    moved = "SELECT SUM(moved_fen) FROM exception WHERE book_id = {} AND {} = {}"
    into, out = (one(bureau, moved.format(book_id, name, date)) for name in ("date", "ledger_date"))
    return net + into - out + shares(bureau, book_id, date, "due")


def received(bureau: Any, book_id: int, date: int) -> int:
    return shares(bureau, book_id, date, "received")


def shares(bureau: Any, book_id: int, date: int, side: str) -> int:
    where = f"book_id = {book_id} AND date = {date} AND side = '{side}'"
    return one(bureau, f"SELECT SUM(fen) FROM share WHERE {where}")


def balance(bureau: Any, account: str) -> int:
    """Debits less credits."""
    debit, credit = (one(bureau, f"SELECT SUM(amount) FROM transfer WHERE {side} = '{account}'")
                     for side in ("debit", "credit"))  # fmt: skip
    return debit - credit


def one(bureau: Any, sql: str) -> int:
    return int(bureau.rows(sql)[0][0] or 0)
