"""Who decides, and what happens when two do at once, in bulk, or when it breaks in the middle."""

from __future__ import annotations

import os
import pwd
import threading
from typing import Any

import pytest
from shebao_clerks import WHY, D, approve, decide, listed, only, propose, run, status_of, strange
from shebao_sums import balance, check

from shebao.ledger.store import CommitInDoubt, open_store
from shebao.reconcile import decisions, shelf
from shebao.reconcile.commands import desk_of
from shebao.reconcile.decisions import Office, Who, ask
from shebao.reconcile.run import Refused

BOOK = 200
MAKER, CHECKER = Who("甲", "因为", ""), Who("乙", "同意", "")


# -- in bulk ----------------------------------------------------------------------------------------------------------


def test_what_can_be_done_is_done_and_what_is_refused_is_named(three: Any) -> None:
    three.pay("boc", bill=three.bills[1])
    by = ("--class", "BANK_ONLY", "--bank", "icbc", "--date", "2026-11-23", *WHY, "--operator")
    done = three.type("propose", "--action", "pay", *by, "甲")
    assert done.exit_code == 3 and "2 proposed, 1 refused" in done.output and "PAID by boc" in done.output
    check(three)
    assert three.type("approve", *by, "甲").exit_code == 3  # all of them proposed by the same person
    three.pay("ccb", bill=three.bills[2])  # meanwhile
    told = three.told("approve", *by, "乙", code=3)
    check(three)
    assert len(told["approved"]) == len(told["refused"]) == 1 and "PAID by ccb" in told["refused"][0]["why"]
    assert [status_of(three, bill) for bill in three.bills] == ["PAID"] * 3
    assert three.type("reject", *by, "乙").exit_code == 0  # what waits still
    assert {one["state"] for one in listed(three)} == {"OPEN"}
    assert "nothing matches" in three.type("approve", *by, "乙").output
    check(three)


def test_usage(three: Any) -> None:
    told = listed(three)[0]["id"]
    for line in (
        ("propose", told, "--action", "pay"), ("propose", told, "--action", "pay", "--reason", " "),
        ("propose", told, "--action", "steal", *WHY), ("propose", told, *WHY), ("propose", "--action", "pay", *WHY),
        ("propose", told, "--bank", "icbc", "--action", "pay", *WHY), ("approve", told), ("reject", told),
        ("approve", "icbc", *WHY), ("approve", "icbc-", *WHY), ("approve", "icbc-１", *WHY), ("approve", "x-1", *WHY),
        ("propose", told, "--action", "pay", "--class", "NONE", *WHY), ("approve", "--date", "2026-13-01", *WHY),
    ):  # fmt: skip
        assert three.type(*line, "--operator", "甲").exit_code == 2, line
    check(three)


@pytest.mark.parametrize("name", [None, "", " "])
def test_who_is_to_declare_a_name_and_does_not_is_nobody(three: Any, name: str | None) -> None:
    """Else one person decides alone, once under a name and once under that of the system's user."""
    told = listed(three)[0]["id"]
    by = () if name is None else ("--operator", name)
    for line in (("propose", told, "--action", "carry"), ("approve", told), ("reject", told)):
        done = three.type(*line, *WHY, *by)
        assert done.exit_code == 2 and "type who you are: --operator NAME" in done.stderr, line
    check(three)


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\nb", "\x00", "a\u202eb", "a\x07"])
def test_control_characters_in_what_people_type_are_refused(bureau: Any, text: str) -> None:
    bureau.pay("icbc", mti="0220", bill="33011026110109999999")
    told = only(bureau)["id"]
    by = ("--operator", "甲")
    assert bureau.type("propose", told, "--action", "return", "--reason", text, *by).exit_code == 3
    assert bureau.type("propose", told, "--action", "return", *WHY, "--operator", text).exit_code == 3
    assert bureau.type("propose", told, "--action", "return", *WHY, *by, "--reference", text).exit_code == 3
    assert bureau.type("propose", told, "--action", "pay", *WHY, *by, "--bill", text).exit_code == 3
    assert only(bureau)["state"] == "OPEN"
    propose(bureau, told, "return")
    for verb in ("approve", "reject"):
        assert bureau.type(verb, told, "--reason", text, "--operator", "乙").exit_code == 3
        assert bureau.type(verb, told, *WHY, "--operator", text).exit_code == 3
    assert only(bureau)["state"] == "PROPOSED"
    check(bureau)


