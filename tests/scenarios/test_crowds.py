"""Crowds before the door: hundreds of sockets that drip, keep silent or only beat, and one bank that asks for all that
the switch has. Whoever behaves is served meanwhile."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from shebao_desk import FEN, Desk, citizen
from shebao_harness import Line, Switch, bill_number, moment

LINES_MAX = 32
CROWD = 500
ROUNDS_MAX = 20_000  # of a loop that waits for something to be seen


def metric(switch: Switch, *beginnings: str) -> float:
    """The sum of the series whose text begins so."""
    lines = switch.get("/metrics")[1].splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(beginnings))


def closed(one: socket.socket) -> bool:
    """Whether the other side closed it; waits for nothing."""
    while True:
        readable, _, _ = select.select([one], [], [], 0)
        if not readable:
            return False
        try:
            if not one.recv(4096):
                return True
        except ConnectionError:
            return True


@contextmanager
def crowd(port: int, count: int) -> Iterator[list[socket.socket]]:
    many = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(count)]
    try:
        yield many
    finally:
        for one in many:
            one.close()


def test_lines_that_drip_keep_silent_or_only_beat_hold_no_place(prepared: Path, tmp_path: Path) -> None:
    """A place of the bank's is for who signs on: the others give way when one is needed, and go by their time limit."""
    limits = f"lines_per_bank_max = {LINES_MAX}\nframe_timeout_s = 1\nheartbeat_s = 1\nsilence_s = 2"
    with Desk(prepared, tmp_path / "s", limits=limits) as desk:
        switch = desk.switch
        early, other = switch.line("rcb").sign_on(), switch.line("boc").sign_on()
        whole = early.frame(early.body("0800", {7: moment(), 11: "000009", 70: "001"}))
        with crowd(switch.ports["rcb"], CROWD) as many:
            drip, beating, silent = many[0::3], many[1::3], many[2::3]
            for one in drip:
                send(one, whole[:1])
            for one in beating:
                send(one, b"0000")
            assert early.pay("000101", desk.bill(), FEN).code == "00", "who is signed on keeps his place"
            late = switch.line("rcb").sign_on()
            assert late.pay("000102", desk.bill(), FEN).code == "00", "and who comes last gets one"
            assert other.pay("000103", desk.bill(), FEN).code == "00", "the next bank never heard of it"
            assert metric(switch, 'shebao_lines{bank="rcb"}') <= LINES_MAX
            for n in range(1, ROUNDS_MAX):
                drip, silent, beating = ([one for one in some if not closed(one)] for some in (drip, silent, beating))
                if not drip and not silent:
                    break
                for one in drip:
                    send(one, whole[n : n + 1])
                for one in beating:
                    send(one, b"0000")
                for line in (early, late, other):
                    assert line.ask("0800", {7: moment(), 11: f"{n:06d}", 70: "301"}).code == "00"
            else:
                raise AssertionError("lines that never completed a frame, or never spoke, still have their places")
            for n, line in enumerate([early, late, other]):
                assert line.pay(f"{200 + n:06d}", desk.bill(), FEN).code == "00"
        assert switch.stop() == 0


def send(one: socket.socket, data: bytes) -> None:
    """What the switch has closed meanwhile is no fault."""
    with suppress(OSError):
        one.sendall(data)


def test_slow_headers_do_not_keep_the_scraper_out(prepared: Path, tmp_path: Path) -> None:
    with Desk(prepared, tmp_path / "s") as desk, crowd(desk.switch.admin, CROWD) as many:
        for one in many:
            send(one, b"GET /metrics HTTP/1.1\r\nX-Slow: ")
        assert desk.switch.get("/healthz") == (200, "alive\n")
        assert desk.switch.get("/readyz") == (200, "ready\n")
        assert desk.switch.line().sign_on().pay("000001", desk.bill(), FEN).code == "00"
        assert desk.switch.stop() == 0


# -- one bank's heavy questions ------------------------------------------------------------------------------

