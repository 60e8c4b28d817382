"""An account that begins at a row of the bars: what it knows of the past, and that it does nothing in it.

Two truths. The run equals that over the bars from that row on alone, of a strategy that was given the features of the whole
past. And it equals a run over all bars whose strategy keeps still until that row, rules that look back included.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpt_trader import (
    Allocation,
    AtrStop,
    Bars,
    Instrument,
    Result,
    RiskLimits,
    backtest,
)
from gpt_trader.backtesting import buy_and_hold
from gpt_trader.batch import backtest_many
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import BadParameter, StrategyError
from gpt_trader.strategies import load_strategy
from tests.markets import random_market
from tests.properties.noise_rules import WAYS, Looks, T, Table, assert_same_run
from tests.properties.truth_cases import (
    NAN,
    TABLES,
    hold,
    market,
    random_options,
    run,
    scripted,
)

FIRST = 87


def case(number: int, symbols: int, **more: Any) -> tuple[Bars, dict[str, Any]]:
    rng = random.Random(number)
    bars = random_market(T, symbols, number, gaps=0.02, sigma=0.02, **more)
    return bars, random_options(rng, bars.symbols) | {"benchmark": True}


def assert_same_tables(mine: Result, theirs: Result) -> None:
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(mine, table), getattr(theirs, table), check_exact=True)
    assert mine.metrics == pytest.approx(theirs.metrics, rel=0, abs=0, nan_ok=True)
    assert (mine.start, mine.end, mine.time.size) == (theirs.start, theirs.end, theirs.bars.T)


@WAYS
@pytest.mark.parametrize("number", range(6))
def test_it_is_the_run_over_the_later_bars_alone_with_features_that_know_the_past(
    kind: Any, mode: str, symbols: int, number: int
) -> None:
    bars, options = case(number, symbols, dividends=True)
    alone = bars.select(start=bars.time[FIRST])
    options["exits"] = tuple(item for item in options["exits"] if not isinstance(item, AtrStop))
    options["risk"] = None if options["risk"] is None else RiskLimits(correlation=1.0)
    plain = options["allocation"]
    options["allocation"] = Allocation(
        gross=plain.gross, cadence=plain.cadence, confirm=plain.confirm, cooldown=plain.cooldown
    )
    late = run(kind(seed=number), bars, first=FIRST, mode=mode, **options)
    own = run(kind(seed=number, offset=FIRST), alone, mode=mode, **options)
    assert len(own.fills) > 5
    assert late.outcome.mode == own.outcome.mode == mode
    assert_same_tables(late, own)


@WAYS
@pytest.mark.parametrize("number", range(6))
def test_it_is_the_run_over_all_bars_of_a_strategy_that_keeps_still_until_then(
    kind: Any, mode: str, symbols: int, number: int
) -> None:
    bars, options = case(number + 20, symbols, splits=True, dividends=True)
    options["benchmark"] = False
    if options["allocation"].cadence != "bar":
        options["allocation"] = Allocation(sizing="risk", atr=5, gross=1.0)
    late = run(kind(seed=number), bars, first=FIRST, mode=mode, **options)
    still = run(kind(seed=number, silent=FIRST), bars, mode=mode, **options)
    still.first = FIRST  # of which the rows before hold nothing
    assert assert_same_run(late, still) > 5


def test_the_first_row_decides_and_the_next_one_fills() -> None:
    bars = market([(100.0, 110.0, 90.0, 100.0 + t) for t in range(8)])
    result = run(scripted(hold(8)), bars, first=5)
    assert result.fills["time"].tolist() == [pd.Timestamp(bars.time[6])]
    assert result.decisions["time"].tolist() == [pd.Timestamp(bars.time[5])]
    assert result.equity.index.tolist() == [pd.Timestamp(stamp) for stamp in bars.time[5:]]
    assert result.start == str(bars.time[5])[:10]


@pytest.mark.parametrize("cadence", ["bar", "week", "month"])
def test_its_first_row_is_looked_at_with_every_cadence(cadence: str) -> None:
    """A Wednesday in the middle of a month."""
    bars = market([(100.0, 110.0, 90.0, 100.0)] * 12)
    result = run(scripted(hold(12)), bars, first=7, allocation=Allocation(gross=1.0, cadence=cadence))
    assert result.decisions["time"].tolist() == [pd.Timestamp(bars.time[7])]


def test_the_last_row_alone_is_an_account_that_has_nothing_yet() -> None:
    result = run(scripted(hold(8)), market([(100.0, 110.0, 90.0, 100.0)] * 8), first=7, benchmark=True)
    assert result.equity["equity"].tolist() == [100_000.0]
    assert (len(result.fills), len(result.orders)) == (0, 1)
    assert result.metrics["total_return"] == result.metrics["benchmark_total_return"] == 0.0


def test_buy_and_hold_begins_there_as_well() -> None:
    bars = random_market(60, 2, 3)
    result = run(scripted(np.full((60, 2), NAN)), bars, first=40, benchmark=True)
    alone = buy_and_hold(bars.select(start=bars.time[40]), Settings(allocation=Allocation(gross=1.0)))
    held = result.benchmark_equity
    assert held is not None
    assert held[0] == 100_000.0
    costs = run(scripted([NAN] * 60), bars.select(["S0"]), first=40).settings
    assert costs.capital == 100_000.0
    free = buy_and_hold(bars, result.settings, 40).book.account_curves[0, 40:]
    assert held.tobytes() == free.tobytes()
    assert held.size == alone.book.account_curves.shape[1] == 20
    opened = bars.open[41]
    share = np.floor(50_000.0 / bars.close[40])
    expected = 100_000.0 + (share * (bars.close[41] - opened)).sum()
    assert held[1] == pytest.approx(expected)


def test_losses_are_measured_from_its_first_bar() -> None:
    """The loss of the week in which the account begins is measured against its capital."""
    bars = market([(100.0, 101.0, 99.0, 100.0)] * 3 + [(100.0, 101.0, 94.0, 95.0), (95.0, 96.0, 94.0, 95.0)])
    limits = RiskLimits(
        daily_loss=None, weekly_loss=0.03, monthly_loss=None, drawdown=None, position=1.0, gross=1.0, cash=0.0
    )
    assert run(scripted(hold(5)), bars, first=1, risk=limits).outcome.book.account[0]["halt"] != 0
    assert run(scripted(hold(5)), bars, first=3, risk=limits).outcome.book.account[0]["halt"] == 0


def test_correlations_and_volume_of_the_past_count() -> None:
    """Twenty returns are needed to judge a correlation; they lie before the account begins."""
    rows = random_market(60, 1, 8).panel
    twins = Bars(("A", "B"), random_market(60, 1, 8).time, np.concatenate([rows, rows], axis=2))
    limits = RiskLimits(correlation=0.5, position=1.0, gross=1.0, cash=0.0, order_volume=None)
    result = run(scripted(np.full((60, 2), 0.4)), twins, first=55, risk=limits)
    assert result.decisions["rule"].tolist().count("risk correlation") == 1


def test_what_lies_before_it_is_not_decided() -> None:
    """An infinite weight in a row before the first is no weight at all."""
    table = np.array([np.inf, 0.5, 0.5, 0.5])
    bars = market([(100.0, 110.0, 90.0, 100.0)] * 4)
    assert len(run(scripted(table), bars, first=1).fills) == 1
    assert np.isfinite(backtest_many([scripted(table)], bars, first=1)["total_return"]).all()
    table[2] = np.inf
    for call in (
        lambda: run(scripted(table), bars, first=1),
        lambda: backtest_many([scripted(table)], bars, first=1),
    ):
        with pytest.raises(StrategyError, match=r"an infinite weight at \(2, 0\)"):
            call()


@pytest.mark.parametrize("number", range(8))
def test_a_batch_begins_there_too(number: int) -> None:
    rng = random.Random(number)
    bars, options = case(number, 3, splits=True)
    del options["benchmark"]
    kinds = [
        Table(seed=number),
        Looks(seed=number),
        load_strategy("demo_ma")(fast=3, slow=9, atr=3),
        Table(seed=number + 3),
    ]
    strategies = [rng.choice(kinds) for _ in range(12)]
    scores = backtest_many(strategies, bars, first=FIRST, **options)
    for row, strategy in zip(scores.values, strategies, strict=True):
        metrics = run(strategy, bars, first=FIRST, **options).metrics
        np.testing.assert_array_equal(row, [metrics[name] for name in METRIC_NAMES])


def test_the_manifest_says_so_only_when_it_is_not_the_first_row_of_the_bars() -> None:
    bars = random_market(30, 1, 3)
    strategy = load_strategy("buy_and_hold")()
    assert "first" not in backtest(strategy, bars).manifest
    assert backtest(strategy, bars, first=0).run_id == backtest(strategy, bars).run_id
    late = backtest(strategy, bars, first=np.int64(7))  # type: ignore[arg-type]
    assert late.manifest["first"] == 7
    assert late.manifest["start"] == str(bars.time[7])[:10]
    assert late.run_id != backtest(strategy, bars, first=8).run_id


@pytest.mark.parametrize("first", [-1, 30, 2.0, "3", True, None])
def test_what_is_no_row_is_refused(first: Any) -> None:
    bars = random_market(30, 1, 3)
    strategy = load_strategy("buy_and_hold")()
    for call in (
        lambda: backtest(strategy, bars, first=first),
        lambda: backtest_many([strategy], bars, first=first),
    ):
        with pytest.raises(BadParameter, match=r"the account begins at a row of the bars, 0 to 29"):
            call()


def test_a_symbol_that_left_before_is_not_bought_and_lots_count() -> None:
    bars = random_market(30, 2, 3)
    gone = Bars(bars.symbols, bars.time, bars.panel, delisted=(str(bars.time[9])[:10], None))
    options: dict[str, Any] = {"instruments": [Instrument("S1", lot=100.0)]}
    result = run(scripted(np.full((30, 2), 0.5)), gone, first=12, **options)
    assert set(result.fills["symbol"]) == {"S1"}
    assert result.fills["quantity"].tolist() == [100.0 * np.floor(500.0 / bars.close[12, 1])]
