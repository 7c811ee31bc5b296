"""The facts behind a proposal, read under the batch's locks; `load` calls it, and says in what order.

Loaded for one proposal: itself as it is stored; its exception; the events, entries and shares of what it speaks of;
what was booked with its reference, or about its bill; and the money of each date whose state it may change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .backend import Backend
from .cases import sides, traces
from .desk_facts import Proposal, Ruling, Share
from .dues import date_money, money_of, special
from .facts import BUREAU_BOOK_ID, Event, ExceptionItem, Facts, Request, Suspense, Transfer

Pair = tuple[int, int]


def asked(requests: Sequence[Request]) -> list[Proposal]:
    return [request.proposal for request in requests if request.proposal is not None]


def before_events(backend: Backend, proposals: Iterable[Proposal], facts: Facts) -> None:
    """What tells of further keys: the proposal, its exception, and the traces of the messages that these name."""
    for one in proposals:
        book_id, texts = one.book_id, backend.statements
        for row in backend.rows(texts.by_keys("proposals", 1), (book_id, one.id)):
            facts.proposals[book_id, one.id] = Proposal(*row)
        for row in backend.rows(texts.by_keys("exceptions", 1), (book_id, one.exception_id)):
            case = ExceptionItem(*row)
            facts.exceptions[book_id, case.id] = case
            for trace in traces(case):
                facts.events.setdefault((book_id, trace), [])
            rows = backend.rows(backend.statements.by_keys("rulings by exception", 1), (book_id, case.id))
            rulings = facts.decided[book_id, case.id] = sorted(Ruling(*row) for row in rows)
            _acts(backend, [(book_id, seq) for seq in (case.seq, *(one.seq for one in rulings)) if seq], facts)
            origins = [(book_id, act.origin_seq) for act in facts.acts.values() if act.origin_seq]
            _acts(backend, origins, facts)
        _referred(backend, one, facts)


def payments_of(facts: Facts) -> set[Pair]:
    """Payments that a proposal names beside those of its messages."""
    named = {(act.book_id, seq) for act in facts.acts.values() for seq in (act.seq, act.origin_seq) if seq}
    named |= {key[:2] for key in facts.suspense}
    return named


def bills_of(proposals: Iterable[Proposal], facts: Facts) -> set[str]:
    """Bills that a proposal may move."""
    named = {one.bill for one in proposals}
    for one in proposals:
        case = facts.exceptions.get((one.book_id, one.exception_id))
        if case is not None:
            named |= {case.bill, *(side.get("bill", "") for side in sides(case))}
    return named - {""}


def suspense_of(backend: Backend, proposals: Iterable[Proposal], facts: Facts) -> None:
    """The suspense item of each exception: it names its payment."""
    for one in proposals:
        if one.exception_id:
            rows = backend.rows(backend.statements.by_keys("suspense of", 1), (one.book_id, one.exception_id))
            for row in rows:
                facts.suspense[row[0], row[1]] = Suspense(*row)


def dates_of(proposals: Iterable[Proposal], facts: Facts) -> set[Pair]:
    """Every date whose money or state may change."""
    found: set[Pair] = set()
    for one in proposals:
        found |= {(one.book_id, int(date)) for date in one.dates.split()}
        case = facts.exceptions.get((one.book_id, one.exception_id))
        if case is not None:
            found |= {(one.book_id, case.date), (one.book_id, case.due_date)}
    found |= {(share.book_id, share.date) for shares in facts.shares.values() for share in shares}
    found |= {(item.book_id, item.date) for item in facts.exceptions.values()}
    return {(book_id, date) for book_id, date in found if book_id != BUREAU_BOOK_ID}


def money(backend: Backend, dates: Iterable[Pair], proposals: Iterable[Proposal], facts: Facts) -> None:
    for book_id, date in sorted(dates):
        (row,) = backend.rows(*backend.statements.render(date_money(book_id, date)))
        facts.money[book_id, date] = money_of(book_id, date, row)
    for book_id in {one.book_id for one in proposals}:
        (row,) = backend.rows(*backend.statements.render(special(book_id)))
        facts.special[book_id] = int(row[0])


def _referred(backend: Backend, one: Proposal, facts: Facts) -> None:
    """What was booked with the same reference, or about the same bill, and with their references in turn."""
    by = backend.statements.by_keys
    keys = [("rulings by reference", one.reference), ("rulings by bill", one.bill)]
    while keys:
        name, key = keys.pop()
        if (one.book_id, key) in facts.referred:
            continue
        rows = backend.rows(by(name, 1), (one.book_id, key)) if key else []
        found = sorted(Ruling(*row) for row in rows)
        facts.referred[one.book_id, key] = found
        _acts(backend, [(one.book_id, ruling.seq) for ruling in found], facts)
        keys += [("rulings by reference", ruling.reference) for ruling in found if ruling.reference]


def _acts(backend: Backend, keys: Iterable[Pair], facts: Facts) -> None:
    """Events with their entries and shares."""
    for key in sorted(set(keys) - facts.acts.keys()):
        for row in backend.rows(backend.statements.by_keys("acts", 1), key):
            facts.acts[key] = Event(*row)
        rows = backend.rows(backend.statements.by_keys("entries", 1), key)
        facts.entries[key] = sorted(Transfer(*row) for row in rows)
        shares = backend.rows(backend.statements.by_keys("shares", 1), key)
        facts.shares[key] = sorted(Share(*row) for row in shares)
