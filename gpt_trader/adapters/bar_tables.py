"""The common shape of one symbol's table: its columns, spans, adjustments and coarser timeframes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import TIMEFRAMES, parse_time
from gpt_trader.errors import BadData, BadParameter, BadRange
from gpt_trader.sources import ADJUSTMENTS, SERIES_COLUMNS, BarRequest

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]
Span = tuple[np.datetime64 | None, np.datetime64 | None]

MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "1d": 1440, "1w": 10080, "1mo": 43200}
_PRICES = ["open", "high", "low", "close"]


def empty_table() -> pd.DataFrame:
    """A table with the promised columns and no row."""
    import pandas as pd

    times = np.array([], "datetime64[ns]")
    return pd.DataFrame({"time": times} | {name: np.array([], np.float64) for name in SERIES_COLUMNS[1:]})


def checked_span(request: BarRequest) -> Span:
    """Start and end of the request as datetime64[ns]; daily and longer bars end with the end's whole day.

    Raises BadParameter for an unknown timeframe or adjustment and BadRange when start lies after end.
    """
    for kind, value, known in (
        ("timeframe", request.timeframe, TIMEFRAMES),
        ("adjustment", request.adjustment, ADJUSTMENTS),
    ):
        if value not in known:
            raise BadParameter(f"unknown {kind} {value!r}; use one of {', '.join(known)}")
    start, end = parse_time(request.start), parse_time(request.end, end_of_day=True)
    if end is not None and MINUTES[request.timeframe] >= 1440:
        end = parse_time(end.astype("datetime64[D]"), end_of_day=True)
    if start is not None and end is not None and start > end:
        raise BadRange(f"start {request.start} lies after end {request.end}; give the earlier date as start")
    return start, end


def canonical(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of a Series in their order and types, rows numbered from 0; absent events are neutral."""
    import pandas as pd

    columns = {"time": frame["time"].to_numpy().astype("datetime64[ns]")}
    for name in SERIES_COLUMNS[1:]:
        neutral = {"split": 1.0}.get(name, 0.0)
        given = name in frame.columns
        columns[name] = frame[name].to_numpy(np.float64) if given else np.full(len(frame), neutral)
    return pd.DataFrame(columns)


def adjusted(frame: pd.DataFrame, have: str, want: str) -> tuple[pd.DataFrame, str]:
    """The table on the basis `want` when it can be reached from `have`, else as it is; and the basis it has now.

    raw -> split: prices and dividends before a split are divided by it, volume multiplied, the event becomes 1.
    split -> all: prices before an ex-date are multiplied by 1 - dividend / previous close, the dividend becomes 0
    (the back-adjustment of CRSP and of Yahoo's adjusted close). What was adjusted away cannot come back.
    """
    order = ("raw", "split", "all")
    if order.index(want) <= order.index(have) or len(frame) == 0:
        return frame, have if len(frame) else want
    table = frame.copy()
    if have == "raw":
        split = table["split"].to_numpy(np.float64)
        later = np.append(np.cumprod(split[::-1])[::-1][1:], 1.0)
        for name in (*_PRICES, "dividend"):
            table[name] = table[name] / later
        table["volume"] = table["volume"] * later
        table["split"] = 1.0
    if want == "all":
        table = _without_dividends(table)
    return table, want


def _without_dividends(table: pd.DataFrame) -> pd.DataFrame:
    close, dividend = table["close"].to_numpy(np.float64), table["dividend"].to_numpy(np.float64)
    factor = np.ones(close.size)
    factor[1:] = 1.0 - dividend[1:] / close[:-1]
    if not bool((factor > 0).all()):
        row = int(np.argmin(factor))
        raise BadData(
            f"row {row} ({table['time'].iloc[row]}): a dividend of {dividend[row]} on a close of {close[row - 1]} "
            "cannot be taken out of the prices; use adjustment 'raw' or 'split', or repair the data"
        )
    later = np.append(np.cumprod(factor[::-1])[::-1][1:], 1.0)
    for name in _PRICES:
        table[name] = table[name] * later
    table["dividend"] = 0.0
    return table


