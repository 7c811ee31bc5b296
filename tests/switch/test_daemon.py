"""The daemon as a process, over real TCP, on SQLite: what banks, operators and systemd see of it."""

import os
import signal
import socket
import struct
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest

from shebao.ledger.day import add_days

CST = timezone(timedelta(hours=8))
NAMES = ("rcb", "icbc", "ccb", "boc")


@pytest.mark.parametrize(("number", "name"), list(enumerate(NAMES)))
def test_a_bank_signs_on_asks_pays_and_repeats(daemon, bill, number, name):
    line = daemon.line(name).sign_on()
    assert line.ask("0800", line.messages.sign_on("301", "000002"))[1][39] == "00"
    stan, number = f"{100 + number:06d}", bill(number)
    now = line.payment(number, "000009")
    inquiry = {k: v for k, v in now.items() if k not in (4, 49)} | {3: "390000"}
    _, found = line.ask("0100", inquiry)
    assert (found[39], found[4]) == ("00", "000000012000")
    payment = line.payment(number, stan)
    mti, first = line.ask("0200", payment)
    raw = line.last
    assert (mti, first[39]) == ("0210", "00")
    assert line.ask("0201", payment)[0] == "0210" and line.last == raw, "byte for byte"
    other = daemon.line(name).sign_on()
    other.ask("0200", payment | {41: "TERM0002"})
    assert other.last == raw, "on any line, whatever else differs"
    assert other.ask("0200", payment | {4: "000000012001"})[1][39] == "94"
    assert other.ask("0200", other.payment(number, "000900"))[1][39] == "B1"


def test_a_half_closed_line_gets_its_reply_and_one_closed_at_once_harms_nothing(daemon, bill):
    """C43."""
    line = daemon.line("rcb").sign_on()
    line.send(line.wire.send("0200", line.payment(bill(10), "000200")))
    line.socket.shutdown(socket.SHUT_WR)
    ((mti, reply),) = line.read(1)
    assert (mti, reply[39]) == ("0210", "00")
    assert line.is_closed()
    gone = daemon.line("rcb").sign_on()
    payment = gone.payment(bill(11), "000201")
    gone.send(gone.wire.send("0200", payment))
    gone.socket.close()
    again = daemon.line("rcb").sign_on()
    assert again.ask("0201", payment)[1][39] == "00"


def test_garbage_closes_its_own_line_and_no_other(daemon, bill):
    """C01, C51."""
    good = [daemon.line("icbc").sign_on() for _ in range(3)]
    rejected = daemon.metric('shebao_rejected_frames_total{bank="icbc",reason="length_large"}')
    bad = daemon.line("icbc")
    bad.send(daemon.line("rcb").wire.golden()["sign-on"])  # ASCII digits where a binary length is read
    assert bad.is_closed()
    assert daemon.metric('shebao_rejected_frames_total{bank="icbc",reason="length_large"}') == rejected + 1
    other = daemon.line("rcb")
    other.send(daemon.line("icbc").wire.golden()["sign-on"])
    assert other.is_closed()
    reset = daemon.line("icbc")
    reset.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    reset.socket.close()
    for number, line in enumerate(good):
        assert line.ask("0200", line.payment(bill(20 + number), f"{300 + number:06d}"))[1][39] == "00"


def test_before_a_line_is_closed_its_replies_are_sent(daemon, bill):
    line = daemon.line("boc").sign_on()
    frames = [line.wire.send("0200", line.payment(bill(30 + n), f"{400 + n:06d}")) for n in range(5)]
    line.send(*frames, b"\xff" * 5000)
    assert [f[39] for _, f in line.read(5)] == ["00"] * 5
    assert line.is_closed()


def test_probes_of_a_load_balancer_are_no_news(daemon):
    """C49."""
    before, logged = daemon.get("/metrics"), len(daemon.log)
    rejected = [line for line in before.splitlines() if line.startswith("shebao_rejected_frames_total")]
    for name in NAMES:
        for linger in (None, struct.pack("ii", 1, 0)):
            probe = socket.create_connection(("127.0.0.1", daemon.ports[name]))
            if linger:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            probe.close()
    line = daemon.line("rcb").sign_on()  # what came before it has been taken in
    for name in NAMES:
        while daemon.metric(f'shebao_lines{{bank="{name}"}}') > 30:
            pass
    after = daemon.get("/metrics")
    assert [text for text in after.splitlines() if text.startswith("shebao_rejected_frames_total")] == rejected
    assert not [entry for entry in daemon.log[logged:] if entry["level"] != "info"]
    assert line.ask("0800", line.messages.sign_on("301"))[1][39] == "00"


