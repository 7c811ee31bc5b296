"""Imports: the whole file or none of it, each fault with its physical line, and payments going on beside."""

import tracemalloc
from typing import Any

import pytest

from shebao.ledger import csvtext, imports, records
from shebao.ledger.imports import Busy, Pace, Refused, import_bills, import_people

HEADER = (
    "bill_number,payer_id,payer_name,office,period_from,period_to,issued,due,last_day,"
    "insurance_type,amount_fen,owner_only"
)
NUMBERS = [f"33011026112300000{end}" for end in ("010", "028", "036", "044", "052", "069", "077", "085", "093", "108")]
PAYER = "33011019900101008X"


def line(number: str = NUMBERS[0], kind: str = "170", fen: object = 12000, **changed: str) -> str:
    values = {
        "bill_number": number, "payer_id": PAYER, "payer_name": "沈建国", "office": "余杭街道", "period_from": "202601",
        "period_to": "202612", "issued": "2026-11-23", "due": "2026-12-20", "last_day": "2026-12-31",
        "insurance_type": kind, "amount_fen": str(fen), "owner_only": "0", **changed,
    }  # fmt: skip
    return ",".join(values.values())


def text(*lines: str, header: str = HEADER, end: str = "\n") -> str:
    return end.join([header, *lines]) + end


class Clerk:
    """Imports with a clock that stands still and no naps."""

    def __init__(self, till: Any) -> None:
        self.till = till

    def bills(self, data: str | bytes, **options: Any) -> Any:
        data = data.encode() if isinstance(data, str) else data
        options.setdefault("pace", Pace(lambda: 0.0, lambda _: None))
        return import_bills(self.till.store, "a.csv", data, lambda: self.till.now_us, **options)

    def people(self, data: str, **options: Any) -> Any:
        return import_people(self.till.store, data.encode(), pace=Pace(lambda: 0.0, lambda _: None), **options)

    def faults(self, data: str | bytes, **options: Any) -> list[str]:
        with pytest.raises(Refused) as refused:
            self.bills(data, **options)
        assert self.till.rows("SELECT count(*) FROM bill") == [(0,)], "nothing of a refused file is there"
        assert self.till.rows("SELECT count(*) FROM open_import") == [(0,)]
        return [f"{fault.line}: {fault}" for fault in refused.value.faults]


@pytest.fixture
def clerk(till: Any) -> Clerk:
    return Clerk(till)


def test_a_bill_of_two_parts(clerk: Clerk) -> None:
    taken = clerk.bills(text(line(fen=9000), line(kind="390", fen=3000), line(NUMBERS[1], fen=5)))
    assert taken == ("utf-8", 2, 0, 0)
    assert clerk.till.rows("SELECT division, number, amount, parts, status, issued FROM bill ORDER BY number") == [
        (330110, 3301102611230000001, 12000, "170:9000 390:3000", "OUTSTANDING", 20261123),
        (330110, 3301102611230000002, 5, "170:5", "OUTSTANDING", 20261123),
    ]
    assert clerk.till.codes(clerk.till.request("payment", NUMBERS[0])) == ["00"]


def test_the_same_file_again_changes_nothing_also_when_paid(clerk: Clerk) -> None:
    file = text(line(), line(NUMBERS[1]))
    clerk.bills(file)
    clerk.till.ask(clerk.till.request("payment", NUMBERS[0]))
    before = clerk.till.rows("SELECT * FROM bill ORDER BY number")
    assert clerk.bills(file)[1:] == (0, 0, 2)
    assert clerk.till.rows("SELECT * FROM bill ORDER BY number") == before


def test_a_bill_there_with_other_content_is_a_fault(clerk: Clerk) -> None:
    clerk.bills(text(line()))
    with pytest.raises(Refused) as refused:
        clerk.bills(text(line(NUMBERS[1]), line(fen=12001)))
    (fault,) = refused.value.faults
    assert fault.line == 3 and "other content: parts" in fault.wrong
    assert clerk.till.rows("SELECT count(*) FROM bill") == [(1,)]


