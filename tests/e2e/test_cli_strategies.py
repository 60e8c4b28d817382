"""`strategies`, `check`, `doctor` and `demo`: from a new file to a proven one, and the first minute with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt_trader.strategies import SHIPPED
from tests.e2e.command import cli, one_message

LEAK = """
from dataclasses import dataclass
import numpy as np
from gpt_trader import Strategy, ta

@dataclass(frozen=True)
class Leak(Strategy):
    \"\"\"Knows tomorrow.\"\"\"

    def features(self, bars):
        return {
            "mean": ta.sma(bars.close, 10),
            "tomorrow": np.roll(bars.close, -1, axis=0),
        }

    def decide(self, now):
        return np.where(now.tomorrow > now.close, 1.0, 0.0)
"""


GUARDED = """
from dataclasses import dataclass
from gpt_trader import StopLoss, Strategy, param

@dataclass(frozen=True)
class Guarded(Strategy):
    \"\"\"Declares a stop by a parameter.\"\"\"

    stop: float = param(0.07)

    def declared_exits(self):
        return (StopLoss(self.stop),)
"""


def test_list_names_every_shipped_strategy() -> None:
    done = cli("strategies", "list", "--json")
    assert [item["name"] for item in done.json["strategies"]] == list(SHIPPED)
    by_name = {item["name"]: item["parameters"] for item in done.json["strategies"]}
    assert by_name["demo_ma"] == {"fast": 10, "slow": 20, "atr": 14}
    assert by_name["buy_and_hold"] == {}
    table = cli("strategies", "list").out
    assert all(name in table for name in SHIPPED)


def test_show_gives_parameters_with_ranges() -> None:
    shown = cli("strategies", "show", "demo_ma", "--json").json
    fast = next(item for item in shown["parameters"] if item["name"] == "fast")
    assert (fast["default"], fast["type"]) == (10, "int")
    assert fast["low"] < 10 < fast["high"]
    table = cli("strategies", "show", "trend_breakout").out
    assert "signal | stop" in table


def test_show_names_the_exits_that_the_default_parameters_declare() -> None:
    Path("guarded.py").write_text(GUARDED)
    assert cli("strategies", "show", "guarded.py", "--json").json["exits"] == ["StopLoss(fraction=0.07)"]
    assert "exit: StopLoss(fraction=0.07)" in cli("strategies", "show", "guarded.py").out
    assert cli("strategies", "show", "demo_ma", "--json").json["exits"] == []


def test_a_new_strategy_works_and_passes_its_check_as_it_is() -> None:
    made = cli("strategies", "new", "my_idea")
    assert made.code == 0
    assert "gpt-trader check my_idea.py" in made.out
    checked = cli("check", "my_idea.py", "--samples", 12)
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.count("ok  ") == 4
    run = cli("backtest", "my_idea.py", "--symbols", "AAPL", "--param", "fast=5", "--json").json
    assert run["strategy"] == "my_idea"
    assert run["metrics"]["round_trips"] > 0


def test_a_new_strategy_replaces_no_file_unless_forced() -> None:
    Path("mine.py").write_text("precious = 1\n")
    assert "--force" in one_message(cli("strategies", "new", "mine"), 2)
    assert Path("mine.py").read_text() == "precious = 1\n"
    assert cli("strategies", "new", "mine", "--force").code == 0
    assert cli("strategies", "new", "other", "--folder", "ideas/one").code == 0
    assert Path("ideas/one/other.py").is_file()


def test_check_names_a_leak_with_its_line_and_ends_with_1() -> None:
    Path("leak.py").write_text(LEAK)
    line = next(number for number, text in enumerate(LEAK.splitlines(), 1) if '"tomorrow":' in text)
    done = cli("check", "leak.py", "--samples", 12)
    assert done.code == 1
    assert "FAIL  causal" in done.out
    assert f"leak.py line {line}: tomorrow, bar " in done.out
    found = cli("check", "leak.py", "--samples", 12, "--json").json
    assert found["causal"] is False
    assert found["rows"] is True
    assert {(item["subject"], item["line"]) for item in found["findings"] if item["test"] == "causal"} >= {
        ("tomorrow", line)
    }
    assert not [item for item in found["findings"] if item["subject"] == "mean"]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_strategy_passes_its_check(name: str) -> None:
    done = cli("check", name, "--samples", 6, "--start", "2005-01-03", "--end", "2010-12-31", "--json")
    assert done.code == 0, done.out
    assert done.json["ok"] is True


def test_doctor_finds_this_machine_well() -> None:
    done = cli("doctor")
    assert (done.code, done.err) == (0, ""), done.out
    assert "FAIL" not in done.out
    names = [item["name"] for item in cli("doctor", "--json").json["findings"]]
    assert names == ["python", "packages", "configuration", "store", "demo data", "kernels"]


def test_doctor_says_what_is_wrong_and_ends_with_1() -> None:
    Path("gpt-trader.toml").write_text("[costs]\nbpz = 1\n")
    Path(".gpt-trader").mkdir()
    done = cli("doctor")
    assert done.code == 1
    assert "FAIL  configuration" in done.out
    assert "bps" in done.out


def test_demo_runs_both_strategies_and_writes_their_reports() -> None:
    done = cli("demo")
    assert (done.code, done.err) == (0, "")
    assert "$ gpt-trader backtest trend_breakout" in done.out
    assert "$ gpt-trader backtest demo_ma" in done.out
    for name in ("trend_breakout", "demo_ma"):
        page = Path("reports") / f"{name}.html"
        assert str(page.resolve()) in done.out
        assert page.stat().st_size > 10_000
    assert len(cli("runs", "list", "--json").json["runs"]) == 2


def test_demo_as_json_and_quiet() -> None:
    runs = cli("demo", "--json", "--folder", "elsewhere").json
    assert set(runs["runs"]) == {"trend_breakout", "demo_ma"}
    assert all(Path(path).is_file() for path in runs["reports"].values())
    done = cli("demo", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


TALKING = """
from gpt_trader import Strategy

class Talking(Strategy):
    def decide(self, now):
        print("a word on standard output")
        return 0.5
"""


@pytest.mark.parametrize("command", ["backtest", "sweep"])
def test_what_a_strategy_prints_does_not_mix_with_json(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("talking.py").write_text(TALKING)
    done = cli(command, "talking.py", "--json")
    assert (done.code, done.json["strategy"]) == (0, "talking")
    assert "a word on standard output" in done.err


def test_a_folder_of_runs_that_cannot_be_made_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    done = cli("sweep", "demo_ma", "--param", "fast=5,6", "--runs-dir", "file/runs")
    assert "cannot write into" in one_message(done, 1)
