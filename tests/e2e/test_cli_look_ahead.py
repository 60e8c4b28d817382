"""Every command says whether the very code was checked for look-ahead: never, passed, failed; and what is too good."""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Done, cli

IDEA = """
from dataclasses import dataclass
import numpy as np
from gpt_trader import Strategy, param, ta
import helper_of_idea

@dataclass(frozen=True)
class Idea(Strategy):
    \"\"\"Long above a mean.\"\"\"

    bars_back: int = param(20, low=5, high=60)

    def features(self, bars):
        return {"mean": ta.sma(bars.close, self.bars_back) * helper_of_idea.FACTOR}

    def decide(self, now):
        return np.where(now.close > now.mean, 1.0, 0.0)
"""
LEAK = """
from dataclasses import dataclass
import numpy as np
from gpt_trader import Strategy, param

@dataclass(frozen=True)
class Leak(Strategy):
    \"\"\"Knows tomorrow.\"\"\"

    ahead: int = param(1, low=0, high=3)

    def features(self, bars):
        return {"tomorrow": np.roll(bars.close, -self.ahead, axis=0)}

    def decide(self, now):
        return np.where(now.tomorrow > now.close, 1.0, 0.0)
"""
BARS = ("--symbols", "DEMO", "--start", "2019-01-02", "--end", "2023-12-29")
NEVER = "never checked for look-ahead: run `gpt-trader check"
STUDIES: dict[str, tuple[str, ...]] = {
    "backtest": (),
    "sweep": ("--param", "bars_back=10,20"),
    "walkforward": ("--param", "bars_back=10,20", "--train", "12m", "--test", "6m"),
    "cv": ("--param", "bars_back=10,20", "--folds", "4", "--test-folds", "1"),
    "robustness": ("--neighbours", "2", "--replicates", "0"),
}


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("idea.py").write_text(IDEA)
    Path("leak.py").write_text(LEAK)
    Path("helper_of_idea.py").write_text("FACTOR = 1.0\n")
    monkeypatch.syspath_prepend(Path.cwd())
    sys.modules.pop("helper_of_idea", None)


def check(*arguments: object, code: int = 0) -> Done:
    done = cli("check", *arguments, "--samples", 8)
    assert done.code == code, (done.out, done.err)
    return done


def run(command: str = "backtest", strategy: str = "idea.py", *more: object) -> Any:
    done = cli(command, strategy, *BARS, *more, "--json")
    assert (done.code, done.err) == (0, ""), done.err
    return done.json


def page(name: str) -> str:
    """What a report says, without its scripts and tags."""
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", "", Path(name).read_text(), flags=re.DOTALL)
    return html.unescape(text)


def state(*arguments: Any) -> str:
    return str(run(*arguments)["look_ahead"]["state"])


def test_unchecked_then_passed_then_edited() -> None:
    first = run()
    assert first["look_ahead"]["state"] == "never_checked"
    assert first["look_ahead"]["text"] == "never checked for look-ahead: run `gpt-trader check idea.py`"
    assert (first["look_ahead"]["checked_at"], first["look_ahead"]["version"]) == (None, None)
    assert first["statistics"]["verdict"].startswith(
        "This code was never checked for look-ahead: run `gpt-trader check idea.py`."
    )
    assert first["statistics"]["passes"] is False

    check("idea.py")
    passed = run()["look_ahead"]
    assert passed["state"] == "passed"
    assert re.fullmatch(r"passed the look-ahead check on \d{4}-\d\d-\d\d", passed["text"])
    assert passed["checked_at"] is not None
    assert passed["version"] >= 1
    assert passed["symbols"] == ["AAPL", "IBM", "MSFT"]
    assert run()["statistics"]["doubts"] == []

    other = run("backtest", "idea.py", "--param", "bars_back=30")["look_ahead"]
    assert other["state"] == "other_parameters"
    assert "with other parameters (bars_back=20)" in other["text"]

    Path("idea.py").write_text(IDEA + "\n# a comment is an edit\n")
    assert state() == "never_checked"
    Path("idea.py").write_text(IDEA)
    assert state() == "passed", "the very code again"
    Path("idea.py").write_bytes(IDEA.replace("\n", "\r\n").encode())
    assert state() == "passed", "line ends are no edit"


def test_an_edit_of_a_module_of_the_users_own_makes_it_unchecked() -> None:
    check("idea.py")
    assert state() == "passed"
    Path("helper_of_idea.py").write_text("FACTOR = 1.1\n")
    sys.modules.pop("helper_of_idea")
    assert state() == "never_checked"


def test_code_that_failed_is_told_so_before_anything_else() -> None:
    unchecked = run("backtest", "leak.py")
    assert unchecked["look_ahead"]["state"] == "never_checked"
    assert unchecked["statistics"]["verdict"].startswith("Too good to be true: a Sharpe ratio of ")
    assert any(text.startswith("too good to be true: ") for text in unchecked["warnings"])
    assert "confidence" not in unchecked["statistics"]["verdict"]

    check("leak.py", code=1)
    done = cli("backtest", "leak.py", *BARS, "--report", "leak.html")
    lines = done.out.splitlines()
    (said,) = [line for line in lines if line.startswith("FAILED ")]
    assert "FAILED the look-ahead check on " in said
    assert "tomorrow, bar " in said
    (verdict,) = [line for line in lines if line.startswith("verdict ")]
    assert verdict.startswith("verdict  This code FAILED the look-ahead check on ")
    assert "confidence" not in verdict
    report = Path("leak.html").read_text()
    assert '<li class="failed" role="alert">FAILED the look-ahead check on ' in report
    assert '<li class="failed" role="alert">Too good to be true: a Sharpe ratio of ' in report
    harmless = run("backtest", "leak.py", "--param", "ahead=0")
    assert harmless["look_ahead"]["state"] == "failed", "the code is known to leak, whatever its parameters"


