"""The metrics against quantstats, with every difference of definition undone and explained."""

from __future__ import annotations

import math
import warnings
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from gpt_trader import metrics
from tests.shared_data import shared_data

pytestmark = pytest.mark.slow  # importing quantstats with its plotting libraries takes six seconds

PERIODS = 252


@pytest.fixture(scope="module")
def oracle() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import quantstats

    return quantstats.stats  # type: ignore[no-any-return]


@pytest.fixture(params=["random", "recorded"])
def returns(request: pytest.FixtureRequest) -> pd.Series:
    if request.param == "random":
        values = np.random.default_rng(3).normal(0.0004, 0.012, 1000)
        return pd.Series(values, index=pd.bdate_range("2012-01-02", periods=1000))
    frame = pd.read_parquet(shared_data("equity/lean_daily.parquet"))
    frame = frame[frame["symbol"] == "IBM"]
    return pd.Series(frame["close"].to_numpy(), index=pd.DatetimeIndex(frame["date"])).pct_change().iloc[1:]


def summary(returns: pd.Series) -> dict[str, float]:
    equity = (1.0 + returns).cumprod() * 1e5
    return metrics.summarise(equity, returns.index, 1e5, periods_per_year=PERIODS)


def test_ratios_of_the_same_definition(oracle: ModuleType, returns: pd.Series) -> None:
    found = summary(returns)
    assert found["total_return"] == pytest.approx(oracle.comp(returns), rel=1e-9)
    assert found["volatility"] == pytest.approx(oracle.volatility(returns, periods=PERIODS), rel=1e-9)
    assert found["sharpe"] == pytest.approx(oracle.sharpe(returns, periods=PERIODS), rel=1e-9)
    assert found["sortino"] == pytest.approx(oracle.sortino(returns, periods=PERIODS), rel=1e-9)
    assert found["max_drawdown"] == pytest.approx(oracle.max_drawdown(returns), rel=1e-9)
    below = metrics.drawdown((1.0 + returns).cumprod(), 1.0)
    np.testing.assert_allclose(below, oracle.to_drawdown_series(returns), atol=1e-12)


def test_rates(oracle: ModuleType, returns: pd.Series) -> None:
    """Both bring an annual rate to a bar by compounding. With one, quantstats measures the shortfall of its Sortino
    from that rate, which is our `target`."""
    sharpe = metrics.sharpe(returns, periods_per_year=PERIODS, risk_free=0.03)
    assert sharpe == pytest.approx(oracle.sharpe(returns, rf=0.03, periods=PERIODS), rel=1e-9)
    sortino = metrics.sortino(returns, periods_per_year=PERIODS, target=0.03)
    assert sortino == pytest.approx(oracle.sortino(returns, rf=0.03, periods=PERIODS), rel=1e-9)


def test_growth(oracle: ModuleType, returns: pd.Series) -> None:
    """quantstats counts years as bars / periods, we by the calendar; on a calendar of that length both agree."""
    step = np.timedelta64(round(len(returns) / PERIODS * 365.25 * 86_400e9 / (len(returns) - 1)), "ns")
    time = np.datetime64("2000-01-01", "ns") + step * np.arange(len(returns))
    equity = (1.0 + returns).cumprod()
    assert metrics.cagr(equity, time, 1.0) == pytest.approx(oracle.cagr(returns, periods=PERIODS), rel=1e-9)
    assert metrics.calmar(equity, time, 1.0) == pytest.approx(
        oracle.calmar(returns, periods=PERIODS), rel=1e-9
    )


def test_shape(oracle: ModuleType, returns: pd.Series) -> None:
    """quantstats takes pandas' small-sample estimators G1 and G2 (the latter in excess of 3), we the moments g1 and b2
    that the deflated Sharpe ratio is written in (Joanes and Gill 1998, The Statistician 47(1), gives both)."""
    found, n = summary(returns), len(returns)
    corrected = found["skew"] * math.sqrt(n * (n - 1)) / (n - 2)
    assert corrected == pytest.approx(oracle.skew(returns), rel=1e-9)
    excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (found["kurtosis"] - 3.0) + 6.0)
    assert excess == pytest.approx(oracle.kurtosis(returns), rel=1e-9)


def test_drawdown_table(oracle: ModuleType, returns: pd.Series) -> None:
    """quantstats counts from the first bar below the high to the last one, we from the high to the recovery."""
    details = oracle.drawdown_details(oracle.to_drawdown_series(returns)).sort_values(
        "max drawdown", kind="stable"
    )
    ours = metrics.drawdowns((1.0 + returns).cumprod(), 1.0)
    assert len(ours) == len(details)
    dates = returns.index.strftime("%Y-%m-%d")
    for mine, (_, theirs) in zip(ours[:20], details.iloc[:20].iterrows(), strict=True):
        assert mine.depth * 100 == pytest.approx(theirs["max drawdown"], rel=1e-9)
        assert dates[mine.peak + 1] == theirs["start"]
        assert dates[mine.trough] == theirs["valley"]
        last = mine.recovery - 1 if mine.recovery >= 0 else len(dates) - 1
        assert dates[last] == theirs["end"]


def test_months(oracle: ModuleType, returns: pd.Series) -> None:
    """quantstats shows months without a bar as 0, we as NaN."""
    theirs = oracle.monthly_returns(returns, eoy=False)
    years, table = metrics.monthly_returns(returns.index, (1.0 + returns).cumprod(), 1.0).table()
    assert [str(year) for year in years] == list(theirs.index)
    np.testing.assert_allclose(np.nan_to_num(table), theirs.to_numpy(), atol=1e-12)


def test_rolling_sharpe(oracle: ModuleType, returns: pd.Series) -> None:
    theirs = oracle.rolling_sharpe(returns, rolling_period=126, periods_per_year=PERIODS)
    ours = metrics.rolling_sharpe(returns, 126, PERIODS)
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-7)


def test_trades(oracle: ModuleType, returns: pd.Series) -> None:
    """quantstats takes each bar for a trade, and leaves zeros out of the win rate, where we count them as no win."""
    pnl = returns[returns != 0.0]
    assert metrics.win_rate(pnl) == pytest.approx(oracle.win_rate(pnl), rel=1e-12)
    assert metrics.profit_factor(pnl) == pytest.approx(oracle.profit_factor(pnl), rel=1e-9)
    with_zeros = pd.concat([pnl, pd.Series(0.0, index=pnl.index[-1:] + pd.Timedelta(days=1))])
    assert metrics.win_rate(with_zeros) < oracle.win_rate(with_zeros)
