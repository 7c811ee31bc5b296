"""DE48: what is well formed comes out as sent, everything else is malformed (wire.md section 4)."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shebao.codecs.tags import REASONS, TAGS, TagError, Tags, build, fit, parse, size

VECTORS = Path(__file__).parents[1] / "data" / "vectors"
BILL = "33011026112300000010"
CITIZEN = "33011019900101008X"
EMPLOYER = "91330110MA2HHHH117"


def reason(data: bytes) -> str:
    with pytest.raises(TagError) as refused:
        parse(data)
    assert refused.value.reason in REASONS
    return refused.value.reason


def tagged(name: str, value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode("gb18030")
    return name.encode() + b"%03d" % len(raw) + raw


# Golden frames


def golden() -> list[tuple[list[tuple[str, str]], bytes]]:
    found = []
    for file in sorted(VECTORS.glob("*.json")):
        for message in json.loads(file.read_text(encoding="utf-8"))["messages"]:
            if "de48" in message:
                found.append(([(tag, value) for tag, value in message["de48"]], bytes.fromhex(message["frame"])))
    return found


def test_golden_frames():
    cases = golden()
    assert len(cases) > 20
    for pairs, frame in cases:
        data = build(pairs)
        assert data in frame
        assert parse(data) == Tags(tuple(pairs), ())
        assert len(data) == sum(size(value) for _, value in pairs)


# Characters: the length counts bytes, and rare ones come back as they were


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("4e4d3030369534b235d2b0", "𠮷野"),
        ("4e4d303038b8f0d4f88234cf39", "葛曾䮌"),
        ("4e4d303032fe9f", "䶮"),
        ("4e4d303130b0a2d2c0a1a4c2edc4be", "阿依·马木"),
    ],
)
def test_rare_characters(data, name):
    raw = bytes.fromhex(data)
    assert parse(raw).get("NM") == name
    assert build([("NM", name)]) == raw


def test_the_middle_dot_is_no_katakana():
    assert parse(b"NM002\xa1\xa4").get("NM") == "\u00b7"
    assert build([("NM", "\u00b7")]) == b"NM002\xa1\xa4"


# Unknown tags


def test_unknown_tags_are_skipped_and_named():
    data = tagged("ZZ", "一") + tagged("BN", BILL) + tagged("zz", "") + tagged("ZZ", "2") + tagged("bn", "x")
    assert parse(data) == Tags((("BN", BILL),), ("ZZ", "zz", "ZZ", "bn"))


def test_an_unknown_tag_is_gb18030_too():
    assert reason(tagged("ZZ", b"\xff\xff")) == "gb18030"


def test_nothing_is_well_formed():
    assert parse(b"") == Tags()


def test_get_and_all():
    tags = parse(tagged("IN", "170000001530000") + tagged("NB", "002") + tagged("IN", "390000000048000"))
    assert tags.get("IN") == "170000001530000"
    assert tags.all("IN") == ["170000001530000", "390000000048000"]
    assert (tags.get("BN"), tags.all("BN")) == (None, [])


# Malformed


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"B", "head"), (b"BN", "head"), (b"BN02", "head"), (b"BN 20" + BILL.encode(), "head"),
        (b"BN+20" + BILL.encode(), "head"), (b"BN2_0" + BILL.encode(), "head"), (b"BN0x5abcde", "head"),
        (b"\xb5\xb1002xx", "head"), (b"\x00\x00000", "head"), (b"B\n000", "head"),
        (b"BN\xa3\xb0\xa3", "head"),
        (b"BN021" + BILL.encode(), "length"), (b"BN999" + BILL.encode(), "length"), (b"CH00201NM001", "length"),
        (tagged("NM", b"\x95\x34\xb2"), "gb18030"), (tagged("NM", b"\xb8"), "gb18030"), (b"NM001\xd2\xb0", "gb18030"),
    ],
)  # fmt: skip
def test_malformed(data, why):
    assert reason(data) == why


@pytest.mark.parametrize("name", TAGS)
def test_only_some_tags_may_repeat(name):
    value = CORRECT[name][0]
    data = tagged(name, value) * 2
    if name in ("BL", "IN"):
        assert parse(data).all(name) == [value, value]
    else:
        assert reason(data) == "repeat"


CORRECT = {
    "BN": [BILL, "33011026112300000011"],  # the check digit is judged later: 25, not 30
    "ID": [CITIZEN, CITIZEN[:-1] + "x", "830000199001010012", "911010199001010016", EMPLOYER],
    "NM": ["沈建国", "A", "阿依·马木", "某" * 499],
    "PH": ["13800000001"],
    "CH": ["01", "02", "03", "04"],
    "AU": ["0", "1", "2", "3"],
    "AC": ["6", "6222 0000 0000 0000 {x}~", "9" * 32],
    "IT": ["110", "110310510"],
    "AP": ["0" * 20],
    "KB": ["D0112M3TC00N0000" + "5307CDA66DA5D8B7" * 6],
    "KC": ["08D7B4"],
    "PT": ["20261123093015"],
    "PB": ["icbc", "a2345678"],
    "RN": ["26112301000000000070"],
    "MS": ["", "缴费成功", "字" * 30],
    "NB": ["000", "999"],
    "BL": ["3301102611030000001300000157800020260120261220261231170"],
    "IN": ["170000001530000"],
    "PG": [BILL],
    "ST": ["00"],
}  # fmt: skip

WRONG = {
    "BN": ["", BILL[:-1], BILL + "0", BILL[:-1] + "X", " " + BILL[1:], "１" * 10],
    "ID": ["", "330110199001010081", CITIZEN[:-1] + "Ｘ", CITIZEN[:-2] + "Ｘ", CITIZEN[:-1], "91330110MA2HHHH118",
           "91330110ma2hhhh117", "0" * 17 + "2", "3301101990010100 X", "阿" * 9],
    "NM": ["", "a\nb", "\x1b", "a\x00"],
    "PH": ["1380000000", "138000000012", "+8613800000"],
    "CH": ["00", "05", "1", "001", "0", "ab"],
    "AU": ["4", "", "01", "-"],
    "AC": ["", "9" * 33, "a|b", "é"],
    "IT": ["", "11", "1101", "11a"],
    "AP": ["0" * 19, "A" * 20],
    "KB": ["D" * 111, "d" * 112, " " * 112],
    "KC": ["08D7B", "08D7B44", "08D7BG"],
    "PT": ["2026112309301", "2026-11-23 09:"],
    "PB": ["", "ICBC", "a23456789"],
    "RN": ["2611230100000000007", "X" * 20],
    "MS": ["字" * 31, "\x07"],
    "NB": ["00", "1000", "00a"],
    "BL": ["0" * 54, "0" * 56, "x" * 55],
    "IN": ["0" * 14, "0" * 16, "x" * 15],
    "PG": ["", "0" * 19],
    "ST": ["0", "000", "ab"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in CORRECT for value in CORRECT[name]])
def test_a_correct_value_comes_out_as_sent(name, value):
    assert parse(tagged(name, value)).pairs == ((name, value),)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_a_value_of_the_wrong_length_or_alphabet(name, value):
    assert reason(tagged(name, value)) == "value"


def test_the_tables_of_this_test_miss_no_tag():
    assert set(CORRECT) == set(WRONG) == set(TAGS)


def test_an_error_names_the_tag_and_never_the_value():
    with pytest.raises(TagError) as refused:
        parse(tagged("ID", "330110199001010081"))
    assert str(refused.value) == "DE48 ID: value"
    assert refused.value.__cause__ is None


# Building


def test_more_than_de48_holds_is_a_bug():
    assert len(build([("NM", "a" * 994)])) == 999
    with pytest.raises(ValueError, match="of 1000 bytes; the largest is 999"):
        build([("NM", "a" * 995)])


@pytest.mark.parametrize(
    ("text", "bytes_max", "fitted"),
    [
        ("缴费成功", 8, "缴费成功"), ("缴费成功", 7, "缴费成"), ("缴费成功", 6, "缴费成"), ("缴费成功", 1, ""),
        ("a𠮷b", 1, "a"), ("a𠮷b", 2, "a"), ("a𠮷b", 3, "a"), ("a𠮷b", 4, "a"), ("a𠮷b", 5, "a𠮷"), ("", 0, ""),
    ],
)  # fmt: skip
def test_a_text_is_cut_between_characters(text, bytes_max, fitted):
    assert fit(text, bytes_max) == fitted


# Properties

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
known = st.sampled_from(sorted(TAGS)).flatmap(lambda n: st.tuples(st.just(n), st.sampled_from(CORRECT[n])))
unknown = st.tuples(st.sampled_from(["ZZ", "Q1", "  ", "bn"]), texts)
lists = st.lists(st.one_of(known, unknown, st.tuples(st.just("NM"), texts.filter(bool))), max_size=8).map(
    lambda pairs: [p for i, p in enumerate(pairs)
                   if p[0] in ("BL", "IN", "ZZ", "Q1", "  ", "bn") or p[0] not in [q[0] for q in pairs[:i]]]
)  # fmt: skip

fitting = lists.filter(lambda pairs: sum(size(value) for _, value in pairs) <= 999)


@given(fitting)
def test_round_trip(pairs):
    tags = parse(build(pairs))
    assert tags.pairs == tuple(p for p in pairs if p[0] in TAGS)
    assert tags.unknown == tuple(p[0] for p in pairs if p[0] not in TAGS)


@given(texts, st.integers(0, 60))
def test_fit_is_the_longest_beginning_that_fits(text, bytes_max):
    fitted = fit(text, bytes_max)
    assert text.startswith(fitted) and len(fitted.encode("gb18030")) <= bytes_max
    longer = text[: len(fitted) + 1]
    assert fitted == text or len(longer.encode("gb18030")) > bytes_max


@given(st.one_of(st.binary(max_size=40), fitting.map(build)), st.data())
def test_any_bytes_are_parsed_or_malformed(data, draw):
    if data:
        at = draw.draw(st.integers(0, len(data) - 1))
        data = data[:at] + draw.draw(st.binary(max_size=2)) + data[at + 1 :]
    try:
        tags = parse(data)
    except TagError as refused:
        assert refused.reason in REASONS
    else:
        assert sum(len(v.encode("gb18030")) + 5 for _, v in tags.pairs) <= len(data)
