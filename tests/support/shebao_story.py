"""Random stories between banks and the switch, told to a driver and to the independent model at once.

The story knows what a bank may do (pay, repeat, reverse before and after, void, advise, race another bank, cut
over) and the machine compares codes, receipts and bytes after each step, bills and balances at the end. A driver
is anything that can ask: the rules in memory, or a live daemon over TCP.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from shebao_harness import BANKS, bill_number, moment
from shebao_model import CLASS, PAY, VOID, Ask, Expected, Model

BILLS = 6
CUTOVERS_MAX = 1  # a bank may cut over to tomorrow and no further


class Answer(NamedTuple):
    code: str
    body: bytes  # without MTI and MAC
    serial: int | None  # of the receipt in RN


class Driver(Protocol):
    """`base` numbers the story, so that stories told to one switch do not share bills, DE7 or STAN."""

    def begin(self, bills: dict[str, int]) -> dict[str, dict[str, int]]:
        """Imports the bills; returns {"date": open date by bank, "serial": receipts given, "clearing": fen, ...}."""

    def ask(self, asks: Sequence[Ask]) -> list[Answer]:
        """Puts all on the wire before the first answer is read."""

    def cut_over(self, bank: str) -> str: ...
    def restart(self, bluntly: bool) -> None: ...
    def withdraw(self, bill: str) -> int: ...
    def finish(self) -> dict[str, dict[str, int]]: ...
    def statuses(self, bills: Sequence[str]) -> dict[str, str]: ...


class Story(RuleBasedStateMachine):
    driver: Driver  # set by a subclass
    stories = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        base = next(Story.stories)
        self.when = moment()
        self.stan = itertools.count(base * 1000 % 900_000 + 1)
        self.bills = [bill_number(base * 100 + n) for n in range(BILLS)]
        amounts = {bill: 10_000 + 100 * n for n, bill in enumerate(self.bills)}
        self.start = self.driver.begin(amounts)
        self.cutovers = dict.fromkeys(BANKS, 0)
        self.model = Model(
            institution={bank: number[1] for bank, number in BANKS.items()},
            date=dict(self.start["date"]),
            amounts=amounts,
            status=dict.fromkeys(self.bills, "OUTSTANDING"),
        )
        for bank, serial in self.start["serial"].items():
            self.model.serials[bank, self.model.date[bank]] = serial
        self.answers: list[Answer] = []
        self.told: list[Ask] = []
        self.unsent: list[Ask] = []  # reversed before they were sent

    # -- telling -----------------------------------------------------------------------------------------

    def tell(self, *asks: Ask) -> None:
        """Asks all at once; some order of them must explain every answer."""
        got = self.driver.ask(asks)
        reasons = []
        for order in itertools.permutations(range(len(asks))):
            model = copy.deepcopy(self.model)
            expected: dict[int, Expected] = {}
            for index in order:
                expected[index] = model.ask(asks[index])
            wrong = [self._differs(model, asks[i], got[i], expected[i], got, order) for i in range(len(asks))]
            if not any(wrong):
                self.model = model
                for index in order:
                    self.answers.append(got[index])
                    self.told.append(asks[index])
                return
            reasons.append(next(filter(None, wrong)))
        raise AssertionError("\n".join(str(r) for r in reasons))

    def _differs(
        self, model: Model, ask: Ask, got: Answer, want: Expected, all_got: Sequence[Answer], order: Sequence[int]
    ) -> str:
        if got.code != want.code:
            return f"{ask}: {got.code}, by the model {want.code}"
        if want.serial is not None and got.serial != want.serial and not ask.mti.startswith("04"):
            return f"{ask}: receipt {got.serial}, by the model {want.serial}"
        if want.repeat_of is not None:
            done = len(self.answers)
            first = self.answers[want.repeat_of] if want.repeat_of < done else all_got[order[want.repeat_of - done]]
            if got.body != first.body:
                return f"{ask}: {got.body!r} differs from the first answer {first.body!r}"
        return ""

    def key(self) -> tuple[str, str]:
        return self.when, f"{next(self.stan):06d}"

    def pay_ask(self, bank: str, n: int, mti: str = "0200", off: int = 0) -> Ask:
        bill = self.bills[n]
        return Ask(bank, mti, PAY, self.key(), self.model.amounts[bill] + off, bill)

    def undo_ask(self, ask: Ask, mti: str, proc: str | None = None, off: int = 0) -> Ask:
        original = (ask.mti, *ask.key, BANKS[ask.bank][1])
        return Ask(ask.bank, mti, proc or ask.proc, self.key(), ask.amount + off, "", original)

    # -- what happens ------------------------------------------------------------------------------------

    banks = st.sampled_from(sorted(BANKS))
    numbers = st.integers(0, BILLS - 1)
    picks = st.integers(0, 10_000)

    @rule(bank=banks, n=numbers, off=st.sampled_from([0, 0, 0, 1, -100]), mti=st.sampled_from(["0200", "0201"]))
    def pay(self, bank: str, n: int, off: int, mti: str) -> None:
        self.tell(self.pay_ask(bank, n, mti, off))

    @rule(bank=banks, n=numbers, off=st.sampled_from([0, 0, 7]), mti=st.sampled_from(["0220", "0221"]))
    def advise(self, bank: str, n: int, off: int, mti: str) -> None:
        self.tell(self.pay_ask(bank, n, mti, off))

    @rule(
        first=banks,
        second=banks,
        n=numbers,
        mtis=st.sampled_from([("0200", "0200"), ("0200", "0220"), ("0220", "0220")]),
    )
    def race(self, first: str, second: str, n: int, mtis: tuple[str, str]) -> None:
        self.tell(self.pay_ask(first, n, mtis[0]), self.pay_ask(second, n, mtis[1]))

    @rule(pick=picks)
    @precondition(lambda self: self.told)
    def repeat(self, pick: int) -> None:
        ask = self.told[pick % len(self.told)]
        flipped = ask.mti[:3] + str(int(ask.mti[3]) ^ (pick & 1))
        self.tell(Ask(ask.bank, flipped, *list(vars(ask).values())[2:]))

    @rule(pick=picks)
    @precondition(lambda self: self.told)
    def alter(self, pick: int) -> None:
        ask = self.told[pick % len(self.told)]
        self.tell(Ask(ask.bank, ask.mti, ask.proc, ask.key, ask.amount + 1, ask.bill, ask.original))

    @rule(pick=picks, mti=st.sampled_from(["0400", "0401", "0420", "0421"]), off=st.sampled_from([0, 0, 0, 5]))
    @precondition(lambda self: self.undoable())
    def reverse(self, pick: int, mti: str, off: int) -> None:
        asks = self.undoable()
        self.tell(self.undo_ask(asks[pick % len(asks)], mti, off=off))

    @rule(pick=picks)
    @precondition(lambda self: self.undoable())
    def reverse_as_if_of_another_kind(self, pick: int) -> None:
        asks = self.undoable()
        ask = asks[pick % len(asks)]
        self.tell(self.undo_ask(ask, "0420", proc=VOID if ask.proc == PAY else PAY))

    @rule(pick=picks)
    @precondition(lambda self: self.undoable())
    def reverse_twice_at_once(self, pick: int) -> None:
        asks = self.undoable()
        ask = asks[pick % len(asks)]
        self.tell(self.undo_ask(ask, "0400"), self.undo_ask(ask, "0420"))

    @rule(pick=picks)
    @precondition(lambda self: any(a.proc == PAY and CLASS[a.mti] != "reversal" for a in self.told))
    def void(self, pick: int) -> None:
        asks = [a for a in self.told if a.proc == PAY and CLASS[a.mti] != "reversal"]
        ask = asks[pick % len(asks)]
        original = (ask.mti, *ask.key, BANKS[ask.bank][1])
        self.tell(Ask(ask.bank, "0200", VOID, self.key(), ask.amount, ask.bill, original))

    @rule(bank=banks, n=numbers, mti=st.sampled_from(["0200", "0220"]))
    def reverse_what_was_not_sent(self, bank: str, n: int, mti: str) -> None:
        ask = self.pay_ask(bank, n, mti)
        self.unsent.append(ask)
        self.tell(self.undo_ask(ask, "0420"))

    @rule()
    @precondition(lambda self: self.unsent)
    def send_it_after_all(self) -> None:
        self.tell(self.unsent.pop())

    @rule(bank=banks, n=numbers)
    def pay_and_reverse_at_once(self, bank: str, n: int) -> None:
        ask = self.pay_ask(bank, n)
        self.tell(ask, self.undo_ask(ask, "0400"))

    @rule(pick=picks)
    @precondition(lambda self: self.crossable())
    def tell_it_the_other_way(self, pick: int) -> None:
        """A payment told again as an advice, or an advice's delayed payment: same DE7, DE11 and bill."""
        asks = self.crossable()
        ask = asks[pick % len(asks)]
        self.tell(Ask(ask.bank, "0220" if CLASS[ask.mti] == "pay" else "0200", PAY, ask.key, ask.amount, ask.bill))

    @rule(n=numbers)
    def withdraw(self, n: int) -> None:
        bill = self.bills[n]
        free = self.model.status[bill] == "OUTSTANDING"
        assert (self.driver.withdraw(bill) == 0) == free
        if free:
            self.model.status[bill] = "WITHDRAWN"

    @rule(bank=banks)
    @precondition(lambda self: not all(self.cutovers.values()))
    def cut_over(self, bank: str) -> None:
        code = self.driver.cut_over(bank)
        if code == "00":
            self.cutovers[bank] += 1
            self.model.cut_over(bank)
        else:
            assert code == "30"  # not beyond tomorrow

    @rule(bluntly=st.booleans())
    def restart(self, bluntly: bool) -> None:
        self.driver.restart(bluntly)

    def undoable(self) -> list[Ask]:
        return [a for a in self.told if CLASS[a.mti] != "reversal"]

    def crossable(self) -> list[Ask]:
        return [a for a in self.told if a.proc == PAY and CLASS[a.mti] != "reversal"]

    def teardown(self) -> None:
        end = self.driver.finish()
        for bank in BANKS:
            for account, mine in (("clearing", self.model.clearing), ("suspense", self.model.in_suspense)):
                moved = end[account].get(bank, 0) - self.start[account].get(bank, 0)
                assert moved == mine.get(bank, 0), (account, bank)
            for (owner, date), totals in self.model.totals.items():
                if owner == bank:
                    before = self.start["totals"].get((bank, date), [0, 0, 0, 0])  # type: ignore[call-overload]
                    after = end["totals"][bank, date]  # type: ignore[index]
                    assert [a - b for a, b in zip(after, before, strict=True)] == totals, (bank, date)
        assert self.driver.statuses(self.bills) == self.model.status