def test_many_frames_in_one_write_and_one_byte_at_a_time(daemon):
    """C05."""
    for name in NAMES:
        line = daemon.line(name)
        stream = line.wire.send("0800", line.messages.sign_on())
        stream += b"".join(line.wire.send("0800", line.messages.sign_on("301", f"{n:06d}")) for n in range(2, 51))
        line.send(stream)
        assert [f[11] for _, f in line.read(50)] == [f"{n:06d}" for n in range(1, 51)]
        drip = daemon.line(name)
        drip.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in drip.wire.send("0800", drip.messages.sign_on()):
            drip.send(bytes([byte]))
        assert [f[39] for _, f in drip.read(1)] == ["00"]


def test_the_fifth_wrong_mac_is_answered_and_closes_and_is_counted(daemon):
    """C39."""
    before = daemon.metric('shebao_mac_failures_total{bank="rcb"}')
    line = daemon.line("rcb")
    body = line.wire.body("0800", line.messages.sign_on())
    line.send(line.wire.frame(body[:-16] + body[-16:].lower()) * 5)
    assert [f[39] for _, f in line.read(6)] == ["A0"] * 5
    assert daemon.metric('shebao_mac_failures_total{bank="rcb"}') == before + 5


def test_the_admin_port_tells_life_readiness_and_what_was_counted(daemon, bill):
    assert daemon.get("/healthz") == "alive\n" and daemon.get("/readyz") == "ready\n"
    name = 'shebao_requests_total{bank="ccb",code="00",message="payment"}'
    paid, collected = daemon.metric(name), daemon.metric('shebao_collected_fen_total{bank="ccb"}')
    line = daemon.line("ccb").sign_on()
    line.ask("0200", line.payment(bill(40), "000500"))
    assert daemon.metric(name) == paid + 1
    assert daemon.metric('shebao_collected_fen_total{bank="ccb"}') == collected + 12000
    assert daemon.metric('shebao_settlement_state{bank="ccb",state="OPEN"}') == 1


def test_no_personal_data_in_log_metrics_or_books(daemon, bill):
    """C15."""
    pan = "6222020200112233445"
    line = daemon.line("rcb").sign_on()
    forbidden = line.payment(bill(41), "000510") | {35: pan + "=4912101"}
    assert line.ask("0200", forbidden)[1][44] == "035"
    text = repr(daemon.log) + daemon.get("/metrics")
    files = b"".join(path.read_bytes() for path in daemon.folder.glob("books.db*"))
    assert pan not in text and pan.encode() not in files


def test_times_are_cst_whatever_tz_says(daemon):
    """C23: this daemon runs under TZ=America/New_York."""
    stamp = datetime.fromisoformat(daemon.log[0]["time"])
    assert stamp.utcoffset() == timedelta(hours=8)
    assert abs(datetime.now(CST) - stamp) < timedelta(hours=1)


# -- daemons of their own --


def test_sigterm_answers_what_was_taken_in_and_ends_with_0(make_daemon, bill):
    daemon = make_daemon().prepare().start()
    line = daemon.line("rcb").sign_on()
    idle = daemon.line("boc").sign_on()
    with daemon.sql() as books:
        books.execute("BEGIN IMMEDIATE")  # so that the payments are still in flight
        line.send(*[line.wire.send("0200", line.payment(bill(n), f"{n:06d}")) for n in range(10)])
        while daemon.metric('shebao_in_flight{bank="rcb"}') < 10:
            pass
        daemon.process.terminate()
        daemon.wait_for("stopping")
        with pytest.raises(ConnectionRefusedError):
            for _ in range(1000):
                socket.create_connection(("127.0.0.1", daemon.ports["rcb"])).close()
        books.execute("ROLLBACK")
    assert Counter(f[39] for _, f in line.read(10)) == {"00": 10}
    assert line.is_closed() and idle.is_closed()
    line.socket.close(), idle.socket.close()
    assert daemon.process.wait(30) == 0
    assert daemon.wait_for("stopped")["unanswered"] == 0


