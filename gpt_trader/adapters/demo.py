"""The demo prices shipped in the package: five real US stocks to 2013, and DEMO, a synthetic series to 2024."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.bar_tables import adjusted, checked_span, coarser, within
from gpt_trader.adapters.synthetic import SyntheticModel, SyntheticSource
from gpt_trader.adapters.universe import normalise_symbol
from gpt_trader.errors import BadParameter, SymbolNotFound
from gpt_trader.sources import SERIES_COLUMNS, ArraySeries, BarRequest, Series

if TYPE_CHECKING:
    import pandas as pd

PRICES = Path(__file__).resolve().parents[1] / "data" / "demo.parquet"
REAL_SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
SYNTHETIC_SYMBOL = "DEMO"
DEMO_SEED = 2024
DEMO_MODEL = SyntheticModel(drift=0.09, volatility=0.22, first_price=100.0, jumps=3.0, regimes=True)
_SYNTHETIC_NOTE = "DEMO is not a real stock: a seeded synthetic series from 2018-01-02 to 2024-12-31"
_TIMEFRAMES = ("1d", "1w", "1mo")


class DemoSource:
    """Daily bars without network: AAPL, IBM and MSFT 2000-03 to 2013-03, GOOG from 2004-08, FB from 2012-05.

    Prices are as traded, with splits and dividends as events (`gpt_trader/data/README.md` tells where they are from).
    DEMO is synthetic and its `Series.source` says so. Timeframes 1d, 1w, 1mo. Adjusted prices stand on the share basis
    of the last bar asked for.
    """

    name = "demo"

    def symbols(self) -> tuple[str, ...]:
        """Every symbol of the set, sorted."""
        return tuple(sorted((*REAL_SYMBOLS, SYNTHETIC_SYMBOL)))

    def fetch_arrays(self, request: BarRequest) -> ArraySeries | None:
        """Raw daily bars of the real symbols as arrays; None for all else."""
        symbol = normalise_symbol(request.symbol)
        if symbol not in REAL_SYMBOLS or (request.timeframe, request.adjustment) != ("1d", "raw"):
            return None
        start, end = checked_span(request)
        whole = _columns(REAL_SYMBOLS.index(symbol))
        low = 0 if start is None else int(np.searchsorted(whole["time"], start, side="left"))
        high = None if end is None else int(np.searchsorted(whole["time"], end, side="right"))
        columns = {name: values[low:high] for name, values in whole.items()}
        return ArraySeries(request, columns, self.name, "raw")

    def fetch(self, request: BarRequest) -> Series:
        """See BarSource. Raises SymbolNotFound, and BadParameter for an intraday timeframe."""
        start, end = checked_span(request)
        if request.timeframe not in _TIMEFRAMES:
            allowed = ", ".join(_TIMEFRAMES)
            raise BadParameter(
                f"the demo data are daily: timeframe {request.timeframe!r} is not one of {allowed}; "
                "the source 'synthetic' has intraday bars"
            )
        symbol = normalise_symbol(request.symbol)
        notes: tuple[str, ...] = ()
        if symbol == SYNTHETIC_SYMBOL:
            series = _synthetic().fetch(BarRequest(SYNTHETIC_SYMBOL, "1d"))
            whole, source, notes = series.frame, "demo (synthetic)", (_SYNTHETIC_NOTE,)
        elif symbol in REAL_SYMBOLS:
            whole, source = _prices(REAL_SYMBOLS.index(symbol)), self.name
        else:
            raise SymbolNotFound(f"{request.symbol}: the demo data hold {', '.join(self.symbols())} only")
        grouped = coarser(whole, "1d", request)
        frame, adjustment = adjusted(within(grouped, None, end), "raw", request.adjustment)
        return Series(request, within(frame, start, end), source, adjustment, notes=notes)


def _synthetic() -> SyntheticSource:
    return SyntheticSource(
        DEMO_SEED, DEMO_MODEL, first="2018-01-02", last="2024-12-31", symbols=(SYNTHETIC_SYMBOL,)
    )


@lru_cache(maxsize=len(REAL_SYMBOLS))
def _prices(row_group: int) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(dict(_columns(row_group)))


@lru_cache(maxsize=len(REAL_SYMBOLS))
def _columns(row_group: int) -> Mapping[str, NDArray[Any]]:
    """The columns of a Series from a row group of the file, read-only: from the buffers, which needs no pandas."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(PRICES).read_row_group(row_group)
    found: dict[str, NDArray[Any]] = {}
    for name in SERIES_COLUMNS:
        column = table.column("date" if name == "time" else name).combine_chunks()
        kind = {pa.date32(): np.int32, pa.int64(): np.int64}.get(column.type, np.float64)
        array = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        raw = np.frombuffer(array.buffers()[1], kind)[array.offset : array.offset + len(array)]
        found[name] = (
            raw.astype("datetime64[D]").astype("datetime64[ns]") if name == "time" else raw.astype(np.float64)
        )
        found[name].setflags(write=False)
    return found
