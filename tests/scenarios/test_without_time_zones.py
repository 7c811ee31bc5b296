"""In a container: TZ says UTC, or anything, and there is no time-zone data. Times are China's all the same."""

from __future__ import annotations

import ast
from datetime import datetime
from pathlib import Path

import pytest
from shebao_desk import FEN, Desk, today
from shebao_harness import CST, ROOT, moment

FOLDERS = ("codecs", "ledger", "switch", "reconcile", "simulators")


def test_nothing_asks_for_time_zone_data() -> None:
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {"zoneinfo", "tzlocal", "pytz", "dateutil"} & {name.partition(".")[0] for name in names}, path


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["UTC", "Nowhere/Nothing"])
def test_a_day_in_another_zone(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """DE7 in China's time is of this minute; receipt, paid-at and file are of China's date."""
    for name, value in (("TZ", zone), ("PYTHONTZPATH", "")):
        monkeypatch.setenv(name, value)
    with Desk(prepared, tmp_path / "s") as desk, desk.wire("rcb") as wire:
        switch, bill, year = desk.switch, desk.bill(), f"{datetime.now(CST):%Y}"
        asked = wire.payment(bill, FEN)
        receipt = wire.ask("0200", asked).tag("RN")
        assert wire.ask("0100", wire.inquiry(("BN", bill))).tag("PT") == f"{year}{asked[7]}"
        old = {**wire.payment(bill, FEN), 7: moment(-25 * 3600)}
        wire.ask("0200", old).fits(old, "30", "0210", de44="007")
        assert wire.ask("0800", wire.network("201", de15=today(1))).code == "00"
        told = switch.run("ledgerctl", "payment", receipt).stdout
        status = switch.run("reconcile", "status", check=False).stdout
        assert "20" + receipt[:6] == year + today()
        assert asked[7][4:6] + ":" + asked[7][6:8] in told, told
        assert f"{datetime.now(CST):%Y-%m-%d} CLOSED · 日切 cut over {datetime.now(CST):%m-%d}" in status, status
        stamp = datetime.fromisoformat(switch.log[0]["time"])
        assert abs((datetime.now(CST) - stamp).total_seconds()) < 3600 and stamp.utcoffset() == CST.utcoffset(None)
        assert switch.stop() == 0
