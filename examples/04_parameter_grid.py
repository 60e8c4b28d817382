"""A parameter grid in one call, the best of it on data it has not seen, and why that is the number to believe.

$ python examples/04_parameter_grid.py
"""

import numpy as np

from gpt_trader import backtest, load_bars
from gpt_trader.batch import backtest_many
from gpt_trader.strategies import load_strategy

FAST, SLOW = range(5, 55, 5), range(20, 220, 20)
SYMBOLS = ["AAPL", "IBM", "MSFT"]


def main() -> None:
    """Choose on the first seven years, look at the next six."""
    strategy = load_strategy("demo_ma")
    seen = load_bars(SYMBOLS, start="2000-03-01", end="2006-12-31")
    unseen = load_bars(SYMBOLS, start="2007-01-01", end="2013-03-01")
    grid = [strategy(fast=fast, slow=slow) for fast in FAST for slow in SLOW if fast < slow]

    before, after = backtest_many(grid, seen), backtest_many(grid, unseen)
    print(f"{len(grid)} pairs, {seen.T + unseen.T:,} bars of {', '.join(SYMBOLS)}")
    print(f"{'':24} {'seen':>8} {'unseen':>8}   Sharpe")
    print(f"{'median of all pairs':24} {np.median(before['sharpe']):8.2f} {np.median(after['sharpe']):8.2f}")
    for row in np.argsort(-before["sharpe"])[:3]:
        name = f"fast {grid[row].fast}, slow {grid[row].slow}"
        print(f"{name:24} {before['sharpe'][row]:8.2f} {after['sharpe'][row]:8.2f}")
    hold = backtest(strategy(), unseen).metrics["benchmark_sharpe"]
    print(f"{'buy and hold':24} {'':8} {hold:8.2f}")
    ranks = [np.argsort(np.argsort(scores["sharpe"])) for scores in (before, after)]
    print(f"rank correlation of seen and unseen Sharpe over the grid: {np.corrcoef(*ranks)[0, 1]:+.2f}")


if __name__ == "__main__":
    main()
