"""A strategy of one's own that looks at what it holds: in on a breakout, out after a fall from the best close.

$ python examples/02_own_strategy.py
$ gpt-trader check examples/02_own_strategy.py --symbols IBM --start 2006-01-01
$ gpt-trader backtest examples/02_own_strategy.py --symbols IBM --start 2006-01-01 --param trail=0.15
"""

from dataclasses import dataclass

import numpy as np

from gpt_trader import Bars, Strategy, backtest, load_bars, param, ta
from gpt_trader.check import check_strategy


@dataclass(frozen=True)
class BreakoutTrail(Strategy):
    """Buy a close above the highest close of the last `window` bars; leave `trail` below the best close since."""

    window: int = param(50, low=5, high=400, doc="bars of the channel")
    trail: float = param(0.10, low=0.01, high=0.50, doc="fall from the best close that ends the trade")

    def features(self, bars: Bars):
        """The channel of the bars BEFORE this one."""
        return {"upper": ta.shift(ta.highest(bars.close, self.window), 1)}

    def decide(self, now, held):
        """A weight on a breakout, 0 after the fall, NaN (leave it) on every other bar."""
        fallen = now.close < held.peak * (1 - self.trail)
        return np.where(fallen, 0.0, np.where(now.close > now.upper, 0.3, np.nan))


def main() -> None:
    """Check it, run it with three trails, and show what the trail does."""
    bars = load_bars(["IBM"], start="2003-01-01", end="2010-06-30")
    report = check_strategy(BreakoutTrail(), bars, samples=8)
    print(f"causal: {report.causal}, right after {report.warmup} bars")
    print(f"{'trail':>6} {'trades':>7} {'bars held':>10} {'return':>8} {'max drawdown':>13}")
    for trail in (0.05, 0.10, 0.20):
        metrics = backtest(BreakoutTrail(trail=trail), bars).metrics
        print(
            f"{trail:6.0%} {metrics['round_trips']:7.0f} {metrics['average_trade_bars']:10.1f} "
            f"{metrics['total_return']:8.2%} {metrics['max_drawdown']:13.2%}"
        )


if __name__ == "__main__":
    main()
