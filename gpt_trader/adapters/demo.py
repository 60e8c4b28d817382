"""The demo prices shipped in the package: five real US stocks to 2013, and DEMO, a synthetic series to 2024."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from gpt_trader.adapters.synthetic import SyntheticModel, SyntheticSource
from gpt_trader.adapters.tables import adjusted, canonical, checked_span, coarser, within
from gpt_trader.adapters.universe import normalise_symbol
from gpt_trader.errors import BadParameter, SymbolNotFound
from gpt_trader.sources import BarRequest, Series

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
    import pyarrow.parquet as pq

    table = pq.ParquetFile(PRICES).read_row_group(row_group)
    frame: pd.DataFrame = table.drop_columns(["symbol"]).to_pandas(date_as_object=False)
    return canonical(frame.rename(columns={"date": "time"}))
