"""What a reader of the check found wrong in it, each with the input that showed it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt_trader import check_strategy
from gpt_trader.bars import Bars
from gpt_trader.checking.access_monitor import (
    SMALL,
    Access,
    may_hold_prices,
    recorded_accesses,
    within_method,
)
from gpt_trader.checking.alternative_futures import Futures
from gpt_trader.checking.carried_tables import carried_tables
from gpt_trader.checking.isolation import Processes
from gpt_trader.checking.replayed_decisions import bars_that_differ
from gpt_trader.errors import StrategyError, UnknownName
from gpt_trader.look_ahead import known_here
from gpt_trader.source_lines import source_line
from gpt_trader.strategies import load_strategy
from gpt_trader.strategy import Strategy
from tests.markets import random_market

pytestmark = pytest.mark.slow

HEAD = """
from dataclasses import dataclass
import numpy as np
from gpt_trader import Strategy, ta
"""


def written(folder: Path, text: str) -> Strategy:
    """The strategy of a file."""
    path = folder / "idea.py"
    path.write_text(HEAD + text)
    return load_strategy(str(path))()


def test_a_reader_that_was_imported_by_its_name_is_heard(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow.parquet")
    idea = written(
        tmp_path,
        f"""
from pyarrow.parquet import read_table
import pyarrow as pa, pyarrow.parquet as pq
if not __import__("os").path.exists(r"{tmp_path}/future.parquet"):
    pq.write_table(pa.table({{"a": np.arange(500.0)}}), r"{tmp_path}/future.parquet")

@dataclass(frozen=True)
class Idea(Strategy):
    def features(self, bars):
        table = read_table(r"{tmp_path}/future.parquet")
        return {{"a": np.repeat(table["a"].to_numpy()[: bars.T, None], bars.N, axis=1)}}

    def decide(self, now):
        return np.where(now.a > 100, 1.0, 0.0)
""",
    )
    before = vars(sys.modules[type(idea).__module__])["read_table"]
    report = check_strategy(idea, random_market(120, 2, seed=1), samples=8)
    assert any("future.parquet" in item.message for item in report.findings)
    assert vars(sys.modules[type(idea).__module__])["read_table"] is before


def test_an_attribute_is_not_the_global_of_its_name(tmp_path: Path) -> None:
    idea = written(
        tmp_path,
        """
@dataclass(frozen=True)
class Idea(Strategy):
    def features(self, bars):
        return {"mean": ta.sma(bars.close, 5)}

    def decide(self, now):
        return np.where(now.close > now.mean, 1.0, 0.0)

close = np.arange(500.0)
""",
    )
    assert check_strategy(idea, random_market(120, 2, seed=1), samples=8).ok


def test_a_docstring_in_the_first_column_hides_no_finding(tmp_path: Path) -> None:
    idea = written(
        tmp_path,
        """
@dataclass(frozen=True)
class Idea(Strategy):
    def features(self, bars):
        \"\"\"One.
Two, in the first column.
        \"\"\"
        return {"next": np.roll(bars.close, -1, axis=0)}

    def decide(self, now):
        return np.where(now.next > now.close, 1.0, 0.0)
""",
    )
    report = check_strategy(idea, random_market(120, 2, seed=1), samples=8)
    assert not report.causal
    assert report.findings[0].line > 0


def test_a_line_of_an_inherited_method_is_not_shown_as_one_of_the_file(tmp_path: Path) -> None:
    idea = written(
        tmp_path,
        """
@dataclass(frozen=True)
class Idea(Strategy):
    def decide(self, now):
        return np.where(now.close > 0, 1.0, 0.0)
