"""The daemon's work at a date's end: the files of closed dates that have none, whatever became of other dates."""

import pytest
from sqlalchemy import insert

from shebao.ledger import schema
from shebao.ledger.books import ensure_books
from shebao.ledger.config import read_dialects, read_settings
from shebao.ledger.day import us_of
from shebao.ledger.store import open_store
from shebao.switch.endofday import EndOfDay

DATES = (20261121, 20261122, 20261123)  # closed; the next is open


@pytest.fixture
def house(make_daemon):
    """Books of four banks whose latest dates are closed and empty; the store, and the end of the day over it."""
    config = make_daemon().prepare(keys=()).config
    settings = read_settings(config)
    store = open_store(settings.database)
    ensure_books(store, settings, us_of(20261124_090000))
    with store.writing() as connection:
        for date in DATES:
            ends = us_of(date * 1_000_000 + 230000)
            connection.execute(insert(schema.day).values((100, date, "CLOSED", 1, ends, 0, 0, 0, 0, 0)))
    yield store, EndOfDay(settings, read_dialects(settings, config), store.reading, lambda: None)
    store.close()


def test_a_date_that_does_not_add_up_keeps_no_other_from_its_file(house):
    store, end_of_day = house
    with store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE day SET credits = 1 WHERE date = {DATES[1]}")
    with pytest.raises(ValueError, match="add up"):
        end_of_day.close("rcb")
    with store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE day SET credits = 0 WHERE date = {DATES[1]}")
    assert end_of_day.close("rcb") == [DATES[1]], "the others have their files already"
    assert end_of_day.close("rcb") == []
