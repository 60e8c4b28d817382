"""The benchmarks' definitions: we and the bare loop come to the same trades, and the table says what was measured."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from benchmarks import data as datasets
from benchmarks import definitions as given
from benchmarks import limit
from benchmarks.__main__ import main, row_of
from benchmarks.definitions import WORKLOADS
from benchmarks.peers import ours
from benchmarks.peers.limit import expected, pairs
from benchmarks.plan import LIMIT, OURS, PARTICIPANTS, PLAN, Entry
from benchmarks.runner import Measured
from benchmarks.table import Row, number, render
from benchmarks.worker import Desk, Task, measure

OWN = sorted(path.stem for path in Path(given.__file__).parent.glob("[!_]*.py"))


@pytest.mark.parametrize(("key", "bars"), [("W1", 1_500), ("W3", 400), ("W4", 8_000)])
def test_our_run_of_a_workload_is_that_of_the_bare_loop(key: str, bars: int) -> None:
    data = datasets.make(WORKLOADS[key].data, bars)
    task = ours.MAKERS[key](data)
    count, equity = task.answer(task.run(task.before()))
    reference_count, reference_equity = expected(key, data)
    assert reference_count > 10
    assert count == reference_count
    assert equity == pytest.approx(reference_equity, abs=1e-6)


def test_the_data_are_the_same_every_time_and_fit_what_the_workloads_assume() -> None:
    once, again = datasets.make("minutes", 5_000), datasets.make("minutes", 5_000)
    assert (once.close == again.close).all()
    assert (once.low <= once.close).all()
    assert (once.high >= once.open).all()
    falling = once.close[: datasets.QUIET, 0]
    assert (falling[1:] < falling[:-1]).all()
    assert once.close.max() / once.close.min() < 2.0


def test_data_survive_the_way_through_a_file(tmp_path) -> None:
    path = datasets.write("daily", tmp_path)
    made, back = datasets.make("daily"), datasets.read(path)
    assert (made.time == back.time).all()
    assert (made.volume == back.volume).all()


def test_the_bare_loop_trades_at_the_next_open_and_pays_commission() -> None:
    close = np.array([10.0, 9.0, 8.0, 9.0, 10.0, 9.0, 8.0])  # above its last two bars' mean at 3 and 4
    opened = np.array([10.0, 9.5, 8.5, 8.2, 9.4, 9.9, 8.6])
    equity, numbers = np.empty(7), np.empty(4)
    count, final = limit.two_averages(opened, close, 1, 2, equity, numbers)
    assert count == 1
    assert final == pytest.approx(100_000 - 940 * 1.0005 + 860 * 0.9995)
    assert equity[5] == pytest.approx(100_000 - 940 * 1.0005 + 900)
    assert numbers[0] == pytest.approx(final / 100_000 - 1)
    assert numbers[3] == pytest.approx(final / (100_000 - 940 * 1.0005 + 1_000) - 1)


@pytest.mark.parametrize("pair", given.TEN_PAIRS[::3])
def test_a_pair_of_the_sweep_is_that_of_the_bare_loop(pair: tuple[int, int]) -> None:
    data = datasets.make("daily")
    run = ours.backtest(
        ours.TwoAverages(*pair), ours.bars_of(data), costs=ours.COSTS, fills=ours.FILLS, allocation=ours.WHOLE
    )
    reference = pairs(data, (pair,))
    count, equity = reference.answer(reference.run(None))
    assert ours.round_trips(run) == (count, pytest.approx(equity, abs=1e-6))


def test_every_line_of_the_plan_names_a_known_participant_and_task() -> None:
    for entry in PLAN:
        assert entry.participant in PARTICIPANTS
        assert entry.workload in WORKLOADS
        if entry.participant == OURS:
            assert entry.task in ours.MAKERS
    for key in WORKLOADS:
        names = [entry.participant for entry in PLAN if entry.workload == key]
        assert names[0] == OURS
        assert LIMIT in names


def test_the_table_shows_medians_and_ratios_per_bar() -> None:
    rows = [
        Row("W1", OURS, "", (0.002, 0.001, 0.004), (0.003, 0.003, 0.003), 1_000, "30", "exactly"),
        Row("W1", "slow", "100 bars", (0.5,), (0.6,), 100, "3", "exactly"),
        Row("W1", "absent", "", (), (), problem="needs Python 3.12"),
    ]
    lines = render(rows).splitlines()
    assert len(lines) == 5
    assert "| 2 | 1 | 3 | 500,000 | 1 | 30 | exactly |" in lines[2]
    assert "| 500 | 500 | 600 | 200 | 2,500 | 3 | exactly |" in lines[3]
    assert lines[4].endswith("| needs Python 3.12 |")


def test_a_result_that_differs_is_named() -> None:
    item = Measured(
        Entry("W1", "somebody", "W1"), cpu=[0.1], wall=[0.1], count=30, equity=99_000.0, expected_count=30,
        expected_equity=99_000.5,
    )  # fmt: skip
    assert not item.agrees
    assert row_of(item).agreement.startswith("NO: 30 and 99,000.00, expected 30 and 99,000.50")
    item.equity = 99_000.5
    assert item.agrees
    item.count = 31
    assert not item.agrees


def test_numbers_keep_three_digits() -> None:
    assert [number(value) for value in (0.01234, 1.0, 56.78, 12_345.6)] == ["0.0123", "1", "56.8", "12,346"]


def test_a_worker_measures_what_it_is_asked_for(tmp_path) -> None:
    path = datasets.write("daily", tmp_path)
    made = []

    def maker(data: datasets.Data) -> Task:
        made.append(data.close.shape)
        return Task(lambda bars: bars, lambda result: (int(result), 2.5), lambda: 7)

    desk = Desk("stub", "1", {"X": maker})
    request = {
        "do": "run",
        "key": "X",
        "path": str(path),
        "bars": 100,
        "warm": True,
        "seconds": 1.0,
        "most": 4,
    }
    reply = desk.answer(request)
    desk.answer(request)
    assert made == [(100, 1)]
    assert (len(reply["cpu"]), len(reply["wall"]), reply["count"], reply["equity"]) == (4, 4, 7, 2.5)
    assert desk.answer({"do": "facts"}) == {"name": "stub", "version": "1", "keys": ["X"]}


def test_measuring_ends_at_the_limit_and_runs_at_least_once() -> None:
    cpu, wall, result = measure(Task(lambda _: 3, lambda _: (0, 0.0)), seconds=0.0, most=5)
    assert len(cpu) == len(wall) == 1
    assert result == 3


@pytest.mark.parametrize("wrong", ["--only=W9", "--peers=nobody"])
def test_a_wrong_name_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([wrong])
    assert left.value.code == 2
    assert "choose from" in capsys.readouterr().err


@pytest.mark.parametrize("name", OWN)
def test_every_measurement_can_be_imported(name: str) -> None:
    assert import_module(f"benchmarks.{name}").__doc__
