"""Counts of something long: lines in a log once it has taken two seconds, nothing where silence or JSON was asked for."""

from __future__ import annotations

import pytest

from jobs.console import Output, _Lines


def test_lines_come_after_two_seconds_and_then_every_five(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    told = _Lines("loading bars", lambda: now[0])
    for second in range(14):
        now[0] = float(second)
        told("symbols", 1000 * second, 13_000)
    assert capsys.readouterr().err.splitlines() == [
        "loading bars: 2,000 of 13,000 symbols",
        "loading bars: 7,000 of 13,000 symbols",
        "loading bars: 12,000 of 13,000 symbols",
    ]


@pytest.mark.parametrize("output", [Output(as_json=True), Output(quiet=True)])
def test_nothing_is_counted_aloud_for_programs(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    with output.counting("loading bars") as told:
        told("symbols", 1, 2)
    assert capsys.readouterr() == ("", "")
