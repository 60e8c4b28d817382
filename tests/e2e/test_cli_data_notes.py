"""What was noticed about the data of a run is kept with it: the store, the folder and both reports say it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from gpt_trader import Bars, backtest
from gpt_trader.adapters.cache import CachedSource
from gpt_trader.adapters.failover import FailoverSource
from gpt_trader.adapters.loader import load
from gpt_trader.adapters.report import write_report
from gpt_trader.adapters.run_files import write_run
from gpt_trader.adapters.synthetic import SyntheticSource
from gpt_trader.errors import SourceUnavailable
from gpt_trader.sources import BarRequest, Series
from gpt_trader.strategies import load_strategy
from tests.e2e.command import cli

SPAN = {"start": "2024-01-02", "end": "2024-03-28"}


class Text(HTMLParser):
    """The list of warnings of a report."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.inside, self.lines = False, ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = self.inside or ("id", "warnings") in attrs

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "ul"

    def handle_data(self, data: str) -> None:
        self.lines += data + "\n" if self.inside else ""


class Switched:
    """A source that answers until it is switched off."""

    name = "switched"

    def __init__(self) -> None:
        self.on, self.inner = True, SyntheticSource(seed=3)

    def fetch(self, request: BarRequest) -> Series:
        """The bars of a seeded walk, or what a provider that is down says."""
        if not self.on:
            raise SourceUnavailable("the provider is down")
        return self.inner.fetch(request)


def test_the_notes_of_the_data_are_stored_with_the_run_and_shown_with_it() -> None:
    rows = "".join(f"2024-02-{day:02d},10,11,9,10,1000\n" for day in range(1, 29))
    bad = "2024-03-01,10,9,11,10,1000\n"
    Path("prices").mkdir()
    Path("prices/X.csv").write_text("date,open,high,low,close,volume\n" + rows + bad)
    Path("universe.csv").write_text("symbol\nX\n!!\nY\n")
    made = cli(
        "backtest", "buy_and_hold", "--universe", "universe.csv", "--path", "prices", "--quality", "repair",
        "--report", "made.html", "--json",
    ).json  # fmt: skip
    assert cli("report", "last", "--out", "stored.html").code == 0
    stored = cli("runs", "show", "last", "--json").json
    assert stored["warnings"] == made["warnings"]
    said = "\n".join(stored["warnings"])
    for note in ("line 3: '!!' left out", "Y: left out:", " made; the first: "):
        assert note in said
        assert note in "\n".join(stored["manifest"]["notes"])
        assert note in cli("runs", "show", "last").out
        assert note in Text(Path("made.html")).lines
        assert note in Text(Path("stored.html")).lines
    folder = Path("runs", made["run_id"])
    assert json.loads((folder / "result.json").read_text())["warnings"] == made["warnings"]
    assert json.loads((folder / "manifest.json").read_text())["notes"] == stored["manifest"]["notes"]


def test_stale_bars_and_a_failover_are_named_by_the_run_and_its_report(tmp_path: Path) -> None:
    source = Switched()
    cached = CachedSource(source, tmp_path / "cache")
    fresh = load("ABC", source=cached, **SPAN).bars
    assert fresh.notes == ()
    source.on = False
    stale = load("ABC", source=CachedSource(source, tmp_path / "cache", settle=0.0), start="2024-01-02").bars
    source.on = False
    other = load("ABC", source=FailoverSource([source, SyntheticSource(seed=3)]), **SPAN).bars
    for bars, note in (
        (stale, "ABC: stale, the source did not answer"),
        (other, "ABC: failover from switched: the provider is down"),
    ):
        result = backtest(load_strategy("buy_and_hold")(), bars)
        assert note in result.warnings
        assert note in result.manifest["notes"]
        assert (
            note
            in json.loads((write_run(result, tmp_path / "runs").path / "result.json").read_text())["warnings"]
        )
        assert note in Text(write_report(result, tmp_path / "report.html")).lines


def test_notes_stay_with_a_selection_of_the_bars_and_do_not_touch_their_fingerprint() -> None:
    time = np.arange("2024-01-01", "2024-01-11", dtype="datetime64[D]")
    panel = np.ones((7, 10, 2))
    panel[6] = 0.0
    bars = Bars(("A", "B"), time, panel, notes=("A: repaired",))
    plain = Bars(("A", "B"), time, panel)
    assert bars.select(symbols=["A"], start="2024-01-05").notes == ("A: repaired",)
    assert bars.fingerprint() == plain.fingerprint()
    with pytest.raises(AttributeError):
        bars.notes = ()  # type: ignore[misc]


def test_the_notes_of_a_regime_index_are_there_as_well() -> None:
    from dataclasses import replace

    from gpt_trader import Allocation, load_bars

    bars = load_bars(["AAPL"], start="2008-01-02", end="2008-12-31")
    index = replace(load_bars(["IBM"], end="2008-12-31"), notes=("IBM: stale, the source did not answer",))
    result = backtest(load_strategy("demo_ma")(), bars, allocation=Allocation(regime="IBM"), index=index)
    assert "IBM: stale, the source did not answer" in result.warnings
