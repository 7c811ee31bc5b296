"""A switch of one's own for a test: a folder with configuration, keys, database and bills, the daemon as a child
process, and bank lines that speak to it over real TCP.

Blocking sockets on purpose: a test reads as a conversation. Nothing here waits for a time to pass; it waits for an
answer, a line of the log or the end of a process.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from queue import Queue
from typing import IO, Any, ClassVar

from shebao.codecs import framing, mac, tags
from shebao.codecs.compiled import Codec
from shebao.codecs.dialect import Dialect, load_dialect
from shebao.codecs.numbers import mod_11_10

ROOT = Path(__file__).resolve().parents[2]
CST = timezone(timedelta(hours=8))
INSTITUTION = "33011000"
BANKS = {"rcb": ("01", "14293300"), "icbc": ("02", "01020000"), "ccb": ("03", "01050000"), "boc": ("04", "01040000")}
KEYS = {bank: bytes([n + 1] * 8 + [0x40 + n] * 8).hex().upper() for n, bank in enumerate(BANKS)}
ANSWER_S = 30  # a bank gives up after 30 s, and so does a test


def dialect_of(bank: str) -> Dialect:
    path = ROOT / "etc" / "dialects" / f"{bank}.toml"
    return load_dialect(path.read_text(encoding="utf-8"), str(path))


_held: deque[socket.socket] = deque()
HELD_MAX = 200


def free_ports(count: int) -> list[int]:
    """Ports that the system chose, and gives to nobody else for a good while: another test may run at the same time.

    A socket stays bound to each and never listens. Whoever names the port can still listen there (SO_REUSEADDR), who
    asks the system for any port never gets it, and who connects is refused.
    """
    for _ in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
        _held.append(one)
    ports: list[int] = [one.getsockname()[1] for one in list(_held)[-count:]]
    while len(_held) > HELD_MAX:
        _held.popleft().close()
    return ports


def bill_number(serial: int, division: str = "330110", issued: str = "261101") -> str:
    first = f"{division}{issued}{serial:07d}"
    return first + mod_11_10(first)


@dataclass
class Reply:
    mti: str
    fields: dict[int, str]
    body: bytes  # without MTI and MAC: what a repeat must get again byte for byte
    frame: bytes

    @property
    def code(self) -> str:
        return self.fields.get(39, "")

    @property
    def tags(self) -> tags.Tags:
        return tags.parse(bytes.fromhex(self.fields.get(48, "")))


class Line:
    """One TCP line of a bank. `send` and `receive` are apart, so that a test can have several asks in flight."""

    def __init__(self, bank: str, port: int, key: str = "", dialect: Dialect | None = None) -> None:
        self.bank, self.institution = bank, BANKS[bank][1]
        self.dialect = dialect or dialect_of(bank)
        self.codec = Codec(self.dialect)
        self.key = mac.ALGORITHMS[self.dialect.mac.algorithm].make(bytes.fromhex(key or KEYS[bank]))
        self.framer = framing.Framer(self.dialect.framing, self.institution)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
        self.waiting: list[Reply] = []

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- bytes -------------------------------------------------------------------------------------------

    def body(self, mti: str, fields: Mapping[int, str], de48: Iterable[tuple[str, str]] = ()) -> bytes:
        whole = {32: self.institution, **fields}
        pairs = list(de48)
        if pairs:
            whole[48] = tags.build(pairs).hex().upper()
        covered = self.codec.encode(mti, whole)
        return covered + mac.wire_mac(self.key.compute(covered), self.dialect.mac.hex)

    def frame(self, body: bytes) -> bytes:
        words = ("0000", "0001") if self.dialect.framing.envelope == "tpdu" else (self.institution, INSTITUTION)
        return framing.request_bytes(self.dialect.framing, body, *words)

    def send(self, mti: str, fields: Mapping[int, str], de48: Iterable[tuple[str, str]] = ()) -> None:
        self.socket.sendall(self.frame(self.body(mti, fields, de48)))

    def receive(self) -> Reply:
        """The next answer; EOFError when the switch closed the line."""
        while not self.waiting:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("the switch closed the line")
            frames, error = self.framer.feed(data)
            assert error is None, error
            self.waiting += [self._reply(f) for f in frames if f.body]
        return self.waiting.pop(0)

    def _reply(self, frame: framing.Frame) -> Reply:
        assert mac.verify(self.key, frame.body, self.dialect.mac.hex), "the answer's MAC"
        decoded = self.codec.decode(frame.body)
        assert not decoded.faults, decoded.faults
        bare = frame.body[self.codec.mti_size : -self.codec.mac_size]
        return Reply(decoded.mti, decoded.fields, bare, frame.envelope + frame.body)

    def ask(self, mti: str, fields: Mapping[int, str], de48: Iterable[tuple[str, str]] = ()) -> Reply:
        self.send(mti, fields, de48)
        return self.receive()

    # -- messages ----------------------------------------------------------------------------------------

    def sign_on(self, stan: str = "000001") -> Line:
        reply = self.ask("0800", {7: moment(), 11: stan, 70: "001"})
        assert reply.code == "00", reply
        return self

    def money(
        self,
        mti: str,
        stan: str,
        bill: str,
        amount: int,
        *,
        when: str = "",
        proc: str = "500000",
        original: tuple[str, str, str] | None = None,
        more: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Sends a payment, advice, void or reversal; `original` is (MTI, DE7, STAN)."""
        when = when or moment()
        fields = {3: proc, 4: f"{amount:012d}", 7: when, 11: stan, 37: f"R{when[4:]}{stan[1:]}", 49: "156"}
        de48: list[tuple[str, str]] = []
        if not mti.startswith("04"):
            fields |= {12: when[4:], 13: when[:4], 41: "TERM0001", 42: "3301100000BR001"}
            de48 = [("CH", "01"), ("BN", bill), *more]
        if original:
            fields[90] = original[0] + original[2] + original[1] + self.institution.rjust(11, "0") + "0" * 11
        self.send(mti, fields, de48)

    def pay(self, stan: str, bill: str, amount: int, mti: str = "0200", **more: Any) -> Reply:
        self.money(mti, stan, bill, amount, **more)
        return self.receive()


