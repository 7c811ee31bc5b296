"""Percentiles and what is counted."""

import pytest

from shebao.simulators.load import Measured, percentile, report


@pytest.mark.parametrize(
    ("values", "per_cent", "right"),
    [
        ([], 50, 0.0),
        ([3.0], 99, 3.0),
        ([1.0, 2.0, 3.0, 4.0], 50, 2.0),
        (list(range(1, 101)), 99, 99),
        ([1.0, 9.0], 100, 9.0),
    ],
)
def test_percentile(values: list[float], per_cent: float, right: float) -> None:
    assert percentile(values, per_cent) == right


def test_the_report_is_one_line() -> None:
    line = report(Measured(2000, 2100, 0.5, 4000.0, 3.21, 9.87, 12.0, 0))
    assert line == (
        "2000 payments in 0.50 s, 4000 a second; latency p50 3.2 ms, p99 9.9 ms, max 12.0 ms; "
        "2100 replies checked, 0 problems"
    )