def test_a_store_that_hangs_holds_the_end_up_for_shutdown_s_only(make_daemon, bill):
    daemon = make_daemon(limits="shutdown_s = 1").prepare().start()
    line = daemon.line("rcb").sign_on()
    with daemon.sql() as books:
        books.execute("BEGIN IMMEDIATE")
        line.send(line.wire.send("0200", line.payment(bill(1), "000001")))
        while daemon.metric('shebao_in_flight{bank="rcb"}') < 1:
            pass
        assert daemon.stop() == 0
        assert daemon.wait_for("stopped")["unanswered"] == 1
    assert line.read(1) == [], "no answer is better than a wrong one"


def test_past_the_in_flight_limit_the_line_is_not_read_and_nothing_is_lost(make_daemon, bill):
    daemon = make_daemon(limits="in_flight_per_line = 8").prepare().start()
    line, other = daemon.line("rcb").sign_on(), daemon.line("boc").sign_on()
    with daemon.sql() as books:
        books.execute("BEGIN IMMEDIATE")
        line.send(*[line.wire.send("0200", line.payment(bill(n), f"{n:06d}")) for n in range(60)])
        while daemon.metric('shebao_in_flight{bank="rcb"}') < 8:
            pass
        assert other.ask("0800", other.messages.sign_on("301"))[1][39] == "00", "other lines go on"
        assert daemon.metric('shebao_in_flight{bank="rcb"}') == 8
        books.execute("ROLLBACK")
    assert [f[39] for _, f in line.read(60)] == ["00"] * 60


def test_a_taken_port_is_one_line_and_exit_1(make_daemon):
    daemon = make_daemon().prepare()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for name in ("boc", "admin"):
            daemon.listens = dict.fromkeys(daemon.listens, 0) | {name: taken.getsockname()[1]}
            daemon.write_config()
            done = run(daemon, "run")
            last = [line for line in done.stderr.splitlines() if not line.startswith("{")]
            assert done.returncode == 1 and len(last) == 1 and str(taken.getsockname()[1]) in last[0]
            assert "Traceback" not in done.stderr


def test_without_books_or_master_key_the_line_says_what_to_type(make_daemon):
    daemon = make_daemon()
    done = run(daemon, "run")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "keyctl init" in done.stderr
    daemon.prepare(bills=1)
    (daemon.folder / "books.db").unlink()
    done = run(daemon, "run")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1) and "ledgerctl init" in done.stderr
    assert not (daemon.folder / "books.db").exists(), "a daemon makes no database"


def test_a_key_loaded_later_serves_without_a_restart(make_daemon):
    daemon = make_daemon().prepare(keys=("rcb",)).start()
    assert daemon.wait_for("no MAC key: lines are refused until one is loaded; type: keyctl load")["bank"] == "icbc"
    assert daemon.line("icbc").is_closed()
    daemon.load_key("icbc")
    daemon.line("icbc").sign_on()


def test_sighup_reloads_what_can_be_and_a_broken_file_changes_nothing(make_daemon, bill):
    daemon = make_daemon().prepare().start()
    line = daemon.line("rcb").sign_on()
    good = daemon.config.read_text(encoding="utf-8")
    daemon.config.write_text(good.replace('allow = ["127.0.0.1/32"]', 'allow = ["127.0.0.1/8"]'), encoding="utf-8")
    daemon.process.send_signal(signal.SIGHUP)
    assert "127.0.0.1/8" in daemon.wait_for("configuration not reloaded, the old one stays")["why"]
    daemon.line("rcb").sign_on()
    daemon.config.write_text(good.replace('allow = ["127.0.0.1/32"]', 'allow = ["10.0.0.0/8"]'), encoding="utf-8")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("configuration reloaded")
    assert daemon.line("rcb").is_closed(), "the allow list holds for new lines"
    assert line.ask("0200", line.payment(bill(1), "000001"))[1][39] == "00", "lines that are there stay"
    daemon.limits = "anchor_every_s = 30"
    daemon.write_config()
    for time in (2, 3):
        daemon.process.send_signal(signal.SIGHUP)
        told = daemon.wait_for("configuration reloaded", time)["needs_restart"]
        assert "limits.anchor_every_s" in told, "as long as the process runs with the old one"


