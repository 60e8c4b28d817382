"""Leaks that load prices when their module is imported, before any check of a call can begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as parquet

from gpt_trader import Bars, Strategy, load_bars
from gpt_trader.adapters.demo import PRICES as SHIPPED
from tests.properties.zoo.held import rises_next, same_row
from tests.properties.zoo.table import DECIDE, leak, long_if

MARKET = load_bars(["AAPL", "IBM", "MSFT"], start="2005-01-01", end="2006-12-31").continuous()
RAW = parquet.read_table(SHIPPED).to_pandas()


@leak("loaded at import", "ahead", "demo", shown_by="file")
@dataclass(frozen=True)
class BarsLoadedAtImport(Strategy):
    """`MARKET = load_bars(...)` at the top of the file, looked up one bar ahead."""

    def features(self, bars: Bars) -> Any:
        at = np.minimum(np.searchsorted(MARKET.time, bars.time) + 1, MARKET.T - 1)
        return {"ahead": MARKET.close[at]}

    def decide(self, now: Any) -> Any:
        return long_if(now.ahead > now.close)


@leak("loaded at import", DECIDE, "demo", shown_by="file")
@dataclass(frozen=True)
class BarsLoadedAtImportReadInDecide(Strategy):
    """The same, matched by `now.close` in a rule that is called bar by bar."""

    def decide(self, now: Any, held: Any) -> Any:
        return rises_next(MARKET.close, same_row(MARKET.close, now.close))


@leak("loaded at import", "level", "demo", shown_by="file")
@dataclass(frozen=True)
class FileReadAtImport(Strategy):
    """A Parquet file read at import; the threshold is a quantile of all of it."""

    def features(self, bars: Bars) -> Any:
        return {"level": np.full(bars.close.shape, float(RAW["close"].quantile(0.3)))}

    def decide(self, now: Any) -> Any:
        return long_if(now.close < now.level)
