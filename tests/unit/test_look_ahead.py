"""What follows from the checks on record: the one state of a code with its parameters, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from gpt_trader import Bars, Strategy, backtest, check_strategy, load_bars, param, sweep
from gpt_trader.check_records import CheckOutcome, CheckRecord, plain, record_of
from gpt_trader.checking.check_report import CHECK_VERSION
from gpt_trader.look_ahead import LookAhead, LookAheadState, judged, worst
from gpt_trader.strategies import load_strategy
from gpt_trader.validation.summary import trial_statistics

DAY = datetime.fromisoformat("2026-11-30 12:00")
PARAMETERS = {"fast": 10, "share": 0.5, "when": ["a", 1]}
PASS = CheckRecord(
    code="c",
    strategy="mine",
    parameters=PARAMETERS,
    version=CHECK_VERSION,
    outcome=CheckOutcome.PASSED,
    data="d",
    bars=100,
    samples=99,
    checked_at=DAY,
)
FAIL = replace(
    PASS, outcome=CheckOutcome.FAILED, finding="tomorrow, bar 7: it moves", checked_at=DAY + timedelta(days=1)
)
LATER = DAY + timedelta(days=2)


def state(*checks: CheckRecord, parameters: dict[str, Any] | None = PARAMETERS) -> LookAheadState:
    return judged(checks, parameters).state


def test_code_without_a_check_was_never_checked() -> None:
    found = judged((), PARAMETERS, "gpt-trader check mine.py")
    assert found.state is LookAheadState.NEVER
    assert found.text == "never checked for look-ahead: run `gpt-trader check mine.py`"
    assert found.as_object() == {
        "state": "never_checked", "text": found.text, "checked_at": None, "version": None, "parameters": None,
        "finding": None, "symbols": None, "timeframe": None, "start": None, "end": None, "bars": None, "samples": None,
    }  # fmt: skip


def test_a_pass_with_the_same_parameters_is_a_pass() -> None:
    found = judged([PASS], {"when": ("a", 1), "share": 0.5, "fast": 10.0})
    assert found.state is LookAheadState.PASSED
    assert found.text == "passed the look-ahead check on 2026-11-30"
    assert found.doubt == ""
    assert found.as_object()["checked_at"] == DAY
    assert found.as_object()["version"] == CHECK_VERSION


def test_a_pass_with_other_parameters_says_with_which() -> None:
    found = judged([PASS], {**PARAMETERS, "fast": 11})
    assert found.state is LookAheadState.OTHER_PARAMETERS
    assert found.text == (
        "checked for look-ahead on 2026-11-30 with other parameters (fast=10, share=0.5, when=['a', 1])"
    )
    assert state(PASS, parameters=None) is LookAheadState.PASSED


def test_a_pass_of_an_older_check_does_not_count() -> None:
    old = replace(PASS, version=CHECK_VERSION - 1)
    found = judged([old], PARAMETERS)
    assert found.state is LookAheadState.OUTDATED
    assert "passed an older, weaker look-ahead check on 2026-11-30 only: run `" in found.text
    assert found.doubt
    assert state(old, PASS) is LookAheadState.PASSED


def test_a_failure_takes_the_pass_away_and_says_what_was_found() -> None:
    found = judged([PASS, FAIL], PARAMETERS)
    assert found.state is LookAheadState.FAILED
    assert found.text == "FAILED the look-ahead check on 2026-12-01: tomorrow, bar 7: it moves"
    assert found.doubt.startswith("This code FAILED the look-ahead check on 2026-12-01")
    assert state(FAIL, PASS) is LookAheadState.FAILED, "the order of the records does not matter"


def test_a_failure_stands_for_all_parameters_and_outlasts_an_easier_check() -> None:
    assert state(FAIL, parameters={**PARAMETERS, "fast": 99}) is LookAheadState.FAILED
    again = replace(PASS, checked_at=LATER)
    for easier in (
        replace(again, data="other bars"),
        replace(again, samples=98),  # tried other bars
        replace(again, parameters={**PARAMETERS, "fast": 11}),
        replace(again, version=CHECK_VERSION - 1),
        replace(again, checked_at=DAY),
    ):
        assert state(FAIL, easier) is LookAheadState.FAILED, easier
    assert state(FAIL, again) is LookAheadState.PASSED
    assert state(replace(FAIL, code_version="0.0.9"), replace(again, samples=98)) is LookAheadState.FAILED
    mended = replace(FAIL, code_version="0.0.9", samples=20)
    assert state(mended, replace(again, samples=20)) is LookAheadState.PASSED
    assert state(FAIL, again, replace(FAIL, checked_at=LATER + timedelta(days=1))) is LookAheadState.FAILED


def test_what_could_not_be_told_is_neither_a_pass_nor_a_failure() -> None:
    vain = replace(
        PASS, outcome=CheckOutcome.UNPROVED, finding="decide, bar 9: it is random", checked_at=LATER
    )
    found = judged([vain], PARAMETERS)
    assert found.state is LookAheadState.UNPROVED
    assert found.text == "could not be checked for look-ahead on 2026-12-02: decide, bar 9: it is random"
    assert found.doubt == f"This code {found.text}."
    assert state(PASS, vain) is LookAheadState.UNPROVED, "the pass could not be repeated"
    assert state(vain, replace(PASS, checked_at=LATER + timedelta(days=1))) is LookAheadState.PASSED
    assert state(vain, FAIL) is LookAheadState.FAILED
    assert state(PASS, replace(vain, parameters={"fast": 1})) is LookAheadState.PASSED


def test_of_several_runs_the_worst_counts() -> None:
    states = [LookAhead(each) for each in LookAheadState]
    assert worst(states).state is LookAheadState.FAILED
    assert worst(states[1:]).state is LookAheadState.NEVER
    assert worst(reversed(states[4:])).state is LookAheadState.OTHER_PARAMETERS
    assert worst([]).state is LookAheadState.NEVER


# -- from Python -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Honest(Strategy):
    lag: int = param(1, low=0, high=5)

    def features(self, bars: Bars) -> Any:
        return {"before": np.vstack([np.full((self.lag, bars.N), np.nan), bars.close[: bars.T - self.lag]])}

    def decide(self, now: Any) -> Any:
        return np.where(now.close > now.before, 1.0, 0.0)


@dataclass(frozen=True)
class Peeks(Strategy):
    def features(self, bars: Bars) -> Any:
        return {"tomorrow": np.roll(bars.close, -1, axis=0)}

    def decide(self, now: Any) -> Any:
        return np.where(now.tomorrow > now.close, 1.0, 0.0)


@dataclass(frozen=True)
class Random(Strategy):
    def decide(self, now: Any) -> Any:
        return np.random.default_rng().random(now.close.shape)


@pytest.fixture(scope="module")
def bars() -> Bars:
    return load_bars(["AAPL"], start="2005-01-03", end="2006-12-29")


@pytest.mark.slow
def test_a_result_knows_what_was_checked_in_this_process(bars: Bars) -> None:
    assert backtest(Honest(), bars).look_ahead.state is LookAheadState.NEVER
    assert "in this process: run `gpt_trader.check_strategy(" in backtest(Honest(), bars).look_ahead.text
    assert check_strategy(Honest(2), bars, samples=8).causal
    assert backtest(Honest(2), bars).look_ahead.state is LookAheadState.PASSED
    assert backtest(Honest(1), bars).look_ahead.state is LookAheadState.OTHER_PARAMETERS
    assert not check_strategy(Peeks(), bars, 8).causal
    found = backtest(Peeks(), bars).look_ahead
    assert found.state is LookAheadState.FAILED
    assert "tomorrow, bar " in found.text
    assert found.check is not None
    assert (found.check.symbols, found.check.bars) == (("AAPL",), bars.T)


def test_a_rule_that_is_random_is_no_look_ahead_and_no_pass(bars: Bars) -> None:
    assert not check_strategy(Random(), bars, samples=8).ok
    found = backtest(Random(), bars).look_ahead
    assert found.state is LookAheadState.UNPROVED
    assert "decide" in found.text


@pytest.mark.slow
def test_a_sweep_in_python_knows_it_too(bars: Bars) -> None:
    check_strategy(Peeks(), bars, samples=8)
    found = sweep(Peeks, bars, {}).conclusions
    assert found.state.failed
    assert found.statistics is not None
    assert found.statistics.verdict().startswith("This code FAILED the look-ahead check")


def test_a_shipped_strategy_has_passed_and_an_edited_copy_has_not(bars: Bars) -> None:
    demo = load_strategy("demo_ma")
    assert (
        backtest(demo(), bars).look_ahead.text
        == "passed the look-ahead check, which the tests of GPT-Trader run"
    )

    @dataclass(frozen=True)
    class Edited(demo):  # type: ignore[misc, valid-type]
        def decide(self, now: Any) -> Any:
            return super().decide(now)

    assert backtest(Edited(), bars).look_ahead.state is LookAheadState.NEVER


@pytest.mark.slow
def test_a_record_has_what_was_checked_on_what(bars: Bars) -> None:
    report = check_strategy(Honest(), bars, samples=8)
    made = record_of(Honest(), report, bars, DAY)
    assert (made.outcome, made.finding, made.parameters, made.version) == (
        CheckOutcome.PASSED,
        "",
        {"lag": 1},
        CHECK_VERSION,
    )
    assert (made.symbols, made.bars, made.timeframe, made.samples) == (
        ("AAPL",),
        bars.T,
        "1d",
        report.samples,
    )
    assert (made.start[:10], made.end[:10], made.checked_at) == ("2005-01-03", "2006-12-29", DAY)


# -- verdicts --------------------------------------------------------------------------------------------------------

GREAT = trial_statistics(0.4, 2520, 0.0, 3.0, 252.0, trials=1)


def test_code_that_failed_gets_no_other_verdict() -> None:
    said = GREAT.believed(judged([FAIL], PARAMETERS), ["too good to be true: Sharpe 6.3"])
    assert said.verdict().startswith(
        "This code FAILED the look-ahead check on 2026-12-01: tomorrow, bar 7: it moves."
    )
    assert "confidence" not in said.verdict()
    assert not said.passes


def test_a_run_that_is_too_good_is_not_praised_though_its_code_passed() -> None:
    said = GREAT.believed(judged([PASS], PARAMETERS), ["too good to be true: Sharpe 6.3"])
    assert said.verdict().startswith("Too good to be true: Sharpe 6.3. Look for a mistake first")
    assert "confidence" not in said.verdict()
    assert not said.passes
    assert said.as_object()["doubts"] == list(said.doubts)


def test_unchecked_code_is_told_before_the_numbers_and_passes_nothing() -> None:
    best = trial_statistics(0.15, 2520, 0.0, 3.0, 252.0, trials=2)
    assert best.passes
    said = best.believed(LookAhead())
    assert said.verdict() == (
        "This code was never checked for look-ahead: run `gpt-trader check FILE`. Until it has passed, believe nothing of "
        f"what follows. {best.verdict()}"
    )
    assert not said.passes
    assert best.believed(judged([PASS], PARAMETERS)).verdict() == best.verdict()
    assert best.believed(judged([PASS], {"fast": 3})).passes


def test_numbers_of_numpy_are_the_same_parameters() -> None:
    assert plain({"fast": np.int64(5), "share": np.float64(0.5), "on": np.bool_(1)}) == {
        "fast": 5,
        "share": 0.5,
        "on": True,
    }
