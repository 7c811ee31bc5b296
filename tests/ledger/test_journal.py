"""Double entry, the seal, and `apply` (settlement.md section 2)."""

from hashlib import sha256

from shebao.ledger import journal
from shebao.ledger.decide import decide
from shebao.ledger.facts import KeyClass


def test_one_transfer_for_each_part_and_the_mirror_of_it(town) -> None:
    town.pay()
    assert [(t.line, t.debit, t.credit, t.amount, t.date) for t in town.transfers] == [
        (1, "clearing:rcb", "fund:170", 11000, 20261123),
        (2, "clearing:rcb", "fund:390", 1000, 20261123),
    ]
    assert town.balances() == {"clearing:rcb": 12000, "fund:170": -11000, "fund:390": -1000}
    town.reverse(town.last)
    assert town.balances() == {}
    assert [(t.debit, t.credit) for t in town.transfers[2:]] == [
        ("fund:170", "clearing:rcb"),
        ("fund:390", "clearing:rcb"),
    ]


def test_suspense_is_one_transfer_and_nothing_of_nothing() -> None:
    assert journal.money("rcb", "suspense", 5) == (("clearing:rcb", "suspense:rcb", 5),)
    assert journal.money("rcb", "suspense", 0) == ()
    assert journal.money("rcb", "returned by transfer", 7) == (("suspense:rcb", "special:rcb", 7),)


def test_authorisation_is_six_characters_and_a_function_of_the_receipt() -> None:
    found = {journal.auth_id(f"{serial:020d}") for serial in range(2000)}
    assert all((len(each) == 6 and each.isalnum() and each.isupper()) or each.isdigit() for each in found)
    assert len(found) == 2000
    assert journal.auth_id("26112304000000000075") == journal.auth_id("26112304000000000075")


def test_the_chain_can_be_followed_from_rows_alone(town) -> None:
    town.pay()
    town.next_batch()
    town.reverse(town.last)
    town.pay(amount=1)
    town.advise(bill="33011026112300000011")
    previous = journal.GENESIS
    for event in town.events:
        rows = [t for t in town.transfers if (t.book_id, t.seq) == (event.book_id, event.seq)]
        payment = town.facts.payments.get((event.book_id, event.seq))
        previous = sha256(previous + journal.canonical(event, payment, rows)).digest()
        assert event.seal == previous
    assert town.facts.books[100].seal == previous
    assert [event.seq for event in town.events] == [1, 2, 3, 4]


def test_canonical_bytes_are_as_documented(town) -> None:
    town.pay(stan=7, moment=20261123093015)
    event, payment = town.events[0], town.facts.payments[100, 1]
    head, taken, first, second, end = journal.canonical(event, payment, town.transfers).decode().split("\x1e")
    assert head.split("\x1f")[:11] == [
        "E", "100", "1", "20261123", str(town.now_us), "payment", "1", "261123093015000007", "0200", "500000", "12000",
    ]  # fmt: skip
    assert head.split("\x1f")[-5:] == ["", "OUTSTANDING>PAID", "", "", event.reply.hex()]
    assert taken.split("\x1f")[:4] == ["P", "20261123", "payment", payment.receipt]
    assert first.split("\x1f") == ["T", "1", "20261123", "clearing:rcb", "fund:170", "11000"]
    assert second.split("\x1f")[0] == "T" and end == ""


def test_every_sealed_column_changes_the_bytes(town) -> None:
    town.pay()
    event, payment, rows = town.events[0], town.facts.payments[100, 1], town.transfers
    sealed = journal.canonical(event, payment, rows)
    other = {int: 99, str: "x", bytes: b"x"}
    for name, value in event._asdict().items():
        if name != "seal":
            changed = event._replace(**{name: other[type(value)] if value is not None else 99})
            assert journal.canonical(changed, payment, rows) != sealed, name
    for name, value in payment._asdict().items():
        if name not in ("book_id", "seq", "suspense", "state", "undone_seq", "on_bill"):
            assert journal.canonical(event, payment._replace(**{name: other[type(value)]}), rows) != sealed, name
    for name in ("line", "date", "debit", "credit", "amount"):
        changed_row = rows[0]._replace(**{name: other[type(getattr(rows[0], name))]})
        assert journal.canonical(event, payment, [changed_row, rows[1]]) != sealed, name
    assert journal.canonical(event, payment, rows[::-1]) != sealed


def test_deciding_changes_nothing_and_applying_all(town) -> None:
    request = town.request("payment", bill=town.numbers[0], amount=12000)
    before = dict(town.facts.books), dict(town.facts.bills)
    decision = decide(request, town.facts)
    assert decide(request, town.facts) == decision
    assert (dict(town.facts.books), dict(town.facts.bills)) == before
    assert not town.facts.new_events and not town.facts.payments
    journal.apply(town.facts, request, decision, b"reply")
    assert town.facts.events[100, request.trace][0].reply == b"reply"
    assert town.bill().status == "PAID"
    assert town.facts.changed_bills[town.numbers[0]] == ("OUTSTANDING", town.bill())
    assert town.facts.new_payments[100, 1] == town.facts.payments[100, 1]
    assert town.facts.changed_books[100].next_receipt == 2


def test_a_bill_that_moves_twice_in_a_batch_is_written_once_with_its_stored_status(town) -> None:
    town.pay()
    town.reverse(town.last)
    stored, bill = town.facts.changed_bills[town.numbers[0]]
    assert (stored, bill.status) == ("OUTSTANDING", "OUTSTANDING")
    assert town.facts.new_payments[100, 1].state == "REVERSED"
    assert not town.facts.changed_payments


def test_a_payment_of_an_earlier_batch_is_a_changed_row(town) -> None:
    town.pay()
    town.next_batch()
    town.reverse(town.history[0][0])
    assert town.facts.changed_payments[100, 1].undone_seq == 2
    assert not town.facts.new_payments


def test_an_event_without_a_key_is_not_found_by_key(town) -> None:
    town.ask(town.request("cutover", date=20261124, mti="", stan=5))
    assert town.events[0].key_class == KeyClass.NONE
    assert not any(town.facts.events.values())
