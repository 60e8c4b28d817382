"""Accounts that no statistic was made for: each has a defined result, and what is undefined is NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gpt_trader import metrics

NAN, INF = math.nan, math.inf

# equity, capital -> the metrics of the curve that are NOT NaN.
CURVES: dict[str, tuple[list[float], float, dict[str, float]]] = {
    "no bar": ([], 100.0, {}),
    "one bar, a gain": (
        [110.0],
        100.0,
        {
            "total_return": 0.1,
            "max_drawdown": 0.0,
            "max_drawdown_bars": 0.0,
            "max_drawdown_days": 0.0,
            "final_equity": 110.0,
        },
    ),
    "one bar, a loss": (
        [90.0],
        100.0,
        {
            "total_return": -0.1,
            "sortino": -math.sqrt(252),  # a single loss is its own deviation
            "max_drawdown": -0.1,
            "max_drawdown_bars": 1.0,
            "max_drawdown_days": 0.0,
            "final_equity": 90.0,
        },
    ),
    "one bar, nothing left": (
        [0.0],
        100.0,
        {
            "total_return": -1.0,
            "sortino": -math.sqrt(252),
            "max_drawdown": -1.0,
            "max_drawdown_bars": 1.0,
            "max_drawdown_days": 0.0,
            "final_equity": 0.0,
        },
    ),
    "constant": (
        [100.0] * 4,
        100.0,
        {
            "total_return": 0.0,
            "cagr": 0.0,
            "volatility": 0.0,
            "max_drawdown": 0.0,
            "max_drawdown_bars": 0.0,
            "max_drawdown_days": 0.0,
            "final_equity": 100.0,
        },
    ),
    # -50 %, then -100 %: the year and the account are gone; the bars after the ruin have no return.
    "zero": (
        [50.0, 0.0, 0.0, 0.0],
        100.0,
        {
            "total_return": -1.0,
            "cagr": -1.0,
            "volatility": math.sqrt(0.125) * math.sqrt(252),
            "sharpe": -0.75 / math.sqrt(0.125) * math.sqrt(252),
            "sortino": -0.75 / math.sqrt((0.25 + 1.0) / 2) * math.sqrt(252),
            "calmar": -1.0,
            "max_drawdown": -1.0,
            "max_drawdown_bars": 4.0,
            "max_drawdown_days": 3.0,
            "skew": 0.0,
            "kurtosis": 1.0,
            "final_equity": 0.0,
        },
    ),
    # -50 %, then -120 %: a margin account owes money.
    "negative": (
        [50.0, -10.0, -20.0, -20.0],
        100.0,
        {
            "total_return": -1.2,
            "cagr": -1.0,
            "volatility": 0.7 / math.sqrt(2) * math.sqrt(252),
            "sharpe": -0.85 / (0.7 / math.sqrt(2)) * math.sqrt(252),
            "sortino": -0.85 / math.sqrt((0.25 + 1.44) / 2) * math.sqrt(252),
            "calmar": -1.0 / 1.2,
            "max_drawdown": -1.2,
            "max_drawdown_bars": 4.0,
            "max_drawdown_days": 3.0,
            "skew": 0.0,
            "kurtosis": 1.0,
            "final_equity": -20.0,
        },
    ),
    # Risen from the dead: the cash counts, the returns end with the ruin.
    "ruined and back": (
        [50.0, -10.0, 400.0, 800.0],
        100.0,
        {
            "total_return": 7.0,
            "cagr": 8.0 ** (365.25 / 3) - 1,
            "volatility": 0.7 / math.sqrt(2) * math.sqrt(252),
            "sharpe": -0.85 / (0.7 / math.sqrt(2)) * math.sqrt(252),
            "sortino": -0.85 / math.sqrt((0.25 + 1.44) / 2) * math.sqrt(252),
            "calmar": (8.0 ** (365.25 / 3) - 1) / 1.1,
            "max_drawdown": -1.1,
            "max_drawdown_bars": 3.0,
            "max_drawdown_days": 2.0,
            "skew": 0.0,
            "kurtosis": 1.0,
            "final_equity": 800.0,
        },
    ),
    "a hole": ([110.0, NAN, 120.0, 130.0], 100.0, {"final_equity": 130.0}),
    "a hole at the end": ([110.0, 120.0, NAN], 100.0, {}),
    "infinite": ([110.0, INF, 120.0], 100.0, {"final_equity": 120.0}),
    "no capital": ([110.0, 120.0], 0.0, {"final_equity": 120.0}),
    "negative capital": ([110.0, 120.0], -100.0, {"final_equity": 120.0}),
    "unknown capital": ([110.0, 120.0], NAN, {"final_equity": 120.0}),
    "endless capital": ([110.0, 120.0], INF, {"final_equity": 120.0}),
}
OF_THE_CURVE = metrics.summarise([1.0], ["2020-01-01"], 1.0).keys() - {
    "exposure",
    "mean_gross",
    "turnover",
    "costs",
    "commission",
    "slippage",
    "open_pnl",
    "round_trips",
    "win_rate",
    "profit_factor",
    "expectancy",
    "best_trade",
    "worst_trade",
    "average_trade_bars",
    "periods_per_year",
}


def days(count: int) -> Any:
    return np.datetime64("2020-01-01", "ns") + np.arange(count) * np.timedelta64(86_400_000_000_000, "ns")


@pytest.mark.parametrize("case", CURVES)
def test_curves(case: str) -> None:
    equity, capital, expected = CURVES[case]
    found = metrics.summarise(equity, days(len(equity)), capital, periods_per_year=252.0)
    assert {name for name in OF_THE_CURVE if not math.isnan(found[name])} == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name


def test_growth_at_one_rate_has_no_ratio_although_its_rounding_has_a_spread() -> None:
    equity = 100.0 * 1.01 ** np.arange(1, 301)
    assert np.unique(np.diff(equity) / equity[:-1]).size > 1
    found = metrics.summarise(equity, days(300), 100.0, periods_per_year=252.0)
    assert found["volatility"] == pytest.approx(0.0, abs=1e-12)
    assert all(math.isnan(found[name]) for name in ("sharpe", "sortino", "skew", "kurtosis", "calmar"))
    assert math.isnan(metrics.sharpe(np.full(300, 0.01)))


def test_growth_beyond_float64_is_unknown_not_infinite() -> None:
    found = metrics.summarise([1e250, 1e300], days(2), 1.0)
    assert math.isnan(found["cagr"])
    assert found["total_return"] == 1e300


def test_the_smallest_loss_is_not_a_calmar() -> None:
    found = metrics.summarise([100.0, np.nextafter(100.0, 0.0)], days(2), 100.0)
    assert -1e-15 < found["max_drawdown"] < 0.0
    assert math.isnan(found["calmar"])


def test_drawdowns_of_absurd_curves() -> None:
    assert metrics.drawdowns([], 100.0) == ()
    assert metrics.drawdowns([100.0, NAN, 90.0], 100.0) == ()
    assert metrics.drawdowns([100.0, 90.0], 0.0) == ()
    np.testing.assert_array_equal(metrics.drawdown([100.0, NAN, 50.0, 200.0], 100.0), [0.0, NAN, -0.5, 0.0])
    np.testing.assert_array_equal(metrics.drawdown([-5.0, 0.0], 0.0), [NAN, NAN])
    assert metrics.drawdown([-50.0], 100.0) == pytest.approx([-1.5])
    assert math.isnan(metrics.max_drawdown([100.0, NAN, 50.0], 100.0))


def test_returns_after_the_ruin() -> None:
    found = metrics.returns([50.0, -10.0, 400.0, 800.0], 100.0)
    np.testing.assert_allclose(found, [-0.5, -1.2, NAN, NAN])
    np.testing.assert_array_equal(metrics.returns([50.0, 60.0], -1.0), [NAN, NAN])
    np.testing.assert_array_equal(metrics.returns([0.0, 60.0]), [NAN, NAN])
    np.testing.assert_array_equal(metrics.returns([100.0, NAN, 110.0], 100.0), [0.0, NAN, NAN])
    assert metrics.returns([]).size == 0


@pytest.mark.parametrize("returns", [[], [NAN], [0.1], [NAN, 0.1, NAN]])
def test_fewer_than_two_returns(returns: list[float]) -> None:
    for function in (metrics.sharpe, metrics.volatility, metrics.skew, metrics.kurtosis):
        assert math.isnan(function(returns)), function
    if not any(value == value for value in returns):
        assert math.isnan(metrics.sortino(returns))
        assert math.isnan(metrics.value_at_risk(returns))
    assert np.isnan(metrics.rolling_sharpe(returns, 2)).all()


def test_a_single_loss_has_a_sortino() -> None:
    assert metrics.sortino([-0.1], periods_per_year=1.0) == pytest.approx(-1.0)
    assert math.isnan(metrics.sortino([0.1, 0.2]))


TRADES: dict[str, tuple[list[float], list[float], dict[str, float]]] = {
    "none": ([], [], {"round_trips": 0.0}),
    "one win": (
        [5.0],
        [0.1],
        {"round_trips": 1.0, "win_rate": 1.0, "expectancy": 5.0, "best_trade": 0.1, "worst_trade": 0.1},
    ),
    "one loss": (
        [-5.0],
        [-0.1],
        {
            "round_trips": 1.0,
            "win_rate": 0.0,
            "profit_factor": 0.0,
            "expectancy": -5.0,
            "best_trade": -0.1,
            "worst_trade": -0.1,
        },
    ),
    "all even": (
        [0.0, 0.0],
        [0.0, 0.0],
        {"round_trips": 2.0, "win_rate": 0.0, "expectancy": 0.0, "best_trade": 0.0, "worst_trade": 0.0},
    ),
    "unknown profit": ([5.0, NAN], [0.1, 0.2], {"round_trips": 2.0, "best_trade": 0.2, "worst_trade": 0.1}),
    "unknown return": (
        [6.0, -3.0],
        [0.1, NAN],
        {"round_trips": 2.0, "win_rate": 0.5, "profit_factor": 2.0, "expectancy": 1.5},
    ),
    "endless profit": ([INF, -3.0], [INF, -0.1], {"round_trips": 2.0}),
}


@pytest.mark.parametrize("case", TRADES)
def test_trades(case: str) -> None:
    pnl, returns, expected = TRADES[case]
    found = metrics.summarise([1.0], ["2020-01-01"], 1.0, trade_pnl=pnl, trade_return=returns)
    names = ("round_trips", "win_rate", "profit_factor", "expectancy", "best_trade", "worst_trade")
    assert {name: found[name] for name in names if not math.isnan(found[name])} == pytest.approx(expected)
    assert math.isnan(metrics.win_rate([]))


@pytest.mark.parametrize(
    ("gross", "exposure", "mean_gross"),
    [
        ([0.0, 0.0], 0.0, 0.0),
        ([-0.5, 1.5], 1.0, 1.0),
        ([0.5, NAN, 0.0, INF], 0.5, 0.25),
        ([NAN, NAN], NAN, NAN),
        ([], NAN, NAN),
    ],
)
def test_exposure(gross: list[float], exposure: float, mean_gross: float) -> None:
    found = metrics.summarise([1.0] * len(gross), days(len(gross)), 1.0, gross=gross)
    np.testing.assert_array_equal([found["exposure"], found["mean_gross"]], [exposure, mean_gross])


def test_turnover_without_equity_or_time() -> None:
    assert math.isnan(metrics.turnover(100.0, [], []))
    assert math.isnan(metrics.turnover(100.0, [100.0], days(1)))
    assert math.isnan(metrics.turnover(100.0, [100.0, -300.0], days(2)))
    assert metrics.turnover(0.0, [100.0, 100.0], days(2)) == 0.0


def test_months_of_absurd_curves() -> None:
    empty = metrics.monthly_returns([], [], 100.0)
    assert empty.value.size == 0
    assert empty.table()[1].shape == (0, 12)
    ruined = metrics.monthly_returns(["2020-01-31", "2020-02-29", "2020-03-31"], [50.0, -10.0, 5.0], 100.0)
    np.testing.assert_allclose(ruined.value, [-0.5, -1.2, NAN])
