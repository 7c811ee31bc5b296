"""What a later file, or another file for a date, does to exceptions that were decided already (section 5)."""

from __future__ import annotations

from typing import Any

import pytest
from shebao_clerks import WHY, D, approve, decide, listed, only, propose, run, run_day, status_of, strange
from shebao_sums import balance, check, differences, due

from shebao.codecs.columns import StatementLine
from shebao.ledger.day import add_days


@pytest.fixture
def paid(bureau: Any) -> Any:
    """A day whose bank had one payment more than ours; it was paid onto its bill by decision."""
    bureau.fine = bureau.pay("icbc")
    bureau.only = bureau.bill()
    run_day(bureau, lambda lines: [*lines, strange(lines[0], bureau.only)])
    bureau.told_id = only(bureau)["id"]
    decide(bureau, bureau.told_id, "pay")
    return bureau


def replace(bureau: Any, change: Any) -> dict[str, Any]:
    """Another file, asked for by one and approved by another, then run."""
    bureau.deliver("icbc", D, change)
    assert bureau.type("run", "--bank", "icbc", "--date", str(D)).exit_code == 3
    told = bureau.told("run", "--bank", "icbc", "--date", str(D), "--replace", "--operator", "经办甲", *WHY)["id"]
    approve(bureau, told)
    assert run_state(bureau) == "CLOSED"
    return run(bureau)


def run_state(bureau: Any) -> str:
    return bureau.rows(f"SELECT state FROM day WHERE book_id = 200 AND date = {D}")[0][0]


def test_a_line_that_vanished_under_a_booked_decision_is_ledger_only(paid: Any) -> None:
    """C75"""
    assert run_state(paid) == "RECONCILED"
    told = replace(paid, list)
    assert (told["classes"]["LEDGER_ONLY"], told["classes"]["BANK_ONLY"], told["exceptions_open"]) == (1, 0, 1)
    item = only(paid, id=paid.told_id)
    assert (item["class"], item["state"], item["ledger"]["amount"], item["bank_line"]) == (
        "LEDGER_ONLY", "OPEN", 12000, {},
    )  # fmt: skip
    assert run(paid) == told
    decide(paid, paid.told_id, "reverse")
    assert status_of(paid, paid.only) == "OUTSTANDING"
    assert run(paid)["state"] == "RECONCILED"


def test_a_line_that_changed_under_a_booked_decision_differs_in_amount(paid: Any) -> None:
    """C75"""
    told = replace(paid, lambda lines: [*lines, strange(lines[0], paid.only, amount=11900)])
    assert (told["classes"]["AMOUNT_DIFFERS"], told["classes"]["BANK_ONLY"]) == (1, 0)
    item = only(paid, id=paid.told_id)
    assert (item["class"], item["amount"], item["ledger"]["amount"]) == ("AMOUNT_DIFFERS", 11900, 12000)
    assert run(paid) == told
    decide(paid, paid.told_id, "reverse")
    assert only(paid, **{"class": "SUSPENSE"})["amount"] == 11900
    assert status_of(paid, paid.only) == "OUTSTANDING"


def test_equal_lines_keep_their_decisions(paid: Any) -> None:
    """C75"""
    before = paid.rows("SELECT COUNT(*), SUM(amount) FROM transfer")
    told = replace(paid, lambda lines: [strange(lines[0], paid.only), *lines])
    assert (told["state"], told["exceptions_open"], told["classes"]["BANK_ONLY"]) == ("RECONCILED", 0, 1)
    assert paid.rows("SELECT COUNT(*), SUM(amount) FROM transfer") == before


def test_the_line_that_had_vanished_is_back(paid: Any) -> None:
    replace(paid, list)
    told = replace(paid, lambda lines: [*lines, strange(lines[0], paid.only)])
    assert (told["state"], told["exceptions_open"]) == ("RECONCILED", 0)
    assert not listed(paid)


def test_a_file_that_was_replaced_may_come_back_twice(paid: Any) -> None:
    """Each time it is a new proposal: the one that was approved for the same file earlier is over."""
    replace(paid, list)
    replace(paid, lambda lines: [*lines, strange(lines[0], paid.only)])
    assert replace(paid, list)["classes"]["LEDGER_ONLY"] == 1


