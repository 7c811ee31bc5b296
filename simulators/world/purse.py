"""Money due and received as the judge adds it up, and what two people may do with funds (settlement.md section 6).

Bank files that were accepted, shares of dates, references, the special account: once more, without the desk's rules or
queries. Exceptions are `decided`'s.
"""

from __future__ import annotations

from collections import Counter
from datetime import date as Date
from datetime import datetime
from typing import Final, NamedTuple

from shebao.codecs.statement import StatementLine

from .cases import Asked, Cases
from .model import Model

MOVING: Final = ("receive", "payback", "refund-paid", "sweep")  # what has a reference of its own, and can be cancelled


class File(NamedTuple):
    """A bank's file that was accepted."""

    digest: str
    lines: list[StatementLine]

    @property
    def net(self) -> int:
        return sum(line.amount * (1 if line.kind == "P" else -1) for line in self.lines)


class Purse:
    """Of one world."""

    def __init__(self, model: Model, cases: Cases) -> None:
        self._model, self._cases = model, cases
        self.files: dict[tuple[str, Date], File] = {}
        self.replacing: dict[tuple[str, Date], str] = {}  # digest of the file that the next run has to take
        self.corrected: Counter[tuple[str, Date, int]] = Counter()  # by bank, date and exception
        self.received: Counter[tuple[str, Date]] = Counter()
        self.asked: dict[tuple[str, int], Asked] = {}
        self.booked: list[Asked] = []  # funds, in order
        self.shared: dict[tuple[str, int], dict[Date, int]] = {}  # what each of them changed of the money received
        self.refund: Counter[str] = Counter()
        self.treasury: Counter[str] = Counter()

    # -- dates -----------------------------------------------------------------------------------------------

    def is_agreed(self, bank: str, day: Date) -> bool:
        """RECONCILED or SETTLED: the bank's file is accepted, and nothing of the date is undecided."""
        known = (bank, day) in self.files and (bank, day) not in self.replacing
        return known and not self._cases.undecided(bank, day)

    def state(self, bank: str, day: Date) -> str:
        """Of a closed date."""
        if not self.is_agreed(bank, day):
            return "CLOSED"
        return "SETTLED" if self.due(bank, day) == self.received[bank, day] else "RECONCILED"

    def net(self, bank: str, day: Date) -> int:
        """Of the date's detail file."""
        sums = self._model.sums.get((bank, day), [0, 0, 0, 0])
        return sums[1] - sums[3]

    def due(self, bank: str, day: Date) -> int:
        moved = sum(
            case.moved * ((case.date == day) - (case.ledger_date == day)) for case in self._cases.of(bank) if case.moved
        )
        mine = sum(fen for (of_bank, date, _), fen in self.corrected.items() if (of_bank, date) == (bank, day))
        return self.net(bank, day) + moved + mine

    def between(self, bank: str, day: Date) -> int:
        """The differences of a date that are open or were left unbooked: what the bank's net has beyond the due."""
        gaps = sum(
            case.gap * (case.date == day) + case.answer * (case.answer_date == day) for case in self._cases.of(bank)
        )
        return gaps - sum(fen for (of_bank, date, _), fen in self.corrected.items() if (of_bank, date) == (bank, day))

    # -- may it be done --------------------------------------------------------------------------------------

    def known_as(self, asked: Asked) -> tuple[int, str]:
        """The number that the same funds have already; or why what has this reference is something else."""
        if asked.action == "cancel" or asked.case:
            return 0, ""
        if asked.action == "refund":
            mine = [one for one in self._funds(asked.bank) if (one.action, one.bill) == ("refund", asked.bill)]
            mine = [one for one in mine if one.state == "WAITING"]
        else:
            mine = [one for one in self._funds(asked.bank) if one.reference == asked.reference]
            mine = [one for one in mine if one.action not in ("cancel", "refund")]
            if asked.action == "replace":  # a file may come back
                mine = [one for one in mine if one.state == "WAITING"]
            mine = [one for one in mine if one.state == "WAITING" or (one.state == "APPROVED" and not one.cancelled)]
        if not mine:
            return 0, ""
        last = mine[-1]
        if last.content == asked.content:
            return last.number, ""
        return 0, "the reference stands for something else"

    def _funds(self, bank: str) -> list[Asked]:
        return [one for (of_bank, _), one in sorted(self.asked.items()) if of_bank == bank and not one.case]

    def about(self, asked: Asked) -> object:
        """The receipt or payment that it would dispose of."""
        if asked.action == "cancel":
            return self._in_force(asked.bank, asked.reference)
        return self._model.paid_by.get(asked.bill) if asked.action == "refund" else None

    def foresee(self, asked: Asked, is_new: bool = True) -> str:
        """Why it must be refused; is_new: it is being proposed, not approved."""
        wrong = self._wrong(asked)
        if not wrong and not is_new and asked.about is not self.about(asked):
            return "it is about something else since"
        return wrong

    def _wrong(self, asked: Asked) -> str:
        if asked.action in ("receive", "payback"):
            for day in asked.dates:
                if day not in self._model.dates[asked.bank] or day == self._model.open[asked.bank]:
                    return f"{day} is not closed"
        if asked.action in ("payback", "sweep") and asked.amount > self._model.special[asked.bank]:
            return "the special account holds less"
        if asked.action in MOVING and self._in_force(asked.bank, asked.reference) is not None:
            return "the reference is booked"
        if asked.action == "cancel":
            return "" if self._in_force(asked.bank, asked.reference) is not None else "nothing to cancel"
        if asked.action == "refund":
            if self._model.status.get(asked.bill) != "PAID":
                return "not PAID"
            return "" if self._model.paid_by[asked.bill].bank == asked.bank else "paid at another bank"
        if asked.action == "refund-paid":
            return self._no_refund_paid(asked)
        if asked.action == "replace":
            return "" if (asked.bank, asked.dates[0]) in self.files else "no file is accepted"
        return ""

    def _no_refund_paid(self, asked: Asked) -> str:
        mine = [one for one in self.booked if (one.bank, one.bill) == (asked.bank, asked.bill)]
        refunds = [at for at, one in enumerate(mine) if one.action == "refund"]
        if not refunds:
            return "no refund is decided"
        paid = [one for one in mine[refunds[-1] :] if one.action == "refund-paid" and not one.cancelled]
        return "it is paid already" if paid else ""

    def _in_force(self, bank: str, reference: str) -> Asked | None:
        found = [one for one in self.booked if (one.bank, one.reference) == (bank, reference)]
        standing = [one for one in found if one.action in MOVING and not one.cancelled]
        return standing[-1] if standing else None

    # -- what it does ----------------------------------------------------------------------------------------

    def book(self, asked: Asked, now: datetime) -> None:
        model, bank, amount = self._model, asked.bank, asked.amount
        shares: dict[Date, int] = {}
        if asked.action == "receive":
            shares = self._share_out(asked)
            self._transfer(bank, amount)
        elif asked.action == "payback":
            shares = {asked.dates[0]: -amount}
            self._transfer(bank, -amount)
        elif asked.action == "refund":
            taken = model.paid_by[asked.bill]
            taken.live, taken.refunded = False, True
            model.status[asked.bill] = "REFUNDED"
            self.refund[bank] += taken.amount
        elif asked.action == "refund-paid":
            self._pay_out(bank, model.bills[asked.bill].amount)
        elif asked.action == "sweep":
            self._sweep(asked, +1)
        elif asked.action == "replace":
            self.replacing[bank, asked.dates[0]] = asked.reference
        elif asked.action == "cancel":
            shares = self._cancel(asked)
        for day, fen in shares.items():
            self.received[bank, day] += fen
        self.shared[bank, asked.number] = shares
        self.booked.append(asked)
        model.ways["receive in parts" if asked.action == "receive" and len(asked.dates) > 1 else asked.action] += 1

    def _share_out(self, asked: Asked) -> dict[Date, int]:
        """Oldest date first, each up to its due, the rest on the last."""
        days, left, shares = sorted(asked.dates), asked.amount, {}
        for day in days[:-1]:
            shares[day] = min(left, self.due(asked.bank, day) - self.received[asked.bank, day])
            left -= shares[day]
        shares[days[-1]] = left
        return shares

    def _transfer(self, bank: str, fen: int) -> None:
        """The bank moves money to the special account."""
        self._model.special[bank] += fen
        self._model.clearing[bank] -= fen

    def _pay_out(self, bank: str, fen: int) -> None:
        self.refund[bank] -= fen
        self._model.special[bank] -= fen

    def _sweep(self, asked: Asked, sign: int) -> None:
        self._model.special[asked.bank] -= sign * asked.amount
        for kind, fen in asked.parts:
            self.treasury[kind] += sign * fen

    def _cancel(self, asked: Asked) -> dict[Date, int]:
        first = self._in_force(asked.bank, asked.reference)
        assert first is not None
        first.cancelled = True
        if first.action == "receive":
            self._transfer(first.bank, -first.amount)
        elif first.action == "payback":
            self._transfer(first.bank, first.amount)
        elif first.action == "refund-paid":
            self._pay_out(first.bank, -self._model.bills[first.bill].amount)
        else:
            self._sweep(first, -1)
        return {day: -fen for day, fen in self.shared[first.bank, first.number].items()}
