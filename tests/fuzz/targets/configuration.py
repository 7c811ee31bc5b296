"""switch.toml and dialect files: settings within their limits, a dialect that works, or a SettingsError of one line.

Input: which of the two (1 byte), the text; for switch.toml, 0x1E and lines NAME=value of the environment may follow.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from pathlib import Path

from shebao.codecs import message
from shebao.codecs.compiled import Codec
from shebao.codecs.dialect import Dialect, Field, load_dialect
from shebao.codecs.elements import FORBIDDEN
from shebao.codecs.framing import Framer, request_bytes
from shebao.codecs.settings import BANKS_MAX, Limits, SettingsError, SwitchSettings, allowed, load_switch
from shebao.codecs.statement import StatementContext, Totals, file_names, read, write, write_control

ROOT = Path(__file__).resolve().parents[3]
DATE = 20261123
CLOSED = datetime(2026, 11, 23, 23, tzinfo=timezone(timedelta(hours=8)))
ERROR_CHARACTERS_MAX = 600
FILE_NAME_MAX = 240  # of a file system, less what a file is called while it is written
MOMENTS = {"moment": "1123093015", "date": "1123", "time": "093015"}


def one_input(data: bytes) -> None:
    try:
        text, _, rest = data[1:].decode("utf-8-sig").partition("\x1e")
    except UnicodeDecodeError:
        return  # refused where the file is read
    env = dict(line.partition("=")[::2] for line in rest.split("\n"))
    try:
        if data[:1] < b"\x80":
            check_settings(load_switch(text, "switch.toml", env))
        else:
            check_dialect(load_dialect(text, "bank.toml"))
    except SettingsError as error:
        told = str(error)
        assert error.wrong and error.right and told.startswith(("switch.toml", "bank.toml", "environment"))
        assert told.isprintable() and len(told) <= ERROR_CHARACTERS_MAX, told


def check_settings(settings: SwitchSettings) -> None:
    for limit in fields(Limits):
        assert limit.metadata["least"] <= getattr(settings.limits, limit.name) <= limit.metadata["most"]
    banks = list(settings.banks.values())
    assert 1 <= len(banks) <= BANKS_MAX and len({bank.number for bank in banks}) == len(banks)
    for bank in banks:
        assert bank.allow and bank.tls is None and 100 <= bank.book_id <= 9900
        assert 0 <= bank.listen.port <= 65535
        assert isinstance(allowed(bank, "10.1.2.3"), bool) and isinstance(allowed(bank, "::1"), bool)


def check_dialect(dialect: Dialect) -> None:
    """Both codecs write and read a message with every field, the framer cuts it out, an empty day comes back."""
    codec = Codec(dialect)
    values = {number: value_of(field) for number, field in dialect.fields.items() if number not in (64, 65, 128)}
    values = {number: value for number, value in values.items() if number not in FORBIDDEN}
    body = codec.encode("0200", values) + b"0" * codec.mac_size
    assert body[: -codec.mac_size] == message.encode(dialect, "0200", values)
    decoded = codec.decode(body)
    assert decoded == message.decode(dialect, body) and not decoded.faults
    assert {number: value for number, value in decoded.fields.items() if number != 128} == values
    if len(body) + dialect.framing.envelope_size <= dialect.framing.largest:
        source, destination = ("0010", "0003") if dialect.framing.envelope == "tpdu" else ("1", "2")
        frames, error = Framer(dialect.framing, "2").feed(request_bytes(dialect.framing, body, source, destination))
        assert error is None and frames[0].body == body
    spec = dialect.statement
    context = StatementContext("rcb", "33011000", DATE, CLOSED - timedelta(days=1), CLOSED)
    detail, control = b"".join(write(spec, context, Totals(), [])), write_control(spec, context, Totals())
    assert not list(read(spec, "rcb", DATE, io.BytesIO(detail), control))
    name, beside = file_names(spec, "rcb", DATE)
    names = [name, f"{name}.sm3", f"{name}.ok", *([beside] if beside else [])]
    assert len(set(names)) == len(names) and max(map(len, names)) < FILE_NAME_MAX


def value_of(field: Field) -> str:
    """A value of a field's full size; of a counted one, of at most 3."""
    kind, check = field.element.format, field.element.check
    size = field.element.size if field.fixed else min(field.element.size, 3)
    if check:
        return MOMENTS[check]
    if kind in ("b", "bytes"):
        return "A5" * size
    return {"n": "0" * size, "x+n": "C" + "1" * (size - 1)}.get(kind, "A" * size)


def seeds() -> Iterator[bytes]:
    """The shipped files without their comments."""
    paths = [ROOT / "etc/switch.toml", *sorted((ROOT / "etc/dialects").glob("*.toml"))]
    paths.append(ROOT / "tests/data/unionpay_pos.toml")
    switch, *dialects = (
        "".join(f"{line}\n" for line in path.read_text("utf-8").splitlines() if line and line[0] != "#")
        for path in paths
    )
    yield b"\x00" + switch.encode()
    yield b"\x00" + switch.encode() + b"\x1eSHEBAO_DATABASE=sqlite:////tmp/a.db\nSHEBAO_STATE_DIR=v"
    head, _, banks = switch.partition("[banks.")
    yield b"\x00" + (head.partition("[limits]")[0] + "[banks." + banks.partition("[banks.")[0]).encode()
    for text in dialects:
        yield b"\x80" + text.encode()


_LINES = (b"\n", b"a.", b"[a]\n", b"[[a]]\n", b"[", b"a=", b"#", b'"', b"'", b'"\\', b"a={", b"\t")
LARGE = [
    *((b"\x00", unit) for unit in _LINES),
    *((b"\x00a=", unit) for unit in (b"[", b"1", b"'''", b"[1,", b"{a=", b"1_", b"1979-", b'"\\u0041')),
    *((b"\x00a=[", unit) for unit in (b"1,", b"{},", b"#\n")),
    *((b'\x00a="""', unit) for unit in (b"\\\n", b"\\u0041", b'""x')),
    *((b"\x00[switch]\ninstitution=0x", unit) for unit in (b"f", b"f_")),
    *((b"\x80", unit) for unit in (b"[fields.3]\n", b"[fields.3.3.3]\n")),
    (b'\x80name="', b"a"),
    (b'\x80[text]\nencoding="cp', b"0"),
]
