"""What a report says about luck: one object from the best run's Sharpe ratio, the trial count and the overfitting test."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from gpt_trader.look_ahead import LookAhead
from gpt_trader.validation.overfitting import Overfitting
from gpt_trader.validation.sharpe_statistics import (
    CONFIDENCE,
    Deflated,
    deflated_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
)

HIGHEST_PBO = 0.20
"""The probability of overfitting up to which a choice is said to carry over. Above it a search among settings that do not
differ is not ruled out: it has 0.5 with a scatter of 0.15 and more."""


@dataclass(frozen=True, slots=True)
class TrialStatistics:
    """The numbers of one run that was the best of `trials`; None is "not known", NaN "not defined".

    Sharpe ratios are per YEAR: `sharpe` of the run, `threshold` and `threshold_effective` what the best of so many trials
    would show by luck. `psr` is the confidence that the true Sharpe ratio is above 0, `dsr` that it is above `threshold` with
    every trial counted as independent, `dsr_effective` the same with `effective_trials`. `min_track_record_bars` is how many
    returns this Sharpe ratio would need for a `psr` of 0.95, infinite when it is not above 0. `pbo` is the probability of
    overfitting. `look_ahead` is what is known of the code's check, `too_good` what `gpt_trader.too_good` says of the run: a doubt
    that follows from them comes first in the verdict, and while there is one nothing passes.
    """

    sharpe: float
    observations: int
    periods_per_year: float
    psr: float
    min_track_record_bars: float
    trials: int | None = None
    threshold: float | None = None
    dsr: float | None = None
    effective_trials: float | None = None
    threshold_effective: float | None = None
    dsr_effective: float | None = None
    pbo: float | None = None
    look_ahead: LookAhead | None = None
    too_good: tuple[str, ...] = ()

    def believed(self, look_ahead: LookAhead, too_good: Sequence[str] = ()) -> TrialStatistics:
        """The same numbers of a run whose code has that state, and about which so much is `too_good` to be true."""
        return replace(self, look_ahead=look_ahead, too_good=tuple(too_good))

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the run itself is not to be believed, in sentences, the gravest first."""
        known = "" if self.look_ahead is None else self.look_ahead.doubt
        wrong = too_good_sentence(self.too_good) if self.too_good else ""
        return tuple(text for text in ((known, wrong) if self._failed else (wrong, known)) if text)

    @property
    def _failed(self) -> bool:
        return self.look_ahead is not None and self.look_ahead.failed

    @property
    def min_track_record_years(self) -> float:
        """`min_track_record_bars` in years."""
        return self.min_track_record_bars / self.periods_per_year

    @property
    def passes(self) -> bool:
        """Whether the deflated Sharpe ratio that decides, the effective one where it is known, reaches 0.95, and nothing makes
        the run itself doubtful."""
        return self.beats_luck and not self.doubts

    @property
    def beats_luck(self) -> bool:
        """Whether that ratio reaches 0.95, whatever else is known of the run."""
        decisive = self._decisive
        return decisive is not None and decisive >= CONFIDENCE

    @property
    def _decisive(self) -> float | None:
        return self.dsr if self.dsr_effective is None else self.dsr_effective

    def as_object(self) -> dict[str, Any]:
        """The fields, the track record in years and the verdict, ready for JSON: NaN and infinity are None."""
        numbers = asdict(replace(self, look_ahead=None)) | {
            "min_track_record_years": self.min_track_record_years
        }
        del numbers["look_ahead"], numbers["too_good"]
        plain = {
            name: value if value is None or math.isfinite(value) else None for name, value in numbers.items()
        }
        return {**plain, "doubts": list(self.doubts), "passes": self.passes, "verdict": self.verdict()}

    def verdict(self) -> str:
        """Some sentences for a report: can it be believed, is it luck, is the record long enough, does selecting work."""
        if self._failed or self.too_good:
            return " ".join(self.doubts)
        parts = [_luck(self), _length(self), _selection(self.pbo)]
        if self.doubts:
            parts = [*self.doubts, "Until it has passed, believe nothing of what follows.", *parts]
        return " ".join(part for part in parts if part)


def trial_statistics(
    sharpe: float,
    observations: int,
    skew: float,
    kurtosis: float,
    periods_per_year: float,
    *,
    trials: int | None = None,
    variance: float = math.nan,
    effective: float | None = None,
    effective_variance: float = math.nan,
    overfitting: Overfitting | None = None,
) -> TrialStatistics:
    """The statistics of the best run: its Sharpe ratio per BAR, number of returns, skew and raw kurtosis.

    `trials` is the ledger's count with the `variance` of their Sharpe ratios per bar; None without a ledger, and then there is
    no deflated Sharpe ratio, because a number of trials that somebody remembers is no count. `effective` and
    `effective_variance` are the `number` and `variance` of `EffectiveTrials`. A variance that is not known is taken as
    that of luck, 1 / (observations - 1), and that of an independent trial is never taken below it.
    """
    yearly = math.sqrt(periods_per_year)
    luck = 1.0 / (observations - 1) if observations > 1 else math.nan
    run = (sharpe, observations, skew, kurtosis)
    raw = independent = None
    if trials is not None:
        raw = deflated_sharpe(
            *run, trials=max(trials, 1), variance=luck if math.isnan(variance) else variance
        )
    if trials is not None and effective is not None:
        spread = luck if math.isnan(effective_variance) else max(effective_variance, luck)
        independent = deflated_sharpe(*run, trials=max(effective, 1.0), variance=spread)
    return TrialStatistics(
        sharpe=sharpe * yearly,
        observations=observations,
        periods_per_year=periods_per_year,
        psr=probabilistic_sharpe(*run),
        min_track_record_bars=minimum_track_record(sharpe, skew, kurtosis),
        trials=trials,
        threshold=_threshold(raw, yearly),
        dsr=None if raw is None else raw.probability,
        effective_trials=effective if independent else None,
        threshold_effective=_threshold(independent, yearly),
        dsr_effective=None if independent is None else independent.probability,
        pbo=None if overfitting is None else overfitting.pbo,
    )


