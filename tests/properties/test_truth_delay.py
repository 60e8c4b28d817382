"""Decisions that wait some bars: the run is that of a strategy that keeps its own decisions back, in every way of deciding."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from gpt_trader import AtrStop, Bars, FillModel, OrderStrategy, StopLoss, Strategy, backtest, orders, param
from gpt_trader.batch import backtest_many
from gpt_trader.costs import FillModel as Fills
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.errors import BadParameter
from gpt_trader.strategies import load_strategy
from tests.markets import random_market
from tests.properties.noise_rules import WAYS, Looks, LooksAtOne, Places, T, Table, assert_same_run
from tests.properties.truth_cases import NAN, hold, market, random_options, run, scripted


@dataclass(frozen=True)
class TableLater(Table):
    """The weights and ranks of `Table`, moved down by `late` rows."""

    late: int = param(1)

    def features(self, bars: Bars) -> Any:
        found = super().features(bars)
        moved = {}
        for name, rows in found.items():
            later = np.full(rows.shape, np.nan)
            later[self.late :] = rows[: bars.T - self.late]
            moved[name] = later
        return moved


@dataclass(frozen=True)
class LooksLater(Looks):
    """`Looks` that answers what it would have answered `late` bars ago."""

    late: int = param(1)
    kept: list[Any] = field(default_factory=list)

    def decide(self, now: Any, held: Any) -> Any:  # type: ignore[override]
        self.kept.append(super().decide(now, held))
        return self.kept[-1 - self.late] if len(self.kept) > self.late else np.full(now.close.shape, np.nan)


@dataclass(frozen=True)
class OneLater(LooksLater):
    """`LooksAtOne`, likewise, symbol by symbol."""

    def decide(self, now: Any, held: Any) -> Any:  # type: ignore[override]
        from gpt_trader.strategy import Held, Row

        answers = []
        for n in range(now.close.size):
            row = Row({name: values[n if values.size > 1 else 0] for name, values in vars(now).items()})
            one = Held(*(values[n] for values in held[:5]), held.equity, held.cash)
            answers.append(float(LooksAtOne.decide(self, row, one)))  # type: ignore[arg-type]
        self.kept.append(np.array(answers))
        return self.kept[-1 - self.late] if len(self.kept) > self.late else np.full(now.close.shape, np.nan)


@dataclass(frozen=True)
class PlacesLater(Places):
    """`Places`, likewise."""

    late: int = param(1)
    kept: list[Any] = field(default_factory=list)

    def decide(self, now: Any, held: Any) -> Any:  # type: ignore[override]
        self.kept.append(super().decide(now, held))
        return self.kept[-1 - self.late] if len(self.kept) > self.late else None


BY_ITSELF: dict[type[Strategy], Any] = {
    Table: TableLater, Looks: LooksLater, LooksAtOne: OneLater, Places: PlacesLater,
}  # fmt: skip


def options_of(number: int, symbols: int) -> tuple[Bars, dict[str, Any]]:
    bars = random_market(T, symbols, number, splits=True, dividends=True, gaps=0.02, sigma=0.02)
    return bars, random_options(random.Random(number), bars.symbols)


@WAYS
@pytest.mark.parametrize("number", range(6))
def test_it_is_the_run_of_a_strategy_that_keeps_its_own_decisions_back(
    kind: Any, mode: str, symbols: int, number: int
) -> None:
    """Allocation, ranks, filters, exits, limits and splits included, from the first row on or from a later one."""
    bars, options = options_of(number, symbols)
    late, first = (1, 2, 3, 7, 30, T + 5)[number], (0, 50)[number % 2]
    fills = Fills(options["fills"].volume_cap, late)
    mine = run(kind(seed=number), bars, first=first, mode=mode, **options | {"fills": fills})
    assert mine.outcome.mode == mode
    own = "array" if kind is Table else "python"
    alone = BY_ITSELF[kind](seed=number, late=min(late, T))
    if kind is Table and first:
        alone = scripted_later(kind(seed=number), bars, first, late)
    theirs = run(alone, bars, first=first, mode=own, **options)
    assert (assert_same_run(mine, theirs) > 5) == (late < T)


def scripted_later(strategy: Strategy, bars: Bars, first: int, late: int) -> Strategy:
    """The weights and ranks from row `first` on, moved down by `late` rows; none between."""
    moved = {}
    for name, rows in strategy.features(bars).items():
        moved[name] = np.full(rows.shape, np.nan)
        moved[name][first + late :] = rows[first : max(first, len(rows) - late)]
    return scripted(moved["wanted"], ranks=moved.get("score"))


@pytest.mark.parametrize("number", range(6))
def test_a_batch_is_delayed_as_well(number: int) -> None:
    bars, options = options_of(number, 3)
    del options["benchmark"]
    options["fills"] = Fills(options["fills"].volume_cap, number)
    strategies = [
        Table(seed=3),
        Table(seed=4),
        Looks(seed=5),
        Table(seed=6),
        load_strategy("demo_ma")(fast=2, slow=5, atr=3),
    ]
    scores = backtest_many(strategies, bars, first=20, **options)
    for row, strategy in zip(scores.values, strategies, strict=True):
        metrics = run(strategy, bars, first=20, **options).metrics
        np.testing.assert_array_equal(row, [metrics[name] for name in METRIC_NAMES])


def test_a_weight_decided_at_t_is_allocated_two_bars_later_at_the_prices_of_then() -> None:
    bars = market([(100.0 + t, 120.0, 90.0, 101.0 + t) for t in range(8)])
    result = run(scripted([NAN, 0.5, *[NAN] * 6]), bars, fills=FillModel(None, delay=2))
    assert result.decisions["time"].tolist() == [bars.time[3]]
    assert result.fills["time"].tolist() == [bars.time[4]]
    assert result.fills["quantity"].tolist() == [np.floor(50_000.0 / 104.0)]
    assert result.fills["price"].tolist() == [104.0]


def test_declared_exits_do_not_wait() -> None:
    """The stop is hit in the bar of the entry; the entry alone came late."""
    bars = market(
        [(100.0, 101.0, 99.0, 100.0)] * 4 + [(100.0, 101.0, 94.0, 96.0)] + [(96.0, 97.0, 95.0, 96.0)] * 3
    )
    result = run(scripted(hold(8)), bars, exits=(StopLoss(0.05),), fills=FillModel(None, delay=3))
    assert result.fills["time"].tolist() == [bars.time[4], bars.time[4]]
    assert result.fills["reason"].tolist() == ["target", "stop loss"]


def test_what_was_decided_in_the_last_bars_is_never_acted_on() -> None:
    table = [NAN] * 6 + [1.0, NAN]
    bars = market([(100.0, 101.0, 99.0, 100.0)] * 8)
    assert len(run(scripted(table), bars).orders) == 1
    assert len(run(scripted(table), bars, fills=FillModel(None, delay=2)).orders) == 0


@dataclass(frozen=True)
class Burst(OrderStrategy):
    """Many requests in one bar, now and then: the queue of those that wait has to grow and to move."""

    count: int = param(40)

    def decide(self, now: Any, held: Any) -> Any:
        if now.close[0] > now.open[0]:
            return [orders.limit(1.0, now.close[0] * (0.99 - 0.001 * k), day=1) for k in range(self.count)]
        return [orders.market(-held.quantity[0])] if held.quantity[0] > 0.0 else [orders.nothing()]


def test_the_queue_of_compiled_requests_grows() -> None:
    bars = random_market(T, 1, 5)
    for late in (1, 9):
        options: dict[str, Any] = {"fills": FillModel(None, delay=late)}
        python = run(Burst(), bars, mode="python", **options)
        compiled = run(Burst(), bars, mode="compiled", **options)
        assert compiled.outcome.mode == "compiled"
        assert assert_same_run(python, compiled) > 1000


def test_the_manifest_names_a_delay_only_where_there_is_one() -> None:
    bars = random_market(30, 1, 3)
    strategy = load_strategy("buy_and_hold")()
    plain = backtest(strategy, bars, fills=FillModel(0.2))
    assert plain.manifest["fills"] == {"volume_cap": 0.2}
    later = backtest(strategy, bars, fills=FillModel(0.2, 1))
    assert later.manifest["fills"] == {"volume_cap": 0.2, "delay": 1}
    assert later.run_id != plain.run_id
    assert later.benchmark_equity is not None
    assert plain.benchmark_equity is not None
    assert later.benchmark_equity.tobytes() == plain.benchmark_equity.tobytes()


@pytest.mark.parametrize("delay", [-1, 1.0, "1", True, None])
def test_what_is_no_number_of_bars_is_refused(delay: Any) -> None:
    with pytest.raises(BadParameter, match=r"delay is .*; it is a whole number of bars, 0 or more"):
        FillModel(0.1, delay)


def test_the_atr_stop_is_set_at_the_close_of_the_entry_bar_whenever_that_is() -> None:
    bars = random_market(60, 1, 9, sigma=0.02)
    plain = run(scripted([NAN, *hold(59)]), bars, exits=(AtrStop(1.0, 5),))
    later = run(scripted(hold(60)), bars, exits=(AtrStop(1.0, 5),), fills=FillModel(None, delay=1))
    assert assert_same_run(plain, later) > 1