def infer_timeframe(times: NDArray[np.datetime64], *, rising: bool = False) -> str:
    """The timeframe that rows at `times` (T,) have: the commonest step between neighbours, "1d" for one row.

    Rows that all stand at midnight are daily or longer; their step is rounded to 1d, 1w or 1mo. `rising` promises that the
    times are all there and increase.
    """
    known = times if rising else np.unique(times[~np.isnat(times)])
    stamps = known.astype("datetime64[m]").astype(np.int64)
    if stamps.size < 2:
        return "1d"
    if bool((stamps % 1440 == 0).all()):
        gaps = np.sort(np.diff(stamps))
        step = float(gaps[(gaps.size - 1) // 2]) / 1440
        return "1d" if step < 5 else "1w" if step < 15 else "1mo"
    steps, counts = np.unique(np.diff(stamps), return_counts=True)
    usual = int(steps[int(counts.argmax())])
    if usual >= 1440:
        return "1d" if usual < 5 * 1440 else "1w" if usual < 15 * 1440 else "1mo"
    return max(
        (name for name in TIMEFRAMES[:5] if MINUTES[name] <= usual), key=MINUTES.__getitem__, default="1m"
    )


def coarser(
    frame: pd.DataFrame, have: str, request: BarRequest, days: NDArray[np.datetime64] | None = None
) -> pd.DataFrame:
    """The table in the timeframe of the request, grouped from the finer `have`; bars that reach past `end` go.

    Intraday groups start on the round minute, days on the session date (`days` (T,), else the UTC date), weeks
    on Monday, months on the first. A week is left out when the request ends inside it, so that no bar holds data
    from after `end`. Raises BadParameter when the request is finer than the table.
    """
    want = request.timeframe
    if want == have or len(frame) == 0:
        return frame
    if MINUTES[want] < MINUTES[have]:
        raise BadParameter(
            f"{request.symbol}: {want} bars were asked for, but the source has {have} bars only"
        )
    times = frame["time"].to_numpy("datetime64[ns]")
    if MINUTES[want] < 1440:
        step = np.timedelta64(MINUTES[want], "m").astype("timedelta64[ns]").astype(np.int64)
        label = (times.astype(np.int64) // step * step).astype("datetime64[ns]")
    else:
        label = period_start(times.astype("datetime64[D]") if days is None else days, want)
    grouped = group_bars(frame, label)
    if request.end is None or want not in ("1w", "1mo"):
        return grouped
    newest = times[np.append(np.flatnonzero(label[1:] != label[:-1]), label.size - 1)]
    complete: pd.DataFrame = grouped[newest <= checked_span(request)[1]].reset_index(drop=True)
    return complete


def period_start(session: Times, timeframe: str) -> Times:
    """(T,) datetime64[D]: the week's Monday for 1w, the first of the month for 1mo, else the day itself."""
    days: Times = session.astype("datetime64[D]")
    if timeframe == "1w":
        since_monday = (days.astype(np.int64) + 3) % 7
        days = days - since_monday.astype("timedelta64[D]")
    if timeframe == "1mo":
        days = days.astype("datetime64[M]").astype("datetime64[D]")
    return days


def group_bars(frame: pd.DataFrame, label: Times) -> pd.DataFrame:
    """One bar per run of equal `label` (T,), which becomes its time: first open, highest high, lowest low...

    Where a split falls inside a run, the bars before it are brought onto the share basis of the run's last
    bar, so that the grouped bar has one basis and carries the split as if before its open: a split never
    shows as a price move inside a bar.
    """
    import pandas as pd

    if frame.empty:
        return frame
    first = np.flatnonzero(np.append(True, label[1:] != label[:-1]))
    last = np.append(first[1:], label.size) - 1
    column: dict[str, Floats] = {name: frame[name].to_numpy(np.float64) for name in SERIES_COLUMNS[1:]}
    through = np.cumprod(column["split"])
    basis = np.repeat(through[last], last - first + 1) / through
    grouped: dict[str, Any] = {
        "time": label[first].astype("datetime64[ns]"),
        "open": (column["open"] / basis)[first],
        "high": np.maximum.reduceat(column["high"] / basis, first),
        "low": np.minimum.reduceat(column["low"] / basis, first),
        "close": column["close"][last],
        "volume": np.add.reduceat(column["volume"] * basis, first),
        "split": np.multiply.reduceat(column["split"], first),
        "dividend": np.add.reduceat(column["dividend"] / basis, first),
    }
    return pd.DataFrame(grouped, columns=list(SERIES_COLUMNS))


def within(frame: pd.DataFrame, start: np.datetime64 | None, end: np.datetime64 | None) -> pd.DataFrame:
    """The rows of `frame` whose time lies from `start` to `end`, both inclusive, numbered from 0."""
    times = frame["time"].to_numpy("datetime64[ns]")
    low = 0 if start is None else int(np.searchsorted(times, start, side="left"))
    high = times.size if end is None else int(np.searchsorted(times, end, side="right"))
    return frame.iloc[low:high].reset_index(drop=True)
