"""Counts the points of a study in the trial ledger, and says what its best is worth after so many trials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.store.trials import TrialBatch, TrialCount
from gpt_trader.engine.measures import METRIC_NAMES
from gpt_trader.errors import StudyStopped
from gpt_trader.periods import periods_per_year
from gpt_trader.research.identity import TrialKeys, data_hash
from gpt_trader.research.luck import luck_of, returns_counted
from gpt_trader.research.points import profiles_between
from gpt_trader.research.profiles import profiles_of
from gpt_trader.strategy import strategy_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpt_trader.adapters.store import RunStore
    from gpt_trader.look_ahead import LookAhead
    from gpt_trader.research.evaluation import Evaluated, Evaluation, Subject
    from gpt_trader.research.plan import Plan, WorkedOff
    from gpt_trader.research.single_runs import Run
    from gpt_trader.validation.summary import TrialStatistics
    from jobs.studies import Study

SHARPE, PER_YEAR = METRIC_NAMES.index("sharpe"), METRIC_NAMES.index("periods_per_year")


@dataclass(frozen=True, slots=True)
class Counted:
    """The ledger's answer after a study, or what it refused with: the study goes on without it."""

    count: TrialCount | None
    problem: StoreError | None


def work_and_count(study: Study, plan: Plan, store: RunStore) -> tuple[WorkedOff, Counted]:
    """Work a plan off and count its points, those that failed as well; when it is stopped, those that were finished."""
    from gpt_trader.adapters.chunk_store import ChunkStore

    try:
        done = study.work_off(plan)
    except (StudyStopped, KeyboardInterrupt):
        kept = ChunkStore(study.folder.parent / ".chunks")
        count_all(store, batches_of(plan, [kept.get(key) for key in plan.keys]))
        raise
    return done, count_all(store, batches_of(plan, done.results))


def batches_of(plan: Plan, results: Sequence[Evaluated | None]) -> Iterator[TrialBatch]:
    """The points that were reached, failed ones too, together where chunks on the same rows follow each other."""
    reached = [
        _without_missing(chunk, result)
        for chunk, result in zip(plan.chunks, results, strict=True)
        if result is not None
    ]
    for rows, group in groupby(reached, lambda pair: _rows(plan, pair[0])):
        yield from _batches(plan, rows, list(group))


def _without_missing(chunk: Evaluation, result: Evaluated) -> tuple[Evaluation, Evaluated]:
    places = np.flatnonzero(result.reached).tolist()
    return chunk.only(places), result.only(places)


def _rows(plan: Plan, chunk: Evaluation) -> tuple[int, int]:
    return chunk.first, plan.subject.bars.T if chunk.stop is None else chunk.stop


