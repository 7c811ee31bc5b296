"""Good books prove; every kind of tampering is named: table, key, what differs (a hash chain's cases (a) to (f))."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from shebao_sealed import SIGNER, Sealed
from sqlalchemy import Connection, select

from shebao.ledger import anchor, proof, schema, walk
from shebao.ledger.anchor import Anchors
from shebao.ledger.journal import canonical, seal
from shebao.ledger.verify import verify

HOUR_US = 3_600_000_000
JOURNAL = ("event", "payment", "transfer")
SEAL_OF = "(SELECT seal FROM event WHERE book_id = 100 AND seq = {})"


@pytest.fixture
def sealed(till: Any, tmp_path: Path) -> Sealed:
    return Sealed(till, tmp_path)


def of(sealed: Sealed, serial: int) -> str:
    """SQL for the bill of this place in the story."""
    return f"division = 330110 AND number = {sealed.bills[serial][:19]}"


def test_good_books_prove_and_every_proof_looked_at_something(sealed: Sealed) -> None:
    proofs = sealed.verify()
    assert [one.name for one in proofs] == list(proof.NAMES)
    assert not any(one.faults for one in proofs)
    looked_at = {one.name: one.looked_at for one in proofs}
    assert looked_at.pop(proof.CORRECTIONS) == 0  # none is booked yet
    assert all(looked_at.values()), looked_at
    assert looked_at[proof.EVENTS] == looked_at[proof.SEAL] == 25 and looked_at[proof.ANCHORS] == 5


def test_books_without_events_prove(till: Any, tmp_path: Path) -> None:
    till.add_bills(2)
    proofs = verify(till.store.reading, tmp_path / "nowhere", till.now_us + 30 * 24 * HOUR_US)
    assert not any(one.faults for one in proofs)


# what is done to the rows, which proofs speak against it, and what one of them says
TAMPERED: dict[str, tuple[Callable[[Sealed], list[str]], set[str], str]] = {
    "a paid bill": (
        lambda s: [f"UPDATE bill SET status = 'OUTSTANDING', paid_book = NULL, paid_seq = NULL WHERE {of(s, 0)}"],
        {proof.STATUS, proof.PAID},
        "status is OUTSTANDING, right is PAID: by its last sealed move in event 100/1",
    ),
    "a bill nobody paid": (
        lambda s: [f"UPDATE bill SET status = 'PAID' WHERE {of(s, 11)}"],
        {proof.STATUS, proof.PAID},
        "status is PAID, right is OUTSTANDING: no event moved it",
    ),
    "a bill that has not expired": (
        lambda s: [f"UPDATE bill SET status = 'EXPIRED' WHERE {of(s, 11)}"],
        {proof.STATUS},
        "status is EXPIRED, right is OUTSTANDING",
    ),
    "a withdrawn bill": (
        lambda s: [f"UPDATE bill SET status = 'OUTSTANDING' WHERE {of(s, 8)}"],
        {proof.STATUS},
        "status is OUTSTANDING, right is WITHDRAWN: by its last sealed move in event 0/1",
    ),
    "a bill of another payment": (
        lambda s: [f"UPDATE bill SET paid_seq = 4 WHERE {of(s, 0)}"],
        {proof.PAID},
        "paid_book/paid_seq is 100/4, right is 100/1",
    ),
    "a bill taken away": (
        lambda s: [f"DELETE FROM bill WHERE {of(s, 0)}"],
        {proof.STATUS, proof.PAID},
        "event 100/1: moved bill 33011026110100000011, which is not there",
    ),
    "a bill's parts": (
        lambda s: [f"UPDATE bill SET parts = '170:8000 390:4000' WHERE {of(s, 0)}"],
        {proof.TRANSFERS},
        "transfer 100/1: the transfers of this payment are not the parts of bill 330110/3301102611010000001",
    ),
    "a receipt": (
        lambda s: ["UPDATE payment SET receipt = '26112301000000000099' WHERE book_id = 100 AND seq = 2"],
        {proof.SEAL, proof.RECEIPTS},
        "payment 100/2: receipt is 26112301000000000099, right is 26112301000000000",
    ),
    "an RRN": (
        lambda s: ["UPDATE payment SET rrn = 'R999999' WHERE book_id = 100 AND seq = 4"],
        {proof.SEAL, proof.STATES},
        "payment 100/4: rrn is R999999, right is R000017, as its event has it",
    ),
    "a STAN": (
        lambda s: ["UPDATE payment SET stan = '999999' WHERE book_id = 100 AND seq = 1"],
        {proof.SEAL, proof.STATES},
        "payment 100/1: stan is 999999, right is 000001, as its event has it",
    ),
    "a terminal": (
        lambda s: ["UPDATE payment SET terminal = 'T2' WHERE book_id = 200 AND seq = 1"],
        {proof.SEAL},
        "event 200/1: its seal is not that of its rows in event, payment and transfer",
    ),
    "a payment's state": (
        lambda s: ["UPDATE payment SET state = 'REVERSED', undone_seq = 7 WHERE book_id = 100 AND seq = 1"],
        {proof.STATES, proof.PAID},
        "payment 100/1: state is REVERSED, right is LIVE, as its events left it",
    ),
    "a payment out of suspense": (
        lambda s: ["UPDATE payment SET suspense = 0 WHERE book_id = 100 AND seq = 5"],
        {proof.STATES, proof.PAID},
        "payment 100/5: suspense is False, right is True",
    ),
    "a payment taken away": (
        lambda s: ["DELETE FROM payment WHERE book_id = 100 AND seq = 20"],
        {proof.SEAL, proof.EVENTS, proof.RECEIPTS, proof.PAID},
        "payment 100/20: is not there, but its event of kind payment is",
    ),
    "a payment of no event": (
        lambda s: [_copy(s, "payment", "book_id = 100 AND seq = 1", seq=77)],
        {proof.EVENTS, proof.STATES, proof.PAID, proof.SUSPENSE},
        "payment 100/77: belongs to no event",
    ),
    "a debit": (
        lambda s: ["UPDATE transfer SET debit = 'clearing:icbc' WHERE book_id = 100 AND seq = 3 AND line = 2"],
        {proof.SEAL, proof.TRANSFERS, proof.CLEARING},
        "transfer 100/3/2: debit is clearing:icbc, right is clearing:rcb",
    ),
    "a credit": (
        lambda s: ["UPDATE transfer SET credit = 'fund:110' WHERE book_id = 100 AND seq = 3 AND line = 2"],
        {proof.SEAL, proof.TRANSFERS},
        "transfer 100/3: the transfers of this payment are not the parts of bill 330110/3301102611010000003",
    ),
    "an amount": (  # (a)
        lambda s: ["UPDATE transfer SET amount = 2999 WHERE book_id = 100 AND seq = 1 AND line = 2"],
        {proof.SEAL, proof.TRANSFERS, proof.CLEARING, proof.DAYS},
        "transfer 100/1: sum is 11999, right is 12000, the event's amount",
    ),
    "an amount below zero": (
        lambda s: ["UPDATE transfer SET amount = -3000 WHERE book_id = 100 AND seq = 1 AND line = 2"],
        {proof.SEAL, proof.TRANSFERS, proof.CLEARING, proof.DAYS},
        "transfer 100/1/2: amount is -3000, not above 0",
    ),
    "a transfer of no event": (
        lambda s: ["INSERT INTO transfer VALUES (100, 77, 1, 20261124, 'clearing:rcb', 'fund:170', 5)"],
        {proof.TRANSFERS},
        "transfer 100/77/1: belongs to no event",
    ),
    "transfers of an event that moves nothing": (
        lambda s: ["INSERT INTO transfer VALUES (100, 12, 1, 20261123, 'clearing:rcb', 'suspense:rcb', 5)"],
        {proof.SEAL, proof.TRANSFERS, proof.CLEARING, proof.SUSPENSE},
        "transfer 100/12: sum is 5, right is none, of a refused",
    ),
    "an event's answer": (
        lambda s: ["UPDATE event SET code = '00' WHERE book_id = 100 AND seq = 12"],
        {proof.SEAL},
        "event 100/12: its seal is not",
    ),
    "an event of an unknown kind": (
        lambda s: ["UPDATE event SET kind = 'gift' WHERE book_id = 100 AND seq = 17"],
        {proof.SEAL, proof.CORRECTIONS},
        "event 100/17: is of kind gift, which this version does not book",
    ),
    "a move": (
        lambda s: ["UPDATE event SET bill_move = 'PAID>REFUNDED' WHERE book_id = 100 AND seq = 1"],
        {proof.SEAL, proof.STATUS},
        "event 100/1: payment makes no move PAID>REFUNDED",
    ),
    "an event in the middle": (  # (b), with all its rows
        lambda s: [f"DELETE FROM {table} WHERE book_id = 100 AND seq = 4" for table in JOURNAL],
        {proof.EVENTS, proof.SEAL, proof.RECEIPTS, proof.CLEARING, proof.DAYS, proof.PAID, proof.STATUS},
        "event 100/5: follows number 3: 4 is not there",
    ),
    "an event put in": (
        lambda s: [_copy(s, "event", "book_id = 100 AND seq = 17", seq=23, trace=1)],
        {proof.EVENTS, proof.SEAL, proof.DAYS},
        "event 100/23: its seal is not",
    ),
    "two events swapped": (  # (e), with all their rows
        lambda s: [
            f"UPDATE {table} SET seq = {after} WHERE book_id = 100 AND seq = {before}"
            for table in JOURNAL
            for before, after in ((20, 99), (21, 20), (99, 21))
        ],
        {proof.SEAL, proof.RECEIPTS, proof.PAID, proof.ANCHORS},
        "event 100/20: its seal is not",
    ),
    "a closed date's seal": (  # (f), in the tables
        lambda s: [f"UPDATE event SET seal = {SEAL_OF.format(1)} WHERE book_id = 100 AND seq = 18"],
        {proof.SEAL},
        "event 100/18: its seal is not",
    ),
    "an open suspense item": (
        lambda s: ["UPDATE suspense SET state = 'RETURNED' WHERE book_id = 100 AND seq = 5"],
        {proof.SUSPENSE},
        "suspense 100/5: state is RETURNED, right is OPEN, as its payment is LIVE",
    ),
    "a suspense amount": (
        lambda s: ["UPDATE suspense SET amount = 4 WHERE book_id = 100 AND seq = 5"],
        {proof.SUSPENSE},
        "suspense:rcb: balance is 12005 fen, right is 12004 fen",
    ),
    "a suspense item taken away": (
        lambda s: ["DELETE FROM suspense WHERE book_id = 100 AND seq = 5"],
        {proof.SUSPENSE},
        "suspense 100/5: is not there",
    ),
    "a suspense item's exception": (
        lambda s: ["DELETE FROM exception WHERE book_id = 100 AND id = 1"],
        {proof.SUSPENSE},
        "suspense 100/5: its exception 1 is not there",
    ),
    "a date's count": (
        lambda s: ["UPDATE day SET credits_fen = credits_fen + 1 WHERE book_id = 100 AND date = 20261123"],
        {proof.DAYS, proof.CLEARING},
        "day 100/20261123: credits_fen is",
    ),
    "a date's end": (
        lambda s: ["UPDATE day SET last_seq = 17 WHERE book_id = 100 AND date = 20261123"],
        {proof.DAYS},
        "day 100/20261123: last_seq is 17, right is 18, by its events",
    ),
    "a date opened again": (
        lambda s: ["UPDATE day SET state = 'OPEN' WHERE book_id = 100 AND date = 20261123"],
        {proof.DAYS},
        "day 100/20261123: state is OPEN, right is CLOSED or later",
    ),
    "a date taken away": (
        lambda s: ["DELETE FROM day WHERE book_id = 100 AND date = 20261123"],
        {proof.DAYS, proof.CLEARING},
        "day 100/20261123: is not there",
    ),
    "a book's date": (
        lambda s: ["UPDATE book SET open_date = 20261123 WHERE book_id = 100"],
        {proof.DAYS},
        "book 100: open_date is 20261123, right is 20261124",
    ),
    "a book's next receipt": (
        lambda s: ["UPDATE book SET next_receipt = 1 WHERE book_id = 100"],
        {proof.RECEIPTS},
        "book 100: next_receipt is 1, right is 4",
    ),
    "a book's head": (
        lambda s: [f"UPDATE book SET seal = {SEAL_OF.format(3)} WHERE book_id = 100"],
        {proof.SEAL},
        "book 100: its head is not the seal of its last event, 22",
    ),
    "a book taken away": (
        lambda s: ["DELETE FROM book WHERE book_id = 200"],
        {proof.EVENTS, proof.ANCHORS, proof.TRANSFERS, proof.DAYS, proof.CLEARING},
        "book 200: is not there, but has events",
    ),
}


def _copy(sealed: Sealed, table: str, where: str, **changed: object) -> str:
    """An INSERT of a row like that of `where`, but for what is changed."""
    names = [column.name for column in schema.metadata.tables[table].c]
    values = ", ".join(str(changed.get(name, name)) for name in names)
    return f"INSERT INTO {table} SELECT {values} FROM {table} WHERE {where}"


@pytest.mark.parametrize("what", TAMPERED)
def test_tampering_is_named(sealed: Sealed, what: str) -> None:
    statements, against, says = TAMPERED[what]
    sealed.till.tamper(*statements(sealed))
    faults = sealed.faults()
    assert set(faults) == against, faults
    assert any(says in finding for findings in faults.values() for finding in findings), faults


def test_a_fault_is_one_fault_however_much_comes_after(sealed: Sealed) -> None:
    sealed.till.tamper("UPDATE payment SET rrn = 'X' WHERE book_id = 100 AND seq = 1")
    assert [len(findings) for findings in sealed.faults().values()] == [1, 1]


def test_findings_are_counted_beyond_what_is_kept(sealed: Sealed) -> None:
    sealed.till.tamper("UPDATE event SET at_us = 1 WHERE book_id = 100")
    found = {one.name: one for one in sealed.verify()}[proof.SEAL]
    assert (found.faults, len(found.findings)) == (22, proof.FINDINGS_MAX)


def cut_tail(sealed: Sealed, last: int, serial: int) -> None:
    """(c), and well done: the events after `last` gone, and everything set back that would tell of them."""
    free = "status = 'OUTSTANDING', paid_book = NULL, paid_seq = NULL"
    counts = f"credits = {serial - 1}, credits_fen = {12000 * (serial - 1)}"
    head = f"next_seq = {last + 1}, next_receipt = {serial}, seal = {SEAL_OF.format(last)}"
    sealed.till.tamper(
        f"UPDATE bill SET {free} WHERE paid_book = 100 AND paid_seq > {last}",
        f"UPDATE day SET {counts} WHERE book_id = 100 AND date = 20261124",
        f"UPDATE book SET {head} WHERE book_id = 100",
        *(f"DELETE FROM {table} WHERE book_id = 100 AND seq > {last}" for table in JOURNAL),
    )


def test_a_tail_cut_off_is_told_by_the_anchor_alone(sealed: Sealed) -> None:
    cut_tail(sealed, last=19, serial=1)
    told = f"anchor {sealed.log()}:3: is ahead of the tables: 21 events were signed, book 100 has 19"
    assert sealed.faults() == {proof.ANCHORS: [told]}


def test_what_nobody_signed_yet_can_be_cut_off_unseen(sealed: Sealed) -> None:
    """The limit of it, and why heads are signed every minute: event 22 is younger than the last anchor."""
    cut_tail(sealed, last=21, serial=3)
    assert sealed.faults() == {}


def test_a_chain_made_anew_from_a_row_on_is_told_by_the_anchors_alone(sealed: Sealed) -> None:
    """(d): a void's RRN changed, every seal after it and the head recomputed."""
    sealed.till.tamper("UPDATE event SET rrn = 'X' WHERE book_id = 100 AND seq = 9")
    with sealed.till.store.reading() as connection:
        acts = [act for act in walk.acts(connection) if act.key[0] == 100]
    seals, head = [], acts[0].event.seal  # type: ignore[union-attr]
    for act in acts[1:]:
        assert act.event is not None
        head = seal(head, canonical(act.event, act.payment, act.transfers))
        seals.append((head, act.event.seq))
    literal = "X'{}'" if sealed.till.url.startswith("sqlite") else "'\\x{}'"
    sealed.till.tamper(
        *(f"UPDATE event SET seal = {literal.format(h.hex())} WHERE book_id = 100 AND seq = {seq}" for h, seq in seals),
        f"UPDATE book SET seal = {literal.format(head.hex())} WHERE book_id = 100",
    )
    changed = "event 100/{} has another seal than was signed: the first that was changed is one of 7 to {}"
    log = sealed.log()
    assert sealed.faults() == {
        proof.ANCHORS: [f"anchor {log}:2: {changed.format(17, 17)}", f"anchor {log}:3: {changed.format(21, 21)}"]
    }


