"""The demo prices as arrays are the demo prices as a table, and checked by the same rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpt_trader.adapters.demo import REAL_SYMBOLS, DemoSource
from gpt_trader.adapters.loader import load
from gpt_trader.errors import BadData
from gpt_trader.quality import find_defects, find_row_defects
from gpt_trader.quality_rules import Columns
from gpt_trader.sources import SERIES_COLUMNS, ArraySeries, BarRequest, Series

SPANS = [
    (None, None),
    ("2005-01-01", "2010-12-31"),
    (None, "2006-06-30"),
    ("2013-01-05", None),
    ("1990", "1991"),
]


@pytest.mark.parametrize("symbol", REAL_SYMBOLS)
@pytest.mark.parametrize("span", SPANS)
def test_the_arrays_are_the_table(symbol: str, span: tuple[str | None, str | None]) -> None:
    start, end = (None if day is None else np.datetime64(day, "D") for day in span)
    request = BarRequest(symbol, "1d", start, end)
    arrays, table = DemoSource().fetch_arrays(request), DemoSource().fetch(request)
    assert arrays is not None
    assert (arrays.source, arrays.adjustment, arrays.notes) == (table.source, table.adjustment, table.notes)
    for name in SERIES_COLUMNS:
        np.testing.assert_array_equal(arrays.columns[name], table.frame[name].to_numpy())
    if len(table.frame):
        assert find_row_defects(Columns(arrays.columns), symbol) == find_defects(table.frame, symbol)


def test_other_symbols_frames_and_bases_come_as_tables() -> None:
    for request in (BarRequest("DEMO"), BarRequest("IBM", "1w"), BarRequest("IBM", adjustment="split")):
        assert DemoSource().fetch_arrays(request) is None


class Damaged(DemoSource):
    """The demo with a price that is none, in both forms."""

    def fetch_arrays(self, request: BarRequest) -> ArraySeries | None:
        found = super().fetch_arrays(request)
        assert found is not None
        close = found.columns["close"].copy()
        close[3] = -1.0
        return replace(found, columns={**found.columns, "close": close})

    def fetch(self, request: BarRequest) -> Series:
        found = super().fetch(request)
        frame = found.frame.copy()
        frame.loc[3, "close"] = -1.0
        return replace(found, frame=frame)


def test_arrays_that_break_a_rule_are_refused_or_mended_as_a_table_is() -> None:
    with pytest.raises(BadData, match=r"IBM row 3 \(2005-01-06\): negative_price: close -1"):
        load("IBM", source=Damaged(), start="2005-01-01")
    mended = load("IBM", source=Damaged(), start="2005-01-01", quality="repair")
    assert [change.rule for change in mended.changes] == ["negative_price"]
    assert "a repair was made" in mended.warnings[0]


def test_warnings_are_those_of_the_table() -> None:
    arrays = load(["AAPL", "GOOG"], quality="strict", calendar="XNYS")
    table = load(["AAPL", "GOOG"], source=WithoutArrays(), calendar="XNYS")
    assert arrays.defects == table.defects
    assert arrays.warnings == table.warnings
    np.testing.assert_array_equal(arrays.bars.panel, table.bars.panel)


class WithoutArrays(DemoSource):
    """The demo as a source that has tables only."""

    def fetch_arrays(self, request: BarRequest) -> ArraySeries | None:
        return None
