"""A bank's file with anything wrong is refused whole, each fault with its line, and the date stays as it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shebao.codecs.columns import FILE_BYTES_MAX
from shebao.reconcile.staged import unpacked

BANKS = ("rcb", "icbc", "ccb", "boc")
D = 20261123


def day_with(bureau: Any, bank: str, payments: int = 3) -> Path:
    """A closed day; the bank's file, in order. Gives the detail file."""
    for _ in range(payments):
        bureau.pay(bank)
    bureau.close(bank)
    path: Path = bureau.deliver(bank, D)
    return path


def refused(bureau: Any, bank: str) -> list[str]:
    """The lines of a refusal; and that nothing changed."""
    done = bureau.type("run", "--bank", bank, "--date", "2026-11-23")
    assert done.exit_code == 3, done.output
    assert done.stdout == "" and "Traceback" not in done.stderr
    assert bureau.rows("SELECT state FROM day WHERE state <> 'OPEN'") == [("CLOSED",)]
    for table in ("bank_file", "bank_block", "exception"):
        assert bureau.rows(f"SELECT count(*) FROM {table}") == [(0,)], table
    lines: list[str] = done.stderr.splitlines()
    assert lines[-1].endswith("nothing changed")
    return lines


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize("bank", BANKS)
def test_a_digest_that_differs(bureau: Any, bank: str) -> None:
    path = day_with(bureau, bank)
    edit(path, lambda b: b + b"\n")
    assert "digest" in refused(bureau, bank)[0]


@pytest.mark.parametrize("bank", BANKS)
def test_a_missing_digest(bureau: Any, bank: str) -> None:
    path = day_with(bureau, bank)
    path.with_name(path.name + ".sm3").unlink()
    assert ".sm3" in refused(bureau, bank)[0]


@pytest.mark.parametrize("told", ["{D}", "{d}\n", "{d}  {n}\r\n", "{D} *{n}\n"])
def test_a_digest_in_other_clothes(bureau: Any, told: str) -> None:
    path = day_with(bureau, "icbc")
    digest = path.with_name(path.name + ".sm3")
    hexes = digest.read_text()
    digest.write_text(told.format(D=hexes.upper(), d=hexes, n=path.name), newline="")
    assert bureau.type("run", "--bank", "icbc").exit_code == 0


def test_a_missing_control_file(bureau: Any) -> None:
    path = day_with(bureau, "ccb")
    path.with_name("CCB_20261123_DTL.ctl").unlink()
    assert any("CCB_20261123_DTL.ctl" in line for line in refused(bureau, "ccb"))


def test_a_missing_detail_file(bureau: Any) -> None:
    path = day_with(bureau, "rcb")
    path.unlink()
    assert "RCB_20261123_DTL.txt" in refused(bureau, "rcb")[0]


@pytest.mark.parametrize("bank", BANKS)
def test_totals_that_differ(bureau: Any, bank: str) -> None:
    path = day_with(bureau, bank)
    if bank == "ccb":
        edit(path.with_name("CCB_20261123_DTL.ctl"), lambda b: b.replace(b"payments=3", b"payments=4"))
    else:
        old, new = {
            "rcb": (b"T|3|", b"T|4|"), "icbc": (b"90000000003", b"90000000004"),
            "boc": (b"<NbOfNtries>3<", b"<NbOfNtries>4<"),
        }[bank]  # fmt: skip
        edit(path, lambda b: b.replace(old, new))
        bureau.seal(path)
    assert refused(bureau, bank)


@pytest.mark.parametrize("bank", BANKS)
def test_each_bad_line_is_named(bureau: Any, bank: str) -> None:
    """Two amounts that are no numbers: line numbers are the file's physical ones, or NtryRef."""
    path = day_with(bureau, bank)
    old, new = (b"12000", b"12O00") if bank in ("rcb", "icbc") else (b"120.00", b"12O.00")
    lines = path.read_bytes().split(b"\n")
    rows = [n for n, line in enumerate(lines) if b"3301102611010" in line][:2]
    for n in rows:
        lines[n] = lines[n].replace(old, new, 1)
    path.write_bytes(b"\n".join(lines))
    bureau.seal(path)
    told = refused(bureau, bank)
    if bank == "boc":
        assert "NtryRef 1" in told[0] and any("NtryRef 2" in line for line in told)
    else:
        assert f"line {rows[0] + 1}:" in told[0] and any(f"line {rows[1] + 1}:" in line for line in told)


def test_at_most_100_faults_are_told_then_their_number(bureau: Any) -> None:
    path = day_with(bureau, "rcb", payments=150)
    number = iter(range(1000))
    edit(path, lambda b: re.sub(rb"\|12000\|", lambda _: b"|-%d|" % next(number), b))
    bureau.seal(path)
    told = refused(bureau, "rcb")
    assert len(told) == 101
    assert "150 faults, the first 100 shown" in told[-1]


# -- a whole file that is wrong says why --------------------------------------------------------------------------