def test_one_date_s_signature_for_another_s(sealed: Sealed) -> None:
    """(f), in the log."""
    first, second, third = sealed.log().read_bytes().splitlines(keepends=True)
    forged = first.rpartition(b" ")[0] + b" " + second.rpartition(b" ")[2]
    sealed.log().write_bytes(forged + second + third)
    assert sealed.faults() == {proof.ANCHORS: [f"anchor {sealed.log()}:1: its signature is not that of the public key"]}
    sealed.log().write_bytes(first + first + second + third)
    assert sealed.faults() == {proof.ANCHORS: [f"anchor {sealed.log()}:2: 6 events, after 6 further up"]}
    sealed.log().write_bytes(first + b"nothing\n" + second + third)
    assert sealed.faults() == {proof.ANCHORS: [f"anchor {sealed.log()}:2: is no anchor"]}


def test_heads_of_another_key_pair(sealed: Sealed, tmp_path: Path) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    forged = Anchors(sealed.till.store.reading, tmp_path / "forged", other, lambda: 0)
    forged.sign()
    (tmp_path / "forged" / "rcb.log").replace(sealed.log())
    assert list(sealed.faults()) == [proof.ANCHORS]
    (tmp_path / "forged" / anchor.PUBLIC_KEY).replace(sealed.folder / anchor.PUBLIC_KEY)  # and the public key with it
    (tmp_path / "forged" / "icbc.log").replace(sealed.log("icbc"))
    (tmp_path / "forged" / "bureau.log").replace(sealed.log("bureau"))
    by_folder = verify(sealed.till.store.reading, sealed.folder, sealed.till.now_us)
    assert not any(one.faults for one in by_folder)  # who believes the folder is told nothing
    (first, *_) = sealed.faults()[proof.ANCHORS]
    assert "public.key: is not the other half of the master key file's" in first


