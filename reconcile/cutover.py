"""Closing the open date by command: asks the ledger for the cut-over, like a bank's 0800 or the clock does."""

from __future__ import annotations

from shebao.codecs.errors import Code
from shebao.codecs.settings import BankSettings
from shebao.ledger.day import add_days, iso, moment_of
from shebao.ledger.facts import KeyClass, Request
from shebao.ledger.store import CommitInDoubt, Store

from . import shelf
from .close import NotClosed
from .run import Desk

TRIES = 3  # of a commit in doubt


def cut_over(store: Store, desk: Desk, bank: BankSettings, date: int, dry_run: bool = False) -> bool:
    """Closes `date` if it is the bank's open one, and says whether it did; a closed date is left as it is.

    dry_run: says whether it would, and does nothing.

    Raises NotClosed for a date that is neither, or that may not be closed yet (wire.md section 6, rule 10).
    """
    with desk.read() as conn:
        book, day = shelf.book_of(conn, bank.book_id), shelf.day_of(conn, bank.book_id, date)
    if book is None:
        raise NotClosed(f"{bank.key} has no book yet; type: ledgerctl init")
    if day is None:
        what = f"{bank.key} has no settlement date {iso(date)}: open is {iso(book.open_date)}"
        raise NotClosed(f"{what}; type: reconcile status")
    if day.state != "OPEN":
        return False
    now_us = desk.now_us()
    request = Request(
        "cutover", bank.book_id, bank.key, "", KeyClass.NONE, 0, moment_of(now_us), now_us, {},
        date=add_days(date, 1), operator="command",
    )  # fmt: skip
    code, note = _ask(store, desk, request, dry_run)
    if code != Code.APPROVED:
        raise NotClosed(f"{iso(date)} of {bank.key} can't be closed now: {note or f'answer {code}'}")
    return True


def _ask(store: Store, desk: Desk, request: Request, dry_run: bool) -> tuple[str, str]:
    """The answer's code and note. A cut-over that was in doubt and did happen is `00` the second time too."""
    for left in reversed(range(TRIES)):
        try:
            answer = store.foresee(request, desk.now_us) if dry_run else store.act(request, desk.now_us)
            return answer.code, answer.decision.note if answer.decision else str(answer.fault)
        except CommitInDoubt:
            if not left:
                raise
            store.reconnect()
    raise AssertionError("unreachable")
