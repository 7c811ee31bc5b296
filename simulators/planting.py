"""Discrepancies planted in a bank's own statement lines, so that reconciliation has something to find. Pure.

Each kind is named by what was done to the bank's file, and known by the class that settlement.md section 5
gives to it. What is planted is told exactly, so that a run can be checked: all of it, and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from shebao.codecs.statement import StatementLine

CLASS_OF: Final = {
    "missing": "LEDGER_ONLY",  # a line is left out
    "added": "BANK_ONLY",  # a line that the switch never heard of
    "amount": "AMOUNT_DIFFERS",
    "twice": "DUPLICATE",
    "state": "STATE_DIFFERS",  # the bank says that it gave the money back
    "date": "OTHER_DATE",  # the switch has it in the next date
}
SURPLUS_FEN: Final = 10_000  # by how much a changed amount is higher


class Planted(NamedTuple):
    kind: str
    item_class: str
    bill: str
    amount: int  # fen, as the exception shows it: the bank's, or the ledger's where the bank has none
    stan: str


class NothingToPlant(Exception):
    """The day has too few lines for what was asked; the text is one line for the user."""


def plant(
    lines: Sequence[StatementLine],
    wanted: Mapping[str, int],
    dice: random.Random,
    unpaid: Sequence[tuple[str, int]] = (),
    next_date: Sequence[StatementLine] = (),
) -> tuple[list[StatementLine], list[Planted]]:
    """Lines with so many discrepancies of each kind, and the list of them.

    unpaid: (bill, fen) that no bank was paid, for `added`; next_date: the bank's lines of the next settlement
    date, for `date`. Only payments that nothing was done to are touched, each once.
    """
    out = list(lines)
    untouched = sorted(_lonely(lines), key=lambda line: line.bill)  # whatever order the replies came in
    dice.shuffle(untouched)
    sources: dict[str, list[StatementLine]] = {
        "added": [_of_no_one(line, *bill) for line, bill in zip(untouched, unpaid, strict=False)],
        "date": [line._replace(date=lines[0].date) for line in _lonely(next_date)] if lines else [],
    }
    done: list[Planted] = []
    for kind, count in wanted.items():
        source = sources.get(kind, untouched)
        if len(source) < count:
            raise NothingToPlant(f"{count} times {kind!r}: the day has only {len(source)} lines for it")
        for _ in range(count):
            victim = source.pop()
            amount = _PLANTERS[kind](out, victim)
            done.append(Planted(kind, CLASS_OF[kind], victim.bill, amount, victim.stan))
    return out, done


def without_pairs(lines: Sequence[StatementLine]) -> list[StatementLine]:
    """Some banks list neither a payment nor its same-day reversal: so this leaves out both."""
    undone = {(line.original_moment, line.original_stan): line for line in lines if line.kind in "VR"}
    again = {(line.original_moment, line.original_stan) for line in lines if line.kind == "P" and line.original_stan}
    gone = {key for key, line in undone.items() if (line.moment, line.stan) not in again}
    payments = {(line.moment, line.stan) for line in lines if line.kind == "P"}
    gone &= payments
    return [
        line
        for line in lines
        if not (line.kind == "P" and (line.moment, line.stan) in gone)
        and not (line.kind in "VR" and (line.original_moment, line.original_stan) in gone)
    ]


def _lonely(lines: Sequence[StatementLine]) -> list[StatementLine]:
    """Payments whose bill has one line only."""
    seen: dict[str, int] = {}
    for line in lines:
        seen[line.bill] = seen.get(line.bill, 0) + 1
    return [line for line in lines if line.kind == "P" and seen[line.bill] == 1]


def _of_no_one(line: StatementLine, bill: str, amount: int) -> StatementLine:
    stan = f"{int(line.stan) + 500_000:06d}"[-6:]
    return line._replace(bill=bill, amount=amount, stan=stan, rrn=line.rrn[:6] + stan, receipt="")


def _leave_out(lines: list[StatementLine], victim: StatementLine) -> int:
    lines.remove(victim)
    return victim.amount


def _add(lines: list[StatementLine], victim: StatementLine) -> int:
    lines.append(victim)
    return victim.amount


def _raise_amount(lines: list[StatementLine], victim: StatementLine) -> int:
    changed = victim._replace(amount=victim.amount + SURPLUS_FEN)
    lines[lines.index(victim)] = changed
    return changed.amount


def _give_back(lines: list[StatementLine], victim: StatementLine) -> int:
    stan = f"{int(victim.stan) + 400_000:06d}"[-6:]
    lines.append(
        victim._replace(
            kind="R",
            stan=stan,
            rrn=victim.rrn[:6] + stan,
            original_moment=victim.moment,
            original_stan=victim.stan,
        )
    )
    return victim.amount


_PLANTERS: Final[dict[str, Callable[[list[StatementLine], StatementLine], int]]] = {
    "missing": _leave_out,
    "added": _add,
    "amount": _raise_amount,
    "twice": _add,
    "state": _give_back,
    "date": _add,
}
