"""Failover: the next source answers after the configured errors, says so, and the first one comes back."""

from __future__ import annotations

import numpy as np
import pytest

from gpt_trader.adapters.cache import CachedSource
from gpt_trader.adapters.failover import FailoverSource
from gpt_trader.adapters.synthetic import SyntheticSource
from gpt_trader.errors import BadData, BadParameter, RateLimited, SourceUnavailable, SymbolNotFound
from gpt_trader.sources import BarRequest, Series


class Flaky:
    """A real source that fails as told: `failures` are raised in turn, then it answers."""

    def __init__(self, name: str, symbols: tuple[str, ...] | None = None) -> None:
        self.name, self.inner = name, SyntheticSource(seed=1, symbols=symbols)
        self.failures: list[Exception] = []
        self.asked = 0

    def fetch(self, request: BarRequest) -> Series:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        series = self.inner.fetch(request)
        return Series(request, series.frame, self.name, series.adjustment)


class Rig:
    def __init__(self, errors: int = 3, cool_down: float = 300.0) -> None:
        self.first, self.second, self.now = Flaky("first"), Flaky("second"), 0.0
        self.source = FailoverSource(
            [self.first, self.second], errors=errors, cool_down=cool_down, clock=lambda: self.now
        )

    def who(self, symbol: str = "ABC", year: str = "2020") -> str:
        span = np.datetime64(f"{year}-01-02"), np.datetime64(f"{year}-06-30")
        return self.source.fetch(BarRequest(symbol, "1d", *span)).source


def down(count: int) -> list[Exception]:
    return [SourceUnavailable(f"503 number {n}") for n in range(count)]


def test_the_first_source_answers_while_it_is_up() -> None:
    rig = Rig()
    assert rig.who() == "first"
    assert (rig.first.asked, rig.second.asked) == (1, 0)


@pytest.mark.parametrize("errors", [1, 2, 3])
def test_it_switches_after_exactly_the_configured_errors(errors: int) -> None:
    rig = Rig(errors)
    rig.first.failures = down(errors - 1)
    assert rig.who() == "first", "one error fewer does not switch"
    rig.first.failures = down(errors)
    assert rig.who() == "second"
    assert rig.first.asked == errors + errors


def test_errors_count_in_a_row_only() -> None:
    rig = Rig(errors=2)
    for _ in range(4):
        rig.first.failures = down(1)
        assert rig.who() == "first"


def test_a_paused_source_is_left_alone_until_the_cool_down_ends_and_then_recovers() -> None:
    rig = Rig(errors=2, cool_down=100.0)
    rig.first.failures = down(2)
    assert rig.who() == "second"
    rig.now = 99.0
    assert rig.who() == "second"
    assert rig.first.asked == 2
    rig.now = 100.0
    assert rig.who() == "first"


def test_one_failed_trial_after_the_cool_down_starts_the_pause_again() -> None:
    rig = Rig(errors=2, cool_down=100.0)
    rig.first.failures = down(3)
    rig.who()
    rig.now = 150.0
    assert rig.who() == "second"
    assert rig.first.asked == 3
    rig.now = 249.0
    assert rig.who() == "second"
    assert rig.first.asked == 3
    rig.now = 250.0
    assert rig.who() == "first"


def test_a_rate_limit_pauses_at_once_for_as_long_as_it_says() -> None:
    rig = Rig(errors=3, cool_down=100.0)
    rig.first.failures = [RateLimited("429", 500.0)]
    assert rig.who() == "second"
    assert rig.first.asked == 1
    rig.now = 499.0
    assert rig.who() == "second"
    rig.now = 500.0
    assert rig.who() == "first"


def test_a_symbol_only_the_second_knows() -> None:
    rig = Rig()
    rig.first.inner = SyntheticSource(symbols=("XYZ",))
    assert rig.who("ABC") == "second"
    assert rig.who("XYZ") == "first", "not knowing a symbol is no error"
    rig.second.inner = SyntheticSource(symbols=("QQQ",))
    with pytest.raises(SymbolNotFound, match=r"ABC.*first.*second"):
        rig.who("ABC")


def test_an_empty_answer_is_looked_for_further_down() -> None:
    rig = Rig()
    rig.first.inner = SyntheticSource(first="2022-01-03")
    assert rig.who(year="2020") == "second"
    rig.second.inner = SyntheticSource(first="2022-01-03")
    span = np.datetime64("2020-01-02"), np.datetime64("2020-06-30")
    series = rig.source.fetch(BarRequest("ABC", "1d", *span))
    assert len(series.frame) == 0


def test_when_every_source_is_down_the_error_tells_what_each_said() -> None:
    rig = Rig(errors=1)
    rig.first.failures, rig.second.failures = down(1), [SourceUnavailable("no route")]
    with pytest.raises(SourceUnavailable, match="first: 503 number 0; second: no route"):
        rig.who()
    with pytest.raises(SourceUnavailable, match="left alone"):
        rig.who()
    assert rig.first.asked == 1


def test_a_fresh_answer_of_the_second_is_better_than_a_stale_one_of_the_first(tmp_path) -> None:  # type: ignore[no-untyped-def]
    rig = Rig(errors=1)
    cached = CachedSource(rig.first, tmp_path, clock=lambda: 1.7e9)
    source = FailoverSource([cached, rig.second], errors=1, clock=lambda: rig.now)

    def fetch(end: str) -> Series:
        return source.fetch(BarRequest("ABC", "1d", np.datetime64("2020-01-02"), np.datetime64(end)))

    assert fetch("2020-03-31").source == "first"
    rig.first.failures = down(10)
    fresh = fetch("2020-06-30")
    assert (fresh.source, fresh.stale) == ("second", False)
    assert "first: stale" in fresh.notes[-1]
    rig.second.failures = down(10)
    stale = fetch("2020-06-30")
    assert (stale.source, stale.stale, len(stale.frame) > 0) == ("first", True, True)


def test_the_answer_notes_why_the_first_did_not_give_it() -> None:
    rig = Rig(errors=1)
    rig.first.failures = down(1)
    span = np.datetime64("2020-01-02"), np.datetime64("2020-06-30")
    assert rig.source.fetch(BarRequest("ABC", "1d", *span)).notes == ("failover from first: 503 number 0",)
    assert rig.source.name == "first>second"


def test_bad_data_is_not_hidden_by_failover() -> None:
    rig = Rig()
    rig.first.failures = [BadData("row 3: nan_price")]
    with pytest.raises(BadData, match="row 3"):
        rig.who()
    with pytest.raises(BadParameter, match="at least one"):
        FailoverSource([])
