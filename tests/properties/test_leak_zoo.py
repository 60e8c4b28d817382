"""The look-ahead check finds every planted leak, by name and line, and raises no alarm on an honest strategy."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt_trader import Bars, Strategy, param, ta
from gpt_trader.check import check_strategy
from gpt_trader.errors import BadParameter, BadRange
from gpt_trader.strategies import SHIPPED, load_strategy
from tests.markets import random_market
from tests.properties import leak_zoo


@pytest.mark.parametrize(
    ("leaky", "subject"), leak_zoo.ZOO.items(), ids=lambda item: getattr(item, "__name__", item)
)
def test_every_planted_leak_is_found_and_named(leaky: type[Strategy], subject: str) -> None:
    report = check_strategy(leaky(), random_market(320, 4, seed=5), samples=24)
    assert not report.causal
    named = {finding.subject: finding for finding in report.findings if finding.test == "causal"}
    assert subject in named
    lines, start = inspect.getsourcelines(leaky)
    assert start <= named[subject].line < start + len(lines)
    if subject != "decide":
        assert f'"{subject}"' in lines[named[subject].line - start]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("symbols", [1, 5])
def test_no_alarm_on_a_shipped_strategy(name: str, symbols: int) -> None:
    market = random_market(700, symbols, seed=7, gaps=0.01, splits=True)
    report = check_strategy(load_strategy(name)(), market, samples=24)
    assert report.ok, report.findings
    assert report.warmup is not None


@dataclass(frozen=True)
class Held(Strategy):
    trail: float = param(0.05)

    def features(self, bars: Bars) -> Any:
        return {"fast": ta.sma(bars.close, 5), "slow": ta.sma(bars.close, 20)}

    def decide(self, now: Any, held: Any) -> Any:
        return np.where((now.fast > now.slow) & ~(now.close < held.peak * (1 - self.trail)), 1.0, 0.0)


def test_no_alarm_on_a_rule_that_reads_what_it_holds() -> None:
    assert check_strategy(Held(), random_market(400, 3, seed=2), samples=24).ok


@dataclass(frozen=True)
class SinceTheBeginning(Strategy):
    """Causal, but its value depends on where the data begin: different live and in a backtest."""

    def features(self, bars: Bars) -> Any:
        return {"total": np.cumsum(bars.volume, axis=0)}

    def decide(self, now: Any) -> Any:
        return np.where(now.total > 1e8, 1.0, 0.0)


def test_a_feature_that_depends_on_the_first_bar_is_a_warning() -> None:
    report = check_strategy(SinceTheBeginning(), random_market(400, 2, seed=3), samples=24)
    assert report.ok
    assert report.state("warm-up") == "warning"
    assert [item.subject for item in report.warnings] == ["total"]


@dataclass(frozen=True)
class TooShortWarmUp(Strategy):
    warmup = 10

    def features(self, bars: Bars) -> Any:
        return {"slow": ta.sma(bars.close, 50)}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.slow, 1.0, 0.0)


def test_a_declared_warm_up_that_is_too_short_is_named() -> None:
    report = check_strategy(TooShortWarmUp(), random_market(400, 1, seed=3), samples=24)
    assert [finding.test for finding in report.findings] == ["warm-up"]


def test_too_few_bars_are_refused() -> None:
    with pytest.raises(BadRange, match="at least"):
        check_strategy(Held(), random_market(40, 1))


@dataclass(frozen=True)
class OnlyOnLongData(Strategy):
    """A feature that a short history does not get."""

    needed: int = param(70)

    def features(self, bars: Bars) -> Any:
        late = {"late": bars.close} if self.needed < bars.T else {}
        return {"rose": bars.close > bars.open} | late

    def decide(self, now: Any) -> Any:
        return 0.3 * now.rose


def test_a_feature_that_needs_some_history_is_a_warning_unless_the_warm_up_covers_it() -> None:
    bars = random_market(300, 2, seed=4)
    report = check_strategy(OnlyOnLongData(), bars, samples=299)
    assert (report.ok, report.warnings, report.warmup) == (True, (), 128)
    report = check_strategy(OnlyOnLongData(140), bars, samples=299)
    assert report.ok
    assert {(item.test, item.subject, item.bar) for item in report.warnings if item.test == "causal"} == {
        ("causal", "late", 139)
    }
    assert "vanishes" in report.warnings[0].message


@dataclass(frozen=True)
class OnlyInTheMiddle(Strategy):
    """A feature that comes and goes with the number of bars."""

    def features(self, bars: Bars) -> Any:
        return {"rose": bars.close > bars.open} | ({} if 100 < bars.T < 120 else {"odd": bars.close})

    def decide(self, now: Any) -> Any:
        return 0.3 * now.rose


def test_a_feature_that_comes_and_goes_is_a_fault() -> None:
    report = check_strategy(OnlyInTheMiddle(), random_market(300, 2, seed=4), samples=299)
    assert {(item.test, item.subject) for item in report.findings} == {("causal", "odd")}


@dataclass(frozen=True)
class Dice(Strategy):
    """Decides by chance."""

    seeded: bool = param(False)

    def decide(self, now: Any) -> Any:
        rng = np.random.default_rng(1 if self.seeded else None)
        return np.where(rng.random(np.shape(now.close)) < 0.5, 0.3, 0.0)


def test_a_rule_of_chance_is_called_random_and_nothing_else_is_claimed() -> None:
    report = check_strategy(Dice(), random_market(120, 2, seed=4))
    assert [(item.test, item.subject) for item in report.findings] == [("repeat", "decide")]
    assert "is random" in report.findings[0].message
    assert {report.state(test) for test in ("causal", "rows", "warm-up")} == {"not applicable"}


_RUNS: list[int] = []


@dataclass(frozen=True)
class Counts(Strategy):
    """Keeps something in its module that changes the next run."""

    def features(self, bars: Bars) -> Any:
        _RUNS.append(1)
        return {"runs": np.full(bars.close.shape, float(len(_RUNS)))}

    def decide(self, now: Any) -> Any:
        return 0.1 * np.minimum(now.runs, 3)


def test_a_rule_that_remembers_other_runs_is_named() -> None:
    report = check_strategy(Counts(), random_market(120, 2, seed=4))
    assert {item.test for item in report.findings} == {"repeat"}
    assert "keeps something between runs" in report.findings[0].message


@dataclass(frozen=True)
class PeekOnce(Strategy):
    """Looks at the next bar of one symbol, once in 500 bars."""

    def features(self, bars: Bars) -> Any:
        ahead = np.zeros(bars.close.shape)
        ahead[250:-1:500, 3] = bars.close[251::500, 3] > bars.close[250:-1:500, 3]
        return {"mean": ta.sma(bars.close, 10), "ahead": ahead}

    def decide(self, now: Any) -> Any:
        return np.where(now.ahead > 0, 0.2, np.where(now.close > now.mean, 0.1, 0.0))


def test_a_leak_of_one_symbol_that_acts_once_in_500_bars_is_found() -> None:
    bars = random_market(1500, 5, seed=6)
    for samples in (None, bars.T):
        report = check_strategy(PeekOnce(), bars, samples)
        assert "ahead" in {item.subject for item in report.findings}


def test_proofs_that_do_not_run_say_so() -> None:
    report = check_strategy(Held(), random_market(120, 2, seed=2), samples=8)
    assert report.state("rows") == "not applicable"
    assert report.rows
    assert report.ok


def test_a_check_of_all_bars_tries_them_all_and_tells_its_progress() -> None:
    heard: list[tuple[int, int]] = []
    bars = random_market(100, 2, seed=4)
    report = check_strategy(
        OnlyOnLongData(), bars, bars.T, on_progress=lambda done, total: heard.append((done, total))
    )
    assert report.samples == bars.T - 1
    assert heard[-1] == (99, 99)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)


def test_an_allowed_file_is_a_note(tmp_path: Path) -> None:
    path = tmp_path / "levels.csv"
    path.write_text("50")

    @dataclass(frozen=True)
    class Levels(Strategy):
        def features(self, bars: Bars) -> Any:
            return {"level": np.full(bars.close.shape, float(path.read_text()))}

        def decide(self, now: Any) -> Any:
            return np.where(now.close > now.level, 0.2, 0.0)

    bars = random_market(100, 2, seed=4)
    refused = check_strategy(Levels(), bars, samples=4)
    assert [(item.test, item.subject) for item in refused.findings] == [("causal", "features")]
    assert "levels.csv" in refused.findings[0].message
    accepted = check_strategy(Levels(), bars, samples=4, allowed=(str(path),))
    assert accepted.ok
    assert "levels.csv" in accepted.warnings[0].message


@dataclass(frozen=True)
class Moods(Strategy):
    """A feature of words; `ahead` bars of the future decide them."""

    ahead: int = param(0, low=0, high=1)

    def features(self, bars: Bars) -> Any:
        return {"mood": np.where(np.roll(bars.close, -self.ahead, axis=0) > bars.open, "up", "down")}

    def decide(self, now: Any) -> Any:
        return np.where(now.mood == "up", 0.3, 0.0)


def test_a_feature_of_words_is_proved_like_one_of_numbers() -> None:
    assert check_strategy(Moods(), random_market(300, 2, seed=4), samples=24).ok
    report = check_strategy(Moods(1), random_market(300, 2, seed=4), samples=24)
    found = {item.subject: item for item in report.findings if item.test == "causal"}
    assert {found["mood"].expected, found["mood"].got} == {"up", "down"}


def test_a_class_is_not_checked() -> None:
    with pytest.raises(BadParameter, match="check_strategy needs a strategy instance"):
        check_strategy(OnlyOnLongData, random_market(75))  # type: ignore[arg-type]


_OTHER_BARS = random_market(100, 2, seed=4)
_FRIDAYS = np.arange(10)


def _outside() -> Any:
    return _OTHER_BARS.close


@dataclass(frozen=True)
class ReadsAGlobal(Strategy):
    """Means `bars` and writes the name of the whole data of the notebook."""

    def features(self, bars: Bars) -> Any:
        return {"ahead": _outside()[: bars.T] + 0 * bars.close}

    def decide(self, now: Any) -> Any:
        return np.where(now.ahead > now.close, 0.2, 0.0)


def test_bars_of_the_module_are_a_fault_and_short_constants_are_not() -> None:
    report = check_strategy(ReadsAGlobal(), random_market(100, 2, seed=4), samples=4)
    assert "_OTHER_BARS" in report.findings[0].message
    ahead = np.arange(100.0)

    @dataclass(frozen=True)
    class Closes(Strategy):
        def features(self, bars: Bars) -> Any:
            return {"day": np.isin(np.arange(bars.T), _FRIDAYS).astype(float), "ahead": ahead[: bars.T]}

        def decide(self, now: Any) -> Any:
            return 0.1 * now.day

    report = check_strategy(Closes(), random_market(100, 2, seed=4), samples=4)
    assert [item.message.split(" (")[0] for item in report.findings] == ["uses ahead"]


@dataclass(frozen=True)
class WritesAhead(Strategy):
    """Keeps an array over time in which it notes what it will do next; nothing in it is from the future."""

    def features(self, bars: Bars) -> Any:
        object.__setattr__(self, "plan", np.zeros(bars.T))
        object.__setattr__(self, "bar", 0)
        return {"mean": ta.sma(bars.close, 5)}

    def decide(self, now: Any, held: Any) -> Any:
        today = self.plan[self.bar]  # type: ignore[attr-defined]
        if self.bar + 1 < len(self.plan):  # type: ignore[attr-defined]
            self.plan[self.bar + 1] = 0.3 * float(now.close[0] > now.mean[0])  # type: ignore[attr-defined]
        object.__setattr__(self, "bar", self.bar + 1)  # type: ignore[attr-defined]
        return np.full(now.close.shape, today)


def test_what_a_strategy_writes_ahead_for_itself_is_no_leak() -> None:
    assert check_strategy(WritesAhead(), random_market(150, 2, seed=4), samples=12).ok


def test_a_script_that_checks_itself_is_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checks_itself.py"
    path.write_text(
        "from dataclasses import dataclass\n"
        "import numpy as np\n"
        "from gpt_trader import Strategy, check_strategy, load_bars\n"
        "@dataclass(frozen=True)\n"
        "class Follows(Strategy):\n"
        "    def decide(self, now):\n"
        "        return np.where(now.close > now.open, 0.3, 0.0)\n"
        "bars = load_bars('AAPL', start='2010-01-01', end='2010-12-31')\n"
        "report = check_strategy(Follows(), bars, samples=4)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("checks_itself")
    assert (module.report.ok, module.report.samples) == (True, 4)
    assert "when it is imported" in module.report.warnings[0].message
