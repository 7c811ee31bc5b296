"""Signed heads: one line per book with news, whoever writes, and never a signature under a changed past."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert

from shebao.ledger import schema
from shebao.ledger.anchor import (
    LINE_BYTES_MAX,
    PUBLIC_KEY,
    TAIL_BYTES,
    AnchorError,
    Anchors,
    log_path,
    parse,
    read,
    read_public_key,
    write_public_key,
)
from shebao.ledger.journal import GENESIS

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def anchors(till: Any, tmp_path: Path) -> Anchors:
    return Anchors(till.store.reading, tmp_path / "seal", SIGNER, lambda: till.now_us)


def lines(folder: Path, bank: str = "rcb") -> list[str]:
    path = log_path(folder / "seal", bank)
    return path.read_text(encoding="ascii").splitlines() if path.exists() else []


def test_a_line_per_book_with_news_and_none_without(till: Any, anchors: Anchors, tmp_path: Path) -> None:
    one, two = till.add_bills(2)
    assert anchors.sign() == 0
    payments = till.request("payment", one), till.request("payment", two, bank="icbc")
    till.ask(*payments, till.act("cutover", date=20261124))
    assert (anchors.sign(), anchors.sign()) == (2, 0)
    till.ask(till.act("withdraw", bill=one), till.request("payment", two))
    assert anchors.sign() == 1
    first, second = lines(tmp_path)
    head = till.rows("SELECT seal FROM event WHERE book_id = 100 AND seq = 2")[0][0].hex()
    # the head is the cut-over's, so the date is the one that it closed
    assert first.startswith(f"shebao-anchor-1 2026-11-23T12:00:00+08:00 rcb 100 2 {head} 20261123 ")
    assert second.split()[3:5] == ["100", "3"] and second.split()[6] == "20261124"
    anchor = parse(second.encode())
    assert anchor is not None and (anchor.bank, anchor.book_id, anchor.events, anchor.date) == ("rcb", 100, 3, 20261124)
    assert anchor.is_signed_by(read_public_key(tmp_path / "seal"))
    changed = parse(second.replace(" 100 3 ", " 100 4 ").encode())
    assert changed is not None and not changed.is_signed_by(SIGNER.public_key())


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE book SET next_seq = 1 WHERE book_id = 100", "book 100 has 0 events, but"),
        ("UPDATE event SET seal = reply WHERE book_id = 100 AND seq = 1", "number 1 is not what"),
        ("UPDATE book SET seal = (SELECT min(seal) FROM event WHERE seq = 1) WHERE book_id = 100", "head is not"),
    ],
)
def test_a_changed_past_is_not_signed(till: Any, anchors: Anchors, tmp_path: Path, statement: str, says: str) -> None:
    one, two, three = till.add_bills(3)
    till.ask(till.request("payment", one))
    assert anchors.sign() == 1
    till.ask(till.request("payment", two))
    till.tamper(statement)
    till.ask(till.request("payment", three, bank="icbc"))
    with pytest.raises(AnchorError, match=says) as told:
        anchors.sign()
    assert "type: ledgerctl verify" in str(told.value) and "\n" not in str(told.value)
    assert len(lines(tmp_path)) == 1
    assert len(lines(tmp_path, "icbc")) == 1  # the other books are signed all the same


def test_lanes_of_a_bank_share_its_log(till: Any, anchors: Anchors, tmp_path: Path) -> None:
    with till.store.writing() as connection:
        connection.execute(insert(schema.book).values((101, "rcb", 20261123, 1, 1, 1, GENESIS)))
        connection.execute(insert(schema.day).values((101, 20261123, "OPEN", till.now_us, None, 0, 0, 0, 0, 0)))
    one, two, three = till.add_bills(3)
    till.ask(till.request("payment", one), till.request("payment", two, book_id=101))
    assert anchors.sign() == 2
    till.ask(till.request("payment", three, book_id=101))
    assert anchors.sign() == 1
    assert [line.split()[3:5] for line in lines(tmp_path)] == [["100", "1"], ["101", "1"], ["101", "2"]]


def test_the_latest_line_is_found_however_far_back(till: Any, anchors: Anchors, tmp_path: Path) -> None:
    (one,) = till.add_bills(1)
    till.ask(till.request("payment", one))
    anchors.sign()
    (line,) = lines(tmp_path)
    other = line.replace(" rcb 100 1 ", " rcb 199 1 ")
    with log_path(tmp_path / "seal", "rcb").open("a", encoding="ascii") as log:
        log.write(f"{other}\n" * (2 * TAIL_BYTES // len(other)))
    assert anchors.sign() == 0


def test_a_line_cut_off_by_a_power_failure_goes(till: Any, anchors: Anchors, tmp_path: Path) -> None:
    one, two = till.add_bills(2)
    till.ask(till.request("payment", one))
    anchors.sign()
    path = log_path(tmp_path / "seal", "rcb")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:100])
    assert [anchor is None for _, anchor in read(path, path.stat().st_size)] == [False]
    till.ask(till.request("payment", two))
    assert anchors.sign() == 1
    assert [line.split()[4] for line in lines(tmp_path)] == ["1", "2"]
    assert [number for number, _ in read(path, len(whole))] == [1]  # as long as it was then


def test_a_line_that_is_no_anchor(till: Any, anchors: Anchors, tmp_path: Path) -> None:
    one, two = till.add_bills(2)
    till.ask(till.request("payment", one))
    anchors.sign()
    path = log_path(tmp_path / "seal", "rcb")
    good = path.read_bytes()
    for bad in (b"hello\n", good.replace(b" 100 ", b" x "), good.replace(b"anchor-1", b"anchor-2"), b"\xff\n", b"\n"):
        path.write_bytes(good + bad)
        assert [anchor is None for _, anchor in read(path, path.stat().st_size)] == [False, True]
    till.ask(till.request("payment", two))
    with pytest.raises(AnchorError, match="no anchor"):
        anchors.sign()
    path.write_bytes(b"x" * 5 * LINE_BYTES_MAX)
    assert [anchor for _, anchor in read(path, path.stat().st_size)] == [None]


WRITER = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from shebao.ledger.anchor import Anchors
from shebao.ledger.store import open_store
store = open_store(sys.argv[1])
signer = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
anchors = Anchors(store.reading, Path(sys.argv[2]), signer, lambda: 0)
for _ in sys.stdin:
    print(anchors.sign(), flush=True)
store.close()
"""


