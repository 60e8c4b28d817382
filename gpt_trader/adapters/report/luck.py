"""The report's answer to "how likely is this luck?": the statistics of the trials as rows, with what each one means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from gpt_trader.adapters.report import texts

if TYPE_CHECKING:
    from gpt_trader.validation.summary import TrialStatistics

EXPLANATION = (
    "Whoever tries many rules finds one that looks good, even when none is. So the Sharpe ratio is measured twice: against 0, "
    "with regard to the length of the record, its skew and its extremes, and against what the best of all trials would show "
    "if none of them had any skill. Only a deflated Sharpe ratio of 95 % or more says that luck is an unlikely explanation. "
    "It knows nothing of trials that were made elsewhere, and nothing of the future."
)
NO_LEDGER = (
    "A deflated Sharpe ratio (DSR) needs the trial ledger, which says how many configurations this one is the best of. The "
    "command gpt-trader backtest keeps it; a report made in Python, or of a run that was not counted, has none."
)


class Row(NamedTuple):
    """One number, ready to be shown, and what it says."""

    name: str
    value: str
    hint: str


def luck_section(found: TrialStatistics) -> dict[str, Any]:
    """What the template shows: the verdict, the rows, the explanation, and what is missing without a ledger."""
    return {
        "verdict": found.verdict(),
        "rows": _rows(found),
        "explanation": EXPLANATION,
        "missing": NO_LEDGER if found.trials is None else "",
    }


def _rows(found: TrialStatistics) -> list[Row]:
    years = found.observations / found.periods_per_year
    length = f"{found.observations:,} returns" + (f", {years:.1f} years" if math.isfinite(years) else "")
    rows = [
        Row("Sharpe ratio", texts.number(found.sharpe), f"a year, from {length}"),
        Row(
            "Probabilistic Sharpe ratio (PSR)",
            texts.percent(found.psr),
            "confidence that the true Sharpe ratio is above 0, if this were the only trial",
        ),
        Row(
            "Track record needed",
            f"{texts.number(found.min_track_record_years, 1)} years",
            "to tell a Sharpe ratio of this size from 0 with 95 % confidence",
        ),
    ]
    if found.trials is not None:
        rows += _deflated_rows(found, found.trials)
    if found.pbo is not None:
        hint = "how often the best setting of one half of the data is below the median in the other half"
        rows.append(Row("Probability of overfitting (PBO)", texts.percent(found.pbo), hint))
    return rows


def _deflated_rows(found: TrialStatistics, trials: int) -> list[Row]:
    """Rows that need the ledger."""
    nan = math.nan
    rows = [
        Row("Trials (N)", f"{trials:,}", "configurations of this strategy tried on these or overlapping data, this one included"),
        Row(
            "The best of N by luck",
            texts.number(nan if found.threshold is None else found.threshold),
            "Sharpe ratio that the best of so many independent trials without skill is expected to show",
        ),
        Row(
            "Deflated Sharpe ratio (DSR)",
            texts.percent(nan if found.dsr is None else found.dsr),
            "confidence that the true Sharpe ratio is above that, with every trial counted as independent",
        ),
    ]  # fmt: skip
    if found.effective_trials is None or found.dsr_effective is None or found.threshold_effective is None:
        return rows
    number = texts.number(found.effective_trials, 1 if found.effective_trials < 100 else 0)
    best = texts.number(found.threshold_effective)
    return [
        *rows,
        Row("Effective trials", number, "independent trials that the N resemble, seen through their returns"),
        Row(
            "DSR with effective trials",
            texts.percent(found.dsr_effective),
            f"the same against the best of those, {best}; this one decides",
        ),
    ]