def test_a_replacement_that_was_approved_can_be_taken_back_before_it_is_run(paid: Any) -> None:
    """The file that is accepted is asked for as any other, and its decisions stand."""
    before, asked = run(paid), ("run", "--bank", "icbc", "--date", str(D), "--replace", "--operator", "甲", *WHY)
    assert paid.type(*asked).exit_code == 3  # it is the one that is accepted
    paid.deliver("icbc", D, lambda lines: [])
    approve(paid, paid.told(*asked)["id"])
    paid.deliver("icbc", D, lambda lines: [*lines, strange(lines[0], paid.only)])
    assert paid.type("run", "--bank", "icbc", "--date", str(D)).exit_code == 3
    approve(paid, paid.told(*asked)["id"])
    assert run_state(paid) == "CLOSED" and run(paid) == before
    assert run_state(paid) == "RECONCILED"
    assert paid.type(*asked).exit_code == 3  # nothing is to be taken back any more


def test_a_replacement_needs_a_reason_and_another_person_and_its_own_file(paid: Any) -> None:
    asked = ("run", "--bank", "icbc", "--date", str(D), "--replace", "--operator", "甲")
    assert paid.type(*asked).exit_code == 2
    assert paid.type(*asked, *WHY).exit_code == 3  # the accepted file itself
    paid.deliver("icbc", D, list)
    told = paid.told(*asked, *WHY)["id"]
    assert paid.told(*asked, *WHY)["id"] == told
    approve(paid, told, code=3, by=" 甲")
    approve(paid, told)
    assert paid.type("status").exit_code == 1
    paid.deliver("icbc", D, lambda lines: [*lines, lines[0]])  # a third file
    assert "is to be replaced" in paid.type("run", "--bank", "icbc", "--date", str(D)).output
    assert run_state(paid) == "CLOSED"


def undoing(line: StatementLine, date: int) -> StatementLine:
    return line._replace(
        date=date, kind="R", stan="888888", rrn="", moment=f"{date}100000", original_moment=line.moment,
        original_stan=line.stan,
    )  # fmt: skip


def test_what_the_bank_takes_back_later_opens_a_booked_decision_again(paid: Any) -> None:
    only_line = strange(paid.our_lines("icbc", D)[0], paid.only)
    told = run_day(paid, date=D + 1, change=lambda lines: [*lines, undoing(only_line, D + 1)])
    assert (told["exceptions_open"], sum(told["classes"].values())) == (0, 0)
    item = only(paid, id=paid.told_id)
    assert (item["state"], item["proposal"], run_state(paid)) == ("OPEN", "undo", "CLOSED")
    for date in (D + 1, D):  # a run again forgets nothing of it
        run(paid, date=date)
        assert (only(paid, id=paid.told_id), run_state(paid)) == (item, "CLOSED")
    decide(paid, paid.told_id, "undo")
    assert status_of(paid, paid.only) == "OUTSTANDING"
    assert [due(paid, 200, date) for date in (D, D + 1)] == [24000, -12000]  # it answers the later line
    assert not differences(paid, 200, D) and not differences(paid, 200, D + 1)
    decide(paid, paid.told_id, "accept")
    assert run_state(paid) == "RECONCILED"


def test_what_the_bank_was_asked_to_return_and_does_stays_decided(bureau: Any) -> None:
    bureau.pay("icbc")
    assert run_day(bureau, lambda lines: [*lines, lines[0]])["classes"]["DUPLICATE"] == 1
    decide(bureau, only(bureau)["id"], "return")
    twice = bureau.our_lines("icbc", D)[0]
    assert run_day(bureau, date=D + 1, change=lambda lines: [*lines, undoing(twice, D + 1)])["state"] == "SETTLED"
    assert not listed(bureau)


