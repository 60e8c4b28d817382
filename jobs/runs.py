"""`gpt-trader runs`: lists the stored runs and studies, shows one, compares several; goes on with a study, or stops it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpt_trader.errors import UnknownName, UserError
from jobs.console import Output
from jobs.console_tables import kind_of
from jobs.look_ahead import known_of_stored, look_ahead_line
from jobs.options import grouped
from jobs.run_options import WorkerOptions
from jobs.settings_options import SettingsOptions, StoreOptions

if TYPE_CHECKING:
    from gpt_trader.adapters.store import RunRecord, RunStore
    from gpt_trader.adapters.study_files import StudyFolder, StudyRecord

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
RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id or the beginning of it; `last` is the newest.")
]

StudyId = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's id or the beginning of it; `last` is the newest.")
]
RunsDir = Annotated[
    Path | None,
    typer.Option("--runs-dir", help="Folder of the tables of runs. (default runs)", metavar="FOLDER"),
]


@app.command("resume", help="Go on with a study from its finished chunks.")
@grouped
def resume(
    study: StudyId,
    runs_dir: RunsDir = None,
    log: Annotated[bool, typer.Option("--log", hidden=True, help="Show progress as lines.")] = False,
    *,
    where: WorkerOptions,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Run the study's command again; what is finished comes from its chunks, what has changed is refused."""
    from jobs.cli import app, run
    from jobs.resuming import going_on_with

    folder, record = _find(study, runs_dir, settings)
    if folder.is_held():
        raise UserError(
            f"study {record.study_id} is running, as process {record.process}; there is nothing to resume"
        )
    if not record.command:
        raise UserError(
            f"study {record.study_id} was not started from the command line, and cannot be resumed from it"
        )
    place = ["--runs-dir", str(folder.path.parent.resolve())]
    with going_on_with(record, log=log):
        code = run(app, [*record.command, *where.as_arguments(), *output.as_arguments(), *place])
    raise typer.Exit(code)


@app.command("cancel", help="Stop a study; its finished chunks stay.")
@grouped
def cancel(study: StudyId, runs_dir: RunsDir = None, *, settings: SettingsOptions, output: Output) -> None:
    """Ask the process that works on the study to stop, and the cluster to stop its job."""
    from gpt_trader.adapters.study_files import SUBMITTED

    folder, record = _find(study, runs_dir, settings)
    status = folder.status(record)
    job = record.job or {}
    if not folder.is_held() and status != SUBMITTED and "address" not in job:
        raise UserError(f"study {record.study_id} is not running: it is {status}")
    folder.ask_to_stop()
    stopped = False
    if "address" in job:
        from jobs.executors.ray_jobs import stop_job

        stopped = stop_job(job["address"], job["id"])
    output.emit({"run_id": record.study_id, "job_stopped": stopped})
    output.line(f"study {record.study_id} was asked to stop; what is finished is kept")


def _find(study: str, runs_dir: Path | None, settings: SettingsOptions) -> tuple[StudyFolder, StudyRecord]:
    from gpt_trader.adapters.study_files import find_study

    return find_study(runs_dir or settings.load().runs_dir, study)


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
            "--kind",
            metavar="KIND",
            help="Only of this kind: backtest, sweep, walkforward, cv, robustness, compare.",
        ),
    ] = None,
    store: StoreOptions,
    settings: SettingsOptions,
    output: Output,
) -> None:
    """Print one line for each run, the newest first."""
    from gpt_trader.adapters.store.repository import SHOWN_METRICS
    from gpt_trader.adapters.store.studies import DONE, POINTS, STUDY_KINDS

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
        from jobs.console_tables import listing

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
        from jobs.console_tables import named, parameters_line, summary

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
        from jobs.console_tables import comparison

        output.show(
            comparison([f"{r.strategy}\n{r.run_id[:12]}" for r in records], [r.metrics for r in records])
        )


def with_studies(
    rows: list[dict[Any, Any]], runs_dir: Path, limit: int, strategy: str | None, kind: str | None
) -> list[dict[Any, Any]]:
    """The store's rows, the newest first, and at most `limit` of them, with the studies of `runs_dir` among them.

    A study that says it runs although its driver is gone is interrupted. One that was handed over to a cluster, or whose
    store could not be written, is known by its folder alone.
    """
    from gpt_trader.adapters.study_files import RUNNING, StudyFolder, studies_in

    for row in rows:
        if row["status"] == RUNNING and isinstance(
            row["folder"], str
        ):  # a study without one is NaN in the frame
            folder = StudyFolder(Path(row["folder"]))
            row["status"] = folder.status_now() or row["status"]
    known = {row["run_id"] for row in rows}
    for folder, record in studies_in(runs_dir):
        wanted = kind in (None, record.kind) and strategy in (None, record.identity.get("strategy"))
        if wanted and record.study_id not in known:
            rows.append(_study_row(folder, record))
    rows.sort(key=lambda row: str(row["created_at"]), reverse=True)
    return rows[:limit]


def _study_row(folder: StudyFolder, record: StudyRecord) -> dict[str, Any]:
    """A study as a row of the store would have it."""
    best = record.progress.get("best") or {}
    metrics: Mapping[str, Any] = best.get("metrics") or {}
    counts = {name: record.progress.get(name) for name in ("points", "points_done")}
    return {
        **metrics,
        **counts,
        "run_id": record.study_id,
        "kind": record.kind,
        "status": folder.status(record),
        "strategy": record.identity.get("strategy"),
        "parameters": record.about.get("parameters", record.about.get("axes", {})),
        "symbols": record.about.get("symbols", ()),
        "start": record.about.get("start"),
        "end": record.about.get("end"),
        "created_at": datetime.fromisoformat(record.created_at).replace(tzinfo=None),
        "folder": str(folder.path),
    }


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
    from jobs.console_tables import named, text_of

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
