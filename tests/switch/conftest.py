"""The shipped dialects, a bank as the switch sees it, and messages as a bank would send them."""

import json
import os
import resource
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.request import urlopen

import pytest
from sqlalchemy import insert

from shebao.codecs import message
from shebao.codecs.compiled import Codec
from shebao.codecs.dialect import load_dialect
from shebao.codecs.framing import Framer, request_bytes
from shebao.codecs.mac import ALGORITHMS, wire_mac, wire_size
from shebao.codecs.numbers import mod_11_10
from shebao.codecs.tags import build
from shebao.ledger import schema
from shebao.ledger.config import read_settings
from shebao.ledger.day import CST
from shebao.ledger.migrations import upgrade
from shebao.ledger.secrets import create_master, load_master, seal_key
from shebao.ledger.sqlite import make_engine
from shebao.switch.bank import Bank
from shebao.switch.keys import BankKeys

ROOT = Path(__file__).resolve().parents[2]
SWITCH = "33011000"
BILL = "33011026112300000010"
NAMES = ("rcb", "icbc", "ccb", "boc")
NOW_US = 1_795_397_415_000_000  # 2026-11-23 09:30:15 CST
DE7 = "1123093015"


class Wire:
    """One dialect from the bank's side: makes frames, reads replies, checks their MACs. Independent of sessions."""

    def __init__(self, name):
        text = (ROOT / "etc" / "dialects" / f"{name}.toml").read_text(encoding="utf-8")
        self.dialect = load_dialect(text, name)
        text = (ROOT / "tests" / "data" / "vectors" / f"{name}.json").read_text(encoding="utf-8")
        self.vectors = json.loads(text)
        self.key_bytes = bytes.fromhex(self.vectors["mac_key"])
        self.bank = self.vectors["messages"][0]["fields"]["32"]
        self.key = ALGORITHMS[self.dialect.mac.algorithm].make(self.key_bytes)
        self.size = wire_size(self.dialect.mac.hex)
        self.framer = Framer(self.dialect.framing, None)

    def golden(self):
        """The golden frames of this dialect, by name."""
        return {m["name"]: bytes.fromhex(m["frame"]) for m in self.vectors["messages"]}

    def body(self, mti, fields, key=None):
        body = message.encode(self.dialect, mti, fields)
        return body + wire_mac((key or self.key).compute(body), self.dialect.mac.hex)

    def frame(self, body):
        kind = self.dialect.framing.envelope
        source, destination = ("1111", "2222") if kind == "tpdu" else (self.bank, SWITCH)
        return request_bytes(self.dialect.framing, body, source, destination)

    def send(self, mti, fields):
        return self.frame(self.body(mti, fields))

    def replies(self, data):
        """(MTI, fields) of each reply; a wrong MAC or a broken frame fails the test. Heartbeats are left out."""
        frames, error = self.framer.feed(data)
        assert error is None, error
        found = []
        for frame in frames:
            if not frame.body:
                continue
            covered, mac = frame.body[: -self.size], frame.body[-self.size :]
            assert wire_mac(self.key.compute(covered), self.dialect.mac.hex) == mac, "a reply's MAC"
            decoded = message.decode(self.dialect, frame.body)
            assert not decoded.faults
            fields = {n: v for n, v in decoded.fields.items() if n not in (64, 128)}
            found.append((decoded.mti, fields))
        return found


class Messages:
    """Fields of messages, by the bank's institution."""

    de7, now_us, bill = DE7, NOW_US, BILL
    build = staticmethod(build)

    def __init__(self, bank):
        self.bank = bank

    def sign_on(self, code="001", stan="000001"):
        return {7: DE7, 11: stan, 32: self.bank, 70: code}

    def counter(self, proc="390000", stan="000101", tags=(("CH", "01"), ("BN", BILL))):
        return {
            3: proc, 7: DE7, 11: stan, 12: "093015", 13: "1123", 32: self.bank, 37: "326093000101", 41: "TERM0001",
            42: "3301100000BR001", 48: build(tags).hex().upper(),
        }  # fmt: skip

    def payment(self, stan="000102", amount="000001578000"):
        return {**self.counter("500000", stan), 4: amount, 49: "156"}

    def reversal(self, stan="000104", proc="500000"):
        original = "0200" + "000102" + DE7 + self.bank.rjust(11, "0") + "0" * 11
        return {
            3: proc, 4: "000001578000", 7: "1123093101", 11: stan, 32: self.bank, 37: "326093000102", 49: "156",
            90: original,
        }  # fmt: skip


