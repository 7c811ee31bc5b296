"""A frame, or a bare body, in words: what `switchd explain` prints (operations.md, Commands).

Reads what the judge (`message`) decodes and says it field by field, DE48 tag by tag, with its MAC checked where
the key is there. Secrets and personal data are masked by tables, and what no table names is hidden: a value that
can't be taken apart is never printed raw. It judges nothing on its own and never raises for bad input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from .columns import format_yuan
from .dialect import Dialect
from .elements import ELEMENTS
from .errors import MEANINGS, Code, Unreadable
from .framing import HEARTBEAT, Frame, Framer
from .mac import MacKey, verify, wire_size
from .message import Decoded, decode
from .numbers import bill_ok, mask_card, mask_id, mask_name
from .tags import TagError, parse

FRAMES_SHOWN_MAX: Final = 50


def describe(dialect: Dialect, data: bytes, mac_key: MacKey | None) -> list[str]:
    """Lines for a person to read. data: one or more whole frames, or one body without length header.

    mac_key None: the MAC is shown, not checked.
    """
    if not data:
        return ["nothing to explain: no bytes"]
    frames, wrong = _frames(dialect, data)
    messages = [_message_lines(dialect, frame.body, mac_key) for frame in frames[:FRAMES_SHOWN_MAX]]
    if any(message.readable for message in messages):
        lines = [line for frame, message in zip(frames, messages, strict=False)
                 for line in (*_framing_lines(dialect, frame), *message.lines)]  # fmt: skip
        return lines + _left_out(frames) + ([_line("then", wrong)] if wrong else [])
    body = _message_lines(dialect, data, mac_key)
    if body.readable:
        return [_line("body", f"{len(data)} bytes, without length header"), *body.lines]
    wrong = wrong or f"{len(frames)} frames, the first: {messages[0].why}"
    return [f"neither a frame nor a body of {dialect.name}", _line("as a frame", wrong), _line("as a body", body.why)]


class _Lines(NamedTuple):
    """A message's lines, or why it has none."""

    lines: list[str]
    why: str = ""

    @property
    def readable(self) -> bool:
        return not self.why


# Framing


def _frames(dialect: Dialect, data: bytes) -> tuple[list[Frame], str]:
    """The frames that the data is made of, and what is wrong with that reading of it, or ""."""
    framer = Framer(dialect.framing, None)
    frames, error = framer.feed(data)
    if error is not None:
        return frames, error.detail
    if framer.partial:
        size = dialect.framing.header_size
        begun = data[sum(size + len(frame.envelope) + len(frame.body) for frame in frames) :]
        return frames, f"incomplete: {len(begun)} bytes; the length header {begun[:size].hex()} announces more"
    return frames, ""


def _framing_lines(dialect: Dialect, frame: Frame) -> Iterator[str]:
    size = len(frame.envelope) + len(frame.body)
    yield _line("frame", f"{dialect.framing.header_size + size} bytes, length {size}")
    envelope = frame.envelope
    if envelope and dialect.framing.envelope == "tpdu":
        yield _line("TPDU", f"to {envelope[1:3].hex()}, from {envelope[3:5].hex()}")
    elif envelope and dialect.framing.envelope == "cups":
        yield _line("CUPS header", f"to {_station(envelope[6:17])}, from {_station(envelope[17:28])}")


def _station(raw: bytes) -> str:
    text = raw.decode("latin-1").rstrip(" ")
    return text if text.isascii() and text.isalnum() else f"(bytes {raw.hex()})"


def _left_out(frames: list[Frame]) -> list[str]:
    more = len(frames) - FRAMES_SHOWN_MAX
    return [f"and {more} more frames, not shown"] if more > 0 else []


# Message


