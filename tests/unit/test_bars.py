"""`Bars.from_frame`: tables in memory become a panel, or one message with the row and the rule; one hash per content."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpt_trader import Bars, backtest
from gpt_trader.errors import BadData
from gpt_trader.strategies import load_strategy


def table(count: int = 40, **columns: Any) -> pd.DataFrame:
    """Bars of 100 on business days; `columns` replace or add."""
    plain = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0, "volume": 1e6}
    return pd.DataFrame({"date": pd.bdate_range("2024-01-01", periods=count), **plain}).assign(**columns)


def with_cell(column: str, value: object) -> pd.DataFrame:
    """The table with one cell replaced, in row 5."""
    frame = table(split=1.0, dividend=0.0)
    frame[column] = frame[column].astype(object)
    frame.loc[5, column] = value
    return frame


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("close", np.nan, "part of the bar is NaN"),
        ("open", 0.0, "not positive"),
        ("low", -1.0, "not positive"),
        ("high", np.inf, "not positive and finite"),
        ("high", 98.0, "high is below low"),
        ("close", "abc", "no number"),
        ("volume", -1.0, "volume is negative"),
        ("volume", np.nan, "volume is negative or not a number"),
        ("split", -2.0, "split must be positive"),
        ("dividend", -1.0, "dividend is negative"),
        ("dividend", np.inf, "dividend is negative or not finite"),
        ("date", "soon", "unreadable time"),
        ("date", None, "row 5 has no time"),
    ],
)
def test_a_cell_that_cannot_be_is_one_message(column: str, value: object, words: str) -> None:
    with pytest.raises(BadData, match=words) as error:
        Bars.from_frame({"XYZ": with_cell(column, value)})
    assert "XYZ" in str(error.value)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ({}, "the table is empty"),
        (table(0).assign(symbol="A"), "the table is empty"),
        (table(), "needs a column 'symbol'"),
        (table().assign(symbol=["A"] * 39 + [None]), "row 39 of the long frame has no symbol"),
        ({"A": table().drop(columns="close")}, "missing column close"),
        ({"A": table().drop(columns="date")}, "no column 'date' or 'time'"),
        ({"A": pd.concat([table(), table().iloc[3:4]])}, "two rows for 2024-01-04"),
        ([1, 2, 3], "Bars.from_frame needs a pandas DataFrame"),
        (None, "Bars.from_frame needs a pandas DataFrame"),
        ({"A": [1, 2]}, "Bars.from_frame needs a pandas DataFrame"),
    ],
)
def test_a_table_that_cannot_be_is_one_message(frames: Any, words: str) -> None:
    with pytest.raises(BadData, match=words):
        Bars.from_frame(frames)


def test_long_frames_and_dicts_in_any_order_and_case_are_the_same_bars() -> None:
    dict_bars = Bars.from_frame({"A": table(), "B": table().iloc[10:]})
    long = pd.concat([table().assign(symbol="A"), table().iloc[10:].assign(symbol="B")]).iloc[::-1]
    long_bars = Bars.from_frame(long).select(["A", "B"])
    titled = {"A": table().set_index("date").rename(columns=str.title), "B": table().iloc[10:]}
    assert dict_bars.fingerprint() == long_bars.fingerprint() == Bars.from_frame(titled).fingerprint()
    assert dict_bars.present.sum(axis=0).tolist() == [40, 30]
    assert Bars.from_frame(dict_bars.to_frame()).fingerprint() == dict_bars.fingerprint()


def test_times_with_a_zone_become_utc_and_yahoos_zero_is_no_split() -> None:
    zoned = table().assign(date=lambda frame: frame["date"].dt.tz_localize("America/New_York"))
    bars = Bars.from_frame({"A": zoned.assign(**{"Stock Splits": 0.0, "Dividends": 0.0})})
    assert str(bars.time[0])[:16] == "2024-01-01T05:00"
    assert (bars.split == 1.0).all()


@pytest.mark.parametrize(("column", "value"), [("dividend", 5.0), ("split", 2.0)])
def test_what_takes_effect_on_a_missing_bar_is_part_of_the_fingerprint(column: str, value: float) -> None:
    """Two runs with other results never share an id: a halted symbol's dividend is paid on its ex-date."""

    def bars(event: float) -> Bars:
        halted = table(split=1.0, dividend=0.0)
        halted.loc[20, ["open", "high", "low", "close"]] = np.nan
        halted.loc[20, column] = event
        return Bars.from_frame({"A": table(), "B": halted})

    plain, paid = (
        backtest(load_strategy("buy_and_hold")(), bars(event))
        for event in (1.0 if column == "split" else 0.0, value)
    )
    assert plain.metrics["final_equity"] != paid.metrics["final_equity"]
    assert plain.bars.fingerprint()["A"] == paid.bars.fingerprint()["A"]
    assert plain.bars.fingerprint()["B"] != paid.bars.fingerprint()["B"]
    assert plain.run_id != paid.run_id
    gap = table(split=1.0, dividend=0.0).drop(index=20)
    assert plain.bars.fingerprint()["B"] == Bars.from_frame({"B": gap}).fingerprint()["B"]


def test_a_run_with_and_one_without_a_benchmark_have_ids_of_their_own() -> None:
    bars = Bars.from_frame({"A": table()})
    ids = {backtest(load_strategy("demo_ma")(), bars, benchmark=flag).run_id for flag in (True, False)}
    assert len(ids) == 2
