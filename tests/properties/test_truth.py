"""The engine does not see the future: peek canary, truncation, scrambling, overnight series; and every path gives the same bits."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gpt_trader import Bars, Costs, Instrument, Strategy, ta
from gpt_trader.batch import backtest_many
from gpt_trader.engine.compiled_rules import jitted, parameter_tuple
from gpt_trader.engine.metric_formulas import METRIC_NAMES
from gpt_trader.engine.records import UNKNOWN
from gpt_trader.engine.strategy_calls import compute_features, decide_all, row_values
from gpt_trader.result import Result
from gpt_trader.strategies import SHIPPED
from tests.markets import random_market
from tests.properties.test_truth_accounting import RandomOrders
from tests.properties.truth_cases import (
    ALL_IN,
    FREE,
    TABLES,
    UNCAPPED,
    days,
    random_options,
    random_weights,
    run,
    scripted,
    shipped,
)

SEEDS = range(20)
PATHS = ("array", "compiled", "python", "batch")


# -- the peek canary --------------------------------------------------------------------------------------------------


class Table:
    """What `Replay` gives out: the compiled driver is kept by class, so the class stays and the table changes."""

    now: Any = None


@dataclass(frozen=True)
class Replay(Strategy):
    """Replays `Table.now`, weights by bar or a function of the bars: one compiled rule for every table."""

    def features(self, bars: Bars) -> Any:
        return {"wanted": Table.now(bars) if callable(Table.now) else Table.now}

    def decide(self, now: Any) -> Any:
        return now.wanted


def follows_the_bar(bars: Bars) -> Any:
    """Long after a bar that rose, short after one that fell: knows bar t's own return, at the close of bar t."""
    return 0.3 * np.sign(ta.returns(bars.close, 1))


def zero_drift(seed: int) -> Bars:
    """Three random walks whose mean SIMPLE return is zero: the drift of the logarithm is -sigma^2 / 2."""
    return random_market(1000, 3, seed, drift=-0.5 * 0.012**2)


def sharpe_on(path: str, bars: Bars) -> float:
    Table.now = follows_the_bar
    if path == "batch":
        options = {"costs": FREE, "fills": UNCAPPED, "allocation": ALL_IN}
        return float(backtest_many([Replay()], bars, **options)["sharpe"][0])
    result = run(Replay(), bars, mode=path)
    assert result.outcome.mode == path
    return result.metrics["sharpe"]


@pytest.mark.parametrize("path", PATHS)
def test_a_signal_from_the_bar_itself_earns_nothing_afterwards(path: str) -> None:
    found = [sharpe_on(path, zero_drift(seed)) for seed in SEEDS]
    assert np.isfinite(found).all()
    assert np.std(found) > 0.3, "the runs traded nothing, so they prove nothing"
    assert abs(np.mean(found)) < 0.3


def test_the_same_signal_filled_inside_its_own_bar_would_be_seen() -> None:
    """The canary can see: a book that fills the order of bar t at the open of bar t is rich."""
    found = []
    for seed in SEEDS:
        bars = zero_drift(seed)
        direction = np.sign(bars.close[1:] / bars.close[:-1] - 1.0) * 0.3
        gains = (direction * (bars.close[1:] / bars.open[1:] - 1.0)).sum(axis=1)
        found.append(gains.mean() / gains.std() * np.sqrt(252))
    assert np.mean(found) > 5


# -- nothing after t changes anything at or before t ------------------------------------------------------------------


def first_bars(bars: Bars, count: int) -> Bars:
    return Bars(
        bars.symbols, bars.time[:count], bars.panel[:, :count], bars.timeframe, bars.adjustment,
        delisted=bars.delisted,
    )  # fmt: skip


def with_future(bars: Bars, count: int, rng: np.random.Generator) -> Bars:
    """The same first `count` bars, then the later ones in another order, with other prices, volumes and events."""
    panel = bars.panel.copy()
    rest = panel[:, count:]
    rest = rest[:, rng.permutation(rest.shape[1])]
    rest[:4] *= np.exp(rng.normal(0, 0.3, (1, 1, bars.N)))
    rest[4] *= rng.choice([0.1, 3.0])
    rest[6] *= 2.0
    panel[:, count:] = rest
    return Bars(bars.symbols, bars.time, panel, bars.timeframe, bars.adjustment, delisted=bars.delisted)


