"""switchd check and explain, as an operator types them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = "from shebao.switch.cli import switchd; switchd()"


@pytest.fixture
def switchd(make_daemon):
    prepared = make_daemon().prepare()

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-P", "-c", CODE, "--config", str(prepared.config), *arguments],
            capture_output=True, text=True, cwd=prepared.folder, timeout=60,
        )  # fmt: skip

    run.prepared = prepared
    return run


def test_check_reports_what_it_would_run_with(switchd):
    done = switchd("check")
    assert done.returncode == 0, done.stderr
    for text in ("rcb", "x9.19", "sm4-cmac", "unionpay-ecb", "aes-cmac", "opens under the master key"):
        assert text in done.stdout
    assert "FAILED" not in done.stdout and "holidays.toml tells of none: Saturdays and Sundays are off" in done.stdout


def test_check_reads_the_working_days_too(switchd):
    calendar = switchd.prepared.config.parent / "holidays.toml"
    calendar.write_text("holidays = [2027-01-01]\nworkdays = []\n")
    assert f"{calendar}: 1 days off, 0 weekend days worked, of 2027" in switchd("check").stdout
    calendar.write_text("holidays = [2027-01-01]\nworkdays = [2027-01-04]\n")
    done = switchd("check")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "2027-01-04 is a Monday" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[limits]", "[limits]\nbatch_maxx = 1", "batch_maxx"),
        ('dialect = "icbc"', 'dialect = "nobody"', "nobody"),
        ('cutover = "23:00:00"', 'cutover = "25:00:00"', "cutover"),
        ("[admin]", "[admin", "line"),
    ],
)
def test_check_says_in_one_line_what_is_wrong(switchd, old, new, says):
    config = switchd.prepared.config
    config.write_text(config.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    done = switchd("check")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and says in done.stderr


def test_check_tries_the_keys(switchd):
    with switchd.prepared.sql() as books:
        books.execute("UPDATE bank_key SET bank = 'swap' WHERE bank = 'rcb'")
        books.execute("UPDATE bank_key SET bank = 'rcb' WHERE bank = 'icbc'")
    done = switchd("check")
    assert done.returncode == 2 and "rcb" in done.stderr and done.stderr.count("\n") == 1


def test_explain_says_a_frame_in_words_with_its_mac_checked_and_persons_masked(switchd):
    for name, wire in switchd.prepared.wires.items():
        done = switchd("explain", "--dialect", name, wire.golden()["payment"].hex())
        assert done.returncode == 0, done.stderr
        assert "0200" in done.stdout and "330110" in done.stdout
        by_card = switchd("explain", "--dialect", name, wire.golden()["bill inquiry by citizen id and card"].hex())
        assert "6217001234567890123" not in by_card.stdout and "330110199912313452" not in by_card.stdout
    (switchd.prepared.folder / "books.db").unlink()
    assert switchd("explain", "--dialect", "rcb", switchd.prepared.wires["rcb"].golden()["echo"].hex()).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--dialect", "rcb", "xyz"], "hex"), (["--dialect", "none", "00"], "rcb"), (["00"], "--dialect"), ([], "HEX")],
)
def test_explain_says_in_one_line_what_was_typed_wrong(switchd, arguments, says):
    done = switchd("explain", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and says in done.stderr


def test_a_copied_dialect_goes_by_the_name_of_its_file_whatever_it_says_of_itself(switchd):
    config = switchd.prepared.config
    folder = config.parent / "dialects"
    folder.mkdir(exist_ok=True)
    (folder / "abc.toml").write_text((ROOT / "etc/dialects/icbc.toml").read_text(encoding="utf-8"), encoding="utf-8")
    table = """\n[banks.abc]\nname = "农业银行"\nnumber = "05"\ninstitution = "01030000"\ndialect = "abc"
listen = "127.0.0.1:8999"\nallow = ["127.0.0.1/32"]\ncutover = "23:00:00"\n"""
    config.write_text(config.read_text(encoding="utf-8") + table, encoding="utf-8")
    checked = switchd("check")
    assert checked.returncode == 0 and "dialect abc," in checked.stdout, checked.stderr
    frame = switchd.prepared.wires["icbc"].golden()["payment"].hex()
    for name, mac in (("abc", "no key"), ("icbc", "right")):
        told = switchd("explain", "--dialect", name, frame)
        assert told.returncode == 0 and mac in told.stdout.splitlines()[-1], told.stdout + told.stderr


def test_a_closed_standard_error_is_no_banks_socket():
    code = (
        "import os; os.close(2); from shebao.switch.cli import hold_standard_descriptors as hold; hold(); hold();"
        " os.fstat(2); print(os.open(os.devnull, 0) > 2)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.stdout == "True\n"
