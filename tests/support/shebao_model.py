"""An independent model of wire.md section 6, as a bank would write it down: it shares no code with the rules.

It follows one message at a time and says which code must come back, whether the answer must be the very
bytes of an earlier one, and what the bills, the balances and the day's totals are afterwards. It knows nothing of
batches, seals or tables. What it does not model: format errors, sign-on, MACs, deadlines, ages.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PAY, VOID = "500000", "200000"
CLASS = {
    "0200": "pay",
    "0201": "pay",
    "0220": "advice",
    "0221": "advice",
    "0400": "reversal",
    "0401": "reversal",
    "0420": "reversal",
    "0421": "reversal",
}


@dataclass(frozen=True)
class Ask:
    """A message as the bank means it. `key` is (DE7, DE11); `original` is (MTI, DE7, DE11, DE32) of DE90."""

    bank: str
    mti: str
    proc: str
    key: tuple[str, str]
    amount: int
    bill: str = ""
    original: tuple[str, str, str, str] | None = None

    @property
    def content(self) -> tuple[object, ...]:
        return (self.proc, self.amount, self.bill, self.original)


@dataclass
class Taken:
    """Money that a bank told us it took."""

    bank: str
    key: tuple[str, str]
    advised: bool
    bill: str
    amount: int
    date: int
    serial: int
    live: bool = True
    suspense: bool = False


@dataclass
class Voided:
    bank: str
    key: tuple[str, str]
    taken: Taken | None  # None: nothing was moved by it
    undone: bool = False


@dataclass
class Declined:
    bill: object


@dataclass
class Expected:
    code: str
    repeat_of: int | None = None  # index of the answer whose bytes must come again
    serial: int | None = None  # of the receipt that the answer carries


@dataclass
class Model:
    institution: dict[str, str]  # bank -> DE32
    date: dict[str, int]  # bank -> open settlement date, counted in days
    amounts: dict[str, int]  # bill -> fen
    status: dict[str, str]  # bill -> OUTSTANDING PAID WITHDRAWN EXPIRED
    answers: dict[tuple[str, str, tuple[str, str]], tuple[tuple[object, ...], str, int, int | None]] = field(
        default_factory=dict
    )
    taken: list[Taken] = field(default_factory=list)
    voids: list[Voided] = field(default_factory=list)
    before: set[tuple[str, str, tuple[str, str]]] = field(default_factory=set)
    serials: dict[tuple[str, int], int] = field(default_factory=dict)
    clearing: dict[str, int] = field(default_factory=dict)
    in_suspense: dict[str, int] = field(default_factory=dict)
    totals: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    asked: int = 0

    # -- asking ------------------------------------------------------------------------------------------

    def ask(self, ask: Ask) -> Expected:
        index, self.asked = self.asked, self.asked + 1
        slot = (ask.bank, CLASS[ask.mti], ask.key)
        if slot in self.answers:
            content, code, first, serial = self.answers[slot]
            return Expected(code, first, serial) if content == ask.content else Expected("94")
        rule = {"pay": self._void if ask.proc == VOID else self._pay, "advice": self._advice, "reversal": self._reverse}
        code, serial = rule[CLASS[ask.mti]](ask)
        self.answers[slot] = (ask.content, code, index, serial)
        return Expected(code, None, serial)

    def cut_over(self, bank: str) -> None:
        self.date[bank] += 1

    # -- the rules ---------------------------------------------------------------------------------------

    def _pay(self, ask: Ask) -> tuple[str, int | None]:
        if (ask.bank, PAY, ask.key) in self.before:
            return "R1", None
        for known in self._of(ask):
            if known.advised and known.bill == ask.bill:
                return ("00", known.serial) if known.live else ("R1", None)
        if ask.bill not in self.amounts:
            return "25", None
        status = self.status[ask.bill]
        if status == "PAID":
            return "B1", None
        if status != "OUTSTANDING":
            return "B2", None
        if ask.amount != self.amounts[ask.bill]:
            return "13", None
        return "00", self._take(ask, suspense=False).serial

    def _advice(self, ask: Ask) -> tuple[str, int | None]:
        if (ask.bank, PAY, ask.key) in self.before:
            return "R1", None
        paid = [t for t in self._of(ask) if not t.advised and t.bill == ask.bill]
        if any(t.live for t in paid):
            return "00", paid[0].serial
        told = self.answers.get((ask.bank, "pay", ask.key))
        spoilt = (
            told is not None and told[0][0] == PAY and told[0][2] == ask.bill
        )  # its payment was declined or reversed
        good = not spoilt and self.status.get(ask.bill) == "OUTSTANDING" and self.amounts[ask.bill] == ask.amount
        return "00", self._take(ask, suspense=not good).serial

    def _void(self, ask: Ask) -> tuple[str, int | None]:
        if (ask.bank, VOID, ask.key) in self.before:
            return "R1", None
        assert ask.original is not None
        found = self._original(ask)
        if isinstance(found, Declined) and found.bill == ask.bill:
            return "00", None
        if not isinstance(found, Taken) or found.bill != ask.bill:
            return "25", None
        if found.date != self.date[ask.bank]:
            return "R2", None
        if not found.live:
            self.voids.append(Voided(ask.bank, ask.key, None))
            return "00", found.serial
        if found.amount != ask.amount:
            return "13", None
        self._give_back(found)
        self.voids.append(Voided(ask.bank, ask.key, found))
        return "00", found.serial

    def _reverse(self, ask: Ask) -> tuple[str, int | None]:
        assert ask.original is not None
        _, moment, stan, institution = ask.original
        if institution != self.institution[ask.bank]:
            return "25", None
        found = self._original(ask)
        if found == "other kind":
            return "25", None
        if isinstance(found, Declined):
            return "00", None
        if found is None:
            self.before.add((ask.bank, ask.proc, (moment, stan)))
            return "25", None
        if isinstance(found, Voided):
            return self._reverse_void(ask, found)
        assert isinstance(found, Taken)
        if found.live:
            if found.amount != ask.amount:
                return "13", None
            self._give_back(found)
        return "00", None

    def _reverse_void(self, ask: Ask, void: Voided) -> tuple[str, int | None]:
        if void.undone or void.taken is None:
            return "00", None
        taken = void.taken
        if taken.amount != ask.amount:
            return "13", None
        void.undone = True
        taken.live = True
        taken.suspense = taken.suspense or self.status[taken.bill] != "OUTSTANDING"
        self._book(taken, +1)
        return "00", None

    # -- what the rules share ----------------------------------------------------------------------------

    def _of(self, ask: Ask) -> list[Taken]:
        return [t for t in self.taken if t.bank == ask.bank and t.key == ask.key]

    def _original(self, ask: Ask) -> Taken | Voided | Declined | str | None:
        """The original of a reversal or void: money taken, a void, a request declined, "other kind", or None."""
        assert ask.original is not None
        mti, moment, stan, institution = ask.original
        if institution != self.institution[ask.bank]:
            return None
        wanted = VOID if CLASS[ask.mti] == "reversal" and ask.proc == VOID else PAY
        key = (moment, stan)
        first = CLASS.get(mti, "")
        seen: Declined | str | None = None
        for kind in (first, "advice" if first == "pay" else "pay"):
            told = self.answers.get((ask.bank, kind, key))
            if told is None:
                continue
            if told[0][0] != wanted:
                seen = seen or "other kind"
                continue
            if told[1] != "00":
                seen = seen if isinstance(seen, Declined) else Declined(told[0][2])
                continue
            if wanted == VOID:
                done = [v for v in self.voids if (v.bank, v.key) == (ask.bank, key)]
                return done[0] if done else Voided(ask.bank, key, None)
            bill = told[0][2]
            mine = [t for t in self.taken if (t.bank, t.key, t.bill) == (ask.bank, key, bill)]
            mine.sort(key=lambda t: t.advised != (kind == "advice"))
            return mine[0]
        return seen

    def _take(self, ask: Ask, suspense: bool) -> Taken:
        day = (ask.bank, self.date[ask.bank])
        self.serials[day] = self.serials.get(day, 0) + 1
        taken = Taken(
            ask.bank,
            ask.key,
            CLASS[ask.mti] == "advice",
            ask.bill,
            ask.amount,
            day[1],
            self.serials[day],
            True,
            suspense,
        )
        self.taken.append(taken)
        self._book(taken, +1)
        return taken

    def _give_back(self, taken: Taken) -> None:
        taken.live = False
        self._book(taken, -1)

    def _book(self, taken: Taken, sign: int) -> None:
        self.clearing[taken.bank] = self.clearing.get(taken.bank, 0) + sign * taken.amount
        if taken.suspense:
            self.in_suspense[taken.bank] = self.in_suspense.get(taken.bank, 0) + sign * taken.amount
        else:
            self.status[taken.bill] = "PAID" if sign > 0 else "OUTSTANDING"
        totals = self.totals.setdefault((taken.bank, self.date[taken.bank]), [0, 0, 0, 0])
        at = 0 if sign > 0 else 2
        totals[at] += 1
        totals[at + 1] += taken.amount