""",
    )
    assert source_line(type(idea), "features") == 0
    assert source_line(type(idea), "decide") > 0


def test_a_typing_error_in_a_rule_is_told_with_its_hint() -> None:
    @dataclass(frozen=True)
    class Typo(Strategy):
        def features(self, bars: Any) -> Any:
            return {"fast": bars.close}

        def decide(self, now: Any) -> Any:
            return np.where(now.fsat > 1, 1.0, 0.0)

    with pytest.raises((UnknownName, StrategyError), match="fast"):
        check_strategy(Typo(), random_market(120, 2, seed=1), samples=8)


@dataclass(frozen=True)
class Consumes(Strategy):
    """Takes one number a bar from a list that it made of the past alone."""

    queue: list[float] = field(default_factory=list, init=False, compare=False)

    def features(self, bars: Any) -> Any:
        mean = np.cumsum(bars.close[:, 0]) / np.arange(1, bars.T + 1)
        self.queue[:] = mean.tolist()
        return {}

    def decide(self, now: Any, held: Any) -> Any:  # type: ignore[override]
        return np.where(now.close > self.queue.pop(0), 1.0, 0.0)


def test_a_list_that_is_consumed_is_no_fault() -> None:
    assert check_strategy(Consumes(), random_market(120, 1, seed=1), samples=16).ok


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_a_process_that_is_left_behind_holds_nobody_up() -> None:
    def work() -> int:
        child = os.fork()
        if child == 0:
            time.sleep(30)
            os._exit(0)
        return child

    began = time.monotonic()
    left = Processes().run(work)
    assert time.monotonic() - began < 20
    for _ in range(100):
        try:
            os.kill(left, 0)
        except ProcessLookupError:
            break
        state = Path(f"/proc/{left}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("it still runs")


def test_of_a_large_file_only_the_beginning_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert may_hold_prices(Access("reads", str(path), "features"))
    os.mkfifo(tmp_path / "pipe")
    assert may_hold_prices(Access("reads", str(tmp_path / "pipe"), "features"))
    assert SMALL < 1 << 20


def test_a_file_that_the_run_made_is_the_same_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with recorded_accesses() as heard, within_method("features"):
        Path("cache.txt").write_text("1")
        (tmp_path / "cache.txt").read_text()
    assert {item.verb for item in heard} == {"writes"}


def test_a_helper_named_like_a_module_of_a_package_leaves_that_alone(tmp_path: Path) -> None:
    (tmp_path / "bars.py").write_text("LEVEL = 1.0\n")
    (tmp_path / "idea.py").write_text(
        HEAD
        + """
from bars import LEVEL

@dataclass(frozen=True)
class Idea(Strategy):
    def decide(self, now):
        return np.where(now.close > LEVEL, 1.0, 0.0)
"""
    )
    code = """
import sys, gpt_trader.bars
from gpt_trader.checking.access_findings import accesses_of_import
from gpt_trader.strategies import load_strategy
before = sys.modules["gpt_trader.bars"]
accesses_of_import(load_strategy("idea.py"))
assert sys.modules["gpt_trader.bars"] is before
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_without_processes_of_their_own_the_report_says_what_was_not_tried() -> None:
    before, known = sys.modules[Consumes.__module__], len(known_here(load_strategy("demo_ma")))
    report = check_strategy(
        load_strategy("demo_ma")(), random_market(200, 2, seed=1), samples=8, isolated=False
    )
    assert report.ok
    assert any("checked in this process" in item.message for item in report.warnings)
    assert len(known_here(load_strategy("demo_ma"))) == known, "a check that proves less is not remembered"
    assert sys.modules[Consumes.__module__] is before


def test_a_check_within_a_check_is_not_remembered() -> None:
    market, strategy = random_market(120, 1, seed=1), Consumes()
    known = len(known_here(Consumes))
    with within_method("features"):
        check_strategy(strategy, market)
    assert len(known_here(Consumes)) == known


@dataclass(frozen=True)
class Counts(Strategy):
    """Honest: its decisions depend on how often it was asked, and on what features made of the past."""

    def features(self, bars: Any) -> Any:
        object.__setattr__(self, "mean", (np.cumsum(bars.close[:, 0]) / np.arange(1, bars.T + 1)).tolist())
        object.__setattr__(self, "asked", [0])
        return {}

    def decide(self, now: Any, held: Any) -> Any:  # type: ignore[override]
        self.asked[0] += 1
        return np.where(now.close > self.mean[self.asked[0] - 1], 0.2, 0.0)


@dataclass(frozen=True)
class Peeks(Counts):
    """The same, but once in forty bars it looks at the text of the next close."""

    def features(self, bars: Any) -> Any:
        super().features(bars)
        object.__setattr__(self, "text", " ".join(map(str, bars.close[:, 0].tolist())))
        return {}

    def decide(self, now: Any, held: Any) -> Any:  # type: ignore[override]
        weight = super().decide(now, held)
        closes = self.text.split(" ")
        if self.asked[0] % 40 == 0 and self.asked[0] < len(closes):
            return np.where(float(closes[self.asked[0]]) > now.close, 0.5, weight)
        return weight


