"""What the report's charts draw: the run's series thinned to a bounded number of points, as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt_trader import metrics
from gpt_trader.adapters.report import texts

if TYPE_CHECKING:
    import pandas as pd

    from gpt_trader.bars import Bars

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Times = NDArray[np.datetime64]

LINE_POINTS = 4_000  # up to so many bars every bar is drawn; above, the extremes of LINE_BUCKETS equal spans
LINE_BUCKETS = 1_000
CANDLES = 10_000  # of one symbol
ALL_CANDLES = 24_000  # of all charted symbols together
CHART_SYMBOLS = 8
MARKERS = 1_500  # fills, and round trips, drawn per symbol
MISSING_RUN = 5  # a symbol without bars for longer than this leaves a gap in its line
FEWEST_DAYS = 40  # below so many days, intraday runs roll over bars
LONGEST_WINDOW = 2_000  # returns in a rolling window


class Clock:
    """Where a bar stands on the horizontal axis.

    Daily and longer bars stand at their day since 1970; intraday bars at their number, so that nights take no room.
    `time` is (T,) datetime64[ns].
    """

    def __init__(self, time: Times, intraday: bool) -> None:
        self.time = time
        self.intraday = intraday
        self._drawn: list[Integers] = []

    def rows(self, stamps: Any) -> Integers:
        """Row of the bar that holds each time (the last that began at or before it)."""
        stamps = np.asarray(stamps, dtype="datetime64[ns]")
        found: Integers = np.clip(np.searchsorted(self.time, stamps, side="right") - 1, 0, self.time.size - 1)
        return found

    def x(self, rows: Integers) -> list[int]:
        """Positions on the axis of these rows; they are remembered for `knots`."""
        self._drawn.append(rows)
        if self.intraday:
            return [int(row) for row in rows]
        return [int(day) for day in self.time[rows].astype("datetime64[D]").astype(np.int64)]

    def knots(self) -> dict[str, list[int]] | None:
        """For intraday bars, position and time (seconds since 1970, differences) of every bar drawn; else None."""
        if not self.intraday:
            return None
        rows = np.unique(np.concatenate(self._drawn))
        seconds = self.time[rows].astype("datetime64[s]").astype(np.int64)
        return {"x": differences(rows), "t": differences(seconds)}


class Lines(NamedTuple):
    """Full-length (T,) series of the account; the benchmark's are None when it was switched off, `net` exposure
    when it is the gross exposure: a run without a short.

    `sharpe` and `volatility` are (K,) at `rolling_rows`: every bar, or the last bar of each UTC day when intraday bars
    span enough days, so that a window is half a year of days and not a hundred thousand minutes.
    """

    equity: Floats
    drawdown: Floats
    benchmark: Floats | None
    benchmark_drawdown: Floats | None
    gross: Floats
    net: Floats | None
    returns: Floats
    benchmark_returns: Floats | None
    rolling_rows: Integers
    sharpe: Floats
    volatility: Floats
    window: int


def account_lines(equity: pd.DataFrame, capital: float) -> Lines:
    """The account's series; the rolling window is half a year, at most a quarter of the run, at least two returns."""
    time = equity.index.to_numpy("datetime64[ns]")
    value = {
        name: equity[name].to_numpy(np.float64)
        for name in ("equity", "drawdown", "benchmark", "gross", "net")
    }
    benchmark = value["benchmark"] if np.isfinite(value["benchmark"]).any() else None
    rows = _rolling_rows(time)
    periods = metrics.periods_per_year(time[rows])
    periods = periods if periods > 0 else metrics.TRADING_DAYS
    window = int(max(2, min(round(periods / 2), rows.size // 4, LONGEST_WINDOW)))
    returns = metrics.returns(value["equity"][rows], capital)
    return Lines(
        value["equity"],
        value["drawdown"],
        benchmark,
        None if benchmark is None else metrics.drawdown(benchmark, capital),
        value["gross"],
        None if np.allclose(value["net"], value["gross"], atol=1e-9, equal_nan=True) else value["net"],
        metrics.returns(value["equity"], capital),
        None if benchmark is None else metrics.returns(benchmark, capital),
        rows,
        metrics.rolling_sharpe(returns, window, periods),
        metrics.rolling_volatility(returns, window, periods),
        window,
    )


def _rolling_rows(time: Times) -> Integers:
    """All rows, or the last of each UTC day when there are several bars a day on enough days."""
    days = time.astype("datetime64[D]")
    ends = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    return ends if FEWEST_DAYS <= ends.size < time.size else np.arange(time.size)


def rolling_chart(lines: Lines, clock: Clock) -> dict[str, Any] | None:
    """Rolling Sharpe and volatility, thinned like the account's lines; None when no window is full."""
    if not (np.isfinite(lines.sharpe).any() or np.isfinite(lines.volatility).any()):
        return None
    keep = extreme_rows([lines.sharpe, lines.volatility], LINE_POINTS, LINE_BUCKETS)
    return {
        "x": differences(clock.x(lines.rolling_rows[keep])),
        "sharpe": short(lines.sharpe[keep], 4),
        "volatility": short(lines.volatility[keep], 4),
    }


def line_chart(lines: Lines, clock: Clock) -> dict[str, Any]:
    """The account's series on one thinned set of rows."""
    names = ("equity", "drawdown", "benchmark", "benchmark_drawdown", "gross", "net")
    drawn = {name: getattr(lines, name) for name in names if getattr(lines, name) is not None}
    rows = extreme_rows(list(drawn.values()), LINE_POINTS, LINE_BUCKETS)
    digits = {"equity": 9, "benchmark": 9}
    values = {name: short(series[rows], digits.get(name, 5)) for name, series in drawn.items()}
    return {"x": differences(clock.x(rows)), **values}


def extreme_rows(columns: Sequence[Floats], points: int, buckets: int) -> Integers:
    """Rows to draw: all of them up to `points`; above, the first, the last, and the lowest and highest of every column
    in each of `buckets` equal spans, so that no peak and no trough is lost. Columns are (T,); NaN is never an extreme.
    """
    size = columns[0].size
    if size <= points:
        return np.arange(size)
    edges = np.linspace(0, size, buckets + 1).astype(np.int64)
    width = int(np.diff(edges).max())
    grid = np.minimum(edges[:-1, None] + np.arange(width), edges[1:, None] - 1)
    found = [np.array([0, size - 1])]
    for values in columns:
        block = values[grid]
        for fill, pick in ((np.inf, np.argmin), (-np.inf, np.argmax)):
            filled = np.where(np.isnan(block), fill, block)
            found.append(grid[np.arange(buckets), pick(filled, axis=1)])
    return np.unique(np.concatenate(found))


class PriceCharts(NamedTuple):
    """Charts of the most traded symbols; `left_out` symbols have none, `bars_per_candle` is 1 without thinning."""

    charts: list[dict[str, Any]]
    left_out: int
    bars_per_candle: int
    splits: bool


def price_charts(bars: Bars, fills: pd.DataFrame, closed: pd.DataFrame, clock: Clock) -> PriceCharts:
    """Candles, fills and round trips of the `CHART_SYMBOLS` symbols with most fills (ties in the run's order).

    Prices stand on the share basis of the last bar: the price of an earlier bar is divided by the splits since.
    """
    counts = fills["symbol"].value_counts().to_dict()
    order = sorted(bars.symbols, key=lambda name: -counts.get(name, 0))[:CHART_SYMBOLS]
    step = max(-(-bars.T // CANDLES), -(-bars.T * len(order) // ALL_CANDLES))
    basis = bars.split_factor / bars.split_factor[-1]
    charts = [
        _price_chart(bars, basis[:, bars.symbols.index(name)], name, fills, closed, clock, step)
        for name in order
    ]
    return PriceCharts(charts, bars.N - len(order), step, bool((basis != 1.0).any()))


def _price_chart(
    bars: Bars, basis: Floats, symbol: str, fills: pd.DataFrame, closed: pd.DataFrame, clock: Clock, step: int
) -> dict[str, Any]:
    n = bars.symbols.index(symbol)
    rows, candles = _candles(bars.panel[:4, :, n] * basis, step)
    mine = fills[fills["symbol"] == symbol]
    fill_rows = clock.rows(mine["time"])
    prices = mine["price"].to_numpy(np.float64) * basis[fill_rows]
    sign = np.where(mine["side"].astype(str).to_numpy() == "buy", 1, -1)
    size = mine["quantity"].to_numpy(np.float64) / basis[fill_rows]
    markers = slice(max(0, len(mine) - MARKERS), None)
    trips = _trips(closed[closed["symbol"] == symbol], fill_rows, prices, sign, clock)
    return {
        "symbol": symbol,
        "x": differences(clock.x(rows)),
        **{
            name: short(values)
            for name, values in zip(("open", "high", "low", "close"), candles, strict=True)
        },
        "fills": {
            "x": clock.x(fill_rows[markers]),
            "price": short(prices[markers]),
            "side": sign[markers].tolist(),
            "quantity": short(size[markers]),
            "reason": [texts.reason(why) for why in mine["reason"].tolist()[markers]],
        },
        "fill_count": len(mine),
        "trips": trips,
    }


def _trips(
    closed: pd.DataFrame, fill_rows: Integers, prices: Floats, sign: Integers, clock: Clock
) -> dict[str, Any]:
    """Entry and exit points of round trips: the first fill of the entry's bar and the last of the exit's (its price on
    the chart's share basis), or nothing for a trip that a fill cannot be found for."""
    last = closed.tail(MARKERS)
    entry, exit_ = clock.rows(last["entry_time"]), clock.rows(last["exit_time"])
    direction = np.where(last["side"].astype(str).to_numpy() == "short", -1, 1)
    pnl = last["pnl"].to_numpy(np.float64)
    first_at: dict[tuple[int, int], float] = {}
    last_at: dict[tuple[int, int], float] = {}
    for row, way, price in zip(fill_rows.tolist(), sign.tolist(), prices.tolist(), strict=True):
        first_at.setdefault((row, way), price)
        last_at[row, way] = price
    drawn = [
        (i, first_at[int(entry[i]), int(direction[i])], last_at[int(exit_[i]), -int(direction[i])])
        for i in range(len(last))
        if (int(entry[i]), int(direction[i])) in first_at and (int(exit_[i]), -int(direction[i])) in last_at
    ]
    index = np.array([i for i, _, _ in drawn], np.int64)
    return {
        "x0": clock.x(entry[index]),
        "x1": clock.x(exit_[index]),
        "y0": short(np.array([y for _, y, _ in drawn])),
        "y1": short(np.array([y for _, _, y in drawn])),
        "pnl": short(pnl[index]),
    }


def _candles(prices: Floats, step: int) -> tuple[Integers, tuple[Floats, Floats, Floats, Floats]]:
    """Rows and (open, high, low, close), each joined from `step` bars; a long run of missing bars leaves one empty."""
    rows = np.flatnonzero(~np.isnan(prices[3]))
    if step > 1:
        starts = np.unique(np.searchsorted(rows, np.arange(0, prices.shape[1], step)))
        starts = starts[starts < rows.size]
        ends = np.append(starts[1:], rows.size) - 1
        high = np.maximum.reduceat(prices[1, rows], starts) if rows.size else prices[1, rows]
        low = np.minimum.reduceat(prices[2, rows], starts) if rows.size else prices[2, rows]
        candles = (prices[0, rows[starts]], high, low, prices[3, rows[ends]])
        rows = rows[starts]
    else:
        candles = (prices[0, rows], prices[1, rows], prices[2, rows], prices[3, rows])
    gaps = np.flatnonzero(np.diff(rows) > MISSING_RUN + step - 1)
    if not gaps.size:
        return rows, candles
    empty = tuple(np.insert(values, gaps + 1, np.nan) for values in candles)
    return np.insert(rows, gaps + 1, rows[gaps] + 1), (empty[0], empty[1], empty[2], empty[3])


class Histogram(NamedTuple):
    """Counts between edges that have zero among them; `below` and `above` count what lies beyond the outer edges."""

    edges: Floats
    counts: Integers
    below: int
    above: int


def histogram(values: Floats, most: int = 60) -> Histogram | None:
    """Bins as wide as Freedman and Diaconis 1981 advise ("On the histogram as a density estimator", Zeitschrift für
    Wahrscheinlichkeitstheorie 57), rounded to 1, 2 or 5, over the middle 99 % of the values; None below two values."""
    values = values[np.isfinite(values)]
    if values.size < 2 or values.min() == values.max():
        return None
    low, high = (float(v) for v in np.quantile(values, (0.005, 0.995)))
    if values.size < 200 or low == high:
        low, high = float(values.min()), float(values.max())
    quarters = np.quantile(values, (0.25, 0.75))
    width = max(2 * float(quarters[1] - quarters[0]) / values.size ** (1 / 3), (high - low) / most, 1e-9)
    width = _round_up(min(width, (high - low) / 14))
    edges = np.arange(np.floor(low / width), np.ceil(high / width) + 1) * width
    if edges.size < 2:
        edges = np.array([edges[0], edges[0] + width])
    counts, _ = np.histogram(values, edges)
    return Histogram(edges, counts, int((values < edges[0]).sum()), int((values > edges[-1]).sum()))


def histogram_chart(found: Histogram | None, against: Floats | None = None) -> dict[str, Any] | None:
    """A histogram as JSON values; `against` (the benchmark's) is counted in the same bins."""
    if found is None:
        return None
    other = None if against is None else np.histogram(against[np.isfinite(against)], found.edges)[0].tolist()
    return {
        "edges": short(found.edges),
        "counts": found.counts.tolist(),
        "below": found.below,
        "above": found.above,
        "benchmark": other,
    }


def _round_up(width: float) -> float:
    """The next of 1, 2, 5 x 10^k that is not smaller."""
    power = 10.0 ** np.floor(np.log10(width))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= width * (1 - 1e-9)))


def trade_columns(closed: pd.DataFrame, clock: Clock, most: int) -> Mapping[str, list[Any]]:
    """The last `most` closed trades, newest first, one list per column; prices and quantities as they were traded."""
    last = closed.tail(most).iloc[::-1]
    columns: dict[str, list[Any]] = {
        "symbol": [str(name) for name in last["symbol"].tolist()],
        "side": [str(side) for side in last["side"].tolist()],
        "exit_reason": [texts.reason(why) for why in last["exit_reason"].tolist()],
    }
    for name in ("quantity", "entry_price", "exit_price", "bars", "pnl", "return_", "costs", "mae", "mfe"):
        columns[name] = short(last[name].to_numpy(np.float64))
    for name in ("entry_time", "exit_time"):
        stamps = last[name].to_numpy("datetime64[s]").astype(np.int64)
        columns[name] = [int(stamp) for stamp in stamps]
        columns[name + "_x"] = clock.x(clock.rows(last[name]))
    return columns


def short(values: Floats, digits: int = 7) -> list[float | None]:
    """Numbers of so many significant digits, more than a pixel shows; what is not finite becomes None (a gap)."""
    form = f"%.{digits}g"
    return [float(form % v) if v - v == 0 else None for v in np.asarray(values, np.float64).tolist()]


def differences(values: Any) -> list[int]:
    """The first value and the step to each next one: integers that rise slowly take fewer characters."""
    array = np.asarray(values, np.int64)
    return [int(step) for step in np.diff(array, prepend=0)]
