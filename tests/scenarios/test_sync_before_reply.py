"""strace shows it: between a request's arrival and its reply's departure the log was synced to the disk."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from shebao_harness import Switch, bill_number

SYNC = re.compile(r"\bf(?:data)?sync\((\d+)<([^>]*)>")
RECEIVE = re.compile(r"\b(?:recvfrom|read)\((\d+)<TCP:\[(.*?)\]>, \"")
SEND = re.compile(r"\b(?:sendto|write|writev|sendmsg)\((\d+)<TCP:\[(.*?)\]>")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_fdatasync_of_the_log_before_the_reply(tmp_path: Path) -> None:
    bills = {bill_number(n): 48_000 for n in range(1, 6)}
    trace = tmp_path / "trace"
    switch = Switch(tmp_path / "s", banks=("rcb",))
    switch.under = (
        "strace",
        "-f",
        "-yy",
        "-e",
        "trace=fsync,fdatasync,recvfrom,read,sendto,write,writev,sendmsg",
        "-o",
        str(trace),
    )
    with switch.prepare(bills).start():
        with switch.line("rcb").sign_on() as line:
            peer = f"127.0.0.1:{line.socket.getsockname()[1]}"
            for n, bill in enumerate(bills, 1):
                assert line.pay(f"{n:06d}", bill, 48_000).code == "00"
        assert switch.stop() == 0
    story = []
    for text in trace.read_text().splitlines():
        if (found := SYNC.search(text)) and "shebao.db-wal" in found[2]:
            story.append("sync")
        elif (found := RECEIVE.search(text)) and peer in found[2]:
            story.append("request")
        elif (found := SEND.search(text)) and peer in found[2]:
            story.append("reply")
    asked = " ".join(story).split("request")
    assert len(asked) >= 2 + len(bills), story
    for part in asked[2 : 2 + len(bills)]:  # after sign-on, which needs no disk
        words = part.split()
        assert "sync" in words and words.index("sync") < words.index("reply"), story
