"""What both sides have so far of each date, on the operator's screen: the ledger's figures, and the bank's 0500."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shebao.ledger.day import moment_of
from shebao.ledger.facts import KeyClass, Request
from shebao.ledger.told import keep

D = 20261123
BOOKS = {"rcb": 100, "icbc": 200}


def tell(bureau: Any, bank: str, date: int, payments: int, fen: int, reversals: int = 0, reversed_fen: int = 0) -> str:
    """An 0500, decided by the ledger, and what it told kept as the daemon keeps it; the answer's code."""
    totals = {74: f"{payments:010d}", 75: f"{reversals:010d}", 86: f"{fen:016d}", 87: f"{reversed_fen:016d}"}
    net = fen - reversed_fen
    totals |= {76: "0" * 10, 77: "0" * 10, 88: "0" * 16, 89: "0" * 16, 97: f"{'D' if net < 0 else 'C'}{abs(net):016d}"}
    request = Request(
        service="totals", book_id=BOOKS[bank], bank=bank, mti="0500", key_class=KeyClass.NONE, trace=0,
        moment=moment_of(bureau.now_us), received_us=bureau.now_us, echo={}, date=date, totals=totals,
    )  # fmt: skip
    (answer,) = bureau.store.transact([request], lambda: bureau.now_us, lambda request, decision: b"")
    keep(bureau.store, [answer.decision.told])
    return str(answer.code)


def of(bureau: Any, bank: str) -> Any:
    return next(one for one in bureau.told("status", code=None) if one["bank"] == bank)


def sums(payments: int, fen: int, reversals: int = 0, reversed_fen: int = 0) -> dict[str, int]:
    told = {"payments": payments, "payments_fen": fen, "reversals": reversals, "reversals_fen": reversed_fen}
    return {**told, "net_fen": fen - reversed_fen}


@contextmanager
def unchanged(bureau: Any) -> Iterator[None]:
    """Whatever a bank tells, the exit status is what it was."""
    before = bureau.type("status").exit_code
    yield
    assert bureau.type("status").exit_code == before


def test_the_open_date_shows_what_the_ledger_has_before_anybody_tells(bureau: Any) -> None:
    bureau.undo(bureau.pay("icbc"))
    bureau.pay("icbc", fen=500)
    told = of(bureau, "icbc")["open"]
    assert told == {"date": "2026-11-23", "state": "OPEN", "ledger": sums(2, 12500, 1, 12000), "told": None,
                    "exceptions_open": 0}  # fmt: skip
    shown = bureau.type("status").stdout
    assert "2 笔 125.00 元, 冲正 reversals 1 笔 120.00 元 · 净额 net 5.00 元" in shown
    assert "银行 0500 未报" in shown and "0500 与账不符" not in shown


def test_an_exception_of_the_open_date_is_open_too(bureau: Any) -> None:
    """A reversal that comes late belongs to the date open when it came (settlement.md section 6)."""
    paid = bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D)
    bureau.next_day()
    assert bureau.told("run", "--bank", "icbc")["state"] == "RECONCILED" and bureau.type("status").exit_code == 0
    bureau.undo(paid, code="R2")
    told, done = of(bureau, "icbc"), bureau.type("status")
    assert done.exit_code == 1 and "1 exception is left for the clerk" in done.stdout
    assert (told["balanced"], told["exceptions_open"], told["open"]["exceptions_open"]) == (False, 1, 1)
    assert told["next"] == "reconcile exceptions --bank icbc" and "2026-11-24 OPEN · 待处理 open 1 · " in done.stdout
    bureau.pay("ccb", mti="0220", bill="33011026110109999999")  # suspense keeps nobody
    assert of(bureau, "ccb")["balanced"] and of(bureau, "ccb")["open"]["exceptions_open"] == 0


def test_a_bank_that_tells_the_same_agrees(any_bureau: Any) -> None:
    bureau = any_bureau
    bureau.pay("icbc")
    with unchanged(bureau):
        assert tell(bureau, "icbc", D, 1, 12000) == "00"
    told = of(bureau, "icbc")["open"]["told"]
    assert told == {
        "at": "2026-11-23T09:00:00+08:00", "agrees": True, "bank": sums(1, 12000), "ledger": sums(1, 12000),
        "gap": sums(0, 0),
    }  # fmt: skip
    assert "相符 agrees: 1 笔 120.00 元" in bureau.type("status").stdout
    assert of(bureau, "rcb")["open"]["told"] is None


