"""Whatever is asked, in whatever order: money conserves, counters and states are the sum of what was done."""

from collections import Counter
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from shebao.ledger import journal

ACTS = st.one_of(
    st.tuples(
        st.sampled_from(["pay", "advise"]), st.sampled_from(["rcb", "icbc"]), st.integers(0, 3),
        st.sampled_from([12000, 12000, 12000, 5, 0]), st.integers(1, 6),
    ),
    st.tuples(st.sampled_from(["reverse", "void"]), st.integers(0, 60), st.sampled_from([True, True, True, False])),
    st.tuples(st.sampled_from(["ahead", "told twice"]), st.integers(0, 60), st.just(True)),
    st.tuples(st.sampled_from(["batch", "cutover", "day after", "reconcile", "withdraw"]), st.integers(0, 3)),
)  # fmt: skip


def act(town, what) -> None:
    """One thing that a bank, an operator or the clock may do."""
    kind, *rest = what
    if kind in ("pay", "advise"):
        bank, bill, amount, stan = rest
        getattr(town, kind)(bank, bill=town.numbers[bill], amount=amount, stan=stan, moment=20261123095900)
    elif kind in ("reverse", "void", "ahead", "told twice"):
        tell(town, kind, *rest)
    elif kind in ("batch", "day after"):
        town.next_batch(1 if kind == "batch" else 86_400)
    elif kind == "withdraw":
        town.ask(town.request("withdraw", "", mti="", bill=town.numbers[rest[0]], reason="x", operator="y"))
    else:
        close(town, kind)


def tell(town, kind: str, which: int, same_amount: bool) -> None:
    """Something about a message that was sent before, or, of a reversal, about one yet to come."""
    asked = [request for request, _ in town.history if request.mti and request.bill]
    if not asked:
        return
    of = asked[which % len(asked)]
    if kind == "told twice":
        town.ask(of)
    elif kind == "ahead":
        original = town.request("payment", of.bank, bill=of.bill, amount=of.amount)
        town.reverse(original, of.bank)
        town.ask(original)
    else:
        getattr(town, kind)(of, of.bank, amount=of.amount if same_amount else 7)


def close(town, kind: str) -> None:
    """Cut both banks over, or reconcile what is closed."""
    for bank, number in (("rcb", 100), ("icbc", 200)):
        if kind == "cutover":
            opened = town.facts.books[number].open_date + 1
            town.ask(town.request("cutover", bank, date=opened, mti="", operator="clock"))
            continue
        for (book_id, date), day in list(town.facts.days.items()):
            if book_id == number and day is not None and day.state == "CLOSED":
                town.set_day(date, "RECONCILED", bank)


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTS, max_size=40))
def test_money_conserves(make_town, acts) -> None:
    town = make_town()
    for number in town.numbers[:2]:
        town.add_bill(number, last_day=20261124)
    for what in acts:
        act(town, what)
    check_entries(town)
    check_bills(town)
    check_days(town)
    check_suspense(town)
    check_chain(town)


def check_entries(town) -> None:
    balances = town.balances()
    assert sum(balances.values()) == 0
    assert all(transfer.amount > 0 for transfer in town.transfers)
    for number, bank in ((100, "rcb"), (200, "icbc")):
        live = sum(p.amount for p in town.facts.payments.values() if p.book_id == number and p.state == "LIVE")
        assert balances.get(f"clearing:{bank}", 0) == live


def check_bills(town) -> None:
    live = Counter(p.bill for p in town.facts.payments.values() if p.state == "LIVE" and not p.suspense)
    last = {event.bill: event.bill_move.split(">") for event in town.events if event.bill_move}
    for number in town.numbers[:4]:
        bill = town.bill(number)
        assert live[number] == (1 if bill.status == "PAID" else 0)
        assert bill.status == (last[number][1] if number in last else "OUTSTANDING")
        if bill.status == "PAID":
            payment = town.facts.payments[bill.paid_book, bill.paid_seq]
            assert (payment.bill, payment.amount, payment.state) == (number, bill.amount, "LIVE")
    status = dict.fromkeys(town.numbers, "OUTSTANDING")
    for event in town.events:
        if event.bill_move:
            before, after = event.bill_move.split(">")
            assert status[event.bill] == before, "every move begins where the last one ended"
            status[event.bill] = after


def check_days(town) -> None:
    """Counters of a date against its events, and against what clearing moved on it."""
    for (number, date), day in town.facts.days.items():
        if day is None:
            continue
        kinds = Counter(e.kind for e in town.events if (e.book_id, e.date) == (number, date))
        assert day.credits == kinds["payment"] + kinds["advice"] + kinds["unvoid"]
        assert day.reversals == kinds["void"] + kinds["reversal"]
        rows = [t for t in town.transfers if (t.book_id, t.date) == (number, date)]
        assert day.credits_fen == sum(t.amount for t in rows if t.debit.startswith("clearing:"))
        assert day.reversals_fen == sum(t.amount for t in rows if t.credit.startswith("clearing:"))


def check_suspense(town) -> None:
    balances = town.balances()
    for number, bank in ((100, "rcb"), (200, "icbc")):
        held = [item for (book, _), item in town.facts.suspense.items() if book == number and item.state == "OPEN"]
        assert -balances.get(f"suspense:{bank}", 0) == sum(item.amount for item in held)
        for item in held:
            assert town.facts.payments[number, item.seq].suspense
            assert town.facts.exceptions[number, item.exception_id].state == "OPEN"
        ids = sorted(key[1] for key in town.facts.exceptions if key[0] == number)
        assert ids == list(range(1, town.facts.books[number].next_exception))


def check_chain(town) -> None:
    for number in town.facts.books:
        previous, receipts = journal.GENESIS, Counter()
        events = [event for event in town.events if event.book_id == number]
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        for event in events:
            rows = [t for t in town.transfers if (t.book_id, t.seq) == (number, event.seq)]
            payment = town.facts.payments.get((number, event.seq))
            previous = sha256(previous + journal.canonical(event, payment, rows)).digest()
            assert event.seal == previous
            if payment is not None:
                receipts[payment.date] += 1
                assert int(payment.receipt[10:19]) == receipts[payment.date], "no receipt is left out"
        assert town.facts.books[number].seal == previous


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTS, max_size=30), st.integers(0, 5))
def test_batches_make_no_difference(make_town, acts, every: int) -> None:
    """The same requests, each in a batch of its own or all in one, at one moment: the same books."""
    towns = [make_town(), make_town()]
    for town, cut in zip(towns, (False, True), strict=True):
        for at, what in enumerate(what for what in acts if what[0] != "batch"):
            if cut and every and at % every == 0:
                town.next_batch(0)
            act(town, what)
    one, many = towns
    assert [event.seal for event in one.events] == [event.seal for event in many.events]
    assert one.facts.bills == many.facts.bills and one.facts.payments == many.facts.payments
    assert [decision.code for _, decision in one.history] == [decision.code for _, decision in many.history]