def test_single_decisions_are_made_again_without_later_bars() -> None:
    market, later = random_market(200, 1, seed=1), time.monotonic() + 60
    assert bars_that_differ(Counts(), market, range(200), later, Processes(2)) == []
    found = bars_that_differ(Peeks(), market, range(200), later, Processes(2))
    assert found
    assert {t % 40 for t in found} == {39}
    assert bars_that_differ(Peeks(), market, range(200), time.monotonic(), Processes(2)) == []


@dataclass(frozen=True)
class PlansAhead(Strategy):
    """Honest: a plan by dates, of which it takes the next rows back after a loss."""

    def features(self, bars: Any) -> Any:
        object.__setattr__(self, "plan", 0.1 + 0.02 * (np.arange(bars.T) % 5)[:, None].repeat(bars.N, axis=1))
        return {"row": np.arange(bars.T, dtype=float)}

    def decide(self, now: Any, held: Any) -> Any:  # type: ignore[override]
        t = int(now.row[0])
        weight = self.plan[t].copy()
        if (now.close < held.entry).any():
            self.plan[t + 1 : t + 6] *= 0.5
        return weight


@dataclass(frozen=True)
class PausesAhead(Strategy):
    """Honest: days on which it may trade, of which it crosses out the next five after a loss."""

    def features(self, bars: Any) -> Any:
        object.__setattr__(self, "may", (np.arange(bars.T) % 3 > 0))
        return {"row": np.arange(bars.T, dtype=float)}

    def decide(self, now: Any, held: Any) -> Any:  # type: ignore[override]
        t = int(now.row[0])
        allowed = bool(self.may[t])
        if (now.close < held.entry).any():
            self.may[t + 1 : t + 6] = False
        return np.full(now.close.shape, 0.3 if allowed else 0.0)


@pytest.mark.parametrize("rule", [PlansAhead(), PausesAhead()], ids=lambda rule: type(rule).__name__)
def test_a_plan_that_is_changed_ahead_is_no_fault(rule: Strategy) -> None:
    assert check_strategy(rule, random_market(200, 2, seed=1), samples=16).ok


@dataclass(frozen=True)
class PlansAheadAndPeeks(PlansAhead):
    """The same plan, but the rows were chosen with the closes to come."""

    def features(self, bars: Any) -> Any:
        found = super().features(bars)
        object.__setattr__(self, "closes", bars.close)
        return found

    def decide(self, now: Any, held: Any) -> Any:  # type: ignore[override]
        weight, t = super().decide(now, held), int(now.row[0])
        return np.where(self.closes[min(t + 1, len(self.closes) - 1)] > now.close, weight, 0.0)


def test_a_peek_beside_a_plan_that_is_changed_ahead_is_found() -> None:
    report = check_strategy(PlansAheadAndPeeks(), random_market(200, 2, seed=1), samples=1)
    assert not report.causal


@dataclass(frozen=True)
class KindOfTheFuture(Strategy):
    """The same numbers are weights or shares, by how the data end."""

    rises: bool = field(default=False, init=False, compare=False)

    @property
    def target_kind(self) -> str:  # type: ignore[override]
        return "weight" if self.rises else "units"

    def features(self, bars: Any) -> Any:
        object.__setattr__(self, "rises", bool(bars.close[-1, 0] > bars.close[0, 0]))
        return {}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > 0, 1.0, 0.0)


def test_what_the_numbers_mean_is_compared_too() -> None:
    report = check_strategy(KindOfTheFuture(), random_market(200, 1, seed=1), samples=64)
    assert {item.subject for item in report.findings} == {"target_kind"}


SHARED = """
import mmap
KEPT = mmap.mmap(-1, 4096)

@dataclass(frozen=True)
class Idea(Strategy):
    def features(self, bars):
        return {"kept": np.full((bars.T, bars.N), float(KEPT[0]))}

    def decide(self, now):
        return np.where(now.kept > 0, 1.0, 0.0)
"""
LISTED = """
import os

@dataclass(frozen=True)
class Idea(Strategy):
    def features(self, bars):
        days = [np.datetime64(name) for name in os.listdir(r"FOLDER/labels")]
        return {"marked": np.isin(bars.time.astype("datetime64[D]"), days)[:, None].repeat(bars.N, axis=1)}

    def decide(self, now):
        return np.where(now.marked, 1.0, 0.0)
"""


