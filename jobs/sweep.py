"""`gpt-trader sweep`: one strategy at many points of its parameters, in this process or on Ray."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import GptTraderError
from jobs.backtest import check_report_path
from jobs.console import Output
from jobs.data_options import DataOptions
from jobs.look_ahead import belief_lines, known
from jobs.numba_start import start_numba
from jobs.options import grouped
from jobs.rule_options import AllocationOptions, CostOptions, ExitOptions, RiskOptions
from jobs.settings import SettingsOptions, StoreOptions
from jobs.strategy_options import STRATEGY_HELP, SearchOptions
from jobs.study_options import StudyOptions, WorkerOptions, subject_of

if TYPE_CHECKING:
    from gpt_trader.adapters.store import RunStore, StoreError
    from gpt_trader.adapters.store.trials import TrialCount
    from gpt_trader.errors import StudyStopped
    from gpt_trader.research.conclusions import Conclusions
    from gpt_trader.research.evaluation import Subject
    from gpt_trader.research.objectives import Objective
    from gpt_trader.research.plan import Plan, WorkedOff
    from gpt_trader.research.space import Space
    from gpt_trader.research.sweep import Sweep
    from jobs.studies import Study

app = typer.Typer(add_completion=False)


@app.command(
    help="Run a strategy at many points of its parameters, and say how likely the best is to be luck."
)
@grouped
def sweep(
    *,
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP)],
    search: SearchOptions,
    data: DataOptions,
    study: StudyOptions,
    where: WorkerOptions,
    costs: CostOptions,
    allocation: AllocationOptions,
    exits: ExitOptions,
    risk: RiskOptions,
    store: StoreOptions,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Run the search; what can be refused is refused before any data is read, a point that fails is listed."""
    from gpt_trader.strategies import load_strategy

    kind = load_strategy(strategy)
    objectives = search.objectives()
    space = search.space(kind)
    search.check_size(space, yes=study.yes)
    check_report_path(study.report)
    configuration = settings.load()
    opened = store.open(configuration)
    with output.counting("loading bars") as told:
        subject = subject_of(kind, configuration, data, study, costs, allocation, exits, risk, told)
    start_numba()
    seed = configuration.backtest.seed if study.seed is None else study.seed
    job = Job(
        search, space, objectives, seed, study.runs_dir or configuration.runs_dir, where, output, strategy
    )
    done = job.run(subject, opened)
    finish(done, search, study.report, output)


@dataclass(frozen=True, slots=True)
class Done:
    """A sweep that has run: what it says, the ledger's count, where its files are, why it ended early, what the store refused."""

    run_id: str
    folder: Path
    found: Conclusions
    count: TrialCount | None
    cached: int
    ended: str | None
    problem: StoreError | None


@dataclass(frozen=True, slots=True)
class Job:
    """A sweep before it runs; `named` is how the strategy was given."""

    options: SearchOptions
    space: Space
    objectives: tuple[Objective, ...]
    seed: int
    runs_dir: Path
    where: WorkerOptions
    output: Output
    named: str

    def run(self, subject: Subject, store: RunStore) -> Done:
        """Search, count every point in the ledger, draw the conclusions, write the files.

        Raises StudyStopped when the user cancels or interrupts; the points that were finished are counted before.
        """
        from gpt_trader.adapters.sweep_files import write_sweep
        from gpt_trader.research.conclusions import Conclusions
        from gpt_trader.research.sweep import KIND, Sweep, run_sweep
        from jobs.studies import Watched, open_study
        from jobs.sweep_result import result_of
        from jobs.sweep_trials import Counting

        rule = self.options.rule(subject.bars.T)
        search = self.options.search(self.space, self.seed, watched=rule is not None)
        sweep = Sweep(subject, self.space, search, self.objectives, rule)
        run_id = self.run_id(sweep)
        counting = Counting(store, subject, self.space, lambda: datetime.now(UTC))
        first = self.objectives[0]
        with open_study(
            KIND,
            run_id,
            subject,
            where=self.where,
            output=self.output,
            runs_dir=self.runs_dir,
            points=None if rule else search.total,
            watched=Watched(first.metric, first.smallest),
            about={"parameters": self.options.described(), **self.about()},
            store=store,
        ) as study:
            work = UntilStopped(study, self.runs_dir, self.options.time_limit)
            swept = run_sweep(sweep, work, counting.keep)
            if work.stopped is not None:
                raise work.stopped
            count = counting.count()
            found = Conclusions(subject, self.space, swept.surface, self.objectives, count)
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
            described |= {"seed": self.seed, "trials": self.options.trials}
        return described

    def run_id(self, sweep: Sweep) -> str:
        """16 hex digits that stand for the whole search: the same one has the same id, and its files are the same."""
        from gpt_trader.adapters.canonical import canonical_json
        from gpt_trader.research.identity import id_of_study
        from gpt_trader.research.sweep import KIND

        rungs = None if sweep.rule is None else sweep.rule.rungs
        return id_of_study([KIND, sweep.subject.key, self.about(), rungs], canonical_json)


