"""Good books prove; every kind of tampering is named: table, key, what differs (a hash chain's cases (a) to (f))."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shebao_sealed import SIGNER, Sealed
from shebao_tampering import JOURNAL, SEAL_OF, TAMPERED
from sqlalchemy import Connection, select

from shebao.ledger import anchor, proof, schema, walk
from shebao.ledger.anchor import Anchors
from shebao.ledger.day import add_days
from shebao.ledger.journal import canonical, seal
from shebao.ledger.verify import verify

BOOKS = {"rcb": 100, "icbc": 200}
HOUR_US = 3_600_000_000


@pytest.fixture
def sealed(till: Any, tmp_path: Path) -> Sealed:
    return Sealed(till, tmp_path)


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


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_no_sealed_column_can_be_changed(sealed: Sealed) -> None:
    """One by one, in the rows of one event: `seal` itself too, and all but what later events change of a payment."""
    later = {"suspense", "state", "undone_seq", "on_bill"}
    for table in JOURNAL:
        for column in schema.metadata.tables[table].c:
            if column.primary_key or column.name in later:
                continue
            where = "book_id = 100 AND seq = 9" if table == "event" else "book_id = 100 AND seq = 1"
            ((before,),) = sealed.till.rows(f"SELECT quote({column.name}) FROM {table} WHERE {where} LIMIT 1")
            after = f"{column.name} + 1" if before.isdigit() else "X'00'" if before.startswith("X") else "'x'"  # type: ignore[attr-defined]
            only = where if table != "transfer" else f"{where} AND line = 1"
            sealed.till.tamper(f"UPDATE {table} SET {column.name} = {after} WHERE {only}")
            assert proof.SEAL in sealed.faults(), (table, column.name)
            sealed.till.tamper(f"UPDATE {table} SET {column.name} = {before} WHERE {only}")
    assert sealed.faults() == {}


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


STORY = (*("payment", "reversal", "void") * 2, "advice", "stray", "early", "cutover", "withdraw")


def tell(shop: Any, steps: list[tuple[str, int, str, int]], anchors: Anchors) -> None:
    """Play the story: `which` picks the bill, `of` the earlier message that is undone."""
    bills, sent = shop.add_bills(4), []
    dates = {"rcb": 20261123, "icbc": 20261123}
    for act, which, bank, of in steps:
        shop.now_us += HOUR_US // 4
        if act in ("reversal", "void"):
            if not sent:
                continue
            request = shop.undo(act, sent[of % len(sent)])
        elif act == "early":  # reversed before it comes
            request = shop.request("payment", bills[which], bank)
            sent.append(request)
            request = shop.undo("reversal", request)
        elif act == "cutover":
            dates[bank] = add_days(dates[bank], 1)
            request = shop.act("cutover", bank=bank, book_id=BOOKS[bank], date=dates[bank])
        elif act == "withdraw":
            request = shop.act("withdraw", bill=bills[which])
        else:
            kind, mti = ("payment", "0200") if act == "payment" else ("advice", "0220")
            request = shop.request(kind, bills[which], bank, mti=mti, amount=7 if act == "stray" else 12000)
        (answer,) = shop.ask(request)
        assert answer.fault is None
        if act == "cutover" and answer.code != "00":
            dates[bank] = add_days(dates[bank], -1)
        if act not in ("cutover", "withdraw"):
            sent.append(request)
        if of % 3 == 0 and sent:
            shop.ask(sent[of % len(sent)])  # a message sent again
            anchors.sign()
    anchors.sign()


STEPS = st.tuples(st.sampled_from(STORY), st.integers(0, 3), st.sampled_from(["rcb", "icbc"]), st.integers(0, 20))


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(STEPS, min_size=5, max_size=40))
def test_whatever_banks_do_the_books_prove(till: Any, tmp_path: Path, steps: list[tuple[str, int, str, int]]) -> None:
    """No story of payments, advices, voids, reversals in any order, and cut-overs makes a false alarm."""
    with TemporaryDirectory(dir=tmp_path) as folder:
        file = Path(folder) / "books.db"
        shutil.copy(till.url.removeprefix("sqlite:///"), file)
        with closing(sqlite3.connect(file)) as fresh, fresh:
            fresh.executescript("DELETE FROM book; DELETE FROM day")
        shop = type(till)(f"sqlite:///{file}")
        try:
            tell(shop, steps, Anchors(shop.store.reading, Path(folder), SIGNER, lambda: shop.now_us))
            proofs = verify(shop.store.reading, Path(folder), shop.now_us, SIGNER.public_key())
        finally:
            shop.store.close()
    assert [str(finding) for one in proofs for finding in one.findings] == []
