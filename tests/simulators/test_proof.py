"""The demo's judge: it finds what is wrong, and says nothing when nothing is."""

from shebao.codecs.numbers import receipt
from shebao.codecs.statement import StatementLine
from shebao.simulators import proof
from shebao.simulators.planting import Planted

DAY = 20261125


def line(n: int, kind: str = "P", bill: int = 0, number: str = "?") -> StatementLine:
    taken = receipt(DAY % 1_000_000, "01", 0, n) if number == "?" else number
    return StatementLine(
        DAY, f"{DAY}0930{n:02d}", f"{n:06d}", f"61125{n:07d}", "T1", "B1", kind, f"{bill or n:020d}", 48000, taken,
        "01", f"{DAY}093000" if kind != "P" else "", "000001" if kind != "P" else "",
    )  # fmt: skip


DETAIL = [line(1), line(2), line(3)]


def test_equal_books_agree_in_any_order_and_without_own_receipts() -> None:
    own = [line(3), line(1, number=""), line(2)]
    assert proof.own_books_agree("rcb", own, DETAIL) == []


def test_each_difference_between_books_is_named() -> None:
    assert any("only the switch" in fault for fault in proof.own_books_agree("rcb", DETAIL[:2], DETAIL))
    assert any("the switch has no line" in fault for fault in proof.own_books_agree("rcb", DETAIL, DETAIL[:2]))
    other = [DETAIL[0]._replace(amount=48001), *DETAIL[1:]]
    assert any("totals" in fault for fault in proof.own_books_agree("rcb", other, DETAIL))
    assert proof.own_books_agree("rcb", [*DETAIL, DETAIL[0]], DETAIL)


def test_many_faults_are_shown_short() -> None:
    faults = proof.own_books_agree("rcb", [], [line(n) for n in range(1, 60)])
    assert len(faults) == proof.FAULTS_SHOWN + 1 and "more" in faults[-1]


def test_receipts_count_from_one_without_a_gap() -> None:
    assert proof.receipts_have_no_gap("rcb", DETAIL) == []
    assert proof.receipts_have_no_gap("rcb", []) == []
    assert proof.receipts_have_no_gap("rcb", [DETAIL[0], DETAIL[2]])
    assert proof.receipts_have_no_gap("rcb", [DETAIL[0], DETAIL[0]])


def test_a_bill_paid_at_two_banks_is_found_unless_it_is_suspense() -> None:
    there = line(9, bill=1)
    assert proof.no_bill_twice([DETAIL, [there]], []) == [f"bill {1:020d} is paid 2 times"]
    assert proof.no_bill_twice([DETAIL, [there]], [there.receipt]) == []
    assert proof.no_bill_twice([[line(1), line(5, "R", 1), line(6, bill=1)]], []) == []


def test_classes_are_what_was_planted() -> None:
    planted = [Planted("missing", "LEDGER_ONLY", "b", 1, "s"), Planted("twice", "DUPLICATE", "c", 1, "s")]
    found = dict.fromkeys(proof.CLASSES, 0) | {"LEDGER_ONLY": 1, "DUPLICATE": 1, "MATCHED": 2}
    assert proof.classes_agree("rcb", found, DETAIL, planted) == []
    assert proof.classes_agree("rcb", found | {"BANK_ONLY": 1}, DETAIL, planted)
    assert proof.classes_agree("rcb", found | {"LEDGER_ONLY": 0}, DETAIL, planted)
    assert proof.classes_agree("rcb", {}, DETAIL, planted)


def test_all_and_only_what_was_planted_is_listed() -> None:
    planted = {
        "rcb": [Planted("missing", "LEDGER_ONLY", "b", 5, "s")],
        "icbc": [Planted("date", "OTHER_DATE", "c", 6, "s")],  # closes by itself: not on the worklist
    }
    missing = {"bank": "rcb", "class": "LEDGER_ONLY", "bill": "b", "amount": 5}
    suspense = {"bank": "boc", "class": "SUSPENSE", "bill": "d", "amount": 7}
    assert proof.exceptions_agree([missing, suspense], planted, [("boc", "d", 7)]) == []
    assert "not found" in proof.exceptions_agree([suspense], planted, [("boc", "d", 7)])[0]
    assert "not planted" in proof.exceptions_agree([missing, suspense], planted, [])[0]
    assert proof.exceptions_agree([missing | {"amount": 6}, suspense], planted, [("boc", "d", 7)])


def test_balances_to_the_fen() -> None:
    balances = {"clearing:rcb": 100, "clearing:icbc": 0, "fund:390": 70, "suspense:rcb": 30}
    assert proof.balances_agree(balances, {"rcb": 100, "icbc": 0}) == []
    assert proof.balances_agree(balances, {"rcb": 101, "icbc": 0})
    assert proof.balances_agree(balances | {"fund:390": 71}, {"rcb": 100})