class UntilStopped:
    """Has a study's plans worked off until its time is over or the user stops it; what was finished is never lost."""

    def __init__(self, study: Study, runs_dir: Path, time_limit: float | None) -> None:
        self._study, self._chunks = study, runs_dir / ".chunks"
        self._deadline = None if time_limit is None else monotonic() + time_limit
        self.stopped: StudyStopped | KeyboardInterrupt | None = None

    def __call__(self, plan: Plan) -> WorkedOff:
        """What came of the plan, cut short when it was stopped."""
        from gpt_trader.adapters.chunk_store import ChunkStore
        from gpt_trader.errors import StudyStopped
        from gpt_trader.research.plan import WorkedOff

        try:
            return self._study.work_off(plan, self._over)
        except (StudyStopped, KeyboardInterrupt) as stopped:
            self.stopped = stopped
            kept = ChunkStore(self._chunks)
            return WorkedOff(tuple(map(kept.get, plan.keys)), cancelled=True)

    def _over(self) -> bool:
        return self._deadline is not None and monotonic() > self._deadline


def finish(done: Done, options: SearchOptions, report: Path | None, output: Output) -> None:
    """Report, JSON, tables. Raises what the store refused, and GptTraderError when no point has the objective."""
    from jobs.sweep_result import points_of, result_of

    method = options.chosen_method
    if report is not None:
        from gpt_trader.adapters.report.sweep_build import write_sweep_report

        write_sweep_report(done.found, method, done.run_id, report, done.ended)
    if output.as_json:
        result = {"run_id": done.run_id, **result_of(done.found, method, done.count)}
        rest = {"cached": done.cached, "complete": done.ended is None, "folder": done.folder}
        output.emit({**result, **rest, "points": points_of(done.found, options.top)})
    if output.tables:
        show(done, options, report, output)
    if done.problem is not None:
        raise done.problem
    if done.found.best is None:
        raise GptTraderError(nothing_best(done.found))


def show(done: Done, options: SearchOptions, report: Path | None, output: Output) -> None:
    """The top table, what it is worth, and where the files are."""
    from gpt_trader.research.conclusions import too_good_lines
    from gpt_trader.strategy import strategy_name
    from jobs.study_output import failed_lines
    from jobs.sweep_result import (
        described,
        front_table,
        idle_line,
        luck_of,
        plateau_line,
        top_table,
    )
    from jobs.tables import luck_lines, parameters_line

    found = done.found
    fixed = parameters_line(found.space.fixed) if found.space.fixed else ""
    output.line(f"{strategy_name(found.subject.strategy)}{f' ({fixed})' if fixed else ''}")
    output.line(described(found, options.chosen_method, done.ended) + "\n")
    several = len(found.objectives) > 1
    if found.best is not None:
        output.show(front_table(found, options.top) if several else top_table(found, options.top))
        output.line("")
    surface = found.surface
    failed = ((surface.parameters(row), text) for row, text in surface.errors.items())
    for line in failed_lines(failed, len(surface.errors)):
        output.line(line)
    for name, text in (("unused", idle_line(found)), ("plateau", plateau_line(found))):
        if text is not None:
            output.line(f"{name:<9}{text}")
    for line in belief_lines(found.state, too_good_lines(found)):
        output.line(line)
    luck = luck_of(found, done.count)
    for line in () if luck is None else luck_lines(luck):
        output.line(line)
    output.line(f"points   {done.folder / 'points.parquet'}")
    if report is not None:
        output.line(f"report   {report}")
    output.line(f"run      {done.run_id}")


def nothing_best(found: Conclusions) -> str:
    """Why there is no best point."""
    surface, metric = found.surface, found.objectives[0].metric
    if len(surface) == 0:
        return "no point was finished in time; give a longer --time-limit, and the same command goes on from here"
    if len(surface.errors) == len(surface):
        return f"all {len(surface):,} points failed, the first with: {next(iter(surface.errors.values()))}"
    return f"no point has a {metric} (no trade, or no spread of returns); choose other values or another objective"


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.sweep", app)
