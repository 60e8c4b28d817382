"""Wrong usage: exit code 2 (or 1), one message that names what was wrong and the nearest match, never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.e2e.command import ROOT, cli, one_message, shell

STRATEGIES = {
    "raises.py": "raise RuntimeError('at import')",
    "syntax.py": "def f(:\n",
    "none.py": "x = 1\n",
    "fails.py": "def decide(self, now):\n        return 1 / 0",
    "shape.py": "def decide(self, now):\n        return np.zeros(7)",
    "infinite.py": "def decide(self, now):\n        return np.full_like(now.close, np.inf)",
    "text.py": "def decide(self, now):\n        return 'buy'",
    "feature.py": "def features(self, bars):\n        return {'x': np.zeros(3)}\n    def decide(self, now):\n        return now.x",
    "exit.py": "def decide(self, now):\n        raise SystemExit(0)",
    "exit_import.py": "import sys\nsys.exit(0)\n",
    "bare.py": "def decide(self, now):\n        return 0.0 * now.close\n    fast: int",
    "missing.py": "def decide(self, now):\n        return now.nothing_of_that_name",
}
CLASS = """
from dataclasses import dataclass
import numpy as np
from gpt_trader import Strategy

@dataclass(frozen=True)
class Broken(Strategy):
    \"\"\"Broken on purpose.\"\"\"
    {body}
