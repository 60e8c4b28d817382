"""What the six commands that run strategies begin with: the options they share, checked, and the bars and studies made of them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpt_trader.errors import UserError
from jobs.console import Output
from jobs.data_options import DataOptions
from jobs.numba_start import start_numba
from jobs.rule_options import RuleOptions
from jobs.run_options import RunOptions, StudyOptions, WorkerOptions
from jobs.settings_options import SettingsOptions, StoreOptions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gpt_trader.adapters.profiles import Profile
    from gpt_trader.bars import Bars
    from gpt_trader.instruments import Instrument
    from gpt_trader.research.experiment import Experiment
    from gpt_trader.research.study import Study
    from gpt_trader.strategy import Strategy
    from jobs.study_lifecycle import RunningStudy
    from jobs.study_progress import Watched


@dataclass(frozen=True, slots=True)
class RunPreamble:
    """The options of a single run but for its strategy, in the order of the help screen."""

    data: DataOptions
    run: RunOptions
    rules: RuleOptions
    store: StoreOptions
    settings: SettingsOptions
    output: Output


@dataclass(frozen=True, slots=True)
class StudyPreamble:
    """The options that every study has, in the order of the help screen."""

    data: DataOptions
    run: StudyOptions
    where: WorkerOptions
    rules: RuleOptions
    store: StoreOptions
    settings: SettingsOptions
    output: Output


@dataclass(frozen=True, slots=True)
class Market:
    """What is traded on: the bars, the index that is watched where it is none of them, and what is known of the symbols."""

    bars: Bars
    index: Bars | None
    instruments: tuple[Instrument, ...]


class Inputs:
    """What the shared options say, checked before any data is read: the rules, where runs are kept, capital and seed.

    Raises UserError for a wrong configuration, rule, store or report.
    """

    def __init__(
        self,
        options: RunPreamble | StudyPreamble,
        profile: Profile | None = None,
    ) -> None:
        """What a `profile` says holds where no option says anything else."""
        run = options.run
        check_report_path(run.report)
        self.configuration = options.settings.load(profile)
        backtest = self.configuration.backtest
        self.rules = options.rules.rules(self.configuration)
        self.seed = backtest.seed if run.seed is None else run.seed
        self.capital = backtest.capital if run.capital is None else run.capital
        self.runs_dir = run.runs_dir or self.configuration.runs_dir
        self.store = options.store.open(self.configuration)
        self.report, self.output = run.report, options.output
        self._data, self._fractional = (
            options.data.or_else({} if profile is None else profile.market),
            run.fractional,
        )

    def market(self) -> Market:
        """Load the bars, and start numba. Raises as `DataOptions.load`."""
        regime = self.rules.allocation.regime
        with self.output.counting("loading bars") as told:
            bars = self._data.load(self.configuration, self.seed, told).bars
            watched = regime is not None and regime not in bars.symbols
            index = self._data.load_index(self.configuration, str(regime), self.seed) if watched else None
        start_numba()
        return Market(bars, index, self._data.instruments(bars.symbols, fractional=self._fractional))


class StudyInputs(Inputs):
    """The same of a study."""

    def __init__(self, options: StudyPreamble) -> None:
        super().__init__(options)
        self._where = options.where

    def experiment(self, strategy: type[Strategy]) -> Experiment:
        """What all points of the study share. Raises as `market`."""
        market, rules = self.market(), self.rules
        from gpt_trader.engine.run_setup import settings_of
        from gpt_trader.research.experiment import Experiment

        settings = settings_of(
            market.bars,
            self.capital,
            rules.costs,
            rules.allocation,
            rules.risk,
            rules.fills,
            rules.exits,
            market.instruments,
            market.index,
        )
        return Experiment(strategy, market.bars, settings)

    def run(
        self,
        study: Study[Any],
        *,
        watched: Watched,
        about: Mapping[str, Any],
        expected: int | None = None,
        time_limit: float | None = None,
    ) -> AbstractContextManager[RunningStudy]:
        """`open_study`, run and stored where the options say."""
        from jobs.study_lifecycle import open_study

        return open_study(
            study,
            where=self._where,
            output=self.output,
            runs_dir=self.runs_dir,
            store=self.store,
            watched=watched,
            about=about,
            expected=expected,
            time_limit=time_limit,
        )


def check_report_path(path: Path | None) -> None:
    """Raises UserError when the report could not be written there, before the work is done."""
    if path is not None and path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--report {path} is no HTML file; name one such as report.html")
    if path is not None and path.is_dir():
        raise UserError(f"--report {path} is a folder; name a file in it, such as {path / 'report.html'}")
