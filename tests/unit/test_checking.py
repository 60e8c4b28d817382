"""The parts of the look-ahead check: sampling, futures, comparing, isolation, what is heard."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from gpt_trader.bars import Bars
from gpt_trader.checking.access_monitor import Access, may_hold_prices, recorded_accesses, within_method
from gpt_trader.checking.alternative_futures import Futures
from gpt_trader.checking.comparing import first_difference, first_other
from gpt_trader.checking.isolation import Processes
from gpt_trader.checking.sampling import SPREAD, bars_in_order, evenly, informative_bars
from gpt_trader.errors import BadParameter, StrategyError
from gpt_trader.orders import limit
from tests.markets import random_market


def test_every_bar_but_the_last_comes_once() -> None:
    events = np.zeros(100)
    events[[0, 50, 99]] = 1.0
    order = bars_in_order(events, seed=1)
    assert sorted(order) == list(range(99))


def test_where_decisions_change_comes_first_after_a_few_bars_over_the_whole_span() -> None:
    events = np.zeros(1000)
    events[700] = 1.0
    order = bars_in_order(events, seed=1)
    assert {700, 699} <= set(order[: SPREAD + 3])
    assert min(order[:SPREAD]) < 100
    assert max(order[:SPREAD]) == 998


def test_a_rare_change_tells_more_than_a_frequent_one() -> None:
    targets = np.zeros((600, 2))
    targets[::2, 0] = 1.0
    targets[401:, 1] = 1.0
    order = bars_in_order(informative_bars({}, targets), seed=3)
    assert order.index(401) < SPREAD + 3


def test_any_beginning_of_an_even_order_covers_the_span() -> None:
    order = list(evenly(1000))
    assert sorted(order) == list(range(1000))
    beginning = np.sort(order[:64])
    assert np.diff(beginning).max() < 40


def test_a_flag_that_is_rarely_set_tells_like_a_decision() -> None:
    flag = np.zeros((50, 1), bool)
    flag[20] = True
    found = informative_bars(
        {"flag": flag, "level": np.random.default_rng(0).normal(size=(50, 1))}, np.zeros((50, 1))
    )
    assert np.flatnonzero(found).tolist() == [20, 21]


@pytest.mark.parametrize("t", [0, 1, 57, 298])
def test_another_future_keeps_the_past_to_the_last_bit_and_changes_every_later_price(t: int) -> None:
    bars = random_market(300, 3, seed=1, gaps=0.02, splits=True, dividends=True)
    other = Futures(bars, 5).replaced(t)
    assert np.array_equal(other.panel[:, : t + 1], bars.panel[:, : t + 1], equal_nan=True)
    both = other.present[t + 1 :] & bars.present[t + 1 :]
    assert (other.close[t + 1 :][both] != bars.close[t + 1 :][both]).all()
    Bars(other.symbols, other.time, other.panel)  # raises where the values break a rule


def test_futures_are_the_same_for_a_seed_and_unlike_each_other() -> None:
    bars = random_market(200, 2, seed=2)
    once, again = Futures(bars, 5).replaced(80), Futures(bars, 5).replaced(80)
    assert np.array_equal(once.panel, again.panel)
    assert not np.array_equal(once.close[90:], Futures(bars, 6).replaced(80).close[90:])


def test_a_cut_knows_no_later_delisting() -> None:
    plain = random_market(100, 2, seed=2)
    late = str(plain.time[80].astype("datetime64[D]"))
    panel = plain.panel.copy()
    panel[:4, 81:, 0], panel[4, 81:, 0] = np.nan, 0.0
    bars = Bars(plain.symbols, plain.time, panel, delisted=(late, None))
    futures = Futures(bars, 0)
    assert futures.cut(50).delisted == (None, None)
    assert futures.replaced(50).delisted == (None, None)
    assert futures.cut(90).delisted == (late, None)
    assert bars.strategy_view().delisted == (None, None)
    assert bars.strategy_view().notes == ()


def test_bars_that_end_before_a_known_delisting_do_not_end_with_it() -> None:
    plain = random_market(100, 1, seed=2)
    bars = Bars(plain.symbols, plain.time, plain.panel, delisted=("2030-01-01",))
    assert bars.last_session.tolist() == [100]
    last = str(plain.time[-1].astype("datetime64[D]"))
    assert Bars(plain.symbols, plain.time, plain.panel, delisted=(last,)).last_session.tolist() == [99]


def test_the_first_difference_is_that_of_the_earliest_row() -> None:
    a = np.arange(12.0).reshape(4, 3)
    b = a.copy()
    b[1, 2] += 1
    b[2, 0] += 1
    assert first_difference(a, b) == (1, 2)
    assert first_difference(a, a * (1 + 1e-13)) is None
    assert first_difference(np.array([[np.nan]]), np.array([[np.nan]])) is None
    assert first_difference(np.array([[np.nan]]), np.array([[0.0]])) == (0, 0)
    assert first_difference(np.array([[np.inf]]), np.array([[1.0]])) == (0, 0)
    assert first_difference(np.array([["up"]]), np.array([["down"]])) == (0, 0)


def test_order_requests_differ_by_any_of_their_numbers() -> None:
    same = [(limit(1, 10.0),), ()]
    assert first_other(same, [(limit(1, 10.0),), ()]) is None
    assert first_other(same, [(limit(1, 10.01),), ()]) == 0
    assert first_other(same, [(limit(1, 10.0),), (limit(1, 10.0),)]) == 1


def test_a_child_leaves_nothing_behind_and_hands_over_what_it_made() -> None:
    kept: list[int] = []

    def work() -> tuple[int, int]:
        kept.append(1)
        return os.getpid(), len(kept)

    process, count = Processes().run(work)
    assert (process != os.getpid(), count, kept) == (True, 1, [])


def test_children_start_from_the_same_random_numbers() -> None:
    draws = list(Processes(2, seed=4).run_all([random.random, np.random.random, random.random]))
    assert draws[0] == draws[2]
    assert Processes(seed=5).run(random.random) != draws[0]


def _fail() -> None:
    raise BadParameter("no")


def _die() -> None:
    os._exit(3)


def test_an_error_of_a_child_is_raised_and_its_death_is_told() -> None:
    with pytest.raises(BadParameter, match="no"):
        Processes().run(_fail)
    with pytest.raises(StrategyError, match="ended without an answer"):
        Processes().run(_die)
    with pytest.raises(StrategyError, match="ZeroDivisionError"):
        Processes().run(lambda: 1 // 0)


def test_files_are_heard_inside_a_method_only(tmp_path: Path) -> None:
    prices, notes = tmp_path / "prices.csv", tmp_path / "notes.txt"
    prices.write_text("1,2,3")
    with recorded_accesses() as heard:
        prices.read_text()
        with within_method("features"):
            prices.read_text()
            notes.write_text("x")
    assert [(item.verb, item.what, item.method) for item in heard] == [
        ("reads", str(prices), "features"),
        ("writes", str(notes), "features"),
    ]
    assert heard[0].file == __file__


@pytest.mark.parametrize(
    ("name", "content", "dangerous"),
    [
        ("prices.csv", "1", True),
        ("settings.json", '{"fast": 10, "slow": 50}', False),
        ("signals.json", str([0, 1] * 40), True),
        ("model.txt", "word " * 1000, True),
    ],
)
def test_a_small_file_of_settings_is_told_from_data(
    tmp_path: Path, name: str, content: str, dangerous: bool
) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert may_hold_prices(Access("reads", str(path), "features")) is dangerous
    assert not may_hold_prices(Access("writes", str(path), "features"))


def test_what_a_run_makes_itself_is_not_read_and_nothing_when_it_is_gone() -> None:
    with recorded_accesses() as heard, within_method("features"), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, np.arange(3))
        np.load(path)
    assert heard == []


def test_a_folder_that_was_there_is_not_made_by_asking_for_it(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    with recorded_accesses() as heard, within_method("features"):
        for folder in (kept, tmp_path / "new"):
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - as strategies do
            os.listdir(folder)  # noqa: PTH208
    assert [item.what for item in heard if item.verb == "reads"] == [f"the names in {kept}"]


def test_a_question_whether_a_file_is_there_is_heard_and_so_is_an_attached_database(tmp_path: Path) -> None:
    flag, database = tmp_path / "flag", tmp_path / "prices.db"
    sqlite3.connect(database).close()
    with recorded_accesses() as heard, within_method("decide"):
        flag.exists()
        os.path.isdir(flag)  # noqa: PTH112
        sqlite3.connect(":memory:").execute(f"attach '{database}' as x")
        sqlite3.connect(":memory:").execute("attach ? as x", (str(database),))
    assert {(item.verb, item.what) for item in heard} == {
        ("looks at", str(flag)),
        ("reads", str(database)),
        ("reads", "a database that a query attaches"),
    }


@pytest.mark.slow
def test_indicators_of_first_calls_in_threads_agree() -> None:
    program = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "import numpy as np\n"
        "from gpt_trader import ta\n"
        "x = np.linspace(1, 2, 400).reshape(200, 2)\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    found = list(pool.map(lambda n: ta.ema(x, 5)[-1, 0], range(16)))\n"
        "assert len(set(found)) == 1, found\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