def market_with_events(seed: int, count: int = 160) -> Bars:
    """Three symbols with gaps, splits, dividends, and one that leaves the market half way."""
    bars = random_market(count, 3, seed, gaps=0.03, splits=True, dividends=True, volume=2e5, sigma=0.02)
    panel = bars.panel.copy()
    panel[:4, 90:, 2] = np.nan
    panel[4, 90:, 2] = 0.0
    return Bars(bars.symbols, bars.time, panel, delisted=(None, None, str(bars.time[89])[:10]))


def created(orders: Any) -> Any:
    """The bar in which an order came into being: that of the decision, or in which a declared exit, a leg or a delisting arose."""
    return orders["decided_bar"]


def assert_prefix(short: Result, long: Result, count: int) -> None:
    """The first `count` bars of `long` are, bit for bit, those of `short` in every table."""
    assert short.account_curves[:, :count].tobytes() == long.account_curves[:, :count].tobytes()
    for name, bar in (("fills", "bar"), ("trades", "exit_bar"), ("decisions", "bar")):
        mine, theirs = short.log(name), long.log(name)
        mine, theirs = mine[mine[bar] < count], theirs[theirs[bar] < count]
        assert mine.size == theirs.size, name
        for column in mine.dtype.names:
            assert mine[column].tobytes() == theirs[column].tobytes(), (name, column)
    mine, theirs = short.log("orders"), long.log("orders")
    mine, theirs = mine[created(mine) < count], theirs[created(theirs) < count]
    lives = (
        mine["status"] <= UNKNOWN
    )  # still alive at the end of the short run: its later fate is not compared
    assert mine.size == theirs.size, "orders"
    for column in mine.dtype.names:
        same_always = column in (
            "symbol",
            "decided_bar",
            "parent",
            "created_bar",
            "decision",
            "purpose",
            "reason",
            "day",
        )
        rows = slice(None) if same_always else ~lives
        assert mine[column][rows].tobytes() == theirs[column][rows].tobytes(), ("orders", column)
    held = [r.positions[r.positions["time"] <= short.bars.time[count - 1]] for r in (short, long)]
    assert held[0].to_csv(float_format="%.17g") == held[1].to_csv(float_format="%.17g")


def test_the_prefix_comparison_can_fail() -> None:
    bars = market_with_events(3)
    other = bars.panel.copy()
    other[4, 20] *= 0.01
    options = random_options(random.Random(3)) | {"fills": None, "exits": ()}
    strategy = shipped("demo_ma", random.Random(1))
    changed = run(strategy, Bars(bars.symbols, bars.time, other, delisted=bars.delisted), **options)
    with pytest.raises(AssertionError):
        assert_prefix(run(strategy, bars, **options), changed, bars.T)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shorter_run_is_the_first_part_of_a_longer_one(name: str) -> None:
    traded = 0
    for case in range(6):
        rng = random.Random(f"{name}{case}")
        bars = market_with_events(case)
        options = random_options(rng, bars.symbols)
        strategy = shipped(name, rng)
        whole = run(strategy, bars, **options)
        traded += len(whole.fills)
        for count in (1, rng.randrange(30, 89), rng.randrange(90, 150)):
            assert_prefix(run(strategy, first_bars(bars, count), **options), whole, count)
    assert traded > 20


@pytest.mark.parametrize("name", SHIPPED)
def test_other_bars_after_t_change_nothing_up_to_t(name: str) -> None:
    for case in range(4):
        rng = random.Random(f"{name}{case}")
        bars = market_with_events(10 + case)
        options = random_options(rng, bars.symbols)
        strategy = shipped(name, rng)
        count = rng.randrange(60, 140)
        other = with_future(bars, count, np.random.default_rng(case))
        assert_prefix(
            run(strategy, first_bars(bars, count), **options), run(strategy, other, **options), count
        )


def test_random_targets_know_no_future_either() -> None:
    """Shorts, reversals and every kind of exit, which the shipped strategies seldom use."""
    for case in range(20):
        rng = random.Random(case)
        bars = market_with_events(20 + case)
        strategy = scripted(random_weights(np.random.default_rng(case), bars.T, bars.N))
        options = random_options(rng, bars.symbols)
        count = rng.randrange(20, 150)
        assert_prefix(
            run(strategy, first_bars(bars, count), **options), run(strategy, bars, **options), count
        )


