"""The pages of robustness studies and comparisons, and the intervals on a run's page: what they say is what was found."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gpt_trader import Allocation, Costs, FillModel
from gpt_trader.adapters.report import render, texts
from gpt_trader.adapters.report.comparison import content as comparison_content
from gpt_trader.adapters.report.comparison import write_comparison_report
from gpt_trader.adapters.report.intervals import intervals_section
from gpt_trader.adapters.report.robustness import content as robustness_content
from gpt_trader.adapters.report.robustness import write_robustness_report
from gpt_trader.bars import Bars
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import BadParameter
from gpt_trader.research.bootstrap_runs import Bootstrap, rerun
from gpt_trader.research.comparison_study import Candidate, ComparisonResult, ComparisonStudy
from gpt_trader.research.executor import InProcess
from gpt_trader.research.experiment import Experiment
from gpt_trader.research.plan import Plan, PlanResult, run_chunks
from gpt_trader.research.robustness_study import Changes, RobustnessResult, RobustnessStudy
from gpt_trader.research.robustness_text import capacity_line, costs_line, jitter_line
from gpt_trader.research.selection_bias import trial_statistics_of
from gpt_trader.research.study import run_study
from gpt_trader.strategies.buy_and_hold import BuyAndHold
from gpt_trader.strategies.demo_ma import DemoMa
from jobs.console_tables import LABELS, interval_table
from tests.markets import random_market
from tests.report_cases import run

pytestmark = pytest.mark.slow  # pages: `make test` looks at them, `make check` need not

BARS = random_market(400, 1, 11, sigma=0.01, drift=0.0012)
HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>"


def work(plan: Plan) -> PlanResult:
    return run_chunks(plan, InProcess(), None)


def studied(bars: Bars = BARS, bootstrap: Bootstrap | None = None, **settings: Any) -> RobustnessResult:
    experiment = Experiment(DemoMa, bars, Settings(allocation=Allocation(gross=1.0), **settings))
    known = None if bootstrap is None else bootstrap.on(bars)
    return run_study(RobustnessStudy(experiment, DemoMa(5, 20), Changes(neighbours=12), known), work)


def study(*names: str, bars: Bars = BARS) -> ComparisonResult:
    settings = Settings(allocation=Allocation(gross=1.0))
    made = [DemoMa(5, 20), BuyAndHold(), DemoMa(20, 60)][: len(names)]
    sides = tuple(
        Candidate(name, Experiment(type(one), bars, settings), one)
        for name, one in zip(names, made, strict=True)
    )
    return run_study(ComparisonStudy(sides, Bootstrap(60).on(bars)), work)


class Text(HTMLParser):
    """The text of a page without scripts and styles, and the tags that were opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self._skip = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self._skip += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._skip -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.words.append(data)

    @property
    def all(self) -> str:
        return re.sub(r"[ \n]+", " ", " ".join(self.words))


def written(found: RobustnessResult, path: Path) -> Text:
    statistics = trial_statistics_of(found.base.metrics, BARS.T)
    return Text(write_robustness_report(found, "0123456789abcdef", statistics, path).read_text())


def test_the_page_of_a_robustness_study_says_what_was_found(tmp_path: Path) -> None:
    found = studied(bootstrap=Bootstrap(60))
    page = written(found, tmp_path / "report.html")
    base = found.base.metrics
    for expected in (
        texts.number(base["sharpe"]), texts.percent(base["cagr"]), "0123456789abcdef", "fast 5", "1 bar more of delay",
        "parameters ±20 %, median of 12", "60 resampled markets", costs_line(found), capacity_line(found), jitter_line(found),
    ):  # fmt: skip
        assert expected in page.all
    assert page.tags.count("svg") == 6
    for item in intervals_section(found.intervals)["rows"]:
        assert " ".join(item["cells"][1:3]) in page.all


def test_without_resampled_markets_there_is_no_section_of_them(tmp_path: Path) -> None:
    page = written(studied(), tmp_path / "report.html")
    assert "Intervals" not in page.all
    assert page.tags.count("svg") == 4


