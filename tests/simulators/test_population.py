"""People and bills: right check digits, formats of the imports, one seed one population, Yuhang's amounts."""

import csv
import io
import random

import pytest

from shebao.codecs.numbers import bill_ok, citizen_ok, credit_code_ok
from shebao.simulators import hours, population

TODAY = 20261125


@pytest.fixture(scope="module")
def made() -> population.Population:
    return population.populate(7, 4000, TODAY)


def test_one_seed_is_one_population(made: population.Population) -> None:
    assert population.populate(7, 4000, TODAY) == made
    assert population.populate(8, 4000, TODAY) != made


def test_numbers_have_right_check_digits(made: population.Population) -> None:
    assert all(bill_ok(bill.number) for bill in made.bills)
    assert all(citizen_ok(person.id) for person in made.people)
    assert all(citizen_ok(bill.payer_id) or credit_code_ok(bill.payer_id) for bill in made.bills)
    assert len({bill.number for bill in made.bills}) == len(made.bills)
    assert len({person.id for person in made.people}) == len(made.people)
    assert len({person.card for person in made.people}) == len(made.people)


def test_two_populations_side_by_side(made: population.Population) -> None:
    other = population.populate(8, 100, TODAY, first_serial=4001)
    assert not {bill.number for bill in other.bills} & {bill.number for bill in made.bills}
    with pytest.raises(ValueError, match="9999999"):
        population.populate(8, 100, TODAY, first_serial=9_999_901)


def test_amounts_look_like_yuhang(made: population.Population) -> None:
    amounts = [bill.amount for bill in made.bills]
    large = [amount for amount in amounts if 1_450_000 <= amount <= 1_690_000]
    assert 0.1 < len(large) / len(amounts) < 0.2
    assert amounts.count(48_000) > 0.5 * len(amounts)
    assert 60_000_000_00 < sum(amounts) * 5 < 70_000_000_00  # of 20,000 payments, in fen
    assert all(fen > 0 for bill in made.bills for _, fen in bill.parts)


def test_employers_and_rare_names_are_there(made: population.Population) -> None:
    assert any(credit_code_ok(bill.payer_id) and not citizen_ok(bill.payer_id) for bill in made.bills)
    names = "".join(person.name for person in made.people)
    assert "·" in names and ("䶮" in names or "𠮷" in names)
    assert len(names.encode("gb18030")) > 2 * len(names) - names.count("·")


def test_bills_are_payable_today(made: population.Population) -> None:
    assert all(bill.issued < TODAY <= bill.due <= bill.last_day for bill in made.bills)


def test_334_village_offices() -> None:
    names = population.office_names()
    assert len(set(names)) == 334


def test_bills_csv_reads_back(made: population.Population) -> None:
    text = io.StringIO()
    population.write_bills(made.bills, text)
    assert tuple(population.read_bills(io.StringIO(text.getvalue()), "bills.csv")) == made.bills


def test_people_csv_has_the_contract_columns(made: population.Population) -> None:
    text = io.StringIO()
    population.write_people(made.people, text)
    rows = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert list(rows[0]) == ["id", "name", "phone", "card", "division", "enrolled"]
    assert len(rows) == len(made.people)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("33011026112300000011,1,x,o,202601,202612,2026-01-01,2026-02-01,2026-03-01,390,48000,0", "check digit"),
        ("33011026112300000010,1,x,o,202601,202612,2026-01-01,2026-02-01,2026-03-01,390,many,0", "many"),
    ],
)
def test_a_bad_bill_is_named_with_its_line(line: str, word: str) -> None:
    text = ",".join(population.BILL_COLUMNS) + "\n" + line + "\n"
    with pytest.raises(population.BillsFault, match=f"bills.csv: line 2: .*{word}"):
        list(population.read_bills(io.StringIO(text), "bills.csv"))


def test_the_day_has_two_peaks_and_a_lunch() -> None:
    clocks = [moment % 1_000_000 for moment in hours.moments(random.Random(1), TODAY, 20_000)]
    assert clocks == sorted(clocks)
    assert clocks[0] >= 80_000 and clocks[-1] < 173_000

    def between(low: int, high: int) -> int:
        return sum(low <= clock < high for clock in clocks)

    assert between(100_000, 103_000) > 2 * between(120_000, 123_000)
    assert between(143_000, 150_000) > 2 * between(120_000, 123_000)


def test_later_stays_on_its_day() -> None:
    assert hours.later(20261125_235930, 45) == 20261125_235959
    assert hours.later(20261125_095930, 45) == 20261125_100015
