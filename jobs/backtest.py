"""`gpt-trader backtest`: one strategy on one set of bars; numbers on screen, tables in files, a row in the store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import BadParameter
from jobs.command_inputs import Inputs, RunPreamble
from jobs.look_ahead import known, look_ahead_line, runs_in
from jobs.options import grouped
from jobs.strategy_options import DEFAULT_STRATEGY, STRATEGY_HELP, StrategyOptions

if TYPE_CHECKING:
    from gpt_trader.adapters.store import RunStore, StoreError
    from gpt_trader.bars import Bars
    from gpt_trader.portfolio import PortfolioResult
    from gpt_trader.research.bootstrap_runs import Bootstrap, BootstrapIntervals
    from gpt_trader.result import Result
    from gpt_trader.strategy import Strategy
    from jobs.command_inputs import Market
    from jobs.command_results import TrialVerdict
    from jobs.console import Output

app = typer.Typer(add_completion=False)


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
    options: RunPreamble,
) -> None:
    """Run one backtest; everything that can be refused is refused before any data is read."""
    if strategy and named and strategy != named:
        raise BadParameter(f"two strategies are given, {strategy!r} and --strategy {named!r}; give one")
    several = options.rules.risk.profile_file()
    if several is not None:
        if strategy or named or choice.param:
            raise BadParameter("--profile names its strategies and their parameters; give no other strategy")
        backtest_profile(several, options)
        return
    given = strategy or named or DEFAULT_STRATEGY
    made = choice.make(given)
    inputs, run = Inputs(options), options.run
    keeping = Keeping(inputs.store, inputs.runs_dir if run.save else None)
    market = inputs.market()
    bootstrap = None if run.intervals is None else redraw_of(run.intervals, inputs.seed, market.bars)
    result = run_of(made, market, inputs, run.benchmark)
    kept = keeping.keep(result)
    state = known(keeping.store if kept.problem is None else None, runs_in(result), given)
    verdict = kept.verdict.believed(state, result.too_good)
    reruns = None if bootstrap is None else rerun_of(result, made, bootstrap, inputs.output)
    if run.report is not None:
        from gpt_trader.adapters.report import write_report

        write_report(result, run.report, verdict.statistics, reruns)
    from jobs.command_results import conclude

    conclude(
        inputs.output,
        as_object(result, verdict, reruns),
        lambda: show(result, verdict, inputs.output, reruns),
        {"tables": kept.folder, "report": run.report},
        kept.problem,
    )


def run_of(strategy: Strategy, market: Market, inputs: Inputs, benchmark: bool | None) -> Result:
    """The run itself; `benchmark` None is as the configuration says."""
    from gpt_trader import backtest as run_backtest

    rules = inputs.rules
    with inputs.output.progress("running"):
        return run_backtest(
            strategy,
            market.bars,
            capital=inputs.capital,
            costs=rules.costs,
            fills=rules.fills,
            allocation=rules.allocation,
            exits=rules.exits,
            risk=rules.risk,
            instruments=market.instruments,
            benchmark=inputs.configuration.backtest.benchmark if benchmark is None else benchmark,
            seed=inputs.seed,
            index=market.index,
        )


def backtest_profile(path: Path, options: RunPreamble) -> None:
    """The strategies of a profile in one account; everything that can be refused is refused before any data is read."""
    from gpt_trader.adapters.profiles import read_profile
    from jobs.command_results import conclude

    run = options.run
    if run.intervals is not None:
        raise BadParameter("--intervals resamples the market of one strategy; it does not go with --profile")
    profile = read_profile(path)
    risk = replace(options.rules.risk, profile=None)
    shared = replace(options, rules=replace(options.rules, risk=risk))
    inputs = Inputs(shared, profile)
    sleeves = profile.sleeves(inputs.rules.allocation)
    if inputs.rules.exits:
        raise BadParameter("exits belong to a strategy of the profile: exits = { stop_loss = 0.05 }")
    keeping = Keeping(inputs.store, inputs.runs_dir if run.save else None)
    market = inputs.market()
    from gpt_trader.portfolio import backtest_portfolio

    rules, wanted = inputs.rules, inputs.configuration.backtest.benchmark
    with inputs.output.progress("running"):
        result = backtest_portfolio(
            sleeves,
            market.bars,
            capital=inputs.capital,
            costs=rules.costs,
            risk=rules.risk,
            fills=rules.fills,
            instruments=market.instruments,
            benchmark=wanted if run.benchmark is None else run.benchmark,
            seed=inputs.seed,
            index=market.index,
        )
    kept = keeping.keep(result)
    state = known(keeping.store if kept.problem is None else None, runs_in(result), str(path))
    verdict = kept.verdict.believed(state, result.too_good)
    if run.report is not None:
        from gpt_trader.adapters.report import write_report

        write_report(result, run.report, verdict.statistics, None)
    attribution = result.attribution.to_dict("records")
    conclude(
        inputs.output,
        {**as_object(result, verdict, None), "sleeves": attribution, "crossed": result.crossed},
        lambda: show_portfolio(result, verdict, inputs.output),
        {"tables": kept.folder, "report": run.report},
        kept.problem,
    )


def show_portfolio(result: PortfolioResult, verdict: TrialVerdict, output: Output) -> None:
    """The summary of the account, and what each of its strategies earned."""
    from jobs.console_tables import listing

    show(result, verdict, output, None)
    rows = [
        [str(row["sleeve"]), f"{row['capital']:,.2f}", f"{row['pnl']:,.2f}", f"{row['costs']:,.2f}",
         f"{row['fills']:,}", f"{row['round_trips']:,}"]
        for row in result.attribution.to_dict("records")
    ]  # fmt: skip
    output.line("")
    output.show(listing(["sleeve", "capital", "profit", "costs", "fills", "round trips"], rows))


def redraw_of(count: int, seed: int, bars: Bars) -> Bootstrap:
    """The resampled markets that are asked for. Raises as `Bootstrap.on`, before anything is run."""
    from gpt_trader.research.bootstrap_runs import Bootstrap

    return Bootstrap(count, seed).on(bars)


def rerun_of(result: Result, strategy: Strategy, bootstrap: Bootstrap, output: Output) -> BootstrapIntervals:
    """The run again on resampled markets, in this process."""
    from gpt_trader.research.bootstrap_runs import rerun
    from gpt_trader.research.executor import InProcess
    from gpt_trader.research.experiment import Experiment
    from gpt_trader.research.plan import run_chunks

    experiment = Experiment(type(strategy), result.bars, result.settings)
    with output.progress("resampled markets", bootstrap.count) as step:
        return rerun(
            strategy,
            experiment,
            result.metrics,
            bootstrap,
            lambda plan: run_chunks(
                plan,
                InProcess(),
                None,
                lambda part, _result, _known: step(len(part.points)),
            ),
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a finished run: what it is worth, the folder of its tables, and what the store refused."""

    verdict: TrialVerdict
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
        from jobs.command_results import verdict_of_run
        from jobs.trial_counting import counted, trial_of

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
        return Kept(verdict_of_run(result, trial, count), folder, problem)


