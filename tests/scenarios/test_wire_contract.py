"""Each message of wire.md section 5, asked on a real line of each bank: the exact MTI, fields, DE48 and MAC position of
its reply, judged by a reading of the bytes that shares nothing with the switch's own."""

from __future__ import annotations

import pytest
from shebao_desk import BIG, FEN, LONE, TWO_PARTS, Desk, today
from shebao_wire import ECHO, Wire, frame

BIG_FEN = sum(fen for _, fen in TWO_PARTS)


def pay(wire: Wire, bill: str, fen: int = FEN, mti: str = "0200") -> tuple[dict, str]:  # type: ignore[type-arg]
    asked = wire.payment(bill, fen)
    return asked, wire.ask(mti, asked).fits(asked, "00", "0210", ["RN", "NM", "MS"], de15=today(), de38="*").tag("RN")


# -- network management ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mti", ["0800", "0801"])
@pytest.mark.parametrize("code", ["001", "301"])
def test_sign_on_again_and_echo(wire: Wire, mti: str, code: str) -> None:
    asked = wire.network(code)
    for _ in range(2):  # no key: answered anew each time
        wire.ask(mti, asked).fits(asked, "00", "0810")


def test_sign_off_is_answered_after_all_earlier_requests_and_undoes_the_sign_on(desk: Desk, wire: Wire) -> None:
    paid = [wire.payment(desk.bill(), FEN) for _ in range(5)]
    off, echo, again = wire.network("002"), wire.network("301"), wire.network("001")
    late = wire.payment(desk.bill(), FEN)
    after = [("0200", late), ("0800", echo), ("0800", again), ("0200", late)]
    told = [*(("0200", p) for p in paid), ("0801", off), *after]
    for mti, asked in told:
        wire.tell(mti, asked)
    answers = {}
    order = []
    for _ in told:
        answer = wire.hear()
        order.append((answer.fields[11], answer.code))
        answers[answer.fields[11], answer.code] = answer
    stans = [p[11] for p in paid]
    assert sorted(order[:5]) == sorted((stan, "00") for stan in stans), "payments before the sign-off"
    assert order[5:8] == [(off[11], "00"), (late[11], "58"), (echo[11], "00")]
    assert sorted(order[8:]) == sorted([(again[11], "00"), (late[11], "00")])
    answers[late[11], "58"].fits(late, "58", "0210")


def test_echo_is_served_before_sign_on_and_nothing_else(desk: Desk, wire: Wire) -> None:
    with desk.wire(wire.bank, sign_on=False) as line:
        echo = line.network("301")
        line.ask("0800", echo).fits(echo, "00", "0810")
        for mti, reply, asked in (
            ("0100", "0110", line.inquiry(("BN", LONE))),
            ("0200", "0210", line.payment(LONE, FEN)),
            ("0220", "0230", line.payment(LONE, FEN)),
            ("0400", "0410", line.reversal(line.payment(LONE, FEN))),
            ("0420", "0430", line.reversal(line.payment(LONE, FEN))),
        ):
            line.ask(mti, asked).fits(asked, "58", reply)
        totals = line.totals(today(), 0, 0, 0, 0)
        line.ask("0500", totals).fits(totals, "58", "0510", de15=today())
        same = line.network("201", de15=today())  # 0800 and 0801 are served, whatever they ask
        line.ask("0801", same).fits(same, "00", "0810", de15=today())
        line.ask("0820", same).fits(same, "58", "0830", de15=today())
        off = line.network("002")
        line.ask("0800", off).fits(off, "00", "0810")  # there is nothing to sign off: as before sign-on


def test_sign_on_is_per_line(desk: Desk, wire: Wire) -> None:
    with desk.wire(wire.bank, sign_on=False) as other:
        asked = other.inquiry(("BN", LONE))
        other.ask("0100", asked).fits(asked, "58", "0110")


def test_key_exchange_is_not_enabled_and_only_0800_asks_for_one(wire: Wire) -> None:
    asked = wire.network("101")
    wire.ask("0800", asked).fits(asked, "40", "0810")
    wire.ask("0801", asked).fits(asked, "12", "0810")


