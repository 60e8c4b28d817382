"""`gpt-trader runs`: lists the stored runs and studies, shows one, puts several side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import UnknownName, UserError
from jobs.console import Output
from jobs.grouping import grouped
from jobs.look_ahead import known_of_stored, look_ahead_line
from jobs.run_control import cancel, resume
from jobs.settings import SettingsOptions, StoreOptions
from jobs.tables import kind_of

if TYPE_CHECKING:
    from gpt_trader.adapters.store import RunRecord, RunStore

BACKTEST = "backtest"
NUMBERS = tuple(
    (title, name, kind_of(name))
    for title, name in (
        ("Return", "total_return"),
        ("Sharpe", "sharpe"),
        ("Max drawdown", "max_drawdown"),
        ("Trips", "round_trips"),
    )
)
"""The metrics of the list, with their titles and how they are written."""

app = typer.Typer(
    add_completion=False,
    help="List, show and compare runs; go on with studies, or stop them.",
    no_args_is_help=True,
)
app.command("resume", help="Go on with a study from its finished chunks.")(resume)
app.command("cancel", help="Stop a study; its finished chunks stay.")(cancel)

RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id or the beginning of it; `last` is the newest.")
]


@app.command("list", help="The newest runs with their main numbers.")
@grouped
def list_command(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="COUNT", help="How many runs.")] = 20,
    strategy: Annotated[
        str | None, typer.Option("--strategy", metavar="NAME", help="Only of this strategy.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", metavar="KIND", help="Only of this kind: backtest, sweep, walkforward, cv, robustness."
        ),
    ] = None,
    store: StoreOptions,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Print one line for each run, the newest first."""
    from gpt_trader.adapters.store.repository import SHOWN_METRICS
    from gpt_trader.adapters.store.studies import DONE, POINTS, STUDY_KINDS
    from jobs.study_list import with_studies

    if kind is not None and kind not in (BACKTEST, *STUDY_KINDS):
        raise UnknownName("kind of run", kind, (BACKTEST, *STUDY_KINDS))
    configuration = settings.load()
    shown = (*SHOWN_METRICS, POINTS, DONE)
    with store.reading(configuration) as runs:
        listed: list[dict[Any, Any]] = (
            [] if runs is None else runs.runs(limit, strategy, shown, kind).to_dict("records")
        )
    rows = with_studies(listed, configuration.runs_dir, limit, strategy, kind)
    output.emit({"runs": rows})
    if output.tables:
        from jobs.tables import listing

        if not rows:
            of = "".join(f" of {what}" for what in (strategy, kind and f"kind {kind}") if what)
            output.line(f"no runs{of} yet; gpt-trader backtest makes one")
            return
        titles = [title for title, _, _ in NUMBERS]
        columns = ["Run", "Made (UTC)", "Kind", "Status", "Strategy", "Symbols", "Span", *titles]
        output.show(listing(columns, map(_line, rows), right=titles))


@app.command("show", help="One run: its settings, numbers, warnings and tables.")
@grouped
def show(run: RunId, store: StoreOptions, settings: SettingsOptions, output: Output) -> None:
    """Print a stored run as it was when it ended, a study as it is."""
    from gpt_trader.adapters.store.studies import DONE, POINTS

    with store.reading(settings.load()) as runs:
        record = stored(runs, run)
        state = known_of_stored(runs, record.manifest, record.parameters if record.kind == BACKTEST else None)
    output.emit(
        {
            "run_id": record.run_id,
            "kind": record.kind,
            "strategy": record.strategy,
            "parameters": record.parameters,
            "symbols": record.symbols,
            "start": record.start,
            "end": record.end,
            "metrics": record.metrics,
            "fingerprint": record.fingerprint,
            "warnings": record.warnings,
            "look_ahead": state.as_object(),
            "created_at": record.created_at,
            "status": record.status,
            "code_version": record.code_version,
            "folder": record.folder,
            "tables": {name: table.rows for name, table in record.tables.items()},
            "manifest": record.manifest,
        }
    )
    if output.tables:
        from jobs.tables import named, parameters_line, summary

        span = f"{str(record.start)[:10]} to {str(record.end)[:10]}"
        output.line(f"{record.strategy} · {named(record.symbols)} · {span}")
        output.line(f"{parameters_line(record.parameters)}\n")
        output.show(summary(record.metrics))
        output.line("")
        output.line(look_ahead_line(state))
        for warning in record.warnings:
            output.line(f"note: {warning}")
        if record.tables:
            output.line(", ".join(f"{table.rows} {name}" for name, table in record.tables.items()))
        made = f"{str(record.created_at)[:16]} UTC"
        status = _status(record.status, record.metrics.get(DONE), record.metrics.get(POINTS))
        output.line(f"{record.kind} {record.run_id} · {status} · {made} · {record.code_version}")
        if record.folder is not None:
            output.line(f"files in {record.folder}")


@app.command("compare", help="Several runs side by side.")
@grouped
def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN RUN...", help="Two or more run ids, or their beginnings.")
    ],
    store: StoreOptions,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Print every metric of each run, one column a run."""
    if len(runs) < 2:
        raise UserError("give at least two runs to compare; gpt-trader runs list shows them")
    with store.reading(settings.load()) as opened:
        records = [stored(opened, run) for run in runs]
    output.emit(
        {"runs": [{"run_id": r.run_id, "strategy": r.strategy, "metrics": r.metrics} for r in records]}
    )
    if output.tables:
        from jobs.tables import comparison

        output.show(
            comparison([f"{r.strategy}\n{r.run_id[:12]}" for r in records], [r.metrics for r in records])
        )


def stored(store: RunStore | None, run: str, kind: str | None = None) -> RunRecord:
    """The run whose id begins with `run`; of `last` the newest (of a kind). None is a store that has not been made yet."""
    if store is None:
        raise none_of(run)
    if run != "last":
        return store.run(run)
    newest = store.runs(1, kind=kind)
    if newest.empty:
        raise none_of(run)
    return store.run(str(newest["run_id"].iloc[0]))


def none_of(run: str) -> UserError:
    """What to say of a run when there is none at all."""
    if run == "last":
        return UserError("there are no runs yet; gpt-trader backtest makes one")
    return UnknownName("run", run, ())


def _line(row: Mapping[Any, Any]) -> tuple[str, ...]:
    """One run as the list shows it."""
    from gpt_trader.adapters.store.studies import DONE, POINTS
    from jobs.tables import named, text_of

    return (
        row["run_id"][:12],
        str(row["created_at"])[:16],
        row["kind"],
        _status(row["status"], row[DONE], row[POINTS]),
        row["strategy"],
        named(row["symbols"]),
        f"{str(row['start'])[:10]} … {str(row['end'])[:10]}",
        *(text_of(row.get(key), kind) for _, key, kind in NUMBERS),
    )


def _status(status: str, done: float | None, points: float | None) -> str:
    """The status of a run, for a study with how far it is: `running 1,200 of 10,000`."""
    if done is None or points is None or done != done or points != points:
        return status
    return f"{status} {points:,.0f}" if done == points else f"{status} {done:,.0f} of {points:,.0f}"


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.runs", app)
