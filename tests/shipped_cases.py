"""What the tests need to know of each shipped strategy, in one place: the parity, golden, truth and table suites read it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.parity import naive_rules
from tests.parity.naive_rules import Rule


@dataclass(frozen=True)
class ShippedCase:
    """One strategy: `rule`, the same in plain loops, bars and parameters in, targets out; its `defaults`; `draw`, random
    parameters for the parity cases; `choices`, values of parameters short enough to trade in a few hundred bars; `warm_up`,
    the first bar that can have a target; `golden`, parameters of the golden run that are not the defaults."""

    rule: Callable[..., Rule]
    defaults: Mapping[str, Any]
    draw: Callable[[random.Random], dict[str, Any]]
    choices: Mapping[str, tuple[Any, ...]]
    warm_up: Callable[[Mapping[str, Any]], int]
    golden: Mapping[str, Any] = field(default_factory=dict)


SHIPPED_CASES: dict[str, ShippedCase] = {
    "buy_and_hold": ShippedCase(
        rule=naive_rules.buy_and_hold, defaults={}, draw=lambda _: {}, choices={}, warm_up=lambda _: 0
    ),
    "demo_ma": ShippedCase(
        rule=naive_rules.demo_ma,
        defaults={"fast": 10, "slow": 20, "atr": 14},
        draw=lambda rng: {"fast": rng.randint(2, 6), "slow": rng.randint(7, 20), "atr": rng.randint(2, 25)},
        choices={"fast": (2, 3, 5), "slow": (7, 12, 20), "atr": (3, 14)},
        warm_up=lambda p: max(p["slow"] - 1, p["atr"]),
    ),
    "trend_breakout": ShippedCase(
        rule=naive_rules.trend_breakout,
        defaults={"donchian": 55, "exit": 20, "atr": 20, "atr_k": 2.0, "exit_mode": "signal"},
        draw=lambda rng: {
            "donchian": rng.randint(5, 20),
            "exit": rng.randint(5, 12),
            "atr": rng.randint(5, 20),
            "atr_k": rng.choice([1.0, 2.0, 3.0]),
            "exit_mode": rng.choice(["signal", "stop"]),
        },
        choices={
            "donchian": (4, 10, 20), "exit": (3, 8), "atr": (4, 14), "atr_k": (1.0, 2.0), "exit_mode": ("signal", "stop"),
        },
        warm_up=lambda p: p["donchian"],
    ),
    "mean_reversion": ShippedCase(
        rule=naive_rules.mean_reversion,
        defaults={"rsi": 14, "low": 30.0, "exit": 50.0, "atr": 14},
        draw=lambda rng: {"rsi": rng.randint(3, 14), "low": 35.0, "exit": rng.choice([50.0, 60.0])},
        choices={"rsi": (3, 6, 14), "low": (30.0, 40.0), "exit": (50.0, 60.0)},
        warm_up=lambda p: p["rsi"],
    ),
    "momentum": ShippedCase(
        rule=naive_rules.momentum,
        defaults={"lookback": 126, "top": 20, "threshold": 0.0},
        draw=lambda rng: {"lookback": rng.randint(5, 25), "top": rng.randint(1, 4)},
        choices={"lookback": (5, 20), "top": (1, 2, 20)},
        warm_up=lambda p: p["lookback"],
        golden={"top": 2},
    ),
    "volatility": ShippedCase(
        rule=naive_rules.volatility,
        defaults={"target": 0.15, "lookback": 20, "atr": 14, "w": 50},
        draw=lambda rng: {
            "target": rng.choice([0.1, 0.15, 0.4]),
            "lookback": rng.randint(5, 20),
            "atr": rng.randint(5, 14),
            "w": rng.randint(10, 50),
        },
        choices={"target": (0.1, 0.2), "lookback": (5, 20), "atr": (5, 14), "w": (10, 30)},
        warm_up=lambda p: max(p["lookback"], p["atr"] + p["w"] - 1),
    ),
    "bollinger": ShippedCase(
        rule=naive_rules.bollinger,
        defaults={"window": 20, "width": 2.0},
        draw=lambda rng: {"window": rng.randint(5, 20), "width": rng.choice([1.0, 1.5, 2.0])},
        choices={"window": (5, 10, 20), "width": (1.0, 2.0)},
        warm_up=lambda p: p["window"] - 1,
    ),
}  # fmt: skip
