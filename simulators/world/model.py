"""What the contract says must happen, told once more: an independent model of wire.md sections 5 and 6.

It shares no code with the rules, the tables or the codecs: dates are `datetime`s, money is a ledger of what banks took
and gave back, and it follows one message after the other as the bank sent it. It is told two facts that only the
switch's side knows: when a message was read and when its batch was committed. What is answered by a line alone (MAC,
sign-on, format) is not here but in `lines`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from .stage import Payer, PrintedBill

PAY, VOID = "500000", "200000"
KIND: Final = {
    "0100": "inquiry", "0101": "inquiry", "0200": "pay", "0201": "pay", "0220": "advice", "0221": "advice",
    "0400": "reversal", "0401": "reversal", "0420": "reversal", "0421": "reversal",
    "0500": "totals", "0501": "totals", "0520": "totals", "0521": "totals",
    "0800": "cutover", "0801": "cutover", "0820": "cutover", "0821": "cutover",
}  # fmt: skip
KEYED: Final = ("pay", "advice", "reversal")
KEPT: Final = frozenset("00 13 14 25 57 B1 B2 B3 B4 R1 R2".split())
DAY: Final = timedelta(days=1)

# Every way through the rules that a world can take; one never reached is a gap in the world.
WAYS: Final = (
    "pay 00", "pay 13", "pay 25 unknown", "pay 25 check digit", "pay B1", "pay B2 withdrawn", "pay B2 expired", "pay B3",
    "pay R1 reversed before", "pay 00 told by advice", "pay R1 advice undone", "pay in time, bill expired since",
    "advice onto bill", "advice told again", "advice to suspense", "advice after decline", "advice R1 reversed before",
    "void 00", "void 00 of a decline", "void 00 undone already", "void 13", "void 25", "void 25 check digit", "void R2",
    "void R1 reversed before",
    "reversal 00", "reversal 00 of suspense", "reversal 00 of a decline", "reversal 00 undone already", "reversal 13",
    "reversal 25 other bank", "reversal 25 other kind", "reversal 25 remembered", "reversal 25 of no key",
    "reversal leaves the bill expired",
    "unvoid 00", "unvoid to suspense", "unvoid 00 nothing to undo", "unvoid 13",
    "repeat", "94", "30 age", "30 DE13", "68",
    "inquiry one bill", "inquiry page", "inquiry page cut", "inquiry next page", "inquiry nothing", "inquiry B1",
    "inquiry B2", "inquiry 25", "inquiry 14",
    "totals 00", "totals 95", "totals 30",
    "cutover", "cutover again", "cutover 30", "cutover by the clock",
    "withdrawn", "withdrawal refused",
)  # fmt: skip


class Said(NamedTuple):
    """A message as a bank sent it; texts are those of the fields."""

    bank: str
    mti: str
    proc: str
    de7: str
    stan: str
    amount: int = 0
    bill: str = ""
    person: str = ""
    card: str = ""
    de90: str = ""
    de13: str = ""
    de15: str = ""
    page: str = ""
    totals: Mapping[int, str] = {}


@dataclass
class Expected:
    """What must come back. `first`: the transmission whose reply is kept, so whose fields a repeat gives back."""

    code: str
    de44: int = 0
    date: date | None = None  # DE15 of 00
    receipt: tuple[str, date, int] | None = None  # bank, date, serial of RN
    has_receipt: bool = True  # whether the reply shows it
    first: int = -1
    slot: tuple[str, str, datetime, str] | None = None  # of a kept reply: its bytes never change
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # others that must stand in DE48, exactly
    amount: int | None = None  # DE4 of an inquiry
    totals: Mapping[int, str] = field(default_factory=dict)


@dataclass
class Taken:
    """Money that a bank told us it took."""

    bank: str
    key: tuple[datetime, str]
    advised: bool
    bill: str
    amount: int
    date: date
    serial: int
    moment: datetime
    live: bool = True
    suspense: bool = False
    bank_code: str = ""

    @property
    def receipt(self) -> tuple[str, date, int]:
        return self.bank, self.date, self.serial


@dataclass
class Voided:
    bank: str
    key: tuple[datetime, str]
    taken: Taken | None  # None: nothing was moved by it
    amount: int = 0
    undone: bool = False


class Told(NamedTuple):
    """A remembered answer."""

    content: tuple[object, ...]
    expected: Expected
    proc: str
    bill: str


class DetailLine(NamedTuple):
    """What must stand in the statement file of a date."""

    kind: str
    moment: datetime
    stan: str
    bill: str
    amount: int
    receipt: tuple[str, date, int]


class Model:
    def __init__(
        self, institutions: Mapping[str, str], open_dates: Mapping[str, date], payers: list[Payer], deadline_s: int,
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
        self.serials: Counter[tuple[str, date]] = Counter()
        self.clearing: Counter[str] = Counter()
        self.in_suspense: Counter[str] = Counter()
        self.exceptions: Counter[tuple[str, str, str]] = Counter()  # bank, class, state
        self.sums: dict[tuple[str, date], list[int]] = {}
        self.lines: dict[tuple[str, date], list[DetailLine]] = {}
        self.ways: Counter[str] = Counter()

    def print_bills(self, bills: list[PrintedBill]) -> None:
        for bill in bills:
            self.bills[bill.number] = bill
            self.status[bill.number] = "OUTSTANDING"

    # -- a message ---------------------------------------------------------------------------------------

    def apply(self, said: Said, transmission: int, read_us: int, now_us: int) -> Expected:
        """The next message in the order of commits."""
        read, now = cst(read_us), cst(now_us)
        moment = nearest(said.de7, read)
        assert moment is not None, "banks of this world know the calendar"
        kind = KIND[said.mti]
        if kind == "inquiry":
            found = self._aged(said, moment, now) or self._inquire(said, moment)
        elif kind == "totals":
            found = self._aged(said, moment, now) or self._totals(said)
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

    def _way(self, way: str, code: str, **more: object) -> Expected:
        self.ways[way] += 1
        return Expected(code, **more)  # type: ignore[arg-type]

    # -- money comes in ----------------------------------------------------------------------------------

    def _pay(self, said: Said, key: tuple[datetime, str]) -> Expected:
        if (said.bank, PAY, *key) in self.before:
            return self._way("pay R1 reversed before", "R1")
        for known in self._of(said.bank, key):
            if known.advised and known.bill == said.bill:
                if known.live:
                    return self._way("pay 00 told by advice", "00", date=known.date, receipt=known.receipt)
                return self._way("pay R1 advice undone", "R1")
        if not check_digit_ok(said.bill):
            return self._way("pay 25 check digit", "25")
        bill = self.bills.get(said.bill)
        if bill is None:
            return self._way("pay 25 unknown", "25")
        status = self.status[said.bill]
        if status == "PAID":
            return self._way("pay B1", "B1", tags=self._where(said.bank, said.bill))
        if status == "WITHDRAWN":
            return self._way("pay B2 withdrawn", "B2")
        if key[0].date() > bill.last_day:
            return self._way("pay B2 expired", "B2")
        if bill.owner_only and not self._is_owner(said, bill):
            return self._way("pay B3", "B3")
        if said.amount != bill.amount:
            return self._way("pay 13", "13")
        if status == "EXPIRED":
            self.ways["pay in time, bill expired since"] += 1
        taken = self._take(said, key, suspense=False)
        tags = {"NM": (bill.payer.name,)}
        return self._way("pay 00", "00", date=taken.date, receipt=taken.receipt, tags=tags)

    def _is_owner(self, said: Said, bill: PrintedBill) -> bool:
        if said.person and said.person.upper() != bill.payer.id:
            return False
        return not said.card or self.cards.get(said.card) == bill.payer

    def _where(self, bank: str, bill: str) -> dict[str, tuple[str, ...]]:
        """PB and PT of a paid bill; RN for the bank that took the money itself."""
        taken = self.paid_by[bill]
        tags = {"PB": (taken.bank,), "PT": (f"{taken.moment:%Y%m%d%H%M%S}",)}
        return {**tags, "RN": (self.receipt_text(taken.receipt),)} if taken.bank == bank else tags

    def _advise(self, said: Said, key: tuple[datetime, str]) -> Expected:
        if (said.bank, PAY, *key) in self.before:
            return self._way("advice R1 reversed before", "R1")
        paid = [t for t in self._of(said.bank, key) if not t.advised and t.bill == said.bill]
        if any(t.live for t in paid):
            return self._way("advice told again", "00", date=paid[0].date, receipt=paid[0].receipt)
        told = self.told.get((said.bank, "pay", *key))
        spoilt = told is not None and told.proc == PAY and told.bill == said.bill
        bill = self.bills.get(said.bill)
        good = bill is not None and check_digit_ok(said.bill) and self._payable(bill, key[0].date())
        if good and not spoilt and bill is not None and bill.amount == said.amount:
            taken = self._take(said, key, suspense=False)
            return self._way("advice onto bill", "00", date=taken.date, receipt=taken.receipt)
        taken = self._take(said, key, suspense=True)
        self.exceptions[said.bank, "SUSPENSE", "OPEN"] += 1
        way = "advice after decline" if spoilt else "advice to suspense"
        return self._way(way, "00", date=taken.date, receipt=taken.receipt)

    def _payable(self, bill: PrintedBill, day: date) -> bool:
        return self.status[bill.number] in ("OUTSTANDING", "EXPIRED") and day <= bill.last_day

    def _take(self, said: Said, key: tuple[datetime, str], suspense: bool) -> Taken:
        day = self.open[said.bank]
        self.serials[said.bank, day] += 1
        advised = KIND[said.mti] == "advice"
        serial = self.serials[said.bank, day]
        taken = Taken(said.bank, key, advised, said.bill, said.amount, day, serial, key[0], suspense=suspense)
        self.taken.append(taken)
        self._book(taken, "P", key, +1)
        return taken

    # -- money goes back ---------------------------------------------------------------------------------

    def _void(self, said: Said, key: tuple[datetime, str], now: datetime) -> Expected:
        if (said.bank, VOID, *key) in self.before:
            return self._way("void R1 reversed before", "R1")
        if not check_digit_ok(said.bill):
            return self._way("void 25 check digit", "25")
        found = self._original(said, key, PAY)
        if isinstance(found, Told) and found.bill == said.bill:
            return self._way("void 00 of a decline", "00", date=self.open[said.bank])
        if not isinstance(found, Taken) or found.bill != said.bill:
            return self._way("void 25", "25")
        if found.date != self.open[said.bank]:
            return self._way("void R2", "R2")
        done = {"date": self.open[said.bank], "receipt": found.receipt}
        if not found.live:
            self.voids.append(Voided(said.bank, key, None))
            return self._way("void 00 undone already", "00", **done)
        if found.amount != said.amount:
            return self._way("void 13", "13")
        self._give_back(found, "V", key, now)
        self.voids.append(Voided(said.bank, key, found, said.amount))
        return self._way("void 00", "00", **done)

    def _reverse(self, said: Said, key: tuple[datetime, str], now: datetime) -> Expected:
        done = {"date": self.open[said.bank]}
        if said.de90[20:31].lstrip("0") != self.institutions[said.bank].lstrip("0"):
            return self._way("reversal 25 other bank", "25")
        found = self._original(said, key, said.proc)
        if found == "other kind":
            return self._way("reversal 25 other kind", "25")
        if found is None:
            if KIND.get(said.de90[:4]) not in ("pay", "advice"):
                return self._way("reversal 25 of no key", "25")
            self.before.add((said.bank, said.proc, *self._key_of(said, key)))
            return self._way("reversal 25 remembered", "25")
        if isinstance(found, Voided):
            return self._reverse_void(said, found, key, done)
        if isinstance(found, Told):
            return self._way("reversal 00 of a decline", "00", **done)
        assert isinstance(found, Taken)
        if not found.live:
            return self._way("reversal 00 undone already", "00", **done)
        if found.amount != said.amount:
            return self._way("reversal 13", "13")
        way = "reversal 00 of suspense" if found.suspense else "reversal 00"
        self._give_back(found, "R", key, now)
        return self._way(way, "00", **done)

    def _reverse_void(
        self, said: Said, void: Voided, key: tuple[datetime, str], done: dict[str, date]
    ) -> Expected:
        taken = void.taken
        if void.undone or taken is None:
            return self._way("unvoid 00 nothing to undo", "00", **done)
        if void.amount != said.amount:
            return self._way("unvoid 13", "13")
        void.undone, taken.live = True, True
        way = "unvoid 00"
        bill = self.bills.get(taken.bill)
        if taken.suspense or bill is None or not self._payable(bill, taken.moment.date()):
            way, taken.suspense = "unvoid to suspense", True
            self.exceptions[taken.bank, "SUSPENSE", "OPEN"] += 1
        self._book(taken, "P", key, +1)
        return self._way(way, "00", **done)

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
        for kind in (first, "advice" if first == "pay" else "pay"):
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
                mine = [t for t in self._of(said.bank, theirs) if t.bill == told.bill]
                mine.sort(key=lambda t: t.advised != (kind == "advice"))
                return mine[0]
        return seen

    def _of(self, bank: str, key: tuple[datetime, str]) -> list[Taken]:
        return [taken for taken in self.taken if taken.bank == bank and taken.key == key]

    def _give_back(self, taken: Taken, kind: str, key: tuple[datetime, str], now: datetime) -> None:
        taken.live = False
        self._book(taken, kind, key, -1)
        if taken.suspense:
            self.exceptions[taken.bank, "SUSPENSE", "OPEN"] -= 1
            self.exceptions[taken.bank, "SUSPENSE", "CLOSED"] += 1
        elif now.date() > self.bills[taken.bill].last_day:
            self.ways["reversal leaves the bill expired"] += 1
            self.status[taken.bill] = "EXPIRED"

    def _book(self, taken: Taken, kind: str, key: tuple[datetime, str], sign: int) -> None:
        """Balances, the bill, the date's sums and the line of the date's file."""
        self.clearing[taken.bank] += sign * taken.amount
        if taken.suspense:
            self.in_suspense[taken.bank] += sign * taken.amount
        else:
            self.status[taken.bill] = "PAID" if sign > 0 else "OUTSTANDING"
            self.paid_by[taken.bill] = taken
        day = taken.bank, self.open[taken.bank]
        sums = self.sums.setdefault(day, [0, 0, 0, 0])
        at = 0 if sign > 0 else 2
        sums[at] += 1
        sums[at + 1] += taken.amount
        line = DetailLine(kind, *key, taken.bill, taken.amount, taken.receipt)
        self.lines.setdefault(day, []).append(line)

    # -- questions ---------------------------------------------------------------------------------------

    def _inquire(self, said: Said, moment: datetime) -> Expected:
        day = moment.date()
        if said.bill:
            bill = self.bills.get(said.bill) if check_digit_ok(said.bill) else None
            if bill is None:
                return self._way("inquiry 25", "25")
            if self.status[said.bill] == "PAID":
                return self._way("inquiry B1", "B1", tags=self._where(said.bank, said.bill))
            if not self._payable(bill, day):
                return self._way("inquiry B2", "B2")
            return self._one(bill, "001")
        if said.person:
            payer = next((p for p in self.payers if p.id == said.person.upper()), None)
        else:
            payer = self.cards.get(said.card)
            if payer is None:
                return self._way("inquiry 14", "14")
        found = sorted(b.number for b in self.bills.values() if b.payer == payer and self._payable(b, day))
        after = [number for number in found if number > said.page]
        if len(found) == 1 and after:
            return self._one(self.bills[found[0]], "001")
        return self._page(payer, found, after, said.page)

    def _one(self, bill: PrintedBill, count: str) -> Expected:
        parts = tuple(f"{kind}{fen:012d}" for kind, fen in bill.parts)
        tags = {"NM": (bill.payer.name,), "NB": (count,), "BL": (bill.number,), "IN": parts}
        return self._way("inquiry one bill", "00", amount=bill.amount, tags=tags)

    def _page(self, payer: Payer | None, found: list[str], after: list[str], page: str) -> Expected:
        name = () if payer is None else (payer.name,)
        size = 8 + sum(5 + len(text.encode("gb18030")) for text in name)
        tags: dict[str, tuple[str, ...]] = {"NM": name, "NB": (f"{len(found):03d}",)}
        room = 999 - size
        if not after:
            return self._way("inquiry nothing", "00", tags={**tags, "BL": ()})
        self.ways["inquiry next page" if page else "inquiry page"] += 1
        if len(after) * 60 <= room:
            return Expected("00", tags={**tags, "BL": tuple(after), "PG": ()})
        self.ways["inquiry page cut"] += 1
        shown = tuple(after[: (room - 25) // 60])
        return Expected("00", tags={**tags, "BL": shown, "PG": (shown[-1],)})

    def totals_of(self, bank: str, day: date) -> dict[int, str]:
        """DE74 to 77, 86 to 89 and 97 of a date."""
        credits, credits_fen, reversals, reversals_fen = self.sums.get((bank, day), [0, 0, 0, 0])
        net = credits_fen - reversals_fen
        return {
            74: f"{credits:010d}", 75: f"{reversals:010d}", 76: "0" * 10, 77: "0" * 10,
            86: f"{credits_fen:016d}", 87: f"{reversals_fen:016d}", 88: "0" * 16, 89: "0" * 16,
            97: f"{'D' if net < 0 else 'C'}{abs(net):016d}",
        }  # fmt: skip

    def _totals(self, said: Said) -> Expected:
        day = nearest_date(said.de15, self.open[said.bank])
        if day not in self.dates[said.bank]:
            return self._way("totals 30", "30", de44=15)
        ours = self.totals_of(said.bank, day)
        if ours == dict(said.totals):
            return self._way("totals 00", "00", totals={66: "1", **ours})
        return self._way("totals 95", "95", totals={66: "2", **ours})

    # -- dates and operators -----------------------------------------------------------------------------

    def _cut_over_by_message(self, said: Said, now: datetime) -> Expected:
        day, open_day = nearest_date(said.de15, self.open[said.bank]), self.open[said.bank]
        if day == open_day:
            return self._way("cutover again", "00")
        if day != open_day + DAY or day > now.date() + DAY:
            return self._way("cutover 30", "30", de44=15)
        self.open_next(said.bank)
        return self._way("cutover", "00")

    def cut_over_by_clock(self, bank: str, day: date, latest_us: int, at: str) -> str:
        """The clock's own; what is wrong with it, or "". latest_us: the latest time that any clock showed.

        One that comes after somebody else's, so for a date that is open or over already, changes nothing.
        """
        if day <= self.open[bank]:
            return ""
        if day != self.open[bank] + DAY:
            return f"cut-over of {bank} by the clock from {self.open[bank]} to {day}"
        latest = cst(latest_us)
        first = latest.date() if f"{latest:%H:%M:%S}" < at else latest.date() + DAY
        if day > first:
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
        good = bill is not None and self._payable(bill, cst(now_us).date())
        self.ways["withdrawn" if good else "withdrawal refused"] += 1
        if good:
            self.status[number] = "WITHDRAWN"
        return good

    def receipt_text(self, receipt: tuple[str, date, int]) -> str:
        bank, day, serial = receipt
        body = f"{day:%y%m%d}{self.names[bank]}00{serial:09d}"
        return body + mod_11_10(body)


# -- calendar and check digits, once more ----------------------------------------------------------------

def cst(now_us: int) -> datetime:
    """China Standard Time, naive."""
    return datetime(1970, 1, 1, 8) + timedelta(microseconds=now_us)


@lru_cache(maxsize=4096)
def nearest(mmddhhmmss: str, near: datetime) -> datetime | None:
    """The moment of that month, day and time which is nearest to another."""
    month, day, hour, minute, second = (int(mmddhhmmss[at : at + 2]) for at in (0, 2, 4, 6, 8))
    around = 8 if mmddhhmmss.startswith("0229") else 1
    found = []
    for year in range(near.year - around, near.year + around + 1):
        with suppress(ValueError):  # no such day in that year
            found.append(datetime(year, month, day, hour, minute, second))
    return min(found, key=lambda moment: abs(moment - near), default=None)


def nearest_date(mmdd: str, near: date) -> date:
    moment = nearest(mmdd + "000000", datetime(near.year, near.month, near.day))
    assert moment is not None
    return moment.date()


def mod_11_10(digits: str) -> str:
    """ISO 7064 MOD 11,10 as the standard tells it, step by step."""
    product = 10
    for digit in digits:
        total = (product + int(digit)) % 10 or 10
        product = total * 2 % 11
    return str((11 - product) % 10)


def check_digit_ok(number: str) -> bool:
    return len(number) == 20 and number.isdigit() and mod_11_10(number[:19]) == number[19]
