"""`trials`, and how `backtest` and `report` count: every configuration once, whatever is kept, and no DSR without it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt_trader import Allocation, Costs, backtest, load_bars
from gpt_trader.adapters.store import RunStore
from gpt_trader.adapters.store.trials import TrialBatch
from gpt_trader.engine.run_setup import Settings
from gpt_trader.research.trial_identity import TrialKeys, data_hash
from gpt_trader.strategies import load_strategy
from gpt_trader.validation.sharpe_statistics import deflated_sharpe, probabilistic_sharpe
from tests.e2e.command import cli, one_message

SPAN = ("--start", "2008-01-02", "--end", "2010-12-31")
STORE = "sqlite:///.gpt-trader/store.sqlite"


def statistics(*arguments: object) -> dict[str, Any]:
    done = cli("backtest", "demo_ma", *SPAN, *arguments, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = done.json["statistics"]
    return found


def numbers(found: dict[str, Any]) -> tuple[int, int, int]:
    return found["trials_on_these_data"], found["trials"], found["trials_of_the_family"]


def test_an_empty_ledger_says_so() -> None:
    assert "no trials yet; gpt-trader backtest makes one" in cli("trials", "list").out
    assert cli("trials", "list", "--json").json == {"trials": 0, "sets": []}
    assert "unknown family 'demo_ma'. Known: none" in one_message(cli("trials", "show", "demo_ma"), 2)


def test_every_configuration_counts_once() -> None:
    assert numbers(statistics()) == (1, 1, 1)
    assert numbers(statistics("--seed", 7, "--no-benchmark")) == (1, 1, 1)
    assert numbers(statistics("--param", "fast=10")) == (1, 1, 1), "a default spelt out"
    assert numbers(statistics("--param", "fast=9")) == (2, 2, 2)
    assert numbers(statistics("--param", "fast=9", "--cost-bps", 1)) == (3, 3, 3)
    assert numbers(statistics("--stop-loss", 0.1)) == (4, 4, 4)
    assert numbers(statistics("--symbols", "IBM")) == (1, 1, 5)
    assert numbers(statistics("--symbols", "IBM,AAPL")) == (1, 6, 6)
    assert cli("backtest", "momentum", *SPAN, "--json").json["statistics"]["trials_of_the_family"] == 1


def test_another_start_date_resets_nothing() -> None:
    statistics()
    statistics("--param", "fast=9")
    moved = cli("backtest", "demo_ma", "--start", "2008-01-03", "--end", "2010-12-31", "--json").json
    assert numbers(moved["statistics"]) == (1, 3, 3)
    earlier = cli("backtest", "demo_ma", "--start", "2004-01-02", "--end", "2007-12-31", "--json").json
    assert numbers(earlier["statistics"]) == (1, 1, 4), "other years are other evidence"


def test_no_save_counts_and_keeps_nothing_else() -> None:
    assert numbers(statistics("--no-save")) == (1, 1, 1)
    assert numbers(statistics("--no-save", "--param", "fast=9")) == (2, 2, 2)
    assert cli("runs", "list", "--json").json == {"runs": []}
    assert [path.name for path in Path().iterdir()] == [".gpt-trader"]


def test_the_numbers_are_those_of_the_formulas_with_the_count_of_the_ledger() -> None:
    found = [
        cli("backtest", "demo_ma", *SPAN, "--param", f"fast={fast}", "--json").json for fast in (4, 8, 12, 16)
    ]
    run = found[-1]
    metrics, said = run["metrics"], run["statistics"]
    yearly = math.sqrt(metrics["periods_per_year"])
    moments = (metrics["sharpe"] / yearly, 757, metrics["skew"], metrics["kurtosis"])
    assert said["observations"] == 757
    assert said["psr"] == pytest.approx(probabilistic_sharpe(*moments))
    variance = np.var([each["metrics"]["sharpe"] / yearly for each in found], ddof=1)
    deflated = deflated_sharpe(*moments, trials=4, variance=float(variance))
    assert said["dsr"] == pytest.approx(deflated.probability)
    assert said["threshold"] == pytest.approx(deflated.threshold * yearly)
    assert said["dsr"] < said["psr"]
    assert 1.0 < said["effective_trials"] < 4.0
    printed = cli("backtest", "demo_ma", *SPAN, "--param", "fast=16").out
    assert "trials   4 on these or overlapping data, as good as" in printed
    assert f"DSR {said['dsr'] * 100:.2f} %" in printed
    assert f"verdict  {said['verdict']}" in printed


def test_the_best_cell_of_a_sweep_is_no_new_trial_as_a_backtest() -> None:
    bars = load_bars(["AAPL"], start="2008-01-02", end="2010-12-31")
    strategy, settings = (
        load_strategy("demo_ma"),
        Settings(costs=Costs(bps=1.0), allocation=Allocation(gross=0.5)),
    )
    points = [{"fast": fast, "slow": 30} for fast in range(5, 25)]
    keys = TrialKeys(strategy, settings, data_hash(bars.fingerprint()), 0, bars.T - 1)
    cells = TrialBatch(
        family="demo_ma", data=data_hash(bars.fingerprint()), symbols=bars.symbols, start=bars.time[0], end=bars.time[-1],
        timeframe=bars.timeframe, bars=bars.T, periods_per_year=252.0, kind="sweep", keys=keys.of_all(points),
        sharpe=np.linspace(0, 0.1, 20), observations=bars.T, profiles=np.ones((20, 32), np.float32),
    )  # fmt: skip
    with RunStore(STORE) as store:
        store.ledger.record(cells, made_at=datetime(2026, 1, 1, tzinfo=UTC))
    rules = ("--cost-bps", 1, "--gross", 0.5, "--param", "slow=30")
    assert numbers(statistics(*rules, "--param", "fast=11")) == (20, 20, 20)
    assert numbers(statistics(*rules, "--param", "fast=25")) == (21, 21, 21)
    result = backtest(strategy(fast=11, slow=30), bars, costs=settings.costs, allocation=settings.allocation)
    assert result.trial_key == keys.of(points[6])


@pytest.mark.parametrize("save", ["--save", "--no-save"])
def test_a_run_that_cannot_be_counted_has_its_numbers_and_no_dsr(save: str) -> None:
    statistics()
    closed = ("--store", f"{STORE}?mode=ro", save)
    done = cli("backtest", "demo_ma", *SPAN, *closed, "--param", "fast=9", "--json")
    assert done.code == 1
    assert "read-only" in done.err
    assert "This trial was NOT counted, so it has no deflated Sharpe ratio" in done.err
    said = done.json["statistics"]
    assert (said["counted"], said["dsr"], said["trials"], said["passes"]) == (False, None, None, False)
    assert said["psr"] == pytest.approx(statistics("--param", "fast=9")["psr"])
    assert numbers(statistics()) == (2, 2, 2)
    printed = cli("backtest", "demo_ma", *SPAN, *closed, "--param", "fast=8", "--report", "out.html").out
    assert "Total return" in printed
    assert "NOT counted" in printed
    assert "no DSR without a count" in printed
    assert "needs the trial ledger" in Path("out.html").read_text()
    known = cli("backtest", "demo_ma", *SPAN, *closed, "--param", "fast=9", "--json").json["statistics"]
    assert known["counted"] is True, "it was counted before, so nothing has to be written"


def test_the_report_says_how_likely_it_is_luck() -> None:
    for fast in (4, 8):
        said = statistics("--param", f"fast={fast}", "--report", f"{fast}.html")
    page = Path("8.html").read_text()
    assert "How likely is this luck?" in page
    assert "Deflated Sharpe ratio (DSR)" in page
    assert "needs the trial ledger" not in page
    assert said["verdict"] in page
    later = cli("report", "last", "--out", "later.html", "--json").json
    assert later["statistics"] == said
    assert said["verdict"] in Path("later.html").read_text()
    statistics("--param", "fast=12")
    runs = cli("runs", "list", "--json").json["runs"]
    assert cli("report", runs[-1]["run_id"], "--json").json["statistics"]["trials"] == 3, (
        "as many as there are now"
    )
    assert cli("report", "last", "--from", "2009-01-01", "--json").json["statistics"] is None


def test_a_report_made_in_python_says_that_a_dsr_needs_the_ledger() -> None:
    bars = load_bars(["AAPL"], start="2008-01-02", end="2010-12-31")
    page = backtest(load_strategy("demo_ma")(), bars).report("python.html").read_text()
    assert "Probabilistic Sharpe ratio (PSR)" in page
    assert "A deflated Sharpe ratio (DSR) needs the trial ledger" in page
    assert "Effective trials" not in page


def test_a_run_saved_past_the_command_has_no_dsr() -> None:
    bars = load_bars(["AAPL"], start="2008-01-02", end="2010-12-31")
    with RunStore(STORE) as store:
        store.save(backtest(load_strategy("demo_ma")(), bars), created_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert cli("report", "last", "--json").json["statistics"]["counted"] is False
    assert "NOT counted" in cli("report", "last").out


# -- trials --------------------------------------------------------------------------------------------------------


def test_list_and_show_tell_what_was_tried() -> None:
    best = max(statistics("--param", f"fast={fast}")["sharpe"] for fast in (4, 8, 12))
    statistics("--symbols", "IBM", "--no-save")
    cli("backtest", "momentum", *SPAN)
    listed = cli("trials", "list", "--json").json
    assert listed["trials"] == 5
    (mine,) = [each for each in listed["sets"] if each["symbols"] == ["AAPL"] and each["family"] == "demo_ma"]
    assert (mine["trials"], mine["kinds"], mine["bars"], mine["timeframe"]) == (3, {"backtest": 3}, 757, "1d")
    assert mine["best_sharpe"] == pytest.approx(best)
    assert mine["expected_maximum_sharpe"] > 0
    assert 1.0 < mine["effective"] < 3.0
    assert (mine["start"], mine["end"]) == ("2008-01-02T00:00:00", "2010-12-31T00:00:00")
    table = cli("trials", "list").out
    for part in (
        mine["data"][:12],
        "demo_ma",
        "momentum",
        "2008-01-02 … 2010-12-31",
        f"{best:.2f}",
        "5 trials of 2 families",
    ):
        assert part in table
    assert len(cli("trials", "list", "-n", 1, "--json").json["sets"]) == 1
    assert "the latest 1 of 3 data sets are shown" in cli("trials", "list", "-n", 1).out
    shown = cli("trials", "show", "demo_ma", "--json").json
    assert (shown["family"], shown["trials"], len(shown["sets"])) == ("demo_ma", 4, 2)
    assert [sum(day.values()) for day in shown["days"].values()] == [4]
    printed = cli("trials", "show", "demo_ma").out
    assert "demo_ma · 4 trials on 2 data sets" in printed
    assert "momentum" not in printed
    assert "Did you mean 'demo_ma'?" in one_message(cli("trials", "show", "demo"), 2)


def test_nothing_resets_the_ledger() -> None:
    help_screen = cli("trials", "--help").out
    assert {"list", "show"} <= set(help_screen.split())
    for word in ("reset", "delete", "clear", "remove"):
        assert cli("trials", word).code == 2
