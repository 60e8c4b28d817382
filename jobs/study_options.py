"""The options that every study shares, and the subject they describe: strategy class, bars and settings of a run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from gpt_trader.progress import Told, told_to_nobody
from jobs.data_options import DataOptions
from jobs.options import number, option_in, positive
from jobs.rule_options import AllocationOptions, CostOptions, ExitOptions, RiskOptions

if TYPE_CHECKING:
    from gpt_trader.adapters.configuration import Configuration
    from gpt_trader.research.evaluation import Subject
    from gpt_trader.strategy import Strategy
    from jobs.executors.choosing import Asked

PANEL = "Study"
WHERE = "Where it runs"

_study = option_in(PANEL)

_where = option_in(WHERE)


# fmt: off
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

    def as_arguments(self) -> list[str]:
        """The same options as they are typed."""
        given: dict[str, Any] = {"--workers": self.workers, "--cluster": self.cluster, "--submit": self.submit}
        given |= {"--chunk-timeout": self.chunk_timeout}
        typed = [word for name, value in given.items() if value is not None for word in (name, str(value))]
        return typed + (["--detach"] if self.detach else [])

    def asked(self) -> Asked:
        """What this says to the executor; in a Ray job, with that job's cluster."""
        from jobs.executors.choosing import Asked

        return Asked(self.workers, self.cluster, os.environ.get("RAY_ADDRESS"), self.chunk_timeout)
# fmt: on


def subject_of(
    strategy: type[Strategy],
    configuration: Configuration,
    data: DataOptions,
    study: StudyOptions,
    costs: CostOptions,
    allocation: AllocationOptions,
    exits: ExitOptions,
    risk: RiskOptions,
    told: Told = told_to_nobody,
) -> Subject:
    """The subject of a study from the options of its command; the rules are checked before any data is read."""
    cost_rules, fills = costs.costs(configuration.costs), costs.fills(configuration.fills)
    seats, declared = allocation.allocation(configuration.allocation), exits.exits()
    limits = risk.limits(configuration.risk)
    seed = configuration.backtest.seed if study.seed is None else study.seed
    bars = data.load(configuration, seed, told).bars
    regime = seats.regime
    watched = regime is not None and regime not in bars.symbols
    index = data.load_index(configuration, str(regime), seed) if watched else None

    from gpt_trader.engine.setup import settings_of
    from gpt_trader.research.evaluation import Subject

    capital = configuration.backtest.capital if study.capital is None else study.capital
    instruments = data.instruments(bars.symbols, fractional=study.fractional)
    settings = settings_of(bars, capital, cost_rules, seats, limits, fills, declared, instruments, index)
    return Subject(strategy, bars, settings)
