"""Every action for every class: allowed or refused as the contract's table says, and what each books (section 5)."""

from __future__ import annotations

from typing import Any

import pytest
from shebao_clerks import D
from shebao_random_desk import Story
from shebao_sums import balance, check

from shebao.codecs.columns import StatementLine
from shebao.ledger.rulings import ALLOWED
from shebao.reconcile.decisions import Who, approve, ask, propose, reject
from shebao.reconcile.run import Refused

BOOK = 200
MAKER, CHECKER = Who("甲", "因为", ""), Who("乙", "同意", "")
# exception -> actions that the table allows; each once it is open, so `undo` never is
TABLE = {
    "BANK_ONLY": "pay suspense return carry accept",
    "LEDGER_ONLY": "reverse carry accept",
    "DUPLICATE": "suspense return accept",
    "AMOUNT_DIFFERS higher": "suspense reverse accept",
    "AMOUNT_DIFFERS lower": "reverse accept",
    "STATE_DIFFERS live": "pay suspense accept",
    "STATE_DIFFERS reversed": "reverse accept",
    "SUSPENSE": "pay return",
    "LATE_REVERSAL": "reverse accept",
}
# exception, action -> movement of clearing, suspense (as it grows), fund 170
BOOKS = {
    ("BANK_ONLY", "pay"): (12000, 0, 12000),
    ("BANK_ONLY", "suspense"): (12000, 12000, 0),
    ("LEDGER_ONLY", "reverse"): (-12000, 0, -12000),
    ("DUPLICATE", "suspense"): (12000, 12000, 0),
    ("AMOUNT_DIFFERS higher", "suspense"): (5, 5, 0),
    ("AMOUNT_DIFFERS higher", "reverse"): (5, 12005, -12000),
    ("AMOUNT_DIFFERS lower", "reverse"): (-7, 11993, -12000),
    ("STATE_DIFFERS live", "pay"): (12000, 0, 12000),
    ("STATE_DIFFERS live", "suspense"): (12000, 12000, 0),
    ("STATE_DIFFERS reversed", "reverse"): (-12000, 0, -12000),
    ("SUSPENSE", "pay"): (0, -12000, 12000),
    ("SUSPENSE", "return"): (-12000, -12000, 0),
    ("LATE_REVERSAL", "reverse"): (-12000, 0, -12000),
}


@pytest.fixture
def desk(any_bureau: Any) -> Any:
    """A bureau with one exception of each kind, by its name in `bureau.ids`."""
    bureau = any_bureau
    late = bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D)
    bureau.next_day()
    story = bureau.story = Story(bureau, 1, lambda text: None)
    story.detail["icbc", D] = b""
    story.run("icbc", D)
    paid = {name: bureau.pay("icbc") for name in ("lost", "higher", "lower", "undone", "twice", "reversed")}
    bureau.undo(paid["undone"])
    free = bureau.bill()
    held = bureau.pay("icbc", bill=paid["lost"].bill, mti="0220")
    bureau.undo(late, code="R2")
    bureau.close("icbc")

    def plant(lines: list[StatementLine]) -> list[StatementLine]:
        of = {name: next(o for o in lines if o.kind == "P" and o.stan == p.stan) for name, p in paid.items()}
        told = [o for o in lines if o.kind == "P" and o not in (of["lost"], of["higher"], of["lower"])]
        told += [of["higher"]._replace(amount=12005), of["lower"]._replace(amount=11993), of["twice"]]
        told.append(of["twice"]._replace(bill=free, stan="999999", rrn="", receipt=""))
        return [*told, story.undoing(of["reversed"], D + 1)]

    bureau.deliver("icbc", D + 1, plant)
    bureau.next_day()
    story.detail["icbc", D + 1] = b""
    story.run("icbc", D + 1)
    stans = {one.stan: name for name, one in paid.items()}
    names = {"undone": " live", "reversed": " reversed", "higher": " higher", "lower": " lower"}
    bureau.ids = {}
    for number, item_class, trace in bureau.rows("SELECT id, item_class, trace FROM exception ORDER BY id"):
        name = f"{item_class}{names.get(stans.get(f'{trace:018d}'[-6:], ''), '')}"
        if item_class == "SUSPENSE":
            assert trace == held.trace
        bureau.ids[name] = number
    assert set(bureau.ids) == set(TABLE)
    return bureau


