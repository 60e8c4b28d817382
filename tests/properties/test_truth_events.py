"""Splits, dividends, delistings, halts and missing bars: who is paid, what is restated, what is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpt_trader import AtrStop, Bars, Costs, Instrument, StopLoss, Strategy, TakeProfit, TrailingStop, orders
from gpt_trader.errors import BadData
from tests.markets import random_market
from tests.properties.test_truth_orders import asks, trades
from tests.properties.truth_cases import (
    NAN,
    days,
    fills_of,
    flat,
    hold,
    market,
    random_weights,
    run,
    scripted,
    side_by_side,
)

MISSING = (NAN, NAN, NAN, NAN)


# -- dividends --------------------------------------------------------------------------------------------------------


def test_a_dividend_goes_to_the_holder_of_the_previous_close() -> None:
    """Ex-date bar 3. Held since bar 1: paid. Bought at the open of bar 3: not paid. Sold at the open of bar 3: still paid."""
    bars = market(flat(6), dividend={3: 2.0})
    early = run(scripted([1.0] * 6), bars)
    late = run(scripted(hold(6, 2)), bars)
    leaver = run(scripted([1.0, 1.0, 0.0, 0.0, 0.0, 0.0]), bars)
    assert [t for t, *_ in fills_of(late)] == [3]
    assert [t for t, *_ in fills_of(leaver)] == [1, 3]
    assert early.equity["equity"].tolist() == [100_000.0] * 3 + [102_000.0] * 3
    assert early.equity["cash"].tolist() == [100_000.0, 0.0, 0.0, 2_000.0, 2_000.0, 2_000.0]
    assert late.equity["equity"].tolist() == [100_000.0] * 6
    assert leaver.equity["equity"].iloc[-1] == 102_000.0
    assert leaver.closed_trades["income"].tolist() == [2_000.0]
    assert leaver.closed_trades["pnl"].tolist() == [2_000.0]


def test_a_short_pays_the_dividend() -> None:
    result = run(scripted([-1.0] * 6), market(flat(6), dividend={3: 2.0}))
    assert result.equity["equity"].tolist() == [100_000.0] * 3 + [98_000.0] * 3


def test_a_dividend_is_paid_per_share_after_the_split_of_the_same_bar() -> None:
    bars = market([*flat(3), *flat(3, 50.0)], split={3: 2.0}, dividend={3: 1.0})
    assert run(scripted([1.0] * 6), bars).equity["equity"].iloc[-1] == 102_000.0


def test_a_dividend_in_a_halted_bar_is_paid() -> None:
    rows = flat(6)
    rows[3] = MISSING
    result = run(scripted([1.0] * 6), market(rows, dividend={3: 2.0}))
    assert result.equity["equity"].tolist() == [100_000.0] * 3 + [102_000.0] * 3


# -- splits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("ratio", [2.0, 4.0, 0.5])
def test_a_split_changes_quantity_and_price_but_not_equity(ratio: float, side: float) -> None:
    bars = market([*flat(3), *flat(3, 100 / ratio)], split={3: ratio})
    result = run(scripted([side] * 6), bars)
    assert result.equity["equity"].tolist() == [100_000.0] * 6
    assert result.positions["quantity"].tolist() == [side * 1000.0] * 2 + [side * 1000.0 * ratio] * 3
    assert result.positions["open_pnl"].abs().max() == pytest.approx(0.0, abs=1e-9)


def test_a_split_that_leaves_a_fraction_pays_it_in_cash() -> None:
    """5 shares at 100, one for three: 1 share at 300 and two thirds of a share (200) in cash."""
    bars = market([*flat(3), *flat(3, 300.0)], split={3: 1 / 3})
    result = run(scripted([5.0] * 6, target="units"), bars)
    assert result.positions["quantity"].tolist() == [5.0, 5.0, 1.0, 1.0, 1.0]
    assert result.equity["cash"].iloc[-1] == pytest.approx(100_000 - 500 + 200)
    assert result.equity["equity"].iloc[-1] == pytest.approx(100_000)
    fractional = run(scripted([5.0] * 6, target="units"), bars, instruments=(Instrument("A", lot=0.0),))
    assert fractional.positions["quantity"].iloc[-1] == pytest.approx(5 / 3)
    assert fractional.equity["cash"].iloc[-1] == 100_000 - 500


def test_open_profit_after_a_split_that_left_a_fraction_starts_anew() -> None:
    """5 shares become 1 (and cash), which is sold; one share bought later at 330 and marked at 330 has earned nothing."""
    bars = market([*flat(3), *flat(2, 300.0), *flat(4, 330.0)], split={3: 1 / 3})
    result = run(scripted([5.0, 5.0, 5.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0], target="units"), bars)
    assert [(t, size) for t, _, size, *_ in fills_of(result)] == [(1, 5.0), (4, -1.0), (7, 1.0)]
    assert result.positions["open_pnl"].tolist()[-2:] == [0.0, 0.0]


def test_a_split_that_leaves_nothing_closes_the_position_in_cash() -> None:
    bars = market([*flat(3), *flat(3, 1000.0)], split={3: 0.1})
    result = run(scripted([5.0, *[NAN] * 5], target="units"), bars)
    assert result.positions["quantity"].tolist() == [5.0, 5.0]
    assert result.equity["equity"].tolist() == [100_000.0] * 6
    assert result.closed_trades["pnl"].tolist() == pytest.approx([0.0])
    assert result.metrics["open_pnl"] == 0.0


def test_a_split_in_the_row_of_a_missing_bar_takes_effect() -> None:
    rows = [*flat(3), MISSING, *flat(2, 50.0)]
    result = run(scripted([1.0] * 6), market(rows, split={3: 2.0}))
    assert result.equity["equity"].tolist() == [100_000.0] * 6
    assert result.positions["quantity"].tolist() == [1000.0] * 2 + [2000.0] * 3


def test_an_order_waiting_over_a_split_is_restated() -> None:
    """Decided at a close of 100, filled after a 2:1 split: 2,000 shares at 50, not 1,000."""
    bars = market([*flat(1), *flat(3, 50.0)], split={1: 2.0})
    assert [(t, size) for t, _, size, *_ in fills_of(run(scripted([1.0] * 4), bars))] == [(1, 2000.0)]


@pytest.mark.parametrize(
    ("order", "filled"),
    [
        (orders.limit(10, 90), (20.0, 45.0)),
        (orders.stop(10, 110), (20.0, 55.0)),
        (orders.stop_limit(10, 110, 112), (20.0, 55.0)),
        (orders.trailing_stop(10, 0.10), (20.0, 55.0)),
    ],
)
def test_resting_orders_are_restated_by_a_split(order: Any, filled: tuple[float, float]) -> None:
    """Placed at 100; 2:1 split in bar 2 (quiet at 50); bar 3 ranges from 44 to 55.5."""
    bars = market([*flat(2), *flat(1, 50.0), (50, 55.5, 44, 50), *flat(1, 50.0)], split={2: 2.0})
    result = asks({0: order}, None, bars=bars)
    found = trades(result)
    assert found[0][:2] == (3, filled[0])
    assert found[0][2] == pytest.approx(filled[1], rel=0.02)
    assert result.orders["quantity"].tolist() == [20.0]


def test_an_order_placed_after_a_split_is_priced_on_the_basis_the_strategy_sees() -> None:
    """After a 2:1 split the strategy still sees 100: a limit of 98 with legs at 104 and 90 means 49, 52 and 45 on the market."""
    rows = [*flat(2), *flat(1, 50.0), (50, 50, 48.5, 50), (50, 52.5, 49, 51), *flat(1, 51.0)]
    bars = market(rows, split={2: 2.0})
    result = asks({2: orders.limit(10, 98, take_profit=104, stop_loss=90)}, None, bars=bars)
    assert trades(result) == [(3, 10.0, 49.0), (4, -10.0, 52.0)]
    assert result.orders["limit"].iloc[0] == 49.0
    assert result.orders["stop"].dropna().tolist() == [45.0]


def test_bracket_legs_are_restated_by_a_split() -> None:
    script = {0: orders.market(10, take_profit=110, stop_loss=90)}
    up = market([*flat(2), *flat(1, 50.0), (50, 56, 49, 55), *flat(1, 55.0)], split={2: 2.0})
    down = market([*flat(2), *flat(1, 50.0), (50, 51, 44, 45), *flat(1, 45.0)], split={2: 2.0})
    assert trades(asks(script, None, bars=up)) == [(1, 10.0, 100.0), (3, -20.0, 55.0)]
    assert trades(asks(script, None, bars=down)) == [(1, 10.0, 100.0), (3, -20.0, 45.0)]


@pytest.mark.parametrize(
    ("rule", "price"),
    [(StopLoss(0.1), 45.0), (TrailingStop(0.1), 45.0), (TakeProfit(0.1), 55.0), (AtrStop(3.0, 3), 47.0)],
)
def test_declared_exits_are_restated_by_a_split(rule: Any, price: float) -> None:
    """Bought at 100, split 2:1, then a bar that ranges over every level. ATR is 2 before and 1 after the split."""
    calm = (100.0, 101.0, 99.0, 100.0)
    wide = (50, 56, 49.5, 55) if isinstance(rule, TakeProfit) else (50, 50.5, 44, 45)
    rows = [*[calm] * 7, (50, 50.5, 49.5, 50), wide, (45, 45, 45, 45)]
    result = run(scripted(hold(10, 4), exits=(rule,)), market(rows, split={7: 2.0}))
    assert [(t, size, round(p, 9)) for t, _, size, p, _ in fills_of(result)] == [
        (5, 1000.0, 100.0),
        (8, -2000.0, price),
    ]


def test_the_strategy_sees_no_jump_at_a_split() -> None:
    """Closes on the basis of the first bar, `held.entry` and `held.peak` beside them; `held.quantity` in real shares."""
    seen: list[Any] = []

    @dataclass(frozen=True)
    class Watcher(Strategy):
        def decide(self, now: Any, held: Any) -> Any:
            seen.append(
                (now.close[0], held.entry[0], held.peak[0], held.quantity[0], held.age[0], held.weight[0])
            )
            return np.ones(1)

    rows = [*flat(2), (100, 110, 100, 110), (55, 55, 55, 55), (54, 54, 54, 54)]
    run(Watcher(), market(rows, split={3: 2.0}))
    expected = [
        (100, NAN, NAN, 0, 0, 0), (100, 100, 100, 1000, 0, 1), (110, 100, 110, 1000, 1, 1), (110, 100, 110, 2000, 2, 1),
        (108, 100, 110, 2000, 3, 1),
    ]  # fmt: skip
    np.testing.assert_allclose(np.array(seen, float), np.array(expected, float))


def test_the_same_market_raw_and_split_adjusted_earns_the_same() -> None:
    """Fractional lots, random weights: raw prices with split events against prices restated beforehand."""
    for seed in range(5):
        raw = random_market(150, 3, seed, splits=True, dividends=True, gaps=0.02)
        adjusted = raw.continuous()
        lots = tuple(Instrument(name, lot=0.0) for name in raw.symbols)
        weights = random_weights(np.random.default_rng(seed), 150, 3)
        exits = (TrailingStop(0.05), AtrStop(2.0, 5), TakeProfit(0.08))
        both = [
            run(scripted(weights, exits=exits), bars, instruments=lots, costs=Costs(impact=0.1), fills=None)
            for bars in (raw, adjusted)
        ]
        assert (raw.split != 1.0).any()
        np.testing.assert_allclose(both[0].equity["equity"], both[1].equity["equity"], rtol=1e-6)
        assert len(both[0].fills) == len(both[1].fills) > 50


# -- leaving the market, halts, missing bars --------------------------------------------------------------------------


def test_a_delisted_position_is_closed_at_its_mark_without_costs() -> None:
    rows = [*flat(3), (100, 100, 80, 90), *[MISSING] * 3]
    result = run(
        scripted([1.0] * 7), market(rows, delisted=str(days(7)[3])[:10]), costs=Costs.commission_only(10)
    )
    assert [(t, size, price, reason) for t, _, size, price, reason in fills_of(result)][1:] == [
        (4, -999.0, 90.0, "delisted")
    ]
    assert result.fills["commission"].iloc[-1] == 0.0
    assert result.closed_trades["exit_reason"].tolist() == ["delisted"]
    assert result.positions["time"].max() == pd.Timestamp(days(7)[3])
    assert result.equity["equity"].iloc[-1] == result.equity["cash"].iloc[-1]


def test_a_symbol_that_only_stops_trading_keeps_its_mark() -> None:
    rows = [*flat(3), (100, 100, 80, 90), *[MISSING] * 3]
    result = run(scripted([1.0] * 7), market(rows))
    assert len(result.fills) == 1
    assert result.equity["equity"].tolist() == [100_000.0] * 3 + [90_000.0] * 4


def test_orders_of_a_delisted_symbol_are_cancelled_and_it_cannot_be_bought_again() -> None:
    bars = market(
        flat(8), delisted=str(days(8)[3])[:10]
    )  # bars go on after the last session, as a reused ticker's would
    result = run(scripted([NAN, NAN, NAN, 1.0, 1.0, 0.0, 1.0, 1.0]), bars)
    assert len(result.fills) == 0
    assert set(result.orders["status"]) <= {"cancelled"}


def test_nothing_fills_in_a_missing_bar_and_the_order_waits() -> None:
    rows = [*flat(1), MISSING, MISSING, *flat(2, 101.0)]
    result = run(scripted(hold(5)), market(rows))
    assert [(t, price) for t, _, _, price, _ in fills_of(result)] == [(3, 101.0)]


def test_a_stop_cannot_fire_in_a_missing_bar_and_fills_at_the_reopening() -> None:
    rows = [*flat(3), MISSING, (80, 85, 79, 84), *flat(2, 84)]
    result = run(scripted([1.0] * 7, exits=(StopLoss(0.05),)), market(rows))
    assert [(t, price) for t, _, _, price, _ in fills_of(result)][1:] == [(4, 80.0)]


def test_a_missing_bar_of_one_symbol_does_not_stop_the_others() -> None:
    gap = flat(6)
    gap[2] = MISSING
    table = np.full((6, 2), 0.4)
    table[2] = 0.0  # A is missing at bar 2: only B is sold then; A is sold after bar 3
    table[3:] = 0.0
    result = run(scripted(table), side_by_side(market(gap), market(flat(6))))
    assert [(t, symbol, size) for t, symbol, size, *_ in fills_of(result)] == [
        (1, "A", 400.0), (1, "B", 400.0), (3, "B", -400.0), (4, "A", -400.0),
    ]  # fmt: skip


def test_one_bar_of_history_is_a_run_without_trades() -> None:
    result = run(scripted([1.0]), market(flat(1)), benchmark=True)
    assert result.equity["equity"].tolist() == [100_000.0]
    assert result.orders["status"].tolist() == ["accepted"]
    assert result.metrics["total_return"] == 0.0
    assert np.isnan(result.metrics["sharpe"])
    assert result.warnings


def test_a_borrow_fee_is_charged_by_calendar_days() -> None:
    """Short 1,000 at 100 from Tuesday on, 3.65 % a year: 10 a day, so 30 over the weekend (Friday is bar 4)."""
    result = run(scripted([-1.0] * 7), market(flat(7)), costs=Costs(0, 0, 0, 0, 0, 0, borrow=0.0365))
    steps = -np.diff(result.equity["equity"].to_numpy())
    np.testing.assert_allclose(steps, [0, 10, 10, 10, 30, 10])
    assert result.metrics["borrow"] == pytest.approx(70)


# -- bars that are none -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        (0, -1.0, "not positive"),
        (3, 0.0, "not positive"),
        (1, np.inf, "not positive"),
        (2, NAN, "NaN"),
        (1, 50.0, "high is below low"),
        (4, -5.0, "volume"),
        (5, 0.0, "split"),
        (6, NAN, "dividend"),
    ],
)
def test_a_broken_bar_is_refused_with_its_row_and_rule(field: int, value: float, words: str) -> None:
    panel = market(flat(5)).panel.copy()
    panel[field, 2, 0] = value
    with pytest.raises(BadData, match=f"A row 2 .*{words}"):
        Bars(("A",), days(5), panel)


@pytest.mark.parametrize("order", [[0, 1, 1, 3, 4], [0, 1, 3, 2, 4]])
def test_times_that_repeat_or_go_back_are_refused(order: list[int]) -> None:
    with pytest.raises(BadData, match=r"row [23] .*increase"):
        Bars(("A",), days(5)[order], market(flat(5)).panel)
