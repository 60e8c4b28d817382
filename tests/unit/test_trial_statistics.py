"""What a report says about luck: numbers, sentences, and what it refuses to say."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from gpt_trader.validation.overfitting import overfitting_of_returns
from gpt_trader.validation.sharpe_statistics import deflated_sharpe, expected_maximum
from gpt_trader.validation.summary import TrialStatistics, trial_statistics
from tests import searches

RUN = {"observations": 1250, "skew": -3.0, "kurtosis": 10.0, "periods_per_year": 250.0}
PAPER = {"trials": 100, "variance": 0.5 / 250}


def judged(yearly: float, **known: Any) -> TrialStatistics:
    return trial_statistics(yearly / math.sqrt(250.0), **{**RUN, **known})


# -- numbers -----------------------------------------------------------------------------------------------------------


def test_the_example_of_the_paper_per_year() -> None:
    found = judged(2.5, **PAPER)
    assert found.sharpe == pytest.approx(2.5)
    assert found.dsr == pytest.approx(0.9004, abs=5e-5)
    assert found.threshold == pytest.approx(0.1132 * math.sqrt(250), abs=1e-3)
    assert found.min_track_record_years == pytest.approx(found.min_track_record_bars / 250)
    assert (found.effective_trials, found.dsr_effective, found.pbo) == (None, None, None)
    assert not found.passes
    assert judged(2.5, **{**PAPER, "trials": 46}).passes


def test_the_effective_count_decides_where_it_is_known() -> None:
    found = judged(2.5, **PAPER, effective=8.5, effective_variance=0.6 / 250)
    expected = deflated_sharpe(2.5 / math.sqrt(250), 1250, -3.0, 10.0, trials=8.5, variance=0.6 / 250)
    assert found.dsr_effective == expected.probability
    assert found.threshold_effective == pytest.approx(expected.threshold * math.sqrt(250))
    assert found.passes
    assert found.dsr == judged(2.5, **PAPER).dsr


def test_an_unknown_variance_is_that_of_luck_and_an_independent_trial_has_no_less() -> None:
    luck = math.sqrt(250.0 / 1249.0)
    assert judged(2.5, trials=100).threshold == pytest.approx(luck * expected_maximum(100))
    for variance in (math.nan, 1e-6):
        found = judged(2.5, **PAPER, effective=20.0, effective_variance=variance)
        assert found.threshold_effective == pytest.approx(luck * expected_maximum(20.0))
    assert judged(2.5, trials=100, variance=0.0).threshold == 0.0


def test_without_a_ledger_there_is_no_deflated_sharpe_ratio() -> None:
    found = judged(2.5, variance=0.002, effective=8.0, effective_variance=0.002)
    assert (found.trials, found.dsr, found.threshold) == (None, None, None)
    assert (found.effective_trials, found.dsr_effective, found.threshold_effective) == (None, None, None)
    assert not found.passes
    assert "no ledger" in found.verdict()
    assert "not deflated" in found.verdict()
    assert found.psr > 0.99


@pytest.mark.parametrize("trials", [0, 1])
def test_one_trial_is_not_deflated(trials: int) -> None:
    """A ledger that has not seen the run itself yet counts it."""
    found = judged(1.0, trials=trials, effective=float(trials))
    assert found.dsr == found.dsr_effective == found.psr
    assert found.threshold == 0.0
    assert "only trial on record for these data" in found.verdict()


# -- sentences ---------------------------------------------------------------------------------------------------------


def test_luck_is_called_luck() -> None:
    said = judged(1.3, trials=400, variance=0.5 / 250).verdict()
    assert said.startswith(
        "The Sharpe ratio of 1.30 is no more than what the best of 400 trials would show by luck alone, 2.11."
    )


def test_a_doubtful_case_names_its_confidence() -> None:
    said = judged(2.5, **PAPER).verdict()
    assert "is above what the best of 100 trials would show by luck alone, 1.79, but not clearly" in said
    assert "90 % confidence where 95 % is asked for" in said


def test_a_little_above_luck_is_not_luck_alone() -> None:
    found = judged(1.9, **PAPER)
    assert 0.5 < float(found.dsr or 0) < 0.6
    assert "but not clearly: 5" in found.verdict()


def test_a_pass_names_the_independent_trials_and_the_stricter_count() -> None:
    said = judged(2.5, **PAPER, effective=8.5, effective_variance=0.5 / 250).verdict()
    assert "the best of 100 trials (as good as 8.5 independent ones)" in said
    assert "1.05, with over 99 % confidence." in said
    assert "With every trial counted as independent it would not pass (90 %)." in said
    clear = judged(4.0, **PAPER, effective=46.4, effective_variance=0.5 / 250).verdict()
    assert "as good as 46 independent ones" in clear
    assert "over 99 % confidence" in clear
    assert "would not pass" not in clear


def test_a_short_record_is_named() -> None:
    said = judged(0.8, observations=500, trials=1).verdict()
    assert "The record of 2.0 years is too short" in said
    assert "takes 4.9 years to be told from 0" in said
    assert "too short" not in judged(0.8, observations=2500, trials=1).verdict()


def test_nothing_gained_and_nothing_measured() -> None:
    lost = judged(-0.2, **PAPER)
    assert lost.verdict() == "The Sharpe ratio of -0.20 is not above 0: there is no gain that could be luck."
    assert lost.min_track_record_bars == math.inf
    flat = judged(math.nan, **PAPER)
    assert "no Sharpe ratio to judge" in flat.verdict()
    assert not flat.passes
    assert math.isnan(judged(1.0, observations=1).psr)


@pytest.mark.parametrize(
    ("returns", "word"),
    [
        (searches.planted(np.random.default_rng(2), 800, 20, 2, 0.2), "settings carries over"),
        (
            np.repeat(searches.noise(np.random.default_rng(1), 80, 1), 4, axis=1),
            "It is not shown that choosing the best of these settings beats choosing any",
        ),
    ],
)
def test_the_overfitting_has_its_sentence(returns: np.ndarray, word: str) -> None:
    found = judged(2.5, **PAPER, overfitting=overfitting_of_returns(returns, 8))
    assert word in found.verdict()
    assert found.pbo == overfitting_of_returns(returns, 8).pbo


@pytest.mark.parametrize(
    ("pbo", "said"),
    [
        (
            0.0,
            "carries over: in under 1 % of the splits the best of one half of the data was below the median in the other",
        ),
        (0.2, "carries over: in 20 %"),
        (0.2001, "beats choosing any: in 21 % of the splits"),
        (0.46, "below the median in the other half (PBO), which luck alone does in about 50 %."),
        (1.0, "in over 99 % of the splits"),
        (math.nan, "confidence where 95 % is asked for."),
    ],
)
def test_the_bounds_of_the_overfitting(pbo: float, said: str) -> None:
    from dataclasses import replace

    verdict = replace(judged(2.5, **PAPER), pbo=pbo).verdict()
    assert said in verdict
    assert ("hoosing the best" in verdict) == (not math.isnan(pbo))
    assert "worth nothing" not in verdict, (
        "a search among equally good settings has a PBO of one half as well"
    )


def test_no_confidence_is_rounded_up() -> None:
    """0.9499 is no 95 %."""
    for trials in range(44, 60):
        found = judged(2.5, **{**PAPER, "trials": trials})
        assert ("but not clearly: 94 %" in found.verdict()) == (0.94 <= float(found.dsr or 0) < 0.95)
        assert ("with 95 % confidence" in found.verdict()) == found.passes


# -- JSON --------------------------------------------------------------------------------------------------------------


def test_the_object_is_json_with_every_number() -> None:
    found = judged(-0.5, **PAPER)
    said = json.loads(json.dumps(found.as_object(), allow_nan=False))
    assert said["min_track_record_bars"] is None
    assert said["min_track_record_years"] is None
    assert said["dsr"] == found.dsr
    assert said["trials"] == 100
    assert said["effective_trials"] is None
    assert said["verdict"] == found.verdict()
    assert said["passes"] is False
    assert judged(3.0, trials=2).as_object()["min_track_record_years"] == judged(3.0).min_track_record_years
