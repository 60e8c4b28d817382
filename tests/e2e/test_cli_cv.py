"""`cv`: its tables, its JSON, its files, its trials; what it refuses and how."""

from __future__ import annotations

import json
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.e2e.command import Done, cli, one_message

GRID = ("demo_ma", "-p", "fast=10:30:10", "-p", "slow=40,80,120")
SPAN = ("--start", "2003-01-01", "--end", "2008-12-31")


def cross(*arguments: object) -> Done:
    return cli("cv", *GRID, *SPAN, *arguments)


def test_the_tables_have_the_paths_and_the_choices() -> None:
    done = cross("--horizon", "20b", "--report", "cv.html")
    assert done.code == 0
    assert set(done.err.splitlines()) <= {
        f"{n} chunk{'s' if n > 1 else ''}, a second on one core: in this process" for n in range(1, 10)
    }
    for text in (
        "demo_ma (atr 14), 9 points of fast, slow",
        "45 splits: 2 of 10 folds tested, horizon 20b, embargo 21.9d, chosen by sharpe",
        "Sharpe of 9 paths",
        "5th percentile",
        "Below zero",
        "Choice loses money",
        "Worse than half",
        "best     on all bars: ",
        "trials   9 on these or overlapping data",
        "report   cv.html",
    ):
        assert text in done.out, text
    page = Path("cv.html").read_text()
    assert "Cross-validation report" in page
    assert "horizon 20b" in page


def test_json_says_the_same_as_the_files() -> None:
    done = cross("--json")
    assert (done.code, done.err) == (0, "")
    found = done.json
    folder = Path(found["folder"])
    kept = json.loads((folder / "result.json").read_text())
    assert kept == {name: value for name, value in found.items() if name != "folder"}
    assert (found["splits"], found["folds"], found["test_folds"], len(found["paths"])) == (45, 10, 2, 9)
    assert found["horizon"].endswith("b")

    splits = pd.read_parquet(folder / "splits.parquet")
    assert len(splits) == 45
    assert splits["test_folds"].iloc[0] == "0 1"
    assert (splits["train_bars"] + splits["test_bars"] < found["bars"]).all()
    assert splits["in_sample_sharpe"].mean() == pytest.approx(found["degradation"]["in_sample_sharpe"])
    assert splits["out_of_sample_sharpe"].mean() == pytest.approx(
        found["degradation"]["out_of_sample_sharpe"]
    )
    assert (splits["out_of_sample_mean_return"] < 0).mean() == pytest.approx(found["degradation"]["loss"])
    assert sum(choice["splits"] for choice in found["choices"]) == 45

    paths = pd.read_parquet(folder / "paths.parquet")
    assert list(paths) == ["time", *(f"path_{number}" for number in range(9))]
    returns = paths.drop(columns="time").to_numpy()
    sharpe = returns.mean(axis=0) / returns.std(axis=0, ddof=1) * np.sqrt(252)
    assert [path["sharpe"] for path in found["paths"]] == pytest.approx(sharpe)
    spread = found["path_sharpe"]
    assert spread["mean"] == pytest.approx(sharpe.mean())
    assert spread["percentile_5"] == pytest.approx(np.percentile(sharpe, 5))
    assert spread["below_zero"] == pytest.approx((sharpe < 0).mean())

    (row,) = cli("runs", "list", "--json").json["runs"]
    assert row["sharpe"] == pytest.approx(np.median(sharpe))

    points = pd.read_parquet(folder / "points.parquet")
    best = points.loc[points["sharpe"].idxmax()]
    assert found["best"]["parameters"] == {
        "atr": 14,
        "fast": best["parameter_fast"],
        "slow": best["parameter_slow"],
    }
    assert found["best"]["metrics"]["sharpe"] == best["sharpe"]


def test_points_are_the_trials_of_a_sweep_over_the_same_bars() -> None:
    first = cross("--json").json
    assert first["trials"]["raw"] == 9
    assert cross("--folds", "6", "--json").json["trials"]["raw"] == 9
    swept = cli("sweep", *GRID, *SPAN, "--json").json
    assert swept["trials"]["raw"] == 9
    assert swept["best"]["metrics"]["sharpe"] == first["best"]["metrics"]["sharpe"]


def test_one_point_is_shown_in_parts() -> None:
    found = cli("cv", "demo_ma", *SPAN, "--folds", "5", "--test-folds", "1", "--json").json
    assert (found["points"], found["splits"], len(found["paths"])) == (1, 5, 1)
    assert found["degradation"]["overfit"] is None
    plain = cli("backtest", "demo_ma", *SPAN, "--no-benchmark", "--json").json["metrics"]
    (path,) = found["paths"]
    assert path["total_return"] == pytest.approx(plain["total_return"], rel=1e-4)
    assert path["sharpe"] == pytest.approx(plain["sharpe"], rel=1e-4)
    assert "nothing to choose" in cli("cv", "demo_ma", *SPAN).out


def test_folds_and_objective_are_as_asked() -> None:
    found = cross(
        "--folds", "7", "--test-folds", "3", "--objective", "volatility", "--embargo", "5d", "--json"
    ).json
    assert (found["splits"], len(found["paths"])) == (comb(7, 3), comb(7, 3) * 3 // 7)
    points = pd.read_parquet(Path(found["folder"]) / "points.parquet")
    least = points.loc[points["volatility"].idxmin()]
    assert found["best"]["parameters"]["slow"] == least["parameter_slow"]
    assert found["embargo"] == "5d"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--objective", "calmar"), "--objective calmar needs one stretch of rows"),
        (("--folds", "1"), "1 folds of 1,511 bars: give 2 to 755"),
        (("--test-folds", "10"), "10 of 10 folds cannot be tested; give 1 to 9"),
        (("--folds", "40", "--test-folds", "9"), "make 273,438,880 splits, more than 20,000"),
        (("--horizon", "soon"), "--horizon 'soon' is no length of time"),
        (("--horizon", "4y"), "leave 39 of 45 splits nothing to train on"),
        (("--embargo", "150%"), "--embargo '150%' is no share of the time"),
        (("--embargo", "x%"), "--embargo 'x%' is no share of the time"),
        (("-p", "quick=1"), "unknown parameter of demo_ma 'quick'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(arguments: tuple[str, ...], said: str) -> None:
    assert said in one_message(cross(*arguments), 2)
