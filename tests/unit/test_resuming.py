"""What has changed since a study was started is named; a command line is stripped of what is not for its second run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpt_trader import Costs
from gpt_trader.engine.run_setup import Settings
from gpt_trader.errors import UserError
from gpt_trader.research.experiment import Experiment
from gpt_trader.strategies import load_strategy
from jobs.resuming import check_same, going_on_with, resumed, typed, typing_of, what_changed, without
from tests.markets import random_market
from tests.unit.test_study_files import RECORD

BARS = random_market(50, 2, 3)
EXPERIMENT = Experiment(load_strategy("demo_ma"), BARS, Settings())


def as_read(experiment: Experiment) -> Any:
    """The identity as study.json gives it back."""
    import json

    from gpt_trader.adapters.canonical_json import canonical_json

    return json.loads(canonical_json(experiment.identity))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, []),
        ({"settings": Settings(capital=5.0, costs=Costs(bps=9.0))}, ["the settings (capital, costs)"]),
        ({"bars": BARS.select(symbols=["S0"])}, ["the bars of S1"]),
        ({"bars": BARS.select(symbols=["S1", "S0"])}, ["the bars (their order or their rows)"]),
        ({"bars": random_market(50, 2, 4)}, ["the bars of S0, S1"]),
        ({"strategy": load_strategy("bollinger")}, ["the code of the strategy", "the strategy"]),
        ({"settings": Settings(index=BARS)}, ["the bars of the index"]),
    ],
)
def test_the_parts_that_differ_are_named(changed: dict[str, Any], words: list[str]) -> None:
    assert what_changed(as_read(EXPERIMENT), as_read(replace(EXPERIMENT, **changed))) == words


def test_another_engine_and_a_part_of_a_later_version_are_named() -> None:
    now = as_read(EXPERIMENT)
    assert what_changed({**now, "engine": "other"}, now) == ["GPT-Trader itself"]
    assert what_changed(now, {**now, "weather": "rain"}) == ["weather"]


def test_a_study_that_is_another_is_refused_with_the_command_that_runs_it_anew() -> None:
    record = replace(RECORD, identity=as_read(EXPERIMENT))
    check_same(record, "a1b2", EXPERIMENT.identity)
    with pytest.raises(UserError) as refused:
        check_same(record, "c3", replace(EXPERIMENT, settings=Settings(capital=5.0)).identity)
    assert str(refused.value) == (
        "study a1b2 cannot go on: the settings (capital) changed since it was started; "
        "gpt-trader sweep demo_ma --param fast=1:9 runs it anew as c3"
    )
    with pytest.raises(UserError, match="the points of its plan changed"):
        check_same(record, "c3", EXPERIMENT.identity)


def test_a_study_goes_on_in_the_folder_where_it_was_started(tmp_path: Path) -> None:
    before = Path.cwd()
    with going_on_with(replace(RECORD, directory=str(tmp_path)), log=True):
        assert Path.cwd() == tmp_path
        assert (found := resumed()) is not None
        assert (found.record.study_id, found.log) == ("a1b2", True)
    assert (Path.cwd(), resumed()) == (before, None)
    absent = replace(RECORD, directory=str(tmp_path / "gone"))
    with pytest.raises(UserError, match="cannot be entered"), going_on_with(absent, log=False):
        pytest.fail("entered")
    assert resumed() is None


def test_options_of_the_first_run_alone_are_left_out() -> None:
    given = [
        "sweep",
        "x",
        "--detach",
        "--submit",
        "http://h",
        "--param",
        "a=1",
        "--submit=http://h",
        "--json",
    ]
    assert without(given, ("--detach",), ("--submit",)) == ("sweep", "x", "--param", "a=1", "--json")


def test_what_is_typed_is_known_inside_the_command_only() -> None:
    assert typed() == ()
    with typing_of(["sweep", "x"]):
        with typing_of(["runs", "resume"]):
            assert typed() == ("runs", "resume")
        assert typed() == ("sweep", "x")
    assert typed() == ()
