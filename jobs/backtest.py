"""`gpt-trader backtest`: one strategy on one set of bars; numbers on screen, tables in files, a row in the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import BadParameter, UserError
from jobs.console import Output
from jobs.data_options import DataOptions
from jobs.look_ahead import known, look_ahead_line, runs_in
from jobs.numba_start import start_numba
from jobs.options import grouped, number, option_in
from jobs.rule_options import AllocationOptions, CostOptions, ExitOptions, RiskOptions
from jobs.settings import SettingsOptions, StoreOptions
from jobs.strategy_options import DEFAULT_STRATEGY, STRATEGY_HELP, StrategyOptions

if TYPE_CHECKING:
    from gpt_trader.adapters.store import RunStore, StoreError
    from gpt_trader.allocation import Allocation
    from gpt_trader.bars import Bars
    from gpt_trader.costs import Costs, FillModel
    from gpt_trader.exits import Exit
    from gpt_trader.research.replicates import Redraw, Reruns
    from gpt_trader.result import Result
    from gpt_trader.risk import RiskLimits
    from gpt_trader.strategy import Strategy
    from jobs.counting import Luck

app = typer.Typer(add_completion=False)
PANEL = "Run"

_run = option_in(PANEL)


# fmt: off
@dataclass(frozen=True, slots=True)
class RunOptions:
    """Capital, seed and what becomes of the result."""

    capital: Annotated[
        float | None, _run("--capital", text="Cash at the start. (default 100,000)", parser=number, metavar="CASH")
    ] = None
    seed: Annotated[int | None, _run("--seed", text="Seed of synthetic bars and of the run. (default 0)", min=0)] = None
    benchmark: Annotated[
        bool | None, _run("--benchmark/--no-benchmark", text="Run buy and hold beside it. (default yes)")
    ] = None
    fractional: Annotated[bool, _run("--fractional", text="Trade fractions of shares.")] = False
    intervals: Annotated[
        int | None, _run("--intervals", text="Give intervals, from so many resampled markets.", min=1, metavar="COUNT")
    ] = None
    report: Annotated[Path | None, _run("--report", text="Write an HTML report.", metavar="FILE")] = None
    runs_dir: Annotated[
        Path | None, _run("--runs-dir", text="Folder of the tables of runs. (default runs)", metavar="FOLDER")
    ] = None
    save: Annotated[
        bool, _run("--save/--no-save", text="Keep the tables and a row in the store; it is counted anyway. (default yes)")
    ] = True
# fmt: on


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a run, built and checked before any data is read."""

    costs: Costs
    fills: FillModel
    allocation: Allocation
    exits: tuple[Exit, ...]
    risk: RiskLimits | None


