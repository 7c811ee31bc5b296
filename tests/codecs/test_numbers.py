"""Check digits against published and ready-made values, and against slow versions of the standards' text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shebao.codecs.numbers import (
    bill_ok,
    citizen_ok,
    credit_code_ok,
    digits_only,
    mask_card,
    mask_id,
    mask_name,
    mod_11_10,
    person_id_kind,
    receipt,
)

DIGITS = st.text("0123456789", max_size=40)
BILLS = [f"33011026112300000{tail}" for tail in ("010", "028", "036", "044", "052", "069", "077", "085", "093", "108")]


def by_the_book(digits):
    """ISO 7064 MOD 11,10, as the standard's text goes."""
    p = 10
    for digit in digits:
        s = (p + int(digit)) % 10 or 10
        p = s * 2 % 11
    return str((11 - p) % 10)


@given(DIGITS)
def test_mod_11_10_is_the_standard(digits):
    assert mod_11_10(digits) == by_the_book(digits)


def test_mod_11_10_published_example():
    assert mod_11_10("0794") == "5"


@given(st.sampled_from(BILLS), st.integers(0, 19), st.integers(1, 9))
def test_a_wrong_digit_in_a_bill_number_is_seen(number, at, more):
    wrong = number[:at] + str((int(number[at]) + more) % 10) + number[at + 1 :]
    assert bill_ok(number) and not bill_ok(wrong)


@pytest.mark.parametrize("number", ["", BILLS[0][1:], BILLS[0] + "0", BILLS[0][:-1] + "０", " " + BILLS[0][1:]])
def test_what_is_no_bill_number(number):
    assert not bill_ok(number)


def test_receipts():
    assert receipt(261123, "01", 0, 7) == "26112301000000000070"  # the golden frames' own
    assert receipt(261123, "04", 0, 8) == "26112304000000000083"
    for wrong in [(1000000, "01", 0, 1), (261123, "1", 0, 1), (261123, "01", 100, 1), (261123, "01", 0, 10**9)]:
        with pytest.raises(ValueError, match="out of range"):
            receipt(*wrong)


def test_ids():
    """The final x counts as X; an employer's code is not put through the citizen check."""
    for number in ("33011019900101008X", "33011019900101008x", "830000199001010012", "911010199001010016"):
        assert citizen_ok(number) and person_id_kind(number) == "citizen"
    assert person_id_kind("91330110MA2HHHH117") == "employer"
    for number in ("33011019900101008Ｘ", "330110199001010081", "91330110MA2HHHH118", "91330110MA2HHHI117", ""):
        assert person_id_kind(number) == ""


@given(st.integers(0, 16), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_a_wrong_character_in_a_credit_code_is_seen(at, other):
    code = "91330110MA2HHHH117"
    changed = code[:at] + other + code[at + 1 :]
    assert credit_code_ok(changed) == (changed == code)


def test_digits_are_ascii():
    assert digits_only("0123456789")
    assert not any(map(digits_only, ("", "１", "²", "٣", "1 ", "+1", "1_0")))


@given(st.text(max_size=30))
def test_masks_keep_length_and_hide_at_least_half_or_six(text):
    for mask in (mask_card, mask_id, mask_name):
        masked = mask(text)
        assert len(masked) == len(text)
        hidden = sum(a == "*" for a in masked)
        assert hidden * 2 >= len(text) or hidden >= 6


def test_masks():
    assert mask_card("6217001234567890123") == "621700*********0123"
    assert mask_id("33011019900101008X") == "330110**********8X"
    assert (mask_name("沈建国"), mask_name("沈"), mask_card("1234567")) == ("沈**", "*", "*******")
