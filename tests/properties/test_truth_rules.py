"""Every rule of the allocator, one property each, against plain loops over the run's own tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_trader import (
    Allocation,
    AtrStop,
    Bars,
    Costs,
    FillModel,
    Instrument,
    Result,
    RiskLimits,
    StopLoss,
    TakeProfit,
    TimeStop,
    TrailingStop,
)
from gpt_trader.engine.records import AccountState
from gpt_trader.strategies import load_strategy
from tests.markets import random_market
from tests.properties.truth_cases import (
    FREE,
    NAN,
    fills_of,
    flat,
    market,
    prepared,
    random_weights,
    run,
    scripted,
    side_by_side,
    walk,
)

EXIT_MODES: dict[str, tuple[Any, ...]] = {
    "signal": (),
    "stop": (StopLoss(0.02),),
    "trailing": (TrailingStop(0.03),),
    "atr": (AtrStop(1.0, 5),),
    "target and time": (TakeProfit(0.02), TimeStop(4)),
}


def walked(strategy: Any, bars: Bars, **options: Any) -> Iterator[tuple[int, AccountState]]:
    """The run bar by bar, to look into the book after each."""
    m, book = prepared(strategy, bars, options)
    seen = bars.continuous()
    yield from walk(m, book, strategy.decide(_Row(strategy.features(seen), seen)))


class _Row:
    def __init__(self, features: Any, bars: Bars) -> None:
        self.__dict__.update(features, close=bars.close)


def held_after_each_fill(result: Result) -> Iterator[int]:
    """How many symbols are held after each fill of the run, splits counted."""
    bars, log = result.bars, result.log("fills")
    quantity = np.zeros(bars.N)
    for t in range(bars.T):
        quantity *= bars.split[t]
        for fill in log[log["bar"] == t]:
            quantity[fill["symbol"]] += fill["quantity"]
            yield int((np.abs(quantity) > 1e-9).sum())


# -- caps -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", EXIT_MODES)
@pytest.mark.parametrize("cap", [0.6, 0.25])
def test_wanted_weights_never_exceed_the_gross_cap(mode: str, cap: float) -> None:
    most = 0.0
    for seed in range(3):
        bars = random_market(150, 4, seed, sigma=0.02)
        strategy = scripted(random_weights(np.random.default_rng(seed), 150, 4), exits=EXIT_MODES[mode])
        for t, book in walked(strategy, bars, costs=FREE, allocation=Allocation(gross=cap)):
            total = np.abs(book.symbols["accepted"]).sum()
            assert total <= cap + 1e-12, t
            most = max(most, total)
    assert most > cap - 1e-9, "the cap was never reached"


@pytest.mark.parametrize("mode", ["signal", "stop", "target and time"])
@pytest.mark.parametrize("rebalance", ["signal", "bar"])
def test_gross_exposure_stays_under_the_cap_where_prices_do_not_drift(mode: str, rebalance: str) -> None:
    """Open and close of every bar are 100, so that what is held at a close is what was decided (exits trade inside the bar)."""
    rng = np.random.default_rng(4)
    bars = random_market(200, 4, 4)
    panel = bars.panel.copy()
    panel[[0, 3]] = 100.0
    panel[1], panel[2] = 100 + 3 * rng.random((200, 4)), 100 - 3 * rng.random((200, 4))
    bars = Bars(bars.symbols, bars.time, panel)
    strategy = scripted(random_weights(rng, 200, 4), exits=EXIT_MODES[mode])
    result = run(strategy, bars, allocation=Allocation(rebalance=rebalance))
    peak = np.maximum.accumulate(np.maximum(result.account_curves[0], 100_000))
    assert len(result.fills) > 100
    assert (result.account_curves[2] <= 0.6 * peak + 1e-6).all()
    if mode == "signal":
        assert (result.account_curves[2] <= 0.6 * result.account_curves[0] + 1e-6).all()
    assert result.account_curves[2].max() > 0.55 * 100_000


@pytest.mark.parametrize("mode", EXIT_MODES)
@pytest.mark.parametrize("seats", [1, 3])
def test_never_more_positions_than_seats(mode: str, seats: int) -> None:
    """After every single fill, not only at the close; gaps and a volume cap delay some of the sales that free a seat."""
    for seed in range(3):
        bars = random_market(150, 6, seed, gaps=0.05, volume=2_000, sigma=0.02)
        weights = random_weights(np.random.default_rng(seed), 150, 6)
        strategy = scripted(weights, exits=EXIT_MODES[mode])
        allocation = Allocation(max_positions=seats, gross=1.0, reentry="immediate")
        result = run(strategy, bars, allocation=allocation, fills=FillModel(0.1))
        counts = list(held_after_each_fill(result))
        assert max(counts) == seats
        assert result.positions.groupby("time").size().max() <= seats


@pytest.mark.parametrize("exit_mode", ["signal", "stop"])
def test_trend_breakout_holds_no_more_than_three_in_both_exit_modes(exit_mode: str) -> None:
    strategy = load_strategy("trend_breakout")(donchian=5, exit=3, atr=5, exit_mode=exit_mode)
    result = run(strategy, random_market(300, 8, 1, drift=0.001), allocation=Allocation(max_positions=3))
    assert max(held_after_each_fill(result)) == 3
    assert len(result.closed_trades) > 30


def test_seats_go_to_the_highest_scores_and_holders_keep_theirs() -> None:
    bars = side_by_side(*[market(flat(6))] * 4)
    table = np.full((6, 4), NAN)
    table[0, 3] = 0.1  # D enters alone at bar 0 and keeps its seat although it ranks last later
    table[1] = 0.1
    ranks = np.tile([1.0, 3.0, 2.0, 0.0], (6, 1))
    result = run(scripted(table, ranks=ranks), bars, allocation=Allocation(max_positions=2))
    assert [(t, symbol) for t, symbol, *_ in fills_of(result)] == [(1, "D"), (2, "B")]
    refused = result.decisions[result.decisions["rule"] == "max positions"]
    assert set(refused["symbol"]) == {"A", "C"}


def test_one_weight_is_cut_to_the_position_cap() -> None:
    bars = market(flat(4))
    result = run(scripted([0.9] * 4), bars, allocation=Allocation(gross=1.0, position=0.25))
    assert fills_of(result) == [(1, "A", 250.0, 100.0, "target")]
    assert result.decisions["rule"].iloc[0] == "position"


def test_without_shorts_no_fill_leaves_a_negative_quantity() -> None:
    for seed in range(3):
        bars = random_market(150, 3, seed)
        strategy = scripted(random_weights(np.random.default_rng(seed), 150, 3))
        with_shorts = run(strategy, bars)
        assert (with_shorts.positions["quantity"] < 0).any()
        result = run(strategy, bars, allocation=Allocation(gross=1.0, allow_short=False))
        assert (result.positions["quantity"] > 0).all()
        assert set(result.closed_trades["side"]) == {"long"}


def test_leverage_one_never_borrows_and_leverage_two_does() -> None:
    for leverage, lowest in ((1.0, 0.0), (2.0, -100_000.0)):
        allocation = Allocation(gross=2.0, position=2.0, leverage=leverage, rebalance="bar")
        result = run(scripted([2.0] * 80), random_market(80, 1, 3), allocation=allocation, costs=Costs())
        assert result.equity["cash"].min() >= lowest - 1e-6
        assert result.equity["cash"].min() < lowest + 60_000


# -- rebalancing ------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), least=st.sampled_from([0.01, 0.05, 0.2]))
def test_no_change_of_a_position_below_the_minimum_rebalance(seed: int, least: float) -> None:
    """Changes within one side are at least that share of equity; entries and full exits always pass."""
    rng = np.random.default_rng(seed)
    bars = random_market(60, 2, seed)
    weights = rng.choice([0.0, 0.004, 0.3, 0.32, 0.4, 0.5, -0.2], (60, 2))
    allocation = Allocation(gross=1.0, leverage=3.0, min_rebalance=least, rebalance="bar")
    result = run(scripted(weights), bars, allocation=allocation)
    quantity = np.zeros((60, 2))
    np.add.at(
        quantity, (result.log("fills")["bar"], result.log("fills")["symbol"]), result.log("fills")["quantity"]
    )
    quantity = quantity.cumsum(axis=0)
    for t in range(59):
        for n in range(2):
            before, after = quantity[t, n], quantity[t + 1, n]
            share = abs(after - before) * bars.close[t, n] / result.account_curves[0, t]
            if before * after > 0 and before != after:
                assert share >= least * (1 - 1e-9)
            if weights[t, n] == 0.0:
                assert after == 0.0


def test_a_small_change_is_skipped_until_it_has_grown() -> None:
    bars = market(flat(6))
    allocation = Allocation(gross=1.0, min_rebalance=0.1)
    result = run(scripted([0.5, 0.55, 0.58, 0.61, 0.61, 0.0]), bars, allocation=allocation)
    assert fills_of(result) == [(1, "A", 500.0, 100.0, "target"), (4, "A", 110.0, 100.0, "target")]
    refused = result.decisions[result.decisions["rule"] == "min rebalance"]
    assert list(refused["value"].round(10)) == [0.05, 0.08]


def first_bars_of(bars: Bars, cadence: str) -> set[int]:
    """Bar 0 and the first bar of each ISO week or calendar month, by pandas."""
    index = pd.DatetimeIndex(bars.time)
    weeks = index.isocalendar()
    parts = (weeks["year"], weeks["week"]) if cadence == "week" else (index.year, index.month)
    keys = list(zip(*parts, strict=True))
    return {t for t in range(bars.T) if t == 0 or keys[t] != keys[t - 1]}


@pytest.mark.parametrize("cadence", ["week", "month"])
@pytest.mark.parametrize("rebalance", ["signal", "bar"])
def test_a_cadence_decides_on_the_first_bar_of_its_period_only(cadence: str, rebalance: str) -> None:
    bars = random_market(400, 2, 8)
    keep = np.random.default_rng(0).random(400) < 0.85  # holidays: weeks and months that start late
    bars = Bars(bars.symbols, bars.time[keep], bars.panel[:, keep])
    weights = np.random.default_rng(1).choice([0.0, 0.3, 0.5], (bars.T, 2))
    allocation = Allocation(gross=1.0, cadence=cadence, rebalance=rebalance)
    result = run(scripted(weights), bars, allocation=allocation)
    allowed = first_bars_of(bars, cadence)
    decided = set(result.log("orders")["decided_bar"].tolist())
    assert decided <= allowed
    assert len(decided) > 0.8 * len(allowed)


def test_rebalancing_on_every_bar_holds_the_weight_and_on_signal_lets_it_drift() -> None:
    bars = random_market(60, 1, 6, sigma=0.03)
    lots = {"instruments": (Instrument("S0", lot=0.0),)}
    drifting = run(scripted([0.5] * 60), bars, **lots)
    held = run(scripted([0.5] * 60), bars, allocation=Allocation(gross=1.0, rebalance="bar"), **lots)
    assert len(drifting.fills) == 1
    assert len(held.fills) == 59
    wanted = 0.5 * held.account_curves[0, :-1] / bars.close[:-1, 0]
    np.testing.assert_allclose(held.positions["quantity"], wanted, rtol=1e-9)


def test_an_increase_that_is_renewed_under_a_halt_is_ordered_after_it() -> None:
    """The fall of bar 2 halts entries for its day; the same half of the equity is wanted anew at its close, and buys 27 more."""
    bars = market([*flat(2), *flat(4, 90.0)])
    limits = replace(RiskLimits.profile("custom"), daily_loss=0.03)
    result = run(scripted([0.5, NAN, 0.5, NAN, NAN, NAN]), bars, risk=limits)
    assert [(t, size) for t, _, size, _, _ in fills_of(result)] == [(1, 500.0), (4, 27.0)]


@pytest.mark.parametrize(
    ("volume", "lot", "cap", "each"),
    [
        (3.0, 0.001, 0.1, 0.3),  # less than a share, and yet three hundred lots
        (3.0, 0.0, 0.1, 0.3),
        (7.9, 0.25, 0.1, 0.75),
        (17.0, 1.0, 0.1, 1.0),
        (1_290.0, 50.0, 0.1, 100.0),
        (9.0, 1.0, 0.1, 0.0),
    ],
)
def test_a_bar_fills_its_share_of_the_volume_rounded_down_to_the_lot(
    volume: float, lot: float, cap: float, each: float
) -> None:
    bars = market(flat(6), volume=volume)
    wants = scripted([1_000.0] * 6, target="units")
    result = run(
        wants,
        bars,
        fills=FillModel(cap),
        instruments=(Instrument("A", lot=lot),),
        allocation=Allocation(gross=9, leverage=9),
    )
    quantities = result.log("fills")["quantity"]
    assert quantities == pytest.approx([each] * 5 if each else [], rel=1e-9)


# -- risk limits ------------------------------------------------------------------------------------------------------


def test_every_share_limit_of_the_profile_holds_on_every_decision() -> None:
    limits = RiskLimits(
        position=0.2, gross=0.8, net=0.4, cash=0.3, correlation=None, sector=None, order_volume=None
    )
    limits_off = {"daily_loss": None, "weekly_loss": None, "monthly_loss": None, "drawdown": None}
    limits = RiskLimits(**{name: getattr(limits, name) for name in limits.__dataclass_fields__} | limits_off)
    hits = dict.fromkeys(("position", "gross", "net"), 0)
    for seed in range(6):
        bars = random_market(120, 5, seed)
        strategy = scripted(random_weights(np.random.default_rng(seed), 120, 5))
        for _, book in walked(strategy, bars, costs=FREE, risk=limits, allocation=Allocation(gross=2.0)):
            accepted = book.symbols["accepted"]
            assert (np.abs(accepted) <= 0.2 + 1e-9).all()
            assert np.abs(accepted).sum() <= 0.7 + 1e-9
            assert abs(accepted.sum()) <= 0.4 + 1e-9
            hits["position"] += bool(np.abs(accepted).max() > 0.2 - 1e-9)
            hits["gross"] += bool(np.abs(accepted).sum() > 0.7 - 1e-9)
            hits["net"] += bool(abs(accepted.sum()) > 0.4 - 1e-9)
    assert min(hits.values()) > 5, hits


@pytest.mark.parametrize(
    ("limit", "loss"), [("daily_loss", 0.03), ("weekly_loss", 0.08), ("monthly_loss", 0.15)]
)
def test_a_loss_stops_entries_for_its_period_and_lets_exits_pass(limit: str, loss: float) -> None:
    """Half in, then a fall on Tuesday 2010-01-12 one cent a share short of the limit, or past it; B is wanted from then on."""
    off = dict.fromkeys(("position", "gross", "net", "daily_loss", "weekly_loss", "monthly_loss", "drawdown"))
    risk = RiskLimits(**off | {"cash": 0.0, "correlation": None, limit: loss})
    for cent, halted in ((0.01, False), (-0.01, True)):
        falling = market(flat(6) + flat(34, 100 - 200 * loss + cent))
        table = np.zeros((40, 2))
        table[:7, 0] = 0.5  # A is sold at the close of bar 7, halt or not
        table[6:, 1] = 0.4
        result = run(scripted(table), side_by_side(falling, market(flat(40))), risk=risk)
        over = {"daily_loss": 7, "weekly_loss": 10, "monthly_loss": 20}[
            limit
        ]  # Wednesday, Monday, 1 February
        assert [t for t, symbol, *_ in fills_of(result) if symbol == "A"] == [1, 8]
        assert [t for t, symbol, *_ in fills_of(result) if symbol == "B"] == [over + 1 if halted else 7]


@pytest.mark.parametrize("action", ["halt", "flatten"])
def test_a_drawdown_ends_entries_for_good(action: str) -> None:
    off = dict.fromkeys(
        ("position", "gross", "net", "daily_loss", "weekly_loss", "monthly_loss", "correlation")
    )
    risk = RiskLimits(**off, cash=0.0, drawdown=0.10, on_drawdown=action)
    rows = [*flat(3), (100.0, 100.0, 90.0, 90.0), *flat(60, 90.0)]
    table = np.full((64, 2), NAN)
    table[0, 0] = 1.0
    table[10::5, 1] = 0.5
    result = run(scripted(table), side_by_side(market(rows), market(flat(64))), risk=risk)
    assert [(t, symbol) for t, symbol, *_ in fills_of(result)] == [(1, "A")] + (
        [(4, "A")] if action == "flatten" else []
    )
    assert (result.decisions["rule"] == "halt").any()


def test_ruin_flattens_and_ends_trading() -> None:
    """Twice levered and down by half: nothing is left, and nothing is bought again."""
    rows = [*flat(3), (100.0, 100.0, 50.0, 50.0), *flat(20, 50.0)]
    allocation = Allocation(gross=2.0, position=2.0, leverage=2.0, rebalance="bar")
    result = run(scripted([2.0] * 24), market(rows), allocation=allocation)
    assert [(t, size) for t, _, size, *_ in fills_of(result)] == [(1, 2000.0), (4, -2000.0)]
    assert result.account_curves[0, -1] == pytest.approx(0.0)


def test_defaults_are_the_documented_ones() -> None:
    """docs/assumptions.md, table of defaults: 60 % gross, ten positions, 5 bp and 2 bp, whole shares, 10 % of the volume."""
    from gpt_trader import backtest

    bars = market([(100.0, 101.0, 99.0, 100.0)] * 10, volume=1000)
    result = backtest(scripted([1.0] * 10), bars)
    sizes = [size for _, _, size, *_ in fills_of(result)]
    assert sizes == [100.0, 100.0, 100.0, 100.0, 100.0, 100.0]
    notional = 100 * 100.0
    assert result.fills["commission"].iloc[0] == pytest.approx(notional * 5e-4)
    assert result.fills["slippage"].iloc[0] == pytest.approx(notional * (1e-4 + 0.1 * 0.1**2))


def test_with_fractional_lots_nothing_is_traded_that_is_worth_less_than_a_millionth() -> None:
    """A gross cap above the leverage leaves crumbs of cash, which bought positions worth less than a cent."""
    fills = trades = 0
    for seed in range(6):
        bars = random_market(200, 4, seed, sigma=0.02)
        weights = random_weights(np.random.default_rng(seed), bars.T, bars.N)
        lots = tuple(Instrument(name, lot=0.0) for name in bars.symbols)
        result = run(scripted(weights), bars, allocation=Allocation(gross=1.5), instruments=lots)
        worth = np.abs(result.log("fills")["quantity"]) * result.log("fills")["price"]
        equity = result.account_curves[0][np.maximum(result.log("fills")["bar"] - 1, 0)]
        closing = result.log("fills")["reason"] != 0
        assert ((worth > 0.9e-6 * equity) | closing).all()
        trade = result.log("trades")
        assert (np.abs(trade["quantity"]) * trade["entry_price"] > 0.9e-6 * equity.min()).all()
        fills, trades = fills + len(worth), trades + len(trade)
    assert fills > 500
    assert trades > 100


def test_the_last_crumbs_of_cash_buy_nothing() -> None:
    """A takes all but 0.00001 of the cash; that would buy a ten-millionth of a share of B."""
    bars = side_by_side(market(flat(4)), market(flat(4)))
    lots = (Instrument("A", lot=0.0), Instrument("B", lot=0.0))
    strategy = scripted([[999.9999999, 10.0]] * 4, target="units")
    result = run(strategy, bars, instruments=lots, costs=Costs.commission_only(0.0), capital=100_000.0)
    assert result.fills["symbol"].tolist() == ["A"]
    assert result.orders["end_reason"].tolist()[1] == "no buying power"
