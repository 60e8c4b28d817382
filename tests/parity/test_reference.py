"""Timing, sizing, costs, corporate actions and entries of the reference, computed by hand in the comments."""

from __future__ import annotations

from math import nan

import pytest

from tests.parity.reference import simulate
from tests.parity.reference_markets import bars_of, column, fills_of
from tests.parity.reference_types import (
    FREE,
    Allocation,
    Costs,
    Limits,
    StopLoss,
)

FULL = Allocation(gross=1.0)
near = pytest.approx


# -- timing, sizing, gross --------------------------------------------------------------------------------------------


def test_a_decision_fills_at_the_next_open() -> None:
    bars = bars_of({"A": [(10, 10, 10, 10), (11, 12, 11, 12), 12]})
    run = simulate(bars, column(1, nan, nan), capital=1_000, costs=FREE, allocation=Allocation(gross=0.5))
    # 0.5 x 1000 / 10 = 50 shares, bought at 11: cash 1000 - 550 = 450; equity 450 + 50 x 12 = 1050.
    assert fills_of(run) == [(1, "buy", 50, 11)]
    assert run.cash == [1000, 450, 450]
    assert run.equity == [1000, 1050, 1050]


def test_gross_scales_all_targets_alike_then_truncates() -> None:
    bars = bars_of({"A": [10, 10], "B": [7, 7], "C": [20, 20]})
    run = simulate(bars, [[1.0, -0.5, 0.5]] * 2, capital=1_000, costs=FREE, allocation=Allocation(gross=0.6))
    # scale = 0.6 / 2 = 0.3: A 300 / 10 = 30; B -150 / 7 = -21.43 -> -21; C 150 / 20 = 7.5 -> 7.
    assert run.quantities[1] == [30, -21, 7]


def test_position_limit_cuts_before_gross() -> None:
    bars = bars_of({"A": [10, 10], "B": [10, 10]})
    allocation = Allocation(gross=0.6, position=0.4)
    run = simulate(bars, [[1.0, 0.4]] * 2, capital=1_000, costs=FREE, allocation=allocation)
    # Both are 0.4 after the cut; 0.8 is scaled to 0.6: 0.3 each = 30 shares.
    assert run.quantities[1] == [30, 30]


def test_risk_sizing_is_floor_of_equity_risk_over_k_atr() -> None:
    bars = bars_of({"A": [50, 50, 60, 60]})
    allocation = Allocation(gross=1.0, sizing="risk", risk=0.005, atr_k=2.0)
    run = simulate(
        bars,
        column(1, 1, 1, 1),
        capital=100_000,
        costs=FREE,
        allocation=allocation,
        atr={14: column(1.3, 9, 9, 9)},
    )
    # floor(100000 x 0.005 / (2 x 1.3)) = floor(192.3) = 192; later numbers of the same sign change nothing.
    assert fills_of(run) == [(1, "buy", 192, 50)]


def test_risk_sizing_is_zero_without_a_stop_distance() -> None:
    bars = bars_of({"A": [50, 50, 50]})
    allocation = Allocation(gross=1.0, sizing="risk")
    run = simulate(bars, column(1, 1, 1), costs=FREE, allocation=allocation, atr={14: column(nan, 0.0, 2.0)})
    assert run.fills == []


def test_minimum_rebalance_skips_small_changes_but_not_exits() -> None:
    bars = bars_of({"A": [10] * 6})
    allocation = Allocation(gross=1.0, min_rebalance=0.1)
    run = simulate(
        bars, column(0.5, 0.55, 0.61, 0.61, 0, 0), capital=1_000, costs=FREE, allocation=allocation
    )
    # 50; then 55 (5 % < 10 %: skipped, acted stays 0.5); 61 (11 %: +11); then flat.
    assert fills_of(run) == [(1, "buy", 50, 10), (3, "buy", 11, 10), (5, "sell", 61, 10)]


