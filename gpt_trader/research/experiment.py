"""What all runs of a study share, an experiment (strategy class, bars, settings), and what one run changes about it, a scenario."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gpt_trader.bars import Bars
from gpt_trader.engine.run_setup import Settings
from gpt_trader.performance_tuning import STANDARD, Tuning
from gpt_trader.strategy import Strategy, strategy_name
from gpt_trader.strategy_code import code_hash


@cache
def engine_hash() -> str:
    """SHA-256 (hex) over the sources and the versions of the libraries that decide what a run's numbers are: a result of others
    is another result."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for package in ("numpy", "numba", "pandas"):
        digest.update(f"{package} {version(package)}\n".encode())
    for folder in (
        root,
        *(root / name for name in ("engine", "indicators", "research", "strategies", "validation")),
    ):
        for source in sorted(folder.glob("*.py")):
            digest.update(f"{folder.name}/{source.name}\n".encode() + source.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Experiment:
    """What all points of a study share: the strategy class, the bars and the settings of a run. No number depends on `tuning`."""

    strategy: type[Strategy]
    bars: Bars
    settings: Settings
    tuning: Tuning = STANDARD

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        """All that determines what a point of this experiment scores, by name."""
        settings = self.settings
        return {
            "engine": engine_hash(),
            "strategy": strategy_name(self.strategy),
            "code": code_hash(self.strategy),
            "data": _identity(self.bars),
            "index": None if settings.index is None else _identity(settings.index),
            "settings": {
                name: _plain(getattr(settings, name))
                for name in ("capital", "costs", "allocation", "fills", "risk", "exits", "instruments")
            },
        }

    @cached_property
    def key(self) -> str:
        """SHA-256 (hex) of the identity."""
        return hashlib.sha256(canonical(self.identity)).hexdigest()

    def with_strategy(self, strategy: type[Strategy]) -> Experiment:
        """Another strategy class on the same bars under the same settings."""
        return replace(self, strategy=strategy)

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is changed about the experiment for a test of robustness; as it stands, nothing.

    `cost_multiple` scales every cost, `capital_multiple` the capital; `delay` bars more pass between a decision and its order.
    `replicate` numbers a market resampled from the bars with `seed` and mean block length `block` (None chooses it).
    """

    cost_multiple: float = 1.0
    capital_multiple: float = 1.0
    delay: int = 0
    replicate: int | None = None
    seed: int = 0
    block: float | None = None

    def of(self, experiment: Experiment) -> Experiment:
        """The experiment with the change made."""
        settings = experiment.settings
        if self.cost_multiple != 1.0:
            settings = replace(settings, costs=settings.costs.times(self.cost_multiple))
        if self.capital_multiple != 1.0:
            settings = replace(settings, capital=settings.capital * self.capital_multiple)
        if self.delay:
            settings = replace(
                settings, fills=replace(settings.fills, delay=settings.fills.delay + self.delay)
            )
        bars = experiment.bars
        if self.replicate is not None:
            from gpt_trader.validation.block_bootstrap import resample, resample_with_index

            if settings.index is None:
                bars = resample(bars, self.seed, self.replicate, block=self.block)
            else:
                bars, index = resample_with_index(
                    bars, settings.index, self.seed, self.replicate, block=self.block
                )
                settings = replace(settings, index=index)
        return replace(experiment, bars=bars, settings=settings)


BASELINE = Scenario()


def _identity(bars: Bars) -> list[Any]:
    """The data in the order of their columns, and the rows: the order of symbols breaks ties for position slots."""
    return [*bars.fingerprint().items(), hashlib.sha256(bars.time.astype("<i8").tobytes()).hexdigest()]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [{"kind": type(item).__name__, **asdict(item)} for item in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def canonical(value: Any) -> bytes:
    """`value` as JSON with sorted keys: equal values are equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()