def test_what_is_carried_opens_again_after_seven_dates_or_closes_by_a_later_file(bureau: Any) -> None:
    lost, late = bureau.pay("icbc"), bureau.pay("icbc")
    run_day(bureau, lambda lines: [])
    lines = bureau.our_lines("icbc", D)
    for one in listed(bureau):
        decide(bureau, one["id"], "carry")
    assert run(bureau)["state"] == "RECONCILED"
    date = D + 1
    told = run_day(bureau, date=date, change=lambda now: [*now, lines[1]._replace(date=date)])
    assert told["classes"]["OTHER_DATE"] == 1
    assert [one["bill"] for one in listed(bureau)] == [lost.bill] and late.bill == lines[1].bill
    for n in range(2, 8):
        date = add_days(D, n)
        assert only(bureau)["state"] == "CARRIED"
        run_day(bureau, date=date)
    assert only(bureau)["state"] == "OPEN"
    decide(bureau, only(bureau)["id"], "reverse")
    assert status_of(bureau, lost.bill) == "OUTSTANDING"


def test_a_reversed_payment_that_the_bank_lists_after_all_is_open_again(bureau: Any) -> None:
    lost = bureau.pay("icbc")
    run_day(bureau, lambda lines: [])
    told = only(bureau)["id"]
    decide(bureau, told, "reverse")
    line = bureau.our_lines("icbc", D)[0]
    run_day(bureau, date=D + 1, change=lambda now: [*now, line._replace(date=D + 1)])
    item = only(bureau, id=told)
    assert (item["class"], item["state"], item["proposal"]) == ("STATE_DIFFERS", "OPEN", "undo")
    decide(bureau, told, "undo")
    assert status_of(bureau, lost.bill) == "PAID"
    decide(bureau, told, "accept")


def test_a_late_reversal_is_joined_by_the_banks_own_line(bureau: Any) -> None:
    first = bureau.pay("icbc")
    assert run_day(bureau)["state"] == "RECONCILED"
    late = bureau.undo(first, code="R2")
    item = only(bureau)
    assert item["class"] == "LATE_REVERSAL"
    line = bureau.our_lines("icbc", D)[0]
    told = run_day(bureau, date=D + 1, change=lambda now: [*now, undoing(line, D + 1)._replace(
        moment=str(late.moment), stan=late.stan)])  # fmt: skip
    assert (told["exceptions_open"], sum(told["classes"].values())) == (1, 0)
    decide(bureau, item["id"], "reverse")
    assert status_of(bureau, first.bill) == "OUTSTANDING"
    assert run(bureau, date=D + 1)["state"] == "RECONCILED"


def test_a_line_that_changes_twice_under_a_booked_decision(paid: Any) -> None:
    """C75: what was booked stays the ledger's side, whatever comes after."""
    for amount in (11900, 11800, 12100):
        replace(paid, lambda lines, fen=amount: [*lines, strange(lines[0], paid.only, amount=fen)])
        item = only(paid, id=paid.told_id)
        assert (item["class"], item["amount"], item["ledger"]["amount"]) == ("AMOUNT_DIFFERS", amount, 12000)
    replace(paid, list)
    assert only(paid, id=paid.told_id)["class"] == "LEDGER_ONLY"
    told = replace(paid, lambda lines: [*lines, strange(lines[0], paid.only)])
    assert (told["state"], told["exceptions_open"], told["classes"]["BANK_ONLY"]) == ("RECONCILED", 0, 1)


def test_an_accepted_booking_that_is_undone_again_still_waits(paid: Any) -> None:
    """Undoing the later decision leaves the booking of the first one, so the item is no item that closes by itself."""
    replace(paid, list)
    decide(paid, paid.told_id, "accept")
    assert run(paid)["state"] == "RECONCILED"
    decide(paid, paid.told_id, "undo")
    item = only(paid, id=paid.told_id)
    assert (item["state"], item["class"]) == ("OPEN", "LEDGER_ONLY")
    assert run(paid)["exceptions_open"] == 1
    decide(paid, paid.told_id, "reverse")
    assert status_of(paid, paid.only) == "OUTSTANDING"


