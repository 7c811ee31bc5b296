"""The journal: what money each event moves, what of it is sealed, and how a decision becomes facts.

Double entry by one table (settlement.md section 2); the seal's canonical bytes, which an auditor recomputes
from table rows alone; and `apply`, the only place where facts change. Which event happens is the rules' affair.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from .desk_facts import Ruling, Share
from .facts import Bill, Book, Day, Decision, Effects, Event, ExceptionItem, Facts, Payment, Request, Transfer

GENESIS: Final = bytes(32)  # the seal before the first event of a book
FIELD: Final = "\x1f"  # between the fields of a record
RECORD: Final = "\x1e"  # between records

# -- accounts ---------------------------------------------------------------------------------------------

# cause -> (debit, credit). `fund` and `treasury` stand for one transfer per insurance part, the others are a bank's.
# The mirror image, of a reversal or void, swaps the columns.
ENTRIES: Final = {
    "payment": ("clearing", "fund"),
    "suspense": ("clearing", "suspense"),
    "applied": ("suspense", "fund"),
    "returned": ("suspense", "clearing"),
    "returned by transfer": ("suspense", "special"),
    "received": ("special", "clearing"),
    "paid back": ("clearing", "special"),
    "refunded": ("fund", "refund"),
    "refund paid": ("refund", "special"),
    "swept": ("treasury", "special"),
}
BY_TYPE: Final = frozenset({"fund", "treasury"})  # accounts of an insurance type


def money(bank: str, cause: str, parts: tuple[tuple[str, int], ...] | int) -> tuple[tuple[str, str, int], ...]:
    """(debit, credit, fen) of a cause: one for each part of a bill, or one for an amount without parts."""
    debit, credit = ENTRIES[cause]
    if isinstance(parts, int):
        found: Iterable[tuple[str, str, int]] = ((f"{debit}:{bank}", f"{credit}:{bank}", parts),)
    else:
        found = ((_of(debit, bank, kind), _of(credit, bank, kind), fen) for kind, fen in parts)
    return tuple(entry for entry in found if entry[2] > 0)


def mirror(entries: Iterable[tuple[str, str, int]]) -> tuple[tuple[str, str, int], ...]:
    """The mirror image: debit and credit swapped, line by line."""
    return tuple((credit, debit, fen) for debit, credit, fen in entries)


def standing(payment: Payment, bank: str, bill: Bill | None) -> tuple[tuple[str, str, int], ...]:
    """The entries by which a payment stands in the books: onto its bill's parts, or in suspense."""
    if payment.suspense or bill is None:
        return money(bank, "suspense", payment.amount)
    return money(bank, "payment", bill.parts)


def transfers(book: Book, entries: Iterable[tuple[str, str, int]]) -> tuple[Transfer, ...]:
    """Entries as rows of the book's next event, on its open date."""
    seq, date, book_id = book.next_seq, book.open_date, book.book_id
    return tuple(
        Transfer(book_id, seq, line, date, debit, credit, fen) for line, (debit, credit, fen) in enumerate(entries, 1)
    )


def _of(account: str, bank: str, kind: str) -> str:
    return f"{account}:{kind if account in BY_TYPE else bank}"


_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRSTUVWX"  # 32 characters, none of I O Y Z


def auth_id(receipt: str) -> str:
    """DE38 of an approved payment, an6: a function of its receipt number, so it needs no column."""
    bits = int.from_bytes(sha256(receipt.encode("ascii")).digest()[:4], "big")
    return "".join(_ALPHABET[bits >> shift & 31] for shift in (25, 20, 15, 10, 5, 0))


# -- seal -------------------------------------------------------------------------------------------------

def canonical(
    event: Event, payment: Payment | None, moved: Iterable[Transfer], ruling: Ruling | None = None,
    shares: Iterable[Share] = (),
) -> bytes:  # fmt: skip
    """The sealed bytes of one event (settlement.md section 2, Seal).

    UTF-8 text; records end with 0x1E, their fields are separated by 0x1F; ints in decimal, an absent one
    empty, the reply in lower-case hex. Records: `E`, the event; `P`, the payment that it took, if it took
    one; `T`, each of its transfers in line order; `D`, the decision behind it, and `S`, each of its shares
    by date and side. Left out: the seal itself, and what later events change (a payment's `suspense`,
    `state`, `undone_seq`, `on_bill`: whether it went to suspense its transfers tell).
    """
    e = event
    origin = "" if e.origin_seq is None else e.origin_seq
    text = (
        f"E\x1f{e.book_id}\x1f{e.seq}\x1f{e.date}\x1f{e.at_us}\x1f{e.kind}\x1f{e.key_class}\x1f{e.trace}\x1f{e.mti}"
        f"\x1f{e.proc}\x1f{e.amount}\x1f{e.bill}\x1f{e.original_text}\x1f{e.stan}\x1f{e.rrn}\x1f{e.code}\x1f{origin}"
        f"\x1f{e.bill_move}\x1f{e.operator}\x1f{e.reason}\x1f{e.reply.hex()}\x1e"
    )
    if payment is not None:
        p = payment
        text += (
            f"P\x1f{p.date}\x1f{p.kind}\x1f{p.receipt}\x1f{p.trace}\x1f{p.moment}\x1f{p.stan}\x1f{p.rrn}"
            f"\x1f{p.terminal}\x1f{p.branch}\x1f{p.channel}\x1f{p.bill}\x1f{p.amount}\x1e"
        )
    for t in moved:
        text += f"T\x1f{t.line}\x1f{t.date}\x1f{t.debit}\x1f{t.credit}\x1f{t.amount}\x1e"
    if ruling is not None:
        text += FIELD.join(["D", *map(str, ruling[2:])]) + RECORD
    for s in shares:
        text += f"S\x1f{s.date}\x1f{s.side}\x1f{s.fen}\x1e"
    return text.encode("utf-8")


