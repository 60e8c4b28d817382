"""The report of a sweep in a real browser: clean at every size, its maps answer to pointer and keys, tables sort."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt_trader.adapters.report.page import write_page
from gpt_trader.adapters.report.sweep_report import render_sweep
from gpt_trader.engine.metric_definitions import METRIC_NAMES
from gpt_trader.research.objectives import Objective
from gpt_trader.research.response_surface import BLOCKS, EarlyStop
from tests.e2e.browsing import CONTRAST, browser, needs_chromium, opened, settled
from tests.sweep_cases import concluded, made

__all__ = ["browser"]
pytestmark = needs_chromium

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>"
PAINTED = """() => [...document.querySelectorAll(".plot")].filter((el) => {
  const canvas = el.querySelector("canvas"), picture = el.querySelector("svg");
  if (picture) return picture.childElementCount < 4;
  if (!canvas) return true;
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return !pixels.some((v, i) => i % 4 === 3 && v > 0);
}).map((el) => el.id)"""
COPY = """
  const canvas = document.querySelector(`#chart-${id} canvas`), copy = document.createElement("canvas");
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const c = copy.getContext("2d", { willReadFrequently: true });
  c.drawImage(canvas, 0, 0);"""
PIXEL = f"([id, x, y]) => {{ {COPY} return [...c.getImageData(x, y, 1, 1).data]; }}"
PIXELS = f"(id) => {{ {COPY} return [...c.getImageData(0, 0, copy.width, copy.height).data].join(); }}"

SHARES, DAYS = (1, 2, 3, 4, 5, 6), (2, 4, 6, 8)
AXES = {"share": "1:6", "days": "2:8:2"}
POINTS = [(share, days) for share in SHARES for days in DAYS]
SHARPE = [0.3 * share - 0.2 * days + 0.05 for share, days in POINTS]  # best 6, 2; below 0 where days outweigh
TURNOVER = [float(days * share) for share, days in POINTS]


def grid(**more: Any) -> Any:
    return concluded(made(POINTS, {"sharpe": SHARPE, "turnover": TURNOVER}, **more), AXES)


def page_of(name: str) -> str:
    look = EarlyStop(100, np.zeros(len(METRIC_NAMES)), np.zeros((2, BLOCKS), np.float32))
    if name == "grid":
        return render_sweep(grid(errors={0: "why not"}, early_stops={5: look}), "grid", "abc123")
    if name == "front":
        surface = made(POINTS, {"sharpe": SHARPE, "turnover": TURNOVER})
        both = [Objective("sharpe"), Objective("turnover", smallest=True)]
        return render_sweep(concluded(surface, AXES, both), "nsga2", "abc123")
    if name == "three axes":
        points = [(*point, mode) for point in POINTS for mode in ("both", "first")]
        surface = made(points, {"sharpe": np.repeat(SHARPE, 2).tolist()}, ("share", "days", "mode"))
        return render_sweep(concluded(surface, {**AXES, "mode": "both,first"}), "grid", "abc123")
    if name == "sampled":
        rng = np.random.default_rng(0)
        some = [
            (int(a), round(float(b), 6))
            for a, b in zip(rng.integers(1, 90, 60), rng.uniform(-1, 1, 60), strict=True)
        ]
        surface = made(some, {"sharpe": rng.normal(0, 1, 60).tolist()}, ("share", "tilt"))
        return render_sweep(
            concluded(surface, {"share": "1:90", "tilt": "-1:1"}), "random", "abc123", "ended by --time-limit"
        )
    if name == "one axis":
        line = made([(share,) for share in SHARES], {"sharpe": SHARPE[:6]}, ("share",))
        return render_sweep(concluded(line, {"share": "1:6"}), "grid", "abc123")
    if name == "two points":
        two = made([(1,), (2,)], {"sharpe": SHARPE[:2]}, ("share",))
        return render_sweep(concluded(two, {"share": "1,2"}), "grid", "abc123")
    if name == "one point":
        return render_sweep(concluded(made([()], {"sharpe": [1.0]}, ()), {}), "grid", "abc123")
    if name == "nothing":
        failed = made(POINTS, {"sharpe": [math.nan] * 24}, errors=dict.fromkeys(range(24), "broken"))
        return render_sweep(concluded(failed, AXES), "grid", "abc123")
    assert name == "hostile"
    return render_sweep(grid(errors={0: HOSTILE}), HOSTILE, HOSTILE, HOSTILE)


NAMES = (
    "grid",
    "front",
    "three axes",
    "sampled",
    "one axis",
    "two points",
    "one point",
    "nothing",
    "hostile",
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sweeps")
    return {name: write_page(page_of(name), folder / f"{name}.html") for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
def test_opens_clean_and_fits(
    browser: Any, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    with opened(browser, pages[name], width, color_scheme=scheme, has_touch=width < 500) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(PAINTED) == []
        assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_against_its_background(browser: Any, pages: dict[str, Path], scheme: str) -> None:
    with opened(browser, pages["grid"], color_scheme=scheme) as page:
        ratio, where = page.evaluate(CONTRAST.replace("#months", "#points"))
        assert ratio >= 4.5, where


def cell(page: Any, share: int, days: int) -> tuple[float, float]:
    """The middle of a cell of the heat map, of share across and days up, from the labels that are drawn."""
    size = """() => {
      const el = document.getElementById("chart-map"), c = el.querySelector("canvas").getContext("2d");
      return [el.clientWidth, el.clientHeight, c.measureText("8").width + 14];
    }"""
    box = page.evaluate(size)
    left = box[2]
    width, height = box[0] - left - 6, box[1] - 46
    x = left + (SHARES.index(share) + 0.5) * width / len(SHARES)
    return x, 6 + height - (DAYS.index(days) + 0.5) * height / len(DAYS)


def test_the_heat_map_says_what_lies_under_the_pointer(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["grid"]) as page:
        assert page.text_content("#readout-map").startswith("best:share 6days 2Sharpe 1.45")
        for share, days in ((3, 6), (5, 2), (1, 8)):
            x, y = cell(page, share, days)
            page.hover("#chart-map", position={"x": x, "y": y})
            value = SHARPE[POINTS.index((share, days))]
            said = f"share {share}days {days}Sharpe {value:.2f}".replace("-", "−")
            assert page.text_content("#readout-map").startswith(said)
            assert page.is_visible("#chart-map .tip")
            assert page.text_content("#chart-map .tip").startswith(f"share {share} · days {days} · Sharpe")
        x, y = cell(page, 1, 2)
        page.hover("#chart-map", position={"x": x, "y": y})
        assert "failed 1" in page.text_content("#readout-map")
        x, y = cell(page, 2, 4)
        page.hover("#chart-map", position={"x": x, "y": y})
        assert "given up early 1" in page.text_content("#readout-map")
        page.hover("h1")
        assert page.is_hidden("#chart-map .tip")


def test_gains_are_blue_losses_orange_and_the_further_from_zero_the_darker(
    browser: Any, pages: dict[str, Path]
) -> None:
    with opened(browser, pages["grid"]) as page:

        def colour(share: int, days: int) -> list[int]:
            x, y = cell(page, share, days)
            return list(page.evaluate(PIXEL, ["map", round(x) - 25, round(y) - 12])[:3])

        good, better, bad = colour(4, 2), colour(5, 2), colour(1, 8)
        assert better[2] > better[0]
        assert bad[0] > bad[2]
        assert sum(better) < sum(good)
        assert page.text_content("#scale .low") == "−1.25"
        assert page.text_content("#scale .high") == "1.45"
        assert page.text_content("#scale small") == "0"


def test_the_heat_map_is_read_with_the_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["grid"]) as page:
        page.focus("#chart-map")
        page.keyboard.press("ArrowLeft")
        assert page.text_content("#readout-map").startswith("share 6days 2")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowUp")
        assert page.text_content("#readout-map").startswith("share 5days 4Sharpe 0.75")
        assert page.get_attribute("#readout-map", "aria-live") == "polite"
        for _ in range(9):
            page.keyboard.press("ArrowUp")
        assert page.text_content("#readout-map").startswith("share 5days 8")
        page.keyboard.press("Home")
        assert page.text_content("#readout-map").startswith("share 6days 2")


def test_axes_metric_and_what_joins_the_others_can_be_chosen(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["grid"]) as page:
        assert page.locator("[data-pick]").first.is_hidden()
        page.select_option("#axis-x", label="days")
        assert page.eval_on_selector("#axis-y", "el => el.selectedOptions[0].text") == "share"
        assert page.text_content("#readout-map").startswith("best:days 2share 6Sharpe 1.45")
        page.select_option("#shown", label="Turnover")
        assert page.text_content("#readout-map").startswith("best:days 2share 6Turnover 12.0×")
        assert page.text_content("#scale .high") == "48.0×"
    with opened(browser, pages["three axes"]) as page:
        assert "Each cell joins all values" in page.text_content("#surface-note")
        before = page.evaluate(PIXELS, "map")
        page.select_option("#axis-x", label="mode")
        settled(page)
        assert page.evaluate(PIXELS, "map") != before
        page.click("[data-pick=median]")
        assert page.get_attribute("[data-pick=median]", "aria-pressed") == "true"
        assert "the median" in page.text_content("#surface-note")


def test_the_landscape_turns_by_dragging_and_with_the_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["grid"]) as page:
        page.locator("#chart-landscape").scroll_into_view_if_needed()
        resting = page.evaluate(PIXELS, "landscape")
        box = page.locator("#chart-landscape").bounding_box()
        page.mouse.move(box["x"] + 200, box["y"] + 200)
        page.mouse.down()
        page.mouse.move(box["x"] + 260, box["y"] + 220, steps=4)
        page.mouse.up()
        turned = page.evaluate(PIXELS, "landscape")
        assert turned != resting
        page.focus("#chart-landscape")
        page.keyboard.press("ArrowLeft")
        assert page.evaluate(PIXELS, "landscape") != turned
        page.keyboard.press("0")
        page.mouse.move(0, 0)
        assert page.evaluate(PIXELS, "landscape") == resting


def test_a_finger_turns_the_landscape(browser: Any, pages: dict[str, Path]) -> None:
    touch = """([kind, x, y]) => {
      const el = document.getElementById("chart-landscape"), box = el.getBoundingClientRect();
      el.setPointerCapture = () => {};
      const at = { clientX: box.left + x, clientY: box.top + y };
      el.dispatchEvent(new PointerEvent(kind, { pointerId: 1, pointerType: "touch", bubbles: true, ...at }));
    }"""
    with opened(browser, pages["grid"], 375, has_touch=True) as page:
        resting = page.evaluate(PIXELS, "landscape")
        for event in (["pointerdown", 150, 150], ["pointermove", 200, 150], ["pointerup", 200, 150]):
            page.evaluate(touch, event)
        assert page.evaluate(PIXELS, "landscape") != resting


@pytest.mark.parametrize("name", ["grid", "two points"])
def test_the_marks_of_an_axis_differ(browser: Any, pages: dict[str, Path], name: str) -> None:
    """The logits of two points lie between -0.7 and 0.7."""
    with opened(browser, pages[name]) as page:
        for chart in ("logits", "degradation"):
            texts = page.locator(f"#chart-{chart} svg text[text-anchor=middle]").all_text_contents()
            assert len(texts) == len(set(texts)) > 2, texts


def test_small_charts_are_read_under_the_pointer_and_with_the_keyboard(
    browser: Any, pages: dict[str, Path]
) -> None:
    with opened(browser, pages["grid"]) as page:
        page.focus("#chart-effect-0")
        page.keyboard.press("ArrowRight")
        assert page.text_content("#readout-effect-0").startswith("share 1median −0.85")
        page.keyboard.press("ArrowRight")
        assert page.text_content("#readout-effect-0").startswith("share 2")
        page.focus("#chart-logits")
        page.keyboard.press("ArrowRight")
        assert "worse than the median" in page.text_content("#readout-logits")
        page.hover("#chart-plateau svg circle >> nth=3")
        assert "around it" in page.text_content("#readout-plateau")
    with opened(browser, pages["front"]) as page:
        page.locator("#chart-front").scroll_into_view_if_needed()
        page.focus("#chart-front")
        page.keyboard.press("ArrowRight")
        assert "Turnover" in page.text_content("#readout-front")


def test_points_are_sorted_by_a_heading(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["grid"]) as page:

        def column(number: int) -> list[str]:
            return list(page.locator(f"#top-table tbody td:nth-child({number})").all_text_contents())

        assert column(4)[0] == "1.45"
        page.click("#top-table [data-column='2']")
        assert column(3) == sorted(column(3), reverse=True)
        page.click("#top-table [data-column='2']")
        assert column(3) == sorted(column(3))
        assert page.get_attribute("#top-table th:has([data-column='2'])", "aria-sort") == "ascending"
        page.click("#top-table [data-column='3']")
        ratios = [float(text.replace("−", "-")) for text in column(4)]
        assert ratios == sorted(ratios, reverse=True)


def test_theme_repaints_the_maps(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["grid"], color_scheme="light") as page:
        before = page.evaluate(PIXELS, "map"), page.evaluate(PIXELS, "landscape")
        page.click("#theme")
        settled(page)
        after = page.evaluate(PIXELS, "map"), page.evaluate(PIXELS, "landscape")
        assert before[0] != after[0]
        assert before[1] != after[1]


def test_everything_but_the_charts_works_without_scripts(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["grid"], java_script_enabled=False) as page:
        assert "need JavaScript" in page.text_content("noscript")
        assert page.locator("#top-table tbody tr").count() == 22
        assert "why not" in page.text_content("#failed")


def test_hostile_texts_are_shown_as_text(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["hostile"]) as page:
        assert HOSTILE in page.text_content("#failed")
        assert HOSTILE in page.text_content("#cautions")
        assert page.locator("img").count() == 0
        assert page.locator("script").count() == 3
