"""A small town before a running switch: people and bills of every kind that the wire contract tells apart, the daemon,
and lines of the four banks. Prepared once for a session and copied, since commands cost more than the daemon's start.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from shebao_harness import CST, Switch, bill_number
from shebao_wire import Wire

FEN = 48_000
TWO_PARTS = (("170", 1_530_000), ("390", 48_000))
OWNER = "33011019900101008X"
OWNER_CARD = "6217001234567890123"
EMPLOYER = "91330110MA2HHHH117"
STRANGER = "830000199001010012"  # a right citizen id that no bill names
HOLDER, HOLDER_CARD = "911010199001010016", "6217009999999999998"  # a card holder without bills
RARE_NAMES = ("𠮷野", "葛曾䮌", "阿依古丽·买买提", "䶮")
PAGED_BILLS = 30


def citizen(serial: int) -> str:
    body = f"3301101990{serial:07d}"
    return body + "10X98765432"[sum(2 ** (17 - i) * int(d) for i, d in enumerate(body)) % 11]


PLAIN = [bill_number(n) for n in range(1, 1200)]
BIG = [bill_number(n) for n in range(2001, 2021)]
PAGED, PAGED_ID = [bill_number(n) for n in range(3001, 3001 + PAGED_BILLS)], citizen(3001)
RARE = {bill_number(4000 + n): (citizen(4000 + n), name) for n, name in enumerate(RARE_NAMES, 1)}
LONE, LONE_ID = bill_number(4100), citizen(4100)  # its payer's only bill
OWNED = [bill_number(n) for n in range(5001, 5041)]
EMPLOYED = [bill_number(n) for n in range(5101, 5121)]
EXPIRED = [bill_number(n) for n in range(6001, 6041)]
WITHDRAWN = bill_number(7001)


def _csv() -> Iterator[str]:
    today = datetime.now(CST).date()
    fresh = f"{today - timedelta(30)},{today},2099-12-31"
    over = f"{today - timedelta(30)},{today - timedelta(2)},{today - timedelta(1)}"
    yield (
        "bill_number,payer_id,payer_name,office,period_from,period_to,issued,due,last_day,insurance_type,"
        "amount_fen,owner_only"
    )

    def row(
        bill: str, payer: str, name: str, kind: str = "390", fen: int = FEN, dates: str = fresh, own: int = 0
    ) -> str:
        return f"{bill},{payer},{name},良渚街道,202601,202612,{dates},{kind},{fen},{own}"

    for bill in [*PLAIN, WITHDRAWN]:
        yield row(bill, citizen(1), "沈建国")
    for bill in BIG:
        for kind, fen in TWO_PARTS:
            yield row(bill, citizen(2), "俞丽华", kind, fen)
    for n, bill in enumerate(PAGED):
        yield row(bill, PAGED_ID, "欧阳娜娜", fen=1000 + n)
    for bill, (payer, name) in RARE.items():
        yield row(bill, payer, name)
    yield row(LONE, LONE_ID, "独孤一")
    for bill in OWNED:
        yield row(bill, OWNER, "章有主", own=1)
    for bill in EMPLOYED:
        yield row(bill, EMPLOYER, "余杭某某有限公司", "310", own=1)
    for bill in EXPIRED:
        yield row(bill, citizen(3), "过期生", dates=over)


PEOPLE = (
    "id,name,phone,card,division,enrolled\n"
    f"{OWNER},章有主,13800000001,{OWNER_CARD},330110,390\n"
    f"{HOLDER},无账单,13800000002,{HOLDER_CARD},330110,\n"
)


def prepare(folder: Path) -> Path:
    """Keys, database, people and bills, as an operator's commands make them."""
    switch = Switch(folder)
    switch.prepare({})
    (folder / "bills.csv").write_text("\n".join(_csv()) + "\n", encoding="utf-8")
    (folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    switch.run("ledgerctl", "import-bills", "bills.csv")
    switch.run("ledgerctl", "import-people", "people.csv")
    switch.run("ledgerctl", "withdraw", WITHDRAWN, "--reason", "重复开单")
    return folder


class Desk:
    """The daemon over a copy of what `prepare` made, and fresh bills and lines for the asking."""

    def __init__(self, prepared: Path, folder: Path, limits: str = "") -> None:
        shutil.copytree(prepared, folder, ignore=shutil.ignore_patterns("switch.toml", "*.csv"))
        self.switch = Switch(folder, limits=limits)
        self.plain, self.big = iter(PLAIN), iter(BIG)
        self.owned, self.employed, self.expired = iter(OWNED), iter(EMPLOYED), iter(EXPIRED)

    def __enter__(self) -> Desk:
        self.switch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.switch.__exit__()

    def bill(self) -> str:
        return next(self.plain)

    def wire(self, bank: str, sign_on: bool = True) -> Wire:
        return Wire(bank, self.switch.ports[bank], sign_on)

    def metrics(self) -> dict[str, float]:
        lines = self.switch.get("/metrics")[1].splitlines()
        return {k: float(v) for k, _, v in (x.rpartition(" ") for x in lines if not x.startswith("#"))}

    def everywhere(self) -> bytes:
        """All that the switch has written down: log, database and its journal, files, metrics."""
        files = [p for p in sorted(self.switch.folder.rglob("*")) if p.is_file() and p.name != "master.key"]
        parts = [p.read_bytes() for p in files]
        return b"\n".join([*parts, self.log().encode(), self.switch.get("/metrics")[1].encode()])

    def log(self) -> str:
        return "\n".join(str(entry) for entry in list(self.switch.log))


def today(days: int = 0) -> str:
    """MMDD, as DE15 tells it."""
    return (datetime.now(CST) + timedelta(days)).strftime("%m%d")
