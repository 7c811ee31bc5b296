"""Two people decide about exceptions, by command; after every step the books are proved, every sum worked out anew."""

from __future__ import annotations

from typing import Any

import pytest
from shebao_clerks import WHY, D, approve, decide, listed, only, propose, run, run_day, status_of, strange
from shebao_sums import balance

from shebao.codecs.columns import StatementLine


@pytest.fixture
def day(any_bureau: Any) -> Any:
    """Closed, its bank's file read: one more payment than ours, one less, one reversed there, one of another amount."""
    bureau = any_bureau
    paid = {name: bureau.pay("icbc") for name in ("fine", "lost", "amount", "undone", "twice", "reversed")}
    bureau.undo(paid["undone"])
    bureau.only = bureau.bill()
    bureau.paid = paid
    bureau.close("icbc")

    def plant(lines: list[StatementLine]) -> list[StatementLine]:
        of = {name: next(o for o in lines if o.kind == "P" and o.stan == p.stan) for name, p in paid.items()}
        kept = [o for o in lines if o not in (of["lost"], of["amount"]) and o.kind == "P"]
        undo = of["reversed"]._replace(
            kind="R", stan="999998", original_moment=of["reversed"].moment, original_stan=of["reversed"].stan
        )
        return [*kept, of["twice"], of["amount"]._replace(amount=12005), strange(of["fine"], bureau.only), undo]

    bureau.deliver("icbc", D, plant)
    bureau.next_day()
    assert run(bureau)["exceptions_open"] == 6
    return bureau


def test_pay_puts_the_banks_money_onto_its_bill(day: Any) -> None:
    item = only(day, **{"class": "BANK_ONLY"})
    propose(day, item["id"], "pay")
    assert only(day, id=item["id"])["state"] == "PROPOSED"
    assert status_of(day, day.only) == "OUTSTANDING"
    approve(day, item["id"])
    assert status_of(day, day.only) == "PAID"
    assert not [one for one in listed(day) if one["id"] == item["id"]]
    assert run(day)["classes"]["BANK_ONLY"] == 1  # a decided item keeps its class
    # it counts as the bank's approved payment: told again as an advice, its receipt comes back
    ((receipt, kind, moment),) = day.rows("SELECT receipt, kind, moment FROM payment WHERE stan = '999999'")
    assert (kind, receipt[:6]) == ("booked", "261124")
    again = day.request("icbc", "advice", "0220", day.only, 12000, str(moment))
    again = again._replace(trace=moment % 10**12 * 10**6 + 999999, stan="999999")
    before = balance(day, "clearing:icbc")
    assert day.ask(again) == ["00"]
    assert balance(day, "clearing:icbc") == before
    decide(day, item["id"], "undo")
    assert status_of(day, day.only) == "OUTSTANDING"
    assert only(day, id=item["id"])["state"] == "OPEN"


def test_the_same_person_can_not_approve(day: Any) -> None:
    """C77"""
    told = only(day, **{"class": "BANK_ONLY"})["id"]
    propose(day, told, "pay", by="zhang")
    for name in ("zhang", "Zhang", "zhang ", "ｚｈａｎｇ", "ZHANG", "Zh ang"):
        assert "another person" in approve(day, told, code=3, by=name).output
        assert day.type("reject", told, "--operator", name, *WHY).exit_code == 3
    approve(day, told, by="li")
    assert "APPROVED" in approve(day, told, code=3, by="wang").output


def test_an_approval_is_checked_again_and_the_proposal_stays(day: Any) -> None:
    """C77"""
    told = only(day, **{"class": "BANK_ONLY"})["id"]
    propose(day, told, "pay")
    day.pay("boc", bill=day.only)
    said = approve(day, told, code=3).output
    assert "PAID by boc" in said and "suspense" in said
    assert only(day, id=told)["state"] == "PROPOSED"
    assert day.type("reject", told, "--operator", "复核乙", *WHY).exit_code == 0
    assert approve(day, told, code=3).output.count("REJECTED") == 1
    decide(day, told, "suspense")
    held = only(day, **{"class": "SUSPENSE"})
    assert (held["amount"], held["date"]) == (12000, "2026-11-23")
    other = day.bill()
    decide(day, held["id"], "pay", "--bill", other)
    assert status_of(day, other) == "PAID" and not balance(day, "suspense:icbc")
    decide(day, held["id"], "undo")
    assert status_of(day, other) == "OUTSTANDING"
    decide(day, held["id"], "return")
    decide(day, held["id"], "undo")
    decide(day, held["id"], "return", "--reference", "TR-1")
    assert balance(day, "special:icbc") == -12000
    decide(day, held["id"], "undo")
    decide(day, told, "undo")
    assert only(day, id=told)["state"] == "OPEN"


