"""keyctl and the keyring: key ceremony, check values, never a key."""

import contextlib
import json
import os
import pty
import subprocess
import sys

import pytest

from shebao.ledger.secrets import SecretsError, load_master
from shebao.ledger.store import open_store
from shebao.switch.keyctl import check_value_of
from shebao.switch.keys import Keyring

KEY = "0123456789ABCDEFFEDCBA9876543210"


@pytest.fixture
def keyctl(make_daemon):
    prepared = make_daemon().prepare(keys=())

    def run(*arguments, stdin=""):
        code = "from shebao.switch.keyctl import keyctl; keyctl()"
        return subprocess.run(
            [sys.executable, "-P", "-c", code, "--config", str(prepared.config), *arguments], input=stdin,
            capture_output=True, text=True, cwd=prepared.folder, timeout=60, env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip

    run.prepared = prepared
    return run


def test_a_key_is_loaded_whole_or_in_components_and_only_its_check_value_is_shown(keyctl):
    whole = keyctl("load", "--bank", "rcb", "--kind", "mac", "--hex", "-", stdin=KEY + "\n")
    assert whole.returncode == 0 and whole.stdout.split()[-1] == "08D7B4"
    one = "11" * 16
    two = bytes(a ^ 0x11 for a in bytes.fromhex(KEY)).hex()
    parts = keyctl("load", "--bank", "rcb", "--kind", "mac", "--component", one, "--component", "-", stdin=two)
    assert parts.stdout.split()[-1] == "08D7B4"
    zone = keyctl("load", "--bank", "rcb", "--kind", "zone", "--hex", "ab" * 32)
    assert zone.returncode == 0
    listed = json.loads(keyctl("list", "--json").stdout)
    assert [(row["bank"], row["kind"], row["algorithm"]) for row in listed] == [
        ("rcb", "mac", "x9.19"), ("rcb", "zone", "aes-256"),
    ]  # fmt: skip
    said = whole.stdout + parts.stdout + zone.stdout + keyctl("list").stdout
    files = b"".join(path.read_bytes() for path in keyctl.prepared.folder.glob("books.db*"))
    assert KEY.lower() not in said.lower() and bytes.fromhex(KEY) not in files and b"\xab" * 8 not in files


def test_on_a_terminal_each_holder_is_asked_and_what_is_typed_is_not_shown(keyctl):
    pid, terminal = pty.fork()
    if not pid:
        code = "from shebao.switch.keyctl import keyctl; keyctl()"
        words = ("load", "--bank", "rcb", "--kind", "mac", "--component", "-", "--component", "-")
        os.execv(sys.executable, [sys.executable, "-P", "-c", code, "--config", str(keyctl.prepared.config), *words])
    said = b""
    for place, part in ((b"1 of 2", "11" * 16), (b"2 of 2", bytes(a ^ 0x11 for a in bytes.fromhex(KEY)).hex())):
        while place not in said or not said.endswith(b": "):
            said += os.read(terminal, 1000)
        os.write(terminal, part.encode() + b"\n")
    with contextlib.suppress(OSError):  # how the other end of a terminal is closed
        while more := os.read(terminal, 1000):
            said += more
    assert os.waitpid(pid, 0)[1] == 0 and b"check value 08D7B4" in said and b"1111" not in said


def test_the_keyring_takes_what_was_loaded_and_keeps_the_key_in_use(keyctl):
    prepared = keyctl.prepared
    prepared.load_key("rcb")
    store = open_store(f"sqlite:///{prepared.folder}/books.db")
    specs = [(name, wire.dialect.mac) for name, wire in prepared.wires.items()]
    ring = Keyring(specs, load_master(prepared.folder / "master.key"), store.reading)
    assert len(ring.missing()) == 4
    ring.refresh()
    assert ring.missing() == ["icbc", "ccb", "boc"]
    key = ring.of("rcb").newest
    ring.refresh()
    assert ring.of("rcb").newest is key
    body = prepared.wires["rcb"].body("0800", {7: "1123093015", 11: "000001", 32: "14293300", 70: "001"})
    assert ring.of("rcb").verify(body) is key
    assert ring.of("rcb").verify(body[:-1] + b"z") is None and ring.of("boc").verify(body) is None
    store.close()


def test_a_key_that_does_not_open_is_told_and_keeps_no_other_bank_from_its_own(keyctl):
    prepared = keyctl.prepared
    for bank in prepared.wires:
        prepared.load_key(bank)
    with prepared.sql() as books:
        books.execute("UPDATE bank_key SET sealed = x'00' WHERE bank = 'boc'")  # the first in order
    store = open_store(f"sqlite:///{prepared.folder}/books.db")
    specs = [(name, wire.dialect.mac) for name, wire in prepared.wires.items()]
    ring = Keyring(specs, load_master(prepared.folder / "master.key"), store.reading)
    with pytest.raises(SecretsError, match="mac key of boc"):
        ring.refresh()
    assert ring.missing() == ["boc"]
    store.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--hex", "00"], "32"),
        (["--hex", "zz"], "hex"),
        (["--component", KEY], "twice"),
        (["--component", KEY, "--component", KEY], "zeros"),
        ([], "--hex"),
        (["--hex", KEY, "--component", KEY], "--hex"),
    ],
)
def test_a_wrong_key_is_one_line_that_shows_no_key(keyctl, arguments, says):
    done = keyctl("load", "--bank", "rcb", "--kind", "mac", *arguments)
    assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1
    assert KEY not in done.stderr


def test_the_master_key_file_is_never_overwritten(keyctl):
    path = keyctl.prepared.folder / "master.key"
    before = path.read_bytes()
    done = keyctl("init")
    assert done.returncode == 3 and path.read_bytes() == before
    path.chmod(0o644)
    done = keyctl("load", "--bank", "rcb", "--kind", "mac", "--hex", KEY)
    assert done.returncode == 2 and "chmod 600" in done.stderr


def test_check_values():
    assert check_value_of("x9.19", bytes.fromhex(KEY)) == "08D7B4"
    assert len(check_value_of("aes-256", bytes(range(32)))) == 6


def test_init_leaves_the_public_half_beside_the_logs_and_never_under_another_s(keyctl):
    folder = keyctl.prepared.folder
    (master,) = folder.glob("**/master.key")
    master.unlink()
    done = keyctl("init")
    assert done.returncode == 0 and "public.key" in done.stdout
    public = next(folder.glob("**/seal/public.key"))
    first = public.read_bytes()
    assert first.startswith(b"-----BEGIN PUBLIC KEY-----")
    master.unlink()
    assert keyctl("init").returncode == 0 and public.read_bytes() != first
    master.unlink()
    (public.parent / "rcb.log").write_bytes(b"")
    done = keyctl("init")
    assert done.returncode == 3 and "move the folder away" in done.stderr and not master.exists()
