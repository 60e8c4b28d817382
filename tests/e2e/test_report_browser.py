"""The report in a real browser: it opens clean at every size and scheme, its controls work, names cannot execute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gpt_trader.adapters.report import write_report
from tests.e2e.browsing import CONTRAST, browser, needs_chromium, opened, settled
from tests.report_cases import run, stored

__all__ = ["browser"]

pytestmark = needs_chromium

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>"
PAINTED = """() => [...document.querySelectorAll(".plot")].filter((el) => {
  const canvas = el.querySelector("canvas");
  if (!canvas) return true;
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return !pixels.some((v, i) => i % 4 === 3 && v > 0);
}).map((el) => el.id)"""
TOUCH = """([kind, points]) => {
  const over = document.querySelector("#chart-equity .u-over"), box = over.getBoundingClientRect();
  for (const [id, x] of points) over.dispatchEvent(new PointerEvent(kind, {
    pointerId: id, pointerType: "touch", bubbles: true, clientX: box.left + x * box.width, clientY: box.top + 20 }));
}"""
RANGE = "(id) => { const { min, max } = document.getElementById('chart-' + id).plot.scales.x; return [min, max]; }"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file per kind of run."""
    folder = tmp_path_factory.mktemp("reports")
    daily = run(("AAA", "BBB", "CCC"), 1500)
    hostile = run((HOSTILE, "A&B"), 500)
    closed = hostile.closed_trades.assign(exit_reason=HOSTILE)
    runs = {
        "daily": daily,
        "minutes": run(("AAA",), 12_000, "1m", fast=20, slow=100),
        "idle": run(("AAA",), 30),
        "one bar": run(("AAA",), 1),
        "hostile": stored(hostile, strategy=HOSTILE, warnings=(HOSTILE,), closed_trades=closed),
        "long names": stored(daily, strategy="x" * 200, run_id="y" * 90, parameters={"name": "z" * 120}),
    }
    return {name: write_report(result, folder / f"{name}.html") for name, result in runs.items()}


@pytest.mark.parametrize("name", ["daily", "minutes", "idle", "one bar", "hostile", "long names"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (820, "light"), (375, "dark")])
def test_opens_clean_and_fits(
    browser: Any, reports: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    with opened(browser, reports[name], width, color_scheme=scheme, has_touch=width < 500) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(PAINTED) == []
        assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_against_its_background(browser: Any, reports: dict[str, Path], scheme: str) -> None:
    with opened(browser, reports["daily"], color_scheme=scheme) as page:
        ratio, where = page.evaluate(CONTRAST)
        assert ratio >= 4.5, where


def test_hostile_names_are_shown_as_text(browser: Any, reports: dict[str, Path]) -> None:
    with opened(browser, reports["hostile"]) as page:
        assert page.text_content("h1") == HOSTILE
        assert HOSTILE in page.locator("#trade-table tbody td:first-child").all_text_contents()
        assert HOSTILE in page.locator("#trade-table tbody td").all_text_contents()
        page.select_option("#symbol", index=1)
        page.hover("#chart-price")
        settled(page)
        assert page.locator("script").count() == 3
        assert page.locator("img").count() == 0


@pytest.mark.parametrize("chart", ["equity", "price"])
def test_log_switch_changes_one_axis_and_keeps_the_zoom(
    browser: Any, reports: dict[str, Path], chart: str
) -> None:
    distribution = "(id) => document.getElementById('chart-' + id).plot.scales.y.distr"
    buttons = f"[data-chart={chart}] [data-scale=%s]"
    with opened(browser, reports["daily"]) as page:
        page.click("#spans button >> text=1Y")
        settled(page)
        before = page.evaluate(RANGE, chart)
        page.click(buttons % "log")
        settled(page)
        assert {name: page.evaluate(distribution, name) == 3 for name in ("equity", "price")} == {
            "equity": chart == "equity",
            "price": chart == "price",
        }
        assert page.get_attribute(buttons % "log", "aria-pressed") == "true"
        assert page.get_attribute(buttons % "linear", "aria-pressed") == "false"
        assert page.evaluate(RANGE, chart) == before
        assert page.evaluate(PAINTED) == []
        page.click(buttons % "linear")
        settled(page)
        assert page.evaluate(distribution, chart) == 1


def test_dragging_zooms_every_chart_and_a_double_click_resets(browser: Any, reports: dict[str, Path]) -> None:
    with opened(browser, reports["daily"]) as page:
        whole = page.evaluate(RANGE, "equity")
        page.locator("#chart-equity").scroll_into_view_if_needed()
        box = page.locator("#chart-equity .u-over").bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60, steps=5)
        page.mouse.up()
        settled(page)
        zoomed = page.evaluate(RANGE, "equity")
        length = whole[1] - whole[0]
        assert zoomed == pytest.approx([whole[0] + 0.25 * length, whole[0] + 0.5 * length], abs=0.01 * length)
        for other in ("drawdown", "sharpe", "volatility", "exposure", "price"):
            assert page.evaluate(RANGE, other) == zoomed
        assert "strategy" in page.text_content("#span-note")
        page.dblclick("#chart-drawdown .u-over")
        settled(page)
        assert page.evaluate(RANGE, "equity") == whole
        assert page.text_content("#span-note") == ""


