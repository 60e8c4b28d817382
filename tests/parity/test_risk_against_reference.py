"""The risk limits and monitors of the engine against the naive reference, on random markets of days and of hours."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict, fields, replace
from math import inf
from typing import Any

import numpy as np
import pytest

import gpt_trader
from gpt_trader import Instrument, backtest
from gpt_trader.bars import Bars
from tests.parity import reference_types as own
from tests.parity.naive_rules import Rule, regime_row
from tests.parity.reference import simulate, simulate_orders
from tests.parity.reference_cases import (
    Options,
    random_asks,
    random_exits,
    random_limits,
    random_options,
    random_score,
    random_sectors,
    random_targets,
)
from tests.parity.reference_markets import random_market
from tests.parity.test_engine_against_reference import (
    SCRIPTS,
    Script,
    Scripted,
    ScriptedOrders,
    ScriptedUnits,
    assert_same,
    engine_options,
    reference_options,
)

BATCHES = 10
OFFSET = 1_000_000  # numbers of these scripts, beside those of the cases without limits


def in_hours(bars: Bars) -> Bars:
    """The same bars six hours apart, so that a day has four of them."""
    time = bars.time[0] + np.arange(bars.T) * np.timedelta64(6, "h")
    return Bars(bars.symbols, time, bars.panel, "1h")


def engine_limits(limits: own.Limits) -> gpt_trader.RiskLimits:
    """The same limits in the engine's type, where None is off."""
    values: dict[str, Any] = {
        name: None if isinstance(value, float) and abs(value) == inf else value
        for name, value in asdict(limits).items()
    }
    return gpt_trader.RiskLimits(**values)


def test_the_reference_knows_every_limit() -> None:
    ours, theirs = ({field.name for field in fields(kind)} for kind in (gpt_trader.RiskLimits, own.Limits))
    missing = ours - theirs
    assert not missing, (
        f"add {sorted(missing)} to Limits in reference_types.py and enforce it in reference_risk.py"
    )
    assert theirs == ours, f"RiskLimits in gpt_trader/risk.py does not have {sorted(theirs - ours)}"


def limited_case(seed: int, kind: str) -> tuple[random.Random, Bars, Options, dict[str, Any], dict[str, Any]]:
    """A random case: generator, market, options, and what the engine and the reference are given."""
    rng = random.Random(f"limits {kind} {seed}")
    bars = random_market(rng.randrange(10**6))
    if rng.random() < 0.4:
        bars = in_hours(bars)
    options = random_options(rng, bars.symbols)
    options = replace(options, allocation=replace(options.allocation, gross=rng.choice([0.6, 1.0, 1.5])))
    limits, sectors = random_limits(rng), random_sectors(rng, bars.symbols)
    given = engine_options(options) | {
        "risk": engine_limits(limits),
        "instruments": tuple(
            Instrument(name, lot=lot, sector=sectors.get(name)) for name, lot in options.lots.items()
        ),
    }
    return rng, bars, options, given, {"risk": limits, "sectors": sectors}


def both(seed: int, kind: str) -> tuple[Any, own.ReferenceRun, Bars]:
    """One case of target weights or units through the engine and the reference."""
    rng, bars, options, given, limits = limited_case(seed, kind)
    targets = random_targets(rng, bars)
    if kind == "units":
        targets = [[float(round(x * 100)) if x == x else x for x in row] for row in targets]
    rule = Rule(targets, random_score(rng, bars), random_exits(rng))
    SCRIPTS[OFFSET + seed] = Script(rule)
    regime = None if options.regime is None else regime_row(bars, options.regime, options.regime_window)
    run = simulate(
        bars,
        rule.targets,
        score=rule.score,
        regime=regime,
        target_kind=kind,
        **limits,
        **reference_options(options, bars, rule.exits),
    )
    strategy = (ScriptedUnits if kind == "units" else Scripted)(OFFSET + seed)
    return backtest(strategy, bars, **given), run, bars


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_targets_with_risk_limits(batch: int) -> None:
    for seed in range(batch * 12, (batch + 1) * 12):
        result, run, bars = both(seed, "weights")
        assert_same(result, run, bars, f"limits seed {seed}")


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_units_with_risk_limits(batch: int) -> None:
    for seed in range(batch * 5, (batch + 1) * 5):
        result, run, bars = both(seed, "units")
        assert_same(result, run, bars, f"limits units seed {seed}")


def orders_with_limits(seed: int) -> tuple[Any, own.ReferenceRun, Bars]:
    """One case of orders through the engine and the reference."""
    rng, bars, options, given, limits = limited_case(seed, "orders")
    exits = random_exits(rng) if rng.random() < 0.5 else ()
    asks = random_asks(rng, bars)
    SCRIPTS[OFFSET + seed] = Script(Rule([], exits=exits), tuple(asks))
    run = simulate_orders(
        bars, lambda t, _: asks[t], risk=limits["risk"], **reference_options(options, bars, exits)
    )
    return backtest(ScriptedOrders(OFFSET + seed), bars, **given), run, bars


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_orders_with_risk_limits(batch: int) -> None:
    for seed in range(batch * 6, (batch + 1) * 6):
        result, run, bars = orders_with_limits(seed)
        assert_same(result, run, bars, f"limits orders seed {seed}")


def test_a_weight_too_small_for_an_order_is_judged_again_on_every_bar() -> None:
    """Found by a wider search: nothing changes but the returns, and they make the correlation bind."""
    result, run, bars = both(2418, "weights")
    assert_same(result, run, bars, "limits seed 2418")


def test_every_limit_binds_in_the_random_cases() -> None:
    """Otherwise the agreement above would say nothing about it."""
    seen: Counter[str] = Counter()
    for seed in range(60):
        result, _, _ = both(seed, "weights")
        seen.update(result.decisions["rule"])
        seen.update(result.orders["end_reason"])
        seen.update(result.fills["reason"])
    rules = ("position", "correlation", "sector", "gross", "net", "cash", "positions")
    for rule in [f"risk {name}" for name in rules] + ["order volume", "halt", "flatten"]:
        assert seen[rule] > 3, rule
