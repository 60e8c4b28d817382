"""What a study tried, as the trial ledger counts it: the runs that could have been chosen, with key, Sharpe ratio and profile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.chunk import Chunk, ChunkResult
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.return_profiles import profiles_between, profiles_of
from gpt_trader.research.selection_bias import returns_counted
from gpt_trader.research.trial_identity import KEY_BYTES, TrialKeys, data_hash

if TYPE_CHECKING:
    from gpt_trader.research.plan import Plan, PlanResult
    from gpt_trader.research.scenario_runs import ScenarioRun

Floats = NDArray[np.float64]
SHARPE, PER_YEAR = METRIC_NAMES.index("sharpe"), METRIC_NAMES.index("periods_per_year")


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """n runs of one experiment, failed ones too: their `keys` (n, 16), annual `sharpe` divided by the root of the bars a year
    (n,), NaN for a failed one, how many returns each had (n,), and their return `profiles` (n, 32)."""

    experiment: Experiment
    keys: NDArray[np.uint8]
    sharpe: Floats
    observations: NDArray[np.int64]
    profiles: NDArray[np.float32]


def trials_of_points(
    experiment: Experiment,
    rows: tuple[int, int],
    parameters: Iterable[Mapping[str, Any]],
    values: Floats,
    profiles: NDArray[np.float32],
    observations: NDArray[np.int64],
) -> Trials:
    """Points with these `parameters` on the rows from `rows[0]` to before `rows[1]`; `values` (n, metrics) by METRIC_NAMES."""
    data = data_hash(experiment.bars.fingerprint())
    keys = TrialKeys(experiment.strategy, experiment.settings, data, rows[0], rows[1] - 1)
    sharpe = values[:, SHARPE] / np.sqrt(values[:, PER_YEAR])
    return Trials(experiment, keys.of_all(parameters), sharpe, observations, profiles)


def trials_of_plan(plan: Plan, done: PlanResult) -> Iterator[Trials]:
    """The points of a plan that were reached, together where chunks on the same rows follow each other."""
    reached = [
        _without_missing(chunk, result)
        for chunk, result in zip(plan.chunks, done.results, strict=True)
        if result is not None
    ]
    for rows, group in groupby(reached, lambda pair: _rows(plan, pair[0])):
        yield _trials_of_chunks(plan, rows, list(group))


def _without_missing(chunk: Chunk, result: ChunkResult) -> tuple[Chunk, ChunkResult]:
    places = np.flatnonzero(result.reached).tolist()
    return chunk.only(places), result.only(places)


def _rows(plan: Plan, chunk: Chunk) -> tuple[int, int]:
    return chunk.first, plan.experiment.bars.T if chunk.stop is None else chunk.stop


def _trials_of_chunks(
    plan: Plan, rows: tuple[int, int], group: Sequence[tuple[Chunk, ChunkResult]]
) -> Trials:
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
    return trials_of_points(
        plan.experiment,
        rows,
        parameters,
        np.concatenate(values),
        np.concatenate(profiles),
        np.concatenate(counts),
    )


def trials_of_runs(experiment: Experiment, runs: Sequence[ScenarioRun]) -> Trials:
    """Runs on all bars of the experiment under its settings; one that failed has no Sharpe ratio."""
    bars = experiment.bars.T
    values = np.array([[run.metrics[name] for name in METRIC_NAMES] for run in runs])
    sums = np.array([run.sums for run in runs], np.float64)
    parameters = (run.parameters for run in runs)
    profiles, counts = np.nan_to_num(profiles_of(sums)), returns_counted(values, sums, bars)
    return trials_of_points(experiment, (0, bars), parameters, values, profiles, counts)


def trial_of_account(
    experiment: Experiment, study_id: str, first: int, returns: Floats, sharpe: float
) -> Trials:
    """The account of a study itself as one trial: its `returns` (n,) from row `first` on, NaN after a ruin, and its Sharpe
    ratio per bar. Its key is the id of the study (hex), because its parameters change on the way."""
    edges = np.arange(first, first + len(returns) + 1)
    sums = np.nan_to_num(np.stack([returns, np.square(returns)])[None])
    return Trials(
        experiment,
        np.frombuffer(bytes.fromhex(study_id).ljust(KEY_BYTES, b"\0"), np.uint8)[None],
        np.array([sharpe]),
        np.array([np.isfinite(returns).sum()], np.int64),
        profiles_between(sums, edges, experiment.bars.T),
    )
