"""The memo of a worker: what hits, what does not, what is bounded, and that results never go stale."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from gpt_trader import indicators as ta
from gpt_trader.errors import BadParameter
from gpt_trader.indicator_memo import memo, memoised


def frozen(length: int = 100, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(10.0, 20.0, length)
    values.setflags(write=False)
    return values


def test_a_grid_of_100_by_100_computes_200_indicators():
    close = frozen(250)
    with memo() as store:
        for fast in range(2, 102):
            for slow in range(102, 202):
                assert ta.sma(close, fast) is not ta.sma(close, slow)
        assert (store.misses, store.hits) == (200, 2 * 100 * 100 - 200)
        assert len(store) == 200
        assert store.size == 200 * close.nbytes


def test_a_hit_is_the_same_read_only_object_and_equals_the_computation():
    close = frozen()
    with memo():
        first = ta.bollinger(close, 20)
        assert ta.bollinger(close, 20) is first
        assert ta.bollinger(close, 20, width=2.5) is not first
        assert ta.bollinger(close, n=20) is not first  # spelt otherwise: computed once more
    outside = ta.bollinger(close, 20)
    for a, b in zip(first, outside, strict=True):
        assert np.array_equal(a, b, equal_nan=True)
        with pytest.raises(ValueError, match="read-only"):
            a[0] = 1.0


def test_an_indicator_of_an_indicator_hits():
    close = frozen()
    with memo() as store:
        for _ in range(3):
            ta.ema(ta.macd(close).line, 5)
        assert (store.misses, store.hits) == (2, 4)


def test_other_array_other_result_even_when_equal_and_even_at_the_same_address():
    with memo() as store:
        for seed in range(50):  # each array dies at once; without a reference its id would be used again
            values = frozen(seed=seed)
            assert np.array_equal(ta.sma(values, 3), ta.sma.__wrapped__(values, 3), equal_nan=True)
            del values
        assert (store.misses, store.hits) == (50, 0)


def test_arguments_that_compare_equal_but_differ_in_kind_are_kept_apart():
    calls = []

    @memoised
    def kind(value: object) -> str:
        calls.append(value)
        return type(value).__name__

    with memo():
        assert [kind(1), kind(1.0), kind(True), kind(1)] == ["int", "float", "bool", "int"]
        close = frozen()
        ta.sma(close, 20)
        with pytest.raises(BadParameter):
            ta.sma(close, 20.0)
    assert len(calls) == 3


def test_a_writable_array_is_never_looked_up_so_changing_it_in_place_is_seen():
    values = np.arange(10.0)
    with memo() as store:
        first = ta.sma(values, 2)
        values[:] = 7.0
        assert ta.sma(values, 2)[-1] == 7.0
        assert ta.sma(values=values, n=2)[-1] == 7.0
        assert first[-1] == 8.5
        assert (store.misses, store.hits, store.bypassed, len(store)) == (0, 0, 3, 0)


def test_arguments_that_cannot_be_hashed_are_computed():
    with memo() as store:
        assert ta.sma([1.0, 3.0], 2)[-1] == 2.0
        assert store.bypassed == 1


def test_errors_are_not_remembered():
    attempts = []

    @memoised
    def fails(n: int) -> int:
        attempts.append(n)
        raise BadParameter("no")

    with memo() as store:
        for _ in range(2):
            with pytest.raises(BadParameter):
                fails(1)
        assert len(store) == 0
    assert len(attempts) == 2


def test_the_least_recently_used_results_go_when_the_bytes_run_out():
    close = frozen()
    with memo(limit=3 * close.nbytes) as store:
        for n in (2, 3, 4):
            ta.sma(close, n)
        ta.sma(close, 2)  # used again: 3 is now the oldest
        ta.sma(close, 5)
        assert (len(store), store.size, store.evicted) == (3, 3 * close.nbytes, 1)
        hits = store.hits
        ta.sma(close, 2)
        assert store.hits == hits + 1
        ta.sma(close, 3)
        assert store.hits == hits + 1
        ta.donchian(close, close, 2)  # three arrays: all the others must go
        assert (len(store), store.size) == (1, 3 * close.nbytes)
        ta.vwap(close, close, close, close, close)
        assert store.size <= store.limit


def test_a_result_larger_than_the_limit_is_handed_out_and_not_kept():
    close = frozen()
    with memo(limit=close.nbytes) as store:
        ta.sma(close, 2)
        assert ta.donchian(close, close, 3).upper.shape == close.shape
        assert (len(store), store.size) == (1, close.nbytes)
    with pytest.raises(BadParameter, match="0 or more; got -1"):
        memo(limit=-1)


def test_nothing_is_remembered_outside_and_nesting_restores_the_outer_memo():
    close = frozen()
    assert ta.sma(close, 3) is not ta.sma(close, 3)
    with memo() as outer:
        first = ta.sma(close, 3)
        with memo() as inner:
            assert ta.sma(close, 3) is not first
            assert inner.misses == 1
        assert ta.sma(close, 3) is first
        with pytest.raises(KeyError), memo():
            raise KeyError("leaves the inner memo")
        assert ta.sma(close, 3) is first
    assert ta.sma(close, 3) is not first
    with outer:
        assert ta.sma(close, 3) is first
        with outer:
            assert ta.sma(close, 3) is first
        assert ta.sma(close, 3) is first


@pytest.mark.slow
def test_clear_and_the_end_of_the_memo_release_the_arrays():
    class Traced(np.ndarray):
        """An array that can be watched."""

    base = Traced(50)
    base[:] = 1.0
    watch = weakref.ref(base)
    view = np.asarray(base)
    view.setflags(write=False)
    with memo() as store:
        ta.sma(view, 3)
    del base, view
    gc.collect()
    assert watch() is not None
    store.clear()
    gc.collect()
    assert (watch(), store.size, len(store)) == (None, 0, 0)


def test_the_decorated_function_keeps_its_name_and_documentation():
    assert ta.sma.__name__ == "sma"
    assert ta.sma.__doc__.startswith("Simple moving average")
