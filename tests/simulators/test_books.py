"""A bank's own books: its statement lines, and totals by date."""

from shebao.simulators.books import Books
from shebao.simulators.messages import Key, Order

ORDER = Order("33011026112300000010", 48000, 20261125_093015, terminal="K001    ")
PAID, VOIDED, AGAIN = Key(20261125_093015, "000001"), Key(20261125_093045, "000002"), Key(20261125_093116, "000003")


def test_a_void_and_its_reversal_leave_one_standing_payment() -> None:
    books = Books()
    books.payment(ORDER, PAID, 20261125, "26112501000000000017")
    books.void(ORDER, VOIDED, 20261125, "26112501000000000017", PAID)
    books.void_reversal(ORDER, AGAIN, 20261125, "26112501000000000017", VOIDED)
    assert [(line.kind, line.stan, line.original_stan) for line in books.lines(20261125)] == [
        ("P", "000001", ""),
        ("V", "000002", "000001"),
        ("P", "000003", "000002"),
    ]
    totals = books.totals(20261125)
    assert (totals.payments, totals.reversals, totals.net) == (2, 1, 48000)


def test_dates_are_kept_apart() -> None:
    books = Books()
    books.payment(ORDER, PAID, 20261125, "a")
    books.reversal(ORDER, VOIDED, 20261126, "a", PAID)
    assert books.dates() == [20261125, 20261126]
    assert books.totals(20261125).net == 48000 and books.totals(20261126).net == -48000
    assert books.totals(20261127).net == 0


def test_a_receipt_given_twice_is_seen_and_an_empty_one_is_none() -> None:
    books = Books()
    for receipt in ("a", "b", "a", "", ""):
        books.payment(ORDER, PAID, 20261125, receipt)
    assert dict(books.twice) == {"a": 1}


def test_terminals_lose_their_blanks() -> None:
    books = Books()
    books.payment(ORDER, PAID, 20261125, "a")
    assert books.lines(20261125)[0].terminal == "K001"