def test_every_action_for_every_class(desk: Any) -> None:
    story: Story = desk.story
    onto = desk.bill()
    for name, number in desk.ids.items():
        for action in ALLOWED:
            content = {"exception_id": number, "bill": onto if (name, action) == ("SUSPENSE", "pay") else ""}
            before = story.all_rows()
            try:
                told = propose(story.office, ask(story.office, BOOK, MAKER, action, **content))
            except Refused as error:
                assert action not in TABLE[name].split(), (name, action, error)
                story.unchanged_since(before)
                continue
            assert action in TABLE[name].split(), (name, action)
            reject(story.office, BOOK, told, CHECKER)
    check(desk)


def test_what_every_action_books_and_its_mirror(desk: Any) -> None:
    story: Story = desk.story
    onto = desk.bill()
    accounts = ("clearing:icbc", "suspense:icbc", "fund:170")

    def stands() -> tuple[int, ...]:
        return tuple(balance(desk, account) * (1 if account.startswith("clearing") else -1) for account in accounts)

    def decide(action: str, number: int, bill: str = "") -> None:
        story.decide(BOOK, action, exception_id=number, bill=bill)

    for name, actions in TABLE.items():
        for action in actions.split():
            before = stands()
            decide(action, desk.ids[name], onto if (name, action) == ("SUSPENSE", "pay") else "")
            moved = tuple(after - was for after, was in zip(stands(), before, strict=True))
            assert moved == BOOKS.get((name, action), (0, 0, 0)), (name, action)
            decide("undo", desk.ids[name])
            assert stands() == before, (name, action)
        check(desk)


def test_a_bill_of_another_amount_or_that_cannot_be_paid_is_refused(desk: Any) -> None:
    story: Story = desk.story
    paid = desk.bill()
    desk.pay("boc", bill=paid)
    for bill, why in (
        (desk.bill(11999), "is of 119.99 yuan"), (paid, "PAID by boc"), ("33011026110107777776", "there is no bill"),
        ("33011026110107777779", "no bill number"), ("1", "no bill"), ("x" * 20, "no bill"),
        ("３３０１１０２６１１０１０００００１０", "no bill"),
    ):  # fmt: skip
        for name in ("BANK_ONLY", "SUSPENSE", "STATE_DIFFERS live"):
            with pytest.raises(Refused, match=why):
                propose(story.office, ask(story.office, BOOK, MAKER, "pay", exception_id=desk.ids[name], bill=bill))
    check(desk)


def test_a_bill_or_reference_where_the_action_takes_none_is_refused(desk: Any) -> None:
    """What is typed and would be lost is refused, so that nobody believes that it was heeded."""
    story: Story = desk.story
    for name, action, more in (
        ("BANK_ONLY", "suspense", {"bill": desk.bill()}), ("LEDGER_ONLY", "reverse", {"bill": desk.bill()}),
        ("SUSPENSE", "pay", {"reference": "TR-1"}), ("BANK_ONLY", "accept", {"reference": "TR-1"}),
        ("SUSPENSE", "return", {"bill": desk.bill()}),
    ):  # fmt: skip
        asked = ask(story.office, BOOK, MAKER, action, exception_id=desk.ids[name], **more)
        with pytest.raises(Refused):
            propose(story.office, asked)


def test_approved_twice_rejected_twice_and_unknown(desk: Any) -> None:
    story: Story = desk.story
    told = propose(story.office, ask(story.office, BOOK, MAKER, "accept", exception_id=desk.ids["DUPLICATE"]))
    approve(story.office, BOOK, told, CHECKER)
    for act in (approve, reject):
        with pytest.raises(Refused, match="APPROVED by 乙"):
            act(story.office, BOOK, told, CHECKER)
    with pytest.raises(Refused, match="there is no icbc-4711"):
        approve(story.office, BOOK, 4711, CHECKER)
    with pytest.raises(Refused, match="nobody has proposed"):
        approve(story.office, BOOK, desk.ids["BANK_ONLY"], CHECKER)
    with pytest.raises(Refused, match="no such exception"):
        propose(story.office, ask(story.office, BOOK, MAKER, "accept", exception_id=4711))