@app.command(help="Backtest a strategy: what it earned, what it cost, against buy and hold.")
@grouped
def backtest(
    *,
    strategy: Annotated[str | None, typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP)] = None,
    named: Annotated[
        str | None,
        typer.Option("--strategy", metavar="STRATEGY", help="The same, as an option. (default demo_ma)"),
    ] = None,
    choice: StrategyOptions,
    data: DataOptions,
    run: RunOptions,
    costs: CostOptions,
    allocation: AllocationOptions,
    exits: ExitOptions,
    risk: RiskOptions,
    store: StoreOptions,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Run one backtest; everything that can be refused is refused before any data is read."""
    if strategy and named and strategy != named:
        raise BadParameter(f"two strategies are given, {strategy!r} and --strategy {named!r}; give one")
    made = choice.make(strategy or named or DEFAULT_STRATEGY)
    configuration = settings.load()
    seed = configuration.backtest.seed if run.seed is None else run.seed
    rules = Rules(
        costs.costs(configuration.costs),
        costs.fills(configuration.fills),
        allocation.allocation(configuration.allocation),
        exits.exits(),
        risk.limits(configuration.risk),
    )
    check_report_path(run.report)
    keeping = Keeping(
        store.open(configuration), (run.runs_dir or configuration.runs_dir) if run.save else None
    )
    with output.counting("loading bars") as told:
        loaded = data.load(configuration, seed, told)
        regime = rules.allocation.regime
        watched = regime is not None and regime not in loaded.bars.symbols
        index = data.load_index(configuration, str(regime), seed) if watched else None

    redraw = None if run.intervals is None else redraw_of(run.intervals, seed, loaded.bars)
    start_numba()
    from gpt_trader import backtest as run_backtest

    with output.progress("running"):
        result = run_backtest(
            made,
            loaded.bars,
            capital=configuration.backtest.capital if run.capital is None else run.capital,
            costs=rules.costs,
            fills=rules.fills,
            allocation=rules.allocation,
            exits=rules.exits,
            risk=rules.risk,
            instruments=data.instruments(loaded.bars.symbols, fractional=run.fractional),
            benchmark=configuration.backtest.benchmark if run.benchmark is None else run.benchmark,
            seed=seed,
            index=index,
        )
    kept = keeping.keep(result)
    state = known(
        keeping.store if kept.problem is None else None,
        runs_in(result),
        strategy or named or DEFAULT_STRATEGY,
    )
    luck = kept.luck.believed(state, result.too_good)
    reruns = None if redraw is None else rerun_of(result, made, redraw, output)
    if run.report is not None:
        from gpt_trader.adapters.report import write_report

        write_report(result, run.report, luck.statistics, reruns)
    output.emit(as_object(result, luck, reruns))
    if output.tables:
        show(result, luck, output, reruns)
        if kept.folder is not None:
            output.line(f"tables   {kept.folder}")
        if run.report is not None:
            output.line(f"report   {run.report}")
    if kept.problem is not None:
        raise kept.problem


def redraw_of(count: int, seed: int, bars: Bars) -> Redraw:
    """The resampled markets that are asked for. Raises as `Redraw.on`, before anything is run."""
    from gpt_trader.research.replicates import Redraw

    return Redraw(count, seed).on(bars)


def rerun_of(result: Result, strategy: Strategy, redraw: Redraw, output: Output) -> Reruns:
    """The run again on resampled markets, in this process."""
    from gpt_trader.research.evaluation import Subject
    from gpt_trader.research.execution import InProcess
    from gpt_trader.research.plan import work_off
    from gpt_trader.research.replicates import rerun

    subject = Subject(type(strategy), result.bars, result.settings)
    with output.progress("resampled markets", redraw.count) as step:
        return rerun(
            strategy,
            subject,
            result.metrics,
            redraw,
            lambda plan: work_off(
                plan,
                InProcess(),
                None,
                lambda part, _result, _known: step(len(part.points)),
            ),
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a finished run: its luck, the folder of its tables, and what the store refused."""

    luck: Luck
    folder: Path | None
    problem: StoreError | None


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where a finished run is counted and kept: the store, and the folder of the runs' tables (None to keep nothing)."""

    store: RunStore
    runs_dir: Path | None

    def keep(self, result: Result) -> Kept:
        """Count the run, then write its files and its row.

        A store that refuses is handed back, not raised: the numbers of the run are not lost.
        """
        from datetime import UTC, datetime

        from gpt_trader.adapters.run_files import write_run
        from gpt_trader.adapters.store import StoreError
        from jobs.counting import counted, luck_of_run, trial_of

        trial, now = trial_of(result), datetime.now(UTC)
        count, folder, problem = None, None, None
        try:
            with self.store as opened:
                count = counted(opened.ledger, trial, now)
        except StoreError as error:
            problem = StoreError(f"{error}. This trial was NOT counted, so it has no deflated Sharpe ratio")
        try:
            if self.runs_dir is not None:
                written = write_run(result, self.runs_dir)
                folder = self.runs_dir / result.run_id
                if problem is None:
                    with self.store as opened:
                        opened.save(result, written, created_at=now)
        except StoreError as error:
            problem = problem or error
        return Kept(luck_of_run(result, trial, count), folder, problem)


def check_report_path(path: Path | None) -> None:
    """Raises UserError when the report could not be written there, before the work is done."""
    if path is not None and path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--report {path} is no HTML file; name one such as report.html")
    if path is not None and path.is_dir():
        raise UserError(f"--report {path} is a folder; name a file in it, such as {path / 'report.html'}")


def as_object(result: Result, luck: Luck, reruns: Reruns | None) -> dict[str, Any]:
    """The JSON object of a run; its warnings are those on its data and on its trading, its intervals there when asked for."""
    intervals = {} if reruns is None else {"intervals": reruns.as_object()}
    return {
        "run_id": result.run_id,
        "strategy": result.strategy,
        "parameters": result.parameters,
        "symbols": result.symbols,
        "start": result.start,
        "end": result.end,
        "metrics": result.metrics,
        **intervals,
        "statistics": luck.as_object(),
        "look_ahead": luck.state.as_object(),
        "fingerprint": result.fingerprint,
        "warnings": result.warnings,
    }


def show(result: Result, luck: Luck, output: Output, reruns: Reruns | None) -> None:
    """The summary of a run for a person."""
    from jobs.replicate_options import interval_lines, interval_table
    from jobs.tables import luck_lines, parameters_line, sparkline, summary

    names = ", ".join(result.symbols[:6]) + (
        f" and {len(result.symbols) - 6} more" if len(result.symbols) > 6 else ""
    )
    bars = result.bars
    span = f"{str(result.start)[:10]} to {str(result.end)[:10]}"
    output.line(f"{result.strategy} ({parameters_line(result.parameters)})")
    output.line(
        f"{names}, {span}, {bars.T:,} bars of {bars.timeframe} from {', '.join(sorted(set(bars.sources)))}\n"
    )
    output.show(summary(result.metrics))
    if reruns is not None:
        output.line("")
        output.show(interval_table(reruns.as_object()))
    output.line(f"\nequity   {sparkline(result.track[0].tolist())}")
    for line in () if reruns is None else interval_lines(reruns.as_object()):
        output.line(line)
    output.line(look_ahead_line(luck.state))
    for line in luck_lines(luck.as_object()):
        output.line(line)
    for note in result.warnings:
        output.line(f"note     {note}")
    output.line(f"run      {result.run_id}")


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.backtest", app)
