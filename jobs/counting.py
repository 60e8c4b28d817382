"""Counts what was tried in the trial ledger: a backtest, the points of a study, the account of a study itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.store.trials import TrialBatch, TrialCount, TrialLedger
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.engine.records import EQUITY
from gpt_trader.errors import StudyStopped
from gpt_trader.metrics import returns
from gpt_trader.periods import periods_per_year
from gpt_trader.research.return_profiles import profile_of, profiles_between, profiles_of
from gpt_trader.research.selection_bias import returns_counted
from gpt_trader.research.trial_identity import TrialKeys, data_hash
from gpt_trader.strategy import strategy_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpt_trader.adapters.store import RunStore
    from gpt_trader.bars import Bars
    from gpt_trader.research.chunk import Chunk, ChunkResult
    from gpt_trader.research.experiment import Experiment
    from gpt_trader.research.plan import Plan, PlanResult
    from gpt_trader.research.response_surface import Surface
    from gpt_trader.research.scenario_runs import Run
    from gpt_trader.research.search_space import Space
    from gpt_trader.result import Result
    from jobs.studies import Study

Answer = TypeVar("Answer")
SHARPE, PER_YEAR = METRIC_NAMES.index("sharpe"), METRIC_NAMES.index("periods_per_year")
NOT_COUNTED = "These trials were NOT counted, so there is no deflated Sharpe ratio"
NOT_COUNTED_YET = "These points were NOT counted, so nothing is deflated; the same command counts them"

# -- the ledger ----------------------------------------------------------------------------------------------------------


def counted(ledger: TrialLedger, trial: TrialBatch, made_at: datetime) -> TrialCount:
    """Record a trial and ask how many there are now. Raises StoreError."""
    ledger.record(trial, made_at=made_at)
    return ledger.count(trial.family, trial.data, trial.symbols, trial.start, trial.end, trial.timeframe)


@dataclass(frozen=True, slots=True)
class Counted:
    """The ledger's answer after a study, or what it refused with: the study goes on without it."""

    count: TrialCount | None
    problem: StoreError | None


