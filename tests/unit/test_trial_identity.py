"""The identity of a trial: what decides about the numbers changes the key, nothing else does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pytest

from gpt_trader import (
    Allocation,
    AtrStop,
    Costs,
    FillModel,
    Instrument,
    RiskLimits,
    StopLoss,
    Strategy,
    param,
)
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import BadParameter, UnknownName
from gpt_trader.research.return_profiles import block_edges, profile_of, profiles_of
from gpt_trader.research.trial_identity import TrialKeys, data_hash, trial_key
from gpt_trader.strategies import load_strategy
from tests.markets import random_market

DATA = "ab" * 32
DEMO = load_strategy("demo_ma")
POINT = {"fast": 5, "slow": 30}


@dataclass(frozen=True)
class Odd(Strategy):
    """Parameters of every kind."""

    ratio: float = param(1.0)
    mode: str = param("a")
    wide: bool = param(True)
    steps: tuple[float, ...] = field(default_factory=lambda: (0.1, 0.2))


@dataclass(frozen=True)
class Twin(Odd):
    """The same file, another class."""


@dataclass(frozen=True)
class Bare(Strategy):
    """A parameter without a default."""

    n: int


def key(**changes: Any) -> bytes:
    given: dict[str, Any] = {
        "strategy": DEMO, "parameters": POINT, "settings": Settings(), "data": DATA, "first": 0, "last": 99,
    }  # fmt: skip
    return trial_key(**{**given, **changes})


@pytest.mark.slow
def test_a_key_has_sixteen_bytes_and_is_the_same_in_every_process() -> None:
    code = (
        "from gpt_trader.engine.run_setup import Settings\n"
        "from gpt_trader.research.trial_identity import trial_key\n"
        "from gpt_trader.strategies import load_strategy\n"
        f"print(trial_key(load_strategy('demo_ma'), {POINT!r}, Settings(), {DATA!r}, 0, 99).hex())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == key().hex()
    assert len(key()) == 16


CHANGED: dict[str, Any] = {
    "a parameter": {"parameters": {"fast": 5, "slow": 31}},
    "two parameters swapped": {"parameters": {"fast": 30, "slow": 5}},
    "the strategy": {"strategy": load_strategy("momentum"), "parameters": {}},
    "the data": {"data": "ac" * 32},
    "the first row": {"first": 1},
    "the last row": {"last": 98},
    "capital": {"settings": Settings(capital=1.0)},
    "a cost": {"settings": Settings(costs=Costs(bps=5.1))},
    "fills": {"settings": Settings(fills=FillModel(None))},
    "allocation": {"settings": Settings(allocation=Allocation(cooldown=1))},
    "risk": {"settings": Settings(risk=RiskLimits())},
    "an exit": {"settings": Settings(exits=(StopLoss(0.05),))},
    "another exit": {"settings": Settings(exits=(AtrStop(0.05),))},
    "a lot": {"settings": Settings(instruments=(Instrument("A", 0.0),))},
    "the index": {"settings": Settings(index=random_market(50, 1, seed=1))},
    "another index": {"settings": Settings(index=random_market(50, 1, seed=2))},
}


def test_everything_that_decides_about_the_numbers_changes_the_key() -> None:
    keys = [key(), *(key(**change) for change in CHANGED.values())]
    assert len(set(keys)) == len(CHANGED) + 1
    settings = {item.name for item in fields(Settings)}
    tried = {
        item.name
        for change in CHANGED.values()
        if "settings" in change
        for item in fields(Settings)
        if getattr(change["settings"], item.name) != getattr(Settings(), item.name)
    }
    assert tried == settings, "a new setting has no case above"


SAME: dict[str, Any] = {
    "defaults spelt out": {"parameters": {**POINT, "atr": DEMO().atr}},
    "another order": {"parameters": dict(reversed(POINT.items()))},
    "numbers of another type": {"parameters": {"fast": 5.0, "slow": np.int64(30)}},
    "a default instrument": {"settings": Settings(instruments=(Instrument("A"),))},
    "a whole cost": {"settings": Settings(costs=Costs(bps=5))},
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_another_spelling_of_the_same_is_the_same_trial(change: dict[str, Any]) -> None:
    assert key(**change) == key()


def test_instruments_have_no_order() -> None:
    one, two = Instrument("A", 0.0), Instrument("B", 10.0)
    assert key(settings=Settings(instruments=(one, two))) == key(settings=Settings(instruments=(two, one)))


def test_parameters_of_every_kind_tell_trials_apart() -> None:
    keys = TrialKeys(Odd, Settings(), DATA, 0, 9)
    points: list[dict[str, Any]] = [
        {}, {"ratio": 1.5}, {"ratio": 1e-9}, {"mode": "1"}, {"mode": "b"}, {"mode": 'a","b'}, {"wide": False},
        {"steps": (0.1, 0.3)}, {"steps": (0.1,)}, {"steps": ((0.1,), 0.2)}, {"steps": None}, {"steps": "(0.1, 0.2)"},
        {"steps": {"a": 1}}, {"steps": frozenset({1, 2})}, {"steps": np.datetime64("2020-01-01")},
    ]  # fmt: skip
    assert len({keys.of(point) for point in points}) == len(points)
    assert keys.of({"steps": [0.1, 0.2]}) == keys.of({})
    assert keys.of({"steps": {"b": 2, "a": 1}}) == keys.of({"steps": {"a": 1.0, "b": 2}})
    assert TrialKeys(Twin, Settings(), DATA, 0, 9).of({}) != keys.of({})


def test_many_points_have_the_keys_of_each() -> None:
    keys = TrialKeys(DEMO, Settings(), DATA, 0, 99)
    points = [{"fast": fast, "slow": slow} for fast in range(2, 12) for slow in range(20, 30)]
    every = keys.of_all(iter(points))
    assert (every.shape, every.dtype) == ((100, 16), np.uint8)
    assert [row.tobytes() for row in every] == [key(parameters=point) for point in points]
    assert len(np.unique(every, axis=0)) == 100
    assert keys.of_all([]).shape == (0, 16)


def test_what_cannot_be_a_parameter_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"unknown parameter of demo_ma 'fat'. Did you mean 'fast'"):
        key(parameters={"fat": 5})
    with pytest.raises(BadParameter, match="n has no default and is not given"):
        key(strategy=Bare, parameters={})
    assert key(strategy=Bare, parameters={"n": 1}) != key(strategy=Bare, parameters={"n": 2})
    with pytest.raises(BadParameter, match="cannot be part of a trial's identity"):
        TrialKeys(Odd, Settings(), DATA, 0, 9).of({"steps": object()})


def test_the_hash_of_the_data_is_that_of_all_symbols_in_order() -> None:
    bars = random_market(40, 3, seed=4)
    whole = data_hash(bars.fingerprint())
    swapped = bars.select([bars.symbols[1], bars.symbols[0], bars.symbols[2]])
    fewer = bars.select(bars.symbols[:2])
    assert len({whole, data_hash(swapped.fingerprint()), data_hash(fewer.fingerprint())}) == 3


# -- profiles ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "stop"), [(0, 3270), (0, 128), (200, 1237), (5, 25), (0, 1), (7, 7)])
def test_blocks_cover_the_rows_once_and_fine_ones_make_up_the_coarse(first: int, stop: int) -> None:
    fine, coarse = block_edges(first, stop, 128), block_edges(first, stop, 32)
    assert (fine[0], fine[-1]) == (coarse[0], coarse[-1]) == (first, stop)
    np.testing.assert_array_equal(fine[::4], coarse)
    sizes = np.diff(coarse)
    assert sizes.min() >= 0
    assert sizes.max() - sizes.min() <= 1


def test_a_profile_is_the_sum_of_the_returns_of_each_block() -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, 1000)
    returns[500:] = np.nan
    edges = block_edges(0, 1000, 32)
    expected = [np.nansum(returns[edges[i] : edges[i + 1]]) for i in range(32)]
    np.testing.assert_allclose(profile_of(returns), expected, atol=1e-8)
    assert profile_of(returns).dtype == np.float32
    assert not profile_of(returns[:0]).any()
    assert np.count_nonzero(profile_of(np.full(3, 0.1))) == 3


@pytest.mark.parametrize(("bars", "blocks"), [(777, 128), (777, 32), (100, 100), (20, 20), (1, 1)])
def test_block_sums_of_a_sweep_give_the_profile_of_the_run(bars: int, blocks: int) -> None:
    returns = np.random.default_rng(2).normal(0, 0.01, (3, bars))
    edges = block_edges(0, bars, blocks)
    sums = np.array(
        [[np.add.reduceat(run, edges[:-1]), np.add.reduceat(run**2, edges[:-1])] for run in returns]
    )
    sums[1] = np.nan
    profiles = profiles_of(sums.astype(np.float32))
    np.testing.assert_allclose(profiles[[0, 2]], [profile_of(run) for run in returns[[0, 2]]], atol=1e-7)
    assert np.isnan(profiles[1]).any()
    assert profiles.dtype == np.float32
    assert profiles_of(np.empty((0, 2, blocks))).shape == (0, 32)


def test_a_code_change_is_another_trial(tmp_path: Any) -> None:
    text = (
        "from dataclasses import dataclass\nfrom gpt_trader import Strategy, param\n\n"
        "@dataclass(frozen=True)\nclass Mine(Strategy):\n    n: int = param(5)\n    def decide(self, now):\n        return {}\n"
    )
    keys = []
    for number, weight in enumerate((0.5, 0.6)):
        (tmp_path / f"mine{number}").mkdir()
        file = tmp_path / f"mine{number}" / "mine.py"
        file.write_text(text.format(weight))
        keys.append(key(strategy=load_strategy(str(file)), parameters={}))
    assert keys[0] != keys[1]


@dataclass(frozen=True)
class Derived(Strategy):
    """A field that follows from a parameter."""

    n: int = param(10)
    twice: int = field(init=False, default=0)

    def validate(self) -> None:
        object.__setattr__(self, "twice", 2 * self.n)


def test_a_field_that_follows_from_others_is_no_part_of_the_key() -> None:
    """A sweep knows the parameters, a backtest all fields: both are the same trial."""
    keys = TrialKeys(Derived, Settings(), DATA, 0, 99)
    assert keys.of({"n": 5}) == keys.of({"n": 5, "twice": 10}) != keys.of({"n": 6, "twice": 12})