def lines_named(told: list[str]) -> set[int]:
    """Every line number that a refusal names."""
    found = set()
    for place in re.findall(r": (?:[\w. ]+, )?lines? ([0-9–, ]+):", "\n".join(told)):
        for part in place.split(", "):
            first, _, last = part.partition("–")
            found |= set(range(int(first), int(last or first) + 1))
    return found


@pytest.mark.parametrize("bank", BANKS)
def test_equal_faults_of_many_lines_are_told_once_with_every_line(bureau: Any, bank: str) -> None:
    """Of another date: what is wrong with the file stands at the top, and not in a hundred lines."""
    path = day_with(bureau, bank, payments=30)
    edit(path, lambda b: b.replace(b"20261123", b"20261122").replace(b"2026-11-23", b"2026-11-22"))
    bureau.seal(path)
    told = refused(bureau, bank)
    assert len(told) <= 8 and " shown" not in told[-1], told
    if bank == "boc":
        assert any("NtryRef 2–30, lines " in line for line in told)
    else:
        assert lines_named(told) >= set(range(2, 32)), told


def test_a_few_equal_faults_are_told_each_by_itself(bureau: Any) -> None:
    path = day_with(bureau, "rcb", payments=30)
    lines = path.read_bytes().split(b"\n")
    for n in range(1, 31, 3):
        lines[n] = lines[n].replace(b"12000", b"12O00")
    path.write_bytes(b"\n".join(lines))
    bureau.seal(path)
    told = refused(bureau, "rcb")
    assert [f": line {n + 1}: " in told[i] for i, n in enumerate(range(1, 31, 3))] == [True] * 10
    lines[2] = lines[2].replace(b"12000", b"12O00")
    path.write_bytes(b"\n".join(lines))
    bureau.seal(path)
    told = refused(bureau, "rcb")
    assert told[1].endswith(": lines 3, 5, 8, 11, 14, 17, 20, 23, 26, 29: the same") and len(told) == 3


def utf16(data: bytes) -> bytes:
    return data.decode("utf-8-sig").encode("utf-16")


CAUSES = {
    "UTF-16, rcb": ("rcb", utf16, "written in UTF-16; write it in GB18030"),
    "UTF-16, icbc": ("icbc", utf16, "written in UTF-16"),
    "UTF-16, ccb": ("ccb", utf16, "written in UTF-16; write it in UTF-8"),
    "UTF-16, boc": ("boc", utf16, "written in UTF-16"),
    "a mark": ("rcb", lambda data: b"\xef\xbb\xbf" + data, "byte-order mark"),
    "CRLF": ("rcb", lambda data: data.replace(b"\n", b"\r\n"), "all lines end with CRLF"),
    "LF": ("icbc", lambda data: data.replace(b"\r", b""), "all lines end with LF alone"),
    "semicolons": ("ccb", lambda data: data.replace(b",", b";"), "separated by semicolons"),
    "rcb's in icbc's place": ("icbc", lambda data: b"H|rcb|20261123\n" * 20, "looks like lines with | between"),
    "XML in ccb's place": ("ccb", lambda data: b"<?xml version='1.0'?>\n" * 20, "looks like an XML document"),
}  # fmt: skip


@pytest.mark.parametrize("what", CAUSES)
def test_the_likely_cause_of_a_file_that_is_wrong_throughout_is_told_first(bureau: Any, what: str) -> None:
    bank, change, cause = CAUSES[what]
    path = day_with(bureau, bank, payments=30)
    edit(path, change)
    bureau.seal(path)
    told = refused(bureau, bank)
    assert "可能的原因 likely cause: " in told[0] and cause in told[0], told
    assert len(told) <= 45 and not any("b'" in line for line in told), told


def test_one_line_of_another_make_is_no_cause(bureau: Any) -> None:
    path = day_with(bureau, "rcb")
    edit(path, lambda b: b.replace(b"\n", b"\r\n", 1))
    bureau.seal(path)
    assert "line 1: the line ends with CRLF" in refused(bureau, "rcb")[0]


@pytest.mark.parametrize("bank", BANKS)
def test_a_file_of_another_bank_or_date(bureau: Any, bank: str) -> None:
    """Right in itself, in the wrong place."""
    day_with(bureau, bank, payments=1)
    bureau.next_day()
    path = bureau.deliver(bank, D, lambda lines: lines)
    edit(path, lambda b: b.replace(b"20261123", b"20261124").replace(b"2026-11-23", b"2026-11-24"))
    bureau.seal(path)
    assert refused(bureau, bank)


@pytest.mark.parametrize("bank", BANKS)
def test_bytes_of_another_encoding(bureau: Any, bank: str) -> None:
    path = day_with(bureau, bank)
    edit(path, lambda b: b.replace(b"T0000001", b"T000000\xff", 1))
    bureau.seal(path)
    first = next(n for n, line in enumerate(path.read_bytes().splitlines(), 1) if b"\xff" in line)
    assert f"line {first}" in refused(bureau, bank)[0]


@pytest.mark.parametrize("bank", BANKS)
def test_a_cut_file(bureau: Any, bank: str) -> None:
    """Cut behind whole lines, so that each line is right and the end is missing; the flag and the digest are right."""
    path = day_with(bureau, bank)
    whole = path.read_bytes().splitlines(keepends=True)
    last = max(n for n, line in enumerate(whole) if b"3301102611010" in line)
    path.write_bytes(b"".join(whole[:last]))
    bureau.seal(path)
    assert refused(bureau, bank)


