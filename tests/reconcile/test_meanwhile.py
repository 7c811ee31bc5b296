"""What is proposed, and then something else happens before it is approved; and files that come while a run writes."""

from __future__ import annotations

from typing import Any

import pytest
from shebao_clerks import WHY, D, approve, decide, listed, only, propose, run, run_day, strange
from shebao_sums import balance, check

from shebao.reconcile import decisions
from shebao.reconcile import run as running
from shebao.reconcile.commands import desk_of

BY = ("--operator", "经办甲")
RUN = ("run", "--bank", "icbc", "--date", str(D))
REPLACE = (*RUN, "--replace", *BY, *WHY)


@pytest.fixture
def surplus(bureau: Any) -> Any:
    """A date for which the bank tells of one payment more than ours, of a bill that can be paid."""
    bureau.only = bureau.bill()
    bureau.pay("icbc")
    bureau.close("icbc")
    bureau.line = strange(bureau.our_lines("icbc", D)[0], bureau.only)
    bureau.deliver("icbc", D, lambda lines: [*lines, bureau.line])
    bureau.next_day()
    run(bureau)
    return bureau


@pytest.mark.parametrize("action", ["suspense", "pay", "pay onto another"])
def test_money_that_an_advice_brought_meanwhile_is_not_booked_again(surplus: Any, action: str) -> None:
    told = only(surplus)["id"]
    other = ("--bill", surplus.bill()) if action == "pay onto another" else ()
    propose(surplus, told, action.split()[0], *other)
    plain = surplus.request("icbc", "advice", "0220", surplus.only, 12000, surplus.line.moment)
    trace = int(surplus.line.moment[2:] + surplus.line.stan)
    assert surplus.ask(plain._replace(trace=trace, stan=surplus.line.stan)) == ["00"]
    done = approve(surplus, told, code=3)
    assert "the ledger has this money since" in done.stderr and "reconcile run --bank icbc" in done.stderr
    assert balance(surplus, "clearing:icbc") == 24000
    run(surplus)
    assert listed(surplus) == []  # it was of the next date, and is found there


def receive(bureau: Any, yuan: str) -> str:
    return str(bureau.told("receive", "--bank", "icbc", "--date", str(D), "--amount", yuan, "--reference", "TR-1",
                           "--received-on", "2026-11-24", *BY)["id"])  # fmt: skip


def cancel(bureau: Any, by: str) -> str:
    return str(bureau.told("receive", "--bank", "icbc", "--cancel", "TR-1", "--operator", by)["id"])


def test_a_cancellation_that_was_left_over_does_not_cancel_another_receipt(surplus: Any) -> None:
    approve(surplus, receive(surplus, "12"))
    first, second = cancel(surplus, "经办甲"), cancel(surplus, "丙")
    approve(surplus, second)
    approve(surplus, receive(surplus, "120"))
    done = approve(surplus, first, code=3)
    assert "reject it" in done.stderr
    assert surplus.type("reject", first, "--operator", "乙", *WHY).exit_code == 0


def test_a_refund_is_of_the_payment_that_was_looked_at(bureau: Any) -> None:
    paid = bureau.pay("icbc")
    told = bureau.told("refund", paid.bill, *BY)["id"]
    bureau.undo(paid)
    bureau.pay("icbc", bill=paid.bill)
    approve(bureau, told, code=3)
    assert bureau.type("reject", told, "--operator", "乙", *WHY).exit_code == 0
    approve(bureau, bureau.told("refund", paid.bill, *BY)["id"])


def test_a_proposal_of_what_was_decided_meanwhile(surplus: Any) -> None:
    """Between the question whether it could be, and the moment in which it is kept."""
    told = only(surplus)["id"]
    store = surplus.store
    office = decisions.Office(store, desk_of(store, surplus.state, lambda: surplus.now_us), {200: "icbc"})
    who = decisions.Who("慢", "x", "")
    asked = decisions.ask(office, 200, who, "accept", exception_id=int(told.split("-")[1]))
    foresee = store.foresee

    def then(*arguments: Any) -> Any:
        store.foresee = foresee
        found = foresee(*arguments)
        decide(surplus, told, "suspense")
        return found

    store.foresee = then
    with pytest.raises(running.Refused, match="look again"):
        decisions.propose(office, asked)
    check(surplus)
    propose(surplus, told, "undo")


def test_a_proposal_whose_exception_closed_by_itself_waits_for_nobody(bureau: Any) -> None:
    bureau.pay("icbc")
    run_day(bureau, lambda lines: [])
    told = only(bureau)["id"]
    propose(bureau, told, "carry")
    line = bureau.our_lines("icbc", D)[0]
    run_day(bureau, lambda lines: [line._replace(date=D + 1)], date=D + 1)
    assert not [one for one in bureau.told("status", code=None) if one["waiting"]]
    assert "CLOSED since" in approve(bureau, told, code=3).stderr


def two_paid(bureau: Any) -> None:
    bureau.pay("icbc")
    bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D)
    bureau.next_day()


def test_a_run_leaves_a_replacement_that_was_approved_meanwhile(bureau: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    two_paid(bureau)
    run(bureau)
    bureau.deliver("icbc", D, lambda lines: lines[:1])
    told = bureau.told(*REPLACE)["id"]
    bureau.deliver("icbc", D)
    settle = running._settle
    monkeypatch.setattr(running, "_settle", lambda *a: (approve(bureau, told), settle(*a))[1])
    assert bureau.type(*RUN).exit_code == 3
    assert bureau.rows("SELECT replaced_by FROM bank_file") != [("",)]
    assert bureau.rows(f"SELECT state FROM day WHERE book_id = 200 AND date = {D}") == [("CLOSED",)]


def test_two_first_runs_with_two_files(bureau: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second does not take the place of the first without two people."""
    two_paid(bureau)
    settle = running._settle

    def other_first(*arguments: Any) -> Any:
        monkeypatch.undo()
        bureau.deliver("icbc", D, lambda lines: lines[:1])
        assert bureau.type(*RUN).exit_code == 1
        return settle(*arguments)

    monkeypatch.setattr(running, "_settle", other_first)
    done = bureau.type(*RUN)
    assert done.exit_code == 3 and "another file" in done.stderr
    check(bureau)


def test_a_line_of_the_eighth_date_is_not_booked_beside_its_payment(bureau: Any) -> None:
    """Too far to be matched, but the same money: first the ledger's payment goes back, then the bank's is booked."""
    bureau.pay("icbc")
    run_day(bureau, lambda lines: [])
    late = bureau.our_lines("icbc", D)
    for _ in range(7):
        bureau.close("icbc")
        bureau.next_day()
    eighth = bureau.date
    assert run_day(bureau, lambda lines: [one._replace(date=eighth) for one in late], date=eighth)["exceptions_open"]
    told = only(bureau, **{"class": "BANK_ONLY"})["id"]
    refused = bureau.type("propose", told, "--action", "suspense", *BY, *WHY)
    assert refused.exit_code == 3 and "reverse that first, or propose return" in refused.stderr
    decide(bureau, only(bureau, **{"class": "LEDGER_ONLY"})["id"], "reverse")
    decide(bureau, told, "suspense")
    assert balance(bureau, "clearing:icbc") == 12000
