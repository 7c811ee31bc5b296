"""Log lines: JSON, masked, never waited for."""

import json
import os
from datetime import datetime

import pytest

from shebao.switch.logs import LogWriter, make_log, mask_text


class Lines:
    """In the place of the writer."""

    def __init__(self):
        self.lines = []

    def write(self, line):
        self.lines.append(json.loads(line))

    msg = debug = info = warning = error = write


@pytest.fixture
def lines():
    return Lines()


@pytest.fixture
def log(lines):
    return make_log(lines, lambda: 1_795_397_415_000_000)


def test_a_line_is_json_with_time_in_cst(log, lines):
    log.bind(bank="rcb").warning("MAC wrong", in_a_row=2)
    (line,) = lines.lines
    assert line == {"time": line["time"], "level": "warning", "bank": "rcb", "in_a_row": 2, "event": "MAC wrong"}
    assert datetime.fromisoformat(line["time"]).utcoffset().total_seconds() == 8 * 3600


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("card 6222020200112233445 here", "card ***************3445 here"),
        ("33011019900101008X", "**************008X"),
        ("phone 13800000001", "phone *******0001"),
        ("bill 33011026112300000010", "bill 33011026112300000010"),  # 20 digits: a bill, not a person
        ("port 8581 at 127.0.0.1", "port 8581 at 127.0.0.1"),
    ],
)
def test_personal_numbers_are_masked_wherever_they_stand(log, lines, text, masked):
    assert mask_text(text) == masked
    log.info(text, value=text)
    assert lines.lines[0]["event"] == lines.lines[0]["value"] == masked


def test_of_an_unexpected_fault_the_place_is_told_and_not_its_text(log, lines):
    try:
        {}["secret value"]
    except KeyError as fault:
        log.error("fault", fault=fault)
    (line,) = lines.lines
    assert line["fault"] == "KeyError" and "test_logs.py" in line["places"][0]
    assert "secret" not in json.dumps(line)


def test_lines_that_nobody_takes_are_dropped_and_counted():
    reader, writer = os.pipe()
    logs = LogWriter(writer, 3)
    for _ in range(100):
        logs.write("x" * 60_000)  # the pipe holds one of them
    assert logs.dropped >= 95
    os.close(reader)
    logs.close()
    os.close(writer)
