"""What the six commands that run strategies end with: what the result is worth after its trials, files, a report, a printout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.look_ahead import LookAhead
from gpt_trader.metrics import returns
from gpt_trader.research.selection_bias import returns_counted, trial_statistics_of
from gpt_trader.too_good import Holding, is_too_good, of_metrics
from jobs.look_ahead import known, known_of_stored

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from gpt_trader.adapters.store import RunRecord, RunStore, StoreError
    from gpt_trader.adapters.store.trials import TrialBatch, TrialCount
    from gpt_trader.research.experiment import Experiment
    from gpt_trader.result import Result
    from gpt_trader.validation.summary import TrialStatistics
    from jobs.console import Output
    from jobs.counting import Counted
    from jobs.preamble import StudyInputs
    from jobs.studies import Study

# -- the printout --------------------------------------------------------------------------------------------------------


def conclude(
    output: Output,
    result: Mapping[str, Any],
    show: Callable[[], None],
    places: Mapping[str, object],
    problem: StoreError | None,
) -> None:
    """Print `result` for programs, or for people what `show` prints and then the `places` that there are.

    Raises what the store refused, the `problem`, last of all: the numbers are not lost with it.
    """
    output.emit(result)
    if output.tables:
        show()
        for name, place in places.items():
            if place is not None:
                output.line(f"{name:<9}{place}")
    if problem is not None:
        raise problem


def conclude_study(
    study: Study,
    inputs: StudyInputs,
    result: Mapping[str, Any],
    tables: Mapping[str, Mapping[str, Any]],
    *,
    write_report: Callable[[Path], None],
    show: Callable[[], None],
    problem: StoreError | None,
) -> None:
    """Write the files of a study, and its report where one is asked for; then as `conclude`."""
    from gpt_trader.adapters.study_tables import write_study

    said = {"run_id": study.study_id, **result}
    write_study(study.folder, said, tables)
    if inputs.report is not None:
        write_report(inputs.report)
    places = {"tables": study.folder, "report": inputs.report, "run": study.study_id}
    conclude(inputs.output, {**said, "folder": study.folder}, show, places, problem)


# -- what it is worth ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TrialVerdict:
    """What a run is worth after so many trials: its statistics, and the ledger's count with the run in it; None when it could not
    be counted."""

    statistics: TrialStatistics
    count: TrialCount | None

    def believed(self, state: LookAhead, too_good: Sequence[str]) -> TrialVerdict:
        """The same of a run whose code has that state, and about which so much is `too_good` to be true."""
        return replace(self, statistics=self.statistics.believed(state, too_good))

    @property
    def state(self) -> LookAhead:
        """What is known of the look-ahead of the code."""
        return self.statistics.look_ahead or LookAhead()

    def as_object(self) -> dict[str, Any]:
        """The JSON object of it, which `jobs.tables.significance_lines` shows."""
        count = self.count
        return {
            "counted": count is not None,
            **self.statistics.as_object(),
            "trials_on_these_data": None if count is None else count.raw,
            "trials_of_the_family": None if count is None else count.family_total,
        }

    @property
    def keys(self) -> dict[str, Any]:
        """What the JSON object of a study has of it."""
        said = self.statistics.as_object()
        return {
            "trials": trials_as_object(self.count, said["effective_trials"]),
            **{name: said[name] for name in ("psr", "dsr", "dsr_effective", "verdict")},
            "min_track_record": {
                "bars": said["min_track_record_bars"],
                "years": said["min_track_record_years"],
            },
            "statistics": said,
            "look_ahead": self.state.as_object(),
        }


def trials_as_object(count: TrialCount | None, effective: float | None) -> dict[str, Any] | None:
    """A count of trials, which are as good as so many `effective` ones, as the JSON objects of studies have it."""
    if count is None:
        return None
    return {
        "raw": count.raw,
        "overlapping": count.overlapping,
        "family": count.family_total,
        "effective": effective,
    }


def verdict_of(metrics: Mapping[str, float], observations: int, count: TrialCount | None) -> TrialVerdict:
    """What a run with these `metrics` over so many returns is worth; without a count there is no deflated Sharpe ratio."""
    return TrialVerdict(trial_statistics_of(metrics, observations, count), count)


def verdict_of_blocks(
    metrics: Mapping[str, float], sums: NDArray[np.floating[Any]], bars: int, count: TrialCount | None
) -> TrialVerdict:
    """The same of a run over `bars` rows, with `sums` (2, B) of its returns in blocks."""
    values = np.array([[metrics[name] for name in METRIC_NAMES]])
    return verdict_of(metrics, int(returns_counted(values, sums[None], bars)[0]), count)


def verdict_of_point(
    experiment: Experiment,
    parameters: Mapping[str, Any],
    metrics: Mapping[str, float],
    sums: NDArray[np.floating[Any]],
    counted: Counted,
    store: RunStore,
    named: str,
) -> TrialVerdict:
    """The same of a point of a study over all bars, with what is known of its code and what is too good about its metrics. `named`
    is how the strategy was given."""
    state = known(store if counted.problem is None else None, [(experiment.strategy, parameters)], named)
    verdict = verdict_of_blocks(metrics, sums, experiment.bars.T, counted.count)
    return verdict.believed(state, of_metrics(metrics, Holding(experiment.bars)))


def verdict_of_run(result: Result, trial: TrialBatch, count: TrialCount | None) -> TrialVerdict:
    """What a backtest is worth after so many trials."""
    return verdict_of(result.metrics, trial.observations, count)


def verdict_of_stored(store: RunStore, record: RunRecord) -> TrialVerdict:
    """What a stored run is worth after the trials there are by now; one on data that were never counted has no count."""
    manifest = record.manifest
    earned = returns(store.equity(record.run_id)["equity"].to_numpy(), manifest["capital"])
    data = (record.fingerprint, record.symbols, record.start, record.end, manifest["timeframe"])
    count = store.ledger.count(record.strategy, *data)
    verdict = verdict_of(record.metrics, int(np.isfinite(earned).sum()), count if count.raw else None)
    state = known_of_stored(store, manifest, record.parameters)
    return verdict.believed(state, [text for text in record.warnings if is_too_good(text)])
