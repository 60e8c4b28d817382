"""Calls a strategy: its features, and its decision for all bars at once or for one bar, with every answer checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt_trader.bars import Bars
from gpt_trader.errors import GptTraderError, StrategyError
from gpt_trader.strategy import MARKET_FIELDS, Held, Row, Strategy, strategy_name

Floats = NDArray[np.float64]
RESERVED = frozenset((*MARKET_FIELDS, "symbols"))
LOOKED_AT = RESERVED | {"score"}  # names that say more than the shape of their arrays


def compute_features(strategy: Strategy, bars: Bars) -> dict[str, NDArray[Any]]:
    """The strategy's features on the continuous basis, each (T, N) or (T, 1).

    Raises StrategyError when `features` raises, returns no mapping, or an array of another length.
    """
    try:
        found: Any = strategy.features(bars)
    except GptTraderError:
        raise
    except Exception as error:
        name = strategy_name(type(strategy))
        raise StrategyError(f"{name}.features raised {type(error).__name__}: {error}") from error
    if type(found) is not dict and not isinstance(found, Mapping):
        name = strategy_name(type(strategy))
        raise StrategyError(f"{name}.features returned {type(found).__name__}; return a dict of arrays")
    shape = (bars.T, bars.N)
    return {
        key: value
        if type(value) is np.ndarray and value.shape == shape and key not in LOOKED_AT
        else _checked_feature(strategy, key, value, bars)
        for key, value in found.items()
    }


def _checked_feature(strategy: Strategy, key: str, value: Any, bars: Bars) -> NDArray[Any]:
    name = type(strategy).__name__
    if key in RESERVED:
        raise StrategyError(f"{name}.features: {key!r} is a market field; choose another name")
    array = np.asarray(value)
    if key == "score" and array.dtype.kind not in "biuf":
        raise StrategyError(f"{name}.features: 'score' holds {array.dtype}; it ranks symbols by numbers")
    if array.shape == (bars.T, bars.N) or array.shape == (bars.T, 1):
        return array
    if array.shape == (bars.T,):
        return array.reshape(bars.T, 1)
    raise StrategyError(
        f"{name}.features: {key!r} has shape {array.shape}; expected ({bars.T}, {bars.N}) (bars, symbols) or ({bars.T},)"
    )


def row_values(bars: Bars, features: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Market fields (continuous basis) and features by name, all (T, N) or (T, 1)."""
    return {
        "open": bars.open, "high": bars.high, "low": bars.low, "close": bars.close, "volume": bars.volume, **features,
    }  # fmt: skip


def decide_all(
    strategy: Strategy, bars: Bars, features: Mapping[str, NDArray[Any]], first: int = 0
) -> Floats:
    """One call of a stateless `decide` for all bars from row `first` on: target weights (T - first, N). Raises StrategyError."""
    return decide_rows(strategy, row_values(bars, features), first, (bars.T - first, bars.N))


def decide_rows(
    strategy: Strategy,
    columns: Mapping[str, NDArray[Any]],
    first: int,
    shape: tuple[int, int],
    *,
    finite: bool = True,
) -> Floats:
    """`decide_all` from the columns of the rows; `shape` is that of its answer. Without `finite` the caller looks for infinite
    weights."""
    with np.errstate(invalid="ignore", divide="ignore"):
        answer = call_strategy(strategy, "decide", strategy.decide, rows_from(columns, first))
    return checked_targets(strategy, answer, shape, first, finite=finite)


def rows_from(columns: Mapping[str, NDArray[Any]], first: int) -> Row:
    """What a decision for all bars from row `first` on sees."""
    return Row(columns if first == 0 else {name: array[first:] for name, array in columns.items()})


def decide_bar(strategy: Strategy, row: Row, held: Held | None, symbols: int) -> Floats:
    """One call of `decide` for one bar: target weights (N,). Raises StrategyError."""
    answer = call_strategy(strategy, "decide", strategy.decide, row) if held is None else call_strategy(
        strategy, "decide", strategy.decide, row, held
    )  # fmt: skip
    return checked_targets(strategy, answer, (symbols,))


def call_strategy(strategy: Strategy, what: str, function: Any, *arguments: Any) -> Any:
    """`function(*arguments)`, a method of the strategy named `what`; what it raises comes out as StrategyError."""
    try:
        return function(*arguments)
    except GptTraderError:
        raise
    except Exception as error:
        name = strategy_name(type(strategy))
        raise StrategyError(f"{name}.{what} raised {type(error).__name__}: {error}") from error


def checked_targets(
    strategy: Strategy, answer: Any, shape: tuple[int, ...], first: int = 0, *, finite: bool = True
) -> Floats:
    """`answer` as a float64 C array of `shape`, whose first row is row `first` of the bars.

    Raises StrategyError for another shape or type, or with `finite` for an infinite weight.
    """
    try:
        array = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        array = None
    if array is None or answer is None:
        raise _wrong_answer(strategy, f"{type(answer).__name__}; return weights, an array of numbers")
    if array.shape != shape:
        try:
            array = np.broadcast_to(array, shape)
        except ValueError:
            raise _wrong_answer(strategy, f"shape {array.shape}; expected {shape}") from None
    array = np.ascontiguousarray(array)
    if finite and np.isinf(array).any():
        raise infinite_weight(strategy, array, first)
    return array


def infinite_weight(strategy: Strategy, targets: Floats, first: int) -> StrategyError:
    """The error for `targets` with an infinite weight, which names the first; their first row is row `first` of the bars."""
    row, *column = (int(i) for i in np.argwhere(np.isinf(targets))[0])
    where = (row + first, *column)
    return _wrong_answer(strategy, f"an infinite weight at {where}; return a finite weight or NaN")


def _wrong_answer(strategy: Strategy, what: str) -> StrategyError:
    return StrategyError(f"{strategy_name(type(strategy))}.decide returned {what}")
