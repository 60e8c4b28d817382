"""Kernels entered past numba's look at the types: the same answers, from the first call on, and plain Python without numba."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpt_trader.engine.interpreted import is_interpreted
from gpt_trader.engine.jit import compiled
from gpt_trader.engine.kernel_calls import direct_call


@compiled
def first_and_count(values: np.ndarray, number: int) -> tuple[float, int]:
    """Something to call."""
    return values[0], number + values.shape[0]


def test_every_call_answers_as_the_kernel() -> None:
    enter = direct_call(first_and_count)
    for values in (np.arange(3.0), np.arange(5.0), np.array([7.0])):
        assert enter(values, 2) == first_and_count(values, 2)


def test_an_array_may_be_read_only_or_not() -> None:
    enter = direct_call(first_and_count)
    fixed = np.arange(4.0)
    fixed.setflags(write=False)
    assert enter(np.arange(4.0), 1) == (0.0, 5)
    known = len(getattr(first_and_count, "overloads", ()))
    assert enter(fixed, 1) == (0.0, 5)
    assert len(getattr(first_and_count, "overloads", ())) == known, (
        "it was compiled for read-only arrays anew"
    )


def test_what_a_kernel_raises_comes_out() -> None:
    @compiled
    def refuses(number: int) -> int:
        if number < 0:
            raise ValueError("below zero")
        return number

    enter = direct_call(refuses)
    assert enter(3) == 3
    with pytest.raises(ValueError, match="below zero"):
        enter(-1)
    assert enter(4) == 4


def test_a_plain_function_is_itself() -> None:
    def plain(number: int) -> int:
        return number

    assert direct_call(plain) is plain


@pytest.mark.skipif(is_interpreted(), reason="there is no machine code without numba")
def test_the_types_of_the_first_call_are_those_that_are_entered() -> None:
    @compiled
    def doubled(values: Any) -> Any:
        return values[0] * 2

    doubled(np.array([1], np.int64))  # another machine code of the same kernel
    enter = direct_call(doubled)
    assert [enter(np.array([1.5])) for _ in range(3)] == [3.0, 3.0, 3.0]