"""

WRONG = [
    ("backtst", "Did you mean 'backtest'?"),
    ("--versin", "Did you mean '--version'?"),
    ("backtest --capitl 3", "Did you mean '--capital'?"),
    ("backtest --symbls AAPL", "Did you mean '--symbols'?"),
    ("backtest momentun", "Did you mean 'momentum'?"),
    ("backtest --strategy nope", "Known: bollinger, buy_and_hold, demo_ma, mean_reversion, momentum"),
    ("backtest demo_ma --strategy momentum", "two strategies"),
    ("backtest --symbols APPL", "Did you mean 'AAPL'?"),
    ("backtest --symbols ,", "--symbols is empty"),
    ("backtest --symbols AAPL --universe u.csv", "give one of them"),
    ("backtest --start 2010-13-45", "2010-13-45"),
    ("backtest --start yesterday", "is no date"),
    ("backtest --start 2011-01-01 --end 2010-01-01", "start 2011-01-01 lies after end 2010-01-01"),
    ("backtest --start 2030-01-01", "2013-03-01"),
    ("backtest --universe nowhere.csv", "nowhere.csv does not exist"),
    ("backtest --universe empty.csv", "empty.csv"),
    ("backtest --universe headless.csv", "has no column 'symbol' or 'ticker'"),
    ("backtest --path nowhere.csv", "nowhere.csv does not exist"),
    ("backtest --path empty.csv", "empty"),
    ("backtest --path damaged.parquet", "not a readable Parquet file"),
    ("backtest --path notes.md", "neither csv nor parquet"),
    ("backtest --source csv", "needs a path"),
    ("backtest --source yaho", "Did you mean 'yahoo'?"),
    ("backtest --source synthetic", "--symbols"),
    ("backtest --timeframe 2d", "Did you mean '1d'?"),
    ("backtest --timeframe 5m", "daily"),
    ("backtest --adjustment splits", "Did you mean 'split'?"),
    ("backtest --quality lax", "strict"),
    ("backtest --calendar XNYX", "XNYS"),
    ("backtest --param fst=3", "Did you mean 'fast'?"),
    ("backtest --param fast=0", "between 1 and 500"),
    ("backtest --param fast=five", "fast=five: expected int"),
    ("backtest --param fast", "name=value"),
    ("backtest --param fast=3 --param fast=4", "given twice"),
    ("backtest trend_breakout --param exit_mode=stopp", "signal, stop"),
    ("backtest --capital 0", "capital is 0"),
    ("backtest --capital lots", "'lots' is not a number"),
    ("backtest --capital nan", "'nan' is not a finite number"),
    ("backtest --gross -1", "gross is -1"),
    ("backtest --cadence weak", "Did you mean 'week'?"),
    ("backtest --sizing risky", "Did you mean 'risk'?"),
    ("backtest --profile modrate", "Did you mean 'moderate'?"),
    ("backtest --stop-loss 0", "StopLoss"),
    ("backtest --stop-loss 5", "StopLoss: fraction is 5.0"),
    ("backtest --trailing-stop 3", "TrailingStop: fraction is 3.0"),
    ("backtest --limit-drawdown 15", "drawdown is 15.0; it lies between 0 and 1"),
    ("backtest --path HOURS.csv --timeframe 1h --timezone Mars/Base", "unknown time zone 'Mars/Base'"),
    ("backtest --volume-cap 2", "volume_cap is 2"),
    ("backtest --regime SPY", "SPY"),
    ("backtest --seed -1", "--seed"),
    ("backtest --report out.txt", "no HTML file"),
    ("backtest --store mysql://host/x", "mysql"),
    ("backtest --config nowhere.toml", "nowhere.toml does not exist"),
    ("backtest nowhere.py", "nowhere.py does not exist"),
    ("backtest demo_ma extra", "extra"),
    ("data fetsh", "Did you mean 'fetch'?"),
    ("data check nowhere.csv", "nowhere.csv does not exist"),
    ("data check notes.md", "neither csv nor parquet"),
    ("data repair nowhere.csv", "nowhere.csv does not exist"),
    ("strategies show momentun", "Did you mean 'momentum'?"),
    ("strategies new My-Idea", "small letters"),
    ("strategies new class", "cannot name a strategy"),
    ("check momentun", "Did you mean 'momentum'?"),
    ("check demo_ma --end 2000-04-01", "at least 60 bars"),
    ("runs show", "RUN"),
    ("runs show nothing", "unknown run 'nothing'"),
    ("runs show last", "no runs yet"),
    ("runs compare one", "at least two"),
    ("runs list --limit 0", "--limit"),
    ("report nothing", "unknown run 'nothing'"),
    ("report --from 2010-01-01 --out x.txt", "no HTML file"),
    ("config show --config nowhere.toml", "nowhere.toml does not exist"),
]


@pytest.fixture(autouse=True)
def _files() -> None:
    Path("empty.csv").write_text("")
    Path("headless.csv").write_text("name,sector\nApple,Tech\n")
    Path("damaged.parquet").write_bytes(b"PAR1 and then nothing")
    Path("notes.md").write_text("# notes\n")
    Path("PAGE.csv").write_text("<html><body>404 not found</body></html>\n")
    hours = "".join(f"2024-01-02T{hour:02}:00,1,1,1,1,1\n" for hour in range(10, 16))
    Path("HOURS.csv").write_text("time,open,high,low,close,volume\n" + hours)


@pytest.mark.parametrize(("line", "words"), WRONG)
def test_wrong_usage_is_one_message(line: str, words: str) -> None:
    done = cli(*line.split())
    one_message(done, 2)
    assert words in done.err, done.err
    assert not Path("runs").exists()


def test_a_file_that_holds_no_prices_names_the_missing_columns() -> None:
    done = cli("backtest", "--path", "PAGE.csv")
    assert (done.code, done.out) == (2, "")
    assert "PAGE: missing_column: open; expected a column of this name" in done.err


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_broken_strategy_is_one_message_and_exit_code_1(name: str) -> None:
    body = STRATEGIES[name]
    Path(name).write_text(
        CLASS.format(body=body) if body.startswith("def ") and name != "syntax.py" else body
    )
    done = cli("backtest", name, "--start", "2010-01-01", "--end", "2010-12-31")
    one_message(done, 1 if name != "missing.py" else done.code)
    assert done.code in (1, 2)
    assert "fault of GPT-Trader" not in done.err
    if name == "fails.py":
        assert "ZeroDivisionError" in done.err
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        ("2020-01-02,1,2,0.5,1.5,10\n2020-01-02,1,2,0.5,1.5,10\n", "duplicate_time"),
        ("2020-01-03,1,2,0.5,1.5,10\n2020-01-02,1,2,0.5,1.5,10\n", "unsorted"),
        ("2020-01-02,1,2,0.5,,10\n2020-01-03,1,2,0.5,1.5,10\n", "nan_price"),
        ("2020-01-02,0,2,0,1.5,10\n2020-01-03,1,2,0.5,1.5,10\n", "zero_price"),
        ("2020-01-02,-1,2,-2,1.5,10\n2020-01-03,1,2,0.5,1.5,10\n", "negative_price"),
        ("2020-01-02,1,inf,0.5,1.5,10\n2020-01-03,1,2,0.5,1.5,10\n", "infinite_price"),
        ("2020-01-02,1,0.5,2,1.5,10\n2020-01-03,1,2,0.5,1.5,10\n", "high_below_low"),
        ("2020-01-02,1,2,0.5,1.5,-10\n2020-01-03,1,2,0.5,1.5,10\n", "bad_volume"),
        ("someday,1,2,0.5,1.5,10\n2020-01-03,1,2,0.5,1.5,10\n", "unparsable_time"),
    ],
)
def test_bad_prices_are_refused_with_row_and_rule_and_can_be_repaired(rows: str, rule: str) -> None:
    more = "".join(f"2020-02-{day:02d},1,2,0.5,1.5,10\n" for day in range(3, 28))
    Path("X.csv").write_text("date,open,high,low,close,volume\n" + rows + more)
    done = cli("backtest", "buy_and_hold", "--path", "X.csv")
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert rule in done.err
    assert "row" in done.err
    mended = cli("backtest", "buy_and_hold", "--path", "X.csv", "--quality", "repair", "--json")
    assert mended.code == 0, mended.err
    assert any(" made; the first: " in warning for warning in mended.json["warnings"])


def test_one_bar_of_history_is_refused() -> None:
    Path("X.csv").write_text("date,open,high,low,close,volume\n2020-01-02,1,2,0.5,1.5,10\n")
    assert "only one bar" in one_message(cli("backtest", "demo_ma", "--path", "X.csv"), 2)


def test_debug_shows_the_traceback() -> None:
    done = cli("backtest", "--symbols", "APPL", "--debug")
    assert done.code == 2
    assert "Traceback" in done.err
    assert "error: unknown symbol" in done.err


def test_a_mistake_leaves_its_message_on_standard_error_even_with_quiet_and_json() -> None:
    for flag in ("--quiet", "--json"):
        one_message(cli("backtest", "--symbols", "APPL", flag), 2)


def test_a_real_process_ends_with_the_exit_code(tmp_path: Path) -> None:
    done = shell("backtest", "--strategy", "nope", cwd=tmp_path)
    assert done.code == 2
    assert done.out == ""
    assert "Traceback" not in done.err
    assert shell("data", cwd=tmp_path).code == 2


@pytest.mark.parametrize("command", ["strategies list", "backtest demo_ma --symbols AAPL --no-save"])
def test_a_reader_that_stops_reading_is_no_error(command: str) -> None:
    line = f"{sys.executable} -m jobs.cli {command} | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""


WAITING = """
import pathlib, time
from dataclasses import dataclass
from gpt_trader import Strategy

