"""How often the intervals of the resampled market hold the truth: `python -m benchmarks.coverage`.

Markets whose truth is known are made from a seed; on each one a strategy is run, and run again on resampled markets, as
`gpt-trader backtest --intervals` does. Counted is how often the 95 % interval holds the true value.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from benchmarks.environments import HERE
from gpt_trader import Allocation, Bars, Costs, Strategy, backtest_many
from gpt_trader.costs import FillModel
from gpt_trader.strategies.buy_and_hold import BuyAndHold
from gpt_trader.validation.block_bootstrap import independent_blocks, mean_block, resample
from gpt_trader.validation.intervals import intervals

Floats = NDArray[np.float64]
METRICS = ("sharpe", "cagr", "max_drawdown")
PERIODS = 252.0
MEAN, DEVIATION, PERSISTENCE = 0.0005, 0.012, 0.2
RULES: dict[str, Any] = {
    "costs": Costs.commission_only(0),
    "fills": FillModel(volume_cap=None),
    "allocation": Allocation(gross=1.0, rebalance="signal"),
    "capital": 1e9,
}


@dataclass(frozen=True)
class AfterAGain(Strategy):
    """Hold a symbol on the bar after one on which it rose: a rule that lives on the memory of one bar."""

    def features(self, bars: Bars) -> dict[str, Floats]:
        """`rose`, from the bar's own open to its close: the open is the close before it."""
        return {"rose": np.where(bars.close > bars.open, 1.0, 0.0)}

    def decide(self, now: Any) -> Floats:
        """1 after a gain, else 0."""
        held: Floats = now.rose
        return held


@dataclass(frozen=True, slots=True)
class Market:
    """`returns(rng, n)` draws (n,) simple returns; `held` turns them into those of the strategy, for the truth."""

    name: str
    returns: Callable[[np.random.Generator, int], Floats]
    strategy: type[Strategy] = BuyAndHold
    held: Callable[[Floats], Floats] = lambda returns: returns


def walk(rng: np.random.Generator, n: int) -> Floats:
    """A lognormal random walk."""
    return np.expm1(rng.normal(MEAN - DEVIATION**2 / 2, DEVIATION, n))


def garch(rng: np.random.Generator, n: int, alpha: float = 0.08, beta: float = 0.90) -> Floats:
    """GARCH(1, 1) with Student's distribution of 5 degrees of freedom: fat tails, clustered volatility, no drift in the mean."""
    noise = rng.standard_t(5, n + 500) / np.sqrt(5 / 3)
    returns = np.empty(n + 500)
    variance, base = DEVIATION**2, DEVIATION**2 * (1 - alpha - beta)
    for t, shock in enumerate(noise.tolist()):
        move = shock * variance**0.5
        returns[t] = move
        variance = base + alpha * move * move + beta * variance
    return MEAN + returns[500:]


def autoregressive(rng: np.random.Generator, n: int) -> Floats:
    """AR(1) of returns, normal."""
    noise = rng.normal(0.0, DEVIATION * np.sqrt(1 - PERSISTENCE**2), n + 500)
    returns: Floats = MEAN + lfilter([1.0], [1.0, -PERSISTENCE], noise)[500:]
    return returns


def after_a_gain(returns: Floats) -> Floats:
    """The returns of `AfterAGain`."""
    return np.where(np.append(0.0, returns[:-1]) > 0, returns, 0.0)


