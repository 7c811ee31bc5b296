"""Bill inquiries on real lines: by number, id and card, pages, names of rare characters, and what can't be paid
(wire.md section 5, Inquiry; section 6, rule 4)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from shebao_desk import (
    BIG,
    EMPLOYED,
    EMPLOYER,
    EXPIRED,
    FEN,
    HOLDER_CARD,
    LONE,
    LONE_ID,
    OWNER,
    OWNER_CARD,
    PAGED,
    PAGED_BILLS,
    PAGED_ID,
    RARE,
    STRANGER,
    TWO_PARTS,
    WITHDRAWN,
    Desk,
    today,
)
from shebao_harness import CST, bill_number
from shebao_wire import Answer, Wire

ONE = ["NM", "NB", "BL", "IN"]
NO_CARD = "6200000000000000000"


def due() -> str:
    return datetime.now(CST).strftime("%Y%m%d")


def bl(bill: str, fen: int, kind: str = "390") -> str:
    return f"{bill}{fen:012d}202601202612{due()}{kind}"


@pytest.mark.parametrize("mti", ["0100", "0101"])
def test_by_number(wire: Wire, mti: str) -> None:
    bill, total = BIG[-1], sum(fen for _, fen in TWO_PARTS)
    asked = wire.inquiry(("BN", bill), de4="000000000001")
    answer = wire.ask(mti, asked).fits(asked, "00", "0110", [*ONE, "IN"], de4=f"{total:012d}")
    parts = [("IN", f"{kind}{fen:012d}") for kind, fen in TWO_PARTS]
    assert answer.tags == [("NM", "俞丽华"), ("NB", "001"), ("BL", bl(bill, total, "170")), *parts]


def test_the_number_decides_then_the_id_then_the_card(wire: Wire) -> None:
    asked = wire.inquiry(("BN", LONE), ("ID", STRANGER), de2=NO_CARD)
    lone = [("NM", "独孤一"), ("NB", "001"), ("BL", bl(LONE, FEN)), ("IN", f"390{FEN:012d}")]
    assert wire.ask("0100", asked).fits(asked, "00", "0110", ONE, de4=f"{FEN:012d}").tags == lone
    asked = wire.inquiry(("PG", bill_number(1)), ("ID", LONE_ID), de2=NO_CARD)
    assert wire.ask("0100", asked).fits(asked, "00", "0110", ONE, de4=f"{FEN:012d}").tags == lone
    asked = wire.inquiry(de2=NO_CARD, de4="000000000007")
    wire.ask("0100", asked).fits(asked, "14", "0110", ["MS"])


def test_by_card_and_by_an_id_that_ends_in_a_small_x(wire: Wire) -> None:
    by_card = wire.inquiry(de2=OWNER_CARD)
    whole = wire.ask("0100", by_card)
    assert whole.code == "00" and whole.tags[0] == ("NM", "章有主") and whole.fields.get(4) is None
    for person in (OWNER, OWNER[:17] + "x"):
        assert wire.ask("0100", wire.inquiry(("ID", person))).tags == whole.tags


def test_an_employer_by_its_credit_code(wire: Wire) -> None:
    answer = wire.ask("0100", wire.inquiry(("ID", EMPLOYER)))
    assert answer.code == "00" and answer.tags[0] == ("NM", "余杭某某有限公司")
    assert dict(answer.tags)["BL"][:20] in EMPLOYED


def bills_of(answer: Answer) -> list[str]:
    return [value[:20] for name, value in answer.tags if name == "BL"]


def test_pages(wire: Wire) -> None:
    """15 bills fill the 999 bytes: NM 13, NB 8, PG 25, BL 60 each."""
    asked = wire.inquiry(("ID", PAGED_ID), de4="000000000009")
    first = wire.ask("0100", asked).fits(asked, "00", "0110", ["NM", "NB", *["BL"] * 15, "PG"])
    assert bills_of(first) == PAGED[:15] and first.tag("PG") == PAGED[14] and first.tag("NB") == f"{PAGED_BILLS:03d}"
    assert first.tags[2][1] == bl(PAGED[0], 1000)
    asked = wire.inquiry(("ID", PAGED_ID), ("PG", PAGED[14]))
    second = wire.ask("0100", asked).fits(asked, "00", "0110", ["NM", "NB", *["BL"] * 15])
    assert bills_of(second) == PAGED[15:] and second.tag("NB") == f"{PAGED_BILLS:03d}"
    asked = wire.inquiry(("PG", PAGED[-2]), ("ID", PAGED_ID))
    last = wire.ask("0100", asked).fits(asked, "00", "0110", ["NM", "NB", "BL"])
    assert bills_of(last) == PAGED[-1:]
    asked = wire.inquiry(("ID", PAGED_ID), ("PG", PAGED[-1]))
    after = wire.ask("0100", asked)
    assert after.code == "00" and [t for t in after.tags if t[0] != "MS"] == [("NM", "欧阳娜娜"), ("NB", "030")]
    asked = wire.inquiry(("ID", PAGED_ID), ("PG", "0" * 20))
    assert bills_of(wire.ask("0100", asked)) == PAGED[:15]


def test_a_paid_bill_leaves_the_pages_and_comes_back(desk: Desk) -> None:
    with desk.wire("icbc") as wire:
        pay = wire.payment(PAGED[3], 1003)
        assert wire.ask("0200", pay).code == "00"
        answer = wire.ask("0100", wire.inquiry(("ID", PAGED_ID)))
        assert bills_of(answer) == [*PAGED[:3], *PAGED[4:16]] and answer.tag("NB") == "029"
        assert wire.ask("0400", wire.reversal(pay)).code == "00"
        assert bills_of(wire.ask("0100", wire.inquiry(("ID", PAGED_ID)))) == PAGED[:15]


def test_nothing_outstanding(wire: Wire) -> None:
    asked = wire.inquiry(de2=HOLDER_CARD)
    answer = wire.ask("0100", asked)
    assert [t for t in answer.tags if t[0] != "MS"] == [("NM", "无账单"), ("NB", "000")]
    answer.fits(asked, "00", "0110", [name for name, _ in answer.tags])
    asked = wire.inquiry(("ID", STRANGER))
    answer = wire.ask("0100", asked)
    assert [t for t in answer.tags if t[0] != "MS"] == [("NB", "000")], "a name that is not known: no NM"
    answer.fits(asked, "00", "0110", [name for name, _ in answer.tags])


def test_names_come_back_character_by_character(desk: Desk, wire: Wire) -> None:
    raw = {"𠮷野": "9534b235d2b0", "葛曾䮌": "b8f0d4f88234cf39", "䶮": "fe9f"}
    for bill, (payer, name) in RARE.items():
        for asked in (wire.inquiry(("BN", bill)), wire.inquiry(("ID", payer))):
            answer = wire.ask("0100", asked)
            assert answer.tag("NM") == name
            whole = bytes.fromhex(raw.get(name, name.encode("gb18030").hex()))
            assert answer.fields[48].startswith(b"NM%03d" % len(whole) + whole)  # type: ignore[union-attr]
            assert b"\xa1\xa4" in whole or "·" not in name
        pay = wire.payment(bill, FEN)
        assert wire.ask("0200", pay).tag("NM") == name
        assert wire.ask("0400", wire.reversal(pay)).code == "00"


def test_what_can_not_be_paid(desk: Desk, wire: Wire) -> None:
    def refused(bill: str, code: str, *tags: str) -> Answer:
        asked = wire.inquiry(("BN", bill), ("ID", STRANGER), de4="000000000003", de2=NO_CARD)
        answer = wire.ask("0100", asked).fits(asked, code, "0110", tags)
        assert 0 < len(answer.tag("MS").encode("gb18030")) <= 60
        return answer

    unknown = bill_number(555_555)
    text = refused(unknown, "25", "MS").tag("MS")
    check = refused(unknown[:19] + str((int(unknown[19]) + 1) % 10), "25", "MS").tag("MS")
    assert "校验" in check and check != text
    assert refused(WITHDRAWN, "B2", "MS").tag("MS") != refused(EXPIRED[2], "B2", "MS").tag("MS")
    bill = desk.bill()
    pay = wire.payment(bill, FEN)
    receipt = wire.ask("0200", pay).tag("RN")
    own = refused(bill, "B1", "PB", "PT", "RN", "MS")
    when = datetime.now(CST).strftime("%Y") + str(pay[7])
    assert own.tags[:3] == [("PB", wire.bank), ("PT", when), ("RN", receipt)]
    with desk.wire("rcb" if wire.bank != "rcb" else "boc") as other:
        asked = other.inquiry(("BN", bill))
        answer = other.ask("0100", asked).fits(asked, "B1", "0110", ["PB", "PT", "MS"])
        assert answer.tag("PB") == wire.bank


def test_owner_only(desk: Desk, wire: Wire) -> None:
    def pay(bill: str, code: str, *pairs: tuple[str, str], **more: str) -> None:
        asked = wire.payment(bill, FEN, *pairs, **more)
        if code == "00":
            wire.ask("0200", asked).fits(asked, "00", "0210", ["RN", "NM", "MS"], de15=today(), de38="*")
        else:
            wire.ask("0200", asked).fits(asked, code, "0210", ["MS"])

    bill, firm = next(desk.owned), next(desk.employed)
    pay(bill, "B3", ("ID", STRANGER))
    pay(bill, "B3", de2=HOLDER_CARD)
    pay(bill, "B3", ("ID", OWNER), de2=HOLDER_CARD)
    pay(bill, "B3", ("ID", STRANGER), de2=OWNER_CARD)
    pay(firm, "B3", ("ID", OWNER))
    pay(firm, "00", ("ID", EMPLOYER))
    pay(bill, "00", ("ID", OWNER[:17] + "x"), de2=OWNER_CARD)
    pay(next(desk.owned), "00")  # neither is given: not judged


def test_an_expired_bill_is_judged_by_de7s_date(wire: Wire) -> None:
    """An inquiry of a day that is still payable shows the bill; its DE7 may be a day old."""
    earlier = datetime.now(CST) - timedelta(hours=23)
    if earlier.date() == datetime.now(CST).date():
        earlier = earlier.replace(hour=0, minute=0, second=0) - timedelta(seconds=1)
    asked = wire.inquiry(("BN", EXPIRED[3])) | {7: earlier.strftime("%m%d%H%M%S")}
    wire.ask("0100", asked).fits(asked, "00", "0110", ONE, de4=f"{FEN:012d}")
