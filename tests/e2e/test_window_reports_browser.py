"""The pages of a walk-forward and of a cross-validation in a real browser: clean at every size, charts answer and zoom together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpt_trader.adapters.report.cross_validation import write_cross_validation_report
from gpt_trader.adapters.report.walk_forward import write_walk_forward_report
from gpt_trader.research.selection_bias import trial_statistics_of
from tests.e2e.browsing import browser, needs_chromium, opened, settled
from tests.study_pages import HOSTILE, LENGTHS, crossed, walked

__all__ = ["browser"]
pytestmark = needs_chromium

STATISTICS = trial_statistics_of(
    {"sharpe": 1.0, "skew": 0.0, "kurtosis": 3.0, "periods_per_year": 252.0}, 700
)
PAINTED = """() => [...document.querySelectorAll(".plot")].filter((el) => {
  const canvas = el.querySelector("canvas");
  if (!canvas) return true;
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return !pixels.some((v, i) => i % 4 === 3 && v > 0);
}).map((el) => el.id)"""
RANGE = "(id) => { const { min, max } = document.getElementById('chart-' + id).plot.scales.x; return [min, max]; }"
NAMES = ("walk", "walk of minutes", "walk of one point", "cross", "cross of minutes", "cross of one point")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    walks = {
        "walk": walked(),
        "walk of minutes": walked("1m", bars=3_000, train=600, test=300),
        "walk of one point": walked(searched=False),
    }
    crosses = {
        "cross": crossed(),
        "cross of minutes": crossed("1m", bars=3_000),
        "cross of one point": crossed(searched=False, tested=1),
    }
    made = {
        name: write_walk_forward_report(
            each, "abc123", LENGTHS, STATISTICS, [HOSTILE], folder / f"{name}.html"
        )
        for name, each in walks.items()
    }
    return made | {
        name: write_cross_validation_report(each, "abc123", STATISTICS, folder / f"{name}.html")
        for name, each in crosses.items()
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
def test_opens_clean_and_fits(
    browser: Any, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    with opened(browser, pages[name], width, color_scheme=scheme, has_touch=width < 500) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(PAINTED) == []
        assert page.evaluate("window.hacked") is None


def test_a_window_is_shown_on_all_charts(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["walk"]) as page:
        whole = page.evaluate(RANGE, "equity")
        button = page.locator("#windows button.link").nth(3)
        start, end = (float(button.get_attribute(f"data-{name}")) for name in ("from", "to"))
        button.click()
        settled(page)
        low, high = page.evaluate(RANGE, "equity")
        assert whole[0] < low < start < end < high < whole[1]
        for other in ("drawdown", "inout", "axis-0", "axis-1", "correlation"):
            assert page.evaluate(RANGE, other) == [low, high], other
        assert "account" in page.text_content("#span-note")
        page.click("#spans button:last-child")
        settled(page)
        assert page.evaluate(RANGE, "equity") == whole


def test_the_charts_say_which_window_and_what_it_trades(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["walk"]) as page:
        data = page.evaluate("JSON.parse(document.getElementById('data').textContent)")
        page.hover("#chart-inout .u-over", position={"x": 3, "y": 60})
        settled(page)
        first = data["windows"][0]
        assert "Window 1" in page.text_content("#readout-inout")
        assert first["point"] in page.text_content("#readout-inout")
        page.focus("#chart-equity")
        page.keyboard.press("End")
        settled(page)
        last = data["windows"][-1]
        assert f"Window {last['number']}" in page.text_content("#readout-equity")
        assert last["point"] in page.text_content("#readout-equity")
        page.click("#equity [data-scale=log]")
        settled(page)
        assert page.evaluate("document.getElementById('chart-equity').plot.scales.y.distr") == 3


def test_the_fan_and_the_splits_answer(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["cross"]) as page:
        data = page.evaluate("JSON.parse(document.getElementById('data').textContent)")
        page.focus("#chart-fan")
        page.keyboard.press("End")
        settled(page)
        final = [path[-1] for path in data["fan"]["paths"]]
        said = page.text_content("#readout-fan")
        assert f"lowest {min(final):.2f}" in said
        assert f"highest {max(final):.2f}" in said
        page.focus("#chart-splits")
        page.keyboard.press("Home")
        settled(page)
        lowest = min(range(len(data["splits"]["inside"])), key=data["splits"]["inside"].__getitem__)
        said = page.text_content("#readout-splits")
        assert data["splits"]["folds"][lowest] in said
        assert data["splits"]["points"][lowest] in said
