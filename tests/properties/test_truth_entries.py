"""Who may enter, when and with how much: cooldown, confirmation, regime, warm-up and risk sizing against plain loops."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_trader import (
    Allocation,
    Bars,
    StopLoss,
)
from gpt_trader.errors import UserError
from gpt_trader.strategies import SHIPPED
from tests.markets import random_market
from tests.properties.test_truth_rules import EXIT_MODES
from tests.properties.truth_cases import (
    NAN,
    Floats,
    fills_of,
    flat,
    hold,
    market,
    random_weights,
    run,
    scripted,
    shipped,
    side_by_side,
)
from tests.shipped_cases import SHIPPED_CASES

# -- entry filters ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bars_out", [1, 5])
@pytest.mark.parametrize("reentry", ["signal", "immediate"])
def test_a_cooldown_blocks_that_many_bars(bars_out: int, reentry: str) -> None:
    """Long on every bar; a stop throws the position out; the next entry is decided exactly `cooldown` bars after the exit."""
    rows = flat(20)
    rows[4] = (100, 100, 90, 100)
    table = hold(20)
    if reentry == "signal":
        table[5] = NAN  # a NaN makes the numbers after it a new signal
    allocation = Allocation(gross=1.0, cooldown=bars_out, reentry=reentry)
    result = run(scripted(table), market(rows), allocation=allocation, exits=(StopLoss(0.05),))
    decided = [0, 4 + max(bars_out, 2 if reentry == "signal" else 0)]
    assert [(t, reason) for t, *_, reason in fills_of(result)] == [
        (1, "target"), (4, "stop loss"), (decided[1] + 1, "target"),
    ]  # fmt: skip


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), cooldown=st.integers(1, 8), mode=st.sampled_from(sorted(EXIT_MODES)))
def test_no_entry_within_the_cooldown(seed: int, cooldown: int, mode: str) -> None:
    bars = random_market(80, 2, seed, sigma=0.02)
    strategy = scripted(random_weights(np.random.default_rng(seed), 80, 2), exits=EXIT_MODES[mode])
    allocation = Allocation(gross=1.0, cooldown=cooldown, reentry="immediate")
    result = run(strategy, bars, allocation=allocation)
    left: dict[str, int] = {}
    quantity = dict.fromkeys(bars.symbols, 0.0)
    decided = result.log("orders")["decided_bar"]
    for (t, symbol, size, *_), order in zip(fills_of(result), result.fills["order_id"], strict=True):
        before, quantity[symbol] = quantity[symbol], quantity[symbol] + size
        if before == 0.0:
            assert decided[order] - left.get(symbol, -999) >= cooldown
        elif before * quantity[symbol] <= 0:
            left[symbol] = t


def test_a_reversal_is_an_entry_within_the_cooldown() -> None:
    """rules.md: no re-entry for n bars after an exit. Long, then short on every bar: flat for five bars between."""
    table = [1.0] * 5 + [-0.5] * 15
    result = run(scripted(table), market(flat(20)), allocation=Allocation(gross=1.0, cooldown=5))
    assert [(t, size) for t, _, size, *_ in fills_of(result)] == [(1, 1000.0), (6, -1000.0), (12, -500.0)]


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), confirm=st.integers(1, 4))
def test_an_entry_waits_for_its_confirmations(seed: int, confirm: int) -> None:
    """Against a plain count of equal signs in a row; NaN breaks the row."""
    rng = np.random.default_rng(seed)
    wanted = rng.choice([1.0, 0.5, 0.0, NAN], 60, p=[0.4, 0.3, 0.2, 0.1])
    bars = random_market(60, 1, seed)
    result = run(scripted(wanted), bars, allocation=Allocation(gross=1.0, confirm=confirm))
    row, base, expected = 0, False, []
    for t in range(60):
        row = (
            0 if np.isnan(wanted[t]) else row + 1 if t and np.sign(wanted[t]) == np.sign(wanted[t - 1]) else 1
        )
        if wanted[t] == 0:
            base = False
        elif wanted[t] > 0 and not base and row >= confirm:
            base = True
            expected.append(t)
    entries = []
    held = 0.0
    for fill, order in zip(fills_of(result), result.fills["order_id"], strict=True):
        if held == 0.0:
            entries.append(int(result.log("orders")["decided_bar"][order]))
        held = round(held + fill[2], 9)
    assert entries == [t for t in expected if t < 59]


def test_the_regime_filter_stops_new_longs_only() -> None:
    """Against the index's close and its plain mean; bars before the mean exists count as no."""
    bars = random_market(300, 3, 12, sigma=0.02)
    weights = random_weights(np.random.default_rng(5), 300, 3)
    allocation = Allocation(gross=1.0, regime="S2", regime_window=20)
    result = run(scripted(weights), bars, allocation=allocation)
    index = bars.close[:, 2]
    allowed = [t >= 19 and index[t] >= index[t - 19 : t + 1].mean() for t in range(300)]
    held = np.zeros(3)
    seen = {True: 0, False: 0}
    orders = result.log("orders")
    for fill in result.log("fills"):
        n = fill["symbol"]
        before, held[n] = held[n], round(held[n] + fill["quantity"], 9)
        if before <= 0 < held[n]:
            assert allowed[orders["decided_bar"][fill["order"]]]
            seen[True] += 1
        elif held[n] < 0 <= before or held[n] == 0:
            seen[False] += not allowed[orders["decided_bar"][fill["order"]]]
    assert seen[True] > 20
    assert seen[False] > 20, "shorts and exits pass in both regimes"
    assert (result.decisions["rule"] == "regime").any()


