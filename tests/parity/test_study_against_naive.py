"""A real `gpt-trader sweep` against what its papers say, worked out anew with numpy from single backtests.

Nothing of `gpt_trader.validation`, `gpt_trader.metrics` or the sweep is used on the naive side: equity curves of plain
`backtest` runs, and formulas as Bailey and López de Prado 2012 (probabilistic Sharpe ratio, minimum track record), 2014
(deflated Sharpe ratio, expected maximum) and Bailey et al. 2015 (CSCV) print them. What the papers leave open is taken
from docs: groups are bars T k // 16, and a point's plateau is the lower quartile of it and its neighbours, but never more
than its own value.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from gpt_trader import backtest, load_bars
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.strategies.demo_ma import DemoMa
from tests.e2e.command import cli

Floats = NDArray[np.float64]

SYMBOLS, START = ["AAPL", "MSFT"], "2007-01-01"
FAST, SLOW = (5, 10, 20), (30, 60, 90, 120)
GRID = ("--param", "fast=5,10,20", "--param", "slow=30:120:30")
WHERE = ("--symbols", "AAPL,MSFT", "--start", START)
CAPITAL, YEAR = 100_000.0, 252.0
NORMAL = NormalDist()
EULER = 0.5772156649015329
ROUNDING = 1e-9  # of sums of a thousand returns in another order


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = cli("sweep", "demo_ma", *GRID, *WHERE, "--workers", 1, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = done.json
    return found


@pytest.fixture(scope="module")
def table(folder: Path, told: dict[str, Any]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = pq.read_table(
        folder / "runs" / told["run_id"] / "points.parquet"
    ).to_pydict()
    return columns


@pytest.fixture(scope="module")
def returns() -> Floats:
    """(T, 12) simple returns of the account per bar, one column a point, the last parameter running fastest."""
    bars = load_bars(SYMBOLS, start=START)
    curves = [
        np.concatenate([[CAPITAL], backtest(DemoMa(fast=fast, slow=slow), bars).equity["equity"].to_numpy()])
        for fast, slow in itertools.product(FAST, SLOW)
    ]
    return np.column_stack([np.diff(curve) / curve[:-1] for curve in curves])


def sharpe(values: Floats) -> Floats:
    """Per bar."""
    ratio: Floats = values.mean(axis=0) / values.std(axis=0, ddof=1)
    return ratio


def moment(values: Floats, power: int) -> Floats:
    away = values - values.mean(axis=0)
    found: Floats = (away**power).mean(axis=0) / (away**2).mean(axis=0) ** (power / 2)
    return found


def psr(values: Floats, benchmark: float = 0.0) -> float:
    """2012, equation 9 (there with the kurtosis that a normal distribution has as 3)."""
    ratio = float(sharpe(values))
    below = 1.0 - float(moment(values, 3)) * ratio + (float(moment(values, 4)) - 1.0) / 4.0 * ratio**2
    return NORMAL.cdf((ratio - benchmark) * math.sqrt(len(values) - 1.0) / math.sqrt(below))


def expected_maximum(trials: int, variance: float) -> float:
    """2014, equation 1."""
    return math.sqrt(variance) * (
        (1.0 - EULER) * NORMAL.inv_cdf(1.0 - 1.0 / trials)
        + EULER * NORMAL.inv_cdf(1.0 - 1.0 / trials * math.exp(-1.0))
    )


def test_the_points_are_the_grid_in_its_order(table: dict[str, list[Any]]) -> None:
    assert list(zip(table["fast"], table["slow"], strict=True)) == list(itertools.product(FAST, SLOW))
    assert table["point"] == list(range(12))
    assert table["error"] == [None] * 12


def test_every_metric_is_that_of_a_backtest_to_the_last_bit(table: dict[str, list[Any]]) -> None:
    bars = load_bars(SYMBOLS, start=START)
    for row, (fast, slow) in enumerate(itertools.product(FAST, SLOW)):
        single = backtest(DemoMa(fast=fast, slow=slow), bars).metrics
        shared = single.keys() & table.keys()
        assert set(METRIC_NAMES) <= shared
        assert {name: table[name][row] for name in shared} == {name: single[name] for name in shared}


def test_the_metrics_follow_from_the_equity_curve(table: dict[str, list[Any]], returns: Floats) -> None:
    wealth = CAPITAL * np.cumprod(1.0 + returns, axis=0)
    peak = np.maximum.accumulate(np.vstack([np.full(12, CAPITAL), wealth]), axis=0)[1:]
    below = np.sqrt((np.minimum(returns, 0.0) ** 2).mean(axis=0))
    naive = {
        "sharpe": sharpe(returns) * math.sqrt(YEAR),
        "volatility": returns.std(axis=0, ddof=1) * math.sqrt(YEAR),
        "sortino": returns.mean(axis=0) / below * math.sqrt(YEAR),
        "skew": moment(returns, 3),
        "kurtosis": moment(returns, 4),
        "total_return": wealth[-1] / CAPITAL - 1.0,
        "final_equity": wealth[-1],
        "max_drawdown": (wealth / peak - 1.0).min(axis=0),
        "periods_per_year": np.full(12, YEAR),
    }
    for name, values in naive.items():
        np.testing.assert_allclose(table[name], values, rtol=ROUNDING, err_msg=name)


def test_the_best_point_and_its_statistics(told: dict[str, Any], returns: Floats) -> None:
    ratios = sharpe(returns)
    best = int(np.argmax(ratios))
    chosen, variance = returns[:, best], float(ratios.var(ddof=1))
    threshold = expected_maximum(12, variance)
    assert told["best"]["point"] == best
    assert told["trials"]["raw"] == told["trials"]["overlapping"] == told["trials"]["family"] == 12
    assert told["psr"] == pytest.approx(psr(chosen), rel=ROUNDING)
    assert told["dsr"] == pytest.approx(psr(chosen, threshold), rel=ROUNDING)
    assert told["statistics"]["threshold"] == pytest.approx(threshold * math.sqrt(YEAR), rel=ROUNDING)
    ratio, skew, kurtosis = (float(item[best]) for item in (ratios, moment(returns, 3), moment(returns, 4)))
    bars = (
        1.0 + (1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2) * (NORMAL.inv_cdf(0.95) / ratio) ** 2
    )
    assert told["min_track_record"]["bars"] == pytest.approx(bars, rel=ROUNDING)
    assert told["min_track_record"]["years"] == pytest.approx(bars / YEAR, rel=ROUNDING)
    assert 1.0 <= told["trials"]["effective"] <= 12.0


def test_the_probability_of_overfitting_by_brute_force(told: dict[str, Any], returns: Floats) -> None:
    """Of an even number of points no logit is 0, so the paper's "<= 0" and ours of halves are the same."""
    edges = np.arange(17) * len(returns) // 16
    groups = [returns[a:b] for a, b in itertools.pairwise(edges)]
    logits, inside, outside = [], [], []
    for half in itertools.combinations(range(16), 8):
        here = sharpe(np.concatenate([groups[g] for g in half]))
        there = sharpe(np.concatenate([groups[g] for g in range(16) if g not in half]))
        best = int(np.argmax(here))
        rank = 1 + int((there < there[best]).sum())
        logits.append(math.log(rank / (13.0 - rank)))  # w / (1 - w) of w = rank / 13
        inside.append(here[best])
        outside.append(there[best])
    assert len(logits) == told["overfitting"]["splits"] == told["overfitting"]["possible_splits"] == 12_870
    assert (
        told["pbo"]
        == told["overfitting"]["pbo"]
        == pytest.approx(np.mean(np.array(logits) <= 0.0), abs=1e-12)
    )
    edges = np.array(told["overfitting"]["logit_edges"])
    np.testing.assert_array_equal(np.histogram(logits, edges)[0], told["overfitting"]["logit_counts"])
    # block sums are kept in single precision: seven digits
    assert told["overfitting"]["in_sample_sharpe_per_bar"] == pytest.approx(np.mean(inside), rel=1e-6)
    assert told["overfitting"]["out_of_sample_sharpe_per_bar"] == pytest.approx(np.mean(outside), rel=1e-6)
    assert told["overfitting"]["probability_of_loss"] == np.mean(np.array(outside) < 0.0)
    slope, intercept = np.polyfit(inside, outside, 1)
    assert told["overfitting"]["degradation_slope"] == pytest.approx(slope, rel=1e-5)
    assert told["overfitting"]["degradation_intercept"] == pytest.approx(intercept, rel=1e-5)


