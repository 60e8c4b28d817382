"""`gpt-trader runs resume` and `runs cancel`: go on with a study, stop one that runs here, detached or on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gpt_trader.errors import UserError
from jobs.console import Output
from jobs.options import grouped
from jobs.run_options import WorkerOptions
from jobs.settings import SettingsOptions

if TYPE_CHECKING:
    from gpt_trader.adapters.study_files import StudyFolder, StudyRecord

StudyId = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's id or the beginning of it; `last` is the newest.")
]
RunsDir = Annotated[
    Path | None,
    typer.Option("--runs-dir", help="Folder of the tables of runs. (default runs)", metavar="FOLDER"),
]


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
        from jobs.executors.submitting import stop_job

        stopped = stop_job(job["address"], job["id"])
    output.emit({"run_id": record.study_id, "job_stopped": stopped})
    output.line(f"study {record.study_id} was asked to stop; what is finished is kept")


def _find(study: str, runs_dir: Path | None, settings: SettingsOptions) -> tuple[StudyFolder, StudyRecord]:
    from gpt_trader.adapters.study_files import find_study

    return find_study(runs_dir or settings.load().runs_dir, study)
