"""Years, age, and the settlement date's cut-over (wire.md section 6, rules 3 and 10)."""

import itertools
from datetime import UTC, datetime, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shebao.ledger import day
from shebao.ledger.facts import Book

CUTOVER = time(23)


def at(moment: int) -> datetime:
    return day.time_of(day.us_of(moment))


# -- arithmetic and years


def test_times_are_chinese_whatever_the_machine_thinks() -> None:
    us = int(datetime(2026, 11, 23, 16, 30, tzinfo=UTC).timestamp()) * 1_000_000
    assert day.moment_of(us) == 20261124003000
    assert day.date_of(us) == 20261124
    assert day.us_of(20261124003000) == us


@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2090, 1, 1)))  # noqa: DTZ001
def test_moments_and_microseconds_are_one(told: datetime) -> None:
    moment = int(told.strftime("%Y%m%d%H%M%S"))
    assert day.moment_of(day.us_of(moment) + told.microsecond) == moment


@pytest.mark.parametrize(
    ("text", "now", "moment"),
    [
        ("1123093015", 20261123100000, 20261123093015),
        ("1231235959", 20270101000010, 20261231235959),  # New Year, told after it
        ("0101000010", 20261231235959, 20270101000010),  # told before it by a clock ahead
        ("0701000000", 20261123100000, 20260701000000),
        ("0229235950", 20280301000010, 20280229235950),
        ("0229235950", 20270301000010, 20280229235950),  # no such day near: 365 days on, so too far from now
    ],
)
def test_the_year_that_puts_it_nearest(text: str, now: int, moment: int) -> None:
    assert day.year_of(text, at(now)) == moment


@pytest.mark.parametrize("text", ["1301000000", "0001000000", "0431120000", "1123240000", "1123235960", "0230000000"])
def test_no_lenient_dates(text: str) -> None:
    assert day.year_of(text, at(20261123100000)) is None


@given(st.integers(-180 * 86400, 180 * 86400), st.datetimes(datetime(2024, 1, 1), datetime(2060, 1, 1)))  # noqa: DTZ001
def test_within_180_days_the_year_comes_back(away_s: int, now: datetime) -> None:
    now_us = day.us_of(int(now.strftime("%Y%m%d%H%M%S")))
    moment = day.moment_of(now_us + away_s * 1_000_000)
    if moment // 1_000_000 % 10_000 != 229:  # a leap day's nearest twin is years away
        assert day.year_of(f"{moment % 10**10:010d}", day.time_of(now_us)) == moment


def test_a_settlement_date_gets_its_year() -> None:
    assert day.date_near("0101", at(20261231230000)) == 20270101
    assert day.date_near("1231", at(20270101000000)) == 20261231
    assert day.date_near("1301", at(20270101000000)) is None


# -- age

AGES = [
    ("0200", 86_400, 0), ("0200", 86_401, 7), ("0200", -86_400, 0), ("0200", -86_401, 7),
    ("0100", 86_401, 7), ("0500", 86_401, 7), ("0800", 86_401, 7),
    ("0220", 7 * 86_400, 0), ("0221", 7 * 86_400 + 1, 7), ("0400", 7 * 86_400, 0), ("0421", 7 * 86_400 + 1, 7),
    ("0520", 2 * 86_400, 0), ("0820", 2 * 86_400, 0), ("0420", -86_401, 7),
]  # fmt: skip


@pytest.mark.parametrize(("mti", "age_s", "field"), AGES)
def test_age_by_de7(town, mti: str, age_s: int, field: int) -> None:
    request = town.request("payment", mti=mti, moment=day.moment_of(town.now_us - age_s * 1_000_000))
    assert day.age_fault(request, town.now_us) == field


@pytest.mark.parametrize(
    ("mti", "local", "field"),
    [("0200", 20261122, 0), ("0200", 20261124, 0), ("0200", 20261121, 13), ("0200", 20261125, 13),
     ("0220", 20261116, 0), ("0220", 20261115, 13), ("0420", 0, 0)],
)  # fmt: skip
def test_age_by_de13_in_whole_days(town, mti: str, local: int, field: int) -> None:
    assert day.age_fault(town.request("payment", mti=mti, local_date=local), town.now_us) == field


def test_de7_is_named_before_de13(town) -> None:
    request = town.request("payment", moment=20261120000000, local_date=20261120)
    assert day.age_fault(request, town.now_us) == 7


# -- cut-over


@pytest.mark.parametrize(
    ("now", "first"), [(20261123225959, 20261123), (20261123230000, 20261124), (20261231230000, 20270101)]
)
def test_the_first_date_of_a_new_bank(now: int, first: int) -> None:
    assert day.first_date(day.us_of(now), CUTOVER) == first


@pytest.mark.parametrize(
    ("opened", "now", "due"),
    [
        (20261123, 20261123225959, ()),
        (20261123, 20261123230000, (20261124,)),
        (20261124, 20261123233000, ()),  # cut over already
        (20261124, 20261123150000, ()),  # by message, ahead of the clock
        (20261127, 20261130090000, (20261128, 20261129, 20261130)),  # down from Friday evening to Monday morning
        (20261123, 20261123000000, ()),
        (20261130, 20261123230000, ()),  # the clock jumped back
    ],
)
def test_cutovers_by_the_clock(opened: int, now: int, due: tuple[int, ...]) -> None:
    assert day.cutovers_due(opened, day.us_of(now), CUTOVER) == due