def test_two_processes_sign_each_head_once(till: Any, tmp_path: Path) -> None:
    bills = till.add_bills(12)
    command = [sys.executable, "-P", "-c", WRITER, till.url, str(tmp_path / "seal")]
    two = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        for _ in range(2)
    ]
    written = 0
    for bill in bills:
        till.ask(till.request("payment", bill))
        for writer in two:
            assert writer.stdin is not None
            writer.stdin.write("sign\n")
            writer.stdin.flush()
        for writer in two:
            assert writer.stdout is not None
            written += int(writer.stdout.readline())
    for writer in two:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    assert written == len(bills)
    assert [int(line.split()[4]) for line in lines(tmp_path)] == list(range(1, len(bills) + 1))


def test_the_public_key_is_written_once_and_never_another_s(till: Any, anchors: Anchors, tmp_path: Path) -> None:
    folder = tmp_path / "seal"
    assert write_public_key(folder, SIGNER.public_key()) == folder / PUBLIC_KEY
    assert write_public_key(folder, SIGNER.public_key()) == folder / PUBLIC_KEY
    assert (folder / PUBLIC_KEY).read_text(encoding="ascii").startswith("-----BEGIN PUBLIC KEY-----\n")
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(AnchorError, match="not the other half"):
        Anchors(till.store.reading, folder, other, lambda: 0).sign()
    for text, says in ((b"", "no public key"), (_p256_pem(), "no Ed25519 key")):
        (folder / PUBLIC_KEY).write_bytes(text)
        with pytest.raises(AnchorError, match=says):
            anchors.sign()
    (folder / PUBLIC_KEY).unlink()
    with pytest.raises(AnchorError, match="is missing"):
        read_public_key(folder)


def _p256_pem() -> bytes:
    """Some other public key: of the curve P-256."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
