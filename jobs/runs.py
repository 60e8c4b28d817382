"""`gpt-trader runs`: lists the stored runs, shows one, puts several side by side."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gpt_trader.errors import UserError
from jobs.console import Output
from jobs.grouping import grouped
from jobs.settings import SettingsOptions, StoreOptions

app = typer.Typer(add_completion=False, help="List, show and compare stored runs.", no_args_is_help=True)

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
    store: StoreOptions,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Print one line for each run, the newest first."""
    with store.open(settings.load()) as runs:
        frame = runs.runs(limit, strategy)
    rows = frame.to_dict("records")
    output.emit({"runs": rows})
    if output.tables:
        from jobs.tables import listing, text_of

        if not rows:
            of = f" of {strategy}" if strategy else ""
            output.line(f"no runs{of} yet; gpt-trader backtest makes one")
            return
        numbers = (
            ("Return", "total_return", "percent"),
            ("Sharpe", "sharpe", "ratio"),
            ("Max drawdown", "max_drawdown", "percent"),
            ("Trips", "round_trips", "count"),
        )
        shown = [
            (
                row["run_id"][:12],
                str(row["created_at"])[:16],
                row["strategy"],
                _symbols(row["symbols"]),
                f"{str(row['start'])[:10]} … {str(row['end'])[:10]}",
                *(text_of(row.get(key), kind) for _, key, kind in numbers),
            )
            for row in rows
        ]
        titles = [title for title, _, _ in numbers]
        output.show(
            listing(["Run", "Made (UTC)", "Strategy", "Symbols", "Span", *titles], shown, right=titles)
        )


@app.command("show", help="One run: its settings, numbers, warnings and tables.")
@grouped
def show(run: RunId, store: StoreOptions, settings: SettingsOptions, output: Output) -> None:
    """Print a stored run as it was when it ended."""
    with store.open(settings.load()) as runs:
        record = runs.run(newest(runs, run))
    output.emit(
        {
            "run_id": record.run_id,
            "strategy": record.strategy,
            "parameters": record.parameters,
            "symbols": record.symbols,
            "start": record.start,
            "end": record.end,
            "metrics": record.metrics,
            "fingerprint": record.fingerprint,
            "warnings": record.warnings,
            "created_at": record.created_at,
            "status": record.status,
            "code_version": record.code_version,
            "folder": record.folder,
            "tables": {name: table.rows for name, table in record.tables.items()},
            "manifest": record.manifest,
        }
    )
    if output.tables:
        from jobs.tables import parameters_line, summary

        span = f"{str(record.start)[:10]} to {str(record.end)[:10]}"
        output.line(f"{record.strategy} · {_symbols(record.symbols)} · {span}")
        output.line(f"{parameters_line(record.parameters)}\n")
        output.show(summary(record.metrics))
        output.line("")
        for warning in record.warnings:
            output.line(f"note: {warning}")
        output.line(", ".join(f"{table.rows} {name}" for name, table in record.tables.items()))
        made = f"{str(record.created_at)[:16]} UTC"
        output.line(f"run {record.run_id} · {record.status} · {made} · {record.code_version}")
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
    with store.open(settings.load()) as opened:
        records = [opened.run(newest(opened, run)) for run in runs]
    output.emit(
        {"runs": [{"run_id": r.run_id, "strategy": r.strategy, "metrics": r.metrics} for r in records]}
    )
    if output.tables:
        from jobs.tables import comparison

        output.show(
            comparison([f"{r.strategy}\n{r.run_id[:12]}" for r in records], [r.metrics for r in records])
        )


def newest(store: Any, run: str) -> str:
    """The id behind `last`; any other text as it is."""
    if run != "last":
        return run
    frame = store.runs(1)
    if frame.empty:
        raise UserError("there are no runs yet; gpt-trader backtest makes one")
    return str(frame["run_id"].iloc[0])


def _symbols(names: Any) -> str:
    shown = list(names)
    return ", ".join(shown[:4]) + (f" +{len(shown) - 4}" if len(shown) > 4 else "")


if __name__ == "__main__":
    from jobs.cli import run_module

    run_module("jobs.runs", app)