def test_a_cutover_closes_one_date_and_opens_the_next(town) -> None:
    town.pay()
    decision = town.ask(town.request("cutover", date=20261124))
    assert decision.code == "00"
    book, closed, fresh = town.facts.books[100], town.facts.days[100, 20261123], town.facts.days[100, 20261124]
    assert (book.open_date, book.next_receipt, book.next_seq) == (20261124, 1, 3)
    assert (closed.state, closed.closed_us, closed.last_seq, closed.credits) == ("CLOSED", town.now_us, 2, 1)
    assert (fresh.state, fresh.opened_us, fresh.credits, fresh.last_seq) == ("OPEN", town.now_us, 0, 0)
    assert town.events[-1].date == 20261123
    assert town.facts.books[200].open_date == 20261123, "another bank's date is its own"
    town.pay(bill=town.numbers[1])
    assert town.history[-1][1].fields[15] == "1124"
    assert town.history[-1][1].tags[0][1].startswith("261124" + "01" + "00" + "000000001")


def test_the_date_already_open_is_no_fault_and_no_event(town) -> None:
    decision = town.ask(town.request("cutover", date=20261123))
    assert (decision.code, decision.effects) == ("00", None)
    assert not town.events


@pytest.mark.parametrize("date", [20261122, 20261125, 20270101])
def test_any_other_date_is_refused(town, date: int) -> None:
    decision = town.ask(town.request("cutover", date=date))
    assert (decision.code, decision.fields) == ("30", {44: "015"})


def test_not_beyond_tomorrow_by_message_clock_or_command(town) -> None:
    assert town.ask(town.request("cutover", date=20261124)).code == "00"
    for operator, mti in (("rcb", "0800"), ("clock", ""), ("zhang", "")):
        decision = town.ask(town.request("cutover", date=20261125, operator=operator, mti=mti))
        assert (decision.code, decision.fields) == ("30", {44: "015"})
    town.turn_to("20261124000000")
    assert town.ask(town.request("cutover", date=20261125)).code == "00"


def test_the_clock_and_a_bank_at_once_cut_over_once(town) -> None:
    assert town.ask(town.request("cutover", date=20261124)).code == "00"
    assert town.ask(town.request("cutover", date=20261124, operator="clock", mti="")).effects is None
    assert [event.kind for event in town.events] == ["cutover"]


# -- receipts after a restore

RATE = day.RECEIPTS_A_DAY // 86_400  # receipts a second that no book reaches all day long
SECOND_US = 1_000_000
ACTS = st.one_of(
    st.tuples(st.just("pay"), st.integers(1, 40 * 3600), st.integers(1, RATE)),  # seconds, receipts in each
    st.tuples(st.just("burst"), st.just(1), st.integers(1, 6 * RATE)),
    st.tuples(st.just("cut over by message"), st.just(0), st.just(0)),
    st.tuples(st.just("back up"), st.just(0), st.just(0)),
    st.tuples(st.just("restore"), st.integers(0, 9), st.just(0)),  # which backup
)


@settings(max_examples=400, deadline=None)
@given(st.lists(ACTS, max_size=30))
def test_no_book_gives_a_receipt_twice_whatever_is_restored_when(acts: list[tuple[str, int, int]]) -> None:
    """Days of one book that is backed up and restored at any time, from any backup: all its receipts differ."""
    now_us = day.us_of(20261123120000)
    book = Book(100, "rcb", 20261123, 1, 1, 1, b"")
    backups, given_out, restores = [book], [], 0

    def cut(to_us: int) -> None:
        nonlocal book
        for opened in day.cutovers_due(book.open_date, to_us, CUTOVER):
            book = book._replace(open_date=opened, next_receipt=day.first_receipt(book.next_receipt))

    for what, first, second in acts:
        if what in ("pay", "burst"):
            for done in range(0, first, 3600):  # an hour at a time, so that a cut-over comes between
                cut(now_us)
                seconds = min(3600, first - done)
                count = seconds * second
                given_out.append((book.open_date, book.next_receipt, book.next_receipt + count))
                assert book.next_receipt + count <= 10**9, "the numbers of a date last"
                book = book._replace(next_receipt=book.next_receipt + count)
                now_us += seconds * SECOND_US
        elif what == "cut over by message" and book.open_date <= day.date_of(now_us):
            next_date = day.add_days(book.open_date, 1)
            book = book._replace(open_date=next_date, next_receipt=day.first_receipt(book.next_receipt))
        elif what == "back up":
            backups.append(book)
        elif what == "restore":
            now_us += 10 * SECOND_US
            book = backups[first % len(backups)]
            book = book._replace(next_receipt=day.after_restore(book, now_us, restores))
            restores += 1
            cut(now_us)
    given_out.sort()
    for (date, _, end), (other_date, start, _) in itertools.pairwise(given_out):
        assert date != other_date or end <= start


def test_a_book_that_was_never_restored_begins_each_date_with_one() -> None:
    assert [day.first_receipt(n) for n in (1, 2, 20_000, day.RECEIPTS_A_DAY)] == [1, 1, 1, 1]
