"""Counts the points of a study in the trial ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.adapters.store.errors import StoreError
from gpt_trader.adapters.store.trials import TrialBatch, TrialCount
from gpt_trader.engine.measures import METRIC_NAMES
from gpt_trader.periods import periods_per_year
from gpt_trader.research.identity import TrialKeys, data_hash
from gpt_trader.strategy import strategy_name

if TYPE_CHECKING:
    from gpt_trader.adapters.store import RunStore
    from gpt_trader.research.evaluation import Subject
    from gpt_trader.research.points import Points
    from gpt_trader.validation.splits import Span


def batch_of_points(
    subject: Subject,
    points: Points,
    kind: str,
    rows: Span,
    values: NDArray[np.float64],
    profiles: NDArray[np.floating[Any]],
) -> TrialBatch:
    """All points as trials on `rows` of the subject's bars, from their metrics (P, metrics) and profiles (P, 32).

    A point that failed was tried as well: it has no Sharpe ratio.
    """
    bars = subject.bars
    first, stop = rows
    data = data_hash(bars.fingerprint())
    keys = TrialKeys(subject.strategy, subject.settings, data, first, stop - 1)
    sharpe, per_year = (values[:, METRIC_NAMES.index(name)] for name in ("sharpe", "periods_per_year"))
    return TrialBatch(
        family=strategy_name(subject.strategy),
        data=data,
        symbols=bars.symbols,
        start=bars.time[0],
        end=bars.time[-1],
        timeframe=bars.timeframe,
        bars=bars.T,
        periods_per_year=periods_per_year(bars.time, bars.timeframe),
        kind=kind,
        keys=keys.of_all(points.all_parameters(number) for number in range(len(points))),
        sharpe=sharpe / np.sqrt(per_year),
        observations=stop - first,
        profiles=np.nan_to_num(profiles).astype(np.float32),
    )


def count_all(store: RunStore, batches: Iterable[TrialBatch]) -> tuple[TrialCount | None, StoreError | None]:
    """Record the batches, all of one family on one data set, and ask how many trials there are now.

    A store that refuses is handed back, not raised: the study is not lost.
    """
    count, now = None, datetime.now(UTC)
    try:
        with store as opened:
            for batch in batches:
                opened.ledger.record(batch, made_at=now)
            count = opened.ledger.count(
                batch.family, batch.data, batch.symbols, batch.start, batch.end, batch.timeframe
            )
    except StoreError as error:
        return None, StoreError(
            f"{error}. These trials were NOT counted, so there is no deflated Sharpe ratio"
        )
    return count, None


def worth_of(
    metrics: Mapping[str, float], observations: int, count: TrialCount | None
) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """What a run with these `metrics` is worth after so many trials: the keys that the JSON of every study has, and what
    `jobs.tables.luck_lines` shows."""
    from gpt_trader.research.luck import luck_of

    said = luck_of(metrics, observations, count).as_object()
    trials = None
    if count is not None:
        trials = {
            "raw": count.raw,
            "overlapping": count.overlapping,
            "family": count.family_total,
            "effective": said["effective_trials"],
        }
    keys = {
        "trials": trials,
        **{name: said[name] for name in ("psr", "dsr", "dsr_effective", "verdict")},
        "min_track_record": {"bars": said["min_track_record_bars"], "years": said["min_track_record_years"]},
        "statistics": said,
    }
    family = None if count is None else count.family_total
    return keys, {**said, "counted": count is not None, "trials_of_the_family": family}