def _message_lines(dialect: Dialect, body: bytes, mac_key: MacKey | None) -> _Lines:
    if body == HEARTBEAT.body:
        return _Lines([_line("heartbeat", "an idle frame; it is never answered")])
    try:
        decoded = decode(dialect, body)
    except Unreadable as unreadable:
        why = _UNREADABLE.get(unreadable.reason, unreadable.reason)
        return _Lines([_line("unreadable", why)], f"{why}; the switch would close the line")
    lines = [_line("MTI", f"{decoded.mti}  {_mti_words(decoded.mti)}")]
    faults = {fault.field: fault for fault in reversed(decoded.faults)}
    for number in sorted({*decoded.fields, *faults}):
        if number in decoded.fields:
            lines += _field_lines(number, decoded.fields[number])
        if number in faults:
            why = f"refused ({faults[number].reason}), value not shown: answered 30"
            lines.append(_line(f"DE{number}", f"{_name(number)}: {why}"))
    lines.append(_line("MAC", _mac_words(dialect, body, decoded, mac_key)))
    return _Lines(lines)


def _mac_words(dialect: Dialect, body: bytes, decoded: Decoded, mac_key: MacKey | None) -> str:
    if not decoded.mac_field:
        return "missing, or not the one of DE64 and DE128 that belongs here: answered A0"
    if mac_key is None:
        return f"{dialect.mac.algorithm}, not checked: no key for it here"
    if verify(mac_key, body, dialect.mac.hex):
        return f"{dialect.mac.algorithm}, right"
    covered = len(body) - wire_size(dialect.mac.hex)
    return f"{dialect.mac.algorithm}, wrong over the {covered} bytes before it: answered A0"


def _field_lines(number: int, value: str) -> list[str]:
    if number == 48:
        return [_line("DE48", _name(48)), *_tag_lines(value)]
    words = _VALUE_WORDS.get(number, {}).get(value, "")
    return [_line(f"DE{number}", f"{_name(number)}: {_MASKS.get(number, _hidden)(value)}  {words}".rstrip())]


def _tag_lines(value: str) -> Iterator[str]:
    data = bytes.fromhex(value)
    try:
        tags = parse(data)
    except TagError as error:
        tag = f" at {error.tag}" if error.tag.isalnum() else ""
        yield _line("", f"malformed{tag} ({error.reason}), {len(data)} bytes, not shown: answered 30")
        return
    for name, text in tags.pairs:
        words = _TAG_VALUE_WORDS.get(name, {}).get(text, "")
        if name == "BN" and not bill_ok(text):
            words = "its check digit is wrong: answered 25"
        yield _line("", f"{name} {_TAG_NAMES[name]}: {_TAG_MASKS.get(name, _hidden)(text)}  {words}".rstrip())
    if tags.unknown:
        yield _line("", f"and {len(tags.unknown)} unknown tags, skipped")


def _line(label: str, text: str) -> str:
    """One line; a character that a terminal would obey, or can't show, is replaced."""
    return f"{label:<12} " + "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _name(number: int) -> str:
    return ELEMENTS[number].name


# Masks. A field or tag without a row is hidden.


def _hidden(value: str) -> str:
    return f"({len(value)} characters, hidden)"


def _shown(value: str) -> str:
    return value


def _yuan(fen: str) -> str:
    return f"{format_yuan(int(fen))} yuan"


def _amount(value: str) -> str:
    return f"{value}  {_yuan(value.lstrip('CD'))}"


def _original(value: str) -> str:
    mti, stan, moment, acquirer = value[:4], value[4:10], value[10:20], value[20:31]
    return f"MTI {mti}, DE11 {stan}, DE7 {moment}, DE32 {acquirer.lstrip('0')}"


def _bill(value: str) -> str:
    """BL: number 20, amount 12, period 6 and 6, due date 8, main insurance type 3."""
    period = f"{value[32:38]} to {value[38:44]}, due {value[44:52]}"
    return f"{value[:20]}, {_yuan(value[20:32])}, {period}, type {value[52:]}"


