"""`walkforward`: its table, its JSON, its files, its trials; what it refuses and how."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.e2e.command import Done, cli, one_message, shell

GRID = ("demo_ma", "-p", "fast=10:30:10", "-p", "slow=40,80,120")
SPAN = ("--start", "2003-01-01", "--end", "2008-12-31")
SHORT = ("--train", "12m", "--test", "6m")

PICKY = '''
from dataclasses import dataclass
import numpy as np
from gpt_trader import Strategy, param, ta
from gpt_trader.errors import BadParameter

@dataclass(frozen=True)
class Picky(Strategy):
    """Long above its mean; does not like 30."""
    length: int = param(20, low=2, high=500)
    def validate(self):
        if self.length == 30:
            raise BadParameter("30 is not for me")
    def features(self, bars):
        return {"mean": ta.sma(bars.close, self.length)}
    def decide(self, now):
        return np.where(now.close > now.mean, 1.0, 0.0)
'''


def walk(*arguments: object) -> Done:
    return cli("walkforward", *GRID, *SPAN, *SHORT, *arguments)


@pytest.fixture
def found() -> dict:
    done = walk("--json")
    assert (done.code, done.err) == (0, "")
    return done.json


def test_the_table_has_every_window_and_what_became_of_them() -> None:
    done = walk("--report", "walk.html")
    assert (done.code, done.err) == (0, "10 chunks, a second on one core: in this process\n")
    for text in (
        "demo_ma (atr 14), 9 points of fast, slow",
        "10 rolling windows: train 12m, test 6m, step 6m; chosen: peak of largest sharpe",
        "2003-01-02 – 2003-12-31   2004-01-02 – 2004-07-01",
        "out of sample, 2004-01-02 to 2008-12-31, one account through all windows",
        "Buy and hold",
        "efficiency",
        "points chosen, kept at",
        "trials   91 on these or overlapping data",
        "DSR",
        "report   walk.html",
    ):
        assert text in done.out, text
    assert "\x1b" not in done.out
    page = Path("walk.html").read_text()
    assert "Walk-forward report" in page
    assert "2004-01-02 to 2008-12-31" in page


def test_json_says_the_same_as_the_files(found: dict) -> None:
    assert {
        "run_id", "strategy", "symbols", "objective", "train", "test", "step", "gap", "anchored", "select", "min_trades",
        "points", "windows", "stitched", "efficiency", "stability", "trials", "psr", "dsr", "warnings", "folder",
        "look_ahead",
    } <= set(found)  # fmt: skip
    folder = Path(found["folder"])
    assert folder == Path("runs").resolve() / found["run_id"]
    kept = json.loads((folder / "result.json").read_text())
    assert kept == {name: value for name, value in found.items() if name != "folder"}

    windows = pd.read_parquet(folder / "windows.parquet")
    assert len(windows) == len(found["windows"]) == 10
    for row, window in zip(windows.to_dict("records"), found["windows"], strict=True):
        assert str(row["test_start"].date()) == window["test"]["start"]
        assert str(row["train_end"].date()) == window["train"]["end"] < window["test"]["start"]
        assert (row["parameter_fast"], row["parameter_slow"]) == tuple(window["parameters"].values())
        for figure in ("sharpe", "total_return", "annual_return", "max_drawdown"):
            assert row[f"in_sample_{figure}"] == window["in_sample"][figure]
            assert row[f"out_of_sample_{figure}"] == window["out_of_sample"][figure]

    equity = pd.read_parquet(folder / "equity.parquet")
    assert (
        str(equity["time"].iloc[0].date())
        == found["stitched"]["start"]
        == found["windows"][0]["test"]["start"]
    )
    assert equity["equity"].iloc[-1] == found["stitched"]["final_equity"]
    before = 100_000.0
    for number, part in equity.groupby("window"):
        window = found["windows"][number - 1]
        assert part["equity"].iloc[-1] / before - 1 == pytest.approx(window["out_of_sample"]["total_return"])
        before = part["equity"].iloc[-1]
    last = equity["buy_and_hold"].iloc[-1] / 100_000.0 - 1
    assert last == pytest.approx(found["stitched"]["benchmark_total_return"])

    points = pd.read_parquet(folder / "points.parquet")
    assert len(points) == 90
    for window in found["windows"]:
        mine = points[points["window"] == window["window"]]
        assert mine["sharpe"].max() == window["in_sample"]["sharpe"]
        best = mine.loc[mine["sharpe"].idxmax()]
        assert (best["parameter_fast"], best["parameter_slow"]) == tuple(window["parameters"].values())


def test_stability_is_that_of_the_windows(found: dict) -> None:
    chosen = [tuple(window["parameters"].values()) for window in found["windows"]]
    stable = found["stability"]
    assert stable["distinct"] == len(set(chosen))
    assert stable["kept"] == pytest.approx(np.mean([a == b for a, b in pairwise(chosen)]))
    slow = [(40, 80, 120).index(point[1]) for point in chosen]
    assert stable["mean_move_in_steps"]["slow"] == pytest.approx(np.mean(np.abs(np.diff(slow))))
    points = pd.read_parquet(Path(found["folder"]) / "points.parquet")
    surface = points.pivot(index="window", columns=["parameter_fast", "parameter_slow"], values="sharpe")
    correlations = [surface.iloc[i].rank().corr(surface.iloc[i - 1].rank()) for i in range(1, 10)]
    assert stable["rank_correlation"] == pytest.approx(correlations)
    inside = np.mean([window["in_sample"]["sharpe"] for window in found["windows"]])
    assert found["efficiency"]["sharpe"] == pytest.approx(found["stitched"]["sharpe"] / inside)


def test_every_point_of_every_window_is_one_trial_and_the_account_is_one() -> None:
    first = walk("--json").json
    assert first["trials"]["raw"] == first["trials"]["overlapping"] == 91
    again = walk("--json").json
    assert again["trials"] == first["trials"]
    assert again["windows"] == first["windows"]
    plateau = walk("--select", "plateau", "--json").json
    assert plateau["run_id"] != first["run_id"]
    assert plateau["trials"]["raw"] == 92  # the same runs, another account
    (listed,) = cli("trials", "list", "--json").json["sets"]
    assert listed["kinds"] == {"walkforward": 92}
    shown = cli("runs", "list", "--json").json["runs"]
    (row,) = [run for run in shown if run["run_id"] == first["run_id"]]
    assert row["sharpe"] == first["stitched"]["sharpe"]  # not that of a training
    assert {(run["run_id"], run["kind"], run["status"]) for run in shown} == {
        (found["run_id"], "walkforward", "finished") for found in (first, plateau)
    }


def test_anchored_windows_begin_at_the_first_bar(found: dict) -> None:
    anchored = walk("--anchored", "--json").json
    assert {window["train"]["start"] for window in anchored["windows"]} == {"2003-01-02"}
    assert [window["test"] for window in anchored["windows"]] == [
        window["test"] for window in found["windows"]
    ]
    assert anchored["windows"][0]["in_sample"] == found["windows"][0]["in_sample"]
    assert anchored["windows"][5]["in_sample"] != found["windows"][5]["in_sample"]


def test_a_gap_is_neither_trained_on_nor_traded() -> None:
    gapped = walk("--gap", "30d", "--json").json
    for window in gapped["windows"]:
        gap = np.datetime64(window["test"]["start"]) - np.datetime64(window["train"]["end"])
        assert np.timedelta64(30, "D") < gap < np.timedelta64(36, "D")
    assert gapped["stitched"]["start"] == "2004-01-02"


def test_windows_that_overlap_trade_until_the_next_begins() -> None:
    stepped = walk("--step", "3m", "--json").json
    assert len(stepped["windows"]) == 19
    ends = [window["test"]["end"] for window in stepped["windows"]]
    starts = [window["test"]["start"] for window in stepped["windows"]]
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False))
    assert len(pd.read_parquet(Path(stepped["folder"]) / "equity.parquet")) == stepped["bars"] - 252


def test_without_a_parameter_the_windows_are_parts_of_one_run() -> None:
    done = cli("walkforward", "demo_ma", *SPAN, *SHORT)
    assert done.code == 0
    assert "nothing to choose" in done.out
    found = cli("walkforward", "demo_ma", *SPAN, *SHORT, "--json").json
    assert {json.dumps(window["parameters"]) for window in found["windows"]} == {"{}"}
    assert found["fixed"]["fast"] == 10
    plain = cli("backtest", "demo_ma", "--start", "2003-01-01", "--end", "2008-12-31", "--json").json
    assert found["trials"]["raw"] == 11
    assert math.isclose(found["stitched"]["volatility"], plain["metrics"]["volatility"], rel_tol=0.5)


def test_some_points_drawn_at_random_are_the_same_from_the_same_seed() -> None:
    drawn = [walk("--max-trials", "4", "--seed", seed, "--json").json for seed in (1, 1, 2)]
    assert [found["points"] for found in drawn] == [4, 4, 4]
    assert drawn[0]["windows"] == drawn[1]["windows"]
    assert drawn[0]["run_id"] == drawn[1]["run_id"] != drawn[2]["run_id"]


def test_a_point_that_fails_is_named_and_the_others_go_on() -> None:
    Path("picky.py").write_text(PICKY)
    arguments = ("walkforward", "picky.py", "-p", "length=20:40:10", *SPAN, *SHORT)
    done = cli(*arguments, "--report", "walk.html")
    assert done.code == 0
    assert "failed   length 30: 30 is not for me" in done.out
    assert "7 more, see the column error of points.parquet" in done.out
    assert "30 is not for me" in Path("walk.html").read_text()
    found = cli(*arguments, "--json").json
    assert found["failed"] == 10
    assert 30 not in {window["parameters"]["length"] for window in found["windows"]}
    assert found["trials"]["raw"] == 31  # a trial that failed was a trial
    none = cli("walkforward", "picky.py", "-p", "length=30", *SPAN, *SHORT)
    assert "30 is not for me" in one_message(none, 2)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--train", "24"), 2, "--train '24' is no length of time"),
        (("--train", "9y"), 2, "too few for 108m of training and 6m of testing"),
        (
            ("--step", "1y"),
            2,
            "--step 1y is longer than --test 6m: nobody would trade the bars between two tests",
        ),
        (("--objective", "sharp"), 2, "unknown objective 'sharp'. Did you mean 'sharpe'?"),
        (("--objective", "exposure"), 2, "exposure:max or exposure:min"),
        (("--select", "best"), 2, "unknown --select 'best'"),
        (("-p", "fast=5"), 2, "--param fast is given twice"),
        (("--constraint", "fast > slow"), 2, "no point is left"),
        (("--report", "page.txt"), 2, "is no HTML file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(arguments: tuple[str, ...], code: int, said: str) -> None:
    assert said in one_message(walk(*arguments), code)


def test_trades_that_no_point_has_are_said_after_the_runs() -> None:
    done = walk("--min-trades", "5000", "--quiet")
    assert "no point has a sharpe and 5000 round trips in the training of any window" in one_message(done, 2)
    (shown,) = cli("runs", "list", "--json").json["runs"]
    assert (shown["kind"], shown["status"]) == ("walkforward", "failed")
    assert (
        cli("backtest", *GRID[:1], *SPAN, "--json").json["statistics"]["trials"] == 91
    )  # the runs were made all the same


def test_more_than_a_million_runs_are_asked_for() -> None:
    done = cli("walkforward", "demo_ma", "-p", "fast=2:400", "-p", "slow=2:400", *SPAN, *SHORT)
    assert "159,201 points in 10 windows are 1,592,010 runs" in one_message(done, 2)
    for words in (("demo_ma",), ("trend_breakout", "-p", "exit_mode=signal,stop")):
        plateau = cli("walkforward", *words, *SPAN, *SHORT, "--select", "plateau")
        assert "--select plateau needs neighbours" in one_message(plateau, 2)


def test_the_study_is_listed_by_what_it_earned_out_of_sample(found: dict) -> None:
    row = cli("runs", "list", "--json").json["runs"][0]
    assert (row["kind"], row["status"]) == ("walkforward", "finished")
    assert row["sharpe"] == found["stitched"]["sharpe"]


@pytest.mark.ray
def test_two_workers_on_ray_write_the_same_files_as_this_process(tmp_path: Path) -> None:
    folders = []
    for workers in (1, 2):
        place = tmp_path / str(workers)
        place.mkdir()
        done = shell("walkforward", *GRID, *SPAN, *SHORT, "--workers", workers, "--json", cwd=place)
        assert done.code == 0, done.err
        folders.append(Path(done.json["folder"]))
    for name in ("result.json", "windows.parquet", "equity.parquet", "points.parquet"):
        one, other = ((folder / name).read_bytes() for folder in folders)
        assert one == other, name
