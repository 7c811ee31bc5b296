"""The store on both engines: what a batch loads, what it writes, and what a fault leaves behind: nothing."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from shebao.ledger.store import StoreError, open_store


def test_a_payment_and_its_repeat(till: Any) -> None:
    bill, _ = till.add_bills(2)
    request = till.request("payment", bill)
    first, again = till.ask(request, request)
    assert (first.code, again.reply) == ("00", first.reply)
    (later,) = till.ask(request._replace(mti="0201"))
    assert later.reply == first.reply
    assert till.codes(request._replace(amount=12001)) == ["94"]
    assert till.rows("SELECT seq, code, bill_move FROM event") == [(1, "00", "OUTSTANDING>PAID")]
    assert till.rows("SELECT line, debit, credit, amount FROM transfer ORDER BY line") == [
        (1, "clearing:rcb", "fund:170", 9000),
        (2, "clearing:rcb", "fund:390", 3000),
    ]
    assert till.rows("SELECT status, paid_book, paid_seq FROM bill ORDER BY number") == [
        ("PAID", 100, 1),
        ("OUTSTANDING", None, None),
    ]
    assert till.rows("SELECT credits, credits_fen FROM day WHERE book_id = 100") == [(1, 12000)]
    assert till.rows("SELECT next_seq, next_receipt FROM book WHERE book_id = 100") == [(2, 2)]


def test_one_bill_two_banks_one_winner(till: Any) -> None:
    (bill,) = till.add_bills(1)
    assert till.codes(till.request("payment", bill), till.request("payment", bill, bank="icbc")) == ["00", "B1"]
    (answer,) = till.ask(till.request("payment", bill, bank="icbc"))
    assert b"'PB', 'rcb'" in answer.reply and b"RN" not in answer.reply


def test_reversals_voids_and_what_comes_early(till: Any) -> None:
    one, two, three = till.add_bills(3)
    paid, voided, late = (till.request("payment", bill) for bill in (one, two, three))
    assert till.codes(paid, voided) == ["00", "00"]
    void = till.undo("void", voided)
    assert till.codes(till.undo("reversal", paid), void, till.undo("reversal", late)) == ["00", "00", "25"]
    assert till.codes(late, till.undo("reversal", void)) == ["R1", "00"]
    assert till.rows("SELECT status FROM bill ORDER BY number") == [("OUTSTANDING",), ("PAID",), ("OUTSTANDING",)]
    assert till.rows("SELECT state, undone_seq FROM payment ORDER BY seq") == [("REVERSED", 3), ("LIVE", None)]
    counted = till.rows("SELECT credits, reversals, credits_fen, reversals_fen FROM day WHERE book_id = 100")
    assert counted == [(3, 2, 36000, 24000)]


def test_money_without_a_bill_goes_to_suspense_and_back(till: Any) -> None:
    (bill,) = till.add_bills(1)
    advice = till.request("advice", bill, mti="0220", amount=5)
    assert till.codes(advice) == ["00"]
    assert till.rows("SELECT item_class, state, amount FROM exception") == [("SUSPENSE", "OPEN", 5)]
    assert till.codes(till.undo("reversal", advice)) == ["00"]
    assert till.rows("SELECT state FROM suspense") == [("REVERSED",)]
    assert till.rows("SELECT state, id FROM exception") == [("CLOSED", 1)]


def test_inquiries_find_by_number_payer_and_card_and_write_nothing(till: Any) -> None:
    one, two = till.add_bills(2)
    with till.store.writing() as connection:
        person = (till.payer, "沈建国", "", "6217000000000000", "330110", "")
        connection.exec_driver_sql(f"INSERT INTO person VALUES {person}")
    by_number = till.request("inquiry", one)
    by_payer = till.request("inquiry", person=till.payer)
    by_card = till.request("inquiry", card="6217000000000000")
    replies = [answer.reply.decode() for answer in till.ask(by_number, by_payer, by_card)]
    assert one in replies[0] and two not in replies[0]
    assert replies[1] == replies[2] and one in replies[1] and two in replies[1]
    assert till.codes(till.request("inquiry", card="1234")) == ["14"]
    assert till.rows("SELECT count(*) FROM event") == [(0,)]


def test_inquiries_alone_do_not_need_the_write_lock(till: Any) -> None:
    (bill,) = till.add_bills(1)
    with till.store.writing() as connection:
        connection.exec_driver_sql("UPDATE book SET bank = bank")
        assert till.codes(till.request("inquiry", bill)) == ["00"]


def test_cutover_opens_the_next_date_and_receipts_begin_anew(till: Any) -> None:
    one, two = till.add_bills(2)
    cut = till.act("cutover", date=20261124)
    first, _, second = till.ask(till.request("payment", one), cut, till.request("payment", two))
    assert b"2611230100000000001" in first.reply and b"2611240100000000001" in second.reply
    assert till.rows("SELECT date, state, last_seq, credits FROM day WHERE book_id = 100 ORDER BY date") == [
        (20261123, "CLOSED", 2, 1),
        (20261124, "OPEN", 0, 1),
    ]


def test_a_withdrawal_is_the_bureaus_own_event(till: Any) -> None:
    (bill,) = till.add_bills(1)
    assert till.codes(till.act("withdraw", bill=bill), till.request("payment", bill)) == ["00", "B2"]
    assert till.rows("SELECT book_id, seq, bill_move, operator FROM event WHERE kind = 'withdraw'") == [
        (0, 1, "OUTSTANDING>WITHDRAWN", "zhang")
    ]


def test_bills_of_an_open_import_are_not_there_yet(till: Any) -> None:
    (bill,) = till.add_bills(1)
    with till.store.writing() as connection:
        connection.exec_driver_sql("UPDATE bill SET import_id = 7")
        connection.exec_driver_sql("INSERT INTO open_import VALUES (7, 'a.csv', 0)")
    asked = [till.request("payment", bill), till.request("inquiry", bill), till.request("inquiry", person=till.payer)]
    *refused, none = till.ask(*asked)
    assert [answer.code for answer in refused] == ["25", "25"] and b"'NB', '000'" in none.reply
    with till.store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM open_import")
    assert till.codes(till.request("payment", bill)) == ["00"]


def test_a_fault_in_one_request_is_96_and_the_others_stand(till: Any) -> None:
    one, two = till.add_bills(2)
    bad = till.request("payment", one)._replace(service="nobody knows this")
    answers = till.ask(bad, till.request("payment", two))
    assert [answer.code for answer in answers] == ["96", "00"]
    assert isinstance(answers[0].fault, KeyError)
    assert till.rows("SELECT count(*) FROM event") == [(1,)]


def test_a_bill_changed_behind_the_locks_undoes_the_batch(till: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (bill,) = till.add_bills(1)
    move = type(till.store._backend).move_bills

    def as_if_withdrawn(self: Any, rows: Any) -> int:
        return int(move(self, [(*row[:5], "WITHDRAWN") for row in rows]))

    monkeypatch.setattr(type(till.store._backend), "move_bills", as_if_withdrawn)
    with pytest.raises(StoreError, match="changed by another program"):
        till.ask(till.request("payment", bill))
    monkeypatch.undo()
    assert till.rows("SELECT count(*) FROM event") == [(0,)]
    assert till.codes(till.request("payment", bill)) == ["00"]


def test_more_keys_than_one_statement_takes(till: Any) -> None:
    bills = till.add_bills(1100)
    assert set(till.codes(*(till.request("payment", bill) for bill in bills))) == {"00"}
    assert till.rows("SELECT count(*), sum(amount) FROM transfer") == [(2200, 1100 * 12000)]


def test_every_search_goes_by_its_whole_key(till: Any) -> None:
    """A search by a part of its key walks through a whole book, and so grows with it."""
    if not till.url.startswith("sqlite"):
        pytest.skip("PostgreSQL chooses by statistics; see test_partition")
    keys = {
        "days": "date",
        "events": "trace",
        "early": "trace",
        "payments": "seq",
        "suspense": "seq",
        "exceptions": "id",
    }
    wanted = {name: f"(book_id=? AND {key}=?" for name, key in keys.items()}
    wanted |= {"bills": "(division=? AND number=?)", "payable of": "(payer_id=?)"}
    wanted |= {"people": "(id=?)", "cards": "(card=?)"}
    for name, key in wanted.items():
        for count in (1, 4, 512):
            sql = till.store.statements.by_keys(name, count)
            with till.store.reading() as connection:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (1,) * sql.count("?")).first()
            assert key in plan[3], (name, plan)


def test_ping_writes(till: Any) -> None:
    till.store.ping()
    assert till.rows("SELECT beats FROM pulse") == [(1,)]


def test_a_database_without_tables_says_what_to_type(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        sqlite3.connect(database_url.removeprefix("sqlite:///")).close()
    store = open_store(database_url)
    with pytest.raises(StoreError):
        store.ping()
    with pytest.raises(StoreError, match="type: ledgerctl init"):
        store.check()
    store.close()


def test_a_readonly_file_fails_and_recovers_without_a_restart(tmp_path: Path, till: Any) -> None:
    if not till.url.startswith("sqlite"):
        pytest.skip("a file's affair")
    (bill,) = till.add_bills(1)
    file = tmp_path / "books.db"
    moved = tmp_path / "elsewhere.db"
    till.store.reconnect()
    file.rename(moved)
    with pytest.raises(StoreError, match="unable to open"):
        till.ask(till.request("payment", bill))
    assert not file.exists(), "a store that is away is never made anew"
    moved.rename(file)
    assert till.codes(till.request("payment", bill)) == ["00"]


def test_sqlite_waits_for_a_lock(tmp_path: Path, till: Any) -> None:
    if not till.url.startswith("sqlite"):
        pytest.skip("SQLite's affair")
    import threading

    (bill,) = till.add_bills(1)
    other = sqlite3.connect(tmp_path / "books.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    codes: list[str] = []
    waiting = threading.Thread(target=lambda: codes.extend(till.codes(till.request("payment", bill))))
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive() and not codes
    other.execute("COMMIT")
    waiting.join()
    assert codes == ["00"]
    other.close()
