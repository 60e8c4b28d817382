"""`gpt-trader sweep`: one strategy at many points of its parameters, in this process or on Ray."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.look_ahead import known
from jobs.options import grouped
from jobs.preamble import StudyInputs, StudyPreamble
from jobs.strategy_options import STRATEGY_HELP, SearchOptions
from jobs.study_progress import Watched

if TYPE_CHECKING:
    from gpt_trader.errors import StudyStopped
    from gpt_trader.research.experiment import Experiment
    from gpt_trader.research.objectives import Objective
    from gpt_trader.research.plan import Plan, PlanResult
    from gpt_trader.research.search_space import Space
    from gpt_trader.research.sweep_study import SweepStudy
    from jobs.studies import Study
    from jobs.sweep_output import Done

app = typer.Typer(add_completion=False)


@app.command(
    help="Run a strategy at many points of its parameters, and say how likely the best is to be luck."
)
@grouped
def sweep(
    *,
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP)],
    search: SearchOptions,
    options: StudyPreamble,
) -> None:
    """Run the search; what can be refused is refused before any data is read, a point that fails is listed."""
    from gpt_trader.strategies import load_strategy

    kind = load_strategy(strategy)
    objectives = search.objectives()
    space = search.space(kind)
    search.check_size(space, yes=options.run.yes)
    inputs = StudyInputs(options)
    experiment = inputs.experiment(kind)
    from jobs.sweep_output import finish

    finish(Job(search, space, objectives, inputs, strategy).run(experiment), search, inputs)


@dataclass(frozen=True, slots=True)
class Job:
    """A sweep before it runs; `named` is how the strategy was given."""

    options: SearchOptions
    space: Space
    objectives: tuple[Objective, ...]
    inputs: StudyInputs
    named: str

    def run(self, experiment: Experiment) -> Done:
        """Search, count every point in the ledger, draw the conclusions, write the files.

        Raises StudyStopped when the user cancels or interrupts; the points that were finished are counted before.
        """
        from gpt_trader.adapters.sweep_files import write_sweep
        from gpt_trader.research.sweep_analysis import SweepAnalysis
        from gpt_trader.research.sweep_study import KIND, SweepStudy, run_sweep
        from jobs.counting import NOT_COUNTED_YET, Counting, batches_of_surface
        from jobs.sweep_output import Done, result_of

        rule = self.options.rule(experiment.bars.T)
        search = self.options.search(self.space, self.inputs.seed, watched=rule is not None)
        sweep = SweepStudy(experiment, self.space, search, self.objectives, rule)
        run_id, store = self.run_id(sweep), self.inputs.store
        counting = Counting(store, experiment, KIND, NOT_COUNTED_YET)
        first = self.objectives[0]
        with self.inputs.study(
            KIND,
            run_id,
            experiment,
            points=None if rule else search.total,
            watched=Watched(first.metric, first.smallest),
            about={"parameters": self.options.described(), **self.about()},
        ) as study:
            work = UntilStopped(study, self.options.time_limit)
            swept = run_sweep(
                sweep, work, lambda part: counting.keep(batches_of_surface(part, experiment, self.space))
            )
            if work.stopped is not None:
                raise work.stopped
            count = counting.count()
            found = SweepAnalysis(experiment, self.space, swept.surface, self.objectives, count)
            asked = store if counting.problem is None else None
            found = replace(found, look_ahead=known(asked, [found.best_run], self.named))
            result = {"run_id": run_id, **result_of(found, self.options.chosen_method, count)}
            write_sweep(found, result, study.folder)
        ended = "ended by --time-limit" if swept.cut_short else None
        return Done(run_id, study.folder, found, count, swept.cached, ended, counting.problem)

    def about(self) -> dict[str, Any]:
        """What describes the search: all of it that decides which points are run."""
        method = self.options.chosen_method
        described: dict[str, Any] = {
            "method": method,
            "objectives": [str(item) for item in self.objectives],
            "axes": {axis.name: axis.described() for axis in self.space.axes},
            "fixed": dict(self.space.fixed),
            "constraints": [item.text for item in self.space.constraints],
        }
        if method != "grid":
            described |= {"seed": self.inputs.seed, "trials": self.options.trials}
        return described

    def run_id(self, sweep: SweepStudy) -> str:
        """16 hex digits that stand for the whole search: the same one has the same id, and its files are the same."""
        from gpt_trader.adapters.canonical_json import canonical_json
        from gpt_trader.research.sweep_study import KIND
        from gpt_trader.research.trial_identity import id_of_study

        rungs = None if sweep.rule is None else sweep.rule.rungs
        return id_of_study([KIND, sweep.experiment.key, self.about(), rungs], canonical_json)


class UntilStopped:
    """Has a study's plans worked off until its time is over or the user stops it; what was finished is never lost."""

    def __init__(self, study: Study, time_limit: float | None) -> None:
        self._study = study
        self._deadline = None if time_limit is None else monotonic() + time_limit
        self.stopped: StudyStopped | KeyboardInterrupt | None = None

    def __call__(self, plan: Plan) -> PlanResult:
        """What came of the plan, cut short when it was stopped."""
        from gpt_trader.errors import StudyStopped
        from gpt_trader.research.plan import PlanResult

        try:
            return self._study.run_chunks(plan, self._over)
        except (StudyStopped, KeyboardInterrupt) as stopped:
            self.stopped = stopped
            return PlanResult(self._study.kept(plan), cancelled=True)

    def _over(self) -> bool:
        return self._deadline is not None and monotonic() > self._deadline


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.sweep", app)
