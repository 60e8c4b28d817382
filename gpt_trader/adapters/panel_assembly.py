"""Puts the series of single symbols into one panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import FIELDS, SPLIT, VOLUME, Bars
from gpt_trader.sources import ArraySeries, Series

_BLOCK = 32  # symbols that are put into the panel at a time


def assemble(
    series: Mapping[str, Series | ArraySeries],
    timeframe: str,
    adjustment: str,
    delisted: Mapping[str, str] = MappingProxyType({}),
    notes: Sequence[str] = (),
) -> Bars:
    """One panel (7, T, N) over the union of all times; a symbol without a bar is NaN, volume 0, split 1, dividend 0.

    A row whose four prices are NaN counts as no bar: its volume becomes 0, its events stay.
    """
    columns = [times_of(one) for one in series.values()]
    times = _union(columns)
    panel = np.empty((len(FIELDS), times.size, len(series)))
    found = list(series.values())
    for first in range(0, len(found), _BLOCK):
        block = slice(first, first + _BLOCK)
        panel[:, :, block] = _block(found[block], columns[block], times).transpose(1, 2, 0)
    sources = tuple(one.source for one in series.values())
    left = tuple(delisted.get(name) for name in series)
    return Bars(tuple(series), times, panel, timeframe, adjustment, sources, left, tuple(notes))


def _union(columns: Sequence[NDArray[np.datetime64]]) -> NDArray[np.datetime64]:
    """(T,) every time of the columns, each of which increases; most of them lie in the longest."""
    longest = max(columns, key=len)
    others = []
    for stamps in columns:
        if stamps.size == longest.size and np.array_equal(stamps, longest):
            continue
        places = np.minimum(np.searchsorted(longest, stamps), longest.size - 1)
        strange = stamps[longest[places] != stamps]
        if strange.size:
            others.append(strange)
    return np.unique(np.concatenate([longest, *others])) if others else longest


def _block(
    series: Sequence[Series | ArraySeries],
    columns: Sequence[NDArray[np.datetime64]],
    times: NDArray[np.datetime64],
) -> NDArray[np.float64]:
    """(n, 7, T): a few symbols over all times. Symbols are filled in blocks because a single one lies scattered in the panel."""
    block = np.empty((len(series), len(FIELDS), times.size))
    for values, one, stamps in zip(block, series, columns, strict=True):
        given = _fields_of(one)
        if stamps.size == times.size:
            for row, numbers in zip(values, given, strict=True):
                row[:] = numbers
        else:
            values[:VOLUME], values[VOLUME:], values[SPLIT] = np.nan, 0.0, 1.0
            places = np.searchsorted(times, stamps)
            for row, numbers in zip(values, given, strict=True):
                row[places] = numbers
        empty = np.isnan(values[0])
        if stamps.size == times.size or np.count_nonzero(empty) > times.size - stamps.size:
            values[VOLUME, empty & np.isnan(values[1:VOLUME]).all(axis=0)] = 0.0
    return block


def times_of(series: Series | ArraySeries) -> NDArray[np.datetime64]:
    if isinstance(series, ArraySeries):
        return series.columns["time"]
    return series.frame["time"].to_numpy("datetime64[ns]")


def _fields_of(series: Series | ArraySeries) -> list[NDArray[Any]]:
    """(T,) of each of FIELDS, of any numeric type."""
    if isinstance(series, ArraySeries):
        return [series.columns[name] for name in FIELDS]
    return [series.frame[name].to_numpy() for name in FIELDS]
