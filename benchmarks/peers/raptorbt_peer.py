"""raptorbt, an engine in Rust: signal arrays for W1 and W2, its class of hooks and typed orders for W4.

It sizes by capital only. A lot of SHARES and an allotment that always buys one lot and never two (prices stay within a
factor of two) make it trade SHARES.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import raptorbt
from raptorbt.strategy import orders

from benchmarks import definitions as given
from benchmarks.data import Data
from benchmarks.worker import Makers, Task, serve

ALLOTTED = 140.0 * given.SHARES


def columns(data: Data) -> tuple[Any, ...]:
    """Time in ns, open, high, low, close and volume, contiguous."""
    prices = (data.open, data.high, data.low, data.close, data.volume)
    return data.time.astype(np.int64), *(np.ascontiguousarray(column[:, 0]) for column in prices)


def settings() -> tuple[Any, Any]:
    """Next open, 5 bp; one lot."""
    config = raptorbt.BacktestConfig(
        initial_capital=given.CAPITAL, fees=given.COMMISSION, fill_timing="next_bar_open"
    )
    return config, raptorbt.InstrumentConfig(lot_size=given.SHARES, alloted_capital=ALLOTTED)


def closed(result: Any) -> tuple[int, float]:
    """Round trips that a signal or an order closed (it also lists the open position, as closed by the end of the data)."""
    count = sum(trade.exit_reason != "EndOfData" for trade in result.trades())
    return count, float(result.equity_curve()[-1])


def averages(data: Data) -> Task:
    """W1; all its metrics are part of a run."""
    table = columns(data)
    close = table[4]
    config, instrument = settings()

    def run(_: None) -> Any:
        above = raptorbt.sma(close, given.FAST) > raptorbt.sma(close, given.SLOW)
        return raptorbt.run_single_backtest(*table, above, ~above, 1, 1.0, "A", config, None, instrument)

    return Task(run, closed)


def pairs(data: Data) -> Task:
    """W2 on all cores: its own parallel batch, each average made once."""
    table = columns(data)
    close = table[4]
    config, instrument = settings()

    def run(_: None) -> Any:
        means = {window: raptorbt.sma(close, window) for pair in given.PAIRS for window in pair}
        items = []
        for number, (fast, slow) in enumerate(given.PAIRS):
            above = means[fast] > means[slow]
            items.append(
                raptorbt.BatchSingleItem(str(number), above, ~above, 1, 1.0, "A", None, None, instrument)
            )
        return [result for _, result in raptorbt.batch_single_backtest(*table, items, config)]

    def answer(results: Any) -> tuple[int, float]:
        each = [closed(result) for result in results]
        return sum(count for count, _ in each), float(np.mean([equity for _, equity in each]))

    return Task(run, answer)


class Brackets(raptorbt.Strategy):
    """W4."""

    def on_start(self, ctx: Any) -> None:
        """Where the averages cross."""
        above = raptorbt.sma(ctx.close, given.FAST) > raptorbt.sma(ctx.close, given.SLOW)
        self.turn = np.diff(above.astype(np.int8), prepend=np.int8(0)).tolist()
        self.entry: Any = None

    def on_bar(self, ctx: Any) -> None:
        """A bracketed entry order in place of the last one."""
        turn = self.turn[ctx.idx]
        if turn == 0 or ctx.position is not None:
            return
        if self.entry is not None:
            self.cancel_order(self.entry)
        close = float(ctx.close[ctx.idx])
        price = close * (1.0 - given.LIMIT_BELOW if turn > 0 else 1.0 + given.STOP_ABOVE)
        entry: Any = (
            orders.Limit(side="buy", units=given.SHARES, price=price)
            if turn > 0
            else orders.StopMarket(side="buy", units=given.SHARES, trigger=price)
        )
        self.entry = self.submit_bracket(
            entry, price * (1.0 - given.STOP_LOSS), price * (1.0 + given.TARGET_GAIN)
        )[0]


def brackets(data: Data) -> Task:
    """W4 through the class of hooks, which sees the fills of a bar only at the next one."""
    table = columns(data)
    config, _ = settings()
    return Task(lambda _: raptorbt.run_strategy_backtest(Brackets(), *table, config=config), closed)


MAKERS: Makers = {"W1": averages, "W1L": averages, "W2": pairs, "W4": brackets}

if __name__ == "__main__":
    serve("raptorbt", version("raptorbt"), MAKERS)
