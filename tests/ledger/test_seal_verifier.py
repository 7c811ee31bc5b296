"""docs/seal.md and docs/seal_verifier.py: the example can be recomputed, and the verifier finds what ours finds."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from shebao_sealed import Sealed
from shebao_tampering import JOURNAL, SEAL_OF, TAMPERED

from shebao.ledger import anchor, proof
from shebao.ledger.facts import Event, Payment, Transfer
from shebao.ledger.journal import GENESIS, canonical, seal
from shebao.ledger.secrets import Master

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "seal.md").read_text(encoding="utf-8")
# what the page-long verifier looks at too; the rest follows from sealed rows, which it leaves to ours
SEEN = {proof.EVENTS, proof.SEAL, proof.ANCHORS, proof.STATUS}


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)\n```", TEXT, re.DOTALL)


def test_the_example_s_seals_are_those_of_its_bytes() -> None:
    head, seals = GENESIS, []
    for text in blocks("sealed"):
        data = "".join(text.split("\n")).replace("␟", "\x1f").replace("␞", "\x1e").encode()
        head = hashlib.sha256(head + data).digest()
        seals.append(head.hex())
        assert seal(bytes.fromhex(seals[-2]) if seals[1:] else GENESIS, canonical(*rows_of(text))) == head
    assert seals == blocks("seal") and len(seals) == 2


def rows_of(text: str) -> tuple[Event, Payment | None, list[Transfer]]:
    """The example's records as rows, so that what the document says of columns and types is what the switch does."""
    e: list[Any] = []
    paid, moved = None, []
    for line in text.split("\n"):
        letter, *values = line.removesuffix("␞").split("␟")
        if letter == "E":
            numbers = {0, 1, 2, 3, 5, 6, 9}
            e = [int(value) if place in numbers else value for place, value in enumerate(values)]
            e[15] = int(e[15]) if e[15] else None
            e[19] = bytes.fromhex(e[19])
        elif letter == "P":
            numbers = {0, 3, 4, 11}
            own = [int(value) if place in numbers else value for place, value in enumerate(values)]
            paid = Payment(e[0], e[1], *own, False, "LIVE")
        else:
            line_number, date, debit, credit, fen = values
            moved.append(Transfer(e[0], e[1], int(line_number), int(date), debit, credit, int(fen)))
    return Event(*e, b""), paid, moved


def test_the_example_s_anchor_is_signed_with_the_key_it_names() -> None:
    (line,), (pem,) = blocks("anchor"), blocks("pem")
    signer = Master(bytes(32), bytes(range(32))).signer()
    assert load_pem_public_key(pem.encode()) == signer.public_key()
    found = anchor.parse(line.encode())
    assert isinstance(found, anchor.Anchor) and found.is_signed_by(signer.public_key())
    assert (found.events, found.head.hex()) == (2, blocks("seal")[-1])


def test_the_example_s_first_line_after_a_restore() -> None:
    """It names the anchor that is the other example, as the last line of the old log."""
    (line,), (last,) = blocks("restored"), blocks("anchor")
    found = anchor.parse(line.encode())
    assert isinstance(found, anchor.Restored)
    assert found.is_signed_by(Master(bytes(32), bytes(range(32))).signer().public_key())
    assert (found.bank, found.books, found.old) == ("rcb", ((100, 2),), "rcb.log.1")
    assert found.last == last.rpartition(" ")[2]


def test_the_table_of_columns_is_the_verifier_s() -> None:
    listed = {letter: re.findall("`([a-z_]+)`", row) for letter, row in re.findall(r"\| `([EPT])` \|(.*)\|", TEXT)}
    program = (DOCS / "seal_verifier.py").read_text(encoding="utf-8")
    for letter, name in (("E", "EVENT"), ("P", "PAYMENT"), ("T", "TRANSFER")):
        (columns,) = re.findall(rf'^{name} = "+([^"]+)"', program, re.MULTILINE)
        assert re.findall("[a-z_]+", columns) == listed[letter]


@pytest.fixture
def sealed(till: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Sealed:
    return Sealed(till, tmp_path)


def audit(sealed: Sealed, *arguments: str) -> tuple[int, list[str]]:
    """Run it as an auditor would: without the project's modules in reach."""
    file = sealed.till.url.removeprefix("sqlite:///")
    command = [sys.executable, "-I", str(DOCS / "seal_verifier.py"), file, str(sealed.folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


only_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@only_sqlite
def test_good_books_fit(sealed: Sealed) -> None:
    assert audit(sealed) == (0, ["25 events fit"])


@only_sqlite
@pytest.mark.parametrize("what", TAMPERED)
def test_it_agrees_with_ours(sealed: Sealed, what: str) -> None:
    sealed.till.tamper(*TAMPERED[what][0](sealed))
    status, told = audit(sealed)
    ours = sealed.faults()
    if what == "a bill that has not expired":  # the last payable day is not its affair
        assert status == 0
    elif what == "a transfer of no event":  # ours tells it with the transfers
        assert told == ["transfer 100/77: belongs to no event"]
    else:
        assert (status == 1) == bool(SEEN & set(ours)), told
    if proof.SEAL in ours and what not in ("a book's head", "a book taken away"):
        (first, *_) = [line for line in told if "its seal is not" in line]
        assert ours[proof.SEAL][0].startswith(first)


@only_sqlite
def test_it_reads_the_anchors(sealed: Sealed, tmp_path: Path) -> None:
    good = sealed.log().read_bytes()
    first, second, third = good.splitlines(keepends=True)
    sealed.log().write_bytes(first.rpartition(b" ")[0] + b" " + second.rpartition(b" ")[2] + second + third)
    status, told = audit(sealed)
    assert status == 1 and told == [f"anchor {sealed.log()}:1: InvalidSignature()"]
    sealed.log().write_bytes(good + first[:50])  # a power failure
    assert audit(sealed) == (0, ["25 events fit"])
    mine = tmp_path / "mine.key"
    mine.write_text(blocks("pem")[0], encoding="ascii")
    assert audit(sealed, str(mine))[0] == 0
    sealed.till.tamper(
        f"UPDATE book SET next_seq = 20, seal = {SEAL_OF.format(19)} WHERE book_id = 100",
        *(f"DELETE FROM {table} WHERE book_id = 100 AND seq > 19" for table in JOURNAL),
        "UPDATE bill SET status = 'OUTSTANDING' WHERE paid_book = 100 AND paid_seq > 19",
    )
    assert audit(sealed) == (1, [f"anchor {sealed.log()}:3: event 100/21 is not there, or not as signed"])


@only_sqlite
def test_a_row_hidden_in_another_s_text_does_not_fit(sealed: Sealed) -> None:
    """SQLite keeps text in a number's column: a transfer could be put into its neighbour, and the bytes be the same."""
    ((date, debit, credit, fen),) = sealed.till.rows(
        "SELECT date, debit, credit, amount FROM transfer WHERE book_id = 100 AND seq = 1 AND line = 2"
    )
    hidden = f"9000\x1eT\x1f2\x1f{date}\x1f{debit}\x1f{credit}\x1f{fen}"
    sealed.till.tamper(
        f"UPDATE transfer SET amount = '{hidden}' WHERE book_id = 100 AND seq = 1 AND line = 1",
        "DELETE FROM transfer WHERE book_id = 100 AND seq = 1 AND line = 2",
    )
    status, told = audit(sealed)
    assert status == 1 and told[0] == "event 100/1: its seal is not that of its rows"
    assert any("event 100/1" in finding for finding in sealed.faults()[proof.SEAL])
