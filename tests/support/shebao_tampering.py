"""What somebody with the database's password could do to the books of `Sealed`, and what `verify` must say of each."""

from collections.abc import Callable

from shebao_sealed import Sealed

from shebao.ledger import proof, schema

JOURNAL = ("event", "payment", "transfer")
SEAL_OF = "(SELECT seal FROM event WHERE book_id = 100 AND seq = {})"


def of(sealed: Sealed, serial: int) -> str:
    """SQL for the bill of this place in the story."""
    return f"division = 330110 AND number = {sealed.bills[serial][:19]}"


def _copy(sealed: Sealed, table: str, where: str, **changed: object) -> str:
    """An INSERT of a row like that of `where`, but for what is changed."""
    names = [column.name for column in schema.metadata.tables[table].c]
    values = ", ".join(str(changed.get(name, name)) for name in names)
    return f"INSERT INTO {table} SELECT {values} FROM {table} WHERE {where}"


# what is done to the rows, which proofs speak against it, and what one of them says
TAMPERED: dict[str, tuple[Callable[[Sealed], list[str]], set[str], str]] = {
    "a paid bill": (
        lambda s: [f"UPDATE bill SET status = 'OUTSTANDING', paid_book = NULL, paid_seq = NULL WHERE {of(s, 0)}"],
        {proof.STATUS, proof.PAID},
        "status is OUTSTANDING, right is PAID: by its last sealed move in event 100/1",
    ),
    "a bill nobody paid": (
        lambda s: [f"UPDATE bill SET status = 'PAID' WHERE {of(s, 11)}"],
        {proof.STATUS, proof.PAID},
        "status is PAID, right is OUTSTANDING: no event moved it",
    ),
    "a bill that has not expired": (
        lambda s: [f"UPDATE bill SET status = 'EXPIRED' WHERE {of(s, 11)}"],
        {proof.STATUS},
        "status is EXPIRED, right is OUTSTANDING",
    ),
    "a withdrawn bill": (
        lambda s: [f"UPDATE bill SET status = 'OUTSTANDING' WHERE {of(s, 8)}"],
        {proof.STATUS},
        "status is OUTSTANDING, right is WITHDRAWN: by its last sealed move in event 0/1",
    ),
    "a bill of another payment": (
        lambda s: [f"UPDATE bill SET paid_seq = 4 WHERE {of(s, 0)}"],
        {proof.PAID},
        "paid_book/paid_seq is 100/4, right is 100/1",
    ),
    "a bill taken away": (
        lambda s: [f"DELETE FROM bill WHERE {of(s, 0)}"],
        {proof.STATUS, proof.PAID},
        "event 100/1: moved bill 33011026110100000011, which is not there",
    ),
    "a bill's parts": (
        lambda s: [f"UPDATE bill SET parts = '170:8000 390:4000' WHERE {of(s, 0)}"],
        {proof.TRANSFERS},
        "transfer 100/1: the transfers of this payment are not the parts of bill 330110/3301102611010000001",
    ),
    "a receipt": (
        lambda s: ["UPDATE payment SET receipt = '26112301000000000099' WHERE book_id = 100 AND seq = 2"],
        {proof.SEAL, proof.RECEIPTS},
        "payment 100/2: receipt is 26112301000000000099, right is 26112301000000000",
    ),
    "an RRN": (
        lambda s: ["UPDATE payment SET rrn = 'R999999' WHERE book_id = 100 AND seq = 4"],
        {proof.SEAL, proof.STATES},
        "payment 100/4: rrn is R999999, right is R000017, as its event has it",
    ),
    "a STAN": (
        lambda s: ["UPDATE payment SET stan = '999999' WHERE book_id = 100 AND seq = 1"],
        {proof.SEAL, proof.STATES},
        "payment 100/1: stan is 999999, right is 000001, as its event has it",
    ),
    "a terminal": (
        lambda s: ["UPDATE payment SET terminal = 'T2' WHERE book_id = 200 AND seq = 1"],
        {proof.SEAL},
        "event 200/1: its seal is not that of its rows in event, payment and transfer",
    ),
    "a payment's state": (
        lambda s: ["UPDATE payment SET state = 'REVERSED', undone_seq = 7 WHERE book_id = 100 AND seq = 1"],
        {proof.STATES, proof.PAID},
        "payment 100/1: state is REVERSED, right is LIVE, as its events left it",
    ),
    "a payment out of suspense": (
        lambda s: ["UPDATE payment SET suspense = 0 WHERE book_id = 100 AND seq = 5"],
        {proof.STATES, proof.PAID},
        "payment 100/5: suspense is False, right is True",
    ),
    "a payment taken away": (
        lambda s: ["DELETE FROM payment WHERE book_id = 100 AND seq = 20"],
        {proof.SEAL, proof.EVENTS, proof.RECEIPTS, proof.PAID},
        "payment 100/20: is not there, but its event of kind payment is",
    ),
    "a payment of no event": (
        lambda s: [_copy(s, "payment", "book_id = 100 AND seq = 1", seq=77)],
        {proof.EVENTS, proof.STATES, proof.PAID, proof.SUSPENSE},
        "payment 100/77: belongs to no event",
    ),
    "a debit": (
        lambda s: ["UPDATE transfer SET debit = 'clearing:icbc' WHERE book_id = 100 AND seq = 3 AND line = 2"],
        {proof.SEAL, proof.TRANSFERS, proof.CLEARING},
        "transfer 100/3/2: debit is clearing:icbc, right is clearing:rcb",
    ),
    "a credit": (
        lambda s: ["UPDATE transfer SET credit = 'fund:110' WHERE book_id = 100 AND seq = 3 AND line = 2"],
        {proof.SEAL, proof.TRANSFERS},
        "transfer 100/3: the transfers of this payment are not the parts of bill 330110/3301102611010000003",
    ),
    "an amount": (  # (a)
        lambda s: ["UPDATE transfer SET amount = 2999 WHERE book_id = 100 AND seq = 1 AND line = 2"],
        {proof.SEAL, proof.TRANSFERS, proof.CLEARING, proof.DAYS},
        "transfer 100/1: sum is 11999, right is 12000, the event's amount",
    ),
    "an amount below zero": (
        lambda s: ["UPDATE transfer SET amount = -3000 WHERE book_id = 100 AND seq = 1 AND line = 2"],
        {proof.SEAL, proof.TRANSFERS, proof.CLEARING, proof.DAYS},
        "transfer 100/1/2: amount is -3000, not above 0",
    ),
    "a transfer of no event": (
        lambda s: ["INSERT INTO transfer VALUES (100, 77, 1, 20261124, 'clearing:rcb', 'fund:170', 5)"],
        {proof.TRANSFERS},
        "transfer 100/77/1: belongs to no event",
    ),
    "transfers of an event that moves nothing": (
        lambda s: ["INSERT INTO transfer VALUES (100, 12, 1, 20261123, 'clearing:rcb', 'suspense:rcb', 5)"],
        {proof.SEAL, proof.TRANSFERS, proof.CLEARING, proof.SUSPENSE},
        "transfer 100/12: sum is 5, right is none, of a refused",
    ),
    "an event's answer": (
        lambda s: ["UPDATE event SET code = '00' WHERE book_id = 100 AND seq = 12"],
        {proof.SEAL},
        "event 100/12: its seal is not",
    ),
    "an event of an unknown kind": (
        lambda s: ["UPDATE event SET kind = 'gift' WHERE book_id = 100 AND seq = 17"],
        {proof.SEAL, proof.CORRECTIONS},
        "event 100/17: is of kind gift, which this version does not book",
    ),
    "a move": (
        lambda s: ["UPDATE event SET bill_move = 'PAID>REFUNDED' WHERE book_id = 100 AND seq = 1"],
        {proof.SEAL, proof.STATUS},
        "event 100/1: payment makes no move PAID>REFUNDED",
    ),
    "an event in the middle": (  # (b), with all its rows
        lambda s: [f"DELETE FROM {table} WHERE book_id = 100 AND seq = 4" for table in JOURNAL],
        {proof.EVENTS, proof.SEAL, proof.RECEIPTS, proof.CLEARING, proof.DAYS, proof.PAID, proof.STATUS},
        "event 100/5: follows number 3: 4 is not there",
    ),
    "an event put in": (
        lambda s: [_copy(s, "event", "book_id = 100 AND seq = 17", seq=23, trace=1)],
        {proof.EVENTS, proof.SEAL, proof.DAYS},
        "event 100/23: its seal is not",
    ),
    "two events swapped": (  # (e), with all their rows
        lambda s: [
            f"UPDATE {table} SET seq = {after} WHERE book_id = 100 AND seq = {before}"
            for table in JOURNAL
            for before, after in ((20, 99), (21, 20), (99, 21))
        ],
        {proof.SEAL, proof.RECEIPTS, proof.PAID, proof.ANCHORS},
        "event 100/20: its seal is not",
    ),
    "a closed date's seal": (  # (f), in the tables
        lambda s: [f"UPDATE event SET seal = {SEAL_OF.format(1)} WHERE book_id = 100 AND seq = 18"],
        {proof.SEAL},
        "event 100/18: its seal is not",
    ),
    "an open suspense item": (
        lambda s: ["UPDATE suspense SET state = 'RETURNED' WHERE book_id = 100 AND seq = 5"],
        {proof.SUSPENSE},
        "suspense 100/5: state is RETURNED, right is OPEN, as its payment is LIVE",
    ),
    "a suspense amount": (
        lambda s: ["UPDATE suspense SET amount = 4 WHERE book_id = 100 AND seq = 5"],
        {proof.SUSPENSE},
        "suspense:rcb: balance is 12005 fen, right is 12004 fen",
    ),
    "a suspense item taken away": (
        lambda s: ["DELETE FROM suspense WHERE book_id = 100 AND seq = 5"],
        {proof.SUSPENSE},
        "suspense 100/5: is not there",
    ),
    "a suspense item's exception": (
        lambda s: ["DELETE FROM exception WHERE book_id = 100 AND id = 1"],
        {proof.SUSPENSE},
        "suspense 100/5: its exception 1 is not there",
    ),
    "a date's count": (
        lambda s: ["UPDATE day SET credits_fen = credits_fen + 1 WHERE book_id = 100 AND date = 20261123"],
        {proof.DAYS, proof.CLEARING},
        "day 100/20261123: credits_fen is",
    ),
    "a date's end": (
        lambda s: ["UPDATE day SET last_seq = 17 WHERE book_id = 100 AND date = 20261123"],
        {proof.DAYS},
        "day 100/20261123: last_seq is 17, right is 18, by its events",
    ),
    "a date opened again": (
        lambda s: ["UPDATE day SET state = 'OPEN' WHERE book_id = 100 AND date = 20261123"],
        {proof.DAYS},
        "day 100/20261123: state is OPEN, right is CLOSED or later",
    ),
    "a date taken away": (
        lambda s: ["DELETE FROM day WHERE book_id = 100 AND date = 20261123"],
        {proof.DAYS, proof.CLEARING},
        "day 100/20261123: is not there",
    ),
    "a book's date": (
        lambda s: ["UPDATE book SET open_date = 20261123 WHERE book_id = 100"],
        {proof.DAYS},
        "book 100: open_date is 20261123, right is 20261124",
    ),
    "a book's next receipt": (
        lambda s: ["UPDATE book SET next_receipt = 1 WHERE book_id = 100"],
        {proof.RECEIPTS},
        "book 100: next_receipt is 1, right is 4",
    ),
    "a book's head": (
        lambda s: [f"UPDATE book SET seal = {SEAL_OF.format(3)} WHERE book_id = 100"],
        {proof.SEAL},
        "book 100: its head is not the seal of its last event, 22",
    ),
    "a book taken away": (
        lambda s: ["DELETE FROM book WHERE book_id = 200"],
        {proof.EVENTS, proof.ANCHORS, proof.TRANSFERS, proof.DAYS, proof.CLEARING},
        "book 200: is not there, but has events",
    ),
}
