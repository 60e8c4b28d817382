"""The naive rules and indicators by hand and against TA-Lib, and the reference's books on random markets."""

from __future__ import annotations

from math import nan, sqrt

import numpy as np
import pytest

from tests.parity import naive_rules
from tests.parity.reference import simulate
from tests.parity.reference_markets import bars_of, random_market
from tests.parity.reference_types import (
    FREE,
    Allocation,
    FillModel,
    ScaleOut,
    StopLoss,
    TakeProfit,
    TimeStop,
    TrailingStop,
)

FULL = Allocation(gross=1.0)
near = pytest.approx


# -- held, rules and the whole ----------------------------------------------------------------------------------------


def test_held_is_on_the_first_bars_share_basis() -> None:
    bars = bars_of({"A": [100, 100, 55, 60]}, split={("A", 2): 2.0})
    seen = []

    def decide(t: int, held: list[object]) -> list[float]:
        seen.append(held[0])
        return [0.5 if t == 0 else nan]

    simulate(bars, decide, capital=1_000, costs=FREE, allocation=FULL)  # type: ignore[arg-type]
    # 5 shares at 100; after the split 10 at 55: entry 100, peak 55 x 2 = 110, then 120; weight 600 / 1100.
    assert [(h.entry, h.peak, h.age) for h in seen[1:]] == [(100, 100, 0), (100, 110, 1), (100, 120, 2)]  # type: ignore[attr-defined]
    assert seen[-1].weight == near(600 / 1100)  # type: ignore[attr-defined]
    assert seen[-1].quantity == 10  # type: ignore[attr-defined]


def test_indicators_agree_with_ta_lib() -> None:
    talib = pytest.importorskip("talib")
    bars = random_market(3, defects=False)
    high, low, close = (np.ascontiguousarray(a[-90:, 0]) for a in (bars.high, bars.low, bars.close))
    h, lo, c = high.tolist(), low.tolist(), close.tolist()
    np.testing.assert_allclose(
        naive_rules.wilder_atr(h, lo, c, 14), talib.ATR(high, low, close, 14), rtol=1e-10
    )
    np.testing.assert_allclose(naive_rules.wilder_rsi(c, 14), talib.RSI(close, 14), rtol=1e-10)
    np.testing.assert_allclose(naive_rules.sma(c, 20), talib.SMA(close, 20), rtol=1e-10)
    np.testing.assert_allclose(naive_rules.population_deviation(c, 20), talib.STDDEV(close, 20), rtol=1e-6)


def test_quantile_and_volatility_by_hand() -> None:
    assert naive_rules.quantile([4, 1, 3, 2], 0.75) == 3.25  # place 0.75 x 3 = 2.25 between 3 and 4
    close = [100.0, 110.0, 99.0]
    a, b = np.log(1.1), np.log(0.9)
    assert naive_rules.realised_volatility(close, 2)[2] == near(abs(a - b) / sqrt(2) * sqrt(252))


def test_rules_by_hand() -> None:
    bars = bars_of({"A": [10, 11, 12, 13, 9, 8]})
    breakout = naive_rules.trend_breakout(bars, donchian=3, exit=2, atr=2)
    assert np.isnan(breakout.targets[2][0])
    assert [row[0] for row in breakout.targets[3:]] == [1.0, 0.0, 0.0]  # 13 > 12; 9 < 12; 8 < 9
    assert breakout.score is not None
    assert breakout.score[3][0] == near(1 / 13)
    means = naive_rules.demo_ma(bars, fast=2, slow=3, atr=2)
    # fast 11.5 12.5 11 8.5, slow 11 12 11.33 10 from row 2 on
    assert [row[0] for row in means.targets] == [0, 0, 1, 1, 0, 0]


def test_momentum_by_hand() -> None:
    bars = bars_of({"A": [10] * 31 + [12], "B": [10] * 31 + [11], "C": [10] * 31 + [9]})
    rule = naive_rules.momentum(bars, lookback=5, top=1)
    assert rule.targets[31] == [1.0, 0.0, 0.0]  # 1 February
    assert all(np.isnan(value) for value in rule.targets[30])


@pytest.mark.parametrize("seed", range(40))
def test_pnl_adds_up_on_every_bar(seed: int) -> None:
    bars = random_market(seed)
    rng = np.random.default_rng(seed)
    targets = rng.choice([nan, nan, 0.0, 0.4, -0.4, 0.8], (bars.T, bars.N)).tolist()
    exits = (
        StopLoss(0.08),
        TrailingStop(0.1, after=0.03),
        TakeProfit(0.2),
        TimeStop(9),
        ScaleOut(((0.03, 0.4),)),
    )
    run = simulate(bars, targets, exits=exits, allocation=Allocation(gross=1.0), fills=FillModel(0.05))
    assert run.fills
    closed = dict.fromkeys(range(bars.T), 0.0)
    for trade in run.closed_trades:
        closed[trade.exit_t] += trade.pnl
    total = 0.0
    for t in range(bars.T):
        total += closed[t]
        assert run.equity[t] == near(100_000 + total + run.open_pnl[t], rel=1e-11)
    for fill in run.fills:
        if fill.reason != "delisted":
            assert bars.low[fill.t, fill.symbol] - 1e-9 <= fill.price <= bars.high[fill.t, fill.symbol] + 1e-9
