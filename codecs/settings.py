"""`switch.toml`: text to checked values (operations.md, Configuration). Reads no file and opens nothing.

Whatever is wrong is a `SettingsError` with file, key, what is wrong and what would be right. The environment is
an argument. The table reader itself is in `section`; dialect files are read by `dialect`.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

from .section import Section, SettingsError, read_toml

__all__ = [
    "BankSettings",
    "Limits",
    "Listen",
    "Section",
    "SettingsError",
    "SwitchSettings",
    "TlsSettings",
    "allowed",
    "load_switch",
    "read_toml",
]

BANKS_MAX: Final = 99  # a bank's number is two digits of a receipt number
Network = IPv4Network | IPv6Network


class Listen(NamedTuple):
    """Where a port listens. port 0 lets the system choose one."""

    host: str  # an IP address
    port: int


def _limit(default: int, least: int, most: int) -> int:
    value: int = field(default=default, metadata={"least": least, "most": most})
    return value


@dataclass(frozen=True)
class Limits:
    """[limits]: every limit of the switch that an operator may set; `etc/switch.toml` says what each does."""

    in_flight_per_line: int = _limit(256, 1, 10_000)
    reply_deadline_s: int = _limit(20, 1, 600)
    batch_max: int = _limit(200, 1, 10_000)
    lines_per_bank_max: int = _limit(128, 1, 10_000)
    heartbeat_s: int = _limit(60, 1, 3_600)
    silence_s: int = _limit(180, 2, 86_400)
    frame_timeout_s: int = _limit(30, 1, 3_600)
    mac_failures_max: int = _limit(5, 1, 1_000)
    commit_deadline_s: int = _limit(10, 1, 600)
    ready_after_s: int = _limit(5, 1, 3_600)
    shutdown_s: int = _limit(30, 1, 3_600)
    anchor_every_s: int = _limit(60, 1, 3_600)
    admin_timeout_s: int = _limit(30, 1, 3_600)
    admin_connections_max: int = _limit(64, 1, 10_000)
    log_lines_queued_max: int = _limit(10_000, 1, 10_000_000)


@dataclass(frozen=True)
class TlsSettings:
    """Paths of PEM files; client_ca is the bank's own."""

    certificate: str
    key: str
    client_ca: str


@dataclass(frozen=True)
class BankSettings:
    """[banks.<key>]"""

    key: str  # the bank's name in the switch
    name: str  # as people call it
    number: str  # "01" to "99", part of receipt numbers
    institution: str  # DE32, at most 11 digits
    dialect: str  # name of a file in etc/dialects
    listen: Listen
    allow: tuple[Network, ...]
    cutover: datetime.time  # China Standard Time, without tzinfo
    tls: TlsSettings | None = None

    @property
    def book_id(self) -> int:
        return int(self.number) * 100


@dataclass(frozen=True)
class SwitchSettings:
    """The whole of `switch.toml`, the environment's overrides applied."""

    institution: str  # the bureau's own
    database: str  # an SQLAlchemy URL
    state_dir: str
    master_key_file: str
    admin_listen: Listen
    operators_identity: str  # "declared" or "os"
    limits: Limits
    banks: dict[str, BankSettings]  # in the order of the file


def load_switch(text: str, source: str, env: Mapping[str, str] | None = None) -> SwitchSettings:
    """Checked settings from the text of `switch.toml`.

    source: the file's name for errors; env: SHEBAO_DATABASE, SHEBAO_STATE_DIR and SHEBAO_MASTER_KEY_FILE
    override [switch]; an empty one does not. Raises SettingsError, for the first fault only.
    """
    top = read_toml(text, source)
    switch = top.section("switch")
    env = {name: value for name, value in (env or {}).items() if name.startswith("SHEBAO_") and value}
    settings = SwitchSettings(
        institution=_institution(switch),
        database=_overridden(switch, "database", env, _DATABASE, _DATABASE_RIGHT),
        state_dir=_overridden(switch, "state_dir", env, _PATH, 'write a folder, such as "var"'),
        master_key_file=_overridden(switch, "master_key_file", env, _PATH, 'write a file, such as "var/master.key"'),
        admin_listen=_admin(top.section("admin")),
        operators_identity=_operators(top.section("operators", optional=True)),
        limits=_limits(top.section("limits", optional=True)),
        banks=_banks(top.section("banks", right="write one table per bank, such as [banks.rcb]")),
    )
    switch.finish()
    top.finish()
    _check_ports(top, settings)
    _check_tls(top.section("banks"), settings.banks.values())
    return settings


def allowed(bank: BankSettings, peer_address: str) -> bool:
    """Whether a peer may connect to this bank's port. IPv4-mapped IPv6 peers count as IPv4."""
    try:
        address = ip_address(peer_address)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in bank.allow)


# One reader per table of the file

_PATH: Final = r"[^\x00-\x1f\x7f]+"
_DATABASE: Final = r"(sqlite:///[^\x00-\x20]|postgresql\+psycopg://)[^\x00-\x1f\x7f]*"
_DATABASE_RIGHT: Final = 'write "sqlite:///FILE" or "postgresql+psycopg://USER@HOST/NAME"'
_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_BANK_KEY: Final = re.compile(r"[a-z][a-z0-9]{0,7}")  # statement files hold it in 8 characters
_NUMBERS: Final = r"0[1-9]|[1-9][0-9]"


def _overridden(switch: Section, key: str, env: Mapping[str, str], pattern: str, right: str) -> str:
    """A value of [switch], or of the environment variable that overrides it. A bad one is not shown: it may
    hold a password."""
    value = switch.text(key, right=right)
    if not re.fullmatch(pattern, value):
        raise switch.error(key, "can't be used", right)
    name = f"SHEBAO_{key.upper()}"
    if name not in env:
        return value
    if not re.fullmatch(pattern, env[name]):
        raise SettingsError("environment", name, "can't be used", right.replace('"', ""))
    return env[name]


