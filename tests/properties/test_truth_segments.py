"""One account through segments: with one strategy it is the run of that strategy, and no segment sees a bar after its own."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpt_trader import (
    AtrStop,
    Bars,
    FillModel,
    OrderStrategy,
    StopLoss,
    Strategy,
    TakeProfit,
    TimeStop,
    backtest,
    orders,
    param,
)
from gpt_trader.errors import BadParameter, StrategyError
from gpt_trader.segmented_backtest import Segment, backtest_segments
from gpt_trader.strategies import load_strategy
from tests.markets import random_market
from tests.properties.noise_rules import WAYS, Looks, T, Table, assert_same_run
from tests.properties.truth_cases import (
    ALL_IN,
    FREE,
    NAN,
    TABLES,
    UNCAPPED,
    hold,
    market,
    random_options,
    scripted,
)

PLAIN: dict[str, Any] = {"costs": FREE, "fills": UNCAPPED, "allocation": ALL_IN, "benchmark": False}


def case(number: int, symbols: int) -> tuple[Bars, dict[str, Any]]:
    bars = random_market(T, symbols, number, splits=True, dividends=True, gaps=0.02, sigma=0.02)
    if symbols == 3 and number % 2:
        bars = Bars(bars.symbols, bars.time, bars.panel, delisted=(None, None, str(bars.time[150])[:10]))
    options = random_options(random.Random(number), bars.symbols)
    delay = (0, 0, 1, 4)[number % 4]
    return bars, options | {"fills": FillModel(options["fills"].volume_cap, delay), "benchmark": True}


def cut(strategy: Strategy, stops: list[int]) -> list[Segment]:
    """Segments of the same strategy between these rows."""
    return [Segment(strategy, first, stop) for first, stop in pairwise(stops)]


@WAYS
@pytest.mark.parametrize("number", range(8))
def test_segments_of_one_strategy_are_one_run(kind: Any, mode: str, symbols: int, number: int) -> None:
    """Wherever they meet, from any first row, with exits, ranks, limits, splits and decisions that wait."""
    bars, options = case(number, symbols)
    rng = random.Random(number)
    first = rng.choice([0, 30])
    middle = sorted(rng.sample(range(first + 1, T), rng.choice([0, 1, 2, 12])))
    if number == 7:
        middle = list(range(100, 110))
    segmented = backtest_segments(cut(kind(seed=number), [first, *middle, T]), bars, mode=mode, **options)
    single = backtest(kind(seed=number), bars, first=first, mode=mode, **options)
    assert assert_same_run(segmented, single) > 5
    assert segmented.metrics == pytest.approx(single.metrics, rel=0, abs=0, nan_ok=True)
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(segmented, table), getattr(single, table), check_exact=True)


@pytest.mark.parametrize(
    "name", ["demo_ma", "trend_breakout", "momentum", "volatility", "bollinger", "mean_reversion"]
)
def test_features_of_the_bars_so_far_are_enough(name: str) -> None:
    """The shipped strategies: each segment computes its own features on the bars before its stop."""
    bars, options = case(4, 3)
    strategy = load_strategy(name)()
    single = backtest(strategy, bars, **options)
    assert_same_run(backtest_segments(cut(strategy, [0, 77, 140, T]), bars, **options), single)


def test_one_segment_over_all_bars_is_the_backtest_itself() -> None:
    bars, options = case(0, 2)
    segmented = backtest_segments([Segment(Table(3), 0, T)], bars, **options)
    assert segmented.run_id == backtest(Table(3), bars, **options).run_id
    assert segmented.bars is bars


@dataclass(frozen=True)
class Watches(Strategy):
    """Remembers the last bar it was shown."""

    stop: int = param(1)

    def features(self, bars: Bars) -> Any:
        assert self.stop == bars.T
        assert all(day is None or day <= str(bars.time[-1])[:10] for day in bars.delisted)
        return {}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 0.3, NAN)


def test_no_segment_is_shown_a_bar_or_a_delisting_after_its_own() -> None:
    bars = random_market(60, 2, 3)
    gone = Bars(bars.symbols, bars.time, bars.panel, delisted=(None, str(bars.time[40])[:10]))
    segments = [Segment(Watches(20), 5, 20), Segment(Watches(41), 20, 41), Segment(Watches(60), 41, 60)]
    result = backtest_segments(segments, gone, **PLAIN)
    assert result.closed_trades["exit_reason"].tolist() == ["delisted"]
    assert result.closed_trades["exit_time"].tolist() == [gone.time[41]]
    short = backtest_segments(segments[:2], gone, **PLAIN)
    assert (short.bars.T, short.start, short.end) == (41, str(gone.time[5])[:10], str(gone.time[40])[:10])
    assert len(short.closed_trades) == 0


def test_the_next_segment_takes_over_positions_and_exits_from_its_first_row_on() -> None:
    """A position of the first segment, which has no exits, meets the stop of the second in the second's first row."""
    rows = [(100.0, 101.0, 99.0, 100.0)] * 4 + [(100.0, 101.0, 90.0, 99.0)] * 3
    bars = market(rows)
    loose, tight = scripted(hold(7)), scripted(hold(7), exits=(StopLoss(0.05),))
    result = backtest_segments([Segment(loose, 0, 5), Segment(tight, 5, 7)], bars, **PLAIN)
    assert result.fills["time"].tolist() == [bars.time[1], bars.time[5]]
    assert result.fills["price"].tolist() == [100.0, 95.0]
    assert len(backtest(loose, bars, **PLAIN).fills) == 1
    swapped = backtest_segments([Segment(tight, 0, 4), Segment(loose, 4, 7)], bars, **PLAIN)
    assert len(swapped.fills) == 1, "the stop of the first segment is gone with it"