@pytest.mark.parametrize("number", ["0", "007", "9" * 20, "9" * 5000], ids=["zero", "zeros", "20", "5000"])
def test_a_number_that_no_id_has(bureau: Any, number: str) -> None:
    for line in (("approve", f"icbc-{number}", *WHY), ("show", f"icbc-{number}")):
        done = bureau.type(*line)
        assert done.exit_code == 2 and "is no id; ids look like icbc-12" in done.output and len(done.output) < 1000


# -- who --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [1, 4_000_000], ids=["with-a-name", "without"])
def test_two_operators_are_two_users_of_the_system(
    bureau: Any, monkeypatch: pytest.MonkeyPatch, other: int
) -> None:
    bureau.config.write_text(bureau.config.read_text() + '[operators]\nidentity = "os"\n')
    bureau.pay("icbc", mti="0220", bill="33011026110109999999")
    told = only(bureau)["id"]
    me = pwd.getpwuid(os.getuid()).pw_name
    line = ("propose", told, "--action", "return", *WHY)
    assert bureau.type(*line, "--operator", "somebody").exit_code == 3
    assert bureau.type(*line, "--operator", me).exit_code == 0
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody")  # who he says he is, is not asked
    assert bureau.type("approve", told, *WHY).exit_code == 3
    assert bureau.type("approve", told, *WHY, "--operator", f"not {me}").exit_code == 3
    monkeypatch.setattr("os.getuid", lambda: other)
    assert bureau.type("approve", told, *WHY).exit_code == 0
    ((maker, maker_from, checker, checker_from),) = bureau.rows(
        "SELECT r.maker, r.maker_from, p.checker, r.checker_from FROM ruling r"
        " JOIN proposal p ON p.book_id = r.book_id AND p.id = r.proposal_id"
    )
    assert maker == me and me in maker_from and checker_from.startswith(f"{other} {checker}@")
    assert checker == (pwd.getpwuid(1).pw_name if other == 1 else f"uid {other}")
    check(bureau)


@pytest.mark.parametrize("name", ["ＺＨＡＮＧ", " zhang", "zhang\u3000", "Zhang", "ｚｈａｎｇ", "zhanǵ", "ZHANG\xa0"])
def test_one_person_by_another_spelling(bureau: Any, name: str) -> None:
    """C77"""
    bureau.pay("icbc", mti="0220", bill="33011026110109999999")
    told = only(bureau)["id"]
    maker = "zhanǵ" if name.endswith("ǵ") else "zhang"  # composed and not
    propose(bureau, told, "return", by=maker)
    assert bureau.type("approve", told, *WHY, "--operator", name).exit_code == 3
    assert bureau.type("reject", told, *WHY, "--operator", name).exit_code == 3
    assert only(bureau)["state"] == "PROPOSED"


# -- at once ----------------------------------------------------------------------------------------------------------


def at_once(bureau: Any, *acts: Any) -> list[str]:
    """Each act with an office of its own, at the same moment: what became of it."""
    told, start = [""] * len(acts), threading.Barrier(len(acts))

    def one(place: int) -> None:
        store = open_store(bureau.url)
        office = Office(store, desk_of(store, bureau.state, lambda: bureau.now_us), {BOOK: "icbc"})
        start.wait()
        try:
            acts[place](office)
            told[place] = "done"
        except Refused as error:
            told[place] = str(error)
        finally:
            store.close()

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(bureau)
    return told


def test_of_two_who_decide_at_once_one_wins_and_the_other_is_told(any_three: Any) -> None:
    number = int(only(any_three, bill=any_three.bills[0])["id"].partition("-")[2])
    before = balance(any_three, "clearing:icbc")

    def proposes(who: str, action: str) -> Any:
        return lambda office: decisions.propose(
            office, ask(office, BOOK, Who(who, "因为", ""), action, exception_id=number)
        )

    def judges(act: Any, who: str) -> Any:
        return lambda office: act(office, BOOK, number, Who(who, "同意", ""))

    told = at_once(any_three, proposes("甲", "pay"), proposes("丙", "suspense"))
    assert sorted(one == "done" for one in told) == [False, True], told
    told = at_once(any_three, *(judges(decisions.approve, who) for who in "乙丁戊"))
    assert sorted(one == "done" for one in told) == [False, False, True], told
    assert balance(any_three, "clearing:icbc") == before + 12000
    any_three.story.decide(BOOK, "undo", exception_id=number)
    at_once(any_three, proposes("甲", "pay"))
    told = at_once(any_three, judges(decisions.approve, "乙"), judges(decisions.reject, "丁"))
    assert sorted(one == "done" for one in told) == [False, True], told
    ((state,),) = any_three.rows(f"SELECT state FROM exception WHERE book_id = {BOOK} AND id = {number}")
    assert balance(any_three, "clearing:icbc") == before + 12000 * (state == "DECIDED")