def _institution(section: Section) -> str:
    right = 'write 1 to 11 digits in quotes, such as "33011000"'
    return section.text("institution", pattern="[0-9]{1,11}", right=right)


def _listen(section: Section, example: str) -> Listen:
    right = f'write an IP address and a port, such as "{example}" or "[::1]:{example[-4:]}"'
    value = section.text("listen", right=right)
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})", value)
    try:
        host, port = (str(ip_address(found[1] or found[2])), int(found[3])) if found else ("", 0)
    except ValueError:
        host, port = "", 0
    if not host or port > 65535:
        raise section.error("listen", f"{value[:60]!a} can't be used", right)
    return Listen(host, port)


def _admin(section: Section) -> Listen:
    listen = _listen(section, "127.0.0.1:8580")
    section.finish()
    return listen


def _operators(section: Section) -> str:
    identity = section.text("identity", "declared", choices=("declared", "os"))
    section.finish()
    return identity


def _limits(section: Section) -> Limits:
    values = {f.name: section.integer(f.name, getattr(Limits, f.name), **f.metadata) for f in fields(Limits)}
    section.finish()
    limits = Limits(**values)
    if limits.silence_s <= limits.heartbeat_s:
        wrong = f"{limits.silence_s} s of silence would close lines that send heartbeats every {limits.heartbeat_s} s"
        raise section.error("silence_s", wrong, f"write more than {limits.heartbeat_s}")
    return limits


def _banks(section: Section) -> dict[str, BankSettings]:
    if not 1 <= len(section.keys()) <= BANKS_MAX:
        raise section.error("", f"{len(section.keys())} banks", f"write 1 to {BANKS_MAX} tables such as [banks.rcb]")
    banks: dict[str, BankSettings] = {}
    numbers: dict[str, str] = {}
    for place, (key, table) in enumerate(section.sections().items(), start=1):
        if not _BANK_KEY.fullmatch(key):
            raise section.error(key, "is no name for a bank", "write 1 to 8 of a-z and 0-9, a letter first")
        bank = _bank(key, table, place)
        if bank.number in numbers:
            wrong = f'"{bank.number}" is the number of {numbers[bank.number]} too'
            raise table.error("number", wrong, "give each bank a number of its own, never one that was used before")
        numbers[bank.number] = key
        banks[key] = bank
    return banks


def _bank(key: str, table: Section, place: int) -> BankSettings:
    bank = BankSettings(
        key=key,
        name=table.text("name", pattern=r"[^\x00-\x1f\x7f]{1,60}", right="write the bank's name, 1 to 60 characters"),
        number=table.text("number", f"{place:02d}", pattern=_NUMBERS, right='write "01" to "99" in quotes'),
        institution=_institution(table),
        dialect=table.text(
            "dialect", pattern="[a-z0-9][a-z0-9_-]{0,31}", right='write the name of a dialect, such as "rcb"'
        ),
        listen=_listen(table, "127.0.0.1:8581"),
        allow=_allow(table),
        cutover=datetime.time.fromisoformat(
            table.text("cutover", pattern=_CLOCK, right='write hours, minutes, seconds in quotes, such as "23:00:00"')
        ),
        tls=_tls(table.section("tls")) if "tls" in table else None,
    )
    table.finish()
    return bank


def _allow(table: Section) -> tuple[Network, ...]:
    right = 'write a list of networks, such as ["127.0.0.1/32", "10.1.0.0/16"]'
    networks: list[Network] = []
    for text in table.texts("allow", right=right):
        try:
            network: Network = ip_network(text, strict=False)
        except ValueError:
            raise table.error("allow", f"{text[:60]!a} is no network", right) from None
        if network != _strict(text):
            raise table.error("allow", f'"{text}" has bits set after its prefix', f'write "{network}"')
        networks.append(_unmapped(network))
    if not networks:
        raise table.error("allow", "names no network, so no peer could connect", right)
    return tuple(networks)


def _strict(text: str) -> Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None


def _unmapped(network: Network) -> Network:
    """::ffff:10.1.0.0/112 is 10.1.0.0/16."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return network if mapped is None or network.prefixlen < 96 else IPv4Network((mapped, network.prefixlen - 96))


def _tls(table: Section) -> TlsSettings:
    right = "write the path of a PEM file"
    certificate, key, client_ca = (
        table.text(name, pattern=_PATH, right=right) for name in ("certificate", "key", "client_ca")
    )
    table.finish()
    return TlsSettings(certificate, key, client_ca)


# Rules across tables


def _check_ports(top: Section, settings: SwitchSettings) -> None:
    taken = {settings.admin_listen.port: "[admin]"}
    for bank in settings.banks.values():
        port = bank.listen.port
        if port and port in taken:
            table = top.section("banks").section(bank.key)
            raise table.error("listen", f"port {port} is that of {taken[port]} too", "give each bank a port of its own")
        taken[port] = f"[banks.{bank.key}]"


def _check_tls(section: Section, banks: Iterable[BankSettings]) -> None:
    authorities: dict[str, str] = {}
    for bank in banks:
        if bank.tls is not None and (other := authorities.setdefault(bank.tls.client_ca, bank.key)) != bank.key:
            table = section.section(bank.key)
            wrong = f"client_ca is that of {other} too, so either could pass for the other"
            raise table.error("tls", wrong, "give each bank a client_ca of its own")
    for bank in banks:
        if bank.tls is not None:
            # Never ignored: a bank that asks for TLS must not be served in the clear (operations.md).
            table = section.section(bank.key)
            raise table.error("tls", "not supported yet", "leave the key tls out, and use a private line")