# -- payment, repeat, void, advice, reversal: the shapes ----------------------------------------------------


def test_payment_repeat_void_and_reversals_have_exactly_their_fields(desk: Desk, wire: Wire) -> None:
    bill = next(desk.big)
    asked = wire.payment(bill, BIG_FEN, de22="011", de25="00")
    first = wire.ask("0200", asked)
    first.fits(asked, "00", "0210", ["RN", "NM", "MS"], de15=today(), de38="*")
    receipt = first.tag("RN")
    assert first.tag("NM") == "俞丽华"
    for mti in ("0201", "0200"):
        assert wire.ask(mti, asked).tail == first.tail, "the same reply byte for byte"

    void = wire.void(asked, bill)
    voided = wire.ask("0200", void).fits(void, "00", "0210", ["RN", "MS"], de15=today())
    assert voided.tag("RN") == receipt
    assert wire.ask("0201", void).tail == voided.tail

    unvoid = wire.reversal(void)
    wire.ask("0400", unvoid).fits(unvoid, "00", "0410", de15=today())
    reversal = wire.reversal(asked)
    undone = wire.ask("0420", reversal).fits(reversal, "00", "0430", de15=today())
    for mti, reply in (("0421", "0430"), ("0400", "0410"), ("0401", "0410")):
        again = wire.ask(mti, reversal)
        assert (again.mti, again.tail) == (reply, undone.tail)

    advice = wire.payment(bill, BIG_FEN)
    taken = wire.ask("0220", advice).fits(advice, "00", "0230", ["RN", "MS"], de15=today())
    assert taken.tag("RN") != receipt
    again = wire.ask("0221", advice)
    assert (again.mti, again.tail) == ("0230", taken.tail)


def test_receipt_numbers_are_per_bank_without_a_gap_and_check(desk: Desk, wire: Wire) -> None:
    receipts = [pay(wire, desk.bill())[1] for _ in range(2)]
    bank = {"rcb": "01", "icbc": "02", "ccb": "03", "boc": "04"}[wire.bank]
    first, second = receipts
    assert first[2:6] == today() and first[6:10] == bank + "00"
    assert int(second[10:19]) == int(first[10:19]) + 1
    for receipt in receipts:
        p = 10
        for digit in receipt[:19]:
            p = ((p + int(digit)) % 10 or 10) * 2 % 11
        assert str((11 - p) % 10) == receipt[19], "ISO 7064 MOD 11,10"


def test_every_field_of_the_echo_comes_back_as_received_and_no_other(desk: Desk, wire: Wire) -> None:
    """DE70 in a payment moves the MAC to DE128 in both directions; the others of section 2's table are not echoed."""
    asked = wire.payment(desk.bill(), FEN, de2="62170012345678901", de22="012", de25="06", de33="123", de43="x" * 40)
    asked |= {41: " T  0-1 ", 42: "!~ a/B{}[]^`'\"\\"[:15].ljust(15)}
    asked |= {60: "q" * 99, 63: "", 70: "999", 100: "1", 102: "6217"}
    wire.ask("0200", asked).fits(asked, "00", "0210", ["RN", "NM", "MS"], de15=today(), de38="*")
    refused = {**asked, 11: wire.network("301")[11]}
    answer = wire.ask("0200", refused).fits(refused, "B1", "0210", ["PB", "PT", "RN", "MS"])
    assert set(answer.fields) == {*ECHO, 39, 48}


def test_a_secondary_bitmap_with_bit_128_alone_is_valid(desk: Desk, wire: Wire) -> None:
    asked = wire.payment(desk.bill(), FEN)
    body = wire.body("0200", asked, mac_field=128)
    wire.raw(frame(wire.bank, body))
    wire.hear().fits(asked, "00", "0210", ["RN", "NM", "MS"], de15=today(), de38="*")


