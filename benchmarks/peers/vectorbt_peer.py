"""vectorbt (with its Rust engine, which it chooses by itself), written as its documentation does it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

from benchmarks import definitions as given
from benchmarks.data import Data
from benchmarks.worker import Makers, Task, serve


def frames(data: Data) -> tuple[Any, Any]:
    """Open and close as pandas objects: Series for one symbol."""
    index = pd.DatetimeIndex(data.time)
    if data.close.shape[1] == 1:
        return pd.Series(data.open[:, 0], index), pd.Series(data.close[:, 0], index)
    return pd.DataFrame(data.open, index), pd.DataFrame(data.close, index)


def per_bar(data: Data) -> str:
    """pandas frequency of the bars."""
    return "1min" if data.time[1] - data.time[0] < np.timedelta64(1, "h") else "1D"


def simulated(close: Any, opened: Any, above: Any, freq: str) -> Any:
    """Signals of one bar fill at the next open."""
    entries = np.zeros_like(above)
    entries[1:] = above[:-1]
    return vbt.Portfolio.from_signals(
        close,
        entries,
        ~entries,
        price=opened,
        size=given.SHARES,
        fees=given.COMMISSION,
        init_cash=given.CAPITAL,
        freq=freq,
    )


def closed(portfolio: Any) -> tuple[int, float]:
    """Closed round trips (sum over columns) and final equity (mean over columns)."""
    return int(np.sum(portfolio.trades.closed.count())), float(np.mean(portfolio.final_value()))


def averages(data: Data) -> Task:
    """W1 with `stats()`."""
    opened, close = frames(data)
    freq = per_bar(data)

    def run(_: None) -> Any:
        fast, slow = vbt.MA.run(close, given.FAST).ma, vbt.MA.run(close, given.SLOW).ma
        portfolio = simulated(close, opened, (fast > slow).to_numpy(), freq)
        portfolio.stats()
        return portfolio

    return Task(run, closed)


def averages_bare(data: Data) -> Task:
    """W1 without any statistics."""
    opened, close = frames(data)
    freq = per_bar(data)

    def run(_: None) -> Any:
        fast, slow = vbt.MA.run(close, given.FAST).ma, vbt.MA.run(close, given.SLOW).ma
        return simulated(close, opened, (fast > slow).to_numpy(), freq)

    return Task(run, closed)


def many(data: Data, *, statistics: bool) -> Task:
    """W2: every average once, all pairs as columns of one portfolio; its vectorised statistics, one by one."""
    opened, close = frames(data)
    windows = sorted({window for pair in given.PAIRS for window in pair})
    place = {window: i for i, window in enumerate(windows)}
    fast_at = [place[fast] for fast, _ in given.PAIRS]
    slow_at = [place[slow] for _, slow in given.PAIRS]

    def run(_: None) -> Any:
        averages = vbt.MA.run(close, windows).ma.to_numpy()
        portfolio = simulated(close, opened, averages[:, fast_at] > averages[:, slow_at], "1D")
        if statistics:
            portfolio.total_return(), portfolio.annualized_return(), portfolio.annualized_volatility()
            (
                portfolio.sharpe_ratio(),
                portfolio.sortino_ratio(),
                portfolio.calmar_ratio(),
                portfolio.max_drawdown(),
            )
            trades = portfolio.trades
            trades.count(), trades.win_rate(), trades.profit_factor(), trades.expectancy()
        return portfolio

    return Task(run, closed)


def momentum(data: Data) -> Task:
    """W3: target weights of the last close, fractional shares, one account; sales before purchases."""
    opened, close = frames(data)

    def run(_: None) -> Any:
        months = close.index.to_period("M")
        first = np.flatnonzero(np.append(True, months[1:] != months[:-1]))
        first = first[first >= given.LOOKBACK]
        strength = close.pct_change(given.LOOKBACK, fill_method=None).iloc[first]
        chosen = strength.rank(axis=1, ascending=False) <= given.TOP
        weights = np.full(close.shape, np.nan)
        fills = first[first + 1 < len(close)] + 1
        weights[fills] = np.where(chosen, given.WEIGHT, 0.0)[: fills.size]
        portfolio = vbt.Portfolio.from_orders(
            close, weights, size_type="targetpercent", price=opened, val_price=close.shift(1), fees=given.COMMISSION,
            init_cash=given.CAPITAL, cash_sharing=True, group_by=True, call_seq="auto", freq="1D",
        )  # fmt: skip
        portfolio.stats()
        return portfolio

    return Task(run, lambda portfolio: (portfolio.orders.count(), portfolio.final_value()))


MAKERS: Makers = {
    "W1": averages,
    "W1/bare": averages_bare,
    "W1L": averages,
    "W2": lambda data: many(data, statistics=True),
    "W2/bare": lambda data: many(data, statistics=False),
    "W3": momentum,
}

if __name__ == "__main__":
    serve("vectorbt", vbt.__version__, MAKERS)