MARKETS = (
    Market("random walk, held", walk),
    Market("GARCH(1,1), fat tails, held", garch),
    Market("AR(1) 0.2, held", autoregressive),
    Market("AR(1) 0.2, after a gain", autoregressive, AfterAGain, after_a_gain),
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of `markets` markets of `bars` bars, the share whose interval held the truth, by metric.

    The truth of a drawdown is that of another market of the same kind. `block` is the median of the block lengths.
    """

    name: str
    markets: int
    bars: int
    replicates: int
    block: float
    true_sharpe: float
    covered: dict[str, float]
    width: dict[str, float]
    lost: float
    seconds: float


def bars_of(returns: Floats) -> Bars:
    """Daily bars of one symbol: no gap over night, high and low at the ends of the bar."""
    close = 100.0 * np.cumprod(np.append(1.0, 1.0 + returns))
    opened = np.append(100.0, close[:-1])
    volume = np.full(close.size, 1e6)
    panel = np.stack([
        opened, np.maximum(opened, close), np.minimum(opened, close), close, volume, np.ones(close.size),
        np.zeros(close.size),
    ])[:, :, None]  # fmt: skip
    days = np.busday_offset("2010-01-04", np.arange(close.size), roll="forward").astype("datetime64[ns]")
    return Bars(("M",), days, panel)


def true_values(market: Market, bars: Bars, length: int = 200_000) -> dict[str, float]:
    """Sharpe ratio and growth per year of the strategy over one very long history of the market."""
    long = np.concatenate(
        [market.held(market.returns(np.random.default_rng([1, k]), length)) for k in range(10)]
    )
    years = float((bars.time[-1] - bars.time[0]) / np.timedelta64(1, "D")) / 365.25
    growth = np.expm1(np.log1p(long).mean() * (bars.T - 1) / years)
    return {"sharpe": float(long.mean() / long.std() * np.sqrt(PERIODS)), "cagr": float(growth)}


def measured(strategy: Strategy, bars: Bars) -> Floats:
    """METRICS of one run."""
    scores = backtest_many([strategy], bars, **RULES)
    return np.array([scores[name][0] for name in METRICS])


def study(market: Market, markets: int, replicates: int, bars: int, seed: int = 0) -> Coverage:
    """Make `markets` histories of `bars` bars, an interval for each, and count."""
    began = time.perf_counter()
    strategy = market.strategy()
    truth = true_values(market, bars_of(np.zeros(bars - 1)))
    held, widths, blocks, lost = [], [], [], []
    for number in range(markets):
        history = bars_of(market.returns(np.random.default_rng([seed, number, 0]), bars - 1))
        other = bars_of(market.returns(np.random.default_rng([seed, number, 1]), bars - 1))
        again = np.array([measured(strategy, resample(history, seed, k)) for k in range(replicates)])
        found = intervals(METRICS, measured(strategy, history), again, blocks=independent_blocks(history))
        true = {**truth, "max_drawdown": float(measured(strategy, other)[2])}
        held.append([item.low <= true[item.name] <= item.high for item in found])
        widths.append([item.high - item.low for item in found])
        blocks.append(mean_block(history))
        lost.append(found[0].lost)
    return Coverage(
        market.name, markets, bars, replicates, float(np.median(blocks)), truth["sharpe"],
        dict(zip(METRICS, np.mean(held, axis=0).tolist(), strict=True)),
        dict(zip(METRICS, np.mean(widths, axis=0).tolist(), strict=True)), float(np.mean(lost)), time.perf_counter() - began,
    )  # fmt: skip


def render(results: Sequence[Coverage]) -> str:
    """The table as Markdown."""
    lines = [
        "| market and rule | true Sharpe | block | Sharpe held | mean width | CAGR held | next drawdown held | lost |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one.name} | {one.true_sharpe:.2f} | {one.block:.1f} | {one.covered['sharpe']:.1%} | {one.width['sharpe']:.2f} "
        f"| {one.covered['cagr']:.1%} | {one.covered['max_drawdown']:.1%} | {one.lost:.2f} |"
        for one in results
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Study every market and keep the table in benchmarks/results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--markets", type=int, default=2_000)
    parser.add_argument("--replicates", type=int, default=399)
    parser.add_argument("--bars", type=int, default=1_260)
    parser.add_argument("--only", type=int, help=f"the number of one market, 0 to {len(MARKETS) - 1}")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "coverage")
    options = parser.parse_args(arguments)
    chosen = MARKETS if options.only is None else (MARKETS[options.only],)
    results = []
    for market in chosen:
        results.append(study(market, options.markets, options.replicates, options.bars))
        print(render(results[-1:]).splitlines()[-1], flush=True)
    text = (
        f"{options.markets:,} markets of {options.bars:,} bars each, {options.replicates} resampled markets for each.\n\n"
        f"{render(results)}\n"
    )
    options.out.with_suffix(".md").write_text(text)
    options.out.with_suffix(".json").write_text(json.dumps([asdict(one) for one in results], indent=1) + "\n")


if __name__ == "__main__":
    main()
