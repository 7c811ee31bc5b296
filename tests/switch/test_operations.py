"""What ships for operators in etc/: alert rules and dashboard name metrics that exist (C91, C93)."""

import json
import re
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from shebao.codecs.settings import Limits
from shebao.switch.lane import Lane
from shebao.switch.metrics import Metrics, StoreFacts
from shebao.switch.tally import CODES, MESSAGES, REJECT_REASONS, Tally

ETC = Path(__file__).resolve().parents[2] / "etc"
NAME = re.compile(r"\bshebao_[a-z_]+")


class Post:
    """What metrics read of a bank's listening post."""

    def __init__(self):
        self.tally, self.lines, self.in_flight = Tally(), set(), 0


class Logs:
    dropped = 0


@pytest.fixture
def posts():
    return {"rcb": Post(), "boc": Post()}


@pytest.fixture
def metrics(posts):
    lane = Lane(None, None, Clock(), None, None, Limits(), None)
    return Metrics(posts, lane, Logs())


def series(metrics):
    found = {}
    for line in metrics.text().decode().splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def test_every_series_of_the_contract_exists_with_0_from_the_start(metrics):
    found = series(metrics)
    for bank in ("rcb", "boc"):
        for message in MESSAGES:
            for code in CODES:
                assert found[f'shebao_requests_total{{bank="{bank}",code="{code}",message="{message}"}}'] == 0
            assert found[f'shebao_request_seconds_count{{bank="{bank}",message="{message}"}}'] == 0
        for reason in REJECT_REASONS:
            assert found[f'shebao_rejected_frames_total{{bank="{bank}",reason="{reason}"}}'] == 0
        for name in ("lines", "in_flight", "mac_failures_total", "collected_fen_total", "exceptions_open"):
            assert found[f'shebao_{name}{{bank="{bank}"}}'] == 0
        assert found[f'shebao_settlement_state{{bank="{bank}",state="OPEN"}}'] == 0
    assert found["shebao_batch_size_count"] == found["shebao_commit_seconds_count"] == 0


def test_counting_moves_the_one_series_and_unknown_labels_become_other(metrics, posts):
    before = series(metrics)
    tally = posts["rcb"].tally
    tally.request("payment", "00", 0.003)
    tally.request("payment", "ZZ", 99.0)
    tally.reject("length_digits")
    tally.reject("made up by a peer")
    tally.mac_failures += 1
    metrics.store = StoreFacts({"rcb": 12000}, {"rcb": 2}, {("rcb", "OPEN"): 1})
    after = series(metrics)
    assert set(before) == set(after), "no label comes from a peer"
    changed = {name: value for name, value in after.items() if value != before[name]}
    assert changed['shebao_requests_total{bank="rcb",code="other",message="payment"}'] == 1
    assert changed['shebao_rejected_frames_total{bank="rcb",reason="other"}'] == 1
    assert changed['shebao_request_seconds_bucket{bank="rcb",le="0.005",message="payment"}'] == 1
    assert changed['shebao_request_seconds_count{bank="rcb",message="payment"}'] == 2
    assert changed['shebao_collected_fen_total{bank="rcb"}'] == 12000
    assert not any('bank="boc"' in name for name in changed)


def test_help_says_whose_fact_each_metric_is(metrics):
    helps = [line for line in metrics.text().decode().splitlines() if line.startswith("# HELP")]
    assert helps and all("this process's own" in line or "fact of the store" in line for line in helps)


def known_names(metrics):
    names = {name.split("{")[0] for name in series(metrics)}
    return names | {name.removesuffix("_bucket") for name in names}  # a text may name the histogram itself


def test_alert_rules_and_dashboard_name_only_metrics_that_exist(metrics):
    known = known_names(metrics)
    for path in (ETC / "prometheus" / "rules.yml", ETC / "grafana" / "dashboard.json"):
        named = set(NAME.findall(path.read_text(encoding="utf-8")))
        assert named and named <= known, f"{path.name}: {named - known}"


def test_the_dashboard_loads_by_provisioning():
    text = (ETC / "grafana" / "dashboard.json").read_text(encoding="utf-8")
    dashboard = json.loads(text)
    assert "__inputs" not in dashboard and "${DS_" not in text
    variables = {v["name"]: v["type"] for v in dashboard["templating"]["list"]}
    assert variables["datasource"] == "datasource"
    for panel in dashboard["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