@pytest.mark.parametrize(
    ("text", "words"), [(SHARED, "memory that processes share"), (LISTED, "reads the names in")]
)
def test_memory_that_processes_share_and_names_in_folders_are_named(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "labels" / "2001-03-05").mkdir(parents=True)
    idea = written(tmp_path, text.replace("FOLDER", str(tmp_path)))
    found = check_strategy(idea, random_market(120, 2, seed=1), samples=8).findings
    assert any(words in item.message for item in found)


def test_arrays_of_multiprocessing_are_shared_and_others_are_not(tmp_path: Path) -> None:
    text = """
import ctypes, multiprocessing
KIND = ctypes.c_double * 400
OWN = KIND()
KEPT = np.frombuffer(MADE)

@dataclass(frozen=True)
class Idea(Strategy):
    def decide(self, now):
        return np.where(now.close > KEPT[0] + len(OWN) * 0.0, 1.0, 0.0)
"""
    market = random_market(1000, 1, seed=1)
    for made, shared in (("OWN", False), ("multiprocessing.Array('d', 400).get_obj()", True)):
        idea = written(tmp_path, text.replace("MADE", made))
        assert bool(carried_tables(idea, market)) is shared


def test_times_are_no_table_and_an_import_lists_nothing(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text("")
    (tmp_path / "parts" / "one.py").write_text("ONE = 1.0\n")
    idea = written(
        tmp_path,
        """
import pandas as pd
SESSIONS = pd.date_range("2000-01-01", periods=4000)

@dataclass(frozen=True)
class Idea(Strategy):
    def features(self, bars):
        from parts.one import ONE
        known = np.isin(bars.time.astype("datetime64[D]"), SESSIONS.to_numpy().astype("datetime64[D]"))
        return {"known": known[:, None].repeat(bars.N, axis=1) * ONE}

    def decide(self, now):
        return np.where(now.known > 0, 1.0, 0.0)
""",
    )
    report = check_strategy(idea, random_market(120, 2, seed=1), samples=8)
    assert report.ok, report.findings


@dataclass(frozen=True)
class Particular(Strategy):
    """Takes the mean of all closes for what is usual, and refuses short data and prices that jump."""

    def features(self, bars: Any) -> Any:
        if bars.T < 150:
            raise ValueError("needs 150 bars")
        moves = np.abs(np.diff(np.log(bars.close), axis=0))
        if np.nanmax(moves) > 0.25:
            raise ValueError("no prices of shares")
        return {"usual": np.full(bars.close.shape, bars.close[:150].mean())}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.usual, 1.0, 0.0)


def test_where_cuts_and_other_markets_are_refused_real_bars_come_in_another_order() -> None:
    rng = np.random.default_rng(5)
    close = 100.0 * np.exp(rng.normal(0.0, 0.01, (160, 2)).cumsum(axis=0))
    panel = np.stack(
        [
            close,
            close * 1.01,
            close * 0.99,
            close,
            np.full(close.shape, 1e6),
            np.ones(close.shape),
            np.zeros(close.shape),
        ]
    )
    time_ = np.datetime64("2020-01-01", "ns") + np.arange(160) * np.timedelta64(1, "D")
    report = check_strategy(Particular(), Bars(("A", "B"), time_, panel), samples=159)
    assert not report.causal


@pytest.mark.parametrize("t", [0, 50, 118])
def test_bars_in_another_order_keep_the_past_and_every_move(t: int) -> None:
    bars = random_market(120, 3, seed=4)
    other = Futures(bars, 0).shuffled(t)
    assert np.array_equal(other.panel[:, : t + 1], bars.panel[:, : t + 1], equal_nan=True)
    view, again = bars.strategy_view(), other.strategy_view()
    ranges = (view.high / view.low)[t + 1 :], (again.high / again.low)[t + 1 :]
    assert np.allclose(*(np.sort(values, axis=0) for values in ranges), equal_nan=True)
    assert np.array_equal(np.sort(other.volume[t + 1 :], axis=0), np.sort(bars.volume[t + 1 :], axis=0))
    if bars.present.all():
        moves = [np.diff(np.log(each.close[t:]), axis=0) for each in (view, again)]
        assert np.allclose(*(np.sort(values, axis=0) for values in moves))


def test_the_end_that_openmp_gives_to_a_fork_is_explained() -> None:
    pytest.importorskip("numba")
    with pytest.raises(StrategyError, match="NUMBA_THREADING_LAYER=workqueue"):
        Processes().run(lambda: os.kill(os.getpid(), signal.SIGTERM))