def test_orders_know_no_future_either() -> None:
    """An order strategy: the engine looks ahead for the next bar that matters, and must not let it show."""
    for case in range(10):
        rng = random.Random(case)
        bars = market_with_events(40 + case)
        options = random_options(rng, bars.symbols) | {"mode": "python"}
        count = rng.randrange(20, 150)
        whole = run(RandomOrders(case), bars, **options)
        assert_prefix(run(RandomOrders(case), first_bars(bars, count), **options), whole, count)


def test_volume_that_arrives_later_does_not_change_earlier_fills() -> None:
    """A symbol without volume so far trades without a cap, whatever volume its later bars carry."""
    bars = random_market(60, 1, 5)
    panel = bars.panel.copy()
    panel[4, :30] = 0.0
    bars = Bars(bars.symbols, bars.time, panel)
    strategy = scripted([1.0] * 60)
    short = run(strategy, first_bars(bars, 30), fills=None)
    assert_prefix(short, run(strategy, bars, fills=None), 30)


# -- timing -----------------------------------------------------------------------------------------------------------


def one_sided(returns: np.ndarray, overnight: bool) -> Bars:
    """All of the return between close and open (`overnight`), or all of it between open and close."""
    close = 100.0 * np.cumprod(1.0 + returns)
    opened = close if overnight else np.concatenate([[100.0], close[:-1]])
    panel = np.ones((7, returns.size, 1))
    panel[:4, :, 0] = [opened, np.maximum(opened, close), np.minimum(opened, close), close]
    panel[4] = 1e9
    panel[6] = 0.0
    return Bars(("A",), days(returns.size), panel)


def fractional(bars: Bars) -> dict[str, Any]:
    return {"instruments": tuple(Instrument(name, lot=0.0) for name in bars.symbols)}


