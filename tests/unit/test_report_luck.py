"""The report's section on luck: every number of the statistics is on the page, and what is missing is said."""

from __future__ import annotations

import math

import pytest

from gpt_trader.adapters.report import render
from gpt_trader.adapters.report.luck import luck_section
from gpt_trader.research.selection_bias import trial_statistics_of
from gpt_trader.validation.summary import TrialStatistics, trial_statistics
from tests.report_cases import Page, run

METRICS = {"sharpe": 1.6, "skew": -0.5, "kurtosis": 6.0, "periods_per_year": 256.0}


class Ledger:
    """A ledger's answer: 40 trials that resemble 12."""

    overlapping = 40
    variance = 0.0009
    observations = 1000

    def effective(self) -> tuple[float, float]:
        return 12.0, 0.0012


class YoungLedger(Ledger):
    """One that cannot tell how many independent trials there were."""

    def effective(self) -> tuple[float, float]:
        return math.nan, math.nan


def values(found: TrialStatistics) -> dict[str, str]:
    return {row.name: row.value for row in luck_section(found)["rows"]}


def test_the_statistics_are_those_of_the_metrics_per_bar() -> None:
    run_ = (0.1, 1000, -0.5, 6.0, 256.0)
    assert trial_statistics_of(METRICS, 1000) == trial_statistics(*run_)
    expected = trial_statistics(*run_, trials=40, variance=0.0009, effective=12.0, effective_variance=0.0012)
    assert trial_statistics_of(METRICS, 1000, Ledger()) == expected
    assert expected.dsr is not None
    assert expected.dsr_effective is not None
    assert expected.dsr != expected.dsr_effective
    assert trial_statistics_of(METRICS, 1000, YoungLedger()) == trial_statistics(
        *run_, trials=40, variance=0.0009
    )


def test_a_run_with_a_count_shows_every_number() -> None:
    found = trial_statistics_of(METRICS, 1000, Ledger())
    shown = values(found)
    assert found.dsr is not None
    assert found.dsr_effective is not None
    assert found.threshold is not None
    assert shown["Sharpe ratio"] == "1.60"
    assert shown["Trials (N)"] == "40"
    assert shown["Effective trials"] == "12.0"
    assert shown["The best of N by luck"] == f"{found.threshold:.2f}"
    for name, value in (
        ("Probabilistic Sharpe ratio (PSR)", found.psr),
        ("Deflated Sharpe ratio (DSR)", found.dsr),
        ("DSR with effective trials", found.dsr_effective),
    ):
        assert shown[name] == f"{value * 100:.1f}\u202f%", name
    assert shown["Track record needed"] == f"{found.min_track_record_years:.1f} years"
    assert luck_section(found)["missing"] == ""


def test_a_run_without_a_count_says_what_is_missing() -> None:
    section = luck_section(trial_statistics_of(METRICS, 1000))
    assert [row.name for row in section["rows"]] == [
        "Sharpe ratio", "Probabilistic Sharpe ratio (PSR)", "Track record needed",
    ]  # fmt: skip
    assert "needs the trial ledger" in section["missing"]


@pytest.mark.parametrize("sharpe", [math.nan, -0.4, 0.0])
def test_a_run_without_a_gain_has_no_numbers_that_look_like_one(sharpe: float) -> None:
    shown = values(trial_statistics_of({**METRICS, "sharpe": sharpe}, 1000, YoungLedger()))
    assert shown["Track record needed"] in ("– years", "∞ years")
    assert "Effective trials" not in shown


def test_the_page_has_the_section_with_its_verdict() -> None:
    result = run(("AAA",), 400)
    found = trial_statistics_of(result.metrics, 400, Ledger())
    page = Page(render(result, found))
    (verdict,) = page.find("p", class_="verdict")
    assert verdict == found.verdict()
    plain = render(result)
    assert "needs the trial ledger" in plain
    assert Page(plain).find("p", class_="verdict") != [verdict]
