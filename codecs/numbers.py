"""Check digits of bills, receipts, citizens and employers (wire.md section 4), and masks for logs.

Pure functions over text. Whether a number exists is the ledger's to say, not this module's. All digits are
ASCII: str.isdigit alone would let Arabic-Indic and full-width digits pass.
"""

from __future__ import annotations

from typing import Final

BILL_SIZE: Final = 20
ID_SIZE: Final = 18


def _mod_11_10_table() -> tuple[bytes, ...]:
    """Row by state p (1..10): p after one more digit, for ISO 7064 MOD 11,10."""
    rows = [bytes(10)]
    for p in range(1, 11):
        rows.append(bytes((((p + digit) % 10 or 10) * 2) % 11 for digit in range(10)))
    return tuple(rows)


def _mod_11_10_pairs() -> tuple[dict[str, int], ...]:
    """Row by state: state after two more digits, keyed by their text; halves the steps."""
    step = _mod_11_10_table()
    return tuple(
        {f"{a}{b}": step[step[p][a]][b] for a in range(10) for b in range(10)} if p else {} for p in range(11)
    )


_STEP: Final = _mod_11_10_table()
_PAIRS: Final = _mod_11_10_pairs()
_MOD_11_2_WEIGHTS: Final[tuple[int, ...]] = tuple(2 ** (17 - i) % 11 for i in range(17))
_MOD_11_2_CHECKS: Final = "10X98765432"
_CREDIT_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100: without I, O, S, V, Z
_CREDIT_WEIGHTS: Final[tuple[int, ...]] = tuple(3**i % 31 for i in range(17))
_CREDIT_VALUES: Final = {character: value for value, character in enumerate(_CREDIT_ALPHABET)}


def digits_only(text: str) -> bool:
    """ASCII digits, at least one."""
    return text.isascii() and text.isdigit()


def mod_11_10(digits: str) -> str:
    """ISO 7064 MOD 11,10 check digit over ASCII digits, of any number."""
    p = 10
    odd = len(digits) & 1
    if odd:
        p = _STEP[p][ord(digits[0]) - 48]
    for at in range(odd, len(digits), 2):
        p = _PAIRS[p][digits[at : at + 2]]
    return str((11 - p) % 10)


def bill_ok(number: str) -> bool:
    """20 ASCII digits whose last is the check digit over the first 19 (bill and receipt numbers alike)."""
    return len(number) == BILL_SIZE and digits_only(number) and mod_11_10(number[:-1]) == number[-1]


def no_bill_number(number: str) -> str:
    """What is wrong with the number of a bill as somebody typed it; empty: nothing."""
    return "" if bill_ok(number) else f"{number} is no bill number: 20 digits, the last a check digit"


def receipt(date_yymmdd: int, bank_number: str, lane: int, serial: int) -> str:
    """Receipt number, 20 digits: date YYMMDD, bank 2, lane 2, serial 9, check digit (wire.md section 4)."""
    if not (0 <= date_yymmdd < 10**6 and len(bank_number) == 2 and 0 <= lane < 100 and 0 < serial < 10**9):
        raise ValueError("receipt number out of range")
    body = f"{date_yymmdd:06d}{bank_number}{lane:02d}{serial:09d}"
    return body + mod_11_10(body)


def citizen_ok(number: str) -> bool:
    """Citizen id of 18 characters, check character by ISO 7064 MOD 11-2; a final x counts as X.

    What it says of place and birthday is not judged.
    """
    body = number[:17]
    if len(number) != ID_SIZE or not digits_only(body):
        return False
    total = sum(weight * (ord(digit) - 48) for weight, digit in zip(_MOD_11_2_WEIGHTS, body, strict=True))
    check = number[17]
    return _MOD_11_2_CHECKS[total % 11] == ("X" if check == "x" else check)


def credit_code_ok(code: str) -> bool:
    """Unified social credit code of 18 characters, check character by GB 32100 (weights 3^i mod 31)."""
    if len(code) != ID_SIZE:
        return False
    values = [_CREDIT_VALUES.get(character, -1) for character in code]
    if min(values) < 0:
        return False
    total = sum(weight * value for weight, value in zip(_CREDIT_WEIGHTS, values[:17], strict=True))
    return (31 - total % 31) % 31 == values[17]


def person_id_kind(number: str) -> str:
    """ "citizen", "employer", or "" for neither. A number that is both counts as a citizen's."""
    if citizen_ok(number):
        return "citizen"
    return "employer" if credit_code_ok(number) else ""


def mask_id(number: str) -> str:
    """A citizen id or credit code for logs: division and last two characters stay, birthday and serial go."""
    return _mask(number, 6, 2)


def mask_card(number: str) -> str:
    """A card number for logs: first six and last four stay."""
    return _mask(number, 6, 4)


def mask_name(name: str) -> str:
    """A name for logs: its first character stays."""
    return _mask(name, 1, 0)


def _mask(text: str, first: int, last: int) -> str:
    """Stars for the middle. What is too short to keep at least half hidden is hidden wholly."""
    hidden = len(text) - first - last
    if hidden * 2 < len(text) and hidden < 6:
        return "*" * len(text)
    return text[:first] + "*" * hidden + text[len(text) - last :]
