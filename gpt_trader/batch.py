"""Many parameter sets of a strategy over the same bars: metrics and block sums only, indicators computed once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.allocation import Allocation
from gpt_trader.bars import Bars
from gpt_trader.costs import Costs, FillModel
from gpt_trader.engine import deciding
from gpt_trader.engine.records import BAD_TARGET, DONE
from gpt_trader.engine.scoring import score_into, score_many
from gpt_trader.engine.session import ARRAY, acted_ranks, all_exits, calls_of, chosen_mode, simulate
from gpt_trader.engine.setup import (
    Settings,
    build_market,
    checked_first,
    empty_book,
    grown,
    room_for_orders,
    rules_record,
    settings_of,
)
from gpt_trader.engine.statistics import METRIC_NAMES
from gpt_trader.engine.waiting import Waiting
from gpt_trader.errors import BadParameter, GptTraderError
from gpt_trader.exits import Exit
from gpt_trader.instruments import Instrument
from gpt_trader.memo import shared_memo
from gpt_trader.periods import periods_of
from gpt_trader.risk import RiskLimits
from gpt_trader.strategy import Strategy, checked_instance, counts_units

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
NO_EDGES = np.zeros(1, np.int64)
MARKETS = 16  # kept for exits that come again; a grid over the exits themselves has thousands, each with average true ranges
CHUNK = 2**19  # targets (runs x bars x symbols) that one call of the kernel takes: 4 MB


@dataclass(frozen=True, slots=True)
class Scores:
    """`values` (runs, metrics) in the order of `names`; `sums` (runs, 2, B) sums of the simple returns per bar, and of their
    squares, in the B blocks between the edges that were asked for. A run that failed has NaN rows and its message in `errors`,
    by its number."""

    names: tuple[str, ...]
    values: Floats
    sums: Floats
    errors: Mapping[int, str] = field(default_factory=dict)

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
    first: int = 0,
    edges: Integers | None = None,
    keep_going: bool = False,
) -> Scores:
    """The metrics of every strategy, each exactly what `backtest` gives for it; tables are not kept.

    Arguments as in `backtest`. Indicators of equal arguments are computed once. `edges` (B + 1,) are rows of the bars, in
    order, none before `first`: block i covers rows edges[i] to edges[i + 1] - 1. A bar after the ruin of an account has no
    return and adds nothing to its block. With `keep_going` a strategy that fails is a row of NaN and its message in
    `Scores.errors`.

    Raises as `backtest` does; with `keep_going` only for what is wrong with every run.
    """
    settings = settings_of(bars, capital, costs, allocation, risk, fills, exits, instruments, index)
    return score_runs(strategies, bars, settings, first=first, edges=edges, keep_going=keep_going)


def score_runs(
    strategies: Iterable[Strategy],
    bars: Bars,
    settings: Settings,
    *,
    first: int = 0,
    edges: Integers | None = None,
    keep_going: bool = False,
    called: int = 0,
) -> Scores:
    """`backtest_many` with all that is neither strategy nor data in one `settings`.

    `called` is how often `decide` is called for other runs of the same study in this process: a rule that runs bar by bar is
    compiled when all of them make it worth while.
    """
    first = checked_first(first, bars)
    blocks = NO_EDGES if edges is None else checked_edges(edges, first, bars) - first
    scorer = _Scorer(bars, settings, first, blocks, keep_going, called)
    with shared_memo(), np.errstate(invalid="ignore", divide="ignore"):
        for strategy in strategies:
            scorer.add(checked_instance(strategy, "backtest_many"))
        scorer.flush()
    return scorer.scores()


def checked_edges(edges: Any, first: int, bars: Bars) -> Integers:
    """`edges` as row numbers (B + 1,). Raises BadParameter unless they are whole, in order and within first..T."""
    rows = np.asarray(edges)
    if rows.ndim != 1 or rows.size < 2 or rows.dtype.kind not in "iu":
        raise BadParameter("edges are the rows between blocks: an array of two or more whole numbers")
    if rows[0] < first or rows[-1] > bars.T or bool((rows[1:] < rows[:-1]).any()):
        raise BadParameter(
            f"edges run from {rows[0]} to {rows[-1]}; they must rise, from {first} on, to {bars.T} at most"
        )
    return np.ascontiguousarray(rows, np.int64)


class _Scorer:
    """Collects targets of runs with the same rules and scores them together, in one book that is used again."""

    def __init__(
        self, bars: Bars, settings: Settings, first: int, edges: Integers, keep_going: bool, called: int
    ) -> None:
        self.bars, self.seen, self.settings = bars, bars.continuous(), settings
        self.first, self.edges, self.keep_going = first, edges, keep_going
        self.fields = deciding.row_values(self.seen, {})
        self.per_year = periods_of(bars.time.view(np.int64), bars.timeframe)
        self.modes: dict[type[Strategy], str] = {}
        self.called: defaultdict[type[Strategy], int] = defaultdict(lambda: called)
        self.markets: dict[Any, Any] = {}
        self.runs = 0
        self.done: list[tuple[list[int], Floats, Floats]] = []
        self.errors: dict[int, str] = {}
        self.waiting: list[tuple[int, Strategy]] = []
        self.key: Any = None
        self.targets = np.empty((max(1, min(64, CHUNK // (bars.T * bars.N))), bars.T, bars.N))
        self.scratch = np.empty((3, bars.T))
        self.unchanged = np.empty(bars.T, np.int8)
        rules = rules_record(settings, (), False, False)
        self._keep(empty_book(bars.T, bars.N, rules, settings.capital, room_for_orders(bars), first))
        self._choose_market((settings.exits, False, False), None)  # raises for settings that no run can have

    def _keep(self, book: Any) -> None:
        self.book = book
        self.trade_fields = np.empty((2, book.trades.shape[0]))
        self.trade_bars = np.empty(book.trades.shape[0], np.int64)

    def add(self, strategy: Strategy) -> None:
        """One more run: put at the end of those that wait, or scored now when it runs bar by bar."""
        number = self.runs
        self.runs += 1
        kind = type(strategy)
        if kind not in self.modes:
            self.modes[kind] = chosen_mode(strategy, self.bars, self.first, self.called[kind])
        try:
            if self.modes[kind] == ARRAY:
                self._decide(number, strategy)
            else:
                self._score_slowly(number, strategy, self.modes[kind])
        except GptTraderError as error:
            self._failed(number, error)

    def _failed(self, number: int, error: GptTraderError) -> None:
        if not self.keep_going:
            raise error
        self.errors[number] = str(error)

    def _decide(self, number: int, strategy: Strategy) -> None:
        """Put the targets of a stateless strategy at the end of those that wait."""
        features = deciding.compute_features(strategy, self.seen)
        score = features.get("score")
        key = (all_exits(strategy, self.settings), counts_units(strategy), score is not None)
        if key != self.key or score is not None or len(self.waiting) == len(self.targets):
            self.flush()
            self._choose_market(key, score)
        row = deciding.rows_from({**self.fields, **features}, self.first)
        answer = deciding.call_strategy(strategy, "decide", strategy.decide, row)
        slot = self.targets[len(self.waiting), self.first :]
        delay = min(self.settings.fills.delay, len(slot))
        if type(answer) is not np.ndarray or answer.shape != slot.shape or answer.dtype != np.float64:
            answer = deciding.checked_targets(strategy, answer, slot.shape, self.first)
        slot[:delay] = np.nan
        slot[delay:] = answer[: len(slot) - delay]
        self.waiting.append((number, strategy))

    def _choose_market(self, key: Any, score: NDArray[Any] | None) -> None:
        """The market and the rules of the runs to come; those with ranks of their own are made anew for each."""
        exits, units, ranked = key
        if key not in self.markets or score is not None:
            if len(self.markets) == MARKETS:
                self.markets.clear()
            nothing = Waiting.nothing(self.settings.fills.delay, self.bars.N)
            ranks = acted_ranks(nothing, score, self.bars, self.first)
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
        waiting, self.waiting = self.waiting, []
        out, sums = np.empty((runs, len(METRIC_NAMES))), np.empty((runs, 2, self.edges.size - 1))
        at, code = 0, DONE
        while at < runs:
            at, code = score_many(
                self.market, self.book, self.targets[:runs], at, self.unchanged, self.settings.capital, self.per_year,
                self.scratch, self.trade_fields, self.trade_bars, self.edges, out, sums,
            )  # fmt: skip
            if code == BAD_TARGET:
                out[at], sums[at] = np.nan, np.nan
                self._refuse(*waiting[at], self.targets[at, self.first :])
                at += 1
            elif code != DONE:
                self._keep(grown(self.book))
        self.done.append(([number for number, _ in waiting], out, sums))

    def _refuse(self, number: int, strategy: Strategy, targets: Floats) -> None:
        """Say which target of a run is infinite."""
        try:
            deciding.checked_targets(strategy, targets, targets.shape, self.first)
        except GptTraderError as error:
            self._failed(number, error)

    def _score_slowly(self, number: int, strategy: Strategy, mode: str) -> None:
        """Rules that run bar by bar: a whole run, of which only the statistics are kept."""
        kind = type(strategy)
        self.called[kind] += calls_of(strategy, self.bars, self.first)
        self.modes[kind] = chosen_mode(strategy, self.bars, self.first, self.called[kind])
        run = simulate(strategy, self.bars, self.settings, mode, first=self.first, required=False)
        trades = int(run.book.account[0]["trades"])
        out, sums = np.empty((1, len(METRIC_NAMES))), np.empty((1, 2, self.edges.size - 1))
        score_into(
            run.market, run.book, self.scratch, self.per_year, np.empty((2, trades)), np.empty(trades, np.int64), self.edges,
            out[0], sums[0],
        )  # fmt: skip
        self.done.append(([number], out, sums))

    def scores(self) -> Scores:
        """What was scored, in the order in which it was added."""
        values = np.full((self.runs, len(METRIC_NAMES)), np.nan)
        sums = np.full((self.runs, 2, self.edges.size - 1), np.nan)
        for numbers, out, parts in self.done:
            values[numbers], sums[numbers] = out, parts
        return Scores(METRIC_NAMES, values, sums, dict(sorted(self.errors.items())))