def test_the_peak_and_the_age_of_a_position_stay_with_it() -> None:
    bars = market([(100.0 + t, 101.0 + t, 99.0 + t, 100.0 + t) for t in range(9)])
    first, second = scripted(hold(9)), scripted(hold(9), exits=(TimeStop(5),))
    result = backtest_segments([Segment(first, 0, 4), Segment(second, 4, 9)], bars, **PLAIN)
    assert result.closed_trades["bars"].tolist() == [6]
    assert result.closed_trades["exit_time"].tolist() == [bars.time[7]]


def test_orders_and_decisions_that_wait_are_handed_on() -> None:
    """A limit order of the first segment fills in the second; a weight decided in the first is allocated in the second."""

    @dataclass(frozen=True)
    class Once(OrderStrategy):
        def decide(self, now: Any, held: Any) -> Any:
            return orders.limit(10.0, 95.0) if now.volume[0] == 7e6 else None

    rows = [(100.0, 101.0, 99.0, 100.0)] * 4 + [(100.0, 101.0, 90.0, 99.0)] * 3
    bars = market(rows, volume=[7e6, *[1e6] * 6])
    quiet = scripted([NAN] * 7)
    result = backtest_segments([Segment(Once(), 0, 2), Segment(quiet, 2, 7)], bars, mode=None, **PLAIN)
    assert result.fills["price"].tolist() == [95.0]
    late = PLAIN | {"fills": FillModel(None, delay=3)}
    waited = backtest_segments([Segment(scripted([NAN, *hold(6)]), 0, 2), Segment(quiet, 2, 7)], bars, **late)
    assert waited.fills["time"].tolist() == [bars.time[5]]
    placed = backtest_segments([Segment(Once(), 0, 2), Segment(Once(), 2, 7)], bars, **late)
    assert placed.orders["time"].tolist() == [bars.time[3]]


@pytest.mark.parametrize("other", [0.5, 0.0])
def test_what_the_next_segment_wants_is_ordered_at_its_first_close(other: float) -> None:
    bars = market([(100.0, 101.0, 99.0, 100.0)] * 8)
    result = backtest_segments(
        [Segment(scripted(hold(8)), 0, 4), Segment(scripted(hold(8, 0, other)), 4, 8)], bars, **PLAIN
    )
    assert result.decisions["time"].tolist() == [bars.time[0], bars.time[4]]
    assert result.fills["quantity"].tolist() == [1000.0, 1000.0 * (1.0 - other)]


