"""The demo's stage: a folder of its own with a configuration, ports that nobody uses, and keys for each bank.

Made from `etc/switch.toml`, so that what the demo runs is what an operator would edit.
"""

from __future__ import annotations

import fcntl
import json
import random
import re
import shutil
import socket
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from shebao.codecs.settings import SwitchSettings

from . import config
from .wire import Wire

CUT_OVER: Final = "23:59:59"  # late, so that no clock cuts over into the demo
HOST: Final = "127.0.0.1"
LOOPBACK_WITHIN_S: Final = 5.0


class StageTaken(Exception):
    """Another one runs in this folder; one line for the user."""


class NoLoopback(Exception):
    """No bank could reach the daemon; one line for the user."""


class Stage(NamedTuple):
    folder: Path
    config: Path
    settings: SwitchSettings
    keys: dict[str, str]  # bank -> MAC key in hex
    wires: dict[str, Wire]

    def address(self, bank: str) -> tuple[str, int]:
        listen = self.settings.banks[bank].listen
        return listen.host, listen.port


def claim(folder: Path) -> TextIO:
    """The folder for this process alone, emptied; raises StageTaken. Hold on to what it returns."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(folder.name + ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StageTaken(f"another run holds {folder}; end it first") from None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return lock


def build(folder: Path, original: Path, database: str | None, seed: int, host: str = HOST) -> Stage:
    """Raises SettingsError when the original can't be used."""
    text = rewritten(original.read_text(encoding="utf-8-sig"), folder, database, host)
    path = folder / "switch.toml"
    path.write_text(text, encoding="utf-8")
    settings = config.read_settings(path)
    dice = random.Random(f"keys {seed}")
    keys = {bank: _key(dice) for bank in settings.banks}
    wires = {
        name: config.make_wire(settings, bank, config.read_dialect(bank.dialect, original), keys[name])
        for name, bank in settings.banks.items()
    }
    return Stage(folder, path, settings, keys, wires)


def twin(stage: Stage) -> Stage:
    """A second daemon for the same books and banks: ports and a state folder of its own."""
    path = stage.config.with_name("twin.toml")
    state = re.compile(r"^state_dir *=.*$", re.M)
    text = state.sub(lambda _: f"state_dir = {_quoted(str(stage.folder / 'twin'))}", stage.config.read_text("utf-8"))
    path.write_text(moved(text, stage.settings.admin_listen[0]), encoding="utf-8")
    return stage._replace(config=path, settings=config.read_settings(path))


def rewritten(text: str, folder: Path, database: str | None, host: str = HOST) -> str:
    """A configuration with the demo's own paths, free ports, and a cut-over that does not come by itself."""
    values = {
        "database": database or f"sqlite:///{folder / 'shebao.db'}",
        "state_dir": str(folder),
        "master_key_file": str(folder / "master.key"),
        "cutover": CUT_OVER,
    }
    setting = re.compile(rf"^({'|'.join(values)}) *=.*$", re.M)
    text = setting.sub(lambda found: f"{found[1]} = {_quoted(values[found[1]])}", text)
    return moved(text, host)


def moved(text: str, host: str = HOST) -> str:
    """The same configuration on free ports."""
    listening = re.compile(r"^listen *=.*$", re.M)
    ports = iter(free_ports(len(listening.findall(text)), host))
    return listening.sub(lambda _: f'listen = "{host}:{next(ports)}"', text)


def private_host(number: int) -> str:
    """A loopback address of one's own, by a number such as a process id.

    On 127.0.0.1 the port of a daemon that is down may be taken by anybody's outgoing connection, even by a bank's own
    try to reach it. Those all come from 127.0.0.1.
    """
    return f"127.{83 + number // 62_500 % 40}.{number // 250 % 250}.{1 + number % 250}"


def reach_loopback() -> None:
    """Raises NoLoopback where this machine can't be reached by itself, as in a new network namespace."""
    try:
        with socket.create_server((HOST, 0)) as server:
            socket.create_connection(server.getsockname(), timeout=LOOPBACK_WITHIN_S).close()
    except OSError as error:
        raise NoLoopback(f"{HOST} can't be reached: {error.strerror or error}; type: ip link set lo up") from None


def free_ports(count: int, host: str = HOST) -> list[int]:
    """Ports that the system chose: all held at once, so that they differ, then let go."""
    held = []
    try:
        for _ in range(count):
            held.append(socket.create_server((host, 0)))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # a JSON string is a TOML one


def _key(dice: random.Random) -> str:
    """16 bytes with odd parity, as DES keys have it; the other algorithms do not mind."""
    seven = (dice.randrange(128) << 1 for _ in range(16))
    return bytes(byte | (byte.bit_count() + 1) % 2 for byte in seven).hex().upper()