def test_the_words_of_a_study_fit_every_ending() -> None:
    usual = studied()
    assert re.fullmatch(
        r"the Sharpe ratio falls to 0 at [\d.]+ times the costs, \d+ bp a side", costs_line(usual)
    )
    at = usual.break_even.at
    assert f"{at:.1f} times the costs, {at * 6:.0f} bp" in costs_line(
        usual
    )  # 5 bp of commission, half of a spread of 2 bp
    free = studied(costs=Costs.commission_only(0), fills=FillModel(volume_cap=None))
    assert costs_line(free) == "no cost is set, so there is none to multiply"
    assert capacity_line(free) == "unlimited by assumption: no volume cap and no impact are set"
    assert re.fullmatch(r"50 % of the growth is left at a capital of [\d,]+", capacity_line(usual))
    assert f"{usual.capacity.at * 100_000:,.0f}" in capacity_line(usual)
    uncapped = studied(fills=FillModel(volume_cap=None))
    assert capacity_line(uncapped).startswith("50 % of the growth is left at a capital of ")
    cheap = studied(costs=Costs.commission_only(1e-6))
    assert costs_line(cheap) == "the Sharpe ratio is above 0 even at 64 times the costs"
    falling = BARS.panel.copy()
    falling[:4] = falling[[0, 2, 1, 3]] = 1e4 / falling[:4]
    lost = studied(Bars(BARS.symbols, BARS.time, falling))
    assert costs_line(lost) == "the Sharpe ratio is not above 0 even without costs"
    assert capacity_line(lost) == "none: there is no growth to lose"
    silent = BARS.panel.copy()
    silent[4] = 0.0
    assert capacity_line(studied(Bars(BARS.symbols, BARS.time, silent))) == "unknown: the bars have no volume"
    peak = replace(usual, jitter=replace(usual.jitter, below=0.95))
    assert jitter_line(peak).endswith("the point beats 95 % of them: a peak, beware")


def test_the_page_of_a_comparison_says_what_was_found(tmp_path: Path) -> None:
    found = study("one", "two", "three")
    page = Text(write_comparison_report(found, "fedcba9876543210", tmp_path / "report.html").read_text())
    table = found.probabilities()
    for expected in (
        "one against two against three",
        "fedcba9876543210",
        texts.percent(table[0, 1]),
        "two over three",
    ):
        assert expected in page.all
    content = comparison_content(found, "x")
    assert [row["name"] for row in content["pairs"]] == ["one over two", "one over three", "two over three"]
    assert content["rows"][3]["cells"][1][0] == texts.number(found.sides[1].run.metrics["sharpe"])
    assert page.tags.count("svg") == 1


def test_a_run_page_shows_intervals_only_when_there_are_some() -> None:
    result = run(count=300)
    assert "Resampled" not in Text(render(result)).all
    experiment = Experiment(type(result._instance), result.bars, result.settings)
    intervals = rerun(result._instance, experiment, result.metrics, Bootstrap(60), work)
    page = Text(render(result, None, intervals))
    assert "60 resampled markets" in page.all
    sharpe = intervals.of("sharpe")
    assert f"{texts.number(sharpe.low)} {texts.number(sharpe.high)}" in page.all


def test_a_rule_that_lives_on_memory_is_warned_of() -> None:
    found = studied(bootstrap=Bootstrap(60)).intervals
    assert found is not None
    changed = [
        replace(item, median=item.estimate - shift * item.deviation)
        for shift in (0.4, 0.6)
        for item in found.intervals
        if item.name == "sharpe"
    ]
    quiet, loud = (intervals_section(replace(found, intervals=(item,)))["warning"] for item in changed)
    assert quiet == ""
    assert f"Sharpe ratio is {0.6 * changed[1].deviation:.2f} lower" in loud


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    hostile = Bars((HOSTILE,), BARS.time, BARS.panel)
    page = written(studied(hostile, bootstrap=Bootstrap(60)), tmp_path / "a.html")
    assert HOSTILE in page.all
    assert page.tags.count("script") == 3
    assert "img" not in page.tags
    text = write_comparison_report(study(HOSTILE, "b", bars=hostile), "x", tmp_path / "b.html").read_text()
    assert Text(text).tags.count("script") == 3


def test_the_same_study_gives_the_same_page_and_a_folder_is_refused(tmp_path: Path) -> None:
    found = studied(bootstrap=Bootstrap(60))
    statistics = trial_statistics_of(found.base.metrics, BARS.T)
    assert robustness_content(found, "x", statistics) == robustness_content(
        studied(bootstrap=Bootstrap(60)), "x", statistics
    )
    with pytest.raises(BadParameter, match="is a folder"):
        write_robustness_report(found, "x", statistics, tmp_path)


def test_a_level_is_written_as_it_was_given() -> None:
    metrics = {name: dict.fromkeys(("estimate", "low", "high", "median"), 0.5) for name in LABELS}
    for level, written in ((0.95, "95 %"), (0.9, "90 %"), (0.999, "99.9 %"), (0.29, "29 %")):
        heads = [column.header for column in interval_table({"level": level, "metrics": metrics}).columns]
        assert f"{written} from" in heads
