"""Dialect files: what the shipped ones say, and each wrong one refused with file, key and what would be right."""

from pathlib import Path

import pytest

from shebao.codecs.dialect import load_dialect
from shebao.codecs.section import SettingsError

ROOT = Path(__file__).resolve().parents[2]
GOOD = """
name = "test"
[framing]
header = "binary2"
largest = 1846
[numeric]
encoding = "bcd"
[mac]
algorithm = "aes-cmac"
[statement]
layout = "pipe"
encoding = "gb18030"
amounts = "fen"
line_end = "lf"
file = "{BANK}_{date}_DTL.txt"
"""


def field(dialect, number):
    f = dialect.fields[number]
    return (f.encoding, f.prefix and f"{f.prefix} {f.prefix_bytes} {f.counts}")


def test_the_table_of_wire_section_2(dialects):
    """Columns of the contract's table: MTI, bitmaps, n fixed, n LL, text, LLL text, DE48, b."""
    rows = {}
    for name in ("rcb", "icbc", "ccb", "boc"):
        d = dialects[name]
        rows[name] = (d.mti, d.bitmap_hex, *(field(d, number) for number in (3, 2, 41, 60, 48, 64)))
    ascii_text = ("ascii", ""), ("ascii", "digits 3 bytes")
    assert rows == {
        "rcb": ("ascii", True, ("ascii", ""), ("ascii", "digits 2 bytes"), *ascii_text,
                ("bytes", "digits 3 bytes"), ("hex", "")),
        "icbc": ("cp500", False, ("cp500", ""), ("cp500", "digits 2 bytes"), ("cp500", ""), ("cp500", "digits 3 bytes"),
                 ("bytes", "digits 3 bytes"), ("bytes", "")),
        "ccb": ("bcd", False, ("bcd", ""), ("bcd", "bcd 1 digits"), ("ascii", ""), ("ascii", "bcd 2 bytes"),
                ("bytes", "bcd 2 bytes"), ("bytes", "")),
        "boc": ("ascii", False, ("ascii", ""), ("ascii", "digits 2 bytes"), *ascii_text,
                ("bytes", "digits 3 bytes"), ("bytes", "")),
    }  # fmt: skip


def test_framing_mac_and_statement_come_along(dialects):
    found = {
        d.name: (d.framing.largest, d.framing.smallest, *d.mac, d.mac.size, d.statement.layout)
        for d in dialects.values()
    }
    del found["unionpay-pos"]
    assert found == {
        "rcb": (1846, 20, "x9.19", True, 16, "pipe"),
        "icbc": (1846, 12, "sm4-cmac", False, 8, "fixed"),
        "ccb": (1851, 15, "unionpay-ecb", False, 8, "csv"),
        "boc": (1892, 58, "aes-cmac", False, 8, "camt"),
    }


def test_a_dialect_states_only_what_differs(dialects):
    """boc is the base table as it is: its file has nothing on fields."""
    text = (ROOT / "etc/dialects/boc.toml").read_text(encoding="utf-8")
    assert not any(section in text for section in ("[text]", "[numeric]", "[binary]", "[prefix]", "[fields"))
    assert sorted(dialects["boc"].fields) == list(range(2, 129))


