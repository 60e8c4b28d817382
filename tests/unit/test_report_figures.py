"""What the report draws is what happened: nothing is lost by thinning, splits and gaps are shown as what they are."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpt_trader import metrics
from gpt_trader.adapters.report import figures, render
from gpt_trader.backtesting import backtest
from gpt_trader.bars import Bars
from gpt_trader.result import Result
from gpt_trader.strategies.demo_ma import DemoMa
from tests.report_cases import Page, random_bars, run, stored

pytestmark = pytest.mark.slow  # pages: `make test` looks at them, `make check` need not


@pytest.fixture(scope="module")
def result() -> Result:
    return run(("AAA", "BBB", "CCC"), 2520)


@pytest.fixture(scope="module")
def page(result: Result) -> Page:
    return Page(render(result))


def undo(steps: list[int]) -> np.ndarray[Any, Any]:
    return np.cumsum(steps)


def test_account_chart_holds_every_bar_of_a_short_run(result: Result, page: Page) -> None:
    account = page.data["account"]
    days = result.bars.time.astype("datetime64[D]").astype(int)
    assert undo(account["x"]).tolist() == days.tolist()
    assert account["equity"] == pytest.approx(result.equity["equity"].tolist(), rel=1e-8)
    assert account["benchmark"] == pytest.approx(result.equity["benchmark"].tolist(), rel=1e-8)
    assert account["drawdown"] == pytest.approx(result.equity["drawdown"].tolist(), abs=1e-5)
    assert "net" not in account  # never short: it is the gross exposure


def test_rolling_figures_are_those_of_the_metrics(result: Result, page: Page) -> None:
    rolling = page.data["rolling"]
    returns = metrics.returns(result.equity["equity"].to_numpy(), 100_000.0)
    expected = metrics.rolling_sharpe(returns, 130, 260.0)
    assert rolling["sharpe"][128] is None
    assert rolling["sharpe"][129:] == pytest.approx(expected[129:].tolist(), rel=1e-3, abs=1e-9)
    assert any("of the last 130 bars" in text for text in page.find("h3"))


def test_thinning_keeps_the_lowest_and_highest_of_every_stretch() -> None:
    rng = np.random.default_rng(3)
    one, two = rng.normal(size=10_007).cumsum(), rng.normal(size=10_007).cumsum()
    two[2000:4000] = np.nan
    rows = figures.extreme_rows([one, two], 4000, 500)
    assert rows[0] == 0
    assert rows[-1] == 10_006
    assert rows.size <= 2 + 4 * 500
    edges = np.linspace(0, 10_007, 501).astype(int)
    for low, high in pairwise(edges):
        kept = rows[(rows >= low) & (rows < high)]
        for values in (one, two):
            if np.isfinite(values[low:high]).any():
                assert np.nanmin(values[kept]) == np.nanmin(values[low:high])
                assert np.nanmax(values[kept]) == np.nanmax(values[low:high])
    assert figures.extreme_rows([one[:4000]], 4000, 500).tolist() == list(range(4000))


def test_long_intraday_run_is_thinned_and_says_so() -> None:
    result = run(("AAA",), 60_000, "1m", fast=50, slow=400)
    page = Page(render(result))
    data, equity = page.data, result.equity["equity"].to_numpy()
    drawn = undo(data["account"]["x"])
    assert drawn.size < 10_000
    assert max(data["account"]["equity"]) == pytest.approx(equity.max(), rel=1e-8)
    assert min(data["account"]["equity"]) == pytest.approx(equity.min(), rel=1e-8)
    assert data["account"]["equity"][100] == pytest.approx(equity[drawn[100]], rel=1e-8)
    (how,) = page.find("p", id="how-to")
    assert f"{drawn.size:,} of 60,000 bars" in how
    candles = data["prices"][0]
    assert len(candles["x"]) == 10_000
    assert any("Each candle joins 6 bars of 1m" in text for text in page.find("p", class_="note"))
    assert candles["high"][7] == pytest.approx(result.bars.high[42:48, 0].max(), rel=1e-6)
    assert candles["low"][7] == pytest.approx(result.bars.low[42:48, 0].min(), rel=1e-6)
    assert (candles["open"][7], candles["close"][7]) == pytest.approx(
        (result.bars.open[42, 0], result.bars.close[47, 0]), rel=1e-6
    )
    seconds = dict(zip(undo(data["clock"]["x"]).tolist(), undo(data["clock"]["t"]).tolist(), strict=True))
    expected = result.bars.time.astype("datetime64[s]").astype(int)
    assert all(seconds[int(row)] == expected[row] for row in drawn)
    assert any("of the last" in text and "days" in text for text in page.find("h3"))


def test_an_account_that_begins_later_is_drawn_from_then_on() -> None:
    whole, later = run(("AAA",), 300, fast=3, slow=9), run(("AAA",), 300, fast=3, slow=9, first=200)
    chart, full = (Page(render(item)).data["prices"][0] for item in (later, whole))
    assert chart["close"] == full["close"][200:]
    assert chart["x"] == [chart["x"][0], *full["x"][201:]]
    assert len(later.equity) == 100
    assert f"{later.start}" in render(later)


def test_price_chart_stands_on_the_last_share_basis() -> None:
    plain = random_bars(("AAA",), 600)
    panel = plain.panel.copy()
    panel[:4, 300:] /= 4
    panel[5, 300] = 4.0
    bars = Bars(plain.symbols, plain.time, panel)
    result = backtest(DemoMa(fast=10, slow=50), bars)
    clock = figures.Clock(bars.time, False)
    found = figures.price_charts(bars, result.fills, result.closed_trades, clock)
    chart = found.charts[0]
    assert found.splits
    assert chart["close"] == pytest.approx((plain.close[:, 0] / 4).tolist(), rel=1e-6)
    fills = chart["fills"]
    cash = np.array(fills["price"]) * np.array(fills["quantity"])
    assert cash == pytest.approx((result.fills["price"] * result.fills["quantity"]).to_numpy(), rel=1e-5)
    at = dict(zip(undo(chart["x"]).tolist(), zip(chart["low"], chart["high"], strict=True), strict=True))
    assert all(
        at[x][0] * 0.999999 <= price <= at[x][1] * 1.000001
        for x, price in zip(fills["x"], fills["price"], strict=True)
    )
    trips = chart["trips"]
    assert len(trips["x0"]) == len(result.closed_trades)
    assert trips["pnl"] == pytest.approx(result.closed_trades["pnl"].tolist(), rel=1e-6)


def test_most_traded_symbols_are_charted_and_the_rest_is_named() -> None:
    result = run(tuple(f"S{i:02d}" for i in range(12)), 400)
    page = Page(render(result))
    counts = result.fills["symbol"].value_counts()
    charted = [chart["symbol"] for chart in page.data["prices"]]
    assert len(charted) == figures.CHART_SYMBOLS
    assert min(counts[name] for name in charted) >= max(counts.drop(charted))
    assert page.find("option") == charted
    assert "Charts are drawn for the 8 most traded of 12 symbols." in page.find("p", class_="note")
    assert [chart["fill_count"] for chart in page.data["prices"]] == [counts[name] for name in charted]


def test_long_run_of_missing_bars_leaves_a_gap_and_a_short_one_does_not() -> None:
    plain = random_bars(("AAA",), 100)
    panel = plain.panel.copy()
    for first, last in ((10, 13), (40, 60)):
        panel[:4, first:last] = np.nan
        panel[4, first:last] = 0
    bars = Bars(plain.symbols, plain.time, panel)
    empty = pd.DataFrame(columns=["symbol", "time", "side", "quantity", "price", "reason"])
    closed = pd.DataFrame(columns=["symbol", "side", "entry_time", "exit_time", "pnl"])
    chart = figures.price_charts(bars, empty, closed, figures.Clock(bars.time, False)).charts[0]
    days = bars.time.astype("datetime64[D]").astype(int)
    assert [x for x, close in zip(undo(chart["x"]), chart["close"], strict=True) if close is None] == [
        days[40]
    ]
    assert len(chart["x"]) == 100 - 3 - 20 + 1


def test_histogram_counts_every_return_once_and_has_an_edge_at_zero() -> None:
    values = np.concatenate([np.random.default_rng(1).standard_t(3, 5000) * 0.01, [np.nan, 0.9, -0.8]])
    found = figures.histogram(values)
    assert found is not None
    assert found.counts.sum() + found.below + found.above == 5002
    assert found.above >= 1
    assert found.below >= 1
    assert np.abs(found.edges).min() < 1e-12
    assert 14 <= found.counts.size <= 61
    assert found.counts[0] == ((values >= found.edges[0]) & (values < found.edges[1])).sum()
    few = figures.histogram(np.array([0.01, -0.02, 0.03]))
    assert few is not None
    assert few.counts.sum() == 3
    assert (few.below, few.above) == (0, 0)
    assert figures.histogram(np.array([0.01])) is None
    assert figures.histogram(np.full(50, 0.01)) is None


def test_trade_table_is_bounded_newest_first_and_says_so(result: Result) -> None:
    trades = pd.concat([result.closed_trades] * 20, ignore_index=True).sort_values(
        "exit_time", kind="stable", ignore_index=True
    )
    page = Page(render(stored(result, closed_trades=trades)))
    columns = page.data["trades"]
    assert {len(values) for values in columns.values()} == {2000}
    assert columns["pnl"][0] == pytest.approx(trades["pnl"].iloc[-1], rel=1e-6)
    assert page.find("small", id="trade-note") == [
        "the last 2,000 of 2,320; all are in the table closed_trades"
    ]
    newest = pd.Timestamp(trades["exit_time"].iloc[-1])
    assert columns["exit_time"][0] == newest.timestamp()
    assert str(newest.date()) in page.find("td")