def test_minimum_rebalance_lets_small_entries_and_exits_pass() -> None:
    bars = bars_of({"A": [10] * 4})
    allocation = Allocation(gross=1.0, min_rebalance=0.1)
    run = simulate(bars, column(0.05, 0.05, 0, 0), capital=1_000, costs=FREE, allocation=allocation)
    assert fills_of(run) == [(1, "buy", 5, 10), (3, "sell", 5, 10)]


def test_a_state_target_is_not_rebalanced_unless_asked() -> None:
    bars = bars_of({"A": [10, 10, 20, 20]})
    held = simulate(bars, column(0.5, 0.5, 0.5, 0.5), capital=1_000, costs=FREE, allocation=FULL)
    assert fills_of(held) == [(1, "buy", 50, 10)]
    every = Allocation(gross=1.0, rebalance="bar")
    run = simulate(bars, column(0.5, 0.5, 0.5, 0.5), capital=1_000, costs=FREE, allocation=every)
    # t=2: equity 500 + 50 x 20 = 1500; 750 / 20 = 37.5 -> 37: sell 13.
    assert fills_of(run) == [(1, "buy", 50, 10), (3, "sell", 13, 20)]


def test_a_number_after_nan_renews_the_instruction() -> None:
    bars = bars_of({"A": [10, 10, 20, 20]})
    run = simulate(bars, column(0.5, nan, 0.5, nan), capital=1_000, costs=FREE, allocation=FULL)
    assert fills_of(run) == [(1, "buy", 50, 10), (3, "sell", 13, 20)]


def test_weekly_cadence_acts_on_mondays_only() -> None:
    bars = bars_of({"A": [10] * 12})  # 1 January 2024 is a Monday, so rows 0 and 7
    weights = [0.1 * (t + 1) for t in range(12)]
    allocation = Allocation(gross=1.0, cadence="week", position=9.0)
    run = simulate(bars, column(*weights), capital=1_000, costs=FREE, allocation=allocation)
    # 0.1 x 1000 / 10 = 10; at row 7 0.8: 80.
    assert fills_of(run) == [(1, "buy", 10, 10), (8, "buy", 70, 10)]


def test_units_are_quantities() -> None:
    bars = bars_of({"A": [10] * 3})
    run = simulate(bars, column(12, -5, -5), capital=1_000, costs=FREE, allocation=FULL, target_kind="units")
    assert fills_of(run) == [(1, "buy", 12, 10), (2, "sell", 17, 10)]


def test_fractional_lots() -> None:
    bars = bars_of({"A": [30, 30]})
    run = simulate(bars, column(0.5, nan), capital=1_000, costs=FREE, allocation=FULL, lots={"A": 0.0})
    assert run.fills[0].quantity == near(500 / 30, rel=1e-15)


# -- costs and buying power -------------------------------------------------------------------------------------------


def test_costs_of_one_fill() -> None:
    bars = bars_of({"A": [(10, 10, 10, 10, 1000), (10, 10, 10, 10, 1000)]})
    costs = Costs(bps=5, per_share=0.01, minimum=0, spread_bps=2, slippage_bps=3, impact=0.1, borrow=0)
    run = simulate(bars, column(0.5, nan), capital=1_000, costs=costs, allocation=FULL)
    # 50 x 10 = 500; commission 500 x 5/1e4 + 50 x 0.01 = 0.25 + 0.5 = 0.75;
    # slippage 500 x (1 + 3)/1e4 + 500 x 0.1 x (50/1000)^2 = 0.2 + 0.125 = 0.325.
    assert run.fills[0].commission == near(0.75)
    assert run.fills[0].slippage == near(0.325)
    assert run.cash[-1] == near(1000 - 500 - 0.75 - 0.325)


def test_minimum_commission_is_charged_once_per_order_as_it_grows() -> None:
    bar = (10, 10, 10, 10, 300)
    bars = bars_of({"A": [bar] * 6})
    costs = Costs(bps=100, per_share=0, minimum=5, spread_bps=0, slippage_bps=0, impact=0, borrow=0)
    run = simulate(bars, column(0.9, nan, nan, nan, nan, nan), capital=1_000, costs=costs, allocation=FULL)
    # 90 shares in three fills of 30 = 10 % of 300: 1 % of 300 is 3 each. Charged: max(3, 5) = 5; max(6, 5) - 5 = 1; 3.
    assert [fill.commission for fill in run.fills] == near([5, 1, 3])


