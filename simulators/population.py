"""A made-up Yuhang: people with citizen cards, employers, and the bills that village offices printed for them.

One seed gives one population, byte for byte. Amounts look like the real thing: few large transfer-insurance
payments around 15,700 yuan, many small resident ones of 480. The CSV formats are those of operations.md,
`import-people` and `import-bills`. Nobody here exists; when they pay is the affair of `hours`.
Money is int fen, a date an int YYYYMMDD, a period an int YYYYMM.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator
from datetime import date as Date
from datetime import timedelta
from typing import Final, NamedTuple, TextIO

from shebao.codecs.numbers import bill_ok, mod_11_10

DIVISION: Final = "330110"
OFFICES: Final = 334  # village offices
SERIAL_MAX: Final = 9_999_999  # a bill number has a serial of 7 digits
PEOPLE_COLUMNS: Final = ("id", "name", "phone", "card", "division", "enrolled")
BILL_COLUMNS: Final = (
    "bill_number", "payer_id", "payer_name", "office", "period_from", "period_to",
    "issued", "due", "last_day", "insurance_type", "amount_fen", "owner_only",
)  # fmt: skip

Parts = tuple[tuple[str, int], ...]  # (insurance type, fen)


class Person(NamedTuple):
    """A row of the people's CSV; `enrolled` is insurance types separated by blanks."""

    id: str
    name: str
    phone: str
    card: str
    division: str
    enrolled: str


class Bill(NamedTuple):
    """One bill, one CSV line for each of its parts."""

    number: str
    payer_id: str
    payer_name: str
    office: str
    period_from: int
    period_to: int
    issued: int
    due: int
    last_day: int
    owner_only: bool
    parts: Parts

    @property
    def amount(self) -> int:
        return sum(fen for _, fen in self.parts)


class Population(NamedTuple):
    people: tuple[Person, ...]
    bills: tuple[Bill, ...]


class BillsFault(Exception):
    """A bill CSV that can't be read; its text is the one line that the user is shown."""


# What bills are for: share of all bills in per mille, and the parts as a function of the dice.
_PENSION_TIERS: Final = (30000, 50000, 80000, 100000, 200000, 300000)
_RESIDENT_MEDICAL: Final = 48000


def _medical(dice: random.Random) -> Parts:
    return (("390", _RESIDENT_MEDICAL),)


def _pension(dice: random.Random) -> Parts:
    return (("170", dice.choice(_PENSION_TIERS)),)


def _both(dice: random.Random) -> Parts:
    return (("170", dice.choice(_PENSION_TIERS)), ("390", _RESIDENT_MEDICAL))


def _transfer(dice: random.Random) -> Parts:
    pension = 10 * round(dice.gauss(1_522_000, 45_000) / 10)
    return (("170", max(1_000_000, pension)), ("390", _RESIDENT_MEDICAL))