def _part(value: str) -> str:
    return f"type {value[:3]}, {_yuan(value[3:])}"


def _field_number(value: str) -> str:
    return value if len(value) == 3 and value.isdigit() else _hidden(value)


_MASK_KINDS: Final[dict[str, Callable[[str], str]]] = {"": _shown, "card": mask_card}  # of Element.mask
_FREE_TEXT_SHOWN: Final = (41, 42)  # terminal and branch; in other text fields a bank may put what it likes
_MASKS: Final[dict[int, Callable[[str], str]]] = {
    **{
        number: _MASK_KINDS[element.mask]
        for number, element in ELEMENTS.items()
        if element.mask in _MASK_KINDS and (element.format != "ans" or number in _FREE_TEXT_SHOWN)
    },
    **dict.fromkeys((4, 86, 87, 88, 89, 97), _amount),
    44: _field_number,
    90: _original,
}
_TAG_MASKS: Final[dict[str, Callable[[str], str]]] = {
    "ID": mask_id,
    "NM": mask_name,
    "AC": mask_card,
    "PH": lambda phone: phone[:3] + "****" + phone[7:],
    "BL": _bill,
    "IN": _part,
    **dict.fromkeys(("BN", "CH", "AU", "IT", "AP", "KC", "PT", "PB", "RN", "MS", "NB", "PG", "ST"), _shown),
}


# Words for values that are codes (wire.md sections 1, 4 and 5)

_UNREADABLE: Final = {
    "mti": "the MTI is not four digits",
    "mti_digit": "the MTI does not begin with 0",
    "bitmap": "the bitmap can't be read",
    "de7": "DE7 is missing or is not ten digits",
    "de11": "DE11 is missing or is not six digits",
}
_MTI_CLASSES: Final = {
    "1": "inquiry", "2": "payment", "4": "reversal", "5": "totals", "6": "registration", "8": "network management",
}  # fmt: skip
_MTI_FUNCTIONS: Final = {"0": "request", "1": "reply", "2": "advice", "3": "advice reply"}
_VALUE_WORDS: Final[dict[int, dict[str, str]]] = {
    3: {
        "390000": "bill inquiry",
        "391000": "person inquiry",
        "500000": "payment",
        "200000": "void",
        "910000": "enrolment",
        "920000": "mandate signed",
        "920001": "mandate cancelled",
        "930000": "phone binding",
        "940000": "transfer application",
        "950000": "expense claim application",
    },
    39: {code.value: MEANINGS[code].english for code in Code},
    49: {"156": "yuan"},
    66: {"1": "in balance", "2": "out of balance"},
    70: {"001": "sign-on", "002": "sign-off", "101": "key exchange", "201": "cut-over", "301": "echo"},
}
_TAG_VALUE_WORDS: Final[dict[str, dict[str, str]]] = {
    "CH": {"01": "counter", "02": "kiosk", "03": "net bank", "04": "mobile bank"},
    "AU": {"0": "not confirmed", "1": "card and PIN", "2": "net-bank login", "3": "certificate"},
}
_TAG_NAMES: Final[dict[str, str]] = {
    "BN": "bill number",
    "ID": "citizen id or credit code",
    "NM": "name",
    "PH": "phone",
    "CH": "channel",
    "AU": "confirmation",
    "AC": "account",
    "IT": "insurance types",
    "AP": "application",
    "KB": "key block",
    "KC": "key check value",
    "PT": "paid at (time)",
    "PB": "paid at (bank)",
    "RN": "receipt",
    "MS": "message",
    "NB": "outstanding bills",
    "BL": "bill",
    "IN": "insurance part",
    "PG": "page",
    "ST": "status",
}


def _mti_words(mti: str) -> str:
    what = f"{_MTI_CLASSES.get(mti[1], 'unknown class')} {_MTI_FUNCTIONS.get(mti[2], 'of unknown function')}"
    return f"{what}, repeated" if mti[3] in "13" else what
