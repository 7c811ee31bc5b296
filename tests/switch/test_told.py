"""A bank's 0500 over TCP: answered as ever, and minutes later on the operator's screen."""

import json
from datetime import datetime

from click.testing import CliRunner

from shebao.ledger.day import CST
from shebao.reconcile.cli import reconcile


def status(daemon):
    done = CliRunner().invoke(reconcile, ["--config", str(daemon.config), "status", "--json"])
    assert done.exit_code == 0, done.output
    return {one["bank"]: one["open"] for one in json.loads(done.stdout)}


def open_date(daemon, bank):
    with daemon.sql() as books:
        return books.execute("SELECT open_date FROM book WHERE bank = ?", (bank,)).fetchone()[0]


def totals(daemon, line, stan, payments, fen, bank="icbc"):
    return {
        7: f"{datetime.now(CST):%m%d%H%M%S}", 11: stan, 15: f"{open_date(daemon, bank) % 10000:04d}",
        32: line.wire.bank, 74: f"{payments:010d}", 75: "0" * 10, 76: "0" * 10, 77: "0" * 10, 86: f"{fen:016d}",
        87: "0" * 16, 88: "0" * 16, 89: "0" * 16, 97: f"C{fen:016d}",
    }  # fmt: skip


def test_wrong_totals_are_on_the_screen_while_the_daemon_runs_and_the_last_ones_after_it(make_daemon, bill):
    daemon = make_daemon().prepare().start()
    line = daemon.line("icbc").sign_on()
    assert line.ask("0200", line.payment(bill(1), "000001"))[1][39] == "00"
    _, reply = line.ask("0500", totals(daemon, line, "000002", 2, 24000))
    assert (reply[39], reply[66], reply[74]) == ("95", "2", "0000000001")
    for _ in range(3000):
        if (told := status(daemon)["icbc"]["told"]) is not None:
            break
        daemon.get("/healthz")
    assert not told["agrees"]
    assert (told["bank"]["payments"], told["ledger"]["payments"], told["gap"]["payments_fen"]) == (2, 1, 12000)
    assert status(daemon)["rcb"]["told"] is None
    assert line.ask("0500", totals(daemon, line, "000003", 1, 12000))[1][39] == "00"
    assert daemon.stop() == 0
    assert status(daemon)["icbc"]["told"]["agrees"], "told just before the end"


def test_the_reply_does_not_depend_on_a_table_that_is_gone(make_daemon):
    daemon = make_daemon().prepare().start()
    with daemon.sql() as books:
        books.execute("DROP TABLE told_totals")
    line = daemon.line("icbc").sign_on()
    assert line.ask("0500", totals(daemon, line, "000001", 1, 12000))[1][39] == "95"
    assert "told_totals" in daemon.wait_for("banks' totals not written, trying again")["why"]
    assert line.ask("0500", totals(daemon, line, "000002", 0, 0))[1][39] == "00"
    assert daemon.stop() == 0
