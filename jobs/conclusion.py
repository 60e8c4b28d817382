"""What the six commands that run strategies end with: files and a report, one object for programs, lines for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from gpt_trader.adapters.store import StoreError
    from jobs.console import Output
    from jobs.preamble import StudyInputs
    from jobs.studies import Study


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


def conclude_study(
    study: Study,
    inputs: StudyInputs,
    result: Mapping[str, Any],
    tables: Mapping[str, Mapping[str, Any]],
    *,
    write_report: Callable[[Path], None],
    show: Callable[[], None],
    problem: StoreError | None,
) -> None:
    """Write the files of a study, and its report where one is asked for; then as `conclude`."""
    from gpt_trader.adapters.study_tables import write_study

    said = {"run_id": study.study_id, **result}
    write_study(study.folder, said, tables)
    if inputs.report is not None:
        write_report(inputs.report)
    places = {"tables": study.folder, "report": inputs.report, "run": study.study_id}
    conclude(inputs.output, {**said, "folder": study.folder}, show, places, problem)