class Counting:
    """The ledger while a study of `kind` runs. What it refuses is kept in `problem`, with what is `lost`: the study goes on, its
    points are not counted."""

    def __init__(
        self,
        store: RunStore,
        experiment: Experiment,
        kind: str,
        lost: str = NOT_COUNTED,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._of, self._lost, self._clock = store, described(experiment, kind), lost, clock
        self.problem: StoreError | None = None

    def keep(self, batches: Iterable[TrialBatch]) -> None:
        """Count these trials, all of the experiment's family on its data."""

        def record(store: RunStore) -> None:
            now = self._clock()
            for batch in batches:
                store.ledger.record(batch, made_at=now)

        self._with_store(record)

    def count(self) -> TrialCount | None:
        """How often the family was tried now; None when the ledger refused."""
        asked = [self._of[name] for name in ("family", "data", "symbols", "start", "end", "timeframe")]
        return self._with_store(lambda store: store.ledger.count(*asked))

    def counted(self) -> Counted:
        """The same with what the ledger refused."""
        count = self.count()
        return Counted(count, self.problem)

    def _with_store(self, ask: Callable[[RunStore], Answer]) -> Answer | None:
        if self.problem is not None:
            return None
        try:
            with self._store as opened:
                return ask(opened)
        except StoreError as problem:
            self.problem = StoreError(f"{problem}. {self._lost}")
        return None


def count_all(store: RunStore, experiment: Experiment, kind: str, batches: Iterable[TrialBatch]) -> Counted:
    """Record the batches and ask how many trials there are now."""
    counting = Counting(store, experiment, kind)
    counting.keep(batches)
    return counting.counted()


def work_and_count(study: Study, plan: Plan, store: RunStore) -> tuple[PlanResult, Counted]:
    """Work a plan off and count its points, those that failed as well; when it is stopped, those that were finished."""
    counting = Counting(store, plan.experiment, plan.kind)
    try:
        done = study.run_chunks(plan)
    except (StudyStopped, KeyboardInterrupt):
        counting.keep(batches_of(plan, study.kept(plan)))
        raise
    counting.keep(batches_of(plan, done.results))
    return done, counting.counted()


# -- what is counted -----------------------------------------------------------------------------------------------------


def trial_of(result: Result) -> TrialBatch:
    """A backtest as a batch of one trial."""
    earned = returns(result.track[EQUITY], result.settings.capital)
    per_year = result.metrics["periods_per_year"]
    return TrialBatch(
        family=result.strategy,
        data=result.fingerprint,
        **_span_of(result.bars),
        periods_per_year=per_year,
        kind="backtest",
        keys=np.frombuffer(result.trial_key, np.uint8)[None],
        sharpe=np.array([result.metrics["sharpe"] / np.sqrt(per_year)]),
        observations=int(np.isfinite(earned).sum()),
        profiles=profile_of(earned)[None],
    )


def batch_of_curve(
    experiment: Experiment, kind: str, study_id: str, first: int, returns: Any, sharpe: float
) -> TrialBatch:
    """The account of a study itself as one trial: its `returns` (n,) from row `first` on, NaN after a ruin, and its Sharpe
    ratio per bar."""
    edges = np.arange(first, first + len(returns) + 1)
    sums = np.nan_to_num(np.stack([returns, np.square(returns)])[None])
    return TrialBatch(
        **described(experiment, kind),
        keys=np.frombuffer(bytes.fromhex(study_id).ljust(16, b"\0"), np.uint8)[None],
        sharpe=np.array([sharpe]),
        observations=int(np.isfinite(returns).sum()),
        profiles=profiles_between(sums, edges, experiment.bars.T),
    )


def batches_of(plan: Plan, results: Sequence[ChunkResult | None]) -> Iterator[TrialBatch]:
    """The points of a plan that were reached, failed ones too, together where chunks on the same rows follow each other."""
    reached = [
        _without_missing(chunk, result)
        for chunk, result in zip(plan.chunks, results, strict=True)
        if result is not None
    ]
    for rows, group in groupby(reached, lambda pair: _rows(plan, pair[0])):
        yield from _batches_of_chunks(plan, rows, list(group))


def _without_missing(chunk: Chunk, result: ChunkResult) -> tuple[Chunk, ChunkResult]:
    places = np.flatnonzero(result.reached).tolist()
    return chunk.only(places), result.only(places)


def _rows(plan: Plan, chunk: Chunk) -> tuple[int, int]:
    return chunk.first, plan.experiment.bars.T if chunk.stop is None else chunk.stop


def _batches_of_chunks(
    plan: Plan, rows: tuple[int, int], group: Sequence[tuple[Chunk, ChunkResult]]
) -> Iterator[TrialBatch]:
    first, stop = rows
    parameters, values, profiles, counts = [], [], [], []
    for chunk, result in group:
        parameters += [
            {**dict(chunk.fixed), **dict(zip(chunk.names, point, strict=True))} for point in chunk.points
        ]
        edges = np.array(chunk.edges or (first, stop), np.int64)
        values.append(result.values)
        counts.append(returns_counted(result.values, result.sums, stop - first))
        profiles.append(profiles_between(result.sums, edges, plan.experiment.bars.T))
    yield from _by_length(
        plan.experiment,
        plan.kind,
        rows,
        parameters,
        np.concatenate(values),
        np.concatenate(profiles),
        np.concatenate(counts),
    )


def batches_of_runs(experiment: Experiment, kind: str, runs: Sequence[Run]) -> Iterator[TrialBatch]:
    """Runs on all bars of the experiment under its settings as trials; one that failed has no Sharpe ratio."""
    bars = experiment.bars.T
    values = np.array([[run.metrics[name] for name in METRIC_NAMES] for run in runs])
    sums = np.array([run.sums for run in runs], np.float64)
    parameters = (run.parameters for run in runs)
    profiles, counts = np.nan_to_num(profiles_of(sums)), returns_counted(values, sums, bars)
    yield from _by_length(experiment, kind, (0, bars), parameters, values, profiles, counts)


def batches_of_surface(part: Surface, experiment: Experiment, space: Space) -> Iterator[TrialBatch]:
    """The points of a part of a sweep: those that saw all bars, and those given up at each look."""
    rows = [row for row in range(len(part)) if row not in part.early_stops]
    if rows:
        yield from _batches_of_rows(
            part, rows, part.values[rows], part.sums[rows], experiment, space, experiment.bars.T
        )
    for stop in sorted({look.stop for look in part.early_stops.values()}):
        rows = [row for row, look in part.early_stops.items() if look.stop == stop]
        values = np.array([part.early_stops[row].values for row in rows])
        sums = np.array([part.early_stops[row].sums for row in rows])
        yield from _batches_of_rows(part, rows, values, sums, experiment, space, stop)


def _batches_of_rows(
    part: Surface,
    rows: list[int],
    values: NDArray[np.float64],
    sums: NDArray[np.float32],
    experiment: Experiment,
    space: Space,
    stop: int,
) -> Iterator[TrialBatch]:
    parameters = ({**space.fixed, **part.parameters(row)} for row in rows)
    profiles, counts = profiles_of(sums), returns_counted(values, sums, stop)
    yield from _by_length(experiment, "sweep", (0, stop), parameters, values, profiles, counts)


def _by_length(
    experiment: Experiment,
    kind: str,
    rows: tuple[int, int],
    parameters: Iterable[Mapping[str, Any]],
    values: NDArray[np.float64],
    profiles: NDArray[np.float32],
    counts: NDArray[np.int64],
) -> Iterator[TrialBatch]:
    """Points on the rows from `rows[0]` to before `rows[1]` as the ledger takes them: those of as many returns, `counts` (n,),
    together. `values` (n, metrics) are by METRIC_NAMES."""
    of = described(experiment, kind)
    keys = TrialKeys(experiment.strategy, experiment.settings, of["data"], rows[0], rows[1] - 1).of_all(
        parameters
    )
    sharpe = values[:, SHARPE] / np.sqrt(values[:, PER_YEAR])
    for count in np.unique(counts).tolist():
        chosen = np.flatnonzero(counts == count)
        yield TrialBatch(
            **of, keys=keys[chosen], sharpe=sharpe[chosen], observations=count, profiles=profiles[chosen]
        )


def described(experiment: Experiment, kind: str) -> dict[str, Any]:
    """What all batches of a study share."""
    bars = experiment.bars
    return {
        "family": strategy_name(experiment.strategy),
        "data": data_hash(bars.fingerprint()),
        **_span_of(bars),
        "periods_per_year": periods_per_year(bars.time, bars.timeframe),
        "kind": kind,
    }


def _span_of(bars: Bars) -> dict[str, Any]:
    """The bars in the words of the ledger."""
    return {
        "symbols": bars.symbols,
        "start": bars.time[0],
        "end": bars.time[-1],
        "timeframe": bars.timeframe,
        "bars": bars.T,
    }