@dataclass(frozen=True)
class Waiting(Strategy):
    \"\"\"Tells that it runs, then takes its time.\"\"\"
    def features(self, bars):
        pathlib.Path("running").touch()
        time.sleep(60)
        return {}
    def decide(self, now):
        return now.close * 0
"""


def test_control_c_ends_with_130_and_leaves_the_store_whole(tmp_path: Path) -> None:
    assert shell("backtest", "--quiet", "--start", "2012-01-01", cwd=tmp_path).code == 0
    (tmp_path / "waiting.py").write_text(WAITING)
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", "backtest", "waiting.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A runner in the background hands down an ignored Ctrl-C; a user's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (tmp_path / "running").exists():
        assert process.poll() is None, process.communicate()
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
    assert out == ""
    listed = shell("runs", "list", "--json", cwd=tmp_path)
    assert len(listed.json["runs"]) == 1
    assert shell("doctor", "--json", cwd=tmp_path).code == 0


def test_control_c_while_the_modules_load_ends_in_silence(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = subprocess.run(
        [sys.executable, "-c", "from jobs.start import main; main()", "strategies"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_the_installed_command_begins_there() -> None:
    (found,) = [
        entry for entry in metadata.entry_points(group="console_scripts") if entry.name == "gpt-trader"
    ]
    assert found.value == "jobs.start:main"