def test_volume_cap_carries_the_rest_over() -> None:
    bars = bars_of({"A": [(10, 10, 10, 10, v) for v in (999, 255, 0, 155, 999)]})
    run = simulate(bars, column(0.5, nan, nan, nan, nan), capital=1_000, costs=FREE, allocation=FULL)
    # floor(25.5) = 25; 0; floor(15.5) = 15; the last 10.
    assert fills_of(run) == [(1, "buy", 25, 10), (3, "buy", 15, 10), (4, "buy", 10, 10)]


def test_cash_cuts_an_opening_and_cancels_the_rest() -> None:
    bars = bars_of({"A": [10, 12, 12]})
    costs = Costs(bps=100, per_share=0, minimum=0, spread_bps=0, slippage_bps=0, impact=0, borrow=0)
    run = simulate(bars, column(1, nan, nan), capital=1_000, costs=costs, allocation=FULL)
    # 100 wanted at 12: each takes 12.12; floor(1000 / 12.12) = floor(82.5) = 82.
    assert fills_of(run) == [(1, "buy", 82, 12)]
    assert (run.orders[0].status, run.orders[0].note) == ("partial", "no buying power")
    assert run.cash[-1] == near(1000 - 82 * 12.12)


def test_minimum_commission_counts_in_buying_power() -> None:
    bars = bars_of({"A": [10, 10]})
    costs = Costs(bps=0, per_share=0, minimum=15, spread_bps=0, slippage_bps=0, impact=0, borrow=0)
    run = simulate(bars, column(1, nan), capital=1_000, costs=costs, allocation=FULL)
    assert fills_of(run) == [(1, "buy", 98, 10)]  # 98 x 10 + 15 = 995 <= 1000 < 1005


def test_leverage_two_buys_twice_the_equity() -> None:
    bars = bars_of({"A": [10, 10, 12]})
    allocation = Allocation(gross=2.0, leverage=2.0, position=2.0)
    run = simulate(bars, column(2, nan, nan), capital=1_000, costs=FREE, allocation=allocation)
    # 200 shares, cash -1000, then 200 x 12 - 1000 = 1400.
    assert run.cash[-1] == -1000
    assert run.equity[-1] == 1400


def test_a_sale_pays_for_a_purchase_at_the_same_open() -> None:
    bars = bars_of({"A": [10] * 4, "B": [10] * 4})
    run = simulate(bars, [[0, 1], [0, 1], [1, 0], [1, 0]], capital=1_000, costs=FREE, allocation=FULL)
    # B is sold first though A's order has the lower id.
    assert [(f.t, f.symbol, f.side, f.quantity) for f in run.fills][1:] == [
        (3, 1, "sell", 100),
        (3, 0, "buy", 100),
    ]


def test_reversal_fills_whole_and_makes_two_round_trips() -> None:
    bars = bars_of({"A": [10, 10, 12, 12, 9, 9]})
    costs = Costs(bps=100, per_share=0, minimum=0, spread_bps=0, slippage_bps=0, impact=0, borrow=0)
    allocation = Allocation(gross=0.6)
    run = simulate(
        bars, column(0.6, 0.6, -0.6, -0.6, 0, 0), capital=1_000, costs=costs, allocation=allocation
    )
    # buy 60 at 10, commission 6. t=2: equity 1000 - 600 - 6 + 720 = 1114; -0.6 x 1114 / 12 = -55.7 -> -55.
    # sell 115 at 12 = 1380, commission 13.80, shared 60 : 55 = 7.20 : 6.60.
    # first trip: 720 - 600 - 6 - 7.2 = 106.8. Close 55 at 9 = 495, commission 4.95: 660 - 495 - 6.6 - 4.95 = 153.45.
    assert fills_of(run) == [(1, "buy", 60, 10), (3, "sell", 115, 12), (5, "buy", 55, 9)]
    assert [trade.pnl for trade in run.closed_trades] == near([106.8, 153.45])
    assert [trade.side for trade in run.closed_trades] == ["long", "short"]
    assert run.equity[-1] == near(1000 + 106.8 + 153.45)


