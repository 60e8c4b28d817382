"""`backtest --profile FILE`: several strategies in one account, as a file says; what a file says wrong is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.command import cli

TWO = """
[market]
symbols = ["AAPL", "IBM"]
start = "2008-01-02"
end = "2011-12-30"

[backtest]
capital = 50000

[[strategy]]
use = "demo_ma"
budget = 0.6
parameters = { fast = 5 }
exits = { stop_loss = 0.05, scale_out = [[0.1, 0.5]], atr_stop = { k = 3.0, n = 14 } }

[[strategy]]
use = "trend_breakout"
name = "breakouts"
symbols = ["AAPL"]
allocation = { gross = 1.0 }
"""
OWN = """
from dataclasses import dataclass
from gpt_trader import Strategy

@dataclass(frozen=True)
class Half(Strategy):
    def decide(self, now):
        return 0.5 * (now.close > 0)
"""


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "two.toml"
    path.write_text(TWO)
    return path


def test_the_account_and_what_each_strategy_earned(profile: Path) -> None:
    done = cli("backtest", "--profile", profile)
    assert (done.code, done.err) == (0, "")
    for words in (
        "demo_ma + breakouts",
        "AAPL, IBM, 2008-01-02 to 2011-12-30",
        "sleeve",
        "30,000.00",
        "20,000.00",
    ):
        assert words in done.out, words


def test_json_adds_up_and_options_win_over_the_file(profile: Path) -> None:
    run = cli("backtest", "--profile", profile, "--json").json
    assert [row["sleeve"] for row in run["sleeves"]] == ["demo_ma", "breakouts"]
    profit = run["metrics"]["final_equity"] - 50_000
    assert sum(row["pnl"] for row in run["sleeves"]) == pytest.approx(profit, abs=0.004)
    assert set(run["crossed"]) == {"AAPL", "IBM"}
    other = cli(
        "backtest",
        "--profile",
        profile,
        "--json",
        "--capital",
        "70000",
        "--symbols",
        "AAPL",
        "--cost-bps",
        "50",
    ).json
    assert other["symbols"] == ["AAPL"]
    assert sum(row["capital"] for row in other["sleeves"]) == 70_000
    assert other["run_id"] != run["run_id"]


def test_the_run_is_kept_counted_and_reported(profile: Path, tmp_path: Path) -> None:
    page = tmp_path / "account.html"
    run = cli("backtest", "--profile", profile, "--json", "--report", page).json
    for words in ("demo_ma + breakouts", "Strategies of the account", "30,000"):
        assert words in page.read_text(), words
    again = cli("backtest", "--profile", profile, "--json").json
    assert again["run_id"] == run["run_id"]
    assert again["statistics"]["trials"] == run["statistics"]["trials"] == 1
    assert cli("runs", "show", run["run_id"]).code == 0
    assert cli("report", run["run_id"]).code == 0


def test_a_strategy_of_a_file_is_found_beside_the_profile(tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text(OWN)
    (tmp_path / "p.toml").write_text('[[strategy]]\nuse = "half.py"\nbudget = 0.5\n')
    run = cli("backtest", "--profile", tmp_path / "p.toml", "--json").json
    assert [row["sleeve"] for row in run["sleeves"]] == ["half", "cash"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no strategy"),
        ("x = [", "no valid TOML"),
        ("[[strategy]]\nbudget = 1.0", "say which it is"),
        ('[[strategy]]\nuse = "demo_maa"', "Did you mean 'demo_ma'"),
        ('[[strategy]]\nuse = "demo_ma"\nbudgett = 0.5', "Did you mean 'budget'"),
        ('[[strategy]]\nuse = "demo_ma"\nbudget = 1.5', "at most 1"),
        ('[[strategy]]\nuse = "demo_ma"\nbudget = "half"', "give a share of the capital"),
        ('[[strategy]]\nuse = "demo_ma"\nbudget = 1.0\n[[strategy]]\nuse = "momentum"', "leave nothing"),
        ('[[strategy]]\nuse = "demo_ma"\nparameters = { fest = 3 }', "Did you mean 'fast'"),
        ('[[strategy]]\nuse = "demo_ma"\nparameters = { fast = 0 }', "fast"),
        ('[[strategy]]\nuse = "demo_ma"\nexits = { stoploss = 3 }', "Did you mean 'stop_loss'"),
        ('[[strategy]]\nuse = "demo_ma"\nexits = { take_profit = "x" }', "cannot be read"),
        ('[[strategy]]\nuse = "demo_ma"\nexits = { scale_out = 3 }', "write scale_out = [[0.05, 0.3]"),
        ('[[strategy]]\nuse = "demo_ma"\nexits = { trailing_stop = { after = 0.1 } }', "{ fraction = 0.1, after"),
        ('[[strategy]]\nuse = "demo_ma"\nallocation = { gros = 1.0 }', "Did you mean 'gross'"),
        ('[[strategy]]\nuse = "demo_ma"\nallocation = { gross = "x" }', "gross"),
        ('[[strategy]]\nuse = "demo_ma"\nallocation = { max_positions = 2.5 }', "max_positions"),
        ('[[strategy]]\nuse = "demo_ma"\nsymbols = "AAPL"', "a list of names"),
        ('[[strategy]]\nuse = "demo_ma"\n[[strategy]]\nuse = "demo_ma"', "two sleeves are called"),
        ('[market]\nsymbols = "AAPL"\n[[strategy]]\nuse = "demo_ma"', "market.symbols"),
        ('[market]\nsymbol = ["AAPL"]\n[[strategy]]\nuse = "demo_ma"', "Did you mean 'symbols'"),
        ('[costs]\nbps = "x"\n[[strategy]]\nuse = "demo_ma"', "give a number"),
        ('[costs]\nbpss = 5\n[[strategy]]\nuse = "demo_ma"', "Did you mean 'costs.bps'"),
        ('[backtest]\ncapital = -1\n[[strategy]]\nuse = "demo_ma"', "section backtest, set in"),
        ('[risk]\nprofile = "brave"\n[[strategy]]\nuse = "demo_ma"', "brave"),
        ('[fills]\ndelay = "none"\n[[strategy]]\nuse = "demo_ma"', "give a number"),
        ('[[strategy]]\nuse = "demo_ma"\nname = 5', 'such as name = "slow"'),
        ('[[strategy]]\nuse = "demo_ma"\nname = ["a"]', 'such as name = "slow"'),
        ('[[strategy]]\nuse = "demo_ma"\nname = "cash"', "give the sleeve another name"),
        ('[[strategy]]\nuse = "demo_ma"\nbudget = 1' + 400 * "0", "give a share of the capital"),
        ('[secrets]\nalpaca_key_id = "k"\n[[strategy]]\nuse = "demo_ma"', "holds no secrets"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_profile_is_named(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    done = cli("backtest", "--profile", path)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert "wrong.toml" in done.err or "sleeve" in done.err
    assert "set in flag" not in done.err
    assert "fault of GPT-Trader" not in done.err


def test_none_switches_a_limit_off_as_in_the_configuration_file(profile: Path, tmp_path: Path) -> None:
    rules = '[fills]\nvolume_cap = "none"\n[risk]\nprofile = "moderate"\ndrawdown = "none"\n'
    profile.write_bytes(b"\xef\xbb\xbf" + (rules + TWO).encode())  # an editor's byte order mark is no mistake
    done = cli("backtest", "--profile", profile, "--runs-dir", tmp_path, "--json")
    assert done.code == 0, done.err
    (manifest,) = tmp_path.glob("*/manifest.json")
    said = json.loads(manifest.read_text())
    assert said["fills"]["volume_cap"] is None
    assert (said["risk"]["drawdown"], said["risk"]["gross"]) == (None, 0.95)


def test_a_profile_stands_for_the_strategy(profile: Path, tmp_path: Path) -> None:
    for extra in (
        ["momentum"],
        ["--strategy", "momentum"],
        ["-p", "fast=3"],
        ["--intervals", "5"],
        ["--stop-loss", "0.1"],
    ):
        done = cli("backtest", *extra, "--profile", profile)
        assert done.code == 2, extra
    missing = cli("backtest", "--profile", tmp_path / "none.toml")
    assert missing.code == 2
    assert "does not exist" in missing.err
    other = cli("sweep", "demo_ma", "-p", "fast=3,5", "--profile", profile)
    assert other.code == 2
    assert "only gpt-trader backtest" in other.err
