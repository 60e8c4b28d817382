"""What every bar source promises, run on each adapter of `sources.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gpt_trader import adapters
from gpt_trader.adapters.configuration import load
from gpt_trader.adapters.configuration_sections import PREFIX, known_keys
from gpt_trader.adapters.source_registry import KINDS, SOURCES
from gpt_trader.errors import SymbolNotFound, UserError
from gpt_trader.quality import Severity, find_defects
from gpt_trader.sources import ADJUSTMENTS, SERIES_COLUMNS, BarRequest, BarSource, Series
from jobs.data_options import SOURCE_HELP
from jobs.doctor import PACKAGES
from tests.contract.sources import FACTORIES, Factory, SourceCase


@pytest.fixture(params=FACTORIES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SourceCase]:
    factory: Factory = request.param
    with factory(tmp_path) as opened:
        yield opened


def ask(case: SourceCase, start: str | None, end: str | None, symbol: str | None = None) -> Series:
    bounds = [None if date is None else np.datetime64(date, "ns") for date in (start, end)]
    request = BarRequest(symbol or case.symbol, "1d", bounds[0], bounds[1], case.adjustment)
    return case.source.fetch(request)


def test_it_is_a_source_with_a_name(case: SourceCase) -> None:
    assert isinstance(case.source, BarSource)
    assert case.source.name


def test_the_frame_has_the_promised_shape(case: SourceCase) -> None:
    series = ask(case, case.start, case.end)
    assert tuple(series.frame.columns) == SERIES_COLUMNS
    assert series.frame["time"].dtype == np.dtype("datetime64[ns]")
    assert all(series.frame[column].dtype == np.float64 for column in SERIES_COLUMNS[1:])
    assert series.frame["time"].is_monotonic_increasing
    assert series.frame["time"].is_unique
    assert list(series.frame.index) == list(range(len(series.frame)))
    assert (series.frame["time"] == series.frame["time"].dt.normalize()).all()


def test_the_series_says_what_was_asked_and_what_it_is(case: SourceCase) -> None:
    series = ask(case, case.start, case.end)
    assert series.request.symbol == case.symbol
    assert series.request.timeframe == "1d"
    assert series.adjustment in ADJUSTMENTS
    assert series.source
    assert not series.stale


def test_both_bounds_are_inclusive(case: SourceCase) -> None:
    times = ask(case, case.start, case.end).frame["time"]
    assert times.iloc[0] == pd.Timestamp(case.start)
    assert times.iloc[-1] == pd.Timestamp(case.end)


def test_a_narrow_request_is_a_part_of_the_whole_history(case: SourceCase) -> None:
    whole = ask(case, None, None)
    narrow = ask(case, case.start, case.end)
    if whole.adjustment != "raw":
        pytest.skip("an adjusted history is rescaled by later events, so its parts differ by a factor")
    times = whole.frame["time"]
    part = whole.frame[(times >= pd.Timestamp(case.start)) & (times <= pd.Timestamp(case.end))]
    assert len(whole.frame) > len(narrow.frame) > 10
    pd.testing.assert_frame_equal(part.reset_index(drop=True), narrow.frame)


def test_a_weekend_bound_gives_the_sessions_inside(case: SourceCase) -> None:
    times = ask(case, case.start, case.end).frame["time"]
    weekday = times.dt.day_of_week
    friday = next(i for i in range(5, len(times) - 1) if weekday[i] == 4 and weekday[i + 1] == 0)
    saturday = (times[friday] + pd.Timedelta(days=1)).date().isoformat()
    sunday = (times[friday] + pd.Timedelta(days=2)).date().isoformat()
    assert ask(case, case.start, saturday).frame["time"].iloc[-1] == times[friday]
    assert ask(case, sunday, case.end).frame["time"].iloc[0] == times[friday + 1]


def test_the_same_question_gets_the_same_answer(case: SourceCase) -> None:
    first, second = ask(case, case.start, case.end), ask(case, case.start, case.end)
    pd.testing.assert_frame_equal(first.frame, second.frame)
    assert first.adjustment == second.adjustment


def test_changing_an_answer_does_not_change_the_next(case: SourceCase) -> None:
    first = ask(case, case.start, case.end).frame
    kept = first.copy()
    first.loc[:, "close"] = -1.0
    pd.testing.assert_frame_equal(ask(case, case.start, case.end).frame, kept)


def test_an_unknown_symbol_is_named(case: SourceCase) -> None:
    with pytest.raises(SymbolNotFound, match=case.unknown):
        ask(case, case.start, case.end, symbol=case.unknown)


def test_a_span_without_bars_is_empty_not_an_error(case: SourceCase) -> None:
    if case.before is None:
        pytest.skip("this source cannot tell an empty span from an unknown symbol")
    series = ask(case, *case.before)
    assert len(series.frame) == 0
    assert tuple(series.frame.columns) == SERIES_COLUMNS


def test_an_unknown_timeframe_is_a_users_mistake(case: SourceCase) -> None:
    with pytest.raises(UserError, match="7s"):
        case.source.fetch(BarRequest(case.symbol, "7s"))


def test_the_bars_keep_the_rules_of_quality(case: SourceCase) -> None:
    series = ask(case, case.start, case.end)
    errors = [d for d in find_defects(series.frame, case.symbol) if d.severity is Severity.ERROR]
    assert errors == []


def test_events_fit_the_adjustment(case: SourceCase) -> None:
    series = ask(case, case.start, case.end)
    if series.adjustment in ("split", "all"):
        assert (series.frame["split"] == 1.0).all()
    if series.adjustment == "all":
        assert (series.frame["dividend"] == 0.0).all()


# -- the list of sources ----------------------------------------------------------------------------------------------


CASES = [str(item.id) for item in FACTORIES]
AROUND = {"cached", "failover"}
"""Cases of sources around sources, which have no name of their own."""


def test_every_source_has_a_case() -> None:
    missing = set(SOURCES) - {case.partition("-")[0] for case in CASES}
    assert not missing, (
        f"write a factory for {sorted(missing)} in tests/contract/sources.py and append it to FACTORIES, id = the source's name"
    )


def test_every_case_is_of_a_source_that_has_a_name() -> None:
    foreign = {case.partition("-")[0] for case in CASES} - set(SOURCES) - AROUND
    assert not foreign, f"add {sorted(foreign)} to SOURCES in gpt_trader/adapters/source_registry.py"


@pytest.mark.parametrize("factory", [item for item in FACTORIES if item.id not in AROUND])
def test_a_source_calls_itself_as_the_list_does(
    factory: Factory, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    listed = request.node.callspec.id.partition("-")[0]
    with factory(tmp_path) as case:
        assert case.source.name == listed


def test_every_adapter_is_in_the_list() -> None:
    """Classes with a name of their own that fetch, in gpt_trader/adapters."""
    found = {}
    for path in sorted(Path(adapters.__file__).parent.glob("*.py")):
        for item in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(item, ast.ClassDef) and not any(
                getattr(base, "id", "") == "ABC" for base in item.bases
            ):
                found |= dict.fromkeys(_own_name(item), path.name)
    assert set(found) == set(SOURCES), (
        f"SOURCES in source_registry.py has {sorted(SOURCES)}, the adapters are {found}"
    )


def _own_name(item: ast.ClassDef) -> list[str]:
    """The text that a class gives to `name`."""
    return [
        str(line.value.value)
        for line in item.body
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant)
        and [getattr(target, "id", "") for target in line.targets] == ["name"]
    ]  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_a_row_of_the_list_says_all_that_readers_need(name: str) -> None:
    row = SOURCES[name]
    assert row.kind in KINDS, f"the kind of {name} is none of {', '.join(KINDS)}"
    assert all((row.what, row.span, row.adjustments))
    assert bool(row.endings) == (row.kind == "files")
    assert all(f"secrets.{key}" in known_keys() for key in row.secrets)
    assert not row.package or row.package in PACKAGES
    assert name in SOURCE_HELP.partition(";")[0].split()
    assert load(environment={f"{PREFIX}DATA__SOURCE": name}).data.source == name
