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
from gpt_trader.engine.records import BAD_TARGET, DONE
from gpt_trader.engine.scoring import score_many
from gpt_trader.engine.session import ARRAY, all_exits, calls_of, chosen_mode, simulate, whole
from gpt_trader.engine.setup import (
    Settings,
    build_market,
    empty_book,
    grown,
    room_for_orders,
    rules_record,
    settings_of,
)
from gpt_trader.engine.statistics import METRIC_NAMES
from gpt_trader.exits import Exit
from gpt_trader.instruments import Instrument
from gpt_trader.memo import memo
from gpt_trader.periods import periods_of
from gpt_trader.risk import RiskLimits
from gpt_trader.strategy import Row, Strategy, checked_instance, counts_units

Floats = NDArray[np.float64]
MARKETS = 16  # kept for exits that come again; a grid over the exits themselves has thousands, each with average true ranges
CHUNK = 2**19  # targets (runs x bars x symbols) that one call of the kernel takes: 4 MB


@dataclass(frozen=True, slots=True)
class Scores:
    """`values` (runs, metrics) in the order of `names`."""

    names: tuple[str, ...]
    values: Floats
    sums: Floats
    errors: Mapping[int, str]

    def __getitem__(self, name: str) -> Floats:
        column: Floats = self.values[:, self.names.index(name)]
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
    exits: Iterable[Exit] = (),
    instruments: Mapping[str, Instrument] | Iterable[Instrument] = (),
    index: Bars | None = None,
) -> Scores:
    """The metrics of every strategy, each exactly what `backtest` gives for it; tables are not kept.

    Arguments as in `backtest`. Indicators of equal arguments are computed once. Raises as `backtest` does.
    """
    settings = settings_of(bars, capital, costs, allocation, risk, fills, exits, instruments, index)
    scorer = _Scorer(bars, settings)
    with memo(), np.errstate(invalid="ignore", divide="ignore"):
        for strategy in strategies:
            scorer.add(strategy)
        scorer.flush()
    done = np.concatenate(scorer.done)
    return Scores(METRIC_NAMES, done, np.zeros((len(done), 2, 0)), {})


class _Scorer:
    """Collects targets of runs with the same rules and scores them together, in one book that is used again."""

    def __init__(self, bars: Bars, settings: Settings) -> None:
        self.bars, self.seen, self.settings = bars, bars.continuous(), settings
        self.fields = deciding.row_values(self.seen, {})
        self.per_year = periods_of(bars.time.view(np.int64), bars.timeframe)
        self.modes: dict[type[Strategy], str] = {}
        self.called: dict[type[Strategy], int] = {}
        self.markets: dict[Any, Any] = {}
        self.done: list[Floats] = [np.empty((0, len(METRIC_NAMES)))]
        self.waiting: list[Strategy] = []
        self.key: Any = None
        self.targets = np.empty((max(1, min(64, CHUNK // (bars.T * bars.N))), bars.T, bars.N))
        self.scratch = np.empty((3, bars.T))
        self.unchanged = np.empty(bars.T, np.int8)
        rules = rules_record(settings, (), False, False)
        self._keep(empty_book(bars.T, bars.N, rules, settings.capital, room_for_orders(bars)))

    def _keep(self, book: Any) -> None:
        self.book = book
        self.trade_fields = np.empty((2, book.trades.shape[0]))
        self.trade_bars = np.empty(book.trades.shape[0], np.int64)

    def add(self, strategy: Strategy) -> None:
        """Put one run at the end of those that wait, or score it now when it runs bar by bar."""
        kind = type(strategy)
        if kind not in self.modes:
            self.modes[kind] = chosen_mode(checked_instance(strategy, "backtest_many"), self.bars)
        if self.modes[kind] != ARRAY:
            self.flush()
            self.done.append(self._score_slowly(strategy, self.modes[kind]))
            self.called[kind] = self.called.get(kind, 0) + calls_of(strategy, self.bars)
            self.modes[kind] = chosen_mode(strategy, self.bars, self.called[kind])
            return
        features = deciding.compute_features(strategy, self.seen)
        score = features.get("score")
        key = (all_exits(strategy, self.settings), counts_units(strategy), score is not None)
        if key != self.key or score is not None or len(self.waiting) == len(self.targets):
            self.flush()
            self._choose_market(key, score)
        answer = deciding.call_strategy(strategy, "decide", strategy.decide, Row({**self.fields, **features}))
        slot = self.targets[len(self.waiting)]
        if type(answer) is not np.ndarray or answer.shape != slot.shape or answer.dtype != np.float64:
            answer = deciding.checked_targets(strategy, answer, slot.shape)
        slot[:] = answer
        self.waiting.append(strategy)

    def _choose_market(self, key: Any, score: NDArray[Any] | None) -> None:
        """The market and the rules of the runs to come; those with ranks of their own are made anew for each."""
        exits, units, ranked = key
        if key not in self.markets or score is not None:
            if len(self.markets) == MARKETS:
                self.markets.clear()
            ranks = None if score is None else whole(score, self.bars)
            self.markets[key] = (
                build_market(self.bars, self.settings, exits, ranks),
                rules_record(self.settings, exits, units, ranked),
            )
        self.key = key
        self.market, rules = self.markets[key]
        self.book.rules[:] = rules

    def flush(self) -> None:
        """Score the runs that wait."""
        runs = len(self.waiting)
        if runs == 0:
            return
        out = np.empty((runs, len(METRIC_NAMES)))
        at, code = 0, DONE
        while at < runs:
            at, code = score_many(
                self.market, self.book, self.targets[:runs], at, self.unchanged, self.settings.capital, self.per_year,
                self.scratch, self.trade_fields, self.trade_bars, out,
            )  # fmt: skip
            if code == BAD_TARGET:
                deciding.checked_targets(self.waiting[at], self.targets[at], self.targets[at].shape)
            if code != DONE:
                self._keep(grown(self.book))
        self.done.append(out)
        self.waiting = []

    def _score_slowly(self, strategy: Strategy, mode: str) -> Floats:
        """Rules that run bar by bar: a whole run, of which only the statistics are kept."""
        from gpt_trader.result import run_statistics

        values = run_statistics(self.bars, simulate(strategy, self.bars, self.settings, mode, required=False))
        return np.array([[values[name] for name in METRIC_NAMES]])


def score_runs(strategies: Iterable[Strategy], bars: Bars, settings: Settings, *, first: int = 0,
               edges: NDArray[np.int64] | None = None, keep_going: bool = False) -> Scores:
    """Placeholder until the engine's own lands: one backtest after the other."""
    from gpt_trader.result import run_statistics
    values, sums, errors = [], [], {}
    assert edges is not None
    for number, strategy in enumerate(strategies):
        try:
            outcome = simulate(strategy, bars, settings)
            found = run_statistics(bars, outcome)
            values.append([found[name] for name in METRIC_NAMES])
            equity = np.concatenate([[settings.capital], outcome.book.track[0]])
            returns = equity[1:] / equity[:-1] - 1
            sums.append([np.add.reduceat(returns, edges[:-1]), np.add.reduceat(returns ** 2, edges[:-1])])
        except Exception as error:
            errors[number] = str(error)
            values.append([np.nan] * len(METRIC_NAMES))
            sums.append(np.full((2, len(edges) - 1), np.nan))
    return Scores(METRIC_NAMES, np.array(values).reshape(-1, len(METRIC_NAMES)), np.array(sums).reshape(-1, 2, len(edges) - 1), errors)
