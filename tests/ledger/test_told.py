"""What banks told by 0500, on SQLite and PostgreSQL: the latest of a date wins, whoever wrote it first."""

from shebao.ledger.facts import ToldTotals
from shebao.ledger.store import open_store
from shebao.ledger.told import keep, told_of

FIRST = ToldTotals(100, 20261123, 5_000_000, 3, 36000, 1, 12000, 2, 24000, 1, 12000)


def test_the_latest_of_each_date_wins(store_url: str) -> None:
    store = open_store(store_url)
    other, later = FIRST._replace(date=20261124), FIRST._replace(at_us=6_000_000, payments=4, payments_fen=10**15)
    keep(store, [other, FIRST])
    keep(store, [later])
    keep(store, [FIRST._replace(payments=9)])  # of another daemon, late
    with store.reading() as connection:
        assert told_of(connection, 100) == {20261123: later, 20261124: other}
        assert told_of(connection, 200) == {}
    store.close()