def test_the_regime_of_a_split_adjusted_index_ignores_the_split() -> None:
    """A 4:1 split of the index is no fall below its mean."""
    bars = side_by_side(market(flat(40)), market(flat(20, 400.0) + flat(20, 100.0), split={20: 4.0}))
    table = np.full((40, 2), NAN)
    table[25, 0] = 1.0
    result = run(scripted(table), bars, allocation=Allocation(gross=1.0, regime="B", regime_window=10))
    assert [t for t, *_ in fills_of(result)] == [26]


def index_case() -> tuple[Bars, Bars, Floats, Allocation]:
    """Two traded symbols, the index S2 as bars of its own with every seventh session missing, weights and the filter."""
    three = random_market(300, 3, 12, sigma=0.02)
    keep = np.arange(300) % 7 != 3
    index = Bars(("S2",), three.time[keep], three.panel[:, keep][:, :, [2]])
    weights = random_weights(np.random.default_rng(5), 300, 2)
    return three.select(["S0", "S1"]), index, weights, Allocation(gross=1.0, regime="S2", regime_window=20)


def test_an_index_that_is_not_traded_counts_with_its_last_bar() -> None:
    """Against a plain loop: the last close of the index at or before t, against the mean of its own last 20 bars."""
    bars, index, weights, allocation = index_case()
    result = run(scripted(weights), bars, allocation=allocation, index=index)
    close = index.close[:, 0]
    allowed = []
    for time in bars.time:
        last = int((index.time <= time).sum()) - 1
        allowed.append(last >= 19 and close[last] >= close[last - 19 : last + 1].mean())
    orders, held, entries = result.log("orders"), np.zeros(2), 0
    for fill in result.log("fills"):
        n = fill["symbol"]
        before, held[n] = held[n], round(held[n] + fill["quantity"], 9)
        if before <= 0 < held[n]:
            assert allowed[orders["decided_bar"][fill["order"]]]
            entries += 1
    assert entries > 20
    assert (result.decisions["rule"] == "regime").sum() > 20


