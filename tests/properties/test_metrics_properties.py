"""What must hold for the statistics of any account."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader import metrics
from gpt_trader.engine.metric_definitions import METRIC, METRIC_NAMES

CASH = {name for name in METRIC_NAMES if METRIC[name].unit == "cash"}

# Returns in steps of a tenth of a per cent: a spread is either nothing or far above rounding.
steps = st.lists(st.integers(-600, 900), min_size=1, max_size=60)
whole_numbers = st.lists(st.integers(-1000, 1000), min_size=1, max_size=40)
gaps = st.lists(st.integers(1, 40), min_size=60, max_size=60)


def curve(steps: list[int], capital: float = 1000.0) -> np.ndarray:
    return capital * np.cumprod(1.0 + np.array(steps) / 1000.0)


def dates(gaps: list[int], count: int) -> np.ndarray:
    return np.datetime64("2018-01-05", "ns") + np.cumsum(gaps[:count]) * np.timedelta64(
        86_400_000_000_000, "ns"
    )


def close(left: float, right: float, rel: float = 1e-7) -> bool:
    return (math.isnan(left) and math.isnan(right)) or left == pytest.approx(right, rel=rel, abs=1e-9)


@given(steps, gaps, st.integers(-30, 30))
def test_the_currency_does_not_matter(steps: list[int], gaps: list[int], power: int) -> None:
    """A factor that is a power of two changes no bit of a ratio, and scales what is cash."""
    equity, time, factor = curve(steps), dates(gaps, len(steps)), 2.0**power
    paid = {"traded_notional": 500.0, "commission": 3.0, "slippage": 2.0, "open_pnl": -7.0}
    trades = {"trade_return": [0.1, -0.05, 0.2], "trade_bars": [1, 4, 9], "periods_per_year": 252.0}
    pnl = np.array([5.0, -2.5, 11.0])
    plain = metrics.summarise(equity, time, 1000.0, trade_pnl=pnl, **paid, **trades)
    scaled = metrics.summarise(
        equity * factor,
        time,
        1000.0 * factor,
        trade_pnl=pnl * factor,
        **{name: value * factor for name, value in paid.items()},
        **trades,
    )
    for name in METRIC_NAMES:
        expected = plain[name] * factor if name in CASH else plain[name]
        assert scaled[name] == expected or (math.isnan(scaled[name]) and math.isnan(expected)), name


@given(steps, gaps, st.lists(st.tuples(st.integers(-90, 90), st.integers(0, 40)), max_size=12))
def test_a_metric_fits_its_format(steps: list[int], gaps: list[int], trips: list[tuple[int, int]]) -> None:
    """What is written without a sign is never negative, and what is written without decimals is whole."""
    equity, time = curve(steps), dates(gaps, len(steps))
    pnl, bars = np.array([trip[0] for trip in trips], float), np.array([trip[1] for trip in trips], np.int64)
    found = metrics.summarise(
        equity, time, 1000.0, gross=np.linspace(0.0, 1.0, equity.size), trade_pnl=pnl, trade_return=pnl / 100.0,
        trade_bars=bars, traded_notional=700.0, commission=3.0, slippage=2.0, open_pnl=-7.0, periods_per_year=252.0,
    )  # fmt: skip
    for name, value in found.items():
        written = METRIC[name].format
        if math.isfinite(value) and written in ("share", "cash", "count", "days", "bars", "times"):
            assert value >= 0.0, (name, written)
        if math.isfinite(value) and written in ("count", "days"):
            assert value == round(value), (name, written)


@given(steps, gaps, st.floats(1e-6, 1e6))
def test_any_other_factor_changes_the_rounding_only(steps: list[int], gaps: list[int], factor: float) -> None:
    equity, time = curve(steps), dates(gaps, len(steps))
    plain = metrics.summarise(equity, time, 1000.0, periods_per_year=252.0)
    scaled = metrics.summarise(equity * factor, time, 1000.0 * factor, periods_per_year=252.0)
    # Whether a bar is back at the high to the last bit may hang on rounding, and with it the length and the ratios of
    # a fall that is rounding itself.
    for name in (
        "total_return",
        "cagr",
        "volatility",
        "sharpe",
        "sortino",
        "max_drawdown",
        "skew",
        "kurtosis",
    ):
        assert close(scaled[name], plain[name]), name


@given(steps)
def test_drawdowns_lie_between_nothing_and_all(steps: list[int]) -> None:
    equity = curve(steps)
    below = metrics.drawdown(equity, 1000.0)
    assert ((below <= 0.0) & (below >= -1.0)).all()
    assert metrics.max_drawdown(equity, 1000.0) == min(0.0, below.min())
    listed = metrics.drawdowns(equity, 1000.0)
    assert [item.depth for item in listed] == sorted(item.depth for item in listed)
    if listed:
        found = metrics.summarise(equity, dates([1] * 60, equity.size), 1000.0)
        assert found["max_drawdown"] == listed[0].depth
        assert found["max_drawdown_bars"] == listed[0].bars


@given(steps)
def test_each_bar_below_its_high_belongs_to_one_drawdown(steps: list[int]) -> None:
    equity = curve(steps)
    below = metrics.drawdown(equity, 1000.0)
    covered = np.zeros(equity.size, np.int64)
    for item in metrics.drawdowns(equity, 1000.0):
        end = item.recovery if item.recovery >= 0 else equity.size
        inside = slice(item.peak + 1, end)
        covered[inside] += 1
        assert item.depth == below[inside].min() == below[item.trough]
        assert item.bars == (item.recovery if item.recovery >= 0 else equity.size - 1) - item.peak
        if item.peak >= 0:
            assert below[item.peak] == 0.0
    np.testing.assert_array_equal(covered, (below < 0.0).astype(np.int64))


@given(whole_numbers, st.randoms(use_true_random=False))
def test_the_order_of_the_trades_does_not_matter(pnl: list[int], random: object) -> None:
    rows = [(float(value), value / 1024.0, abs(value)) for value in pnl]
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (
        metrics.summarise(
            [1.0],
            ["2020-01-01"],
            1.0,
            trade_pnl=[row[0] for row in order],
            trade_return=[row[1] for row in order],
            trade_bars=[row[2] for row in order],
        )
        for order in (rows, shuffled)
    )
    np.testing.assert_array_equal(list(first.values()), list(second.values()))
    assert first["worst_trade"] <= first["best_trade"]
    assert 0.0 <= first["win_rate"] <= 1.0
    assert first["expectancy"] * first["round_trips"] == pytest.approx(sum(pnl), abs=1e-6)


@given(steps, gaps)
def test_months_compound_to_the_total(steps: list[int], gaps: list[int]) -> None:
    equity, time = curve(steps), dates(gaps, len(steps))
    months = metrics.monthly_returns(time, equity, 1000.0)
    assert np.prod(1.0 + months.value) - 1.0 == pytest.approx(
        metrics.total_return(equity, 1000.0), rel=1e-9, abs=1e-12
    )
    assert np.nanprod(1.0 + months.table()[1]) == pytest.approx(np.prod(1.0 + months.value), rel=1e-9)
    assert np.prod(1.0 + metrics.returns(equity, 1000.0)) == pytest.approx(equity[-1] / 1000.0, rel=1e-9)


@given(st.lists(st.integers(-900, 900), min_size=2, max_size=60), st.sampled_from([12.0, 252.0, 98280.0]))
def test_sharpe_has_the_sign_of_the_mean_and_turns_with_it(steps: list[int], periods: float) -> None:
    returns = np.array(steps) / 1024.0  # exact in binary
    ratio = metrics.sharpe(returns, periods_per_year=periods)
    if len(set(steps)) == 1:
        assert math.isnan(ratio)
        return
    assert np.sign(ratio) == np.sign(sum(steps))
    assert metrics.sharpe(-returns, periods_per_year=periods) == -ratio
    assert metrics.skew(-returns) == pytest.approx(-metrics.skew(returns), abs=1e-9)
    assert metrics.kurtosis(-returns) == pytest.approx(metrics.kurtosis(returns), rel=1e-9)
    assert metrics.kurtosis(returns) >= 1.0 + metrics.skew(returns) ** 2 - 1e-9  # Pearson's inequality
    assert metrics.volatility(returns, periods_per_year=periods) == pytest.approx(
        metrics.volatility(returns, periods_per_year=1.0) * math.sqrt(periods)
    )
    sortino = metrics.sortino(returns, periods_per_year=periods)
    if min(steps) < 0:
        assert np.sign(sortino) == np.sign(sum(steps))
    else:
        assert math.isnan(sortino)


@given(st.floats(-0.5, 0.5), st.floats(1e-6, 0.3), st.integers(2, 200), st.integers(0, 1000))
def test_one_pass_is_as_good_as_two_in_longer_numbers(
    drift: float, spread: float, count: int, seed: int
) -> None:
    noise = np.random.default_rng(seed).uniform(-1.0, 1.0, count)
    equity = 1000.0 * np.cumprod(1.0 + drift + spread * noise)
    returns = metrics.returns(equity, 1000.0).astype(np.longdouble)
    found = metrics.summarise(
        equity, dates([1] * 200, count) if count <= 60 else days(count), 1000.0, periods_per_year=1.0
    )
    mean = returns.mean()
    distance = returns - mean
    variance = (distance**2).mean()
    assert found["volatility"] == pytest.approx(float(np.sqrt(variance * count / (count - 1))), rel=1e-8)
    assert found["skew"] == pytest.approx(float((distance**3).mean() / variance**1.5), rel=1e-6, abs=1e-6)
    assert found["kurtosis"] == pytest.approx(float((distance**4).mean() / variance**2), rel=1e-6)
    assert found["sharpe"] == pytest.approx(
        float(mean / np.sqrt(variance * count / (count - 1))), rel=1e-7, abs=1e-9
    )


def days(count: int) -> np.ndarray:
    return np.datetime64("2018-01-05", "ns") + np.arange(count) * np.timedelta64(86_400_000_000_000, "ns")


@given(steps, st.integers(1, 59), st.integers(2, 10))
def test_the_future_changes_nothing(steps: list[int], cut: int, window: int) -> None:
    equity = curve(steps)
    cut = min(cut, equity.size)
    np.testing.assert_array_equal(
        metrics.drawdown(equity, 1000.0)[:cut], metrics.drawdown(equity[:cut], 1000.0)
    )
    returns = metrics.returns(equity, 1000.0)
    np.testing.assert_array_equal(returns[:cut], metrics.returns(equity[:cut], 1000.0))
    for function in (metrics.rolling_sharpe, metrics.rolling_volatility):
        np.testing.assert_array_equal(function(returns, window)[:cut], function(returns[:cut], window))


@given(steps, st.integers(2, 12))
def test_a_rolling_value_is_the_value_of_its_window(steps: list[int], window: int) -> None:
    returns = metrics.returns(curve(steps), 1000.0)
    sharpe, spread = metrics.rolling_sharpe(returns, window), metrics.rolling_volatility(returns, window)
    assert np.isnan(spread[: window - 1]).all()
    for t in range(window - 1, returns.size):
        held = returns[t - window + 1 : t + 1]
        assert spread[t] == metrics.volatility(held)
        np.testing.assert_array_equal(sharpe[t], metrics.sharpe(held))


@given(st.lists(st.floats(-0.9, 0.9), min_size=1, max_size=60))
def test_more_confidence_is_no_less_risk(returns: list[float]) -> None:
    risks = [metrics.value_at_risk(returns, confidence) for confidence in (0.5, 0.9, 0.95, 0.99)]
    assert risks == sorted(risks)
    assert -max(returns) <= risks[0]
    assert risks[-1] <= -min(returns)
