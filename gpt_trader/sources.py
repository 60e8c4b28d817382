"""The data port: what a source of bars is asked for and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

SERIES_COLUMNS = ("time", "open", "high", "low", "close", "volume", "split", "dividend")
ADJUSTMENTS = ("raw", "split", "all")


@dataclass(frozen=True, slots=True)
class BarRequest:
    """One symbol over one span: `start` and `end` are inclusive naive UTC, None for as far as the source goes."""

    symbol: str
    timeframe: str = "1d"
    start: np.datetime64 | None = None
    end: np.datetime64 | None = None
    adjustment: str = "raw"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One symbol's bars as a source delivered them.

    `frame` has SERIES_COLUMNS: `time` datetime64[ns] naive UTC (daily: session date; intraday: bar start),
    sorted and unique; prices in the instrument's currency; `volume` in shares; `split` new shares per old before
    the open; `dividend` cash per share on the ex-date. `adjustment` is what the prices really are, which may
    differ from what was asked: raw, split or all. `stale` marks an answer from the cache while the provider was down.
    """

    request: BarRequest
    frame: pd.DataFrame
    source: str
    adjustment: str
    stale: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ArraySeries:
    """A Series as plain arrays (T,) by name, for a source that can deliver them without pandas (0.3 s of import).

    Numbers may be of any numeric type. `labels` (T,) names the rows as the source does, None for their positions.
    """

    request: BarRequest
    columns: Mapping[str, NDArray[Any]]
    source: str
    adjustment: str
    stale: bool = False
    notes: tuple[str, ...] = ()
    labels: NDArray[np.int64] | None = None


@runtime_checkable
class ArraySource(Protocol):
    """A BarSource that has some of its series as arrays."""

    def fetch_arrays(self, request: BarRequest) -> ArraySeries | None:
        """What `fetch` would deliver, or None where only `fetch` can. Raises as `fetch` does."""
        ...


@runtime_checkable
class BarSource(Protocol):
    """Where bars come from; every adapter passes `tests/contract/test_bar_source.py`."""

    name: str

    def fetch(self, request: BarRequest) -> Series:
        """The bars of `request`. Raises SymbolNotFound, RateLimited, SourceUnavailable or BadData."""
        ...