def test_encodings(clerk: Clerk) -> None:
    """C79: byte-order mark, GB18030 by default, a guess that can be overruled, one bad byte and its line."""
    assert clerk.bills(b"\xef\xbb\xbf" + text(line()).encode()).encoding == "utf-8"
    assert clerk.bills(text(line(NUMBERS[1], payer_name="𠮷野·䮌")).encode("gb18030")).encoding == "gb18030"
    short = text(line(NUMBERS[2], payer_name="毛石", office="")).encode("gb18030")
    assert clerk.bills(short, encoding="gb18030").encoding == "gb18030"
    assert clerk.till.rows("SELECT payer_name FROM bill ORDER BY number") == [("沈建国",), ("𠮷野·䮌",), ("毛石",)]


def test_a_bad_byte_behind_many_lines_costs_no_more_than_the_file() -> None:
    data = b"\r\n" * 500_000 + b"\n\r" * 500_000 + b"\xff"
    tracemalloc.start()
    try:
        fault = csvtext.decode(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(fault, csvtext.Fault) and fault.line == 1_000_002
    assert peak < 4 * len(data)


def test_a_bill_of_very_many_lines_is_gone_through_a_few_times_only() -> None:
    """Else a file of one bill's lines alone would take time with their square: hours for a permitted size."""

    class Parts(list[tuple[str, int]]):
        walks = 0

        def __iter__(self) -> Any:
            self.walks += 1
            return super().__iter__()

        def __getitem__(self, place: Any) -> Any:
            raise AssertionError("a slice for each line")

    parts = Parts([("170", 1)] * 500)
    common = (NUMBERS[0], PAYER, "", "", 202601, 202612, 20261123, 20261123, 20261123, False)
    group = [csvtext.Record(place, {}) for place in range(2, 502)]
    faults = list(records._contradictions(2, group, common, parts, set()))
    assert [fault.line for fault in faults] == list(range(3, 502)) and parts.walks <= 3


def test_encodings_that_fail(clerk: Clerk) -> None:
    assert clerk.faults(text(line()).encode("utf-16")) == ["0: is UTF-16; save it as UTF-8 or GB18030"]
    many = text(*[line()] * 400).encode().split(b"\n")
    many[300] = many[300].replace("沈".encode(), b"\xff")
    (fault,) = clerk.faults(b"\n".join(many))
    assert fault.startswith("301: byte 0xFF is no UTF-8 or GB18030")
    (fault,) = clerk.faults(text(line()).encode("gb18030"), encoding="utf-8")
    assert fault.startswith("2: byte 0x")


def test_a_lower_case_x_is_the_same_person(clerk: Clerk) -> None:
    """C81."""
    clerk.bills(text(line(payer_id=PAYER.lower())))
    assert clerk.till.rows("SELECT payer_id FROM bill") == [(PAYER,)]


def test_an_employer_pays_too(clerk: Clerk) -> None:
    """C83."""
    clerk.bills(text(line(payer_id="91330110MA2HHHH117", owner_only="1")))
    till = clerk.till
    assert till.codes(
        till.request("payment", NUMBERS[0], person=PAYER),
        till.request("payment", NUMBERS[0], person="91330110MA2HHHH117"),
    ) == ["B3", "00"]


@pytest.mark.parametrize("bad", ["\x0b", "\x01", "\x1b", "\ufffe", "\U0001ffff", "\x85", "\ufdd0"])
def test_what_can_not_be_printed_is_refused(clerk: Clerk, bad: str) -> None:
    """C87."""
    (fault,) = clerk.faults(text(line(payer_name=f"沈{bad}国")))
    assert fault == f"2: payer_name holds U+{ord(bad):04X}, which can't be printed; take it out"
    (fault,) = clerk.faults(text(line(office=f"街{bad}道")))
    assert "office holds" in fault


def test_half_of_a_surrogate_pair_is_no_text(clerk: Clerk) -> None:
    """C87: three bytes that some programs write for it; no encoding has them."""
    (fault,) = clerk.faults(text(line(payer_name="沈?国")).encode().replace(b"?", b"\xed\xa0\x80"))
    assert fault.startswith("2: byte 0x") and "is no UTF-8 or GB18030" in fault


def test_physical_lines(clerk: Clerk) -> None:
    """C89: a quoted name with a line break is refused, and does not shift the lines below."""
    faults = clerk.faults(text(line(), line(NUMBERS[1], payer_name='"沈\n建国"'), line(NUMBERS[2], fen="x")))
    assert [fault.split(":")[0] for fault in faults] == ["3", "5"]
    assert faults[1] == '5: amount_fen "x" is no amount; write fen in digits, from 1 to 999999999999'


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_the_missing_last_one(clerk: Clerk, end: str) -> None:
    assert clerk.bills(text(line(), line(NUMBERS[1]), end=end).removesuffix(end)).new == 2
    with pytest.raises(Refused) as refused:
        clerk.bills(text(line(NUMBERS[2]), line(NUMBERS[3], kind="999"), end=end))
    assert refused.value.faults[0].line == 3


def test_columns_in_any_order_but_all_of_them(clerk: Clerk) -> None:
    names = HEADER.split(",")
    values = line().split(",")
    assert clerk.bills(text(",".join(values[::-1]), header=",".join(names[::-1]))).new == 1
    for header, wrong in (
        (HEADER.replace(",due", ""), "no column due"),
        (HEADER + ",due", "twice"),
        (HEADER + ",x", '"x" too'),
    ):
        with pytest.raises(Refused) as refused:
            clerk.bills(text(line(NUMBERS[1]), header=header))
        assert refused.value.count == 1 and wrong in refused.value.faults[0].wrong
    with pytest.raises(Refused):
        clerk.bills("")


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"number": "33011026112300000011"}, "wrong check digit"),
        ({"number": "\u00a0" + NUMBERS[0]}, "no bill number"),
        ({"number": NUMBERS[0] + "\u3000"}, "no bill number"),
        ({"number": "３" + NUMBERS[0][1:]}, "no bill number"),
        ({"fen": "\u00a012000"}, "no amount"),
        ({"fen": 0}, "no amount"),
        ({"fen": "-5"}, "no amount"),
        ({"fen": "1_000"}, "no amount"),
        ({"kind": "111"}, "no insurance type"),
        ({"payer_id": "330110199001010081"}, "neither a citizen id nor"),
        ({"issued": "2026-02-30"}, "no date"),
        ({"issued": "20261123"}, "no date"),
        ({"due": "2026-11-01"}, "out of order"),
        ({"period_from": "202613"}, "no month"),
        ({"period_from": "202701"}, "period_from is after"),
        ({"owner_only": "yes"}, "no flag"),
        ({"payer_name": ""}, "is empty"),
        ({"payer_name": "a\0b"}, "NUL"),
        ({"payer_name": "x" * 5000}, "longer than 4096 bytes"),
        ({"payer_name": "x" * 2_000_000}, "no CSV"),
        ({"payer_name": "沈,建国"}, "13 fields"),
        ({"payer_name": '"沈"建国'}, "no CSV"),
    ],
)
def test_each_fault_says_what_is_wrong(clerk: Clerk, changed: dict[str, Any], wrong: str) -> None:
    (fault,) = clerk.faults(text(line(NUMBERS[1]), line(**changed)))
    assert fault.startswith("3: ") and wrong in fault, fault