def test_a_plateau_is_what_a_point_and_three_quarters_around_it_have_at_least(
    told: dict[str, Any], table: dict[str, list[Any]], returns: Floats
) -> None:
    values = (sharpe(returns) * math.sqrt(YEAR)).reshape(3, 4)
    scores = np.array(
        [
            [
                min(
                    values[i, j],
                    np.quantile(values[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2], 0.25, method="linear"),
                )
                for j in range(4)
            ]
            for i in range(3)
        ]
    ).ravel()
    np.testing.assert_allclose(table["plateau"], scores, rtol=ROUNDING)
    assert table["plateau"][told["most_robust"]["point"]] == max(table["plateau"])


def trials(*more: str) -> int:
    found: int = cli("trials", "show", "demo_ma", "--json", *more).json["trials"]
    return found


def test_what_is_counted_is_what_is_new(
    folder: Path, told: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert trials() == 12
    again = cli("sweep", "demo_ma", *GRID, *WHERE, "--workers", 1, "--json").json
    assert again["trials"] == told["trials"]
    cell = ("--param", "fast=10", "--param", "slow=60")
    assert cli("backtest", "demo_ma", *cell, *WHERE).code == 0
    assert trials() == 12
    assert cli("sweep", "demo_ma", *GRID, *WHERE, "--workers", 1, "--slippage-bps", 7).code == 0
    assert trials() == 24
    assert cli("backtest", "demo_ma", *cell, *WHERE, "--slippage-bps", 7).code == 0
    assert trials() == 24
    assert cli("backtest", "demo_ma", "--param", "fast=11", "--param", "slow=60", *WHERE).code == 0
    assert trials() == 25
