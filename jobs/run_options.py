"""The options of running: capital, seed and what becomes of the result, where a study runs, resampled markets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from gpt_trader.errors import UserError
from jobs.options import number, option_in, positive

if TYPE_CHECKING:
    from gpt_trader.research.bootstrap_runs import Bootstrap
    from jobs.executors.executor_choice import Asked

MANY = 1_000_000

_run, _study = option_in("Run"), option_in("Study")
_where, _drawn = option_in("Where it runs"), option_in("Resampled markets")


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


@dataclass(frozen=True, slots=True)
class StudyOptions:
    """Capital, seed, and what becomes of the result of a study."""

    capital: Annotated[
        float | None, _study("--capital", text="Cash at the start. (default 100,000)", parser=number, metavar="CASH")
    ] = None
    fractional: Annotated[bool, _study("--fractional", text="Trade fractions of shares.")] = False
    seed: Annotated[int | None, _study("--seed", text="Seed of synthetic bars and of every draw. (default 0)", min=0)] = None
    report: Annotated[Path | None, _study("--report", text="Write an HTML report.", metavar="FILE")] = None
    runs_dir: Annotated[
        Path | None, _study("--runs-dir", text="Folder of the tables of runs. (default runs)", metavar="FOLDER")
    ] = None
    yes: Annotated[bool, _study("--yes", "-y", text="Do not ask before more than a million runs.")] = False


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """On how many processes, and on which cluster, the chunks of a study run, and whether the command waits for them."""

    workers: Annotated[
        int | None, _where("--workers", text="Processes at work. (default: what the plan is worth)", min=1, metavar="COUNT")
    ] = None
    cluster: Annotated[
        str | None, _where("--cluster", text="Ray cluster this machine is a node of: HOST:PORT, or auto.", metavar="ADDRESS")
    ] = None
    chunk_timeout: Annotated[
        float | None,
        _where("--chunk-timeout", text="Give a chunk up after so long. (default 20 times what it should take, at least 600)",
               parser=positive, metavar="SECONDS"),
    ] = None
    detach: Annotated[bool, _where("--detach", text="Return at once; the study goes on when the terminal closes.")] = False
    submit: Annotated[
        str | None, _where("--submit", text="Hand the study to a Ray cluster as a job: http://HOST:8265.", metavar="ADDRESS")
    ] = None
    # fmt: on

    def as_arguments(self) -> list[str]:
        """The same options as they are typed."""
        given: dict[str, Any] = {"--workers": self.workers, "--cluster": self.cluster, "--submit": self.submit}
        given |= {"--chunk-timeout": self.chunk_timeout}
        typed = [word for name, value in given.items() if value is not None for word in (name, str(value))]
        return typed + (["--detach"] if self.detach else [])

    def asked(self) -> Asked:
        """What this says to the executor; in a Ray job, with that job's cluster."""
        from jobs.executors.executor_choice import Asked

        return Asked(self.workers, self.cluster, os.environ.get("RAY_ADDRESS"), self.chunk_timeout)


# fmt: off
@dataclass(frozen=True, slots=True)
class ReplicateOptions:
    """How many markets are resampled, how, and how wide the intervals are."""

    replicates: Annotated[int, _drawn("--replicates", text="Resampled markets to run on.", min=0, metavar="COUNT")] = 500
    block: Annotated[
        float | None,
        _drawn("--block", text="Mean length of a block. (default read from the market)", parser=number, metavar="SESSIONS"),
    ] = None
    level: Annotated[float, _drawn("--level", text="Share of cases that intervals hold.", parser=number, metavar="SHARE")] = 0.95
    # fmt: on

    def check_size(self, strategies: int, *, yes: bool) -> None:
        """Raises UserError for more than a million runs without `yes`."""
        runs = self.replicates * strategies
        if runs > MANY and not yes:
            raise UserError(f"{runs:,} runs on resampled markets; give fewer --replicates, or --yes to run them")

    def bootstrap(self, seed: int) -> Bootstrap:
        """The markets to draw."""
        from gpt_trader.research.bootstrap_runs import Bootstrap

        return Bootstrap(self.replicates, seed, self.block, self.level)