@pytest.mark.parametrize("bank", BANKS)
def test_an_empty_file(bureau: Any, bank: str) -> None:
    path = day_with(bureau, bank)
    path.write_bytes(b"")
    bureau.seal(path)
    assert "empty" in refused(bureau, bank)[0]


@pytest.mark.parametrize("bank", BANKS)
def test_whatever_was_refused_the_right_file_is_taken(bureau: Any, bank: str) -> None:
    path = day_with(bureau, bank)
    good = path.read_bytes()
    for bad in (b"", good[:-30], good + good, good.replace(b"20261123", b"20261122")):
        path.write_bytes(bad)
        bureau.seal(path)
        refused(bureau, bank)
    path.write_bytes(good)
    bureau.seal(path)
    assert bureau.told("run", "--bank", bank)["classes"]["MATCHED"] == 3


FORMULAS = ("=1+1", "@SUM(A1)", "+8613800000001", "-2")


@pytest.mark.parametrize("bank", BANKS)
def test_text_that_looks_like_a_formula_stays_what_it_is(bureau: Any, bank: str) -> None:
    """C71: a file between machines; nothing is put before it, and it comes back as it went."""
    for text in FORMULAS:
        asked = bureau.request(bank, "payment", "0200", bureau.bill(), 12000)
        assert bureau.ask(asked._replace(branch=text, terminal=text[:8])) == ["00"]
    bureau.close(bank)
    assert [one.branch for one in bureau.our_lines(bank, D)] == list(FORMULAS)
    path: Path = bureau.deliver(bank, D)
    if bank == "ccb":
        assert all(f",{text[:8]},{text},".encode() in path.read_bytes() for text in FORMULAS)
    assert bureau.told("run", "--bank", bank)["classes"]["MATCHED"] == len(FORMULAS)
    ((block,),) = bureau.rows("SELECT lines FROM bank_block")
    assert unpacked(block).select("branch", "terminal").rows() == [(text, text[:8]) for text in FORMULAS]


def test_a_day_without_payments_of_all_banks(bureau: Any) -> None:
    """C67: cut over, each file read back as the bank's own, run and reported."""
    for bank in BANKS:
        bureau.close(bank)
    for bank in BANKS:
        path: Path = bureau.deliver(bank, D)
        ours = bureau.folder_of("outbox", bank, D) / path.name
        path.write_bytes(ours.read_bytes())  # to the byte
        bureau.seal(path)
        told = bureau.told("run", "--bank", bank)
        assert (told["state"], told["exceptions_open"], sum(told["classes"].values())) == ("SETTLED", 0, 0)
    assert bureau.type("report").exit_code == 0
    assert bureau.type("status").exit_code == 0


DOCTYPES = {
    "a doctype": "<!DOCTYPE Document>",
    "billion laughs": '<!DOCTYPE d [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>',
    "an external entity": '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
}


@pytest.mark.parametrize("doctype", DOCTYPES)
def test_xml_with_a_doctype_is_refused_and_nothing_is_expanded(bureau: Any, doctype: str) -> None:
    """C69"""
    path = day_with(bureau, "boc")
    head, _, rest = path.read_bytes().partition(b"?>")
    entity = {"billion laughs": b"&c;", "an external entity": b"&x;"}.get(doctype, b"")
    rest = rest.replace(b"T0000001", b"T" + entity, 1)
    path.write_bytes(head + b"?>" + DOCTYPES[doctype].encode() + rest)
    bureau.seal(path)
    told = refused(bureau, "boc")
    assert any("DOCTYPE" in line or "document type" in line.lower() for line in told)
    hostname = Path("/etc/hostname")
    if hostname.exists() and (name := hostname.read_text().strip()):
        assert all(name not in line for line in told)


def test_more_than_two_gibibytes_are_not_even_read(bureau: Any) -> None:
    """C69: a sparse file; the digest of such a size is never computed."""
    path = day_with(bureau, "boc")
    with path.open("ab") as file:
        file.truncate(FILE_BYTES_MAX + 1)
    assert "2 GiB" in refused(bureau, "boc")[0]


def test_a_huge_text_node_is_refused_without_being_kept(bureau: Any) -> None:
    """C69, in small: a text that no column can hold."""
    path = day_with(bureau, "boc")
    edit(path, lambda b: b.replace(b"T0000001", b"T" * 20_000_000, 1))
    bureau.seal(path)
    assert refused(bureau, "boc")


@pytest.mark.parametrize("entry", [0, 1])
def test_xml_that_is_cut_within_an_entry(bureau: Any, entry: int) -> None:
    path = day_with(bureau, "boc")
    whole = path.read_bytes()
    cut = -1
    for _ in range(entry + 1):
        cut = whole.index(b"</Ntry>", cut + 1)
    edit(path, lambda data: data[:cut])
    bureau.seal(path)
    assert f"{path.name}:" in refused(bureau, "boc")[0]
