"""strace shows it: between a request's arrival and its reply's departure the log was synced to the disk."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from shebao_harness import Switch, bill_number

CALL = re.compile(r"^(?P<thread>\d+) +(?P<call>\w+)\(\d+<(?P<file>TCP:\[[^\]]*\]|[^>]*)>(?P<rest>.*)$")
RESUMED = re.compile(r"^(?P<thread>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)$")
WORDS = {"fsync": "sync", "fdatasync": "sync", "recvfrom": "request", "read": "request"}


def story_of(trace: str, peer: str) -> list[str]:
    """Syncs of the log and traffic with the peer, in the order in which the calls ended."""
    story, begun = [], {}
    for text in trace.splitlines():
        if call := CALL.match(text):
            word = WORDS.get(call["call"], "reply")
            if not (call["file"].endswith("shebao.db-wal") if word == "sync" else peer in call["file"]):
                continue
            if call["rest"].endswith("<unfinished ...>"):
                if word == "reply":
                    story.append(word)  # it may have left at once
                else:
                    begun[call["thread"]] = word
                continue
            rest = call["rest"]
        elif (call := RESUMED.match(text)) and call["thread"] in begun:
            word, rest = begun.pop(call["thread"]), call["rest"]
        else:
            continue
        if word != "request" or re.search(r'"[0-9]', rest):  # a read that brought something
            story.append(word)
    return story


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_fdatasync_of_the_log_before_the_reply(tmp_path: Path) -> None:
    bills = {bill_number(n): 48_000 for n in range(1, 6)}
    trace = tmp_path / "trace"
    switch = Switch(tmp_path / "s", banks=("rcb",))
    switch.under = (
        "strace",
        "-D",  # the daemon stays our child, so that our signals reach it
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
    story = story_of(trace.read_text(), peer)
    asked = " ".join(story).split("request")
    assert len(asked) >= 2 + len(bills), story
    for part in asked[2 : 2 + len(bills)]:  # after sign-on, which needs no disk
        words = part.split()
        assert "sync" in words and words.index("sync") < words.index("reply"), story
