"""The bank core: each fate of an order ends as it should, in its own books and at the switch."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from shebao.codecs.dialect import load_dialect
from shebao.simulators import messages
from shebao.simulators.bank import TIMEOUT_S, Bank
from shebao.simulators.cases import AFTER_TIMEOUT, FATES, FORWARDED, MTI
from shebao.simulators.memory import Memory
from shebao.simulators.messages import Key, Order
from shebao.simulators.population import populate
from shebao.simulators.wire import Identity, Wire

ROOT = Path(__file__).resolve().parents[2]
TODAY = 20261125
BILLS = populate(1, 40, TODAY).bills


def order(n: int = 0, fate: str = "plain", contested: bool = False) -> Order:
    bill = BILLS[n]
    return Order(bill.number, bill.amount, TODAY * 1_000_000 + 93015 + n, fate=fate, contested=contested)


@pytest.fixture
def line(wired):  # type: ignore[no-untyped-def]
    wired.switch.bills = {bill.number: bill.amount for bill in BILLS}
    wired.connect()
    assert wired.bank.lines_up == 1
    return wired


def kinds(bank) -> list[str]:  # type: ignore[no-untyped-def]
    return [entry.kind for entry in bank.books.lines(TODAY)]


# Each fate: what the switch saw, and what stands in the bank's books.
OUTCOMES = [
    ("plain", ["0200 500000"], ["P"]),
    ("inquire", ["0100 390000", "0200 500000"], ["P"]),
    ("repeat", ["0200 500000", "0201 500000"], ["P"]),
    ("void", ["0200 500000", "0200 200000", "0200 500000"], ["P", "V", "P"]),
    ("undone", ["0200 500000", "0200 200000"], ["P", "V"]),
    ("lost", ["0200 500000", "0420 500000", "0200 500000"], ["P", "R", "P"]),
    ("late", ["0200 500000", "0420 500000", "0200 500000"], ["P", "R", "P"]),
    ("unvoid", ["0200 500000", "0200 200000", "0420 200000"], ["P", "V", "P"]),
    ("advice", ["0220 500000"], ["P"]),
    ("advice repeat", ["0220 500000", "0221 500000"], ["P"]),
    ("sure", ["0200 500000"], ["P"]),
    ("sure void", ["0200 500000", "0200 200000"], ["P", "V"]),
    ("back", ["0200 500000", "0420 500000"], ["P", "R"]),
]
GIVEN_BACK = {"undone", "sure void", "back"}


@pytest.mark.parametrize(("fate", "seen", "booked"), OUTCOMES)
def test_a_fate(line, fate, seen, booked) -> None:  # type: ignore[no-untyped-def]
    line.bank.offer(order(fate=fate), line.now)
    line.exchange()
    line.turn(TIMEOUT_S)
    assert line.switch.seen[1:] == seen
    assert kinds(line.bank) == booked
    assert line.bank.problems == [] and line.bank.open_cases == 0 and line.bank.done == 1
    assert (BILLS[0].number in line.switch.paid) == (fate not in GIVEN_BACK)


def test_every_fate_is_tried_above() -> None:
    assert {fate for fate, _, _ in OUTCOMES} == set(FATES)


def test_every_step_has_a_message_and_a_way_on() -> None:
    steps = {step.split(" ")[0] for steps in (*FATES.values(), *AFTER_TIMEOUT.values()) for step in steps}
    assert steps - {"repeat"} <= set(MTI)
    assert steps <= FORWARDED | set(AFTER_TIMEOUT)


def test_a_lost_payment_is_booked_with_its_reversal_without_receipt(line) -> None:  # type: ignore[no-untyped-def]
    line.bank.offer(order(fate="lost"), line.now)
    line.exchange()
    line.turn(TIMEOUT_S - 1)
    assert kinds(line.bank) == []
    line.turn(1)
    paid, undone, again = line.bank.books.lines(TODAY)
    assert paid.receipt == undone.receipt == "" and again.receipt
    assert (undone.original_moment, undone.original_stan) == (paid.moment, paid.stan)


def test_a_late_reply_tells_the_receipt(line) -> None:  # type: ignore[no-untyped-def]
    line.bank.offer(order(fate="late"), line.now)
    line.exchange()
    line.turn(TIMEOUT_S)
    assert line.bank.books.lines(TODAY)[0].receipt


def test_a_void_that_is_not_answered_is_undone_and_nothing_follows(line) -> None:  # type: ignore[no-untyped-def]
    line.bank.offer(order(fate="void"), line.now)
    (payment,) = line.bank.take()
    line.bank.received(1, line.switch.feed(1, payment.data), line.now)
    line.bank.take()  # the void goes out and is never seen
    line.turn(TIMEOUT_S)
    assert line.switch.seen[1:] == ["0200 500000", "0420 200000"]
    assert kinds(line.bank) == ["P"] and line.bank.problems == [] and line.bank.open_cases == 0


def test_a_reversal_advice_is_repeated_until_answered(line) -> None:  # type: ignore[no-untyped-def]
    line.switch.deaf = lambda mti: mti in ("0200", "0420", "0421")
    line.bank.offer(order(), line.now)
    line.exchange()
    for _ in range(4):
        line.turn(TIMEOUT_S)
    assert line.switch.seen[1:] == ["0200 500000", "0420 500000", "0421 500000", "0421 500000", "0421 500000"]
    line.switch.deaf = lambda mti: False
    line.turn(TIMEOUT_S)
    assert kinds(line.bank) == ["P", "R", "P"] and line.bank.open_cases == 0


def test_a_line_lost_with_payments_in_flight(line) -> None:  # type: ignore[no-untyped-def]
    line.switch.deaf = lambda mti: mti == "0200"
    line.bank.offer(order(0), line.now)  # taken in, the reply is lost with the line
    line.exchange()
    line.bank.offer(order(1), line.now)  # never arrives
    line.bank.take()
    line.bank.disconnected(1)
    line.bank.offer(order(2), line.now)  # collected without a line
    line.turn(TIMEOUT_S)
    assert line.bank.open_cases == 3 and kinds(line.bank) == []
    line.switch.deaf = lambda mti: False
    line.connect(2)
    line.turn(TIMEOUT_S)
    assert line.bank.open_cases == 0 and line.bank.problems == []
    assert sorted(kinds(line.bank)) == ["P", "P", "P", "P", "R"]  # the second was not found: no pair of it
    assert len(line.switch.paid) == 3
    assert "0220 500000" in line.switch.seen


def test_what_the_switch_could_not_do_is_tried_again(line) -> None:  # type: ignore[no-untyped-def]
    line.switch.code = lambda mti: "91"
    line.bank.offer(order(0), line.now)
    line.bank.offer(order(1, fate="advice"), line.now)
    line.exchange()
    line.turn(TIMEOUT_S)
    line.switch.code = lambda mti: ""
    line.turn(TIMEOUT_S)
    assert kinds(line.bank) == ["P", "P"] and line.bank.problems == []
    assert line.bank.codes["pay", "91"] == 2


def test_a_race_may_be_lost_but_only_where_there_is_one(line) -> None:  # type: ignore[no-untyped-def]
    line.switch.paid = {BILLS[0].number: "x", BILLS[1].number: "y"}
    line.bank.offer(order(0, contested=True), line.now)
    line.exchange()
    assert line.bank.problems == [] and line.bank.codes["pay", "B1"] == 1
    line.bank.offer(order(1), line.now)
    line.exchange()
    assert len(line.bank.problems) == 1 and "B1" in line.bank.problems[0]
    assert line.bank.open_cases == 0


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda reply: reply.update({11: "999999"}), "nothing that waits"),
        (lambda reply: reply.update({37: "000000000000"}), "field 37 is not given back"),
        (lambda reply: reply.pop(38, None), "field 38 is missing"),
        (lambda reply: reply.update({44: "048"}), "field 44 should not be there"),
        (lambda reply: reply.update({48: reply[48].replace("3236313132", "3236313133")}), "receipt"),
    ],
)
def test_a_wrong_reply_is_a_problem(line, spoil, word) -> None:  # type: ignore[no-untyped-def]
    line.switch.spoil = spoil
    line.bank.offer(order(), line.now)
    line.exchange()
    assert any(word in problem for problem in line.bank.problems), line.bank.problems


def test_a_repeat_that_brings_another_reply_is_a_problem(line) -> None:  # type: ignore[no-untyped-def]
    line.bank.offer(order(fate="repeat"), line.now)
    out = line.bank.take()
    line.bank.received(1, line.switch.feed(1, out[0].data), line.now)
    line.switch.stored = {key: tail[:-1] + b"!" for key, tail in line.switch.stored.items()}
    line.exchange()
    assert any("another reply" in problem or "field" in problem for problem in line.bank.problems)


def test_a_wrong_mac_is_a_problem(line) -> None:  # type: ignore[no-untyped-def]
    line.bank.offer(order(), line.now)
    (out,) = line.bank.take()
    answer = line.switch.feed(1, out.data)
    line.bank.received(1, answer[:-1] + bytes([answer[-1] ^ 1]), line.now)
    assert line.bank.problem_count == 1 and "MAC" in line.bank.problems[0]


def test_heartbeats_after_a_minute_of_silence(line) -> None:  # type: ignore[no-untyped-def]
    line.turn(59)
    line.bank.tick(line.now + 1)
    (beat,) = line.bank.take()
    assert beat.data == line.bank.wire.heartbeat
    line.bank.tick(line.now + 2)
    assert line.bank.take() == []


def test_an_advice_that_was_told_twice_may_be_answered_twice(line) -> None:  # type: ignore[no-untyped-def]
    line.bank.offer(order(fate="advice"), line.now)
    (first,) = line.bank.take()
    line.now += TIMEOUT_S
    line.bank.tick(line.now)
    (second,) = line.bank.take()
    for number, data in (first, second):
        line.bank.received(number, line.switch.feed(number, data), line.now)
    assert line.bank.problems == [] and kinds(line.bank) == ["P"]


def faulted(wired) -> Memory:  # type: ignore[no-untyped-def]
    memory = Memory()
    wired.bank = Bank(wired.bank.wire, lambda: TODAY * 1_000_000 + 93015, memory=memory)
    wired.connect()
    return memory


def test_a_payment_is_asked_for_again_until_it_is_done(line) -> None:  # type: ignore[no-untyped-def]
    """Silence, then 91, then the answer; one key all the while, and every further answer is compared."""
    memory = faulted(line)
    line.switch.deaf = lambda mti: mti == "0200"
    line.bank.offer(order(fate="sure"), line.now)
    line.exchange()
    line.switch.stored.clear()
    line.switch.paid.clear()
    line.switch.code = lambda mti: "91"
    line.turn(TIMEOUT_S)
    line.switch.code = lambda mti: ""
    line.turn(TIMEOUT_S)
    assert line.switch.seen[-3:] == ["0200 500000", "0201 500000", "0201 500000"]
    assert kinds(line.bank) == ["P"] and (memory.acknowledged, memory.not_done) == (1, 1)
    told: list[str] = []
    (paid,) = memory.take_fresh()
    line.bank.ask_again(paid, line.now, lambda reply, decoded: told.append(reply.code))
    line.exchange()
    line.switch.stored.clear()
    line.switch.spoil = lambda fields: fields.update({48: ""})
    assert told == ["00"] and not memory.contradicted
    line.bank.ask_again(paid, line.now, lambda reply, decoded: told.append(reply.code))
    line.exchange()
    assert memory.contradicted == [paid.wire_key]


def test_a_sign_on_that_was_not_heard_is_said_again(line) -> None:  # type: ignore[no-untyped-def]
    faulted(line)
    line.bank.disconnected(1)
    line.switch.deaf = lambda mti: mti == "0800"
    line.bank.connected(2, line.now)
    line.exchange()
    assert line.bank.lines_up == 0
    line.switch.deaf = lambda mti: False
    line.turn(TIMEOUT_S)
    assert line.bank.lines_up == 1 and not line.bank.problems


def test_totals_cut_over_and_sign_off(line) -> None:  # type: ignore[no-untyped-def]
    told: list[tuple[str, str]] = []

    def answer(reply, decoded) -> None:  # type: ignore[no-untyped-def]
        told.append((reply.code, decoded.fields.get(66, "")))

    for n in range(3):
        line.bank.offer(order(n), line.now)
    line.exchange()
    line.bank.ask_totals(TODAY, line.now, answer)
    line.exchange()
    line.bank.ask_network("201", line.now, answer, 20261126)
    line.exchange()
    line.bank.ask_network("002", line.now, answer)
    line.exchange()
    assert told == [("00", "1"), ("00", ""), ("00", "")]
    assert line.bank.lines_up == 0 and line.bank.problems == []
    line.bank.ask_network("301", line.now, lambda reply, decoded: told.append(("none", "")))
    assert told[-1] == ("none", "")


def test_random_days_leave_nothing_open(line) -> None:  # type: ignore[no-untyped-def]
    dice = random.Random(11)
    for n in range(len(BILLS)):
        line.bank.offer(order(n, dice.choice([fate for fate in FATES if fate not in GIVEN_BACK])), line.now)
    line.exchange()
    for _ in range(4):
        line.turn(TIMEOUT_S)
    assert line.bank.open_cases == line.bank.in_flight == 0 and line.bank.done == len(BILLS)
    assert line.bank.problems == []
    assert line.bank.books.totals(TODAY).net == sum(bill.amount for bill in BILLS)
    assert len(line.switch.paid) == len(BILLS)


@pytest.mark.parametrize("bank", ["rcb", "icbc", "ccb", "boc"])
@pytest.mark.parametrize("name", ["payment", "same-day void", "reversal advice", "payment advice, store and forward"])
def test_messages_are_the_golden_frames(bank: str, name: str) -> None:
    data = json.loads((ROOT / "tests" / "data" / "vectors" / f"{bank}.json").read_text(encoding="utf-8"))
    golden = next(message for message in data["messages"] if message["name"] == name)
    fields = golden["fields"]
    path = ROOT / "etc" / "dialects" / f"{bank}.toml"
    who = Identity(bank, "", "01", fields["32"], "33011000")
    wire = Wire(who, load_dialect(path.read_text(encoding="utf-8"), path.name), bytes.fromhex(data["mac_key"]))
    bill = dict(golden.get("de48", [])).get("BN", "")
    mine = Order(bill, int(fields["4"]), int("2026" + fields["7"]), terminal="TERM0001", branch="3301100000BR001")
    key, original = Key(mine.moment, fields["11"]), Key(20261123_093015, "000102")
    made = {
        "payment": lambda: messages.payment(who, mine, key),
        "same-day void": lambda: messages.void(who, mine, key, original),
        "reversal advice": lambda: messages.reversal(who, mine, key, original, "500000"),
        "payment advice, store and forward": lambda: messages.payment(who, mine, key),
    }[name]()
    made[37] = fields["37"]
    made = {number: value for number, value in made.items() if number not in (22, 25) or str(number) in fields}
    assert wire.pack(golden["mti"], made).hex().upper() == golden["frame"]