def test_a_reversal_pays_for_its_close_before_it_opens() -> None:
    bars = bars_of({"A": [10, 10, 10, 10]})
    costs = Costs(bps=100, per_share=0, minimum=8, spread_bps=0, slippage_bps=0, impact=0, borrow=0)
    run = simulate(
        bars, column(50, -200, -200, -200), capital=1_000, costs=costs, allocation=FULL, target_kind="units"
    )
    # Buy 50: commission max(5, 8) = 8, equity 992. Selling 250: the 50 that close cost max(5, 8) = 8: 984 is free.
    # q more cost 10 q + max(5 + q / 10, 8) - 8 = 10.1 q - 3 <= 984, so q = 97. Commission of all 147: 14.7.
    assert fills_of(run) == [(1, "buy", 50, 10), (2, "sell", 147, 10)]
    assert run.fills[1].commission == near(14.7)
    assert run.cash[-1] == near(1000 - 500 - 8 + 1470 - 14.7)


def test_average_cost_and_return() -> None:
    bars = bars_of({"A": [10, 10, 20, 20, 15, 15]})
    run = simulate(
        bars, column(10, 20, 20, 20, 0, 0), capital=1_000, costs=FREE, allocation=FULL, target_kind="units"
    )
    # 10 at 10 and 10 at 20: average 15; sold 20 at 15: pnl 0, over 300.
    trade = run.closed_trades[0]
    assert (trade.entry_price, trade.exit_price, trade.pnl, trade.return_) == (15, 15, 0, 0)


# -- corporate actions ------------------------------------------------------------------------------------------------


def test_split_seven_for_one_keeps_value() -> None:
    bars = bars_of({"A": [700, 700, 100, 100]}, split={("A", 2): 7.0})
    run = simulate(bars, column(0.9, nan, nan, nan), capital=10_000, costs=FREE, allocation=FULL)
    # floor(9000 / 700) = 12 shares, then 84 at 100.
    assert [row[0] for row in run.quantities] == [0, 12, 84, 84]
    assert run.equity == [10_000] * 4


def test_reverse_split_with_an_odd_lot_pays_the_rest_in_cash() -> None:
    bars = bars_of({"A": [2, 2, 20, 20]}, split={("A", 2): 0.1})
    run = simulate(bars, column(0.05, nan, nan, nan), capital=1_000, costs=FREE, allocation=FULL)
    # 25 shares at 2; one for ten: 2.5 -> 2, half a share x 20 = 10 in cash: 950 + 10 = 960.
    assert run.quantities[2] == [2]
    assert run.cash == [1000, 950, 960, 960]


def test_split_restates_a_waiting_order_and_the_stop() -> None:
    bars = bars_of({"A": [100, (50, 50, 50, 50), (50, 50, 44, 46)]}, split={("A", 1): 2.0})
    run = simulate(
        bars, column(0.5, nan, nan), capital=1_000, costs=FREE, allocation=FULL, exits=(StopLoss(0.1),)
    )
    # 5 shares ordered before the split, 10 bought after it at 50; stop 45.
    assert fills_of(run) == [(1, "buy", 10, 50), (2, "sell", 10, 45)]


def test_split_of_an_entry_stop_is_restated() -> None:
    bars = bars_of({"A": [100, 100, (50, 51, 46, 47), (47, 48, 44, 44)]}, split={("A", 2): 2.0})
    run = simulate(
        bars, column(0.5, nan, nan, nan), capital=1_000, costs=FREE, allocation=FULL, exits=(StopLoss(0.1),)
    )
    # entry 100 -> 50, stop 45: not reached at 46, reached at 44.
    assert fills_of(run)[1] == (3, "sell", 10, 45)