def test_charts_are_read_and_zoomed_with_the_keyboard(browser: Any, reports: dict[str, Path]) -> None:
    with opened(browser, reports["daily"]) as page:
        whole = page.evaluate(RANGE, "equity")
        page.focus("#chart-equity")
        last = page.text_content("#readout-equity")
        page.keyboard.press("Home")
        settled(page)
        assert page.text_content("#readout-equity").startswith("2010-01-04Equity 100,000Gain 0.0")
        assert page.text_content("#readout-drawdown").startswith("2010-01-04")  # one cursor for all charts
        page.keyboard.press("ArrowRight")
        settled(page)
        assert page.text_content("#readout-equity").startswith("2010-01-05")
        assert page.get_attribute("#readout-equity", "aria-live") == "polite"
        page.keyboard.press("End")
        settled(page)
        assert page.text_content("#readout-equity") == last
        page.keyboard.press("+")
        settled(page)
        assert page.evaluate(RANGE, "price")[0] > whole[0]
        page.keyboard.press("0")
        settled(page)
        assert page.evaluate(RANGE, "price") == whole


def test_trades_are_sorted_searched_and_paged(browser: Any, reports: dict[str, Path]) -> None:
    result = run(("AAA", "BBB", "CCC"), 1500)
    closed = result.closed_trades
    with opened(browser, reports["daily"]) as page:
        rows = page.locator("#trade-table tbody tr")

        def column(number: int) -> list[str]:
            return [
                str(text)
                for text in page.locator(f"#trade-table tbody td:nth-child({number})").all_text_contents()
            ]

        assert rows.count() == 25
        assert page.text_content("#page-note") == f"1 to 25 of {len(closed)}"
        assert column(4) == sorted(column(4), reverse=True)
        page.click("[data-sort=pnl]")
        assert column(9)[0] == f"{closed['pnl'].max():,.0f}"
        assert page.get_attribute("th:has([data-sort=pnl])", "aria-sort") == "descending"
        assert page.get_attribute("th:has([data-sort=exit_time])", "aria-sort") is None
        page.click("[data-sort=pnl]")
        assert column(9)[0] == f"{closed['pnl'].min():,.0f}".replace("-", "−")
        page.click("#page-next")
        assert page.text_content("#page-note").startswith("26 to 50 of")
        page.fill("#trade-find", "bbb long")
        assert set(column(1)) == {"BBB"}
        assert page.text_content("#page-note").endswith(f"of {(closed['symbol'] == 'BBB').sum()}")
        page.fill("#trade-find", "nothing like this")
        assert rows.count() == 0
        assert page.text_content("#page-note") == "nothing found"


def test_first_page_of_trades_is_the_same_with_and_without_scripts(
    browser: Any, reports: dict[str, Path]
) -> None:
    with opened(browser, reports["daily"], java_script_enabled=False) as page:
        plain = page.locator("#trade-table tbody td:not(.act)").all_text_contents()
        assert "need JavaScript" in page.text_content("noscript")
        assert page.locator(".tile .value").count() == 12
    with opened(browser, reports["daily"]) as page:
        assert page.locator("#trade-table tbody td:not(.act)").all_text_contents() == plain