def test_one_bill_two_decisions_at_once(any_three: Any) -> None:
    """Either of two items onto one bill: exactly one is booked."""
    onto = any_three.bill()
    numbers = [int(only(any_three, bill=bill)["id"].partition("-")[2]) for bill in any_three.bills[:2]]
    for number in numbers:
        asked = ask(any_three.story.office, BOOK, MAKER, "pay", exception_id=number, bill=onto)
        decisions.propose(any_three.story.office, asked)
    approvals = [lambda office, n=number: decisions.approve(office, BOOK, n, CHECKER) for number in numbers]
    told = at_once(any_three, *approvals)
    assert sorted(one == "done" for one in told) == [False, True], told
    assert [one for one in told if "is PAID by icbc" in one] and status_of(any_three, onto) == "PAID"


def test_the_same_receipt_typed_by_two_at_once(any_three: Any) -> None:
    """One reference is one transfer, however often and by whomever it is typed."""
    def types(who: str) -> Any:
        return lambda office: decisions.propose(
            office, ask(office, BOOK, Who(who, "", ""), "receive", amount=100, dates=f"{D}", reference="TR-1",
                        received_on=D + 1),
        )  # fmt: skip

    at_once(any_three, types("甲"), types("丙"))
    for (number,) in any_three.rows("SELECT id FROM proposal WHERE state = 'WAITING'"):
        at_once(any_three, lambda office, n=number: decisions.approve(office, BOOK, n, CHECKER))
    assert balance(any_three, "special:icbc") == 100


# -- broken in the middle ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("happened", [True, False])
def test_a_commit_in_doubt_is_approved_once(any_three: Any, monkeypatch: pytest.MonkeyPatch, happened: bool) -> None:
    office = any_three.story.office
    number = int(only(any_three, bill=any_three.bills[0])["id"].partition("-")[2])
    before = balance(any_three, "clearing:icbc")
    decisions.propose(office, ask(office, BOOK, MAKER, "pay", exception_id=number))
    act, calls = office.store.act, []

    def lost(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            return act(*arguments)
        if happened:
            act(*arguments)
        raise CommitInDoubt("the line was cut")

    monkeypatch.setattr(office.store, "act", lost)
    decisions.approve(office, BOOK, number, CHECKER)
    assert balance(any_three, "clearing:icbc") == before + 12000
    assert len(calls) == (1 if happened else 2)
    check(any_three)


@pytest.mark.parametrize("at", ["write", "accept", "wake", "judge"])
def test_a_run_cut_off_is_finished_by_the_next(any_three: Any, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    """What it left is proved, and the same command again ends where it would have ended."""
    decide(any_three, only(any_three, bill=any_three.bills[0])["id"], "pay")
    bill = any_three.bills[1]
    any_three.deliver("icbc", D, lambda lines: [*lines[:1], strange(lines[0], bill, stan="999991", amount=7)])
    told = any_three.told("run", "--bank", "icbc", "--date", str(D), "--replace", "--operator", "甲", *WHY)["id"]
    approve(any_three, told)
    whole = getattr(shelf, at)

    def cut(*arguments: Any) -> Any:
        whole(*arguments)
        raise OSError("power failure")

    monkeypatch.setattr(shelf, at, cut)
    assert any_three.type("run", "--bank", "icbc", "--date", str(D)).exit_code == 3
    monkeypatch.undo()
    found = run(any_three)
    assert found["classes"]["LEDGER_ONLY"] == 2 and found["exceptions_open"] == 3
    before = any_three.story.all_rows()
    assert run(any_three) == found
    any_three.story.unchanged_since(before)