@pytest.fixture(params=NAMES)
def wire(request):
    return Wire(request.param)


@pytest.fixture
def bank(wire):
    return make_bank(wire)


def make_bank(wire, key="rcb"):
    keys = BankKeys(wire.dialect.mac)
    keys.take(b"sealed", lambda: wire.key_bytes)
    return Bank(key, wire.bank, 100, SWITCH, wire.dialect, Codec(wire.dialect), keys)


@pytest.fixture
def messages(wire):
    return Messages(wire.bank)


# -- a live daemon --

CODE = "from shebao.switch.cli import switchd; switchd()"
ANSWER_S = 30


class Daemon:
    """`switchd run` as a child process in a folder of its own, on ports that the system chose."""

    def __init__(self, folder, limits="", cutover="23:00:00"):
        self.folder, self.limits, self.cutover = folder, limits, cutover
        self.wires = {name: Wire(name) for name in NAMES}
        self.config = folder / "switch.toml"
        self.log, self.ports, self.process, self.lines = [], {}, None, []
        self.listens = dict.fromkeys(("admin", *NAMES), 0)
        self.write_config()

    # preparing

    def write_config(self):
        text = (
            f'[switch]\ninstitution = "{SWITCH}"\ndatabase = "sqlite:///{self.folder}/books.db"\n'
            f'state_dir = "{self.folder}/var"\nmaster_key_file = "{self.folder}/master.key"\n'
            f'[admin]\nlisten = "127.0.0.1:{self.listens["admin"]}"\n[limits]\n{self.limits}\n'
        )
        for number, name in enumerate(NAMES, 1):
            text += (
                f'[banks.{name}]\nname = "{name}"\nnumber = "{number:02d}"\ninstitution = "{self.wires[name].bank}"\n'
                f'dialect = "{name}"\nlisten = "127.0.0.1:{self.listens[name]}"\nallow = ["127.0.0.1/32"]\n'
                f'cutover = "{self.cutover}"\n'
            )
        self.config.write_text(text, encoding="utf-8")

    def prepare(self, bills=100, keys=NAMES):
        settings = read_settings(self.config)
        master = create_master(Path(settings.master_key_file), os.urandom)
        engine = make_engine(settings.database, create=True)
        row = dict(
            division=330110, payer_id="33011019900101008X", payer_name="沈建国", office="良渚街道", period_from=202601,
            period_to=202612, issued=20261101, due=20991231, last_day=20991231, owner_only=0, amount=12000,
            parts="390:12000", status="OUTSTANDING", import_id=0,
        )  # fmt: skip
        with engine.connect().execution_options(immediate=True) as connection, connection.begin():
            upgrade(connection)
            rows = [{**row, "number": int(bill_of(n)[:19])} for n in range(bills)]
            connection.execute(insert(schema.bill), rows)
        engine.dispose()
        for name in keys:
            self.load_key(name, master)
        return self

    def load_key(self, name, master=None):
        master = master or load_master(self.folder / "master.key")
        wire = self.wires[name]
        sealed = seal_key(master, name, "mac", wire.key_bytes, os.urandom)
        with self.sql() as books:
            books.execute(
                "INSERT INTO bank_key (bank, kind, state, sealed, check_value, algorithm, since_us)"
                " VALUES (?, 'mac', 'current', ?, '', ?, 0)", (name, sealed, wire.dialect.mac.algorithm),
            )  # fmt: skip

    @contextmanager
    def sql(self):
        books = sqlite3.connect(self.folder / "books.db", timeout=ANSWER_S, isolation_level=None)
        try:
            yield books
        finally:
            books.close()

    # running

    def start(self, stderr=subprocess.PIPE, descriptors=None):
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = str(self.folder / "notify")
        Path(address).unlink(missing_ok=True)
        notify.bind(address)
        notify.settimeout(ANSWER_S)

        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", CODE, "--config", str(self.config), "run"], stderr=stderr, text=True,
            cwd=self.folder, env={**os.environ, "NOTIFY_SOCKET": address, "TZ": "America/New_York"}, preexec_fn=limit,
        )  # fmt: skip
        if stderr == subprocess.PIPE:
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
        assert notify.recv(100) == b"READY=1"
        notify.close()
        if stderr == subprocess.PIPE:
            self.ports = self.wait_for("ready")["ports"]
        return self

    def _read(self):
        for line in self.process.stderr:
            self.log.append(json.loads(line))

    def wait_for(self, event, count=1):
        """The count-th log line of this event; polls, since the line may be on its way."""
        for _ in range(3000):
            found = [entry for entry in list(self.log) if entry["event"] == event]
            if len(found) >= count:
                return found[count - 1]
            assert self.process.poll() is None or self._reader.is_alive(), f"ended without {event}: {self.log}"
            self._reader.join(0.01)
        raise AssertionError(f"no {event} in {self.log}")

    def stop(self):
        self.process.terminate()
        return self.process.wait(ANSWER_S)

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(ANSWER_S)
        for line in self.lines:
            line.socket.close()
        if self.process is not None and self.process.stderr is not None:
            self._reader.join(ANSWER_S)
            self.process.stderr.close()

    # talking

    def line(self, name):
        self.lines.append(Connection(Wire(name), self.ports[name]))
        return self.lines[-1]

    def get(self, path, port=None):
        with urlopen(f"http://127.0.0.1:{port or self.ports['admin']}{path}", timeout=ANSWER_S) as answer:
            return answer.read().decode()

    def metric(self, name):
        for line in self.get("/metrics").splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"no series {name}")


