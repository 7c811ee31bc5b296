"""The soak's judge finds what it is there for: a payment that is gone, one told twice, totals that differ."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred, succeed
from twisted.internet.task import Clock

from shebao.simulators.books import Books
from shebao.simulators.judge import Judge
from shebao.simulators.memory import Memory
from shebao.simulators.messages import Key, Order

DAY = 20261125


class Bank:
    """A driver and its bank, whose switch answers what the test says."""

    def __init__(self, again: str = "00", totals: str = "00") -> None:
        self._again, self._totals = again, totals
        self.bank = SimpleNamespace(books=Books(), who=SimpleNamespace(bank="rcb"), problems=[])

    def again(self, sent: Any) -> Any:
        return succeed((SimpleNamespace(code=self._again), None))

    def totals(self, date: int) -> Any:
        return succeed((SimpleNamespace(code=self._totals), None))

    def flush(self) -> None:
        pass


def judged(bank: Bank, bills: list[str], receipts: list[str]) -> Judge:
    memory = Memory()
    for n, (bill, receipt) in enumerate(zip(bills, receipts, strict=True)):
        bank.bank.books.payment(Order(bill, 48000, DAY * 10**6), Key(DAY * 10**6, f"{n:06d}"), DAY, receipt)
        memory.acknowledge(SimpleNamespace())  # type: ignore[arg-type]
    town = SimpleNamespace(
        drivers={"rcb": bank}, memories={"rcb": memory}, dice=random.Random(1), reactor=Clock(), said=[]
    )
    judge = Judge(town)  # type: ignore[arg-type]
    done: list[None] = []
    ensureDeferred(judge.after_a_fault()).addCallback(done.append)
    assert done == [None]
    return judge


def test_all_is_well() -> None:
    judge = judged(Bank(), ["a", "b"], ["1", "2"])
    assert (judge.lost, judge.doubled, judge.asked_again, judge.problems()) == (0, 0, 2, [])


@pytest.mark.parametrize(
    ("bank", "bills", "receipts", "lost", "doubled"),
    [
        (Bank(again="25"), ["a", "b"], ["1", "2"], 2, 0),
        (Bank(totals="95"), ["a", "b"], ["1", "2"], 1, 0),
        (Bank(), ["a", "a"], ["1", "2"], 0, 1),
        (Bank(), ["a", "b"], ["1", "1"], 0, 1),
    ],
    ids=["gone", "totals differ", "a bill twice", "a receipt twice"],
)
def test_what_is_wrong_is_found(bank: Bank, bills: list[str], receipts: list[str], lost: int, doubled: int) -> None:
    judge = judged(bank, bills, receipts)
    assert (judge.lost, judge.doubled) == (lost, doubled)
