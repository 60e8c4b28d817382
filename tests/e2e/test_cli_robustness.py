"""`robustness`, `compare` and `backtest --intervals`: what they print, what they keep, what they count and what they refuse."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from gpt_trader import Allocation, Costs, FillModel, backtest, load_bars
from gpt_trader.strategies import load_strategy
from gpt_trader.validation.block_bootstrap import mean_block, resample
from gpt_trader.validation.intervals import HEADLINE
from tests.e2e.command import cli, one_message

SPAN = ("--start", "2008-01-02", "--end", "2010-12-31")
FEW = ("--replicates", 60, "--neighbours", 8)


def found(*arguments: object) -> dict[str, Any]:
    done = cli(*arguments, "--json")
    assert done.code == 0, done.err
    assert not done.err, done.err
    answer: dict[str, Any] = done.json
    return answer


def trials(*arguments: object) -> int:
    count: int = cli("trials", "list", "--json").json["trials"]
    return count


# -- robustness -------------------------------------------------------------------------------------------------------


def test_robustness_says_what_single_backtests_say() -> None:
    said = found("robustness", "demo_ma", *SPAN, *FEW)
    bars = load_bars(["AAPL"], start=SPAN[1], end=SPAN[3])
    strategy = load_strategy("demo_ma")

    def sharpe(**settings: Any) -> float:
        chosen = settings.pop("strategy", strategy())
        return backtest(chosen, bars, allocation=Allocation(), **settings).metrics["sharpe"]

    assert said["base"]["sharpe"] == sharpe()
    costs = {point["multiple"]: point["metrics"]["sharpe"] for point in said["costs"]["points"]}
    assert costs[2.0] == sharpe(costs=Costs().times(2.0))
    assert costs[0.0] == sharpe(costs=Costs().times(0.0))
    assert [point["bars"] for point in said["delays"]] == [0, 1, 2]
    assert said["delays"][2]["metrics"]["sharpe"] == sharpe(fills=FillModel(delay=2))
    capital = {point["capital"]: point["metrics"]["sharpe"] for point in said["capital"]["points"]}
    assert capital[1e8] == sharpe(capital=1e8)
    neighbour = said["jitter"]["points"][3]
    assert neighbour["metrics"]["sharpe"] == sharpe(strategy=strategy(**neighbour["parameters"]))
    low, high = said["costs"]["break_even"]["low"], said["costs"]["break_even"]["high"]
    assert costs[low] > 0 >= costs[high]
    assert said["costs"]["break_even"]["bps_a_side"] == pytest.approx(
        6.0 * said["costs"]["break_even"]["multiple"]
    )
    assert said["capital"]["capacity"]["capital"] == pytest.approx(
        1e5 * said["capital"]["capacity"]["multiple"]
    )
    assert said["intervals"]["block"] == mean_block(bars)
    assert set(said["intervals"]["metrics"]) == set(HEADLINE)


def test_robustness_prints_a_table_and_keeps_files() -> None:
    done = cli("robustness", "demo_ma", *SPAN, *FEW, "--report", "r.html")
    assert done.code == 0, done.err
    for text in (
        "demo_ma (fast 10 · slow 20 · atr 14)", "costs x 2", "1 bar more of delay", "capital 10,000,000",
        "parameters ±20 %, median of 8", "times the costs", "markets  60 resampled", "trials   9 on these", "report   r.html",
    ):  # fmt: skip
        assert text in done.out, text
    assert "0 bars" not in done.out
    run = done.out.rsplit("run ", 1)[1].strip()
    folder = Path("runs") / run
    assert json.loads((folder / "result.json").read_text())["run_id"] == run
    import pyarrow.parquet as pq

    runs = pq.read_table(folder / "runs.parquet").to_pydict()
    assert len(runs["sharpe"]) == len(set(zip(*(runs[name] for name in list(runs)[:6]), strict=True)))
    assert pq.read_table(folder / "replicates.parquet").num_rows == 60
    assert "<svg" in Path("r.html").read_text()
    (row,) = [row for row in cli("runs", "list", "--json").json["runs"] if row["run_id"] == run]
    assert (row["kind"], row["status"]) == ("robustness", "finished")


def test_the_point_and_its_neighbours_are_trials_and_stress_and_resampled_markets_are_none() -> None:
    assert found("robustness", "demo_ma", *SPAN, *FEW)["trials"]["raw"] == 9
    assert trials() == 9
    assert found("robustness", "demo_ma", *SPAN, *FEW)["trials"]["raw"] == 9
    assert found("backtest", "demo_ma", *SPAN)["statistics"]["trials_on_these_data"] == 9, "the point itself"
    assert found("compare", "demo_ma", "demo_ma,fast=9", *SPAN, "--replicates", 40)["strategies"][1][
        "trials"
    ]["raw"] in (9, 10)


def test_the_same_study_gives_the_same_bytes() -> None:
    first = found("robustness", "demo_ma", *SPAN, *FEW)
    before = {path.name: path.read_bytes() for path in Path(first["folder"]).glob("*.parquet")}
    assert found("robustness", "demo_ma", *SPAN, *FEW, "--runs-dir", "other") | {"folder": ""} == first | {
        "folder": ""
    }
    after = {path.name: path.read_bytes() for path in (Path("other") / first["run_id"]).glob("*.parquet")}
    assert before == after
    assert len(before) == 2
    assert found("robustness", "demo_ma", *SPAN, *FEW, "--seed", 1)["run_id"] != first["run_id"]


def test_without_replicates_or_neighbours_they_are_left_out() -> None:
    said = found("robustness", "buy_and_hold", *SPAN, "--replicates", 0, "--neighbours", 0, "--delays", 0)
    assert said["intervals"] is None
    assert said["jitter"]["points"] == []
    assert len(said["delays"]) == 1


def test_robustness_refuses_before_it_reads_data() -> None:
    for arguments, message in (
        (("--metric", "calmar"), "unknown metric 'calmar'"),
        (("--jitter", 0), "between 0 and 1"),
        (("--report", "r.txt"), "is no HTML file"),
        (("--replicates", 1_000_001), "1,000,001 runs on resampled markets"),
    ):
        assert message in one_message(
            cli("robustness", "demo_ma", *arguments, "--source", "csv", "--path", "absent"), 2
        )
    for arguments, message in (
        (("--replicates", 20), "at least 39 are needed"),
        (("--block", 400), "3 at the least"),
        (("--block", 0.5), "1 or more"),
        (("--level", 1.5), "between 0 and 1"),
    ):
        assert message in one_message(cli("robustness", "demo_ma", *SPAN, *arguments), 2)
    assert not Path("runs").exists()
    assert "cannot be resampled" in one_message(
        cli("robustness", "demo_ma", "--start", "2008-01-02", "--end", "2008-01-20"), 2
    )


# -- compare ----------------------------------------------------------------------------------------------------------


def test_compare_gives_each_its_intervals_and_each_pair_its_probability() -> None:
    said = found("compare", "demo_ma", "buy_and_hold", "demo_ma,fast=5,slow=60", *SPAN, "--replicates", 60)
    assert [side["name"] for side in said["strategies"]] == [
        "demo_ma",
        "buy_and_hold",
        "demo_ma fast=5 slow=60",
    ]
    bars = load_bars(["AAPL"], start=SPAN[1], end=SPAN[3])
    alone = backtest(load_strategy("demo_ma")(fast=5, slow=60), bars)
    assert said["strategies"][2]["metrics"]["cagr"] == alone.metrics["cagr"]
    assert [(pair["first"], pair["second"]) for pair in said["pairs"]] == [
        ("demo_ma", "buy_and_hold"),
        ("demo_ma", "demo_ma fast=5 slow=60"),
        ("buy_and_hold", "demo_ma fast=5 slow=60"),
    ]
    for pair in said["pairs"]:
        first, second = (
            next(side for side in said["strategies"] if side["name"] == pair[end])
            for end in ("first", "second")
        )
        assert pair["difference"] == first["metrics"]["sharpe"] - second["metrics"]["sharpe"]
        assert pair["low"] < pair["difference"] < pair["high"]
        assert 0 <= pair["probability"] <= 1
        assert set(pair["by_metric"]) == set(HEADLINE)
    replicate = backtest(load_strategy("buy_and_hold")(), resample(bars, 0, 5))
    import pyarrow.parquet as pq

    table = pq.read_table(Path(said["folder"]) / "replicates.parquet").to_pydict()
    row = next(
        i
        for i, key in enumerate(zip(table["strategy"], table["replicate"], strict=True))
        if key == ("buy_and_hold", 5)
    )
    assert table["sharpe"][row] == replicate.metrics["sharpe"]


def test_compare_prints_a_table_and_a_page() -> None:
    done = cli(
        "compare",
        "demo_ma",
        "buy_and_hold",
        *SPAN,
        "--replicates",
        60,
        "--metric",
        "cagr",
        "--report",
        "c.html",
    )
    assert done.code == 0, done.err
    for text in (
        "95 % interval",
        "Beats, by cagr",
        "ahead    ",
        "Deflated Sharpe ratio",
        "markets  60 resampled",
    ):
        assert text in done.out, text
    assert (
        "90 % interval"
        in cli("compare", "demo_ma", "buy_and_hold", *SPAN, "--replicates", 60, "--level", 0.9).out
    )
    assert "demo_ma against buy_and_hold" in Path("c.html").read_text()
    row = cli("runs", "list", "--json").json["runs"][0]
    assert (row["kind"], row["status"]) == ("compare", "finished")


def test_an_account_that_never_trades_is_said_to_be_that() -> None:
    """Averages of 900 bars are not defined in 250."""
    never, short = "demo_ma,fast=400,slow=900", ("--start", "2008-01-02", "--end", "2008-12-31")
    done = cli("compare", never, "buy_and_hold", *short, "--replicates", 60, "--report", "c.html")
    assert done.code == 0, done.err
    assert (
        "ahead    nobody: demo_ma fast=400 slow=900 and buy_and_hold do not both have the metric" in done.out
    )
    point = ("--param", "fast=400", "--param", "slow=900")
    alone = cli("robustness", "demo_ma", *point, *short, "--replicates", 60, "--report", "r.html")
    assert alone.code == 0, alone.err
    assert "no Sharpe ratio to judge" in alone.out
    assert Path("r.html").exists()


def test_compare_refuses_what_it_cannot_compare() -> None:
    for arguments, message in (
        (("demo_ma",), "alone is nothing to compare"),
        (("demo_ma", "demo_ma"), "is given twice"),
        (("demo_ma", "demo_maa"), "Did you mean 'demo_ma'?"),
        (("demo_ma", "buy_and_hold", "--metric", "costs"), "unknown metric 'costs'"),
        (("demo_ma,fast=0", "buy_and_hold"), "must lie between"),
        (("demo_ma", "buy_and_hold", "--replicates", 0), "at least 39 are needed"),
        (("demo_ma", "buy_and_hold", "--replicates", 500_001), "1,000,002 runs"),
    ):
        assert message in one_message(cli("compare", *arguments, *SPAN), 2)
    assert trials() == 0


# -- intervals of a backtest ------------------------------------------------------------------------------------------


def test_a_backtest_gives_intervals_when_asked() -> None:
    plain = found("backtest", "demo_ma", *SPAN)
    assert "intervals" not in plain
    said = found("backtest", "demo_ma", *SPAN, "--intervals", 60)
    assert said["run_id"] == plain["run_id"]
    assert said["metrics"] == plain["metrics"]
    assert said["statistics"]["trials_on_these_data"] == 1
    sharpe = said["intervals"]["metrics"]["sharpe"]
    assert sharpe["estimate"] == plain["metrics"]["sharpe"]
    assert sharpe["low"] < sharpe["estimate"] < sharpe["high"]
    study = found("robustness", "demo_ma", *SPAN, "--replicates", 60, "--neighbours", 0)
    assert study["intervals"] == said["intervals"]
    done = cli("backtest", "demo_ma", *SPAN, "--intervals", 60, "--report", "b.html")
    assert "95 % from" in done.out
    assert "60 resampled markets" in Path("b.html").read_text()
    assert "at least 39" in one_message(cli("backtest", "demo_ma", *SPAN, "--intervals", 38), 2)


def test_intervals_follow_the_regime_index_and_the_rules_of_the_run() -> None:
    said = found("backtest", "demo_ma", *SPAN, "--regime", "IBM", "--intervals", 60)
    other = found("backtest", "demo_ma", *SPAN, "--intervals", 60)
    assert (
        said["intervals"]["metrics"]["volatility"]["median"]
        < other["intervals"]["metrics"]["volatility"]["median"]
    )
    assert not math.isnan(said["intervals"]["metrics"]["sharpe"]["low"])
