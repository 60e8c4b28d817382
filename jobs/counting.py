"""Counts a finished backtest in the trial ledger, and says what its numbers are worth after so many trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt_trader.adapters.store.trials import TrialBatch, TrialCount, TrialLedger
from gpt_trader.engine.records import EQUITY
from gpt_trader.look_ahead import LookAhead
from gpt_trader.metrics import returns
from gpt_trader.research.luck import luck_of
from gpt_trader.research.profiles import profile_of
from gpt_trader.too_good import is_too_good
from jobs.look_ahead import known_of_stored

if TYPE_CHECKING:
    from gpt_trader.adapters.store import RunRecord, RunStore
    from gpt_trader.result import Result
    from gpt_trader.validation.summary import TrialStatistics


@dataclass(frozen=True, slots=True)
class Luck:
    """The statistics of a run, and the ledger's count with the run in it; None when it could not be counted."""

    statistics: TrialStatistics
    count: TrialCount | None

    def believed(self, state: LookAhead, too_good: Sequence[str]) -> Luck:
        """The same of a run whose code has that state, and about which so much is `too_good` to be true."""
        return replace(self, statistics=self.statistics.believed(state, too_good))

    @property
    def state(self) -> LookAhead:
        """What is known of the look-ahead of the code."""
        return self.statistics.look_ahead or LookAhead()

    def as_object(self) -> dict[str, Any]:
        """The JSON object of it."""
        count = self.count
        return {
            "counted": count is not None,
            **self.statistics.as_object(),
            "trials_on_these_data": None if count is None else count.raw,
            "trials_of_the_family": None if count is None else count.family_total,
        }


def trial_of(result: Result) -> TrialBatch:
    """The run as a batch of one trial."""
    earned = returns(result.track[EQUITY], result.settings.capital)
    bars, per_year = result.bars, result.metrics["periods_per_year"]
    return TrialBatch(
        family=result.strategy,
        data=result.fingerprint,
        symbols=bars.symbols,
        start=bars.time[0],
        end=bars.time[-1],
        timeframe=bars.timeframe,
        bars=bars.T,
        periods_per_year=per_year,
        kind="backtest",
        keys=np.frombuffer(result.trial_key, np.uint8)[None],
        sharpe=np.array([result.metrics["sharpe"] / np.sqrt(per_year)]),
        observations=int(np.isfinite(earned).sum()),
        profiles=profile_of(earned)[None],
    )


def counted(ledger: TrialLedger, trial: TrialBatch, made_at: datetime) -> TrialCount:
    """Record a trial and ask how many there are now. Raises StoreError."""
    ledger.record(trial, made_at=made_at)
    return ledger.count(trial.family, trial.data, trial.symbols, trial.start, trial.end, trial.timeframe)


def luck_of_run(result: Result, trial: TrialBatch, count: TrialCount | None) -> Luck:
    """What the run is worth after so many trials; without a count there is no deflated Sharpe ratio."""
    return Luck(luck_of(result.metrics, trial.observations, count), count)


def luck_of_stored(store: RunStore, record: RunRecord) -> Luck:
    """What a stored run is worth after the trials there are by now; one on data that were never counted has no count."""
    manifest = record.manifest
    earned = returns(store.equity(record.run_id)["equity"].to_numpy(), manifest["capital"])
    data = (record.fingerprint, record.symbols, record.start, record.end, manifest["timeframe"])
    count = store.ledger.count(record.strategy, *data)
    known = count if count.raw else None
    luck = Luck(luck_of(record.metrics, int(np.isfinite(earned).sum()), known), known)
    state = known_of_stored(store, manifest, record.parameters)
    return luck.believed(state, [text for text in record.warnings if is_too_good(text)])