def test_a_trade_and_a_drawdown_are_shown_on_their_charts(browser: Any, reports: dict[str, Path]) -> None:
    closed = run(("AAA", "BBB", "CCC"), 1500).closed_trades
    with opened(browser, reports["daily"]) as page:
        page.click("[data-sort=pnl]")
        page.locator("#trade-table tbody .link").first.click()
        settled(page)
        best = closed.loc[closed["pnl"].idxmax()]
        assert page.eval_on_selector("#symbol", "el => el.selectedOptions[0].text") == best["symbol"]
        low, high = page.evaluate(RANGE, "price")
        days = [(stamp - pd.Timestamp(0)).days for stamp in (best["entry_time"], best["exit_time"])]
        assert low < days[0] <= days[1] < high
        assert high - low < 3 * (days[1] - days[0]) + 40
        assert page.evaluate("document.getElementById('prices').getBoundingClientRect().top") < 900
        page.locator("#drawdowns .link").first.click()
        settled(page)
        assert page.evaluate(RANGE, "drawdown") != [low, high]


def test_markers_of_the_chosen_symbol_are_read_under_the_cursor(
    browser: Any, reports: dict[str, Path]
) -> None:
    result = run(("AAA", "BBB", "CCC"), 1500)
    with opened(browser, reports["daily"]) as page:
        page.select_option("#symbol", label="CCC")
        page.locator("#chart-price").scroll_into_view_if_needed()
        settled(page)
        first = result.fills[result.fills["symbol"] == "CCC"].iloc[0]
        day = (first["time"] - pd.Timestamp(0)).days
        left = page.evaluate("(x) => document.getElementById('chart-price').plot.valToPos(x, 'x')", day)
        box = page.locator("#chart-price .u-over").bounding_box()
        page.mouse.move(box["x"] + left, box["y"] + 100)
        settled(page)
        shown = f"▲ bought {first['quantity']:,.0f} at {first['price']:,.2f}, the strategy"
        assert shown in page.text_content("#readout-price")


def test_theme_button_overrides_the_system(browser: Any, reports: dict[str, Path]) -> None:
    with opened(browser, reports["daily"], color_scheme="light") as page:
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.click("#theme")
        settled(page)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
        page.click("#theme")
        settled(page)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_fingers_move_the_cursor_and_pinch(browser: Any, reports: dict[str, Path]) -> None:
    with opened(browser, reports["daily"], 375, has_touch=True) as page:
        low, high = page.evaluate(RANGE, "equity")
        resting = page.text_content("#readout-equity")
        page.evaluate(TOUCH, ["pointerdown", [[1, 0.4]]])
        page.evaluate(TOUCH, ["pointermove", [[1, 0.5]]])
        settled(page)
        assert page.text_content("#readout-equity") != resting
        page.evaluate(TOUCH, ["pointerdown", [[2, 0.6]]])
        page.evaluate(TOUCH, ["pointermove", [[1, 0.3], [2, 0.8]]])
        settled(page)
        zoomed = page.evaluate(RANGE, "drawdown")
        assert zoomed[1] - zoomed[0] < 0.5 * (high - low)
        page.evaluate(TOUCH, ["pointerup", [[1, 0.3], [2, 0.8]]])


def test_intraday_axis_has_no_nights(browser: Any, reports: dict[str, Path]) -> None:
    with opened(browser, reports["minutes"]) as page:
        page.click("#spans button >> text=1W")
        settled(page)
        low, high = page.evaluate(RANGE, "price")
        assert high - low < 7 * 390 + 100  # bars, not minutes of the week
        labels = page.evaluate("[...document.getElementById('chart-price').plot.ticks.values()]")
        assert len(labels) >= 4
        page.focus("#chart-price")
        page.keyboard.press("End")
        settled(page)
        assert page.text_content("#readout-price").startswith("2018-02-13 19:28")


def test_print_hides_the_controls_and_opens_all_figures(
    browser: Any, reports: dict[str, Path], tmp_path: Path
) -> None:
    with opened(browser, reports["daily"], color_scheme="dark") as page:
        page.emulate_media(media="print")
        settled(page)
        assert not page.is_visible(".jump")
        assert not page.is_visible("#theme")
        assert page.is_visible("#chart-equity canvas")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        page.emulate_media(media="screen")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.is_visible("table.figures")
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert not page.is_visible("table.figures")
        assert page.pdf(path=tmp_path / "report.pdf").startswith(b"%PDF")
