"""`gpt-trader report`: the numbers of a stored run, or a span of it, computed anew from its rows; its HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import GptTraderError, UserError
from jobs.console import Output
from jobs.look_ahead import known_of_stored, look_ahead_line
from jobs.options import grouped
from jobs.runs import BACKTEST, RunId, none_of, stored
from jobs.settings_options import SettingsOptions, StoreOptions

if TYPE_CHECKING:
    import pandas as pd

    from gpt_trader.adapters.store import RunRecord, RunStore
    from gpt_trader.bars import Bars
    from gpt_trader.look_ahead import LookAhead
    from jobs.command_results import TrialVerdict

app = typer.Typer(add_completion=False)

TOLERANCE = 1e-9


@app.command(
    help="Numbers of a stored run computed anew from its rows, for all of it or a span; and its HTML report."
)
@grouped
def report(
    *,
    run: RunId = "last",
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day of the span.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Last day of the span, all of it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the HTML report of the run.")
    ] = None,
    store: StoreOptions,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Recompute and print; exit code 1 when the numbers of the whole run are not those it was saved with."""
    from gpt_trader.adapters.store.recompute import recompute
    from jobs.command_results import verdict_of_stored

    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {out} is no HTML file; name one such as report.html")
    with store.reading(settings.load()) as runs:
        if runs is None:
            raise none_of(run)
        record = stored(runs, run, BACKTEST)
        metrics = recompute(runs, record.run_id, start, end)
        whole = start is None and end is None
        differing = _differing(record.metrics, metrics) if whole else []
        verdict = verdict_of_stored(runs, record)
        if out is not None:
            from gpt_trader.adapters.report import write_report

            write_report(StoredRun(runs, record), out, verdict.statistics)
    output.emit(
        {
            "run_id": record.run_id,
            "from": start,
            "to": end,
            "metrics": metrics,
            "statistics": verdict.as_object() if whole else None,
            "look_ahead": verdict.state.as_object(),
            "warnings": record.warnings,
            "report": out,
            "differing": differing,
        }
    )
    if output.tables:
        span = f"{start or str(record.start)[:10]} to {end or str(record.end)[:10]}"
        _show(record, span, metrics, verdict, output, whole=whole)
        if out is not None:
            output.line(f"\nreport   {out}")
    if differing:
        output.note(f"these are not the numbers the run was saved with: {', '.join(differing)}")
        raise typer.Exit(1)


def _show(
    record: RunRecord,
    span: str,
    metrics: Mapping[str, float],
    verdict: TrialVerdict,
    output: Output,
    *,
    whole: bool,
) -> None:
    """The numbers of a span for a person, and what they are worth where it is the `whole` run."""
    from jobs.console_tables import parameters_line, significance_lines, summary

    output.line(f"{record.strategy} ({parameters_line(record.parameters)}), run {record.run_id}")
    output.line(f"{span}, computed from the stored rows\n")
    output.show(summary(metrics, benchmark="benchmark_total_return" in metrics))
    output.line(look_ahead_line(verdict.state))
    for line in significance_lines(verdict.as_object()) if whole else ():
        output.line(line)
    for warning in record.warnings:
        output.line(f"note     {warning}")


def _differing(saved: Mapping[str, float], computed: Mapping[str, float]) -> list[str]:
    """Names of the metrics that both have and that are not the same number."""
    from math import isclose, isnan

    def same(left: float, right: float) -> bool:
        return (isnan(left) and isnan(right)) or isclose(left, right, rel_tol=TOLERANCE, abs_tol=TOLERANCE)

    return sorted(name for name in computed if name in saved and not same(saved[name], computed[name]))


def prices_again(manifest: Mapping[str, Any]) -> Bars | None:
    """The bars of a run from a source that needs neither file nor network, if they still have the run's fingerprint."""
    from gpt_trader.adapters.source_registry import AGAIN

    sources = {str(name).split()[0] for name in manifest.get("sources", ())}
    if len(sources) != 1 or not sources <= set(AGAIN):
        return None
    from gpt_trader import load_bars

    try:
        bars = load_bars(
            list(manifest["symbols"]),
            source=sources.pop(),
            start=manifest["start"],
            end=manifest["end"],
            timeframe=manifest["timeframe"],
            adjustment=manifest["adjustment"],
            seed=manifest["seed"],
        )
    except (GptTraderError, KeyError):
        return None
    return bars if bars.fingerprint() == manifest.get("data") else None


@dataclass(frozen=True)
class StoredRun:
    """A stored run with what the HTML report reads of a result."""

    store: RunStore
    record: RunRecord

    @cached_property
    def bars(self) -> Bars | None:
        """The prices of the run; they are not kept with it, so only where the very same can be had again."""
        return prices_again(self.record.manifest)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.record.run_id

    @property
    def strategy(self) -> str:
        """The strategy's name."""
        return self.record.strategy

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The strategy's parameters."""
        return self.record.parameters

    @property
    def symbols(self) -> Sequence[str]:
        """The symbols of the run."""
        return self.record.symbols

    @property
    def start(self) -> Any:
        """The time of its first bar."""
        return self.record.start

    @property
    def end(self) -> Any:
        """The time of its last bar."""
        return self.record.end

    @property
    def metrics(self) -> Mapping[str, float]:
        """The statistics as they were saved."""
        return self.record.metrics

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What went into the run."""
        return self.record.manifest

    @property
    def fingerprint(self) -> Any:
        """The hash of the data."""
        return self.record.fingerprint

    @property
    def warnings(self) -> Sequence[str]:
        """What its reader should know."""
        return self.record.warnings

    @property
    def look_ahead(self) -> LookAhead:
        """What is known by now of the look-ahead of the code."""
        return known_of_stored(self.store, self.manifest, self.parameters)

    @property
    def too_good(self) -> Sequence[str]:
        """What was too good to be true about the run."""
        from gpt_trader.too_good import is_too_good

        return [text for text in self.warnings if is_too_good(text)]

    @cached_property
    def orders(self) -> pd.DataFrame:
        """The stored orders."""
        return self.store.table(self.run_id, "orders")

    @cached_property
    def fills(self) -> pd.DataFrame:
        """The stored fills."""
        return self.store.table(self.run_id, "fills")

    @cached_property
    def positions(self) -> pd.DataFrame:
        """The stored positions."""
        return self.store.table(self.run_id, "positions")

    @cached_property
    def closed_trades(self) -> pd.DataFrame:
        """The stored round trips."""
        return self.store.table(self.run_id, "closed_trades")

    @cached_property
    def equity(self) -> pd.DataFrame:
        """The stored equity, indexed by time."""
        return self.store.equity(self.run_id)

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """The stored decisions."""
        return self.store.table(self.run_id, "decisions")


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.report", app)
