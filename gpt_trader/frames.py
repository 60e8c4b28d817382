"""Bars from pandas tables and back; the only core module that imports pandas for input."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from gpt_trader.bars import CLOSE, DIVIDEND, FIELDS, OPEN, SPLIT, VOLUME, Bars
from gpt_trader.errors import BadData

_TIME_NAMES = ("time", "date", "datetime", "timestamp")
_DEFAULTS = {"split": 1.0, "dividend": 0.0}
_ALIASES = {"splits": "split", "stock splits": "split", "dividends": "dividend"}


def split_long_frame(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """One frame per symbol, in order of first appearance. Raises BadData when there is no column `symbol`."""
    _check_table(frame)
    named = frame.rename(columns={c: str(c).strip().lower() for c in frame.columns})
    column = next((c for c in ("symbol", "ticker") if c in named.columns), None)
    if column is None:
        raise BadData("a long frame needs a column 'symbol'; for one symbol pass {'NAME': frame}")
    nameless = named[column].isna().to_numpy()
    if nameless.any():
        raise BadData(f"row {int(nameless.argmax())} of the long frame has no {column}; name it or drop it")
    return {str(name): part.drop(columns=column) for name, part in named.groupby(column, sort=False)}


def _check_table(given: object) -> None:
    if not isinstance(given, pd.DataFrame):
        raise BadData(
            f"Bars.from_frame needs a pandas DataFrame, or a dict of them by symbol; got {type(given).__name__}"
        )


def bars_from_frames(
    frames: Mapping[str, pd.DataFrame], timeframe: str, adjustment: str, delisted: Mapping[str, str]
) -> Bars:
    """The union of all times over the symbols; a symbol without a bar at a time is missing there."""
    if not frames:
        raise BadData("no symbols: the table is empty")
    tables = {name: _clean(name, frame) for name, frame in frames.items()}
    times = np.unique(np.concatenate([table.index.to_numpy("datetime64[ns]") for table in tables.values()]))
    panel = np.full((len(FIELDS), times.size, len(tables)), np.nan)
    panel[VOLUME], panel[SPLIT], panel[DIVIDEND] = 0.0, 1.0, 0.0
    for n, table in enumerate(tables.values()):
        rows = np.searchsorted(times, table.index.to_numpy("datetime64[ns]"))
        panel[:, rows, n] = table[list(FIELDS)].to_numpy(np.float64).T
    left = tuple(delisted.get(name) for name in tables)
    return Bars(tuple(tables), times, panel, timeframe, adjustment, ("frame",) * len(tables), left)


def _clean(symbol: str, frame: pd.DataFrame) -> pd.DataFrame:
    _check_table(frame)
    table = frame.rename(columns={c: str(c).strip().lower() for c in frame.columns}).rename(columns=_ALIASES)
    named = next((c for c in _TIME_NAMES if c in table.columns), None)
    if named is None and not isinstance(table.index, pd.DatetimeIndex):
        raise BadData(
            f"{symbol}: no column 'date' or 'time' and no DatetimeIndex; columns are {list(table.columns)}"
        )
    stamps = pd.DatetimeIndex(_times(symbol, table[named]) if named else table.index)
    if stamps.tz is not None:
        stamps = stamps.tz_convert("UTC").tz_localize(None)
    missing = [c for c in FIELDS if c not in table.columns and c not in _DEFAULTS]
    if missing:
        raise BadData(f"{symbol}: missing column {', '.join(missing)}; columns are {list(table.columns)}")
    table = table.set_axis(stamps.as_unit("ns"), axis=0).assign(
        **{c: v for c, v in _DEFAULTS.items() if c not in table.columns}
    )
    table = _numbers(symbol, table).sort_index(kind="stable")
    if table.index.has_duplicates:
        stamp = table.index[table.index.duplicated()][0]
        raise BadData(f"{symbol}: two rows for {stamp}; keep one (`gpt-trader data repair` keeps the last)")
    absent = table.iloc[:, OPEN : CLOSE + 1].isna().all(axis=1)
    table.loc[absent, "volume"] = 0.0
    table["split"] = table["split"].replace(0.0, 1.0)  # yfinance writes 0 where nothing splits
    return table.fillna({"split": 1.0, "dividend": 0.0})


def _times(symbol: str, column: pd.Series) -> pd.Series:
    try:
        parsed = pd.to_datetime(column)
    except (ValueError, TypeError) as error:
        raise BadData(f"{symbol}: unreadable time: {str(error).splitlines()[0]}") from None
    if parsed.isna().any():
        raise BadData(f"{symbol}: row {int(parsed.isna().to_numpy().argmax())} has no time")
    return parsed


def _numbers(symbol: str, table: pd.DataFrame) -> pd.DataFrame:
    columns = {}
    for name in FIELDS:
        try:
            columns[name] = pd.to_numeric(table[name]).astype(np.float64)
        except (ValueError, TypeError) as error:
            raise BadData(f"{symbol}: column {name} holds something that is no number: {error}") from None
    return pd.DataFrame(columns, index=table.index)


def long_frame(bars: Bars) -> pd.DataFrame:
    """One row per present bar: symbol, time, FIELDS."""
    n, t = np.nonzero(bars.present.T)
    columns = {name: bars.panel[i, t, n] for i, name in enumerate(FIELDS)}
    return pd.DataFrame({"symbol": np.array(bars.symbols, dtype=object)[n], "time": bars.time[t], **columns})