PAYERS = 20
BILLS_EACH = 500
BATCH_MAX = 200
BOC_PAYS = 15


def heavy_town(switch: Switch) -> list[str]:
    """Payers with 500 bills each, and one bill for each payment of the other bank."""
    payers = [citizen(n) for n in range(1, PAYERS + 1)]
    head = (
        "bill_number,payer_id,payer_name,office,period_from,period_to,issued,due,last_day,insurance_type,amount_fen,"
        "owner_only"
    )
    rows = [head]
    for n, payer in enumerate(payers):
        for k in range(BILLS_EACH):
            number = bill_number(10_000 + n * BILLS_EACH + k)
            rows.append(f"{number},{payer},沈建国,良渚街道,202601,202612,2026-11-01,2026-12-31,2099-12-31,390,{FEN},0")
    (switch.folder / "many.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    switch.run("ledgerctl", "import-bills", "many.csv")
    return payers


def flood(line: Line, payers: list[str], ahead: int, enough: threading.Event, seen: list[str]) -> None:
    """Keeps `ahead` inquiries in flight, page by page, until it is enough; then takes what is still to come."""
    asked = 0

    def ask() -> None:
        nonlocal asked
        asked += 1
        when, payer = moment(), payers[asked % len(payers)]
        fields = {3: "390000", 7: when, 11: f"{asked % 999_999 + 1:06d}", 12: when[4:], 13: when[:4]}
        fields |= {37: f"R{asked:011d}", 41: "TERM0001", 42: "3301100000BR001"}
        page = [("PG", bill_number(10_000 + asked % BILLS_EACH))] if asked % 2 else []
        line.send("0100", fields, [("CH", "01"), ("ID", payer), *page])

    for _ in range(ahead):
        ask()
    while len(seen) < asked:
        seen.append(line.receive().code)
        if not enough.is_set():
            ask()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_one_banks_heavy_questions_leave_the_others_their_share(tmp_path: Path) -> None:
    """rcb holds four lines at their in-flight limit with pages of payers who have 500 bills each; boc pays. A payment
    waits for the batch that runs and goes with the next: counted in rcb's answers between question and answer."""
    with Switch(tmp_path / "s", banks=("rcb", "boc"), limits=f"batch_max = {BATCH_MAX}") as switch:
        switch.prepare({bill_number(n): FEN for n in range(1, BOC_PAYS + 1)})
        payers = heavy_town(switch)
        switch.start()
        enough, lines = threading.Event(), [switch.line("rcb").sign_on() for _ in range(4)]
        answers: list[list[str]] = [[] for _ in lines]
        busy = [
            threading.Thread(target=flood, args=(line, payers, 256, enough, seen), daemon=True)
            for line, seen in zip(lines, answers, strict=True)
        ]
        for one in busy:
            one.start()
        boc = switch.line("boc").sign_on()
        for _ in range(ROUNDS_MAX):
            if metric(switch, 'shebao_in_flight{bank="rcb"}') >= 900:
                break
        answered, between = 'shebao_requests_total{bank="rcb",code="00",message="inquiry"}', []
        for n in range(1, BOC_PAYS + 1):
            before = metric(switch, answered)
            assert boc.pay(f"{n:06d}", bill_number(n), FEN).code == "00"
            between.append(metric(switch, answered) - before)
        seconds = metric(switch, 'shebao_request_seconds_sum{bank="boc",message="payment"}') / BOC_PAYS
        quick = metric(switch, 'shebao_request_seconds_bucket{bank="boc",le="1.0",message="payment"}')
        enough.set()
        for one in busy:
            one.join(60)
        print(f"boc waited {seconds:.3f} s on average, under 1 s in {quick:.0f} of {BOC_PAYS};", end=" ")
        print(f"rcb's answers in between: {sorted(map(int, between))}")
        assert all(code == "00" for seen in answers for code in seen)
        assert max(between) <= 3 * BATCH_MAX, between
        assert switch.stop() == 0
