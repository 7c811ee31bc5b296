"""What the contract says must happen, told once more: an independent model of wire.md sections 5 and 6.

It shares no code with the rules, the tables or the codecs: dates are `datetime`s, money is a ledger of what banks took
and gave back, and it follows one message after the other as the bank sent it. It is told two facts that only the
switch's side knows: when a message was read and when its batch was committed. What is answered by a line alone (MAC,
sign-on, format) is not here but in `lines`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date as Date
from datetime import datetime, timedelta
from typing import Final

from .almanac import check_digit_ok, cst, due_date, mod_11_10, nearest, nearest_date
from .questions import inquire, totals
from .said import KEPT, KIND, PAY, VOID, DetailLine, Expected, Item, Said, Taken, Told, Voided
from .stage import Payer, PrintedBill

DAY: Final = timedelta(days=1)


class Model:
    def __init__(
        self, institutions: Mapping[str, str], open_dates: Mapping[str, Date], payers: list[Payer], deadline_s: int,
        names: Mapping[str, str],
    ) -> None:  # fmt: skip
        self.institutions, self.deadline = institutions, timedelta(seconds=deadline_s)
        self.open = dict(open_dates)
        self.dates = {bank: {day} for bank, day in open_dates.items()}
        self.payers, self.names = payers, names
        self.cards = {payer.card: payer for payer in payers}
        self.bills: dict[str, PrintedBill] = {}
        self.status: dict[str, str] = {}
        self.paid_by: dict[str, Taken] = {}
        self.told: dict[tuple[str, str, datetime, str], Told] = {}
        self.taken: list[Taken] = []
        self.voids: list[Voided] = []
        self.before: set[tuple[str, str, datetime, str]] = set()  # reversed before they came
        self.serials: Counter[tuple[str, Date]] = Counter()
        self.clearing: Counter[str] = Counter()
        self.in_suspense: Counter[str] = Counter()
        self.special: Counter[str] = Counter()
        self.items: list[Item] = []
        self.is_agreed: Callable[[str, Date], bool] = lambda bank, day: False  # the end of the day's model says
        self.sums: dict[tuple[str, Date], list[int]] = {}
        self.lines: dict[tuple[str, Date], list[DetailLine]] = {}
        self.ways: Counter[str] = Counter()
        self._transmission = -1

    def print_bills(self, bills: list[PrintedBill]) -> None:
        for bill in bills:
            self.bills[bill.number] = bill
            self.status[bill.number] = "OUTSTANDING"

    # -- a message ---------------------------------------------------------------------------------------

    def apply(self, said: Said, transmission: int, read_us: int, now_us: int) -> Expected:
        """The next message in the order of commits."""
        self._transmission = transmission
        read, now = cst(read_us), cst(now_us)
        moment = nearest(said.de7, read)
        assert moment is not None, "banks of this world know the calendar"
        kind = KIND[said.mti]
        if kind == "inquiry":
            found = self._aged(said, moment, now) or inquire(self, said, moment)
        elif kind == "totals":
            found = self._aged(said, moment, now) or totals(self, said)
        elif kind == "cutover":
            found = self._aged(said, moment, now) or self._cut_over_by_message(said, now)
        else:
            return self._keyed(kind, said, moment, transmission, read, now)
        found.first = transmission
        return found

    def _keyed(
        self, kind: str, said: Said, moment: datetime, transmission: int, read: datetime, now: datetime
    ) -> Expected:
        slot = said.bank, kind, moment, said.stan
        content = said.proc, said.amount, said.bill, said.de90
        if slot in self.told:
            if self.told[slot].content == content:
                self.ways["repeat"] += 1
                return self.told[slot].expected
            self.ways["94"] += 1
            return Expected("94", first=transmission)
        found = self._aged(said, moment, now)
        if found is None and kind == "pay" and now - read > self.deadline:
            self.ways["68"] += 1
            found = Expected("68")
        if found is None:
            key = moment, said.stan
            if kind == "advice":
                found = self._advise(said, key)
            elif kind == "reversal":
                found = self._reverse(said, key, now)
            else:
                found = self._void(said, key, now) if said.proc == VOID else self._pay(said, key)
        found.first = transmission
        if found.code in KEPT:
            found.slot = slot
            self.told[slot] = Told(content, found, said.proc, said.bill)
        return found

    def _aged(self, said: Said, moment: datetime, now: datetime) -> Expected | None:
        past = 7 * DAY if said.mti[1] == "4" or said.mti[2] == "2" else DAY
        if not -DAY <= now - moment <= past:
            self.ways["30 age"] += 1
            return Expected("30", 7)
        if said.de13:
            local = nearest(said.de13 + "000000", now)
            if local is not None and not -DAY <= datetime.combine(now.date(), local.time()) - local <= past:
                self.ways["30 DE13"] += 1
                return Expected("30", 13)
        return None

    def way(self, way: str, code: str, **more: object) -> Expected:
        self.ways[way] += 1
        return Expected(code, **more)  # type: ignore[arg-type]

    # -- money comes in ----------------------------------------------------------------------------------

    def _pay(self, said: Said, key: tuple[datetime, str]) -> Expected:
        if (said.bank, PAY, *key) in self.before:
            return self.way("pay R1 reversed before", "R1")
        told = [t for t in self._of(said.bank, key) if (t.advised or t.booked) and t.bill == said.bill]
        known = next((t for t in told if t.stands), None)
        if known is not None:
            way = "pay 00 told by booking" if known.booked else "pay 00 told by advice"
            return self.way(way, "00", date=known.date, receipt=known.receipt)
        if told:
            return self.way("pay R1 booking undone" if told[0].booked else "pay R1 advice undone", "R1")
        return self._pay_a_bill(said, key)

    def _pay_a_bill(self, said: Said, key: tuple[datetime, str]) -> Expected:
        if not check_digit_ok(said.bill):
            return self.way("pay 25 check digit", "25")
        bill = self.bills.get(said.bill)
        if bill is None:
            return self.way("pay 25 unknown", "25")
        status = self.status[said.bill]
        if status == "PAID":
            return self.way("pay B1", "B1", tags=self.where(said.bank, said.bill))
        if status in ("WITHDRAWN", "REFUNDED"):
            return self.way(f"pay B2 {status.lower()}", "B2")
        if key[0].date() > bill.last_day:
            return self.way("pay B2 expired", "B2")
        if bill.owner_only and not self._is_owner(said, bill):
            return self.way("pay B3", "B3")
        if said.amount != bill.amount:
            return self.way("pay 13", "13")
        if status == "EXPIRED":
            self.ways["pay in time, bill expired since"] += 1
        taken = self._take(said, key, suspense=False)
        tags = {"NM": (bill.payer.name,)}
        return self.way("pay 00", "00", date=taken.date, receipt=taken.receipt, tags=tags)

    def _is_owner(self, said: Said, bill: PrintedBill) -> bool:
        if said.person and said.person.upper() != bill.payer.id:
            return False
        return not said.card or self.cards.get(said.card) == bill.payer

    def where(self, bank: str, bill: str) -> dict[str, tuple[str, ...]]:
        """PB and PT of a paid bill; RN for the bank that took the money itself."""
        taken = self.paid_by[bill]
        tags: dict[str, tuple[str, ...]] = {"PB": (taken.bank,), "PT": (f"{taken.moment:%Y%m%d%H%M%S}",)}
        return {**tags, "RN": (self.receipt_text(taken.receipt),)} if taken.bank == bank else tags

    def _advise(self, said: Said, key: tuple[datetime, str]) -> Expected:
        if (said.bank, PAY, *key) in self.before:
            return self.way("advice R1 reversed before", "R1")
        paid = [t for t in self._of(said.bank, key) if not t.advised and t.bill == said.bill]
        known = next((t for t in paid if t.stands), None)
        if known is not None:
            way = "advice told again of a booking" if known.booked else "advice told again"
            return self.way(way, "00", date=known.date, receipt=known.receipt)
        told = self.told.get((said.bank, "pay", *key))
        spoilt = bool(paid) or (told is not None and told.proc == PAY and told.bill == said.bill)
        bill = self.bills.get(said.bill)
        good = bill is not None and check_digit_ok(said.bill) and self.payable(bill, key[0].date())
        if good and not spoilt and bill is not None and bill.amount == said.amount:
            taken = self._take(said, key, suspense=False)
            return self.way("advice onto bill", "00", date=taken.date, receipt=taken.receipt)
        taken = self._take(said, key, suspense=True)
        self._opens(taken)
        way = "advice after decline" if spoilt else "advice to suspense"
        return self.way(way, "00", date=taken.date, receipt=taken.receipt)

    def payable(self, bill: PrintedBill, day: Date) -> bool:
        return self.status[bill.number] in ("OUTSTANDING", "EXPIRED") and day <= bill.last_day

    def _take(self, said: Said, key: tuple[datetime, str], suspense: bool) -> Taken:
        day = self.open[said.bank]
        self.serials[said.bank, day] += 1
        advised = KIND[said.mti] == "advice"
        serial = self.serials[said.bank, day]
        bill, amount = said.bill, said.amount
        taken = Taken(said.bank, key, advised, bill, amount, day, serial, key[0], True, suspense, said.channel)
        self.taken.append(taken)
        self._book(taken, "P", key, None, +1)
        return taken

    # -- money goes back ---------------------------------------------------------------------------------

    def _void(self, said: Said, key: tuple[datetime, str], now: datetime) -> Expected:
        if (said.bank, VOID, *key) in self.before:
            return self.way("void R1 reversed before", "R1")
        if not check_digit_ok(said.bill):
            return self.way("void 25 check digit", "25")
        found = self._original(said, key, PAY)
        if isinstance(found, Told) and found.bill == said.bill:
            return self.way("void 00 of a decline", "00", date=self.open[said.bank])
        if not isinstance(found, Taken) or found.bill != said.bill:
            return self.way("void 25", "25")
        if found.booked:
            return self.way("void R2 of a booking", "R2")
        if found.date != self.open[said.bank]:
            return self.way("void R2", "R2")
        done = {"date": self.open[said.bank], "receipt": found.receipt}
        if not found.stands:
            self.voids.append(Voided(said.bank, key, None))
            return self.way("void 00 undone already", "00", **done)
        if found.amount != said.amount:
            return self.way("void 13", "13")
        if found.is_disposed_of:
            return self.way("void R2 of what is decided", "R2")
        self._give_back(found, "V", key, now)
        self.voids.append(Voided(said.bank, key, found, self.open[said.bank], said.amount))
        return self.way("void 00", "00", **done)

    def _reverse(self, said: Said, key: tuple[datetime, str], now: datetime) -> Expected:
        done = {"date": self.open[said.bank]}
        if said.de90[20:31].lstrip("0") != self.institutions[said.bank].lstrip("0"):
            return self.way("reversal 25 other bank", "25")
        found = self._original(said, key, said.proc)
        if found == "other kind":
            return self.way("reversal 25 other kind", "25")
        if found is None:
            if KIND.get(said.de90[:4]) not in ("pay", "advice"):
                return self.way("reversal 25 of no key", "25")
            self.before.add((said.bank, said.proc, *self._key_of(said, key)))
            return self.way("reversal 25 remembered", "25")
        if isinstance(found, Voided):
            return self._reverse_void(said, found, key, done)
        if isinstance(found, Told):
            return self.way("reversal 00 of a decline", "00", **done)
        assert isinstance(found, Taken)
        if not found.stands:
            return self.way("reversal 00 undone already", "00", **done)
        if found.amount != said.amount:
            return self.way("reversal 13", "13")
        if found.is_disposed_of:
            return self._too_late("reversal R2 of what is decided", said.bank, found)
        if self.is_agreed(found.bank, found.date):
            return self._too_late("reversal R2", said.bank, found)
        way = "reversal 00 of suspense" if found.suspense else "reversal 00"
        way = "reversal 00 of a booking" if found.booked else way
        self._give_back(found, "R", key, now)
        return self.way(way, "00", **done)

    def _reverse_void(
        self, said: Said, void: Voided, key: tuple[datetime, str], done: dict[str, Date]
    ) -> Expected:
        taken = void.taken
        if void.undone or taken is None:
            return self.way("unvoid 00 nothing to undo", "00", **done)
        if void.amount != said.amount:
            return self.way("unvoid 13", "13")
        if void.date is not None and self.is_agreed(void.bank, void.date):
            return self._too_late("unvoid R2", said.bank, taken, void)
        void.undone, taken.live, taken.undone_by = True, True, None
        way = "unvoid 00"
        bill = self.bills.get(taken.bill)
        if taken.suspense or bill is None or not self.payable(bill, taken.moment.date()):
            way, taken.suspense = "unvoid to suspense", True
            self._opens(taken)
        self._book(taken, "P", key, void.key, +1)
        return self.way(way, "00", **done)

    def _key_of(self, said: Said, key: tuple[datetime, str]) -> tuple[datetime, str]:
        """DE90's DE7, its year nearest to the reversal's own, and STAN."""
        moment = nearest(said.de90[10:20], key[0])
        assert moment is not None
        return moment, said.de90[4:10]

    def _original(self, said: Said, key: tuple[datetime, str], proc: str) -> Taken | Voided | Told | str | None:
        """Money taken, a void, a request that was declined, "other kind", or None."""
        if said.de90[20:31].lstrip("0") != self.institutions[said.bank].lstrip("0"):
            return None
        theirs = self._key_of(said, key)
        first = KIND.get(said.de90[:4], "")
        if first not in ("pay", "advice"):
            return None
        seen: Told | str | None = None
        for kind in ("pay", "booked", "advice") if first == "pay" else ("advice", "pay", "booked"):
            if kind == "booked":
                booked = [t for t in self._of(said.bank, theirs) if t.booked] if proc == PAY else []
                if booked:
                    return next((t for t in booked if t.stands), booked[0])
                continue
            told = self.told.get((said.bank, kind, *theirs))
            if told is None:
                continue
            if told.proc != proc:
                seen = seen or "other kind"
            elif told.expected.code != "00":
                seen = seen if isinstance(seen, Told) else told
            elif proc == VOID:
                done = [v for v in self.voids if (v.bank, v.key) == (said.bank, theirs)]
                return done[0] if done else Voided(said.bank, theirs, None)
            else:
                return next(t for t in self.taken if t.receipt == told.expected.receipt)
        return seen

    def _of(self, bank: str, key: tuple[datetime, str]) -> list[Taken]:
        return [taken for taken in self.taken if taken.bank == bank and taken.key == key]

    def _give_back(self, taken: Taken, kind: str, key: tuple[datetime, str], now: datetime) -> None:
        taken.live, taken.undone_by = False, kind
        self._book(taken, kind, key, taken.key, -1)
        if taken.suspense:
            assert taken.item is not None
            taken.item.state, taken.held = "CLOSED", "REVERSED"
        else:
            self.release(taken.pays, now)

    def release(self, number: str, now: datetime) -> None:
        """A bill without its payment."""
        self.status[number] = "OUTSTANDING"
        if now.date() > self.bills[number].last_day:
            self.ways["reversal leaves the bill expired"] += 1
            self.status[number] = "EXPIRED"

    def _book(
        self, taken: Taken, kind: str, key: tuple[datetime, str], original: tuple[datetime, str] | None, sign: int
    ) -> None:
        """Balances, the bill, the date's sums and the line of the date's file."""
        self.clearing[taken.bank] += sign * taken.amount
        if taken.suspense:
            self.in_suspense[taken.bank] += sign * taken.amount
        elif sign > 0:
            self.status[taken.pays], self.paid_by[taken.pays] = "PAID", taken
        day = taken.bank, self.open[taken.bank]
        sums = self.sums.setdefault(day, [0, 0, 0, 0])
        at = 0 if sign > 0 else 2
        sums[at] += 1
        sums[at + 1] += taken.amount
        rrn = f"{self._transmission:012d}"
        line = DetailLine(kind, *key, taken.bill, taken.amount, taken.receipt, rrn, taken.channel, original)
        self.lines.setdefault(day, []).append(line)

    def _opens(self, taken: Taken) -> None:
        self.opens(taken, self.open[taken.bank])

    def opens(self, taken: Taken, day: Date) -> None:
        """An exception for money in suspense."""
        taken.held = "OPEN"
        taken.item = Item(taken.bank, "SUSPENSE", day, taken.bill, taken.amount, taken=taken)
        self.items.append(taken.item)

    def _too_late(self, way: str, bank: str, taken: Taken, void: Voided | None = None) -> Expected:
        """The bank has paid out what is settled: R2, and somebody must look at it."""
        item = Item(bank, "LATE_REVERSAL", self.open[bank], taken.bill, taken.amount, taken=taken, void=void)
        self.items.append(item)
        return self.way(way, "R2")

    # -- dates and operators -----------------------------------------------------------------------------

    def _cut_over_by_message(self, said: Said, now: datetime) -> Expected:
        day, open_day = nearest_date(said.de15, self.open[said.bank]), self.open[said.bank]
        if day == open_day:
            return self.way("cutover again", "00")
        if day != open_day + DAY or day > now.date() + DAY:
            return self.way("cutover 30", "30", de44=15)
        self.open_next(said.bank)
        return self.way("cutover", "00")

    def cut_over_by_clock(self, bank: str, day: Date, latest_us: int, at: str) -> str:
        """The clock's own; what is wrong with it, or "". latest_us: the latest time that any clock showed.
        One that comes after somebody else's, so for a date that is open or over already, changes nothing."""
        if day <= self.open[bank]:
            return ""
        if day != self.open[bank] + DAY:
            return f"cut-over of {bank} by the clock from {self.open[bank]} to {day}"
        latest = cst(latest_us)
        if day > due_date(latest, at):
            return f"cut-over of {bank} by the clock to {day}, though no clock was past {latest}"
        self.open_next(bank)
        self.ways["cutover by the clock"] += 1
        return ""

    def open_next(self, bank: str) -> None:
        self.open[bank] += DAY
        self.dates[bank].add(self.open[bank])

    def withdraw(self, number: str, now_us: int) -> bool:
        """Whether an operator's withdrawal was to be done."""
        bill = self.bills.get(number)
        good = bill is not None and self.payable(bill, cst(now_us).date())
        good = good and self.status[number] != "EXPIRED"  # by whatever clock: it stays so
        self.ways["withdrawn" if good else "withdrawal refused"] += 1
        if good:
            self.status[number] = "WITHDRAWN"
        return good

    def receipt_text(self, receipt: tuple[str, Date, int]) -> str:
        bank, day, serial = receipt
        body = f"{day:%y%m%d}{self.names[bank]}00{serial:09d}"
        return body + mod_11_10(body)
