"""What the switch writes down of what it was told: metrics that exist from the start with labels of a closed list, no
PIN or track data anywhere, nobody's id, name, phone or card in the log; and requests that come too late."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from shebao_desk import FEN, HOLDER_CARD, LONE, OWNER, OWNER_CARD, Desk, today
from shebao_harness import BANKS, KEYS, moment
from shebao_wire import Raw, Value, Wire, frame, tagged, text

PAN = "6222020200112233445"
TRACK = f"{PAN}=49121010000000000"
PIN = "1A2B3C4D5E6F7788"
CHIP = bytes.fromhex("5A0A6222020200112233445F9F2608C0FFEE1122334455")
SEEN_CARD = "6217555500001111222"  # of nobody here
LABEL = re.compile(r'(\w+)="([^"]*)"')


@pytest.fixture(scope="module")
def desk(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Desk(prepared, tmp_path_factory.mktemp("desk") / "s", limits="reply_deadline_s = 1") as opened:
        yield opened
        assert opened.switch.stop() == 0
        assert opened.switch.run("ledgerctl", "verify").returncode == 0


def test_every_series_is_there_from_the_start_and_the_first_failure_shows(desk: Desk) -> None:
    """First in the module: the daemon has served nobody."""
    before = desk.metrics()
    for bank in BANKS:
        assert before[f'shebao_mac_failures_total{{bank="{bank}"}}'] == 0
        assert before[f'shebao_exceptions_open{{bank="{bank}"}}'] == 0
        assert before[f'shebao_lines{{bank="{bank}"}}'] == 0
        for reason in ("length_digits", "cups", "incomplete", "mti_digit", "reply"):
            assert before[f'shebao_rejected_frames_total{{bank="{bank}",reason="{reason}"}}'] == 0
        for code in ("00", "A0", "30", "96"):
            assert before[f'shebao_requests_total{{bank="{bank}",code="{code}",message="payment"}}'] == 0
        with desk.wire(bank) as wire:
            body = wire.body("0200", wire.payment(LONE, FEN))
            wire.raw(frame(bank, body[:-1] + (b"0" if body[-1:] != b"0" else b"1")))
            assert wire.hear().code == "A0"
            wire.ask("0800", wire.network("999"))
            wire.ask("0803", wire.network("301"))
            wire.ask("0200", wire.payment(LONE, FEN, ("ZZ", "1"), ("!!", "2")))
    after = desk.metrics()
    assert set(after) == set(before), "no new series, whatever was sent"
    for bank in BANKS:
        assert after[f'shebao_mac_failures_total{{bank="{bank}"}}'] == 1
        assert after[f'shebao_requests_total{{bank="{bank}",code="A0",message="payment"}}'] == 1


def test_clocks_that_are_off_and_unknown_tags_are_counted(desk: Desk, wire: Wire) -> None:
    skewed, tags = (f'shebao_{what}_total{{bank="{wire.bank}"}}' for what in ("skewed_requests", "unknown_tags"))
    before = desk.metrics()
    for offset in (0, 14 * 60, -14 * 60, 16 * 60, -16 * 60):
        asked = {**wire.network("301"), 7: moment(offset)}
        wire.ask("0800", asked).fits(asked, "00", "0810")
    assert wire.ask("0100", wire.inquiry(("BN", desk.bill()), ("ZZ", ""), ("ZZ", "x"), ("~~", "沈"))).code == "00"
    after = desk.metrics()
    assert (after[skewed] - before[skewed], after[tags] - before[tags]) == (2, 3)


def told(wire: Wire) -> Iterator[tuple[str, dict[int, Value]]]:
    """Messages that hold secrets, well formed or not, and the personal data of an ordinary day."""
    bcd = wire.bank == "ccb"
    paid = wire.payment(LONE, FEN, ("ID", OWNER), ("NM", "章有主"), ("PH", "13800000001"), de2=OWNER_CARD)
    longer = Raw((b"\x38" if bcd else text(wire.bank, "38")) + text(wire.bank, TRACK))
    beyond = Raw((b"\x09\x00" if bcd else text(wire.bank, "900")) + CHIP)
    name = f"B{PAN}^ZHANG/YOUZHU^4912"
    for field, value in (
        (35, TRACK), (35, longer), (36, TRACK + TRACK), (45, name), (52, PIN), (55, CHIP), (55, beyond),
    ):  # fmt: skip
        for mti, base in (("0200", paid), ("0220", paid), ("0100", wire.inquiry(("ID", OWNER)))):
            yield mti, {**wire.key_fields(), **{n: v for n, v in base.items() if n not in (7, 11)}, field: value}
        yield "0400", {**wire.reversal(paid), field: value}
        yield "0800", {**wire.network("001"), field: value}
    yield "0100", wire.inquiry(("ID", OWNER), ("NM", "章有主"), de2=OWNER_CARD)
    yield "0100", wire.inquiry(de2=HOLDER_CARD)
    yield "0100", {**wire.inquiry(), 2: SEEN_CARD, 48: tagged([("CH", "01"), ("ID", OWNER), ("ID", OWNER)])}
    yield "0100", {**wire.inquiry(de2=SEEN_CARD), 41: Raw(b"\xff" * 8)}
    yield "0200", {**wire.payment(LONE, FEN, ("ID", OWNER), de2=SEEN_CARD), 49: "840"}
    yield "0220", wire.payment(LONE, FEN - 1, ("ID", OWNER), ("NM", "章有主"), de2=SEEN_CARD)


def forms(secret: str) -> list[bytes]:
    """A secret as text, packed, in EBCDIC, and as hex of each."""
    packed = bytes.fromhex(re.sub("[^0-9A-Fa-f]", "", secret).ljust(len(secret) // 2 * 2 + 2, "0"))[: len(secret) // 2]
    left = bytes.fromhex("0" + re.sub("[^0-9A-Fa-f]", "", secret)[: len(secret) // 2 * 2 - 1])
    plain = [secret.encode(), secret.encode("cp500"), packed, left]
    return [*plain, *(form.hex().encode() for form in plain), *(form.hex().upper().encode() for form in plain)]


def test_no_secret_is_written_anywhere_and_nobody_is_named_in_the_log(desk: Desk, wire: Wire) -> None:
    for mti, asked in told(wire):
        forbidden = sorted({35, 36, 45, 52, 55} & set(asked))
        answer = wire.ask(mti, asked)
        assert answer.code == ("30" if forbidden else answer.code)
        if forbidden:
            assert answer.fields[44] == f"{forbidden[0]:03d}" and 48 not in answer.fields
    body = wire.body("0200", {**wire.payment(LONE, FEN), 35: TRACK})
    wire.raw(frame(wire.bank, body[:-1] + b"0" if body[-1:] != b"0" else body[:-1] + b"1"))
    assert wire.hear().code == "A0"
    wire.raw(frame(wire.bank, body)[:-40])  # cut: the line is closed over half a frame that holds a track
    wire.socket.close()
    with desk.wire(wire.bank) as other:
        over = other.network("201", de15=today(1))
        assert other.ask("0800", over).code == "00"  # files of the day too
    everywhere = desk.everywhere()
    for secret in (PAN, TRACK[20:], PIN, CHIP.hex().upper(), KEYS[wire.bank]):
        for form in forms(secret):
            assert form not in everywhere, secret
    log, metrics = desk.log(), desk.switch.get("/metrics")[1]
    for personal in (OWNER, OWNER[6:14], "章有主", "独孤一", "13800000001", OWNER_CARD, HOLDER_CARD, SEEN_CARD, LONE):
        for secret in (personal, personal.encode("gb18030").hex(), personal.encode("unicode_escape").decode()):
            assert secret not in log and secret not in metrics, personal


def test_read_too_long_ago_is_68_and_has_no_effect(desk: Desk) -> None:
    """The deadline is one second here; another process holds the store's write lock for longer. Echo is served."""
    bills = [desk.bill() for _ in range(5)]
    with desk.wire("ccb") as wire, desk.wire("boc") as watch:
        known = wire.payment(bills[0], FEN)
        first = wire.ask("0200", known)
        asked, old = wire.payment(bills[1], FEN), wire.payment(bills[4], FEN)
        assert wire.ask("0200", old).code == "00"
        void, reversal, advice = wire.void(known, bills[0]), wire.reversal(old), wire.payment(bills[2], FEN)
        with closing(sqlite3.connect(desk.switch.folder / "shebao.db", isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            until = time.monotonic() + 1.2
            waiting = [("0200", asked), ("0200", void), ("0220", advice), ("0420", reversal), ("0201", known)]
            for mti, message in waiting:
                wire.tell(mti, message)
            while time.monotonic() < until:
                assert watch.ask("0800", watch.network("301")).code == "00"
            other.execute("ROLLBACK")
        answers = {(answer.mti, answer.fields[11]): answer for answer in (wire.hear() for _ in waiting)}
        answers["0210", asked[11]].fits(asked, "68", "0210")
        answers["0210", void[11]].fits(void, "68", "0210")
        assert answers["0210", known[11]].tail == first.tail, "a key seen before is no new request"
        assert answers["0230", advice[11]].code == answers["0430", reversal[11]].code == "00"
        gone = wire.reversal(asked)
        wire.ask("0400", gone).fits(gone, "25", "0410")  # answered 68: there is no original, and it is remembered
        wire.ask("0201", asked).fits(asked, "R1", "0210", ["MS"])
        assert wire.ask("0201", void).code == "00", "decided anew"