def test_lines_of_one_bill(clerk: Clerk) -> None:
    faults = clerk.faults(
        text(
            line(), line(), line(NUMBERS[1]), line(),
            line(NUMBERS[2]), line(NUMBERS[2], kind="390", office="elsewhere"),
            line(NUMBERS[3], fen=999999999999), line(NUMBERS[3], kind="390"),
        )
    )  # fmt: skip
    assert [fault[0] for fault in faults] == ["3", "5", "7", "8"]
    for fault, word in zip(faults, ("twice", "further up", "office", "add up"), strict=True):
        assert word in fault


def test_a_hundred_faults_and_their_number(clerk: Clerk) -> None:
    with pytest.raises(Refused) as refused:
        clerk.bills(text(*[line(kind="x")] * 150))
    assert (len(refused.value.faults), refused.value.count) == (100, 150)


def test_dry_run_tells_and_writes_nothing(clerk: Clerk) -> None:
    assert clerk.bills(text(line()), dry_run=True).new == 1
    assert clerk.till.rows("SELECT count(*) FROM bill") == [(0,)]


def test_payments_never_see_half_a_file(clerk: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between any two chunks a bill of the file is not there; after the last, all are."""
    seen: list[str] = []
    pace = Pace(lambda: 0.0, lambda _: seen.extend(clerk.till.codes(clerk.till.request("inquiry", NUMBERS[0]))))
    monkeypatch.setattr(imports, "CHUNK_MAX", 4)
    pace.rows = 2
    assert clerk.bills(text(*map(line, NUMBERS)), pace=pace).new == 10
    assert seen and set(seen) == {"25"}
    assert clerk.till.codes(clerk.till.request("inquiry", NUMBERS[0])) == ["00"]
    assert clerk.till.rows("SELECT count(*) FROM open_import") == [(0,)]


def test_an_import_that_fails_or_dies_leaves_nothing(clerk: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    pace = Pace(lambda: 0.0, interrupted)
    pace.rows = 2
    with monkeypatch.context() as patch:
        patch.setattr(imports, "_clear", lambda *_: None)  # as if the process were gone
        with pytest.raises(KeyboardInterrupt):
            clerk.bills(text(*map(line, NUMBERS)), pace=pace)
    assert clerk.till.rows("SELECT count(*) FROM bill") == [(2,)]
    assert clerk.till.codes(clerk.till.request("payment", NUMBERS[0])) == ["25"]
    with pytest.raises(Busy, match=r"a.csv is being imported"):
        clerk.bills(text(line()))
    clerk.till.now_us += imports.DEAD_AFTER_US
    assert clerk.bills(text(line(NUMBERS[1], fen=7))).new == 1
    assert clerk.till.rows("SELECT number, amount FROM bill") == [(3301102611230000002, 7)]


def test_pace_gives_way() -> None:
    ticks = iter([0.0, 0.2, 0.2, 0.21])
    naps: list[float] = []
    pace = Pace(lambda: next(ticks), naps.append)
    rows = pace.rows
    pace.begin()
    pace.end()
    assert pace.rows == rows // 2 and naps == [0.2]
    pace.begin()
    pace.end()
    assert pace.rows == rows


PEOPLE = "id,name,phone,card,division,enrolled\n"


def test_people_are_added_and_changed(clerk: Clerk) -> None:
    one = f"{PAYER.lower()},沈建国,13800000000,6217000000000001,330110,170 390\n"
    other = "830000199001010012,毛石,,,,\n"
    assert clerk.people(PEOPLE + one + other)[1:] == (2, 0, 0)
    assert clerk.people(PEOPLE + one + other)[1:] == (0, 0, 2)
    assert clerk.people(PEOPLE + one.replace("390", "310"))[1:] == (0, 1, 0)
    assert clerk.till.rows("SELECT id, enrolled FROM person ORDER BY id") == [
        (PAYER, "170 310"),
        ("830000199001010012", ""),
    ]


def test_people_with_faults_are_refused_whole(clerk: Clerk) -> None:
    good = f"{PAYER},沈建国,13800000000,6217000000000001,330110,170\n"
    twice = "830000199001010012,毛石,1380000,6217000000000001,33011,999\n"
    with pytest.raises(Refused) as refused:
        clerk.people(PEOPLE + good + twice)
    assert {fault.wrong.split()[0] for fault in refused.value.faults} == {"phone", "division", "enrolled"}
    assert clerk.till.rows("SELECT count(*) FROM person") == [(0,)]
    clerk.people(PEOPLE + good)
    with pytest.raises(Refused, match="1 faults"):
        clerk.people(PEOPLE + "830000199001010012,毛石,,6217000000000001,,\n")