def test_descriptors_at_their_limit_harm_no_line_that_is_there(make_daemon, bill):
    daemon = make_daemon().prepare().start(descriptors=60)
    line = daemon.line("rcb").sign_on()
    many = [socket.socket() for _ in range(100)]
    for one in many:
        one.connect(("127.0.0.1", daemon.ports["boc"]))
    assert line.ask("0200", line.payment(bill(1), "000001"))[1][39] == "00"
    for one in many:
        one.close()
    daemon.line("boc").sign_on()


def test_a_log_that_nobody_reads_stops_no_payment(make_daemon, bill):
    daemon = make_daemon(limits="log_lines_queued_max = 5").prepare()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    daemon.listens["rcb"] = port
    daemon.write_config()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    daemon.start(stderr=writer)
    os.close(writer)
    daemon.ports = {"rcb": port}
    for number in range(20):  # each sign-on and close is a line of the log
        line = daemon.line("rcb").sign_on()
        assert line.ask("0200", line.payment(bill(number), f"{number:06d}"))[1][39] == "00"
        line.socket.close()
    assert daemon.stop() == 0
    os.close(reader)


def test_cut_overs_that_were_missed_are_made_oldest_first_before_a_line_is_served(make_daemon, bill):
    """C21."""
    daemon = make_daemon(cutover="00:00:01").prepare()
    today = datetime.now(CST)
    old = [int(f"{today - timedelta(days=n):%Y%m%d}") for n in (3, 2, 1, 0)]
    tomorrow = int(f"{today + timedelta(days=1):%Y%m%d}")
    with daemon.sql() as books:
        books.execute("INSERT INTO book VALUES (100, 'rcb', ?, 1, 1, 1, zeroblob(32))", (old[0],))
        books.execute("INSERT INTO day VALUES (100, ?, 'OPEN', 1, NULL, 0, 0, 0, 0, 0)", (old[0],))
    daemon.start()
    cuts = [e["date"] for e in daemon.log if e["event"] == "cut over by the clock" and e["bank"] == "rcb"]
    assert cuts == [*old[1:], tomorrow]
    line = daemon.line("rcb").sign_on()
    _, reply = line.ask("0200", line.payment(bill(1), "000001"))
    assert reply[15] == f"{tomorrow % 10000:04d}"
    written, lines = [], 0
    while len(written) < len(old):  # by one line of the log or several
        lines += 1
        written += daemon.wait_for("statement files written", lines)["dates"]
    assert written == old
    for date in old:
        assert list((daemon.folder / "var" / "outbox" / "rcb" / str(date)).glob("*.ok"))
    with daemon.sql() as books:
        rows = books.execute("SELECT date, state FROM day WHERE book_id = 100 ORDER BY date").fetchall()
    assert rows == [*((date, "CLOSED") for date in old), (tomorrow, "OPEN")]


def test_a_cut_over_by_the_bank_writes_the_file_too(make_daemon, bill):
    daemon = make_daemon().prepare().start()
    line = daemon.line("icbc").sign_on()
    line.ask("0200", line.payment(bill(1), "000001"))
    with daemon.sql() as books:
        ((date,),) = books.execute("SELECT open_date FROM book WHERE bank = 'icbc'").fetchall()
    following = f"{add_days(date, 1) % 10000:04d}"
    mti, reply = line.ask("0820", line.messages.sign_on("201", "000002") | {15: following})
    if reply[39] == "30":
        assert reply[44] == "015" and datetime.now(CST).hour == 23, "beyond tomorrow"
        return
    assert (mti, reply[39], reply[15]) == ("0830", "00", following)
    assert daemon.wait_for("statement files written")["dates"] == [date]
    assert daemon.stop() == 0
    anchors = (daemon.folder / "var" / "seal" / "icbc.log").read_text(encoding="ascii").splitlines()
    assert anchors[-1].split()[4] == "2", "the payment and the cut-over are signed"


def run(daemon, *arguments):
    code = "from shebao.switch.cli import switchd; switchd()"
    return subprocess.run(
        [sys.executable, "-P", "-c", code, "--config", str(daemon.config), *arguments],
        cwd=daemon.folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
