"""Declared exits and order strategies of the reference, computed by hand in the comments."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import pytest

from tests.parity.reference import simulate, simulate_orders
from tests.parity.reference_markets import Market, bars_of, column, fills_of
from tests.parity.reference_types import (
    FREE,
    Allocation,
    Ask,
    AtrStop,
    BreakEven,
    Costs,
    Kind,
    ReferenceRun,
    ScaleOut,
    StopLoss,
    TakeProfit,
    TimeStop,
    TrailingStop,
)

FULL = Allocation(gross=1.0)
near = pytest.approx


# -- declared exits ---------------------------------------------------------------------------------------------------


def test_gap_through_the_stop_fills_at_the_open() -> None:
    bars = bars_of({"A": [100, 100, (90, 92, 89, 91), 91]})
    run = simulate(
        bars, column(0.5, nan, nan, nan), capital=1_000, costs=FREE, allocation=FULL, exits=(StopLoss(0.05),)
    )
    assert fills_of(run)[1] == (2, "sell", 5, 90)


def test_stop_and_target_in_one_bar_take_the_stop() -> None:
    bars = bars_of({"A": [100, 100, (100, 120, 90, 110), 110]})
    run = simulate(
        bars, column(0.5, nan, nan, nan), capital=1_000, costs=FREE, allocation=FULL,
        exits=(TakeProfit(0.1), StopLoss(0.05)),
    )  # fmt: skip
    assert fills_of(run)[1] == (2, "sell", 5, 95)


def test_entry_bar_is_protected_by_stop_and_target() -> None:
    for bar, price in (((100, 112, 99, 105), 110), ((100, 112, 94, 105), 95)):
        bars = bars_of({"A": [100, bar, 105]})
        exits = (StopLoss(0.05), TakeProfit(0.1))
        run = simulate(bars, column(0.5, nan, nan), capital=1_000, costs=FREE, allocation=FULL, exits=exits)
        assert fills_of(run) == [(1, "buy", 5, 100), (1, "sell", 5, near(price))]


def test_short_is_mirrored() -> None:
    bars = bars_of({"A": [100, 100, (100, 106, 99, 101), 101]})
    run = simulate(
        bars, column(-0.5, nan, nan, nan), capital=1_000, costs=FREE, allocation=FULL, exits=(StopLoss(0.05),)
    )
    assert fills_of(run)[1] == (2, "buy", 5, 105)
    assert run.closed_trades[0].pnl == near(-25)


def test_limits_pay_no_slippage_and_stops_do() -> None:
    costs = Costs(bps=0, per_share=0, minimum=0, spread_bps=20, slippage_bps=0, impact=0, borrow=0)
    for bar, slippage in (((100, 115, 99, 105), 0.0), ((100, 105, 94, 100), 5 * 95 * 0.001)):
        bars = bars_of({"A": [100, 100, bar, 100]})
        exits = (StopLoss(0.05), TakeProfit(0.1))
        run = simulate(
            bars, column(0.5, nan, nan, nan), capital=1_000, costs=costs, allocation=FULL, exits=exits
        )
        assert run.fills[1].slippage == near(slippage)


def test_trailing_stop_uses_the_peak_of_the_previous_close_and_never_loosens() -> None:
    # Entry 100; closes 100, 110 (peak), 104. Stop 110 x 0.9 = 99 holds though the close fell; 98.5 hits it at 99.
    bars = bars_of({"A": [100, 100, (100, 130, 100, 110), (110, 110, 100, 104), (104, 104, 98.5, 99), 99]})
    run = simulate(
        bars, column(0.5, *[nan] * 5), capital=1_000, costs=FREE, allocation=FULL, exits=(TrailingStop(0.1),)
    )
    assert fills_of(run)[1] == (4, "sell", 5, near(99))


def test_trailing_stop_waits_for_its_gain() -> None:
    exits = (TrailingStop(0.03, after=0.02),)
    quiet = bars_of({"A": [100, 100, (100, 101, 96, 101), (101, 101, 95, 95)]})
    run = simulate(quiet, column(0.5, nan, nan, nan), capital=1_000, costs=FREE, allocation=FULL, exits=exits)
    assert len(run.fills) == 1  # the peak 101 is below 102
    risen = bars_of({"A": [100, 100, (100, 103, 96, 102), (102, 102, 98, 99)]})
    run = simulate(risen, column(0.5, nan, nan, nan), capital=1_000, costs=FREE, allocation=FULL, exits=exits)
    assert fills_of(run)[1] == (3, "sell", 5, near(102 * 0.97))


def test_break_even() -> None:
    bars = bars_of({"A": [100, 100, (100, 103, 99, 102), (102, 102, 99, 99.5)]})
    run = simulate(
        bars, column(0.5, nan, nan, nan), capital=1_000, costs=FREE, allocation=FULL, exits=(BreakEven(0.02),)
    )
    assert fills_of(run)[1] == (3, "sell", 5, 100)


def test_atr_stop_is_set_at_the_entry_close_and_only_tightened() -> None:
    bars = bars_of(
        {"A": [100, (100, 100, 90, 100), (100, 106, 97, 106), (106, 106, 102.5, 103), (103, 103, 101, 102)]}
    )
    atr = {14: column(2, 2, 2, 5, 5)}
    run = simulate(
        bars,
        column(0.5, *[nan] * 4),
        capital=1_000,
        costs=FREE,
        allocation=FULL,
        exits=(AtrStop(2, 14),),
        atr=atr,
    )
    # Entry bar: no stop although the low is 90; set to 100 - 4 = 96, then 106 - 4 = 102, then max(102, 103 - 10) = 102.
    assert fills_of(run)[1] == (4, "sell", 5, 102)


def test_time_stop_closes_at_the_open_after_its_age() -> None:
    bars = bars_of({"A": [10, 10, 11, 12, 13]})
    run = simulate(
        bars, column(0.5, *[nan] * 4), capital=1_000, costs=FREE, allocation=FULL, exits=(TimeStop(2),)
    )
    # Opened at row 1 (age 0), row 3 age 2: sold at the open of row 4.
    assert fills_of(run)[1] == (4, "sell", 50, 13)
    assert run.closed_trades[0].exit_reason == "time stop"


def test_scale_out_sells_fractions_of_the_largest_quantity_once() -> None:
    bars = bars_of({"A": [100, 100, (100, 106, 100, 104), (104, 107, 100, 106), (106, 111, 105, 110), 110]})
    exits = (ScaleOut(((0.05, 0.3), (0.10, 0.5))),)
    run = simulate(bars, column(0.7, *[nan] * 5), capital=1_000, costs=FREE, allocation=FULL, exits=exits)
    # 7 shares: 0.3 x 7 = 2.1 -> 2 at 105, once; 0.5 x 7 = 3.5 -> 3 at 110; 2 stay.
    assert fills_of(run)[1:] == [(2, "sell", 2, 105), (4, "sell", 3, near(110))]
    assert run.quantities[-1] == [2]


def test_both_scale_out_steps_and_a_gap_fill_nearest_first_at_the_open() -> None:
    bars = bars_of({"A": [100, 100, (108, 112, 107, 110), 110]})
    exits = (ScaleOut(((0.10, 0.5), (0.05, 0.3))),)
    run = simulate(bars, column(1, *[nan] * 3), capital=1_000, costs=FREE, allocation=FULL, exits=exits)
    assert fills_of(run)[1:] == [(2, "sell", 3, 108), (2, "sell", 5, near(110))]


def test_an_exit_locks_until_a_new_signal() -> None:
    market: Market = {"A": [100, 100, (100, 100, 90, 92), 92, 92, 92, 92]}
    targets = column(0.5, 0.5, 0.5, 0.5, 0, 0.5, 0.5)
    run = simulate(
        bars_of(market), targets, capital=1_000, costs=FREE, allocation=FULL, exits=(StopLoss(0.05),)
    )
    # Stopped in row 2 at 95; locked while the target stays 0.5; 0 then 0.5 (decided at row 5) is new: row 6.
    assert [fill[:2] for fill in fills_of(run)] == [(1, "buy"), (2, "sell"), (6, "buy")]
    free = Allocation(gross=1.0, reentry="immediate")
    run = simulate(
        bars_of(market), targets, capital=1_000, costs=FREE, allocation=free, exits=(StopLoss(0.05),)
    )
    assert [fill[:2] for fill in fills_of(run)][:3] == [(1, "buy"), (2, "sell"), (3, "buy")]


def test_volume_cap_is_shared_by_entry_and_exit_of_a_bar() -> None:
    bars = bars_of({"A": [(100, 100, 100, 100, 100), (100, 100, 96, 97, 60), (90, 90, 90, 90, 60)]})
    run = simulate(
        bars, column(0.8, nan, nan), capital=1_000, costs=FREE, allocation=FULL, exits=(StopLoss(0.05),)
    )
    # 8 wanted, 6 filled; row 2 has room for 6: first the buy of 2 at the open, which makes the average cost
    # (600 + 180) / 8 = 97.5 and the stop 92.625; the open is below it, and the 4 left of the cap are sold at 90.
    assert fills_of(run) == [(1, "buy", 6, 100), (2, "buy", 2, 90), (2, "sell", 4, 90)]


# -- order strategies -------------------------------------------------------------------------------------------------


def order_run(
    market: Sequence[object], *asks: tuple[int, Ask], exits: tuple[object, ...] = ()
) -> ReferenceRun:
    def decide(t: int, held: object) -> list[Ask]:
        return [ask for row, ask in asks if row == t]

    return simulate_orders(
        bars_of({"A": market}),  # type: ignore[dict-item]
        decide,
        capital=10_000,
        costs=FREE,
        allocation=FULL,
        exits=exits,  # type: ignore[arg-type]
    )


def test_limit_order_waits_and_fills_at_its_price_or_better() -> None:
    buy = Ask(0, 10, Kind.LIMIT, limit=95)
    run = order_run([100, (100, 101, 96, 97), (97, 97, 94, 96), 96], (0, buy))
    assert fills_of(run) == [(2, "buy", 10, 95)]
    run = order_run([100, (93, 94, 90, 92), 92], (0, buy))
    assert fills_of(run) == [(1, "buy", 10, 93)]


def test_stop_order_fills_at_its_price_or_worse() -> None:
    buy = Ask(0, 10, Kind.STOP, stop=105)
    assert fills_of(order_run([100, (100, 106, 99, 101), 101], (0, buy))) == [(1, "buy", 10, 105)]
    assert fills_of(order_run([100, (108, 109, 107, 108), 101], (0, buy))) == [(1, "buy", 10, 108)]


def test_stop_limit() -> None:
    buy = Ask(0, 10, Kind.STOP_LIMIT, stop=105, limit=106)
    # Opens through the stop, not beyond the limit: the open.
    assert fills_of(order_run([100, (105.5, 107, 105, 106), 106], (0, buy))) == [(1, "buy", 10, 105.5)]
    # Opens beyond the limit and comes back: the limit.
    assert fills_of(order_run([100, (108, 109, 105, 106), 106], (0, buy))) == [(1, "buy", 10, 106)]
    # Triggers inside the bar: the limit, when the bar contains it.
    assert fills_of(order_run([100, (100, 107, 99, 106), 106], (0, buy))) == [(1, "buy", 10, 106)]
    # Opens beyond the limit and stays there; a limit order from then on.
    assert fills_of(order_run([100, (108, 109, 107, 108), (107, 107, 104, 104)], (0, buy))) == [
        (2, "buy", 10, 106)
    ]


def test_day_order_expires_after_the_first_bar() -> None:
    buy = Ask(0, 10, Kind.LIMIT, limit=95, day=True)
    run = order_run([100, (100, 100, 96, 97), (97, 97, 90, 96)], (0, buy))
    assert run.fills == []
    assert run.orders[0].status == "expired"


def test_trailing_order_follows_the_best_close() -> None:
    sell = Ask(0, -10, Kind.TRAILING, trail=0.1)
    # Decided at close 100: stop 90; close 110: stop 99, kept after a close of 105; low 98.
    market = [100, 100, (100, 120, 95, 110), (110, 110, 104, 105), (105, 105, 98, 100), 100]
    assert fills_of(order_run(market, (0, Ask(0, 10)), (1, sell)))[1] == (4, "sell", 10, near(99))


def test_bracket_opened_at_the_open_may_take_stop_before_target() -> None:
    ask = Ask(0, 10, take_profit=110, stop_loss=95)
    assert fills_of(order_run([100, (100, 111, 99, 105), 105], (0, ask)))[1] == (1, "sell", 10, 110)
    run = order_run([100, (100, 111, 94, 105), (105, 112, 104, 105)], (0, ask))
    assert fills_of(run) == [(1, "buy", 10, 100), (1, "sell", 10, 95)]
    assert [order.status for order in run.orders] == ["filled", "filled", "cancelled"]


def test_bracket_opened_inside_the_bar_has_its_stop_but_not_its_target() -> None:
    ask = Ask(0, 10, Kind.LIMIT, limit=98, take_profit=105, stop_loss=96)
    run = order_run([100, (100, 106, 97, 104), (104, 106, 100, 105)], (0, ask))
    assert fills_of(run) == [(1, "buy", 10, 98), (2, "sell", 10, 105)]
    run = order_run([100, (97, 106, 95, 104), (104, 106, 100, 105)], (0, ask))
    assert fills_of(run) == [(1, "buy", 10, 97), (1, "sell", 10, 96)]


def test_position_opened_inside_the_bar_is_stopped_at_the_level_itself() -> None:
    # Buy stop 105 after an open of 98; the stop loss at 105 x 0.95 = 99.75 is above the open, yet fills at 99.75.
    run = order_run(
        [100, (98, 106, 97, 100), 100], (0, Ask(0, 10, Kind.STOP, stop=105)), exits=(StopLoss(0.05),)
    )
    assert fills_of(run) == [(1, "buy", 10, 105), (1, "sell", 10, near(99.75))]


def test_target_leg_of_a_stop_entry_waits_for_the_next_bar() -> None:
    # Bought at 105 inside the bar; its high 111 may have come before: the target counts from the next bar.
    ask = Ask(0, 10, Kind.STOP, stop=105, take_profit=110)
    run = order_run([100, (108, 111, 104, 106), (106, 110.5, 105, 107)], (0, ask))
    assert fills_of(run) == [(1, "buy", 10, 108), (2, "sell", 10, 110)]


def test_cancel_spares_the_bracket_legs() -> None:
    first, second = Ask(0, 10, stop_loss=95), Ask(0, 5, Kind.LIMIT, limit=90)
    run = order_run([100, 100, (100, 100, 89, 95)], (0, first), (0, second), (1, Ask(0, 0, cancel=True)))
    assert fills_of(run) == [(1, "buy", 10, 100), (2, "sell", 10, 95)]


def test_every_fill_of_a_parent_brings_its_own_legs_and_a_triggered_stop_goes_on_at_the_market() -> None:
    # The parent fills 6 and 4 (cap 10 % of 60), each with a stop leg; in row 3 both are reached, the first takes the
    # volume of the bar, the second is a market order at the open of row 4.
    market = [(100, 100, 100, 100, 60)] * 3 + [(100, 100, 94, 96, 60)] * 2
    run = order_run(market, (0, Ask(0, 10, stop_loss=95)))
    assert fills_of(run) == [(1, "buy", 6, 100), (2, "buy", 4, 100), (3, "sell", 6, 95), (4, "sell", 4, 100)]
