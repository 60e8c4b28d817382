"""The pages of robustness studies and comparisons in a real browser: they open clean and fit at every size and scheme."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browsing import browser, needs_chromium, opened
from tests.e2e.command import cli

__all__ = ["browser"]

pytestmark = needs_chromium
FEW = ("--start", "2008-01-02", "--end", "2010-12-31", "--replicates", 60)
OUTSIDE = """() => [...document.querySelectorAll("svg.still")].filter((svg) => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("rect, circle, line, polyline, text")].some((part) => {
    const own = part.getBoundingClientRect();
    return own.left < box.left - 2 || own.right > box.right + 2 || own.top < box.top - 2 || own.bottom > box.bottom + 2;
  });
}).map((svg) => svg.getAttribute("aria-label"))"""


@pytest.fixture
def made(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The page of the command that is asked for."""
    commands = {
        "robustness": ("robustness", "trend_breakout", "--symbols", "AAPL,IBM", "--neighbours", 20),
        "compare": ("compare", "demo_ma", "demo_ma,fast=5,slow=60", "buy_and_hold", "momentum"),
        "backtest": ("backtest", "demo_ma", "--intervals", 60),
    }
    command = commands[request.param]
    rest = FEW[:4] if request.param == "backtest" else FEW
    done = cli(*command, *rest, "--report", tmp_path / "page.html")
    assert done.code == 0, done.err
    return tmp_path / "page.html"


@pytest.mark.parametrize("made", ["robustness", "compare", "backtest"], indirect=True)
def test_a_page_opens_clean_and_fits(browser: Any, made: Path) -> None:
    for width, scheme in ((1280, "light"), (820, "dark"), (375, "dark")):
        with opened(browser, made, width, color_scheme=scheme, has_touch=width < 500) as page:
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.evaluate("document.querySelectorAll('svg.still').length") > 0
            assert page.evaluate(OUTSIDE) == []