def test_de38_tells_the_same_for_a_payment_told_again(desk: Desk, wire: Wire) -> None:
    bill = desk.bill()
    advice = wire.payment(bill, FEN)
    receipt = wire.ask("0220", advice).tag("RN")
    answer = wire.ask("0200", advice).fits(advice, "00", "0210", ["RN", "NM", "MS"], de15=today(), de38="*")
    assert answer.tag("RN") == receipt


# -- totals and cut-over -----------------------------------------------------------------------------------


def figures(wire: Wire, date: str) -> tuple[int, int, int, int]:
    """The switch's own, by asking with figures that are surely wrong."""
    asked = {**wire.totals(date, 9_999_999_999, 0, 0, 0)}
    answer = wire.ask("0500", asked)
    return tuple(int(str(answer.fields[n])) for n in (74, 86, 75, 87))  # type: ignore[return-value]


ALL_TOTALS = {f"de{n}": "*" for n in (74, 75, 76, 77, 86, 87, 88, 89, 97)}


@pytest.mark.parametrize(("mti", "reply"), [("0500", "0510"), ("0501", "0510"), ("0520", "0530"), ("0521", "0530")])
def test_totals_of_an_open_date(desk: Desk, wire: Wire, mti: str, reply: str) -> None:
    before = figures(wire, today())
    asked, _ = pay(wire, desk.bill())
    reversal = wire.reversal(asked)
    wire.ask("0400", reversal).fits(reversal, "00", "0410", de15=today())
    count, fen, back, back_fen = before
    now = count + 1, fen + FEN, back + 1, back_fen + FEN
    assert figures(wire, today()) == now, "gross: a reversed payment counts once in each"
    right = {**wire.totals(today(), *now), 66: "2"}  # DE66 in a request is ignored
    for _ in range(2):  # changes nothing, answered anew
        wire.ask(mti, right).fits(right, "00", reply, de15=today(), de66="1", **ALL_TOTALS)
    answer = wire.ask(mti, right)
    assert {n: answer.fields[n] for n in (*range(74, 78), *range(86, 90), 97)} == {
        n: right[n] for n in (*range(74, 78), *range(86, 90), 97)
    }
    for n, value in ((74, "9" * 10), (76, "0" * 9 + "1"), (89, "0" * 15 + "1"), (97, "D" + "0" * 16), (87, "9" * 16)):
        wrong = {**right, n: value}
        answer = wire.ask(mti, wrong).fits(wrong, "95", reply, de15=today(), de66="2", **ALL_TOTALS)
        assert answer.fields[n] == right[n], "the switch's own"
    wrong = {**right, 74: "9" * 10, 48: b"ZZ001x"}  # a refusal of what has DE48: with MS, and 95 is not excepted
    wire.ask(mti, wrong).fits(wrong, "95", reply, ["MS"], de15=today(), de66="2", **ALL_TOTALS)
    right[48] = b""
    wire.ask(mti, right).fits(right, "00", reply, de15=today(), de66="1", **ALL_TOTALS)


def test_voids_and_their_reversals_in_the_totals(desk: Desk, wire: Wire) -> None:
    before = figures(wire, today())
    bill = desk.bill()
    asked, _ = pay(wire, bill)
    void = wire.void(asked, bill)
    assert wire.ask("0200", void).code == "00"
    unvoid = wire.reversal(void)
    assert wire.ask("0400", unvoid).code == "00"
    count, fen, back, back_fen = before
    assert figures(wire, today()) == (count + 2, fen + 2 * FEN, back + 1, back_fen + FEN)
    suspense = wire.payment(bill, FEN)
    assert wire.ask("0220", suspense).code == "00"
    assert figures(wire, today()) == (count + 3, fen + 3 * FEN, back + 1, back_fen + FEN), "those in suspense too"


def test_totals_of_an_unknown_date(wire: Wire) -> None:
    for date in (today(-3), today(1), "0229"):
        asked = wire.totals(date, 0, 0, 0, 0)
        wire.ask("0500", asked).fits(asked, "30", "0510", de15=date, de44="015")


# -- what is never answered --------------------------------------------------------------------------------


