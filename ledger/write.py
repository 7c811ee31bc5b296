"""A batch's effects, written with one set-based statement per table; the counterpart of `load`.

Rows are written in key order, so that pages are touched once. Nothing is decided here.
"""

from __future__ import annotations

from . import schema, schema_day
from .backend import Backend, StoreError
from .facts import Facts


def write(backend: Backend, facts: Facts) -> None:
    """Write all that the batch has decided. StoreError, and so nothing at all, if a bill is not as it was loaded."""
    texts = backend.statements
    _bills(backend, facts)
    if facts.new_events:
        backend.insert(schema.event, sorted(facts.new_events))
    if facts.new_payments:
        fresh = (payment for _, payment in sorted(facts.new_payments.items()))
        backend.insert(schema.payment, [(*p[:14], int(p.suspense), *p[15:]) for p in fresh])
    if facts.new_transfers:
        backend.insert(schema.transfer, sorted(facts.new_transfers))
    if facts.changed_payments:
        moved = sorted(facts.changed_payments.items())
        changed = [(int(p.suspense), p.state, p.undone_seq, p.on_bill, *key) for key, p in moved]
        backend.change(texts.update_payment, changed)
    if facts.new_early:
        backend.change(texts.insert_early, facts.new_early)
    if facts.changed_exceptions:
        backend.change(texts.upsert_exception, list(facts.changed_exceptions.values()))
    if facts.changed_suspense:
        backend.change(texts.upsert_suspense, list(facts.changed_suspense.values()))
    if facts.new_rulings:
        _decided(backend, facts)
    if facts.changed_days:
        backend.change(texts.upsert_day, list(facts.changed_days.values()))
    if facts.changed_books:
        backend.change(texts.update_book, [(*book[1:], book[0]) for _, book in sorted(facts.changed_books.items())])


def _decided(backend: Backend, facts: Facts) -> None:
    """What only decisions of the settlement desk write."""
    texts = backend.statements
    backend.insert(schema_day.ruling, facts.new_rulings)
    if facts.new_shares:
        backend.insert(schema_day.share, facts.new_shares)
    if facts.replaced_files:
        backend.change(texts.replace_file, [(digest, *key) for *key, digest in facts.replaced_files])
    if facts.changed_proposals:
        backend.change(texts.upsert_proposal, list(facts.changed_proposals.values()))


def _bills(backend: Backend, facts: Facts) -> None:
    """Second line of defence behind the locks: a bill is changed only if its status is still as loaded."""
    rows = [
        (bill.status, bill.paid_book, bill.paid_seq, int(number[:6]), int(number[:19]), stored)
        for number, (stored, bill) in sorted(facts.changed_bills.items())
    ]
    if rows and backend.move_bills(rows) != len(rows):
        raise StoreError("a bill was changed by another program between reading and writing; nothing was done")