def test_a_carried_line_that_goes_and_comes_back_is_not_decided(bureau: Any) -> None:
    bureau.only = bureau.bill()
    bureau.pay("icbc")
    run_day(bureau, lambda lines: [*lines, strange(lines[0], bureau.only)])
    told = only(bureau)["id"]
    decide(bureau, told, "carry")
    replace(bureau, list)
    assert not listed(bureau)
    replace(bureau, lambda lines: [*lines, strange(lines[0], bureau.only)])
    assert only(bureau, id=told)["state"] == "OPEN"


def test_a_file_is_put_back_that_was_replaced(paid: Any) -> None:
    """The same replacement asked for again is a new one, once the first was done."""
    first = replace(paid, list)
    replace(paid, lambda lines: [*lines, lines[0]])
    assert replace(paid, list) == first


def test_the_banks_line_of_a_late_reversal_goes_and_comes_back(bureau: Any) -> None:
    """What the line answered is open again without it, and every date's statement holds (`run` checks it)."""
    first = bureau.pay("icbc")
    run_day(bureau)
    late = bureau.undo(first, code="R2")
    line = bureau.our_lines("icbc", D)[0]
    told = undoing(line, D)._replace(moment=str(late.moment), stan=late.stan)
    item = only(bureau)["id"]
    replace(bureau, lambda lines: [*lines, told])
    decide(bureau, item, "reverse")
    assert run(bureau)["state"] == "SETTLED"  # nothing is due
    replace(bureau, list)
    assert only(bureau, id=item)["state"] == "OPEN"
    run(bureau)
    decide(bureau, item, "undo")
    decide(bureau, item, "accept")
    assert run(bureau)["state"] == "RECONCILED"
    run_day(bureau, date=D + 1, change=lambda lines: [*lines, told._replace(date=D + 1)])
    assert only(bureau, id=item)["state"] == "OPEN"  # accepted, and then the bank's own line shows it paid out
    # told once more: an item of its own
    run_day(bureau, date=D + 2, change=lambda lines: [*lines, told._replace(date=D + 2)])
    assert {one["class"] for one in listed(bureau)} == {"LATE_REVERSAL", "DUPLICATE"}
    decide(bureau, item, "reverse")
    assert status_of(bureau, first.bill) == "OUTSTANDING"


def test_a_late_reversal_is_not_answered_any_more_when_the_banks_line_vanishes(bureau: Any) -> None:
    first = bureau.pay("icbc")
    run_day(bureau)
    late = bureau.undo(first, code="R2")
    item = only(bureau)
    line = undoing(bureau.our_lines("icbc", D)[0], D + 1)._replace(moment=str(late.moment), stan=late.stan)
    run_day(bureau, date=D + 1, change=lambda now: [*now, line])
    decide(bureau, item["id"], "reverse")
    bureau.deliver("icbc", D + 1)
    told = bureau.told("run", "--bank", "icbc", "--date", str(D + 1), "--replace", "--operator", "经办甲", *WHY)["id"]
    approve(bureau, told)
    run(bureau, date=D + 1)
    assert only(bureau, id=item["id"])["state"] == "OPEN"
    assert bureau.rows("SELECT answer_date, answer_fen FROM exception") == [(0, 0)]
    check(bureau)


@pytest.mark.parametrize(("action", "state"), [("return", "DECIDED"), ("suspense", "OPEN")])
def test_what_was_told_twice_and_decided_is_the_one_line_once_the_first_vanishes(
    bureau: Any, action: str, state: str
) -> None:
    """The due moves to the date of the line that is left, out of the ledger's; what was booked for it waits."""
    bureau.pay("icbc")
    run_day(bureau)
    line = bureau.our_lines("icbc", D)[0]
    told = run_day(bureau, date=D + 1, change=lambda now: [*now, line._replace(date=D + 1)])
    assert told["classes"]["DUPLICATE"] == 1
    decide(bureau, only(bureau)["id"], action)
    replace(bureau, lambda lines: [])
    for date in (D, D + 1, D):
        stored = bureau.rows("SELECT state, ledger_date, moved_fen FROM exception WHERE item_class <> 'SUSPENSE'")
        assert stored == [(state, D, line.amount)]
        check(bureau)
        run(bureau, date=date)