def test_a_log_or_key_that_is_gone(sealed: Sealed) -> None:
    sealed.log().unlink()
    (finding,) = sealed.faults()[proof.ANCHORS]
    assert finding.startswith(f"anchor {sealed.log()}: no head of book 100 is there, which has 22 events: bring")
    sealed.till.now_us -= 12 * HOUR_US
    assert sealed.faults() == {}  # events of a moment ago need not be signed yet
    (sealed.folder / anchor.PUBLIC_KEY).unlink()
    (finding,) = sealed.faults()[proof.ANCHORS]
    assert "public.key: is missing" in finding


def test_a_log_of_a_bank_that_is_not_there(sealed: Sealed) -> None:
    (sealed.folder / "abc.log").write_bytes(sealed.log("icbc").read_bytes())
    (finding,) = sealed.faults()[proof.ANCHORS]
    assert finding == f"anchor {sealed.folder}/abc.log:1: signs book 200 of icbc, which is not there"


def test_money_and_signatures_that_come_meanwhile_are_no_faults(sealed: Sealed) -> None:
    """What is signed after the snapshot was taken is not ahead of it; and nobody waits for the proofs."""

    @contextmanager
    def reading() -> Iterator[Connection]:
        with sealed.till.store.reading() as connection:
            connection.execute(select(schema.book)).all()
            assert sealed.till.codes(sealed.till.request("payment", sealed.bills[11])) == ["00"]
            assert sealed.anchors.sign() == 1
            yield connection

    proofs = verify(reading, sealed.folder, sealed.till.now_us, SIGNER.public_key())
    assert not any(one.faults for one in proofs)
    assert {one.name: one.looked_at for one in proofs}[proof.EVENTS] == 25


