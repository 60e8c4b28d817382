"""backtesting.py: one `Strategy` class per workload, a fixed number of shares."""

from __future__ import annotations

import warnings
from typing import Any

import backtesting
import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

from benchmarks import definitions as given
from benchmarks.data import Data
from benchmarks.worker import Makers, Task, serve


def average(values: Any, window: int) -> Any:
    """Simple moving average, as in the library's tutorial."""
    return pd.Series(values).rolling(window).mean()


class TwoAverages(Strategy):
    """W1."""

    fast = given.FAST
    slow = given.SLOW

    def init(self) -> None:
        """Both averages."""
        self.quick = self.I(average, self.data.Close, self.fast)
        self.calm = self.I(average, self.data.Close, self.slow)

    def next(self) -> None:
        """SHARES while the fast one leads."""
        if self.quick[-1] > self.calm[-1]:
            if not self.position:
                self.buy(size=int(given.SHARES))
        elif self.position:
            self.position.close()


class Brackets(TwoAverages):
    """W4."""

    def next(self) -> None:
        """A bracketed entry order in place of the last one."""
        above = self.quick[-1] > self.calm[-1]
        if above == (self.quick[-2] > self.calm[-2]) or self.position:
            return
        for order in self.orders:
            order.cancel()
        size, close = int(given.SHARES), self.data.Close[-1]
        price = close * (1.0 - given.LIMIT_BELOW if above else 1.0 + given.STOP_ABOVE)
        legs = {"tp": price * (1.0 + given.TARGET_GAIN), "sl": price * (1.0 - given.STOP_LOSS)}
        if above:
            self.buy(size=size, limit=price, **legs)
        else:
            self.buy(size=size, stop=price, **legs)


def prepared(data: Data, strategy: type[Strategy]) -> Backtest:
    """The library's object over a DataFrame."""
    columns = {
        "Open": data.open,
        "High": data.high,
        "Low": data.low,
        "Close": data.close,
        "Volume": data.volume,
    }
    frame = pd.DataFrame(
        {name: values[:, 0] for name, values in columns.items()}, index=pd.DatetimeIndex(data.time)
    )
    return Backtest(frame, strategy, cash=given.CAPITAL, commission=given.COMMISSION, finalize_trades=False)


def closed(statistics: Any) -> tuple[int, float]:
    """Closed round trips and final equity."""
    return int(statistics["# Trades"]), float(statistics["Equity Final [$]"])


def single(strategy: type[Strategy]) -> Any:
    """One run with the statistics that the library always makes."""

    def make(data: Data) -> Task:
        test = prepared(data, strategy)
        return Task(lambda _: test.run(), closed)

    return make


def pairs(data: Data) -> Task:
    """Ten of the pairs of W2."""
    test = prepared(data, TwoAverages)

    def run(_: None) -> Any:
        return [test.run(fast=fast, slow=slow) for fast, slow in given.TEN_PAIRS]

    def answer(runs: Any) -> tuple[int, float]:
        results = [closed(statistics) for statistics in runs]
        return sum(count for count, _ in results), float(np.mean([equity for _, equity in results]))

    return Task(run, answer)


MAKERS: Makers = {
    "W1": single(TwoAverages),
    "W1L": single(TwoAverages),
    "W2/ten": pairs,
    "W4": single(Brackets),
}

if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Some trades remain open")
    serve("backtesting.py", backtesting.__version__, MAKERS)