def seal(previous: bytes, sealed: bytes) -> bytes:
    """The book's next seal: SHA-256 over the previous one and the canonical bytes; the first is GENESIS."""
    return sha256(previous + sealed).digest()


# -- apply ------------------------------------------------------------------------------------------------

# What an event counts as in its date's detail file and totals (wire.md section 5, Totals).
CREDITS: Final = frozenset({"payment", "advice", "unvoid"})
REVERSALS: Final = frozenset({"void", "reversal"})


def apply(facts: Facts, request: Request, decision: Decision, reply_tail: bytes) -> None:
    """Make a decision true: seal its event, advance the counters, keep the rows for the store.

    `reply_tail` is the encoded reply without MTI and MAC. A replay, or a decision without effects, changes
    nothing. Afterwards the lookups answer as if all had been loaded anew: the next request of the batch sees it.
    """
    effects = decision.effects
    if effects is None or decision.replay is not None:
        return
    before = facts.books[request.book_id]
    event = _event(before, facts.now_us, effects.told or request, decision, effects, reply_tail)
    sealed = canonical(event, effects.payment, effects.transfers, effects.ruling, effects.shares)
    event = event._replace(seal=seal(before.seal, sealed))
    book = (effects.book or before)._replace(
        next_seq=before.next_seq + 1,
        next_exception=before.next_exception + _opens_exception(before, effects.exception),
        seal=event.seal,
    )
    if effects.payment is not None:
        book = book._replace(next_receipt=before.next_receipt + 1)
    days = effects.days or _counted(facts, before, effects)
    seen = facts.events[event.book_id, event.trace] if event.key_class else None
    # Nothing above changes anything, nothing below can fail.
    facts.books[book.book_id] = facts.changed_books[book.book_id] = book
    for day in days:
        facts.days[day.book_id, day.date] = facts.changed_days[day.book_id, day.date] = day
    facts.new_events.append(event)
    facts.new_transfers.extend(effects.transfers)
    if seen is not None:
        seen.append(event)
    _remember(facts, effects)


def _event(
    book: Book, now_us: int, request: Request, decision: Decision, effects: Effects, reply_tail: bytes
) -> Event:
    move = ""
    if effects.bill_before is not None and effects.bill_after is not None:
        move = f"{effects.bill_before.status}>{effects.bill_after.status}"
    return Event(
        book_id=book.book_id,
        seq=book.next_seq,
        date=effects.date or book.open_date,
        at_us=now_us,
        kind=effects.kind,
        key_class=int(request.key_class),
        trace=request.trace,
        mti=request.mti,
        proc=request.proc,
        amount=request.amount,
        bill=effects.bill_number or request.bill,
        original_text=request.original_text,
        stan=request.stan,
        rrn=request.rrn,
        code=str(decision.code),
        origin_seq=effects.origin_seq,
        bill_move=move,
        operator=request.operator,
        reason=request.reason,
        reply=reply_tail,
        seal=b"",
    )


def _opens_exception(book: Book, item: ExceptionItem | None) -> int:
    return int(item is not None and item.id == book.next_exception)


def _counted(facts: Facts, book: Book, effects: Effects) -> tuple[Day, ...]:
    """The open date with this event counted, gross; nothing for events that no detail line shows."""
    moved = effects.payment or effects.payment_after
    if moved is None or (effects.kind not in CREDITS and effects.kind not in REVERSALS):
        return ()
    day = facts.days[book.book_id, book.open_date]
    if day is None:
        raise LookupError(f"book {book.book_id} has no row for its open date {book.open_date}")
    if effects.kind in CREDITS:
        return (day._replace(credits=day.credits + 1, credits_fen=day.credits_fen + moved.amount),)
    return (day._replace(reversals=day.reversals + 1, reversals_fen=day.reversals_fen + moved.amount),)


def _remember(facts: Facts, effects: Effects) -> None:
    """Rows into the lookups, and into what the store writes."""
    before, after = effects.bill_before, effects.bill_after
    if before is not None and after is not None:
        stored = facts.changed_bills.get(after.number, (before.status, after))[0]
        facts.changed_bills[after.number] = (stored, after)
        facts.bills[after.number] = after
    if effects.payment is not None:
        new = effects.payment
        facts.payments[new.book_id, new.seq] = facts.new_payments[new.book_id, new.seq] = new
    for changed in filter(None, (effects.payment_after, effects.other_after)):
        key = changed.book_id, changed.seq
        facts.payments[key] = changed
        written = facts.new_payments if key in facts.new_payments else facts.changed_payments
        written[key] = changed
    early = effects.early
    if early is not None:
        facts.early[early.book_id, early.trace, early.proc] = early
        facts.new_early.append(early)
    for held in filter(None, (effects.suspense, effects.other_suspense)):
        key = held.book_id, held.seq
        facts.suspense[key] = facts.changed_suspense[key] = held
    for item in filter(None, (effects.exception, effects.other_exception, effects.case)):
        key = item.book_id, item.id
        facts.exceptions[key] = facts.changed_exceptions[key] = item
    if effects.ruling is not None:
        facts.new_rulings.append(effects.ruling)
        facts.new_shares.extend(effects.shares)
        if effects.replaced is not None:
            facts.replaced_files.append((effects.ruling.book_id, *effects.replaced))
    if effects.proposal is not None:
        facts.changed_proposals[effects.proposal.book_id, effects.proposal.id] = effects.proposal