def _threshold(deflated: Deflated | None, yearly: float) -> float | None:
    return None if deflated is None else deflated.threshold * yearly


def too_good_sentence(warnings: Sequence[str]) -> str:
    """What a verdict says of a run with these warnings of `gpt_trader.too_good`."""
    from gpt_trader.too_good import PREFIX

    what = "; ".join(text.removeprefix(PREFIX) for text in warnings)
    return (
        f"Too good to be true: {what}. Look for a mistake first: a feature that knows a later bar, a price that nobody could "
        "have had, a cost that is missing."
    )


# -- sentences ---------------------------------------------------------------------------------------------------------


def _luck(found: TrialStatistics) -> str:
    """Whether the Sharpe ratio is more than luck."""
    if math.isnan(found.sharpe) or math.isnan(found.psr):
        return "There is no Sharpe ratio to judge: too few returns, or returns without spread."
    head = f"The Sharpe ratio of {found.sharpe:.2f}"
    if found.sharpe <= 0.0:
        return f"{head} is not above 0: there is no gain that could be luck."
    alone = f"alone it would be above 0 with {_percent(found.psr)} confidence"
    if found.trials is None:
        return f"{head} is not deflated, because there is no ledger that says how many trials it is the best of; {alone}."
    if found.trials <= 1:
        return f"{head} is that of the only trial on record for these data, so nothing was selected on them; {alone}."
    return _against_luck(found, head)


def _against_luck(found: TrialStatistics, head: str) -> str:
    """The Sharpe ratio against that of the best of many by luck."""
    many = f"the best of {found.trials:,} trials"
    level, chance = found.threshold, found.dsr
    if found.dsr_effective is not None and found.effective_trials is not None:
        many += f" (as good as {_count(found.effective_trials)} independent ones)"
        level, chance = found.threshold_effective, found.dsr_effective
    if level is None or chance is None or math.isnan(chance):
        return f"{head} cannot be deflated: the variance of the trials is not defined."
    if chance < 0.5:
        text = f"{head} is no more than what {many} would show by luck alone, {level:.2f}."
    elif chance < CONFIDENCE:
        text = (
            f"{head} is above what {many} would show by luck alone, {level:.2f}, but not clearly: "
            f"{_percent(chance)} confidence where {_percent(CONFIDENCE)} is asked for."
        )
    else:
        text = f"{head} is above what {many} would show by luck alone, {level:.2f}, with {_percent(chance)} confidence."
    if (
        found.dsr_effective is not None
        and found.dsr is not None
        and found.beats_luck
        and found.dsr < CONFIDENCE
    ):
        text += f" With every trial counted as independent it would not pass ({_percent(found.dsr)})."
    return text


def _length(found: TrialStatistics) -> str:
    """Whether the record is long enough for this Sharpe ratio."""
    needed = found.min_track_record_bars
    if not math.isfinite(needed) or found.observations >= needed:
        return ""
    years = found.observations / found.periods_per_year
    return (
        f"The record of {years:.1f} years is too short: a Sharpe ratio of that size takes "
        f"{found.min_track_record_years:.1f} years to be told from 0."
    )


def _selection(pbo: float | None) -> str:
    """Whether picking the best setting works: a property of the search, not of the setting that was picked."""
    if pbo is None or math.isnan(pbo):
        return ""
    share = _percent(pbo, math.ceil)
    fact = (
        f"in {share} of the splits the best of one half of the data was below the median in the other half (PBO), "
        "which luck alone does in about 50 %."
    )
    if pbo <= HIGHEST_PBO:
        return f"Choosing the best of these settings carries over: {fact}"
    return f"It is not shown that choosing the best of these settings beats choosing any: {fact}"


def _percent(share: float, rounded: Callable[[float], int] = math.floor) -> str:
    """A share in whole per cent; rounded down, so that no confidence looks like more than it is. Never 0 or 100."""
    if share < 0.01:
        return "under 1 %"
    return "over 99 %" if share > 0.99 else f"{rounded(round(share * 100.0, 6))} %"


def _count(number: float) -> str:
    return f"{number:.1f}" if number < 10.0 else f"{number:,.0f}"