def test_a_field_may_differ_from_its_dialect(dialects):
    pos = dialects["unionpay-pos"]
    assert (pos.fields[2].pad_left, pos.fields[22].pad_left, pos.fields[3].pad_left) == (False, False, True)
    assert (field(pos, 49), field(pos, 50)) == (("ascii", ""), ("bcd", ""))
    assert field(pos, 60) == ("bcd", "bcd 2 digits") and pos.fields[60].element.size == 17
    assert field(pos, 61) == ("bcd", "bcd 2 bytes") and pos.fields[61].wire_max == 15
    assert field(pos, 62) == ("ascii", "binary 2 bytes")


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        (("name =", "nom ="), "name", ["missing"]),
        (('"test"', '"Test Bank"'), "name", ["lower-case"]),
        (("[mac]", "[text]\nencoding = \"utf-16\"\n[mac]"), "text.encoding", ["single-byte", "cp500"]),
        (("[mac]", "[text]\nencoding = \"cp932\"\n[mac]"), "text.encoding", ["ASCII"]),
        (("[mac]", "[text]\nencoding = \"cp999\"\n[mac]"), "text.encoding", ["ASCII"]),
        (("[mac]", "[text]\nencoding = \"bcd\"\n[mac]"), "text.encoding", ["single-byte"]),
        (("[mac]", "[text]\npad = \"left\"\n[mac]"), "text.pad", ["unknown key", "encoding"]),
        (('"bcd"', '"BCD"'), "numeric.encoding", ["bcd"]),
        (('"bcd"', '"bcd"\npad = "both"'), "numeric.pad", ["left, right"]),
        (('"bcd"', '"bcd"\npad_nibble = "f"'), "numeric.pad_nibble", ["one hex digit"]),
        (('"bcd"', '"bcd"\npad_nibble = 0'), "numeric.pad_nibble", ["whole number"]),
        (("[mac]", "[bitmap]\nencoding = \"ebcdic\"\n[mac]"), "bitmap.encoding", ["bytes, hex"]),
        (("[mac]", "[binary]\nencoding = \"ascii\"\n[mac]"), "binary.encoding", ["bytes, hex"]),
        (("[mac]", "[prefix]\nkind = \"ascii\"\n[mac]"), "prefix.kind", ["digits, bcd, binary"]),
        (("aes-cmac", "md5"), "mac.algorithm", ["x9.19"]),
        (("algorithm", "algoritm"), "mac.algorithm", ["missing"]),
        (("binary2", "binary4"), "framing.header", ["ascii4", "binary2"]),
        (("1846", "99999"), "framing.largest", ["out of range"]),
        (('"pipe"', '"pdf"'), "statement.layout", ["camt"]),
        (("[mac]", "[fields.1]\n[mac]"), "fields.1", ["no such field", "2 to 128"]),
        (("[mac]", "[fields.65]\n[mac]"), "fields.65", ["no such field"]),
        (("[mac]", "[fields.129]\n[mac]"), "fields.129", ["no such field"]),
        (("[mac]", "[fields.007]\n[mac]"), "fields.007", ["no such field"]),
        (("[mac]", "[fields.DE3]\n[mac]"), "fields.DE3", ["no such field"]),
        (("[mac]", "[fields]\n3 = \"bcd\"\n[mac]"), "fields.3", ["text", "table"]),
        (("[mac]", "[fields.3]\nencodin = \"ascii\"\n[mac]"), "fields.3.encodin", ["unknown key"]),
        (("[mac]", "[fields.3]\nencoding = \"bytes\"\n[mac]"), "fields.3.encoding", ["bcd"]),
        (("[mac]", "[fields.41]\nencoding = \"bcd\"\n[mac]"), "fields.41.encoding", ["code page"]),
        (("[mac]", "[fields.41]\npad = \"left\"\n[mac]"), "fields.41.pad", ["unknown key"]),
        (("[mac]", "[fields.41]\nprefix = \"bcd\"\n[mac]"), "fields.41.prefix", ["unknown key"]),
        (("[mac]", "[fields.48]\nencoding = \"gb18030\"\n[mac]"), "fields.48.encoding", ["bytes, hex"]),
        (("[mac]", "[fields.2]\nprefix_bytes = 1\n[mac]"), "fields.2.prefix_bytes", ["can't say 19", "at most 9"]),
        (("[mac]", "[fields.2]\nprefix_bytes = 0\n[mac]"), "fields.2.prefix_bytes", ["1 to 4"]),
        (("[mac]", "[fields.2]\nprefix_counts = \"bytes\"\n[mac]"), "fields.2.prefix_counts", ["odd", "pad_nibble"]),
        (("[mac]", "[fields.7]\nmax = 12\n[mac]"), "fields.7.max", ["DE7", "leave"]),
        (("[mac]", "[fields.48]\nformat = \"ans\"\n[mac]"), "fields.48.format", ["DE48"]),
        (("[mac]", "[fields.60]\nformat = \"z\"\n[mac]"), "fields.60.format", ["x+n"]),
        (("[mac]", "[fields.60]\nformat = \"b\"\n[mac]"), "fields.60.length", ["fixed"]),
        (("[mac]", "[fields.60]\nlength = \"L\"\n[mac]"), "fields.60.length", ["LL"]),
        (("[mac]", "[fields.60]\nmax = 1000\n[mac]"), "fields.60.max", ["1 to 999"]),
        (("[mac]", "[fields.64]\nencoding = \"hex\"\n[mac]"), "fields", ["two ways"]),
        (("[mac]", "[extra]\n[mac]"), "extra", ["unknown key"]),
        (("[mac]", "[mac"), "line 8", ["not TOML"]),
    ],
)  # fmt: skip
def test_refused(change, key, words):
    before, after = change
    assert before in GOOD
    with pytest.raises(SettingsError) as caught:
        load_dialect(GOOD.replace(before, after, 1), "etc/dialects/test.toml")
    line = str(caught.value)
    assert line.startswith(f"etc/dialects/test.toml: {key}: ") and "\n" not in line
    assert all(word in line for word in words), line


def test_good_is_good():
    assert load_dialect(GOOD, "x").name == "test"