def test_later_bars_of_the_index_change_nothing_earlier() -> None:
    bars, index, weights, allocation = index_case()
    panel = index.panel.copy()
    panel[:4, 130:] *= np.random.default_rng(0).uniform(0.5, 2.0, (1, panel.shape[1] - 130, 1))
    count = int((bars.time < index.time[130]).sum())
    both = [
        run(scripted(weights), bars, allocation=allocation, index=found)
        for found in (index, Bars(index.symbols, index.time, panel))
    ]
    assert both[0].account_curves[:, :count].tobytes() == both[1].account_curves[:, :count].tobytes()
    assert both[0].account_curves.tobytes() != both[1].account_curves.tobytes()
    assert both[0].run_id != both[1].run_id, "the index decides with, so it belongs into the manifest"


def test_an_index_of_another_timeframe_is_refused() -> None:
    bars, index, weights, allocation = index_case()
    weekly = Bars(index.symbols, index.time, index.panel, "1w")
    with pytest.raises(UserError, match=r"timeframe|1w"):
        run(scripted(weights), bars, allocation=allocation, index=weekly)


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_is_bought_before_the_warm_up(name: str) -> None:
    earliest = []
    for seed in range(12):
        strategy = shipped(name, random.Random(seed))
        result = run(strategy, random_market(120, 3, seed, sigma=0.02))
        first = SHIPPED_CASES[name].warm_up(result.parameters)
        decided = result.log("orders")["decided_bar"]
        assert (decided >= first).all()
        earliest += (decided - first).tolist()
    assert min(earliest) <= 3, "the rule is not the one that was tested"


# -- risk sizing ------------------------------------------------------------------------------------------------------


def wilder_atr(bars: Bars, n: int, symbol: int) -> list[float]:
    """Average true range in plain loops: the mean of the first n true ranges, then (n - 1) parts old and one part new."""
    high, low, close = (array[:, symbol] for array in (bars.high, bars.low, bars.close))
    out = [NAN] * bars.T
    ranges = [max(high[t], close[t - 1]) - min(low[t], close[t - 1]) for t in range(1, bars.T)]
    if n < bars.T:
        out[n] = sum(ranges[:n]) / n
    for t in range(n + 1, bars.T):
        out[t] = out[t - 1] + (ranges[t - 1] - out[t - 1]) / n
    return out


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    share=st.sampled_from([0.001, 0.005, 0.02]),
    k=st.sampled_from([1.0, 2.0, 3.5]),
    n=st.integers(2, 20),
)
def test_risk_sizing_buys_equity_times_risk_over_the_stop_distance(
    seed: int, share: float, k: float, n: int
) -> None:
    bars = random_market(50, 1, seed)
    start = int(np.random.default_rng(seed).integers(n, 48))
    allocation = Allocation(
        gross=100.0, position=100.0, leverage=100.0, sizing="risk", risk=share, atr_k=k, atr=n
    )
    result = run(scripted(hold(50, start)), bars, allocation=allocation)
    expected = np.floor(100_000 * share / (k * wilder_atr(bars, n, 0)[start]) + 1e-9)
    assert [(t, size) for t, _, size, *_ in fills_of(result)] == [(start + 1, expected)]


def test_risk_sizing_buys_nothing_without_a_stop_distance() -> None:
    """No ATR yet, or an ATR of zero: refused, not a division by zero; the next bar with an ATR is used."""
    allocation = Allocation(gross=1.0, sizing="risk", atr=3)
    result = run(scripted([1.0] * 20), market(flat(20)), allocation=allocation)
    assert len(result.fills) == 0
    assert set(result.decisions["rule"]) == {"risk sizing"}


def test_risk_sizing_loses_the_risked_share_at_its_stop() -> None:
    """Bought at 100 with ATR 2 and k 2: 0.5 % of 100,000 over 4 dollars = 125 shares, which lose 500 at 96."""
    rows = [(100.0, 101.0, 99.0, 100.0)] * 8 + [(100.0, 100.5, 95.0, 97.0)]
    allocation = Allocation(gross=1.0, sizing="risk", atr=5)
    result = run(scripted(hold(9, 6)), market(rows), allocation=allocation, exits=(StopLoss(0.04),))
    assert [size for _, _, size, *_ in fills_of(result)] == [125.0, -125.0]
    assert result.closed_trades["pnl"].tolist() == [-500.0]