def test_what_was_booked_for_a_repeated_line_is_reversed_and_not_the_payment(bureau: Any) -> None:
    """Whatever was decided about it in between."""
    payment = bureau.pay("icbc")
    run_day(bureau, lambda lines: [*lines, lines[0]])
    told = only(bureau)["id"]
    decide(bureau, told, "suspense")
    replace(bureau, list)
    for action in ("accept", "undo", "reverse"):
        decide(bureau, told, action)
    assert (status_of(bureau, payment.bill), balance(bureau, "suspense:icbc")) == ("PAID", 0)
    assert run(bureau)["state"] == "RECONCILED"


def test_what_was_booked_in_parts_is_undone_part_by_part(bureau: Any) -> None:
    """The last part first; a mirror of one alone would leave the rest in suspense."""
    free = bureau.bill()
    bureau.pay("icbc")
    run_day(bureau, lambda lines: [*lines, strange(lines[0], free)])
    told = only(bureau)["id"]
    decide(bureau, told, "suspense")  # 120.00
    replace(bureau, lambda lines: [*lines, strange(lines[0], free, amount=12005)])
    decide(bureau, told, "suspense")  # 0.05 more
    replace(bureau, list)
    assert "undo first, once for each part" in propose(bureau, told, "reverse", code=3).stderr
    assert balance(bureau, "suspense:icbc") == -12005
    for left in (12000, 0):
        decide(bureau, told, "undo")
        assert balance(bureau, "suspense:icbc") == -left
    assert run(bureau)["state"] == "RECONCILED" and not differences(bureau, 200, D)


def test_a_part_booked_beside_a_payment_is_undone_before_that_is_reversed(bureau: Any) -> None:
    payment = bureau.pay("icbc")
    run_day(bureau, lambda lines: [lines[0]._replace(amount=12005)])
    told = only(bureau)["id"]
    decide(bureau, told, "suspense")
    replace(bureau, lambda lines: [lines[0]._replace(amount=11990)])
    propose(bureau, told, "reverse", code=3)
    decide(bureau, told, "undo")
    decide(bureau, told, "reverse")
    assert (status_of(bureau, payment.bill), balance(bureau, "suspense:icbc")) == ("OUTSTANDING", -11990)
    assert run(bureau)["state"] == "RECONCILED"


def test_a_difference_that_vanished_with_its_line_is_told_once(bureau: Any) -> None:
    """The difference that was booked, and the payment itself."""
    bureau.pay("icbc")
    run_day(bureau, lambda lines: [lines[0]._replace(amount=12005)])
    told = only(bureau)["id"]
    decide(bureau, told, "suspense")
    replace(bureau, lambda lines: [])
    found = {one["amount"]: one for one in listed(bureau) if one["class"] == "LEDGER_ONLY"}
    assert sorted(found) == [5, 12000] and found[5]["ledger"]["amount"] == 5
    decide(bureau, found[5]["id"], "reverse")
    decide(bureau, found[12000]["id"], "reverse")
    assert balance(bureau, "suspense:icbc") == balance(bureau, "clearing:icbc") == 0


def test_the_classes_of_the_date_before_follow_a_later_file(bureau: Any) -> None:
    bureau.pay("icbc")
    run_day(bureau, lambda lines: [])
    line = bureau.our_lines("icbc", D)[0]
    run_day(bureau, date=D + 1, change=lambda now: [*now, line._replace(date=D + 1)])
    rows = bureau.told("report", "--date", str(D))["tables"]["result"]
    (icbc,) = (row for row in rows if "icbc" in row["bank"])
    assert (icbc["LEDGER_ONLY"], icbc["OTHER_DATE"]) == (0, 1)


def test_what_is_carried_opens_again_whether_or_not_a_file_came(bureau: Any) -> None:
    bureau.pay("icbc")
    run_day(bureau, lambda lines: [])
    decide(bureau, only(bureau)["id"], "carry")
    for _ in range(7):
        assert only(bureau)["state"] == "CARRIED"
        bureau.close("icbc")
        bureau.next_day()
        assert bureau.type("run", "--bank", "icbc").exit_code == 5
    assert only(bureau)["state"] == "OPEN"