@pytest.mark.parametrize("overnight", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_always_long_earns_the_series_less_its_cost(overnight: bool, seed: int) -> None:
    """Bought at the open of bar 1 (which equals the close of bar 0), held to the end: (close / entry) / (1 + cost)."""
    returns = np.random.default_rng(seed).normal(0.0005, 0.01, 500)
    returns[:2] = 0.0
    bars = one_sided(returns, overnight)
    costs = Costs(bps=30.0, spread_bps=0.0, impact=0.0)
    result = run(scripted([1.0] * 500), bars, costs=costs, **fractional(bars))
    expected = bars.close[-1, 0] / bars.close[0, 0] / 1.003 - 1.0
    assert result.metrics["total_return"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("mode", ["array", "python"])
@pytest.mark.parametrize("seed", range(3))
def test_a_weight_decided_at_t_earns_from_the_open_of_the_next_bar(seed: int, mode: str) -> None:
    """On an overnight-only series the night from t to t+1 belongs to what was held BEFORE the decision at t."""
    rng = np.random.default_rng(seed)
    nights = rng.normal(0, 0.01, 300)
    bars = one_sided(nights, overnight=True)
    wanted = (rng.random(300) < 0.5).astype(float)
    cash, shares = 100_000.0, 0.0
    curve = []
    for t in range(300):
        price = bars.open[t, 0]
        if t and wanted[t - 1] != (shares > 0):
            equity_then = cash + shares * bars.close[t - 1, 0]
            if shares:
                cash, shares = cash + shares * price * (1 - 0.001), 0.0
            else:
                shares = min(equity_then / bars.close[t - 1, 0], cash / (price * 1.001))
                cash -= shares * price * 1.001
        curve.append(cash + shares * bars.close[t, 0])
    costs = Costs(bps=10.0, spread_bps=0.0, impact=0.0)
    result = run(scripted(wanted), bars, costs=costs, mode=mode, **fractional(bars))
    np.testing.assert_allclose(result.equity["equity"], curve, rtol=1e-9)


# -- one engine on every path -----------------------------------------------------------------------------------------


def tables_as_bytes(result: Result) -> dict[str, str]:
    return {name: getattr(result, name).to_csv(float_format="%.17g") for name in TABLES} | {
        "metrics": repr(result.metrics),
        "run": result.run_id,
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_the_same_manifest_gives_the_same_bytes(name: str) -> None:
    rng = random.Random(name)
    bars = market_with_events(7)
    options = random_options(rng, bars.symbols) | {"benchmark": True}
    strategy = shipped(name, rng)
    first = run(strategy, bars, **options)
    copied = Bars(bars.symbols, bars.time, bars.panel.copy(), delisted=bars.delisted)
    again = run(type(strategy)(**first.parameters), copied, **options)
    assert first.manifest == again.manifest
    assert tables_as_bytes(first) == tables_as_bytes(again)


@pytest.mark.parametrize("name", SHIPPED)
def test_array_and_python_give_the_same_bytes(name: str) -> None:
    for case in range(3):
        rng = random.Random(f"{name}{case}")
        bars = market_with_events(30 + case)
        strategy, options = shipped(name, rng), random_options(rng, bars.symbols)
        results = [run(strategy, bars, mode=mode, **options) for mode in ("array", "python")]
        assert tables_as_bytes(results[0]) == tables_as_bytes(results[1])


def test_compiled_array_and_python_give_the_same_bytes_on_random_targets() -> None:
    fills = 0
    for case in range(12):
        rng = random.Random(case)
        bars = market_with_events(40 + case)
        Table.now = random_weights(np.random.default_rng(case), bars.T, bars.N)
        options = random_options(rng, bars.symbols)
        results = [run(Replay(), bars, mode=mode, **options) for mode in ("array", "python", "compiled")]
        assert [r.outcome.mode for r in results] == ["array", "python", "compiled"]
        found = [tables_as_bytes(result) for result in results]
        assert found[0] == found[1] == found[2]
        fills += len(results[0].fills)
    assert fills > 200


@pytest.mark.parametrize("name", SHIPPED)
def test_a_compiled_rule_decides_as_the_same_rule_in_numpy(name: str) -> None:
    """Only `decide` is compiled here (the engine around it is the test above): rows of the array form, same bits."""
    bars = market_with_events(50).continuous()
    strategy = shipped(name, random.Random(name))
    features = compute_features(strategy, bars)
    columns = row_values(bars, features)
    row_type = namedtuple("Row", list(columns))  # type: ignore[misc]
    rule, parameters = jitted(type(strategy).decide, True, None), parameter_tuple(strategy)
    expected = decide_all(strategy, bars, features)
    for t in range(0, bars.T, 3):
        answer = rule(parameters, row_type(*(np.ascontiguousarray(a[t]) for a in columns.values())))
        assert np.asarray(answer, float).tobytes() == expected[t].tobytes(), t


@pytest.mark.parametrize("name", SHIPPED)
def test_a_batch_gives_what_backtest_gives(name: str) -> None:
    """Metrics bit for bit, in one batch of several parameter sets, exits of the run included."""
    rng = random.Random(name)
    bars = market_with_events(60)
    options = random_options(rng, bars.symbols)
    del options["instruments"], options["benchmark"]
    strategies = [shipped(name, rng) for _ in range(6)]
    scores = backtest_many(strategies, bars, **options)
    for k, strategy in enumerate(strategies):
        metrics = run(strategy, bars, **options).metrics
        expected = np.array([metrics[key] for key in METRIC_NAMES])
        np.testing.assert_array_equal(scores.values[k], expected)


def test_a_batch_of_different_strategies_keeps_them_apart() -> None:
    rng = random.Random(1)
    bars = market_with_events(61)
    strategies = [shipped(name, rng) for name in SHIPPED] * 2
    options = random_options(rng, bars.symbols)
    del options["instruments"], options["benchmark"]
    rng.shuffle(strategies)
    scores = backtest_many(strategies, bars, **options)
    for k, strategy in enumerate(strategies):
        metrics = run(strategy, bars, **options).metrics
        np.testing.assert_array_equal(scores.values[k], [metrics[key] for key in METRIC_NAMES])


_HASHED = """
from dataclasses import dataclass
from gpt_trader.result import code_hash
from gpt_trader.strategy import Strategy
@dataclass(frozen=True)
class Picky(Strategy):
    def decide(self, now):
        return 1.0 if "x" in {"alpha", "beta", "gamma", "delta"} else 0.0
print(code_hash(Picky))
"""


def test_the_manifest_is_the_same_in_every_process() -> None:
    """Python salts the order of sets of strings per process; a run id must not move with it."""
    found = set()
    for salt in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-c", _HASHED], env=os.environ | {"PYTHONHASHSEED": salt}, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        found.add(done.stdout.strip())
    assert len(found) == 1
