"""Response codes against wire.md sections 5 to 7, and what an error text may say."""

import re

import pytest

from shebao.codecs.errors import (
    FAULT_REASONS,
    KEPT,
    MEANINGS,
    UNREADABLE_REASONS,
    WITHOUT_DE48,
    Code,
    Fault,
    NotEncodable,
    Unreadable,
)


def words(text):
    return set(text.split())


def test_codes_are_those_of_the_contract():
    assert set(Code) == words("00 12 13 14 25 30 31 40 57 58 68 91 94 95 96 A0 B1 B2 B3 B4 R1 R2")


def test_kept_outcomes_and_refusals_without_de48():
    assert words("00 13 14 25 57 B1 B2 B3 B4 R1 R2") == KEPT
    assert words("12 30 31 40 58 68 91 94 96 A0") == WITHOUT_DE48


@pytest.mark.parametrize("code", Code)
def test_each_code_has_words_that_fit_a_teller_screen(code):
    meaning = MEANINGS[code]
    assert meaning.english.isascii()
    assert 0 < len(meaning.teller.encode("gb18030")) <= 60


def test_a_fault_is_answered_by_three_digits():
    assert [Fault(n, "length").de44 for n in (2, 48, 128)] == ["002", "048", "128"]


def test_reasons_are_short_words_for_labels():
    assert all(re.fullmatch("[a-z0-9_]{2,16}", reason) for reason in (*UNREADABLE_REASONS, *FAULT_REASONS))
    assert str(Unreadable("de7")) == "unreadable message: de7"


def test_not_encodable_names_the_field():
    error = NotEncodable(41, "alphabet")
    assert (error.field, error.reason) == (41, "alphabet")
    assert str(error) == "field 41 can't be encoded: alphabet"
