"""Real `gpt-trader walkforward` and `cv` against loops over single backtests, with dates by pandas and nothing of ours.

The naive side uses `load_bars` and `backtest` alone: windows by calendar months, the best training Sharpe ratio by numpy,
folds, purge, embargo and paths as López de Prado 2018 describes them (7.4.1 purging, 7.4.2 embargo, 12.4.1 paths).
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpt_trader import Bars, backtest, load_bars
from gpt_trader.strategies.demo_ma import DemoMa
from tests.e2e.command import cli

SYMBOLS, START, END = ["AAPL", "MSFT"], "2004-01-01", "2007-12-31"
WHERE = ("--symbols", "AAPL,MSFT", "--start", START, "--end", END)
GRID = ("-p", "fast=5,15,30", "-p", "slow=40,80")
POINTS = [{"fast": fast, "slow": slow} for fast, slow in itertools.product((5, 15, 30), (40, 80))]
CAPITAL, YEAR = 100_000.0, 252.0


@pytest.fixture(scope="module")
def bars() -> Bars:
    return load_bars(SYMBOLS, start=START, end=END)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def earned(bars: Bars, point: dict[str, int], first: int = 0) -> np.ndarray:
    """The returns of a point's own account from row `first` on."""
    curve = backtest(DemoMa(**point), bars, first=first, benchmark=False).equity["equity"].to_numpy()
    return np.diff(curve, prepend=CAPITAL) / np.r_[CAPITAL, curve[:-1]]


def sharpe(returns: np.ndarray) -> float:
    spread = returns.std(ddof=1)
    return float(returns.mean() / spread * YEAR**0.5) if spread > 0 else float("-inf")


@pytest.mark.parametrize("anchored", [False, True])
def test_windows_choose_what_single_backtests_choose(bars: Bars, anchored: bool) -> None:
    lengths = ("--train", "18m", "--test", "6m", "--step", "6m")
    found = cli(
        "walkforward", "demo_ma", *GRID, *WHERE, *lengths, *(["--anchored"] if anchored else []), "--json"
    )
    days = pd.DatetimeIndex(bars.time)
    origin, seen = days[0], []
    for number in itertools.count():
        cut = origin + pd.DateOffset(months=18 + 6 * number)
        if cut > days[-1]:
            break
        begin = origin if anchored else origin + pd.DateOffset(months=6 * number)
        train = np.flatnonzero((days >= begin) & (days < cut))
        test = np.flatnonzero((days >= cut) & (days < cut + pd.DateOffset(months=6)))
        known = bars.select(end=str(days[train[-1]].date()))
        scores = [sharpe(earned(known, point, int(train[0]))) for point in POINTS]
        seen.append((train, test, POINTS[int(np.argmax(scores))], max(scores)))
    told = found.json["windows"]
    assert len(told) == len(seen) == 5
    for window, (train, test, point, best) in zip(told, seen, strict=True):
        assert window["train"] == {"start": str(days[train[0]].date()), "end": str(days[train[-1]].date())}
        assert window["test"] == {"start": str(days[test[0]].date()), "end": str(days[test[-1]].date())}
        assert window["parameters"] == point
        assert window["in_sample"]["sharpe"] == pytest.approx(best, rel=1e-9)
    assert anchored or len({tuple(point.items()) for _, _, point, _ in seen}) > 1


def naive_splits(
    days: pd.DatetimeIndex, folds: int, k: int, horizon: int, embargo: int
) -> list[tuple[Any, ...]]:
    """(tested folds, training rows) of every split: horizon in bars, embargo in days."""
    count = len(days)
    bounds = [count * fold // folds for fold in range(folds + 1)]
    out = []
    for tested in itertools.combinations(range(folds), k):
        banned: set[int] = set()
        for fold in tested:
            start, stop = bounds[fold], bounds[fold + 1]
            last_outcome = days[min(stop - 1 + horizon, count - 1)]
            for row in range(count):
                outcome = days[min(row + horizon, count - 1)]
                if outcome >= days[start] and days[row] <= last_outcome + pd.Timedelta(days=embargo):
                    banned.add(row)
        out.append((tested, np.array([row for row in range(count) if row not in banned])))
    return out


def test_splits_choose_and_paths_earn_what_single_backtests_do(bars: Bars) -> None:
    options = ("--folds", "5", "--test-folds", "2", "--horizon", "15b", "--embargo", "10d")
    found = cli("cv", "demo_ma", *GRID, *WHERE, *options, "--json").json
    days = pd.DatetimeIndex(bars.time)
    count, returns = len(days), np.array([earned(bars, point) for point in POINTS])
    splits = naive_splits(days, 5, 2, 15, 10)
    chosen = [int(np.argmax([sharpe(each[train]) for each in returns])) for _, train in splits]
    kept = pd.read_parquet(Path(found["folder"]) / "splits.parquet")
    assert kept["point"].tolist() == chosen
    assert kept["train_bars"].tolist() == [len(train) for _, train in splits]
    inside = [sharpe(returns[point, train]) for point, (_, train) in zip(chosen, splits, strict=True)]
    np.testing.assert_allclose(kept["in_sample_sharpe"], inside, rtol=1e-4)
    paths = np.zeros((4, count))
    used = [0] * 5
    for point, (tested, _) in zip(chosen, splits, strict=True):
        for fold in tested:
            rows = slice(count * fold // 5, count * (fold + 1) // 5)
            paths[used[fold], rows] = returns[point, rows]
            used[fold] += 1
    assert used == [4] * 5
    assert [path["sharpe"] for path in found["paths"]] == pytest.approx(
        [sharpe(path) for path in paths], rel=1e-5
    )
    gains = [np.prod(1.0 + path) - 1.0 for path in paths]
    assert [path["total_return"] for path in found["paths"]] == pytest.approx(gains, rel=1e-4)