def _employer(dice: random.Random) -> Parts:
    wages = dice.randint(3, 9) * 10 * dice.randint(48_200, 72_000)  # fen a month, all employees
    rates = (("110", 24), ("310", 10), ("210", 1), ("410", 1))  # per cent, both shares together
    return tuple((kind, wages * per_cent // 100) for kind, per_cent in rates)


KINDS: Final = (
    (610, _medical),
    (110, _pension),
    (105, _both),
    (140, _transfer),
    (35, _employer),
)

_SURNAMES: Final[tuple[str, ...]] = (
    *"王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林郑沈俞章金钱施姚倪严葛曾盛骆楼",
    *"钟汪田任姜范方石谭廖邹熊陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷汤尹黎",
    *("欧阳", "诸葛", "上官", "司徒", "𠮷", "䶮"),
)
_GIVEN: Final = tuple("建国志强秀英桂兰丽娟伟芳敏静磊洋艳勇军杰涛明超霞平刚文华玉红春梅海燕宇轩梓涵欣怡子墨雨泽晨曦")
_WHOLE_NAMES: Final = ("葛曾䮌", "𠮷野", "阿依古丽·买买提", "王䶮", "迪丽努尔·艾合买提", "陈𬭎", "李㛃")
_TOWNS: Final = (
    "良渚街道", "仓前街道", "五常街道", "闲林街道", "中泰街道", "余杭街道",
    "仁和街道", "瓶窑镇", "径山镇", "黄湖镇", "鸬鸟镇", "百丈镇",
)  # fmt: skip
_VILLAGE_FIRST: Final = tuple("安新东西南北双永长大高前后石")
_VILLAGE_SECOND: Final = tuple("溪桥塘港山")
_EMPLOYER_PLACES: Final = ("余杭", "良渚", "瓶窑", "径山", "仓前")
_EMPLOYER_TRADES: Final = ("五金", "茶叶", "纺织", "机电", "食品", "园林", "物流", "软件")
_CREDIT_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def populate(seed: int, bills: int, today: int, first_serial: int = 1) -> Population:
    """So many bills, each payable today (a date), and the people that they are for.

    first_serial: of the bill numbers, so that two populations can stand side by side.
    """
    if not (bills > 0 and first_serial > 0 and first_serial + bills - 1 <= SERIAL_MAX):
        raise ValueError(f"{bills} bills from serial {first_serial}: right are serials 1 to {SERIAL_MAX}")
    dice = random.Random(f"population {seed}")
    offices = office_names()
    people: list[Person] = []
    taken: set[str] = set()
    made: list[Bill] = []
    makers = dice.choices([maker for _, maker in KINDS], [share for share, _ in KINDS], k=bills)
    for serial, maker in enumerate(makers, first_serial):
        parts = maker(dice)
        if maker is _employer:
            payer = credit_code(dice), _employer_name(dice)
        else:
            if not people or dice.random() < 0.93:  # the others have another bill for the one before
                people.append(_person(dice, parts, taken))
            payer = people[-1].id, people[-1].name
        owner_only = maker is _transfer and dice.random() < 0.1
        made.append(_bill(serial, payer, offices[dice.randrange(OFFICES)], today, owner_only, parts))
    return Population(tuple(people), tuple(made))


def _bill(
    serial: int, payer: tuple[str, str], office: str, today: int, owner_only: bool, parts: Parts
) -> Bill:
    day = as_date(today)
    issued = day - timedelta(days=1 + serial % 20)
    number = f"{DIVISION}{issued:%y%m%d}{serial:07d}"
    return Bill(
        number=number + mod_11_10(number),
        payer_id=payer[0],
        payer_name=payer[1],
        office=office,
        period_from=day.year * 100 + 1,
        period_to=day.year * 100 + 12,
        issued=_as_int(issued),
        due=_as_int(day + timedelta(days=20)),
        last_day=_as_int(day + timedelta(days=30)),
        owner_only=owner_only,
        parts=parts,
    )


def office_names() -> tuple[str, ...]:
    """The 334 village offices: as many to each town as come out, every name once."""
    villages = [f"{first}{second}村" for first in _VILLAGE_FIRST for second in _VILLAGE_SECOND]
    return tuple(f"{_TOWNS[n % len(_TOWNS)]}{villages[n // len(_TOWNS)]}" for n in range(OFFICES))


def _person(dice: random.Random, parts: Parts, taken: set[str]) -> Person:
    identity = citizen_id(dice)
    while identity in taken:
        identity = citizen_id(dice)
    taken.add(identity)
    enrolled = "390" if parts[0][0] == "390" else "170 390"
    phone = f"13{dice.randrange(10**9):09d}"
    card = f"62170012{dice.randrange(10**11):011d}"
    return Person(identity, _name(dice), phone, card, DIVISION, enrolled)


def citizen_id(dice: random.Random) -> str:
    """18 characters with the check character of ISO 7064 MOD 11-2 (GB 11643)."""
    born = Date(1946, 1, 1) + timedelta(days=dice.randrange(60 * 365))
    body = f"{DIVISION}{born:%Y%m%d}{dice.randrange(1000):03d}"
    total = sum(int(digit) * (1 << (17 - place)) for place, digit in enumerate(body))
    return body + "10X98765432"[total % 11]


def credit_code(dice: random.Random) -> str:
    """A unified social credit code (GB 32100), both its check characters right."""
    organisation = "".join(dice.choice(_CREDIT_ALPHABET) for _ in range(8))
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    values = [int(c) if c.isdigit() else ord(c) - ord("A") + 10 for c in organisation]
    inner = "0X987654321"[sum(w * v for w, v in zip(weights, values, strict=True)) % 11]
    body = f"91{DIVISION}{organisation}{inner}"
    total = sum(_CREDIT_ALPHABET.index(c) * int(pow(3, place, 31)) for place, c in enumerate(body))
    return body + _CREDIT_ALPHABET[-total % 31]


def _name(dice: random.Random) -> str:
    if dice.random() < 0.004:
        return dice.choice(_WHOLE_NAMES)
    given = dice.choice(_GIVEN) + (dice.choice(_GIVEN) if dice.random() < 0.8 else "")
    return dice.choice(_SURNAMES) + given


def _employer_name(dice: random.Random) -> str:
    middle = dice.choice(_GIVEN) + dice.choice(_GIVEN)
    return f"杭州{dice.choice(_EMPLOYER_PLACES)}{middle}{dice.choice(_EMPLOYER_TRADES)}有限公司"


def write_people(people: Iterable[Person], file: TextIO) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(PEOPLE_COLUMNS)
    writer.writerows(people)


def write_bills(bills: Iterable[Bill], file: TextIO) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(BILL_COLUMNS)
    for bill in bills:
        for kind, fen in bill.parts:
            writer.writerow(
                (bill.number, bill.payer_id, bill.payer_name, bill.office, bill.period_from, bill.period_to,
                 _iso(bill.issued), _iso(bill.due), _iso(bill.last_day), kind, fen, int(bill.owner_only))
            )  # fmt: skip


def read_bills(file: TextIO, source: str) -> Iterator[Bill]:
    """The bills of a CSV as `write_bills` makes it; raises BillsFault with file, line, and what is wrong.

    For the simulator's own use: the authority on such files is `ledgerctl import-bills`.
    """
    reader = csv.DictReader(file)
    missing = set(BILL_COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise BillsFault(f"{source}: column {sorted(missing)[0]} is missing; right is {','.join(BILL_COLUMNS)}")
    bill: Bill | None = None
    for row in reader:
        try:
            part = (row["insurance_type"], int(row["amount_fen"]))
            if bill is not None and row["bill_number"] == bill.number:
                bill = bill._replace(parts=(*bill.parts, part))
                continue
            following = _read_bill(row, part)
        except (ValueError, TypeError) as fault:
            raise BillsFault(f"{source}: line {reader.line_num}: {fault}") from None
        if bill is not None:
            yield bill
        bill = following
    if bill is not None:
        yield bill


def _read_bill(row: dict[str, str], part: tuple[str, int]) -> Bill:
    if not bill_ok(row["bill_number"]):
        raise ValueError(f"bill_number {row['bill_number']!r} is not 20 digits with a right check digit")
    issued, due, last_day = (int(row[name].replace("-", "")) for name in ("issued", "due", "last_day"))
    return Bill(
        row["bill_number"], row["payer_id"], row["payer_name"], row["office"],
        int(row["period_from"]), int(row["period_to"]), issued, due, last_day, row["owner_only"] == "1", (part,),
    )  # fmt: skip


def as_date(day: int) -> Date:
    return Date(day // 10000, day // 100 % 100, day % 100)


def _as_int(day: Date) -> int:
    return day.year * 10000 + day.month * 100 + day.day


def _iso(day: int) -> str:
    return f"{day // 10000:04d}-{day // 100 % 100:02d}-{day % 100:02d}"
