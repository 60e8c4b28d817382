"""`sweep`: its table, its JSON, its files, what it refuses, and that its best point is the backtest of these parameters."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from tests.e2e.command import Done, cli, shell

SPAN = ("--symbols", "AAPL,MSFT", "--start", "2004-01-02", "--end", "2009-12-31")
GRID = ("demo_ma", "-p", "fast=5:30:5", "-p", "slow=20:80:20", "--constraint", "fast < slow", *SPAN)

MOODY = '''
from dataclasses import dataclass
import numpy as np
from gpt_trader import Strategy, param
from gpt_trader.errors import BadParameter

@dataclass(frozen=True)
class Moody(Strategy):
    """Refuses 7, raises at 8, answers nonsense at 9."""
    share: int = param(10, low=0, high=90)
    def validate(self):
        if self.share == 7:
            raise BadParameter("share=7: no")
    def decide(self, now):
        if self.share == 8:
            raise ZeroDivisionError("eight")
        return np.full((1, 1, 1), 1.0) if self.share == 9 else np.full_like(now.close, self.share / 100)
'''


def sweep(*arguments: object) -> Done:
    return cli("sweep", *arguments)


def surface(done: Done) -> Any:
    return pq.read_table(Path(done.json["folder"]) / "points.parquet")


# -- what it says ------------------------------------------------------------------------------------------------------


def test_the_table_is_led_by_the_best_point_and_says_what_it_is_worth() -> None:
    done = sweep(*GRID, "--top", 4)
    assert (done.code, done.err) == (0, "1 chunk, a second on one core: in this process\n")
    lines = done.out.splitlines()
    assert lines[0] == "demo_ma (atr 14)"
    assert lines[1] == "21 points by grid"
    assert "\n1 point by grid\n" in sweep("demo_ma", *SPAN).out
    head = next(line for line in lines if "sharpe" in line)
    assert head.split() == ["fast", "slow", "sharpe", "cagr", "max_drawdown", "round_trips", "DSR", "plateau"]
    rows = [line.split() for line in done.out.split("───\n")[1].splitlines()[:4]]
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    ratios = [float(row[3].replace("−", "-")) for row in rows]
    assert ratios == sorted(ratios, reverse=True)
    for word in (
        "plateau  ",
        "trials   21 on these",
        "luck     PSR",
        "verdict  The Sharpe ratio",
        "points   ",
        "run      ",
    ):
        assert any(line.startswith(word) for line in lines), word
    assert "\x1b" not in done.out


def test_json_is_one_object_with_every_point_and_the_promised_keys() -> None:
    done = sweep(*GRID, "--json")
    assert (done.code, done.err) == (0, "")
    said = done.json
    promised = {
        "run_id", "method", "objective", "points", "best", "trials", "dsr", "psr", "pbo", "min_track_record", "failed",
        "cached", "pareto", "most_robust", "verdict", "folder", "look_ahead", "warnings",
        "too_good",
    }  # fmt: skip
    assert promised <= said.keys()
    assert len(said["points"]) == 21
    assert [point["point"] for point in said["points"]] == sorted(point["point"] for point in said["points"])
    assert all(point["parameters"]["fast"] < point["parameters"]["slow"] for point in said["points"])
    assert all(list(point["metrics"]) == sorted(METRIC_NAMES) for point in said["points"])
    assert said["trials"] == {
        "raw": 21,
        "overlapping": 21,
        "family": 21,
        "effective": said["trials"]["effective"],
    }
    assert 1 <= said["trials"]["effective"] <= 21
    assert 0 <= said["pbo"] <= 1
    assert said["best"]["metrics"]["sharpe"] == max(point["metrics"]["sharpe"] for point in said["points"])
    assert said["pareto"] == []


@pytest.mark.parametrize("more", [(), ("--objective", "max_drawdown"), ("--objective", "turnover:max")])
def test_the_best_point_is_a_backtest_with_its_parameters_number_by_number(more: tuple[str, ...]) -> None:
    best = sweep(*GRID, *more, "--json").json["best"]
    given = [word for name, value in best["parameters"].items() for word in ("-p", f"{name}={value}")]
    single = cli("backtest", "demo_ma", *given, *SPAN, "--json").json
    assert best["metrics"] == {name: single["metrics"][name] for name in METRIC_NAMES}
    # the backtest is one of the trials that the sweep has counted
    assert single["statistics"]["trials"] == 21


def test_options_of_a_backtest_mean_the_same_in_a_sweep() -> None:
    rules = (
        "--capital",
        "50000",
        "--gross",
        "0.5",
        "--stop-loss",
        "0.1",
        "--slippage-bps",
        "20",
        "--fractional",
    )
    best = sweep(*GRID, *rules, "--json").json["best"]
    given = [word for name, value in best["parameters"].items() for word in ("-p", f"{name}={value}")]
    single = cli("backtest", "demo_ma", *given, *SPAN, *rules, "--json").json
    assert best["metrics"] == {name: single["metrics"][name] for name in METRIC_NAMES}


def test_points_of_the_table_are_where_the_file_says() -> None:
    done = sweep(*GRID, "--json")
    table, points = surface(done), done.json["points"]
    assert table.column_names == ["point", "fast", "slow", *METRIC_NAMES, "plateau", "stopped", "error"]
    for row, point in zip(table.to_pylist(), points, strict=True):
        assert (row["point"], row["fast"], row["slow"]) == (point["point"], *point["parameters"].values())
        assert [row[name] for name in METRIC_NAMES] == [
            math.nan if point["metrics"][name] is None else point["metrics"][name] for name in METRIC_NAMES
        ]
    result = json.loads((Path(done.json["folder"]) / "result.json").read_text())
    assert result["best"] == done.json["best"]
    assert result["run_id"] == Path(done.json["folder"]).name


def test_files_are_the_same_bytes_whoever_makes_them_and_known_chunks_are_not_run_again() -> None:
    runs = [
        sweep(*GRID, "--json", "--runs-dir", folder, "--store", f"sqlite:///{folder}.sqlite").json
        for folder in ("one", "two", "one")
    ]
    assert [run["cached"] for run in runs] == [0, 0, 1]
    for name in ("points.parquet", "result.json"):
        assert len({(Path(run["folder"]) / name).read_bytes() for run in runs}) == 1
    assert len({run["run_id"] for run in runs}) == 1
    assert runs[2]["trials"] == runs[0]["trials"]


def test_another_search_is_another_study() -> None:
    ids = {
        sweep(*GRID, *more, "--json").json["run_id"]
        for more in ((), ("--objective", "cagr"), ("--capital", "5000"), ("--constraint", "slow > 20"))
    }
    assert len(ids) == 4


def test_top_gives_the_best_alone() -> None:
    whole, some = sweep(*GRID, "--json").json, sweep(*GRID, "--json", "--top", 3).json
    best = sorted(whole["points"], key=lambda point: -point["metrics"]["sharpe"])[:3]
    assert some["points"] == best


# -- points that fail --------------------------------------------------------------------------------------------------


def test_a_point_that_fails_is_listed_and_the_others_go_on() -> None:
    Path("moody.py").write_text(MOODY, encoding="utf-8")
    done = sweep("moody.py", "-p", "share=5:11", *SPAN, "--json")
    assert done.code == 0
    assert done.json["failed"] == 3
    errors = {point["parameters"]["share"]: point.get("error") for point in done.json["points"]}
    assert {share for share, error in errors.items() if error is not None} == {7, 8, 9}
    assert errors[7] == "share=7: no"
    assert "eight" in errors[8]
    assert "shape" in errors[9]
    failed = [point for point in done.json["points"] if "error" in point]
    assert all(value is None for point in failed for value in point["metrics"].values())
    assert done.json["trials"]["raw"] == 7
    table = surface(done).to_pylist()
    assert [row["error"] is not None for row in table] == [False, False, True, True, True, False, False]
    shown = sweep("moody.py", "-p", "share=5:11", *SPAN)
    assert "7 points by grid, 3 failed" in shown.out
    assert "failed   share 7: share=7: no" in shown.out


def test_when_all_points_fail_the_first_reason_is_told_and_the_files_are_there() -> None:
    Path("moody.py").write_text(MOODY, encoding="utf-8")
    done = sweep("moody.py", "-p", "share=7,8", *SPAN, "--json", "--report", "all.html")
    assert done.code == 1
    assert "all 2 points failed, the first with: share=7: no" in done.err
    assert done.json["best"] is None
    assert surface(done).num_rows == 2
    assert "share=7: no" in Path("all.html").read_text(encoding="utf-8")


def test_a_sweep_that_never_trades_says_so() -> None:
    done = sweep("demo_ma", "-p", "fast=400,450", "-p", "slow=900", *SPAN, "--end", "2004-12-31")
    assert done.code in (1, 2)
    done = sweep(
        "demo_ma",
        "-p",
        "fast=400,450",
        "-p",
        "slow=900",
        "--symbol",
        "AAPL",
        "--start",
        "2004-01-02",
        "--end",
        "2004-12-31",
    )
    assert done.code == 1
    assert "no point has a sharpe" in done.err


# -- searches ----------------------------------------------------------------------------------------------------------

SEARCHED = (
    "trend_breakout",
    "-p",
    "donchian=10:150",
    "-p",
    "exit=5:80",
    "-p",
    "atr_k=1:5",
    "--constraint",
    "exit < donchian",
    *SPAN,
)


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_a_search_repeats_from_its_seed_and_counts_what_it_gave_up(method: str) -> None:
    search = (*SEARCHED, "--method", method, "--max-trials", "48", "--json")
    one, other, another = (
        sweep(*search, "--seed", seed, "--runs-dir", folder, "--store", f"sqlite:///{folder}.sqlite").json
        for seed, folder in ((1, "one"), (1, "two"), (2, "three"))
    )
    assert one["points"] == other["points"] != another["points"]
    assert [point["point"] for point in one["points"]] == list(range(48))
    assert len({tuple(point["parameters"].values()) for point in one["points"]}) == 48
    assert all(point["parameters"]["exit"] < point["parameters"]["donchian"] for point in one["points"])
    early = [point for point in one["points"] if "stopped_after_bars" in point]
    assert len(early) == one["stopped_early"]
    if method == "tpe":
        assert early  # 48 random points are one generation, in which nothing is known before
    assert one["trials"]["raw"] == 48
    bytes_ = [(Path(run["folder"]) / "points.parquet").read_bytes() for run in (one, other)]
    assert bytes_[0] == bytes_[1]
    assert one["run_id"] == other["run_id"] != another["run_id"]


def test_where_a_search_runs_is_said_once() -> None:
    done = sweep(*SEARCHED, "--method", "tpe", "--max-trials", "40")
    assert done.err.count("in this process") == 1


def test_no_pruning_runs_every_point_to_the_end() -> None:
    said = sweep(*SEARCHED, "--method", "tpe", "--max-trials", "32", "--no-pruning", "--json").json
    assert said["stopped_early"] == 0
    assert all(point["metrics"]["total_return"] is not None for point in said["points"])


def test_several_objectives_give_a_front() -> None:
    search = (
        *SEARCHED,
        "--method",
        "nsga2",
        "--max-trials",
        "40",
        "--objective",
        "cagr",
        "--objective",
        "max_drawdown",
    )
    said = sweep(*search, "--json").json
    gains = [
        (point["metrics"]["cagr"], point["metrics"]["max_drawdown"])
        for point in said["points"]
        if point["metrics"]["cagr"] is not None
    ]
    front = [(point["metrics"]["cagr"], point["metrics"]["max_drawdown"]) for point in said["pareto"]]
    assert front == sorted(front, reverse=True)
    for one in front:
        assert not any(other != one and other[0] >= one[0] and other[1] >= one[1] for other in gains)
    beaten = [one for one in gains if one not in front]
    assert all(any(o[0] >= one[0] and o[1] >= one[1] for o in front) for one in beaten)
    table = sweep(*search).out.split("───\n")[1].split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in table] == [str(rank + 1) for rank in range(len(front))]


def test_a_grid_has_a_front_too() -> None:
    said = sweep(*GRID, "--objective", "sharpe", "--objective", "costs", "--json").json
    assert said["method"] == "grid"
    assert said["objectives"] == ["sharpe:max", "costs:min"]
    assert said["pareto"]
    assert said["pareto"][0]["metrics"]["sharpe"] == said["best"]["metrics"]["sharpe"]


def test_a_time_limit_ends_a_search_with_what_there_is() -> None:
    done = sweep(*GRID, "--time-limit", "0.000001s")
    assert done.code == 1
    assert "no point was finished in time" in done.err
    whole = sweep(*GRID, "--time-limit", "1h", "--json").json
    assert whole["complete"]
    assert len(whole["points"]) == 21


INTERRUPTED = '''
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from gpt_trader import Strategy, param

@dataclass(frozen=True)
class Interrupted(Strategy):
    """Presses Ctrl-C at its thirtieth run over all bars, once."""
    share: int = param(10, low=1, high=100)
    def decide(self, now):
        if len(now.close) > 3000:
            with Path("made").open("a") as made:
                made.write("x")
            if Path("made").stat().st_size == 30:
                raise KeyboardInterrupt
        return np.full_like(now.close, self.share / 100)
'''


def test_what_was_finished_before_ctrl_c_is_kept_counted_and_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "rule.py").write_text(INTERRUPTED, encoding="utf-8")
    search = (
        "sweep",
        "rule.py",
        "-p",
        "share=1:100",
        "--method",
        "random",
        "--max-trials",
        "60",
        "--symbol",
        "AAPL",
    )
    stopped = shell(*search, cwd=tmp_path)
    assert stopped.code == 130, stopped.err
    assert "resume" in stopped.err
    # Three chunks of eight; of the fourth what was done in parts on a machine that is slow.
    assert 24 <= shell("trials", "list", "--json", cwd=tmp_path).json["trials"] < 30
    done = shell(*search, "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert len(done.json["points"]) == 60
    assert done.json["cached"] == 19  # two looks of eight chunks each, and the three
    assert shell("trials", "list", "--json", cwd=tmp_path).json["trials"] == 60


# -- what it refuses, before any data is read ----------------------------------------------------------------------------

HUGE = ("-p", "fast=1:500", "-p", "slow=2:1000", "-p", "atr=1:500")
NO_DATA = ("--source", "csv", "--path", "nowhere.csv")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-p", "fats=5:10"), "unknown parameter of demo_ma 'fats'. Did you mean 'fast'?"),
        (("-p", "fast=30:5"), "is empty: 5 lies below 30"),
        (("-p", "fast=0:20"), "fast=0: must lie between 1 and 500"),
        (("-p", "fast=5:9:0"), "must be above 0"),
        (("-p", "fast=5,x"), "expected int"),
        (("-p", "fast=5:9", "-p", "fast=7"), "given twice"),
        (("-p", "fast=5:9", "--constraint", "fast > slow"), "no point is left"),
        (("-p", "fast=5:9", "--constraint", "fast < __import__('os')"), "use parameters, numbers"),
        (("-p", "fast=5:9", "--constraint", "fast < slou"), "Did you mean 'slow'?"),
        (("--objective", "sharp"), "Did you mean 'sharpe'?"),
        (("--objective", "exposure"), "exposure:max or exposure:min"),
        (("--method", "bayes"), "unknown --method 'bayes'"),
        (("--method", "tpe", "--objective", "cagr", "--objective", "sharpe"), "use --method nsga2"),
        (("--max-trials", "10"), "a grid runs all of its points"),
        (("--pruning",), "a grid runs all of its points to the end"),
        (("--method", "nsga2", "--pruning"), "which of several decides"),
        (("--time-limit", "soon"), "write 90s, 10m, 2h or 1h30m"),
        (("-p", "fast=1:500", "-p", "slow=1:1000", "-p", "atr=1:3"), "must lie between 2 and 1000"),
        (("-p", "fast=1:500", "-p", "slow=2:1000", "-p", "atr=1:3"), "the grid has 1,498,500 points; give longer steps, or --yes"),
        ((*HUGE, "--yes"), "the grid has 249,750,000 points; at most 10,000,000"),
        ((*HUGE, "--method", "random", "--max-trials", "2000000"), "the search has 2,000,000 points"),
        (("--report", "points.csv"), "is no HTML file"),
    ],
)  # fmt: skip
def test_mistakes_are_told_before_any_data_is_read(arguments: tuple[str, ...], said: str) -> None:
    done = sweep("demo_ma", *arguments, *NO_DATA)
    assert done.code == 2
    assert said in done.err
    assert "nowhere" not in done.err
    assert not Path("runs").exists()


def test_a_grid_of_any_size_is_refused_at_once() -> None:
    Path("wide.py").write_text(
        "from dataclasses import dataclass\nfrom gpt_trader import Strategy, param\n"
        "@dataclass(frozen=True)\nclass Wide(Strategy):\n    a: int = param(1)\n    b: float = param(0.5)\n    c: int = param(1)\n",
        encoding="utf-8",
    )
    done = sweep("wide.py", "-p", "a=1:1000000", "-p", "b=0:1:0.001", "-p", "c=1:1000", *NO_DATA)
    assert "the grid has 1,001,000,000,000 points" in done.err
    done = sweep("wide.py", "-p", "a=1:1000000", "-p", "c=1:1000000", "--constraint", "a < c", *NO_DATA)
    assert "the grid has 1,000,000,000,000 combinations before its constraints" in done.err
    done = sweep("wide.py", "-p", "b=0:1", *NO_DATA)
    assert "give a step, such as 0:1:0.1, or search with --method random or tpe" in done.err


def test_a_store_that_refuses_costs_the_count_and_not_the_sweep() -> None:
    Path("broken.sqlite").write_bytes(b"no database" * 500)
    done = sweep(*GRID, "--store", "sqlite:///broken.sqlite")
    assert done.code == 1
    assert "NOT counted" in done.err
    assert "trials   NOT counted" in done.out
    assert "points   " in done.out


def test_nothing_is_printed_when_quiet() -> None:
    assert sweep(*GRID, "--quiet") == Done(0, "", "")


def test_the_points_of_a_grid_are_in_order_in_the_file() -> None:
    table = surface(sweep(*GRID, "--json"))
    pairs = list(zip(table["fast"].to_pylist(), table["slow"].to_pylist(), strict=True))
    assert pairs == sorted(pairs)
    assert (np.diff(table["point"].to_numpy()) > 0).all()
