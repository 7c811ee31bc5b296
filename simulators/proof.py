"""Did the day come out right? Comparisons of what the banks know with what the switch says. Pure.

Each function gives faults as sentences; an empty list is the proof.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from shebao.codecs.statement import StatementLine, totals_of

from .planting import Planted

FAULTS_SHOWN: Final = 5
CLASSES: Final = (
    "DUPLICATE", "AMOUNT_DIFFERS", "STATE_DIFFERS", "OTHER_DATE", "MATCHED", "BANK_ONLY", "LEDGER_ONLY",
)  # fmt: skip
DEBIT_ACCOUNTS: Final = frozenset({"clearing", "special", "treasury"})
LISTED: Final = frozenset({"DUPLICATE", "AMOUNT_DIFFERS", "STATE_DIFFERS", "BANK_ONLY", "LEDGER_ONLY"})


Lines = Sequence[StatementLine]


def own_books_agree(bank: str, own: Lines, detail: Lines) -> list[str]:
    """The bank's own lines and the switch's detail file, column by column; only an own receipt may be empty."""
    mine = {(line.kind, line.moment, line.stan): line for line in own}
    theirs = {(line.kind, line.moment, line.stan): line for line in detail}
    faults = []
    if len(mine) != len(own) or len(theirs) != len(detail):
        faults.append(f"{bank}: a line stands twice")
    faults += [f"{bank}: the switch has no line {' '.join(key)}" for key in mine.keys() - theirs.keys()]
    faults += [f"{bank}: only the switch has {' '.join(key)}" for key in theirs.keys() - mine.keys()]
    for key in mine.keys() & theirs.keys():
        ours, other = mine[key]._replace(line=0), theirs[key]._replace(line=0)
        if ours._replace(receipt=ours.receipt or other.receipt) != other:
            faults.append(f"{bank}: {' '.join(key)}: own {ours}, the switch's {other}")
    if totals_of(own) != totals_of(detail):
        faults.append(f"{bank}: own totals {totals_of(own)}, the switch's {totals_of(detail)}")
    return _shown(faults)


def receipts_have_no_gap(bank: str, detail: Lines) -> list[str]:
    """Serials of a date count from 1 (wire.md section 4)."""
    serials = sorted(int(line.receipt[10:19]) for line in detail if line.kind == "P" and not line.original_stan)
    if serials != list(range(1, len(serials) + 1)):
        return [f"{bank}: {len(serials)} receipts, serials {serials[:1]} to {serials[-1:]}: a gap or a double"]
    return []


def no_bill_twice(details: Iterable[Lines], suspense: Iterable[str]) -> list[str]:
    """Over all banks a bill is paid once at most, but for what went to suspense (receipts)."""
    aside = set(suspense)
    live: Counter[str] = Counter()
    for lines in details:
        for line in lines:
            if line.receipt not in aside:
                live[line.bill] += 1 if line.kind == "P" else -1
    return _shown([f"bill {bill} is paid {count} times" for bill, count in live.items() if count not in (0, 1)])


def classes_agree(bank: str, found: Mapping[str, int], detail: Lines, planted: Sequence[Planted]) -> list[str]:
    """The classes of `reconcile run --json`: as many of each as were planted, and every other item MATCHED."""
    wanted = Counter(item.item_class for item in planted)
    payments = sum(line.kind == "P" and not line.original_stan for line in detail)
    wanted["MATCHED"] = payments - sum(wanted[name] for name in ("LEDGER_ONLY", "AMOUNT_DIFFERS", "STATE_DIFFERS"))
    return [
        f"{bank}: {found.get(name)} {name}, planted or expected {wanted[name]}"
        for name in CLASSES
        if found.get(name) != wanted[name]
    ]


def exceptions_agree(
    found: Iterable[Mapping[str, Any]],
    planted: Mapping[str, Sequence[Planted]],
    suspense: Iterable[tuple[str, str, int]],
) -> list[str]:
    """`reconcile exceptions --json` lists all that was planted and nothing else; (bank, bill, fen) in suspense too."""
    wanted = Counter(
        (bank, item.item_class, item.bill, item.amount)
        for bank, items in planted.items()
        for item in items
        if item.item_class in LISTED
    )
    wanted.update((bank, "SUSPENSE", bill, amount) for bank, bill, amount in suspense)
    listed = Counter((item["bank"], item["class"], item["bill"], item["amount"]) for item in found)
    faults = [f"planted and not found: {_sentence(key)}" for key in (wanted - listed)]
    faults += [f"found and not planted: {_sentence(key)}" for key in (listed - wanted)]
    return _shown(faults)


def balances_agree(balances: Mapping[str, int], nets: Mapping[str, int]) -> list[str]:
    """Each bank's clearing is its own net to the fen, and both sides of the trial balance are equal."""
    faults = [
        f"clearing:{bank} is {balances.get(f'clearing:{bank}', 0)} fen, the bank's own books say {net}"
        for bank, net in nets.items()
        if balances.get(f"clearing:{bank}", 0) != net
    ]
    debit = sum(fen for account, fen in balances.items() if account.split(":")[0] in DEBIT_ACCOUNTS)
    credit = sum(balances.values()) - debit
    if debit != credit:
        faults.append(f"debit balances are {debit} fen, credit balances {credit}")
    return faults


def _sentence(key: tuple[str, str, str, int]) -> str:
    bank, item_class, bill, amount = key
    return f"{bank} {item_class} bill {bill}, {amount / 100:.2f} yuan"


def _shown(faults: list[str]) -> list[str]:
    more = len(faults) - FAULTS_SHOWN
    return faults if more <= 0 else [*faults[:FAULTS_SHOWN], f"and {more} more of this kind"]