class Connection:
    """A bank's blocking line to the daemon."""

    def __init__(self, wire, port):
        self.wire, self.socket = wire, socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
        self.messages = Messages(wire.bank)
        self.last = b""

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    def read(self, count):
        """So many replies; fewer if the switch closes the line first."""
        found = []
        while len(found) < count:
            self.last = self.socket.recv(65536)
            if not self.last:
                break
            found += self.wire.replies(self.last)
        return found

    def ask(self, mti, fields):
        self.send(self.wire.send(mti, fields))
        ((answer, reply),) = self.read(1)
        return answer, reply

    def sign_on(self):
        assert self.ask("0800", self.messages.sign_on())[1][39] == "00"
        return self

    def payment(self, bill, stan, **tags):
        now = datetime.now(CST)
        return {
            3: "500000", 4: "000000012000", 7: f"{now:%m%d%H%M%S}", 11: stan, 12: f"{now:%H%M%S}", 13: f"{now:%m%d}",
            32: self.wire.bank, 37: "326093000101", 41: "TERM0001", 42: "3301100000BR001", 49: "156",
            48: build([("CH", "01"), ("BN", bill)]).hex().upper(),
        }  # fmt: skip

    def is_closed(self):
        """Waits for the switch to close; what it still sends is read away."""
        while True:
            try:
                if not self.socket.recv(65536):
                    return True
            except ConnectionResetError:
                return True


def bill_of(serial):
    first = f"330110261101{serial:07d}"
    return first + mod_11_10(first)


@pytest.fixture
def make_daemon(tmp_path):
    made = []

    def make(**options):
        folder = tmp_path / f"社保 {len(made)}"
        folder.mkdir()
        made.append(Daemon(folder, **options))
        return made[-1]

    yield make
    for daemon in made:
        daemon.end()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """One running daemon for all tests of a module that leave it as it was."""
    running = Daemon(tmp_path_factory.mktemp("daemon")).prepare().start()
    yield running
    running.end()


@pytest.fixture
def bill():
    return bill_of


@pytest.fixture
def make_wire():
    return Wire
