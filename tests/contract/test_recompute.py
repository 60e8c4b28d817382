"""`report --from --to`: statistics computed anew from the stored rows are those of the run, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpt_trader as gt
from gpt_trader.adapters.run_files import write_run
from gpt_trader.adapters.store import RunStore, StoreError
from gpt_trader.adapters.store.recompute import recompute
from gpt_trader.adapters.store.sqlalchemy_engines import open_engine
from gpt_trader.errors import BadRange, UnknownName
from tests.contract.postgres import postgres_server
from tests.stored_result import make_result

__all__ = ["postgres_server"]

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SUMS = ("commission", "slippage", "borrow", "costs", "round_trips")


@dataclass(frozen=True)
class LongAndShort(gt.Strategy):
    """Long while the fast mean leads, else short."""

    def features(self, bars: gt.Bars) -> Any:
        return {"fast": gt.ta.sma(bars.close, 5), "slow": gt.ta.sma(bars.close, 20)}

    def decide(self, now: Any) -> Any:
        return np.where(np.isnan(now.slow), np.nan, np.where(now.fast > now.slow, 0.3, -0.2))


def made_bars() -> gt.Bars:
    """Two symbols over three years with a split and dividends."""
    random = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(random.normal(0.0003, 0.02, (750, 2)), axis=0))
    open_ = np.vstack([close[:1], close[:-1]]) * np.exp(random.normal(0, 0.004, (750, 2)))
    split, dividend = np.ones((750, 2)), np.zeros((750, 2))
    split[300, 1] = 2.0
    for prices in (open_, close):
        prices[300:, 1] /= 2.0
    dividend[60::63] = 0.3
    high, low = np.maximum(open_, close) * 1.01, np.minimum(open_, close) * 0.99
    panel = np.stack([open_, high, low, close, np.full((750, 2), 1e6), split, dividend])
    days = np.arange(np.datetime64("2010-01-04"), np.datetime64("2013-12-31"))
    return gt.Bars(("AAA", "BBB"), days[np.is_busday(days)][:750].astype("datetime64[ns]"), panel)


@pytest.fixture(scope="module")
def result() -> Any:
    """A real run with shorts, a split, dividends, every cost, and positions open at the end."""
    made = gt.backtest(LongAndShort(), made_bars(), capital=1_000_000, costs=gt.Costs(bps=5, borrow=0.02))
    assert made.metrics["round_trips"] > 20
    assert made.metrics["borrow"] > 100
    assert abs(made.metrics["open_pnl"]) > 100
    return made


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunStore]:
    """An empty store of either kind."""
    url = f"sqlite:///{tmp_path}/store.sqlite"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_server").new_database()
    with RunStore(url) as made:
        yield made


def test_numbers_recomputed_from_the_store_match_the_run(
    store: RunStore, result: Any, tmp_path: Path
) -> None:
    store.save(result, write_run(result, tmp_path), created_at=NOW)
    numbers = recompute(store, result.run_id)
    assert set(numbers) == set(result.metrics), "every stored metric can be computed anew"
    for name, value in result.metrics.items():
        assert numbers[name] == pytest.approx(value, rel=1e-9, abs=1e-6, nan_ok=True), name
    assert recompute(store, result.run_id, result.start, result.end) == pytest.approx(numbers, nan_ok=True)


def test_numbers_of_a_span_are_those_of_its_rows(store: RunStore, result: Any) -> None:
    store.save(result, created_at=NOW)
    numbers = recompute(store, result.run_id, "2011-01-01", "2011-12-31")
    equity = result.equity["equity"]
    before, after = equity[:"2010-12-31"].iloc[-1], equity[:"2011-12-31"].iloc[-1]
    assert numbers["total_return"] == pytest.approx(after / before - 1, rel=1e-12)
    assert numbers["final_equity"] == after
    held = result.equity["benchmark"]
    expected = held[:"2011-12-31"].iloc[-1] / held[:"2010-12-31"].iloc[-1] - 1
    assert numbers["benchmark_total_return"] == pytest.approx(expected, rel=1e-12)
    trades = result.closed_trades
    ended = trades[(trades["exit_time"] >= "2011-01-01") & (trades["exit_time"] <= "2011-12-31")]
    assert numbers["round_trips"] == len(ended)
    assert numbers["win_rate"] == pytest.approx((ended["pnl"] > 0).mean())
    assert numbers["open_pnl"] == pytest.approx(
        after - 1_000_000 - trades.loc[trades["exit_time"] <= "2011-12-31", "pnl"].sum()
    )
    returns = equity["2010-12-31":"2011-12-31"].pct_change().dropna()
    deviation = returns.std() * np.sqrt(result.metrics["periods_per_year"])
    assert numbers["volatility"] == pytest.approx(deviation, rel=1e-9)


def test_costs_of_adjoining_spans_add_up_to_the_run(store: RunStore, result: Any) -> None:
    store.save(result, created_at=NOW)
    cuts = ["2010-01-01", "2010-06-30", "2011-03-15", "2012-02-29", "2013-12-31"]
    parts = [
        recompute(store, result.run_id, np.datetime64(first) + 1, last) for first, last in pairwise(cuts)
    ]
    for name in SUMS:
        assert sum(part[name] for part in parts) == pytest.approx(result.metrics[name], rel=1e-9), name
    growth = np.prod([1 + part["total_return"] for part in parts]) - 1
    assert growth == pytest.approx(result.metrics["total_return"], rel=1e-9)


@pytest.mark.parametrize(
    ("change", "metric"),
    [
        ("UPDATE fills SET commission = commission * 2 WHERE number = 3", "commission"),
        ("UPDATE fills SET slippage = slippage + 1 WHERE number = 3", "costs"),
        ("UPDATE equity SET equity = equity + 1 WHERE number = 749", "final_equity"),
        ("UPDATE equity SET equity = equity * 1.01 WHERE number = 300", "sharpe"),
        ("UPDATE equity SET benchmark = benchmark * 1.1 WHERE number = 749", "benchmark_total_return"),
        ("DELETE FROM closed_trades WHERE number = 1", "round_trips"),
        ("UPDATE positions SET value = value * 2 WHERE quantity < 0", "borrow"),
    ],
)
def test_a_changed_row_shows(tmp_path: Path, result: Any, change: str, metric: str) -> None:
    with RunStore(f"sqlite:///{tmp_path}/store.sqlite") as store:
        store.save(result, created_at=NOW)
        engine = open_engine(store.location, 5.0)
        with engine.begin() as connection:
            connection.exec_driver_sql(change)
        engine.dispose()
        assert recompute(store, result.run_id)[metric] != pytest.approx(result.metrics[metric], rel=1e-9)


def test_a_run_without_positions_or_benchmark(store: RunStore) -> None:
    bars = made_bars()

    @dataclass(frozen=True)
    class Flat(gt.Strategy):
        """Never trades."""

        def features(self, bars: gt.Bars) -> Any:
            return {}

        def decide(self, now: Any) -> Any:
            return np.zeros_like(now.close)

    result = gt.backtest(Flat(), bars, benchmark=False)
    store.save(result, created_at=NOW)
    numbers = recompute(store, result.run_id)
    assert numbers["final_equity"] == 100_000.0
    assert numbers["open_pnl"] == 0.0
    assert numbers["costs"] == 0.0
    assert np.isnan(numbers["benchmark_sharpe"])
    assert np.isnan(numbers["win_rate"])


def test_spans_without_bars_are_refused(store: RunStore) -> None:
    made = make_result()
    store.save(made, created_at=NOW)
    with pytest.raises(BadRange, match="has no bar from 2020-01-01 to the end"):
        recompute(store, "0000", "2020-01-01")
    with pytest.raises(BadRange, match="lies after end"):
        recompute(store, "0000", "2010-02-01", "2010-01-01")
    with pytest.raises(BadRange, match="is no date"):
        recompute(store, "0000", "soon")
    with pytest.raises(UnknownName):
        recompute(store, "ffff")
    store.save(replace(make_result(seed=1), manifest={}), created_at=NOW)
    with pytest.raises(StoreError, match="does not say its capital"):
        recompute(store, "0001")