def test_dividend_to_a_long_and_from_a_short() -> None:
    bars = bars_of({"L": [10] * 3, "S": [10] * 3}, dividend={("L", 2): 0.5, ("S", 2): 0.25})
    run = simulate(bars, [[0.3, -0.2]] * 3, capital=1_000, costs=FREE, allocation=FULL)
    # 30 x 0.5 = 15 in; 20 x 0.25 = 5 out.
    assert run.equity == near([1000, 1000, 1010])


def test_dividend_and_split_in_a_missing_row_still_count() -> None:
    bars = bars_of({"A": [10, 10, None, 5]}, split={("A", 2): 2.0}, dividend={("A", 2): 0.1})
    run = simulate(bars, column(0.5, nan, nan, nan), capital=1_000, costs=FREE, allocation=FULL)
    # 50 -> 100 shares marked at 5, dividend on the new shares: 100 x 0.1 = 10.
    assert run.equity == near([1000, 1000, 1010, 1010])


def test_borrow_fee_by_calendar_days() -> None:
    bars = bars_of({"S": [10, 10, 10]})
    costs = Costs(bps=0, per_share=0, minimum=0, spread_bps=0, slippage_bps=0, impact=0, borrow=0.365)
    run = simulate(bars, column(-0.5, nan, nan), capital=1_000, costs=costs, allocation=FULL)
    # 50 x 10 x 0.365 / 365 = 0.5 for the one day held.
    assert run.equity == near([1000, 1000, 999.5])


def test_delisting_closes_at_the_mark_without_costs() -> None:
    bars = bars_of({"A": [10, 10, 8, None, None]}, delisted={"A": "2024-01-03"})
    costs = Costs(bps=100, per_share=0, minimum=0, spread_bps=0, slippage_bps=0, impact=0, borrow=0)
    run = simulate(bars, column(0.5, nan, nan, nan, nan), capital=1_000, costs=costs, allocation=FULL)
    # 50 at 10 (commission 5); after the session of 3 January closed at 8.
    assert fills_of(run)[1] == (3, "sell", 50, 8)
    assert run.fills[1].commission == 0
    assert run.closed_trades[0].exit_reason == "delisted"
    assert run.equity[-1] == near(1000 - 100 - 5)


def test_halted_symbol_keeps_its_mark_and_its_order_waits() -> None:
    bars = bars_of({"A": [10, None, 12, 12], "B": [1, 1, 1, 1]})
    run = simulate(bars, [[0.5, nan]] + [[nan, nan]] * 3, capital=1_000, costs=FREE, allocation=FULL)
    assert fills_of(run) == [(2, "buy", 50, 12)]


# -- entries: confirmation, cooldown, regime, seats, shorts -----------------------------------------------------------


def test_confirmation_needs_a_row_of_signals() -> None:
    bars = bars_of({"A": [10] * 8})
    allocation = Allocation(gross=1.0, confirm=3)
    run = simulate(
        bars, column(0.5, 0.5, nan, 0.5, 0.5, 0.5, 0.5, 0), capital=1_000, costs=FREE, allocation=allocation
    )
    assert fills_of(run) == [(6, "buy", 50, 10)]


def test_cooldown_counts_bars_from_the_exit_fill() -> None:
    bars = bars_of({"A": [10] * 10})
    allocation = Allocation(gross=1.0, cooldown=4)
    run = simulate(bars, column(0.5, 0, *[0.5] * 8), capital=1_000, costs=FREE, allocation=allocation)
    # Exit fill at row 2; 6 - 2 >= 4, so decided at row 6, filled at 7.
    assert [fill[:2] for fill in fills_of(run)] == [(1, "buy"), (2, "sell"), (7, "buy")]


def test_regime_blocks_new_longs_only() -> None:
    bars = bars_of({"A": [10] * 5, "B": [10] * 5})
    targets = [[0.3, -0.3]] * 5
    run = simulate(
        bars, targets, capital=1_000, costs=FREE, allocation=FULL, regime=[False, False, True, False, False]
    )
    assert run.quantities == [[0, 0], [0, -30], [0, -30], [30, -30], [30, -30]]


