"""A real browser for the tests of report pages: a page is opened, and at its end nothing may have gone wrong in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on this machine (apt-get install chromium)"
)

CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const card = parse(getComputedStyle(document.querySelector("#months")).backgroundColor);
  const texts = ".heat td, .tile dt, .tile dd, .note, .gain, .loss, .legend span, .chips li, ul.warn li";
  return [...document.querySelectorAll(texts)].filter((el) => el.textContent.trim()).map((el) => {
    const own = parse(getComputedStyle(el).backgroundColor), back = own[3] === 0 ? card : own;
    const [a, b] = [light(back), light(parse(getComputedStyle(el).color))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), el.className + " " + el.textContent];
  }).sort((x, y) => x[0] - y[0])[0];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield started
        started.close()


@contextmanager
def opened(browser: Any, path: Path, width: int = 1280, **options: Any) -> Iterator[Any]:
    """The report in a fresh page; at the end nothing may have been logged or asked for."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, reduced_motion="reduce", **options
    )
    page = context.new_page()
    logged: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: logged.append(message.text))
    page.on("pageerror", lambda error: logged.append(str(error)))
    page.on("dialog", lambda dialog: (logged.append("dialog"), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    if options.get("java_script_enabled", True):
        page.wait_for_selector("html.ready", state="attached")
        settled(page)
    yield page
    context.close()
    assert logged == []
    assert asked == [path.as_uri()]


def settled(page: Any) -> None:
    """Two frames later: what was drawn by a microtask or an animation frame is there."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