def as_object(result: Result, verdict: TrialVerdict, reruns: BootstrapIntervals | None) -> dict[str, Any]:
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
        "statistics": verdict.as_object(),
        "look_ahead": verdict.state.as_object(),
        "fingerprint": result.fingerprint,
        "warnings": result.warnings,
    }


def show(result: Result, verdict: TrialVerdict, output: Output, reruns: BootstrapIntervals | None) -> None:
    """The summary of a run for a person."""
    from jobs.console_tables import (
        bars_line,
        interval_lines,
        interval_table,
        parameters_line,
        significance_lines,
        sparkline,
        summary,
    )

    bars = result.bars
    output.line(f"{result.strategy} ({parameters_line(result.parameters)})")
    output.line(f"{bars_line(bars)} from {', '.join(sorted(set(bars.sources)))}\n")
    output.show(summary(result.metrics))
    if reruns is not None:
        output.line("")
        output.show(interval_table(reruns.as_object()))
    output.line(f"\nequity   {sparkline(result.account_curves[0].tolist())}")
    for line in () if reruns is None else interval_lines(reruns.as_object()):
        output.line(line)
    output.line(look_ahead_line(verdict.state))
    for line in significance_lines(verdict.as_object()):
        output.line(line)
    for note in result.warnings:
        output.line(f"note     {note}")
    output.line(f"run      {result.run_id}")


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.backtest", app)
