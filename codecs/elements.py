"""The 128 data elements as a table (wire.md section 2): name, format, size, what must hold, how logs mask it.

Data, not behaviour: how an element looks on a bank's line is the dialect's, reading and writing it is
`message` and `compiled`. Every dialect starts from this table and states only what differs.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Element(NamedTuple):
    """One data element.

    format: "n" digits, "an" and "ans" printable ASCII without "|", "x+n" C or D and digits, "b" fixed bytes,
    "bytes" bytes of a counted length.
    prefix: digits of the length prefix, 0 when the size is fixed.
    size: the fixed size or the maximum: digits, characters (x+n: with its letter) or bytes.
    check: "" or what the digits must be: "date" MMDD, "time" hhmmss, "moment" MMDDhhmmss.
    mask: how a log may show it: "" as it is, "card", "tags" (DE48, tag by tag), "hidden" not at all.
    """

    name: str
    format: str
    prefix: int
    size: int
    check: str = ""
    mask: str = ""


FORMATS: Final = ("n", "an", "ans", "x+n", "b", "bytes")
FORBIDDEN: Final = (35, 36, 45, 52, 55)  # PIN and track data: refused in any message, never kept (wire.md section 2)
FIELD_MAX: Final = 128
MAC_FIELDS: Final = (64, 128)
MAC_BYTES: Final = 8  # raw; a dialect that writes b fields as hex sends twice as many

_PRIVATE: Final = ("ans", 3, 999, "", "hidden")  # banks put there what they like

_NAMED: Final[dict[int, Element]] = {
    2: Element("primary account number", "n", 2, 19, mask="card"),
    3: Element("processing code", "n", 0, 6),
    4: Element("amount, transaction", "n", 0, 12),
    5: Element("amount, settlement", "n", 0, 12),
    6: Element("amount, cardholder billing", "n", 0, 12),
    7: Element("transmission date and time", "n", 0, 10, check="moment"),
    8: Element("amount, cardholder billing fee", "n", 0, 8),
    9: Element("conversion rate, settlement", "n", 0, 8),
    10: Element("conversion rate, cardholder billing", "n", 0, 8),
    11: Element("system trace audit number", "n", 0, 6),
    12: Element("local time", "n", 0, 6, check="time"),
    13: Element("local date", "n", 0, 4, check="date"),
    14: Element("expiration date", "n", 0, 4, mask="hidden"),
    15: Element("settlement date", "n", 0, 4, check="date"),
    16: Element("conversion date", "n", 0, 4),
    17: Element("capture date", "n", 0, 4),
    18: Element("merchant type", "n", 0, 4),
    19: Element("acquiring institution country", "n", 0, 3),
    20: Element("primary account country", "n", 0, 3),
    21: Element("forwarding institution country", "n", 0, 3),
    22: Element("POS entry mode", "n", 0, 3),
    23: Element("card sequence number", "n", 0, 3),
    24: Element("network international id", "n", 0, 3),
    25: Element("POS condition code", "n", 0, 2),
    26: Element("POS PIN capture code", "n", 0, 2),
    27: Element("authorisation id length", "n", 0, 1),
    28: Element("amount, transaction fee", "x+n", 0, 9),
    29: Element("amount, settlement fee", "x+n", 0, 9),
    30: Element("amount, transaction processing fee", "x+n", 0, 9),
    31: Element("amount, settlement processing fee", "x+n", 0, 9),
    32: Element("acquiring institution", "n", 2, 11),
    33: Element("forwarding institution", "n", 2, 11),
    34: Element("primary account number, extended", "ans", 2, 28, mask="hidden"),
    35: Element("track 2 data", "ans", 2, 37, mask="hidden"),
    36: Element("track 3 data", "ans", 3, 104, mask="hidden"),
    37: Element("retrieval reference number", "an", 0, 12),
    38: Element("authorisation id", "an", 0, 6),
    39: Element("response code", "an", 0, 2),
    40: Element("service restriction code", "an", 0, 3),
    41: Element("terminal id", "ans", 0, 8),
    42: Element("branch id", "ans", 0, 15),
    43: Element("card acceptor name and location", "ans", 0, 40),
    44: Element("additional response data", "ans", 2, 25),
    45: Element("track 1 data", "ans", 2, 76, mask="hidden"),
    46: Element("additional data, ISO", *_PRIVATE),
    47: Element("additional data, national", *_PRIVATE),
    48: Element("additional data, private", "bytes", 3, 999, mask="tags"),
    49: Element("currency, transaction", "n", 0, 3),
    50: Element("currency, settlement", "n", 0, 3),
    51: Element("currency, cardholder billing", "n", 0, 3),
    52: Element("PIN data", "b", 0, 8, mask="hidden"),
    53: Element("security control information", "n", 0, 16, mask="hidden"),
    54: Element("additional amounts", "ans", 3, 120),
    55: Element("chip data", "bytes", 3, 999, mask="hidden"),
    64: Element("message authentication code", "b", 0, 8),
    65: Element("bitmap, third", "b", 0, 8),  # never decoded: its bit is a fault
    66: Element("settlement code", "n", 0, 1),
    67: Element("extended payment code", "n", 0, 2),
    68: Element("receiving institution country", "n", 0, 3),
    69: Element("settlement institution country", "n", 0, 3),
    70: Element("network management code", "n", 0, 3),
    71: Element("message number", "n", 0, 4),
    72: Element("message number, last", "n", 0, 4),
    73: Element("action date", "n", 0, 6),
    74: Element("credits, number", "n", 0, 10),
    75: Element("credits, reversal number", "n", 0, 10),
    76: Element("debits, number", "n", 0, 10),
    77: Element("debits, reversal number", "n", 0, 10),
    78: Element("transfer, number", "n", 0, 10),
    79: Element("transfer, reversal number", "n", 0, 10),
    80: Element("inquiries, number", "n", 0, 10),
    81: Element("authorisations, number", "n", 0, 10),
    82: Element("credits, processing fee amount", "n", 0, 12),
    83: Element("credits, transaction fee amount", "n", 0, 12),
    84: Element("debits, processing fee amount", "n", 0, 12),
    85: Element("debits, transaction fee amount", "n", 0, 12),
    86: Element("credits, amount", "n", 0, 16),
    87: Element("credits, reversal amount", "n", 0, 16),
    88: Element("debits, amount", "n", 0, 16),
    89: Element("debits, reversal amount", "n", 0, 16),
    90: Element("original data elements", "n", 0, 42),
    91: Element("file update code", "an", 0, 1),
    92: Element("file security code", "an", 0, 2, mask="hidden"),
    93: Element("response indicator", "an", 0, 5),
    94: Element("service indicator", "an", 0, 7),
    95: Element("replacement amounts", "an", 0, 42),
    96: Element("message security code", "b", 0, 8, mask="hidden"),
    97: Element("amount, net settlement", "x+n", 0, 17),
    98: Element("payee", "ans", 0, 25, mask="hidden"),
    99: Element("settlement institution", "n", 2, 11),
    100: Element("receiving institution", "n", 2, 11),
    101: Element("file name", "ans", 2, 17),
    102: Element("account id 1", "ans", 2, 28, mask="hidden"),
    103: Element("account id 2", "ans", 2, 28, mask="hidden"),
    104: Element("transaction description", "ans", 3, 100, mask="hidden"),
    128: Element("message authentication code", "b", 0, 8),
}

# Data elements 2 to 128; 1 is the secondary bitmap and no element.
ELEMENTS: Final[dict[int, Element]] = {
    number: _NAMED.get(number) or Element("private use", *_PRIVATE) for number in range(2, FIELD_MAX + 1)
}

# What `an` and `ans` may hold, after its code page is decoded.
TEXT_ALPHABET: Final = frozenset(chr(c) for c in range(0x20, 0x7F)) - {"|"}

_MONTH_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

# Every MMDD of some year. Whether 0229 exists in the year meant is judged where the year is found.
DAYS: Final = frozenset(f"{m:02d}{d:02d}" for m, last in enumerate(_MONTH_DAYS, 1) for d in range(1, last + 1))


def on_calendar(check: str, digits: str) -> bool:
    """Whether digits of the right number are a date or time that exists; check as in Element."""
    if check == "moment":
        return digits[:4] in DAYS and on_calendar("time", digits[4:])
    if check == "date":
        return digits in DAYS
    if check == "time":
        return digits[:2] < "24" and digits[2:4] < "60" and digits[4:] < "60"
    return True
