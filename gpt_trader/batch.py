"""Many parameter sets of stateless strategies over the same bars: metrics only, indicators computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.allocation import Allocation
from gpt_trader.bars import Bars
from gpt_trader.costs import Costs, FillModel
from gpt_trader.engine import deciding
from gpt_trader.engine.records import LOG_FULL
from gpt_trader.engine.scoring import score_targets
from gpt_trader.engine.session import _choose, _full, all_exits, simulate
from gpt_trader.engine.setup import Settings, build_market, empty_book, grown, rules_record
from gpt_trader.engine.statistics import METRIC_NAMES
from gpt_trader.exits import Exit
from gpt_trader.memo import memo
from gpt_trader.metrics import periods_per_year
from gpt_trader.risk import RiskLimits
from gpt_trader.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Scores:
    """`values` (runs, metrics) in the order of `names`."""

    names: tuple[str, ...]
    values: NDArray[np.float64]

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        column: NDArray[np.float64] = self.values[:, self.names.index(name)]
        return column

    def row(self, index: int) -> Mapping[str, float]:
        """The metrics of one run by name."""
        return dict(zip(self.names, self.values[index].tolist(), strict=True))


def backtest_many(
    strategies: Iterable[Strategy],
    bars: Bars,
    *,
    capital: float = 100_000.0,
    costs: Costs | None = None,
    allocation: Allocation | None = None,
    risk: RiskLimits | None = None,
    fills: FillModel | None = None,
    exits: tuple[Exit, ...] = (),
) -> Scores:
    """The metrics of every strategy, each exactly what `backtest` gives for it; tables are not kept.

    Indicators of equal arguments are computed once. Raises as `backtest` does.
    """
    settings = Settings(
        capital, costs or Costs(), allocation or Allocation(), fills or FillModel(), risk, tuple(exits)
    )
    scorer = _Scorer(bars, settings)
    with memo():
        rows = [scorer.score(strategy) for strategy in strategies]
    return Scores(METRIC_NAMES, np.array(rows).reshape(len(rows), len(METRIC_NAMES)))


class _Scorer:
    """Holds what all runs share: the market, one book that is used again, scratch arrays."""

    def __init__(self, bars: Bars, settings: Settings) -> None:
        self.bars, self.seen, self.settings = bars, bars.continuous(), settings
        self.per_year = float(periods_per_year(bars.time, bars.timeframe))
        self.markets: dict[Any, Any] = {}
        self.rules: Any = None
        self.gross = np.empty(bars.T)
        self.unchanged = np.empty(bars.T, np.int8)
        self._make_book(256 + 24 * (bars.N + 1))

    def _make_book(self, orders: int) -> None:
        rules = rules_record(self.settings, (), False, False)
        self.book = empty_book(self.bars.T, self.bars.N, rules, self.settings.capital, orders)
        self._scratch()

    def _scratch(self) -> None:
        self.trade_fields = np.empty((2, self.book.trades.shape[0]))
        self.trade_bars = np.empty(self.book.trades.shape[0], np.int64)

    def score(self, strategy: Strategy) -> NDArray[np.float64]:
        """METRIC_NAMES of one run."""
        if _choose(strategy, self.bars) != "array":
            return self._score_slowly(strategy)
        features = deciding.compute_features(strategy, self.seen)
        targets = deciding.decide_all(strategy, self.seen, features)
        market = self._market(strategy, features.get("score"))
        out = np.empty(len(METRIC_NAMES))
        while True:
            code = score_targets(
                market, self.book, targets, self.unchanged, self.settings.capital, self.per_year, self.gross,
                self.trade_fields, self.trade_bars, out,
            )  # fmt: skip
            if code != LOG_FULL:
                return out
            self.book = grown(self.book)
            self._scratch()

    def _market(self, strategy: Strategy, score: NDArray[Any] | None) -> Any:
        exits = all_exits(strategy, self.settings)
        units = strategy.target_kind == "units"
        key = (exits, units, score is not None)
        if key not in self.markets or score is not None:
            ranks = None if score is None else _full(score, self.bars)
            rules = rules_record(self.settings, exits, units, score is not None)
            self.markets[key] = (build_market(self.bars, self.settings, exits, ranks), rules)
        market, rules = self.markets[key]
        if rules is not self.rules:
            self.book.rules[:] = rules
            self.rules = rules
        return market

    def _score_slowly(self, strategy: Strategy) -> NDArray[np.float64]:
        """Rules that run bar by bar: a whole run, of which only the statistics are kept."""
        from gpt_trader.result import run_statistics

        values = run_statistics(self.bars, self.settings, simulate(strategy, self.bars, self.settings))
        return np.array([values[name] for name in METRIC_NAMES])