def test_a_refused_reversal_still_closes() -> None:
    bars = bars_of({"A": [10] * 4})
    allocation = Allocation(gross=1.0, allow_short=False)
    run = simulate(bars, column(0.5, -0.5, -0.5, -0.5), capital=1_000, costs=FREE, allocation=allocation)
    assert fills_of(run) == [(1, "buy", 50, 10), (2, "sell", 50, 10)]


def test_max_positions_ranks_entrants_and_keeps_seats() -> None:
    bars = bars_of({"A": [10] * 4, "B": [10] * 4, "C": [10] * 4})
    allocation = Allocation(gross=1.0, max_positions=2)
    score = [[nan, 1.0, 0.5], [9.0, 1.0, 9.5], [9.0, 1.0, 0.5], [nan, 1.0, 0.5]]
    targets = [[nan, 0.3, nan], [0.3, 0.3, 0.3], [0.3, 0, 0.3], [0.3, 0, 0.3]]
    run = simulate(bars, targets, capital=1_000, costs=FREE, allocation=allocation, score=score)
    # B has a seat at row 1, so only C enters (9.5 > 9); B gives its seat up at row 2 and A takes it.
    assert run.quantities == [[0, 0, 0], [0, 30, 0], [0, 30, 30], [30, 0, 30]]


def test_an_opening_order_over_the_position_limit_is_cancelled() -> None:
    bars = bars_of(
        {"A": [(10, 10, 10, 10, 300)] * 2 + [(10, 10, 10, 10, 100)] * 2, "B": [(10, 10, 10, 10, 999)] * 4}
    )
    allocation = Allocation(gross=1.0, max_positions=1)
    run = simulate(
        bars, [[0.3, 0], [0, 0.3], [nan, nan], [nan, nan]], capital=1_000, costs=FREE, allocation=allocation
    )
    # Only 10 of A's 30 can be sold at row 2, so A is still open when B's order comes.
    assert [(f.t, f.symbol, f.quantity) for f in run.fills] == [(1, 0, 30), (2, 0, 10), (3, 0, 10)]
    assert run.orders[2].note == "max positions"


# -- monitors ---------------------------------------------------------------------------------------------------------


def test_daily_loss_bars_entries_of_that_day_only() -> None:
    bars = bars_of({"A": [100, 100, 90, 90, 90], "B": [10] * 5})
    targets = [[0.5, nan], [nan, nan], [nan, 0.3], [nan, 0.3], [nan, 0.3]]
    run = simulate(bars, targets, capital=1_000, costs=FREE, allocation=FULL, risk=Limits(daily_loss=0.03))
    # Row 2 loses 5 x 10 = 50 of 1000 = 5 %: B refused; at row 3 the day's loss is 0, so B fills at row 4.
    assert [(f.t, f.symbol) for f in run.fills] == [(1, 0), (4, 1)]


def test_drawdown_flattens_and_stays_flat() -> None:
    bars = bars_of({"A": [100, 100, 90, 90, 90]})
    risk = Limits(drawdown=0.04, on_drawdown="flatten")
    run = simulate(bars, column(0.5, nan, nan, 0.5, 0), capital=1_000, costs=FREE, allocation=FULL, risk=risk)
    assert fills_of(run) == [(1, "buy", 5, 100), (3, "sell", 5, 90)]


def test_ruin_ends_trading() -> None:
    bars = bars_of({"A": [10, 10, 25, 25, 5, 5]})
    run = simulate(bars, column(-1, nan, nan, nan, 1, 1), capital=1_000, costs=FREE, allocation=FULL)
    # 100 short at 10; at 25 equity is 2000 - 2500 = -500: bought back at the next open, nothing after.
    assert fills_of(run) == [(1, "sell", 100, 10), (3, "buy", 100, 25)]
    assert run.equity == [1000, 1000, -500, -500, -500, -500]
