"""What the six commands that run strategies end with: what the result is worth after its trials, files, a report, a printout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from gpt_trader.look_ahead import LookAhead
from gpt_trader.metrics import returns
from gpt_trader.research.selection_bias import trial_statistics_of
from gpt_trader.too_good import is_too_good
from jobs.look_ahead import known, known_of_stored

if TYPE_CHECKING:
    from pathlib import Path

    from gpt_trader.adapters.store import RunRecord, RunStore, StoreError
    from gpt_trader.adapters.store.trials import TrialBatch, TrialCount
    from gpt_trader.research.study import JudgedRun, Study, StudyResult
    from gpt_trader.result import Result
    from gpt_trader.validation.overfitting import Overfitting
    from gpt_trader.validation.summary import TrialStatistics
    from jobs.command_inputs import StudyInputs
    from jobs.console import Output
    from jobs.study_progress import Watched
    from jobs.trial_counting import Counting

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
        """The JSON object of it, which `jobs.console_tables.significance_lines` shows."""
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


def verdict_of(
    metrics: Mapping[str, float],
    observations: int,
    count: TrialCount | None,
    overfitting: Overfitting | None = None,
) -> TrialVerdict:
    """What a run with these `metrics` over so many returns is worth; without a count there is no deflated Sharpe ratio."""
    return TrialVerdict(trial_statistics_of(metrics, observations, count, overfitting), count)


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


# -- a study --------------------------------------------------------------------------------------------------------

ResultT = TypeVar("ResultT", bound="StudyResult")


@dataclass(frozen=True, slots=True)
class ConcludedStudy(Generic[ResultT]):
    """A study that has run: its `result`, the verdict on each run that it puts forward, and how often its family was tried (None
    when the ledger refused)."""

    run_id: str
    folder: Path
    result: ResultT
    verdicts: tuple[TrialVerdict, ...]
    count: TrialCount | None


class StudyView(Generic[ResultT]):
    """How one kind of study is said. `place` is the label of its tables in the printout, `file` where they are in its folder."""

    place, file = "tables", ""

    def as_object(self, found: ConcludedStudy[ResultT]) -> dict[str, Any]:
        """What `result.json` holds, and `--json` prints."""
        raise NotImplementedError

    def more(self, _found: ConcludedStudy[ResultT]) -> dict[str, Any]:
        """What `--json` prints besides."""
        return {}

    def tables(self, found: ConcludedStudy[ResultT]) -> Mapping[str, Mapping[str, Any]]:
        """The Parquet tables, columns by name."""
        raise NotImplementedError

    def write_report(self, found: ConcludedStudy[ResultT], file: Path) -> None:
        """Write the HTML report."""
        raise NotImplementedError

    def show(self, found: ConcludedStudy[ResultT], said: Mapping[str, Any], output: Output) -> None:
        """Print it for people; `said` is the object."""
        raise NotImplementedError


def conclude_study(
    study: Study[ResultT],
    view: StudyView[ResultT],
    inputs: StudyInputs,
    named: Sequence[str],
    *,
    watched: Watched,
    about: Mapping[str, Any],
    expected: int | None = None,
    time_limit: float | None = None,
) -> ConcludedStudy[ResultT]:
    """Run a study, count its trials, judge what it puts forward, write its files and its report, print.

    `named` says how the strategy of each judged run was given. Other arguments as in `jobs.study_lifecycle.open_study`.
    Raises StudyStopped when the user cancels or interrupts; the trials that were finished are counted before. What the
    ledger refused is raised last of all.
    """
    from gpt_trader.adapters.study_tables import write_study
    from gpt_trader.research.study import run_study
    from jobs.trial_counting import Counting

    counting = Counting(inputs.store, study.kind)
    with inputs.run(study, watched=watched, about=about, expected=expected, time_limit=time_limit) as running:
        result = run_study(study, running.run, counting.keep)
        running.headline(result.headline)
        count = counting.count(study.experiment)
        verdicts = tuple(
            _verdict(run, name, counting, inputs.store)
            for run, name in zip(result.judged, named, strict=False)
        )
        found = ConcludedStudy(running.study_id, running.folder, result, verdicts, count)
        said = {"run_id": found.run_id, **view.as_object(found)}
        write_study(found.folder, said, view.tables(found))
        if inputs.report is not None:
            view.write_report(found, inputs.report)
    printed = {**said, **view.more(found), "folder": found.folder} if inputs.output.as_json else said
    places = {view.place: found.folder / view.file, "report": inputs.report, "run": found.run_id}
    conclude(inputs.output, printed, lambda: view.show(found, said, inputs.output), places, counting.problem)
    return found


def _verdict(run: JudgedRun, named: str, counting: Counting, store: RunStore) -> TrialVerdict:
    count = counting.count(run.experiment)
    state = known(store if counting.problem is None else None, run.strategies, named)
    verdict = verdict_of(run.metrics, run.observations, count, run.overfitting)
    return verdict.believed(state, run.too_good)