def moment(offset_s: int = 0) -> str:
    return (datetime.now(CST) + timedelta(seconds=offset_s)).strftime("%m%d%H%M%S")


@dataclass(eq=False)
class Switch:
    """A folder, and the daemon that runs in it."""

    folder: Path
    database: str = ""
    banks: tuple[str, ...] = tuple(BANKS)
    limits: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    admin: int = 0
    daemon: subprocess.Popen[str] | None = None
    log: list[dict[str, Any]] = field(default_factory=list)
    opened: list[Line] = field(default_factory=list)
    under: tuple[str, ...] = ()  # a command that the daemon runs under, such as strace
    _made: ClassVar[Path | None] = None  # a folder that the commands have prepared once

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.database = self.database or f"sqlite:///{self.folder}/shebao.db"
        *ports, self.admin = free_ports(len(self.banks) + 1)
        self.ports = dict(zip(self.banks, ports, strict=True))
        self.config = self.folder / "switch.toml"
        self.write_config()

    def write_config(self, **bank_lines: str) -> None:
        text = [
            f'[switch]\ninstitution = "{INSTITUTION}"\ndatabase = "{self.database}"\n'
            f'state_dir = "{self.folder}/var"\nmaster_key_file = "{self.folder}/master.key"\n'
            f'[admin]\nlisten = "127.0.0.1:{self.admin}"\n[limits]\n{self.limits}\n'
        ]
        for bank in self.banks:
            number, institution = BANKS[bank]
            text.append(
                f'[banks.{bank}]\nname = "{bank}"\nnumber = "{number}"\ninstitution = "{institution}"\n'
                f'dialect = "{bank}"\nlisten = "127.0.0.1:{self.ports[bank]}"\nallow = ["127.0.0.1/32"]\n'
                f'cutover = "{bank_lines.get(bank, "23:59:59")}"\n'
            )
        self.config.write_text("".join(text), encoding="utf-8")
        if not (self.folder / "dialects").exists():
            shutil.copytree(ROOT / "etc" / "dialects", self.folder / "dialects")

    # -- commands ----------------------------------------------------------------------------------------

    def run(self, name: str, *arguments: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*command(name), "--config", str(self.config), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=environment(),
        )
        if check:
            assert done.returncode == 0, f"{name} {arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def prepare(
        self, bills: Mapping[str, int], *, owner_only: Iterable[str] = (), last_day: str = "2099-12-31"
    ) -> Switch:
        """Master key, database, banks' keys, bills. On a file of its own all but the bills is copied from one that the
        commands have made before."""
        if self.database != f"sqlite:///{self.folder}/shebao.db" or set(self.banks) != set(BANKS):
            self._init()
        elif (made := Switch._made) is None:
            self._init()
            Switch._made = Path(tempfile.mkdtemp(prefix="switch-"))
            atexit.register(shutil.rmtree, Switch._made, ignore_errors=True)
            self._copy(self.folder, Switch._made)
        else:
            self._copy(made, self.folder)
        self.import_bills(bills, owner_only=set(owner_only), last_day=last_day)
        return self

    def _init(self) -> None:
        self.run("keyctl", "init")
        self.run("ledgerctl", "init")
        for bank in self.banks:
            self.run("keyctl", "load", "--bank", bank, "--kind", "mac", "--hex", "-", stdin=KEYS[bank] + "\n")

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        shutil.copytree(source / "var", target / "var", dirs_exist_ok=True)
        for name in ("shebao.db", "master.key"):
            shutil.copy2(source / name, target / name)

    def import_bills(
        self, bills: Mapping[str, int], *, owner_only: set[str] = frozenset(), last_day: str = "2099-12-31"
    ) -> None:  # type: ignore[assignment]
        rows = [
            "bill_number,payer_id,payer_name,office,period_from,period_to,issued,due,last_day,insurance_type,amount_fen,owner_only"
        ]
        for number, amount in bills.items():
            front = f"{number},33011019900101008X,沈建国,良渚街道,202601,202612,2026-11-01,2026-12-31,{last_day}"
            rows.append(f"{front},390,{amount},{int(number in owner_only)}")
        path = self.folder / "bills.csv"
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        self.run("ledgerctl", "import-bills", str(path))

    # -- the daemon --------------------------------------------------------------------------------------

    def start(self) -> Switch:
        self.daemon = subprocess.Popen(
            [*self.under, *command("switchd"), "--config", str(self.config), "run"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            cwd=self.folder,
            env=environment(),
        )
        ready: Queue[bool] = Queue()
        self.reader = threading.Thread(target=self._read_log, args=(self.daemon, ready), daemon=True)
        self.reader.start()
        assert ready.get(timeout=60), f"switchd ended: {self.log[-5:]}"
        return self

    def _read_log(self, daemon: subprocess.Popen[str], ready: Queue[bool]) -> None:
        assert daemon.stderr is not None
        with daemon.stderr as lines:
            self._follow(lines, ready)

    def _follow(self, lines: IO[str], ready: Queue[bool]) -> None:
        for text in lines:
            try:
                entry = json.loads(text)
            except ValueError:
                entry = {"event": text.rstrip()}
            self.log.append(entry)
            if entry.get("event") == "ready":
                ready.put(True)
        ready.put(False)

    def kill(self) -> None:
        """As a power cut does it."""
        assert self.daemon is not None
        self.daemon.kill()
        self.wait()

    def stop(self) -> int:
        assert self.daemon is not None
        self.daemon.terminate()
        return self.wait()

    def wait(self) -> int:
        """Its end, and that of whoever still writes to its log."""
        assert self.daemon is not None
        status = self.daemon.wait(timeout=60)
        self.reader.join(60)
        return status

    def line(self, bank: str = "rcb") -> Line:
        line = Line(bank, self.ports[bank])
        self.opened.append(line)
        return line

    def get(self, path: str) -> tuple[int, str]:
        with socket.create_connection(("127.0.0.1", self.admin), timeout=ANSWER_S) as s:
            s.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            data = b""
            while chunk := s.recv(65536):
                data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()

    def __enter__(self) -> Switch:
        return self

    def __exit__(self, *_: object) -> None:
        for line in self.opened:
            line.close()
        if self.daemon is not None and self.daemon.poll() is None:
            self.kill()


def command(name: str) -> list[str]:
    return [sys.executable, "-P", str(Path(sys.executable).parent / name)]


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SHEBAO_")}
    return {**kept, "PYTHONUTF8": "1", "SHEBAO_HOME": str(ROOT)}
