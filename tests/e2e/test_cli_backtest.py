"""`backtest`: its table, its JSON, its files, its store row; every rule option is accepted and changes the run."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.e2e.command import cli

SPAN = ("--start", "2008-01-02", "--end", "2011-12-30")
THREE = ("--symbols", "AAPL,IBM,MSFT", *SPAN)

SHORTS = '''
from dataclasses import dataclass
import numpy as np
from gpt_trader import Strategy, ta

@dataclass(frozen=True)
class Shorts(Strategy):
    """Long above the mean of 50 closes, short below it."""
    def features(self, bars):
        return {"mean": ta.sma(bars.close, 50)}
    def decide(self, now):
        return np.where(now.close > now.mean, 0.2, np.where(now.close < now.mean, -0.2, 0.0))
'''


def test_the_table_has_every_number_and_nothing_on_standard_error() -> None:
    done = cli("backtest", "--symbol", "DEMO", "--start", "2023-01-01", "--end", "2023-06-30")
    assert (done.code, done.err) == (0, "")
    labels = (
        "Total return", "CAGR", "Volatility", "Sharpe", "Sortino", "Calmar", "Max drawdown", "length", "Exposure",
        "Turnover", "Costs", "Win rate", "Profit factor", "Expectancy", "Round trips", "Buy and hold",
    )  # fmt: skip
    for label in labels:
        assert label in done.out, label
    assert "synthetic" in done.out
    assert "\x1b" not in done.out


def test_json_is_one_object_with_the_promised_keys() -> None:
    done = cli("backtest", "demo_ma", "--symbols", "AAPL,MSFT", *SPAN, "--param", "fast=5", "--json")
    assert (done.code, done.err) == (0, "")
    run = done.json
    assert set(run) == {
        "run_id", "strategy", "parameters", "symbols", "start", "end", "metrics", "statistics", "fingerprint", "warnings",
        "look_ahead",
    }  # fmt: skip
    assert run["strategy"] == "demo_ma"
    assert run["parameters"]["fast"] == 5
    assert run["symbols"] == ["AAPL", "MSFT"]
    assert (run["start"], run["end"]) == ("2008-01-02", "2011-12-30")
    needed = (
        "total_return",
        "cagr",
        "volatility",
        "sharpe",
        "max_drawdown",
        "win_rate",
        "round_trips",
        "costs",
    )
    assert all(math.isfinite(run["metrics"][name]) for name in needed)
    assert len(run["fingerprint"]) == 64


def test_quiet_prints_nothing_and_keeps_the_run() -> None:
    done = cli("backtest", "--quiet", *SPAN)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert len(list(Path("runs").glob("*/manifest.json"))) == 1


def test_a_run_leaves_its_tables_its_manifest_and_a_row_in_the_store() -> None:
    run = cli("backtest", *THREE, "--json").json
    folder = Path("runs") / run["run_id"]
    names = ("orders", "fills", "positions", "closed_trades", "equity", "decisions")
    tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}
    assert float(tables["equity"]["equity"].iloc[-1]) == run["metrics"]["final_equity"]
    assert len(tables["closed_trades"]) == run["metrics"]["round_trips"] > 0
    assert set(tables["fills"]["symbol"]) == {"AAPL", "IBM", "MSFT"}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["strategy"] == "demo_ma"
    listed = cli("runs", "list", "--json").json["runs"]
    assert [row["run_id"] for row in listed] == [run["run_id"]]


def test_no_save_leaves_nothing_behind_but_the_count() -> None:
    assert cli("backtest", "--no-save", *SPAN).code == 0
    assert [path.name for path in Path().iterdir()] == [".gpt-trader"]
    assert cli("runs", "list", "--json").json == {"runs": []}


def test_the_same_command_is_the_same_run() -> None:
    first, second = (cli("backtest", *SPAN, "--json").json for _ in range(2))
    assert first == second
    assert len(cli("runs", "list", "--json").json["runs"]) == 1


def test_a_report_is_one_page_that_asks_for_nothing_outside_itself() -> None:
    done = cli("backtest", *SPAN, "--report", "out/report.html")
    assert done.code == 0
    assert "out/report.html" in done.out
    page = Path("out/report.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    assert 'src="http' not in page
    assert "demo_ma" in page


def test_a_strategy_is_a_name_a_file_or_a_class_of_a_file() -> None:
    Path("mine.py").write_text(SHORTS + SHORTS.replace("Shorts", "Others"))
    named = cli("backtest", "mine.py:Shorts", *SPAN, "--json").json
    assert named["strategy"] == "shorts"
    message = cli("backtest", "mine.py", *SPAN)
    assert message.code == 1
    assert "mine.py:Class" in message.err
    assert cli("backtest", "mine.py:Shirts", *SPAN).err.startswith("error: unknown strategy class")


def test_a_universe_file_is_read_and_what_it_skips_is_named() -> None:
    Path("universe.csv").write_text("ticker\naapl\n AAPL \nmsft\n!!\nZZZZ\n")
    run = cli("backtest", "--universe", "universe.csv", *SPAN, "--json").json
    assert run["symbols"] == ["AAPL", "MSFT"]
    said = "\n".join(run["warnings"])
    assert "line 5" in said
    assert "ZZZZ" in said


def test_bars_of_a_file_and_of_the_demo_give_the_same_run_but_for_their_source() -> None:
    assert cli("data", "repair", _demo_csv("AAPL"), "--out", "copy/AAPL.csv").code == 0
    of_file = cli("backtest", "--path", "AAPL.csv", *SPAN, "--json").json
    of_copy = cli("backtest", "--path", "copy/AAPL.csv", *SPAN, "--json").json
    of_demo = cli("backtest", "--symbols", "AAPL", *SPAN, "--json").json
    assert of_file["metrics"] == of_copy["metrics"] == of_demo["metrics"]
    assert of_file["symbols"] == ["AAPL"]


def _demo_csv(symbol: str) -> Path:
    from gpt_trader import load_bars

    frame = load_bars([symbol]).to_frame()
    path = Path(f"{symbol}.csv")
    frame.drop(columns="symbol").rename(columns={"time": "date"}).to_csv(path, index=False)
    return path


def test_the_configuration_stands_behind_the_flags() -> None:
    Path("gpt-trader.toml").write_text(
        "[backtest]\ncapital = 5000.0\n[costs]\nbps = 50.0\n[risk]\nprofile = 'moderate'\n"
    )
    plain = _manifest(*SPAN)
    assert (plain["capital"], plain["costs"]["bps"], plain["risk"]["drawdown"]) == (5000.0, 50.0, 0.15)
    over = _manifest(*SPAN, "--capital", 7000, "--cost-bps", 1, "--profile", "none")
    assert (over["capital"], over["costs"]["bps"], over["risk"]) == (7000.0, 1.0, None)


def _manifest(*arguments: object) -> dict[str, object]:
    run = cli("backtest", *arguments, "--json").json
    manifest: dict[str, object] = json.loads((Path("runs") / run["run_id"] / "manifest.json").read_text())
    return manifest


# Each rule option: what it is put beside, and what it is set to. The run must differ from the one without it.
EFFECTS = [
    ("--cost-bps 20", ""),
    ("--cost-per-share 0.05", ""),
    ("--cost-minimum 100", ""),
    ("--spread-bps 20", ""),
    ("--slippage-bps 5", ""),
    ("--impact 1000", "--capital 100000000"),
    ("--borrow 0.1", "SHORTS"),
    ("--volume-cap 0.0001", "--capital 10000000"),
    ("--volume-cap none", "--capital 1000000000"),
    ("--delay 1", ""),
    ("--gross 0.3", ""),
    ("--max-positions 1", ""),
    ("--position 0.1", ""),
    ("--leverage 0.2", ""),
    ("--sizing risk", ""),
    ("--risk 0.01", "--sizing risk"),
    ("--atr-k 4", "--sizing risk"),
    ("--atr 40", "--sizing risk"),
    ("--min-rebalance 0.05", "--rebalance bar"),
    ("--cadence week", ""),
    ("--cadence month", ""),
    ("--rebalance bar", ""),
    ("--reentry immediate", "--stop-loss 0.03"),
    ("--confirm 3", ""),
    ("--cooldown 20", ""),
    ("--regime IBM", ""),
    ("--regime-window 50", "--regime IBM"),
    ("--long-only", "SHORTS"),
    ("--stop-loss 0.05", ""),
    ("--trailing-stop 0.03", ""),
    ("--trailing-after 0.05", "--trailing-stop 0.03"),
    ("--break-even 0.02", ""),
    ("--atr-stop 2", ""),
    ("--atr-stop-bars 40", "--atr-stop 2"),
    ("--take-profit 0.1", ""),
    ("--scale-out 0.02:0.3,0.05:0.5", ""),
    ("--time-stop 5", ""),
    ("--profile moderate", ""),
    ("--profile conservative", "--profile moderate"),
    ("--limit-position 0.1", ""),
    ("--limit-gross 0.3", ""),
    ("--limit-net 0.1", "SHORTS"),
    ("--limit-cash 0.7", ""),
    ("--limit-daily-loss 0.002", ""),
    ("--limit-weekly-loss 0.005", ""),
    ("--limit-monthly-loss 0.01", ""),
    ("--limit-drawdown 0.02", ""),
    ("--limit-positions 1", ""),
    ("--limit-order-volume 0.00001", "--capital 10000000"),
    ("--limit-correlation 0.1", ""),
    ("--correlation-bars 10", "--limit-correlation 0.6"),
    ("--on-drawdown flatten", "--limit-drawdown 0.02"),
    ("--capital 50000", ""),
    ("--fractional", ""),
    ("--adjustment all", ""),
    ("--timeframe 1w", ""),
    ("--param fast=5", ""),
]


@pytest.mark.parametrize(("option", "beside"), EFFECTS)
def test_an_option_changes_the_run(option: str, beside: str) -> None:
    Path("shorts.py").write_text(SHORTS)
    base = ["shorts.py" if beside == "SHORTS" else "demo_ma", *THREE, *beside.replace("SHORTS", "").split()]
    without, changed = (_equity(tuple(arguments)) for arguments in (base, [*base, *option.split()]))
    assert without.shape != changed.shape or not np.array_equal(without, changed)


def test_every_rule_option_is_tried() -> None:
    import typer

    from jobs import backtest
    from jobs.command_reference import parameters

    panels = ("Costs", "Allocation", "Risk limits", "Exits (added to the strategy's own)")
    rows = [row for row in parameters(typer.main.get_command(backtest.app)) if row.panel in panels]
    tried = {option.split()[0] for option, _ in EFFECTS}
    # Sectors are known only from instruments, which a command line does not give.
    assert [row.flags for row in rows if not tried & set(row.flags)] == [("--limit-sector",)]


@lru_cache(maxsize=16)
def _equity(arguments: tuple[str, ...]) -> np.ndarray:
    """(4, T) equity, cash, gross and net of a run, read from its file."""
    done = cli("backtest", *arguments, "--no-benchmark", "--json")
    assert done.code == 0, done.err
    frame = pd.read_parquet(Path("runs") / done.json["run_id"] / "equity.parquet")
    return frame[["equity", "cash", "gross", "net"]].to_numpy().T


def test_a_cooldown_of_five_bars_blocks_entries_for_five_bars() -> None:
    run = cli("backtest", "--symbols", "AAPL", *SPAN, "--cooldown", 5, "--json").json
    trades = pd.read_parquet(Path("runs") / run["run_id"] / "closed_trades.parquet").sort_values("entry_time")
    equity = pd.read_parquet(Path("runs") / run["run_id"] / "equity.parquet")
    bar = {time: row for row, time in enumerate(equity["time"])}
    exits, entries = trades["exit_time"].iloc[:-1], trades["entry_time"].iloc[1:]
    gaps = [bar[entry] - bar[exit_] for exit_, entry in zip(exits, entries, strict=True)]
    assert len(gaps) > 5
    assert min(gaps) >= 5


def test_costs_double_with_their_rates() -> None:
    once = cli("backtest", *SPAN, "--impact", 0, "--json").json["metrics"]
    twice = cli("backtest", *SPAN, "--impact", 0, "--cost-bps", 10, "--spread-bps", 4, "--json").json[
        "metrics"
    ]
    assert twice["costs"] / twice["turnover"] == pytest.approx(2 * once["costs"] / once["turnover"], rel=0.02)