@pytest.mark.parametrize(
    ("told", "gap", "shown"),
    [
        ((3, 36000), (1, 12000), "差 gap 1 笔 120.00 元"),
        ((1, 12000), (-1, -12000), "差 gap -1 笔 -120.00 元"),
        ((2, 24001), (0, 1), "差 gap 0 笔 0.01 元"),
        ((2, 24000, 1, 12000), (0, 0, 1, 12000), "差 gap 冲正 reversals 1 笔 120.00 元"),
        ((3, 36000, 1, 1), (1, 12000, 1, 1), "差 gap 1 笔 120.00 元, 冲正 reversals 1 笔 0.01 元"),
    ],
)
def test_a_difference_is_shown_with_both_numbers_and_decides_nothing(
    bureau: Any, told: tuple[int, ...], gap: tuple[int, ...], shown: str
) -> None:
    bureau.pay("icbc")
    bureau.pay("icbc")
    with unchanged(bureau):
        assert tell(bureau, "icbc", D, *told) == "95"
    found = of(bureau, "icbc")
    assert (found["open"]["told"]["gap"], found["balanced"]) == (sums(*gap), True)
    screen = bureau.type("status").stdout
    assert f"不符 differs: 银行 bank {told[0]:,} 笔" in screen and "账上 ledger 2 笔 240.00 元" in screen
    assert shown in screen and "银行 0500 与账不符,请查看: icbc 2026-11-23" in screen


def test_the_ledger_of_that_moment_is_compared_and_the_latest_telling_counts(bureau: Any) -> None:
    bureau.pay("icbc")
    tell(bureau, "icbc", D, 2, 24000)
    bureau.pay("icbc")  # it was on its way
    told = of(bureau, "icbc")["open"]
    assert told["ledger"] == sums(2, 24000) and told["told"]["ledger"] == sums(1, 12000)
    assert not told["told"]["agrees"]
    bureau.now_us += 60_000_000
    assert tell(bureau, "icbc", D, 2, 24000) == "00"
    told = of(bureau, "icbc")["open"]["told"]
    assert told["agrees"] and told["at"] == "2026-11-23T09:01:00+08:00"


def test_of_a_reconciled_date_the_file_has_the_last_word(bureau: Any) -> None:
    bureau.pay("icbc")
    tell(bureau, "icbc", D, 2, 24000)
    bureau.close("icbc")
    assert "请查看: icbc 2026-11-23" in bureau.type("status").stdout
    closed = of(bureau, "icbc")["dates"][0]
    assert (closed["state"], closed["ledger"], closed["told"]["gap"]) == ("CLOSED", sums(1, 12000), sums(1, 12000))
    bureau.deliver("icbc", D)
    bureau.told("run", "--bank", "icbc")
    screen = bureau.type("status").stdout
    assert "请查看" not in screen and "差 gap 1 笔 120.00 元" in screen


def first_line(bureau: Any) -> str:
    return str(bureau.type("status").stdout).partition("\n")[0]


def test_the_first_line_names_all_that_a_date_waits_for(bureau: Any) -> None:
    """Before any cut-over nobody is sent home; a file of ours that is missing is never balanced."""
    bureau.pay("icbc")
    assert first_line(bureau) == "暂无待处理  nothing is open so far"
    for bank in ("icbc", "ccb"):
        bureau.close(bank)
        assert bank in first_line(bureau).partition("waiting for: ")[2]
    bureau.deliver("icbc", D)
    assert "银行文件待对账: icbc; 还在等: ccb  to be run: icbc; waiting for: ccb" in first_line(bureau)
    bureau.deliver("icbc", D, lambda lines: [])
    bureau.type("run", "--bank", "icbc")
    wanted = "还有 1 笔差异,留待对账员; 还在等: ccb  1 exception is left for the clerk; waiting for: ccb"
    assert first_line(bureau) == wanted
    told = bureau.told("exceptions")[0]["id"]
    bureau.type("propose", told, "--action", "accept", "--reason", "因为", "--operator", "甲")
    assert first_line(bureau).endswith("; 1 waits for a second person")
    bureau.type("approve", told, "--reason", "同意", "--operator", "乙")
    bureau.deliver("ccb", D)
    bureau.type("run", "--bank", "ccb")
    assert first_line(bureau) == "账平,可以回家了  balanced: you can go home"
    next(bureau.folder_of("outbox", "ccb", D).glob("*.ok")).unlink()
    assert first_line(bureau) == "我方文件未出: ccb  our file is missing: ccb"


def test_a_file_that_waits_to_replace_another_is_led_to(bureau: Any) -> None:
    bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D)
    bureau.told("run", "--bank", "icbc")
    bureau.deliver("icbc", D, lambda lines: [lines[0]._replace(amount=1)])
    told = bureau.told("run", "--bank", "icbc", "--replace", "--reason", "重发", "--operator", "甲")["id"]
    assert of(bureau, "icbc")["next"] == f"reconcile approve {told} --reason TEXT --operator OTHER"
    done = bureau.type("run", "--bank", "icbc")
    assert done.exit_code == 3 and f"as {told}; type: reconcile approve {told}" in done.output
