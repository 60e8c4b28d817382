"""Every declared exit on a scripted path: which bar, which price, what it leaves behind; stops only ever tighten."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from gpt_trader import (
    Allocation,
    AtrStop,
    Bars,
    BreakEven,
    FillModel,
    ScaleOut,
    StopLoss,
    TakeProfit,
    TimeStop,
    TrailingStop,
)
from gpt_trader.engine.exit_levels import protective_stop
from gpt_trader.engine.records import REASONS
from tests.markets import random_market
from tests.properties.truth_cases import (
    NAN,
    fills_of,
    flat,
    market,
    prepared,
    random_weights,
    run,
    scripted,
    walk,
)

IMMEDIATE = Allocation(gross=1.0, reentry="immediate")


def mirrored(bars: Bars) -> Bars:
    """The same path upside down around 100: high and low change places, 98 becomes 102."""
    panel = bars.panel.copy()
    panel[[0, 3]] = 200 - panel[[0, 3]]
    panel[1], panel[2] = 200 - bars.low, 200 - bars.high
    return Bars(bars.symbols, bars.time, panel)


def exits_on(rows: Any, *exits: Any, short: Any = None, **options: Any) -> list[tuple[Any, ...]]:
    """(bar, signed quantity, price, reason) of the fills after the first of a long from bar 1, 1,000 shares at 100.

    The mirrored path is run as a short too. Levels that count from the entry at 100 must be mirrored in it; where they count from
    a peak they are not (5 % below 110 is 104.5, 5 % above 90 is 94.5), and `short` gives its (bar, price) of every exit.
    """
    table = np.ones(len(rows))
    bars = market(rows, **options.pop("bars", {}))
    long = run(scripted(table, exits=exits), bars, **options)
    down = run(scripted(-table, exits=exits), mirrored(bars), **options)
    found = [(t, size, round(price, 9), reason) for t, _, size, price, reason in fills_of(long)]
    other = [(t, size, round(price, 9), reason) for t, _, size, price, reason in fills_of(down)]
    assert found[0] == (1, 1000.0, 100.0, "target")
    expected = [(t, -size, round(200 - price, 9), reason) for t, size, price, reason in found]
    if short is not None:
        expected[1:] = [(t, 1000.0, price, found[1][3]) for t, price in short]
    assert other == expected
    return found[1:]


def after_entry(*rows: tuple[float, float, float, float]) -> list[tuple[float, float, float, float]]:
    """Two flat bars at 100 (decision at 0, bought at the open of 1), then `rows`, then flat at the last close."""
    return [*flat(2), *rows, *flat(4, rows[-1][3])]


# -- each kind --------------------------------------------------------------------------------------------------------


def test_stop_loss_at_its_level_inside_the_bar() -> None:
    rows = after_entry((100, 101, 95.01, 96), (96, 97, 94, 95.5))
    assert exits_on(rows, StopLoss(0.05)) == [(3, -1000.0, 95.0, "stop loss")]


def test_stop_loss_at_the_open_when_the_bar_gaps_through_it() -> None:
    rows = after_entry((93, 96, 92, 95.5))
    assert exits_on(rows, StopLoss(0.05)) == [(2, -1000.0, 93.0, "stop loss")]


def test_stop_loss_fires_when_the_low_touches_the_level_exactly() -> None:
    rows = after_entry((100, 100, 95, 99))
    assert exits_on(rows, StopLoss(0.05)) == [(2, -1000.0, 95.0, "stop loss")]


def test_stop_loss_protects_in_the_bar_of_the_entry() -> None:
    rows = [*flat(1), (100, 101, 90, 92), *flat(4, 92)]
    assert exits_on(rows, StopLoss(0.05)) == [(1, -1000.0, 95.0, "stop loss")]


def test_stop_loss_counts_from_the_average_entry() -> None:
    """1,000 at 100, then 1,000 more at 110: average 105, stop 5 % below at 99.75."""
    rows = [*flat(2), *flat(2, 110), (110, 110, 99.7, 100), *flat(2)]
    table = [1000.0, 1000.0, 2000.0, *[2000.0] * 4]
    result = run(scripted(table, exits=(StopLoss(0.05),), target="units"), market(rows), capital=1e6)
    assert [(t, size, round(price, 9)) for t, _, size, price, _ in fills_of(result)] == [
        (1, 1000.0, 100.0), (3, 1000.0, 110.0), (4, -2000.0, 99.75),
    ]  # fmt: skip


def test_take_profit_at_its_level_or_at_a_better_open() -> None:
    rows = after_entry((100, 104.99, 99, 104), (104, 106, 103, 105.5))
    assert exits_on(rows, TakeProfit(0.05)) == [(3, -1000.0, 105.0, "take profit")]
    assert exits_on(after_entry((107, 108, 106, 107)), TakeProfit(0.05)) == [
        (2, -1000.0, 107.0, "take profit")
    ]


def test_what_the_volume_leaves_of_a_target_is_an_order_of_the_next_bar() -> None:
    """Bars 2 and 3 reach the level of 105, but their volume takes only 600 and then the rest of 1,000."""
    rows = after_entry((100, 106, 99, 104), (104, 106, 103, 104))
    volume = [1e6, 1e6, 6_000.0, *[1e6] * (len(rows) - 3)]
    held = scripted([1_000.0] * len(rows), exits=(TakeProfit(0.05),), target="units")
    result = run(held, market(rows, volume=volume), fills=FillModel(0.1))
    found = result.orders[["quantity", "status", "filled", "reason", "end_reason"]].to_numpy().tolist()
    assert found[1:] == [
        [1_000.0, "cancelled", 600.0, "take profit", "volume cap"],
        [400.0, "filled", 400.0, "take profit", ""],
    ]


def test_take_profit_in_the_bar_of_the_entry() -> None:
    rows = [*flat(1), (100, 106, 100, 103), *flat(4, 103)]
    assert exits_on(rows, TakeProfit(0.05)) == [(1, -1000.0, 105.0, "take profit")]


def test_stop_and_target_in_one_bar_the_worse_one_is_taken() -> None:
    rows = after_entry((100, 106, 94, 105))
    assert exits_on(rows, StopLoss(0.05), TakeProfit(0.05)) == [(2, -1000.0, 95.0, "stop loss")]


def test_trailing_stop_follows_the_best_close_not_the_high() -> None:
    """Best close 110 (the high of 120 does not count): 5 % below is 104.5."""
    rows = after_entry((100, 120, 100, 110), (110, 111, 104.6, 106), (106, 106, 104, 105))
    # short: best close 90, stop at 94.5: bar 3 (high 95.4) reaches it
    assert exits_on(rows, TrailingStop(0.05), short=[(3, 94.5)]) == [(4, -1000.0, 104.5, "trailing stop")]


def test_trailing_stop_uses_the_peak_of_the_previous_close() -> None:
    """The bar that makes the new best close cannot be stopped by it: its low of 101 lies under 110 x 0.95."""
    rows = after_entry((100, 110, 101, 110), (110, 110, 104, 105))
    assert exits_on(rows, TrailingStop(0.05), short=[(3, 94.5)]) == [(3, -1000.0, 104.5, "trailing stop")]


def test_trailing_stop_waits_for_its_gain() -> None:
    """Armed from a best close of 102 on: a fall before does nothing."""
    rows = after_entry((100, 101.9, 94, 101.9), (101.9, 102, 90, 102), (102, 102, 96, 97))
    # short: best close 98, stop at 102.9
    found = exits_on(rows, TrailingStop(0.05, after=0.02), short=[(4, 102.9)])
    assert found == [(4, -1000.0, 96.9, "trailing stop")]


def test_break_even_moves_the_stop_to_the_entry() -> None:
    rows = after_entry((100, 103, 99, 101.9), (102, 102, 99, 102), (101, 101, 99.5, 100.5))
    assert exits_on(rows, BreakEven(0.02)) == [(4, -1000.0, 100.0, "break even")]


def test_break_even_at_the_open_after_a_gap() -> None:
    rows = after_entry((100, 103, 99, 103), (97, 98, 96, 97))
    assert exits_on(rows, BreakEven(0.02)) == [(3, -1000.0, 97.0, "break even")]


def test_atr_stop_starts_at_the_close_of_the_entry_bar_and_only_tightens() -> None:
    """Range 2 on every bar: ATR 2. Entry bar closes at 100: stop 100 - 2 x 2 = 96; a close of 103 lifts it to 99; a wild bar
    (range 12) widens the ATR, but the stop stays."""
    calm = (100, 101, 99, 100)
    rows = [calm] * 7 + [(100, 103, 101, 103), (103, 112, 100, 105), (105, 105, 98, 99)] + flat(3, 99)
    table = [NAN] * 5 + [1.0] * 8
    result = run(scripted(table, exits=(AtrStop(2.0, 5),)), market(rows))
    # bar 7: TR = 103 - 100 = 3, ATR = 2 + (3 - 2) / 5 = 2.2, stop = 103 - 4.4 = 98.6
    # bar 8: TR = 12, ATR = 2.2 + 9.8 / 5 = 4.16, 105 - 8.32 = 96.68 < 98.6: stays
    assert [(t, round(price, 9), reason) for t, _, _, price, reason in fills_of(result)] == [
        (6, 100.0, "target"), (9, 98.6, "atr stop"),
    ]  # fmt: skip


def test_atr_stop_does_not_fire_in_the_bar_of_the_entry() -> None:
    calm = (100, 101, 99, 100)
    rows = [calm] * 6 + [(100, 100, 80, 100), (100, 100, 99, 100)] + flat(3)
    result = run(scripted([NAN] * 5 + [1.0] * 6, exits=(AtrStop(2.0, 5),)), market(rows))
    # entry bar: TR = 20, ATR = 2 + 18 / 5 = 5.6, stop = 100 - 11.2 = 88.8, first valid in the next bar
    assert len(result.fills) == 1


def test_scale_out_sells_each_part_once_and_the_rest_stays() -> None:
    steps = ScaleOut(((0.05, 0.3), (0.10, 0.5)))
    rows = after_entry((100, 106, 100, 104), (104, 106, 104, 105), (105, 111, 104, 110), (112, 120, 111, 112))
    assert exits_on(rows, steps) == [(2, -300.0, 105.0, "scale out"), (4, -500.0, 110.0, "scale out")]


def test_scale_out_takes_both_steps_in_one_bar_nearest_first_then_the_profit() -> None:
    rows = after_entry((100, 125, 100, 120))
    assert exits_on(rows, ScaleOut(((0.05, 0.3), (0.10, 0.5))), TakeProfit(0.2)) == [
        (2, -300.0, 105.0, "scale out"), (2, -500.0, 110.0, "scale out"), (2, -200.0, 120.0, "take profit"),
    ]  # fmt: skip


def test_time_stop_at_the_open_after_n_bars() -> None:
    """Bought in bar 1: age 3 at the close of bar 4, sold at the open of bar 5."""
    rows = [*flat(2), *[(100, 101, 99, 100)] * 3, (98, 99, 97, 98), *flat(3)]
    assert exits_on(rows, TimeStop(3)) == [(5, -1000.0, 98.0, "time stop")]


def test_the_tightest_of_several_stops_is_the_one_that_fires() -> None:
    rows = after_entry((100, 110, 100, 110), (110, 110, 90, 100))
    found = exits_on(rows, StopLoss(0.05), TrailingStop(0.03), BreakEven(0.02), short=[(3, 92.7)])
    assert found == [(3, -1000.0, 106.7, "trailing stop")]


# -- what an exit leaves behind ---------------------------------------------------------------------------------------


def test_what_the_volume_leaves_of_a_stop_goes_on_at_the_next_open() -> None:
    rows = after_entry((100, 100, 94, 94.5), (93, 94, 92, 93), (91, 92, 90, 91))
    found = exits_on(
        rows, StopLoss(0.05), bars={"volume": [1e6, 1e6, 4000, 4000, 4000, *[1e6] * 4]}, fills=FillModel(0.1)
    )
    assert found == [
        (2, -400.0, 95.0, "stop loss"),
        (3, -400.0, 93.0, "stop loss"),
        (4, -200.0, 91.0, "stop loss"),
    ]


@pytest.mark.parametrize("exit_rule", [StopLoss(0.05), TakeProfit(0.05), TimeStop(1)])
def test_a_symbol_thrown_out_waits_for_a_new_signal(exit_rule: Any) -> None:
    """Long on every bar: locked after the exit. A zero and a one again is a new signal. `immediate` comes back at once."""
    rows = (
        after_entry((100, 106, 100, 104))
        if isinstance(exit_rule, TakeProfit)
        else after_entry((100, 100, 94, 96))
    )
    rows += flat(6, rows[-1][3])
    locked = exits_on(rows, exit_rule)
    assert len(locked) == 1
    table = [1.0] * 7 + [0.0] + [1.0] * (len(rows) - 8)
    result = run(scripted(table, exits=(exit_rule,)), market(rows))
    assert [t for t, *_, reason in fills_of(result) if reason == "target"] == [1, 9]
    at_once = run(scripted([1.0] * len(rows), exits=(exit_rule,)), market(rows), allocation=IMMEDIATE)
    again = [t for t, *_, reason in fills_of(at_once) if reason == "target"][1]
    assert again == locked[0][0] + 1


def test_a_nan_between_two_numbers_is_a_new_signal_too() -> None:
    rows = [*after_entry((100, 100, 94, 96)), *flat(6, 96)]
    table = [1.0] * 6 + [NAN] + [1.0] * (len(rows) - 7)
    result = run(scripted(table, exits=(StopLoss(0.05),)), market(rows))
    assert [t for t, *_, reason in fills_of(result) if reason == "target"] == [1, 8]


def test_an_exit_cancels_a_working_order_of_its_symbol() -> None:
    """400 of 1,000 bought in bar 1, 300 more at the open of bar 2, which then falls through the stop with no volume left: the
    700 are sold at the next open, and the 300 still to be bought are forgotten."""
    rows = after_entry((100, 100, 94, 96))
    bars = market(rows, volume=[1e6, 4000, 3000, *[1e6] * 4])
    result = run(scripted([1.0] * 7, exits=(StopLoss(0.05),)), bars, fills=FillModel(0.1))
    found = [(t, size, reason) for t, _, size, _, reason in fills_of(result)]
    assert found == [(1, 400.0, "target"), (2, 300.0, "target"), (3, -700.0, "stop loss")]
    assert result.orders["status"].tolist() == ["cancelled", "filled"]
    assert result.orders["end_reason"].tolist() == ["position closed", ""]


# -- stops never loosen -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "exits",
    [
        (TrailingStop(0.04),),
        (TrailingStop(0.04, after=0.02),),
        (AtrStop(2.0, 5),),
        (StopLoss(0.05), BreakEven(0.02), TrailingStop(0.06), AtrStop(3.0, 5)),
    ],
)
def test_the_protective_stop_never_loosens(exits: tuple[Any, ...]) -> None:
    """Bar by bar over random markets with splits (levels on the continuous basis), longs and shorts, no additions."""
    moved = 0
    for seed in range(6):
        bars = random_market(120, 2, seed, sigma=0.02, splits=True, gaps=0.03)
        weights = np.where(np.arange(120)[:, None] % 40 < 30, [[0.5, -0.5]], 0.0)
        strategy = scripted(weights, exits=exits)
        m, book = prepared(strategy, bars, {"allocation": IMMEDIATE})
        best = np.full(2, NAN)
        entered = np.full(2, -1)
        for t, now in walk(m, book, weights):
            for n in range(2):
                s = now.symbols[n]
                if s["qty"] == 0.0 or s["opened"] != entered[n]:
                    best[n], entered[n] = NAN, s["opened"]
                if s["qty"] == 0.0:
                    continue
                level, _ = protective_stop(now, n)
                side = np.sign(s["qty"])
                level = side * level * bars.split_factor[t, n]
                assert not (np.isnan(level) and not np.isnan(best[n])), "the stop was lost"
                if not np.isnan(best[n]):
                    assert level >= best[n] - 1e-9
                    moved += level > best[n] + 1e-9
                best[n] = level
    assert moved > 20


@pytest.mark.parametrize("exits", [(TrailingStop(0.03, after=0.02),), (BreakEven(0.02),)])
def test_an_armed_stop_stays_armed_when_the_position_grows(exits: tuple[Any, ...]) -> None:
    """1,000 at 100, best close 103: armed (gain 3 % >= 2 %), stop near 100. 1,000 more at 103 lift the average entry to 101.5, a
    gain of 1.5 %: the stop was there and must still be there when the price falls through it."""
    rows = [*flat(2), (100, 103, 100, 103), (103, 103, 103, 103), (103, 103, 90, 91), *flat(3, 91)]
    table = [1000.0, 1000.0, *[2000.0] * 6]
    result = run(scripted(table, exits=exits, target="units"), market(rows), capital=1e6)
    sold = [(t, round(price, 9)) for t, _, size, price, _ in fills_of(result) if size < 0]
    assert len(sold) == 1, "the stop disappeared"
    assert sold[0][0] == 4
    assert sold[0][1] >= 99.91


def test_random_exit_prices_stay_inside_their_bars() -> None:
    """Every exit together, longs and shorts, gaps and splits: the price was traded in that bar."""
    reasons: set[str] = set()
    for seed in range(8):
        bars = random_market(150, 3, seed, sigma=0.03, splits=True, gaps=0.02)
        rng = random.Random(seed)
        exits = (
            StopLoss(0.04), TrailingStop(0.05, after=rng.choice([0.0, 0.01])), BreakEven(0.05), AtrStop(1.5, 5),
            TakeProfit(0.08), ScaleOut(((0.02, 0.3), (0.04, 0.3))), TimeStop(5),
        )  # fmt: skip
        exits = tuple(item for item in exits if rng.random() < 0.7)
        weights = random_weights(np.random.default_rng(seed), 150, 3)
        result = run(scripted(weights, exits=exits), bars, allocation=IMMEDIATE)
        log = result.log("fills")
        assert (log["price"] >= bars.low[log["bar"], log["symbol"]] * (1 - 1e-12)).all()
        assert (log["price"] <= bars.high[log["bar"], log["symbol"]] * (1 + 1e-12)).all()
        reasons |= {REASONS[reason] for reason in log["reason"]}
    assert len(reasons) >= 7, reasons
