"""GPT-Trader: the workloads through the public functions that a user calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks import definitions as given
from benchmarks.data import Data
from benchmarks.worker import Makers, Task, serve
from gpt_trader import (
    Allocation,
    Bars,
    Costs,
    FillModel,
    Instrument,
    OrderStrategy,
    Strategy,
    backtest,
    param,
    ta,
)
from gpt_trader.batch import BatchResult, backtest_many
from gpt_trader.orders import OrderRequest, cancel, limit, nothing, stop
from gpt_trader.result import Result
from gpt_trader.strategies.momentum import Momentum
from gpt_trader.strategy import Features, Weights, per_symbol

COSTS = Costs.commission_only(1e4 * given.COMMISSION)
FILLS = FillModel(None)
WHOLE = Allocation(gross=1.0)


@dataclass(frozen=True)
class TwoAverages(Strategy):
    """SHARES while the fast average leads."""

    fast: int = param(given.FAST, low=1, high=500)
    slow: int = param(given.SLOW, low=2, high=1000)
    target_kind = "units"

    def features(self, bars: Bars) -> Features:
        """Both averages."""
        return {"fast": ta.sma(bars.close, self.fast), "slow": ta.sma(bars.close, self.slow)}

    def decide(self, now: Any) -> Weights:
        """SHARES or none."""
        return np.where(now.fast > now.slow, given.SHARES, 0.0)


@dataclass(frozen=True)
class WideAverages(TwoAverages):
    """SHARES_EACH of every symbol whose fast average leads."""

    def decide(self, now: Any) -> Weights:
        """SHARES_EACH or none."""
        return np.where(now.fast > now.slow, given.SHARES_EACH, 0.0)


@dataclass(frozen=True)
class TrailingAverages(TwoAverages):
    """SHARES while the fast average leads, out after a fall from the peak; written for arrays, as a user would."""

    trail: float = param(0.01, low=0.0, high=1.0)

    def decide(self, now: Any, held: Any) -> Weights:  # type: ignore[override]
        """SHARES or none."""
        stopped = now.close < held.peak * (1 - self.trail)
        return np.where((now.fast > now.slow) & ~stopped, given.SHARES, 0.0)


@dataclass(frozen=True)
class Brackets(OrderStrategy):
    """W4 in plain Python: nothing on most bars."""

    def features(self, bars: Bars) -> Features:
        """`turn`: 1 where the fast average has just risen above the slow one, -1 where it has just fallen, else 0."""
        above = (ta.sma(bars.close, given.FAST) > ta.sma(bars.close, given.SLOW)).astype(np.int8)
        return {"turn": np.diff(above, axis=0, prepend=np.int8(0)).astype(np.float64)}

    @per_symbol
    def decide(self, now: Any, held: Any) -> Any:
        """A bracketed entry order in place of the last one."""
        if now.turn == 0.0 or held.quantity != 0.0:
            return None
        if now.turn > 0.0:
            price = now.close * (1.0 - given.LIMIT_BELOW)
            make = limit
        else:
            price = now.close * (1.0 + given.STOP_ABOVE)
            make = stop
        gain, loss = price * (1.0 + given.TARGET_GAIN), price * (1.0 - given.STOP_LOSS)
        return cancel(), make(given.SHARES, price, take_profit=gain, stop_loss=loss)


SHARES, LIMIT_BELOW, STOP_ABOVE = given.SHARES, given.LIMIT_BELOW, given.STOP_ABOVE
TARGET_GAIN, STOP_LOSS = given.TARGET_GAIN, given.STOP_LOSS


@dataclass(frozen=True)
class CompiledBrackets(Brackets):
    """The same rule in the form that compiles: one type of answer on every bar."""

    @per_symbol
    def decide(self, now: Any, held: Any) -> tuple[OrderRequest, OrderRequest]:
        """Two requests on every bar, of which most ask for nothing."""
        if now.turn == 0.0 or held.quantity != 0.0:
            return nothing(), nothing()
        if now.turn > 0.0:
            price = now.close * (1.0 - LIMIT_BELOW)
            gain, loss = price * (1.0 + TARGET_GAIN), price * (1.0 - STOP_LOSS)
            return cancel(), limit(SHARES, price, gain, loss)
        price = now.close * (1.0 + STOP_ABOVE)
        gain, loss = price * (1.0 + TARGET_GAIN), price * (1.0 - STOP_LOSS)
        return cancel(), stop(SHARES, price, gain, loss)


def bars_of(data: Data) -> Bars:
    """The public type, made as a user makes it from arrays: the checks of the data are part of it."""
    count = data.close.shape
    panel = np.stack(
        [data.open, data.high, data.low, data.close, data.volume, np.ones(count), np.zeros(count)]
    )
    step = data.time[1] - data.time[0]
    timeframe = "1m" if step < np.timedelta64(1, "h") else "1d"
    return Bars(tuple(f"S{n:03}" for n in range(count[1])), data.time, panel, timeframe)


def round_trips(result: Result) -> tuple[int, float]:
    """Closed round trips and final equity."""
    return int(result.metrics["round_trips"]), result.metrics["final_equity"]


def _with_statistics(result: Result) -> Result:
    assert result.metrics
    return result


def averages(data: Data) -> Task:
    """W1: strategy, benchmark and all statistics; the bars are known, what is derived from them is not."""
    known = bars_of(data)

    def run(bars: Bars) -> Result:
        return _with_statistics(backtest(TwoAverages(), bars, costs=COSTS, fills=FILLS, allocation=WHOLE))

    return Task(run, round_trips, lambda: replace(known))


def averages_alone(data: Data) -> Task:
    """W1 without buy and hold beside it."""
    known = bars_of(data)

    def run(bars: Bars) -> Result:
        return _with_statistics(
            backtest(TwoAverages(), bars, costs=COSTS, fills=FILLS, allocation=WHOLE, benchmark=False)
        )

    return Task(run, round_trips, lambda: replace(known))


def pairs(data: Data) -> Task:
    """W2."""
    known = bars_of(data)

    def run(bars: Bars) -> BatchResult:
        strategies = [TwoAverages(fast, slow) for fast, slow in given.PAIRS]
        return backtest_many(strategies, bars, costs=COSTS, fills=FILLS, allocation=WHOLE)

    def answer(scores: BatchResult) -> tuple[int, float]:
        return int(scores["round_trips"].sum()), float(scores["final_equity"].mean())

    return Task(run, answer, lambda: replace(known))


def sweep(strategies: Sequence[Strategy], blocks: int = 0, threads: int | None = None) -> Any:
    """Many runs in one account each, with the sums of so many blocks."""

    def make(data: Data) -> Task:
        known = bars_of(data)
        edges = np.linspace(0, known.T, blocks + 1).astype(np.int64) if blocks else None
        allocation = replace(WHOLE, max_positions=known.N)

        def run(bars: Bars) -> BatchResult:
            rules: dict[str, Any] = {"costs": COSTS, "fills": FILLS, "allocation": allocation}
            return backtest_many(strategies, bars, edges=edges, threads=threads, **rules)

        def answer(scores: BatchResult) -> tuple[int, float]:
            return int(scores["round_trips"].sum()), float(scores["final_equity"].mean())

        return Task(run, answer, lambda: replace(known))

    return make


MANY = [TwoAverages(fast, slow) for fast, slow in given.MANY_PAIRS]
WIDE = [WideAverages(fast, slow) for fast, slow in given.PAIRS]
TRAILING = [TrailingAverages(fast, slow, trail) for fast, slow, trail in given.TRAILS]


def momentum(benchmark: bool) -> Any:
    """W3 with the shipped strategy, fractional shares; with or without buy and hold beside it."""

    def make(data: Data) -> Task:
        known = bars_of(data)
        allocation = Allocation(gross=given.GROSS, max_positions=given.SYMBOLS)
        lots = [Instrument(name, lot=0.0) for name in known.symbols]
        strategy = Momentum(given.LOOKBACK, given.TOP, threshold=-1.0)
        rules: dict[str, Any] = {
            "costs": COSTS,
            "fills": FILLS,
            "allocation": allocation,
            "instruments": lots,
        }

        def run(bars: Bars) -> Result:
            return _with_statistics(backtest(strategy, bars, benchmark=benchmark, **rules))

        def answer(result: Result) -> tuple[int, float]:
            return len(result.log("fills")), result.metrics["final_equity"]

        return Task(run, answer, lambda: replace(known))

    return make


def bracket_orders(strategy: Strategy, mode: str) -> Any:
    """W4 in one of the two ways in which a rule runs bar by bar."""

    def make(data: Data) -> Task:
        known = bars_of(data)

        def run(bars: Bars) -> Result:
            return _with_statistics(
                backtest(
                    strategy, bars, costs=COSTS, fills=FILLS, allocation=WHOLE, mode=mode, benchmark=False
                )
            )

        return Task(run, round_trips, lambda: replace(known))

    return make


MAKERS: Makers = {
    "W1": averages,
    "W1/alone": averages_alone,
    "W1L": averages,
    "W1L/alone": averages_alone,
    "W2": pairs,
    "W3": momentum(True),
    "W3/alone": momentum(False),
    "W4": bracket_orders(Brackets(), "python"),
    "W4/compiled": bracket_orders(CompiledBrackets(), "compiled"),
    "W5": sweep(MANY, given.BLOCKS),
    "W5/one": sweep(MANY, given.BLOCKS, threads=1),
    "W6": sweep(WIDE),
    "W6/one": sweep(WIDE, threads=1),
    "W7": sweep(TRAILING),
    "W7/one": sweep(TRAILING, threads=1),
}

if __name__ == "__main__":
    from gpt_trader import __version__

    serve("GPT-Trader", __version__, MAKERS)