def test_a_message_that_is_a_reply_is_never_answered_and_the_line_kept(desk: Desk, wire: Wire) -> None:
    name = f'shebao_rejected_frames_total{{bank="{wire.bank}",reason="reply"}}'
    before = desk.metrics()[name]
    replies = ["0110", "0210", "0230", "0310", "0410", "0430", "0510", "0530", "0610", "0810", "0830", "0240", "0290"]
    for mti in replies:
        wire.tell(mti, wire.payment(BIG[-1], BIG_FEN))
    echo = wire.network("301")
    wire.ask("0800", echo).fits(echo, "00", "0810")
    assert desk.metrics()[name] == before + len(replies)


@pytest.mark.parametrize(
    ("mti", "reply"),
    [("0300", "0310"), ("0302", "0312"), ("0203", "0212"), ("0820", "0830"), ("0222", "0232"), ("0000", "0010")],
)
def test_an_unknown_message_gets_12_with_its_own_mti(wire: Wire, mti: str, reply: str) -> None:
    asked = {**wire.payment(LONE, FEN), 70: "001"}
    wire.ask(mti, asked).fits(asked, "12", reply)


def test_not_enabled_yet_is_40_before_its_fields_are_looked_at(wire: Wire) -> None:
    for mti, reply, proc in (
        ("0100", "0110", "391000"),
        *(("0600", "0610", f"9{n}000{m}") for n, m in ((1, 0), (2, 0), (2, 1), (3, 0), (4, 0), (5, 0))),
        ("0601", "0610", "910000"),
    ):
        asked = {**wire.key_fields(), 3: proc, 48: b"ID003abc"}
        wire.ask(mti, asked).fits(asked, "40", reply)
    unknown = {**wire.key_fields(), 3: "960000"}
    wire.ask("0600", unknown).fits(unknown, "12", "0610")


# -- last, since it moves the banks' dates


def test_cut_over_by_the_bank(desk: Desk, wire: Wire) -> None:
    """Last in the module: it moves the bank's date."""
    for date in (today(2), today(-1)):
        asked = wire.network("201", de15=date)
        wire.ask("0800", asked).fits(asked, "30", "0810", de15=date, de44="015")
    same = wire.network("201", de15=today())
    wire.ask("0801", same).fits(same, "00", "0810", de15=today())
    before = figures(wire, today())
    asked, receipt = pay(wire, desk.bill())
    over = wire.network("201", de15=today(1))
    wire.ask("0800", over).fits(over, "00", "0810", de15=today(1))
    wire.ask("0820", over).fits(over, "00", "0830", de15=today(1))
    wire.ask("0821", over).fits(over, "00", "0830", de15=today(1))
    beyond = wire.network("201", de15=today(2))
    wire.ask("0820", beyond).fits(beyond, "30", "0830", de15=today(2), de44="015")
    back = wire.network("201", de15=today())
    wire.ask("0800", back).fits(back, "30", "0810", de15=today(), de44="015")

    bill = desk.bill()
    late = wire.payment(bill, FEN)
    answer = wire.ask("0200", late).fits(late, "00", "0210", ["RN", "NM", "MS"], de15=today(1), de38="*")
    assert answer.tag("RN")[2:6] == today(1) and answer.tag("RN")[10:19] == "000000001"
    again = wire.ask("0201", asked)
    assert again.fields[15] == today() and again.tag("RN") == receipt, "a repeat tells the date of the first"
    void = wire.void(asked, dict_bill(asked))
    wire.ask("0200", void).fits(void, "R2", "0210", ["MS"])
    reversal = wire.reversal(asked)
    wire.ask("0400", reversal).fits(reversal, "00", "0410", de15=today(1))  # the date open at its commit
    assert figures(wire, today()) == (before[0] + 1, before[1] + FEN, before[2], before[3])
    assert figures(wire, today(1)) == (1, FEN, 1, FEN)


def dict_bill(asked: dict) -> str:  # type: ignore[type-arg]
    return str(asked[48][-20:].decode())
