"""Counts what was tried in the trial ledger: a backtest, and the trials of a study as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.store.trials import TrialBatch, TrialCount, TrialLedger
from gpt_trader.engine.records import EQUITY
from gpt_trader.metrics import returns
from gpt_trader.periods import periods_per_year
from gpt_trader.research.return_profiles import profile_of
from gpt_trader.research.trial_identity import data_hash
from gpt_trader.strategy import strategy_name

if TYPE_CHECKING:
    from gpt_trader.adapters.store import RunStore
    from gpt_trader.bars import Bars
    from gpt_trader.research.experiment import Experiment
    from gpt_trader.research.trials import Trials
    from gpt_trader.result import Result

Answer = TypeVar("Answer")
NOT_COUNTED = "These points were NOT counted, so nothing is deflated; the same command counts them"

# -- the ledger ----------------------------------------------------------------------------------------------------------


def counted(ledger: TrialLedger, trial: TrialBatch, made_at: datetime) -> TrialCount:
    """Record a trial and ask how many there are now. Raises StoreError."""
    ledger.record(trial, made_at=made_at)
    return ledger.count(trial.family, trial.data, trial.symbols, trial.start, trial.end, trial.timeframe)


class Counting:
    """The ledger while a study of `kind` runs. What it refuses is kept in `problem`: the study goes on, its trials are not
    counted."""

    def __init__(
        self, store: RunStore, kind: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store, self._kind, self._clock = store, kind, clock
        self.problem: StoreError | None = None

    def keep(self, tried: Iterable[Trials]) -> None:
        """Count these trials."""
        batches = [batch for trials in tried for batch in batches_of(trials, self._kind)]

        def record(store: RunStore) -> None:
            now = self._clock()
            for batch in batches:
                store.ledger.record(batch, made_at=now)

        if batches:
            self._with_store(record)

    def count(self, experiment: Experiment) -> TrialCount | None:
        """How often the strategy of an experiment was tried on its data by now; None when the ledger refused."""
        of = described(experiment, self._kind)
        asked = [of[name] for name in ("family", "data", "symbols", "start", "end", "timeframe")]
        return self._with_store(lambda store: store.ledger.count(*asked))

    def _with_store(self, ask: Callable[[RunStore], Answer]) -> Answer | None:
        if self.problem is not None:
            return None
        try:
            with self._store as opened:
                return ask(opened)
        except StoreError as problem:
            self.problem = StoreError(f"{problem}. {NOT_COUNTED}")
        return None


# -- what is counted -----------------------------------------------------------------------------------------------------


def trial_of(result: Result) -> TrialBatch:
    """A backtest as a batch of one trial."""
    earned = returns(result.account_curves[EQUITY], result.settings.capital)
    per_year = result.metrics["periods_per_year"]
    return TrialBatch(
        family=result.strategy,
        data=result.fingerprint,
        **_span_of(result.bars),
        periods_per_year=per_year,
        kind="backtest",
        keys=np.frombuffer(result.trial_key, np.uint8)[None],
        sharpe=np.array([result.metrics["sharpe"] / np.sqrt(per_year)]),
        observations=int(np.isfinite(earned).sum()),
        profiles=profile_of(earned)[None],
    )


def batches_of(trials: Trials, kind: str) -> Iterator[TrialBatch]:
    """Trials of a study of `kind` as the ledger takes them: those of as many returns together."""
    of = described(trials.experiment, kind)
    for count in np.unique(trials.observations).tolist():
        chosen = np.flatnonzero(trials.observations == count)
        yield TrialBatch(
            **of,
            keys=trials.keys[chosen],
            sharpe=trials.sharpe[chosen],
            observations=count,
            profiles=trials.profiles[chosen],
        )


def described(experiment: Experiment, kind: str) -> dict[str, Any]:
    """What all batches of a study share."""
    bars = experiment.bars
    return {
        "family": strategy_name(experiment.strategy),
        "data": data_hash(bars.fingerprint()),
        **_span_of(bars),
        "periods_per_year": periods_per_year(bars.time, bars.timeframe),
        "kind": kind,
    }


def _span_of(bars: Bars) -> dict[str, Any]:
    """The bars in the words of the ledger."""
    return {
        "symbols": bars.symbols,
        "start": bars.time[0],
        "end": bars.time[-1],
        "timeframe": bars.timeframe,
        "bars": bars.T,
    }
