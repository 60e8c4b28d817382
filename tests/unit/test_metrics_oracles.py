"""The metrics against NumPy, SciPy and pandas on random and recorded returns."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gpt_trader import metrics
from tests.shared_data import shared_data

pytestmark = pytest.mark.slow  # scipy alone takes long to load

BARS = 1500


def sample(kind: str) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Times and returns of a market."""
    if kind == "recorded":
        frame = pd.read_parquet(shared_data("equity/lean_daily.parquet"))
        frame = frame[frame["symbol"] == "SPY"]
        return pd.DatetimeIndex(frame["date"])[1:], frame["close"].pct_change().to_numpy()[1:]
    random = np.random.default_rng(7)
    returns = {
        "normal": random.normal(0.0004, 0.01, BARS),
        "fat tails": np.clip(random.standard_t(3, BARS) * 0.01, -0.9, None),
        "skewed": random.lognormal(-5.0, 1.0, BARS) - 0.01,
        "tiny spread on a large drift": 0.02 + random.normal(0.0, 1e-7, BARS),
    }[kind]
    return pd.bdate_range("2010-01-04", periods=BARS), returns


KINDS = ["normal", "fat tails", "skewed", "tiny spread on a large drift", "recorded"]


@pytest.fixture(params=KINDS)
def market(request: pytest.FixtureRequest) -> tuple[pd.DatetimeIndex, np.ndarray]:
    return sample(request.param)


def test_moments(market: tuple[pd.DatetimeIndex, np.ndarray]) -> None:
    _, returns = market
    annual = math.sqrt(252)
    assert metrics.volatility(returns) == pytest.approx(np.std(returns, ddof=1) * annual, rel=1e-10)
    assert metrics.sharpe(returns) == pytest.approx(
        np.mean(returns) / np.std(returns, ddof=1) * annual, rel=1e-10
    )
    # SciPy's default is the population moment, as here; its kurtosis is in excess of 3 unless told otherwise.
    assert metrics.skew(returns) == pytest.approx(stats.skew(returns), rel=1e-9, abs=1e-10)
    assert metrics.kurtosis(returns) == pytest.approx(stats.kurtosis(returns, fisher=False), rel=1e-9)


def test_the_one_pass_summary_equals_the_moments_of_the_returns(
    market: tuple[pd.DatetimeIndex, np.ndarray],
) -> None:
    time, returns = market
    equity = 1e5 * np.cumprod(1.0 + returns)
    found = metrics.summarise(equity, time, 1e5, periods_per_year=252.0)
    held = metrics.returns(equity, 1e5)
    tolerance = 1e-6 if np.std(returns) < 1e-6 else 1e-10  # equity itself is rounded at 1e-16 of its size
    assert found["volatility"] == pytest.approx(np.std(held, ddof=1) * math.sqrt(252), rel=tolerance)
    assert found["sharpe"] == pytest.approx(metrics.sharpe(held), rel=tolerance)
    assert found["skew"] == pytest.approx(stats.skew(held), rel=tolerance, abs=1e-6)
    assert found["kurtosis"] == pytest.approx(stats.kurtosis(held, fisher=False), rel=tolerance)
    if (held < 0.0).any():
        downside = np.sqrt(np.mean(np.minimum(held, 0.0) ** 2))
        assert found["sortino"] == pytest.approx(held.mean() / downside * math.sqrt(252), rel=1e-10)
    else:
        assert math.isnan(found["sortino"])


def test_curve_against_pandas(market: tuple[pd.DatetimeIndex, np.ndarray]) -> None:
    time, returns = market
    equity = pd.Series(1e5 * np.cumprod(1.0 + returns), index=time)
    with_capital = np.concatenate([[1e5], equity.to_numpy()])
    below = with_capital / np.maximum.accumulate(with_capital) - 1.0
    np.testing.assert_allclose(metrics.drawdown(equity, 1e5), below[1:], atol=1e-15)
    np.testing.assert_allclose(
        metrics.returns(equity, 1e5), pd.Series(with_capital).pct_change()[1:], atol=1e-15
    )
    found = metrics.summarise(equity, time, 1e5, periods_per_year=252.0)
    assert found["max_drawdown"] == pytest.approx(below.min(), abs=1e-15)
    years = (time[-1] - time[0]) / pd.Timedelta(days=365.25)
    assert found["cagr"] == pytest.approx((equity.iloc[-1] / 1e5) ** (1 / years) - 1, rel=1e-9)


def test_length_of_the_deepest_drawdown_against_a_plain_search(
    market: tuple[pd.DatetimeIndex, np.ndarray],
) -> None:
    time, returns = market
    equity = 1e5 * np.cumprod(1.0 + returns)
    found = metrics.summarise(equity, time, 1e5, periods_per_year=252.0)
    below = metrics.drawdown(equity, 1e5)
    trough = int(np.argmin(below))
    if below[trough] == 0.0:
        assert found["max_drawdown_bars"] == found["max_drawdown_days"] == 0.0
        return
    highs = np.flatnonzero(below == 0.0)
    before, after = highs[highs < trough], highs[highs > trough]
    peak = int(before[-1]) if before.size else -1
    end = int(after[0]) if after.size else len(time) - 1
    assert found["max_drawdown_bars"] == end - peak
    assert found["max_drawdown_days"] == (time[end] - time[max(peak, 0)]) / pd.Timedelta(days=1)


def test_months_against_pandas(market: tuple[pd.DatetimeIndex, np.ndarray]) -> None:
    time, returns = market
    equity = pd.Series(1e5 * np.cumprod(1.0 + returns), index=time)
    ends = equity.resample("ME").last().dropna()
    expected = ends / ends.shift(1, fill_value=1e5) - 1.0
    found = metrics.monthly_returns(time, equity, 1e5)
    np.testing.assert_allclose(found.value, expected, atol=1e-14)
    np.testing.assert_array_equal(found.year, ends.index.year)
    np.testing.assert_array_equal(found.month, ends.index.month)


@pytest.mark.parametrize("window", [2, 21, 126])
def test_rolling_against_pandas(market: tuple[pd.DatetimeIndex, np.ndarray], window: int) -> None:
    _, returns = market
    returns = returns.copy()
    returns[[0, 200]] = np.nan
    windows = pd.Series(returns).rolling(window)
    # pandas updates its sums from window to window and drifts; ours are computed anew, so compare each window anew.
    expected = windows.apply(lambda held: np.std(held, ddof=1), raw=True).to_numpy()
    means = windows.apply(np.mean, raw=True).to_numpy()
    np.testing.assert_allclose(
        metrics.rolling_volatility(returns, window, 252.0), expected * math.sqrt(252), rtol=1e-8
    )
    np.testing.assert_allclose(
        metrics.rolling_sharpe(returns, window, 252.0),
        means / expected * math.sqrt(252),
        rtol=1e-8,
        atol=1e-8,
    )


def test_quantile_and_trades_against_numpy(market: tuple[pd.DatetimeIndex, np.ndarray]) -> None:
    _, returns = market
    for confidence in (0.9, 0.95, 0.99):
        assert metrics.value_at_risk(returns, confidence) == -np.quantile(returns, 1.0 - confidence)
    pnl = returns * 1e4
    assert metrics.win_rate(pnl) == np.mean(pnl > 0)
    assert metrics.expectancy(pnl) == pytest.approx(np.mean(pnl), rel=1e-9)
    if (pnl < 0).any():
        assert metrics.profit_factor(pnl) == pytest.approx(
            pnl[pnl > 0].sum() / -pnl[pnl < 0].sum(), rel=1e-12
        )
