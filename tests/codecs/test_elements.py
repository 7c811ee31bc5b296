"""The table of data elements against wire.md section 2, read there once more in its own shorthand."""

import datetime

import pytest

from shebao.codecs.elements import DAYS, ELEMENTS, FORBIDDEN, TEXT_ALPHABET, on_calendar

CONTRACT = """
2 LL n 19 · 3 n 6 · 4 5 6 n 12 · 7 n 10 · 8 9 10 n 8 · 11 12 n 6 · 13 14 15 16 17 18 n 4 · 19 20 21 22 23 24 n 3 ·
25 26 67 n 2 · 27 66 n 1 · 28 29 30 31 x+n 9 · 32 33 99 100 LL n 11 · 34 102 103 LL ans 28 · 35 LL ans 37 ·
36 LLL ans 104 · 37 an 12 · 38 an 6 · 39 an 2 · 40 an 3 · 41 ans 8 · 42 ans 15 · 43 ans 40 · 44 LL ans 25 ·
45 LL ans 76 · 46 47 56 57 58 59 60 61 62 63 LLL ans 999 · 48 55 LLL bytes 999 · 49 50 51 68 69 70 n 3 ·
52 64 96 128 b 8 · 53 n 16 · 54 LLL ans 120 · 71 72 n 4 · 73 n 6 · 74 75 76 77 78 79 80 81 n 10 · 82 83 84 85 n 12 ·
86 87 88 89 n 16 · 90 n 42 · 91 an 1 · 92 an 2 · 93 an 5 · 94 an 7 · 95 an 42 · 97 x+n 17 · 98 ans 25 ·
101 LL ans 17 · 104 LLL ans 100 · 105 106 107 108 109 110 111 112 113 114 LLL ans 999 ·
115 116 117 118 119 120 121 122 123 124 125 126 127 LLL ans 999
"""


def test_every_element_is_as_the_contract_has_it():
    found = {}
    for row in CONTRACT.replace("\n", " ").split("·"):
        *words, kind, size = row.split()
        prefix = {"LL": 2, "LLL": 3}.get(words[-1], 0)
        for number in words[:-1] if prefix else words:
            found[int(number)] = (kind, prefix, int(size))
    assert found == {n: (e.format, e.prefix, e.size) for n, e in ELEMENTS.items() if n != 65}
    assert sorted(ELEMENTS) == list(range(2, 129))


def test_forbidden_and_private_fields_are_hidden_from_logs():
    assert {ELEMENTS[number].mask for number in (*FORBIDDEN, 34, 60, 102)} == {"hidden"}
    assert (ELEMENTS[2].mask, ELEMENTS[48].mask) == ("card", "tags")


def test_text_is_printable_ascii_without_the_bar():
    assert len(TEXT_ALPHABET) == 94
    assert not set("|\t\x7f\xa0·") & TEXT_ALPHABET


def test_days_are_those_of_a_leap_year():
    first = datetime.date(2028, 1, 1)
    assert {f"{first + datetime.timedelta(days=n):%m%d}" for n in range(366)} == DAYS


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        ("date", ["0101", "0229", "1231"], ["0000", "0100", "0230", "0431", "1301", "0001"]),
        ("time", ["000000", "235959"], ["240000", "236000", "235960", "246000"]),
        ("moment", ["0229235950", "1231000000"], ["1301000000", "0001000000", "0431120000", "0101240000"]),
        ("", ["9999"], []),
    ],
)
def test_calendar(check, good, bad):
    """A date that does not exist is refused, never rolled over."""
    assert all(on_calendar(check, digits) for digits in good)
    assert not any(on_calendar(check, digits) for digits in bad)