def test_a_rule_that_does_not_compile_leaves_the_account_as_it_was() -> None:
    """The second segment begins compiled, is refused, and runs in Python from where the first one left."""

    @dataclass(frozen=True)
    class Wild(Looks):
        def decide(self, now: Any, held: Any) -> Any:
            return {"a": super().decide(now, held)}["a"]

    bars, options = case(1, 3)
    mixed = backtest_segments([Segment(Looks(2), 0, 90), Segment(Wild(2), 90, T)], bars, **options)
    assert_same_run(mixed, backtest(Looks(2), bars, mode="python", **options))
    with pytest.raises(StrategyError, match=r"does not compile"):
        backtest_segments(
            [Segment(Looks(2), 0, 90), Segment(Wild(2), 90, T)], bars, mode="compiled", **options
        )


def test_the_manifest_lists_the_segments_and_the_last_one_names_the_run() -> None:
    bars = random_market(60, 2, 3)
    slow, quick = load_strategy("demo_ma")(fast=5, slow=20), load_strategy("demo_ma")(fast=3, slow=9)
    result = backtest_segments(
        [Segment(slow, 10, 30), Segment(quick, np.int64(30), 50)], bars, exits=(TakeProfit(0.1),)
    )  # type: ignore[arg-type]
    assert result.parameters["fast"] == 3
    assert [segment["parameters"]["fast"] for segment in result.manifest["legs"]] == [5, 3]
    assert [segment["first"] for segment in result.manifest["legs"]] == [10, 30]
    assert [segment["start"] for segment in result.manifest["legs"]] == [
        str(bars.time[row])[:10] for row in (10, 30)
    ]
    assert all(
        segment["exits"] == [{"kind": "TakeProfit", "fraction": 0.1}] for segment in result.manifest["legs"]
    )
    assert (result.manifest["first"], result.start, result.time.size) == (10, str(bars.time[10])[:10], 40)
    other = backtest_segments(
        [Segment(quick, 10, 30), Segment(quick, 30, 50)], bars, exits=(TakeProfit(0.1),)
    )
    assert other.run_id != result.run_id


@pytest.mark.parametrize(
    "rows",
    [[], [(0, 10), (11, 20)], [(0, 10), (9, 20)], [(5, 5)], [(0, 61)], [(-1, 9)], [(0.0, 9)], [(0, 9.0)], [(0, True)], [(0, "9")]],
)  # fmt: skip
def test_segments_that_do_not_follow_each_other_are_refused(rows: list[Any]) -> None:
    bars = random_market(60, 1, 3)
    with pytest.raises(BadParameter, match=r"segment|the account begins"):
        backtest_segments([Segment(load_strategy("demo_ma")(), *pair) for pair in rows], bars)


def test_weights_and_units_do_not_mix_and_a_segment_needs_a_strategy() -> None:
    bars = random_market(60, 1, 3)
    weights = Segment(scripted([1.0] * 60), 0, 30)
    with pytest.raises(BadParameter, match=r"weights and some return units"):
        backtest_segments([weights, Segment(scripted([1.0] * 60, target="units"), 30, 60)], bars)
    with pytest.raises(BadParameter, match=r"a segment needs a strategy instance"):
        backtest_segments([weights, replace(weights, strategy=Strategy, first=30, stop=60)], bars)  # type: ignore[arg-type]


def test_the_atr_stop_of_the_next_segment_tightens_that_of_the_one_before() -> None:
    bars = random_market(80, 1, 9, sigma=0.02)
    wide, narrow = scripted(hold(80), exits=(AtrStop(6.0, 5),)), scripted(hold(80), exits=(AtrStop(1.0, 5),))
    alone = backtest(wide, bars, **PLAIN)
    result = backtest_segments([Segment(wide, 0, 20), Segment(narrow, 20, 80)], bars, **PLAIN)
    assert result.closed_trades["exit_time"].iloc[0] < alone.closed_trades["exit_time"].iloc[0]
    assert result.closed_trades["exit_time"].iloc[0] > pd.Timestamp(bars.time[20])
    assert result.closed_trades["exit_reason"].iloc[0] == "atr stop"
