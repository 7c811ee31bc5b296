"""`verify`: proves the books and the seal, from the tables and the anchors alone (settlement.md section 2).

For `ledgerctl verify`:

    proofs = verify(store.reading, state_dir / anchor.FOLDER, wall_us(), public_key)   # list[Proof]
    exit status 1 if any(proof.faults for proof in proofs), else 0

`public_key` is the public half of the master key file, `load_master(...).signer().public_key()`, where that can be
read; else None, and `public.key` in the folder is believed. Each `Proof` has a name, how much was looked at, the
number of faults, and the first of them as `Finding`s, each one line: table, key, what differs. Raises StoreError, or
OSError of a log that can't be read.

All is one snapshot that blocks no payment, read in streams: memory does not grow with the books. What is proved is
told in `proof` by name; how, in `walk` (event by event), `standing` (bills, payments, dates) and `heads` (anchors).
A date's files and the worklist are not judged here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select

from . import anchor, heads, schema
from . import proof as p
from .day import date_of
from .facts import Book
from .proof import Proof
from .standing import prove_accounts, prove_bills, prove_dates
from .standing_payments import prove_payments
from .store import Reading
from .walk import Walked, walk


def verify(
    reading: Reading, folder: Path, now_us: int, public_key: Ed25519PublicKey | None = None,
    brought_back: dict[int, int] | None = None,
) -> list[Proof]:  # fmt: skip
    """Every proof, in the order in which they are told. folder: `<state_dir>/seal`.

    brought_back: book -> events, while a restore is under way of which the logs don't tell yet.
    """
    proofs = p.proofs()
    logs = heads.sizes(folder)  # before the snapshot: what was signed until now is in it
    with reading() as connection:
        books = {row.book_id: Book(*row) for row in connection.execute(select(schema.book))}
        banks = {book.book_id: book.bank for book in books.values()}

        def heads_of(book_id: int, bank: str) -> heads.Heads:
            found = heads.chain(folder, bank, logs, brought_back or {})
            since = now_us if brought_back is None else 0  # a restore may be on a machine that has no logs
            return heads.Heads(proofs[p.ANCHORS], anchor.log_path(folder, bank), found, book_id, since)

        _try(proofs[p.ANCHORS], lambda: heads.judge(proofs[p.ANCHORS], folder, logs, banks, public_key))
        walked = Walked()
        _try(proofs[p.SEAL], lambda: walk(connection, proofs, books, heads_of, walked))
        _try(proofs[p.STATES], lambda: prove_payments(connection, proofs))
        _try(proofs[p.STATUS], lambda: prove_bills(connection, proofs, banks, date_of(now_us)))
        _try(proofs[p.DAYS], lambda: prove_dates(connection, proofs, books, walked))
        _try(proofs[p.CLEARING], lambda: prove_accounts(connection, proofs, banks, walked))
    return list(proofs.values())


def _try(proof: Proof, prove: Callable[[], None]) -> None:
    """A value that is of no proper type ends this proof, as a fault; the others go on."""
    try:
        prove()
    except (TypeError, ValueError, AttributeError) as error:
        what = f"hold a value of no proper type, so it was not proved to its end: {error}"
        proof.fault("rows", "of this proof", what)
