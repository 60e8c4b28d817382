"""load_bars: one panel from any source, with every mistake of the user answered in one line."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gpt_trader.adapters.loader import load, load_bars, open_source
from gpt_trader.adapters.panel_assembly import assemble
from gpt_trader.adapters.source_registry import SOURCES, SourceOptions
from gpt_trader.adapters.synthetic import SyntheticSource
from gpt_trader.bars import Bars
from gpt_trader.errors import BadData, BadParameter, BadRange, SymbolNotFound, UnknownName, UserError
from gpt_trader.sources import BarRequest, Series


def test_one_demo_symbol_is_a_panel_of_one() -> None:
    bars = load_bars(["AAPL"], source="demo")
    assert (bars.T, bars.N, bars.symbols, bars.sources) == (3270, 1, ("AAPL",), ("demo",))
    assert (bars.timeframe, bars.adjustment) == ("1d", "raw")
    assert bars.close[0, 0] == 130.31
    assert bars.fingerprint() == load_bars("aapl").fingerprint()


def test_the_acceptance_request_for_demo() -> None:
    loaded = load(["DEMO"], start="2023-01-01", end="2023-06-30")
    assert loaded.bars.T == 124
    assert loaded.bars.sources == ("demo (synthetic)",)
    assert "not a real stock" in loaded.warnings[-1]


def test_symbols_with_different_spans_share_the_union_of_times() -> None:
    bars = load_bars(["AAPL", "FB", "GOOG"], source="demo")
    assert bars.T == 3270
    absent = ~bars.present[:, 1]
    assert int(absent.sum()) == 3270 - 196
    assert np.isnan(bars.close[absent, 1]).all()
    assert (bars.volume[absent, 1] == 0).all()
    assert (bars.split[absent, 1] == 1).all()
    assert (bars.dividend[absent, 1] == 0).all()
    alone = load_bars(["FB"], source="demo")
    np.testing.assert_array_equal(bars.panel[:, ~absent, 1], alone.panel[:, :, 0])


def test_symbols_are_cleaned_and_doubles_count_once() -> None:
    assert load_bars(" msft,AAPL,aapl ").symbols == ("MSFT", "AAPL")
    assert load_bars(["msft", "MSFT "]).symbols == ("MSFT",)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2010-01-04", "2010-12-31"),
        (date(2010, 1, 4), date(2010, 12, 31)),
        (datetime(2010, 1, 4), datetime(2010, 12, 31)),  # noqa: DTZ001 - naive means UTC
        (datetime(2010, 1, 4, tzinfo=UTC), datetime(2010, 12, 31, tzinfo=UTC)),
        (np.datetime64("2010-01-04"), np.datetime64("2010-12-31")),
        (pd.Timestamp("2010-01-04"), pd.Timestamp("2010-12-31")),
        ("2010", "2010"),
        ("2010-01-01T00:00", "2011-01-02 12:00"),
    ],
)
def test_spans_in_every_common_type(start: object, end: object) -> None:
    bars = load_bars(["IBM"], start=start, end=end)  # type: ignore[arg-type]
    assert (str(bars.time[0])[:10], str(bars.time[-1])[:10], bars.T) == ("2010-01-04", "2010-12-31", 252)


def test_a_bare_end_date_includes_its_intraday_bars() -> None:
    bars = load_bars(["X"], source="synthetic", timeframe="1h", start="2020-01-02", end="2020-01-03")
    assert (bars.T, str(bars.time[-1])[:16]) == (14, "2020-01-03T20:30")


# -- mistakes ---------------------------------------------------------------------------------------------------


def test_an_unknown_symbol_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match=r"'AAPK'\. Did you mean 'AAPL'"):
        load_bars(["AAPK"])
    with pytest.raises(SymbolNotFound, match=r"A\?B"):
        load_bars(["a?b"], source="synthetic")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"source": "yahho"}, "source 'yahho'. Did you mean 'yahoo'"),
        ({"source": ""}, "unknown source"),
        ({"timeframe": "1dd"}, "timeframe '1dd'. Did you mean '1d'"),
        ({"adjustment": "splits"}, "adjustment 'splits'. Did you mean 'split'"),
        ({"quality": "strikt"}, "quality 'strikt'. Did you mean 'strict'"),
        ({"calendar": "XNYZ"}, "calendar 'XNYZ'. Did you mean"),
        ({"source": "csv"}, "'csv' needs a path"),
        ({"source": "csv", "path": "no/such"}, "no such file or folder"),
        ({"start": "2010-06-30", "end": "2010-01-04"}, "start 2010-06-30 lies after end 2010-01-04"),
        ({"start": "yesterday"}, "start 'yesterday' is no date"),
        ({"start": "20100104"}, "start '20100104' is no date"),
        ({"end": "2010-02-30"}, "2010-02-30"),
        ({"end": "2010-02-01T25:00"}, "no time"),
        ({"start": "0001-01-01"}, "outside the years"),
        (
            {"start": "2014-01-01"},
            "AAPL: no 1d bars from 2014-01-01 to the end; it has bars from 2000-03-01 to 2013-03-01",
        ),
        ({"start": "2010-01-02", "end": "2010-01-03"}, "no 1d bars"),
        ({"start": "2010-01-04", "end": "2010-01-04"}, "only one bar"),
        ({"timeframe": "5m"}, "daily"),
    ],
)
def test_each_mistake_is_one_line_about_what_was_wrong(setting: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_bars(["AAPL"], **setting)  # type: ignore[arg-type]


def test_no_symbols_at_all() -> None:
    for nothing in ([], "", [" "]):
        with pytest.raises(BadParameter, match="no symbols"):
            load_bars(nothing)


def test_one_bar_can_be_had_without_strictness() -> None:
    bars = load_bars(["AAPL"], start="2010-01-04", end="2010-01-04", quality="off")
    assert bars.T == 1


def test_missing_symbols_can_be_left_out_and_are_named() -> None:
    with pytest.raises(BadRange, match="FB: no 1d bars from 2005"):
        load_bars(["AAPL", "FB"], start="2005-01-03", end="2005-12-30")
    loaded = load(["AAPL", "FB", "NOPE"], start="2005-01-03", end="2005-12-30", skip_missing=True)
    assert loaded.bars.symbols == ("AAPL",)
    assert [symbol for symbol, _ in loaded.skipped] == ["FB", "NOPE"]
    assert loaded.warnings[0].startswith("FB: left out: FB: no 1d bars")
    with pytest.raises(BadRange, match="none of the symbols"):
        load_bars(["NOPE"], skip_missing=True)


# -- quality ----------------------------------------------------------------------------------------------------


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    frame = (
        SyntheticSource()
        .fetch(BarRequest("X", "1d", np.datetime64("2020-01-02"), np.datetime64("2020-03-31")))
        .frame
    )
    frame = pd.concat([frame, frame.iloc[[10]]])
    frame.iloc[5, frame.columns.get_loc("close")] = -1.0
    frame.iloc[7, frame.columns.get_loc("volume")] = 0.0
    frame.to_csv(tmp_path / "BAD.csv", index=False)
    return tmp_path


def test_strict_refuses_and_names_row_and_rule(broken: Path) -> None:
    with pytest.raises(BadData) as caught:
        load_bars(["BAD"], source="csv", path=broken)
    text = str(caught.value)
    assert "BAD row 7 (2020-01-09): negative_price: close -1" in text
    assert "duplicate_time" in text


def test_repair_reports_each_change(broken: Path) -> None:
    loaded = load(["BAD"], source="csv", path=broken, quality="repair", calendar="XNYS")
    assert loaded.bars.T == 61
    assert sorted(change.rule for change in loaded.changes) == [
        "duplicate_time",
        "negative_price",
        "unsorted",
    ]
    assert "3 repairs were made" in loaded.warnings[0]
    assert {defect.rule for defect in loaded.defects} >= {"zero_volume", "negative_price"}


def test_a_calendar_finds_missing_sessions() -> None:
    crypto = load(
        ["X"], source=SyntheticSource(calendar="24/7"), start="2020-01-01", end="2020-01-05", calendar="24/7"
    )
    assert crypto.defects == ()
    stock = load(["X"], source=SyntheticSource(), start="2020-01-02", end="2020-01-10", calendar="24/7")
    assert [defect.time for defect in stock.defects] == ["2020-01-04", "2020-01-05"]


def test_off_leaves_the_rest_to_the_bars(broken: Path) -> None:
    with pytest.raises(BadData, match="not positive"):
        load_bars(["BAD"], source="csv", path=broken, quality="off")


# -- adjustments ------------------------------------------------------------------------------------------------


def test_adjusted_demo_bars() -> None:
    raw, split = load_bars(["AAPL"]), load_bars(["AAPL"], adjustment="split")
    assert split.adjustment == "split"
    assert (split.split == 1).all()
    assert split.close[-1, 0] == raw.close[-1, 0]
    np.testing.assert_allclose(
        np.diff(np.log(split.close[:, 0])), np.diff(np.log(raw.continuous().close[:, 0])), atol=1e-12
    )


class Adjusting:
    """A source that delivers another adjustment than asked for some symbols."""

    name = "adjusting"

    def fetch(self, request: BarRequest) -> Series:
        series = SyntheticSource().fetch(request)
        return Series(request, series.frame, self.name, "split" if request.symbol < "M" else "raw")


def test_a_different_adjustment_is_said_and_a_mixture_refused() -> None:
    loaded = load(["A", "B"], source=Adjusting(), start="2020-01-02", end="2020-12-31")
    assert loaded.bars.adjustment == "split"
    assert "asked for adjustment 'raw', the source has 'split'" in loaded.warnings
    with pytest.raises(BadData, match="different adjustments"):
        load_bars(["A", "Z"], source=Adjusting(), start="2020-01-02", end="2020-12-31")


def test_halted_rows_count_as_missing_and_keep_their_events() -> None:
    frame = SyntheticSource().fetch(BarRequest("X")).frame.head(4)
    frame.loc[2, ["open", "high", "low", "close", "volume"]] = np.nan
    frame.loc[2, "split"] = 2.0
    bars = assemble({"X": Series(BarRequest("X"), frame, "here", "raw")}, "1d", "raw")
    assert isinstance(bars, Bars)
    assert bars.present[:, 0].tolist() == [True, True, False, True]
    assert (bars.volume[2, 0], bars.split[2, 0]) == (0.0, 2.0)


# -- sources ----------------------------------------------------------------------------------------------------


def test_every_named_source_opens() -> None:
    assert set(SOURCES) >= {"demo", "csv", "parquet", "synthetic", "yahoo", "alpaca"}
    assert open_source("Demo").name == "demo"
    assert open_source("demo,synthetic").name == "demo>synthetic"
    assert open_source("synthetic", SourceOptions(seed=4)).name == "synthetic"
    with pytest.raises(UnknownName, match="synthetic"):
        open_source("demo,syntetic")


def test_failover_by_name_records_the_source() -> None:
    bars = load_bars(["AAPL", "ZZZ"], source="demo,synthetic", start="2005-01-03", end="2005-12-30")
    assert bars.sources == ("demo", "synthetic")


def test_seeds_reach_the_synthetic_source() -> None:
    first, second = (load_bars(["X"], source="synthetic", seed=seed) for seed in (1, 2))
    assert first.fingerprint() != second.fingerprint()


@pytest.mark.slow
def test_loading_demo_bars_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from gpt_trader.adapters.loader import load_bars\n"
        "load_bars(['AAPL', 'DEMO'], source='demo')\n"
        "heavy = ('exchange_calendars', 'scipy', 'yfinance', 'alpaca', 'requests', 'numba', 'sqlalchemy', 'plotly',\n"
        "         'pyarrow.dataset', 'ray')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
