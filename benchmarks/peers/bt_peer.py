"""bt, for the portfolio workload: it trades at the prices of the row in which it decides, so its rows are next opens.

It values holdings at those opens too, where the others size by the close before: positions differ by the gap between the
two, so that final equity agrees only to about a per cent.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import bt
import numpy as np
import pandas as pd

from benchmarks import definitions as given
from benchmarks.data import Data
from benchmarks.worker import Makers, Task, serve


def momentum(data: Data) -> Task:
    """W3 with target weights known at each open; the last row is the last close, for the final mark."""
    index = pd.DatetimeIndex(data.time)
    names = [f"S{n:03}" for n in range(data.close.shape[1])]
    close = pd.DataFrame(data.close, index, names)
    traded = pd.DataFrame(data.open, index, names)
    traded.loc[index[-1] + pd.Timedelta(days=1)] = data.close[-1]

    def run(_: None) -> Any:
        months = close.index.to_period("M")
        first = np.flatnonzero(np.append(True, months[1:] != months[:-1]))
        first = first[(first >= given.LOOKBACK) & (first + 1 < len(close))]
        strength = close.pct_change(given.LOOKBACK, fill_method=None).iloc[first]
        chosen = strength.rank(axis=1, ascending=False) <= given.TOP
        weights = (chosen * given.WEIGHT).set_axis(close.index[first + 1])
        strategy = bt.Strategy("momentum", [bt.algos.WeighTarget(weights), bt.algos.Rebalance()])
        test = bt.Backtest(
            strategy, traded, initial_capital=given.CAPITAL, integer_positions=False, progress_bar=False,
            commissions=lambda quantity, price: abs(quantity) * price * given.COMMISSION,
        )  # fmt: skip
        return bt.run(test)

    def answer(result: Any) -> tuple[int, float]:
        return len(result.get_transactions()), float(result.backtests["momentum"].strategy.value)

    return Task(run, answer)


MAKERS: Makers = {"W3": momentum}

if __name__ == "__main__":
    serve("bt", version("bt"), MAKERS)
