"""What a run does to the rows that are there already, and what is proposed about each."""

from __future__ import annotations

import pytest

from shebao.ledger.desk import blocks
from shebao.reconcile.worklist import Row, changes, default_proposal, difference

ROW = Row(
    200, 0, 20261123, "BANK_ONLY", "OPEN", 0, 261123090000000001, "33011026112300000010", 12000, 1, "", "",
    '{"kind": "P", "live": true, "amount": 12000}', "B:P:1", 0, 0,
)  # fmt: skip
STORED = ROW._replace(id=5, opened_us=0)


def test_what_is_new_is_added() -> None:
    assert changes([], [ROW]) == ([ROW], [])


@pytest.mark.parametrize("state", ["OPEN", "PROPOSED", "CARRIED", "DECIDED"])
def test_what_is_found_again_stays_as_it_was(state: str) -> None:
    assert changes([STORED._replace(state=state, proposal="pay")], [ROW]) == ([], [])


CLOSES = [("OPEN", True), ("PROPOSED", True), ("CARRIED", True), ("DECIDED", False)]


@pytest.mark.parametrize(("state", "closed"), CLOSES)
def test_what_is_not_found_any_more_closes_unless_it_is_decided(state: str, closed: bool) -> None:
    new, changed = changes([STORED._replace(state=state)], [])
    assert not new
    assert [r.state for r in changed] == (["CLOSED"] if closed else [])


def test_another_class_opens_it_again_under_its_id() -> None:
    other = ROW._replace(item_class="AMOUNT_DIFFERS")
    _, (row,) = changes([STORED._replace(state="PROPOSED", proposal="pay")], [other])
    assert (row.id, row.state, row.item_class, row.proposal) == (5, "OPEN", "AMOUNT_DIFFERS", "")


def test_what_is_found_in_another_date_closes_and_moves_the_due() -> None:
    moved = ROW._replace(item_class="OTHER_DATE", state="CLOSED", ledger_date=20261122, moved_fen=12000)
    _, (row,) = changes([STORED], [moved])
    assert (row.state, row.moved_fen) == ("CLOSED", 12000)
    _, (gone,) = changes([row], [])
    assert gone.moved_fen == 0


def test_what_is_found_in_another_date_after_it_was_decided_moves_the_due_too() -> None:
    moved = ROW._replace(item_class="OTHER_DATE", state="CLOSED", ledger_date=20261125, moved_fen=12000, gap_fen=0)
    _, (row,) = changes([STORED._replace(state="DECIDED", gap_fen=12000, left_fen=12000, decided_seq=9)], [moved])
    assert (row.state, row.item_class, row.ledger_date, row.moved_fen) == ("DECIDED", "BANK_ONLY", 20261125, 12000)


def test_what_the_wire_opened_is_left_alone() -> None:
    assert changes([STORED._replace(item_class="SUSPENSE", item_key="")], []) == ([], [])


def test_what_blocks_a_date() -> None:
    assert blocks(ROW) and blocks(ROW._replace(state="PROPOSED", item_class="LATE_REVERSAL"))
    assert not blocks(ROW._replace(item_class="SUSPENSE"))
    assert not any(blocks(ROW._replace(state=state)) for state in ("CARRIED", "DECIDED", "CLOSED"))


LIVE, UNDONE = '{"kind": "P", "live": true, "amount": 1}', '{"kind": "P", "live": false, "amount": 1}'
LONE = '{"kind": "R", "live": true, "amount": 1}'


@pytest.mark.parametrize(
    ("row", "payable", "next_in", "action"),
    [
        (ROW, True, False, "pay"),
        (ROW, False, False, "suspense"),
        (ROW._replace(item_class="LEDGER_ONLY"), False, False, "carry"),
        (ROW._replace(item_class="LEDGER_ONLY"), False, True, "reverse"),
        (ROW._replace(item_class="DUPLICATE"), False, False, "return"),
        (ROW._replace(item_class="STATE_DIFFERS", ledger_json=UNDONE, bank_json=LIVE), False, False, "pay"),
        (ROW._replace(item_class="STATE_DIFFERS", ledger_json=LIVE, bank_json=UNDONE), False, False, "reverse"),
        (ROW._replace(item_class="STATE_DIFFERS", ledger_json="", bank_json=LONE), False, False, "reverse"),
        (ROW._replace(item_class="STATE_DIFFERS", ledger_json=LONE, bank_json=""), False, False, "pay"),
        (ROW._replace(proposal="accept"), True, True, "accept"),
    ],
)
def test_default_proposal(row: Row, payable: bool, next_in: bool, action: str) -> None:
    assert default_proposal(row, payable, next_in) == action


def test_what_is_in_question() -> None:
    differs = ROW._replace(item_class="AMOUNT_DIFFERS", ledger_json='{"amount": 12000}', bank_json='{"amount": 11900}')
    assert (difference(ROW), difference(differs)) == (12000, 100)
    assert difference(differs._replace(ledger_json="")) == 12000