def _batches(
    plan: Plan, rows: tuple[int, int], group: Sequence[tuple[Evaluation, Evaluated]]
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
        profiles.append(profiles_between(result.sums, edges, plan.subject.bars.T))
    keys = TrialKeys(
        plan.subject.strategy,
        plan.subject.settings,
        data_hash(plan.subject.bars.fingerprint()),
        first,
        stop - 1,
    )
    yield from by_length(
        described(plan.subject, plan.kind),
        keys.of_all(parameters),
        np.concatenate(values),
        np.concatenate(profiles),
        np.concatenate(counts),
    )


def by_length(
    of: Mapping[str, Any],
    keys: NDArray[np.uint8],
    values: NDArray[np.float64],
    profiles: NDArray[np.float32],
    counts: NDArray[np.int64],
) -> Iterator[TrialBatch]:
    """Trials as the ledger takes them: those of as many returns, `counts` (n,), together.

    `of` is what `described` says; `values` (n, metrics) by METRIC_NAMES.
    """
    sharpe = values[:, SHARPE] / np.sqrt(values[:, PER_YEAR])
    for count in np.unique(counts).tolist():
        rows = np.flatnonzero(counts == count)
        yield TrialBatch(
            **of, keys=keys[rows], sharpe=sharpe[rows], observations=count, profiles=profiles[rows]
        )


def batch_of_curve(
    subject: Subject, kind: str, study_id: str, first: int, returns: Any, sharpe: float
) -> TrialBatch:
    """The account of a study itself as one trial: its `returns` (n,) from row `first` on, NaN after a ruin, and its Sharpe
    ratio per bar."""
    edges = np.arange(first, first + len(returns) + 1)
    sums = np.nan_to_num(np.stack([returns, np.square(returns)])[None])
    return TrialBatch(
        **described(subject, kind),
        keys=np.frombuffer(bytes.fromhex(study_id).ljust(16, b"\0"), np.uint8)[None],
        sharpe=np.array([sharpe]),
        observations=int(np.isfinite(returns).sum()),
        profiles=profiles_between(sums, edges, subject.bars.T),
    )


def batches_of_runs(subject: Subject, kind: str, runs: Sequence[Run]) -> Iterator[TrialBatch]:
    """Runs on all bars of the subject under its settings as trials; one that failed has no Sharpe ratio."""
    bars = subject.bars
    keys = TrialKeys(subject.strategy, subject.settings, data_hash(bars.fingerprint()), 0, bars.T - 1)
    values = np.array([[run.metrics[name] for name in METRIC_NAMES] for run in runs])
    sums = np.array([run.sums for run in runs], np.float64)
    yield from by_length(
        described(subject, kind),
        keys.of_all(run.parameters for run in runs),
        values,
        np.nan_to_num(profiles_of(sums)),
        returns_counted(values, sums, bars.T),
    )


def described(subject: Subject, kind: str) -> dict[str, Any]:
    """What all batches of a study share."""
    bars = subject.bars
    return {
        "family": strategy_name(subject.strategy),
        "data": data_hash(bars.fingerprint()),
        "symbols": bars.symbols,
        "start": bars.time[0],
        "end": bars.time[-1],
        "timeframe": bars.timeframe,
        "bars": bars.T,
        "periods_per_year": periods_per_year(bars.time, bars.timeframe),
        "kind": kind,
    }


def count_all(store: RunStore, batches: Iterable[TrialBatch]) -> Counted:
    """Record the batches, all of one family on one data set, and ask how many trials there are now."""
    now, last = datetime.now(UTC), None
    try:
        with store as opened:
            for last in batches:
                opened.ledger.record(last, made_at=now)
            if last is None:
                return Counted(None, None)
            data = (last.data, last.symbols, last.start, last.end, last.timeframe)
            return Counted(opened.ledger.count(last.family, *data), None)
    except StoreError as error:
        return Counted(
            None, StoreError(f"{error}. These trials were NOT counted, so there is no deflated Sharpe ratio")
        )


@dataclass(frozen=True, slots=True)
class Worth:
    """What a run is worth after so many trials: its statistics, the `keys` that the JSON of every study has, and what
    `jobs.tables.luck_lines` shows."""

    statistics: TrialStatistics
    keys: Mapping[str, Any]
    lines: Mapping[str, Any]


def worth_of_run(
    metrics: Mapping[str, float],
    sums: NDArray[np.floating[Any]],
    bars: int,
    count: TrialCount | None,
    state: LookAhead,
    too_good: Sequence[str],
) -> Worth:
    """What a run over `bars` rows is worth, with `sums` (2, B) of its returns in blocks; the rest as in `worth_of`."""
    values = np.array([[metrics[name] for name in METRIC_NAMES]])
    return worth_of(metrics, int(returns_counted(values, sums[None], bars)[0]), count, state, too_good)


def worth_of(
    metrics: Mapping[str, float],
    observations: int,
    count: TrialCount | None,
    state: LookAhead,
    too_good: Sequence[str],
) -> Worth:
    """What a run with these `metrics` over so many returns is worth, its code having that `state` of look-ahead and so much
    about it being `too_good` to be true."""
    statistics = luck_of(metrics, observations, count).believed(state, too_good)
    said = statistics.as_object()
    trials = None
    if count is not None:
        trials = {
            "raw": count.raw,
            "overlapping": count.overlapping,
            "family": count.family_total,
            "effective": said["effective_trials"],
        }
    keys = {
        "trials": trials,
        **{name: said[name] for name in ("psr", "dsr", "dsr_effective", "verdict")},
        "min_track_record": {"bars": said["min_track_record_bars"], "years": said["min_track_record_years"]},
        "statistics": said,
        "look_ahead": state.as_object(),
    }
    family = None if count is None else count.family_total
    return Worth(statistics, keys, {**said, "counted": count is not None, "trials_of_the_family": family})