def test_reverse_follows_the_bank(day: Any) -> None:
    lost = only(day, **{"class": "LEDGER_ONLY"})
    state = [one for one in listed(day) if one["class"] == "STATE_DIFFERS" and one["proposal"] == "reverse"]
    for one, bill in ((lost, day.paid["lost"].bill), (state[0], day.paid["reversed"].bill)):
        decide(day, one["id"], "reverse")
        assert status_of(day, bill) == "OUTSTANDING"
        decide(day, one["id"], "undo")
        assert status_of(day, bill) == "PAID"
        decide(day, one["id"], "reverse")
    assert run(day)["classes"]["LEDGER_ONLY"] == 1


def test_state_differs_with_the_banks_side_live_is_paid(day: Any) -> None:
    (one,) = (o for o in listed(day) if o["class"] == "STATE_DIFFERS" and o["proposal"] == "pay")
    assert status_of(day, one["bill"]) == "OUTSTANDING"
    decide(day, one["id"], "pay")
    assert status_of(day, one["bill"]) == "PAID"


def test_amount_differs(day: Any) -> None:
    one = only(day, **{"class": "AMOUNT_DIFFERS"})
    decide(day, one["id"], "suspense")  # the bank's is higher: the difference
    assert only(day, **{"class": "SUSPENSE"})["amount"] == 5
    decide(day, one["id"], "undo")
    decide(day, one["id"], "reverse")
    assert only(day, **{"class": "SUSPENSE"})["amount"] == 12005
    assert status_of(day, one["bill"]) == "OUTSTANDING"
    decide(day, one["id"], "undo")
    assert status_of(day, one["bill"]) == "PAID"
    decide(day, one["id"], "accept")


def test_all_decided_the_date_is_reconciled_and_settles_with_its_money(day: Any) -> None:
    actions = {"BANK_ONLY": "pay", "LEDGER_ONLY": "reverse", "AMOUNT_DIFFERS": "accept", "DUPLICATE": "return"}
    for one in listed(day):
        decide(day, one["id"], actions.get(one["class"], one["proposal"]))
    assert run(day) == {
        "bank": "icbc", "date": "2026-11-23", "state": "RECONCILED", "exceptions_open": 0,
        "classes": {"DUPLICATE": 1, "AMOUNT_DIFFERS": 1, "STATE_DIFFERS": 2, "OTHER_DATE": 0, "MATCHED": 2,
                    "BANK_ONLY": 1, "LEDGER_ONLY": 1},
    }  # fmt: skip
    (line,) = (one for one in day.told("funds", "--bank", "icbc"))
    assert line["due"] == line["missing"] > 0
    amount = f"{line['due'] // 100}.{line['due'] % 100:02d}"
    words = ("receive", "--bank", "icbc", "--date", "2026-11-23", "--amount", amount, "--reference", "R-1",
             "--received-on", "2026-11-24", "--operator", "经办甲")  # fmt: skip
    told = day.told(*words)["id"]
    assert day.told(*words)["id"] == told  # the same again: no effect
    assert day.type(*words[:6], "1.00", *words[7:]).exit_code == 3
    approve(day, told)
    assert run(day)["state"] == "SETTLED"
    cancel = day.told("receive", "--bank", "icbc", "--cancel", "R-1", "--operator", "经办甲")["id"]
    approve(day, cancel)
    assert run(day)["state"] == "RECONCILED"
    assert day.told(*words)["id"] != told


def test_what_is_carried_opens_again_after_seven_dates_though_nobody_runs_one(bureau: Any) -> None:
    bureau.pay("icbc")
    run_day(bureau, lambda lines: [])
    decide(bureau, "icbc-1", "carry")
    for left in range(7, -1, -1):
        assert (only(bureau)["state"] == "CARRIED") == (left > 0)
        assert bureau.told("funds", "--bank", "icbc")[0]["state"] == ("RECONCILED" if left else "CLOSED")
        bureau.close("icbc")
        bureau.next_day()
    decide(bureau, "icbc-1", "carry")
    assert only(bureau)["state"] == "CARRIED"
