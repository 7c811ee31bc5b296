"""A bank's totals against the book's (wire.md section 5, Totals)."""

from shebao.ledger.totals import figures


def told(town, date: int = 20261123, bank: str = "rcb") -> dict[int, str]:
    key = {"rcb": 100, "icbc": 200}[bank], date
    return dict(figures(town.facts.days[key]))


def ask(town, totals: dict[int, str], date: int = 20261123):
    return town.ask(town.request("totals", date=date, totals=totals))


def busy(town) -> None:
    """Three payments (one in suspense), a reversal, a void and its reversal, a refusal, two noops."""
    town.pay()
    paid = town.last
    town.advise(bill=town.numbers[1])
    town.advise(amount=700, bill=town.numbers[2])
    town.pay(bill=town.numbers[2], amount=1)
    town.reverse(town.history[1][0])
    town.void(paid)
    void = town.last
    town.reverse(void)
    town.reverse(void)
    town.void(town.history[1][0])


def test_gross_and_net(town) -> None:
    busy(town)
    assert told(town) == {
        74: "0000000004", 75: "0000000002", 76: "0" * 10, 77: "0" * 10,
        86: "0000000000036700", 87: "0000000000024000", 88: "0" * 16, 89: "0" * 16, 97: "C0000000000012700",
    }  # fmt: skip


def test_in_balance(town) -> None:
    busy(town)
    decision = ask(town, told(town))
    assert (decision.code, decision.effects) == ("00", None)
    assert decision.fields == {66: "1", **told(town)}


def test_out_of_balance_in_any_figure(town) -> None:
    busy(town)
    for field in told(town):
        wrong = told(town)
        wrong[field] = wrong[field][:-1] + "9"
        decision = ask(town, wrong)
        assert decision.code == "95" and decision.fields == {66: "2", **told(town)}


def test_an_empty_date_is_a_credit_of_nothing(town) -> None:
    assert told(town)[97] == "C" + "0" * 16


def test_more_back_than_in_is_a_debit(town) -> None:
    town.pay()
    paid = town.last
    town.ask(town.request("cutover", date=20261124))
    town.reverse(paid)
    assert told(town, 20261124)[97] == "D0000000000012000"
    assert ask(town, told(town, 20261123)).code == "00", "a closed date keeps its own"
    assert ask(town, told(town, 20261124), 20261124).code == "00"


def test_an_unknown_date(town) -> None:
    decision = ask(town, told(town), 20261122)
    assert (decision.code, decision.fields) == ("30", {44: "015"})


def test_another_bank_s_money_is_not_counted(town) -> None:
    town.pay("icbc")
    assert told(town)[74] == "0" * 10 and told(town, bank="icbc")[74] == "0000000001"


def test_what_the_bank_told_goes_along_beside_what_the_book_had_then(town) -> None:
    busy(town)
    wrong = {**told(town), 74: "0000000005", 86: "0000000000048700"}
    row = ask(town, wrong).told
    assert row is not None
    assert row[:3] == (100, 20261123, town.facts.now_us)
    assert row[3:7] == (5, 48700, 2, 24000) and row[7:] == (4, 36700, 2, 24000)
    assert ask(town, told(town)).told[3:7] == row[7:], "also in balance"


def test_what_is_no_number_and_what_is_refused_is_not_remembered(town) -> None:
    for text in ("", "１", "-000000001"):
        decision = ask(town, {**told(town), 75: text})
        assert (decision.code, decision.told) == ("95", None)
    assert ask(town, told(town), 20261122).told is None
