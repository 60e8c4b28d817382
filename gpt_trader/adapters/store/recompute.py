"""The statistics of a stored run computed anew from its rows, for the whole run or a span of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.run_tables import rows_within
from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.engine.metric_definitions import BENCHMARK_METRICS
from gpt_trader.errors import BadRange
from gpt_trader.metrics import periods_per_year, summarise

if TYPE_CHECKING:
    import pandas as pd

    from gpt_trader.adapters.store.records import RunRecord
    from gpt_trader.adapters.store.repository import RunStore

DAYS_PER_YEAR = 365.0  # of the borrow fee (docs/assumptions.md, step 0)


def recompute(store: RunStore, prefix: str, start: Any = None, end: Any = None) -> dict[str, float]:
    """Every statistic of a run by name, from its stored equity, fills, positions and round trips alone.

    With `start` and `end` (both inclusive; a date as `end` is its whole day) those of that span: returns are measured
    from the equity at the close before it, costs and turnover from its fills, trade statistics from the round trips
    that ended in it; `open_pnl` is what the positions open at its end had earned by then. Bars per year are always
    those of the whole run. Raises BadRange for a reversed span or one without bars, and StoreError for a run that
    does not say its capital.
    """
    record = store.run(prefix)
    whole = store.table(record.run_id, "equity")
    rows = np.flatnonzero(rows_within(whole["time"], start, end))
    if not rows.size:
        asked = f"from {start or 'the beginning'} to {end or 'the end'}"
        known = f"it runs from {record.start} to {record.end}"
        raise BadRange(f"run {record.run_id} has no bar {asked}; {known}")
    first, last = int(rows[0]), int(rows[-1])
    span = whole.iloc[first : last + 1]
    capital = _capital(record)
    base = whole["equity"].iloc[first - 1] if first else capital
    per_year = periods_per_year(whole["time"].to_numpy(), record.manifest.get("timeframe"))
    fills = store.table(record.run_id, "fills")
    fills = fills[rows_within(fills["time"], start, end)]
    trades = store.table(record.run_id, "closed_trades")
    ended = trades[rows_within(trades["exit_time"], start, end)]
    positions = store.table(record.run_id, "positions")
    borrow = _borrow_fees(record, whole["time"].to_numpy(), first, last, positions)
    metrics = summarise(
        span["equity"].to_numpy(),
        span["time"].to_numpy(),
        base,
        gross=span["gross"].to_numpy(),
        trade_pnl=ended["pnl"].to_numpy(),
        trade_return=ended["return_"].to_numpy(),
        trade_bars=ended["bars"].to_numpy(),
        traded_notional=float((fills["quantity"] * fills["price"]).abs().sum()),
        commission=float(fills["commission"].sum()),
        slippage=float(fills["slippage"].sum()) + borrow,
        open_pnl=_open_profit(whole.iloc[last], capital, trades, positions),
        periods_per_year=per_year,
    )
    metrics["slippage"] -= borrow
    metrics |= {"borrow": borrow, "periods_per_year": per_year}
    return metrics | _benchmark(whole, first, last, capital, per_year)


def _capital(record: RunRecord) -> float:
    """What the run began with."""
    try:
        return float(record.manifest["capital"])
    except (KeyError, TypeError, ValueError):
        raise StoreError(
            f"run {record.run_id} does not say its capital; it cannot be computed anew"
        ) from None


def _open_profit(at: pd.Series[Any], capital: float, trades: pd.DataFrame, positions: pd.DataFrame) -> float:
    """What open positions have earned at a bar: the part of the change in equity that no ended round trip explains."""
    if not bool((positions["time"] == at["time"]).any()):
        return 0.0
    closed = float(trades.loc[trades["exit_time"] <= at["time"], "pnl"].sum())
    return float(at["equity"]) - capital - closed


def _borrow_fees(
    record: RunRecord, time: NDArray[Any], first: int, last: int, positions: pd.DataFrame
) -> float:
    """Fees on shorts charged at bars `first` to `last`: value at the close before x yearly rate x days to the bar."""
    rate = float((record.manifest.get("costs") or {}).get("borrow", 0.0))
    short = positions[positions["quantity"] < 0]
    if rate == 0.0 or short.empty:
        return 0.0
    charged = np.searchsorted(time, short["time"].to_numpy()) + 1
    fees = 0.0
    for row, value in zip(charged.tolist(), short["value"].tolist(), strict=True):
        if first <= row <= last:
            days = (time[row] - time[row - 1]) / np.timedelta64(1, "D")
            fees += -value * rate * float(days) / DAYS_PER_YEAR
    return fees


def _benchmark(
    whole: pd.DataFrame, first: int, last: int, capital: float, per_year: float
) -> dict[str, float]:
    """The statistics of buy and hold over the same bars; NaN when it was off."""
    benchmark = whole["benchmark"].to_numpy()
    if np.isnan(benchmark[first : last + 1]).all():
        return {f"benchmark_{name}": float("nan") for name in BENCHMARK_METRICS}
    base = float(benchmark[first - 1]) if first else capital
    time = whole["time"].to_numpy()[first : last + 1]
    numbers = summarise(benchmark[first : last + 1], time, base, periods_per_year=per_year)
    return {f"benchmark_{name}": numbers[name] for name in BENCHMARK_METRICS}