def test_a_failing_later_check_of_the_same_code_takes_the_pass_away() -> None:
    check("leak.py", "--param", "ahead=0")
    assert state("backtest", "leak.py", "--param", "ahead=0") == "passed"
    assert state("backtest", "leak.py") == "other_parameters"
    check("leak.py", code=1)
    assert state("backtest", "leak.py", "--param", "ahead=0") == "failed"
    check("leak.py", "--param", "ahead=0")
    assert state("backtest", "leak.py", "--param", "ahead=0") == "failed"


@pytest.mark.parametrize("command", STUDIES)
def test_every_command_and_its_report_say_it(command: str) -> None:
    options = STUDIES[command]
    done = cli(command, "idea.py", *BARS, *options, "--report", "out.html")
    assert done.code == 0, done.err
    assert f"check    {NEVER} idea.py" in done.out
    assert "verdict  This code was never checked for look-ahead" in done.out
    assert "Never checked for look-ahead: run `gpt-trader check idea.py" in page("out.html")
    check("idea.py", "--param", "bars_back=10")
    check("idea.py")
    assert state(command, "idea.py", *options) == "passed"
    done = cli(command, "idea.py", *BARS, *options, "--report", "out.html")
    assert "check    passed the look-ahead check on " in done.out
    text = page("out.html")
    assert "Passed the look-ahead check on " in text
    assert "never checked" not in text.lower()
    shown = cli("runs", "show", "last", "--json").json
    assert shown["look_ahead"]["state"] == "passed"
    assert "check    passed the look-ahead check on " in cli("runs", "show", "last").out


def test_a_sweep_says_how_many_points_are_too_good() -> None:
    found = run("sweep", "leak.py", "--param", "ahead=0:2:1")
    assert found["too_good"] >= 1
    assert found["best"]["parameters"] == {"ahead": 1}
    assert found["look_ahead"]["text"].endswith("run `gpt-trader check leak.py`")
    assert found["verdict"].startswith("Too good to be true: ")
    assert found["warnings"][-1] == f"too good to be true: {found['too_good']} of 3 points, by their metrics"
    done = cli("sweep", "leak.py", *BARS, "--param", "ahead=0:2:1", "--report", "out.html")
    assert "note     too good to be true: a Sharpe ratio of " in done.out
    assert f"{found['too_good']} of 3 points" in page("out.html")
    assert "fills at an open" in page("out.html"), "the report runs the best point, so it knows its fills"


def test_a_comparison_says_it_of_each_side() -> None:
    check("idea.py")
    done = cli("compare", "idea.py", "leak.py", "demo_ma", *BARS, "--replicates", 40, "--report", "out.html")
    assert done.code == 0, done.err
    assert "check    idea: passed the look-ahead check on " in done.out
    assert "check    leak: never checked for look-ahead: run `gpt-trader check leak.py`" in done.out
    assert "check    demo_ma: passed the look-ahead check, which the tests of GPT-Trader run" in done.out
    assert "note     leak: too good to be true: " in done.out
    text = page("out.html")
    assert "Leak: never checked for look-ahead" in text
    assert cli("runs", "show", "last", "--json").json["look_ahead"]["state"] == "never_checked"
    sides = run("compare", "idea.py", "leak.py", "--replicates", 40)["strategies"]
    assert [side["look_ahead"]["state"] for side in sides] == ["passed", "never_checked"]
    assert [bool(side["warnings"]) for side in sides] == [False, True]


def test_a_stored_run_says_what_is_known_by_now() -> None:
    run()
    assert cli("runs", "show", "last", "--json").json["look_ahead"]["state"] == "never_checked"
    check("idea.py")
    assert cli("runs", "show", "last", "--json").json["look_ahead"]["state"] == "passed"
    assert "check    passed the look-ahead check on " in cli("report").out
    assert cli("report", "--json").json["look_ahead"]["state"] == "passed"
    run("backtest", "leak.py")
    stored = cli("report", "--out", "later.html", "--json").json
    assert stored["statistics"]["verdict"].startswith("Too good to be true: ")
    assert "Too good to be true" in page("later.html")
    assert "note: too good to be true: a Sharpe ratio of " in cli("runs", "show", "last").out


def test_the_shipped_strategies_are_known_to_have_passed() -> None:
    done = cli("backtest", "demo_ma", *BARS)
    assert "check    passed the look-ahead check, which the tests of GPT-Trader run" in done.out
    assert state("backtest", "demo_ma", "--param", "fast=5") == "passed"


def test_reading_commands_make_no_store_and_a_check_does() -> None:
    cli("runs", "show", "last")
    cli("report")
    assert not Path(".gpt-trader").exists()
    check("idea.py")
    assert Path(".gpt-trader/store.sqlite").is_file()


def test_a_check_in_another_store_is_not_known() -> None:
    check("idea.py", "--store", "sqlite:///other.sqlite")
    assert state() == "never_checked"
    assert state("backtest", "idea.py", "--store", "sqlite:///other.sqlite") == "passed"


def test_a_store_that_refuses_does_not_spoil_the_check() -> None:
    Path("broken.sqlite").write_text("this is no database, and long enough to be seen as none" * 40)
    done = cli("check", "idea.py", "--samples", 8, "--store", "sqlite:///broken.sqlite", "--json")
    assert done.code == 0
    assert json.loads(done.out)["ok"] is True
    assert "runs of this code will not know of this check" in done.err