ONE_ROW = {"bill": "number = (SELECT min(number) FROM bill)", "suspense": "seq = 5"}


def test_values_of_no_proper_type_are_faults_and_no_crash(sealed: Sealed) -> None:
    if not sealed.till.url.startswith("sqlite"):
        pytest.skip("PostgreSQL's columns hold their type")
    for table, column, value in (
        ("event", "reply", "'x'"), ("event", "seal", "'x'"), ("event", "amount", "'x'"), ("event", "bill", "X'00'"),
        ("transfer", "amount", "'x'"), ("transfer", "debit", "X'00'"), ("payment", "receipt", "X'00'"),
        ("payment", "moment", "'x'"), ("payment", "date", "'x'"), ("payment", "amount", "'x'"),
        ("suspense", "amount", "'x'"), ("day", "date", "'x'"), ("day", "credits_fen", "'x'"), ("bill", "parts", "'x'"),
        ("bill", "number", "'x'"), ("bill", "last_day", "'x'"), ("book", "next_seq", "'x'"), ("book", "seal", "'x'"),
    ):  # fmt: skip
        sealed.till.tamper(f"CREATE TABLE saved AS SELECT * FROM {table}")
        sealed.till.tamper(f"UPDATE {table} SET {column} = {value} WHERE {ONE_ROW.get(table, 'book_id = 200')}")
        assert sealed.faults(), (table, column)
        sealed.till.tamper(f"DELETE FROM {table}", f"INSERT INTO {table} SELECT * FROM saved", "DROP TABLE saved")
    assert sealed.faults() == {}
