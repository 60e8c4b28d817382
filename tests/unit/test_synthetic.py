"""Synthetic bars: seeded per symbol, on real sessions, the same everywhere, and shaped like a market."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest

from gpt_trader.adapters.exchange_calendar import load_calendar
from gpt_trader.adapters.synthetic import SyntheticModel, SyntheticSource
from gpt_trader.errors import BadParameter, SymbolNotFound
from gpt_trader.quality import Severity, find_defects
from gpt_trader.sources import SERIES_COLUMNS, BarRequest


def bars(
    symbol: str = "ABC",
    timeframe: str = "1d",
    start: str | None = None,
    end: str | None = None,
    source: SyntheticSource | None = None,
) -> pd.DataFrame:
    low, high = (None if day is None else np.datetime64(day, "ns") for day in (start, end))
    return (source or SyntheticSource(seed=1)).fetch(BarRequest(symbol, timeframe, low, high)).frame


def test_the_bytes_are_the_same_on_every_machine() -> None:
    """A fixed digest: prices are on a grid of cents, so the last bit of exp() on another processor cannot show."""
    frame = bars(start="2020-01-02", end="2020-12-31")
    prices = np.round(frame[["open", "high", "low", "close"]].to_numpy() * 1e4).astype("<i8")
    volume = frame["volume"].to_numpy().astype("<i8")
    digest = hashlib.sha256(prices.tobytes() + volume.tobytes()).hexdigest()
    assert digest[:16] == "57339c39bf5f7f5f", frame.head()


def test_another_symbol_or_span_changes_no_bar() -> None:
    alone = bars("ABC", start="2015-01-02", end="2015-12-31")
    source = SyntheticSource(seed=1)
    for other in ("XYZ", "AAA"):
        bars(other, source=source)
    pd.testing.assert_frame_equal(bars("ABC", start="2015-01-02", end="2015-12-31", source=source), alone)
    whole = bars("ABC", source=source)
    part = whole[(whole["time"] >= "2015-01-02") & (whole["time"] <= "2015-12-31")].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, alone)


def test_seeds_and_symbols_differ() -> None:
    first, second = bars("ABC"), bars("ABD")
    third = bars("ABC", source=SyntheticSource(seed=2))
    for other in (second, third):
        moves = np.corrcoef(np.diff(np.log(first["close"])), np.diff(np.log(other["close"])))[0, 1]
        assert abs(moves) < 0.05


def test_sessions_are_the_exchanges() -> None:
    calendar = load_calendar("XNYS", "2000-01-03", "2024-12-31")
    np.testing.assert_array_equal(bars()["time"].to_numpy().astype("datetime64[D]"), calendar.dates)
    crypto = SyntheticSource(seed=1, calendar="24/7", first="2020-01-01", last="2020-12-31")
    assert len(bars(source=crypto)) == 366


@pytest.mark.parametrize("symbol", ["ABC", "BTC-USD", "Z"])
def test_every_bar_keeps_the_rules(symbol: str) -> None:
    wild = SyntheticModel(volatility=0.9, jumps=6, jump_size=0.1, regimes=True, first_price=1.2)
    for source in (SyntheticSource(seed=3), SyntheticSource(seed=3, model=wild)):
        defects = find_defects(bars(symbol, source=source), symbol, calendar=load_calendar())
        assert [d.message for d in defects if d.severity is Severity.ERROR] == []


def test_drift_and_volatility_are_those_of_the_model() -> None:
    model = SyntheticModel(drift=0.08, volatility=0.2)
    source = SyntheticSource(seed=11, model=model)
    moves = [np.diff(np.log(bars(f"S{n}", source=source)["close"])) for n in range(20)]
    yearly = np.concatenate(moves).std() * np.sqrt(252)
    assert yearly == pytest.approx(0.2, rel=0.01)
    growth = np.mean([move.mean() for move in moves]) * 252
    assert growth == pytest.approx(0.08 - 0.02, abs=4 * 0.2 / np.sqrt(20 * 25))


def test_jumps_and_regimes_make_fatter_tails() -> None:
    def kurtosis(model: SyntheticModel) -> float:
        move = np.diff(np.log(bars(source=SyntheticSource(seed=4, model=model))["close"]))
        return float((((move - move.mean()) / move.std()) ** 4).mean())

    plain = kurtosis(SyntheticModel())
    assert plain == pytest.approx(3.0, abs=0.3)
    assert kurtosis(SyntheticModel(jumps=6)) > plain + 1
    assert kurtosis(SyntheticModel(regimes=True)) > plain + 0.5


def test_minutes_group_to_the_daily_bars_exactly() -> None:
    span = ("2015-12-21", "2015-12-31")
    daily, minutes = (
        bars(start=span[0], end=span[1]),
        bars(timeframe="1m", start=span[0], end=span[1] + "T23:59"),
    )
    local = minutes["time"].dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.date
    grouped = minutes.groupby(local).agg(
        open=("open", "first"),
        high=("high", "max"),
        low=("low", "min"),
        close=("close", "last"),
        volume=("volume", "sum"),
    )
    columns = ["open", "high", "low", "close", "volume"]
    np.testing.assert_array_equal(grouped[columns].to_numpy(), daily[columns].to_numpy())
    assert minutes.groupby(local).size().tolist() == [
        390,
        390,
        390,
        210,
        390,
        390,
        390,
        390,
    ]  # the 24th: half day
    assert [d for d in find_defects(minutes, timeframe="1m") if d.severity is Severity.ERROR] == []


@pytest.mark.parametrize(("timeframe", "count"), [("5m", 78), ("15m", 26), ("30m", 13), ("1h", 7)])
def test_coarser_intraday_bars_start_at_the_open(timeframe: str, count: int) -> None:
    frame = bars(timeframe=timeframe, start="2020-03-06", end="2020-03-09T23:00")
    assert len(frame) == 2 * count
    assert [str(frame["time"][row]) for row in (0, count)] == ["2020-03-06 14:30:00", "2020-03-09 13:30:00"]
    minute = bars(timeframe="1m", start="2020-03-06", end="2020-03-09T23:00")
    assert frame["volume"].sum() == minute["volume"].sum()


def test_weeks_and_months_group_days() -> None:
    weeks, days = (
        bars(timeframe="1w", start="2020-01-06", end="2020-06-26"),
        bars(start="2020-01-06", end="2020-06-26"),
    )
    assert (weeks["time"].dt.day_of_week == 0).all()
    assert weeks["volume"].sum() == days["volume"].sum()
    months = bars(timeframe="1mo", start="2020-01-01", end="2020-06-30")
    assert (months["time"].dt.day == 1).all()
    assert len(months) == 6


def test_what_cannot_be() -> None:
    source = SyntheticSource(symbols=("ABC",))
    with pytest.raises(SymbolNotFound, match="XYZ"):
        bars("XYZ", source=source)
    with pytest.raises(SymbolNotFound, match="no symbol"):
        bars("no symbol")
    with pytest.raises(BadParameter, match="volatility"):
        SyntheticModel(volatility=-1.0)
    with pytest.raises(BadParameter, match="first price"):
        SyntheticModel(first_price=0.0)
    empty = bars(start="1990-01-02", end="1990-12-31", timeframe="5m")
    assert len(empty) == 0
    assert tuple(empty.columns) == SERIES_COLUMNS
